/**
 * Compares `isPrime` with C and CPython, and `proc_pool.ts` with CPython's `ProcessPoolExecutor`.
 * `docs/benchmarks.md` describes the method.
 *
 * ```console
 * $ deno task bench primes
 * ```
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import { plural } from "../common/terminal.ts";
import { isPrime, NUMBERS } from "../primes.ts";
import { type Command, isInstalled, timed } from "./process.ts";
import { median, medianAndSpread, ratio, table } from "./report.ts";
import { type Contestant, takeTurns } from "./turns.ts";

const ROUNDS = 9;
/** CPython needs more than ten seconds for each run. */
const CPYTHON_ROUNDS = 3;
const OURS = "`isPrime`, Deno";
/** The largest acceptable time of two workers, relative to one worker. */
const MOST_OF_ONE_WORKER = 0.65;
/** Of every 30 candidates in a row, `isPrime` divides by 8. */
const DIVISORS_SHARE = 8 / 30;

const ARGS = NUMBERS.toReversed().map(String);
const PRIMES = NUMBERS.filter(isPrime).length;

/** The largest prime below each power of ten from 10^12 to 10^16. */
const LARGEST_PRIMES = [
  10n ** 12n - 11n,
  10n ** 13n - 29n,
  10n ** 14n - 27n,
  10n ** 15n - 11n,
  10n ** 16n - 63n,
];

