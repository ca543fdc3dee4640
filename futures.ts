/**
 * Futures and a pool of Web Workers: Python's `concurrent.futures`, for Deno.
 *
 * The two files `futures.ts` and `futures_worker.ts` are all of it; they import nothing but each other.
 * A task is an exported function of a module, which the workers load to find it by name. The same
 * module can be the main script:
 *
 * ```ts
 * import { WorkerPoolExecutor } from "./futures.ts";
 *
 * export function square(n: number): number {
 *   return n * n;
 * }
 *
 * if (import.meta.main) {
 *   await using executor = new WorkerPoolExecutor(import.meta.url);
 *   for await (const result of executor.map(square, [1, 2, 3])) console.log(result);
 * }
 * ```
 *
 * All times are milliseconds.
 *
 * @module
 */

import type { Call, Reply, Start, Thrown } from "./futures_worker.ts";

/** Where a {@linkcode Future} stands: it goes from left to right, and only ever once. */
export type FutureState = "pending" | "running" | "cancelled" | "finished";

/** How long to wait. */
export interface TimeoutOptions {
  /** Milliseconds; 0 asks without waiting. There is no limit by default, or from 2^31 on (24 days). */
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
for (const type of [...errors, BrokenExecutorError]) {
  Object.defineProperty(type.prototype, "name", { value: type.name, writable: true });
}

// What the rest of this file may do with a future, and nobody else: set by its static block.
let whenDone: (future: Future<unknown>, fn: () => void) => () => void;
let beforeCancel: (future: Future<unknown>, revoke: () => boolean) => void;
let hasRaised: (future: Future<unknown>) => boolean;

/**
 * The outcome of a task that may not have ended yet, or not even begun.
 *
 * An executor makes futures; a program reads them. A future is no thenable: `await future.result()`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { future, resolve } = Future.withResolvers<string>();
 * assertEquals(future.done(), false);
 * resolve("BR");
 * assertEquals(await future.result(), "BR");
 * ```
 */
export class Future<T> {
  static #count = 0;

  readonly #id = ++Future.#count;
  #state: FutureState = "pending";
  #outcome: { value: T } | Raised | undefined;
  #callbacks: (() => void)[] = [];
  #revoke = (): boolean => true;

  static {
    whenDone = (future, fn) => {
      if (future.done()) fn();
      else future.#callbacks.push(fn);
      return () => future.#callbacks = future.#callbacks.filter((other) => other !== fn);
    };
    beforeCancel = (future, revoke) => future.#revoke = revoke;
    hasRaised = (future) => future.#outcome !== undefined && "error" in future.#outcome;
  }

  private constructor() {}

  /**
   * A new pending future, and the functions that decide it: for executors and for tests.
   *
   * `start` makes it running, or returns `false` if it was cancelled. `resolve` and `reject` settle it.
   * All three throw {@linkcode InvalidStateError} when the future is past that.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   *
   * const { future, start, reject } = Future.withResolvers();
   * assertEquals(start(), true);
   * reject(new TypeError("no such flag"));
   * assertEquals(future.state, "finished");
   * ```
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
        if (future.#state === "cancelled") return false;
        future.#check("pending");
        future.#state = "running";
        return true;
      },
      resolve: (value) => future.#settle({ value }),
      reject: (error) => future.#settle({ error }),
    };
  }

  /** `"pending"`, `"running"`, `"cancelled"` or `"finished"`. */
  get state(): FutureState {
    return this.#state;
  }

