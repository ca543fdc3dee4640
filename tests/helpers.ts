/** What the tests share: permissions, an empty directory, a flag site, and child processes. */
import { assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { serveFlags, type SiteOptions } from "../common/site.ts";

/** The directory of the programs. */
export const ROOT: string = fromFileUrl(new URL("..", import.meta.url));

/** The programs that download flags in one way. */
export const PROGRAMS = ["flags.ts", "flags_threadpool.ts", "flags_async.ts", "flags_futures.ts"];

/** Returns whether the tests have all of these permissions. */
export function isGranted(...names: Deno.PermissionName[]): boolean {
  return names.every((name) => Deno.permissions.querySync({ name }).state === "granted");
}

/** Replaces a property until the end of the block. */
export function replace<T extends object, K extends keyof T>(
  object: T,
  key: K,
  value: T[K],
): Disposable {
  const { [key]: original } = object;
  Object.defineProperty(object, key, { value, configurable: true });
  return {
    [Symbol.dispose]() {
      Object.defineProperty(object, key, { value: original, configurable: true, writable: true });
    },
  };
}

/** Makes an empty directory, which is removed at the end of the block. */
export function tempDir(): { path: string } & Disposable {
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "flags" }));
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** Starts a site with the real flags. It answers at once, unless the options say otherwise. */
export function flagSite(options: SiteOptions = {}): { url: string } & AsyncDisposable {
  const server = serveFlags(options);
  const url = `http://127.0.0.1:${server.addr.port}/flags`;
  return { url, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Asserts that `downloaded/` contains only whole flags. Returns their number. */
export function countWholeFlags(cwd: string): number {
  const names = Array.from(Deno.readDirSync(join(cwd, "downloaded")), ({ name }) => name);
  for (const name of names) {
    const original = import.meta.resolve(`famfamfam-flags/dist/gif/${name.toLowerCase()}`);
    const bytes = Deno.readFileSync(join(cwd, "downloaded", name));
    assertEquals(bytes, Deno.readFileSync(new URL(original)), name);
  }
  return names.length;
}

/** Returns the command `deno ARGS…`, without a proxy, colors or stdin. */
export function deno(
  args: string[],
  cwd: string,
  variables: Record<string, string> = {},
): Deno.Command {
  const env = { NO_COLOR: "1", FORCE_COLOR: "", NO_PROXY: "*", HTTP_PROXY: "", http_proxy: "" };
  return new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { ...env, ...variables },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** The text that a child process has printed, and its exit code. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Resolves to the exit code and the text that a child process has printed. */
export async function ended(output: Promise<Deno.CommandOutput>): Promise<Ended> {
  const { code, stdout, stderr } = await output;
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Reads a stream until its text matches. `rest` resolves to the whole text at the end. */
export async function readUntil(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  pattern: RegExp,
): Promise<{ text: string; rest: () => Promise<string> }> {
  const chunks = stream.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = "";
  const read = async (isEnough: () => boolean) => {
    while (!isEnough()) {
      const { done, value } = await chunks.next();
      if (done) return;
      text += value;
    }
  };
  await read(() => pattern.test(text));
  return {
    text,
    async rest() {
      await read(() => false);
      return text;
    },
  };
}

/** Returns the permissions that the task of a program in deno.json gives to it. */
function permissionsOf(program: string): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const commands = Object.values<{ command: string }>(tasks).map(({ command }) => command);
  const command = commands.find((command) => command.endsWith(` ${program}`)) ?? "";
  return command.split(" ").filter((word) => word.startsWith("--allow-"));
}

/** Starts a program in `cwd`, by default with exactly the permissions of its task. */
export function start(
  program: string,
  args: string[],
  cwd: string,
  permissions: string[] = permissionsOf(program),
): Deno.ChildProcess {
  const path = join(ROOT, program);
  return deno(["run", "--no-prompt", ...permissions, path, ...args], cwd).spawn();
}

/** Runs a program to its end. */
export async function run(...args: Parameters<typeof start>): Promise<Ended> {
  return await ended(start(...args).output());
}
