/** A pool runs tasks in the order of submission, and ends when and as it is told to. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  asCompleted,
  BrokenExecutorError,
  type Future,
  wait,
  WorkerCrashError,
  WorkerPoolExecutor,
} from "../../futures/mod.ts";
import { assertNotKept, Gate, lacks, listToError, nameOf, ORDERS, outcomeOf } from "./helpers.ts";
import { passGate, range, shared, sleep, until } from "./helpers.ts";

const ignore = lacks("read");

/** A worker loads this file once, so this id tells which worker runs a task. */
const workerId = crypto.randomUUID();
const never = new Promise<never>(() => {});

export { passGate };
export const add = (a: number, b: number): number => a + b;
export const echo = <T>(value: T): T => value;
export const idOfWorker = (): string => workerId;
export const idBehindGate = (gate: Int32Array): string => passGate(gate, workerId) ?? "";
export const openGate = (gate: Int32Array): number =>
  Atomics.store(gate, 0, 1) + Atomics.notify(gate, 0);
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

/** Returns `"returned"`, or throws an error with the given message. */
export function end({ error }: { error: string }): string {
  if (error) throw new Error(error);
  return "returned";
}

export async function sumInPool(numbers: number[]): Promise<number> {
  await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2 });
  let sum = 0;
  for await (const n of executor.map(echo<number>, numbers)) sum += n;
  return sum;
}

function newPool(maxWorkers = 1, idleTimeout = Infinity): WorkerPoolExecutor {
  return new WorkerPoolExecutor(import.meta.url, { maxWorkers, idleTimeout });
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

/** Replaces `Worker` by a class that calls `onStart` first, until the end of the block. */
class ObservedWorkers implements Disposable {
  readonly #Worker = globalThis.Worker;

  constructor(onStart: () => void) {
    globalThis.Worker = class extends this.#Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        onStart();
        super(url, options);
      }
    };
  }

  [Symbol.dispose](): void {
    globalThis.Worker = this.#Worker;
  }
}

Deno.test("the constructor refuses a maxWorkers that is not a positive integer", () => {
  for (const n of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => newPool(n), RangeError, `maxWorkers: expected a positive integer, got ${n}`);
  }
  assertEquals(new WorkerPoolExecutor(import.meta.url).maxWorkers, navigator.hardwareConcurrency);
});

Deno.test("the constructor refuses a module that is not an absolute URL", () => {
  for (const module of ["./tasks.ts", "/tasks.ts", ""]) {
    const { message } = assertThrows(() => new WorkerPoolExecutor(module), TypeError);
    assertStringIncludes(message, `module: expected an absolute URL`);
    assertStringIncludes(message, `got "${module}"`);
  }
});

