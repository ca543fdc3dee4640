/** A pool runs tasks in the order of submission, and ends when and as it is told to. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  asCompleted,
  BrokenExecutorError,
  type Future,
  wait,
  WorkerPoolExecutor,
} from "../../futures/mod.ts";
import { assertNotKept, Gate, lacks, listToError, outcomeOf } from "./helpers.ts";
import { openGate, passGate, range, replace, shared, sleep, until } from "./helpers.ts";

const ignore = lacks("read");

/** A worker loads this file once, so this id tells which worker runs a task. */
const workerId = crypto.randomUUID();
const never = new Promise<never>(() => {});

export { openGate, passGate };
export const add = (a: number, b: number): number => a + b;
export const echo = <T>(value: T): T => value;
export const idOfWorker = (): string => workerId;
export const idBehindGate = (gate: Int32Array): string => passGate(gate, workerId) ?? "";
export const takeTime = (ms: number): Promise<void> => sleep(ms);

export function waitForever(started: Int32Array): Promise<never> {
  Atomics.add(started, 0, 1);
  return never;
}

/** Writes `n` after the numbers in the log. `log[0]` is the count of the numbers. */
export function note(log: Int32Array, n: number): number {
  log[Atomics.add(log, 0, 1) + 1] = n;
  return n;
}

/** Resolves to the number of tasks that are in progress in this worker. */
export async function overlap(active: Int32Array): Promise<number> {
  Atomics.add(active, 0, 1);
  await sleep();
  return Atomics.sub(active, 0, 1);
}

function newPool(maxWorkers = 1, idleTimeout = Infinity): WorkerPoolExecutor {
  return new WorkerPoolExecutor(new URL(import.meta.url), { maxWorkers, idleTimeout });
}

function statesOf(futures: Future<unknown>[]): string[] {
  return futures.map(({ state }) => state);
}

function results<T>(futures: Future<T>[]): Promise<T[]> {
  return Promise.all(futures.map((future) => future.result()));
}

function assertRefusesTasks(executor: WorkerPoolExecutor): void {
  const message = "cannot schedule new futures after shutdown";
  assertThrows(() => executor.submit(add, 1, 1), Error, message);
  assertThrows(() => executor.map(echo, []), Error, message);
}

/** Calls `onStart` before a worker starts, until the end of the block. */
function observeWorkers(onStart: () => void): Disposable {
  class ObservedWorker extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      onStart();
      super(url, options);
    }
  }
  return replace(globalThis, "Worker", ObservedWorker);
}

Deno.test("the constructor refuses a maxWorkers that is not a positive integer", () => {
  assertThrows(() => newPool(0), RangeError, "maxWorkers: expected a positive integer, got 0");
  assertEquals(new WorkerPoolExecutor(import.meta.url).maxWorkers, navigator.hardwareConcurrency);
});

Deno.test("the constructor refuses a module that is not an absolute URL", () => {
  const message = 'module: expected an absolute URL, such as import.meta.url, got "./tasks.ts"';
  assertThrows(() => new WorkerPoolExecutor("./tasks.ts"), TypeError, message);
});

Deno.test("a worker runs one task at a time, in the order of submission", { ignore }, async () => {
  await using executor = newPool();
  const log = shared(101);
  const active = shared();
  const noted = range(100).map((n) => executor.submit(note, log, n));
  const overlaps = range(10).map(() => executor.submit(overlap, active));
  assertEquals(await results(overlaps), range(10).map(() => 1));
  assertEquals(await results(noted), range(100));
  assertEquals([...log], [100, ...range(100)]);
});

Deno.test("tasks that wait for each other get workers in their order", { ignore }, async () => {
  await using executor = newPool(2);
  using gate = new Gate();
  const tasks = [passGate, openGate, passGate];
  await wait(tasks.map((task) => executor.submit<[Int32Array], unknown>(task, gate.numbers)));
});

Deno.test("a worker starts only if none is idle, up to maxWorkers", { ignore }, async () => {
  await using executor = newPool(3);
  const ids = new Set<string>();
  for (const [tasks, workers] of [[1, 1], [2, 2], [1, 2], [9, 3], [2, 3]] as const) {
    using gate = new Gate();
    const futures = range(tasks).map(() => executor.submit(idBehindGate, gate.numbers));
    assertEquals(statesOf(futures), range(tasks).map((n) => n < 3 ? "running" : "pending"));
    await gate.arrived(Math.min(tasks, 3));
    gate.open();
    for (const id of await results(futures)) ids.add(id);
    assertEquals(ids.size, workers);
  }
});

