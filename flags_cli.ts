/**
 * What the four flags programs share: their options, which site, the run and its report; and what
 * becomes of one flag, which is decided here and nowhere else.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import {
  type Chart,
  showTimeline,
  type Span,
  type TimelineOption,
  timelineOption,
  withLanes,
} from "./timeline.ts";

/** The 20 most populous countries, in the order of the chapter. */
export const POP20_CC: readonly string[] =
  "CN IN US ID BR PK NG BD RU KR MX PH VN ET EG DE IR TR CD FR".split(" ");

/** Requests at the same time, unless `--max-req` says otherwise. */
export const DEFAULT_MAX_REQ = {
  threadpool: Math.min(32, navigator.hardwareConcurrency + 4),
  async: 30,
};

/** Where the images go, below the current directory. */
export const DEST_DIR = "downloaded";
/** Seconds for one flag, from the request to its last byte. */
const TIMEOUT = 6.1;
/** Bytes of the largest image that is accepted. */
const MAX_SIZE = 5_000_000;
const REMOTE = "https://www.fluentpython.com/data/flags";
/** The built-in site under its three names: seconds of delay, and the share of errors. */
const SITES: Record<string, { delay: [number, number]; errorRate: number }> = {
  LOCAL: { delay: [0.2, 0.4], errorRate: 0 },
  DELAY: { delay: [0.5, 5], errorRate: 0 },
  ERROR: { delay: [0.5, 0.5], errorRate: 0.25 },
};

/** A flag to download: plain data, so that a worker can be sent it. */
export interface Flag {
  cc: string;
  url: string;
  /** What is printed when it has arrived. */
  print: "code" | "line" | "nothing";
  /** Memory that all threads share, see `OVER` and `DONE`. */
  shared: Int32Array;
}

/**
 * What became of a flag: plain data, so that a worker can send it. Times are ms since the epoch; `thread`
 * is the time when the thread began, which tells it from others.
 */
export type Outcome =
  & { cc: string; start: number; end: number; thread: number }
  & (
    | { status: "ok"; bytes: number }
    | { status: "not found" | "failed" | "unwritable"; line: string }
    /** The run was over before it arrived. */
    | { status: "dropped" }
  );

/** The part of an outcome that the report needs; the thread where it is known. */
export type Result =
  & Pick<Outcome, "cc" | "status" | "start" | "end">
  & { line?: string; thread?: number };

/** Why a flag did not arrive, in a line. */
export class FlagError extends Error {
  constructor(readonly status: "not found" | "failed" | "unwritable", line: string) {
    super(line);
  }
}

/** Where the shared memory says why the run is over; 0: it is not. */
const OVER = 0;
const INTERRUPTED = 1;
const STDOUT_CLOSED = 2;
const DISK_FAILED = 3;
/** Where it counts the flags that are done. */
const DONE = 1;

/** Ends the run in every thread: nothing new begins, and what is under way is dropped. */
function endRun(shared: Int32Array, why: number): void {
  Atomics.store(shared, OVER, why);
  Atomics.notify(shared, OVER);
}

let runOver: AbortSignal | undefined;

/** Aborted when a flag has taken too long, or when the run is over. */
export function deadline({ shared }: Flag): AbortSignal {
  if (!runOver) {
    const controller = new AbortController();
    const wait = Atomics.waitAsync(shared, OVER, 0);
    if (wait.async) wait.value.then(() => controller.abort());
    else controller.abort();
    runOver = controller.signal;
  }
  return AbortSignal.any([runOver, AbortSignal.timeout(TIMEOUT * 1000)]);
}

/** Throws if the status of a response is other than 2xx. */
export async function raiseForStatus({ ok, status, statusText, body }: Response): Promise<void> {
  if (ok) return;
  await body?.cancel();
  if (status === 404) throw new FlagError("not found", "not found");
  throw new FlagError("failed", `HTTP ${status} ${statusText}`.trim());
}

/** The body of a response, if it is a whole GIF. */
export async function readGif({ body, headers }: Response): Promise<Uint8Array> {
  const length = headers.get("content-length");
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const lost = () =>
    new FlagError(
      "failed",
      `connection lost after ${size}${length === null ? "" : ` of ${length}`} bytes`,
    );
  try {
    for await (const chunk of body ?? []) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_SIZE) throw new FlagError("failed", `larger than ${MAX_SIZE / 1e6} MB`);
    }
  } catch (error) {
    throw error instanceof TypeError ? lost() : error;
  }
  const image = await new Blob(chunks).bytes();
  const begins = String.fromCharCode(...image.subarray(0, 9));
  if (!/^GIF8[79]a/.test(begins)) {
    const how = size === 0 ? "empty" : `begins with ${JSON.stringify(begins)}`;
    throw new FlagError("failed", `not a GIF image (${how})`);
  }
  // Where no length was announced, only the last byte of a GIF tells that the body ended too early.
  if (length === null && image.at(-1) !== 0x3b) throw lost();
  return image;
}

