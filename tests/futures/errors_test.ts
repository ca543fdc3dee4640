/** The tests of how thrown errors arrive. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { Reports, test } from "../testing.ts";
import { nameOf, newPool, POOL, TASKS_URL } from "./helpers.ts";
import * as tasks from "./pool_tasks.ts";

for (const [kind, type, own] of tasks.arriving) {
  test(`${kind} arrives as an instance of a built-in class, with its own fields`, async () => {
    await using executor = newPool(1);
    const future = executor.submit(tasks.fail, kind);
    const error = await future.exception();
    assertStrictEquals(await future.exception(), error);
    assertInstanceOf(error, type);
    const { name, message, cause, stack = "" } = error;
    assertEquals({ name, message, ...Object.fromEntries(Object.entries(error)) }, own);
    const causes = cause instanceof RangeError ? [`${cause}`, { ...cause }, cause.cause] : [];
    assertEquals(causes, kind === "TypeError" ? ["OwnError: why", { code: 3 }, "deep"] : []);
    if (error instanceof AggregateError) assertEquals(error.errors.map(String), ["TypeError: one"]);
    const lines = Deno.readTextFileSync(new URL(TASKS_URL)).split("\n");
    const line = 1 + lines.findIndex((text) => text.startsWith(`  ${kind}: () =>`));
    if (kind !== "OldError") assertStringIncludes(stack, `${TASKS_URL}:${line}:`);
  }, POOL);
}

test("a thrown value that is not an Error arrives unchanged", async () => {
  await using executor = newPool(1);
  const kinds = ["string", "object", "undefined", "function", "a list"] as const;
  const all = kinds.map((kind) => executor.submit(tasks.fail, kind).result().catch((it) => [it]));
  const [text, object, nothing, ...refused] = await Promise.all(all);
  assertEquals<unknown>([text, object, nothing], [["text"], [{ n: 1n }], [undefined]]);
  assertEquals(refused.flat().map(nameOf), ["DataCloneError", "DataCloneError"]);
}, POOL);

for (const kind of ["a frozen error", "a fixed cause", "a DOMException with odd fields"] as const) {
  test(`${kind} ends its own task, and the pool keeps running`, async () => {
    using reports = new Reports();
    await using executor = newPool(1);
    const error = await executor.submit(tasks.failOddly, kind).exception();
    assertInstanceOf(error, Error);
    if (error.cause !== undefined) assertEquals(`${error.cause}`, "TypeError: why");
    const map = executor.map(tasks.failOddly, [kind, kind], { chunkSize: 2 });
    assertInstanceOf(await map.next().catch((error) => error), Error);
    await executor.submit(tasks.leaveOddly, kind).result();
    assertEquals(await executor.submit(tasks.add, 1, 2).result(), 3);
    assertEquals(reports.all.length, 1);
  }, POOL);
}

test("a future whose task threw an error with an odd name still shows itself", async () => {
  await using executor = newPool(1);
  using reports = new Reports();
  const future = executor.submit(tasks.failOddly, "a name that is an object");
  let others = 0;
  future.addDoneCallback(() => {
    throw new Error("from a callback");
  });
  future.addDoneCallback(() => others++);
  assert(await future.exception() instanceof Error);
  assertEquals([others, reports.all.length], [1, 1]);
  assertStringIncludes(`${future}`, "state=finished raised ");
}, POOL);
