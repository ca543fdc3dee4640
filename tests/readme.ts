/** Reads README.md and the pages in docs/: their programs, and their commands with the output shown. */
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
  readonly #blocks: Block[];
  readonly #prose: string;

  constructor(text: string) {
    const unix = text.replaceAll("\r\n", "\n");
    this.#blocks = Array.from(
      unix.matchAll(FENCED),
      ([, language = "", text = ""]) => ({ language, text }),
    );
    this.#prose = unix.replaceAll(FENCED, "");
  }

  static read(name: string): Page {
    return new Page(Deno.readTextFileSync(join(ROOT, name)));
  }

  /** Returns the code blocks in a language. */
  blocks(language: string): string[] {
    return this.#blocks.filter((block) => block.language === language).map(({ text }) => text);
  }

  /** Returns the programs whose first line is a comment with the name of their file, by that name. */
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
    const inSentences = Array.from(
      this.#prose.matchAll(INLINE_COMMAND),
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

/** Copies the files and folders into a new directory, and writes the programs of a page there. */
export function workshop(page: Page, copied: readonly string[]): TempDir {
  const dir = new TempDir();
  for (const name of copied) copy(join(ROOT, name), join(dir.path, name));
  for (const [name, text] of page.programs()) Deno.writeTextFileSync(join(dir.path, name), text);
  return dir;
}

function copy(from: string, to: string): void {
  if (Deno.statSync(from).isFile) return Deno.copyFileSync(from, to);
  Deno.mkdirSync(to);
  for (const { name } of Deno.readDirSync(from)) copy(join(from, name), join(to, name));
}

/** Returns the names of everything that the programs of the README need. */
export function programFiles(): string[] {
  const files = Array.from(Deno.readDirSync(ROOT)).filter(({ isFile }) => isFile);
  return [...files.map(({ name }) => name), "common", "futures"];
}

/** Runs a command in a directory, and asserts its exit code. */
export async function runIn(dir: TempDir, { line, exitCode, input }: Command): Promise<Ended> {
  const [program, ...args] = line.split(" ");
  assertEquals(program, "deno");
  const inputFile = join(dir.path, "input.txt");
  Deno.writeTextFileSync(inputFile, input.map((line) => `${line}\n`).join(""));
  const shell = input.length > 0 ? '"$@" <input.txt' : undefined;
  const ended = await output(deno(args, shell ? { cwd: dir.path, shell } : { cwd: dir.path }));
  assertEquals(ended.code, exitCode, `${line}\n${ended.stdout}${ended.stderr}`);
  assert(!ended.stderr.includes("error: "), ended.stderr);
  return ended;
}

/** Asserts that a program printed what the page shows, apart from times. */
export function assertShown({ line, shown, inAnyOrder }: Command, stdout: string): void {
  const printed = stdout.trimEnd().split("\n").map(withoutTimes);
  const expected = shown.map(withoutTimes);
  if (inAnyOrder) assertEquals(printed.sort(), expected.sort(), line);
  else if (expected.includes("…")) assertEquals(printed.slice(-expected.length + 1), expected.slice(1));
  else assertEquals(printed, expected, line);
}

function withoutTimes(line: string): string {
  return line.replace(/\(\d+m?s\)/, "(0ms)");
}

/**
 * Asserts that a run printed lines like those that the page shows. Numbers, the order of the words
 * and the order of the lines may differ. A shown line `…` stands for any lines.
 */
export function assertShownAlike({ line, shown }: Command, { stdout, stderr }: Ended): void {
  const printed = `${stderr}\n${stdout}`.split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("Task ")).map(gist);
  const expected = shown.filter((line) => line.trim() !== "" && line !== "…").map(gist);
  for (const one of expected) assert(printed.includes(one), `${line}: expected ${one} in\n${stdout}`);
  if (!shown.includes("…")) assertEquals(printed.sort(), expected.sort(), line);
}

/** Returns the words of a line in alphabetical order, with 0 for each number. */
function gist(line: string): string {
  const words = line.trim().split(/\s+/).map((word) => word.replace(/\d+(\.\d+)?/g, "0"));
  return words.sort().join(" ");
}
