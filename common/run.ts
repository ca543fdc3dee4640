/**
 * Runs a program that downloads flags: chooses the site and the flags, and prints the summary.
 *
 * @module
 */
import { removeUnfinished } from "./files.ts";
import type { Flag, Outcome } from "./flag.ts";
import { DEFAULT_MAX_REQ, expandCodes, helpOf, parseOptions, SITES } from "./options.ts";
import { type Options, type Settings, withoutPassword } from "./options.ts";
import { Outcomes, Progress } from "./outcomes.ts";
import { fail, plural, print, programName, runProgram } from "./terminal.ts";
import { checkTimeline, showTimeline } from "./timeline.ts";

/** The settings of a program, and the book's constants. */
export interface Program extends Settings {
  codes: readonly string[];
  /** The URL of the book's site. */
  baseUrl: string;
  /** The directory for the images, below the current directory. */
  directory: string;
}

/** Everything that a program knows before its first download. */
export interface Setup {
  options: Options;
  flags: Flag[];
  /** The program, the number of flags and the site, in words for the user. */
  what: string;
}

/**
 * Parses the options, creates the directory and starts the site. Deno asks for a missing permission
 * when a program first needs it. During a download, Deno would ask while the time limit of the
 * download runs, so this function asks before the first download.
 */
export async function setUp(program: Program): Promise<Setup> {
  const options = parseOptions(Deno.args, helpOf(program));
  const { directory } = program;
  Deno.mkdirSync(directory, { recursive: true });
  ask({ name: "read", path: directory });
  addEventListener("unload", () => removeUnfinished(directory));
  checkTimeline(options.timeline);
  if (program.hasWorkers) ask({ name: "read", path: new URL("..", import.meta.url) });
  const site = await openSite(options.server, program.baseUrl);
  const codes = await chooseCodes(options, program.codes);
  const flags = codes.map((cc) => ({ cc, url: flagUrl(site, cc) }));
  const url = withoutPassword(site);
  const siteName = site === options.server ? url : `${options.server} (${url})`;
  const what = `${programName()}: ${plural(flags.length, "flag")} from ${siteName}`;
  return { options, flags, what };
}

/**
 * Prepares a run and prints its first line. If the arguments are wrong or a permission is missing,
 * prints an error and exits.
 */
export async function prepare(program: Program): Promise<Run> {
  const isInWorker = Deno.mainModule === undefined;
  if (isInWorker) throw new Error("call `main` only under `if (import.meta.main)`");
  return await runProgram(helpOf(program), async () => {
    const setup = await setUp(program);
    const { maxReq, isMaximum } = countConnections(setup, program);
    const connections = plural(maxReq, "connection");
    console.error(`${setup.what}, ${connections}${isMaximum ? " (the maximum)" : ""}`);
    const progress = new Progress(setup.flags.length, setup.options.verbose, program.bar ?? true);
    return new Run(setup, maxReq, progress);
  });
}

/** Returns the number of connections, and whether the maximum limits that number. */
export function countConnections(
  { flags, options }: Setup,
  { maxReq = DEFAULT_MAX_REQ, limit = Infinity }: Settings,
): { maxReq: number; isMaximum: boolean } {
  const wanted = Math.min(options.maxReq ?? maxReq, flags.length);
  return { maxReq: Math.min(wanted, limit), isMaximum: wanted > limit };
}

/** One call of `downloadMany`. The run ends with `end`, or when a signal interrupts the program. */
export class Run implements Disposable {
  readonly flags: Flag[];
  readonly maxReq: number;
  readonly #options: Options;
  readonly #outcomes: Outcomes;
  readonly #progress: Progress;
  readonly #t0 = performance.now();

  constructor({ flags, options }: Setup, maxReq: number, progress: Progress) {
    this.flags = flags;
    this.maxReq = maxReq;
    this.#options = options;
    this.#outcomes = new Outcomes(flags);
    this.#progress = progress;
    onInterrupt((code) => {
      this.#printSummary(performance.now() - this.#t0, ", interrupted");
      exitWith(this.#outcomes.errorLines(options), code);
    });
  }

  /** Takes the outcome of each download as soon as the outcome is known. */
  readonly report = (outcome: Outcome): void => {
    this.#outcomes.add(outcome);
    this.#progress.show(outcome);
  };

  /** Prints how many downloads succeeded in `elapsed` ms, and exits. */
  end(elapsed: number): never {
    this.#printSummary(elapsed);
    exitWith([
      ...this.#outcomes.errorLines(this.#options),
      ...this.#outcomes.missingLines("downloadMany"),
    ]);
  }

  /** Ends the line of codes if `downloadMany` throws. */
  [Symbol.dispose](): void {
    this.#progress.end();
  }

  #printSummary(elapsed: number, remark = ""): void {
    this.#progress.end();
    print(`${this.#outcomes.summary(elapsed / 1000)}${remark}\n`);
    const title = `${programName()}, ${plural(this.maxReq, "connection")}`;
    showTimeline([this.#outcomes.chart(title, this.#t0)], this.#options.timeline);
  }
}

/** The signals that end a program. The exit code is 128 plus the number of the signal. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Calls `end` with an exit code when Ctrl-C or another signal interrupts the program. */
export function onInterrupt(end: (code: number) => void): void {
  for (const [signal, code] of Object.entries(SIGNALS)) {
    // On Windows, Deno 2.4 to 2.7 cannot listen for SIGTERM.
    if (Deno.build.os === "windows" && signal !== "SIGINT") continue;
    Deno.addSignalListener(signal as keyof typeof SIGNALS, () => end(code));
  }
}

/** Prints the errors on stderr and exits. The default exit code is 1 if there are errors. */
export function exitWith(errorLines: string[], code = errorLines.length > 0 ? 1 : 0): never {
  for (const line of errorLines) console.error(line);
  Deno.exit(code);
}

/** Asks the user for a permission. Exits if the user refuses. */
function ask(permission: Deno.PermissionDescriptor): void {
  if (Deno.permissions.requestSync(permission).state === "granted") return;
  fail(`missing permission: run again with --allow-${permission.name}`);
}

/** Returns the URL of a site. Starts the site if it is built in. */
async function openSite(server: string, baseUrl: string): Promise<string> {
  const builtIn = SITES[server];
  if (!builtIn) {
    const url = server === "REMOTE" ? baseUrl : server;
    const { protocol, hostname, port } = new URL(url);
    const defaultPort = protocol === "https:" ? "443" : "80";
    ask({ name: "net", host: `${hostname}:${port || defaultPort}` });
    return url;
  }
  // Requests to a built-in site bypass any proxy set in the environment.
  const env = Deno.permissions.querySync({ name: "env", variable: "NO_PROXY" });
  if (env.state === "granted") Deno.env.set("NO_PROXY", "127.0.0.1");
  ask({ name: "net", host: "127.0.0.1" });
  const { serveFlags } = await import("./site.ts");
  const { addr } = serveFlags(builtIn);
  return `http://127.0.0.1:${addr.port}/flags`;
}

async function chooseCodes(options: Options, defaultCodes: readonly string[]): Promise<string[]> {
  const codes = expandCodes(options.codes);
  if (options.all) {
    const { flagCodes } = await import("./site.ts");
    codes.push(...flagCodes());
  }
  const chosen = new Set(codes.length > 0 ? codes : defaultCodes);
  return [...chosen].slice(0, options.limit).sort();
}

function flagUrl(site: string, cc: string): string {
  const name = cc.toLowerCase();
  return `${site}/${name}/${name}.gif`;
}
