import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { NUMBERS } from "../../primes.ts";
import { SIGNALS } from "../flag_programs.ts";
import {
  ConcurrentTests,
  copyPrograms,
  deno,
  type Ended,
  output,
  ROOT,
  run,
  start,
  type TempDir,
} from "../testing.ts";

const USAGE = "usage: proc_pool.ts [WORKERS] [NUMBER…] [--timeline [FILE]]";
/** 2^127 - 1, a prime that would take longer than a lifetime to check. */
const ENDLESS = `${2n ** 127n - 1n}`;

/** Returns the printed lines without their times. Asserts that each line has a time. */
function lines(stdout: string): string[] {
  const [header = "", ...rest] = stdout.trimEnd().split("\n");
  assertMatch(rest.pop() ?? "", /^Total time: \d+\.\d\ds$/);
  for (const line of rest) assertMatch(line, /^ *-?\d+ {3}[P ] .{9}s$/);
  for (const line of rest) assertMatch(line.slice(-11), /^ +\d+\.\d{6}s$/);
  return [header, ...rest.map((line) => line.slice(0, -11))];
}

export const tests = new ConcurrentTests();

tests.add("two workers check the chapter's numbers, largest first", async (dir) => {
  const { code, stdout, stderr } = await run("proc_pool.ts", ["2"], dir);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(lines(stdout), [
    "Checking 20 numbers with 2 workers:",
    "9999999999999999    ",
    "9999999999999917   P",
    "7777777777777777    ",
    "7777777777777753   P",
    "7777777536340681    ",
    "6666667141414921    ",
    "6666666666666719   P",
    "6666666666666666    ",
    "5555555555555555    ",
    "5555555555555503   P",
    "5555553133149889    ",
    "4444444488888889    ",
    "4444444444444444    ",
    "4444444444444423   P",
    "3333335652092209    ",
    "3333333333333333    ",
    "3333333333333301   P",
    " 299593572317531   P",
    " 142702110479723   P",
    "               2   P",
  ]);
});

tests.add("without arguments, starts a worker for every core", async (dir) => {
  await using running = start("proc_pool.ts", [], dir);
  await running.stdout.until(/\n/);
  const workers = Math.min(navigator.hardwareConcurrency, NUMBERS.length);
  assertMatch(running.stdout.text, RegExp(`^Checking 20 numbers with ${workers} workers?:\n`));
});

tests.add(
  "accepts numbers with underscores, negative numbers, and numbers above 2^54",
  async (dir) => {
    const numbers = ["-7", "18014398509481951", "1_000_000_007", "1000000000000000000000000"];
    const { code, stdout } = await run("proc_pool.ts", ["3", ...numbers], dir);
    assertEquals(code, 0);
    assertEquals(lines(stdout), [
      "Checking 4 numbers with 3 workers:",
      "1000000000000000000000000    ",
      "18014398509481951   P",
      "      1000000007   P",
      "              -7    ",
    ]);
  },
);

tests.add("accepts negative numbers also after --", async (dir) => {
  const { code, stdout } = await run("proc_pool.ts", ["--", "1", "7", "-7"], dir);
  assertEquals(code, 0);
  assertEquals(lines(stdout), [
    "Checking 2 numbers with 1 worker:",
    "               7   P",
    "              -7    ",
  ]);
});

tests.add("starts no more workers than there are numbers", async (dir) => {
  const { stdout } = await run("proc_pool.ts", ["1024", "7"], dir);
  assertEquals(lines(stdout), ["Checking 1 number with 1 worker:", "               7   P"]);
});

