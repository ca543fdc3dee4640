/**
 * Futures, modeled on Python's `concurrent.futures`. An executor, such as the pool in
 * `worker_pool.ts`, creates a future. The program reads the future's result. All times are in
 * milliseconds.
 *
 * @module
 */

import { Queue } from "./queue.ts";

/**
 * The state of a `Future`. A future starts as `"pending"`, may become `"running"`, and ends as
 * `"cancelled"` or `"finished"`. It never returns to an earlier state.
 */
export type FutureState = "pending" | "running" | "cancelled" | "finished";

/** Options of the methods and functions that wait for futures. */
export interface TimeoutOptions {
  /**
   * The maximum time to wait, in milliseconds. With 0, checks once without waiting. Default: no
   * limit. A value of 2^31 (about 25 days) or more also means no limit.
   */
  timeout?: number | undefined;
}

/** Thrown by `result()`, `exception()` and `map()` if the task was cancelled. */
export class CancelledError extends Error {}
/**
 * Thrown by `result()`, `exception()`, `asCompleted()` and `map()` if the `timeout` passes first.
 * `wait()` does not throw it. (The reason of an `AbortSignal.timeout()` is a `DOMException` of the
 * same name, which is not an instance of this class.)
 */
export class TimeoutError extends Error {}
/**
 * Thrown by the functions `start`, `resolve` and `reject` of `Future.withResolvers()` if the
 * future's state does not allow the call.
 */
export class InvalidStateError extends Error {}
/**
 * Thrown if a worker died or was terminated while it was running a task. `cause` is the error that
 * killed the worker, if there was one. The pool itself keeps running after a worker has died.
 */
export class WorkerCrashError extends Error {}
/**
 * Thrown if the pool cannot run tasks. Either its module failed to load, or the module started
 * tasks while a worker was loading it, or a worker could not start. `cause` is the error that
 * loading the module threw, if there was one.
 */
export class BrokenExecutorError extends Error {}

const errors = [CancelledError, TimeoutError, InvalidStateError, WorkerCrashError];
for (const type of [...errors, BrokenExecutorError]) type.prototype.name = type.name;

type Outcome<T> = { kind: "returned"; value: T } | { kind: "raised"; value: unknown };

// These functions give the rest of this file access to the private fields of a future. The static
// block of `Future` sets them.
let whenDone: <F extends Future<unknown>>(future: F, fn: (future: F) => void) => void;
let forget: <F extends Future<unknown>>(future: F, fn: (future: F) => void) => void;
let hasRaised: (future: Future<unknown>) => boolean;