  /**
   * Calls the task off if it has not begun.
   *
   * @returns `true` if the future is cancelled now; `false`, and nothing changes, if it runs or has finished.
   */
  cancel(): boolean {
    if (this.#state === "pending") {
      this.#revoke() ? this.#end("cancelled") : this.#state = "running";
    }
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
   * What the task returned, once it has.
   *
   * Rejects with what the task threw (the same object at every call), with {@linkcode CancelledError},
   * or with {@linkcode TimeoutError} if `timeout` ms pass first. The task goes on then.
   *
   * @example
   * ```ts
   * import { assertRejects } from "@std/assert";
   *
   * const { future } = Future.withResolvers();
   * await assertRejects(() => future.result({ timeout: 10 }), TimeoutError);
   * ```
   */
  async result(options?: TimeoutOptions): Promise<T> {
    const outcome = await this.#wait(options);
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }

  /**
   * What the task threw, once it has ended; `undefined` if it returned.
   *
   * Rejects, like {@linkcode Future.result}, with {@linkcode CancelledError} or {@linkcode TimeoutError}.
   *
   * @example
   * ```ts
   * import { assertInstanceOf } from "@std/assert";
   *
   * const { future, reject } = Future.withResolvers();
   * reject(new TypeError("no such flag"));
   * assertInstanceOf(await future.exception(), TypeError);
   * ```
   */
  async exception(options?: TimeoutOptions): Promise<unknown> {
    const outcome = await this.#wait(options);
    return "error" in outcome ? outcome.error : undefined;
  }

  /**
   * Calls `fn` with this future when it is done, or now if it is.
   *
   * Callbacks run in the order they were added. What one throws goes to `console.error`.
   *
   * @example
   * ```ts
   * const { future, resolve } = Future.withResolvers<string>();
   * future.addDoneCallback((future) => console.log(`${future}`));
   * resolve("BR"); // prints <Future #… state=finished returned string>
   * ```
   */
  addDoneCallback(fn: (future: Future<T>) => void): void {
    whenDone(this, () => {
      try {
        fn(this);
      } catch (error) {
        console.error(`a callback of ${this} threw`, error);
      }
    });
  }

  /** `<Future #7 state=pending>`, or with the type of what it returned or raised. */
  toString(): string {
    let text = `<Future #${this.#id} state=${this.#state}`;
    if (this.#outcome && "error" in this.#outcome) {
      text += ` raised ${typeName(this.#outcome.error)}`;
    } else if (this.#outcome) text += ` returned ${typeName(this.#outcome.value)}`;
    return `${text}>`;
  }

  /** What `console.log` shows: the same as {@linkcode Future.toString}. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  async #wait(options?: TimeoutOptions): Promise<{ value: T } | Raised> {
    const late = () => `not done in time: ${this}`;
    await before(deadlineAfter(options), late, (notify) => whenDone(this, notify));
    if (!this.#outcome) throw new CancelledError(`cancelled: ${this}`);
    return this.#outcome;
  }

  #check(...states: FutureState[]): void {
    if (!states.includes(this.#state)) throw new InvalidStateError(`${this.#state}: ${this}`);
  }

  #settle(outcome: { value: T } | Raised): void {
    this.#check("pending", "running");
    this.#outcome = outcome;
    this.#end("finished");
  }

  #end(state: "cancelled" | "finished"): void {
    this.#state = state;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
  }
}

/** What {@linkcode Executor.map} can be told. */
export interface MapOptions extends TimeoutOptions {
  /** How many items a message to a worker carries: more is faster where tasks are short. Default: 1. */
  chunkSize?: number;
  /** How many results may be waiting or under way; items are read as room appears. Default: no limit. */
  bufferSize?: number;
}

/** What {@linkcode Executor.shutdown} can be told. */
export interface ShutdownOptions {
  /** Whether to resolve only when all has ended. Default: `true`. */
  wait?: boolean;
  /** Whether to cancel what has not started. Default: `false`. */
  cancelFutures?: boolean;
}

/** What runs tasks and gives futures for them; {@linkcode WorkerPoolExecutor} is one. */
export interface Executor extends AsyncDisposable {
  /** Runs `fn(...args)` as soon as it can. */
  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>>;
  /** Runs `fn(item)` for every item and yields the results in the order of the items. */
  map<T, R>(
    fn: (item: T) => R,
    items: Iterable<T>,
    options?: MapOptions,
  ): AsyncIterableIterator<Awaited<R>>;
  /** Lets what was submitted finish, then ends. */
  shutdown(options?: ShutdownOptions): Promise<void>;
}

/** A task that ends within so many ms is quick: its worker is offered the next one ahead of time. */
export const QUICK = 1;
/** From so many ms on a timer would overflow, and fire at once. */
const MAX_DELAY = 2 ** 31 - 1;
/** A pool that has nothing to do for so many ms ends its workers, for they keep the program alive. */
const IDLE = 1000;

interface Raised {
  error: unknown;
}

/** What became of the items of a task: values, up to the first failure. */
interface Outcome {
  values: unknown[];
  failure: Raised | undefined;
}

interface Task {
  readonly call: Call;
  readonly order: number;
  readonly future: Future<unknown>;
  start(): boolean;
  finish(outcome: Outcome): void;
  /** Of a task that was offered: takes it back, if its worker has not begun it. */
  revoke?: (() => boolean) | undefined;
  /** What became of the first item that could not be cloned; the items before it run. */
  cut?: Raised;
}

/** A worker as its pool sees it. */
interface Slot {
  readonly worker: Worker;
  readonly port: MessagePort;
  /** For this offer and the one before: who first puts a 1 here has the task, the worker or the pool. */
  readonly gates: Int32Array;
  offers: number;
  running?: Task | undefined;
  /** The task that the worker will begin when it is done with a quick one. */
  offered?: Task | undefined;
  /** When it was given what it runs. */
  since: number;
}

/**
 * A pool of Web Workers that run exported functions of a module.
 *
 * A worker starts when a task finds none idle, up to `maxWorkers`, and runs one task at a time. Arguments
 * and results are cloned between threads. A pool that nobody shuts down ends its workers when it has had
 * nothing to do for a second, and starts new ones when needed.
 *
 * @example
 * ```ts
 * import { WorkerPoolExecutor } from "./futures.ts";
 *
 * export function add(a: number, b: number): number {
 *   return a + b;
 * }
 *
 * if (import.meta.main) {
 *   await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2 });
 *   const future = executor.submit(add, 1, 2);
 *   console.log(await future.result()); // 3
 * }
 * ```
 */
export class WorkerPoolExecutor implements Executor {
  /** How many workers there may be at once. */
  readonly maxWorkers: number;

  readonly #module: string;
  readonly #slots = new Set<Slot>();
  readonly #idle: Slot[] = [];
  readonly #queue = new Queue<Task>();
  #count = 0;
  #closed: PromiseWithResolvers<void> | undefined;
  #broken: BrokenExecutorError | undefined;
  #restTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * A pool whose workers load `module`; none starts before the first task.
   *
   * @param module The absolute URL of the module that exports the task functions, often `import.meta.url`.
   * @param options `maxWorkers` is the number of cores by default.
   * @throws {RangeError} if `maxWorkers` is no whole number from 1 up
   */
  constructor(module: string | URL, options: { maxWorkers?: number } = {}) {
    this.#module = `${module}`;
    this.maxWorkers = wholeNumber(
      "maxWorkers",
      options.maxWorkers ?? navigator.hardwareConcurrency,
    );
  }

  /**
   * Runs `fn(...args)` in a worker as soon as one is free; tasks start in the order of submission.
   *
   * The future fails with what the task throws; with a `TypeError` if the module does not export `fn`
   * under its name; with a `DataCloneError` if an argument or the result cannot be cloned; with
   * {@linkcode WorkerCrashError} if the task takes its worker down; and with
   * {@linkcode BrokenExecutorError} if the module cannot be loaded.
   *
   * @throws {Error} after `shutdown()`
   * @throws {BrokenExecutorError} once the module turned out not to load
   *
   * @example
   * ```ts
   * import { WorkerPoolExecutor } from "./futures.ts";
   *
   * export const shout = (text: string): string => text.toUpperCase();
   *
   * if (import.meta.main) {
   *   await using executor = new WorkerPoolExecutor(import.meta.url);
   *   console.log(await executor.submit(shout, "br").result()); // BR
   * }
   * ```
   */
  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>> {
    this.#checkOpen();
    const { resolve, reject, ...rest } = Future.withResolvers<Awaited<R>>();
    const finish = ({ values, failure }: Outcome) =>
      failure ? reject(failure.error) : resolve(values[0] as Awaited<R>);
    this.#enqueue({ call: { name: fn.name, items: [args], spread: true }, finish, ...rest });
    return rest.future;
  }

  /**
   * Runs `fn(item)` for every item and yields the results in the order of the items.
   *
   * The tasks are submitted now, not at the first `next()`; `timeout` counts from now, too. An error comes
   * out at its own item, after the results before it: those of {@linkcode WorkerPoolExecutor.submit}, and
   * {@linkcode TimeoutError}. It, or leaving the loop early, cancels what has not started.
   *
   * @throws {RangeError} if `chunkSize` or `bufferSize` is no whole number from 1 up
   * @throws {Error} after `shutdown()`
   * @throws {BrokenExecutorError} once the module turned out not to load
   *
   * @example
   * ```ts
   * import { WorkerPoolExecutor } from "./futures.ts";
   *
   * export const square = (n: number): number => n * n;
   *
   * if (import.meta.main) {
   *   await using executor = new WorkerPoolExecutor(import.meta.url);
   *   for await (const n of executor.map(square, [3, 1, 2])) console.log(n); // 9, 1, 4
   * }
   * ```
   */
  map<T, R>(
    fn: (item: T) => R,
    items: Iterable<T>,
    options: MapOptions = {},
  ): AsyncIterableIterator<Awaited<R>> {
    const { chunkSize = 1, bufferSize } = options;
    wholeNumber("chunkSize", chunkSize);
    const room = bufferSize === undefined ? Infinity : wholeNumber("bufferSize", bufferSize);
    this.#checkOpen();
    const deadline = deadlineAfter(options);
    return started(this.#results<Awaited<R>>(fn.name, items, deadline, chunkSize, room));
  }

  /**
   * Lets what was submitted finish, then ends the workers. It may be called again.
   *
   * @example
   * ```ts
   * import { assertThrows } from "@std/assert";
   *
   * const executor = new WorkerPoolExecutor(import.meta.url);
   * await executor.shutdown();
   * assertThrows(() => executor.submit(Math.max, 1, 2), Error, "after shutdown");
   * ```
   */
  async shutdown({ wait = true, cancelFutures = false }: ShutdownOptions = {}): Promise<void> {
    this.#closed ??= Promise.withResolvers();
    if (cancelFutures) {
      const begun: Task[] = [];
      for (let task = this.#take(0); task; task = this.#take(0)) {
        if (!task.future.cancel()) begun.push(task);
      }
      // A task whose worker died before it got to it is back in the queue, and no longer pending.
      for (const task of begun) this.#putBack(task);
    }
    this.#pump();
    if (wait) await this.#closed.promise;
  }

  /** Calls {@linkcode WorkerPoolExecutor.shutdown}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  #checkOpen(): void {
    if (this.#broken) throw this.#broken;
    if (this.#closed) throw new Error("cannot schedule new futures after shutdown");
  }

  #enqueue(task: Omit<Task, "order">): void {
    this.#queue.push({ ...task, order: this.#count++ });
    this.#pump();
  }

  /** Everything `map` does; it runs to its first `yield` when `map` is called. */
  async *#results<R>(
    name: string,
    items: Iterable<unknown>,
    deadline: number,
    chunkSize: number,
    room: number,
  ): AsyncGenerator<R> {
    const size = Math.min(chunkSize, room);
    const source = function* () {
      yield* items;
    }();
    const submitted = new Queue<Future<Outcome>>();
    let stopped: Raised | undefined;
    const fill = () => {
      while (room >= size && !stopped) {
        const chunk: unknown[] = [];
        try {
          for (let item; chunk.length < size && !(item = source.next()).done;) {
            chunk.push(item.value);
          }
        } catch (error) {
          stopped = { error };
        }
        if (chunk.length === 0) return;
        room -= chunk.length;
        const { resolve: finish, ...rest } = Future.withResolvers<Outcome>();
        submitted.push(rest.future);
        try {
          this.#checkOpen();
          this.#enqueue({ call: { name, items: chunk, spread: false }, finish, ...rest });
        } catch (error) {
          finish({ values: [], failure: { error } });
        }
      }
    };
    let current: Future<Outcome> | undefined;
    try {
      fill();
      yield undefined as never;
      while ((current = submitted.shift())) {
        const { values, failure } = await current.result({ timeout: deadline - performance.now() });
        for (const value of values) {
          yield value as R;
          room++;
          fill();
        }
        if (failure) throw failure.error;
      }
      if (stopped) throw stopped.error;
    } finally {
      current?.cancel();
      for (let next = submitted.shift(); next; next = submitted.shift()) next.cancel();
      source.return();
    }
  }

  /** Gives tasks to idle workers, and to new ones while there may be more. */
  #pump(): void {
    clearTimeout(this.#restTimer);
    while (this.#idle.length > 0 || this.#slots.size < this.maxWorkers) {
      const task = this.#take() ?? this.#take(0);
      if (!task) break;
      const slot = this.#idle.pop() ?? this.#open();
      if (this.#send(slot, task)) this.#run(slot, task);
      else this.#idle.push(slot);
    }
    this.#rest();
  }

  /** The next task to start, offers to workers that have been busy for `age` ms included. */
  #take(age = QUICK): Task | undefined {
    const now = performance.now();
    for (const slot of this.#slots) {
      const { offered, since } = slot;
      if (!offered || now - since < age || !revoke(offered)) continue;
      slot.offered = undefined;
      this.#putBack(offered);
    }
    let task = this.#queue.shift();
    while (task?.future.done()) task = this.#queue.shift();
    return task;
  }

  #putBack(task: Task): void {
    this.#queue.unshift(task, ({ order }) => order < task.order);
  }

  #run(slot: Slot, task: Task): void {
    if (!task.future.running()) task.start();
    slot.running = task;
    slot.since = performance.now();
  }

  /** Sends a worker its next task ahead of time, so that a quick one need not wait for the mail. */
  #offer(slot: Slot): void {
    const task = this.#take();
    if (!task) return;
    // The worker has read the message of the last offer but one: that gate is free.
    const gate = ++slot.offers % 2;
    Atomics.store(slot.gates, gate, 0);
    task.revoke = () => Atomics.exchange(slot.gates, gate, 1) === 0;
    beforeCancel(task.future, () => revoke(task));
    if (this.#send(slot, task, gate)) slot.offered = task;
  }

  #send(slot: Slot, task: Task, gate?: number): boolean {
    try {
      slot.port.postMessage({ ...task.call, gate } satisfies Call);
      return true;
    } catch (error) {
      const bad = task.call.items.findIndex(isUncloneable);
      if (bad > 0) {
        task.call.items.splice(bad);
        task.cut = { error };
        return this.#send(slot, task, gate);
      }
      task.finish({ values: [], failure: { error } });
      return false;
    }
  }

