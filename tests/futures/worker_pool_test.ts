/** The contract of `worker_pool.ts`, sentence by sentence. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import {
  asCompleted,
  BrokenExecutorError,
  Future,
  wait,
  WorkerCrashError,
} from "../../futures/mod.ts";
import { WorkerPoolExecutor } from "../../futures/mod.ts";
import * as tasks from "./pool_tasks.ts";
import { shared, sleep } from "./pool_tasks.ts";
import * as testing from "../testing.ts";
import { Reports, TempDir, test } from "../testing.ts";

const POOL = { needs: ["read" as const] };
const url = import.meta.resolve("./pool_tasks.ts");
const newPool = (maxWorkers = 2) => new WorkerPoolExecutor(url, { maxWorkers });

const orders = [{ ordered: true }, { ordered: false }];
const range = (length: number) => Array.from({ length }, (_, n) => n);
const results = <T>(all: Future<T>[]) => Promise.all(all.map((future) => future.result()));
const states = (all: Future<unknown>[]) => all.map(({ state }) => state);
const nameOf = (error: unknown) => error instanceof Error ? error.name : `${error}`;

/** How a future ended. */
async function ending(future: Future<unknown>): Promise<string> {
  return future.cancelled() ? "cancelled" : nameOf(await future.exception() ?? "returned");
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep();
}

/** Resolves when nothing counts any more. */
async function silence(count: Int32Array): Promise<void> {
  const before = count[0];
  await sleep(100);
  if (count[0] !== before) await silence(count);
}

/** What comes out of `items`, and the name of the error after that. */
async function listToError(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  try {
    for await (const item of items) all.push(item);
  } catch (error) {
    all.push(nameOf(error));
  }
  return all;
}

/** Submits tasks; what it returns sees to it that each runs once. */
function submitTicks(executor: WorkerPoolExecutor, fn: (...args: [Int32Array, number]) => unknown) {
  const counts = shared(5);
  const all = range(5).map((n) => executor.submit(fn, counts, n));
  return async () => {
    await results(all);
    assertEquals([...counts], [1, 1, 1, 1, 1]);
  };
}

test("submit runs an exported function with its arguments, and awaits it", async () => {
  for (const module of [url, new URL(url)]) {
    await using executor = new WorkerPoolExecutor(module);
    assertEquals(executor.maxWorkers, navigator.hardwareConcurrency);
    assertEquals(await executor.submit(tasks.add, 2, 3).result(), 5);
    assertEquals(await executor.submit(tasks.overlap, shared()).result(), 1);
  }
}, POOL);

test("an option or a module that makes no sense is refused at the call, which says so", () => {
  for (const n of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => newPool(n), RangeError, "maxWorkers: expected a whole number from 1 up");
    for (const name of ["chunkSize", "bufferSize"]) {
      const map = () => newPool().map(tasks.echo, [], { [name]: n });
      assertThrows(map, RangeError, `${name}: expected a whole number from 1 up, got ${n}`);
    }
  }
  assertThrows(() => newPool().map(tasks.echo, [], { timeout: NaN }), RangeError);
  const bundled = import.meta.resolve("../../futures/mod.ts");
  for (const module of ["./tasks.ts", "tasks.ts", "/tasks.ts", "", bundled]) {
    assertThrows(() => new WorkerPoolExecutor(module), TypeError, "absolute URL");
  }
}, POOL);

test("what is not exported, or only shares a name, is a TypeError and never runs", async () => {
  await using executor = newPool(1);
  const count = shared();
  const [samename, hidden] = [() => "the right one", () => 1];
  const others = [hidden, () => 1, samename, Math.max] as ((count: Int32Array) => unknown)[];
  for (const round of [1, 2]) {
    for (const fn of others) {
      const wrong = [executor.submit(fn, count).result(), executor.map(fn, [count]).next()];
      for (const promise of wrong) {
        const { message } = await assertRejects(() => promise, TypeError);
        for (const part of [fn.name, url, "export it"]) assertStringIncludes(message, part);
      }
    }
    assertEquals(count[0], round - 1);
    assertEquals(await executor.submit(tasks.samename, count).result(), "the wrong one");
  }
}, POOL);

