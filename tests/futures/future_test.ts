/** A future holds the outcome of a task; `asCompleted` and `wait` wait for futures. */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import * as mod from "../../futures/mod.ts";
import {
  asCompleted,
  CancelledError,
  Future,
  InvalidStateError,
  TimeoutError,
  wait,
} from "../../futures/mod.ts";
import { assertNotKept, logErrors, range, replace, sleep } from "./helpers.ts";

const sanitizeOps = true; // these tests fail if they leave a timer behind

/** Returns a future in each state, with the functions that control it. */
function inEveryState() {
  const pending = Future.withResolvers<number>();
  const running = Future.withResolvers<number>();
  const cancelled = Future.withResolvers<number>();
  const finished = Future.withResolvers<number>();
  running.start();
  cancelled.future.cancel();
  finished.resolve(1);
  const all = [pending, running, cancelled, finished].map(({ future }) => future);
  return { pending, running, cancelled, finished, all };
}

Deno.test("mod.ts exports the public names and nothing else", () => {
  const names = "BrokenExecutorError CancelledError Future InvalidStateError TimeoutError " +
    "WorkerCrashError WorkerPoolExecutor asCompleted wait";
  assertEquals(Object.keys(mod).sort(), names.split(" "));
});

Deno.test("a future has no then method", () => {
  for (const future of inEveryState().all) assert(!("then" in future));
});

Deno.test("only a pending future can be cancelled, and the methods agree on the state", () => {
  const look = (it: Future<number>) => [it.state, it.cancelled(), it.running(), it.done()];
  const seen = inEveryState().all.map((it) => [...look(it), it.cancel(), it.cancel(), it.state]);
  assertEquals(seen, [
    ["pending", false, false, false, true, true, "cancelled"],
    ["running", false, true, false, false, false, "running"],
    ["cancelled", true, false, true, true, true, "cancelled"],
    ["finished", false, false, true, false, false, "finished"],
  ]);
});

Deno.test("start() makes a pending future running and returns false for a cancelled one", () => {
  const { pending, running, cancelled, finished } = inEveryState();
  assertEquals([pending.start(), pending.future.state], [true, "running"]);
  assertEquals([cancelled.start(), cancelled.future.state], [false, "cancelled"]);
  for (const { start } of [running, finished]) assertThrows(start, InvalidStateError);
});

Deno.test("settling a future twice throws an error that shows its state and the future", async () => {
  const { cancelled, finished } = inEveryState();
  for (const { future, resolve, reject } of [cancelled, finished]) {
    for (const settle of [() => resolve(2), () => reject(new Error())]) {
      const { message } = assertThrows(settle, InvalidStateError);
      assertStringIncludes(message, `got ${future.state}: ${future}`);
    }
  }
  assertEquals(await finished.future.result(), 1);
});

Deno.test("result() resolves to the value at every call", { sanitizeOps }, async () => {
  const { pending, running } = inEveryState();
  for (const { future, resolve } of [pending, running]) {
    const early = [future.result({ timeout: 60_000 }), future.exception()];
    resolve(5);
    const late = [future.result({ timeout: 0 }), future.exception()];
    assertEquals(await Promise.all([...early, ...late]), [5, undefined, 5, undefined]);
  }
});

Deno.test("result() rejects with what the task threw, the same object every time", async () => {
  for (const error of [new TypeError("no such flag"), undefined]) {
    const { future, reject } = Future.withResolvers();
    const seen = [future.result().catch((reason) => reason), future.exception()];
    reject(error);
    seen.push(future.result().catch((reason) => reason), future.exception());
    for (const reason of await Promise.all(seen)) assertStrictEquals(reason, error);
  }
});

Deno.test("result() and exception() of a cancelled future reject with CancelledError", async () => {
  const { pending, cancelled } = inEveryState();
  const early = [pending.future.result(), pending.future.exception()];
  pending.future.cancel();
  for (const promise of [...early, cancelled.future.result(), cancelled.future.exception()]) {
    await assertRejects(() => promise, CancelledError);
  }
});

