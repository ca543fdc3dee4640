/** The tasks, modules and programs that `worker_pool_test.ts` gives to workers. */

import process from "node:process";
import { WorkerPoolExecutor } from "../../futures/mod.ts";

const id = crypto.randomUUID();
const never = new Promise<never>(() => {});

export function sleep(ms = 1): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Numbers that threads share. */
export function shared(length = 1): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * length));
}

export interface Step {
  /** Counts the tasks that have started. */
  started?: Int32Array;
  /** The task waits for its first tick: not for ever, for a hang has to be a failure. */
  gate?: Int32Array;
  error?: string;
  value?: number;
}

export function step({ started, gate, error, value = 0 }: Step): number {
  if (started) tick(started);
  if (gate && Atomics.wait(gate, 0, 0, 20_000) === "timed-out") {
    throw new Error("nobody opened the gate");
  }
  if (error) throw new Error(error);
  return value;
}

/** Which worker this is. */
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

export function tick(counts: Int32Array, index = 0): void {
  Atomics.add(counts, index, 1);
  Atomics.notify(counts, index);
}

/** `tick`, a turn later: the worker has time for what an earlier task left behind. */
export async function lateTick(counts: Int32Array, index: number): Promise<void> {
  await sleep();
  tick(counts, index);
}

/** Ticks until its worker ends. */
export function beat(counts: Int32Array): void {
  setInterval(tick, 1, counts);
}

/** How many tasks are under way in this worker, while this one awaits. */
export async function overlap(active: Int32Array): Promise<number> {
  tick(active);
  await sleep();
  return Atomics.sub(active, 0, 1);
}

/** Has the name of a function that the tests have, too. */
export function samename(counts: Int32Array): string {
  tick(counts);
  return "the wrong one";
}

export const max = samename;

function linked(nodes: number): unknown {
  let list: unknown = null;
  for (let n = 0; n < nodes; n++) list = { list };
  return list;
}

/** What no message carries. */
export const uncloneable = {
  "a function": () => () => 1,
  "a symbol deep inside": () => ({ deep: [Symbol()] }),
  "a URL": () => new URL("https://deno.com"),
  URLSearchParams: () => new URLSearchParams("a=1"),
  Headers: () => new Headers({ a: "1" }),
  "a Request": () => new Request("https://deno.com"),
  "a Response": () => new Response("body"),
  "a list of 2,700 nodes": () => linked(2700),
  "a list of 100,000 nodes": () => linked(100_000),
};

export type Uncloneable = keyof typeof uncloneable;

export function make(kind: Uncloneable | number): unknown {
  return typeof kind === "number" ? kind : uncloneable[kind]();
}

export function exitFor4(n: number): number {
  return n === 4 ? Deno.exit(0) : n;
}

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

/** What takes a worker down under its task. */
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

/** What a task leaves behind that takes its worker down when it has returned. */
export const leftovers = {
  "a rejected promise": () => void Promise.reject(new RangeError("escaped")),
  "a promise rejected with a function": () => void Promise.reject(() => 1),
  "a promise rejected with a list of 2,700 nodes": () => void Promise.reject(linked(2700)),
  "a promise rejected with a list of 100,000 nodes": () => void Promise.reject(linked(100_000)),
  "an error with a stack that throws": () => void Promise.reject(thrown["a stack that throws"]()),
  "an error in a timer": throwFromTimer,
};

export type Leftover = keyof typeof leftovers;

export function leave(kind: Leftover, result: Uncloneable | number = 1): unknown {
  leftovers[kind]();
  return make(result);
}

/** Returns, and then submits to a pool that it has opened; counts what it is told. */
export function submitLater(errors: Int32Array): void {
  const inner = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 1 });
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

const moduleOf = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;

