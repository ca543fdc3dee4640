/** The tests of workers that die, while they run a task and afterwards. */

import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { WorkerCrashError } from "../../futures/mod.ts";
import { Reports, test } from "../testing.ts";
import { ending, newPool, POOL, range, submitTicks, until } from "./helpers.ts";
import * as tasks from "./pool_tasks.ts";

for (const kind of [...Object.keys(tasks.crashes), "a stack that throws"]) {
  test(`${kind} fails only its own task, with a WorkerCrashError`, async () => {
    using reports = new Reports();
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
    assertEquals(reports.all, []);
  }, POOL);
}

for (const kind of Object.keys(tasks.leftovers) as tasks.Leftover[]) {
  test(`${kind} left by a finished task is logged and fails no other task`, async () => {
    using reports = new Reports();
    // A timer would fail the task that runs when it fires.
    const isTimer = kind.includes("timer");
    for (const maxWorkers of [1, 2]) {
      await using executor = newPool(maxWorkers);
      for (const round of range(maxWorkers === 1 ? 6 : 3)) {
        const future = executor.submit(tasks.leave, kind, round % 3 ? 1 : "a function");
        const next = round % 2 ? tasks.tick : tasks.lateTick;
        if (!isTimer) await submitTicks(executor, next)();
        assertEquals(await ending(future), round % 3 ? "returned" : "DataCloneError");
        await until(() => reports.all.length > 0);
        assertStringIncludes(Deno.inspect(reports.all.pop()), "leave");
        if (isTimer) await submitTicks(executor, next)();
      }
    }
    assertEquals(reports.all, []);
  }, POOL);
}

test("errors left by the last task are logged before shutdown() resolves", async () => {
  using reports = new Reports();
  for (const round of range(9)) {
    const executor = newPool();
    await executor.submit(tasks.leave, "a rejected promise").result();
    await executor.shutdown();
    assertEquals(reports.all.length, round + 1);
  }
}, POOL);

test("a WorkerCrashError names its task, and has a cause only if there was an error", async () => {
  await using executor = newPool(1);
  for (const kind of ["self.close()", "Deno.exit(3)", "an error thrown from a timer"] as const) {
    const error = await executor.submit(tasks.crash, kind).exception();
    assertInstanceOf(error, WorkerCrashError);
    assertStringIncludes(error.message, "crash");
    const isError = kind === "an error thrown from a timer";
    if (!isError) assertStringIncludes(error.message, kind);
    assertEquals("cause" in error && error.cause !== undefined, isError);
  }
}, POOL);
