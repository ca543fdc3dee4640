/** A worker that dies fails its own task only; what a finished task leaves behind fails no task. */
import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { WorkerCrashError, WorkerPoolExecutor } from "../../futures/mod.ts";
import { lacks, logErrors, until } from "./helpers.ts";

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

/** Ways to kill a worker: what the task does, why it lost its worker, and the cause. */
const CRASHES: Record<string, [task: () => unknown, reason: string, cause?: string]> = {
  "self.close()": [() => self.close(), "self.close() was called"],
  "Deno.exit(3)": [() => Deno.exit(3), "Deno.exit(3) was called"],
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
};

export const add = (a: number, b: number): number => a + b;
export const crash = (kind: string): unknown => CRASHES[kind]?.[0]();

export function leave(kind: string, result: unknown = "result"): unknown {
  LEFTOVERS[kind]?.[0]();
  return result === "a function" ? () => 1 : result;
}

for (const [kind, [, reason, cause]] of Object.entries(CRASHES)) {
  Deno.test(`${kind} fails its own task with a WorkerCrashError`, { ignore }, async () => {
    using errors = logErrors();
    await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 1 });
    const before = executor.submit(add, 1, 1);
    const error = await executor.submit(crash, kind).exception();
    assertInstanceOf(error, WorkerCrashError);
    assertEquals(error.message, `crash lost its worker: ${reason}`);
    assertEquals(error.cause && `${error.cause}`, cause);
    assertEquals([await before.result(), await executor.submit(add, 2, 2).result()], [2, 4]);
    await executor.shutdown();
    assertEquals(errors.logged, []);
  });
}

for (const [kind, [, reason]] of Object.entries(LEFTOVERS)) {
  Deno.test(`${kind} that a finished task leaves is logged once`, { ignore }, async () => {
    using errors = logErrors();
    await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 1 });
    const left = executor.submit(leave, kind);
    // A timer would kill the worker while it runs the next task.
    if (kind === "an error in a timer") await until(() => errors.logged.length > 0);
    assertEquals(await executor.submit(add, 1, 2).result(), 3);
    assertEquals([await left.result(), errors.logged.length], ["result", 1]);
    const line = `a worker stopped: ${reason}, after leave had finished`;
    assertStringIncludes(`${errors.logged[0]}`, line);
  });
}

Deno.test("shutdown() waits for the leftovers of the last tasks", { ignore }, async () => {
  using errors = logErrors();
  for (const result of ["a clone", "a function"]) {
    const executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2 });
    const futures = [1, 2].map(() => executor.submit(leave, "a rejection", result));
    await executor.shutdown();
    assertEquals(futures.map(({ state }) => state), ["finished", "finished"]);
    assertEquals(errors.logged.splice(0).length, 2);
  }
});
