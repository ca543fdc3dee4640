/**
 * Collects what `downloadMany` reports, and notices mistakes in a `downloadMany` that was edited.
 *
 * @module
 */
import type { Flag, Outcome } from "./flag.ts";
import { plural } from "./terminal.ts";

/** The outcomes that a program has reported so far. */
export class Reports {
  readonly outcomes: Outcome[] = [];
  readonly #flags: readonly Flag[];
  readonly #missing: Set<string>;

  constructor(flags: readonly Flag[]) {
    this.#flags = flags;
    this.#missing = new Set(flags.map(({ cc }) => cc));
  }

  /** Adds an outcome. Throws if it is not the first outcome of one of the flags. */
  add(outcome: Outcome): void {
    checkIsOutcome(outcome);
    const { cc } = outcome;
    if (!this.#missing.delete(cc)) {
      const isKnown = this.#flags.some((flag) => flag.cc === cc);
      throw new TypeError(
        isKnown
          ? `report: expected each flag once, got ${cc} again`
          : `report: expected one of the flags of downloadMany, got ${cc}`,
      );
    }
    this.outcomes.push(outcome);
  }

  /** Returns a line for the user if flags are missing. Call this method at the end of a run. */
  missingLines(program: string): string[] {
    if (this.#missing.size === 0) return [];
    const count = `${this.outcomes.length} of ${plural(this.#flags.length, "flag")}`;
    return [
      `${program} reported ${count}: is an \`await\` or a \`report\` missing, or an error ignored?`,
    ];
  }
}

/** Throws if a program reports something other than an outcome, for example a promise. */
function checkIsOutcome(value: unknown): void {
  const isOutcome = typeof value === "object" && value !== null && "status" in value;
  if (isOutcome) return;
  const advice = value instanceof Promise ? " (is an `await` missing?)" : "";
  throw new TypeError(
    `report: expected the outcome of a download, got ${Deno.inspect(value)}${advice}`,
  );
}
