import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import {
  DEFAULTS,
  expandCodes,
  HELP,
  type Options,
  parseOptions,
  SITES,
} from "../../common/options.ts";
import { test } from "../testing.ts";

/** The options of a program without arguments. */
const DEFAULT_OPTIONS: Options = {
  help: false,
  codes: [],
  all: false,
  limit: undefined,
  maxReq: undefined,
  server: "LOCAL",
  verbose: false,
  timeline: false,
};

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];

for (
  const [args, options] of [
    ["", {}],
    ["BR", { codes: ["BR"] }],
    ["br Us b", { codes: ["BR", "US", "B"] }],
    ["-a", { all: true }],
    ["--all", { all: true }],
    ["-e", { codes: LETTERS }],
    ["--every BR", { codes: ["BR", ...LETTERS] }],
    ["-l 3", { limit: 3 }],
    ["-l3", { limit: 3 }],
    ["-l=3", { limit: 3 }],
    ["--limit 3", { limit: 3 }],
    ["--limit=3", { limit: 3 }],
    ["-l 3 -l 4", { limit: 4 }],
    ["-l 007", { limit: 7 }],
    ["-m 5", { maxReq: 5 }],
    ["-m5", { maxReq: 5 }],
    ["--max-req 5", { maxReq: 5 }],
    ["--max-req=5", { maxReq: 5 }],
    ["-v", { verbose: true }],
    ["--verbose", { verbose: true }],
    ["-h", { help: true }],
    ["--help", { help: true }],
    ["-vh", { verbose: true, help: true }],
    ["-av", { all: true, verbose: true }],
    ["-av -l 2", { all: true, verbose: true, limit: 2 }],
    ["--all --every", { all: true, codes: LETTERS }],
    ["-ev -l 2 BR", { codes: ["BR", ...LETTERS], verbose: true, limit: 2 }],
    ["BR -v US", { codes: ["BR", "US"], verbose: true }],
    ["-s DELAY", { server: "DELAY" }],
    ["-s error", { server: "ERROR" }],
    ["--server=remote", { server: "REMOTE" }],
    ["--server http://127.0.0.1:8001/flags", { server: "http://127.0.0.1:8001/flags" }],
    ["-s http://x/flags//", { server: "http://x/flags" }],
    ["-s HTTPS://me:secret@x", { server: "HTTPS://me:secret@x" }],
    ["--timeline", { timeline: true }],
    ["--timeline BR", { timeline: true, codes: ["BR"] }],
    ["--timeline x.svg BR", { timeline: "x.svg", codes: ["BR"] }],
    ["--timeline=x.json -v", { timeline: "x.json", verbose: true }],
    ["-- BR", { codes: ["BR"] }],
  ] as const
) {
  test(`parses the arguments "${args}"`, () => {
    assertEquals(parseOptions(args.split(" ").filter((arg) => arg)), {
      ...DEFAULT_OPTIONS,
      ...options,
    });
  });
}

const SERVER = "--server: expected LOCAL, DELAY, ERROR, REMOTE or an http URL, got";
const CODE = "expected a two-letter country code, or one letter, got";
const TIMELINE = "--timeline: expected a file that ends in .svg or .json, got";

for (
  const [args, message] of [
    [["--fast"], "unknown option: --fast"],
    [["-x"], "unknown option: -x"],
    [["-vx"], "expected no value after -a, -e, -h or -v, got -vx"],
    [["-el2"], "expected no value after -a, -e, -h or -v, got -el2"],
    [["-vl2"], "expected no value after -a, -e, -h or -v, got -vl2"],
    [["-am3"], "expected no value after -a, -e, -h or -v, got -am3"],
    [["-a=false"], "expected no value after -a, -e, -h or -v, got -a=false"],
    [["--all=false"], "expected no value after -a, -e, -h or -v, got --all=false"],
    [["--verbose=1"], "expected no value after -a, -e, -h or -v, got --verbose=1"],
    [["--help="], "expected no value after -a, -e, -h or -v, got --help="],
    [["BR", "BRA"], `${CODE} BRA`],
    [["B1"], `${CODE} B1`],
    [["ÄÖ"], `${CODE} ÄÖ`],
    [["BR", "--", "-v"], `${CODE} -v`],
    [["BR", ""], `${CODE} nothing`],
    [["ß"], `${CODE} ß`],
    [["--_=BR"], "unknown option: --_=BR"],
    [["--toString"], "unknown option: --toString"],
    [["--all", "BR"], "--all and codes exclude each other, got --all and BR"],
    [["b", "us", "-a"], "--all and codes exclude each other, got --all and B US"],
    [["-l", "0"], "--limit: expected a positive integer, got 0"],
    [["--limit=-1"], "--limit: expected a positive integer, got -1"],
    [["--limit", "-1"], "--limit: expected a positive integer, got -1"],
    [["-l", "-1"], "--limit: expected a positive integer, got -1"],
    [["--limit", "-v"], "--limit: expected a positive integer, got nothing"],
    [["-l", "1e2"], "--limit: expected a positive integer, got 1e2"],
    [["-l", ""], "--limit: expected a positive integer, got nothing"],
    [["--limit"], "--limit: expected a positive integer, got nothing"],
    [["-m", "1.5"], "--max-req: expected a positive integer, got 1.5"],
    [["-m", "-2"], "--max-req: expected a positive integer, got -2"],
    [["--max-req", "-2.5", "BR"], "--max-req: expected a positive integer, got -2.5"],
    [["--max-req=many"], "--max-req: expected a positive integer, got many"],
    [["-s", "MOON"], `${SERVER} MOON`],
    [["-s", ""], `${SERVER} nothing`],
    [["-s"], `${SERVER} nothing`],
    [["-s", "ftp://x"], `${SERVER} ftp://x`],
    [["-s", "httpx://x"], `${SERVER} httpx://x`],
    [["-s", "http://"], `${SERVER} http://`],
    [["-s", "http://x/a b"], `${SERVER} http://x/a b`],
    [["-s", " http://x"], `${SERVER}  http://x`],
    [["-s", "http://x/flags?query"], `${SERVER} http://x/flags?query`],
    [["-s", "http://x/flags#frag"], `${SERVER} http://x/flags#frag`],
    [["--timeline", "x.png"], `${TIMELINE} x.png`],
    [["--timeline=x.png"], `${TIMELINE} x.png`],
    [["--timeline="], `${TIMELINE} nothing`],
  ] as const
) {
  test(`rejects ${JSON.stringify(args)} and says what was expected`, () => {
    assertEquals(assertThrows(() => parseOptions(args), Error).message, message);
  });
}

test("a single letter stands for the 26 codes that begin with it", () => {
  const codes = expandCodes(["BR", "X"]);
  assertEquals(codes.length, 27);
  assertEquals([codes[0], codes[1], codes[26]], ["BR", "XA", "XZ"]);
});

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
