/**
 * Runs a program that downloads flags: chooses the site and the flags, and prints the summary.
 *
 * @module
 */
import { clock, DEST_DIR, type DownloadMany, type Flag, type Outcome, POP20_CC } from "./flag.ts";
import { makeUnfinished, removeUnfinished } from "./files.ts";
import {
  type Defaults,
  expandCodes,
  HELP,
  type Options,
  parseOptions,
  SITES,
  SYNTAX,
} from "./options.ts";
import { canShowBar, ProgressBar } from "./progress_bar.ts";
import { Reports } from "./reports.ts";
import {
  fail,
  mayUse,
  onSignal,
  orExit,
  plural,
  print,
  printError,
  printLast,
  programName,
  reason,
} from "./terminal.ts";
import { type Chart, type Span, withLanes } from "./timeline.ts";
import { checkTimeline, showTimeline } from "./timeline_option.ts";

export { DEFAULTS, type Defaults } from "./options.ts";

/** Everything that a program knows before its first download. */
export interface Setup {
  options: Options;
  flags: Flag[];
  /** The number of flags and the site, in words for the user. */
  what: string;
}

/** The help and the options of a program. */
export interface CommandLine {
  help: string;
  syntax: typeof SYNTAX | Omit<typeof SYNTAX, "verbose">;
}

/** Runs a program: parses its options, calls `downloadMany`, prints the summary, and exits. */
export async function main(downloadMany: DownloadMany, defaults: Defaults = {}): Promise<never> {
  // In a worker, Deno has no main module.
  const isInWorker = Deno.mainModule === undefined;
  if (isInWorker) throw new Error("call `main` only under `if (import.meta.main)`");
  // The mistake may be more than 10 calls away from the error. By default, V8 prints only 10 calls.
  Error.stackTraceLimit = 30;
  const setup = await setUp(defaults);
  const { flags, options } = setup;
  const wanted = Math.min(wantedRequests(options, defaults), flags.length);
  const maxReq = Math.min(wanted, defaults.maxWorkers ?? Infinity);
  const connections = plural(maxReq, "connection");
  printError(`${setup.what}, ${connections}${maxReq < wanted ? " (the maximum)" : ""}`);

  const showBar = defaults.bar !== false && flags.length > POP20_CC.length && canShowBar();
  const run = new Run(setup, connections, showBar);
  onSignal((code) => run.end(code));
  orExit(makeUnfinished);
  try {
    await downloadMany(flags, maxReq, (outcome) => run.report(outcome));
  } catch (error) {
    await run.crash(error);
  }
  return await run.end();
}

function wantedRequests(options: Options, defaults: Defaults): number {
  if (defaults.maxReq === undefined) return 1;
  return options.maxReq ?? defaults.maxReq;
}

/** A run of `downloadMany`: what it reported so far, and how it ends. */
class Run {
  readonly #setup: Setup;
  readonly #connections: string;
  readonly #begin = clock();
  readonly #reports: Reports;
  readonly #bar: ProgressBar | undefined;
  #ending: Promise<never> | undefined;
  /** The exit code for the signal that interrupted the run. */
  #signalCode: number | undefined;

  constructor(setup: Setup, connections: string, showBar: boolean) {
    this.#setup = setup;
    this.#reports = new Reports(setup.flags);
    this.#connections = connections;
    if (showBar && !setup.options.verbose) {
      this.#bar = new ProgressBar(setup.flags.length, () => this.#reports.outcomes.length);
    }
  }

