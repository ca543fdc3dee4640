/** What the tests share: permissions, an empty directory, and child processes. */
import { fromFileUrl } from "@std/path";

/** The directory of the programs. */
export const ROOT: string = fromFileUrl(new URL("..", import.meta.url));

/** Returns whether the tests have all of these permissions. */
export function isGranted(...names: Deno.PermissionName[]): boolean {
  return names.every((name) => Deno.permissions.querySync({ name }).state === "granted");
}

/** Makes an empty directory, which is removed at the end of the block. */
export function tempDir(): { path: string } & Disposable {
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "flags" }));
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** Returns the command `deno ARGS…`, without a proxy, colors or stdin. */
export function deno(args: string[], cwd: string): Deno.Command {
  const env = { NO_COLOR: "1", FORCE_COLOR: "", NO_PROXY: "*", HTTP_PROXY: "", http_proxy: "" };
  return new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Resolves to the exit code and the text that a child process has printed. */
export async function ended(
  output: Promise<Deno.CommandOutput>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await output;
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