test("a worker runs one task at a time, and tasks start in the order of submission", async () => {
  await using executor = newPool(1);
  const [active, log] = [shared(), shared(201)];
  const noted = range(200).map((n) => executor.submit(tasks.job, { log, n, kind: "returns" }));
  const overlaps = range(20).map(() => executor.submit(tasks.overlap, active));
  assertEquals(await results(overlaps), range(20).map(() => 1));
  assertEquals(await results(noted), range(200));
  assertEquals([...log], [200, ...range(200)]);
}, POOL);

test("tasks that wait for each other get workers in the order of submission", async () => {
  await using executor = newPool();
  for (const round of range(100)) {
    const gate = shared();
    const quick = (n: number) => range(n).map(() => executor.submit(tasks.step, {}));
    const waits = () => executor.submit(tasks.step, { gate });
    const opens = () => executor.submit(tasks.step, { started: gate });
    const order = round % 2 ? [opens, waits, waits] : [waits, opens, waits];
    await results([...quick(round % 25), ...order.map((submit) => submit()), ...quick(9)]);
  }
}, POOL);

test("workers start when none is idle, up to maxWorkers; idle ones are used again", async () => {
  await using executor = newPool(3);
  const ids = new Set<string>();
  for (const [held, workers] of [[1, 1], [2, 2], [1, 2], [12, 3], [2, 3]] as const) {
    const [started, gate] = [shared(), shared()];
    const all = range(held).map(() => executor.submit(tasks.workerId, { started, gate }));
    assertEquals(states(all), range(held).map((n) => n < 3 ? "running" : "pending"));
    await until(() => started[0] === Math.min(held, 3));
    tasks.tick(gate);
    for (const id of await results(all)) ids.add(id);
    assertEquals(ids.size, workers);
  }
}, POOL);

test("a pool that is idle for a second ends its workers, and starts others", async () => {
  await using executor = newPool(1);
  const worker = await executor.submit(tasks.workerId).result();
  await sleep(1500);
  assert(worker !== await executor.submit(tasks.workerId).result());
}, POOL);

test("pending tasks can always be cancelled, and never run; what runs cannot", async () => {
  for (const maxWorkers of [1, 2]) {
    await using executor = newPool(maxWorkers);
    const counts = shared(2000);
    const all = range(2000).map((n) => executor.submit(tasks.tick, counts, n));
    for (const [n, future] of all.entries()) {
      if (n % 7 === 0) await future.result().catch(nameOf);
      const other = all[n + n % 7];
      if (other?.state === "running") assertEquals(other.cancel(), false);
      if (other?.state === "pending") assertEquals(other.cancel(), true);
    }
    await wait(all);
    assertEquals([...counts], all.map((future) => future.cancelled() ? 0 : 1));
    assert(counts.includes(0) && counts.includes(1));
  }
}, POOL);

test("what has ended keeps its outcome and nothing of its arguments", async () => {
  await using executor = newPool();
  let [made, freed] = [0, 0];
  const registry = new FinalizationRegistry(() => freed++);
  const item = (error = "") => {
    const step = { error, value: made++, ballast: new Uint8Array(10_000) };
    registry.register(step, 0);
    return step;
  };
  const submit = () => {
    const ended = range(200).map((n) => executor.submit(tasks.step, item(n % 2 ? "odd" : "")));
    for (const future of ended.slice(100)) future.cancel();
    const refused = range(50).map(() => executor.submit(tasks.echo<unknown>, [item(), () => 1]));
    const items = Iterator.from(range(250)).map(() => item());
    return { all: [...ended, ...refused], map: executor.map(tasks.step, items) };
  };
  const { all, map } = submit();
  await wait(all);
  for (let round = 0; freed < 475 && round < 2000; round++) {
    range(50_000);
    await sleep();
  }
  assert(freed >= 475, `${freed} of ${made} arguments are gone`);
  assertEquals([made, all.length, (await Array.fromAsync(map)).length], [500, 250, 250]);
}, POOL);

