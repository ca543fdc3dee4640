/** The tasks that the workers of `futures_test.ts` run. */

import process from "node:process";
import { WorkerPoolExecutor } from "../futures.ts";

const id = crypto.randomUUID();

/** Which worker this is, once the gate is open. */
export function workerId({ started, gate }: Step = {}): string {
  step({ started, gate });
  return id;
}

export function add(a: number, b: number): number {
  return a + b;
}

export function echo<T>(value: T): T {
  return value;
}

/** Blocks the worker until the gate is open: not for ever, for a hang has to be a failure. */
export function step({ started, gate, error, value }: Step): number | undefined {
  if (started) tick(started, 0);
  if (gate && Atomics.wait(gate, 0, 0, 20_000) === "timed-out") {
    throw new Error("nobody opened the gate");
  }
  if (error) throw new Error(error);
  return value;
}

export interface Step {
  started?: Int32Array | undefined;
  gate?: Int32Array | undefined;
  error?: string;
  value?: number;
}

export function tick(counts: Int32Array, index: number): void {
  Atomics.add(counts, index, 1);
  Atomics.notify(counts, index);
}

/** Notes that task `number` has started, in the order of the log; its first element is the length. */
export function note(log: Int32Array, number: number, ms = 0): void {
  log[Atomics.add(log, 0, 1) + 1] = number;
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** How many tasks are under way in this worker, while this one awaits. */
export async function overlap(active: Int32Array): Promise<number> {
  tick(active, 0);
  await new Promise((resolve) => setTimeout(resolve, 1));
  return Atomics.sub(active, 0, 1);
}

export function returnFunctionFor4(n: number): unknown {
  return n === 4 ? () => n : n;
}

export function exitFor4(n: number): number {
  return n === 4 ? Deno.exit(0) : n;
}

class OddError extends RangeError {
  override name = "OddError";
  code = 3;
}

const thrown = {
  TypeError: () => new TypeError("a type", { cause: new RangeError("why", { cause: "deep" }) }),
  OddError: () => new OddError("odd"),
  NotFound: () => new Deno.errors.NotFound("gone"),
  DOMException: () => new DOMException("dom", "AbortError"),
  AggregateError: () => new AggregateError([new TypeError("one")], "many"),
  renamed: () => Object.assign(new Error("renamed"), { name: "Renamed", fn: () => 1, size: 2 }),
  string: () => "text",
  undefined: () => undefined,
  object: () => ({ n: 1n }),
  function: () => () => 1,
};

export type Throwable = keyof typeof thrown;

export function fail(kind: Throwable): never {
  throw thrown[kind]();
}

const never = new Promise<never>(() => {});

/** What takes a worker down. */
export const crashes = {
  "self.close()": () => self.close(),
  "self.close() while it awaits": async () => {
    await Promise.resolve();
    self.close();
    await never;
  },
  "Deno.exit(3)": () => Deno.exit(3),
  "process.exit(3)": () => process.exit(3),
  "an error thrown from a timer": () => {
    setTimeout(() => {
      throw new RangeError("escaped");
    });
    return never;
  },
  "an error thrown from a microtask": () =>
    queueMicrotask(() => {
      throw new RangeError("escaped");
    }),
  "a rejected promise left behind": () => void Promise.reject(new RangeError("escaped")),
  "a rejected promise left behind while it awaits": () => {
    Promise.reject(new RangeError("escaped"));
    return never;
  },
};

export type CrashKind = keyof typeof crashes;

export function crash(kind: CrashKind): unknown {
  return crashes[kind]();
}

const kinds = Object.values(crashes);

/** Every tenth task takes its worker down, each in another way. */
export function crashEveryTenth(counts: Int32Array, n: number): unknown {
  tick(counts, n);
  return n % 10 === 3 ? kinds[(n - 3) / 10 % kinds.length]?.() : 2 * n;
}

/** Returns, and takes the worker down afterwards. */
export function crashLater(started: Int32Array): void {
  setTimeout(() => {
    tick(started, 0);
    throw new Error("too late");
  });
}

export async function sumInPool(numbers: number[]): Promise<number> {
  await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2 });
  let sum = 0;
  for await (const n of executor.map(echo, numbers)) sum += n;
  return sum;
}
