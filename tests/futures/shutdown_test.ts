/** The tests of `shutdown` and `terminateWorkers`. */

import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  asCompleted,
  type Future,
  wait,
  WorkerCrashError,
  type WorkerPoolExecutor,
} from "../../futures/mod.ts";
import { test } from "../testing.ts";
import {
  ending,
  listToError,
  nameOf,
  newPool,
  orders,
  POOL,
  range,
  results,
  silence,
  statesOf,
  until,
} from "./helpers.ts";
import * as tasks from "./pool_tasks.ts";
import { shared, sleep } from "./pool_tasks.ts";

const AFTER_SHUTDOWN = "cannot schedule new futures after shutdown";

test("shutdown() lets queued tasks finish, then ends the workers and resolves", async () => {
  const gate = shared();
  const count = shared();
  const all: Future<number>[] = [];
  {
    await using executor = newPool();
    for (const _ of range(2)) executor.submit(tasks.beat, count);
    all.push(...range(20).map((value) => executor.submit(tasks.step, { gate, value })));
    executor.shutdown();
    assertEquals(all[19]?.state, "pending");
    tasks.tick(gate);
  }
  assertEquals(statesOf(all), all.map(() => "finished"));
  assertEquals(await results(all), range(20));
  await silence(count);
}, { ...POOL, sanitizeOps: true });

test("cancelFutures cancels pending tasks and notifies everyone who waits for them", async () => {
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
  assertEquals(statesOf([held, ...all]), ["running", ...all.map(() => "cancelled")]);
  assertEquals(await names, told.map(() => "CancelledError"));
  assertEquals(await Promise.all(waited), [all, all]);
  tasks.tick(gate);
  await ended;
}, POOL);

test("shutdown() may be called again, and resolves at once with wait: false", async () => {
  const executor = newPool(1);
  const gate = shared();
  const count = shared();
  await executor.submit(tasks.beat, count).result();
  const all = range(4).map(() => executor.submit(tasks.step, { gate }));
  const ended = [executor.shutdown()];
  await executor.shutdown({ wait: false });
  assertEquals(statesOf(all), ["running", "pending", "pending", "pending"]);
  all[0]?.addDoneCallback(() => ended.push(executor.shutdown()));
  ended.push(executor.shutdown({ cancelFutures: true }));
  assertEquals(statesOf(all), ["running", "cancelled", "cancelled", "cancelled"]);
  tasks.tick(gate);
  await Promise.all(ended);
  assertEquals(ended.length, 3);
  await Promise.all([...ended, executor.shutdown(), newPool().shutdown(), silence(count)]);
}, POOL);

test("submit and map throw after shutdown; a map still yields what it has submitted", async () => {
  for (const { ordered } of orders) {
    const executor = newPool(1);
    const whole = executor.map(tasks.echo<number>, range(3), { ordered });
    const part = executor.map(tasks.echo<number>, range(9), { bufferSize: 3, ordered });
    const ended = executor.shutdown();
    assertThrows(() => executor.submit(tasks.add, 1, 1), Error, AFTER_SHUTDOWN);
    assertThrows(() => executor.map(tasks.step, []), Error, AFTER_SHUTDOWN);
    await ended;
    assertEquals(await Array.fromAsync(whole), range(3));
    for (const n of range(3)) assertEquals((await part.next()).value, n);
    await assertRejects(() => part.next(), Error, AFTER_SHUTDOWN);
  }
}, POOL);