test("arguments and results travel by structured clone; shared memory is shared", async () => {
  await using executor = newPool(1);
  const value = { map: new Map([[1n, new Date(5)]]), bytes: new Uint8Array(3), set: new Set([1]) };
  const result = await executor.submit(tasks.echo, [value, value, undefined, NaN, /x/g]).result();
  assertEquals(result, [value, value, undefined, NaN, /x/g]);
  assert(result[0] !== value && result[0] === result[1]);
  const count = shared();
  await executor.submit(tasks.tick, await executor.submit(tasks.echo, count).result()).result();
  assertEquals(count[0], 1);
}, POOL);

for (const kind of Object.keys(tasks.uncloneable) as tasks.Uncloneable[]) {
  test(`${kind} as argument, item or result is a DataCloneError; the pool goes on`, async () => {
    await using executor = newPool(1);
    const value = tasks.uncloneable[kind]();
    const worker = await executor.submit(tasks.workerId).result();
    const refused = [executor.submit(tasks.echo, value), executor.submit(tasks.make, kind)];
    const check = submitTicks(executor, tasks.tick);
    for (const error of await Promise.all(refused.map((future) => future.exception()))) {
      assertInstanceOf(error, DOMException);
      assertEquals(error.name, "DataCloneError");
    }
    await check();
    for (const [chunkSize, before] of [[1, 3], [2, 2], [9, 0]] as const) {
      const items = executor.map(tasks.echo<unknown>, [0, 1, 2, value, 4], { chunkSize });
      assertEquals(await listToError(items), [...range(before), "DataCloneError"]);
      const made = executor.map(tasks.make, [0, 1, 2, kind, 4], { chunkSize });
      assertEquals(await listToError(made), [...range(before), "DataCloneError"]);
    }
    if (kind === "a list of 2,700 nodes") return; // no worker reads on after such a message
    assertEquals(await executor.submit(tasks.workerId).result(), worker);
  }, POOL);
}

test("a future ends although a getter of its argument cancels it, throws or submits", async () => {
  await using executor = newPool(1);
  const all: Future<unknown>[] = [];
  const submit = (get: () => unknown) => {
    const value = Object.defineProperty({}, "x", { get, enumerable: true });
    all.push(executor.submit(tasks.echo<unknown>, value));
  };
  submit(() => 0);
  submit(() => all[1]?.cancel());
  submit(() => assert(false));
  submit(() => submit(() => 0));
  await wait(all);
  const endings = await Promise.all(all.map(ending));
  assertEquals(endings, ["returned", "returned", "AssertionError", "returned", "returned"]);
}, POOL);

for (const [kind, type, own] of tasks.arriving) {
  test(`${kind} arrives as a built-in class, with all that is its own`, async () => {
    await using executor = newPool(1);
    const error = await executor.submit(tasks.fail, kind).exception();
    assertInstanceOf(error, type);
    const { name, message, cause, stack = "" } = error;
    assertEquals({ name, message, ...Object.fromEntries(Object.entries(error)) }, own);
    const causes = cause instanceof RangeError ? [`${cause}`, { ...cause }, cause.cause] : [];
    assertEquals(causes, kind === "TypeError" ? ["OwnError: why", { code: 3 }, "deep"] : []);
    if (error instanceof AggregateError) assertEquals(error.errors.map(String), ["TypeError: one"]);
    const lines = Deno.readTextFileSync(new URL(url)).split("\n");
    const line = 1 + lines.findIndex((text) => text.startsWith(`  ${kind}: () =>`));
    if (kind !== "OldError") assertStringIncludes(stack, `${url}:${line}:`);
  }, POOL);
}

