/** Arguments, results, errors and signals travel as clones; functions are found by name. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { Future, wait, WorkerPoolExecutor } from "../../futures/mod.ts";
import { Gate, lacks, listToError, LoggedErrors, ORDERS, outcomeOf, passGate } from "./helpers.ts";
import { range, shared, sleep } from "./helpers.ts";

const ignore = lacks("read");

const workerId = crypto.randomUUID();
const never = new Promise<never>(() => {});

export { passGate };
export const echo = <T>(value: T): T => value;
export const idOfWorker = (): string => workerId;
export const count = (counts: Int32Array): number => Atomics.add(counts, 0, 1);

function newPool(): WorkerPoolExecutor {
  return new WorkerPoolExecutor(import.meta.url, { maxWorkers: 1, idleTimeout: Infinity });
}

Deno.test("arguments and results are clones; shared memory is shared", { ignore }, async () => {
  await using executor = newPool();
  const value = { map: new Map([[1n, new Date(5)]]), bytes: new Uint8Array(3), set: new Set([1]) };
  const result = await executor.submit(echo, [value, value, undefined, NaN, /x/g]).result();
  assertEquals(result, [value, value, undefined, NaN, /x/g]);
  assert(result[0] !== value && result[0] === result[1]);
  const counts = shared();
  await executor.submit(count, await executor.submit(echo, counts).result()).result();
  assertEquals(counts[0], 1);
});

Deno.test("values with a tag that a clone keeps are not refused", { ignore }, async () => {
  await using executor = newPool();
  const buffer = new ArrayBuffer(8);
  const values = [new Map(), new Set(), buffer, new DataView(buffer), new BigInt64Array(buffer)];
  for (const value of [...values, new SharedArrayBuffer(8), new Blob(["x"])]) {
    const result = await executor.submit(echo, value).result();
    assertStrictEquals(result.constructor, value.constructor);
  }
});

function nestedList(length: number): unknown {
  let list: unknown = null;
  for (const _ of range(length)) list = { list };
  return list;
}

class OwnEvent extends Event {}

/** Values that cannot be cloned, or would arrive as `{}`. */
const REFUSED: Record<string, () => unknown> = {
  "a function": () => () => 1,
  "a symbol deep inside": () => ({ deep: [Symbol()] }),
  "a URL": () => new URL("https://deno.com"),
  "Headers": () => new Headers(),
  "a Request": () => new Request("https://deno.com"),
  "FormData": () => new FormData(),
  "ImageData": () => new ImageData(1, 1),
  "a URLPattern": () => new URLPattern({ pathname: "/" }),
  "an AbortController": () => new AbortController(),
  "an event of the user's own class": () => new OwnEvent("load"),
  "a Future": () => Future.withResolvers().future,
  "an executor": () => newPool(),
};

export const makeRefused = (kind: string): unknown => REFUSED[kind]?.();
export const makeSignal = (): AbortSignal => new AbortController().signal;

Deno.test("what a clone would change is refused", { ignore }, async () => {
  await using executor = newPool();
  const worker = await executor.submit(idOfWorker).result();
  for (const [kind, make] of Object.entries(REFUSED)) {
    for (const future of [executor.submit(echo, make()), executor.submit(makeRefused, kind)]) {
      const error = await future.exception();
      assertInstanceOf(error, DOMException, kind);
      assertEquals(error.name, "DataCloneError", kind);
    }
    const mapped = [executor.map(echo, [make()]), executor.map(makeRefused, [kind])];
    const seen = await Promise.all(mapped.map(listToError));
    assertEquals(seen, [["DataCloneError"], ["DataCloneError"]], kind);
  }
  assertEquals(await executor.submit(idOfWorker).result(), worker);
});

Deno.test("the pool does not look for refused values inside other values", { ignore }, async () => {
  await using executor = newPool();
  const nested: unknown[] = [new FormData(), new AbortController().signal];
  assertEquals(await executor.submit(echo, nested).result(), [{}, {}]);
});

export const makeNestedList = (): unknown => nestedList(2700);

Deno.test("a message that cannot be read fails its own task only", { ignore }, async () => {
  await using executor = newPool();
  const sent = executor.submit(echo, nestedList(2700));
  const returned = executor.submit(makeNestedList);
  const last = executor.submit(echo, 1);
  const outcomes = await Promise.all([sent, returned, last].map(outcomeOf));
  assertEquals(outcomes, ["DataCloneError", "DataCloneError", "returned"]);
});

