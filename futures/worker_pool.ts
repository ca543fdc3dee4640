/**
 * A pool of Web Workers for Deno, modeled on the executors of Python's `concurrent.futures`. The
 * pool runs functions that a module exports. All times are in milliseconds.
 *
 * @module
 */

import { BrokenExecutorError, Future, Queue, startTimer, WorkerCrashError } from "./future.ts";
import type { FutureResolvers, Timer } from "./future.ts";
import { checkPositiveInteger, MapCall, type MapOptions } from "./map.ts";
import { checkCloneable, nextTurn, thisThread } from "./messages.ts";
import type { ChunkResult, Reply, Request, RunRequest, StartMessage } from "./messages.ts";
import { type PackedThrown, packThrown, unpackThrown } from "./thrown.ts";

/** Options of the constructor of `WorkerPoolExecutor`. */
export interface WorkerPoolOptions {
  /** The maximum number of workers. Default: the number of cores. */
  maxWorkers?: number | undefined;
  /**
   * How long a pool without tasks keeps its workers, in milliseconds. With `Infinity`, the workers
   * stay until `shutdown()`, and keep the program alive until then. Default: 1000.
   */
  idleTimeout?: number | undefined;
}

/**
 * A pool of Web Workers. If no worker is idle when a task is submitted, the pool starts a worker,
 * until it has `maxWorkers`. A worker runs one task at a time. Tasks start in the order of
 * submission. A pool that has been idle for `idleTimeout` ms stops its workers, so a program that
 * never calls `shutdown()` can still exit.
 *
 * Each worker loads the module again. Put code that only the main program should run under
 * `if (import.meta.main)`, or put the tasks in a module of their own.
 *
 * @example
 * ```ts
 * import { WorkerPoolExecutor } from "./mod.ts";
 *
 * export const add = (a: number, b: number): number => a + b;
 *
 * if (import.meta.main) {
 *   await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2 });
 *   console.log(await executor.submit(add, 1, 2).result()); // 3
 * }
 * ```
 */
export class WorkerPoolExecutor implements AsyncDisposable {
  /** The maximum number of workers. */
  readonly maxWorkers: number;
  readonly #module: string;
  readonly #workers = new Set<PoolWorker>();
  /** The workers without a task. Some may still be starting. */
  #idle: PoolWorker[] = [];
  /** The tasks that no worker has yet. */
  readonly #queue = new Queue<Task>();
  /** Set by `shutdown()` and `terminateWorkers()`. Resolves when no worker is left. */
  #shutdown: PromiseWithResolvers<void> | undefined;
  #broken: BrokenExecutorError | undefined;
  readonly #idleTimeout: number;
  #idleTimer: Timer;

  /**
   * Creates a pool whose workers load `module`, which is often `import.meta.url`.
   *
   * @throws {TypeError} if `module` is not an absolute URL
   * @throws {RangeError} if `maxWorkers` is not a positive integer
   */
  constructor(module: string | URL, options: WorkerPoolOptions = {}) {
    if (!URL.canParse(module)) {
      const got = Deno.inspect(module);
      throw new TypeError(`module: expected an absolute URL, such as import.meta.url, got ${got}`);
    }
    const { maxWorkers = navigator.hardwareConcurrency, idleTimeout = 1000 } = options;
    checkPositiveInteger("maxWorkers", maxWorkers);
    this.#module = `${module}`;
    this.#idleTimeout = idleTimeout;
    this.maxWorkers = maxWorkers;
  }