/** Why the operating system refused, without the name of the call and the number of the error. */
export function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : `${error}`;
  return message.replace(/ \(os error \d+\).*/, "");
}

/** Runs the download of one flag, decides what became of it, and prints it. */
export async function attempt(flag: Flag, download: () => Promise<number>): Promise<Outcome> {
  const { cc, shared } = flag;
  const thread = performance.timeOrigin;
  const start = clock();
  let outcome: Outcome;
  try {
    const bytes = await download();
    outcome = { cc, start, end: clock(), thread, status: "ok", bytes };
  } catch (error) {
    outcome = { cc, start, end: clock(), thread, ...failure(error) };
  }
  if (outcome.status === "unwritable") endRun(shared, DISK_FAILED);
  Atomics.add(shared, DONE, 1);
  print(flag, arrival(flag, outcome));
  return outcome;
}

/** Ms since the epoch, the same in every thread. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}

function failure(
  error: unknown,
): { status: FlagError["status"]; line: string } | { status: "dropped" } {
  if (error instanceof FlagError) return { status: error.status, line: error.message };
  if (!(error instanceof Error)) throw error;
  if (error.name === "AbortError") return { status: "dropped" };
  return { status: "failed", line: lineFor(error) };
}

/** What `fetch` threw, said shortly. */
function lineFor({ name, message, cause }: Error): string {
  const detail = cause instanceof Error ? cause.message : message;
  const url = detail.match(/for url \((.*?)\)/)?.[1];
  if (name === "TimeoutError") return `timed out after ${TIMEOUT} s`;
  if (detail.includes("(Connect)") && url) return `could not connect to ${new URL(url).origin}`;
  if (detail.includes("(SendRequest)")) return "connection lost after 0 bytes";
  if (detail.includes("number of redirects")) return "too many redirects";
  return detail;
}

function arrival(flag: Flag, outcome: Outcome): string {
  const { cc, start, end, status } = outcome;
  if (flag.print === "code") return status === "ok" ? `${cc} ` : "";
  if (flag.print === "nothing") return "";
  const bytes = `${status === "ok" ? outcome.bytes : 0}`.padStart(7);
  const ms = (end - start).toFixed().padStart(5);
  return `${cc} ${bytes} bytes ${ms} ms  ${"line" in outcome ? outcome.line : status}\n`;
}

/** Writes to stdout at once. If nobody reads it any more, the run is over. */
export function print({ shared }: Pick<Flag, "shared">, text: string): void {
  let rest = new TextEncoder().encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    endRun(shared, STDOUT_CLOSED);
  }
}

const OPTIONS = "[-aehv] [-l N] [-m N] [-s LABEL|URL] [--timeline [SVG]] [CC…]";
const HELP = `
  CC…                 country codes, or one letter for all its codes (B: BA…BZ);
                      default: the 20 of the chapter
  -a, --all           every flag the built-in site has (243)
  -e, --every         AA…ZZ, 676 codes
  -l, --limit N       the first N codes
  -m, --max-req N     workers, or fetches in flight; no effect in flags.ts
  -s, --server LABEL  LOCAL   the built-in site, after 0.2 to 0.4 s (default)
                      DELAY   the same, after 0.5 to 5 s
                      ERROR   the same, after 0.5 s; a quarter of the requests fail
                      REMOTE  ${REMOTE}
                      or the URL of any other site
  -v, --verbose       one line per flag: code, bytes, ms, outcome
  --timeline [SVG]    draw who waited for whom, here or into an .svg file
  -h, --help          this`;

/** What a program does unless its options say otherwise. */
export interface Defaults {
  /** Workers, or fetches in flight. Without a default, `--max-req` has no effect: it is 1. */
  maxReq?: number;
  /** Default: the 20 of the chapter. */
  codes?: readonly string[];
}

interface Options {
  codes: string[];
  /** Codes that nobody named: it is no error if there is no such flag. */
  guessed: Set<string>;
  maxReq: number | undefined;
  server: string;
  verbose: boolean;
  timeline: TimelineOption;
}

/** What is wrong with the options. */
class UsageError extends Error {}

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];

