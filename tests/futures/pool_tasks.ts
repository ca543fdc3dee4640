/** The functions that the tests submit to a pool. Every worker loads this module. */

import process from "node:process";
import { Future, WorkerPoolExecutor } from "../../futures/mod.ts";

const id = crypto.randomUUID();
const never = new Promise<never>(() => {});

export function sleep(ms = 1): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Returns numbers that threads share. */
export function shared(length = 1): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * length));
}

export interface Step {
  /** Counts the tasks that have started. */
  started?: Int32Array;
  /** The task waits for its first tick, at most 20 s, so that a hang becomes a failure. */
  gate?: Int32Array;
  error?: string;
  value?: number;
}

export function step({ started, gate, error, value = 0 }: Step): number {
  if (started) tick(started);
  if (gate) waitForTick(gate);
  if (error) throw new Error(error);
  return value;
}

function waitForTick(gate: Int32Array): void {
  if (Atomics.wait(gate, 0, 0, 20_000) === "timed-out") throw new Error("nobody opened the gate");
}

/** Returns which worker this is. */
export function workerId(item: Step = {}): string {
  step(item);
  return id;
}

export function add(a: number, b: number): number {
  return a + b;
}

export function echo<T>(value: T): T {
  return value;
}

export function wrap(value: number): { value: number } {
  return { value };
}

export function tick(counts: Int32Array, index = 0): void {
  Atomics.add(counts, index, 1);
  Atomics.notify(counts, index);
}

/**
 * Calls `tick` after one turn of the event loop, so that errors left by an earlier task surface
 * first.
 */
export async function lateTick(counts: Int32Array, index: number): Promise<void> {
  await sleep();
  tick(counts, index);
}

/** Ticks until its worker ends. */
export function beat(counts: Int32Array): void {
  setInterval(tick, 1, counts);
}

/** Ticks until its worker ends, and never returns. */
export function beatForever(counts: Int32Array): Promise<never> {
  beat(counts);
  return never;
}

/** Returns how many tasks are in progress in this worker while this task awaits. */
export async function overlap(active: Int32Array): Promise<number> {
  tick(active);
  await sleep();
  return Atomics.sub(active, 0, 1);
}

// Functions that a worker finds or does not find

/** Has the name of a function in the tests. */
export function samename(counts: Int32Array): string {
  tick(counts);
  return "the wrong one";
}

export const max = samename;

export function multiplier(factor: number): (n: number) => number {
  return function multiply(n: number): number {
    return n * factor;
  };
}

/** The tests make a closure with the same name and text, and with another factor. */
const multiply = multiplier(3);
export { multiply };

function makeTwin(factor: number): (n: number) => number {
  return function twin(n: number): number {
    return n * factor;
  };
}

/** Two closures with the same name and text. */
export const twin = makeTwin(2);
export const twin2 = makeTwin(3);

export default function defaultTask(n: number): number {
  return n;
}

function renamedTask(n: number): number {
  return n;
}
export { renamedTask as exportedTask };

export const bound = echo.bind(null);

export class Tools {
  static staticTask(n: number): number {
    return n;
  }
}

// Values that cannot be sent to a worker

function linked(nodes: number): unknown {
  let list: unknown = null;
  for (let n = 0; n < nodes; n++) list = { list };
  return list;
}

export class OwnEvent extends Event {}

/** Values that cannot be sent to a worker. */
export const uncloneable = {
  "a function": () => () => 1,
  "a symbol deep inside": () => ({ deep: [Symbol()] }),
  "a URL": () => new URL("https://deno.com"),
  URLSearchParams: () => new URLSearchParams("a=1"),
  Headers: () => new Headers({ a: "1" }),
  "a Request": () => new Request("https://deno.com"),
  "a Response": () => new Response("body"),
  "an AbortController": () => new AbortController(),
  "an Event": () => new Event("load"),
  "an event of the user's own class": () => new OwnEvent("load"),
  "a CustomEvent": () => new CustomEvent("load"),
  "a MessageEvent": () => new MessageEvent("message"),
  "a Future": () => Future.withResolvers().future,
  "an executor": () => newInnerPool(),
  "a list of 2,700 nodes": () => linked(2700),
  "a list of 100,000 nodes": () => linked(100_000),
};

export type Uncloneable = keyof typeof uncloneable;

export function make(kind: Uncloneable | number): unknown {
  return typeof kind === "number" ? kind : uncloneable[kind]();
}

export function makeThrowingGetter(): object {
  return Object.defineProperty({}, "x", {
    enumerable: true,
    get() {
      throw new RangeError("thrown by a getter of the result");
    },
  });
}