Deno.test("the event loop turns between two starts of workers", { ignore }, async () => {
  let ticks = 0;
  const ticksAtStarts: number[] = [];
  using _ = observeWorkers(() => ticksAtStarts.push(ticks));
  const timer = setInterval(() => ticks++, 0);
  await using executor = newPool(6);
  const futures = range(12).map((n) => executor.submit(echo, n));
  assert(ticksAtStarts.length <= 1, `${ticksAtStarts.length} workers start in submit`);
  await wait(futures);
  clearInterval(timer);
  // The first turn may already be past its timers when the first worker starts.
  assertEquals([ticksAtStarts.length, new Set(ticksAtStarts.slice(1)).size], [6, 5]);
});

Deno.test("only a pending task can be cancelled; it never runs", { ignore }, async () => {
  await using executor = newPool();
  using gate = new Gate();
  const log = shared(9);
  const held = executor.submit(passGate, gate.numbers);
  const futures = range(8).map((n) => executor.submit(note, log, n));
  for (const n of [0, 3, 7]) assertEquals(futures[n]?.cancel(), true);
  assertEquals([held.cancel(), held.state], [false, "running"]);
  gate.open();
  await wait(futures);
  assertEquals([...log], [5, 1, 2, 4, 5, 6, 0, 0, 0]);
});

Deno.test("a future that is done does not keep its arguments", { ignore }, async () => {
  await using executor = newPool();
  const refs: WeakRef<object>[] = [];
  const futures = [undefined, () => {}, undefined].map((refused) => {
    const argument = { refused };
    refs.push(new WeakRef(argument));
    return executor.submit(echo<unknown>, argument);
  });
  futures[2]?.cancel();
  const outcomes = await Promise.all(futures.map(outcomeOf));
  assertEquals(outcomes, ["returned", "DataCloneError", "cancelled"]);
  await executor.submit(add, 1, 1).result();
  await assertNotKept(refs);
  assertEquals(futures.length, 3);
});

Deno.test("await using lets running and queued tasks finish", { ignore }, async () => {
  const executor = newPool();
  using gate = new Gate();
  const futures = range(9).map((n) => executor.submit(passGate<number>, gate.numbers, n));
  const ended = executor[Symbol.asyncDispose]();
  assertRefusesTasks(executor);
  assertEquals(statesOf(futures), ["running", ...range(8).map(() => "pending")]);
  gate.open();
  await ended;
  assertEquals(statesOf(futures), range(9).map(() => "finished"));
  assertEquals(await results(futures), range(9));
});

Deno.test("cancelFutures cancels pending tasks and tells all who wait", { ignore }, async () => {
  const executor = newPool();
  using gate = new Gate();
  const held = executor.submit(passGate, gate.numbers);
  const futures = range(3).map((n) => executor.submit(echo, n));
  const map = listToError(executor.map(echo, [1, 2], { bufferSize: 1 }));
  const waited = wait(futures);
  const completed = Array.fromAsync(asCompleted(futures));
  await sleep(); // so that each of them waits
  const ended = executor.shutdown({ cancelFutures: true });
  assertEquals(statesOf([held, ...futures]), ["running", "cancelled", "cancelled", "cancelled"]);
  assertEquals(await map, ["CancelledError"]);
  assertEquals([[...(await waited).done], await completed], [futures, futures]);
  gate.open();
  await ended;
});

Deno.test("shutdown() with wait: false resolves at once", { ignore }, async () => {
  const executor = newPool();
  using gate = new Gate();
  const futures = range(3).map((n) => executor.submit(passGate<number>, gate.numbers, n));
  await executor.shutdown({ wait: false });
  assertEquals(statesOf(futures), ["running", "pending", "pending"]);
  assertRefusesTasks(executor);
  futures[2]?.cancel();
  gate.open();
  await Promise.all([executor.shutdown(), executor.shutdown()]);
  await executor.shutdown();
  assertEquals(statesOf(futures), ["finished", "finished", "cancelled"]);
});

Deno.test("after shutdown(), map yields what it has submitted", { ignore }, async () => {
  const executor = newPool();
  const map = executor.map(echo<number>, range(4), { bufferSize: 3, chunkSize: 3 });
  await executor.shutdown();
  assertEquals(await listToError(map), [0, 1, 2, "Error"]);
});

Deno.test("terminateWorkers() ends all futures at once", { ignore }, async () => {
  const executor = newPool(2);
  const started = shared();
  const futures = range(4).map(() => executor.submit(waitForever, started));
  await until(() => started[0] === 2);
  const ended = executor.terminateWorkers();
  assertRefusesTasks(executor);
  assertEquals(futures.map((future) => future.done()), [true, true, true, true]);
  const outcomes = await Promise.all(futures.map(outcomeOf));
  assertEquals(outcomes, ["WorkerCrashError", "WorkerCrashError", "cancelled", "cancelled"]);
  await ended;
  await executor.terminateWorkers();
});

