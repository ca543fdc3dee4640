/**
 * Reads README.md and the pages in docs/: their programs, and their commands with the output shown.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { deno, type Ended, output, ROOT, TempDir } from "./testing.ts";

/** A command, and what the page shows and says about it. */
export interface Command {
  /** The command without its prompt and its comment. */
  line: string;
  exitCode: number;
  /** Whether the lines of the output may be in any order. */
  inAnyOrder: boolean;
  /** The lines that are typed after the prompt `>` of the program. */
  input: string[];
  /** The output that the page shows, line by line. */
  shown: string[];
}

interface Block {
  language: string;
  text: string;
}

const FENCED = /^```(.*)\n([^]*?)^```$/gm;
const PROGRAM_NAME = /^\/\/ (\w+\.ts)\n/;
const INLINE_COMMAND = /`(deno (?:run|task|test|doc) [^`]+)`(?: \(exit code (\d)\))?/g;

export class Page {
  /** The text with lines that end with LF, even in a checkout with CRLF. */
  readonly text: string;
  readonly #blocks: Block[];

  constructor(text: string) {
    this.text = text.replaceAll("\r\n", "\n");
    const fences = this.text.matchAll(FENCED);
    this.#blocks = Array.from(fences, ([, language = "", text = ""]) => ({ language, text }));
  }

  static read(name: string): Page {
    return new Page(Deno.readTextFileSync(join(ROOT, name)));
  }

  /** Returns the code blocks in a language. */
  blocks(language: string): string[] {
    return this.#blocks.filter((block) => block.language === language).map(({ text }) => text);
  }

  /**
   * Returns the programs whose first line is a comment with the name of their file, by that name.
   */
  programs(): Map<string, string> {
    const programs = new Map<string, string>();
    for (const { language, text } of this.#blocks) {
      const [, name] = PROGRAM_NAME.exec(text) ?? [];
      if (!language.startsWith("ts") || name === undefined) continue;
      assert(!programs.has(name), `expected one program called ${name}, got two`);
      programs.set(name, text);
    }
    return programs;
  }

  /** Returns the commands of the page, first those in blocks and then those in sentences. */
  commands(): Command[] {
    const inBlocks = this.blocks("console").flatMap(commandsOfBlock);
    const prose = this.text.replaceAll(FENCED, "").replace(/\s+/g, " ");
    const inSentences = Array.from(
      prose.matchAll(INLINE_COMMAND),
      ([, line = "", exitCode = "0"]) => command(line, Number(exitCode)),
    );
    const commands = [...inBlocks, ...inSentences];
    assert(commands.length > 0, "expected commands in the page, got none");
    return commands;
  }
}

function command(line: string, exitCode: number, inAnyOrder = false): Command {
  return { line, exitCode, inAnyOrder, input: [], shown: [] };
}

function commandsOfBlock(block: string): Command[] {
  const commands: Command[] = [];
  for (const line of block.trimEnd().split("\n")) {
    if (line.startsWith("$ ")) {
      const [typed = "", comment = ""] = line.slice(2).split("   # ");
      const exitCode = Number(/^exit code (\d+)/.exec(comment)?.[1] ?? 0);
      commands.push(command(typed, exitCode, comment.startsWith("in any order")));
      continue;
    }
    const last = commands.at(-1);
    assert(last, `expected a block that begins with a command, got ${line}`);
    if (line.startsWith("> ")) last.input.push(line.slice(2));
    else last.shown.push(line);
  }
  return commands;
}

/** Writes the programs of a page into `dir`. */
export function writePrograms(page: Page, dir: TempDir): void {
  for (const [name, text] of page.programs()) Deno.writeTextFileSync(join(dir.path, name), text);
}

/** Copies the folder `futures/` into `dir`, as people do who use the pool in their own projects. */
export function copyPool(dir: TempDir): void {
  Deno.mkdirSync(join(dir.path, "futures"));
  for (const { name } of Deno.readDirSync(join(ROOT, "futures"))) {
    Deno.copyFileSync(join(ROOT, "futures", name), join(dir.path, "futures", name));
  }
}

/** Returns the arguments of `deno` in a command. */
export function argsOf({ line }: Command): string[] {
  const [program, ...args] = line.split(" ");
  assertEquals(program, "deno");
  return args;
}

/** Runs a command in `dir`, and asserts its exit code. */
export async function runIn(dir: TempDir, command: Command): Promise<Ended> {
  const { line, exitCode, input } = command;
  const options = { cwd: dir.path };
  const ended = input.length === 0
    ? await output(deno(argsOf(command), options))
    : await runWithInput(command, dir);
  assertEquals(ended.code, exitCode, `${line}\n${ended.stdout}${ended.stderr}`);
  assert(!ended.stderr.includes("error: "), ended.stderr);
  return ended;
}

async function runWithInput(command: Command, dir: TempDir): Promise<Ended> {
  const text = command.input.map((line) => `${line}\n`).join("");
  Deno.writeTextFileSync(join(dir.path, "input.txt"), text);
  return await output(deno(argsOf(command), { cwd: dir.path, shell: '"$@" <input.txt' }));
}

/**
 * Asserts that a program printed what the page shows, apart from times. If the page shows `…`
 * first, asserts only that the output ends with the lines after it. If the command has input,
 * asserts only that the output has the lines.
 */
export function assertShown(command: Command, { stdout }: Ended): void {
  const { line, input, inAnyOrder, shown } = command;
  const printed = stdout.trimEnd().split("\n").map(withoutTimes);
  const expected = shown.map(withoutTimes);
  if (input.length > 0) {
    for (const line of expected) assert(printed.includes(line), stdout);
    return;
  }
  if (expected[0] === "…") {
    expected.shift();
    printed.splice(0, printed.length - expected.length);
  }
  if (inAnyOrder) {
    printed.sort();
    expected.sort();
  }
  assertEquals(printed.join("\n"), expected.join("\n"), line);
}

/** Returns a line with 0 for what depends on the time, such as `(84ms)` and `123 steps`. */
function withoutTimes(line: string): string {
  return line.replace(/\(\d+m?s\)/, "(0ms)").replace(/\d+ steps/, "0 steps");
}

/**
 * Asserts that a run printed lines like those that the page shows. Numbers, the order of the words
 * and the order of the lines may differ. A shown line `…` stands for any lines.
 */
export function assertShownAlike({ line, shown }: Command, { stdout, stderr }: Ended): void {
  // `deno task` prints a line that begins with "Task".
  const lines = `${stderr}\n${stdout}`.split("\n").filter((line) => !line.startsWith("Task "));
  const printed = gists(lines);
  const expected = gists(shown.filter((line) => line !== "…"));
  if (shown.includes("…")) {
    for (const gist of expected) assert(printed.includes(gist), `${line}: no ${gist} in ${stdout}`);
  } else {
    assertEquals(printed, expected, line);
  }
}

/**
 * Returns the lines in alphabetical order, without empty lines. The words of each line are in
 * alphabetical order, with 0 for each number.
 */
function gists(lines: string[]): string[] {
  const gists = lines.filter((line) => line.trim() !== "").map((line) => {
    const words = line.trim().split(/\s+/).map((word) => word.replace(/\d+(\.\d+)?/g, "0"));
    return words.sort().join(" ");
  });
  return gists.sort();
}
