/** A failed download is one line that is safe to print. Any other error is a bug and keeps its line. */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { failureOf, FlagError, reason } from "../../common/flag.ts";

const LINES: [what: string, text: string, line: string][] = [
  ["keeps printable text", "HTTP 418 I'm a teapot – ✓", "HTTP 418 I'm a teapot – ✓"],
  ["escapes control characters", "a\x1b[2J\n\x9b", "a\\u{1b}[2J\\u{a}\\u{9b}"],
  ["escapes line separators", "\u2028\u2029", "\\u{2028}\\u{2029}"],
  ["escapes characters that reverse text", "\u202e", "\\u{202e}"],
  ["keeps 200 characters", "y".repeat(200), "y".repeat(200)],
  ["shortens 201 characters to 200", "y".repeat(201), `${"y".repeat(199)}…`],
];

for (const [what, text, line] of LINES) {
  Deno.test(`FlagError ${what}`, () => assertEquals(new FlagError(text).message, line));
}

Deno.test("failureOf keeps the status and the line of a FlagError from a worker", () => {
  const status = "not found" as const;
  const error = Object.assign(new Error("not here"), { name: "FlagError", status });
  assertEquals(failureOf(error), { status, line: "not here" });
});

Deno.test("failureOf reports an error of the operating system without its number", () => {
  const error = Object.assign(new Error("No space left (os error 28): rename"), { code: "ENOSPC" });
  assertEquals(failureOf(error), { status: "failed", line: "No space left: rename" });
});

const BUGS: [what: string, bug: unknown][] = [
  ["a TypeError", new TypeError("flags.vales is not a function")],
  ["an error with a numeric code", new DOMException("no", "DataCloneError")],
  ["an object that is not an error", { name: "FlagError", code: "ENOSPC", message: "no" }],
];

for (const [what, bug] of BUGS) {
  Deno.test(`failureOf rethrows ${what}`, () => {
    assertStrictEquals(assertThrows(() => failureOf(bug)), bug);
  });
}

Deno.test("reason accepts values that are not errors", () => assertEquals(reason(7), "7"));
