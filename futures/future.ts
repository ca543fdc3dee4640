/**
 * Futures, modeled on Python's `concurrent.futures`. An executor, such as the pool in
 * `worker_pool.ts`, creates a future. The program reads the future's result. All times are in
 * milliseconds.
 *
 * @module
 */

/** A future starts as `"pending"`, may become `"running"`, and ends in one of the other states. */
export type FutureState = "pending" | "running" | "cancelled" | "finished";

/** Options of the methods and functions that wait for futures. */
export interface TimeoutOptions {
  /** The maximum time to wait, in milliseconds. With 0, checks once. Default: no limit. */
  timeout?: number | undefined;
}

/** Thrown by `result()` and `exception()` if the future was cancelled. */
export class CancelledError extends Error {}
/** Thrown if `timeout` ms pass before the future or result is done. `wait()` does not throw it. */
export class TimeoutError extends Error {}
/** Thrown by `start`, `resolve` and `reject` if the state of the future does not allow the call. */
export class InvalidStateError extends Error {}
/**
 * Thrown if a worker died or was terminated while it was running a task. `cause` is the error that
 * killed the worker, if there was one. The pool itself keeps running.
 */
export class WorkerCrashError extends Error {}
/**
 * Thrown if the pool cannot run tasks, because a worker could not load the module or could not
 * start. `cause` is the error that loading the module threw, if there was one.
 */
export class BrokenExecutorError extends Error {}

const errors = [CancelledError, TimeoutError, InvalidStateError, WorkerCrashError];
for (const type of [...errors, BrokenExecutorError]) type.prototype.name = type.name;

/**
 * A future and the functions that control it. All three functions throw `InvalidStateError` if the
 * state of the future does not allow the call.
 */
export interface FutureResolvers<T> {
  /** The future, which is pending at first. */
  readonly future: Future<T>;
  /** Marks the future as running and returns `true`, or returns `false` if it was cancelled. */
  start(): boolean;
  /** Finishes the future with the value that the task returned. */
  resolve(value: T): void;
  /** Finishes the future with what the task threw. */
  reject(error: unknown): void;
}

type Outcome<T> = { kind: "returned"; value: T } | { kind: "raised"; value: unknown };

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
  #callbacks: ((future: never) => void)[] = [];
  #state: FutureState = "pending";
  #outcome: Outcome<T> | undefined;

  static {
    // `console.log` calls this function. It is defined here because `isolatedDeclarations` rejects a
    // method that is named by `Symbol.for(…)`.
    const value = Future.prototype.toString;
    Object.defineProperty(Future.prototype, Symbol.for("Deno.customInspect"), { value });
  }

  private constructor() {}

  /** Creates a pending future and the functions that control it, for executors and tests. */
  static withResolvers<T>(): FutureResolvers<T> {
    const future = new Future<T>();
    return {
      future,
      start: () => future.#start(),
      resolve: (value) => future.#settle({ kind: "returned", value }),
      reject: (error) => future.#settle({ kind: "raised", value: error }),
    };
  }

  /** The state of the future. */
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

  /** Returns whether a worker has the task and has not finished it. */
  running(): boolean {
    return this.#state === "running";
  }

  /** Returns whether the future is cancelled or finished. */
  done(): boolean {
    return this.cancelled() || this.#state === "finished";
  }

  /**
   * Resolves to the value that the task returned. Rejects with what the task threw or with the
   * error of the pool (the same object at every call), with `CancelledError` if the future was
   * cancelled, or with `TimeoutError` if `timeout` ms pass first.
   */
  result(options?: TimeoutOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#whenDone(options, reject, (outcome) => {
        if (outcome.kind === "raised") reject(outcome.value);
        else resolve(outcome.value);
      });
    });
  }

  /**
   * Resolves to the error that `result()` rejects with, or to `undefined` if the task returned.
   * Rejects with `CancelledError` or `TimeoutError` in the same cases as `result()`.
   */
  exception(options?: TimeoutOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#whenDone(options, reject, ({ kind, value }) => {
        resolve(kind === "raised" ? value : undefined);
      });
    });
  }

  /**
   * Calls `fn` with the future when the future is done, or immediately if it is already done. If
   * `fn` throws, logs the error with `console.error`.
   */
  addDoneCallback(fn: (future: Future<T>) => void): void {
    if (this.done()) this.#call(fn);
    else this.#callbacks.push(fn);
  }

  /** Removes a function that `addDoneCallback` has added. */
  removeDoneCallback(fn: (future: Future<T>) => void): void {
    this.#callbacks = this.#callbacks.filter((callback) => callback !== fn);
  }

  /**
   * Returns a text such as `<Future #7 state=pending>`. For a finished future, the text includes
   * the type of the value that the task returned or threw.
   */
  toString(): string {
    const outcome = this.#outcome && ` ${this.#outcome.kind} ${typeName(this.#outcome.value)}`;
    return `<Future #${this.#id} state=${this.#state}${outcome ?? ""}>`;
  }

  /** Lets the pool refuse a future as an argument or a result, which would arrive as `{}`. */
  get [Symbol.toStringTag](): string {
    return "Future";
  }

  /** Calls `onOutcome`, or calls `onError` if there is no outcome within the timeout. */
  #whenDone(
    { timeout = Infinity }: TimeoutOptions = {},
    onError: (error: Error) => void,
    onOutcome: (outcome: Outcome<T>) => void,
  ): void {
    let timer: Timer;
    const settle = () => {
      clearTimeout(timer);
      this.removeDoneCallback(settle);
      if (this.#outcome) onOutcome(this.#outcome);
      else if (this.cancelled()) onError(new CancelledError(`cancelled: ${this}`));
      else onError(new TimeoutError(`not done within ${timeout} ms: ${this}`));
    };
    if (this.done() || timeout <= 0) {
      settle();
    } else {
      this.addDoneCallback(settle);
      timer = startTimer(settle, timeout);
    }
  }

  #start(): boolean {
    if (this.cancelled()) return false;
    this.#expect("pending");
    this.#state = "running";
    return true;
  }

  #settle(outcome: Outcome<T>): void {
    this.#expect("pending", "running");
    this.#outcome = outcome;
    this.#end("finished");
  }

  #expect(...states: FutureState[]): void {
    if (states.includes(this.#state)) return;
    const expected = states.join(" or ");
    throw new InvalidStateError(`expected state ${expected}, got ${this.#state}: ${this}`);
  }

  #end(state: "cancelled" | "finished"): void {
    this.#state = state;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) this.#call(callback);
  }

  #call(callback: (future: never) => void): void {
    try {
      callback(this as never);
    } catch (error) {
      console.error(`a callback of ${this} threw`, error);
    }
  }
}

