/** `map` reads items, submits them in chunks, and yields the results in order. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { TimeoutError, WorkerPoolExecutor } from "../../futures/mod.ts";
import { assertNotKept, Gate, lacks, listToError, ORDERS, passGate, range } from "./helpers.ts";
import { replace, shared, sleep, until } from "./helpers.ts";

const ignore = lacks("read");

const workerId = crypto.randomUUID();

/** What a task does: it counts itself, waits, throws, and returns its value. */
interface Step {
  count?: Int32Array;
  gate?: Int32Array;
  error?: string | false;
  value?: number;
}

export function step({ count, gate, error, value = 0 }: Step): number {
  if (count) Atomics.add(count, 0, 1);
  if (gate) passGate(gate);
  if (error) throw new Error(error);
  return value;
}

export const double = (n: number): number => 2 * n;
export const echo = <T>(value: T): T => value;
export const idBehindGate = (gate: Int32Array): string => passGate(gate, workerId) ?? "";
export const newObject = (n: number): { n: number } => ({ n });
export const exitAt4 = (n: number): number => n === 4 ? Deno.exit(0) : n;
export const functionAt4 = (n: number): unknown => n === 4 ? () => {} : n;

function newPool(maxWorkers = 1): WorkerPoolExecutor {
  return new WorkerPoolExecutor(import.meta.url, { maxWorkers });
}

/** An iterator that counts how many numbers are read, and how often it is closed. */
class Numbers implements IterableIterator<number> {
  read = 0;
  closed = 0;
  end = Infinity;

  next(): IteratorResult<number> {
    return this.read < this.end ? { value: this.read++ } : { value: undefined, done: true };
  }

  return(): IteratorResult<number> {
    this.closed++;
    return { value: undefined, done: true };
  }

  [Symbol.iterator](): this {
    return this;
  }
}

async function* numbersUntil(end: Promise<unknown>, count: number): AsyncGenerator<number> {
  yield* range(count);
  await end;
}

Deno.test("map refuses items that are not iterable", () => {
  for (const items of [5, undefined] as never[]) {
    assertThrows(() => newPool().map(echo, items), TypeError, "items: expected an iterable");
  }
});

Deno.test("map refuses sizes that are not positive integers", () => {
  for (const n of [0, 1.5]) {
    for (const name of ["chunkSize", "bufferSize"]) {
      const message = `${name}: expected a positive integer, got ${n}`;
      assertThrows(() => newPool().map(echo, [], { [name]: n }), RangeError, message);
    }
  }
});

Deno.test(
  "map yields in the order of items, or in the order of completion",
  { ignore },
  async () => {
    await using executor = newPool(2);
    for (const { ordered } of ORDERS) {
      using gate = new Gate();
      const steps = range(8).map((value) =>
        value === 0 ? { value, gate: gate.numbers } : { value }
      );
      const map = executor.map(step, steps.values(), { chunkSize: 3, ordered });
      // When this task has run, only the first chunk is unfinished.
      await executor.submit(echo, 1).result();
      gate.open();
      const expected = ordered ? range(8) : [3, 4, 5, 6, 7, 0, 1, 2];
      assertEquals(await Array.fromAsync(map), expected);
    }
    assertEquals(await Array.fromAsync(executor.map(echo, [])), []);
  },
);

Deno.test("map submits its chunks when it is called", { ignore }, async () => {
  await using executor = newPool(2);
  using gate = new Gate();
  const items = range(8).map(() => gate.numbers).values();
  const map = executor.map(idBehindGate, items, { chunkSize: 4 });
  assertEquals(items.next().done, true);
  await gate.arrived(2);
  gate.open();
  const ids = await Array.fromAsync(map);
  assert(ids[0] !== ids[4]);
  assertEquals(ids, range(8).map((n) => ids[n < 4 ? 0 : 4]));
});

Deno.test("bufferSize limits the items that are read ahead", { ignore }, async () => {
  await using executor = newPool(2);
  for (const [chunkSize, bufferSize] of [[1, 1], [3, 8], [100, 8]] as const) {
    for (const { ordered } of ORDERS) {
      const items = new Numbers();
      const map = executor.map(double, items, { chunkSize, bufferSize, ordered });
      const values = new Set<number>();
      for (const n of range(20)) {
        assertEquals(items.read, n === 0 ? bufferSize : n + bufferSize);
        values.add((await map.next()).value);
      }
      assertEquals(values.size, 20);
      await map.return?.();
    }
  }
});

