/** Arguments, results, errors and signals travel as clones; functions are found by name. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { Future, WorkerPoolExecutor } from "../../futures/mod.ts";
import { Gate, lacks, listToError, outcomeOf, passGate } from "./helpers.ts";
import { range, shared, sleep, until } from "./helpers.ts";

const ignore = lacks("read");

export { passGate };
export const echo = <T>(value: T): T => value;
export const count = (counts: Int32Array): number => Atomics.add(counts, 0, 1);

function newPool(): WorkerPoolExecutor {
  return new WorkerPoolExecutor(import.meta.url, { maxWorkers: 1, idleTimeout: Infinity });
}

Deno.test("arguments and results are clones; shared memory is shared", { ignore }, async () => {
  await using executor = newPool();
  const value = new Map([[1n, [new Date(5), null]]]);
  const result = await executor.submit(echo, value).result();
  assert(result !== value);
  assertEquals(result, value);
  assertEquals(await executor.submit(echo, null).result(), null);
  // The pool does not look for refused values inside other values.
  assertEquals(await executor.submit(echo<unknown[]>, [new FormData()]).result(), [{}]);
  // The tag of a Blob survives a clone.
  assertInstanceOf(await executor.submit(echo, new Blob()).result(), Blob);
  const counts = shared();
  await executor.submit(count, await executor.submit(echo, counts).result()).result();
  assertEquals(counts[0], 1);
});

/** Values that cannot be cloned, or would arrive as `{}`. */
const REFUSED: Record<string, () => unknown> = {
  "a function": () => () => 1,
  "a URL": () => new URL("https://deno.com"),
  "an AbortSignal": () => new AbortController().signal,
  "a Future": () => Future.withResolvers().future,
  "an executor": () => newPool(),
};

export const makeRefused = (kind: string): unknown => REFUSED[kind]?.();

for (const [kind, make] of Object.entries(REFUSED)) {
  Deno.test(`${kind} as a value fails its task with a DataCloneError`, { ignore }, async () => {
    await using executor = newPool();
    const futures = [executor.submit(echo, make()), executor.submit(makeRefused, kind)];
    const maps = [executor.map(echo, [make()]), executor.map(makeRefused, [kind])];
    const seen = [...futures.map(outcomeOf), ...maps.map(listToError)];
    const name = "DataCloneError";
    assertEquals(await Promise.all(seen), [name, name, [name], [name]]);
  });
}

/** Returns a value that is nested too deeply for the other side to read it. */
export function makeNestedList(): unknown {
  let list: unknown = null;
  for (const _ of range(2700)) list = { list };
  return list;
}

Deno.test("a message that cannot be read fails its own task only", { ignore }, async () => {
  await using executor = newPool();
  const sent = executor.submit(echo, makeNestedList());
  const returned = executor.submit(makeNestedList);
  const last = executor.submit(echo, 1);
  const outcomes = await Promise.all([sent, returned, last].map(outcomeOf));
  assertEquals(outcomes, ["DataCloneError", "DataCloneError", "returned"]);
});