async function parse(args: readonly string[], defaultCodes: readonly string[]): Promise<Options> {
  const { timeline, rest } = timelineOption(args);
  const options = parseArgs(rest, {
    boolean: ["all", "every", "verbose"],
    string: ["_", "limit", "max-req", "server"],
    alias: { all: "a", every: "e", limit: "l", "max-req": "m", server: "s", verbose: "v" },
    unknown(arg) {
      if (arg.startsWith("-")) throw new UsageError(`unknown option: ${arg}`);
      return true;
    },
  });
  const named = options._.map((code) => `${code}`.toUpperCase());
  const bad = named.find((code) => !/^[A-Z]{1,2}$/.test(code));
  if (bad !== undefined) {
    throw new UsageError(`expected a country code of two letters, or one letter, got ${bad}`);
  }
  const chosen = new Set(named.filter((code) => code.length === 2));
  const guessed = new Set<string>();
  for (const letter of options.every ? LETTERS : named.filter((code) => code.length === 1)) {
    for (const second of LETTERS) guessed.add(letter + second);
  }
  if (options.all) {
    const { flagCodes } = await import("./flags_server.ts");
    for (const code of flagCodes()) guessed.add(code);
  }
  const all = [...chosen.union(guessed)];
  return {
    codes: (all.length > 0 ? all : defaultCodes).slice(0, wholeNumber("limit", options)).sort(),
    guessed: guessed.difference(chosen),
    maxReq: wholeNumber("max-req", options),
    server: server(options.server),
    verbose: Boolean(options.verbose),
    timeline,
  };
}

function wholeNumber(name: string, options: Record<string, unknown>): number | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (/^\d+$/.test(`${value}`) && Number(value) > 0) return Number(value);
  throw new UsageError(`--${name}: expected a whole number from 1 up, got ${value || "nothing"}`);
}

/** A label in upper case, or a URL. */
function server(value: unknown = "LOCAL"): string {
  const label = `${value}`.toUpperCase();
  if (label in SITES || label === "REMOTE") return label;
  if (URL.parse(`${value}`)?.protocol.startsWith("http")) return `${value}`.replace(/\/+$/, "");
  const labels = [...Object.keys(SITES), "REMOTE"].join(", ");
  throw new UsageError(`--server: expected ${labels} or an http URL, got ${value || "nothing"}`);
}

/** The URL of the site; a built-in one starts now. */
async function open(server: string): Promise<string> {
  if (server === "REMOTE") return REMOTE;
  const options = SITES[server];
  if (!options) return server;
  const { serveFlags } = await import("./flags_server.ts");
  return `http://127.0.0.1:${serveFlags(options).addr.port}/flags`;
}

/** What a program has before its first download. */
export interface Setup extends Options {
  flags: Flag[];
  shared: Int32Array;
  /** The site and the number of flags, for people. */
  what: string;
}

/** Reads the options, makes the directory, starts the site, listens to Ctrl-C; or exits and says why. */
export async function setUp(defaultCodes: readonly string[] = POP20_CC): Promise<Setup> {
  const usage = `usage: ${programName()} ${OPTIONS}`;
  if (Deno.args.some((arg) => arg === "-h" || arg === "--help")) {
    console.log(usage + HELP);
    Deno.exit(0);
  }
  let options: Options;
  try {
    options = await parse(Deno.args, defaultCodes);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return fail(2, `${error.message}\n${usage}`);
  }
  try {
    Deno.mkdirSync(DEST_DIR, { recursive: true });
  } catch (error) {
    return fail(1, `cannot make the directory ${DEST_DIR}: ${reason(error)}`);
  }
  const { codes, server } = options;
  const site = await open(server);
  const shared = new Int32Array(new SharedArrayBuffer(8));
  Deno.addSignalListener("SIGINT", () => {
    if (Atomics.load(shared, OVER) === INTERRUPTED) Deno.exit(130);
    endRun(shared, INTERRUPTED);
  });
  const flags = codes.map((cc): Flag => {
    const name = cc.toLowerCase();
    return { cc, url: `${site}/${name}/${name}.gif`, print: "nothing", shared };
  });
  const where = site === server ? site : `${server} (${site})`;
  return { ...options, flags, shared, what: `${plural(codes.length, "flag")} from ${where}` };
}

/** How a program downloads: with at most `maxReq` requests at the same time. */
export type DownloadMany = (flags: Flag[], maxReq: number) => Promise<Result[]>;

/** A run that has ended. */
export interface Run {
  results: Result[];
  seconds: number;
  spans: Span[];
}

