/** The tests of how thrown errors arrive. */

import {
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { test } from "../testing.ts";
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
