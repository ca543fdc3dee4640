/** The tests of what travels between a pool and its workers, and of what is refused. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { type Future, wait } from "../../futures/mod.ts";
import { test } from "../testing.ts";
import { ending, listToError, newPool, POOL, range, submitTicks } from "./helpers.ts";
import * as tasks from "./pool_tasks.ts";
import { shared } from "./pool_tasks.ts";

test("arguments and results travel as structured clones; shared memory is shared", async () => {
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
  test(`${kind} fails with a DataCloneError; the pool keeps running`, async () => {
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
    // A worker cannot read further messages after this one.
    if (kind === "a list of 2,700 nodes") return;
    assertEquals(await executor.submit(tasks.workerId).result(), worker);
  }, POOL);
}

test("the pool does not look for values that arrive as {} deep inside another value", async () => {
  await using executor = newPool(1);
  const inside = [new URL("https://deno.com"), new AbortController().signal];
  assertEquals<unknown>(await executor.submit(tasks.echo, inside).result(), [{}, {}]);
}, POOL);

test("a future ends even if a getter of its argument cancels it, throws or submits", async () => {
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

test("a RangeError thrown by a getter of a value stays the user's own error", async () => {
  await using executor = newPool(1);
  const error = new RangeError("the user's own error");
  const value = Object.defineProperty({}, "x", {
    enumerable: true,
    get() {
      throw error;
    },
  });
  assert(await executor.submit(tasks.echo, value).exception() === error);
  assert(await executor.map(tasks.echo, [value]).next().catch((error) => error) === error);
  const thrown = await executor.submit(tasks.makeThrowingGetter).exception();
  assertInstanceOf(thrown, RangeError);
  assertEquals(thrown.message, "thrown by a getter of the result");
}, POOL);

test("done callbacks may submit thousands of tasks that cannot be sent", async () => {
  for (const maxWorkers of [1, 2]) {
    await using executor = newPool(maxWorkers);
    const gate = shared();
    const held = range(maxWorkers).map(() => executor.submit(tasks.step, { gate }));
    const all: Future<unknown>[] = [];
    const submit = () => {
      const future = executor.submit(tasks.echo<unknown>, () => 1);
      all.push(future);
      return future;
    };
    for (const _ of range(3000)) submit().addDoneCallback(submit);
    const check = submitTicks(executor, tasks.tick);
    tasks.tick(gate);
    await check();
    await wait([...held, ...all.slice(0, 3000)]);
    await wait(all);
    const endings = await Promise.all(all.map(ending));
    assertEquals(endings, range(6000).map(() => "DataCloneError"));
  }
}, POOL);
