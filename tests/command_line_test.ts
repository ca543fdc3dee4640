import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { DEFAULTS, HELP, parseOptions, SITES } from "../common/options.ts";
import { serveFlags } from "../flags_server.ts";
import {
  command,
  deno,
  inTerminal,
  output,
  type Permission,
  Printed,
  PROGRAM,
  programArgs,
  ROOT,
  run,
  TempDir,
  test,
} from "./testing.ts";

for (
  const [args, message] of [
    ["--limit -1", "--limit: expected a positive integer, got -1"],
    ["-l -1", "--limit: expected a positive integer, got -1"],
    ["-m -2", "--max-req: expected a positive integer, got -2"],
    ["--max-req -2.5 BR", "--max-req: expected a positive integer, got -2.5"],
    ["--limit -v", "--limit: expected a positive integer, got nothing"],
    ["--all BR", "--all and codes exclude each other, got --all and BR"],
    ["b us -a", "--all and codes exclude each other, got --all and B US"],
    ["--toString", "unknown option: --toString"],
    ["--_=BR", "unknown option: --_=BR"],
  ] as const
) {
  test(`the arguments ${args} are rejected with "${message}"`, () => {
    assertEquals(assertThrows(() => parseOptions(args.split(" ")), Error).message, message);
  });
}

test("--all and --every may be combined, because neither is a code", () => {
  const { all, codes } = parseOptions(["--all", "--every"]);
  assertEquals([all, codes.length], [true, 26]);
});

for (
  const program of [
    "flags.ts",
    "flags_threadpool.ts",
    "flags_async.ts",
    "flags_futures.ts",
    "compare.ts",
    "proc_pool.ts",
    "primes.ts",
    "flags_server.ts",
  ]
) {
  test(`${program} rejects an unknown option with exit code 2 and its usage`, async () => {
    await using dir = new TempDir();
    const { code, stdout, stderr } = await run(program, ["--foo"], dir);
    const [line, usage] = stderr.split("\n");
    assertEquals([code, stdout, line], [2, "", "unknown option: --foo"]);
    assert(usage?.startsWith(`usage: ${program} [`), usage);
  }, { needs: PROGRAM });

  test(`the help of ${program} says which version of Deno it needs`, async () => {
    await using dir = new TempDir();
    const { code, stdout } = await run(program, ["--help"], dir);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "Deno 2.4 or later");
  }, { needs: PROGRAM });
}

test("the help says why only some missing flags are errors", () => {
  assertStringIncludes(
    HELP,
    "A code that you type must exist, or the exit code is 1.\n" +
      "A code that --all, --every or a letter stands for need not exist.\n",
  );
});

test("the help takes its numbers from the defaults", () => {
  const { threadpool, async, futures } = DEFAULTS;
  assertStringIncludes(HELP, `at most ${threadpool.maxWorkers} `);
  assertStringIncludes(HELP, `or ${futures.maxReq} in flags_futures.ts`);
  assertMatch(HELP, RegExp(`fetches\\s+\\(default: ${async.maxReq}\\)`));
  const [min, max] = SITES.DELAY.delay;
  assertStringIncludes(HELP, `answers after ${min} to ${max} s`);
});

test("compare.ts has its own help, without --verbose", async () => {
  await using dir = new TempDir();
  const { code, stdout, stderr } = await run("compare.ts", ["--help"], dir);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^usage: compare\.ts \[-aeh\] /);
  assertStringIncludes(stdout, "flags.ts, flags_threadpool.ts and flags_async.ts");
  for (const option of ["--all", "--every", "--limit", "--max-req", "--server", "--timeline"]) {
    assertStringIncludes(stdout, option);
  }
  assert(!stdout.includes("--verbose"), stdout);
}, { needs: PROGRAM });

for (const option of ["-v", "--verbose"]) {
  test(`compare.ts rejects ${option}, which would have no effect`, async () => {
    await using dir = new TempDir();
    const { code, stderr } = await run("compare.ts", ["BR", option], dir);
    assertEquals([code, stderr.split("\n")[0]], [2, `unknown option: ${option}`]);
  }, { needs: PROGRAM });
}

