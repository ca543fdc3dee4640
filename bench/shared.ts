/**
 * The processes, the turns, the statistics and the tables of the benchmarks.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";

/** The number of times that each program is measured. */
export const ROUNDS = 5;
const PROBE_MS = 10_000;

/** A program of a comparison. */
export interface Program {
  name: string;
  command: string[];
  /** A command that succeeds within 10 seconds if the program works on this machine. */
  probe: string[];
}

/** A process that has ended. */
export interface Finished {
  /** The wall time of the whole process, in milliseconds. */
  ms: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a command, whose first word is the program.
 *
 * @throws {Error} if the program fails, with its stderr
 * @throws {Deno.errors.NotFound} if the program is not installed
 */
export async function run(
  [program = "", ...args]: string[],
  options: Pick<Deno.CommandOptions, "cwd" | "signal"> = {},
): Promise<Finished> {
  const began = performance.now();
  const output = await new Deno.Command(program, { args, stdin: "null", ...options }).output();
  const ms = performance.now() - began;
  const decoder = new TextDecoder();
  const stdout = decoder.decode(output.stdout);
  const stderr = decoder.decode(output.stderr);
  if (!output.success) {
    throw new Error(`${program} ended with ${output.signal ?? output.code}: ${stderr}`);
  }
  return { ms, stdout, stderr };
}

/** Returns the programs that work on this machine, and prints which ones do not. */
export async function findWorking<P extends Program>(programs: P[]): Promise<P[]> {
  const working: P[] = [];
  for (const program of programs) {
    try {
      await run(program.probe, { signal: AbortSignal.timeout(PROBE_MS) });
      working.push(program);
    } catch (error) {
      console.log(`- left out: ${program.name} (${firstLine(error)})`);
    }
  }
  return working;
}

/**
 * Measures the programs in turn, `ROUNDS` times, and returns the results of each program. Every second round runs
 * in reverse, so that a program does not always run after the same program.
 */
export async function takeTurns<P extends Program, R>(
  programs: P[],
  measure: (program: P) => Promise<R>,
): Promise<Map<string, R[]>> {
  const results = new Map(programs.map(({ name }): [string, R[]] => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? programs : programs.toReversed();
    for (const program of order) results.get(program.name)?.push(await measure(program));
  }
  return results;
}

/**
 * Returns the path of Python, or `python3` if it is not installed. The `python3` of a version
 * manager is a script, which would add its own time.
 */
export async function findPython(): Promise<string> {
  const command = ["python3", "-c", "import sys; print(sys.executable)"];
  const { stdout } = await run(command).catch(() => ({ stdout: "python3" }));
  return stdout.trim();
}

/** Returns the path of a file, from its path relative to `bench/`. */
export function pathOf(specifier: string): string {
  return fromFileUrl(import.meta.resolve(specifier));
}

/** Returns the first line of the message of an error. */
export function firstLine(error: unknown): string | undefined {
  return error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
}

/** Returns the value in the middle, or the larger of the two values in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/**
 * Returns the median with three significant digits, and half the difference between the largest
 * and the smallest value as a percentage of the median. Adds the ratio to `reference`, if given.
 */
export function figure(values: readonly number[], reference?: readonly number[]): string {
  if (values.length === 0) return "–";
  const middle = median(values);
  const digits = { minimumSignificantDigits: 3, maximumSignificantDigits: 3, useGrouping: false };
  const half = (Math.max(...values) - Math.min(...values)) / 2;
  const text = `${middle.toLocaleString("en", digits)} ±${(half / middle * 100).toFixed()}%`;
  return reference ? `${text} (${ratio(values, reference)})` : text;
}

/** Returns the median of `values` divided by the median of `reference`. */
export function ratio(values: readonly number[], reference: readonly number[]): string {
  return (median(values) / median(reference)).toFixed(2);
}

/** Prints a Markdown table. */
export function printTable(header: string[], rows: string[][]): void {
  const alignments = header.map((_title, column) => column === 0 ? ":--" : "--:");
  const lines = [header, alignments, ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  console.log(`\n${lines.join("\n")}`);
}
