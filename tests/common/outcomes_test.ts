/** What `downloadMany` reports is checked, counted and shown, and a mistake in it is named. */
import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { Outcome } from "../../common/flag.ts";
import { parseOptions } from "../../common/options.ts";
import { Outcomes, Progress } from "../../common/outcomes.ts";
import { print, runProgram } from "../../common/terminal.ts";
import { Future } from "../../futures/mod.ts";
import { fakeTerminal, replace } from "../helpers.ts";

const TIMES = { timeOrigin: performance.timeOrigin + 64, start: 1000, end: 1400.625 };

function ok(cc: string): Outcome {
  return { cc, ...TIMES, status: "ok", bytes: 361 };
}

function failed(cc: string, line: string): Outcome {
  return { cc, ...TIMES, status: line === "not found" ? line : "failed", line };
}

/** Returns the outcomes of a run that asked for these codes. */
function outcomesOf(codes: string[], ...outcomes: Outcome[]): Outcomes {
  const all = new Outcomes(codes.map((cc) => ({ cc, url: "" })));
  for (const outcome of outcomes) all.add(outcome);
  return all;
}

const NO_OUTCOMES: [value: unknown, got: string][] = [
  [undefined, "undefined"],
  [Promise.resolve(), "Promise { undefined } (is an `await` missing?)"],
  [Future.withResolvers().future, "<Future #1 state=pending> (is `.result()` missing?)"],
];

