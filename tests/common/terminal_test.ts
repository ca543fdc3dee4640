import { assertEquals, assertThrows } from "@std/assert";
import { plural, reason, wholeNumber } from "../../common/terminal.ts";
import { test } from "../testing.ts";

for (const [text, number] of [["1", 1], ["1024", 1024], ["08", 8]] as const) {
  test(`${text} is a positive integer`, () => assertEquals(wholeNumber("-n", text), number));
}

for (const text of ["0", "-1", "1.5", "1e3", "0x10", " 1", "1_000", "", "one"]) {
  test(`${JSON.stringify(text)} is not a positive integer`, () => {
    const { message } = assertThrows(() => wholeNumber("-n", text), Error);
    assertEquals(message, `-n: expected a positive integer, got ${text || "nothing"}`);
  });
}

for (const [count, text] of [[0, "0 flags"], [1, "1 flag"], [2, "2 flags"]] as const) {
  test(`plural(${count}) is ${text}`, () => assertEquals(plural(count, "flag"), text));
}

for (
  const [error, text] of [
    [new Error("No such file or directory (os error 2): open 'x'"), "No such file or directory"],
    [new TypeError("no number here"), "no number here"],
    ["thrown as it is", "thrown as it is"],
  ] as const
) {
  test(`the reason "${text}" omits the operating system's error number`, () => {
    assertEquals(reason(error), text);
  });
}
