/**
 * Checks numbers for primality in a pool of workers, with `executor.map`.
 *
 * ```console
 * $ deno task primes 2
 * Checking 20 numbers with 2 workers:
 * 9999999999999999      0.000105s
 * 9999999999999917   P  0.044939s
 * 7777777777777777      0.000046s
 * …
 *                2   P  0.000003s
 * Total time: 0.23s
 * ```
 *
 * @module
 */
import type { Times } from "./common/flag.ts";
import { WorkerPoolExecutor } from "./futures/mod.ts";
import { isPrime, NUMBERS } from "./primes.ts";

/** The result and the times of one check. */
export interface PrimeResult extends Times {
  n: bigint;
  prime: boolean;
}

/** Tests one number in a worker, and measures how long the test takes. */
export function check(n: bigint): PrimeResult {
  const start = performance.now();
  const prime = isPrime(n);
  const end = performance.now();
  return { n, prime, start, end, timeOrigin: performance.timeOrigin };
}

async function main(): Promise<void> {
  // Workers load this module for `check`. They need neither the command line nor the timeline.
  const { preparePrimes } = await import("./common/options.ts");
  const { print } = await import("./common/terminal.ts");
  const { chartOf, showTimeline } = await import("./common/timeline.ts");

  const { maxWorkers, numbers, timeline, what } = await preparePrimes(NUMBERS);
  print(`Checking ${what}:\n`);
  const results: PrimeResult[] = [];
  const t0 = performance.now();
  await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers });
  // The results come in the order of the numbers, regardless of which worker finishes first.
  for await (const result of executor.map(check, numbers)) {
    const { n, prime, start, end } = result;
    const seconds = ((end - start) / 1000).toFixed(6);
    print(`${`${n}`.padStart(16)}   ${prime ? "P" : " "} ${seconds.padStart(9)}s\n`);
    results.push(result);
  }
  print(`Total time: ${((performance.now() - t0) / 1000).toFixed(2)}s\n`);

  const tasks = results.map((result) => ({ ...result, label: `${result.n}`, ok: true }));
  showTimeline([chartOf(`proc_pool.ts: ${what}`, t0, tasks)], timeline);
}

if (import.meta.main) await main();