  /**
   * Runs `fn(...args)` in a worker as soon as a worker is idle. Returns the future of the call
   * immediately. Arguments and results are structured clones, but a `SharedArrayBuffer` is shared.
   *
   * For an `AbortSignal` argument, the task receives a signal of its own that aborts when the
   * caller's signal aborts. An abort does not cancel a pending task. A task that computes sees the
   * abort only after it has waited for a turn of the event loop.
   *
   * The future fails with:
   * - what the task throws. An error of a custom class arrives as the built-in class that the custom
   *   class extends, and keeps its `name` and the fields that can be cloned;
   * - a `TypeError` if the module does not export `fn` under its own name;
   * - a `DataCloneError` if an argument or the result cannot be cloned. A `URL`, a `Response` or a
   *   similar object is refused. Nested inside another value, such an object may arrive as `{}`;
   * - a `WorkerCrashError` if the worker dies or is terminated;
   * - a `BrokenExecutorError` if the pool breaks, for example because the module fails to load.
   *
   * @throws {Error} after `shutdown()` or `terminateWorkers()`
   * @throws {BrokenExecutorError} if the pool is broken
   */
  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>> {
    return this.#add<Awaited<R>>("call", fn, args);
  }

  /**
   * Submits `fn(item)` for every item and yields the results. Submits the items immediately, not at
   * the first `next()`. With `bufferSize`, reads and submits at most that many items ahead of the
   * results that have been yielded. The items may be an async iterable, such as the results of
   * another pool.
   *
   * If an item fails, the results before the item are yielded, and then the error of the item is
   * thrown. If a worker dies, or an item or a result cannot be cloned, the whole chunk fails. If
   * `items` throws, the error is thrown after the results of the earlier items. After an error, or
   * if the loop is left early, cancels the tasks that have not started and closes `items`.
   *
   * @throws {TypeError} if `items` is not iterable
   * @throws {RangeError} if `chunkSize` or `bufferSize` is not a positive integer
   * @throws {TimeoutError} from `next()`, if `timeout` ms have passed and the next result is not
   * done
   *
   * @example
   * ```ts
   * import { WorkerPoolExecutor } from "./mod.ts";
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
    items: Iterable<T> | AsyncIterable<T>,
    options: MapOptions = {},
  ): AsyncIterableIterator<Awaited<R>> {
    this.#checkOpen();
    const submit = (chunk: T[]) => this.#add<ChunkResult>("chunk", fn, chunk);
    return new MapCall<T, Awaited<R>>(items, options, submit).start();
  }

  /**
   * Refuses new tasks, waits for the submitted tasks to finish, stops the workers, and resolves.
   * Can be called more than once.
   *
   * @param options With `cancelFutures` (default: `false`), cancels the tasks that have not
   * started. With `wait: false` (default: `true`), resolves immediately, and the tasks finish in
   * the background.
   */
  async shutdown(
    options: { wait?: boolean | undefined; cancelFutures?: boolean | undefined } = {},
  ): Promise<void> {
    const { wait = true, cancelFutures = false } = options;
    this.#shutdown ??= Promise.withResolvers();
    if (cancelFutures) {
      for (const task of this.#queue.drain()) task.future.cancel();
    }
    this.#pump();
    if (wait) await this.#shutdown.promise;
  }

  /**
   * Shuts down without waiting for tasks. Cancels the tasks that have not started, and fails the
   * running tasks with `WorkerCrashError`. Resolves immediately. Deno cannot stop a task that
   * computes without awaiting. The program then runs until the task returns, or until the program
   * calls `Deno.exit()`.
   */
  terminateWorkers(): Promise<void> {
    const ended = this.shutdown({ cancelFutures: true });
    for (const task of this.#closeWorkers()) {
      task.reject(crashError(task, "terminateWorkers() was called"));
    }
    this.#pump();
    return ended;
  }

  /** Lets the pool refuse an executor as an argument or a result, which would arrive as `{}`. */
  get [Symbol.toStringTag](): string {
    return "WorkerPoolExecutor";
  }

  /** Calls `shutdown()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  #checkOpen(): void {
    thisThread.checkCaller();
    if (this.#broken) throw this.#broken;
    if (this.#shutdown) throw new Error("cannot schedule new futures after shutdown");
  }

  #add<T>(kind: Task["kind"], fn: Task["fn"], items: readonly unknown[]): Future<T> {
    this.#checkOpen();
    const task = { kind, fn, items, ...Future.withResolvers<T>() };
    this.#queue.push(task);
    this.#pump();
    return task.future;
  }

  /** Starts the tasks that can start, and stops the workers if there are no tasks. */
  #pump(): void {
    while (this.#idle.length > 0 || this.#workers.size < this.maxWorkers) {
      const task = this.#queue.shift();
      if (!task) break;
      if (task.start()) this.#send(task);
    }
    clearTimeout(this.#idleTimer);
    const isBusy = this.#workers.size > this.#idle.length;
    if (isBusy) return;
    if (this.#workers.size === 0) this.#shutdown?.resolve();
    else if (this.#shutdown) this.#endIdleWorkers();
    else this.#idleTimer = startTimer(() => this.#endIdleWorkers(), this.#idleTimeout);
  }

  #endIdleWorkers(): void {
    for (const worker of this.#idle) worker.post({ kind: "end" });
    this.#idle = []; // so that `#pump` sends them no task
  }

  #send(task: Task): void {
    const worker = this.#idle.pop() ?? this.#openWorker();
    try {
      worker.run(task);
    } catch (error) {
      worker.takeTask();
      this.#idle.push(worker);
      // In a microtask, because callbacks that submit such tasks again would overflow the stack.
      queueMicrotask(() => task.reject(error));
    }
  }

  #openWorker(): PoolWorker {
    const worker = new PoolWorker(this.#module, (reply) => this.#receive(worker, reply));
    this.#workers.add(worker);
    return worker;
  }

  #closeWorker(worker: PoolWorker): void {
    this.#workers.delete(worker);
    this.#idle = this.#idle.filter((other) => other !== worker);
    worker.close();
  }

  /** Closes all workers, and returns the tasks that they had. */
  #closeWorkers(): Task[] {
    const tasks = [...this.#workers].flatMap((worker) => worker.takeTask() ?? []);
    for (const worker of this.#workers) this.#closeWorker(worker);
    return tasks;
  }

  #receive(worker: PoolWorker, reply: Reply): void {
    if (reply.kind === "broken") {
      this.#break(reply);
      return;
    }
    const task = worker.takeTask();
    if (reply.kind === "returned" || reply.kind === "threw") this.#idle.push(worker);
    else this.#closeWorker(worker);
    if (reply.kind === "ended" && reply.reason) {
      const thrown = reply.thrown ? unpackThrown(reply.thrown) : "";
      console.error(`a worker stopped: ${reply.reason}`, thrown);
    }
    if (task) this.#finish(task, reply);
    this.#pump();
  }

  #finish(task: Task, reply: Exclude<Reply, { kind: "broken" }>): void {
    switch (reply.kind) {
      case "returned":
        task.resolve(reply.value);
        break;
      case "threw":
        task.reject(unpackThrown(reply.thrown));
        break;
      case "crashed":
        task.reject(crashError(task, reply.reason, reply.thrown));
        break;
      case "unreadable":
        task.reject(new DOMException("a value is nested too deeply", "DataCloneError"));
        break;
      case "ended":
        // An error that an earlier task left behind ended the worker before it started this task.
        this.#send(task);
        break;
    }
  }

