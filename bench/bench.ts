/**
 * Runs the benchmarks and prints the tables of `docs/benchmarks.md`.
 *
 * ```console
 * $ deno task bench futures
 * ```
 *
 * @module
 */
import { benchmarkFlags } from "./flags_bench.ts";
import { benchmarkFutures } from "./futures_bench.ts";
import { benchmarkPrimes } from "./primes_bench.ts";
import { describeMachine } from "./process.ts";

const BENCHMARKS = new Map([
  ["futures", benchmarkFutures],
  ["primes", benchmarkPrimes],
  ["flags", benchmarkFlags],
]);

function chosen(args: string[]): Iterable<() => Promise<void>> {
  const [name = "", ...rest] = args;
  const benchmark = BENCHMARKS.get(name);
  if (benchmark !== undefined && rest.length === 0) return [benchmark];
  if (name === "all" && rest.length === 0) return BENCHMARKS.values();
  const names = [...BENCHMARKS.keys(), "all"].join(", ");
  console.error(`expected one of ${names}, got ${args.join(" ") || "nothing"}`);
  Deno.exit(2);
}

if (import.meta.main) {
  const benchmarks = chosen(Deno.args);
  console.log(`## Machine\n\n${await describeMachine()}`);
  for (const benchmark of benchmarks) await benchmark();
}
