/**
 * A pool of Web Workers for Deno, modeled on the executors of Python's `concurrent.futures`. The
 * pool runs functions that a module exports. All times are in milliseconds.
 *
 * A task can create a pool of its own. Such a pool takes about a second to start. Pools can be
 * nested 3 deep, including the pool of the main program.
 *
 * @module
 */

import { sendError, tooDeepError } from "./cloneable.ts";
import { BrokenExecutorError, Future, WorkerCrashError } from "./future.ts";
import { checkPositiveInteger, type MapOptions, MapResults } from "./map.ts";
import type { Reply } from "./messages.ts";
import { PoolWorker, type Task, type TaskResult } from "./pool_worker.ts";
import { Queue } from "./queue.ts";
import { thisThread } from "./this_thread.ts";
import { type PackedThrown, unpackThrown } from "./thrown.ts";

/** How long a pool without tasks keeps its workers, in milliseconds. */
const IDLE_MS = 1000;

/**
 * A pool of Web Workers. The pool starts a worker if a task is submitted while no worker is idle,
 * up to `maxWorkers` workers. A worker runs one task at a time. Tasks start in the order of
 * submission. A pool that has been idle for one second stops its workers, so a program that never
 * calls `shutdown()` can still exit.
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
  readonly #idle: PoolWorker[] = [];
  /** The tasks that no worker has yet. */
  readonly #queue = new Queue<Task>();
  /** Set by `shutdown()` and `terminateWorkers()`. Resolves when no worker is left. */
  #shutdown: PromiseWithResolvers<void> | undefined;
  #broken: BrokenExecutorError | undefined;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #isPumping = false;

  /**
   * Creates a pool whose workers load `module`, which is often `import.meta.url`. `maxWorkers`
   * defaults to the number of cores.
   *
   * @throws {TypeError} if `module` is not an absolute URL, or is a bundle that contains this file
   * @throws {RangeError} if `maxWorkers` is not a positive integer
   * @throws {Deno.errors.NotCapable} without permission to read the folder of this file
   * @throws {Deno.errors.NotFound} if `worker.ts` is not in the folder of this file
   */
  constructor(module: string | URL, options: { maxWorkers?: number | undefined } = {}) {
    if (!URL.canParse(module)) {
      throw new TypeError(
        `module: expected an absolute URL, such as import.meta.url, got ${Deno.inspect(module)}`,
      );
    }
    if (`${module}` === import.meta.url) {
      throw new TypeError(
        `module: expected a module that is not bundled with the pool, got ${module}`,
      );
    }
    const { maxWorkers = navigator.hardwareConcurrency } = options;
    checkPositiveInteger("maxWorkers", maxWorkers);
    // Each worker loads `worker.ts`. Without permission to read that file, fail once here and not
    // in each worker.
    const workerFile = new URL("./worker.ts", import.meta.url);
    if (workerFile.protocol === "file:") Deno.statSync(workerFile);
    this.#module = `${module}`;
    this.maxWorkers = maxWorkers;
  }

  /**
   * Runs `fn(...args)` in a worker as soon as a worker is idle. Returns the future of the call
   * immediately.
   *
   * Arguments and results are structured clones. An instance of a class of your own arrives without
   * its methods and private fields. A `SharedArrayBuffer` is shared.
   *
   * For an `AbortSignal` argument, the task receives a signal of its own that aborts when the
   * caller's signal aborts, with a clone of the reason. The abort is a message, so a task that
   * computes sees the abort only after it has waited for a turn of the event loop, for example with
   * `setTimeout`. An abort does not cancel a pending task.
   *
   * The future fails with:
   * - what the task throws (an error of a custom class arrives as an instance of the built-in class
   *   that the custom class extends, but keeps its own `name` and the fields that can be cloned);
   * - a `TypeError` if `fn` is not a function, or if the module does not export `fn` under its own
   *   name;
   * - a `DataCloneError` if an argument, the result, or a thrown value other than an error cannot
   *   be cloned. A `URL`, a `Response` or a similar object is rejected only if it is itself the
   *   argument, the result or the thrown value. Nested inside another value, it arrives as `{}`,
   *   and so does an `AbortSignal`;
   * - a `WorkerCrashError` if the worker dies or is terminated;
   * - a `BrokenExecutorError` if the pool breaks, for example because the module fails to load.
   *
   * @throws {Error} after `shutdown()` or `terminateWorkers()`, and in a worker if the caller is
   * not a running task or if pools are already nested 3 deep
   * @throws {BrokenExecutorError} if the pool is broken
   *
   * @example
   * ```ts
   * import { WorkerPoolExecutor } from "./mod.ts";
   *
   * export async function waitForAbort(signal: AbortSignal): Promise<string> {
   *   while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1));
   *   return signal.reason;
   * }
   *
   * if (import.meta.main) {
   *   await using executor = new WorkerPoolExecutor(import.meta.url);
   *   const controller = new AbortController();
   *   const future = executor.submit(waitForAbort, controller.signal);
   *   controller.abort("enough");
   *   console.log(await future.result()); // enough
   * }
   * ```
   */
  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>> {
    const { future, start, resolve, reject } = Future.withResolvers<Awaited<R>>();
    const finish = ({ values, failure }: TaskResult) => {
      if (failure) reject(failure.error);
      else resolve(values[0] as Awaited<R>);
    };
    this.#add({ fn, isChunk: false, items: args, future, start, finish });
    return future;
  }

  /**
   * Submits `fn(item)` for every item and yields the results. Submits the items immediately, not at
   * the first `next()`. With `bufferSize`, submits at most that many items immediately, and the
   * others only as results are yielded.
   *
   * If an item fails, the results before the item are yielded, and then the error of the item is
   * thrown. (To continue after an error, catch the error in `fn` and return what you need from it.)
   * If an item or a result cannot be cloned, the whole chunk fails. An error, or leaving the loop
   * early, cancels the tasks that have not started.
   *
   * `map` also throws what `submit` throws. `next()` also throws what a future of `submit` fails
   * with, and a `CancelledError` if the next task was cancelled by `shutdown()` or
   * `terminateWorkers()`. After the last result, `next()` throws the error that `items` threw, if
   * there was one. An item cannot be an `AbortSignal`.
   *
   * @throws {TypeError} if `items` is not iterable. An async iterable is not accepted.
   * @throws {RangeError} if `chunkSize` or `bufferSize` is not a positive integer, or if `timeout`
   * is `NaN`
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
    items: Iterable<T>,
    options: MapOptions = {},
  ): AsyncIterableIterator<Awaited<R>> {
    this.#checkOpen();
    return new MapResults(items, options, (chunk) => this.#submitChunk(fn, chunk));
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
   * running tasks with `WorkerCrashError`. Resolves immediately. A task that computes without
   * awaiting cannot be stopped. The program then runs until the task returns, or until the program
   * calls
   * `Deno.exit()`.
   */
  async terminateWorkers(): Promise<void> {
    this.#shutdown ??= Promise.withResolvers();
    const running = this.#closeWorkers();
    for (const task of this.#queue.drain()) task.future.cancel();
    for (const task of running) {
      fail(task, new WorkerCrashError(lostWorker(task, "terminateWorkers() was called")));
    }
    this.#pump();
    await this.#shutdown.promise;
  }

  /**
   * Returns the name by which a pool recognizes an executor. The pool rejects an executor as an
   * argument or a result, because the executor would arrive as `{}`.
   */
  get [Symbol.toStringTag](): string {
    return "WorkerPoolExecutor";
  }

  /** Calls `shutdown()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  #submitChunk<T>(fn: (item: T) => unknown, chunk: T[]): Future<TaskResult> {
    const { future, start, resolve } = Future.withResolvers<TaskResult>();
    this.#add({ fn, isChunk: true, items: chunk, future, start, finish: resolve });
    return future;
  }

  #checkOpen(): void {
    thisThread.worker?.checkMayStartTasks();
    if (this.#broken) throw this.#broken;
    if (this.#shutdown) throw new Error("cannot schedule new futures after shutdown");
  }

  #add(task: Task): void {
    this.#checkOpen();
    task.future.addDoneCallback(() => {
      task.items = [];
    });
    this.#queue.push(task);
    this.#pump();
  }

  /** Starts the tasks that can start, and stops the workers if there are no tasks. */
  #pump(): void {
    // A callback of a task that could not be sent may call this method again. The inner call then
    // returns at once, and the loop of the outer call continues. This keeps the stack short.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      this.#startTasks();
      this.#stopIfIdle();
    } finally {
      this.#isPumping = false;
    }
  }

  /** Sends queued tasks to idle workers, and to new workers up to `maxWorkers`. */
  #startTasks(): void {
    while (this.#idle.length > 0 || this.#workers.size < this.maxWorkers) {
      const task = this.#queue.shift();
      if (!task) return;
      if (task.start()) this.#send(task);
    }
  }

  /** Stops the workers if all are idle: after `IDLE_MS`, or now if the pool is shut down. */
  #stopIfIdle(): void {
    clearTimeout(this.#idleTimer);
    if (this.#workers.size > this.#idle.length) return;
    if (this.#workers.size === 0) this.#shutdown?.resolve();
    else if (this.#shutdown) this.#endIdleWorkers();
    else this.#idleTimer = setTimeout(() => this.#endIdleWorkers(), IDLE_MS);
  }

  #endIdleWorkers(): void {
    for (const worker of this.#idle) worker.askToEnd();
    this.#idle.length = 0; // so that they are not sent another task
  }

  #send(task: Task): void {
    const worker = this.#idle.pop() ?? this.#openWorker();
    try {
      worker.run(task);
    } catch (error) {
      // If the worker has no task, a getter of an argument has called `terminateWorkers()`.
      if (!worker.takeTask()) return;
      this.#idle.push(worker);
      fail(task, sendError(error));
    }
  }

  #openWorker(): PoolWorker {
    const worker = new PoolWorker(this.#module, {
      onReply: (worker, reply) => this.#receive(worker, reply),
      onStartError: (reason) => this.#break(`cannot start a worker: ${reason}`),
    });
    this.#workers.add(worker);
    return worker;
  }

  #closeWorker(worker: PoolWorker): void {
    this.#workers.delete(worker);
    const index = this.#idle.indexOf(worker);
    if (index >= 0) this.#idle.splice(index, 1);
    worker.close();
  }

  /** Closes all workers, and returns the tasks that they had. */
  #closeWorkers(): Task[] {
    const tasks: Task[] = [];
    for (const worker of this.#workers) {
      const task = worker.takeTask();
      if (task) tasks.push(task);
      this.#closeWorker(worker);
    }
    return tasks;
  }

  #receive(worker: PoolWorker, reply: Reply): void {
    switch (reply.kind) {
      case "result":
        this.#idle.push(worker);
        this.#finishTask(worker, reply);
        break;
      case "crashed":
      case "unreadable":
        this.#closeWorker(worker);
        this.#finishTask(worker, reply);
        break;
      case "ended":
        this.#replaceEnded(worker, reply);
        break;
      case "broken":
        this.#break(`cannot load ${this.#module}: ${reply.reason}`, unpackFailure(reply.thrown));
        break;
      case "unguarded":
        // A program without the guard may never await a result, so report the error here too.
        reportError(this.#break(`${this.#module} ${reply.reason}`));
        break;
    }
  }

  #finishTask(worker: PoolWorker, reply: TaskReply): void {
    const task = worker.takeTask();
    task?.finish(resultOf(task, reply));
    this.#pump();
  }

  #replaceEnded(worker: PoolWorker, { reason, thrown }: EndedReply): void {
    if (reason) console.error(reason, ...(thrown ? [unpackThrown(thrown)] : []));
    this.#closeWorker(worker);
    // The worker may have ended before it could start the task that it was sent.
    const task = worker.takeTask();
    if (task) this.#send(task);
    this.#pump();
  }

  /** Marks the pool as broken, fails all its tasks, and returns the error that they fail with. */
  #break(message: string, failure?: { error: unknown }): BrokenExecutorError {
    const error = new BrokenExecutorError(message, failure && { cause: failure.error });
    this.#broken = error;
    for (const task of [...this.#closeWorkers(), ...this.#queue.drain()]) {
      if (!task.future.done()) fail(task, error);
    }
    this.#pump();
    return error;
  }
}

type TaskReply = Extract<Reply, { kind: "result" | "crashed" | "unreadable" }>;
type EndedReply = Extract<Reply, { kind: "ended" }>;

function resultOf(task: Task, reply: TaskReply): TaskResult {
  switch (reply.kind) {
    case "result":
      return { values: reply.values, failure: unpackFailure(reply.thrown) };
    case "unreadable":
      return { values: [], failure: { error: tooDeepError() } };
    case "crashed": {
      const cause = unpackFailure(reply.thrown);
      const error = new WorkerCrashError(
        lostWorker(task, reply.reason),
        cause && { cause: cause.error },
      );
      return { values: reply.values, failure: { error } };
    }
  }
}

function lostWorker({ fn }: Task, reason: string): string {
  return `${fn.name} lost its worker: ${reason}`;
}

function fail(task: Task, error: unknown): void {
  task.finish({ values: [], failure: { error } });
}

function unpackFailure(thrown: PackedThrown | undefined): { error: unknown } | undefined {
  return thrown && { error: unpackThrown(thrown) };
}