  #break({ reason, thrown, isUnguarded }: Extract<Reply, { kind: "broken" }>): void {
    this.#broken = new BrokenExecutorError(reason, causeOf(thrown));
    // The stack would show only the code of the pool.
    this.#broken.stack = `${this.#broken}`;
    for (const task of [...this.#closeWorkers(), ...this.#queue.drain()]) {
      if (!task.future.done()) task.reject(this.#broken);
    }
    this.#pump();
    // A program without the guard may never await a result, so end the program here.
    if (isUnguarded) reportError(this.#broken);
  }
}

/** One call of a function, or a chunk of calls, and the future of its result. */
interface Task extends FutureResolvers<unknown> {
  readonly kind: "call" | "chunk";
  readonly fn: (...args: never[]) => unknown;
  readonly items: readonly unknown[];
}

/**
 * One worker and the task that it runs. `run` can be called before the worker has started. The task
 * then waits in the port of the worker.
 */
class PoolWorker {
  readonly #port: MessagePort;
  readonly #onReply: (reply: Reply) => void;
  /** The functions that the worker has found. */
  readonly #knownFunctions = new WeakSet<object>();
  #worker: Worker | undefined;
  #task: Task | undefined;
  #isClosed = false;
  #signalCount = 0;
  /** The functions that remove the listeners from the signals of the task. */
  #detachers: (() => void)[] = [];

  constructor(module: string, onReply: (reply: Reply) => void) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#onReply = onReply;
    port1.onmessage = ({ data }: MessageEvent<Reply>) => this.#receive(data);
    port1.onmessageerror = () => this.#receive({ kind: "unreadable" });
    const onError = (why: string) => {
      this.#receive({ kind: "broken", reason: `cannot load ${module}: ${why}` });
    };
    startInTurn(() => this.#start({ module, port: port2 }, onError), onError);
  }

  /** Sends the task to the worker. Throws if `fn` is not a function or an item cannot be sent. */
  run(task: Task): void {
    this.#task = task;
    const { kind, fn, items } = task;
    if (typeof fn !== "function") {
      throw new TypeError(`fn: expected a function, got ${Deno.inspect(fn)}`);
    }
    const request: RunRequest = { kind, name: fn.name, items };
    if (!this.#knownFunctions.has(fn)) request.text = `${fn}`;
    if (kind === "call" && items.some(isAbortSignal)) this.#moveSignals(request);
    request.items.forEach(checkCloneable);
    this.post(request);
  }

  post(request: Request): void {
    this.#port.postMessage(request);
  }

  /** Removes the task from this object and returns it, if there is one. */
  takeTask(): Task | undefined {
    const task = this.#task;
    this.#task = undefined;
    for (const detach of this.#detachers) detach();
    this.#detachers = [];
    return task;
  }

  /** Terminates the worker and ignores all further messages from it. */
  close(): void {
    this.#isClosed = true;
    this.#port.close();
    this.#worker?.terminate();
  }

  #start(message: StartMessage, onError: (why: string) => void): void {
    if (this.#isClosed) return;
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.#worker.onerror = (event) => {
      event.preventDefault();
      onError(event.message);
    };
    this.#worker.postMessage(message, [message.port]);
  }

  #receive(reply: Reply): void {
    if (this.#isClosed) return;
    if (reply.kind === "returned" && this.#task) this.#knownFunctions.add(this.#task.fn);
    this.#onReply(reply);
  }

  /** Replaces the signals in `request` by ids, because a signal cannot be cloned. */
  #moveSignals(request: RunRequest): void {
    const { items } = request;
    request.signalIds = items.map((item) => isAbortSignal(item) ? this.#forward(item) : undefined);
    request.items = items.map((item) => isAbortSignal(item) ? undefined : item);
  }

  /** Tells the worker when `signal` aborts. Returns the id of the signal. */
  #forward(signal: AbortSignal): number {
    const signalId = ++this.#signalCount;
    const forward = () => this.post({ kind: "abort", signalId, reason: packThrown(signal.reason) });
    if (signal.aborted) forward();
    else signal.addEventListener("abort", forward);
    this.#detachers.push(() => signal.removeEventListener("abort", forward));
    return signalId;
  }
}

/** Resolves one turn of the event loop after the last start of a worker. */
let lastStart = Promise.resolve();

/**
 * Calls `start` in a turn of the event loop in which no other worker starts. Each start keeps the
 * thread busy for 25 to 100 ms. Between two starts, the program handles its other events.
 */
function startInTurn(start: () => void, onError: (why: string) => void): void {
  lastStart = lastStart.then(start).catch((error) => onError(`${error}`)).then(nextTurn);
}

function isAbortSignal(value: unknown): value is AbortSignal {
  return value instanceof AbortSignal;
}

function crashError(task: Task, reason: string, thrown?: PackedThrown): WorkerCrashError {
  return new WorkerCrashError(`${task.fn.name} lost its worker: ${reason}`, causeOf(thrown));
}

function causeOf(thrown: PackedThrown | undefined): { cause: unknown } | undefined {
  return thrown && { cause: unpackThrown(thrown) };
}