Deno.test("submit runs an exported function, and awaits it", { ignore }, async () => {
  for (const module of [import.meta.url, new URL(import.meta.url)]) {
    await using executor = new WorkerPoolExecutor(module, { maxWorkers: 1 });
    const futures = [executor.submit(add, 2, 3), executor.submit(overlap, shared())];
    assertEquals(await results(futures), [5, 1]);
  }
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
  for (const round of range(50)) {
    using gate = new Gate();
    const before = range(round % 9).map((n) => executor.submit(echo, n));
    const waiting = executor.submit(passGate, gate.numbers);
    const opening = executor.submit(openGate, gate.numbers);
    await results<unknown>([...before, waiting, opening, executor.submit(passGate, gate.numbers)]);
  }
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

Deno.test("timers run and results arrive between two starts of workers", { ignore }, async () => {
  await using ready = newPool();
  await ready.submit(add, 1, 1).result();
  let ticks = 0;
  let results = 0;
  const starts: { ticks: number; results: number }[] = [];
  using gate = new Gate();
  using _ = new ObservedWorkers(() => {
    starts.push({ ticks, results });
    // From the first start on, a result is on its way.
    gate.open();
  });
  const timer = setInterval(() => ticks++, 0);
  ready.submit(passGate, gate.numbers).addDoneCallback(() => results++);
  await using executor = newPool(6);
  const futures = range(12).map((n) => executor.submit(echo, n));
  assertEquals(statesOf(futures), range(12).map((n) => n < 6 ? "running" : "pending"));
  assert(starts.length <= 1, `${starts.length} workers have started when submit returns`);
  assertEquals(await Promise.all(futures.map((future) => future.result())), range(12));
  clearInterval(timer);
  // The first turn may already be past its timers when the first worker starts.
  const ticksBetween = new Set(starts.slice(1).map(({ ticks }) => ticks));
  assertEquals([starts.length, ticksBetween.size], [6, 5], Deno.inspect(starts));
  assertEquals(starts.at(-1)?.results, 1);
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
  const argument = (error = "") => {
    const item = { error };
    refs.push(new WeakRef(item));
    return item;
  };
  const items = function* () {
    for (const _ of range(2)) yield argument();
  };
  const submitAll = () => {
    const futures = ["", "thrown", "", ""].map((error) => executor.submit(end, argument(error)));
    futures.at(-1)?.cancel();
    const refused = executor.submit(echo<unknown>, [argument(), () => 1]);
    return { futures: [...futures, refused], map: executor.map(end, items()) };
  };
  const { futures, map } = submitAll();
  await wait(futures);
  assertEquals((await map.next()).value, "returned");
  await executor.submit(add, 1, 1).result();
  await assertNotKept(refs);
  const outcomes = await Promise.all(futures.map(outcomeOf));
  assertEquals(outcomes, ["returned", "Error", "returned", "cancelled", "DataCloneError"]);
  assertEquals((await map.next()).value, "returned");
});

Deno.test("a task may open a pool of its own", { ignore }, async () => {
  await using executor = newPool();
  assertEquals(await executor.submit(sumInPool, range(10)).result(), 45);
});

Deno.test("shutdown() lets running and queued tasks finish", { ignore }, async () => {
  const executor = newPool();
  using gate = new Gate();
  const futures = range(9).map((n) => executor.submit(passGate<number>, gate.numbers, n));
  const ended = executor.shutdown();
  assertRefusesTasks(executor);
  assertEquals(statesOf(futures), ["running", ...range(8).map(() => "pending")]);
  gate.open();
  await ended;
  assertEquals(statesOf(futures), range(9).map(() => "finished"));
  assertEquals(await results(futures), range(9));
});

Deno.test("await using calls shutdown()", { ignore }, async () => {
  let leaked: WorkerPoolExecutor | undefined;
  const futures: Future<number>[] = [];
  {
    await using executor = newPool();
    leaked = executor;
    futures.push(executor.submit(add, 1, 1), executor.submit(add, 1, 2));
  }
  assertEquals(statesOf(futures), ["finished", "finished"]);
  assertRefusesTasks(leaked);
});

Deno.test("cancelFutures cancels pending tasks and tells all who wait", { ignore }, async () => {
  const executor = newPool();
  using gate = new Gate();
  const held = executor.submit(passGate, gate.numbers);
  const futures = range(3).map((n) => executor.submit(echo, n));
  const maps = ORDERS.map((order) => executor.map(echo, [1, 2], { bufferSize: 1, ...order }));
  const told = [...maps.map((map) => map.next()), futures[0]?.result(), futures[1]?.exception()];
  const names = Promise.all(told.map((promise) => promise?.then(() => "", nameOf)));
  const waited = [
    Array.fromAsync(asCompleted(futures)),
    wait(futures).then(({ done }) => [...done]),
  ];
  await sleep(); // so that each of them waits
  const ended = executor.shutdown({ cancelFutures: true });
  assertEquals(statesOf([held, ...futures]), ["running", "cancelled", "cancelled", "cancelled"]);
  assertEquals(await names, told.map(() => "CancelledError"));
  assertEquals(await Promise.all(waited), [futures, futures]);
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
  const ended = [executor.shutdown()];
  futures[0]?.addDoneCallback(() => ended.push(executor.shutdown()));
  futures[2]?.cancel();
  gate.open();
  assertEquals(await futures[1]?.result(), 1);
  await Promise.all(ended);
  await executor.shutdown();
  assertEquals([...statesOf(futures), ended.length], ["finished", "finished", "cancelled", 2]);
});

Deno.test("after shutdown(), map yields what it has submitted", { ignore }, async () => {
  for (const { ordered } of ORDERS) {
    const executor = newPool();
    const whole = executor.map(echo<number>, range(3), { ordered });
    const part = executor.map(echo<number>, range(9), { bufferSize: 3, ordered });
    await executor.shutdown();
    assertEquals(await listToError(whole), [0, 1, 2]);
    assertEquals(await listToError(part), [0, 1, 2, "Error"]);
  }
});

Deno.test("terminateWorkers() ends all futures at once", { ignore }, async () => {
  const executor = newPool(2);
  const started = shared();
  const running = range(2).map(() => executor.submit(waitForever, started));
  const pending = range(3).map((n) => executor.submit(echo, n));
  await until(() => started[0] === 2);
  const completed = Array.fromAsync(asCompleted([...running, ...pending]));
  const ended = executor.terminateWorkers();
  assertEquals(statesOf(running), ["finished", "finished"]);
  assertEquals(statesOf(pending), ["cancelled", "cancelled", "cancelled"]);
  assertRefusesTasks(executor);
  for (const future of running) assertInstanceOf(await future.exception(), WorkerCrashError);
  assertEquals((await completed).length, 5);
  await ended;
  await executor.terminateWorkers();
});

Deno.test("terminateWorkers() works while shutdown() is waiting", { ignore }, async () => {
  for (const options of [{}, { wait: false }, { cancelFutures: true }]) {
    const executor = newPool();
    const started = shared();
    const futures = [executor.submit(waitForever, started), executor.submit(add, 1, 1)];
    await until(() => started[0] === 1);
    const shutdown = executor.shutdown(options);
    assertEquals(statesOf(futures)[0], "running");
    await Promise.all([executor.terminateWorkers(), shutdown, executor.shutdown()]);
    const outcomes = await Promise.all(futures.map(outcomeOf));
    assertEquals(outcomes, ["WorkerCrashError", "cancelled"]);
  }
});

Deno.test("terminateWorkers() ends idle and starting workers", { ignore }, async () => {
  await newPool().terminateWorkers();
  const idle = newPool();
  await idle.submit(add, 1, 1).result();
  await idle.terminateWorkers();
  let starts = 0;
  using _ = new ObservedWorkers(() => starts++);
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

Deno.test("terminateWorkers() ends a map with an error", { ignore }, async () => {
  for (const { ordered } of ORDERS) {
    const executor = newPool();
    const started = shared();
    const running = listToError(executor.map(waitForever, [started, started], { ordered }));
    const pending = listToError(executor.map(echo, range(3), { ordered }));
    await until(() => started[0] === 1);
    await executor.terminateWorkers();
    // Without an order, the map may see the cancelled task first.
    const error = ordered ? "WorkerCrashError" : (await running)[0];
    assertEquals(await running, [error]);
    assertEquals(await pending, ["CancelledError"]);
  }
});

for (const method of ["shutdown", "terminateWorkers"] as const) {
  Deno.test(`a callback of a future may call ${method}()`, { ignore }, async () => {
    for (const refused of [(() => 1) as unknown, 1]) {
      const executor = newPool();
      const first = executor.submit(echo, refused);
      const last = executor.submit(echo, 1);
      const ended = new Promise<void>((resolve, reject) => {
        first.addDoneCallback(() => executor[method]().then(resolve, reject));
      });
      await ended;
      assertEquals([first.state, last.done()], ["finished", true]);
      assertRefusesTasks(executor);
    }
  });
}

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
  const ids = [executor.submit(idOfWorker), executor.submit(idOfWorker)];
  await results(ids);
  executor.submit(passGate, gate.numbers);
  const before = await executor.submit(idOfWorker).result();
  await sleep(3); // later than the timer of the pool, if there were one
  assertEquals(await executor.submit(idOfWorker).result(), before);
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
  globalThis.setTimeout = ((fn: () => void, ms?: number) => {
    delays.push(ms);
    return setTimeout(fn, ms);
  }) as typeof setTimeout;
  await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 1 });
  await executor.submit(add, 1, 1).result();
  globalThis.setTimeout = setTimeout;
  assertEquals(delays, [1000]);
});