test("a thrown value that is no error arrives as it is", async () => {
  await using executor = newPool(1);
  const kinds = ["string", "object", "undefined", "function", "a list"] as const;
  const all = kinds.map((kind) => executor.submit(tasks.fail, kind).result().catch((it) => [it]));
  const [text, object, nothing, ...refused] = await Promise.all(all);
  assertEquals<unknown>([text, object, nothing], [["text"], [{ n: 1n }], [undefined]]);
  assertEquals(refused.flat().map(nameOf), ["DataCloneError", "DataCloneError"]);
}, POOL);

for (const kind of [...Object.keys(tasks.crashes), "a stack that throws"]) {
  test(`${kind} fails that task alone with WorkerCrashError`, async () => {
    const fn = (kind in tasks.crashes ? tasks.crash : tasks.fail) as (kind: string) => unknown;
    for (const maxWorkers of [1, 2]) {
      await using executor = newPool(maxWorkers);
      const before = submitTicks(executor, tasks.tick);
      const future = executor.submit(fn, kind);
      const after = submitTicks(executor, tasks.lateTick);
      await Promise.all([before(), after()]);
      const error = await future.exception();
      assertInstanceOf(error, WorkerCrashError);
      if (/timer|microtask|promise/.test(kind)) {
        assertEquals(`${error.cause}`, "RangeError: escaped");
      }
      await submitTicks(executor, tasks.tick)();
    }
  }, POOL);
}

for (const kind of Object.keys(tasks.leftovers) as tasks.Leftover[]) {
  test(`${kind} left behind belongs to nobody and is shown; no task is lost`, async () => {
    using reports = new Reports();
    const timer = kind === "an error in a timer"; // it would fail what runs by then
    for (const maxWorkers of [1, 2]) {
      await using executor = newPool(maxWorkers);
      for (const round of range(8)) {
        const future = executor.submit(tasks.leave, kind, round % 3 ? 1 : "a function");
        const next = round % 2 ? tasks.tick : tasks.lateTick;
        if (!timer) await submitTicks(executor, next)();
        assertEquals(await ending(future), round % 3 ? "returned" : "DataCloneError");
        await until(() => reports.all.length > 0);
        assertStringIncludes(Deno.inspect(reports.all.pop()), "leave");
        if (timer) await submitTicks(executor, next)();
      }
    }
    assertEquals(reports.all, []);
  }, POOL);
}

test("what the last task leaves behind is shown before shutdown() resolves", async () => {
  using reports = new Reports();
  for (const round of range(9)) {
    const executor = newPool();
    await executor.submit(tasks.leave, "a rejected promise").result();
    await executor.shutdown();
    assertEquals(reports.all.length, round + 1);
  }
}, POOL);

test("in a worker submit and map throw when the task has ended: import.meta.main", async () => {
  await using executor = newPool(1);
  const errors = shared(2);
  await executor.submit(tasks.submitLater, errors).result();
  await until(() => errors.includes(2));
  assertEquals([...errors], [2, 0]);
  await submitTicks(executor, tasks.tick)();
}, POOL);

for (const [what, [module, cause]] of Object.entries(tasks.unloadable)) {
  test(`a module that ${what} fails every future with BrokenExecutorError`, async () => {
    await using executor = new WorkerPoolExecutor(module, { maxWorkers: 2 });
    const refused = executor.submit(tasks.echo<unknown>, () => 1);
    const all = range(9).map((n) => executor.submit(tasks.add, n, 1));
    const maps = orders.map((it) => executor.map(tasks.echo, range(9), { bufferSize: 3, ...it }));
    const completed = Array.fromAsync(asCompleted(all));
    for (const map of maps) await assertRejects(() => map.next(), BrokenExecutorError, module);
    for (const future of await completed) {
      const error = await future.exception();
      assertInstanceOf(error, BrokenExecutorError);
      assertStringIncludes(`${error.cause}`, cause);
    }
    assertEquals(await ending(refused), "DataCloneError");
    assertThrows(() => executor.submit(tasks.add, 1, 1), BrokenExecutorError);
    assertThrows(() => executor.map(tasks.echo, [1]), BrokenExecutorError);
  }, POOL);
}