Deno.test("the task fails with what a getter of its argument throws", { ignore }, async () => {
  await using executor = newPool();
  const error = new RangeError("from a getter");
  const get = () => {
    throw error;
  };
  const argument = Object.defineProperty({}, "x", { get, enumerable: true });
  assertStrictEquals(await executor.submit(echo, argument).exception(), error);
  assertEquals(await executor.submit(echo, 1).result(), 1);
});

Deno.test("callbacks may submit thousands of tasks that cannot be sent", { ignore }, async () => {
  await using executor = newPool();
  using gate = new Gate();
  executor.submit(passGate, gate.numbers);
  const futures: Future<unknown>[] = [];
  const submit = () => {
    const future = executor.submit(echo<unknown>, () => 1);
    futures.push(future);
    return future;
  };
  for (const _ of range(3000)) submit().addDoneCallback(submit);
  const last = executor.submit(echo, 1);
  gate.open();
  assertEquals(await last.result(), 1);
  await wait(futures);
  await wait(futures);
  const outcomes = await Promise.all(futures.map(outcomeOf));
  assertEquals([outcomes.length, ...new Set(outcomes)], [6000, "DataCloneError"]);
});

class OwnError extends RangeError {
  override name = "OwnError";
  code = 3;
  notCloneable = () => 1;
}

class OwnException extends DOMException {
  extra = 1;
}

/** Has the name of a class of Deno. */
class NotFound extends RangeError {}

/** An error of a class that is written as in old JavaScript. */
function OldError(this: Error, message: string) {
  this.message = message;
}
OldError.prototype = Object.create(Error.prototype, { constructor: { value: OldError } });

const causedBy = (cause: unknown) => new TypeError("caused", { cause });

type ErrorClass = abstract new (...args: never[]) => Error;

/** Errors, the classes of which they arrive, and their own fields. */
const ERRORS: Record<string, [make: () => Error, type: ErrorClass, fields: object]> = {
  "a TypeError": [() => new TypeError("type"), TypeError, { name: "TypeError", message: "type" }],
  "an error of the user's own class": [
    () => new OwnError("own"),
    RangeError,
    { name: "OwnError", message: "own", code: 3 },
  ],
  "an error of a class called NotFound": [
    () => new NotFound("own"),
    RangeError,
    { name: "RangeError", message: "own" },
  ],
  "an error of an old class": [
    () => Reflect.construct(OldError, ["old"]),
    Error,
    { name: "Error", message: "old" },
  ],
  "an error with another name": [
    () => Object.assign(new Error("named"), { name: "Named", size: 2 }),
    Error,
    { name: "Named", message: "named", size: 2 },
  ],
  "an error of Deno": [
    () => new Deno.errors.NotFound("gone"),
    Deno.errors.NotFound,
    { name: "NotFound", message: "gone" },
  ],
  "an error of WebAssembly": [
    () => new WebAssembly.CompileError("wasm"),
    WebAssembly.CompileError,
    { name: "CompileError", message: "wasm" },
  ],
  "a DOMException": [
    () => new DOMException("aborted", "AbortError"),
    DOMException,
    { name: "AbortError", message: "aborted" },
  ],
  "a QuotaExceededError": [
    () => new QuotaExceededError("full"),
    DOMException,
    { name: "QuotaExceededError", message: "full" },
  ],
  "an exception of the user's own subclass": [
    () => new OwnException("full", "QuotaExceededError"),
    DOMException,
    { name: "QuotaExceededError", message: "full", extra: 1 },
  ],
  "an AggregateError": [
    () => new AggregateError([], "many"),
    AggregateError,
    { name: "AggregateError", message: "many" },
  ],
};

export const throwError = (kind: string): never => {
  throw ERRORS[kind]?.[0]();
};

for (const [kind, [, type, fields]] of Object.entries(ERRORS)) {
  Deno.test(`${kind} arrives with its built-in class and its fields`, { ignore }, async () => {
    await using executor = newPool();
    const future = executor.submit(throwError, kind);
    const error = await future.exception();
    assertStrictEquals(await future.exception(), error);
    assertInstanceOf(error, type);
    assertStrictEquals(error.constructor, type);
    const { name, message, stack = "" } = error;
    assertEquals({ name, message, ...Object.fromEntries(Object.entries(error)) }, fields);
    if (kind !== "an error of an old class") assertMatch(stack, /messages_test\.ts:\d+:\d+/);
    const mapped = executor.map(throwError, [kind]);
    assertEquals(await listToError(mapped), [name]);
  });
}

export const throwNested = (): never => {
  const errors = [new OwnError("first"), causedBy(new OwnError("second"))];
  throw new AggregateError(errors, "many", { cause: new OwnError("why", { cause: "deep" }) });
};