export function makeSignal(): AbortSignal {
  return new AbortController().signal;
}

export function exitFor4(n: number): number {
  return n === 4 ? Deno.exit(0) : n;
}

// Errors

class OwnError extends RangeError {
  override name = "OwnError";
  code = 3;
  unclonable = () => 1;
}

function OldError(this: Error, message: string) {
  this.message = message;
}
OldError.prototype = Object.create(Error.prototype, { constructor: { value: OldError } });

export const thrown = {
  TypeError: () => new TypeError("a type", { cause: new OwnError("why", { cause: "deep" }) }),
  OwnError: () => new OwnError("own"),
  OldError: () => Reflect.construct(OldError, ["old"]),
  NotFound: () => new Deno.errors.NotFound("gone"),
  DOMException: () => new DOMException("dom", "AbortError"),
  AggregateError: () => new AggregateError([new TypeError("one")], "many"),
  renamed: () => Object.assign(new Error("renamed"), { name: "Renamed", size: 2 }),
  string: () => "text",
  undefined: () => undefined,
  object: () => ({ n: 1n }),
  function: () => () => 1,
  "a list": () => linked(2700),
  "a stack that throws": () =>
    Object.defineProperty(new Error(), "stack", {
      get() {
        throw new Error("no stack");
      },
    }),
};

export type Throwable = keyof typeof thrown;

export function fail(kind: Throwable): never {
  throw thrown[kind]();
}

const unprintable = { toString: null, valueOf: null };

/** Errors that are hard to take apart and to rebuild. */
export const odd = {
  "a frozen error": () => Object.freeze(new Error("frozen", { cause: new TypeError("why") })),
  "a fixed cause": () =>
    Object.defineProperty(new Error(), "cause", { value: new TypeError("why") }),
  "a DOMException with odd fields": () =>
    Object.defineProperty(new DOMException(), "message", { value: unprintable }),
  "a name that is an object": () => Object.assign(new Error(), { name: unprintable }),
};

export function failOddly(kind: keyof typeof odd): never {
  throw odd[kind]();
}

export function leaveOddly(kind: keyof typeof odd): void {
  leaveRejection(odd[kind]());
}

/** How errors arrive: as which built-in class, and with what own fields. */
export const arriving: [Throwable, type: abstract new (...args: never[]) => Error, own: object][] =
  [
    ["TypeError", TypeError, { name: "TypeError", message: "a type" }],
    ["OwnError", RangeError, { name: "OwnError", message: "own", code: 3 }],
    ["OldError", Error, { name: "Error", message: "old" }],
    ["renamed", Error, { name: "Renamed", message: "renamed", size: 2 }],
    ["NotFound", Deno.errors.NotFound, { name: "NotFound", message: "gone" }],
    ["DOMException", DOMException, { name: "AbortError", message: "dom" }],
    ["AggregateError", AggregateError, { name: "AggregateError", message: "many" }],
  ];

function throwFromTimer(): void {
  setTimeout(() => {
    throw new RangeError("escaped");
  });
}

// Ways to lose a worker

/** Ways in which a task kills its worker. */
export const crashes = {
  "self.close()": () => self.close(),
  "self.close() while it awaits": async () => {
    await sleep();
    self.close();
    await never;
  },
  "Deno.exit(3)": () => Deno.exit(3),
  "process.exit(3)": () => process.exit(3),
  "an error thrown from a timer": () => {
    throwFromTimer();
    return never;
  },
  "an error thrown from a microtask": () =>
    queueMicrotask(() => {
      throw new RangeError("escaped");
    }),
  "a rejected promise that nobody awaits": () => {
    Promise.reject(new RangeError("escaped"));
    return never;
  },
  "a rejection with a list of 2,700 nodes": () => {
    Promise.reject(linked(2700));
    return never;
  },
};

export type Crash = keyof typeof crashes;

export function crash(kind: Crash): unknown {
  return crashes[kind]();
}

function leaveRejection(reason: unknown): void {
  Promise.reject(reason);
}

/** Ways in which a task kills its worker after it has returned. */
export const leftovers = {
  "a rejected promise": () => leaveRejection(new RangeError("escaped")),
  "a promise rejected with a function": () => leaveRejection(() => 1),
  "a promise rejected with a list of 2,700 nodes": () => leaveRejection(linked(2700)),
  "a promise rejected with a list of 100,000 nodes": () => leaveRejection(linked(100_000)),
  "an error with a stack that throws": () => leaveRejection(thrown["a stack that throws"]()),
  "an error in a timer": throwFromTimer,
  "a timer that calls self.close()": () => {
    setTimeout(() => self.close());
  },
  "a timer that calls Deno.exit()": () => {
    setTimeout(() => Deno.exit());
  },
};