test("a module that loads in one worker only leaves no future behind", async () => {
  await using dir = new TempDir();
  const module = `data:text/javascript,Deno.mkdirSync(${JSON.stringify(join(dir.path, "once"))})`;
  await using executor = new WorkerPoolExecutor(module, { maxWorkers: 2 });
  await executor.submit(tasks.add, 1, 1).exception();
  await wait(range(2000).map((n) => executor.submit(tasks.add, n, 1)));
  assertThrows(() => executor.submit(tasks.add, 1, 1), BrokenExecutorError);
}, { needs: ["read", "write"] });

test("map yields in the order of items, or with ordered: false in that of completion", async () => {
  for (const chunkSize of [1, 2, 7, 100]) {
    await using executor = newPool();
    for (const { ordered } of orders) {
      const gate = shared();
      const steps = range(20).map((value) => ({ value, ...(value === 0 && { gate }) }));
      const map = executor.map(tasks.step, steps.values(), { chunkSize, ordered });
      await executor.submit(tasks.add, 1, 1).result(); // by then, the first is the last
      tasks.tick(gate);
      const late = [...range(20).slice(chunkSize), ...range(20).slice(0, chunkSize)];
      assertEquals(await Array.fromAsync(map), ordered ? range(20) : late);
      assertEquals(await Array.fromAsync(executor.map(tasks.step, [], { ordered })), []);
    }
  }
}, POOL);

test("map submits when it is called, a chunk a message, not at the first next()", async () => {
  await using executor = newPool();
  const [started, gate] = [shared(), shared()];
  const items = Iterator.from(range(8)).map(() => ({ started, gate }));
  const map = executor.map(tasks.workerId, items, { chunkSize: 4 });
  assertEquals(items.next().done, true);
  await until(() => started[0] === 2);
  tasks.tick(gate);
  const ids = await Array.fromAsync(map);
  assert(ids[0] !== ids[4]);
  assertEquals(ids, range(8).map((n) => ids[n < 4 ? 0 : 4]));
}, POOL);

test("with bufferSize at most so many results are waiting or under way", async () => {
  await using executor = newPool();
  for (const [chunkSize, bufferSize] of [[1, 1], [1, 8], [3, 8], [100, 8]] as const) {
    for (const { ordered } of orders) {
      let [read, closed] = [0, 0];
      const items = Iterator.from({
        next: () => ({ value: { value: read++ } }),
        return: () => ({ value: closed++, done: true }),
      });
      const map = executor.map(tasks.step, items, { chunkSize, bufferSize, ordered });
      const values: number[] = [];
      for (const n of range(50)) {
        assert(0 < read && read <= n + bufferSize, `${read} items read when ${n} were out`);
        values.push((await map.next()).value);
      }
      if (ordered) assertEquals(values, range(50));
      assertEquals(new Set(values).size, 50);
      assertEquals([await map.return?.(), closed], [{ value: undefined, done: true }, 1]);
    }
  }
}, POOL);

test("an error surfaces at its own item, after the results before it", async () => {
  await using executor = newPool(1);
  const throwing = range(8).map((value) => ({ value, error: value === 4 ? "four" : "" }));
  const ending = function* () {
    yield* throwing.slice(0, 4);
    throw new Error("four");
  };
  for (const [chunkSize, bufferSize] of [[1, 100], [3, 100], [9, 100], [1, 2], [2, 5]] as const) {
    for (const { ordered } of orders) {
      const options = { chunkSize, bufferSize, ordered };
      for (const items of [throwing, ending()]) {
        const seen = await listToError(executor.map(tasks.step, items, options));
        assertEquals(seen, [...range(4), "Error"]);
      }
      const crash = executor.map(tasks.exitFor4, range(8), options);
      assertEquals(await listToError(crash), [...range(4), "WorkerCrashError"]);
    }
  }
}, POOL);