Deno.test("the errors in an error keep their names and fields", { ignore }, async () => {
  await using executor = newPool();
  const error = await executor.submit(throwNested).exception();
  assertInstanceOf(error, AggregateError);
  const [first, second] = error.errors;
  const inner = [first, second.cause, error.cause];
  const seen = inner.map((it) => [it instanceof RangeError, `${it}`, it.code, it.cause]);
  assertEquals(seen, [
    [true, "OwnError: first", 3, undefined],
    [true, "OwnError: second", 3, undefined],
    [true, "OwnError: why", 3, "deep"],
  ]);
});

export const throwCauses = (count: number): never => {
  let error: Error = new OwnError("1");
  for (const n of range(count - 1)) error = new OwnError(`${n + 2}`, { cause: error });
  throw error;
};

export const throwItself = (): never => {
  const error = new OwnError("circle");
  throw Object.assign(error, { cause: error });
};

Deno.test("nine nested errors keep their fields", { ignore }, async () => {
  await using executor = newPool();
  const deep = await executor.submit(throwCauses, 20).exception();
  const circle = await executor.submit(throwItself).exception();
  for (let error of [deep, circle]) {
    for (const _ of range(9)) {
      assertInstanceOf(error, RangeError);
      assertEquals([error.name, { ...error }], ["OwnError", { code: 3 }]);
      error = error.cause;
    }
  }
});

/** Values that are thrown although they are not errors. */
const THROWN: Record<string, () => unknown> = {
  text: () => "text",
  undefined: () => undefined,
  object: () => ({ n: 1n }),
};

export const throwValue = (kind: string): never => {
  throw THROWN[kind]?.();
};

export const throwFunction = (): never => {
  throw () => 1;
};

Deno.test("a thrown value that is not an error arrives unchanged", { ignore }, async () => {
  await using executor = newPool();
  for (const [kind, make] of Object.entries(THROWN)) {
    const future = executor.submit(throwValue, kind);
    const thrown = await future.result().then(() => "a result", (reason) => reason);
    assertEquals(thrown, make());
  }
  assertEquals(await outcomeOf(executor.submit(throwFunction)), "DataCloneError");
});

const throwing = {
  get(): never {
    throw new Error("no field");
  },
  getPrototypeOf(): never {
    throw new Error("no class");
  },
};

/** Errors that are hard to take apart, and what arrives. */
const ODD_ERRORS: Record<string, [make: () => unknown, seen: string]> = {
  "a frozen error": [() => Object.freeze(new TypeError("frozen")), "TypeError: frozen"],
  "an error whose stack throws": [
    () => Object.defineProperty(new TypeError("text"), "stack", { get: throwing.get }),
    "TypeError: text",
  ],
  "an error without a class": [() => new Proxy(new Error(), throwing), "Error: no class"],
};

export const throwOdd = (kind: string): never => {
  throw ODD_ERRORS[kind]?.[0]();
};

export const leaveOdd = (kind: string): void => {
  Promise.reject(ODD_ERRORS[kind]?.[0]());
};

Deno.test("errors that are hard to take apart fail their task only", { ignore }, async () => {
  await using executor = newPool();
  for (const [kind, [, seen]] of Object.entries(ODD_ERRORS)) {
    using logged = new LoggedErrors();
    const future = executor.submit(throwOdd, kind);
    assertEquals(`${await future.exception()}`, seen);
    await executor.submit(leaveOdd, kind).result();
    assertEquals(await executor.submit(echo, 1).result(), 1);
    assertEquals([kind, logged.all.length], [kind, 1]);
  }
});

export const samename = (): string => "the exported one";
const impostor = { samename: () => "another one" }.samename;

function renamed(): number {
  return 1;
}
export { renamed as newName };

export const bound = idOfWorker.bind(null);

export class Tools {
  static staticMethod(): number {
    return 1;
  }
}

function makeTwin(factor: number): () => number {
  return function twin(): number {
    return factor;
  };
}
export const twin = makeTwin(2);
export const otherTwin = makeTwin(3);

function hidden(): number {
  return 1;
}

/** Functions that a worker cannot find, and their names in the error. */
const LOST: Record<string, [fn: () => unknown, name: string]> = {
  "that is not exported": [hidden, "hidden"],
  "without a name": [(() => () => 1)(), "a function without a name"],
  "with the name of another export": [impostor, "samename"],
  "that is exported under another name": [renamed, "renamed"],
  "that is bound": [bound, "bound idOfWorker"],
  "that is a static method": [Tools.staticMethod, "staticMethod"],
  "with the name and text of another one": [twin, "twin"],
};