/**
 * The outcome of a task that may not have finished or even started. A future is not thenable. To
 * read the result, use `await future.result()`. An error that nobody reads stays in the future and
 * never becomes an unhandled rejection.
 *
 * @example
 * ```ts
 * import { Future } from "./mod.ts";
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
    whenDone = (future, fn) => {
      if (future.done()) fn(future);
      else future.#callbacks.add(fn);
    };
    forget = (future, fn) => future.#callbacks.delete(fn);
    hasRaised = (future) => future.#outcome?.kind === "raised";
    // `console.log` calls this function to show a future. The compiler option
    // `isolatedDeclarations` rejects a method that is named by `Symbol.for(…)`, so the function is
    // defined here.
    Object.defineProperty(Future.prototype, Symbol.for("Deno.customInspect"), {
      value: Future.prototype.toString,
    });
  }

  private constructor() {}

  /**
   * Creates a pending future and the functions that control it, for executors and tests. `start`
   * marks the future as running and returns `true`, or returns `false` if the future was cancelled.
   * `resolve` and `reject` settle the future. All three functions throw `InvalidStateError` if the
   * future's state does not allow the call.
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
      resolve: (value) => future.#settle({ kind: "returned", value }),
      reject: (error) => future.#settle({ kind: "raised", value: error }),
    };
  }

  /** The state of the future: `"pending"`, `"running"`, `"cancelled"` or `"finished"`. */
  get state(): FutureState {
    return this.#state;
  }

  /**
   * Cancels the future if it is pending. Returns whether the future is now cancelled. A running or
   * finished future cannot be cancelled.
   */
  cancel(): boolean {
    if (this.#state === "pending") this.#end("cancelled");
    return this.cancelled();
  }

  /** Returns whether the future was cancelled. */
  cancelled(): boolean {
    return this.#state === "cancelled";
  }

  /** Returns whether the executor has given the task to a worker and the task has not finished. */
  running(): boolean {
    return this.#state === "running";
  }

  /** Returns whether the future is cancelled or finished. */
  done(): boolean {
    return this.cancelled() || this.#state === "finished";
  }

  /**
   * Resolves to the value that the task returned. Rejects with what the task threw or with the
   * error of the pool, such as a `WorkerCrashError` (the same object at every call). Rejects with
   * `CancelledError` if the future was cancelled, or with `TimeoutError` if `timeout` ms pass
   * first. Rejects with a `RangeError` if `timeout` is `NaN`.
   */
  result(options?: TimeoutOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      const timeout = timeoutOf(options);
      let timer: ReturnType<typeof callAfter> = undefined;
      const settle = () => {
        clearTimeout(timer);
        if (!this.#outcome) reject(new CancelledError(`cancelled: ${this}`));
        else if (this.#outcome.kind === "raised") reject(this.#outcome.value);
        else resolve(this.#outcome.value);
      };
      whenDone(this, settle);
      if (this.done()) return;
      timer = callAfter(timeout, () => {
        forget(this, settle);
        reject(new TimeoutError(`not done within ${timeout} ms: ${this}`));
      });
    });
  }

  /**
   * Resolves to what the task threw or to the error of the pool, such as a `WorkerCrashError`.
   * Resolves to `undefined` if the task returned. Rejects with `CancelledError`, `TimeoutError` or
   * `RangeError` in the same cases as `result()`.
   */
  async exception(options?: TimeoutOptions): Promise<unknown> {
    timeoutOf(options); // Without this check, a failed future would accept a `timeout` of `NaN`.
    try {
      await this.result(options);
      return undefined;
    } catch (error) {
      if (this.#outcome?.kind === "raised") return this.#outcome.value;
      throw error;
    }
  }

  /**
   * Calls `fn` with the future when the future is done, or immediately if it is already done. If
   * `fn` throws, logs the error with `console.error`.
   */
  addDoneCallback(fn: (future: Future<T>) => void): void {
    whenDone(this, (future) => {
      try {
        fn(future);
      } catch (error) {
        console.error(`a callback of ${future} threw`, error);
      }
    });
  }

  /**
   * Returns a text such as `<Future #7 state=pending>`. For a finished future, the text includes
   * the type of the value that the task returned or threw.
   */
  toString(): string {
    const outcome = this.#outcome && ` ${this.#outcome.kind} ${typeName(this.#outcome.value)}`;
    return `<Future #${this.#id} state=${this.#state}${outcome ?? ""}>`;
  }

  /**
   * Returns the name by which the pool recognizes a future. The pool rejects a future as an
   * argument or a result, because the future would arrive as `{}`.
   */
  get [Symbol.toStringTag](): string {
    return "Future";
  }

  #expect(...states: FutureState[]): void {
    if (states.includes(this.#state)) return;
    const expected = states.join(" or ");
    throw new InvalidStateError(`expected state ${expected}, got ${this.#state}: ${this}`);
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
 * Yields each future once, when it is finished or cancelled. First yields the futures that are
 * already done, and then the others in the order of completion.
 *
 * @throws {TypeError} if `futures` contains anything but futures
 * @throws {RangeError} if `timeout` is `NaN`
 * @throws {TimeoutError} if futures are still unfinished `timeout` ms after the first `next()`. The
 * message says how many futures are unfinished.
 * @example
 * ```ts
 * import { asCompleted, Future } from "./mod.ts";
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
export async function* asCompleted<F extends Future<unknown>>(
  futures: Iterable<F>,
  options?: TimeoutOptions,
): AsyncIterableIterator<F> {
  const deadline = performance.now() + timeoutOf(options);
  const unfinished = new Set(futures);
  // A suspended generator keeps its parameters in memory, and with them all futures and their
  // results. This assignment releases them. (It would not if a parameter had a default value.)
  futures = [];
  const total = unfinished.size;
  const ready = new Queue<F>();
  let notify = () => {};
  const arrive = (future: F) => {
    unfinished.delete(future);
    ready.push(future);
    notify();
  };
  for (const future of unfinished) {
    if (!(future instanceof Future)) throw new TypeError(`expected a future, got ${future}`);
  }
  try {
    for (const future of unfinished) whenDone(future, arrive);
    while (ready.size + unfinished.size > 0) {
      if (ready.size === 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        notify = resolve;
        const timer = callAfter(deadline - performance.now(), resolve);
        await promise;
        clearTimeout(timer);
      }
      if (ready.size === 0) {
        throw new TimeoutError(`${unfinished.size} (of ${total}) futures unfinished`);
      }
      // Do not assign the future to a variable: a suspended generator would keep it in memory.
      yield ready.shift() as F;
    }
  } finally {
    for (const future of unfinished) forget(future, arrive);
  }
}

/** Options of `wait`. */
export interface WaitOptions extends TimeoutOptions {
  /**
   * When to stop waiting. `"FIRST_COMPLETED"` waits for one future that is finished or cancelled.
   * `"FIRST_EXCEPTION"` waits for one future whose task threw, or for all futures if no task
   * throws. Default: `"ALL_COMPLETED"`.
   */
  returnWhen?: "ALL_COMPLETED" | "FIRST_COMPLETED" | "FIRST_EXCEPTION" | undefined;
}

/**
 * Waits until the condition of `returnWhen` is met, or until `timeout` ms have passed. Resolves to
 * two sets: `done` has the futures that are finished or cancelled, and
 * `notDone` has the others. A timeout is not an error.
 *
 * @throws {RangeError} if `returnWhen` is not one of the three values, or if `timeout` is `NaN`
 * @throws {TypeError} if `futures` contains anything but futures
 */
export async function wait<F extends Future<unknown>>(
  futures: Iterable<F>,
  options: WaitOptions = {},
): Promise<{ done: Set<F>; notDone: Set<F> }> {
  const { returnWhen = "ALL_COMPLETED" } = options;
  if (!["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"].includes(returnWhen)) {
    throw new RangeError(
      `returnWhen: expected ALL_COMPLETED, FIRST_COMPLETED or FIRST_EXCEPTION, got ${returnWhen}`,
    );
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

/** The longest delay in ms that `setTimeout` accepts. `setTimeout` treats a longer one as 1 ms. */
const MAX_DELAY = 2 ** 31 - 1;

/**
 * Returns the `timeout` of `options`, or `Infinity` if there is no limit.
 *
 * @throws {RangeError} if `timeout` is `NaN`
 */
export function timeoutOf({ timeout = Infinity }: TimeoutOptions = {}): number {
  if (Number.isNaN(timeout)) throw new RangeError("timeout: expected milliseconds, got NaN");
  return timeout > MAX_DELAY ? Infinity : timeout;
}

/**
 * Calls `fn` after `ms` milliseconds, or now if `ms` is not positive. Never calls `fn` if `ms` is
 * `Infinity`. Returns the timer, if there is one.
 */
export function callAfter(ms: number, fn: () => void): ReturnType<typeof setTimeout> | undefined {
  if (ms <= 0) {
    fn();
    return undefined;
  }
  return ms === Infinity ? undefined : setTimeout(fn, ms);
}

function typeName(value: unknown): string {
  if (typeof value !== "object") return typeof value;
  if (value === null) return "null";
  const hasOwnName = value instanceof Error && Object.hasOwn(value, "name");
  const name: unknown = hasOwnName ? value.name : value.constructor?.name;
  return typeof name === "string" ? name : "Object";
}
