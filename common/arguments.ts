/**
 * Splits the arguments of a program into options and other arguments.
 *
 * @module
 */

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
  const given: Arguments = { switches: new Set(), values: new Map(), operands: [] };
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") {
      given.operands.push(...rest);
      break;
    }
    if (!isOption(arg)) {
      given.operands.push(arg);
      continue;
    }
    const option = optionWithValue(arg, syntax);
    if (option === undefined) {
      for (const name of switchNames(arg, syntax)) given.switches.add(name);
      continue;
    }
    const value = option.value ?? (isOption(rest[0]) ? "" : rest.shift());
    given.values.set(option.name, value ?? "");
  }
  return given;
}

/** Returns whether an argument is an option, that is, begins with `-` and is not a number. */
function isOption(arg: string | undefined): boolean {
  return arg !== undefined && /^-[^\d]/.test(arg);
}

const LONG = /^--(?<name>[^=]+)(?:=(?<value>.*))?$/s;
const SHORT = /^-(?<letter>[^-])(?:=?(?<value>.+))?$/s;

/** Parses `--name`, `--name=value`, `-n`, `-nvalue` or `-n=value` if the option takes a value. */
function optionWithValue(
  arg: string,
  syntax: Syntax,
): { name: string; value: string | undefined } | undefined {
  const { name, letter, value } = (LONG.exec(arg) ?? SHORT.exec(arg))?.groups ?? {};
  const longName = name ?? nameOfLetter(letter, syntax);
  if (longName === undefined || !find(longName, syntax)?.takesValue) return undefined;
  return { name: longName, value };
}

/** Returns the long names of `--name` or of letters such as `-av`. */
function switchNames(arg: string, syntax: Syntax): string[] {
  if (arg.startsWith("--")) {
    const [name = ""] = arg.slice(2).split("=", 1);
    if (find(name, syntax) === undefined) throw new Error(`unknown option: ${arg}`);
    if (arg.includes("=")) throw unexpectedValue(arg, syntax);
    return [name];
  }
  const names = [...arg.slice(1)].map((letter) => nameOfLetter(letter, syntax));
  const [first] = names;
  if (first === undefined) throw new Error(`unknown option: ${arg}`);
  return names.map((name) => {
    if (name === undefined || find(name, syntax)?.takesValue) {
      throw unexpectedValue(arg, syntax);
    }
    return name;
  });
}

function find(name: string, syntax: Syntax): OptionSyntax | undefined {
  return Object.hasOwn(syntax, name) ? syntax[name] : undefined;
}

function nameOfLetter(letter: string | undefined, syntax: Syntax): string | undefined {
  return Object.keys(syntax).find((name) =>
    letter !== undefined && syntax[name]?.letter === letter
  );
}

/** Returns an error such as `expected no value after -a, -e or -h, got -ax`. */
function unexpectedValue(arg: string, syntax: Syntax): Error {
  const switches = Object.values(syntax).filter(({ takesValue }) => !takesValue);
  const letters = switches.map(({ letter }) => `-${letter}`).sort();
  const list = new Intl.ListFormat("en", { type: "disjunction" }).format(letters);
  return new Error(`expected no value after ${list.replace(", or ", " or ")}, got ${arg}`);
}
