/**
 * Futures, after Python's `concurrent.futures`: an executor such as the pool of `worker_pool.ts` makes
 * them, a program reads them. All times are milliseconds.
 *
 * @module
 */

/** Where a {@linkcode Future} stands: it goes from left to right, and only ever once. */
export type FutureState = "pending" | "running" | "cancelled" | "finished";

/** How long to wait, in milliseconds. */
export interface TimeoutOptions {
  /** 0 asks without waiting. Default: no limit, as from 2^31 on (24 days). */
  timeout?: number;
}

/** Thrown by `result()` and `exception()` of a future that was cancelled. */
export class CancelledError extends Error {}
/** Thrown when the time given as `timeout` has passed. */
export class TimeoutError extends Error {}
/** Thrown when a future is told to start, or its outcome, and is past that. */
export class InvalidStateError extends Error {}
/** A task lost the worker it ran in; `cause` is the error that ended it, if one did. The pool goes on. */
export class WorkerCrashError extends Error {}
/** The pool can run nothing, for its module cannot be loaded; `cause` is the error. */
export class BrokenExecutorError extends Error {}

const errors = [CancelledError, TimeoutError, InvalidStateError, WorkerCrashError];
for (const type of [...errors, BrokenExecutorError]) type.prototype.name = type.name;

type Outcome<T> = { how: "returned"; value: T } | { how: "raised"; value: unknown };

// What the rest of this file may do with a future, and nobody else: set by its static block.
let whenDone: <T>(future: Future<T>, fn: (future: Future<T>) => void) => void;
let forget: <T>(future: Future<T>, fn: (future: Future<T>) => void) => void;
let hasRaised: (future: Future<unknown>) => boolean;

/**
 * The outcome of a task that may not have ended yet, or not even begun. It is no thenable:
 * `await future.result()`. A failure that nobody reads is kept.
 *
 * @example
 * ```ts
 * import { Future } from "./futures.ts";
 *
 * const { future, resolve } = Future.withResolvers<string>();
 * console.log(`${future}`); // <Future #1 state=pending>
 * resolve("BR");
 * console.log(await future.result()); // BR
 * ```
 */
export class Future<T> {
  static #count = 0;

  readonly #id = ++Future.#count;
  readonly #callbacks = new Set<(future: never) => void>();
  #state: FutureState = "pending";
  #outcome: Outcome<T> | undefined;

  static {
    whenDone = (future, fn) => future.done() ? fn(future) : void future.#callbacks.add(fn);
    forget = (future, fn) => future.#callbacks.delete(fn);
    hasRaised = (future) => future.#outcome?.how === "raised";
  }

  private constructor() {}

  /**
   * A new pending future, and the functions that decide it, for executors and tests: `start` makes it
   * running, or returns `false` if it was cancelled; `resolve` and `reject` settle it. They throw
   * {@linkcode InvalidStateError} when the future is past that.
   */
  static withResolvers<T>(): {
    future: Future<T>;
    start(): boolean;
    resolve(value: T): void;
    reject(error: unknown): void;
  } {
    const future = new Future<T>();
    return {
      future,
      start: () => {
        if (future.cancelled()) return false;
        future.#expect("pending");
        future.#state = "running";
        return true;
      },
      resolve: (value) => future.#settle({ how: "returned", value }),
      reject: (error) => future.#settle({ how: "raised", value: error }),
    };
  }

  /** `"pending"`, `"running"`, `"cancelled"` or `"finished"`. */
  get state(): FutureState {
    return this.#state;
  }

