/**
 * The contract of `futures.ts`, sentence by sentence, with the situations of CPython's
 * `Lib/test/test_concurrent_futures` as a checklist. There is no worker here, and no permission needed.
 */

import {
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
import { asCompleted, CancelledError, Future, InvalidStateError, wait } from "../../futures/mod.ts";
import { Reports, test } from "../testing.ts";

const { TimeoutError } = futures;

/** A future in each state, and what decides it. */
function inEveryState() {
  const states = {
    pending: Future.withResolvers<number>(),
    running: Future.withResolvers<number>(),
    cancelled: Future.withResolvers<number>(),
    finished: Future.withResolvers<number>(),
  };
  states.running.start();
  states.cancelled.future.cancel();
  states.finished.resolve(1);
  return { ...states, all: Object.values(states).map(({ future }) => future) };
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

// Deno fails a test that leaves a rejection unhandled.

test("a future is not a thenable: awaiting it gives the future itself", async () => {
  const { all } = inEveryState();
  assertEquals(await Promise.all(all), all);
});

test("state, cancelled(), running(), done() and cancel() agree; what runs goes on", () => {
  const look = (it: Future<number>) => [it.state, it.cancelled(), it.running(), it.done()];
  const seen = inEveryState().all.map((it) => [...look(it), it.cancel(), it.cancel(), it.state]);
  assertEquals(seen, [
    ["pending", false, false, false, true, true, "cancelled"],
    ["running", false, true, false, false, false, "running"],
    ["cancelled", true, false, true, true, true, "cancelled"],
    ["finished", false, false, true, false, false, "finished"],
  ]);
});

test("result() resolves to the value, before and after, as often as it is asked", async () => {
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

test("result() and exception() reject with CancelledError when cancelled", async () => {
  const { pending: { future }, cancelled } = inEveryState();
  const early = [future.result(), future.exception()];
  future.cancel();
  for (const promise of [...early, cancelled.future.result(), cancelled.future.exception()]) {
    await assertRejects(() => promise, CancelledError);
  }
});

test("out of time, result() and exception() say how long they waited, of whom", async () => {
  const { running: { future, resolve } } = inEveryState();
  for (const timeout of [1, 20, 0, -1, -Infinity]) {
    const message = `not done within ${timeout} ms: ${future}`;
    await assertRejects(() => future.result({ timeout }), TimeoutError, message);
    await assertRejects(() => future.exception({ timeout }), TimeoutError, message);
  }
  const early = [future.result({ timeout: 0 }), future.result({ timeout: 20_000 })];
  resolve(1);
  await assertRejects(async () => await early[0], TimeoutError); // it asked without waiting
  assertEquals([await early[1], await future.result({ timeout: 0 })], [1, 1]);
}, { sanitizeOps: true });

test("a timeout that is long or Infinity neither fires early nor leaves a timer", async () => {
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

test("a failure that nobody reads is kept, never an unhandled rejection", async () => {
  const { running: { future, reject }, pending, cancelled } = inEveryState();
  const error = new Error("kept");
  reject(error);
  pending.reject(error);
  await wait([future, pending.future, cancelled.future]);
  await sleep(0);
  assertStrictEquals(await future.exception(), error);
});

test("callbacks run in the order they were added, synchronously when the future is done", () => {
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

test("start() makes a pending future running, and is false for a cancelled one", () => {
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

test("a future shows its number and its state, in console.log as well", () => {
  const { all } = inEveryState();
  for (const future of all.slice(0, 3)) {
    assertMatch(`${future}`, new RegExp(`^<Future #[0-9]+ state=${future.state}>$`));
    assertEquals(Deno.inspect(future), `${future}`);
  }
  assertEquals(new Set(all.map((future) => `${future}`.match(/#[0-9]+/)?.[0])).size, 4);
});

test("a finished future shows the type or the class of what it returned or raised", () => {
  class OwnError extends Error {}
  const named = Object.assign(new Error(), { name: "FromAWorker" });
  const values = ["", 1, 1n, true, undefined, null, Symbol(), () => 1, {}, [], new Map(), named];
  const all = [...values, Object.create(null), new TypeError(), new OwnError(), new DOMException()];
  const types = "string number bigint boolean undefined null symbol function Object Array Map " +
    "FromAWorker Object TypeError OwnError DOMException";
  const shown = all.map((value) => {
    const [returned, raised] = [Future.withResolvers(), Future.withResolvers()];
    returned.resolve(value);
    raised.reject(value);
    const [type] = `${returned.future}`.match(/(?<= state=finished returned ).*(?=>$)/) ?? [];
    assertStringIncludes(`${raised.future}`, ` state=finished raised ${type}>`);
    return type;
  });
  assertEquals(shown.join(" "), types);
});

test("the errors are Errors and know their names", () => {
  const { WorkerCrashError, BrokenExecutorError } = futures;
  const types = [CancelledError, TimeoutError, InvalidStateError, WorkerCrashError];
  for (const type of [...types, BrokenExecutorError]) {
    const error = new type("why", { cause: 1 });
    assertInstanceOf(error, Error);
    assertEquals([`${error}`, error.cause], [`${type.name}: why`, 1]);
  }
});

// asCompleted and wait

test("asCompleted yields each future once, those already done first, then as they end", async () => {
  const all = Array.from({ length: 5 }, () => Future.withResolvers<number>());
  const [a, b, c, d, e] = all;
  d?.resolve(3);
  b?.reject(new Error("as it is"));
  const given = all.map(({ future }) => future);
  const completed = asCompleted([...given, ...given].values());
  const seen = [await completed.next(), await completed.next()];
  setTimeout(() => [c?.resolve(2), a?.future.cancel(), e?.resolve(3)]);
  seen.push(await completed.next(), await completed.next(), await completed.next());
  assertEquals(seen.map(({ value }) => value), [b, d, c, a, e].map((it) => it?.future));
  assertEquals((await completed.next()).done, true);
  assertEquals(await Array.fromAsync(asCompleted([])), []);
});

test("asCompleted yields what is done and then throws TimeoutError with the counts", async () => {
  const { cancelled, finished, all } = inEveryState();
  for (const timeout of [0, 20]) {
    const completed = asCompleted([...all, ...all], { timeout });
    const seen = [await completed.next(), await completed.next()];
    assertEquals(seen.map(({ value }) => value), [cancelled.future, finished.future]);
    const { message } = await assertRejects(() => completed.next(), TimeoutError);
    assertEquals(message, "2 (of 4) futures unfinished");
  }
});

test("the timeout of asCompleted counts from the first next(), not from a later one", async () => {
  const { pending, running, finished } = inEveryState();
  const late = asCompleted([pending.future], { timeout: 300 });
  await sleep(350);
  setTimeout(() => pending.resolve(2), 20);
  assertEquals((await late.next()).value, pending.future);
  const short = asCompleted([finished.future, running.future], { timeout: 100 });
  assertEquals((await short.next()).value, finished.future);
  await sleep(150);
  const second = short.next().catch(({ message }) => message);
  assertEquals(await Promise.race([second, sleep(50)]), "1 (of 2) futures unfinished");
});

test("asCompleted and wait refuse what is no future, and leave no rejection unhandled", async () => {
  for (const value of [5, null, {}, Promise.resolve(5)] as never[]) {
    const given = [...inEveryState().all, value];
    await assertRejects(() => asCompleted(given).next(), TypeError);
    await assertRejects(() => wait(given, { timeout: 0 }), TypeError);
    await assertRejects(() => wait(given, { returnWhen: "FIRST_COMPLETED" }), TypeError);
    asCompleted(given); // it has not begun
  }
  await assertRejects(() => wait(5 as never), TypeError);
  await assertRejects(() => wait([], { returnWhen: "FIRST" as "FIRST_COMPLETED" }), RangeError);
  await sleep(0);
});

const ALL: futures.FutureState[] = ["pending", "running", "cancelled", "finished"];
type States = ReturnType<typeof inEveryState>;
const fails = ({ running }: States) => setTimeout(() => running.reject(undefined));

/** The states of what is done and not done when `wait` returns, while something happens to the futures. */
async function waited(options: futures.WaitOptions, given = ALL, settle = (_: States) => {}) {
  const states = inEveryState();
  const all = given.map((state) => states[state].future);
  const waiting = wait([...all, ...all].values(), options);
  settle(states);
  const { done, notDone } = await waiting;
  const [ended, others] = [done, notDone].map((set) => Array.from(set, ({ state }) => state));
  return `${ended} and ${others}`;
}

test("wait waits for all, cancelled and failed futures included", async () => {
  const seen = await waited({ timeout: 30_000 }, ALL, (states) => {
    fails(states);
    setTimeout(() => states.pending.future.cancel());
  });
  assertEquals(seen, "cancelled,finished,cancelled,finished and ");
  assertEquals(await waited({}, []), " and ");
}, { sanitizeOps: true });

test("wait does not throw when its time is up: it reports notDone", async () => {
  for (const timeout of [0, 20]) {
    assertEquals(await waited({ timeout }), "cancelled,finished and pending,running");
  }
});

test("FIRST_COMPLETED returns when one is done, and reports all that are", async () => {
  const options = { returnWhen: "FIRST_COMPLETED", timeout: 30_000 } as const;
  assertEquals(await waited(options, ["pending", "running"], fails), "finished and pending");
  assertEquals(await waited(options), "cancelled,finished and pending,running");
  assertEquals(await waited(options, []), " and ");
}, { sanitizeOps: true });

test("FIRST_EXCEPTION returns when one fails, and waits for all if none does", async () => {
  const options = { returnWhen: "FIRST_EXCEPTION", timeout: 30_000 } as const;
  assertEquals(await waited(options, ALL, fails), "finished,cancelled,finished and pending");
  const seen = await waited(options, ALL, ({ pending, running }) => {
    running.resolve(2);
    setTimeout(() => pending.resolve(2));
  });
  assertEquals(seen, "finished,finished,cancelled,finished and ");
}, { sanitizeOps: true });
