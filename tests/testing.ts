/**
 * Helpers for all tests: tests that need permissions or a system, and programs that run in a test.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";

export type Permission = "read" | "write" | "net" | "env" | "run" | "sys" | "ffi";

/** The permissions of a test that runs programs. */
export const PROGRAM: Permission[] = ["run", "read", "write", "net"];

/** The directory of the programs. */
export const ROOT = fromFileUrl(new URL("..", import.meta.url));

const IS_WINDOWS = Deno.build.os === "windows";

/** The variables that name proxies. Tests, and the programs that they run, use no proxy. */
const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) =>
  // On Windows, the names of variables are not case-sensitive.
  IS_WINDOWS ? [name] : [name, name.toLowerCase()]
);
if (Deno.permissions.querySync({ name: "env", variable: "NO_PROXY" }).state === "granted") {
  Deno.env.set("NO_PROXY", "*,127.0.0.1,localhost");
}

export interface TestOptions {
  /** The permissions without which the test is ignored. */
  needs?: Permission[];
  /**
   * The systems on which the test runs. `"unix"` has what Windows lacks: `sh`, signals
   * that one process sends to another, symbolic links without a special right, and the same words
   * for the errors of files. Default: all systems.
   */
  only?: "linux" | "unix";
  /** Whether to ignore the test, or the reason why it cannot run here. */
  ignore?: boolean | string | undefined;
  /** Whether the test fails if it leaves a timer behind. */
  sanitizeOps?: boolean;
  /** Whether the test takes seconds. The slow tests of a `ConcurrentTests` start first. */
  slow?: boolean;
}

export function isGranted(needs: Permission[]): boolean {
  return needs.every((name) => Deno.permissions.querySync({ name }).state === "granted");
}

/** Returns why a test cannot run here, or `undefined` if it can. */
function reasonToIgnore({ needs = [], only, ignore = false }: TestOptions): string | undefined {
  const missing = needs.filter((name) => !isGranted([name]));
  if (missing.length > 0) return `needs ${missing.map((name) => `--allow-${name}`).join(" ")}`;
  if (only === "linux" && Deno.build.os !== "linux") return "needs Linux";
  if (only === "unix" && IS_WINDOWS) return "needs Linux or macOS";
  return ignore === true ? "cannot run here" : ignore || undefined;
}

/** Returns the name of a test. The name of an ignored test says why it is ignored. */
function nameOf(name: string, reason: string | undefined): string {
  return reason === undefined ? name : `${name} (ignored: ${reason})`;
}

/** Returns the reason to ignore a test that runs `program`, or `undefined` if it is installed. */
export function unlessInstalled(program: string): string | undefined {
  if (!isGranted(["run"])) return "needs --allow-run";
  try {
    const silent = { stdin: "null", stdout: "null", stderr: "null" } as const;
    new Deno.Command(program, { args: ["--version"], ...silent }).outputSync();
    return undefined;
  } catch {
    return `needs the program ${program}`;
  }
}

/** Defines a test that fails if it hangs. */
export function test(
  name: string,
  fn: () => void | Promise<void>,
  options: TestOptions = {},
): void {
  const { sanitizeOps = false } = options;
  const reason = reasonToIgnore(options);
  Deno.test({
    name: nameOf(name, reason),
    ignore: reason !== undefined,
    sanitizeOps,
    fn: () => withTimeout(fn()),
  });
}

/** A step of a test. */
interface Step {
  name: string;
  ignore: boolean;
  /** Whether the step takes seconds. */
  slow: boolean;
  fn: () => Promise<void>;
}

/** Defines a test with steps that mostly wait. They start in their order, ten at a time. */
function testSteps(name: string, steps: Step[], options: TestOptions): void {
  const reason = reasonToIgnore(options);
  Deno.test({
    name: nameOf(name, reason),
    ignore: reason !== undefined,
    async fn(t) {
      const rest = steps.values();
      const runRest = async () => {
        for (const { name, ignore, fn } of rest) {
          await t.step({
            name,
            ignore,
            fn: () => withTimeout(fn()),
            sanitizeOps: false,
            sanitizeResources: false,
            sanitizeExit: false,
          });
        }
      };
      await Promise.all(Array.from({ length: 10 }, runRest));
    },
  });
}

