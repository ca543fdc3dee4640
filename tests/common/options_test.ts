/** The arguments of a program become options, or one line that says what was expected. */
import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { expandCodes, helpOf, type Options } from "../../common/options.ts";
import { parseOptions, preparePrimes, SITES } from "../../common/options.ts";
import { plural, UsageError } from "../../common/terminal.ts";
import { FakeTerminal } from "../fake_terminal.ts";
import { replace } from "../helpers.ts";

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];

const DEFAULTS: Options = {
  codes: [],
  all: false,
  limit: undefined,
  maxReq: undefined,
  server: "LOCAL",
  verbose: false,
  timeline: undefined,
};

/** Splits a command line at its spaces. `""` is an empty argument. */
function split(line: string): string[] {
  return line.split(" ").filter((arg) => arg !== "").map((arg) => arg === '""' ? "" : arg);
}

const ACCEPTED: [line: string, options: Partial<Options>][] = [
  ["", {}],
  ["br b US", { codes: ["BR", "B", "US"] }],
  ["-- BR", { codes: ["BR"] }],
  ["-a", { all: true }],
  ["--all", { all: true }],
  ["-ae", { all: true, codes: LETTERS }],
  ["--every BR", { codes: ["BR", ...LETTERS] }],
  ["-l 1", { limit: 1 }],
  ["-l3", { limit: 3 }],
  ["-l=007", { limit: 7 }],
  ["--limit=3 --limit 4", { limit: 4 }],
  ["-m 5", { maxReq: 5 }],
  ["--max-req 1000", { maxReq: 1000 }],
  ["-v", { verbose: true }],
  ["-av -l 2", { all: true, verbose: true, limit: 2 }],
  ["-s error", { server: "ERROR" }],
  ["--server=remote", { server: "REMOTE" }],
  ["-s http://x/flags//", { server: "http://x/flags" }],
  ["-s HTTPS://me:secret@x", { server: "HTTPS://me:secret@x" }],
  ["-t", { timeline: "" }],
  ["-t -v", { timeline: "", verbose: true }],
  ["--timeline x.svg BR", { timeline: "x.svg", codes: ["BR"] }],
];

for (const [line, options] of ACCEPTED) {
  Deno.test(`parseOptions accepts "${line}"`, () => {
    assertEquals(parseOptions(split(line), ""), { ...DEFAULTS, ...options });
  });
}

const SWITCH = "expected a switch without a value, got";
const CODE = "expected a two-letter country code, or one letter, got";
const SERVER = "--server: expected LOCAL, DELAY, ERROR, REMOTE or an http URL, got";

const REJECTED: [line: string, message: string][] = [
  ["--fast", "unknown option: --fast"],
  ["-x", "unknown option: -x"],
  ["--all=no", `${SWITCH} --all=no`],
  ["--help=", `${SWITCH} --help=`],
  ["-al2", `${SWITCH} -al2`],
  ["BRA", `${CODE} BRA`],
  ["B1", `${CODE} B1`],
  ['BR ""', `${CODE} nothing`],
  ["-- -v", `${CODE} -v`],
  ["-a b", "--all and codes exclude each other, got --all and B"],
  ["-l 0", "--limit: expected a positive integer, got 0"],
  ["-l 1e2", "--limit: expected a positive integer, got 1e2"],
  ["-l 2x", "--limit: expected a positive integer, got 2x"],
  ["-l -v", "--limit: expected a positive integer, got nothing"],
  ["--max-req=-1", "--max-req: expected a positive integer, got -1"],
  ["-s MOON", `${SERVER} MOON`],
  ["-s", `${SERVER} nothing`],
  ["-s ftp://x", `${SERVER} ftp://x`],
  ["-s xhttp://x", `${SERVER} xhttp://x`],
  ["-s http://", `${SERVER} http://`],
  ["-s http://x:99999", `${SERVER} http://x:99999`],
  ["-s http://x?query", `${SERVER} http://x?query`],
  ["-s http://x#part", `${SERVER} http://x#part`],
  ["-s http://me:secret@x?query", `${SERVER} http://x?query`],
];

for (const [line, message] of REJECTED) {
  Deno.test(`parseOptions rejects "${line}" and says what it expected`, () => {
    const error = assertThrows(() => parseOptions(split(line), ""), UsageError);
    assertEquals(error.message, message);
  });
}

Deno.test("parseOptions rejects a URL with a space", () => {
  assertThrows(() => parseOptions(["-s", "http://x/a b"], ""), UsageError, "got http://x/a b");
});

