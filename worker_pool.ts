/**
 * A pool of Web Workers that runs exported functions of a module: the executor of Python's
 * `concurrent.futures`, for Deno. This file and `futures.ts` are all of it. Times are milliseconds.
 *
 * It cannot end a task that computes for ever (`shutdown()` waits for it, only `Deno.exit()` ends the
 * program), nor load its module from a bundle. Pools in tasks start slowly (0.5 to 1 s), up to 3 deep.
 *
 * @module
 */

import { BrokenExecutorError, Future, TimeoutError, wait, WorkerCrashError } from "./futures.ts";

/** What {@linkcode WorkerPoolExecutor.map} can be told. */
export interface MapOptions {
  /** Milliseconds from the call of `map` to the last result. Default: no limit. */
  timeout?: number;
  /** How many items a message to a worker carries: more is faster where tasks are short. Default: 1. */
  chunkSize?: number;
  /** How many results may be waiting or under way; items are read as room appears. Default: no limit. */
  bufferSize?: number;
  /** Whether results come in the order of the items, or else in that of completion. Default: `true`. */
  ordered?: boolean;
}

type Resolvers<T> = ReturnType<typeof Future.withResolvers<T>>;
type Raised = { error: unknown };
/** What became of the items of a task: values, up to the first failure. */
type Outcome = { values: unknown[]; failure?: Raised | undefined };

interface Task extends Pick<Resolvers<unknown>, "future" | "start"> {
  readonly fn: { readonly name: string };
  /** Whether `fn` is called with each of the items, or once with all of them. */
  readonly chunk: boolean;
  items: readonly unknown[];
  finish(outcome: Outcome): void;
}

/** A worker as its pool sees it. */
type Slot = { readonly worker: Worker; readonly port: MessagePort; task?: Task | undefined };

/** A task on its way to a worker, with the text of the function to compare; `null` asks it to end. */
type Call = null | [name: string, text: string, chunk: boolean, items: readonly unknown[]];
/** What a worker answers, and why it ends, if it does. */
type Reply = [values: unknown[], thrown?: Thrown | undefined, end?: End, reason?: string];
/** No module, no `import.meta.main`, a message that cannot be read, its task, or nothing to do. */
type End = "broken" | "unguarded" | "unreadable" | "crashed" | "idle";

/** A value that was thrown, or an error taken apart: a clone would lose its class and its name. */
type Thrown = { value: unknown } | { type: string; own: Fields; cause: Thrown | undefined };
type Fields = Record<string, PropertyDescriptor>;

