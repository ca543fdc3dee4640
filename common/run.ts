/**
 * Runs a program that downloads flags: chooses the site and the flags, and prints the summary.
 *
 * @module
 */
import { clock, DEST_DIR, type DownloadMany, type Flag, type Outcome, POP20_CC } from "./flag.ts";
import { makeUnfinished, removeUnfinished } from "./files.ts";
import { expandCodes, HELP, type Options, parseOptions } from "./options.ts";
import { canShowBar, ProgressBar } from "./progress_bar.ts";
import { fail, mayUse, onSignal, orExit, plural, print, programName, reason } from "./terminal.ts";
import { type Chart, checkTimeline, showTimeline, type Span, withLanes } from "./timeline.ts";

/** The settings of a program. The command-line options override `maxReq` and `codes`. */
export interface Defaults {
  /**
   * The number of workers or of concurrent fetches. If omitted, the program uses one connection and
   * ignores `--max-req`.
   */
  maxReq?: number;
  /** The maximum for `--max-req`. More would not be faster. Default: no maximum. */
  most?: number;
  /** The codes to download. Default: the chapter's 20 codes. */
  codes?: readonly string[];
  /** Whether a long run may show a progress bar. Default: `true`. */
  bar?: boolean;
}

/**
 * The settings of the pool and of the async program. The pool uses the default of Python's
 * `ThreadPoolExecutor`. The async program uses 30, like the book's `flags2_threadpool.py`.
 */
export const DEFAULTS = {
  threadpool: { maxReq: Math.min(32, navigator.hardwareConcurrency + 4), most: 128 },
  async: { maxReq: 30 },
} satisfies Record<string, Defaults>;

/** Everything that a program knows before its first download. */
export interface Setup {
  options: Options;
  flags: Flag[];
  /** The number of flags and the site, in words for the user. */
  what: string;
}

/** Runs a program: parses its options, calls `downloadMany`, prints the summary, and exits. */
export async function main(downloadMany: DownloadMany, defaults: Defaults = {}): Promise<never> {
  const setup = await setUp(defaults.codes);
  const { flags, options: { verbose } } = setup;
  const wanted = Math.min(wantedRequests(setup.options, defaults), flags.length);
  const maxReq = Math.min(wanted, defaults.most ?? Infinity);
  const connections = plural(maxReq, "connection");
  console.error(`${setup.what}, ${connections}${maxReq < wanted ? " (the maximum)" : ""}`);

  const begin = clock();
  const outcomes: Outcome[] = [];
  const isLong = flags.length > POP20_CC.length;
  const bar = isLong && !verbose && defaults.bar !== false && canShowBar()
    ? new ProgressBar(flags.length, () => outcomes.length)
    : undefined;

  function report(outcome: Outcome): void {
    outcomes.push(outcome);
    if (verbose) print(verboseLine(outcome));
    else if (!bar && outcome.status === "ok") print(`${outcome.cc} `);
    if (outcome.status === "unwritable") end();
  }

  /**
   * Prints the summary and exits. If a signal interrupted the run, `signalCode` is the exit code
   * for that signal.
   */
  function end(signalCode?: number): never {
    bar?.[Symbol.dispose]();
    const isInMidLine = !verbose && !bar && outcomes.some(({ status }) => status === "ok");
    if (isInMidLine) print("\n");
    print(`${summary(outcomes, begin)}${signalCode ? ", interrupted" : ""}\n`);
    const chart = { title: `${programName()}, ${connections}`, spans: spansOf(outcomes, begin) };
    return finish(setup, outcomes, [chart], signalCode);
  }

  onSignal(end);
  try {
    await downloadMany(flags, maxReq, report);
  } catch (error) {
    fail(reason(error));
  }
  return end();
}

function wantedRequests(options: Options, defaults: Defaults): number {
  if (defaults.maxReq === undefined) return 1;
  return options.maxReq ?? defaults.maxReq;
}

/**
 * Parses the options, creates the directory and starts the site. If one of these fails, prints the
 * reason and exits.
 */
export async function setUp(defaultCodes: readonly string[] = POP20_CC): Promise<Setup> {
  const options = readOptions();
  makeDirectory();
  addEventListener("unload", removeUnfinished);
  orExit(() => checkTimeline(options.timeline));
  const site = await openSite(options.server);
  const codes = await chooseCodes(options, defaultCodes);
  const flags = codes.map((cc) => ({ cc, url: flagUrl(site, cc) }));
  const siteName = site === options.server
    ? withoutPassword(site)
    : `${options.server} (${withoutPassword(site)})`;
  return { options, flags, what: `${plural(flags.length, "flag")} from ${siteName}` };
}

