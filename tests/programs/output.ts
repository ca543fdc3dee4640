import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { countWhole, errorLines, failures, flagSite, PROGRAMS } from "../flag_programs.ts";
import {
  command,
  ConcurrentTests,
  inTerminal,
  output,
  programArgs,
  start,
  unlessInstalled,
} from "../testing.ts";

export const tests = new ConcurrentTests();

tests.addForEach(PROGRAMS, "ends quietly if the reader closes the pipe", async (program, dir) => {
  await using site = flagSite({ delay: [0.05, 0.1] });
  await using running = start(program, ["-a", "-m", "3", "-s", site.url], dir);
  await running.stdout.until(/./);
  await running.stdout.close();
  const { code, stderr } = await running.end();
  assertEquals([code, failures(stderr)], [141, []]);
  countWhole(dir);
});

tests.add("proc_pool.ts: ends quietly if the reader closes the pipe", async (dir) => {
  await using running = start("proc_pool.ts", ["2"], dir);
  await running.stdout.until(/./);
  await running.stdout.close();
  const { code, stderr } = await running.end();
  assertEquals([code, stderr], [141, ""]);
});

const ONE_FLAG = { args: ["BR"], isDownload: true };
const PRINTING_PROGRAMS = {
  ...Object.fromEntries([...PROGRAMS, "compare.ts"].map((program) => [program, ONE_FLAG])),
  "primes.ts": { args: ["7"], isDownload: false },
  "proc_pool.ts": { args: ["1", "7"], isDownload: false },
};

for (const [program, { args, isDownload }] of Object.entries(PRINTING_PROGRAMS)) {
  tests.add(
    `${program}: if stdout is full, prints one line and exits with 1`,
    async (dir) => {
      await using site = flagSite();
      const all = isDownload ? [...args, "-s", site.url] : args;
      const full = { cwd: dir.path, shell: '"$@" > /dev/full' };
      const { code, stderr } = await output(command(program, all, full));
      assertEquals(code, 1);
      assertEquals(errorLines(stderr), ["cannot write to stdout: No space left on device"]);
    },
    { only: "linux" },
  );
}

tests.addForEach(
  ["flags.ts", "flags_async.ts", "flags_threadpool.ts"],
  "downloads even if stderr is full",
  async (program, dir) => {
    await using site = flagSite();
    const full = { cwd: dir.path, shell: '"$@" 2> /dev/full' };
    const { code, stdout } = await output(command(program, ["BR", "-s", site.url], full));
    assertEquals(code, 0);
    assertMatch(stdout, /^BR \n1 download in \d+\.\d\ds\n$/);
    assertEquals([...dir.downloaded().keys()], ["BR.gif"]);
  },
  { only: "linux" },
);

for (
  const [program, columns, TERM, hasBar] of [
    ["flags_async.ts", 0, "xterm", false],
    ["flags_async.ts", 19, "xterm", false],
    ["flags_async.ts", 20, "xterm", true],
    ["flags_async.ts", 80, "dumb", false],
    ["flags_async.ts", 80, "xterm", true],
    ["flags_threadpool.ts", 80, "xterm", true],
    ["flags_futures.ts", 80, "xterm", false],
  ] as const
) {
  tests.add(
    `${program} shows ${hasBar ? "a" : "no"} progress bar (${columns} columns, TERM=${TERM})`,
    async ({ path }) => {
      await using site = flagSite({ delay: [0.1, 0.1] });
      const args = ["-a", "-l", "60", "-m", "10", "-s", site.url];
      const before = `stty cols ${columns};`;
      const terminal = inTerminal(programArgs(program, args), { cwd: path, env: { TERM }, before });
      const { code, stdout } = await terminal.output();
      const shown = new TextDecoder().decode(stdout);
      assertEquals(code, 0, shown);
      assertEquals(/\r\[#*-*\] \d+\/60 /.test(shown), hasBar, JSON.stringify(shown));
      assertEquals(shown.includes("\x1b["), hasBar);
      const drawn = shown.split("\r").filter((text) => text.startsWith("["))
        .map((text) => text.split("\x1b")[0]?.length ?? 0);
      assertLess(Math.max(0, ...drawn), columns + 1);
      assertMatch(shown, /60 downloads in \d+\.\d\ds\r\n$/);
    },
    // macOS and BSD have another `script`, with other options.
    { only: "linux", ignore: unlessInstalled("script") },
  );
}