/** Defines a test with a step for each case. The cases run ten at a time. */
export function testSideBySide(
  name: string,
  cases: Record<string, () => Promise<void>>,
  options: TestOptions = {},
): void {
  const steps = Object.entries(cases).map(([name, fn]) => ({
    name,
    fn,
    ignore: false,
    slow: false,
  }));
  testSteps(name, steps, options);
}

/**
 * Tests that mostly wait, for example for a program. They run ten at a time, the slow ones first,
 * and each gets an empty directory.
 */
export class ConcurrentTests {
  readonly #steps: Step[] = [];

  add(
    name: string,
    fn: (dir: TempDir) => void | Promise<void>,
    options: TestOptions = {},
  ): void {
    const reason = reasonToIgnore(options);
    this.#steps.push({
      name: nameOf(name, reason),
      ignore: reason !== undefined,
      slow: options.slow ?? false,
      async fn() {
        await using dir = new TempDir();
        await fn(dir);
      },
    });
  }

  /** Adds a test for each of the programs. Its name begins with the name of the program. */
  addForEach(
    programs: readonly string[],
    name: string,
    fn: (program: string, dir: TempDir) => Promise<void>,
    options: TestOptions = {},
  ): void {
    for (const program of programs) {
      this.add(`${program}: ${name}`, (dir) => fn(program, dir), options);
    }
  }

  /** Adds the tests about a subject. Their names begin with the subject. */
  addAll(subject: string, tests: ConcurrentTests): void {
    for (const step of tests.#steps) {
      this.#steps.push({ ...step, name: `${subject}: ${step.name}` });
    }
  }

  /**
   * Defines one test, which has a step for each added test whose name contains `part`. Throws if no
   * name contains it.
   */
  define(name: string, part = ""): void {
    const steps = this.#steps.filter((step) => step.name.includes(part));
    if (steps.length === 0) throw new Error(`expected a part of the name of a test, got ${part}`);
    const slowFirst = steps.toSorted((a, b) => Number(b.slow) - Number(a.slow));
    testSteps(name, slowFirst, { needs: PROGRAM });
  }
}

/** Returns the value of a promise. Throws if the promise takes longer than a minute. */
async function withTimeout<T>(promise: T | Promise<T>): Promise<T> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("timed out after 60 s")), 60_000);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Records the calls of `console.error` until the end of the block, and prints nothing. */
export class Reports implements Disposable {
  readonly all: unknown[][] = [];
  readonly #error = console.error;

  constructor() {
    console.error = (...args: unknown[]) => this.all.push(args);
  }

