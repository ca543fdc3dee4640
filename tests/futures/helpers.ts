/** What the tests of the pool share. Workers load this file, too. */
import { assertEquals } from "@std/assert";
import type { Future } from "../../futures/mod.ts";

/**
 * Returns whether the tests lack one of these permissions. The function is not in `../helpers.ts`,
 * because each worker would then load the programs, too.
 */
export function lacks(...names: Deno.PermissionName[]): boolean {
  return names.some((name) => Deno.permissions.querySync({ name }).state !== "granted");
}

export const ORDERS = [{ ordered: true }, { ordered: false }];

export function range(length: number): number[] {
  return Array.from({ length }, (_, n) => n);
}

export function sleep(ms = 0): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep();
}

/** Resolves to `"cancelled"`, `"returned"` or the name of the error that the future failed with. */
export async function outcomeOf(future: Future<unknown>): Promise<string> {
  await new Promise<void>((resolve) => future.addDoneCallback(() => resolve()));
  if (future.cancelled()) return "cancelled";
  const error = await future.exception();
  return error === undefined ? "returned" : nameOf(error);
}

export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : `${error}`;
}

/** Resolves to the items, and then the name of the error if there was one. */
export async function listToError(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const list: unknown[] = [];
  try {
    for await (const item of items) list.push(item);
  } catch (error) {
    list.push(nameOf(error));
  }
  return list;
}

/** Returns numbers that all threads share. */
export function shared(length = 1): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * length));
}

/** Holds tasks at `passGate(gate.numbers)` until `open` is called or the block ends. */
export class Gate implements Disposable {
  /** Whether the gate is open, and how many tasks have arrived. */
  readonly numbers = shared(2);

  async arrived(count = 1): Promise<void> {
    await until(() => Atomics.load(this.numbers, 1) >= count);
  }

  open(): void {
    openGate(this.numbers);
  }

  [Symbol.dispose](): void {
    this.open();
  }
}

export function openGate(numbers: Int32Array): void {
  Atomics.store(numbers, 0, 1);
  Atomics.notify(numbers, 0);
}

/** A task that blocks its thread until the gate is open. */
export function passGate<T>(numbers: Int32Array, value?: T): T | undefined {
  Atomics.add(numbers, 1, 1);
  Atomics.wait(numbers, 0, 0);
  return value;
}

/** Replaces a property until the end of the block. */
export function replace<T, K extends keyof T>(object: T, key: K, value: T[K]): Disposable {
  const original = object[key];
  object[key] = value;
  return {
    [Symbol.dispose]() {
      object[key] = original;
    },
  };
}

/** Collects the arguments of `console.error`, which prints nothing until the end of the block. */
export function logErrors(): { logged: unknown[][] } & Disposable {
  const logged: unknown[][] = [];
  return { logged, ...replace(console, "error", (...args) => logged.push(args)) };
}

/** Asserts that nothing keeps any of these objects after some garbage collections. */
export async function assertNotKept(refs: WeakRef<object>[]): Promise<void> {
  // Workers load this file, too, and do not need these modules.
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  const collectGarbage: () => void = runInNewContext("gc");
  let kept = refs;
  // An object that was read in this turn of the event loop lives until the turn ends, and messages
  // between threads may need some turns until nothing refers to them.
  for (let round = 0; round < 50 && kept.length > 0; round++) {
    await sleep(1);
    collectGarbage();
    kept = kept.filter((ref) => ref.deref() !== undefined);
  }
  assertEquals([kept.length, refs.length > 0], [0, true], "the number of objects in memory");
}