Deno.test("expandCodes replaces a single letter by the 26 codes that begin with it", () => {
  const codes = expandCodes(["BR", "X"]);
  assertEquals(codes.length, 27);
  assertEquals([codes[0], codes[1], codes[26]], ["BR", "XA", "XZ"]);
});

for (const [count, text] of [[0, "0 flags"], [1, "1 flag"]] as const) {
  Deno.test(`plural writes ${text}`, () => assertEquals(plural(count, "flag"), text));
}

for (const option of ["--help", "-vh"]) {
  Deno.test(`${option} prints the help after the decoded name of the program`, async () => {
    using terminal = new FakeTerminal();
    using _module = replace(Deno, "mainModule", "file:///x/my%20flags.ts");
    const code = await terminal.exitCode(() => parseOptions(["BR", option], "[CC…]\n  help"));
    const printed = "usage: my flags.ts [CC…]\n  help\n";
    assertEquals([code, terminal.stdout, terminal.stderr], [0, printed, ""]);
  });
}

Deno.test("the help describes the built-in sites as they are", () => {
  const { LOCAL, DELAY, ERROR } = SITES;
  assertEquals([LOCAL, DELAY], [{ delay: [0.2, 0.4] }, { delay: [0.5, 5] }]);
  assertEquals(ERROR, { delay: [0.5, 0.5], errorRate: 0.25 });
  const help = helpOf({});
  assertMatch(help, / LOCAL .*0\.2 to 0\.4 s/);
  assertMatch(help, / DELAY .*0\.5 to 5 s/);
  assertMatch(help, / ERROR .*0\.5 s; 25%/);
});

Deno.test("the help names the defaults of the program", () => {
  const help = helpOf({ codes: ["BR", "CN"], maxReq: 6, limit: 128 });
  assertStringIncludes(help, "default: 2 codes of the chapter\n");
  assertStringIncludes(help, "(default: 6, at most 128)\n");
  assertStringIncludes(help, "try all 676 codes from AA to ZZ\n");
});

Deno.test("the help of a program without settings names no maximum", () => {
  assertStringIncludes(helpOf({}), "(default: 20)\n");
});

/** Prepares `proc_pool.ts` with these arguments. */
async function primes(line: string) {
  using _args = replace(Deno, "args", split(line));
  return await preparePrimes([7n, 97n, 2n]);
}

const PRIMES: [line: string, maxWorkers: number, numbers: bigint[], what: string][] = [
  ["2", 2, [97n, 7n, 2n], "3 numbers with 2 workers"],
  ["1024 7", 1, [7n], "1 number with 1 worker"],
  ["2 5 1_000_000_007", 2, [1000000007n, 5n], "2 numbers with 2 workers"],
  [`3 7 ${10n ** 24n} 8`, 3, [10n ** 24n, 8n, 7n], "3 numbers with 3 workers"],
];

for (const [line, maxWorkers, numbers, what] of PRIMES) {
  Deno.test(`proc_pool.ts ${line} checks ${what}, the largest first`, async () => {
    const expected = { maxWorkers, numbers, timeline: undefined, what };
    assertEquals(await primes(line), expected);
  });
}

Deno.test("proc_pool.ts starts a worker for each core, and accepts --timeline", async () => {
  const { maxWorkers, timeline } = await primes("--timeline");
  assertEquals([maxWorkers, timeline], [Math.min(navigator.hardwareConcurrency, 3), ""]);
});

const REJECTED_PRIMES: [line: string, message: string][] = [
  ["0", "WORKERS: expected a positive integer up to 1024, got 0"],
  ["1025", "WORKERS: expected a positive integer up to 1024, got 1025"],
  ['2 ""', "NUMBER: expected a whole number, got nothing"],
  ["2 7 0x10", "NUMBER: expected a whole number, got 0x10"],
  ["2 7 -t x.png", "--timeline: expected a file that ends in .svg or .json, got x.png"],
  ["--all", "unknown option: --all"],
];

for (const [line, message] of REJECTED_PRIMES) {
  Deno.test(`proc_pool.ts rejects "${line}" with its usage and exits with 2`, async () => {
    using terminal = new FakeTerminal();
    assertEquals(await terminal.exitCode(() => primes(line)), 2);
    const usage = "usage: options_test.ts [WORKERS] [NUMBER…] [-t [FILE]]";
    assertEquals([terminal.stdout, terminal.stderr], ["", `${message}\n${usage}\n`]);
  });
}
