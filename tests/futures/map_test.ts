/** `map` reads items, submits them in chunks, and yields the results in order. */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { TimeoutError, WorkerPoolExecutor } from "../../futures/mod.ts";
import { assertNotKept, Gate, lacks, listToError, ORDERS, passGate, range } from "./helpers.ts";
import { shared, ShiftedClock, sleep, until } from "./helpers.ts";

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

export const add = (a: number, b: number): number => a + b;
export const double = (n: number): number => 2 * n;
export const echo = <T>(value: T): T => value;
export const nameOfEntry = ({ name }: { name: string }): string => name;
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
  readonly #end: number;

  constructor(end = Infinity) {
    this.#end = end;
  }

  next(): IteratorResult<number> {
    return this.read < this.#end ? { value: this.read++ } : { value: undefined, done: true };
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
  const executor = newPool();
  for (const items of [5, undefined, null, {}, Promise.resolve([1])] as never[]) {
    assertThrows(() => executor.map(echo, items), TypeError, "items: expected an iterable");
  }
});

Deno.test("map refuses sizes that are not positive integers", () => {
  const executor = newPool();
  for (const n of [0, -1, 1.5, NaN, Infinity]) {
    for (const name of ["chunkSize", "bufferSize"]) {
      const message = `${name}: expected a positive integer, got ${n}`;
      assertThrows(() => executor.map(echo, [], { [name]: n }), RangeError, message);
    }
  }
});

for (const chunkSize of [1, 2, 7, 100]) {
  Deno.test(`map keeps the order of items in chunks of ${chunkSize}`, { ignore }, async () => {
    await using executor = newPool(2);
    for (const { ordered } of ORDERS) {
      using gate = new Gate();
      const steps = range(20).map((value) =>
        value === 0 ? { value, gate: gate.numbers } : { value }
      );
      const map = executor.map(step, steps.values(), { chunkSize, ordered });
      // When this task has run, only the first chunk is unfinished.
      await executor.submit(add, 1, 1).result();
      gate.open();
      const completed = [...range(20).slice(chunkSize), ...range(20).slice(0, chunkSize)];
      assertEquals(await Array.fromAsync(map), ordered ? range(20) : completed);
    }
    assertEquals(await Array.fromAsync(executor.map(echo, "", { chunkSize })), []);
  });
}

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
  for (const [chunkSize, bufferSize] of [[1, 1], [1, 8], [3, 8], [100, 8]] as const) {
    for (const { ordered } of ORDERS) {
      const items = new Numbers();
      const map = executor.map(double, items, { chunkSize, bufferSize, ordered });
      const values: number[] = [];
      for (const n of range(30)) {
        assertEquals(items.read, n === 0 ? bufferSize : n + bufferSize);
        values.push((await map.next()).value);
      }
      if (ordered) assertEquals(values, range(30).map((n) => 2 * n));
      assertEquals(new Set(values).size, 30);
      assertEquals([await map.return?.(), items.closed], [{ value: undefined, done: true }, 1]);
    }
  }
});

Deno.test("map refills the buffer before it yields a result", { ignore }, async () => {
  await using executor = newPool();
  for (const bufferSize of [1, 3]) {
    for (const { ordered } of ORDERS) {
      const count = shared();
      const items = Iterator.from(new Numbers()).map((value) => ({ value, count }));
      let yielded = 0;
      for await (const value of executor.map(step, items, { bufferSize, ordered })) {
        assertEquals(value, yielded);
        yielded++;
        // The worker runs the task that was submitted last before the body of the loop ends.
        await until(() => count[0] === yielded + bufferSize);
        if (yielded === 9) break;
      }
    }
  }
});

Deno.test("an error surfaces after the results before its item", { ignore }, async () => {
  await using executor = newPool();
  const steps = range(8).map((value) => ({ value, error: value === 4 && "at four" }));
  for (const [chunkSize, bufferSize] of [[1, 100], [3, 100], [9, 100], [1, 2], [2, 5]] as const) {
    for (const { ordered } of ORDERS) {
      const map = executor.map(step, steps, { chunkSize, bufferSize, ordered });
      assertEquals(await listToError(map), [0, 1, 2, 3, "Error"]);
    }
  }
});

Deno.test("a dead worker or an uncloneable value fails its chunk", { ignore }, async () => {
  await using executor = newPool();
  for (const [chunkSize, before] of [[1, 4], [3, 3], [9, 0]] as const) {
    const items = range(8).map((n) => n === 4 ? new URL("https://deno.com") : n);
    const sent = executor.map(echo<unknown>, items, { chunkSize });
    assertEquals(await listToError(sent), [...range(before), "DataCloneError"]);
    const returned = executor.map(functionAt4, range(8), { chunkSize });
    assertEquals(await listToError(returned), [...range(before), "DataCloneError"]);
    const died = executor.map(exitAt4, range(8), { chunkSize });
    assertEquals(await listToError(died), [...range(before), "WorkerCrashError"]);
  }
});

Deno.test("an error of a map that nobody reads is not reported", { ignore }, async () => {
  await using executor = newPool();
  for (const { ordered } of ORDERS) {
    executor.map(step, [{ error: "unread" }, { error: "unread" }], { ordered });
    executor.map(step, failingAfter(1), { ordered });
  }
});

for (const chunkSize of [1, 10]) {
  Deno.test(`map forgets what it yielded from chunks of ${chunkSize}`, { ignore }, async () => {
    await using executor = newPool();
    for (const { ordered } of ORDERS) {
      const map = executor.map(newObject, range(20), { chunkSize, ordered });
      const refs: WeakRef<object>[] = [];
      const read = async () => {
        const { value } = await map.next();
        refs.push(new WeakRef(value));
      };
      for (const _ of range(15)) await read();
      await assertNotKept(refs);
      assertEquals((await Array.fromAsync(map)).length, 5);
    }
  });
}

