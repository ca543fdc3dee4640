/** The tests of `Future`. They use no workers and need no permissions. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import * as futures from "../../futures/mod.ts";
import {
  asCompleted,
  CancelledError,
  Future,
  InvalidStateError,
  TimeoutError,
  wait,
} from "../../futures/mod.ts";
import { Reports, test } from "../testing.ts";
import { inEveryState } from "./helpers.ts";
import { sleep } from "./pool_tasks.ts";

// Deno fails a test that leaves a rejection unhandled.

test("mod.ts exports the public names and nothing else", () => {
  const names = [
    "BrokenExecutorError",
    "CancelledError",
    "Future",
    "InvalidStateError",
    "TimeoutError",
    "WorkerCrashError",
    "WorkerPoolExecutor",
    "asCompleted",
    "wait",
  ];
  assertEquals(Object.keys(futures).sort(), names);
});

test("a future is not thenable: awaiting it returns the future itself", async () => {
  const { all } = inEveryState();
  assertEquals(await Promise.all(all), all);
  for (const future of all) assert(!("then" in future));
});

test("the methods agree on the state; a running or finished future cannot be cancelled", () => {
  const look = (it: Future<number>) => [it.state, it.cancelled(), it.running(), it.done()];
  const seen = inEveryState().all.map((it) => [...look(it), it.cancel(), it.cancel(), it.state]);
  assertEquals(seen, [
    ["pending", false, false, false, true, true, "cancelled"],
    ["running", false, true, false, false, false, "running"],
    ["cancelled", true, false, true, true, true, "cancelled"],
    ["finished", false, false, true, false, false, "finished"],
  ]);
});

test("result() resolves to the value at every call, before and after that", async () => {
  for (const { future, resolve } of [inEveryState().pending, inEveryState().running]) {
    const early = [future.result(), future.exception()];
    resolve(5);
    assertEquals(await Promise.all(early), [5, undefined]);
    assertEquals([await future.result(), await future.exception()], [5, undefined]);
  }
});

test("result() rejects with what the task threw, the same object at every call", async () => {
  for (const error of [new TypeError("no such flag"), "text", undefined]) {
    const { future, reject } = Future.withResolvers();
    const seen = [future.result().catch((reason) => reason), future.exception()];
    reject(error);
    seen.push(future.result().catch((reason) => reason), future.exception());
    for (const reason of await Promise.all(seen)) assertStrictEquals(reason, error);
  }
});

test("result() and exception() of a cancelled future reject with CancelledError", async () => {
  const { pending: { future }, cancelled } = inEveryState();
  const early = [future.result(), future.exception()];
  future.cancel();
  for (const promise of [...early, cancelled.future.result(), cancelled.future.exception()]) {
    await assertRejects(() => promise, CancelledError);
  }
});

test("the TimeoutError of result() and exception() names the timeout and the future", async () => {
  const { running: { future } } = inEveryState();
  for (const timeout of [1, 20, 0, -1, -Infinity]) {
    const message = `not done within ${timeout} ms: ${future}`;
    await assertRejects(() => future.result({ timeout }), TimeoutError, message);
    await assertRejects(() => future.exception({ timeout }), TimeoutError, message);
  }
}, { sanitizeOps: true });

test("with timeout: 0, result() checks the future without waiting", async () => {
  const { running: { future, resolve } } = inEveryState();
  const early = [future.result({ timeout: 0 }), future.result({ timeout: 20_000 })];
  resolve(1);
  await assertRejects(async () => await early[0], TimeoutError);
  assertEquals([await early[1], await future.result({ timeout: 0 })], [1, 1]);
}, { sanitizeOps: true });

test("a timeout that is long or Infinity neither passes early nor leaves a timer", async () => {
  const { future, resolve } = Future.withResolvers<number>();
  const long = [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, Number.MAX_VALUE, Infinity];
  const waiting = long.flatMap((timeout) => [
    future.result({ timeout }),
    asCompleted([future], { timeout }).next().then(({ value }) => value.result()),
    wait([future], { timeout }).then(({ done }) => done.size),
  ]);
  const early = Promise.race(waiting.map((promise) => promise.catch(() => "early")));
  assertEquals(await Promise.race([early, sleep(50)]), undefined);
  resolve(1);
  assertEquals(await Promise.all(waiting), waiting.map(() => 1));
}, { sanitizeOps: true });

test("a timeout that is not a number is a RangeError", async () => {
  const options = { timeout: NaN };
  const { all, running } = inEveryState();
  running.reject(new Error());
  for (const future of all) {
    await assertRejects(() => future.result(options), RangeError);
    await assertRejects(() => future.exception(options), RangeError);
    await assertRejects(() => wait([future], options), RangeError);
    await assertRejects(() => asCompleted([future], options).next(), RangeError);
  }
});

test("100,000 timeouts that expire on one future take seconds, not minutes", async () => {
  const { future } = inEveryState().pending;
  const begin = performance.now();
  const all = Array.from({ length: 100_000 }, () => future.result({ timeout: 1 }));
  for (const { status } of await Promise.allSettled(all)) assertEquals(status, "rejected");
  assertLess(performance.now() - begin, 20_000);
});

test("a failure that nobody reads is not an unhandled rejection", async () => {
  const { running: { future, reject }, pending, cancelled } = inEveryState();
  const error = new Error("kept");
  reject(error);
  pending.reject(error);
  await wait([future, pending.future, cancelled.future]);
  await sleep(0);
  assertStrictEquals(await future.exception(), error);
});

test("callbacks run synchronously and in the order in which they were added", () => {
  const { pending, running, finished } = inEveryState();
  const seen: unknown[] = [];
  for (const { future } of [pending, running, finished]) {
    const note = (it: Future<number>) => seen.push(it === future, it.state);
    future.addDoneCallback(note);
    future.addDoneCallback(() => future.addDoneCallback(() => seen.push("in a callback")));
    future.addDoneCallback(note);
  }
  const ended = (state: string) => [true, state, "in a callback", true, state];
  assertEquals(seen.splice(0), ended("finished"));
  pending.future.cancel();
  pending.future.cancel();
  assertEquals(seen.splice(0), ended("cancelled"));
  running.reject(new Error());
  assertEquals(seen, ended("finished"));
});

test("a callback that throws is reported with console.error; the others still run", () => {
  using reports = new Reports();
  const { pending, finished } = inEveryState();
  const error = new Error("from a callback");
  let others = 0;
  for (const { future } of [pending, finished]) {
    future.addDoneCallback(() => {
      throw error;
    });
    future.addDoneCallback(() => others++);
  }
  pending.resolve(1);
  assertEquals([others, ...reports.all.map((args) => args.includes(error))], [2, true, true]);
});

test("start() makes a pending future running, and returns false for a cancelled one", () => {
  const { pending, running, cancelled, finished } = inEveryState();
  assertEquals([pending.start(), pending.future.state], [true, "running"]);
  assertEquals([cancelled.start(), cancelled.future.state], [false, "cancelled"]);
  for (const { start } of [running, finished]) assertThrows(start, InvalidStateError);
});

test("settling twice throws InvalidStateError, which shows the state and the future", async () => {
  const { cancelled, finished } = inEveryState();
  for (const { future, resolve, reject } of [cancelled, finished]) {
    for (const settle of [() => resolve(2), () => reject(new Error())]) {
      const { message } = assertThrows(settle, InvalidStateError);
      assertStringIncludes(message, `${future}`);
      assertStringIncludes(message.replace(`${future}`, ""), future.state);
    }
  }
  assertEquals(await finished.future.result(), 1);
});

test("toString() and console.log show the number and the state of a future", () => {
  const { all } = inEveryState();
  for (const future of all.slice(0, 3)) {
    assertMatch(`${future}`, new RegExp(`^<Future #[0-9]+ state=${future.state}>$`));
    assertEquals(Deno.inspect(future), `${future}`);
  }
  assertEquals(new Set(all.map((future) => `${future}`.match(/#[0-9]+/)?.[0])).size, 4);
});

test("a finished future shows the type or class of what it returned or raised", () => {
  class OwnError extends Error {}
  const named = Object.assign(new Error(), { name: "FromAWorker" });
  const values = ["", 1, 1n, true, undefined, null, Symbol(), () => 1, {}, [], new Map(), named];
  const all = [...values, Object.create(null), new TypeError(), new OwnError(), new DOMException()];
  const types = "string number bigint boolean undefined null symbol function Object Array Map " +
    "FromAWorker Object TypeError OwnError DOMException";
  const shown = all.map((value) => {
    const returned = Future.withResolvers();
    const raised = Future.withResolvers();
    returned.resolve(value);
    raised.reject(value);
    const [type] = `${returned.future}`.match(/(?<= state=finished returned ).*(?=>$)/) ?? [];
    assertStringIncludes(`${raised.future}`, ` state=finished raised ${type}>`);
    return type;
  });
  assertEquals(shown.join(" "), types);
});

test("the errors are instances of Error and have a name", () => {
  const { WorkerCrashError, BrokenExecutorError } = futures;
  const types = [CancelledError, TimeoutError, InvalidStateError, WorkerCrashError];
  for (const type of [...types, BrokenExecutorError]) {
    const error = new type("why", { cause: 1 });
    assertInstanceOf(error, Error);
    assertEquals([`${error}`, error.cause], [`${type.name}: why`, 1]);
  }
});