for (const [which, [fn, name]] of Object.entries(LOST)) {
  Deno.test(`a function ${which} fails with a TypeError that helps`, { ignore }, async () => {
    await using executor = newPool();
    const before = executor.submit(echo, 1);
    const futures = [executor.submit(fn), executor.submit(fn)];
    const after = executor.submit(echo, 2);
    for (const future of futures) {
      const error = await future.exception();
      assertInstanceOf(error, TypeError);
      assertStringIncludes(error.message, `${name} is not exported by ${import.meta.url}`);
      assertMatch(error.message, /write `export function .+`/);
      const advice = "pass the exported function itself, not a function that calls it";
      assertStringIncludes(error.message, advice);
      const hasChanged = error.message.startsWith("the file has changed since the program started");
      assertEquals(hasChanged, which === "with the name of another export");
    }
    await assertRejects(() => executor.map(fn, [1]).next(), TypeError, name);
    assertEquals([await before.result(), await after.result()], [1, 2]);
  });
}

Deno.test("a value that is not a function fails with a TypeError", { ignore }, async () => {
  await using executor = newPool();
  for (const value of [undefined, "add", {}] as never[]) {
    const message = `fn: expected a function, got ${Deno.inspect(value)}`;
    await assertRejects(() => executor.submit(value).result(), TypeError, message);
    await assertRejects(() => executor.map(value, [1]).next(), TypeError, message);
  }
  assertEquals(await executor.submit(echo, 1).result(), 1);
});

function makeMultiply(factor: number): (n: number) => number {
  return function multiply(n: number): number {
    return n * factor;
  };
}
const multiply = makeMultiply(3);
export { multiply };

Deno.test("the variables of a closure do not travel to the worker", { ignore }, async () => {
  await using executor = newPool();
  assertEquals(await executor.submit(makeMultiply(10), 2).result(), 6);
});

Deno.test("a function that is exported under two names is found", { ignore }, async () => {
  const source = "export const f = () => 5; export const g = f; export default f;";
  const module = `data:text/javascript,${encodeURIComponent(source)}`;
  const { f }: { f: () => number } = await import(module);
  await using executor = new WorkerPoolExecutor(module, { maxWorkers: 1 });
  assertEquals(await executor.submit(f).result(), 5);
});

/** Resolves to the reason of the signal when it aborts. */
export async function reasonOf(signal: AbortSignal, started?: Int32Array): Promise<unknown> {
  if (started) Atomics.add(started, 1, 1);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  return signal.reason;
}

export async function throwReason(signal: AbortSignal, started: Int32Array): Promise<never> {
  throw await reasonOf(signal, started);
}

export const lookAt = (
  signal: AbortSignal,
): unknown => [signal instanceof AbortSignal, signal.aborted];

/** Resolves to which of the signals have aborted when the last one aborts. */
export async function abortedOnes(first: AbortSignal, n: number, last: AbortSignal) {
  await reasonOf(last);
  return [first.aborted, n, last.aborted];
}

/** Blocks its thread. Resolves to whether the signal has aborted then, and some turns later. */
export async function passGateWith(signal: AbortSignal, gate: Int32Array): Promise<boolean[]> {
  passGate(gate);
  await Promise.resolve();
  const before = signal.aborted;
  while (!signal.aborted) await sleep();
  return [before, signal.aborted];
}

/** Ends in the way that `kind` says. */
export function endAs(_signal: AbortSignal, kind: "returns" | "throws" | "crashes" | "waits") {
  if (kind === "throws") throw new Error();
  if (kind === "crashes") self.close();
  return kind === "waits" ? never : 1;
}

Deno.test("the signal of a task aborts with the caller's reason", { ignore }, async () => {
  await using executor = newPool();
  const dom = new DOMException("too slow", "TimeoutError");
  for (const reason of [new RangeError("enough"), dom, { code: 5n }, null]) {
    using gate = new Gate();
    const controller = new AbortController();
    const { signal } = controller;
    assertEquals(await executor.submit(lookAt, signal).result(), [true, false]);
    const early = executor.submit(throwReason, signal, gate.numbers);
    await gate.arrived();
    controller.abort(reason);
    const late = executor.submit(throwReason, signal, gate.numbers);
    for (const future of [early, late]) {
      const seen = await future.exception();
      if (!(reason instanceof Error)) assertEquals(seen, reason);
      else assertEquals([`${seen}`, seen?.constructor], [`${reason}`, reason.constructor]);
    }
    assertEquals(await executor.submit(lookAt, signal).result(), [true, true]);
  }
});

