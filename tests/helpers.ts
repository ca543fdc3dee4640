/** What the tests share: permissions, a terminal, an empty directory, sites, and child processes. */
import { assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { serveFlags, type SiteOptions } from "../common/site.ts";

/** The directory of the programs. */
export const ROOT: string = fromFileUrl(new URL("..", import.meta.url));

/** Returns whether the tests have all of these permissions. */
export function isGranted(...names: Deno.PermissionName[]): boolean {
  return names.every((name) => Deno.permissions.querySync({ name }).state === "granted");
}

/** Replaces properties until the end of the block. */
export function replace<T extends object>(object: T, values: Partial<T>): Disposable {
  const originals: Partial<T> = {};
  for (const key in values) originals[key] = object[key];
  const define = (values: Partial<T>) => {
    for (const [key, value] of Object.entries(values)) {
      Object.defineProperty(object, key, { value, configurable: true, writable: true });
    }
  };
  define(values);
  return { [Symbol.dispose]: () => define(originals) };
}

/**
 * Replaces stdout, stderr and `Deno.exit` until the end of the block. Without `columns`, stdout and
 * stderr are not a terminal.
 */
export function fakeTerminal(columns?: number) {
  const stack = new DisposableStack();
  const terminal = { stdout: "", stderr: "", [Symbol.dispose]: () => stack.dispose() };
  for (const name of ["stdout", "stderr"] as const) {
    const decoder = new TextDecoder();
    const isTerminal = () => columns !== undefined;
    const writeSync = (bytes: Uint8Array) => {
      // `print` needs several writes.
      const accepted = bytes.subarray(0, name === "stdout" ? 10 : Infinity);
      terminal[name] += decoder.decode(accepted, { stream: true });
      return accepted.length;
    };
    stack.use(replace(Deno[name], { isTerminal, writeSync }));
  }
  const error = (line: string) => {
    terminal.stderr += `${line}\n`;
  };
  stack.use(replace(console, { error }));
  const consoleSize = () => ({ columns: columns ?? 1, rows: 24 });
  const exit = (code = 0) => {
    throw new Error(`exit ${code}`);
  };
  stack.use(replace(Deno, { consoleSize, exit }));
  return terminal;
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

/** Starts a site that passes the URL of each request to `answer`. */
export function siteOf(
  answer: (url: string) => Response | Promise<Response>,
): { url: string } & AsyncDisposable {
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  const server = Deno.serve(options, ({ url }) => answer(url));
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { url, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Returns the image at the end of a path, such as `br.gif`. */
export function imageOf(path: string): Uint8Array<ArrayBuffer> {
  const name = path.slice(-"br.gif".length).toLowerCase();
  return Deno.readFileSync(new URL(import.meta.resolve(`famfamfam-flags/dist/gif/${name}`)));
}

/** Asserts that `downloaded/` contains only whole flags. Returns their number. */
export function countFlags(cwd: string): number {
  const names = Array.from(Deno.readDirSync(join(cwd, "downloaded")), ({ name }) => name);
  for (const name of names) {
    assertEquals(Deno.readFileSync(join(cwd, "downloaded", name)), imageOf(name), name);
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

/** Returns the permissions that the task of a program in deno.json gives to it. */
function permissionsOf(program: string): string[] {
  const text = Deno.readTextFileSync(join(ROOT, "deno.json"));
  const [command = ""] = text.match(RegExp(`deno run .*(?= ${program}")`)) ?? [];
  return command.split(" ").slice(2);
}

/** Starts a program, such as `flags.ts BR`, by default with exactly the permissions of its task. */
export function start(command: string, cwd: string, permissions?: string[]): Deno.ChildProcess {
  const [program = "", ...args] = command.split(" ");
  const options = ["--no-prompt", ...permissions ?? permissionsOf(program)];
  return deno(["run", ...options, join(ROOT, program), ...args], cwd).spawn();
}

/** Runs a program to its end. */
export async function run(...args: Parameters<typeof start>): Promise<Ended> {
  return await ended(start(...args).output());
}

/** Runs a program to its end. Calls `act` once, when stdout matches. */
export async function runUntil(
  command: string,
  cwd: string,
  pattern: RegExp,
  act: (child: Deno.ChildProcess) => void,
): Promise<Ended> {
  await using child = start(command, cwd);
  const stderr = child.stderr.text();
  let stdout = "";
  let hasActed = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    stdout += text;
    if (hasActed || !pattern.test(stdout)) continue;
    hasActed = true;
    act(child);
  }
  return { code: (await child.status).code, stdout, stderr: await stderr };
}
