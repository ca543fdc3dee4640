/**
 * Collects and shows what `downloadMany` reports, and notices mistakes in it.
 *
 * @module
 */
import type { Flag, Outcome } from "./flag.ts";
import type { Options } from "./options.ts";
import { canShowBar, drawBar, eraseBar, plural, print } from "./terminal.ts";
import { type Chart, chartOf } from "./timeline.ts";

/** The outcomes that one call of `downloadMany` has reported so far. */
export class Outcomes {
  readonly #total: number;
  readonly #missing: Set<string>;
  readonly #outcomes: Outcome[] = [];

  constructor(flags: readonly Flag[]) {
    this.#total = flags.length;
    this.#missing = new Set(flags.map(({ cc }) => cc));
  }

  /** Adds an outcome. Throws if it is not the first outcome of one of the flags. */
  add(outcome: Outcome): void {
    checkIsOutcome(outcome);
    if (!this.#missing.delete(outcome.cc)) {
      throw new TypeError(`report: expected each flag once, got ${outcome.cc} once too often`);
    }
    this.#outcomes.push(outcome);
  }

  /** Returns a line for the user if some flags have no outcome at the end of a run. */
  missingLines(program: string): string[] {
    if (this.#missing.size === 0) return [];
    const count = `${this.#outcomes.length} of ${plural(this.#total, "flag")}`;
    return [
      `${program} reported ${count}: is an \`await\` or a \`report\` missing, or an error ignored?`,
    ];
  }

  /** Returns a line with the numbers of downloads and failures, and the time in seconds. */
  summary(seconds: number): string {
    const count = (wanted: Outcome["status"]) =>
      this.#outcomes.filter(({ status }) => status === wanted).length;
    const parts = [`${plural(count("ok"), "download")} in ${seconds.toFixed(2)}s`];
    if (count("not found") > 0) parts.push(`${count("not found")} not found`);
    if (count("failed") > 0) parts.push(plural(count("failed"), "error"));
    return parts.join(", ");
  }

  /** Returns the timeline of a run that began at `t0`, a time of `performance.now()`. */
  chart(title: string, t0: number): Chart {
    const tasks = this.#outcomes.map((outcome) => {
      return { ...outcome, label: outcome.cc, ok: outcome.status === "ok" };
    });
    return chartOf(title, t0, tasks);
  }

  /**
   * Returns a line for each failed download. Leaves out a flag that was not found if its code came
   * only from a single letter, `--every` or `--all`.
   */
  errorLines({ all, codes }: Options): string[] {
    const isGuess = (cc: string) => (all || codes.length > 0) && !codes.includes(cc);
    const lines: string[] = [];
    for (const outcome of this.#outcomes) {
      if (outcome.status === "ok") continue;
      if (outcome.status === "not found" && isGuess(outcome.cc)) continue;
      lines.push(`${outcome.cc}: ${outcome.line}`);
    }
    return lines.sort();
  }
}

/** Throws if a program reports something other than an outcome, for example a promise. */
function checkIsOutcome(value: unknown): void {
  if (value instanceof Object && "status" in value) return;
  const got = Deno.inspect(value);
  let hint = "";
  if (value instanceof Promise) hint = " (is an `await` missing?)";
  else if (got.startsWith("<Future")) hint = " (is `.result()` missing?)";
  throw new TypeError(`report: expected the outcome of a download, got ${got}${hint}`);
}

/** The maximum number of flags for which no progress bar is shown. */
const MAX_WITHOUT_BAR = 20;

/** Shows how a run proceeds: a line per flag, a progress bar, or the codes of the flags. */
export class Progress {
  readonly #style: "lines" | "bar" | "codes";
  readonly #total: number;
  readonly #t0 = performance.now();
  #done = 0;
  #isInMidLine = false;

  constructor(total: number, isVerbose: boolean, mayShowBar: boolean) {
    this.#total = total;
    const showBar = mayShowBar && total > MAX_WITHOUT_BAR && canShowBar();
    if (isVerbose) this.#style = "lines";
    else this.#style = showBar ? "bar" : "codes";
  }

  show(outcome: Outcome): void {
    this.#done++;
    if (this.#style === "lines") {
      print(verboseLine(outcome));
    } else if (this.#style === "bar") {
      drawBar(this.#done, this.#total, performance.now() - this.#t0);
    } else if (outcome.status === "ok") {
      print(`${outcome.cc} `);
      this.#isInMidLine = true;
    }
  }

  /** Erases the bar, or ends the line of codes. */
  end(): void {
    if (this.#style === "bar") eraseBar();
    if (this.#isInMidLine) print("\n");
  }
}

function verboseLine(outcome: Outcome): string {
  const bytes = outcome.status === "ok" ? outcome.bytes ?? "?" : 0;
  const result = outcome.status === "ok" ? "ok" : outcome.line;
  const ms = (outcome.end - outcome.start).toFixed();
  return `${outcome.cc} ${`${bytes}`.padStart(7)} bytes ${ms.padStart(5)} ms  ${result}\n`;
}