  /** Calls the task off if it is pending; `false`, and nothing changes, if it runs or has finished. */
  cancel(): boolean {
    if (this.#state === "pending") this.#end("cancelled");
    return this.cancelled();
  }

  /** Whether the future was cancelled. */
  cancelled(): boolean {
    return this.#state === "cancelled";
  }

  /** Whether the task has a worker and has not ended. */
  running(): boolean {
    return this.#state === "running";
  }

  /** Whether the future is cancelled or finished. */
  done(): boolean {
    return this.cancelled() || this.#state === "finished";
  }

  /**
   * What the task returned, once it has. Rejects with what it threw (the same object at every call), with
   * {@linkcode CancelledError}, or with {@linkcode TimeoutError} if `timeout` ms pass first.
   */
  result(options?: TimeoutOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      const timeout = milliseconds(options);
      let timer: ReturnType<typeof after> = undefined;
      const settle = () => {
        clearTimeout(timer);
        if (!this.#outcome) reject(new CancelledError(`cancelled: ${this}`));
        else if (this.#outcome.how === "raised") reject(this.#outcome.value);
        else resolve(this.#outcome.value);
      };
      whenDone(this, settle);
      if (this.done()) return;
      timer = after(timeout, () => {
        forget(this, settle);
        reject(new TimeoutError(`not done within ${timeout} ms: ${this}`));
      });
    });
  }

  /** What the task threw, or `undefined` if it returned; rejects like `result()` if it did neither. */
  async exception(options?: TimeoutOptions): Promise<unknown> {
    milliseconds(options);
    try {
      await this.result(options);
    } catch (error) {
      if (this.#outcome?.how === "raised") return this.#outcome.value;
      throw error;
    }
  }

  /** Calls `fn` when the future is done, or now if it is. What `fn` throws goes to `console.error`. */
  addDoneCallback(fn: (future: Future<T>) => void): void {
    whenDone(this, (future) => {
      try {
        fn(future);
      } catch (error) {
        console.error(`a callback of ${future} threw`, error);
      }
    });
  }

  /** `<Future #7 state=pending>`, or with the type of what it returned or raised. */
  toString(): string {
    const how = this.#outcome ? ` ${this.#outcome.how} ${typeName(this.#outcome.value)}` : "";
    return `<Future #${this.#id} state=${this.#state}${how}>`;
  }

  /** What `console.log` shows. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  #expect(...states: FutureState[]): void {
    if (!states.includes(this.#state)) throw new InvalidStateError(`${this.#state}: ${this}`);
  }

  #settle(outcome: Outcome<T>): void {
    this.#expect("pending", "running");
    this.#outcome = outcome;
    this.#end("finished");
  }

  #end(state: "cancelled" | "finished"): void {
    this.#state = state;
    for (const callback of this.#callbacks) callback(this as never);
    this.#callbacks.clear();
  }
}

/**
 * Yields each future once when it is done (or cancelled): those that are already first, then in the order
 * of completion. When `timeout` ms have passed since the first `next()`, it throws
 * {@linkcode TimeoutError} and counts those that are left.
 *
 * @throws {TypeError} if it is given anything but futures
 * @example
 * ```ts
 * import { asCompleted, Future } from "./futures.ts";
 *
 * const slow = Future.withResolvers<string>();
 * const quick = Future.withResolvers<string>();
 * setTimeout(() => slow.resolve("slow"), 20);
 * setTimeout(() => quick.resolve("quick"), 10);
 * for await (const future of asCompleted([slow.future, quick.future])) {
 *   console.log(await future.result()); // quick, slow
 * }
 * ```
 */
export async function* asCompleted<T>(
  futures: Iterable<Future<T>>,
  options?: TimeoutOptions,
): AsyncIterableIterator<Future<T>> {
  const deadline = performance.now() + milliseconds(options);
  const pending = new Set(futures);
  const total = pending.size;
  let ready: Future<T>[] = [];
  let notify = () => {};
  const arrive = (future: Future<T>) => {
    pending.delete(future);
    ready.push(future);
    notify();
  };
  for (const future of pending) {
    if (!(future instanceof Future)) throw new TypeError(`expected a future, got ${future}`);
  }
  try {
    for (const future of pending) whenDone(future, arrive);
    while (ready.length + pending.size > 0) {
      if (ready.length === 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        notify = resolve;
        const timer = after(deadline - performance.now(), resolve);
        await promise;
        clearTimeout(timer);
        if (ready.length === 0) {
          throw new TimeoutError(`${pending.size} (of ${total}) futures unfinished`);
        }
      }
      const batch = ready;
      ready = [];
      yield* batch;
    }
  } finally {
    for (const future of pending) forget(future, arrive);
  }
}

/** What {@linkcode wait} can be told. */
export interface WaitOptions extends TimeoutOptions {
  /** When to stop waiting. `"FIRST_EXCEPTION"` waits for all if none fails. Default: `"ALL_COMPLETED"`. */
  returnWhen?: "ALL_COMPLETED" | "FIRST_COMPLETED" | "FIRST_EXCEPTION";
}

/**
 * Waits until futures are done (or cancelled), or until `timeout` ms have passed: no error here.
 *
 * @throws {RangeError} if `returnWhen` is none of the three
 * @throws {TypeError} if it is given anything but futures
 */
export async function wait<T>(
  futures: Iterable<Future<T>>,
  options: WaitOptions = {},
): Promise<{ done: Set<Future<T>>; notDone: Set<Future<T>> }> {
  const { returnWhen = "ALL_COMPLETED" } = options;
  if (!["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"].includes(returnWhen)) {
    throw new RangeError(`returnWhen: expected FIRST_COMPLETED or the like, got ${returnWhen}`);
  }
  const all = new Set(futures);
  try {
    for await (const future of asCompleted(all, options)) {
      if (returnWhen === "FIRST_COMPLETED") break;
      if (returnWhen === "FIRST_EXCEPTION" && hasRaised(future)) break;
    }
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
  }
  const done = new Set([...all].filter((future) => future.done()));
  return { done, notDone: all.difference(done) };
}

/** A timer for `fn`; calls it now if no time is left, and never where a timer would overflow. */
function after(ms: number, fn: () => void): ReturnType<typeof setTimeout> | undefined {
  if (ms <= 0) fn();
  else if (ms <= 2 ** 31 - 1) return setTimeout(fn, ms);
}

function milliseconds({ timeout = Infinity }: TimeoutOptions = {}): number {
  if (Number.isNaN(timeout)) throw new RangeError("timeout: expected milliseconds, got NaN");
  return timeout;
}

function typeName(value: unknown): string {
  if (typeof value !== "object") return typeof value;
  if (value instanceof Error && Object.hasOwn(value, "name")) return value.name;
  return value ? value.constructor?.name ?? "Object" : "null";
}
