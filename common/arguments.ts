/**
 * Splits the arguments of a program into options and other arguments.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";

/** The options of a program, by their long names. */
export type Syntax = Readonly<Record<string, OptionSyntax>>;

/** An option, for example `-l N` or `--limit N`. */
export interface OptionSyntax {
  /** The short name. Default: the option has only its long name. */
  letter?: string;
  /** Whether the option has a value. Default: `false`. */
  takesValue?: boolean;
}

/** The arguments that a user gave. */
export interface Arguments {
  /** The long names of the options without a value. */
  switches: Set<string>;
  /** The values of the other options, by long name. A missing value is an empty string. */
  values: Map<string, string>;
  /** The arguments that are not options. */
  operands: string[];
}

/**
 * Parses `args`. A negative number is not an option. If an option is repeated, the last value wins.
 * All arguments after `--` are operands.
 *
 * @throws {Error} if an option is unknown, or if an option that takes no value has one
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const syntax = { all: { letter: "a" }, limit: { letter: "l", takesValue: true } };
 * const { switches, values, operands } = parseArguments(["-a", "--limit", "-1", "BR"], syntax);
 * assertEquals([...switches], ["all"]);
 * assertEquals([...values], [["limit", "-1"]]);
 * assertEquals(operands, ["BR"]);
 * ```
 */
export function parseArguments(args: readonly string[], syntax: Syntax): Arguments {
  const options = Object.entries(syntax);
  const switches = options.filter(([, { takesValue }]) => !takesValue).map(([name]) => name);
  const others = options.filter(([, { takesValue }]) => takesValue).map(([name]) => name);
  const alias = options.flatMap(([name, { letter }]) => letter ? [[name, letter]] : []);
  checkSwitches(args, switches, syntax);

  const operands: string[] = [];
  const { _: afterDashes, ...given } = parseArgs(args.map(protect), {
    boolean: switches,
    string: others,
    alias: Object.fromEntries(alias),
    unknown(arg, key) {
      if (key !== undefined) throw new Error(`unknown option: ${arg}`);
      operands.push(arg);
      return false;
    },
  });
  const withValue = others.filter((name) => given[name] !== undefined);
  return {
    switches: new Set(switches.filter((name) => given[name])),
    values: new Map(withValue.map((name) => [name, unprotect(`${given[name]}`)])),
    operands: [...operands, ...afterDashes.map(String)].map(unprotect),
  };
}

// `parseArgs` mistakes a negative number for an option, `true` and `false` for the value of a
// switch, and an empty string for a missing value. After a NUL, which no argument can contain, they
// are text like any other.

function protect(arg: string): string {
  return /^(-\d.*|true|false|)$/s.test(arg) ? `\0${arg}` : arg;
}

function unprotect(arg: string): string {
  return arg.replace(/^\0/, "");
}

/** Throws if a switch has a value or is joined to another kind of option: `--all=no`, `-al2`. */
function checkSwitches(args: readonly string[], names: readonly string[], syntax: Syntax): void {
  const letters = names.flatMap((name) => syntax[name]?.letter ?? []).sort();
  const set = letters.join("");
  const joined = RegExp(`^-[${set}]+[^${set}]|^--(${names.join("|")})=`);
  const list = letters.map((letter) => `-${letter}`).join(", ").replace(/, (\S+)$/, " or $1");
  for (const arg of args) {
    if (arg === "--") return;
    if (joined.test(arg)) throw new Error(`expected no value after ${list}, got ${arg}`);
  }
}