test("proc_pool.ts still takes negative numbers, also after --", async () => {
  await using dir = new TempDir();
  const { code, stdout } = await run("proc_pool.ts", ["--", "1", "7", "-7"], dir);
  assertEquals(code, 0);
  assertMatch(stdout, /^Checking 2 numbers with 1 worker:\n +7 {3}P .*s\n +-7 {5}.*s\n/);
}, { needs: PROGRAM });

test("a site whose host cannot exist is one line", async () => {
  await using dir = new TempDir();
  const { code, stdout, stderr } = await run("flags.ts", ["BR", "US", "-s", "http://a..b/"], dir);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^--server: invalid host 'a\.\.b': .+\n$/);
}, { needs: PROGRAM });

for (const program of ["flags.ts", "compare.ts"]) {
  test(`${program} advises to write a timeline into downloaded/, which it may write`, async () => {
    await using dir = new TempDir();
    const stderr = "cannot write x.svg: add --allow-write=x.svg, or write into downloaded/\n";
    const args = ["BR", "--timeline", "x.svg"];
    assertEquals(await run(program, args, dir), { code: 1, stdout: "", stderr });
  }, { needs: PROGRAM });
}

test("proc_pool.ts does not advise to write into downloaded/, which it may not write", async () => {
  await using dir = new TempDir();
  const stderr = "cannot write x.svg: add --allow-write=x.svg\n";
  const args = ["1", "7", "--timeline", "x.svg"];
  assertEquals(await run("proc_pool.ts", args, dir), { code: 1, stdout: "", stderr });
}, { needs: PROGRAM });

test("flags_server.ts names the missing permission to read the images", async () => {
  await using dir = new TempDir();
  const args = ["run", "--no-prompt", "--allow-net", join(ROOT, "flags_server.ts"), "0"];
  const { code, stdout, stderr } = await output(deno(args, { cwd: dir.path }));
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^cannot read the images: .*run again with the --allow-read flag\n$/);
}, { needs: PROGRAM });

const SITE: Permission[] = ["net", "read", "env"];

test("the site delays its responses in a Deno whose timers are numbers", async () => {
  const { setTimeout } = globalThis;
  const asNumber = (...args: Parameters<typeof setTimeout>) => Number(setTimeout(...args));
  Object.assign(globalThis, { setTimeout: asNumber });
  try {
    await using site = serveFlags({ delay: [0.01, 0.01] });
    const response = await fetch(`http://127.0.0.1:${site.addr.port}/flags/br/br.gif`);
    assertEquals([response.status, (await response.bytes()).length], [200, 361]);
  } finally {
    Object.assign(globalThis, { setTimeout });
  }
}, { needs: SITE });

/** Answers each question that Deno asks in a terminal with yes. Returns everything that is shown. */
async function grantAll(args: string[], dir: TempDir): Promise<string> {
  const options = { cwd: dir.path, env: { NO_COLOR: "1" }, stdin: "piped" } as const;
  const child = inTerminal(args, options).spawn();
  const keys = child.stdin.getWriter();
  let shown = "";
  let answers = 0;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    shown += text;
    const questions = shown.split("Allow?").length - 1;
    if (questions > answers) {
      answers = questions;
      // Deno drops what was typed before it asks.
      await new Promise((resolve) => setTimeout(resolve, 300));
      await keys.write(new TextEncoder().encode("y\n"));
    }
  }
  await keys.close();
  await child.status;
  return shown;
}

for (const program of ["flags.ts", "flags_threadpool.ts"]) {
  test(`${program} asks for every permission before the run begins`, async () => {
    await using dir = new TempDir();
    const shown = await grantAll(["run", join(ROOT, program), "BR"], dir);
    const [before = "", after = ""] = shown.split(/1 flag from LOCAL/);
    for (const access of ["write", "read", "net"]) {
      assertStringIncludes(before, `requests ${access} access to `);
    }
    assert(!after.includes("requests"), after);
    assertMatch(after, /1 download in \d+\.\d\ds/);
  }, { needs: PROGRAM, only: "linux" });
}

