import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Outcome, POP20_CC } from "../common/flag.ts";
import { type Options, parseOptions } from "../common/options.ts";
import { DEFAULTS, spansOf } from "../common/run.ts";
import { plural, reason, wholeNumber } from "../common/terminal.ts";
import { test } from "./testing.ts";

/** What a program does without arguments. */
const PLAIN: Options = {
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
    ["-av -l 2 BR", { all: true, verbose: true, limit: 2, codes: ["BR"] }],
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
  test(`the arguments "${args}" are understood`, () => {
    assertEquals(parseOptions(args.split(" ").filter((arg) => arg)), { ...PLAIN, ...options });
  });
}

const SERVER = "--server: expected LOCAL, DELAY, ERROR, REMOTE or an http URL, got";
const CODE = "expected a country code of two letters, or one, got";
const TIMELINE = "--timeline: expected a file that ends in .svg or .json, got";

for (
  const [args, message] of [
    [["--fast"], "unknown option: --fast"],
    [["-x"], "unknown option: -x"],
    [["-vx"], "expected no value for a switch, got -vx"],
    [["-el2"], "expected no value for a switch, got -el2"],
    [["-vl2"], "expected no value for a switch, got -vl2"],
    [["-am3"], "expected no value for a switch, got -am3"],
    [["-a=false"], "expected no value for a switch, got -a=false"],
    [["--all=false"], "expected no value for a switch, got --all=false"],
    [["--verbose=1"], "expected no value for a switch, got --verbose=1"],
    [["--help="], "expected no value for a switch, got --help="],
    [["BR", "BRA"], `${CODE} BRA`],
    [["B1"], `${CODE} B1`],
    [["ÄÖ"], `${CODE} ÄÖ`],
    [["BR", "--", "-v"], `${CODE} -v`],
    [["BR", ""], `${CODE} nothing`],
    [["ß"], `${CODE} ß`],
    [["--_=BR"], "expected no value for a switch, got --_=BR"],
    [["-l", "0"], "--limit: expected a whole number from 1 up, got 0"],
    [["--limit=-1"], "--limit: expected a whole number from 1 up, got -1"],
    [["-l", "1e2"], "--limit: expected a whole number from 1 up, got 1e2"],
    [["-l", ""], "--limit: expected a whole number from 1 up, got nothing"],
    [["--limit"], "--limit: expected a whole number from 1 up, got nothing"],
    [["-m", "1.5"], "--max-req: expected a whole number from 1 up, got 1.5"],
    [["--max-req=many"], "--max-req: expected a whole number from 1 up, got many"],
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
  test(`the arguments ${JSON.stringify(args)} are refused, with what was expected`, () => {
    assertEquals(assertThrows(() => parseOptions(args), Error).message, message);
  });
}

for (const [text, number] of [["1", 1], ["1024", 1024], ["08", 8]] as const) {
  test(`${text} is a whole number`, () => assertEquals(wholeNumber("-n", text), number));
}

for (const text of ["0", "-1", "1.5", "1e3", "0x10", " 1", "1_000", "", "one"]) {
  test(`${JSON.stringify(text)} is no whole number from 1 up`, () => {
    const { message } = assertThrows(() => wholeNumber("-n", text), Error);
    assertEquals(message, `-n: expected a whole number from 1 up, got ${text || "nothing"}`);
  });
}

for (const [count, text] of [[0, "0 flags"], [1, "1 flag"], [2, "2 flags"]] as const) {
  test(`${text} is how ${count} of them are called`, () =>
    assertEquals(plural(count, "flag"), text));
}

for (
  const [error, text] of [
    [new Error("No such file or directory (os error 2): open 'x'"), "No such file or directory"],
    [new TypeError("no number here"), "no number here"],
    ["thrown as it is", "thrown as it is"],
  ] as const
) {
  test(`the reason "${text}" comes without the number of the system's`, () => {
    assertEquals(reason(error), text);
  });
}

test("the 20 countries of the chapter are different, and in its order", () => {
  assertEquals(new Set(POP20_CC).size, 20);
  assertEquals(POP20_CC.slice(0, 5), ["CN", "IN", "US", "ID", "BR"]);
});

test("the pool starts with as many workers as Python's, and never with more than help", () => {
  const { maxReq, most } = DEFAULTS.threadpool;
  assertEquals([maxReq, most], [Math.min(32, navigator.hardwareConcurrency + 4), 128]);
  assert(!("most" in DEFAULTS.async));
});

const AT = { start: 1000, end: 1400, thread: 3 };

test("a flag that did not arrive is drawn as a failure, and times count from the beginning", () => {
  const outcomes: Outcome[] = [
    { cc: "BR", ...AT, status: "ok", bytes: 361 },
    { cc: "CN", ...AT, thread: 9, status: "not found", line: "not found" },
  ];
  assertEquals(spansOf(outcomes, 900), [
    { label: "BR", lane: 0, start: 100, end: 500, ok: true },
    { label: "CN", lane: 1, start: 100, end: 500, ok: false },
  ]);
});