Deno.test("map refills the buffer before it yields a result", { ignore }, async () => {
  await using executor = newPool();
  for (const bufferSize of [1, 3]) {
    const count = shared();
    const items = Iterator.from(new Numbers()).map((value) => ({ value, count }));
    let yielded = 0;
    for await (const value of executor.map(step, items, { bufferSize })) {
      assertEquals(value, yielded);
      yielded++;
      // The worker runs the task that was submitted last before the body of the loop ends.
      await until(() => count[0] === yielded + bufferSize);
      if (yielded === 9) break;
    }
  }
});

Deno.test("an error surfaces after the results before its item", { ignore }, async () => {
  await using executor = newPool();
  const steps = range(8).map((value) => ({ value, error: value === 4 && "at four" }));
  for (const chunkSize of [1, 3]) {
    for (const order of ORDERS) {
      const map = executor.map(step, steps, { chunkSize, ...order });
      assertEquals(await listToError(map), [0, 1, 2, 3, "Error"]);
    }
  }
});

Deno.test("a dead worker or an uncloneable value fails its chunk", { ignore }, async () => {
  await using executor = newPool();
  const items = range(8).map((n) => n === 4 ? new URL("https://deno.com") : n);
  const sent = executor.map(echo<unknown>, items, { chunkSize: 3 });
  const returned = executor.map(functionAt4, range(8), { chunkSize: 3 });
  const died = executor.map(exitAt4, range(8), { chunkSize: 3 });
  assertEquals(await Promise.all([sent, returned, died].map(listToError)), [
    [0, 1, 2, "DataCloneError"],
    [0, 1, 2, "DataCloneError"],
    [0, 1, 2, "WorkerCrashError"],
  ]);
});

Deno.test(
  "map forgets what it has yielded, even in the middle of a chunk",
  { ignore },
  async () => {
    await using executor = newPool();
    const map = executor.map(newObject, range(20), { chunkSize: 10 });
    const refs: WeakRef<object>[] = [];
    const read = async () => {
      const { value } = await map.next();
      refs.push(new WeakRef(value));
    };
    for (const _ of range(15)) await read();
    await assertNotKept(refs);
    assertEquals((await Array.fromAsync(map)).length, 5);
  },
);

Deno.test("the timeout of map counts from the call", { ignore }, async () => {
  let now = 0;
  using _ = replace(performance, "now", () => now);
  await using executor = newPool();
  using gate = new Gate();
  const steps = [{ value: 7 }, { gate: gate.numbers }];
  const map = executor.map(step, steps, { timeout: 60_000 });
  await gate.arrived();
  now = 60_000;
  assertEquals((await map.next()).value, 7);
  await assertRejects(() => map.next(), TimeoutError, "not done within 60000 ms");
});

Deno.test("a timeout of map passes while next() waits", { ignore }, async () => {
  await using executor = newPool();
  using gate = new Gate();
  const map = executor.map(passGate, [gate.numbers], { timeout: 5 });
  await assertRejects(() => map.next(), TimeoutError, "not done within 5 ms");
});

/** Ways to end a map before its end. The second result of the map is an error. */
const LEAVINGS: Record<string, (map: AsyncIterableIterator<unknown>) => Promise<unknown>> = {
  "when a result throws": (map) => assertRejects(() => Array.fromAsync(map), Error, "second"),
  "when the loop is left": async (map) => {
    for await (const _ of map) break;
  },
  "at return() before the first next()": async (map) => await map.return?.(),
  "at throw() before the first next()": async (map) => {
    await assertRejects(async () => await map.throw?.(new Error("thrown")), Error, "thrown");
  },
};

for (const [when, leave] of Object.entries(LEAVINGS)) {
  Deno.test(`map cancels its tasks and closes the items ${when}`, { ignore }, async () => {
    await using executor = newPool();
    using gate = new Gate();
    const count = shared();
    const items = new Numbers();
    const steps = [{ value: 1 }, { error: "second" }, { gate: gate.numbers }];
    const source = Iterator.from(items).map((n) => steps[n] ?? { count });
    const map = executor.map(step, source, { bufferSize: 9 });
    await leave(map);
    assertEquals([items.closed, await map.next()], [1, { done: true, value: undefined }]);
    gate.open();
    await executor.shutdown();
    assertEquals(count[0], 0);
  });
}

Deno.test("an error takes precedence over an error of closing the items", { ignore }, async () => {
  await using executor = newPool();
  class Closing extends Numbers {
    override return(): never {
      throw new Error("from closing");
    }
  }
  const newMap = () => {
    const steps = Iterator.from(new Closing()).map((n) => ({ error: n === 1 && "from a task" }));
    return executor.map(step, steps, { bufferSize: 5 });
  };
  await assertRejects(() => Array.fromAsync(newMap()), Error, "from a task");
  // Without another error, the caller sees the error of closing.
  await assertRejects(async () => await newMap().return?.(), Error, "from closing");
  // Items that have ended are not closed.
  const ended = new Closing();
  ended.end = 2;
  assertEquals(await Array.fromAsync(executor.map(double, ended)), [0, 2]);
});