/** Returns the processor time that a process has used so far, in seconds. */
function processorTime(pid: number): number {
  const [, fields = ""] = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ");
  const [userTicks = NaN, systemTicks = NaN] = fields.split(" ").slice(11, 13).map(Number);
  return (userTicks + systemTicks) / 100;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until a process has used nearly no processor time for half a second. */
async function untilIdle(pid: number): Promise<void> {
  for (let i = 0; i < 30; i++) {
    const before = processorTime(pid);
    await wait(500);
    if (processorTime(pid) - before < 0.1) return;
  }
  throw new Error("the program does not become idle");
}

/** Sends a signal. Returns the exit code, or kills the process after three seconds. */
async function codeAfter(child: Deno.ChildProcess, signal: Deno.Signal): Promise<number> {
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), 3000);
  const { code } = await child.status;
  clearTimeout(timer);
  return code;
}

/** Lines for `sh` that run a program with a full pipe as its stdout. */
const FILL = "head -c 65536 /dev/zero";
const PIPES = {
  "a full pipe": `${FILL}; exec "$@"`,
  "a full non-blocking pipe":
    `${FILL}; exec perl -MFcntl -e 'fcntl(STDOUT, F_SETFL, O_NONBLOCK); exec @ARGV' "$@"`,
};

for (const [pipe, shell] of Object.entries(PIPES)) {
  for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    test(`proc_pool.ts waits for ${pipe}, and ${signal} ends it with ${exit}`, async () => {
      await using dir = new TempDir();
      const options = { cwd: dir.path, shell };
      const child = command("proc_pool.ts", ["1", "7"], options).spawn();
      const stderr = child.stderr.text();
      await untilIdle(child.pid);
      assertEquals([await codeAfter(child, signal), await stderr], [exit, ""]);
      await child.stdout.cancel();
    }, { needs: PROGRAM, only: "linux" });

    test(`flags_async.ts waits for ${pipe}, and ${signal} ends it with ${exit}`, async () => {
      await using dir = new TempDir();
      await using site = serveFlags();
      const url = `http://127.0.0.1:${site.addr.port}/flags`;
      const args = ["BR", "ZZ", "-s", url, "--timeline", "downloaded/run.json"];
      const child = command("flags_async.ts", args, { cwd: dir.path, shell }).spawn();
      const stderr = new Printed(child.stderr);
      await stderr.until(/\n/);
      while (!dir.downloaded().has("BR.gif")) await wait(20);
      await untilIdle(child.pid);
      assertEquals(await codeAfter(child, signal), exit);
      assertEquals(await stderr.end(), `2 flags from ${url}, 2 connections\nZZ: not found\n`);
      assertEquals([...dir.downloaded().keys()], ["BR.gif", "run.json"]);
      await child.stdout.cancel();
    }, { needs: PROGRAM, only: "linux" });
  }
}

test("flags_threadpool.ts goes on when somebody reads a pipe that was full", async () => {
  await using dir = new TempDir();
  await using site = serveFlags();
  const url = `http://127.0.0.1:${site.addr.port}/flags`;
  const args = programArgs("flags_threadpool.ts", ["BR", "US", "-s", url]);
  const shell = PIPES["a full non-blocking pipe"];
  const child = deno(args, { cwd: dir.path, shell }).spawn();
  const stderr = child.stderr.text();
  await untilIdle(child.pid);
  const stdout = await child.stdout.text();
  assertMatch(stdout.replaceAll("\0", ""), /^(BR US|US BR) \n2 downloads in \d+\.\d\ds\n$/);
  assertEquals([(await child.status).code, await stderr], [
    0,
    `2 flags from ${url}, 2 connections\n`,
  ]);
}, { needs: PROGRAM, only: "linux" });