/** Modules that do not load, and what their errors are. */
export const unloadable: Record<string, [module: string, cause: string]> = {
  "throws": [moduleOf("throw new RangeError('no')"), "RangeError: no"],
  "throws no error": [moduleOf("throw 'no'"), "no"],
  "does not parse": [moduleOf("export const = 1"), "SyntaxError: "],
  "does not exist": [import.meta.resolve("./nowhere.ts"), "TypeError: Module not found"],
  "rejects late": [moduleOf("await new Promise((r) => setTimeout(r)); null.x"), "TypeError: "],
  "leaves a rejection": [moduleOf("Promise.reject(new RangeError('no'))"), "RangeError: no"],
  "calls self.close()": [moduleOf("self.close()"), ""],
  "calls Deno.exit(3)": [moduleOf("Deno.exit(3)"), ""],
};

/** How every program begins: it ends, whatever happens. */
export const prelude = `
  import { WorkerPoolExecutor } from "./futures/mod.ts";
  import * as tasks from "${import.meta.url}";
  export const square = (n: number) => n * n;
  export const fail = () => {
    throw new Error("nobody reads this");
  };
  const newPool = (module = import.meta.url) => new WorkerPoolExecutor(module, { maxWorkers: 2 });
  Deno.unrefTimer(setTimeout(() => Deno.exit(99), 30_000));
`;

/** Programs, and what they print. */
export const programs: Record<string, [source: string, stdout: string]> = {
  "tasks that take their worker down print nothing and end no program": [
    `await using executor = newPool("${import.meta.url}");
    for (const [n, kind] of Object.keys(tasks.crashes).entries()) {
      const error = await executor.submit(tasks.crash, kind).exception();
      console.log(n, error.name);
    }`,
    Object.keys(crashes).map((_, n) => `${n} WorkerCrashError\n`).join(""),
  ],
  "failures that nobody reads end no program": [
    `if (import.meta.main) {
      await using executor = newPool();
      executor.submit(fail);
      executor.map(fail, [1, 2, 3]);
      executor.map(fail, [1, 2, 3], { ordered: false, timeout: 1 });
      executor.submit(() => 1);
    }`,
    "",
  ],
  "a program that forgets to shut its pool down ends about a second later": [
    `if (import.meta.main) {
      console.log(await newPool().submit(square, 3).result());
      const end = performance.now();
      addEventListener("unload", () => console.log(performance.now() - end > 500));
    }`,
    "9\ntrue\n",
  ],
  "a program that runs in a worker may open a pool": [
    `if (import.meta.main && import.meta.url.endsWith("?inner")) {
      await using executor = newPool();
      for await (const n of executor.map(square, [3, 1, 2])) console.log(n);
      self.close();
    } else if (import.meta.main) {
      new Worker(import.meta.url + "?inner", { type: "module" });
    }`,
    "9\n1\n4\n",
  ],
};

/** Main programs without `if (import.meta.main)`, which every worker runs again. */
export const unguarded = {
  "top-level await": `
    await using executor = newPool();
    console.log(await executor.submit(square, 3).result());`,
  "a top-level loop": `
    for await (const n of newPool().map(square, [1, 2, 3])) console.log(n);`,
  "an un-awaited main()": `
    async function main() {
      await using executor = newPool();
      console.log(await executor.submit(square, 3).result());
    }
    main();`,
  "a main() that catches its errors": `
    async function main() {
      const executor = newPool();
      try {
        for await (const n of executor.map(square, [1, 2, 3])) console.log(n);
      } catch {
        await executor.shutdown().catch(() => {});
      }
    }
    main().catch(() => {});`,
  "bare calls": `
    const executor = newPool();
    executor.submit(square, 3);
    executor.map(square, [1, 2, 3]);`,
  "bare calls that catch their errors": `
    try {
      newPool().submit(square, 3).result().catch(() => {});
    } catch {}`,
};

/** What the oracle has done: how each ends, and what it does once its start is noted. */
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
} as const;

export interface Job {
  log: Int32Array;
  n: number;
  kind: keyof typeof jobs;
  refused?: () => void;
}

/** The first element of the log is how many jobs have started, and then it says which. */
export function job({ log, n, kind }: Job): unknown {
  log[Atomics.add(log, 0, 1) + 1] = n;
  return jobs[kind][1](n);
}