function* failingAfter(count: number): Generator<Step> {
  for (const value of range(count)) yield { value };
  throw new RangeError("from the source");
}

async function* failingLater(count: number): AsyncGenerator<Step> {
  await sleep();
  yield* failingAfter(count);
}

Deno.test("an error of the source surfaces after the results before it", { ignore }, async () => {
  await using executor = newPool();
  for (const source of [failingAfter, failingLater]) {
    for (const options of [{ chunkSize: 3 }, { bufferSize: 2 }, { ordered: false }]) {
      const map = executor.map(step, source(5), options);
      assertEquals(await listToError(map), [...range(5), "RangeError"]);
    }
  }
});

Deno.test("map awaits the thenables of a hand-written iterator", { ignore }, async () => {
  await using executor = newPool();
  const numbers = range(10).values();
  const next = () => ({
    then: (resolve: (result: IteratorResult<number>) => void) => resolve(numbers.next()),
  });
  const items = { [Symbol.asyncIterator]: () => ({ next }) } as unknown as AsyncIterable<number>;
  const map = executor.map(double, items, { chunkSize: 3, bufferSize: 4 });
  assertEquals(await Array.fromAsync(map), range(10).map((n) => 2 * n));
});

Deno.test("map reads async items from the call on, while there is room", { ignore }, async () => {
  await using executor = newPool();
  for (const [bufferSize, expected] of [[undefined, 10], [4, 4]] as const) {
    let read = 0;
    const source = async function* () {
      for (const n of range(10)) {
        await sleep();
        read++;
        yield n;
      }
    };
    const map = executor.map(double, source(), { bufferSize });
    await until(() => read === expected);
    await sleep(5);
    assertEquals(read, expected);
    assertEquals(await Array.fromAsync(map), range(10).map((n) => 2 * n));
  }
});

Deno.test("a slow source does not delay the results that are done", { ignore }, async () => {
  await using executor = newPool();
  for (const { ordered } of ORDERS) {
    for (const bufferSize of [undefined, 1, 5]) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const map = executor.map(double, numbersUntil(promise, 3), { ordered, bufferSize });
      for (const n of range(3)) assertEquals((await map.next()).value, 2 * n);
      const last = map.next();
      resolve();
      assertEquals((await last).done, true);
    }
  }
});

Deno.test("an error does not wait for a source that is reading", { ignore }, async () => {
  await using executor = newPool();
  const { promise, resolve } = Promise.withResolvers<void>();
  const count = shared();
  let closed = 0;
  const source = async function* () {
    try {
      yield { error: "first" };
      await promise;
      yield { count };
    } finally {
      closed++;
      await Promise.reject(new Error("nobody sees this"));
    }
  };
  await assertRejects(() => Array.fromAsync(executor.map(step, source())), Error, "first");
  assertEquals(closed, 0);
  resolve();
  await until(() => closed === 1);
  await executor.shutdown();
  assertEquals(count[0], 0);
});

Deno.test("leaving the loop waits until an async source is closed", { ignore }, async () => {
  await using executor = newPool();
  let closed = 0;
  const source = async function* () {
    try {
      for (let n = 0; true; n++) yield n;
    } finally {
      await sleep();
      closed++;
    }
  };
  for await (const _ of executor.map(double, source(), { bufferSize: 2 })) {
    await sleep(); // until the buffer is full
    break;
  }
  assertEquals(closed, 1);
});

Deno.test("the results of one pool may be the items of another", { ignore }, async () => {
  await using first = newPool();
  await using second = newPool();
  const numbers = new Numbers();
  const doubled = first.map(double, numbers, { bufferSize: 8 });
  let seen = 0;
  for await (const n of second.map(double, doubled, { bufferSize: 8 })) {
    assertEquals(n, 4 * seen);
    seen++;
    // Each pool has at most 8 items in its buffer.
    assert(numbers.read <= seen + 16, `${numbers.read} read, ${seen} seen`);
    if (seen === 40) break;
  }
  await until(() => numbers.closed === 1);
});

Deno.test("return() closes a quiet source while next() waits for it", { ignore }, async () => {
  await using executor = newPool();
  let closed = 0;
  const items: AsyncIterableIterator<number> = {
    next: () => new Promise(() => {}),
    return() {
      closed++;
      return Promise.resolve({ value: undefined, done: true });
    },
    [Symbol.asyncIterator]: () => items,
  };
  const map = executor.map(double, items);
  const next = map.next();
  await sleep(); // until it waits
  assertEquals(await map.return?.(), { value: undefined, done: true });
  assertEquals([(await next).done, closed], [true, 1]);
});
