import { assertEquals, assertThrows } from "@std/assert";
import { parseArguments } from "../../common/arguments.ts";
import { test } from "../testing.ts";

const SYNTAX = {
  all: { letter: "a" },
  delay: { takesValue: true },
  every: { letter: "e" },
  limit: { letter: "l", takesValue: true },
};

for (
  const [args, switches, values, operands] of [
    [["-7", "BR", "-2.5"], [], [], ["-7", "BR", "-2.5"]],
    [["--limit", "-1", "-l", "-2", "-3"], [], [["limit", "-2"]], ["-3"]],
    [["--limit=-1"], [], [["limit", "-1"]], []],
    [["-l-1"], [], [["limit", "-1"]], []],
    [["--delay", "", "BR"], [], [["delay", ""]], ["BR"]],
    [["-l", "", "BR"], [], [["limit", ""]], ["BR"]],
    [["--delay", "--all"], ["all"], [["delay", ""]], []],
    [["--delay", "true"], [], [["delay", "true"]], []],
    [["--all", "false", "-e", "true"], ["all", "every"], [], ["false", "true"]],
    [["-ea", "9007199254740993"], ["all", "every"], [], ["9007199254740993"]],
    [["-", ""], [], [], ["-", ""]],
    [["BR", "--", "-a", "--all=x", "-7", "--", "false"], [], [], [
      "BR",
      "-a",
      "--all=x",
      "-7",
      "--",
      "false",
    ]],
    [["a\nb", "--delay=c\nd"], [], [["delay", "c\nd"]], ["a\nb"]],
  ] as const
) {
  test(`splits ${JSON.stringify(args)} into options and operands`, () => {
    const given = parseArguments(args, SYNTAX);
    assertEquals([...given.switches], [...switches]);
    assertEquals([...given.values].map(String), values.map(String));
    assertEquals(given.operands, [...operands]);
  });
}

for (
  const [arg, message] of [
    ["--foo", "unknown option: --foo"],
    ["--foo=1", "unknown option: --foo=1"],
    ["--no-all", "unknown option: --no-all"],
    ["--limit.x=1", "unknown option: --limit.x=1"],
    ["--d", "unknown option: --d"],
    ["-d", "unknown option: -d"],
    ["-ltwo", "unknown option: -ltwo"],
    ["--_", "unknown option: --_"],
    ["--__proto__=1", "unknown option: --__proto__=1"],
    ["--constructor", "unknown option: --constructor"],
    ["--toString", "unknown option: --toString"],
    ["-al2", "expected no value after -a or -e, got -al2"],
    ["-ax", "expected no value after -a or -e, got -ax"],
    ["--every=", "expected no value after -a or -e, got --every="],
  ] as const
) {
  test(`rejects ${arg} with "${message}"`, () => {
    const error = assertThrows(() => parseArguments(["BR", arg], SYNTAX), Error);
    assertEquals(error.message, message);
  });
}