test("terminateWorkers() cancels pending futures and fails running ones at once", async () => {
  const executor = newPool(2);
  const count = shared();
  const running = range(2).map(() => executor.submit(tasks.beatForever, count));
  const pending = range(4).map((n) => executor.submit(tasks.echo, n));
  await until(() => count[0] !== 0);
  const completed = Array.fromAsync(asCompleted([...running, ...pending]));
  const ended = executor.terminateWorkers();
  assertEquals(statesOf(running), ["finished", "finished"]);
  assertEquals(statesOf(pending), pending.map(() => "cancelled"));
  for (const future of running) assertInstanceOf(await future.exception(), WorkerCrashError);
  assertEquals((await completed).length, 6);
  await ended;
  await silence(count);
  assertThrows(() => executor.submit(tasks.add, 1, 1), Error, AFTER_SHUTDOWN);
  assertThrows(() => executor.map(tasks.step, []), Error, AFTER_SHUTDOWN);
}, POOL);

test("terminateWorkers() works while a shutdown() is still waiting", async () => {
  for (const options of [{}, { wait: false }, { cancelFutures: true }]) {
    const executor = newPool(1);
    const count = shared();
    const running = executor.submit(tasks.beatForever, count);
    const pending = executor.submit(tasks.echo, 1);
    await until(() => count[0] !== 0);
    const shutdown = executor.shutdown(options);
    await Promise.race([sleep(5), options.wait === false ? undefined : shutdown]);
    assertEquals(running.state, "running");
    await Promise.all([executor.terminateWorkers(), shutdown]);
    assertEquals([await ending(running), await ending(pending)], ["WorkerCrashError", "cancelled"]);
    await Promise.all([executor.shutdown(), executor.terminateWorkers(), silence(count)]);
  }
}, POOL);

test("terminateWorkers() ends idle pools, and workers that have not started", async () => {
  await newPool().terminateWorkers();
  const idle = newPool(1);
  await idle.submit(tasks.add, 1, 1).result();
  await idle.terminateWorkers();
  const count = shared();
  const starting = newPool(4);
  const all = range(6).map(() => starting.submit(tasks.tick, count));
  await starting.terminateWorkers();
  assertEquals(await Promise.all(all.map(ending)), [
    ...range(4).map(() => "WorkerCrashError"),
    "cancelled",
    "cancelled",
  ]);
  await sleep(50);
  assertEquals(count[0], 0);
}, { ...POOL, sanitizeOps: true });

test("a map ends with an error when terminateWorkers() is called", async () => {
  for (const { ordered } of orders) {
    const executor = newPool(1);
    const count = shared();
    const items = [count, count, count];
    const options = { ordered, bufferSize: 2 };
    const running = listToError(executor.map(tasks.beatForever, items, options));
    const pending = listToError(executor.map(tasks.echo, range(3), { ordered }));
    await until(() => count[0] !== 0);
    await executor.terminateWorkers();
    // Unordered, the map may see the cancelled chunk first.
    const [error] = await running;
    assertEquals(ordered ? error : "WorkerCrashError", "WorkerCrashError");
    assertEquals((await running).length, 1);
    assertEquals(await pending, ["CancelledError"]);
  }
}, POOL);

const waysToEnd: Record<string, (executor: WorkerPoolExecutor) => Promise<void>> = {
  "shutdown()": (executor) => executor.shutdown(),
  "terminateWorkers()": (executor) => executor.terminateWorkers(),
};

for (const [how, end] of Object.entries(waysToEnd)) {
  test(`${how} may be called in a done callback, also of a task that cannot be sent`, async () => {
    for (const fn of [tasks.echo<unknown>, undefined as never]) {
      const executor = newPool(1);
      const gate = shared();
      const held = executor.submit(tasks.step, { gate });
      const refused = executor.submit(fn, () => 1);
      const last = executor.submit(tasks.echo, 1);
      const ended = new Promise<void>((resolve, reject) => {
        refused.addDoneCallback(() => end(executor).then(resolve, reject));
      });
      tasks.tick(gate);
      await ended;
      const outcome = how === "shutdown()" ? "returned" : await ending(last);
      assertEquals(await ending(last), outcome);
      assertEquals([await ending(held), refused.state], ["returned", "finished"]);
      assertThrows(() => executor.submit(tasks.add, 1, 1), Error, AFTER_SHUTDOWN);
    }
  }, POOL);
}
