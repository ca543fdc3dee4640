/**
 * Compares `primes.ts` with C and CPython, and `proc_pool.ts` with CPython's `ProcessPoolExecutor`.
 *
 * @module
 */
import { join } from "@std/path";
import { plural } from "../common/terminal.ts";
import { isPrime, NUMBERS } from "../primes.ts";
import { figure, findPython, findWorking, median, pathOf, printTable } from "./shared.ts";
import { type Program, ratio, ROUNDS, run, takeTurns } from "./shared.ts";

const ARGS = NUMBERS.toReversed().map(String);
const PRIMES = NUMBERS.filter(isPrime).length;
/** The largest prime below each power of ten from 10^12 to 10^16. */
const LARGEST_PRIMES = [
  999_999_999_989n,
  9_999_999_999_971n,
  99_999_999_999_973n,
  999_999_999_999_989n,
  9_999_999_999_999_937n,
];
/** Of every 30 candidates in a row, `isPrime` divides by 8. */
const DIVISORS_SHARE = 8 / 30;

/** Runs the benchmark, which takes about two minutes, and prints its tables. */
export async function benchmarkPrimes(): Promise<void> {
  console.log("\n## Prime numbers\n\n### The chapter's 20 numbers\n");
  const dir = await Deno.makeTempDir({ prefix: "primes_bench" });
  try {
    const checkers = await findWorking(await listCheckers(join(dir, "primes")));
    printCheckers(await takeTurns(checkers, check));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
  console.log("\n### Larger numbers");
  printSizes();
}

/** The probes of the C programs compile them to the path `binary`. */
async function listCheckers(binary: string): Promise<Program[]> {
  const compile = ["cc", "-O3", "-o", binary, pathOf("./primes.c"), "-lm"];
  const deno = [Deno.execPath(), "run", "--allow-read"];
  const python = [await findPython(), pathOf("./primes.py")];
  const counts = [...new Set([1, navigator.hardwareConcurrency])];
  return [
    checker("primes.ts", [...deno, pathOf("../primes.ts")]),
    { name: "the same loop in C", command: [binary, "wheel"], probe: compile },
    { name: "the book's loop in C", command: [binary, "book"], probe: compile },
    ...counts.map((count) => {
      const command = [...deno, pathOf("../proc_pool.ts"), `${count}`];
      return checker(`proc_pool.ts, ${plural(count, "worker")}`, command);
    }),
    ...counts.map((count) => {
      return checker(`CPython, ${plural(count, "worker")}`, [...python, `${count}`]);
    }),
  ];
}

function checker(name: string, command: string[]): Program {
  return { name, command, probe: [...command, "7"] };
}

/** Returns the milliseconds of the whole process. */
async function check({ name, command }: Program): Promise<number> {
  const { ms, stdout } = await run([...command, ...ARGS]);
  // The programs for users print a line for each number. The others print the number of primes.
  const primes = stdout.match(/ P | true$/gm)?.length ?? Number(stdout);
  if (primes !== PRIMES) throw new Error(`${name}: expected ${PRIMES} primes, got ${stdout}`);
  return ms;
}

function printCheckers(measured: Map<string, number[]>): void {
  const [ours = []] = measured.values();
  const rows = Array.from(measured, ([name, times]) => {
    const oneWorker = measured.get(name.replace(/\d+ workers?$/, "1 worker")) ?? [];
    const speedUp = name.includes("worker") ? ratio(oneWorker, times) : "–";
    return [name, figure(times), ratio(times, ours), speedUp];
  });
  printTable(["whole process", "ms", "relative to primes.ts", "speed-up"], rows);
}

/** Times `isPrime` for larger and larger primes, in this process. */
function printSizes(): void {
  // The first calls would also measure the compiler.
  LARGEST_PRIMES.forEach(timeIsPrime);
  let previous: number[] | undefined;
  const rows = LARGEST_PRIMES.map((prime) => {
    const times = Array.from({ length: ROUNDS }, () => timeIsPrime(prime));
    const growth = previous ? ratio(times, previous) : "–";
    previous = times;
    const divisions = Math.sqrt(Number(prime)) * DIVISORS_SHARE;
    const nanoseconds = median(times) * 1e6 / divisions;
    return [`${prime}`, figure(times), growth, nanoseconds.toFixed(2)];
  });
  printTable(["prime", "ms", "relative to the row above", "ns for each division"], rows);
}

function timeIsPrime(prime: bigint): number {
  const began = performance.now();
  const result = isPrime(prime);
  const ms = performance.now() - began;
  if (!result) throw new Error(`isPrime(${prime}): expected true, got false`);
  return ms;
}