Deno.test("a TimeoutError shows the timeout and the future", { sanitizeOps }, async () => {
  for (const timeout of [1, 0]) {
    const { future, resolve } = inEveryState().running;
    const seen = [future.result({ timeout }), future.exception({ timeout })];
    if (timeout === 0) resolve(1); // too late
    const message = `not done within ${timeout} ms: <Future #`;
    for (const promise of seen) await assertRejects(() => promise, TimeoutError, message);
  }
});

Deno.test("a timeout of more than 24 days does not pass early", { sanitizeOps }, async () => {
  const { future, resolve } = inEveryState().pending;
  const results = [2 ** 31, Infinity].map((timeout) => future.result({ timeout }));
  await sleep(2); // `setTimeout` would run such a timer after 1 ms.
  resolve(5);
  assertEquals(await Promise.all(results), [5, 5]);
});

Deno.test("a future forgets the callers whose timeout has passed", async () => {
  const { future } = inEveryState().running;
  const refs: WeakRef<object>[] = [];
  const call = async (promise: Promise<unknown>) => {
    refs.push(new WeakRef(promise));
    await promise.catch(() => {});
  };
  await call(future.result({ timeout: 1 }));
  await call(wait([future], { timeout: 1 }));
  await assertNotKept(refs);
  assertEquals(future.state, "running");
});

Deno.test("an error that nobody reads stays in its future", async () => {
  const { pending: { future, reject } } = inEveryState();
  reject("kept");
  await wait([future]);
  await sleep(); // Deno would report a rejection that nobody handles.
  assertEquals(await future.exception(), "kept");
});

Deno.test("callbacks run synchronously, in their order, unless they are removed", () => {
  const { future, resolve } = inEveryState().running;
  const seen: unknown[] = [];
  const removed = () => seen.push("removed");
  future.addDoneCallback(removed);
  future.addDoneCallback((it) => seen.push(it === future, it.state));
  future.addDoneCallback(() => future.addDoneCallback(() => seen.push("nested")));
  future.addDoneCallback(removed);
  future.addDoneCallback(() => seen.push("last"));
  future.removeDoneCallback(removed);
  resolve(1);
  assertEquals(seen, [true, "finished", "nested", "last"]);
});

Deno.test("the error of a callback goes to console.error, and the other callbacks run", () => {
  using errors = logErrors();
  const { future, resolve } = inEveryState().pending;
  future.addDoneCallback(() => {
    throw new Error("from a callback");
  });
  future.addDoneCallback(() => console.error("the other one"));
  resolve(1);
  const logged = errors.logged.map((args) => `${args.at(-1)}`);
  assertEquals(logged, ["Error: from a callback", "the other one"]);
});