Deno.test("the timeout of map counts from the call", { ignore }, async () => {
  for (const { ordered } of ORDERS) {
    using clock = new ShiftedClock();
    await using executor = newPool();
    using gate = new Gate();
    const count = shared();
    const steps = [{ value: 7 }, { gate: gate.numbers }, { count }];
    const map = executor.map(step, steps, { timeout: 60_000, ordered });
    await gate.arrived();
    clock.advance(60_000);
    assertEquals((await map.next()).value, 7);
    await assertRejects(() => map.next(), TimeoutError, "not done within 60000 ms");
    gate.open();
    await executor.shutdown();
    assertEquals(count[0], 0);
  }
});

Deno.test("a timeout of map passes while next() waits", { ignore }, async () => {
  await using executor = newPool();
  using gate = new Gate();
  const map = executor.map(passGate, [gate.numbers], { timeout: 5 });
  await assertRejects(() => map.next(), TimeoutError, "not done within 5 ms");
});

type Results = AsyncIterableIterator<unknown>;
const error = new Error("from the caller");

/** Ways to end a map before its end. The second result of the map is an error. */
const LEAVINGS: Record<string, (map: Results) => Promise<unknown>> = {
  "when a result throws": (map) => assertRejects(() => Array.fromAsync(map), Error, "second"),
  "when the loop is left": async (map) => {
    for await (const _ of map) break;
  },
  "at return() before the first next()": async (map) => await map.return?.(),
  "at throw() before the first next()": async (map) => {
    await assertRejects(async () => await map.throw?.(error), Error, "from the caller");
  },
  "at throw() after the first next()": async (map) => {
    await map.next();
    await assertRejects(async () => await map.throw?.(error), Error, "from the caller");
  },
};

for (const [when, leave] of Object.entries(LEAVINGS)) {
  Deno.test(`map cancels its tasks and closes the items ${when}`, { ignore }, async () => {
    for (const { ordered } of ORDERS) {
      await using executor = newPool();
      using gate = new Gate();
      const count = shared();
      const items = new Numbers();
      const steps = [{ value: 1 }, { error: "second" }, { gate: gate.numbers }];
      const source = Iterator.from(items).map((n) => steps[n] ?? { count });
      const map = executor.map(step, source, { ordered, bufferSize: 9 });
      await leave(map);
      assertEquals([items.closed, await map.next()], [1, { done: true, value: undefined }]);
      gate.open();
      await executor.shutdown();
      assertEquals(count[0], 0);
    }
  });
}

Deno.test("an error takes precedence over an error of closing the items", { ignore }, async () => {
  await using executor = newPool();
  const closing = new Error("from closing");
  class Closing extends Numbers {
    override return(): never {
      throw closing;
    }
  }
  const newMap = () => {
    const steps = Iterator.from(new Closing()).map((n) => ({ error: n === 1 && "from a task" }));
    return executor.map(step, steps, { bufferSize: 5 });
  };
  await assertRejects(() => Array.fromAsync(newMap()), Error, "from a task");
  // Items that have ended are not closed.
  const ended = new Closing(2);
  assertEquals(await Array.fromAsync(executor.map(double, ended)), [0, 2]);
  assertStrictEquals(await newMap().throw?.(error).catch((it) => it), error);
  // Without another error, the caller sees the error of closing, as in a `for` loop.
  assertStrictEquals(await newMap().return?.().catch((it) => it), closing);
  const leaveLoop = async () => {
    for await (const _ of newMap()) break;
  };
  assertStrictEquals(await leaveLoop().catch((it) => it), closing);
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
    for (const options of [{}, { chunkSize: 3 }, { bufferSize: 2 }, { ordered: false }]) {
      const map = executor.map(step, source(5), options);
      assertEquals(await listToError(map), [...range(5), "RangeError"]);
    }
    assertEquals(await listToError(executor.map(step, source(0))), ["RangeError"]);
  }
});

Deno.test("the items of map may be an async generator or a stream", { ignore }, async () => {
  await using executor = newPool(2);
  for (
    const options of [{}, { chunkSize: 3 }, { bufferSize: 2 }, { chunkSize: 3, bufferSize: 4 }]
  ) {
    for (const source of [numbersUntil(sleep(), 10), ReadableStream.from(range(10))]) {
      const doubled = await Array.fromAsync(executor.map(double, source, options));
      assertEquals(doubled, range(10).map((n) => 2 * n));
    }
    assertEquals(await Array.fromAsync(executor.map(double, numbersUntil(sleep(), 0))), []);
  }
});

Deno.test("the items of map may be the entries of a directory", { ignore }, async () => {
  await using executor = newPool();
  const directory = fromFileUrl(new URL(".", import.meta.url));
  const names = await Array.fromAsync(executor.map(nameOfEntry, Deno.readDir(directory)));
  assertEquals(names.sort(), Array.from(Deno.readDirSync(directory), ({ name }) => name).sort());
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

Deno.test("leaving the loop does not wait for a source that is reading", { ignore }, async () => {
  await using executor = newPool();
  const { promise, resolve } = Promise.withResolvers<void>();
  const count = shared();
  let closed = 0;
  const source = async function* () {
    try {
      yield { value: 1 };
      await promise;
      yield { count };
    } finally {
      closed++;
      await Promise.reject(new Error("nobody sees this"));
    }
  };
  for await (const value of executor.map(step, source())) {
    assertEquals(value, 1);
    break;
  }
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
    await sleep();
    // Each pool has at most 8 items in its buffer.
    assert(numbers.read <= seen + 16, `${numbers.read} read, ${seen} seen`);
    if (seen === 40) break;
  }
  await until(() => numbers.closed === 1);
});