for (const [value, got] of NO_OUTCOMES) {
  Deno.test(`report says what it expected if it gets ${got}`, () => {
    const error = assertThrows(() => outcomesOf(["BR"], value as Outcome), TypeError);
    const message = `report: expected the outcome of a download, got ${got}`;
    assertEquals(error.message.replace(/#\d+/, "#1"), message);
  });
}

for (const cc of ["BR", "ZZ"]) {
  Deno.test(`report accepts each flag once, and not ${cc}`, () => {
    const message = `report: expected each flag once, got ${cc} once too often`;
    assertThrows(() => outcomesOf(["BR", "CN"], ok("BR"), ok(cc)), TypeError, message);
  });
}

Deno.test("flags without an outcome are counted at the end of a run", () => {
  const advice = "is an `await` or a `report` missing, or an error ignored?";
  const lines = outcomesOf(["BR", "CN"], ok("CN")).missingLines("downloadMany");
  assertEquals(lines, [`downloadMany reported 1 of 2 flags: ${advice}`]);
  assertEquals(outcomesOf(["BR"], ok("BR")).missingLines("downloadMany"), []);
});

const SUMMARIES: [outcomes: Outcome[], summary: string][] = [
  [[ok("BR"), failed("ZZ", "not found")], "1 download in 1.25s, 1 not found"],
  [[failed("BR", "late")], "0 downloads in 1.25s, 1 error"],
  [[failed("BR", "late"), failed("CN", "late")], "0 downloads in 1.25s, 2 errors"],
];

for (const [outcomes, summary] of SUMMARIES) {
  Deno.test(`the summary of ${outcomes.length} outcomes is "${summary}"`, () => {
    const codes = outcomes.map(({ cc }) => cc);
    assertEquals(outcomesOf(codes, ...outcomes).summary(1.25), summary);
  });
}

Deno.test("the chart of a run has a bar for each outcome, also of another thread", () => {
  const outcomes = outcomesOf(["BR", "CN"], ok("BR"), failed("CN", "late"));
  const { title, tasks } = outcomes.chart("a run", 900);
  const bars = tasks.map(({ label, ok, thread, start, end }) => {
    return [label, ok, thread, Math.round(start), Math.round(end)];
  });
  const { timeOrigin } = TIMES;
  const expected = [["BR", true, timeOrigin, 164, 565], ["CN", false, timeOrigin, 164, 565]];
  assertEquals([title, bars], ["a run", expected]);
});

const ERRORS: [args: string[], lines: string[]][] = [
  [[], ["BA: late", "BB: not found"]],
  [["b"], ["BA: late"]],
  [["b", "BB"], ["BA: late", "BB: not found"]],
  [["--all"], ["BA: late"]],
];

for (const [args, lines] of ERRORS) {
  Deno.test(`with the arguments [${args.join(" ")}], the error lines are ${lines}`, () => {
    const outcomes = [failed("BB", "not found"), failed("BA", "late"), ok("BR")];
    const all = outcomesOf(["BA", "BB", "BR"], ...outcomes);
    assertEquals(all.errorLines(parseOptions(args, "")), lines);
  });
}

Deno.test("for 20 flags, Progress prints the codes of the flags that arrive", () => {
  using terminal = fakeTerminal(80);
  const progress = new Progress(20, false, true);
  for (const outcome of [ok("BR"), failed("CN", "late"), ok("US")]) progress.show(outcome);
  progress.end();
  assertEquals([terminal.stdout, terminal.stderr], ["BR US \n", ""]);
});

Deno.test("a verbose Progress prints a line for each flag, and no bar", () => {
  using terminal = fakeTerminal(80);
  const progress = new Progress(21, true, true);
  progress.show(ok("BR"));
  progress.show({ cc: "CN", ...TIMES, status: "ok" });
  progress.show(failed("US", "late"));
  progress.end();
  assertEquals(terminal.stdout.split("\n"), [
    "BR     361 bytes   401 ms  ok",
    "CN       ? bytes   401 ms  ok",
    "US       0 bytes   401 ms  late",
    "",
  ]);
});

const NO_BARS: [what: string, mayShow: boolean, columns: number, out: boolean, err: boolean][] = [
  ["if a program has lines of its own", false, 80, true, true],
  ["in 79 columns", true, 79, true, true],
  ["if stdout is not a terminal", true, 80, false, true],
  ["if stderr is not a terminal", true, 80, true, false],
];

for (const [what, mayShowBar, columns, isStdout, isStderr] of NO_BARS) {
  Deno.test(`Progress shows no bar ${what}`, () => {
    using terminal = fakeTerminal(columns);
    using _stdout = replace(Deno.stdout, { isTerminal: () => isStdout });
    using _stderr = replace(Deno.stderr, { isTerminal: () => isStderr });
    new Progress(21, false, mayShowBar).show(ok("BR"));
    assertEquals([terminal.stdout, terminal.stderr], ["BR ", ""]);
  });
}

Deno.test("for 21 flags in 80 columns, Progress shows a bar and the time left, and erases it", () => {
  using terminal = fakeTerminal(80);
  let now = 1000;
  using _now = replace(performance, { now: () => now });
  const progress = new Progress(21, false, true);
  progress.show(failed("BR", "late"));
  now += 3000;
  terminal.stderr = "";
  progress.show(ok("CN"));
  progress.end();
  const bar = `[${"#".repeat(4)}${"-".repeat(36)}] 2/21  28.5 s left`;
  const lines = `\r${bar.padEnd(79)}\r\r${" ".repeat(79)}\r`;
  assertEquals([terminal.stdout, terminal.stderr], ["", lines]);
});

const WRITE_ERRORS: [error: Error, code: number, line: string][] = [
  [new Deno.errors.BrokenPipe("gone"), 141, ""],
  [new Error("no space (os error 28)"), 1, "cannot write to stdout: no space\n"],
];

for (const [error, code, line] of WRITE_ERRORS) {
  Deno.test(`print exits with ${code} if it cannot write: ${error.name}`, () => {
    using terminal = fakeTerminal();
    const writeSync = () => {
      throw error;
    };
    using _write = replace(Deno.stdout, { writeSync });
    assertThrows(() => print("BR"), Error, `exit ${code}`);
    assertEquals(terminal.stderr, line);
  });
}

const SYSTEM_ERRORS: [error: Error, line: string][] = [
  [new Deno.errors.NotCapable("Requires net access"), "Requires net access\n"],
  [Object.assign(new Error("No such file (os error 2)"), { code: "ENOENT" }), "No such file\n"],
];

for (const [error, line] of SYSTEM_ERRORS) {
  Deno.test(`a program that throws "${error.message}" prints one line and exits with 1`, async () => {
    using terminal = fakeTerminal();
    await assertRejects(() => runProgram("", () => Promise.reject(error)), Error, "exit 1");
    assertEquals(terminal.stderr, line);
  });
}

Deno.test("runProgram throws a bug of the program", async () => {
  const bug = new TypeError("flags.vales is not a function");
  assertStrictEquals(await assertRejects(() => runProgram("", () => Promise.reject(bug))), bug);
});
