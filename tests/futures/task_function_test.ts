/** The tests of how a worker finds the function of a task. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { type Future, WorkerPoolExecutor } from "../../futures/mod.ts";
import { test } from "../testing.ts";
import { newPool, POOL, range, TASKS_URL } from "./helpers.ts";
import * as tasks from "./pool_tasks.ts";
import { shared } from "./pool_tasks.ts";

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** Asserts that the error says which function and which module are meant, and what to write. */
async function assertAdvice(future: Future<unknown>, name: string, module = TASKS_URL) {
  const error = await future.exception();
  assertInstanceOf(error, TypeError);
  for (const part of [name, module]) assertStringIncludes(error.message, part);
  // If the advice names a function, the advice must be code that the user can write.
  const advice = error.message.match(/`export [^`]*`|export (?:it|the function|default)/)?.[0];
  assert(advice, `no advice on what to write in: ${error.message}`);
  const [, advised] = advice.match(/^`export (?:default )?function ([^`(]+)[`(]/) ?? [];
  if (advised !== undefined) assertMatch(advised, IDENTIFIER);
  return error.message;
}

test("a function that is not exported, or only shares a name, fails and never runs", async () => {
  await using executor = newPool(1);
  const count = shared();
  const samename = () => "the right one";
  const hidden = () => 1;
  const others = [hidden, () => 1, samename, Math.max] as ((count: Int32Array) => unknown)[];
  for (const round of [1, 2]) {
    for (const fn of others) {
      await assertAdvice(executor.submit(fn, count), fn.name);
      const error = await executor.map(fn, [count]).next().catch((error) => error);
      assertInstanceOf(error, TypeError);
      for (const part of [fn.name, TASKS_URL]) assertStringIncludes(error.message, part);
    }
    assertEquals(count[0], round - 1);
    assertEquals(await executor.submit(tasks.samename, count).result(), "the wrong one");
  }
}, POOL);

test("the variables that a function closes over do not travel to the worker", async () => {
  await using executor = newPool(1);
  const multiply = tasks.multiplier(10);
  assertEquals(multiply(2), 20);
  assertEquals(await executor.submit(multiply, 2).result(), 6);
}, POOL);

test("a function fails with a TypeError if two exports share its name and text", async () => {
  await using executor = newPool(1);
  for (const twin of [tasks.twin, tasks.twin2]) {
    const message = await assertAdvice(executor.submit(twin, 5), "twin");
    assertStringIncludes(message, "twin2");
    const [result] = await Promise.allSettled([executor.map(twin, [5]).next()]);
    assert(result.status === "rejected" && result.reason instanceof TypeError);
  }
  assertEquals(await executor.submit(tasks.add, 1, 2).result(), 3);
}, POOL);

test("an export under two names is the same function, and runs", async () => {
  const source = "export const f = () => 5; export const g = f; export default f;";
  const module = `data:text/javascript,${encodeURIComponent(source)}`;
  const { f }: { f: () => number } = await import(module);
  await using executor = new WorkerPoolExecutor(module, { maxWorkers: 1 });
  assertEquals(await executor.submit(f).result(), 5);
}, POOL);

const otherwiseExported = {
  "is the default export": [tasks.default, "defaultTask"],
  "is exported under another name": [tasks.exportedTask, "renamedTask"],
  "is bound": [tasks.bound, "bound echo"],
  "is a static method": [tasks.Tools.staticTask, "staticTask"],
} as const;

for (const [how, [fn, name]] of Object.entries(otherwiseExported)) {
  test(`a function that ${how} fails, and the error says what to write`, async () => {
    await using executor = newPool(1);
    const message = await assertAdvice(executor.submit(fn as (n: number) => unknown, 1), name);
    const said = message.replaceAll(TASKS_URL, "MODULE");
    assert(!/is not exported(?: by MODULE)?(?! by| under)/.test(said), message);
    assert(!message.includes("export it"), message);
  }, POOL);
}

test("submitting anything but a function fails with a TypeError that says so", async () => {
  await using executor = newPool(1);
  for (const value of [undefined, null, 5, "add", {}] as never[]) {
    for (
      const error of [
        await executor.submit(value).exception(),
        await executor.map(value, [1]).next().catch((error: unknown) => error),
      ]
    ) {
      assertInstanceOf(error, TypeError);
      assertMatch(error.message, /expected a function/);
      assertStringIncludes(error.message, Deno.inspect(value));
    }
  }
  assertEquals(await executor.submit(tasks.add, 1, 2).result(), 3);
}, POOL);

test("a function that fails does not break the tasks around it", async () => {
  await using executor = newPool(1);
  const hidden = (n: number) => n;
  const before = range(3).map((n) => executor.submit(tasks.echo, n));
  const wrong = executor.submit(hidden, 1);
  const after = range(3).map((n) => executor.submit(tasks.echo, n));
  assertInstanceOf(await wrong.exception(), TypeError);
  for (const futures of [before, after]) {
    assertEquals(await Promise.all(futures.map((future) => future.result())), range(3));
  }
}, POOL);
