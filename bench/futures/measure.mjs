/**
 * Measures one pool of `pools.mjs`, under Deno or Node, and prints its figures as JSON. The first
 * four are for short tasks. `measure.py` does the same for CPython's pools.
 *
 * `measure.mjs NAME probe` runs only one task, to find out whether the pool works at all.
 */
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import process from "node:process";
import * as pools from "./pools.mjs";
import { fill, noop, spin } from "./tasks.mjs";

const SIZE = 16 * 1024 * 1024;
/** Some pools take seconds to copy a large value under Deno. */
const LONGEST_MS = 3000;
const SAMPLE = 1_000_000;

const [name, probe] = process.argv.slice(2);
const open = pools[name];

function runAll(pool, task, values) {
  return Promise.all(values.map((value) => pool.run(task, value)));
}

async function runInTurn(pool, task, values) {
  const results = [];
  for (const value of values) results.push(await pool.run(task, value));
  return results;
}

/**
 * Returns the median of the milliseconds that `fn` takes, and checks its results. Calls `fn`
 * `count` times, or as often as it can within `LONGEST_MS`.
 */
async function medianOf(count, fn, expected) {
  const times = [];
  const end = performance.now() + LONGEST_MS;
  while (times.length < count && (times.length === 0 || performance.now() < end)) {
    const began = performance.now();
    const result = await fn();
    times.push(performance.now() - began);
    assert.deepEqual(result, expected);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];
}

async function measureAll() {
  const values = Array.from({ length: 20_000 }, (_, i) => i);
  const few = values.slice(0, 2000);
  const copied = new Uint8Array(SIZE).fill(7);
  const shared = new SharedArrayBuffer(SIZE);
  // How many rounds take 5 ms while the other cores are idle?
  const sampleMs = await medianOf(40, () => spin(SAMPLE), spin(SAMPLE));
  const rounds = Math.round(5 * SAMPLE / sampleMs);
  const compute = Array(200).fill(rounds);
  const computed = Array(200).fill(spin(rounds));

  const pool = await open(2);
  const allCores = await open(availableParallelism());
  const figures = {
    "20,000 tasks, ms": await medianOf(5, () => runAll(pool, noop, values), values),
    "chunks of 100, ms": pool.map && await medianOf(21, () => pool.map(noop, values), values),
    "one at a time, µs": await medianOf(5, () => runInTurn(pool, noop, few), few) / 2,
    "first result, ms": await medianOf(9, async () => (await open(1)).run(noop, 7), 7),
    "200 × 5 ms, ms": await medianOf(3, () => runAll(allCores, spin, compute), computed),
    "16 MiB copied, ms": await medianOf(21, () => pool.run(noop, copied), copied),
    "16 MiB shared, ms": await medianOf(21, () => pool.run(fill, shared), SIZE),
  };
  assert.deepEqual(new Uint8Array(shared), copied);
  return figures;
}

if (probe) await (await open(1)).run(noop, 7);
else console.log(JSON.stringify(await measureAll()));
process.exit();