test("the timeout of map counts from the call, and cancels what has not started", async () => {
  for (const { ordered } of orders) {
    await using executor = newPool(1);
    const [started, gate, count] = [shared(), shared(), shared()];
    const steps = [{ value: 7 }, { started, gate }, { started: count }];
    const map = executor.map(tasks.step, steps, { timeout: 150, ordered });
    await until(() => started[0] === 1);
    await sleep(200);
    assertEquals((await map.next()).value, 7);
    const late = map.next().catch((error) => `${error}`);
    const first = `${await Promise.race([late, sleep(100)])}`;
    assertStringIncludes(first, "TimeoutError: not done within 150 ms");
    tasks.tick(gate);
    await executor.shutdown();
    assertEquals(count[0], 0);
  }
}, POOL);

const leavings: Record<string, (map: AsyncIterableIterator<unknown>) => Promise<unknown>> = {
  "a result throws": (map) => assertRejects(() => Array.fromAsync(map), Error, "second"),
  "the loop is left early": async (map) => {
    for await (const _ of map) break;
  },
  "it is closed before its first result": async (map) => await map.return?.(),
};

for (const [when, leave] of Object.entries(leavings)) {
  test(`what a map has not started is cancelled when ${when}`, async () => {
    for (const { ordered } of orders) {
      await using executor = newPool(1);
      const [gate, count] = [shared(), shared()];
      const rest = range(50).map(() => ({ started: count }));
      const steps = [{ value: 1 }, { error: "second" }, { gate }, ...rest];
      await leave(executor.map(tasks.step, steps, { ordered }));
      tasks.tick(gate);
      await executor.shutdown();
      assertEquals(count[0], 0);
    }
  }, POOL);
}

test("map over an endless generator keeps nothing of what has come out", async () => {
  for (const { ordered } of orders) {
    await using executor = newPool();
    const items = Iterator.from({ next: () => ({ value: new Uint8Array(200_000) }) });
    let [count, before] = [0, 0];
    for await (const { length } of executor.map(tasks.echo, items, { bufferSize: 8, ordered })) {
      assertEquals(length, 200_000);
      if (++count === 500) before = Deno.memoryUsage().rss;
      if (count === 2000) break;
    }
    assert(Deno.memoryUsage().rss - before < 150e6, "half of the 300 MB are still there");
  }
}, POOL);

test("shutdown() lets queued tasks finish, then ends the workers and resolves", async () => {
  const [gate, count] = [shared(), shared()];
  const all: Future<number>[] = [];
  {
    await using executor = newPool();
    range(2).map(() => executor.submit(tasks.beat, count));
    all.push(...range(20).map((value) => executor.submit(tasks.step, { gate, value })));
    executor.shutdown();
    assertEquals(all[19]?.state, "pending");
    tasks.tick(gate);
  }
  assertEquals(states(all), all.map(() => "finished"));
  assertEquals(await results(all), range(20));
  await silence(count);
}, { ...POOL, sanitizeOps: true });

test("shutdown({ cancelFutures: true }) cancels what has not started and tells all", async () => {
  const executor = newPool(1);
  const gate = shared();
  const held = executor.submit(tasks.step, { gate });
  const all = range(4).map(() => executor.submit(tasks.step, {}));
  const maps = orders.flatMap(({ ordered }) => [
    executor.map(tasks.step, [{}], { ordered }),
    executor.map(tasks.step, [{}, {}], { ordered, bufferSize: 1 }),
  ]);
  const told = [...maps.map((map) => map.next()), all[1]?.result(), all[2]?.exception()];
  const names = Promise.all(told.map((promise) => promise?.then(() => "", nameOf)));
  const waited = [Array.fromAsync(asCompleted(all)), wait(all).then(({ done }) => [...done])];
  await sleep(50);
  const ended = executor.shutdown({ cancelFutures: true });
  assertEquals(states([held, ...all]), ["running", ...all.map(() => "cancelled")]);
  assertEquals(await names, told.map(() => "CancelledError"));
  assertEquals(await Promise.all(waited), [all, all]);
  tasks.tick(gate);
  await ended;
}, POOL);