  /** Prints an outcome. Ignores an outcome that arrives after the end of the run. */
  report(outcome: Outcome): void {
    if (this.#ending) return;
    this.#reports.add(outcome);
    if (this.#setup.options.verbose) print(verboseLine(outcome));
    else if (!this.#bar && outcome.status === "ok") print(`${outcome.cc} `);
    if (outcome.status === "unwritable") this.end();
  }

  /**
   * Prints the summary and exits. If a signal interrupted the run, `signalCode` is the exit code
   * for that signal.
   */
  end(signalCode?: number): Promise<never> {
    this.#signalCode ??= signalCode;
    this.#ending ??= this.#finish();
    return this.#ending;
  }

  async #finish(): Promise<never> {
    const { outcomes } = this.#reports;
    this.#eraseBar();
    const interrupted = this.#signalCode === undefined ? "" : ", interrupted";
    print(`${summary(outcomes, this.#begin)}${interrupted}\n`);
    const title = `${programName()}, ${this.#connections}`;
    const charts = [{ title, spans: spansOf(outcomes, this.#begin) }];
    const lines = await showResults(this.#setup, outcomes, charts);
    const isStopped = interrupted || outcomes.some(({ status }) => status === "unwritable");
    if (!isStopped) lines.push(...this.#reports.missingLines("downloadMany"));
    return exitWith(lines, this.#signalCode);
  }

  /** Prints why `downloadMany` failed, and exits. Waits instead if the run is ending already. */
  async crash(error: unknown): Promise<never> {
    if (this.#ending) return await this.#ending;
    this.#eraseBar();
    await print("");
    return failWith(error);
  }

  /** Removes the progress bar, or ends the line of codes. */
  #eraseBar(): void {
    this.#bar?.[Symbol.dispose]();
    const isInMidLine = !this.#setup.options.verbose && !this.#bar &&
      this.#reports.outcomes.some(({ status }) => status === "ok");
    if (isInMidLine) print("\n");
  }
}

/**
 * Prints an error and exits. A missing permission takes one line. Any other error is a bug in the
 * program, so the output includes the stack.
 */
export function failWith(error: unknown): never {
  if (error instanceof Deno.errors.NotCapable) fail(reason(error));
  printError(error);
  Deno.exit(1);
}

/**
 * Parses the options, asks for permissions, creates the directory and starts the site. If one of
 * these fails, prints the reason and exits.
 */
export async function setUp(
  defaults: Defaults,
  commandLine: CommandLine = { help: HELP, syntax: SYNTAX },
): Promise<Setup> {
  const options = await readOptions(commandLine);
  makeDirectory();
  addEventListener("unload", removeUnfinished);
  orExit(() => checkTimeline(options.timeline));
  const site = await openSite(options.server);
  if (defaults.maxWorkers !== undefined) askToReadModules();
  const codes = await chooseCodes(options, defaults.codes ?? POP20_CC);
  const flags = codes.map((cc) => ({ cc, url: flagUrl(site, cc) }));
  const siteName = site === options.server
    ? withoutPassword(site)
    : `${options.server} (${withoutPassword(site)})`;
  return { options, flags, what: `${plural(flags.length, "flag")} from ${siteName}` };
}

async function readOptions({ help, syntax }: CommandLine): Promise<Options> {
  const usage = `usage: ${programName()} ${help}`;
  const [usageLine] = usage.split("\n");
  const explain = (why: string) => `${why.replace(/(got|option:) [^]*@/, "$1 …@")}\n${usageLine}`;
  const options = orExit(() => parseOptions(Deno.args, syntax), explain, 2);
  if (options.help) {
    await print(`${usage}\n`);
    Deno.exit();
  }
  return options;
}

// Deno asks for a missing permission when a program first needs it. During a download, Deno would
// ask while the time limit of the download runs, so these functions ask before the first download.

function makeDirectory(): void {
  orExit(
    () => Deno.mkdirSync(DEST_DIR, { recursive: true }),
    (why) => `cannot create the directory ${DEST_DIR}: ${why}`,
  );
  // Ask now for the read permission that `removeUnfinished` needs.
  orExit(() => Deno.statSync(DEST_DIR));
}

/** Asks for the permission to read the modules that workers load. */
function askToReadModules(): void {
  Deno.permissions.requestSync({ name: "read", path: new URL("..", import.meta.url) });
}

/** Asks for the permission to connect to `host`, which might not be a valid host name. */
function askToConnect(host: string): void {
  orExit(
    () => Deno.permissions.requestSync({ name: "net", host }),
    (why) => `--server: ${why}`,
  );
}

/**
 * Returns the URL of a site, and starts the site if it is built in. Requests to a built-in site
 * bypass any proxy set in the environment, if the program has permission for `NO_PROXY`.
 */
async function openSite(server: string): Promise<string> {
  const builtIn = Object.entries(SITES).find(([label]) => label === server);
  if (!builtIn) {
    const url = server === "REMOTE" ? "https://www.fluentpython.com/data/flags" : server;
    askToConnect(new URL(url).host);
    return url;
  }
  const [, options] = builtIn;
  if (mayUse("NO_PROXY")) Deno.env.set("NO_PROXY", "127.0.0.1");
  askToConnect("127.0.0.1");
  const { serveFlags } = await import("../flags_server.ts");
  const { addr } = orExit(() => serveFlags(options));
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

/**
 * Draws the charts if requested, removes unfinished files, and prints the charts. Returns a line
 * for each error.
 */
export async function showResults(
  { options }: Setup,
  outcomes: Outcome[],
  charts: Chart[],
): Promise<string[]> {
  const lines = errorLines(outcomes, options);
  let drawing = "";
  try {
    drawing = showTimeline(charts, options.timeline);
  } catch (error) {
    lines.push(reason(error));
  }
  // Workers save no more flags from here on, even if the program waits for the reader of a pipe.
  removeUnfinished();
  await printLast(drawing && `${drawing}\n`);
  return lines;
}

/** Prints the errors on stderr and exits. The default exit code is 1 if there are errors. */
export function exitWith(lines: string[], code = lines.length > 0 ? 1 : 0): never {
  for (const line of lines) printError(line);
  Deno.exit(code);
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