function readOptions(): Options {
  const usage = `usage: ${programName()} ${HELP}`;
  const [usageLine] = usage.split("\n");
  const explain = (why: string) => `${why.replace(/(got|option:) [^]*@/, "$1 …@")}\n${usageLine}`;
  const options = orExit(() => parseOptions(Deno.args), explain, 2);
  if (options.help) {
    print(`${usage}\n`);
    Deno.exit();
  }
  return options;
}

function makeDirectory(): void {
  orExit(
    () => Deno.mkdirSync(DEST_DIR, { recursive: true }),
    (why) => `cannot create the directory ${DEST_DIR}: ${why}`,
  );
  // Ask now for the read permission that `removeUnfinished` needs.
  orExit(() => Deno.statSync(DEST_DIR));
  orExit(makeUnfinished);
}

/**
 * Returns the URL of a site, and starts the site if it is built in. Requests to a built-in site
 * bypass any proxy set in the environment, if the program has permission for `NO_PROXY`.
 */
async function openSite(server: string): Promise<string> {
  if (server === "REMOTE") return "https://www.fluentpython.com/data/flags";
  const isUrl = server.includes("/");
  if (isUrl) return server;
  if (mayUse("NO_PROXY")) Deno.env.set("NO_PROXY", "127.0.0.1");
  const { serveFlags, SITES } = await import("../flags_server.ts");
  const { addr } = orExit(() => serveFlags(SITES[server]));
  return `http://127.0.0.1:${addr.port}/flags`;
}

async function chooseCodes(options: Options, defaultCodes: readonly string[]): Promise<string[]> {
  const codes = expandCodes(options.codes);
  if (options.all) {
    const { flagCodes } = await import("../flags_server.ts");
    codes.push(...orExit(flagCodes));
  }
  const chosen = new Set(codes.length > 0 ? codes : defaultCodes);
  return [...chosen].slice(0, options.limit).sort();
}

function flagUrl(site: string, cc: string): string {
  const name = cc.toLowerCase();
  return `${site}/${name}/${name}.gif`;
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//");
}

function verboseLine(outcome: Outcome): string {
  const bytes = outcome.status === "ok" ? outcome.bytes : 0;
  const result = outcome.status === "ok" ? "ok" : outcome.line;
  const ms = (outcome.end - outcome.start).toFixed();
  return `${outcome.cc} ${`${bytes}`.padStart(7)} bytes ${ms.padStart(5)} ms  ${result}\n`;
}

/** Returns the outcome of the run in one line. */
function summary(outcomes: Outcome[], begin: number): string {
  const count = (wanted: Outcome["status"]) =>
    outcomes.filter(({ status }) => status === wanted).length;
  const missing = count("not found");
  const errors = count("failed") + count("unwritable");
  const seconds = ((clock() - begin) / 1000).toFixed(2);
  const parts = [`${plural(count("ok"), "download")} in ${seconds}s`];
  if (missing > 0) parts.push(`${missing} not found`);
  if (errors > 0) parts.push(plural(errors, "error"));
  return parts.join(", ");
}

/** Converts outcomes to timeline spans, with times relative to `begin`. */
export function spansOf(outcomes: Outcome[], begin: number): Span[] {
  const tasks = outcomes.map(({ cc, start, end, status, thread }) => ({
    label: cc,
    start: start - begin,
    end: end - begin,
    ok: status === "ok",
    thread,
  }));
  return withLanes(tasks);
}

/** Draws the charts if requested, lists the failed downloads on stderr, and exits. */
export function finish(
  { options }: Setup,
  outcomes: Outcome[],
  charts: Chart[],
  signalCode?: number,
): never {
  const lines = errorLines(outcomes, options);
  try {
    const drawing = showTimeline(charts, options.timeline);
    if (drawing) print(`${drawing}\n`);
  } catch (error) {
    lines.push(reason(error));
  }
  for (const line of lines) console.error(line);
  Deno.exit(signalCode ?? (lines.length > 0 ? 1 : 0));
}

/**
 * Returns a line for each failed download. Leaves out a flag that was not found if its code came
 * only from a single letter, `--every` or `--all`.
 */
function errorLines(outcomes: Outcome[], { all, codes }: Options): string[] {
  const isGuess = (cc: string) => (all || codes.length > 0) && !codes.includes(cc);
  const lines: string[] = [];
  for (const outcome of outcomes) {
    if (outcome.status === "ok") continue;
    if (outcome.status === "not found" && isGuess(outcome.cc)) continue;
    lines.push(`${outcome.cc}: ${outcome.line}`);
  }
  return lines.sort();
}
