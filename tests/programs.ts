/** Running the programs as programs: in an empty directory, with the permissions their tasks have. */
import { fromFileUrl, join } from "@std/path";
import { POP20_CC } from "../flags_cli.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/** Whether a test may run programs that use the network and the disk. */
export const granted = (["run", "read", "write", "net"] as const).every(
  (name) => Deno.permissions.querySync({ name }).state === "granted",
);

export const FLAGS_PROGRAMS = [
  "flags.ts",
  "flags_threadpool.ts",
  "flags_async.ts",
  "flags_futures.ts",
];

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

/** The arguments that `deno task TASK` gives to `deno`, the program's path made absolute. */
function taskArgs(program: string): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  for (const { command } of Object.values<{ command: string }>(tasks)) {
    const [deno, ...args] = command.split(" ");
    if (deno === "deno" && args.at(-1) === program) {
      return [...args.slice(0, -1), join(ROOT, program)];
    }
  }
  throw new Error(`no task runs ${program}`);
}

/** A program, not yet started, with exactly the permissions of its task. */
export function command(program: string, args: string[], cwd: string): Deno.Command {
  const [run = "run", ...rest] = taskArgs(program).map((arg) =>
    arg === "--allow-read=." ? `--allow-read=${ROOT}` : arg
  );
  return new Deno.Command(Deno.execPath(), {
    args: [run, "--no-prompt", ...rest, ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs a program to its end. */
export async function run(
  program: string,
  args: string[],
  { path }: TempDir,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await command(program, args, path).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The bytes of a flag, from the package that the built-in site serves. */
export function packageFlag(cc: string): Uint8Array<ArrayBuffer> {
  const url = import.meta.resolve(`famfamfam-flags/dist/gif/${cc.toLowerCase()}.gif`);
  return Deno.readFileSync(new URL(url));
}

/** The chapter's 20 flags, as they must be in `downloaded/` afterwards. */
export const POP20_FILES: ReadonlyMap<string, Uint8Array<ArrayBuffer>> = granted
  ? new Map(POP20_CC.toSorted().map((cc) => [`${cc}.gif`, packageFlag(cc)]))
  : new Map();

/** A flag site that answers after 50 ms and counts the requests that it has at the same time. */
export function countingSite(): { url: string; most: number } & AsyncDisposable {
  let now = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    site.most = Math.max(site.most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 50));
    now--;
    return new Response(packageFlag(request.url.slice(-6, -4)));
  });
  const site = {
    url: `http://127.0.0.1:${server.addr.port}`,
    most: 0,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
  return site;
}