test("shutdown may be called again; wait: false resolves at once, the rest is behind", async () => {
  const executor = newPool(1);
  const [gate, count] = [shared(), shared()];
  await executor.submit(tasks.beat, count).result();
  const all = range(4).map(() => executor.submit(tasks.step, { gate }));
  const ended = [executor.shutdown()];
  await executor.shutdown({ wait: false });
  assertEquals(states(all), ["running", "pending", "pending", "pending"]);
  all[0]?.addDoneCallback(() => ended.push(executor.shutdown()));
  ended.push(executor.shutdown({ cancelFutures: true }));
  assertEquals(states(all), ["running", "cancelled", "cancelled", "cancelled"]);
  tasks.tick(gate);
  await Promise.all(ended);
  assertEquals(ended.length, 3);
  await Promise.all([...ended, executor.shutdown(), newPool().shutdown(), silence(count)]);
}, POOL);

test("submit and map after shutdown throw; a map yields what it has submitted", async () => {
  for (const { ordered } of orders) {
    const executor = newPool(1);
    const whole = executor.map(tasks.echo<number>, range(3), { ordered });
    const part = executor.map(tasks.echo<number>, range(9), { bufferSize: 3, ordered });
    const ended = executor.shutdown();
    const message = "cannot schedule new futures after shutdown";
    assertThrows(() => executor.submit(tasks.add, 1, 1), Error, message);
    assertThrows(() => executor.map(tasks.step, []), Error, message);
    await ended;
    assertEquals(await Array.fromAsync(whole), range(3));
    for (const n of range(3)) assertEquals((await part.next()).value, n);
    await assertRejects(() => part.next(), Error, message);
  }
}, POOL);

test("a task may open a pool of its own", async () => {
  await using executor = newPool();
  const all = [range(10), []].map((numbers) => executor.submit(tasks.sumInPool, numbers));
  assertEquals(await results(all), [45, 0]);
}, POOL);

/** Runs a program beside copies of the two files. */
async function run(source: string, allow = ["--allow-read"]): Promise<testing.Ended> {
  await using dir = new TempDir();
  const futures = join(testing.ROOT, "futures");
  Deno.mkdirSync(join(dir.path, "futures"));
  for (const { name } of Deno.readDirSync(futures)) {
    Deno.copyFileSync(join(futures, name), join(dir.path, "futures", name));
  }
  Deno.writeTextFileSync(join(dir.path, "main.ts"), source);
  const args = ["run", "--no-prompt", "--no-lock", "--quiet", ...allow, "main.ts"];
  return await testing.output(testing.deno(args, { cwd: dir.path }));
}

