import { assert, assertEquals, assertMatch } from "@std/assert";
import { NUMBERS } from "../primes.ts";
import { check } from "../proc_pool.ts";
import { command, granted, run, TempDir } from "./programs.ts";

const USAGE = "usage: proc_pool.ts [WORKERS] [NUMBER…] [--timeline [SVG]]\n";
/** The largest prime that Mersenne was right about: nobody lives to see it checked. */
const ENDLESS = `${2n ** 127n - 1n}`;

function testProgram(name: string, fn: (dir: TempDir) => Promise<void>): void {
  const runFn = async () => {
    await using dir = new TempDir();
    await fn(dir);
  };
  Deno.test({ name, ignore: !granted, fn: runFn });
}

/** What was printed, with the times taken out, which must be there. */
function lines(stdout: string): string[] {
  const [header = "", ...rest] = stdout.trimEnd().split("\n");
  assertMatch(rest.pop() ?? "", /^Total time: \d+\.\d\ds$/);
  for (const line of rest) assertMatch(line, /^ *-?\d+ {3}[P ] .{9}s$/);
  for (const line of rest) assertMatch(line.slice(-11), /^ +\d+\.\d{6}s$/);
  return [header, ...rest.map((line) => line.slice(0, -11))];
}

Deno.test("check gives the number, its answer and the seconds it took", () => {
  const { n, prime, elapsed, thread, end } = check(9999999999999917n);
  assertEquals([n, prime], [9999999999999917n, true]);
  assert(elapsed > 0);
  assert(end >= thread + elapsed * 1000);
});

testProgram(
  "two workers check the chapter's numbers, which are printed from the top",
  async (dir) => {
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
  },
);

testProgram("without arguments there is a worker for every core", async (dir) => {
  const { stdout } = await run("proc_pool.ts", [], dir);
  const workers = Math.min(navigator.hardwareConcurrency, NUMBERS.length);
  assertMatch(stdout, RegExp(`^Checking 20 numbers with ${workers} workers?:\n`));
});

testProgram("own numbers may have underscores, be negative, and be past 2^54", async (dir) => {
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
});

testProgram("no more workers start than there are numbers", async (dir) => {
  const { stdout } = await run("proc_pool.ts", ["1000000", "7"], dir);
  assertEquals(lines(stdout), ["Checking 1 number with 1 worker:", "               7   P"]);
});

for (
  const [args, message] of [
    [["0"], "WORKERS: expected a whole number from 1 up, got 0"],
    [["-1"], "WORKERS: expected a whole number from 1 up, got -1"],
    [["1.5"], "WORKERS: expected a whole number from 1 up, got 1.5"],
    [["--fast"], "WORKERS: expected a whole number from 1 up, got --fast"],
    [["", "7"], "WORKERS: expected a whole number from 1 up, got nothing"],
    [["2", "7", "1e3"], "NUMBER: expected a whole number, got 1e3"],
    [["2", "0x10"], "NUMBER: expected a whole number, got 0x10"],
    [["2", "1__000"], "NUMBER: expected a whole number, got 1__000"],
    [["2", ""], "NUMBER: expected a whole number, got nothing"],
  ] as const
) {
  testProgram(
    `the arguments ${JSON.stringify(args)} are refused with a line, exit 2`,
    async (dir) => {
      const { code, stdout, stderr } = await run("proc_pool.ts", [...args], dir);
      assertEquals([code, stdout, stderr], [2, "", `${message}\n${USAGE}`]);
    },
  );
}

for (const option of ["-h", "--help"]) {
  testProgram(`${option} prints the usage`, async (dir) => {
    const { code, stdout, stderr } = await run("proc_pool.ts", [option], dir);
    assertEquals([code, stdout, stderr], [0, USAGE, ""]);
  });
}

testProgram(
  "a line is printed before the next number is done, and Ctrl-C exits 130",
  async (dir) => {
    const program = command("proc_pool.ts", ["1", `${2n ** 128n}`, ENDLESS], dir.path);
    await using child = program.spawn();
    const stderr = child.stderr.text();
    let printed = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      printed += text;
      if (printed.split("\n").length > 2) child.kill("SIGINT");
    }
    assertMatch(printed, RegExp(`^Checking 2 numbers with 1 worker:\n${2n ** 128n} .*s\n$`));
    assertEquals([(await child.status).code, await stderr], [130, ""]);
  },
);

testProgram("when stdout is closed, nothing is said about it", async (dir) => {
  await using child = command("proc_pool.ts", ["2"], dir.path).spawn();
  const stderr = child.stderr.text();
  await child.stdout.cancel();
  assertEquals([(await child.status).code, await stderr], [0, ""]);
});

testProgram("--timeline draws a lane for each worker after the total", async (dir) => {
  const { code, stdout } = await run("proc_pool.ts", ["2", "97", "98", "--timeline"], dir);
  assertEquals(code, 0);
  const drawing = stdout.split(/^Total time.*\n/m)[1]?.split("\n");
  assertEquals(drawing?.slice(0, 2), ["", "proc_pool.ts, 2 workers"]);
  assertMatch(`${drawing?.[2]}`, /^1 .*=/);
  assertMatch(`${drawing?.[3]}`, /^2 .*=/);
});