/**
 * Yields each future once, when it is finished or cancelled. First yields the futures that are
 * already done, and then the others in the order of completion.
 *
 * @throws {TimeoutError} if futures are still unfinished `timeout` ms after the first `next()`
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
  const deadline = performance.now() + (options?.timeout ?? Infinity);
  const unfinished = new Set(futures);
  // A suspended generator keeps its parameters in memory. This assignment releases the futures. (It
  // would not if a parameter had a default value.)
  futures = [];
  const total = unfinished.size;
  const completed = new Queue<F>();
  const complete = (future: Future<unknown>) => {
    unfinished.delete(future as F);
    completed.push(future as F);
  };
  try {
    for (const future of unfinished) future.addDoneCallback(complete);
    while (completed.size + unfinished.size > 0) {
      if (completed.size === 0) await completed.waitForChange(deadline - performance.now());
      if (completed.size === 0) {
        throw new TimeoutError(`${unfinished.size} (of ${total}) futures unfinished`);
      }
      // Do not assign the future to a variable: a suspended generator would keep it in memory.
      yield completed.shift() as F;
    }
  } finally {
    for (const future of unfinished) future.removeDoneCallback(complete);
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
 * two sets: `done` has the futures that are finished or cancelled, and `notDone` has the others. A
 * timeout is not an error.
 */
export async function wait<F extends Future<unknown>>(
  futures: Iterable<F>,
  options: WaitOptions = {},
): Promise<{ done: Set<F>; notDone: Set<F> }> {
  const all = new Set(futures);
  try {
    for await (const future of asCompleted(all, options)) {
      if (options.returnWhen === "FIRST_COMPLETED") break;
      if (options.returnWhen === "FIRST_EXCEPTION" && await hasRaised(future)) break;
    }
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
  }
  const done = new Set([...all].filter((future) => future.done()));
  return { done, notDone: all.difference(done) };
}

/** A first-in, first-out queue whose reader can wait for a change. */
export class Queue<T> {
  // Two arrays, because `shift()` on a long array is slow.
  #newest: T[] = [];
  /** These items are in reverse order, so the oldest item is the last. */
  #oldest: T[] = [];
  /** Wakes the reader that waits. */
  notify: () => void = () => {};

  get size(): number {
    return this.#newest.length + this.#oldest.length;
  }

  get first(): T | undefined {
    return this.#oldest.at(-1) ?? this.#newest[0];
  }

  push(item: T): void {
    this.#newest.push(item);
    this.notify();
  }

  shift(): T | undefined {
    if (this.#oldest.length === 0) {
      this.#oldest = this.#newest.reverse();
      this.#newest = [];
    }
    return this.#oldest.pop();
  }

  /** Removes and yields the items one after another, until the queue is empty. */
  *drain(): Generator<T, void> {
    while (this.size > 0) yield this.shift() as T;
  }

  /** Waits until an item is pushed, `notify` is called or `ms` milliseconds have passed. */
  async waitForChange(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.notify = resolve;
    const timer = startTimer(resolve, ms);
    await promise;
    clearTimeout(timer);
  }
}

/** A timer for `clearTimeout`, or `undefined` if it never ends. */
export type Timer = ReturnType<typeof setTimeout> | undefined;

/** The longest delay in ms that `setTimeout` accepts. It treats a longer delay as 1 ms. */
const MAX_DELAY = 2 ** 31 - 1;

/** Calls `fn` after `ms` milliseconds, or never if the time is longer than 24 days. */
export function startTimer(fn: () => void, ms: number): Timer {
  return ms <= MAX_DELAY ? setTimeout(fn, Math.max(0, ms)) : undefined;
}

async function hasRaised(future: Future<unknown>): Promise<boolean> {
  if (future.cancelled()) return false;
  return await future.result().then(() => false, () => true);
}

function typeName(value: unknown): string {
  if (typeof value !== "object") return typeof value;
  if (value === null) return "null";
  const hasOwnName = value instanceof Error && Object.hasOwn(value, "name");
  const name: unknown = hasOwnName ? value.name : value.constructor?.name;
  return typeof name === "string" ? name : "Object";
}
