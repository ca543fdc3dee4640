import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { countWhole, DOWNLOADERS, failures, flagSite, PROGRAMS } from "../flag_programs.ts";
import { command, ConcurrentTests, isGranted, output, PROGRAM, run, TempDir } from "../testing.ts";

export const tests = new ConcurrentTests();

tests.addForEach(
  DOWNLOADERS,
  "reports a file in place of the directory",
  async (program, dir) => {
    Deno.writeTextFileSync(join(dir.path, "downloaded"), "");
    const { code, stdout, stderr } = await run(program, ["BR"], dir);
    assertEquals([code, stdout], [1, ""]);
    assertEquals(stderr, "cannot create the directory downloaded: File exists\n");
  },
  { only: "unix" },
);

tests.addForEach(
  DOWNLOADERS,
  "reports a dangling symbolic link in place of the directory once",
  async (program, dir) => {
    Deno.symlinkSync("/nonexistent", join(dir.path, "downloaded"));
    const { code, stderr } = await run(program, ["BR", "US"], dir);
    assertEquals(code, 1);
    const failure = /cannot (create the directory downloaded|write downloaded\/..\.gif): .+\n$/;
    assertMatch(stderr, failure);
    assertLess(stderr.split("\n").length, 4);
  },
  { only: "unix" },
);

tests.addForEach(
  PROGRAMS,
  "if CN.gif is a directory, only CN fails",
  async (program, dir) => {
    await using site = flagSite();
    Deno.mkdirSync(join(dir.path, "downloaded/CN.gif"), { recursive: true });
    const { code, stdout, stderr } = await run(program, ["BR", "CN", "US", "-s", site.url], dir);
    assertEquals(code, 1);
    assertEquals(failures(stderr), ["CN: cannot write downloaded/CN.gif: Is a directory"]);
    assertMatch(stdout, /\n2 downloads in \d+\.\d\ds, 1 error\n$/);
    Deno.removeSync(join(dir.path, "downloaded/CN.gif"));
    assertEquals([...dir.downloaded().keys()], ["BR.gif", "US.gif"]);
  },
  { only: "unix" },
);

/** Runs a program, and returns whether it exists and succeeds. */
async function succeeds(program: string, ...args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, { args, stderr: "null" }).output();
    return success;
  } catch {
    return false;
  }
}

/** A file system with room for one flag. */
class TinyDisk implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Mounts the file system at `path`. Returns `undefined` if the test may not mount it. */
  static async mount(path: string): Promise<TinyDisk | undefined> {
    Deno.mkdirSync(path);
    if (!await succeeds("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", path)) return undefined;
    Deno.writeFileSync(join(path, "filler"), new Uint8Array(12 * 1024));
    return new TinyDisk(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await succeeds("umount", this.path);
  }
}

async function canMount(): Promise<boolean> {
  if (Deno.build.os !== "linux" || !isGranted(PROGRAM)) return false;
  await using dir = new TempDir();
  await using disk = await TinyDisk.mount(join(dir.path, "disk"));
  return disk !== undefined;
}

tests.addForEach(
  DOWNLOADERS,
  "a full disk ends the run with one line and leaves no incomplete file",
  async (program, dir) => {
    await using site = flagSite();
    await using disk = await TinyDisk.mount(join(dir.path, "downloaded"));
    assertEquals(disk?.path, join(dir.path, "downloaded"));
    const codes = ["BR", "CN", "DE", "US", "FR"];
    const { code, stdout, stderr } = await run(program, [...codes, "-s", site.url], dir);
    assertEquals([code, failures(stderr).length], [1, 1]);
    assertMatch(stderr, /\n..: cannot write downloaded\/..\.gif: No space left on device\n$/);
    if (program !== "compare.ts") assertMatch(stdout, /1 error\n$/);
    Deno.removeSync(join(dir.path, "downloaded/filler"));
    assertLess(countWhole(dir), 2);
  },
  { ignore: await canMount() ? false : "needs Linux and the right to mount a file system" },
);

tests.add("reports too many open files", async (dir) => {
  await using site = flagSite({ delay: [0.5, 0.5] });
  const options = { cwd: dir.path, shell: 'ulimit -n 40; exec "$@"' };
  const args = ["-a", "-m", "100", "-s", site.url];
  const { code, stderr } = await output(command("flags_async.ts", args, options));
  assertEquals(code, 1);
  const lines = failures(stderr);
  assertLess(10, lines.length);
  for (const line of lines) assertMatch(line, /^[A-Z]{2}: .*too many open files/i);
  assertEquals(countWhole(dir) + lines.length, 243);
}, { only: "linux" });