  #receive(slot: Slot, { values, quick, thrown, ended }: Reply): void {
    const { running: task, offered: next } = slot;
    let failure = thrown ? { error: unpack(thrown) } : task?.cut;
    if (ended?.broken) return this.#break(ended.reason, failure?.error);
    if (ended) {
      const message = `${task?.call.name} lost its worker: ${ended.reason}`;
      failure = { error: new WorkerCrashError(message, thrown && { cause: failure?.error }) };
    }
    slot.running = slot.offered = undefined;
    if (quick && next && !next.future.done()) {
      this.#run(slot, next);
    } else {
      // After a task that was not quick, a worker leaves alone what it was offered.
      if (next && revoke(next)) this.#putBack(next);
      if (ended) this.#close(slot);
      else this.#idle.push(slot);
    }
    if (values) task?.finish({ values, failure });
    else if (task) this.#putBack(task);
    this.#pump();
    if (quick && slot.running && !slot.offered) this.#offer(slot);
  }

  #open(): Slot {
    const worker = new Worker(new URL("./futures_worker.ts", import.meta.url), { type: "module" });
    const { port1: port, port2 } = new MessageChannel();
    const gates = new Int32Array(new SharedArrayBuffer(8));
    const slot: Slot = { worker, port, gates, offers: 0, since: 0 };
    port.onmessage = ({ data }) => this.#receive(slot, data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#break(event.message);
    };
    worker.postMessage({ module: this.#module, port: port2, gates } satisfies Start, [port2]);
    this.#slots.add(slot);
    return slot;
  }

  #close(slot: Slot): void {
    this.#slots.delete(slot);
    if (this.#idle.includes(slot)) this.#idle.splice(this.#idle.indexOf(slot), 1);
    slot.port.onmessage = null;
    slot.port.close();
    slot.worker.terminate();
  }

  #closeAll(): void {
    for (const slot of this.#slots) this.#close(slot);
  }

  /** When nothing is left to do: ends the workers, now or in a while. */
  #rest(): void {
    if (this.#idle.length < this.#slots.size) return;
    if (this.#closed) {
      this.#closeAll();
      this.#closed.resolve();
    } else if (this.#slots.size > 0) {
      this.#restTimer = setTimeout(() => this.#closeAll(), IDLE);
    }
  }

  #break(reason: string, cause?: unknown): void {
    const error = new BrokenExecutorError(`cannot load ${this.#module}: ${reason}`, { cause });
    this.#broken = error;
    const waiting: Task[] = [];
    for (let task = this.#take(0); task; task = this.#take(0)) waiting.push(task);
    const begun = [...this.#slots].flatMap(({ running, offered }) => [running, offered]);
    this.#closeAll();
    for (const task of [...begun, ...waiting]) {
      if (!task?.future.done()) task?.finish({ values: [], failure: { error } });
    }
    this.#pump();
  }
}

/**
 * Yields each future when it is done: those that are already first, then in the order of completion.
 *
 * A future that was given twice comes out once. Cancelled futures are done, too.
 *
 * When `timeout` ms have passed since this call, the loop ends with {@linkcode TimeoutError}, whose message
 * counts those that are left.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const slow = Future.withResolvers<string>();
 * const quick = Future.withResolvers<string>();
 * setTimeout(() => slow.resolve("slow"), 20);
 * setTimeout(() => quick.resolve("quick"), 10);
 * const order: string[] = [];
 * for await (const future of asCompleted([slow.future, quick.future])) order.push(await future.result());
 * assertEquals(order, ["quick", "slow"]);
 * ```
 */
export function asCompleted<T>(
  futures: Iterable<Future<T>>,
  options?: TimeoutOptions,
): AsyncIterableIterator<Future<T>> {
  return started(completions(new Set(futures), deadlineAfter(options)));
}

async function* completions<T>(
  futures: Set<Future<T>>,
  deadline: number,
): AsyncGenerator<Future<T>> {
  const ready: Future<T>[] = [];
  let notify = () => {};
  const forget = Array.from(futures, (future) =>
    whenDone(future, () => {
      ready.push(future);
      notify();
    }));
  try {
    yield undefined as never;
    for (let count = 0; count < futures.size; count++) {
      const late = () => `${futures.size - count} (of ${futures.size}) futures unfinished`;
      if (ready.length === count) {
        await before(deadline, late, (fn) => {
          notify = fn;
          return () => {};
        });
      }
      yield* ready.slice(count, count + 1);
    }
  } finally {
    for (const fn of forget) fn();
  }
}

/** What {@linkcode wait} can be told. */
export interface WaitOptions extends TimeoutOptions {
  /** When to stop waiting. `"FIRST_EXCEPTION"` waits for all if none fails. Default: `"ALL_COMPLETED"`. */
  returnWhen?: "ALL_COMPLETED" | "FIRST_COMPLETED" | "FIRST_EXCEPTION";
}

/**
 * Waits until futures are done, or until `timeout` ms have passed: that is no error here.
 *
 * @returns The futures that are done, cancelled ones included, and those that are not.
 * @throws {RangeError} if `returnWhen` is none of the three
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { future: first, resolve } = Future.withResolvers<string>();
 * const { future: second } = Future.withResolvers<string>();
 * resolve("BR");
 * const { done, notDone } = await wait([first, second], { returnWhen: "FIRST_COMPLETED" });
 * assertEquals([...done], [first]);
 * assertEquals([...notDone], [second]);
 * ```
 */
export async function wait<T>(
  futures: Iterable<Future<T>>,
  options: WaitOptions = {},
): Promise<{ done: Set<Future<T>>; notDone: Set<Future<T>> }> {
  const { returnWhen = "ALL_COMPLETED" } = options;
  const choices = ["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"];
  if (!choices.includes(returnWhen)) {
    throw new RangeError(`returnWhen: expected one of ${choices.join(", ")}, got ${returnWhen}`);
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

/** First in, first out; the `shift()` of an array takes time in proportion to its length. */
class Queue<T extends object> {
  #in: T[] = [];
  #out: T[] = [];

  push(item: T): void {
    this.#in.push(item);
  }

  /** Puts an item back to the front, behind those that go before it. */
  unshift(item: T, goesBefore: (other: T) => boolean): void {
    let at = this.#out.length;
    for (let other = this.#out[at - 1]; other && goesBefore(other); other = this.#out[at - 1]) at--;
    this.#out.splice(at, 0, item);
  }

  shift(): T | undefined {
    if (this.#out.length === 0) {
      this.#out = this.#in.reverse();
      this.#in = [];
    }
    return this.#out.pop();
  }
}

/** Runs a generator to its first `yield`, whose value nobody gets: it begins now, and will clean up. */
function started<G extends AsyncGenerator<unknown>>(generator: G): G {
  generator.next();
  return generator;
}

/** Takes a task back if it was offered; `false` if the worker was faster. */
function revoke(task: Task): boolean {
  if (task.revoke && !task.revoke()) return false;
  task.revoke = undefined;
  return true;
}

function deadlineAfter({ timeout = Infinity }: TimeoutOptions = {}): number {
  if (Number.isNaN(timeout)) throw new RangeError("timeout: expected milliseconds, got NaN");
  return performance.now() + timeout;
}

/** Resolves when the function that `subscribe` got is called; rejects at the deadline. */
function before(
  deadline: number,
  late: () => string,
  subscribe: (notify: () => void) => () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let notified = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const forget = subscribe(() => {
      notified = true;
      clearTimeout(timer);
      resolve();
    });
    const expire = () => {
      forget();
      reject(new TimeoutError(late()));
    };
    const delay = deadline - performance.now();
    if (notified) return;
    if (delay <= 0) expire();
    else if (delay < MAX_DELAY) timer = setTimeout(expire, delay);
  });
}

function wholeNumber(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`${name}: expected a whole number from 1 up, got ${value}`);
}

/** Whether `value` cannot be sent to another thread. */
export function isUncloneable(value: unknown): boolean {
  try {
    structuredClone(value);
    return false;
  } catch {
    return true;
  }
}

/** The built-in class of errors that is called `name`, Deno's own included. */
export function builtInError(name: string): ErrorConstructor | undefined {
  const found = Reflect.get(globalThis, name) ?? Reflect.get(Deno.errors, name);
  return found === Error || found?.prototype instanceof Error ? found : undefined;
}

/** Puts together what the worker took apart. */
function unpack(thrown: Thrown): unknown {
  if ("value" in thrown) return thrown.value;
  const { type, name, message, stack, own, cause } = thrown;
  const error = type === "DOMException"
    ? new DOMException(message, name)
    : Reflect.construct(Error, [message], builtInError(type) ?? Error);
  if (error.name !== name) own.push(["name", name]);
  if (cause) own.push(["cause", unpack(cause)]);
  for (const [key, value] of [...own, ["stack", stack] as const]) {
    Object.defineProperty(error, key, { value, writable: true, configurable: true });
  }
  return error;
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  if (value instanceof Error && Object.hasOwn(value, "name")) return value.name;
  return value.constructor?.name ?? "Object";
}
