/** The one way to write a test that needs permissions, and the one way to run a program in a test. */
import { fromFileUrl, join } from "@std/path";

export type Permission = "read" | "write" | "net" | "env" | "run" | "sys" | "ffi";

/** What a test needs that runs programs. */
export const PROGRAM: Permission[] = ["run", "read", "write", "net"];

/** The directory of the programs. */
export const ROOT = fromFileUrl(new URL("..", import.meta.url));

/** Whatever proxies the environment names: no test asks them, and no program in a test knows them. */
const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]
  .flatMap((name) => [name, name.toLowerCase()]);
if (Deno.permissions.querySync({ name: "env", variable: "NO_PROXY" }).state === "granted") {
  Deno.env.set("NO_PROXY", "*,127.0.0.1,localhost");
}

export interface TestOptions {
  /** Where these are not granted, the test is ignored. */
  needs?: Permission[];
  ignore?: boolean;
  /** Whether it fails when it leaves a timer behind. */
  sanitizeOps?: boolean;
}

export function isGranted(needs: Permission[]): boolean {
  return needs.every((name) => Deno.permissions.querySync({ name }).state === "granted");
}

function mayRun({ needs = [], ignore = false }: TestOptions): boolean {
  return !ignore && isGranted(needs);
}

/** A test that fails when it hangs, and is ignored where it may not do what it needs. */
export function test(
  name: string,
  fn: () => void | Promise<void>,
  options: TestOptions = {},
): void {
  const { sanitizeOps = false } = options;
  Deno.test({ name, ignore: !mayRun(options), sanitizeOps, fn: () => soon(fn()) });
}

/** Tests that wait more than they work: several at a time, each a step of one test. */
export function testSideBySide(
  name: string,
  cases: Record<string, () => Promise<void>>,
  options: TestOptions = {},
): void {
  Deno.test({
    name,
    ignore: !mayRun(options),
    async fn(t) {
      const rest = Object.entries(cases).values();
      const inTurn = async () => {
        for (const [name, fn] of rest) {
          await t.step({
            name,
            fn: () => soon(fn()),
            sanitizeOps: false,
            sanitizeResources: false,
            sanitizeExit: false,
          });
        }
      };
      await Promise.all(Array.from({ length: 10 }, inTurn));
    },
  });
}

/** What a promise resolves to; rejects if that takes a minute. */
async function soon<T>(promise: T | Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("it hangs")), 60_000);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is given to `console.error` until the end of the block; it prints nothing meanwhile. */
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

/** An empty directory that is removed afterwards. */
export class TempDir implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "flags" });

  /** The files in `downloaded/`, hidden ones too, with their bytes. */
  downloaded(): Map<string, Uint8Array<ArrayBuffer>> {
    const dir = join(this.path, "downloaded");
    const names = Array.from(Deno.readDirSync(dir), ({ name }) => name).sort();
    return new Map(names.map((name) => [name, Deno.readFileSync(join(dir, name))]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** The arguments that `deno task TASK` gives to `deno`, the program's path made absolute; without a task, none. */
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
  /** A line for `sh` that runs the command, which is its `"$@"`. */
  shell?: string;
}

/** `deno ARGS…`, not yet started, with its output piped and no terminal. */
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

/** The arguments of `deno` that run a program with the permissions of its task, `without` one perhaps. */
export function programArgs(program: string, args: string[], without?: string): string[] {
  const [run = "run", ...rest] = taskArgs(program).map((arg) =>
    arg === "--allow-read=." ? `--allow-read=${ROOT}` : arg
  );
  const granted = rest.filter((arg) => arg.split("=")[0] !== without);
  return [run, "--no-prompt", ...granted, ...args];
}

/** A program, not yet started, with exactly the permissions of its task. */
export function command(program: string, args: string[], options: RunOptions): Deno.Command {
  return deno(programArgs(program, args), options);
}

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end. */
export async function output(command: Deno.Command): Promise<Ended> {
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** What a program prints, as it comes. */
export class Printed {
  text = "";
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Reads until all of it matches; throws if it ends before. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      const { done, value = "" } = await this.#reader.read();
      if (done) throw new Error(`no ${pattern} in ${JSON.stringify(this.text)}`);
      this.text += value;
    }
  }

  /** All of it, when the program has ended. */
  async end(): Promise<string> {
    for (let read = await this.#reader.read(); !read.done; read = await this.#reader.read()) {
      this.text += read.value;
    }
    return this.text;
  }

  /** Reads no more: the program finds its pipe closed. */
  close(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** The bytes of a flag, from the package that the built-in site serves. */
export function packageFlag(cc: string): Uint8Array<ArrayBuffer> {
  const url = import.meta.resolve(`famfamfam-flags/dist/gif/${cc.toLowerCase()}.gif`);
  return Deno.readFileSync(new URL(url));
}

/** Runs a program to its end, in `dir`. */
export function run(program: string, args: string[], dir: TempDir): Promise<Ended> {
  return output(command(program, args, { cwd: dir.path }));
}
