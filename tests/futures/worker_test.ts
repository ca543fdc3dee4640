/** A worker that dies fails its own task only; what a finished task leaves behind fails no task. */
import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import process from "node:process";
import { WorkerCrashError, WorkerPoolExecutor } from "../../futures/mod.ts";
import { lacks, LoggedErrors, sleep, until } from "./helpers.ts";

const ignore = lacks("read");

const never = new Promise<never>(() => {});

function rejectLater(reason: unknown = new RangeError("escaped")): Promise<never> {
  Promise.reject(reason);
  return never;
}

function throwLater(): Promise<never> {
  setTimeout(() => {
    throw new RangeError("escaped");
  });
  return never;
}

async function closeLater(): Promise<never> {
  await sleep();
  self.close();
  return never;
}

/** Ways to kill a worker: what the task does, why it lost its worker, and the cause. */
const CRASHES: Record<string, [task: () => unknown, reason: string, cause?: string]> = {
  "self.close()": [() => self.close(), "self.close() was called"],
  "self.close() in a task that waits": [closeLater, "self.close() was called"],
  "Deno.exit(3)": [() => Deno.exit(3), "Deno.exit(3) was called"],
  "process.exit(3)": [() => process.exit(3), "Deno.exit(3) was called"],
  "an error in a timer": [throwLater, "an error was not caught", "RangeError: escaped"],
  "a rejection": [rejectLater, "a rejected promise was not handled", "RangeError: escaped"],
};

/** What a task may leave behind when it returns, and the reason that is logged. */
const LEFTOVERS: Record<string, [task: () => unknown, reason: string]> = {
  "a rejection": [() => rejectLater(), "a rejected promise was not handled"],
  "a rejection that cannot be cloned": [
    () => rejectLater(() => 1),
    "a rejected promise was not handled",
  ],
  "an error in a timer": [throwLater, "an error was not caught"],
  "a call of self.close() in a timer": [closeLater, "self.close() was called"],
};

export const add = (a: number, b: number): number => a + b;
export const crash = (kind: string): unknown => CRASHES[kind]?.[0]();

export function leave(kind: string, result: unknown = "result"): unknown {
  LEFTOVERS[kind]?.[0]();
  return result === "a function" ? () => 1 : result;
}

for (const [kind, [, reason, cause]] of Object.entries(CRASHES)) {
  Deno.test(`${kind} fails its own task with a WorkerCrashError`, { ignore }, async () => {
    using logged = new LoggedErrors();
    for (const maxWorkers of [1, 2]) {
      await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers });
      const futures = [
        executor.submit(add, 1, 1),
        executor.submit(crash, kind),
        executor.submit(add, 2, 2),
      ];
      const [before, error, after] = await Promise.all(futures.map((it) => it.exception()));
      assertEquals([before, after], [undefined, undefined]);
      assertInstanceOf(error, WorkerCrashError);
      assertEquals(error.message, `crash lost its worker: ${reason}`);
      assertEquals(error.cause && `${error.cause}`, cause);
    }
    assertEquals(logged.all, []);
  });
}

for (const [kind, [, reason]] of Object.entries(LEFTOVERS)) {
  Deno.test(`${kind} that a finished task leaves is logged once`, { ignore }, async () => {
    using logged = new LoggedErrors();
    await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 1 });
    const left = executor.submit(leave, kind);
    // A timer would kill the worker while it runs the next task.
    const isTimer = kind.includes("timer");
    const next = isTimer ? [] : [1, 2, 3].map((n) => executor.submit(add, n, n));
    assertEquals(await left.result(), "result");
    await until(() => logged.all.length > 0);
    assertEquals(
      await Promise.all(next.map((future) => future.result())),
      isTimer ? [] : [2, 4, 6],
    );
    assertEquals(await executor.submit(add, 1, 2).result(), 3);
    assertEquals(logged.all.length, 1);
    assertStringIncludes(
      `${logged.all[0]}`,
      `a worker stopped: ${reason}, after leave had finished`,
    );
  });
}

Deno.test("shutdown() waits for the leftovers of the last tasks", { ignore }, async () => {
  using logged = new LoggedErrors();
  for (const result of ["a clone", "a function"]) {
    const executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2 });
    const futures = [1, 2].map(() => executor.submit(leave, "a rejection", result));
    await executor.shutdown();
    assertEquals(futures.map(({ state }) => state), ["finished", "finished"]);
    assertEquals(logged.all.splice(0).length, 2);
  }
});