Deno.test("toString() and console.log show the number and the state of a future", () => {
  const shown = inEveryState().all.map((future) => Deno.inspect(future));
  const states = shown.map((text) => text.replace(/^<Future #\d+ state=(.*)>$/, "$1"));
  assertEquals(states, ["pending", "running", "cancelled", "finished returned number"]);
  assertEquals(new Set(shown.map((text) => text.match(/#\d+/)?.[0])).size, 4);
});

Deno.test("toString() of a finished future shows the type or class of the value", () => {
  class OwnError extends Error {}
  const named = Object.assign(new Error(), { name: "FromAWorker" });
  const oddName = Object.assign(new Error(), { name: { toString: null } });
  const values = [1n, null, [], Object.create(null), new OwnError(), named, oddName];
  const types = ["bigint", "null", "Array", "Object", "OwnError", "FromAWorker", "Object"];
  const shown = values.map((value) => {
    const { future, reject } = Future.withResolvers();
    reject(value);
    return `${future}`.match(/ state=finished raised (\w+)>$/)?.[1];
  });
  assertEquals(shown, types);
});

Deno.test("asCompleted yields each future once, and first those that are done", async () => {
  const all = range(5).map(() => Future.withResolvers<number>());
  const futures = all.map(({ future }) => future);
  all[3]?.resolve(3);
  all[1]?.reject(new Error("as it is"));
  const completed = asCompleted([...futures, ...futures].values());
  const seen = [await completed.next(), await completed.next()];
  const next = completed.next();
  all[2]?.resolve(2);
  futures[0]?.cancel();
  all[4]?.resolve(3);
  seen.push(await next, await completed.next(), await completed.next(), await completed.next());
  const expected = [1, 3, 2, 0, 4].map((n) => futures[n]);
  assertEquals(seen.map(({ value }) => value), [...expected, undefined]);
});

Deno.test("asCompleted does not keep what it yielded", async () => {
  const all = range(5).map(() => Future.withResolvers<object>());
  const refs: WeakRef<object>[] = [];
  const completed = asCompleted(all.map(({ future }) => future));
  const settle = () => all.shift()?.resolve({});
  settle();
  const read = async () => {
    const next = completed.next();
    settle();
    const { value } = await next;
    refs.push(new WeakRef(value), new WeakRef(await value.result()));
  };
  for (const _ of range(4)) await read();
  await assertNotKept(refs);
  assertEquals([(await completed.next()).done, (await completed.next()).done], [false, true]);
});

Deno.test("asCompleted throws a TimeoutError with the counts after what is done", async () => {
  const { cancelled, all } = inEveryState();
  for (const timeout of [0, 1]) {
    const completed = asCompleted([...all, ...all], { timeout });
    assertEquals((await completed.next()).value, cancelled.future);
    await completed.next();
    const message = "2 (of 4) futures unfinished";
    await assertRejects(() => completed.next(), TimeoutError, message);
  }
});

Deno.test("the timeout of asCompleted counts from the first next()", { sanitizeOps }, async () => {
  let now = 0;
  using _ = replace(performance, "now", () => now);
  const { running, finished } = inEveryState();
  const completed = asCompleted([finished.future, running.future], { timeout: 60_000 });
  now = 60_000;
  assertEquals((await completed.next()).value, finished.future);
  now += 59_000;
  const next = completed.next();
  running.resolve(2);
  assertEquals((await next).value, running.future);
});

Deno.test("an asCompleted loop that is left early forgets its futures", async () => {
  const { finished, pending } = inEveryState();
  const other = new WeakRef(Future.withResolvers().future);
  const futures = [finished.future, other.deref() ?? finished.future, pending.future];
  for await (const _ of asCompleted(futures.splice(0))) break;
  await assertNotKept([other]);
  assertEquals(pending.future.state, "pending");
});

Deno.test("wait waits for all futures, also for those that fail or are cancelled", async () => {
  const { pending, running, all } = inEveryState();
  const waiting = wait([...all, ...all].values(), { timeout: 60_000 });
  running.reject(new Error());
  await sleep();
  pending.future.cancel();
  assertEquals(await waiting, { done: new Set(all), notDone: new Set() });
  assertEquals(await wait([]), { done: new Set(), notDone: new Set() });
});

Deno.test("wait returns the unfinished futures in notDone when its timeout expires", async () => {
  const { pending, running, cancelled, finished, all } = inEveryState();
  for (const timeout of [0, 1]) {
    assertEquals(await wait(all, { timeout }), {
      done: new Set([cancelled.future, finished.future]),
      notDone: new Set([pending.future, running.future]),
    });
  }
});

Deno.test("FIRST_COMPLETED waits for one future, and reports all that are done", async () => {
  const { pending, running, cancelled } = inEveryState();
  const futures = [pending.future, running.future];
  const waiting = wait(futures, { returnWhen: "FIRST_COMPLETED" });
  running.resolve(1);
  const expected = { done: new Set([running.future]), notDone: new Set([pending.future]) };
  assertEquals(await waiting, expected);
  const { done } = await wait([...futures, cancelled.future], { returnWhen: "FIRST_COMPLETED" });
  assertEquals(done, new Set([running.future, cancelled.future]));
});

Deno.test("FIRST_EXCEPTION waits for a failure, or for all futures if none fails", async () => {
  const first = inEveryState();
  const failing = wait(first.all, { returnWhen: "FIRST_EXCEPTION" });
  first.running.reject(undefined);
  assertEquals((await failing).notDone, new Set([first.pending.future]));
  const second = inEveryState();
  const succeeding = wait(second.all, { returnWhen: "FIRST_EXCEPTION" });
  second.running.resolve(2);
  await sleep();
  second.pending.resolve(2);
  assertEquals((await succeeding).done, new Set(second.all));
});
