/**
 * The person's side of the four flags programs: their options, which site, the run and its report.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { checkTimeline, showTimeline, timelineOption, withLanes } from "./timeline.ts";
import type { Chart, Span, TimelineOption } from "./timeline.ts";

/** A flag to download. */
export interface Flag {
  cc: string;
  url: string;
}

/** What became of a flag. Times are ms since the epoch; `thread` is the time when its thread began. */
export type Outcome =
  & { cc: string; start: number; end: number; thread: number }
  & (
    | { status: "ok"; bytes: number }
    | { status: "not found" | "failed" | "unwritable"; line: string }
  );

/** Takes what became of a flag, as soon as that is known. */
export type Report = (outcome: Outcome) => void;

/** How a program downloads: with at most `maxReq` requests at the same time. */
export type DownloadMany = (flags: Flag[], maxReq: number, report: Report) => Promise<void>;

/** What a program does unless its options say otherwise. */
export interface Defaults {
  /** Workers, or fetches in flight. Without a default, `--max-req` has no effect: it is 1. */
  maxReq?: number;
  /** So many help, and more are not taken. Default: no limit. */
  most?: number;
  /** Default: the 20 of the chapter. */
  codes?: readonly string[];
  /** Whether a bar may show how far a long run is. Default: `true`. */
  bar?: boolean;
}

/** How the pool and the async program start: Python's default for threads, and the book's for asyncio. */
export const DEFAULTS = {
  threadpool: { maxReq: Math.min(32, navigator.hardwareConcurrency + 4), most: 128 },
  async: { maxReq: 30 },
} satisfies Record<string, Defaults>;

/** The 20 most populous countries, in the order of the chapter. */
export const POP20_CC: readonly string[] =
  "CN IN US ID BR PK NG BD RU KR MX PH VN ET EG DE IR TR CD FR".split(" ");

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
/** Where the images go, below the current directory, and how their names begin until they are whole. */
export const DEST_DIR = "downloaded";
export const UNFINISHED = `.unfinished-${Deno.pid}-`;

const HELP = `[-aehv] [-l N] [-m N] [-s SITE] [--timeline [FILE]] [CC…]

  CC…                 country codes, or one letter for all its codes (B: BA…BZ);
                      default: the 20 of the chapter
  -a, --all           every flag the built-in site has (243)
  -e, --every         AA…ZZ, 676 codes
  -l, --limit N       the first N codes
  -m, --max-req N     workers (default: cores + 4, or 3 in flags_futures.ts; at most 128),
                      or fetches in flight (30); no effect in flags.ts
  -s, --server SITE   LOCAL   the built-in site, after 0.2 to 0.4 s (default)
                      DELAY   the same, after 0.5 to 5 s
                      ERROR   the same, after 0.5 s; a quarter fails
                      REMOTE  www.fluentpython.com/data/flags, the book's
                      or the URL of any other site
  -v, --verbose       one line per flag: code, bytes, ms, outcome
  --timeline [FILE]   draw who waited for whom: here, or into a .svg or .json file
  -h, --help          this`;

/** What the arguments of a program say. */
export interface Options {
  help: boolean;
  /** Two letters, in capitals; or one, for all the codes that begin with it. */
  codes: string[];
  all: boolean;
  limit: number | undefined;
  maxReq: number | undefined;
  server: string;
  verbose: boolean;
  timeline: TimelineOption;
}

/** The options in `args`; an error says what was expected and what came. */
export function parseOptions(args: readonly string[]): Options {
  const { timeline, rest } = timelineOption(args);
  const odd = rest.find((arg) => /^(--?_|-[aehv]+[^aehv]|--(all|every|help|verbose)=)/.test(arg));
  if (odd) throw new Error(`expected no value for a switch, got ${odd}`);
  const [switches, others] = [["all", "every", "help", "verbose"], ["limit", "max-req", "server"]];
  const options = parseArgs(rest, {
    boolean: switches,
    string: ["_", ...others],
    alias: Object.fromEntries([...switches, ...others].map((name) => [name, name.charAt(0)])),
    unknown(arg, key) {
      if (key !== undefined) throw new Error(`unknown option: ${arg}`);
      return true;
    },
  });
  const number = (name: string) =>
    options[name] === undefined ? undefined : wholeNumber(`--${name}`, `${options[name]}`);
  const code = (text: unknown) => {
    if (/^[A-Z]{1,2}$/i.test(`${text}`)) return `${text}`.toUpperCase();
    throw new Error(`expected a country code of two letters, or one, got ${text || "nothing"}`);
  };
  return {
    help: options.help === true,
    all: options.all === true,
    limit: number("limit"),
    maxReq: number("max-req"),
    server: server(options.server),
    codes: [...options._.map(code), ...(options.every ? LETTERS : [])],
    verbose: options.verbose === true,
    timeline,
  };
}

