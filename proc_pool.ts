/**
 * What the cores are for: `executor.map` checks numbers in a pool of workers.
 *
 * ```console
 * $ deno task primes 4
 * Checking 20 numbers with 4 workers:
 * 9999999999999999      0.000073s
 * 9999999999999917   P  0.172083s
 * 7777777777777777      0.000080s
 * 7777777777777753   P  0.162870s
 * 7777777536340681      0.189271s
 * 6666667141414921      0.180494s
 * 6666666666666719   P  0.194489s
 * 6666666666666666      0.000010s
 * 5555555555555555      0.000004s
 * 5555555555555503   P  0.071416s
 * 5555553133149889      0.113716s
 * 4444444488888889      0.168875s
 * 4444444444444444      0.000005s
 * 4444444444444423   P  0.030103s
 * 3333335652092209      0.051793s
 * 3333333333333333      0.000007s
 * 3333333333333301   P  0.050647s
 *  299593572317531   P  0.005776s
 *  142702110479723   P  0.004038s
 *                2   P  0.000005s
 * Total time: 0.47s
 * ```
 *
 * @module
 */
import { WorkerPoolExecutor } from "./futures.ts";
import { isPrime, NUMBERS } from "./primes.ts";
import { showTimeline, type Task, timelineOption, withLanes } from "./timeline.ts";

const USAGE = "usage: proc_pool.ts [WORKERS] [NUMBER…] [--timeline [SVG]]";

/** What a worker finds out about a number. */
export interface PrimeResult {
  n: bigint;
  prime: boolean;
  /** Seconds that it took. */
  elapsed: number;
  /** Ms since the epoch when the worker began, and when it was done with the number. */
  thread: number;
  end: number;
}

/** What a worker does with a number: is it a prime, and how many seconds did that take? */
export function check(n: bigint): PrimeResult {
  const t0 = performance.now();
  const prime = isPrime(n);
  const t1 = performance.now();
  const thread = performance.timeOrigin;
  return { n, prime, elapsed: (t1 - t0) / 1000, thread, end: thread + t1 };
}

async function main(args: string[]): Promise<void> {
  const { timeline, rest } = timelineOption(args);
  const [workers = `${navigator.hardwareConcurrency}`, ...given] = rest;
  if (!/^\d+$/.test(workers) || Number(workers) < 1) {
    fail(`WORKERS: expected a whole number from 1 up, got ${workers || "nothing"}`);
  }
  const bad = given.find((arg) => !/^-?\d+(_\d+)*$/.test(arg));
  if (bad !== undefined) fail(`NUMBER: expected a whole number, got ${bad || "nothing"}`);

  const own = given.map((arg) => BigInt(arg.replaceAll("_", "")));
  const numbers = (own.length > 0 ? own : [...NUMBERS]).sort((a, b) => Number(b - a));
  const maxWorkers = Math.min(Number(workers), numbers.length);
  console.log(`Checking ${count(numbers.length, "number")} with ${count(maxWorkers, "worker")}:`);

  const tasks: Task[] = [];
  const t0 = performance.now();
  await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers });
  // The results come in the order of the numbers, whichever worker is done first.
  for await (const { n, prime, elapsed, thread, end } of executor.map(check, numbers)) {
    const seconds = elapsed.toFixed(6).padStart(9);
    console.log(`${`${n}`.padStart(16)}   ${prime ? "P" : " "} ${seconds}s`);
    const done = end - performance.timeOrigin - t0;
    tasks.push({ label: `${n}`, start: done - elapsed * 1000, end: done, ok: true, thread });
  }
  console.log(`Total time: ${((performance.now() - t0) / 1000).toFixed(2)}s`);
  if (!timeline) return;
  const title = `proc_pool.ts, ${count(maxWorkers, "worker")}`;
  try {
    const drawing = showTimeline([{ title, spans: withLanes(tasks) }], timeline);
    if (drawing) console.log(drawing);
  } catch (error) {
    fail(`cannot write ${timeline}: ${error instanceof Error ? error.message : error}`, 1);
  }
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

function fail(message: string, code = 2): never {
  console.error(code === 2 ? `${message}\n${USAGE}` : message);
  Deno.exit(code);
}

if (import.meta.main) {
  Deno.addSignalListener("SIGINT", () => Deno.exit(130));
  if (Deno.args.some((arg) => ["-h", "--help"].includes(arg))) console.log(USAGE);
  else await main(Deno.args);
}