Deno.test("terminateWorkers() works while shutdown() is waiting", { ignore }, async () => {
  const executor = newPool();
  const started = shared();
  const futures = [executor.submit(waitForever, started), executor.submit(add, 1, 1)];
  await until(() => started[0] === 1);
  const shutdown = executor.shutdown();
  assertEquals(statesOf(futures), ["running", "pending"]);
  await Promise.all([executor.terminateWorkers(), shutdown, executor.shutdown()]);
  const outcomes = await Promise.all(futures.map(outcomeOf));
  assertEquals(outcomes, ["WorkerCrashError", "cancelled"]);
});

Deno.test("terminateWorkers() ends idle and starting workers", { ignore }, async () => {
  await newPool().terminateWorkers();
  const idle = newPool();
  await idle.submit(add, 1, 1).result();
  await idle.terminateWorkers();
  let starts = 0;
  using _ = observeWorkers(() => starts++);
  const starting = newPool(3);
  const futures = range(4).map((n) => starting.submit(echo, n));
  await starting.terminateWorkers();
  const outcomes = await Promise.all(futures.map(outcomeOf));
  assertEquals(outcomes, [...range(3).map(() => "WorkerCrashError"), "cancelled"]);
  // The workers that are still to be started never start.
  await using other = newPool();
  await other.submit(add, 1, 1).result();
  assertEquals(starts <= 2, true, `${starts} workers have started`);
});

Deno.test("a pool without tasks stops its workers after idleTimeout ms", { ignore }, async () => {
  await using executor = newPool(1, 1);
  const first = await executor.submit(idOfWorker).result();
  while (await executor.submit(idOfWorker).result() === first) await sleep(2);
  // A task that takes longer than idleTimeout does not lose its worker.
  assertEquals(await executor.submit(takeTime, 20).result(), undefined);
});

Deno.test("a pool with a task keeps its idle workers", { ignore }, async () => {
  await using executor = newPool(2, 1);
  using gate = new Gate();
  const ids = await results([executor.submit(idOfWorker), executor.submit(idOfWorker)]);
  executor.submit(passGate, gate.numbers);
  await sleep(3); // later than the timer of the pool, if there were one
  assert(ids.includes(await executor.submit(idOfWorker).result()));
});

Deno.test("with idleTimeout: Infinity, the workers stay", { ignore }, async () => {
  await using executor = newPool(1, Infinity);
  const first = await executor.submit(idOfWorker).result();
  await sleep(3); // `setTimeout` treats Infinity as 1 ms
  assertEquals(await executor.submit(idOfWorker).result(), first);
});

Deno.test("the default of idleTimeout is 1000", { ignore }, async () => {
  const delays: unknown[] = [];
  const { setTimeout } = globalThis;
  const noteDelay = (fn: () => void, ms?: number) => {
    delays.push(ms);
    return setTimeout(fn, ms);
  };
  using _ = replace(globalThis, "setTimeout", noteDelay as typeof setTimeout);
  await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 1 });
  await executor.submit(add, 1, 1).result();
  assertEquals(delays, [1000]);
});

/** Modules that cannot be loaded, and the cause of the error of the pool. */
const BROKEN_MODULES: Record<string, [source: string, cause: string]> = {
  "throws an error": ["throw new RangeError('no')", "RangeError: no"],
  "throws something that is not an error": ["throw 'no'", "no"],
  "calls self.close()": ["self.close()", "undefined"],
};

for (const [what, [source, cause]] of Object.entries(BROKEN_MODULES)) {
  Deno.test(`a module that ${what} breaks the pool`, { ignore }, async () => {
    const module = `data:text/javascript,${encodeURIComponent(source)}`;
    await using executor = new WorkerPoolExecutor(module, { maxWorkers: 2 });
    const futures = range(4).map((n) => executor.submit(add, n, 1));
    const map = executor.map(echo, range(3), { bufferSize: 1 });
    futures[3]?.cancel();
    const name = "BrokenExecutorError";
    assertEquals(await Promise.all(futures.map(outcomeOf)), [name, name, name, "cancelled"]);
    assertEquals(await listToError(map), [name]);
    const error = assertThrows(() => executor.submit(add, 1, 1), BrokenExecutorError, module);
    assertThrows(() => executor.map(echo, [1]), BrokenExecutorError);
    assertEquals(`${error.cause}`, cause);
  });
}

Deno.test("a worker that cannot be started breaks the pool", { ignore }, async () => {
  let starts = 0;
  using _ = observeWorkers(() => {
    starts++;
    if (starts === 2) throw new Error("no thread is left");
  });
  await using executor = newPool(2);
  using gate = new Gate();
  const futures = range(4).map(() => executor.submit(passGate, gate.numbers));
  const outcomes = await Promise.all(futures.map(outcomeOf));
  assertEquals(outcomes, range(4).map(() => "BrokenExecutorError"));
  assertThrows(() => executor.submit(add, 1, 1), BrokenExecutorError, "no thread is left");
});
