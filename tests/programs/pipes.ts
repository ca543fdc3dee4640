import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { flagSite } from "../flag_programs.ts";
import {
  command,
  ConcurrentTests,
  delay,
  existsSync,
  type TempDir,
  unlessInstalled,
} from "../testing.ts";

export const tests = new ConcurrentTests();

/** Returns the processor time that a process has used so far, in seconds. */
function processorTime(pid: number): number {
  const [, fields = ""] = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ");
  const [userTicks = NaN, systemTicks = NaN] = fields.split(" ").slice(11, 13).map(Number);
  return (userTicks + systemTicks) / 100;
}

/** Waits until a process has used nearly no processor time for half a second. */
async function untilIdle(pid: number): Promise<void> {
  for (let i = 0; i < 30; i++) {
    const before = processorTime(pid);
    await delay(500);
    if (processorTime(pid) - before < 0.1) return;
  }
  throw new Error("the program does not become idle");
}

/** Scripts for `sh` that run a program with a full pipe as its stdout. */
const FILL = "head -c 65536 /dev/zero";
const PIPES = {
  "a full pipe": `${FILL}; exec "$@"`,
  "a full non-blocking pipe":
    `${FILL}; exec perl -MFcntl -e 'fcntl(STDOUT, F_SETFL, O_NONBLOCK); exec @ARGV' "$@"`,
};
const LINUX_WITH_PERL = { only: "linux", ignore: unlessInstalled("perl") } as const;

/** Starts a program with a full pipe as its stdout. The pipe stays full until the test reads it. */
function startWithFullPipe(
  program: string,
  args: string[],
  { path }: TempDir,
  shell: string,
): Deno.ChildProcess {
  return command(program, args, { cwd: path, shell }).spawn();
}

/** Sends a signal. Returns the exit code, or kills the program after three seconds. */
async function interrupt(program: Deno.ChildProcess, signal: Deno.Signal): Promise<number> {
  program.kill(signal);
  const timer = setTimeout(() => program.kill("SIGKILL"), 3000);
  const { code } = await program.status;
  clearTimeout(timer);
  await program.stdout.cancel();
  return code;
}

for (const [pipe, shell] of Object.entries(PIPES)) {
  for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    tests.add(`proc_pool.ts waits for ${pipe}, and ${signal} ends it with ${exit}`, async (dir) => {
      await using program = startWithFullPipe("proc_pool.ts", ["1", "7"], dir, shell);
      const stderr = program.stderr.text();
      await untilIdle(program.pid);
      assertEquals([await interrupt(program, signal), await stderr], [exit, ""]);
    }, LINUX_WITH_PERL);

    tests.add(
      `flags_async.ts waits for ${pipe}, and ${signal} ends it with ${exit}`,
      async (dir) => {
        await using site = flagSite();
        const args = ["BR", "ZZ", "-s", site.url, "--timeline", "downloaded/run.json"];
        await using program = startWithFullPipe("flags_async.ts", args, dir, shell);
        const stderr = program.stderr.text();
        while (!existsSync(join(dir.path, "downloaded/BR.gif"))) await delay(20);
        await untilIdle(program.pid);
        assertEquals(await interrupt(program, signal), exit);
        assertEquals(await stderr, `2 flags from ${site.url}, 2 connections\nZZ: not found\n`);
        assertEquals([...dir.downloaded().keys()], ["BR.gif", "run.json"]);
      },
      LINUX_WITH_PERL,
    );
  }
}

tests.add("flags_threadpool.ts goes on when somebody reads a pipe that was full", async (dir) => {
  await using site = flagSite();
  const args = ["BR", "US", "-s", site.url];
  const shell = PIPES["a full non-blocking pipe"];
  await using program = startWithFullPipe("flags_threadpool.ts", args, dir, shell);
  const stderr = program.stderr.text();
  await untilIdle(program.pid);
  const stdout = (await program.stdout.text()).replaceAll("\0", "");
  assertMatch(stdout, /^(BR US|US BR) \n2 downloads in \d+\.\d\ds\n$/);
  const { code } = await program.status;
  assertEquals([code, await stderr], [0, `2 flags from ${site.url}, 2 connections\n`]);
}, LINUX_WITH_PERL);