const programs: Record<string, () => Promise<void>> = {
  async "the examples print what their comments say"() {
    const source = await Deno.readTextFile(join(testing.ROOT, "futures/worker_pool.ts"));
    for (const example of source.match(/(?<=```ts\n)[^`]*(?=```)/g) ?? [""]) {
      const said = example.match(/(?<=console\.log\(.*\/\/ ).*/)?.[0].replaceAll(", ", "\n");
      const ended = await run(
        example.replaceAll(/^ *\* ?/gm, "").replaceAll("./mod.ts", "./futures/mod.ts"),
      );
      assertEquals(ended, { code: 0, stdout: `${said}\n`, stderr: "" });
    }
  },
};
programs["without the permission to read, a pool fails at once"] = async () => {
  const { code, stderr } = await run(`${tasks.prelude} newPool();`, []);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "NotCapable: Requires read access");
};
for (const [title, [source, stdout]] of Object.entries(tasks.programs)) {
  programs[title] = async () => {
    assertEquals(await run(tasks.prelude + source), { code: 0, stdout, stderr: "" });
  };
}
for (const [title, source] of Object.entries(tasks.unguarded)) {
  programs[`without a guard, ${title}: the program ends at once, with the advice`] = async () => {
    const { code, stdout, stderr } = await run(tasks.prelude + source);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, "import.meta.main");
  };
}
testing.testSideBySide("programs end as they should", programs, { needs: testing.PROGRAM });

/** Does this and that to a pool: each task has to run once or never, and every future to end. */
async function survive(seed: number): Promise<void> {
  const below = (n: number) => {
    seed = Math.imul(seed, 1664525) + 1013904223 | 0;
    return (seed >>> 8) % n;
  };
  const [maxWorkers, log] = [1 + below(3), shared(2000)];
  const executor = newPool(maxWorkers);
  const submitted: { job: tasks.Job; future: Future<unknown> }[] = [];
  const [came, maps]: [unknown[], Promise<void>[]] = [[], []];
  const kinds = Object.keys(tasks.jobs) as tasks.Job["kind"][];
  let count = 0;
  const newJob = (kind = kinds[below(2)] ?? "returns"): tasks.Job => ({ log, n: count++, kind });
  const readMap = async (size: number, stop: number) => {
    const options = { chunkSize: 1 + below(4), bufferSize: 1 + below(20), ordered: !below(2) };
    const items = Iterator.from(range(size)).map(() => newJob());
    const seen: unknown[] = [];
    try {
      for await (const n of executor.map(tasks.job, items, options)) {
        if (seen.push(n) === stop) break;
      }
      assertEquals(seen.length, Math.min(size, stop));
    } catch (error) {
      assert(/CancelledError|after shutdown/.test(`${error}`), `${error}`);
    }
    if (options.ordered) assertEquals(seen, seen.toSorted((a, b) => Number(a) - Number(b)));
    came.push(...seen);
  };
  for (let steps = 20 + below(60); steps > 0; steps--) {
    const what = below(12);
    if (what === 0) maps.push(readMap(below(30), 1 + below(30)));
    else if (what === 1) await sleep(below(4));
    else if (what < 4) submitted[below(submitted.length || 1)]?.future.cancel();
    else {
      const job = newJob(what < 9 ? undefined : kinds[below(kinds.length)]);
      if (job.kind === "is refused") job.refused = () => {};
      submitted.push({ job, future: executor.submit(tasks.job, job) });
    }
  }
  if (below(3) === 0) await executor.shutdown({ wait: false });
  await executor.shutdown({ cancelFutures: below(2) === 0 });
  await Promise.all(maps);
  const starts = [...log.slice(1, 1 + (log[0] ?? 0))];
  for (const { job: { n, kind }, future } of submitted) {
    assert(future.done(), `${kind} ${n}: ${future}`);
    const cancelled = future.cancelled();
    assertEquals(await ending(future), cancelled ? "cancelled" : tasks.jobs[kind][0], kind);
    if (!cancelled && kind !== "is refused") came.push(n);
    else assert(!starts.includes(n), `${kind} ${n} has run`);
  }
  assertEquals(came.filter((n) => !starts.includes(Number(n))), []);
  assertEquals(new Set(starts).size, starts.length);
  if (maxWorkers === 1) assertEquals(starts, starts.toSorted((a, b) => a - b));
}

test("each task runs once or is cancelled, whatever becomes of its pool", async () => {
  using _ = new Reports();
  let seed = Number(Deno.args[0] ?? Date.now() % 1e6);
  for (const end = performance.now() + 3000; performance.now() < end; seed++) {
    await survive(seed).catch((cause) => {
      throw new Error(`deno test -A tests/worker_pool_test.ts -- ${seed}`, { cause });
    });
  }
}, POOL);

// The last line of a plain "deno test", above its sum.
if (!testing.isGranted(testing.PROGRAM)) {
  test("what is ignored here runs with: deno test -A", () => {}, { ignore: true });
}