/**
 * A pool of Web Workers. One starts when a task finds none idle, up to `maxWorkers`, and runs one task at
 * a time, in the order of submission. A pool that nobody shuts down ends its workers when it has had
 * nothing to do for a second. The workers load the module again: what only the main program does stands
 * under `if (import.meta.main)`.
 *
 * @example
 * ```ts
 * import { WorkerPoolExecutor } from "./worker_pool.ts";
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
  /** How many workers there may be at once. */
  readonly maxWorkers: number;
  readonly #module: string;
  readonly #slots = new Set<Slot>();
  readonly #idle: Slot[] = [];
  readonly #queue = new Queue<Task>();
  #closed: PromiseWithResolvers<void> | undefined;
  #broken: BrokenExecutorError | undefined;
  #restTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * A pool whose workers load `module`, often `import.meta.url`. Default of `maxWorkers`: the cores.
   *
   * @throws {TypeError} if `module` is no absolute URL
   * @throws {RangeError} if `maxWorkers` is no whole number from 1 up
   * @throws {Deno.errors.NotCapable} without the permission to read this file
   */
  constructor(module: string | URL, options: { maxWorkers?: number } = {}) {
    const { maxWorkers = navigator.hardwareConcurrency } = options;
    if (!URL.canParse(module) || `${module}` === import.meta.url) {
      throw new TypeError(`module: expected an absolute URL, and no bundle, got ${module}`);
    }
    // A worker is read from its file: without the permission, this fails once, and not in each.
    if (import.meta.url.startsWith("file:")) Deno.statSync(new URL(import.meta.url));
    this.#module = `${module}`;
    this.maxWorkers = positive("maxWorkers", maxWorkers);
  }

  /**
   * Runs `fn(...args)` in a worker as soon as one is free. Arguments and results are cloned.
   *
   * The future fails with what the task throws (an error as the built-in class that its own extends); a
   * `TypeError` if the module does not export `fn` under its name; a `DataCloneError` if something cannot
   * be cloned (a URL, Headers, Request or Response deep inside it is not noticed); a
   * {@linkcode WorkerCrashError}.
   *
   * @throws {Error} after `shutdown()`, and in a worker outside of a task
   * @throws {BrokenExecutorError} once the module turned out not to load
   */
  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>> {
    const { resolve, reject, ...rest } = Future.withResolvers<Awaited<R>>();
    const finish = ({ values, failure }: Outcome) =>
      failure ? reject(failure.error) : resolve(values[0] as Awaited<R>);
    this.#add({ fn, chunk: false, items: args, finish, ...rest });
    return rest.future;
  }

  /**
   * Submits `fn(item)` for every item, now, and yields the results. An error comes out at its own item,
   * after the results before it. It, or leaving the loop early, cancels what has not started.
   *
   * @throws {RangeError} if `chunkSize` or `bufferSize` is no whole number from 1 up
   * @throws {TimeoutError} from `next()`; and what {@linkcode WorkerPoolExecutor.submit} throws
   *
   * @example
   * ```ts
   * import { WorkerPoolExecutor } from "./worker_pool.ts";
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
    const { timeout = Infinity, chunkSize = 1, bufferSize, ordered = true } = options;
    let room = bufferSize === undefined ? Infinity : positive("bufferSize", bufferSize);
    const size = Math.min(positive("chunkSize", chunkSize), room);
    if (Number.isNaN(timeout)) throw new RangeError("timeout: expected milliseconds, got NaN");
    const deadline = performance.now() + timeout;
    this.#checkOpen();

    const source = chunksOf(items, size);
    const unfinished = new Set<Future<Outcome>>();
    // What comes out next. In the order of completion, whatever is done first takes the first free place.
    const places = new Queue<Future<Outcome>>();
    const free = new Queue<Resolvers<Outcome>>();
    let stopped: Raised | undefined;
    const submit = (chunk: T[]) => {
      const { future, start, resolve: finish } = Future.withResolvers<Outcome>();
      this.#add({ fn, chunk: true, items: chunk, future, start, finish });
      unfinished.add(future);
      future.addDoneCallback(() => unfinished.delete(future));
      if (ordered) return places.push(future);
      const place = Future.withResolvers<Outcome>();
      places.push(place.future);
      free.push(place);
      future.addDoneCallback(() => {
        const place = free.shift();
        future.cancelled() ? place?.future.cancel() : future.result().then(place?.resolve);
      });
    };
    const fill = () => {
      try {
        while (room >= size && !stopped) {
          const { value: chunk, done } = source.next();
          if (done) return;
          room -= chunk.length;
          submit(chunk);
        }
      } catch (error) {
        stopped = { error };
      }
    };
    const stop = () => {
      for (const future of unfinished) future.cancel();
      source.return();
    };
    const results = async function* () {
      try {
        for (let place; (place = places.shift());) {
          const late = timeout < Infinity &&
            (await wait([place], { timeout: deadline - performance.now() })).notDone.size > 0;
          if (late) throw new TimeoutError(`not done within ${timeout} ms`);
          const { values, failure } = await place.result();
          for (const value of values) {
            yield value as Awaited<R>;
            room++;
            fill();
          }
          if (failure) throw failure.error;
        }
        if (stopped) throw stopped.error;
      } finally {
        stop();
      }
    }();
    fill();
    const close = results.return.bind(results); // not to `finally`, before it has begun
    results.return = async (value) => {
      stop();
      return await close(value);
    };
    return results;
  }

  /** Lets what was submitted finish (or cancels it), ends the workers, and resolves; `wait: false`: now. */
  async shutdown(options: { wait?: boolean; cancelFutures?: boolean } = {}): Promise<void> {
    this.#closed ??= Promise.withResolvers();
    for (let task; options.cancelFutures && (task = this.#queue.shift());) task.future.cancel();
    this.#pump();
    if (options.wait ?? true) await this.#closed.promise;
  }

  /** Calls {@linkcode WorkerPoolExecutor.shutdown}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  #checkOpen(): void {
    checkTask();
    if (this.#broken) throw this.#broken;
    if (this.#closed) throw new Error("cannot schedule new futures after shutdown");
  }

  #add(task: Task): void {
    this.#checkOpen();
    task.future.addDoneCallback(() => task.items = []);
    this.#queue.push(task);
    this.#pump();
  }

  /** Gives tasks to idle workers, and to new ones while there may be more; then lets workers rest. */
  #pump(): void {
    clearTimeout(this.#restTimer);
    while (this.#idle.length > 0 || this.#slots.size < this.maxWorkers) {
      const task = this.#queue.shift();
      if (!task) break;
      if (task.start()) this.#send(this.#idle.pop() ?? this.#open(), task);
    }
    if (this.#idle.length < this.#slots.size) return;
    const rest = () => this.#idle.splice(0).forEach(({ port }) => port.postMessage(null));
    if (this.#slots.size === 0) this.#closed?.resolve();
    else if (this.#closed) rest();
    else this.#restTimer = setTimeout(rest, 1000);
  }

  #send(slot: Slot, task: Task): void {
    slot.task = task;
    try {
      task.items.forEach(checkCloneable);
      slot.port.postMessage([task.fn.name, `${task.fn}`, task.chunk, task.items] satisfies Call);
    } catch (error) {
      slot.task = undefined;
      this.#idle.push(slot);
      task.finish({ values: [], failure: { error: cloneError(error) } });
    }
  }

  #receive(slot: Slot, [values, thrown, end, reason = ""]: Reply): void {
    const { task } = slot;
    let failure = thrown && { error: unpack(thrown) };
    if (end === "broken" || end === "unguarded") return this.#break(reason, failure?.error, end);
    slot.task = undefined;
    end ? this.#close(slot) : this.#idle.push(slot);
    if (end === "idle") {
      if (failure) console.error(reason, failure.error);
      if (task) this.#send(this.#open(), task);
    } else if (task) {
      if (end === "crashed") {
        const message = `${task.fn.name} lost its worker: ${reason}`;
        failure = { error: new WorkerCrashError(message, failure && { cause: failure.error }) };
      }
      task.finish({ values, failure });
    }
    this.#pump();
  }

  #open(): Slot {
    const worker = new Worker(import.meta.url, { type: "module", name: WORKER + (depth + 1) });
    const { port1: port, port2 } = new MessageChannel();
    const slot: Slot = { worker, port };
    port.onmessage = ({ data }) => this.#receive(slot, data);
    port.onmessageerror = () => this.#receive(slot, [[], { value: cloneError() }, "unreadable"]);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#break(event.message);
    };
    worker.postMessage([this.#module, port2], [port2]);
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

  #break(reason: string, cause?: unknown, end?: End): void {
    const error = new BrokenExecutorError(`cannot load ${this.#module}: ${reason}`, { cause });
    this.#broken = error;
    const tasks = Array.from(this.#slots, ({ task }) => task);
    for (let task; (task = this.#queue.shift());) tasks.push(task);
    this.#slots.forEach((slot) => this.#close(slot));
    const outcome = { values: [], failure: { error } };
    for (const task of tasks) if (task?.future.done() === false) task.finish(outcome);
    this.#pump();
    // Whoever forgot the guard may not await a result either.
    if (end === "unguarded") reportError(error);
  }
}

/** First in, first out; the `shift()` of a long array takes time in proportion to its length. */
class Queue<T extends object> {
  #in: T[] = [];
  #out: T[] = [];

  push(item: T): void {
    this.#in.push(item);
  }

  shift(): T | undefined {
    if (this.#out.length === 0) [this.#in, this.#out] = [this.#out, this.#in.reverse()];
    return this.#out.pop();
  }
}

/** The items in arrays of `size`; where they end with an error, it comes after what there was. */
function* chunksOf<T>(items: Iterable<T>, size: number): Generator<T[], void> {
  const chunk: T[] = [];
  try {
    for (const item of items) if (chunk.push(item) === size) yield chunk.splice(0);
  } finally {
    if (chunk.length > 0) yield chunk;
  }
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`${name}: expected a whole number from 1 up, got ${value}`);
}

/** What a message would turn into `{}`, though `structuredClone` refuses it; naming `URL` would load it. */
const REFUSED = ["URL", "URLSearchParams", "Headers", "Request", "Response"];

function checkCloneable(value: unknown): void {
  const type = Object.prototype.toString.call(value).slice(8, -1);
  if (REFUSED.includes(type)) throw new DOMException(`${type} cannot be cloned`, "DataCloneError");
}

/** What a message is refused with; that it is too deep for the stack is a `DataCloneError`, too. */
function cloneError(error: unknown = new RangeError()): unknown {
  if (!(error instanceof RangeError)) return error;
  return new DOMException("a value is too deep to be cloned", "DataCloneError");
}

/** The built-in class of errors that is called `name`, and can be had without its constructor. */
function builtIn(name: string): ErrorConstructor | undefined {
  const found = [globalThis, Deno.errors, WebAssembly].map((room) => Reflect.get(room, name))
    .find((found) => found === Error || found?.prototype instanceof Error);
  return found?.prototype instanceof DOMException ? undefined : found;
}

const OPEN = { writable: true, configurable: true };

function pack(thrown: unknown, depth = 0): Thrown {
  if (!(thrown instanceof Error)) return { value: thrown };
  let type = Object.getPrototypeOf(thrown);
  while (builtIn(type.constructor?.name)?.prototype !== type) type = Object.getPrototypeOf(type);
  const own: Fields = {};
  for (const [key, field] of Object.entries(Object.getOwnPropertyDescriptors(thrown))) {
    try {
      checkCloneable(field.value);
      own[key] = structuredClone(field);
    } catch {
      // What cannot be cloned stays behind.
    }
  }
  for (const key of ["name", "message", "stack"] as const) {
    own[key] = { value: thrown[key], ...OPEN };
  }
  const cause = depth < 9 && thrown.cause instanceof Error && pack(thrown.cause, depth + 1);
  return { type: type.constructor.name, own, cause: cause || undefined };
}

/** Puts together what the worker took apart. */
function unpack(thrown: Thrown): unknown {
  if ("value" in thrown) return thrown.value;
  const { type, own, cause } = thrown;
  const error = type === "DOMException"
    ? new DOMException(own.message?.value, own.name?.value)
    : Reflect.construct(Error, [], builtIn(type) ?? Error);
  if (cause) own.cause = { value: unpack(cause), ...OPEN };
  return Object.defineProperties(error, own);
}

/** How the name of a worker of this file begins; how many pools this one is inside follows, or it is none. */
const WORKER = `worker of ${import.meta.url}, depth `;
const depth = self.name.startsWith(WORKER) ? Number(self.name.slice(WORKER.length)) : 0;
/** Throws in a worker that runs no task. */
let checkTask = (): void => {};

/** What runs inside each worker: it tells the pool why it ends, which the parent would not be told. */
function serve(module: string, port: MessagePort): void {
  const [close, exit] = [self.close, Deno.exit];
  let exports: Record<string, unknown> | undefined;
  let [task, last, ended] = [undefined as string | undefined, "", false];
  let values: unknown[] = [];
  /** For what the task before left behind: by then it is known that a promise was rejected. */
  let turn: Promise<void> | undefined;

  function end(reason: string, error?: Raised, how?: End): void {
    if (ended) return;
    ended = true;
    how ??= !exports ? "broken" : task === undefined ? "idle" : "crashed";
    if (how === "idle") reason = `an error escaped when ${last} had ended: ${reason}`;
    let reply: Reply;
    try {
      values.forEach(checkCloneable);
      reply = structuredClone([how === "crashed" ? values : [], error && pack(error.error)]);
    } catch {
      reply = [[], error && { value: "an error that cannot be cloned" }];
    }
    port.postMessage([...reply, how, reason]);
    close.call(self);
  }

  async function run(call: Call): Promise<void> {
    await turn;
    if (ended) return;
    if (!call) return end("", undefined, "idle");
    const [name, text, chunk, items] = call;
    task = last = name;
    values = [];
    const fn = exports?.[name] as (...args: readonly unknown[]) => unknown;
    let thrown: Raised | undefined;
    try {
      if (`${fn}` !== text) {
        const what = `${name || "a function without a name"} is not exported by ${module}`;
        throw new TypeError(`${what}, or not the same function: export it`);
      }
      if (!chunk) values.push(await fn(...items));
      else for (const item of items) values.push(await fn(item));
    } catch (error) {
      thrown = { error };
    }
    if (ended) return;
    const packed = thrown && pack(thrown.error);
    try {
      [...values, thrown?.error].forEach(checkCloneable);
      port.postMessage(packed ? [values, packed] : [values]);
    } catch (error) {
      port.postMessage([[], pack(cloneError(error))]);
    }
    task = undefined;
    turn = new Promise((resolve) => setImmediate(resolve));
  }

  self.close = () => end("it called self.close()");
  Object.assign(Deno, {
    exit(code?: number): never {
      end(`it called Deno.exit(${code ?? ""})`);
      return exit(code);
    },
  });
  self.addEventListener("error", (event) => {
    event.preventDefault();
    end("an error was not caught", { error: event.error });
  });
  self.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    end("a rejected promise was not handled", { error: event.reason });
  });
  checkTask = () => {
    if (task !== undefined && depth < 3) return; // else a main() that began late goes on and on
    const advice = "what starts tasks must stand under `if (import.meta.main)`; pools nest 3 deep";
    if (!last) end(`a worker has loaded the program again: ${advice}`, undefined, "unguarded");
    throw new Error(advice);
  };
  import(module).then(async (namespace) => {
    // A turn for what the module left behind, like a main() that nobody awaits; a timer would take 6 ms.
    await Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.01).value;
    exports = namespace;
    port.onmessage = ({ data }) =>
      run(data).catch(() => end("it threw what cannot be taken apart"));
    port.onmessageerror = () => end("", { error: cloneError() }, "unreadable");
  }, (error) => end(`${error?.message ?? error}`, { error }));
}

const onmessage = ({ data }: MessageEvent<[string, MessagePort]>) => serve(...data);
if (depth > 0) Object.assign(self, { onmessage });