/** A label in upper case, or a URL. */
function server(value: unknown = "LOCAL"): string {
  const label = `${value}`.toUpperCase();
  if (["LOCAL", "DELAY", "ERROR", "REMOTE"].includes(label)) return label;
  if (/^https?:\/\/[^\s?#]+$/i.test(`${value}`) && URL.canParse(`${value}`)) {
    return `${value}`.replace(/\/+$/, "");
  }
  const labels = "LOCAL, DELAY, ERROR, REMOTE";
  throw new Error(`--server: expected ${labels} or an http URL, got ${value || "nothing"}`);
}

/** The number that `text` is; an option or an argument of that name must be one. */
export function wholeNumber(name: string, text: string): number {
  if (/^\d+$/.test(text) && Number(text) > 0) return Number(text);
  throw new Error(`${name}: expected a whole number from 1 up, got ${text || "nothing"}`);
}

/** What a program has before its first download; `what` tells people the site and the number of flags. */
export type Setup = Options & { flags: Flag[]; what: string };

/** Reads the options, makes the directory, starts the site; or exits and says why. */
export async function setUp(defaultCodes: readonly string[] = POP20_CC): Promise<Setup> {
  const usage = `usage: ${programName()} ${HELP}`;
  const noSecret = (why: string) => why.replace(/(got|option:) [^]*@/, "$1 …@");
  const withUsage = (why: string) => `${noSecret(why)}\n${usage.split("\n")[0]}`;
  const options = orExit(() => parseOptions(Deno.args), withUsage, 2);
  if (options.help) {
    print(`${usage}\n`);
    Deno.exit();
  }
  const cannot = (why: string) => `cannot make the directory ${DEST_DIR}: ${why}`;
  orExit(() => Deno.mkdirSync(DEST_DIR, { recursive: true }), cannot);
  orExit(() => Deno.statSync(DEST_DIR)); // to be able to see what is unfinished
  addEventListener("unload", removeUnfinished);
  orExit(() => checkTimeline(options.timeline));
  const site = await openSite(options.server);
  const codes = options.codes.flatMap((code) =>
    code.length === 2 ? code : LETTERS.map((second) => code + second)
  );
  if (options.all) codes.push(...orExit((await import("./flags_server.ts")).flagCodes));
  const chosen = [...new Set(codes.length > 0 ? codes : defaultCodes)].slice(0, options.limit);
  const flags = chosen.sort().map((cc): Flag => {
    const name = cc.toLowerCase();
    return { cc, url: `${site}/${name}/${name}.gif` };
  });
  const url = site.replace(/\/\/[^/]*@/, "//");
  const where = site === options.server ? url : `${options.server} (${url})`;
  return { ...options, flags, what: `${plural(flags.length, "flag")} from ${where}` };
}

/** The URL of a site. A built-in one starts now; whatever proxy the environment names is not for it. */
async function openSite(server: string): Promise<string> {
  if (server === "REMOTE") return "https://www.fluentpython.com/data/flags";
  if (server.includes("/")) return server;
  if (mayUse("NO_PROXY")) Deno.env.set("NO_PROXY", "127.0.0.1");
  const { serveFlags, SITES } = await import("./flags_server.ts");
  return `http://127.0.0.1:${orExit(() => serveFlags(SITES[server])).addr.port}/flags`;
}

/** Runs a program: reads its options, has `downloadMany` do the work, reports, and exits. */
export async function main(downloadMany: DownloadMany, defaults: Defaults = {}): Promise<never> {
  const setup = await setUp(defaults.codes);
  const { flags, verbose } = setup;
  const wanted = Math.min(defaults.maxReq ? setup.maxReq ?? defaults.maxReq : 1, flags.length);
  const maxReq = Math.min(wanted, defaults.most ?? Infinity);
  const connections = plural(maxReq, "connection");
  console.error(`${setup.what}, ${connections}${maxReq < wanted ? ": more do not help" : ""}`);

  const begin = clock();
  const outcomes: Outcome[] = [];
  const eraseBar = defaults.bar !== false && !verbose && flags.length > POP20_CC.length
    ? startBar(outcomes, flags.length)
    : undefined;
  const end = (code?: number): never => {
    eraseBar?.();
    const newline = !verbose && !eraseBar && outcomes.some(({ status }) => status === "ok");
    print(`${newline ? "\n" : ""}${summary(outcomes, begin)}${code ? ", interrupted" : ""}\n`);
    const chart = { title: `${programName()}, ${connections}`, spans: spansOf(outcomes, begin) };
    return finish(setup, outcomes, [chart], code);
  };
  onSignal(end);
  const report = (outcome: Outcome) => {
    outcomes.push(outcome);
    if (verbose) print(verboseLine(outcome));
    else if (!eraseBar && outcome.status === "ok") print(`${outcome.cc} `);
    if (outcome.status === "unwritable") end();
  };
  await downloadMany(flags, maxReq, report).catch((error) => fail(reason(error)));
  return end();
}

function verboseLine(outcome: Outcome): string {
  const { cc, start, end, status } = outcome;
  const bytes = `${status === "ok" ? outcome.bytes : 0}`.padStart(7);
  const ms = (end - start).toFixed().padStart(5);
  return `${cc} ${bytes} bytes ${ms} ms  ${status === "ok" ? status : outcome.line}\n`;
}

/** What became of the flags, in a line. */
function summary(outcomes: Outcome[], begin: number): string {
  const count = (wanted: Outcome["status"]) =>
    outcomes.filter(({ status }) => status === wanted).length;
  const [missing, errors] = [count("not found"), count("failed") + count("unwritable")];
  const parts = [`${plural(count("ok"), "download")} in ${((clock() - begin) / 1000).toFixed(2)}s`];
  if (missing > 0) parts.push(`${missing} not found`);
  if (errors > 0) parts.push(plural(errors, "error"));
  return parts.join(", ");
}

/** The outcomes as they are drawn: from `begin` on. */
export function spansOf(outcomes: Outcome[], begin: number): Span[] {
  return withLanes(outcomes.map(({ cc, start, end, status, thread }) => (
    { label: cc, start: start - begin, end: end - begin, ok: status === "ok", thread }
  )));
}

/** Draws the charts if that is asked for, says which flags did not arrive and why, and exits. */
export function finish(setup: Setup, outcomes: Outcome[], charts: Chart[], code?: number): never {
  const { all, codes, timeline } = setup;
  const isGuess = (cc: string) => (all || codes.length > 0) && !codes.includes(cc);
  const lines = outcomes.flatMap((outcome) => {
    if (outcome.status === "ok") return [];
    const isNoError = outcome.status === "not found" && isGuess(outcome.cc);
    return isNoError ? [] : `${outcome.cc}: ${outcome.line}`;
  }).sort();
  try {
    const drawing = showTimeline(charts, timeline);
    print(drawing && `${drawing}\n`);
  } catch (error) {
    lines.push(reason(error));
  }
  for (const line of lines) console.error(line);
  Deno.exit(code ?? (lines.length > 0 ? 1 : 0));
}

/** Has `end` end the program at the first Ctrl-C, SIGTERM or SIGHUP, with the exit code of the signal. */
export function onSignal(end: (code: number) => void): void {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    if (signal !== "SIGINT" && Deno.build.os === "windows") continue;
    Deno.addSignalListener(signal, () => end(code));
  }
}