export type Leftover = keyof typeof leftovers;

export function leave(kind: Leftover, result: Uncloneable | number = 1): unknown {
  leftovers[kind]();
  return make(result);
}

// Abort signals

/** Resolves to the reason of the signal when it aborts. Ticks when it begins to wait. */
export async function reasonOf(signal: AbortSignal, started?: Int32Array): Promise<unknown> {
  if (started) tick(started);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  return signal.reason;
}

export interface Description {
  text: string;
  className: string | undefined;
  cause: unknown;
  /** The reason itself. A clone of an error would lose its class. */
  value: unknown;
}

export function describe(reason: unknown): Description {
  const isError = reason instanceof Error;
  return {
    text: `${reason}`,
    className: reason?.constructor.name,
    cause: isError ? reason.cause : undefined,
    value: isError ? undefined : reason,
  };
}

/** Describes the reason of the signal when it aborts. */
export async function describeReason(
  signal: AbortSignal,
  started?: Int32Array,
): Promise<Description> {
  return describe(await reasonOf(signal, started));
}

/** Returns what the task sees of its signal when it begins. */
export function look(signal: AbortSignal): { isSignal: boolean; aborted: boolean } {
  return { isSignal: signal instanceof AbortSignal, aborted: signal.aborted };
}

/** Returns which of the signals have aborted when the last one aborts. */
export async function abortedOnes(
  started: Int32Array,
  first: AbortSignal,
  n: number,
  last: AbortSignal,
): Promise<unknown[]> {
  await reasonOf(last, started);
  return [first.aborted, n, last.aborted];
}

/** Computes until the tick. Returns whether the signal has aborted then, and a moment later. */
export async function compute(
  signal: AbortSignal,
  started: Int32Array,
  gate: Int32Array,
): Promise<boolean[]> {
  tick(started);
  waitForTick(gate);
  const before = signal.aborted;
  await sleep(20);
  return [before, signal.aborted];
}

export async function fetchUntilAborted(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, { signal });
  return await response.text();
}

/** Takes a signal and ends in the way that `kind` says. */
export async function useSignal(
  _signal: AbortSignal,
  kind: "returns" | "throws" | "crashes" | "waits",
  started: Int32Array,
): Promise<number> {
  tick(started);
  if (kind === "throws") throw new Error("thrown");
  if (kind === "crashes") self.close();
  if (kind !== "returns") await never;
  return 1;
}

// Pools in workers

function newInnerPool(): WorkerPoolExecutor {
  return new WorkerPoolExecutor(import.meta.url, { maxWorkers: 1 });
}

/** Opens a pool and submits to it after the task has returned. Counts the errors. */
export function submitLater(errors: Int32Array): void {
  const inner = newInnerPool();
  setTimeout(() => {
    for (const start of [() => inner.submit(echo, 1), () => inner.map(echo, [1])]) {
      try {
        start();
      } catch (error) {
        tick(errors, `${error}`.includes("import.meta.main") ? 0 : 1);
      }
    }
  });
}

export async function sumInPool(numbers: number[]): Promise<number> {
  await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2 });
  let sum = 0;
  for await (const n of executor.map(echo, numbers)) sum += n;
  return sum;
}

// The stress test

/** The jobs of the stress test: the expected outcome of each, and the function to run. */
export const jobs = {
  returns: ["returned", (n: number): unknown => n],
  awaits: ["returned", (n: number) => sleep().then(() => n)],
  leaves: ["returned", (n: number) => {
    Promise.reject(new Error("left behind"));
    return n;
  }],
  throws: ["OwnError", () => fail("OwnError")],
  "closes its worker": ["WorkerCrashError", () => self.close()],
  "throws from a timer": ["WorkerCrashError", () => crash("an error thrown from a timer")],
  "returns a list": ["DataCloneError", () => linked(2700)],
  "returns a URL": ["DataCloneError", () => uncloneable["a URL"]()],
  "is refused": ["DataCloneError", () => {}],
  "waits for its signal": ["AbortError", (_n: number, signal?: AbortSignal) => {
    if (!signal) throw new Error("the signal is missing");
    return reasonOf(signal).then((reason) => {
      throw reason;
    });
  }],
} as const;

export interface Job {
  log: Int32Array;
  n: number;
  kind: keyof typeof jobs;
  refused?: () => void;
}

/** `log[0]` is the number of jobs that have started. Their numbers follow. */
export function job({ log, n, kind }: Job, signal?: AbortSignal): unknown {
  log[Atomics.add(log, 0, 1) + 1] = n;
  return jobs[kind][1](n, signal);
}