/** Runs the benchmark, which takes about three minutes, and prints its tables. */
export async function benchmarkPrimes(): Promise<void> {
  console.log("\n## Prime numbers");
  const hasPython = await isInstalled("python3");
  if (!hasPython) console.log("- left out: CPython (python3 is not installed)");
  const hasCompiler = await isInstalled("cc");
  if (!hasCompiler) console.log("- left out: C (cc is not installed)");

  const dir = await Deno.makeTempDir({ prefix: "primes_bench" });
  try {
    const contestants = [denoContestant()];
    if (hasCompiler) contestants.push(...await compiledContestants(dir));
    if (hasPython) contestants.push(pythonContestant());
    const measured = await takeTurns(contestants);
    console.log(`\n### One core\n\n${formatOneCore(measured)}`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }

  const counts = workerCounts(navigator.hardwareConcurrency);
  const manyCores = await takeTurns(workerContestants(counts, hasPython));
  console.log(`\n### Every core\n\n${formatWorkers(counts, manyCores)}`);
  console.log(`\n### Larger numbers\n\n${benchmarkSizes()}`);
  printGoal(manyCores);
}

/** Runs a program that prints the seconds by its own clock and the number of primes. */
async function clocked(command: Command): Promise<number> {
  const { stdout } = await timed(command);
  const [seconds = NaN, primes] = stdout.trim().split(" ").map(Number);
  if (primes !== PRIMES) {
    throw new Error(`${command.program}: expected ${PRIMES} primes, got ${stdout}`);
  }
  return seconds;
}

function denoContestant(): Contestant<number> {
  const command = { program: Deno.execPath(), args: ["run", pathOf("./primes.ts"), ...ARGS] };
  return { name: OURS, rounds: ROUNDS, run: () => clocked(command) };
}

function pythonContestant(): Contestant<number> {
  const command = { program: "python3", args: [pathOf("./primes.py"), "0", ...ARGS] };
  const name = "the book's loop in CPython";
  return { name, rounds: CPYTHON_ROUNDS, run: () => clocked(command) };
}

/** Compiles `primes.c` into `dir`. */
async function compiledContestants(dir: string): Promise<Contestant<number>[]> {
  const program = join(dir, "primes");
  await timed({ program: "cc", args: ["-O3", "-o", program, pathOf("./primes.c"), "-lm"] });
  return [
    {
      name: "the same loop in C",
      rounds: ROUNDS,
      run: () => clocked({ program, args: ["wheel", ...ARGS] }),
    },
    {
      name: "the book's loop in C",
      rounds: ROUNDS,
      run: () => clocked({ program, args: ["book", ...ARGS] }),
    },
  ];
}

function formatOneCore(measured: Map<string, number[]>): string {
  const ours = measured.get(OURS) ?? [];
  const rows = Array.from(measured, ([name, seconds]) => {
    return [name, milliseconds(seconds), ratio(seconds, ours)];
  });
  return table(["20 numbers on one core", "ms", "relative to `isPrime`"], rows);
}

/** Returns the powers of two below `cores`, and `cores`. */
function workerCounts(cores: number): number[] {
  const counts = [];
  for (let count = 1; count < cores; count *= 2) counts.push(count);
  return [...counts, cores];
}

/** Returns contestants that are whole processes, one for each number of workers and pool. */
function workerContestants(counts: number[], hasPython: boolean): Contestant<number>[] {
  const contestants = counts.map((count) => {
    const args = ["run", "--allow-read", pathOf("../proc_pool.ts"), `${count}`];
    return wholeProcess(ourPool(count), ROUNDS, { program: Deno.execPath(), args });
  });
  if (!hasPython) return contestants;
  const pythonContestants = counts.map((count) => {
    const args = [pathOf("./primes.py"), `${count}`, ...ARGS];
    return wholeProcess(pythonPool(count), CPYTHON_ROUNDS, { program: "python3", args });
  });
  return [...contestants, ...pythonContestants];
}

function ourPool(workers: number): string {
  return `proc_pool.ts, ${plural(workers, "worker")}`;
}

function pythonPool(workers: number): string {
  return `CPython, ${plural(workers, "worker")}`;
}

function wholeProcess(name: string, rounds: number, command: Command): Contestant<number> {
  return { name, rounds, run: async () => (await timed(command)).seconds };
}

function formatWorkers(counts: number[], measured: Map<string, number[]>): string {
  const rows = [];
  for (const pool of [ourPool, pythonPool]) {
    const oneWorker = measured.get(pool(1));
    for (const count of counts) {
      const seconds = measured.get(pool(count));
      if (seconds === undefined || oneWorker === undefined) continue;
      const speedUp = median(oneWorker) / median(seconds);
      rows.push([
        pool(count),
        milliseconds(seconds),
        speedUp.toFixed(2),
        (speedUp / count).toFixed(2),
        ratio(seconds, measured.get(ourPool(count)) ?? []),
      ]);
    }
  }
  const header = [
    "whole process",
    "ms",
    "speed-up",
    "share of ideal",
    "relative to proc_pool.ts",
  ];
  return table(header, rows);
}

/** Times `isPrime` for larger and larger primes, in this process. */
function benchmarkSizes(): string {
  // The first calls would also measure the compiler.
  for (const prime of LARGEST_PRIMES) timeIsPrime(prime);
  let previous: number[] | undefined;
  const rows = [];
  for (const prime of LARGEST_PRIMES) {
    const seconds = Array.from({ length: ROUNDS }, () => timeIsPrime(prime));
    const growth = previous === undefined ? "–" : ratio(seconds, previous);
    const divisions = Math.sqrt(Number(prime)) * DIVISORS_SHARE;
    const nanoseconds = median(seconds) * 1e9 / divisions;
    rows.push([`${prime}`, milliseconds(seconds, 2), growth, nanoseconds.toFixed(2)]);
    previous = seconds;
  }
  return table(["prime", "ms", "relative to the row above", "ns for each division"], rows);
}

function timeIsPrime(prime: bigint): number {
  const began = performance.now();
  const result = isPrime(prime);
  const seconds = (performance.now() - began) / 1000;
  if (!result) throw new Error(`isPrime(${prime}): expected true, got false`);
  return seconds;
}

function printGoal(measured: Map<string, number[]>): void {
  const one = measured.get(ourPool(1));
  const two = measured.get(ourPool(2));
  if (one === undefined || two === undefined) return;
  const times = ratio(two, one);
  console.log(
    `\nGoal: 2 workers take at most ${MOST_OF_ONE_WORKER} times as long as 1; measured: ${times}`,
  );
}

function milliseconds(seconds: number[], digits = 0): string {
  return medianAndSpread(seconds.map((value) => value * 1000), digits);
}

function pathOf(specifier: string): string {
  return fromFileUrl(import.meta.resolve(specifier));
}