Deno.test("callbacks may submit thousands of tasks that cannot be sent", { ignore }, async () => {
  await using executor = newPool();
  let submitted = 0;
  const submit = () => {
    submitted++;
    const future = executor.submit(echo<unknown>, () => 1);
    if (submitted < 20_000) future.addDoneCallback(submit);
  };
  submit();
  await until(() => submitted === 20_000);
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

const fail = (): never => {
  throw new Error("from the error");
};

/** What tasks throw. The class of what arrives, its text, and its own fields. */
const ERRORS: [make: () => unknown, type: string, text: string, fields?: object][] = [
  [() => new TypeError("why"), "TypeError", "TypeError: why"],
  [() => new OwnError("why"), "RangeError", "OwnError: why", { code: 3 }],
  [() => new NotFound("why"), "RangeError", "RangeError: why"],
  [() => new Deno.errors.NotFound("why"), "NotFound", "NotFound: why"],
  [() => new WebAssembly.CompileError("why"), "CompileError", "CompileError: why"],
  [() => new DOMException("why", "AbortError"), "DOMException", "AbortError: why"],
  [() => new QuotaExceededError("why"), "DOMException", "QuotaExceededError: why"],
  [() => new OwnException("why"), "DOMException", "Error: why", { extra: 1 }],
  // Errors that are hard to take apart.
  [
    () => Object.defineProperty(new OwnError("why"), "code", { get: fail }),
    "RangeError",
    "OwnError: why",
  ],
  [() => new Proxy(new TypeError(), { getPrototypeOf: fail }), "Error", "Error: from the error"],
];

export const throwError = (index: number): never => {
  throw ERRORS[index]?.[0]();
};

Deno.test("an error arrives with its built-in class and its fields", { ignore }, async () => {
  await using executor = newPool();
  for (const [index, [, type, text, fields = {}]] of ERRORS.entries()) {
    const error = await executor.submit(throwError, index).exception();
    assertInstanceOf(error, Error, text);
    const ownFields = Object.fromEntries(Object.entries(error));
    assertEquals([error.constructor.name, `${error}`, ownFields], [type, text, fields]);
  }
  const { stack } = await executor.submit(throwError, 1).exception() as Error;
  assertMatch(`${stack}`, /^OwnError: why\n +at .*messages_test\.ts:\d+:\d+/);
});

export const throwNested = (): never => {
  const type = new TypeError("type", { cause: new OwnError("second") });
  const errors = [new OwnError("first"), type, "not an error"];
  throw new AggregateError(errors, "many", { cause: new OwnError("why", { cause: "deep" }) });
};

Deno.test("the errors in an error keep their names and fields", { ignore }, async () => {
  await using executor = newPool();
  const error = await executor.submit(throwNested).exception();
  assertInstanceOf(error, AggregateError);
  const inner = [error.errors[0], error.errors[1].cause, error.cause];
  assertEquals(inner.map((it) => [it.constructor, `${it}`, it.code, "cause" in it, it.cause]), [
    [RangeError, "OwnError: first", 3, false, undefined],
    [RangeError, "OwnError: second", 3, false, undefined],
    [RangeError, "OwnError: why", 3, true, "deep"],
  ]);
});

export const throwItself = (): never => {
  const error = new OwnError("circle");
  throw Object.assign(error, { cause: error });
};

Deno.test("nine nested errors keep their fields", { ignore }, async () => {
  await using executor = newPool();
  let error: unknown = await executor.submit(throwItself).exception();
  const names: string[] = [];
  while (error instanceof Error && names.length < 10) {
    names.push(error.name);
    error = error.cause;
  }
  assertEquals(names, [...range(9).map(() => "OwnError"), "Error"]);
});

export const throwValue = (value: unknown): never => {
  throw value;
};
export const throwFunction = (): never => throwValue(() => 1);

Deno.test("a thrown value that is not an error arrives unchanged", { ignore }, async () => {
  await using executor = newPool();
  for (const value of [undefined, { n: 1n }, ["text"]]) {
    const result = executor.submit(throwValue, value).result();
    assertEquals(await result.then(() => "a result", (reason) => reason), value);
  }
  assertEquals(await outcomeOf(executor.submit(throwFunction)), "DataCloneError");
});

/** Returns functions with the same name and text. */
function makeMultiply(factor: number): (n?: number) => number {
  return function multiply(n = 1): number {
    return n * factor;
  };
}
const multiply = makeMultiply(3);
export { multiply, multiply as sameMultiply };

Deno.test("a function runs as the export, which may have two names", { ignore }, async () => {
  await using executor = newPool();
  assertEquals(await executor.submit(multiply, 2).result(), 6);
  // The variables of a closure do not travel to the worker.
  assertEquals(await executor.submit(makeMultiply(10), 2).result(), 6);
});

export const samename = (): number => 1;
const hidden = (): number => 2;
export { hidden as newName };
export const bound = samename.bind(null);
const makeTwin = (n: number) =>
  function twin() {
    return n;
  };
export const twin: () => number = makeTwin(2);
export const otherTwin: () => number = makeTwin(3);

/** Functions that a worker cannot find, and their names in the error. */
const LOST: Record<string, [fn: () => unknown, name: string]> = {
  "without a name": [(() => () => 1)(), "a function without a name"],
  "that is exported under another name": [hidden, "hidden"],
  "that is bound": [bound, "bound samename"],
  "with the name and text of another one": [twin, "twin"],
  "with the name of another one": [{ samename: () => 3 }.samename, "samename"],
};

Deno.test("a function that no worker can find fails with advice", { ignore }, async () => {
  await using executor = newPool();
  for (const [which, [fn, name]] of Object.entries(LOST)) {
    // The second time, the worker has seen the function.
    for (const future of [executor.submit(fn), executor.submit(fn)]) {
      const error = await future.exception();
      assertInstanceOf(error, TypeError, which);
      const reason = `${name} is not exported by ${import.meta.url} under its own name: write \``;
      assertStringIncludes(error.message, reason);
      const hasChanged = error.message.startsWith("the file has changed since the program started");
      assertEquals(hasChanged, which === "with the name of another one", which);
    }
  }
});

Deno.test("a value that is not a function fails with a TypeError", { ignore }, async () => {
  await using executor = newPool();
  const future = executor.submit("add" as never);
  await assertRejects(() => future.result(), TypeError, 'fn: expected a function, got "add"');
});

export async function throwReason(signal: AbortSignal, gate?: Int32Array): Promise<never> {
  if (gate) Atomics.add(gate, 1, 1);
  while (!signal.aborted) await sleep();
  throw signal.reason;
}

export const hasAborted = (signal: AbortSignal, _?: unknown): boolean => signal.aborted;

/** Blocks its thread. Resolves to whether the signal has aborted then, and some turns later. */
export async function passGateWith(signal: AbortSignal, gate: Int32Array): Promise<boolean[]> {
  passGate(gate);
  await Promise.resolve();
  const before = signal.aborted;
  while (!signal.aborted) await sleep();
  return [before, signal.aborted];
}

Deno.test("the signal of a task aborts with the caller's reason", { ignore }, async () => {
  await using executor = newPool();
  using gate = new Gate();
  const controller = new AbortController();
  assertEquals(await executor.submit(hasAborted, controller.signal).result(), false);
  const early = executor.submit(throwReason, controller.signal, gate.numbers);
  await gate.arrived();
  controller.abort(new OwnError("enough"));
  const late = executor.submit(throwReason, controller.signal);
  const seen = [await early.exception(), await late.exception()];
  assertEquals(seen.map((error) => `${error}`), ["OwnError: enough", "OwnError: enough"]);
  assertEquals(await executor.submit(hasAborted, controller.signal).result(), true);
  const refused = executor.submit(throwReason, AbortSignal.abort(() => 1));
  assertEquals(await outcomeOf(refused), "DataCloneError");
});

Deno.test("an abort right after submit reaches the task", { ignore }, async () => {
  await using executor = newPool();
  for (const when of ["starting", "idle", "queued"]) {
    if (when === "queued") executor.submit(echo, 1);
    const controller = new AbortController();
    const future = executor.submit(throwReason, controller.signal);
    controller.abort(when);
    assertEquals(await future.exception(), when);
  }
});

Deno.test("a signal does not affect the state of its future", { ignore }, async () => {
  await using executor = newPool();
  using gate = new Gate();
  const controller = new AbortController();
  const running = executor.submit(passGateWith, controller.signal, gate.numbers);
  const pending = executor.submit(hasAborted, controller.signal);
  const cancelled = executor.submit(hasAborted, controller.signal);
  await gate.arrived();
  controller.abort();
  assertEquals([running.cancel(), cancelled.cancel()], [false, true]);
  assertEquals([running.state, pending.state], ["running", "pending"]);
  gate.open();
  // A task sees the abort only when it has let the event loop turn.
  assertEquals(await running.result(), [false, true]);
  assertEquals(await pending.result(), true);
});

Deno.test("nothing stays attached to the signal of a task that has ended", { ignore }, async () => {
  const { default: events } = await import("node:events");
  const { signal } = new AbortController();
  const countListeners = () => events.getEventListeners(signal, "abort").length;
  await using executor = newPool();
  const returned = executor.submit(hasAborted, signal);
  assertEquals(countListeners(), 1);
  await returned.result();
  assertEquals(countListeners(), 0);
  const refused = executor.submit(hasAborted, signal, () => 1);
  assertEquals([await outcomeOf(refused), countListeners()], ["DataCloneError", 0]);
  executor.submit(throwReason, signal);
  assertEquals(countListeners(), 1);
  await executor.terminateWorkers();
  assertEquals(countListeners(), 0);
});