function moduleOf(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** Modules that cannot be loaded, and the start of the cause. */
const BROKEN_MODULES: Record<string, [module: string, cause: string]> = {
  "throws": [moduleOf("throw new RangeError('no')"), "RangeError: no"],
  "throws something that is not an error": [moduleOf("throw 'no'"), "no"],
  "does not parse": [moduleOf("export const = 1"), "SyntaxError: "],
  "does not exist": [import.meta.resolve("./nowhere.ts"), "TypeError: Module not found"],
  "calls self.close()": [moduleOf("self.close()"), "undefined"],
  "calls Deno.exit(3)": [moduleOf("Deno.exit(3)"), "undefined"],
};

for (const [what, [module, cause]] of Object.entries(BROKEN_MODULES)) {
  Deno.test(`a module that ${what} breaks the pool`, { ignore }, async () => {
    await using executor = new WorkerPoolExecutor(module, { maxWorkers: 2 });
    const futures = range(4).map((n) => executor.submit(add, n, 1));
    const maps = ORDERS.map((order) => executor.map(echo, range(3), { bufferSize: 1, ...order }));
    futures[3]?.cancel();
    const completed = await Array.fromAsync(asCompleted(futures));
    const outcomes = await Promise.all(completed.map(outcomeOf));
    assertEquals(outcomes, ["cancelled", ...range(3).map(() => "BrokenExecutorError")]);
    for (const map of maps) assertEquals(await listToError(map), ["BrokenExecutorError"]);
    const error = assertThrows(() => executor.submit(add, 1, 1), BrokenExecutorError, module);
    assertThrows(() => executor.map(echo, [1]), BrokenExecutorError);
    assertStringIncludes(`${error.cause}`, cause);
  });
}

Deno.test("a worker that cannot be started breaks the pool", { ignore }, async () => {
  let starts = 0;
  using _ = new ObservedWorkers(() => {
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
