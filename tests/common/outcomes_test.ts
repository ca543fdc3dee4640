/** What `downloadMany` reports is checked, counted and shown, and a mistake in it is named. */
import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { Outcome } from "../../common/flag.ts";
import { parseOptions } from "../../common/options.ts";
import { Outcomes, Progress } from "../../common/outcomes.ts";
import { print, runProgram } from "../../common/terminal.ts";
import { Future } from "../../futures/mod.ts";
import { FakeTerminal } from "../fake_terminal.ts";
import { replace } from "../helpers.ts";

const TIMES = { timeOrigin: performance.timeOrigin, start: 1000, end: 1400.6 };

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
  ["ok", '"ok"'],
  [{}, "{}"],
  [Promise.resolve(), "Promise { undefined } (is an `await` missing?)"],
  [Future.withResolvers().future, "<Future #1 state=pending> (is `.result()` missing?)"],
];

for (const [value, got] of NO_OUTCOMES) {
  Deno.test(`report says what it expected if it gets ${got}`, () => {
    const outcomes = outcomesOf(["BR"]);
    const error = assertThrows(() => outcomes.add(value as Outcome), TypeError);
    const message = `report: expected the outcome of a download, got ${got}`;
    assertEquals(error.message.replace(/#\d+/, "#1"), message);
  });
}

Deno.test("report accepts each flag once, and no other flag", () => {
  const outcomes = outcomesOf(["BR", "CN"], ok("BR"));
  for (const cc of ["BR", "ZZ"]) {
    const message = `report: expected each flag once, got ${cc} once too often`;
    assertThrows(() => outcomes.add(ok(cc)), TypeError, message);
  }
});

Deno.test("flags without an outcome are counted at the end of a run", () => {
  const advice = "is an `await` or a `report` missing, or an error ignored?";
  const lines = outcomesOf(["BR", "CN"], ok("CN")).missingLines("downloadMany");
  assertEquals(lines, [`downloadMany reported 1 of 2 flags: ${advice}`]);
  assertEquals(outcomesOf(["BR"], ok("BR")).missingLines("downloadMany"), []);
});

const SUMMARIES: [outcomes: Outcome[], summary: string][] = [
  [[], "0 downloads in 1.25s"],
  [[ok("BR")], "1 download in 1.25s"],
  [[ok("BR"), failed("ZZ", "not found")], "1 download in 1.25s, 1 not found"],
  [[failed("BR", "HTTP 500")], "0 downloads in 1.25s, 1 error"],
  [
    [ok("BR"), ok("CN"), ...["XX", "YY", "ZZ"].map((cc) => failed(cc, "not found"))],
    "2 downloads in 1.25s, 3 not found",
  ],
  [[failed("BR", "late"), failed("CN", "late")], "0 downloads in 1.25s, 2 errors"],
];

for (const [outcomes, summary] of SUMMARIES) {
  Deno.test(`the summary of ${outcomes.length} outcomes is "${summary}"`, () => {
    const codes = outcomes.map(({ cc }) => cc);
    assertEquals(outcomesOf(codes, ...outcomes).summary(1.25), summary);
  });
}

Deno.test("the chart of a run has a bar for each outcome", () => {
  const outcomes = outcomesOf(["BR", "CN"], ok("BR"), failed("CN", "late"));
  const { title, tasks } = outcomes.chart("a run", 900);
  const bars = tasks.map(({ label, ok, start, end }) => [label, ok, start, Math.round(end)]);
  assertEquals([title, bars], ["a run", [["BR", true, 100, 501], ["CN", false, 100, 501]]]);
});

const ERRORS: [args: string[], lines: string[]][] = [
  [[], ["BA: late", "BB: not found"]],
  [["BA", "BB"], ["BA: late", "BB: not found"]],
  [["b"], ["BA: late"]],
  [["b", "BB"], ["BA: late", "BB: not found"]],
  [["--every"], ["BA: late"]],
  [["--all"], ["BA: late"]],
];

for (const [args, lines] of ERRORS) {
  Deno.test(`with the arguments [${args.join(" ")}], the error lines are ${lines.join(", ")}`, () => {
    const outcomes = [failed("BB", "not found"), failed("BA", "late"), ok("BR")];
    const all = outcomesOf(["BA", "BB", "BR"], ...outcomes);
    assertEquals(all.errorLines(parseOptions(args, "")), lines);
  });
}

Deno.test("without a bar, Progress prints the codes of the flags that arrive", () => {
  using terminal = new FakeTerminal(80);
  const progress = new Progress(20, false, true);
  for (const outcome of [ok("BR"), failed("CN", "late"), ok("US")]) progress.show(outcome);
  progress.end();
  assertEquals([terminal.stdout, terminal.stderr], ["BR US \n", ""]);
});

Deno.test("Progress prints no empty line if no flag arrives", () => {
  using terminal = new FakeTerminal();
  const progress = new Progress(1, false, true);
  progress.show(failed("BR", "late"));
  progress.end();
  assertEquals(terminal.stdout, "");
});

Deno.test("a verbose Progress prints a line for each flag, and no bar", () => {
  using terminal = new FakeTerminal(80);
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

/** Shows the first of `total` outcomes. Returns whether it is shown in a bar. */
function hasBar(total: number, mayShowBar: boolean, columns?: number): boolean {
  using terminal = new FakeTerminal(columns);
  new Progress(total, false, mayShowBar).show(ok("BR"));
  assertEquals(terminal.stdout, terminal.stderr.includes("[#") ? "" : "BR ");
  return terminal.stderr.includes("[#");
}

const BARS: [what: string, total: number, mayShowBar: boolean, columns?: number][] = [
  ["21 flags in 80 columns have", 21, true, 80],
  ["20 flags do not have", 20, true, 80],
  ["a program with lines of its own does not have", 21, false, 80],
  ["79 columns are too few for", 21, true, 79],
  ["a pipe does not show", 21, true],
];

for (const [index, [what, ...args]] of BARS.entries()) {
  Deno.test(`${what} a progress bar`, () => assertEquals(hasBar(...args), index === 0));
}

for (const stream of [Deno.stdout, Deno.stderr]) {
  Deno.test(`there is no bar if only ${stream === Deno.stdout ? "stderr" : "stdout"} is a terminal`, () => {
    using terminal = new FakeTerminal(80);
    using _stream = replace(stream, "isTerminal", () => false);
    new Progress(21, false, true).show(ok("BR"));
    assertEquals([terminal.stdout, terminal.stderr], ["BR ", ""]);
  });
}

Deno.test("the bar shows the share of finished downloads and the time left, and is erased", () => {
  using terminal = new FakeTerminal(80);
  let now = 1000;
  using _now = replace(performance, "now", () => now);
  const progress = new Progress(24, false, true);
  for (let done = 1; done <= 6; done++) {
    now += 500;
    progress.show(failed("BR", "late"));
  }
  progress.end();
  const bar = `[${"#".repeat(10)}${"-".repeat(30)}] 6/24  9.0 s left`;
  assertStringIncludes(terminal.stderr, `\r${bar.padEnd(79)}\r`);
  assertMatch(terminal.stderr, /\r {79}\r$/);
  assertEquals(terminal.stdout, "");
});

Deno.test("print exits with 141 and no message if the reader of the pipe has gone", async () => {
  using terminal = new FakeTerminal();
  using _write = replace(Deno.stdout, "writeSync", () => {
    throw new Deno.errors.BrokenPipe("gone");
  });
  assertEquals([await terminal.exitCode(() => print("BR")), terminal.stderr], [141, ""]);
});

Deno.test("print exits with 1 and a message if it cannot write", async () => {
  using terminal = new FakeTerminal();
  using _write = replace(Deno.stdout, "writeSync", () => {
    throw new Error("No space left on device (os error 28)");
  });
  assertEquals(await terminal.exitCode(() => print("BR")), 1);
  assertEquals(terminal.stderr, "cannot write to stdout: No space left on device\n");
});

const SYSTEM_ERRORS: Error[] = [
  new Deno.errors.NotCapable("Requires net access"),
  Object.assign(new Error("No such file (os error 2)"), { code: "ENOENT" }),
];

for (const error of SYSTEM_ERRORS) {
  Deno.test(`a program that throws "${error.message}" prints one line and exits with 1`, async () => {
    using terminal = new FakeTerminal();
    assertEquals(await terminal.exitCode(() => runProgram("", () => Promise.reject(error))), 1);
    assertEquals(terminal.stderr, `${error.message.replace(" (os error 2)", "")}\n`);
  });
}

Deno.test("runProgram throws a bug of the program", async () => {
  const bug = new TypeError("flags.vales is not a function");
  assertStrictEquals(await assertRejects(() => runProgram("", () => Promise.reject(bug))), bug);
});
