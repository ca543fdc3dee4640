/**
 * Runs the benchmarks and prints the tables of `docs/benchmarks.md`.
 *
 * @module
 */
import { cpus } from "node:os";
import { benchmarkFlags } from "./flags_bench.ts";
import { benchmarkFutures } from "./futures_bench.ts";
import { benchmarkPrimes } from "./primes_bench.ts";
import { run } from "./shared.ts";

const BENCHMARKS = new Map([
  ["futures", [benchmarkFutures]],
  ["primes", [benchmarkPrimes]],
  ["flags", [benchmarkFlags]],
  ["all", [benchmarkFutures, benchmarkPrimes, benchmarkFlags]],
]);

async function printMachine(): Promise<void> {
  const versions = [];
  for (const program of ["deno", "node", "python3", "cc", "curl"]) {
    const { stdout } = await run(["/usr/bin/env", program, "--version"])
      .catch(() => ({ stdout: "not installed" }));
    // Other words on the line name the libraries and the platform.
    const version = /\d+\.\d+\.\d+|not installed/.exec(stdout)?.[0];
    versions.push(`${program} ${version}`);
  }
  const [cpu] = cpus();
  console.log(`## Machine\n`);
  console.log(`- ${cpu?.model}, ${navigator.hardwareConcurrency} cores, ${Deno.build.os}`);
  console.log(`- ${versions.join(", ")}`);
  console.log(`- load average at the start: ${Deno.loadavg()[0]?.toFixed(2)}`);
}

if (import.meta.main) {
  const benchmarks = BENCHMARKS.get(Deno.args.join(" "));
  if (benchmarks === undefined) {
    console.error(`expected one of ${[...BENCHMARKS.keys()].join(", ")}`);
    Deno.exit(2);
  }
  await printMachine();
  for (const benchmark of benchmarks) await benchmark();
}
