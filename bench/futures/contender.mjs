/**
 * Measures one contender of futures_bench.ts, under Deno or Node, and prints its figures as JSON:
 * `contender.mjs NAME`. contender.py does the same, step by step, in Python.
 */

import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { noop, spin } from "./tasks.mjs";

const here = (file) => new URL(file, import.meta.url).href;

/** For each contender, what opens a pool of `size` workers. */
const contenders = {
  async ours() {
    const { WorkerPoolExecutor } = await import("../../futures/mod.ts");
    return (size) => {
      const executor = new WorkerPoolExecutor(here("tasks.mjs"), { maxWorkers: size });
      return {
        run: (fn, value) => executor.submit(fn, value).result(),
        map: (fn, values) => Array.fromAsync(executor.map(fn, values, { chunkSize: 100 })),
        close: () => executor.shutdown(),
      };
    };
  },

  /** No pool: workers in turn, which answer one message with another. */
  bare: () => (size) => {
    const workers = Array.from({ length: size }, () => {
      const worker = new Worker(here("worker_bare.mjs"), { type: "module" });
      const waiting = [];
      worker.onmessage = ({ data }) => waiting.shift()(data);
      return { worker, waiting };
    });
    let turn = 0;
    return {
      run: ({ name }, value) =>
        new Promise((resolve) => {
          const { worker, waiting } = workers[turn++ % size];
          waiting.push(resolve);
          worker.postMessage([name, value]);
        }),
      close: () => workers.forEach(({ worker }) => worker.terminate()),
    };
  },

  /** The same with one message a worker under way: the next task waits for an answer. */
  "in order": () => (size) => {
    const worker = () => {
      const worker = new Worker(here("worker_bare.mjs"), { type: "module" });
      const slot = { worker };
      worker.onmessage = ({ data }) => {
        const { resolve } = slot;
        idle.push(slot);
        pump();
        resolve(data);
      };
      return slot;
    };
    const workers = Array.from({ length: size }, worker);
    const idle = [...workers];
    let [queue, at] = [[], 0];
    const pump = () => {
      while (idle.length > 0 && at < queue.length) {
        const slot = idle.pop();
        const { message, resolve } = queue[at++];
        slot.resolve = resolve;
        slot.worker.postMessage(message);
      }
      if (at === queue.length) [queue, at] = [[], 0];
    };
    return {
      run: ({ name }, value) =>
        new Promise((resolve) => {
          queue.push({ message: [name, value], resolve });
          pump();
        }),
      close: () => workers.forEach(({ worker }) => worker.terminate()),
    };
  },

  async piscina() {
    const { Piscina } = await import("piscina");
    return (size) => {
      const pool = new Piscina({
        filename: here("tasks.mjs"),
        minThreads: size,
        maxThreads: size,
      });
      return {
        run: ({ name }, value) => pool.run(value, { name }),
        close: () => pool.destroy(),
      };
    };
  },

  async tinypool() {
    const { Tinypool } = await import("tinypool");
    return (size) => {
      const pool = new Tinypool({
        filename: here("tasks.mjs"),
        minThreads: size,
        maxThreads: size,
      });
      return {
        run: ({ name }, value) => pool.run(value, { name }),
        close: () => pool.destroy(),
      };
    };
  },

  async workerpool() {
    const { default: workerpool } = await import("workerpool");
    const file = fileURLToPath(here("worker_workerpool.mjs"));
    return (size) => {
      const pool = workerpool.pool(file, { minWorkers: size, maxWorkers: size });
      return {
        run: ({ name }, value) => pool.exec(name, [value]),
        close: () => pool.terminate(),
      };
    };
  },

  async poolifier() {
    const { FixedThreadPool } = await import("poolifier");
    const file = fileURLToPath(here("worker_poolifier.mjs"));
    return (size) => {
      const pool = new FixedThreadPool(size, file);
      return {
        run: ({ name }, value) => pool.execute(value, name),
        // Its destroy() misses the end of a worker now and then, and would wait forever.
        close: () => Promise.race([pool.destroy(), setTimeout(200)]),
      };
    };
  },
};

const [name] = process.argv.slice(2);
const open = await contenders[name]();
const cores = availableParallelism();

const range = (count) => Array.from({ length: count }, (_, i) => i);

const runAll = (pool, fn, values) => Promise.all(values.map((value) => pool.run(fn, value)));

/** A new pool of which every worker has begun. */
async function warm(size) {
  const pool = open(size);
  await runAll(pool, noop, range(2000));
  return pool;
}

/** Milliseconds until the result of `fn` is there, which must be `expected`. */
async function time(fn, expected) {
  const t0 = performance.now();
  const result = await fn();
  const ms = performance.now() - t0;
  assert.deepEqual(result, expected);
  return ms;
}

/** The median of what `measure` says `count` times. */
async function median(count, measure) {
  const all = [];
  for (let i = 0; i < count; i++) all.push(await measure());
  return all.toSorted((a, b) => a - b)[count >> 1];
}

/** Everything once, with `share` of the tasks: milliseconds, and the fraction of the ideal. */
async function pass(share) {
  const values = range(20_000 * share);
  const pool = await warm(2);
  const burst = await median(3, () => time(() => runAll(pool, noop, values), values));
  const map = pool.map && await median(21, () => time(() => pool.map(noop, values), values));
  const trips = range(2000 * share);
  const trip = await time(async () => {
    const results = [];
    for (const i of trips) results.push(await pool.run(noop, i));
    return results;
  }, trips) / trips.length * 1000;
  await pool.close();

  const first = await median(5, async () => {
    let pool;
    const ms = await time(() => (pool = open(1)).run(noop, 7), 7);
    await pool.close();
    return ms;
  });

  // What the rounds are worth is how long this core takes for them while the others rest.
  const sample = 1_000_000;
  const alone = await median(40, () => time(() => spin(sample), spin(sample)));
  const rounds = Math.round(5 * sample / alone);
  const everyCore = await warm(cores);
  const results = Array(200 * share).fill(spin(rounds));
  const together = await time(() => runAll(everyCore, spin, results.map(() => rounds)), results);
  await everyCore.close();
  return { burst, map, trip, first, compute: 5 * results.length / cores / together };
}

await pass(0.2); // for the compilers
console.log(JSON.stringify(await pass(1)));