  [Symbol.dispose](): void {
    console.error = this.#error;
  }
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Returns whether a file or a directory exists. */
export function existsSync(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** An empty directory, which is removed at the end of the block. */
export class TempDir implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "flags" });

  /** Returns the files in `downloaded/` with their bytes, and hidden files too. */
  downloaded(): Map<string, Uint8Array<ArrayBuffer>> {
    const dir = join(this.path, "downloaded");
    const names = Array.from(Deno.readDirSync(dir), ({ name }) => name).sort();
    return new Map(names.map((name) => [name, Deno.readFileSync(join(dir, name))]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Copies the programs, and the code that they import, into `dir`. */
export function copyPrograms(dir: TempDir): void {
  for (const folder of [".", "common", "futures"]) {
    Deno.mkdirSync(join(dir.path, folder), { recursive: true });
    for (const { name, isFile } of Deno.readDirSync(join(ROOT, folder))) {
      if (isFile) Deno.copyFileSync(join(ROOT, folder, name), join(dir.path, folder, name));
    }
  }
}

/**
 * Returns the arguments that `deno task` passes to `deno` for a program, with an absolute path. A
 * program without a task gets no permissions.
 */
function taskArgs(program: string): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  for (const { command } of Object.values<{ command: string }>(tasks)) {
    const [deno, ...args] = command.split(" ");
    if (deno === "deno" && args.at(-1) === program) {
      return [...args.slice(0, -1), join(ROOT, program)];
    }
  }
  return ["run", join(ROOT, program)];
}

export interface RunOptions {
  cwd: string;
  env?: Record<string, string>;
  /** A script for `sh` that runs the command. The command is available to the script as `"$@"`. */
  shell?: string;
}

/** Returns the command `deno ARGS…`. It has pipes for its output and no terminal. */
export function deno(args: string[], { cwd, env = {}, shell }: RunOptions): Deno.Command {
  const line = [Deno.execPath(), ...args];
  const [program = "", ...rest] = shell === undefined ? line : ["sh", "-c", shell, "sh", ...line];
  return new Deno.Command(program, {
    args: rest,
    cwd,
    env: { NO_COLOR: "1", ...Object.fromEntries(PROXIES.map((name) => [name, ""])), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

export interface TerminalOptions {
  cwd: string;
  env?: Record<string, string>;
  /** A line for `sh` that runs before the command, such as `stty cols 80;`. */
  before?: string;
  /** Whether the test types on the keyboard. Default: nobody types. */
  stdin?: "piped" | "null";
}

/** Returns the command `deno ARGS…` in a terminal, which the program `script` of Linux provides. */
export function inTerminal(
  args: string[],
  { cwd, env = {}, before = "", stdin = "null" }: TerminalOptions,
): Deno.Command {
  // The shell takes the words of the command from variables, so the words may contain quotes.
  const words = [Deno.execPath(), ...args].map((word, i) => [`WORD${i}`, word] as const);
  const line = words.map(([name]) => `"$${name}"`).join(" ");
  return new Deno.Command("script", {
    args: ["-qec", `${before} exec ${line}`, "/dev/null"],
    cwd,
    env: { ...Object.fromEntries(words), ...env },
    stdin,
    stdout: "piped",
  });
}

/**
 * Returns the arguments of `deno` that run a program with the permissions of its task, optionally
 * `without` one of them.
 */
export function programArgs(program: string, args: string[], without?: string): string[] {
  const [run = "run", ...rest] = taskArgs(program);
  const granted = rest.filter((arg) => arg.split("=")[0] !== without);
  return [run, "--no-prompt", ...granted, ...args];
}

/**
 * Returns the command that runs a program with exactly the permissions of its task. If the program
 * may read only the current directory, it runs in the directory of the programs, as `deno task`
 * does: an absolute path with a comma cannot be given to `--allow-read`.
 */
export function command(program: string, args: string[], options: RunOptions): Deno.Command {
  const all = programArgs(program, args);
  return deno(all, all.includes("--allow-read=.") ? { ...options, cwd: ROOT } : options);
}

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command until it ends. */
export async function output(command: Deno.Command): Promise<Ended> {
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Reads what a program prints. */
export class Printed {
  text = "";
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Reads until the text matches. Throws if the output ends before a match. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      const { done, value = "" } = await this.#reader.read();
      if (done) throw new Error(`no ${pattern} in ${JSON.stringify(this.text)}`);
      this.text += value;
    }
  }

  /** Reads to the end, and returns the whole text. */
  async end(): Promise<string> {
    for (let read = await this.#reader.read(); !read.done; read = await this.#reader.read()) {
      this.text += read.value;
    }
    return this.text;
  }

  /** Closes the pipe that the program writes to. */
  close(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** A running command. It is killed at the end of the block. */
export class Running implements AsyncDisposable {
  readonly stdout: Printed;
  readonly stderr: Printed;
  readonly #child: Deno.ChildProcess;

  constructor(command: Deno.Command) {
    this.#child = command.spawn();
    this.stdout = new Printed(this.#child.stdout);
    this.stderr = new Printed(this.#child.stderr);
  }

  get pid(): number {
    return this.#child.pid;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits until the command has ended, and returns all that it printed. */
  async end(): Promise<Ended> {
    const [{ code }, stdout, stderr] = await Promise.all([
      this.#child.status,
      this.stdout.end(),
      this.stderr.end(),
    ]);
    return { code, stdout, stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}

/** Returns the bytes of a flag from the package that the built-in site serves. */
export function packageFlag(cc: string): Uint8Array<ArrayBuffer> {
  const url = import.meta.resolve(`famfamfam-flags/dist/gif/${cc.toLowerCase()}.gif`);
  return Deno.readFileSync(new URL(url));
}

/** Runs a program in `dir` until it ends. */
export function run(program: string, args: string[], dir: TempDir): Promise<Ended> {
  return output(command(program, args, { cwd: dir.path }));
}

/** Starts a program in `dir`. */
export function start(program: string, args: string[], dir: TempDir): Running {
  return new Running(command(program, args, { cwd: dir.path }));
}
