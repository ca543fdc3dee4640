/** The tests of `asCompleted`. They use no workers and need no permissions. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { asCompleted, Future, TimeoutError, wait } from "../../futures/mod.ts";
import { test } from "../testing.ts";
import { assertNotKept, inEveryState, range, ShiftedClock } from "./helpers.ts";
import { sleep } from "./pool_tasks.ts";

test("asCompleted yields each future once, and those that are already done first", async () => {
  const all = Array.from({ length: 5 }, () => Future.withResolvers<number>());
  const [a, b, c, d, e] = all;
  d?.resolve(3);
  b?.reject(new Error("as it is"));
  const given = all.map(({ future }) => future);
  const completed = asCompleted([...given, ...given].values());
  const seen = [await completed.next(), await completed.next()];
  setTimeout(() => {
    c?.resolve(2);
    a?.future.cancel();
    e?.resolve(3);
  });
  seen.push(await completed.next(), await completed.next(), await completed.next());
  assertEquals(seen.map(({ value }) => value), [b, d, c, a, e].map((it) => it?.future));
  assertEquals((await completed.next()).done, true);
  assertEquals(await Array.fromAsync(asCompleted([])), []);
});

test("asCompleted counts a cancelled future as completed", async () => {
  const { pending, cancelled } = inEveryState();
  const completed = asCompleted([pending.future, cancelled.future]);
  assertEquals((await completed.next()).value, cancelled.future);
  const next = completed.next();
  pending.future.cancel();
  assertEquals((await next).value, pending.future);
});

test("asCompleted and wait accept futures of different result types", async () => {
  const number = Future.withResolvers<number>();
  const text = Future.withResolvers<string>();
  number.resolve(1);
  text.resolve("one");
  const futures = [number.future, text.future];
  const values: (number | string)[] = [];
  for await (const future of asCompleted(futures)) values.push(await future.result());
  for await (const future of asCompleted([number.future, text.future])) {
    values.push(await future.result());
  }
  assertEquals(values, [1, "one", 1, "one"]);
  const { done } = await wait([number.future, text.future]);
  const waited: Set<Future<number> | Future<string>> = done;
  assertEquals(waited, new Set([number.future, text.future]));
});

const endings = ["before the first next()", "between two calls of next()", "during next()"];

for (const when of endings) {
  test(`asCompleted does not keep a future that is done ${when} and was yielded`, async () => {
    const all = range(10).map(() => Future.withResolvers<object>());
    const refs: WeakRef<object>[] = [];
    // Only the iterator knows all the futures.
    const completed = asCompleted(all.map(({ future }) => future));
    const settle = () => all.shift()?.resolve({ size: 1 });
    const settleAndRead = async (n: number) => {
      if (when === "before the first next()" && n === 0) range(10).forEach(settle);
      if (when === "between two calls of next()") settle();
      if (when === "during next()") setTimeout(settle);
      const { value } = await completed.next();
      refs.push(new WeakRef(value), new WeakRef(await value.result()));
    };
    for (const n of range(9)) await settleAndRead(n);
    await assertNotKept(refs, "yielded futures and results");
    all.forEach(settle);
    await completed.next();
    assertEquals((await completed.next()).done, true);
  });
}

test("asCompleted yields what is done, then throws a TimeoutError with the counts", async () => {
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
  using clock = new ShiftedClock();
  const { pending, running, finished } = inEveryState();
  const late = asCompleted([pending.future], { timeout: 30_000 });
  clock.advance(40_000);
  setTimeout(() => pending.resolve(2), 20);
  assertEquals((await late.next()).value, pending.future);
  const short = asCompleted([finished.future, running.future], { timeout: 30_000 });
  assertEquals((await short.next()).value, finished.future);
  clock.advance(29_990);
  await assertRejects(() => short.next(), TimeoutError, "1 (of 2) futures unfinished");
});

test("a timeout of 2^31 ms never becomes a limit for a later result of asCompleted", async () => {
  using clock = new ShiftedClock();
  const { pending, finished } = inEveryState();
  const completed = asCompleted([finished.future, pending.future], { timeout: 2 ** 31 });
  assertEquals((await completed.next()).value, finished.future);
  clock.advance(2 ** 31 + 1);
  const next = completed.next();
  await Promise.race([next, sleep(5)]);
  pending.resolve(1);
  assertEquals((await next).value, pending.future);
}, { sanitizeOps: true });

test("an asCompleted loop that is left early forgets its futures", async () => {
  const { finished, pending } = inEveryState();
  const refs: WeakRef<object>[] = [];
  const leave = async () => {
    const other = Future.withResolvers<number>();
    refs.push(new WeakRef(other.future));
    for await (const future of asCompleted([finished.future, other.future, pending.future])) {
      assert(future === finished.future);
      break;
    }
  };
  await leave();
  await assertNotKept(refs, "futures");
  assertEquals(pending.future.state, "pending");
});

test("asCompleted and wait reject anything but futures, with no rejection unhandled", async () => {
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