Deno.test("a reason that cannot be cloned becomes a DataCloneError", { ignore }, async () => {
  await using executor = newPool();
  const reason = await executor.submit(reasonOf, AbortSignal.abort(() => 1)).result();
  assertInstanceOf(reason, DOMException);
  assertEquals(reason.name, "DataCloneError");
});

Deno.test("an abort right after submit reaches the task", { ignore }, async () => {
  await using executor = newPool();
  for (const when of ["starting", "idle", "queued"]) {
    const before = when === "queued" ? executor.submit(echo, 1) : undefined;
    const controller = new AbortController();
    const future = executor.submit(reasonOf, controller.signal);
    controller.abort(when);
    assertEquals(await future.result(), when);
    await before?.result();
  }
});

Deno.test("several signals of a task abort on their own", { ignore }, async () => {
  await using executor = newPool();
  const first = new AbortController();
  const last = new AbortController();
  const { signal } = first;
  const future = executor.submit(abortedOnes, signal, 5, last.signal);
  last.abort();
  assertEquals(await future.result(), [false, 5, true]);
  const both = executor.submit(abortedOnes, signal, 5, signal);
  first.abort();
  assertEquals(await both.result(), [true, 5, true]);
});

Deno.test("a signal does not affect the state of its future", { ignore }, async () => {
  await using executor = newPool();
  using gate = new Gate();
  const controller = new AbortController();
  const running = executor.submit(passGateWith, controller.signal, gate.numbers);
  const pending = executor.submit(lookAt, controller.signal);
  const cancelled = executor.submit(lookAt, controller.signal);
  await gate.arrived();
  controller.abort();
  assertEquals([running.cancel(), cancelled.cancel()], [false, true]);
  assertEquals([running.state, pending.state], ["running", "pending"]);
  gate.open();
  // A task sees the abort only when it has let the event loop turn.
  assertEquals(await running.result(), [false, true]);
  assertEquals(await pending.result(), [true, true]);
});

/** A signal that counts its listeners. */
function countedSignal(): { signal: AbortSignal; listeners: Set<unknown> } {
  const { signal } = new AbortController();
  const { addEventListener, removeEventListener } = signal;
  const listeners = new Set<unknown>();
  signal.addEventListener = (type: string, listener: EventListener) => {
    listeners.add(listener);
    addEventListener.call(signal, type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListener) => {
    listeners.delete(listener);
    removeEventListener.call(signal, type, listener);
  };
  return { signal, listeners };
}

Deno.test("nothing stays attached to the signal of a task that has ended", { ignore }, async () => {
  const { signal, listeners } = countedSignal();
  await using executor = newPool();
  for (const kind of ["returns", "throws", "crashes"] as const) {
    const future = executor.submit(endAs, signal, kind);
    assertEquals([kind, listeners.size], [kind, 1]);
    await outcomeOf(future);
    assertEquals([kind, listeners.size], [kind, 0]);
  }
  const unsendable = executor.submit(endAs, signal, (() => 1) as never);
  assertEquals([await outcomeOf(unsendable), listeners.size], ["DataCloneError", 0]);
  executor.submit(endAs, signal, "waits");
  executor.submit(endAs, signal, "waits").cancel();
  await executor.terminateWorkers();
  assertEquals(listeners.size, 0);
  await using broken = new WorkerPoolExecutor("data:text/javascript,null.x", { maxWorkers: 1 });
  const future = broken.submit(lookAt, signal);
  assertEquals([await outcomeOf(future), listeners.size], ["BrokenExecutorError", 0]);
});

export const leaveRejection = (): void => {
  Promise.reject(new Error("left behind"));
};

Deno.test("a signal survives a worker that dies before its task starts", { ignore }, async () => {
  using logged = new LoggedErrors();
  await using executor = newPool();
  const controller = new AbortController();
  const left = executor.submit(leaveRejection);
  const future = executor.submit(reasonOf, controller.signal);
  left.addDoneCallback(() => controller.abort("while the worker dies"));
  assertEquals(await future.result(), "while the worker dies");
  assertEquals(logged.all.length, 1);
});

Deno.test("a signal that is an item or a result is refused", { ignore }, async () => {
  await using executor = newPool();
  const { signal } = new AbortController();
  for (const order of ORDERS) {
    assertEquals(await listToError(executor.map(echo, [signal], order)), ["DataCloneError"]);
  }
  assertEquals(await outcomeOf(executor.submit(makeSignal)), "DataCloneError");
  assertEquals(await outcomeOf(executor.submit(echo, signal)), "DataCloneError");
});
