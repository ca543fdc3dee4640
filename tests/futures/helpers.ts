/** What the tests of `futures/` share. */

import { assert, assertEquals } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Future, WorkerPoolExecutor } from "../../futures/mod.ts";
import type { TestOptions } from "../testing.ts";
import { shared, sleep } from "./pool_tasks.ts";

/** The options of a test that opens a pool. */
export const POOL: TestOptions = { needs: ["read"] };

/** The module whose functions the tests submit. */
export const TASKS_URL: string = import.meta.resolve("./pool_tasks.ts");

export function newPool(maxWorkers = 2): WorkerPoolExecutor {
  return new WorkerPoolExecutor(TASKS_URL, { maxWorkers });
}

export const orders = [{ ordered: true }, { ordered: false }];

export function range(length: number): number[] {
  return Array.from({ length }, (_, n) => n);
}

/** Returns a future in each state, with its resolvers. */
export function inEveryState() {
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

export function results<T>(futures: Future<T>[]): Promise<T[]> {
  return Promise.all(futures.map((future) => future.result()));
}

export function statesOf(futures: Future<unknown>[]): string[] {
  return futures.map(({ state }) => state);
}

export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : `${error}`;
}

/** Resolves to `"cancelled"`, `"returned"` or the name of the error that the task threw. */
export async function ending(future: Future<unknown>): Promise<string> {
  await settled(future);
  return future.cancelled() ? "cancelled" : nameOf(await future.exception() ?? "returned");
}

export function settled(future: Future<unknown>): Promise<void> {
  return new Promise((resolve) => future.addDoneCallback(() => resolve()));
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep();
}

/** Resolves when `count` has not changed for 100 ms. */
export async function silence(count: Int32Array): Promise<void> {
  const before = count[0];
  await sleep(100);
  if (count[0] !== before) await silence(count);
}

/** Resolves to the items, followed by the name of the error if there was one. */
export async function listToError(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const list: unknown[] = [];
  try {
    for await (const item of items) list.push(item);
  } catch (error) {
    list.push(nameOf(error));
  }
  return list;
}

/** Submits tasks. Call the returned function to assert that each task ran once. */
export function submitTicks(
  executor: WorkerPoolExecutor,
  fn: (...args: [Int32Array, number]) => unknown,
): () => Promise<void> {
  const counts = shared(5);
  const futures = range(5).map((n) => executor.submit(fn, counts, n));
  return async () => {
    await results(futures);
    assertEquals([...counts], [1, 1, 1, 1, 1]);
  };
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Asserts that nothing keeps any of these objects after a garbage collection. */
export async function assertNotKept(refs: WeakRef<object>[], what: string): Promise<void> {
  // An object that was read in this turn of the event loop lives until the turn ends. Messages
  // between threads may need some turns until nothing refers to them.
  let kept = refs;
  for (let round = 0; round < 50 && kept.length > 0; round++) {
    await sleep();
    collectGarbage();
    kept = kept.filter((ref) => ref.deref() !== undefined);
  }
  assert(kept.length === 0, `${kept.length} of ${refs.length} ${what} are still in memory`);
}

/** Counts the listeners that are attached to the signal. */
export function countListeners(signal: AbortSignal): { attached: number } {
  const count = { attached: 0 };
  const add = signal.addEventListener;
  const remove = signal.removeEventListener;
  const listeners = new Set<unknown>();
  const update = () => {
    count.attached = listeners.size;
  };
  signal.addEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners.add(listener);
    update();
    add.call(signal, type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners.delete(listener);
    update();
    remove.call(signal, type, listener);
  };
  return count;
}

/** Adds to the time that the program sees, until the end of the block. */
export class ShiftedClock implements Disposable {
  #shift = 0;
  readonly #performanceNow = performance.now;
  readonly #dateNow = Date.now;

  constructor() {
    performance.now = () => this.#performanceNow.call(performance) + this.#shift;
    Date.now = () => this.#dateNow.call(Date) + this.#shift;
  }

  advance(ms: number): void {
    this.#shift += ms;
  }

  [Symbol.dispose](): void {
    performance.now = this.#performanceNow;
    Date.now = this.#dateNow;
  }
}
