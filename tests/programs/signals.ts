import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { join } from "@std/path";
import {
  ARRIVED,
  assertInterrupted,
  countWhole,
  DOWNLOADERS,
  failures,
  flagSite,
  PROGRAMS,
  SIGNALS,
} from "../flag_programs.ts";
import {
  ConcurrentTests,
  copyPrograms,
  delay,
  existsSync,
  inTerminal,
  programArgs,
  Running,
  start,
  unlessInstalled,
} from "../testing.ts";

export const tests = new ConcurrentTests();

for (const [signal, exit] of SIGNALS) {
  tests.addForEach(
    PROGRAMS,
    `${signal} aborts the downloads, prints the summary, and exits with ${exit}`,
    async (program, dir) => {
      await using site = flagSite({ delay: [0.3, 0.3] });
      await using running = start(program, ["-a", "-m", "3", "-s", site.url], dir);
      await running.stdout.until(ARRIVED);
      const begin = performance.now();
      running.kill(signal);
      const { code, stdout, stderr } = await running.end();
      assertLess(performance.now() - begin, 1000);
      assertEquals([code, failures(stderr)], [exit, []]);
      assertMatch(stdout, /\n\d+ downloads? in \d+\.\d\ds, interrupted\n$/);
      assertInterrupted(stdout, dir, 3);
    },
    { only: "unix" },
  );
}

tests.addForEach(
  PROGRAMS,
  "a second Ctrl-C does not interrupt the summary or the timeline",
  async (program, dir) => {
    await using site = flagSite({ delay: [0.3, 0.3] });
    await using running = start(program, ["-a", "-m", "3", "--timeline", "-s", site.url], dir);
    await running.stdout.until(ARRIVED);
    running.kill("SIGINT");
    running.kill("SIGINT");
    const { code, stdout, stderr } = await running.end();
    assertEquals([code, failures(stderr)], [130, []]);
    assertMatch(stdout, RegExp(`\n${program}, \\d connections?\n1 [^]*\n +\\|0 s.*\n$`));
    assertInterrupted(stdout, dir, 3);
  },
  { only: "unix" },
);

tests.addForEach(
  PROGRAMS,
  "Ctrl-C during a write leaves only complete files",
  async (program, dir) => {
    await using site = flagSite({ delay: [0, 0.02] });
    for (let i = 0; i < 3; i++) {
      await using running = start(program, ["-a", "-m", "6", "-s", site.url], dir);
      await running.stdout.until(ARRIVED);
      running.kill("SIGINT");
      const { code, stdout, stderr } = await running.end();
      assertEquals([code, failures(stderr)], [130, []]);
      assertMatch(stdout, /, interrupted\n$/);
      assertGreater(countWhole(dir), 0);
    }
  },
  { only: "unix" },
);

tests.addForEach(
  PROGRAMS,
  "Ctrl-C before the first flag has arrived draws nothing",
  async (program, dir) => {
    const asked = Promise.withResolvers<void>();
    const abort = new AbortController();
    const { signal } = abort;
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {}, signal }, () => {
      asked.resolve();
      return new Promise<Response>(() => {});
    });
    Deno.mkdirSync(join(dir.path, "downloaded"));
    Deno.writeTextFileSync(join(dir.path, "downloaded/run.svg"), "an older run");
    const url = `http://127.0.0.1:${server.addr.port}`;
    const args = ["BR", "--timeline", "downloaded/run.svg", "-s", url];
    await using running = start(program, args, dir);
    const ended = running.end();
    await Promise.race([asked.promise, ended]);
    running.kill("SIGINT");
    const { code, stdout, stderr } = await ended;
    abort.abort();
    assertEquals([code, failures(stderr)], [130, []]);
    assertMatch(stdout, /^(Scheduled .*\n)?0 downloads in \d+\.\d\ds, interrupted\n$/);
    const older = new TextEncoder().encode("an older run");
    assertEquals(dir.downloaded(), new Map([["run.svg", older]]));
  },
  { only: "unix" },
);

tests.addForEach(
  DOWNLOADERS,
  "Ctrl-C before the run begins leaves an empty directory",
  async (program, dir) => {
    await using running = start(program, ["BR", "-s", "DELAY"], dir);
    while (!existsSync(join(dir.path, "downloaded"))) await delay(1);
    running.kill("SIGINT");
    const { code } = await running.end();
    assertEquals([code, dir.downloaded()], [130, new Map()]);
  },
  { only: "unix" },
);

tests.addForEach(
  DOWNLOADERS,
  "leaves no unfinished files if the terminal is closed",
  async (program, dir) => {
    await using site = flagSite({ delay: [0.1, 0.1] });
    const args = programArgs(program, ["-e", "-m", "3", "-s", site.url]);
    const terminal = inTerminal(args, { cwd: dir.path }).spawn();
    const images = join(dir.path, "downloaded");
    const hasImages = () => [...Deno.readDirSync(images)].some(({ isFile }) => isFile);
    const hasUnfinished = () => [...Deno.readDirSync(images)].some(({ isFile }) => !isFile);
    while (!existsSync(images) || !hasImages()) await delay(10);
    assert(hasUnfinished());
    terminal.kill("SIGKILL");
    await terminal.stdout.cancel();
    while (hasUnfinished()) await delay(10);
  },
  { only: "linux", ignore: unlessInstalled("script") },
);

for (const task of ["flags", "threadpool", "async", "futures"]) {
  tests.add(`deno task ${task} reports when Ctrl-C is pressed in a terminal`, async (dir) => {
    await using site = flagSite({ delay: [0.3, 0.3] });
    copyPrograms(dir);
    await using running = new Running(
      new Deno.Command(Deno.execPath(), {
        args: ["task", "--quiet", task, "-a", "-m", "3", "-s", site.url],
        cwd: dir.path,
        detached: true,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }),
    );
    await running.stdout.until(ARRIVED);
    // The terminal sends SIGINT to the whole process group, and `deno task` forwards it too.
    Deno.kill(-running.pid, "SIGINT");
    const { code, stdout, stderr } = await running.end();
    assertEquals([code, failures(stderr)], [130, []]);
    assertMatch(stdout, /\n\d+ downloads? in \d+\.\d\ds, interrupted\n$/);
    assertInterrupted(stdout, dir, 3);
  }, { only: "unix" });
}