/** Has `downloadMany` download the flags, and takes the time. */
export async function timedRun(
  downloadMany: DownloadMany,
  flags: Flag[],
  maxReq: number,
): Promise<Run> {
  const begin = clock();
  const results = await downloadMany(flags, maxReq);
  const seconds = (clock() - begin) / 1000;
  const arrived = results.filter(({ status }) => status !== "dropped");
  const spans = withLanes(arrived.map(({ cc, start, end, status, thread = 0 }) => ({
    label: cc,
    start: start - begin,
    end: end - begin,
    ok: status === "ok",
    thread,
  })));
  return { results, seconds, spans };
}

/** Runs a program: reads its options, has `downloadMany` do the work, reports, and exits. */
export async function main(downloadMany: DownloadMany, defaults: Defaults = {}): Promise<never> {
  const setup = await setUp(defaults.codes);
  const { flags, shared, verbose } = setup;
  const wanted = defaults.maxReq ? setup.maxReq ?? defaults.maxReq : 1;
  const maxReq = Math.min(wanted, flags.length);
  console.error(`${setup.what}, ${plural(maxReq, "connection")}`);

  const terminal = Deno.stdout.isTerminal() && Deno.stderr.isTerminal();
  const withBar = terminal && flags.length > POP20_CC.length && !verbose;
  for (const flag of flags) flag.print = verbose ? "line" : withBar ? "nothing" : "code";
  const stopBar = withBar ? startBar(shared, flags.length) : () => {};
  const run = await timedRun(downloadMany, flags, maxReq);
  stopBar();
  const codesShown = !verbose && !withBar && run.results.some(({ status }) => status === "ok");
  print(setup, `${codesShown ? "\n" : ""}${summary(run, setup)}\n`);
  const title = `${programName()}, ${plural(maxReq, "connection")}`;
  return finish(setup, run.results, [{ title, spans: run.spans }]);
}

/** What became of the flags, in a line. */
export function summary({ results, seconds }: Run, { shared }: Setup): string {
  const count = (status: Outcome["status"]) =>
    results.filter((result) => result.status === status).length;
  const missing = count("not found");
  const errors = count("failed") + Math.min(1, count("unwritable"));
  const parts = [`${plural(count("ok"), "download")} in ${seconds.toFixed(2)}s`];
  if (missing > 0) parts.push(`${missing} not found`);
  if (errors > 0) parts.push(plural(errors, "error"));
  if (Atomics.load(shared, OVER) === INTERRUPTED) parts.push("interrupted");
  return parts.join(", ");
}

/** Draws the charts if that is asked for, says which flags did not arrive and why, and exits. */
export function finish(setup: Setup, results: Result[], charts: Chart[]): never {
  const { shared, guessed, timeline } = setup;
  if (timeline) {
    try {
      const drawing = showTimeline(charts, timeline);
      print(setup, drawing && `${drawing}\n`);
    } catch (error) {
      fail(1, `cannot write ${timeline}: ${reason(error)}`);
    }
  }
  const over = Atomics.load(shared, OVER);
  if (over === STDOUT_CLOSED) Deno.exit(141);
  // The disk fails for all flags alike: once is enough.
  const unwritable = results.find(({ status }) => status === "unwritable");
  const problems = results.filter((result) =>
    result === unwritable || result.status === "failed" ||
    (result.status === "not found" && !guessed.has(result.cc))
  ).sort((a, b) => a.cc < b.cc ? -1 : 1);
  for (const { cc, line } of problems) console.error(`${cc}: ${line}`);
  Deno.exit(over === INTERRUPTED ? 130 : problems.length > 0 ? 1 : 0);
}

function programName(): string {
  return Deno.mainModule.replace(/.*\//, "");
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function fail(code: number, line: string): never {
  console.error(line);
  Deno.exit(code);
}

/** Draws how far the run is on stderr, again and again in one line; returns what takes it away. */
function startBar(shared: Int32Array, total: number): () => void {
  const start = performance.now();
  const write = (text: string) =>
    Deno.stderr.writeSync(new TextEncoder().encode(`\r${text}\x1b[K`));
  const timer = setInterval(() => {
    const done = Atomics.load(shared, DONE);
    const rate = done / (performance.now() - start) * 1000;
    const left = done > 0 ? `${((total - done) / rate).toFixed(1)} s left` : "";
    const text = ` ${done}/${total}  ${rate.toFixed(0)}/s  ${left}`;
    const width = Math.max(0, Math.min(40, Deno.consoleSize().columns - text.length - 3));
    const filled = Math.round(width * done / total);
    write(`[${"#".repeat(filled)}${"-".repeat(width - filled)}]${text}`);
  }, 100);
  return () => {
    clearInterval(timer);
    write("");
  };
}