/** A file that a worker was writing when the program ended is no flag. */
function removeUnfinished(): void {
  try {
    Deno.chdir(DEST_DIR); // from here, the paths of workers lead nowhere: they begin no other file
    const names = Array.from(Deno.readDirSync("."), ({ name }) => name);
    for (const name of names.filter((name) => name.startsWith(UNFINISHED))) Deno.removeSync(name);
  } catch {
    // The directory is gone, or this may not look into it.
  }
}

/** Writes to stdout at once. Where nobody reads it any more the program ends quietly. */
export function print(text: string): void {
  for (let rest = new TextEncoder().encode(text); rest.length > 0;) {
    try {
      rest = rest.subarray(Deno.stdout.writeSync(rest));
    } catch (error) {
      if (error instanceof Deno.errors.WouldBlock) continue;
      if (error instanceof Deno.errors.BrokenPipe) Deno.exit(141);
      fail(`cannot write to stdout: ${reason(error)}`);
    }
  }
}

/** What `fn` returns; or the program ends with the reason why it throws, as `explain` puts it. */
export function orExit<T>(fn: () => T, explain = (why: string) => why, code = 1): T {
  try {
    return fn();
  } catch (error) {
    return fail(explain(reason(error)), code);
  }
}

/** Ends the program with a last line on stderr. */
export function fail(line: string, code = 1): never {
  console.error(line);
  Deno.exit(code);
}

/** What an error says, without the number of the operating system's. */
export function reason(error: unknown): string {
  return (error instanceof Error ? error.message : `${error}`).replace(/ \(os error \d+\).*/s, "");
}

/** `2 flags`, but `1 flag`. */
export const plural = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Ms since the epoch, the same in every thread. */
export const clock = (): number => performance.timeOrigin + performance.now();

const programName = (): string => Deno.mainModule.replace(/.*\//, "");
const mayUse = (variable: string): boolean =>
  Deno.permissions.querySync({ name: "env", variable }).state === "granted";

/** Draws how far the run is on stderr, again and again in one line, if that is a terminal. */
function startBar(outcomes: Outcome[], total: number): (() => void) | undefined {
  const columns = () => Deno.consoleSize().columns;
  if (!Deno.stdout.isTerminal() || !Deno.stderr.isTerminal() || columns() < 20) return undefined;
  if (mayUse("TERM") && Deno.env.get("TERM") === "dumb") return undefined;
  const start = performance.now();
  const write = (text: string) =>
    Deno.stderr.writeSync(new TextEncoder().encode(`\r${text}\x1b[K`));
  const timer = setInterval(() => {
    const done = outcomes.length;
    const rate = done / (performance.now() - start) * 1000;
    const left = done > 0 ? `${((total - done) / rate).toFixed(1)} s left` : "";
    const text = ` ${done}/${total}  ${rate.toFixed()}/s  ${left}`;
    const width = Math.max(0, Math.min(40, columns() - text.length - 3));
    const filled = Math.round(width * done / total);
    write(`[${"#".repeat(filled)}${"-".repeat(width - filled)}]${text}`.slice(0, columns() - 1));
  }, 100);
  return () => {
    clearInterval(timer);
    write("");
  };
}
