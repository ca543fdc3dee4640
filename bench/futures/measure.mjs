/**
 * Measures one contestant of `futures_bench.ts`, under Deno or Node, and prints its figures as JSON.
 * `measure.py` does the same for CPython's pools.
 *
 * `measure.mjs NAME probe` runs only one task, to find out whether the pool works at all.
 */
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import process from "node:process";
import { contestants } from "./contestants.mjs";
import { fill, noop, spin } from "./tasks.mjs";

const MIB = 1024 * 1024;
const LONGEST_MS = 3000;

const name = process.argv[2];
const isProbe = process.argv[3] === "probe";
const open = await contestants[name]();

function range(count) {
  return Array.from({ length: count }, (_, i) => i);
}

function runAll(pool, task, values) {
  return Promise.all(values.map((value) => pool.run(task, value)));
}

/** Opens a pool and waits until every worker has started and run many tasks. */
async function openWarm(size) {
  const pool = open(size);
  await runAll(pool, noop, range(2000));
  return pool;
}

/** Returns the milliseconds that `fn` takes. Throws if its result is not `expected`. */
async function time(fn, expected) {
  const began = performance.now();
  const result = await fn();
  const ms = performance.now() - began;
  assert.deepEqual(result, expected);
  return ms;
}

/**
 * Calls `measure` `count` times and returns the median of the results. After `LONGEST_MS`, calls it no
 * more, because some pools take seconds to copy a large value under Deno.
 */
async function medianOf(count, measure) {
  const end = performance.now() + LONGEST_MS;
  const results = [await measure()];
  while (results.length < count && performance.now() < end) results.push(await measure());
  return results.toSorted((a, b) => a - b)[Math.floor(results.length / 2)];
}

function measureBurst(pool, count) {
  const values = range(count);
  return medianOf(3, () => time(() => runAll(pool, noop, values), values));
}

function measureChunks(pool, count) {
  if (pool.map === undefined) return undefined;
  const values = range(count);
  return medianOf(21, () => time(() => pool.map(noop, values), values));
}

/** Returns the microseconds for each task if the next task waits for the result of the last one. */
async function measureTrip(pool, count) {
  const values = range(count);
  const ms = await time(async () => {
    const results = [];
    for (const value of values) results.push(await pool.run(noop, value));
    return results;
  }, values);
  return ms * 1000 / count;
}

function measureFirst() {
  return medianOf(5, async () => {
    const began = performance.now();
    const pool = open(1);
    const result = await pool.run(noop, 7);
    const ms = performance.now() - began;
    assert.equal(result, 7);
    await pool.close();
    return ms;
  });
}

/** Returns the ideal time for `count` tasks of 5 ms on all cores, as a share of the real time. */
async function measureCompute(count) {
  // Find the rounds for 5 ms while the other cores are idle.
  const sample = 1_000_000;
  const alone = await medianOf(40, () => time(() => spin(sample), spin(sample)));
  const rounds = Math.round(5 * sample / alone);

  const cores = availableParallelism();
  const pool = await openWarm(cores);
  const values = Array(count).fill(rounds);
  const expected = Array(count).fill(spin(rounds));
  const together = await time(() => runAll(pool, spin, values), expected);
  await pool.close();
  return 5 * count / cores / together;
}

/** Sends 16 MiB to a task that returns them. */
function measureCopy(pool, count) {
  const bytes = new Uint8Array(16 * MIB).fill(7);
  return medianOf(count, async () => {
    const began = performance.now();
    const result = await pool.run(noop, bytes);
    const ms = performance.now() - began;
    assert.deepEqual([result.length, result[0], result.at(-1)], [bytes.length, 7, 7]);
    return ms;
  });
}

/** Lets a task fill 16 MiB of shared memory. */
function measureShared(pool, count) {
  const bytes = new Uint8Array(new SharedArrayBuffer(16 * MIB));
  return medianOf(count, async () => {
    const expected = bytes[0] + 1;
    const ms = await time(() => pool.run(fill, bytes.buffer), expected);
    assert.deepEqual([bytes[0], bytes.at(-1)], [expected, expected]);
    return ms;
  });
}

/** Measures everything once, with `share` of the tasks. */
async function measure(share) {
  const pool = await openWarm(2);
  const burst = await measureBurst(pool, 20_000 * share);
  const chunks = await measureChunks(pool, 20_000 * share);
  const trip = await measureTrip(pool, 2000 * share);
  const copy = await measureCopy(pool, Math.ceil(9 * share));
  const shared = await measureShared(pool, Math.ceil(9 * share));
  await pool.close();
  const first = await measureFirst();
  const compute = await measureCompute(200 * share);
  return { burst, chunks, trip, first, compute, copy, shared };
}

if (isProbe) {
  assert.equal(await open(1).run(noop, 7), 7);
} else {
  await measure(0.2); // warms up the compiler
  console.log(JSON.stringify(await measure(1)));
}
process.exit();
