/** The arguments of a program become options, or one line that says what was expected. */
import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { expandCodes, helpOf, parseOptions, preparePrimes, SITES } from "../../common/options.ts";
import type { Options } from "../../common/options.ts";
import { plural, UsageError } from "../../common/terminal.ts";
import { fakeTerminal, replace } from "../helpers.ts";

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
  ["-ae", { all: true, codes: LETTERS }],
  ["--every BR", { codes: ["BR", ...LETTERS] }],
  ["-l3", { limit: 3 }],
  ["-l=007", { limit: 7 }],
  ["--limit=3 --limit 4", { limit: 4 }],
  ["--max-req 1000", { maxReq: 1000 }],
  ["-av -m 1", { all: true, verbose: true, maxReq: 1 }],
  ["-s error", { server: "ERROR" }],
  ["--server=remote", { server: "REMOTE" }],
  ["-s http://x/flags//", { server: "http://x/flags" }],
  ["-s HTTPS://me:secret@x", { server: "HTTPS://me:secret@x" }],
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
  ["--all=no", `${SWITCH} --all=no`],
  ["-al2", `${SWITCH} -al2`],
  ["BRA", `${CODE} BRA`],
  ["B1", `${CODE} B1`],
  ['BR ""', `${CODE} nothing`],
  ["-- -v", `${CODE} -v`],
  ["-a b", "--all and codes exclude each other, got --all and B"],
  ["-l 0", "--limit: expected a positive integer, got 0"],
  ["-l 1e2", "--limit: expected a positive integer, got 1e2"],
  ["-l -v", "--limit: expected a positive integer, got nothing"],
  ["--max-req=-1", "--max-req: expected a positive integer, got -1"],
  ["-s MOON", `${SERVER} MOON`],
  ["-s", `${SERVER} nothing`],
  ["-s xhttp://x", `${SERVER} xhttp://x`],
  ["-s http://x:99999", `${SERVER} http://x:99999`],
  ["-s http://x\t", `${SERVER} http://x\t`],
  ["-s http://x#part", `${SERVER} http://x#part`],
  ["-s http://me:secret@x?query", `${SERVER} http://x?query`],
];

for (const [line, message] of REJECTED) {
  Deno.test(`parseOptions rejects ${JSON.stringify(line)} and says what it expected`, () => {
    const error = assertThrows(() => parseOptions(split(line), ""), UsageError);
    assertEquals(error.message, message);
  });
}

Deno.test("expandCodes replaces a single letter by the 26 codes that begin with it", () => {
  assertEquals(expandCodes(["BR", "X"]), ["BR", ...LETTERS.map((letter) => `X${letter}`)]);
});

Deno.test("plural writes 0 flags and 1 flag", () => {
  assertEquals([plural(0, "flag"), plural(1, "flag")], ["0 flags", "1 flag"]);
});

Deno.test("--help prints the help after the decoded name of the program", () => {
  using terminal = fakeTerminal();
  using _module = replace(Deno, { mainModule: "file:///x/my%20flags.ts" });
  assertThrows(() => parseOptions(["BR", "-vh"], "[CC…]\n  help"), Error, "exit 0");
  assertEquals(terminal.stdout, "usage: my flags.ts [CC…]\n  help\n");
});

Deno.test("the help describes the built-in sites as they are", () => {
  assertEquals(SITES, {
    LOCAL: { delay: [0.2, 0.4] },
    DELAY: { delay: [0.5, 5] },
    ERROR: { delay: [0.5, 0.5], errorRate: 0.25 },
  });
  const sites = / LOCAL .*0\.2 to 0\.4 s[^]* DELAY .*0\.5 to 5 s[^]* ERROR .*0\.5 s; 25%/;
  assertMatch(helpOf({}), sites);
});

Deno.test("the help names the defaults and the maximum of the program", () => {
  const help = helpOf({ codes: ["BR", "CN"], maxReq: 6, limit: 128 });
  assertMatch(help, /default: 2 codes [^]*try all 676 codes [^]*\(default: 6, at most 128\)\n/);
  assertMatch(helpOf({}), /\(default: 20\)\n/);
});

/** Prepares `proc_pool.ts` with these arguments. */
async function primes(line: string) {
  using _args = replace(Deno, { args: split(line) });
  return await preparePrimes([7n, 97n, 2n]);
}

const PRIMES: [line: string, maxWorkers: number, numbers: bigint[], what: string][] = [
  ["2", 2, [97n, 7n, 2n], "3 numbers with 2 workers"],
  ["1024 1_000_000_007", 1, [1000000007n], "1 number with 1 worker"],
  [`3 7 ${10n ** 24n} 8`, 3, [10n ** 24n, 8n, 7n], "3 numbers with 3 workers"],
];

for (const [line, maxWorkers, numbers, what] of PRIMES) {
  Deno.test(`proc_pool.ts ${line} checks ${what}, the largest first`, async () => {
    assertEquals(await primes(line), { maxWorkers, numbers, timeline: undefined, what });
  });
}

Deno.test("proc_pool.ts starts a worker for each core, and accepts --timeline", async () => {
  const { maxWorkers, timeline } = await primes("--timeline");
  assertEquals([maxWorkers, timeline], [Math.min(navigator.hardwareConcurrency, 3), ""]);
});

const REJECTED_PRIMES: [line: string, message: string][] = [
  ["1025", "WORKERS: expected a positive integer up to 1024, got 1025"],
  ["2 7 -t x.png", "--timeline: expected a file that ends in .svg or .json, got x.png"],
];

for (const [line, message] of REJECTED_PRIMES) {
  Deno.test(`proc_pool.ts rejects "${line}" with its usage and exits with 2`, async () => {
    using terminal = fakeTerminal();
    using _module = replace(Deno, { mainModule: "file:///x/x.ts" });
    await assertRejects(() => primes(line), Error, "exit 2");
    assertEquals(terminal.stderr, `${message}\nusage: x.ts [WORKERS] [NUMBER…] [-t [FILE]]\n`);
  });
}