for (
  const [args, message] of [
    [["0"], "WORKERS: expected a positive integer, got 0"],
    [["-1"], "WORKERS: expected a positive integer, got -1"],
    [["1.5"], "WORKERS: expected a positive integer, got 1.5"],
    [["--fast"], "unknown option: --fast"],
    [["", "7"], "WORKERS: expected a positive integer, got nothing"],
    [["999999999989"], "WORKERS (the first argument): expected at most 1024, got 999999999989"],
    [["1025", "7"], "WORKERS (the first argument): expected at most 1024, got 1025"],
    [["2", "7", "1e3"], "NUMBER: expected a whole number, got 1e3"],
    [["2", "0x10"], "NUMBER: expected a whole number, got 0x10"],
    [["2", "1__000"], "NUMBER: expected a whole number, got 1__000"],
    [["2", ""], "NUMBER: expected a whole number, got nothing"],
    [
      ["2", "7", "--timeline", "x.png"],
      "--timeline: expected a file that ends in .svg or .json, got x.png",
    ],
  ] as const
) {
  tests.add(`${JSON.stringify(args)} is rejected with one line and exit code 2`, async (dir) => {
    const expected = { code: 2, stdout: "", stderr: `${message}\n${USAGE}\n` };
    assertEquals(await run("proc_pool.ts", [...args], dir), expected);
  });
}

for (const args of [["-h"], ["2", "7", "--help"]]) {
  tests.add(`${args.join(" ")} prints the usage and every option`, async (dir) => {
    const { code, stdout, stderr } = await run("proc_pool.ts", args, dir);
    assertEquals([code, stderr, stdout.split("\n")[0]], [0, "", USAGE]);
    for (const what of ["WORKERS  ", "up to 1024", "NUMBER…  ", "--timeline [FILE]  ", "--help"]) {
      assertStringIncludes(stdout, what);
    }
  });
}

for (const [signal, exit] of SIGNALS) {
  tests.add(
    `prints each line before the next number is done, and ${signal} exits with ${exit}`,
    async (dir) => {
      await using running = start("proc_pool.ts", ["1", `${2n ** 128n}`, ENDLESS], dir);
      await running.stdout.until(/s\n/);
      running.kill(signal);
      const { code, stdout, stderr } = await running.end();
      assertMatch(stdout, RegExp(`^Checking 2 numbers with 1 worker:\n${2n ** 128n} .*s\n$`));
      assertEquals([code, stderr], [exit, ""]);
    },
    { only: "unix" },
  );
}

tests.add("--timeline draws a lane for each worker after the total", async (dir) => {
  const { code, stdout } = await run("proc_pool.ts", ["2", "97", "98", "--timeline"], dir);
  assertEquals(code, 0);
  const drawing = stdout.split(/^Total time.*\n/m)[1]?.split("\n");
  assertEquals(drawing?.slice(0, 2), ["", "proc_pool.ts, 2 workers"]);
  assertMatch(`${drawing?.[2]}`, /^1 .*=/);
  assertMatch(`${drawing?.[3]}`, /^2 .*=/);
});

/** Runs a copy of proc_pool.ts in `dir`, with permission to write `allowed`. */
function runWriting(allowed: string, args: string[], dir: TempDir): Promise<Ended> {
  copyPrograms(dir);
  const permissions = ["--no-prompt", "--allow-read=.", `--allow-write=${allowed}`];
  return output(deno(["run", ...permissions, "proc_pool.ts", ...args], { cwd: dir.path }));
}

for (
  const [file, begins] of [["run.svg", "<svg "], ["run.json", '{"traceEvents":[']] as const
) {
  tests.add(`--timeline ${file} writes the file and prints nothing more`, async (dir) => {
    const { code, stdout, stderr } = await runWriting(file, ["1", "97", `--timeline=${file}`], dir);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(lines(stdout), ["Checking 1 number with 1 worker:", "              97   P"]);
    const drawing = Deno.readTextFileSync(join(dir.path, file));
    assertEquals(drawing.slice(0, begins.length), begins);
    assertStringIncludes(drawing, "97");
  });
}

tests.add("reports missing write permission before it checks any number", async (dir) => {
  const args = ["1", "97", "--timeline", "run.svg"];
  const stderr = "cannot write run.svg: add --allow-write=run.svg\n";
  assertEquals(await run("proc_pool.ts", args, dir), { code: 1, stdout: "", stderr });
});

tests.add("without read permission, the error names the permission", async ({ path }) => {
  const args = ["run", "--no-prompt", join(ROOT, "proc_pool.ts"), "1", "7"];
  const { code, stderr } = await output(deno(args, { cwd: path }));
  assertEquals(code, 1);
  assertMatch(stderr, /^.*--allow-read.*\n$/);
});
