/** The tests of `map`. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { test } from "../testing.ts";
import {
  assertNotKept,
  listToError,
  newPool,
  orders,
  POOL,
  range,
  ShiftedClock,
  until,
} from "./helpers.ts";
import * as tasks from "./pool_tasks.ts";
import { shared, sleep } from "./pool_tasks.ts";

test("map yields in the order of items, or of completion with ordered: false", async () => {
  for (const chunkSize of [1, 2, 7, 100]) {
    await using executor = newPool();
    for (const { ordered } of orders) {
      const gate = shared();
      const steps = range(20).map((value) => ({ value, ...(value === 0 && { gate }) }));
      const map = executor.map(tasks.step, steps.values(), { chunkSize, ordered });
      // When this task has run, only the first chunk is unfinished.
      await executor.submit(tasks.add, 1, 1).result();
      tasks.tick(gate);
      const late = [...range(20).slice(chunkSize), ...range(20).slice(0, chunkSize)];
      assertEquals(await Array.fromAsync(map), ordered ? range(20) : late);
      assertEquals(await Array.fromAsync(executor.map(tasks.step, [], { ordered })), []);
    }
  }
}, POOL);

test("map submits one message per chunk when called, not at the first next()", async () => {
  await using executor = newPool();
  const started = shared();
  const gate = shared();
  const items = Iterator.from(range(8)).map(() => ({ started, gate }));
  const map = executor.map(tasks.workerId, items, { chunkSize: 4 });
  assertEquals(items.next().done, true);
  await until(() => started[0] === 2);
  tasks.tick(gate);
  const ids = await Array.fromAsync(map);
  assert(ids[0] !== ids[4]);
  assertEquals(ids, range(8).map((n) => ids[n < 4 ? 0 : 4]));
}, POOL);

test("map throws a TypeError when called with items that are not iterable", async () => {
  await using executor = newPool();
  async function* asyncItems() {
    yield 1;
  }
  for (const items of [5, undefined, null, {}, asyncItems(), Promise.resolve([1])] as never[]) {
    for (const { ordered } of orders) {
      const map = () => executor.map(tasks.echo, items, { ordered });
      assertThrows(map, TypeError, "iterable");
    }
  }
  assertEquals(await Array.fromAsync(executor.map(tasks.echo, "abc")), ["a", "b", "c"]);
}, POOL);

test("map throws a RangeError when called with options that make no sense", async () => {
  await using executor = newPool();
  for (const n of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    for (const name of ["chunkSize", "bufferSize"]) {
      const map = () => executor.map(tasks.echo, [], { [name]: n });
      assertThrows(map, RangeError, `${name}: expected a positive integer, got ${n}`);
    }
  }
  assertThrows(() => executor.map(tasks.echo, [], { timeout: NaN }), RangeError, "timeout");
}, POOL);

test("bufferSize limits the results that are in progress or not yet yielded", async () => {
  await using executor = newPool();
  for (const [chunkSize, bufferSize] of [[1, 1], [1, 8], [3, 8], [100, 8]] as const) {
    for (const { ordered } of orders) {
      let read = 0;
      let closed = 0;
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

test("map refills the buffer before it yields, so workers run during the loop body", async () => {
  await using executor = newPool(1);
  for (const bufferSize of [1, 3]) {
    for (const { ordered } of orders) {
      const started = shared();
      let read = 0;
      const items = Iterator.from({ next: () => ({ value: { started, value: read++ } }) });
      let yielded = 0;
      for await (const value of executor.map(tasks.step, items, { bufferSize, ordered })) {
        assertEquals(value, yielded);
        yielded++;
        assertEquals(read, yielded + bufferSize);
        // The worker does the task that was submitted last before the body of the loop ends.
        await until(() => started[0] === read);
        if (yielded === 12) break;
      }
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

for (const chunkSize of [1, 10]) {
  test(`map does not keep a result that it has yielded, with chunkSize ${chunkSize}`, async () => {
    await using executor = newPool();
    for (const { ordered } of orders) {
      const map = executor.map(tasks.wrap, range(30), { chunkSize, ordered });
      const refs: WeakRef<object>[] = [];
      const read = async () => {
        const { value } = await map.next();
        refs.push(new WeakRef(value));
      };
      for (const _ of range(15)) await read();
      await assertNotKept(refs, "yielded results");
      assertEquals((await Array.fromAsync(map)).length, 15);
    }
  }, POOL);
}

test("the timeout of map counts from the call, and cancels what has not started", async () => {
  for (const { ordered } of orders) {
    await using executor = newPool(1);
    const started = shared();
    const gate = shared();
    const count = shared();
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

test("a timeout of 2^31 ms never becomes a limit for a later result of map", async () => {
  using clock = new ShiftedClock();
  for (const { ordered } of orders) {
    await using executor = newPool(1);
    const gate = shared();
    const steps = [{ value: 1 }, { value: 2, gate }];
    const map = executor.map(tasks.step, steps, { timeout: 2 ** 31, ordered });
    assertEquals((await map.next()).value, 1);
    clock.advance(2 ** 31 + 1);
    const next = map.next();
    await Promise.race([next, sleep(5)]);
    tasks.tick(gate);
    assertEquals((await next).value, 2);
  }
}, POOL);

type Results = AsyncIterableIterator<unknown>;

const leavings: Record<string, (map: Results) => Promise<unknown>> = {
  "a result throws": (map) => assertRejects(() => Array.fromAsync(map), Error, "second"),
  "the loop is left early": async (map) => {
    for await (const _ of map) break;
  },
  "return() is called before the first next()": async (map) => await map.return?.(),
  "throw() is called before the first next()": async (map) => {
    await assertRejects(async () => await map.throw?.(new Error("thrown")), Error, "thrown");
  },
  "throw() is called after the first next()": async (map) => {
    await map.next();
    await assertRejects(async () => await map.throw?.(new Error("thrown")), Error, "thrown");
  },
};

for (const [when, leave] of Object.entries(leavings)) {
  test(`map cancels the tasks that have not started and closes items when ${when}`, async () => {
    for (const { ordered } of orders) {
      await using executor = newPool(1);
      const gate = shared();
      const count = shared();
      let closed = 0;
      const items = function* () {
        try {
          yield { value: 1 };
          yield { error: "second" };
          yield { gate };
          while (true) yield { started: count };
        } finally {
          closed++;
        }
      };
      const map = executor.map(tasks.step, items(), { ordered, bufferSize: 50 });
      await leave(map);
      assertEquals(closed, 1);
      assertEquals(await map.next(), { done: true, value: undefined });
      tasks.tick(gate);
      await executor.shutdown();
      assertEquals(count[0], 0);
    }
  }, POOL);
}

test("the caller of map sees the first error, even if closing items throws", async () => {
  await using executor = newPool(1);
  const closing = new Error("from closing");
  const newItems = () => {
    let n = 0;
    return Iterator.from({
      next: () => ({ value: { error: n++ === 1 ? "from the task" : "" } }),
      return() {
        throw closing;
      },
    });
  };
  for (const { ordered } of orders) {
    const newMap = () => executor.map(tasks.step, newItems(), { ordered, bufferSize: 5 });
    await assertRejects(() => Array.fromAsync(newMap()), Error, "from the task");
    const thrown = new Error("from throw()");
    const early = newMap();
    assertStrictEquals(await early.throw?.(thrown).catch((error) => error), thrown);
    const late = newMap();
    await late.next();
    assertStrictEquals(await late.throw?.(thrown).catch((error) => error), thrown);
    // Without an earlier error, the caller sees the error from closing, as in a for loop.
    for (
      const stop of [
        () => newMap().return?.(),
        async () => {
          for await (const _ of newMap()) break;
        },
      ]
    ) {
      const [{ status, reason }] = await Promise.allSettled([stop()]) as [PromiseRejectedResult];
      assertEquals(status, "rejected");
      assertStrictEquals(reason, closing);
    }
  }
}, POOL);

test("map over an endless generator does not retain yielded results", async () => {
  for (const { ordered } of orders) {
    await using executor = newPool();
    const items = Iterator.from({ next: () => ({ value: new Uint8Array(200_000) }) });
    let count = 0;
    let before = 0;
    for await (const { length } of executor.map(tasks.echo, items, { bufferSize: 8, ordered })) {
      assertEquals(length, 200_000);
      count++;
      if (count === 500) before = Deno.memoryUsage().rss;
      if (count === 2000) break;
    }
    assert(Deno.memoryUsage().rss - before < 150e6, "half of the 300 MB are still there");
  }
}, POOL);
