/**
 * The contract of `futures.ts`, sentence by sentence, with the situations of CPython's
 * `Lib/test/test_concurrent_futures` as a checklist.
 *
 * Left out, for it has no meaning here: initializers, mp contexts, fork and forkserver, pickling hooks,
 * `max_tasks_per_child`, `terminate_workers` and `kill_workers`, thread name prefixes, keyword arguments,
 * several iterables for `map`, garbage collection of executors, results and stale references, exit
 * handlers of the interpreter, submitting during its shutdown, locks and signals, free threading.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  asCompleted,
  BrokenExecutorError,
  CancelledError,
  Future,
  InvalidStateError,
  TimeoutError,
  wait,
  WorkerCrashError,
  WorkerPoolExecutor,
} from "../futures.ts";
import * as tasks from "./futures_tasks.ts";

type Permission = "read" | "write" | "net" | "env" | "run" | "sys" | "ffi";

const pool: Permission[] = ["read"];
const program: Permission[] = ["read", "write", "run"];

function granted(permissions: Permission[]): boolean {
  return permissions.every((name) => Deno.permissions.querySync({ name }).state === "granted");
}

/** Whether `/proc` may be read. */
const countable = Deno.build.os === "linux" &&
  granted(["read", "write", "net", "env", "run", "sys", "ffi"]);

/** A test that fails when it hangs, and is ignored where it may not do what it needs. */
function test(
  name: string,
  fn: () => void | Promise<void>,
  { needs = [], ignore = false, ...rest }: Partial<Deno.TestDefinition> & {
    needs?: Permission[];
  } = {},
): void {
  Deno.test({ name, ignore: ignore || !granted(needs), fn: () => soon(fn()), ...rest });
}

/** What a promise resolves to; rejects if that takes a minute. */
async function soon<T>(promise: T | Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("it hangs")), 60_000);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const tasksUrl = new URL("./futures_tasks.ts", import.meta.url);

function newPool(maxWorkers = 2): WorkerPoolExecutor {
  return new WorkerPoolExecutor(tasksUrl, { maxWorkers });
}

/** Numbers that threads share. */
function shared(length = 1): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * length));
}

function open(gate: Int32Array): void {
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
}

/** Resolves when workers have brought `count` to `n`. */
async function reach(count: Int32Array, n: number): Promise<void> {
  for (let seen = 0; (seen = Atomics.load(count, 0)) < n;) {
    await Atomics.waitAsync(count, 0, seen).value;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function range(length: number): number[] {
  return Array.from({ length }, (_, n) => n);
}

async function list<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** What comes out of `items`, and the error after that. */
async function listToError<T>(items: AsyncIterable<T>): Promise<{ values: T[]; error: unknown }> {
  const values: T[] = [];
  try {
    for await (const item of items) values.push(item);
  } catch (error) {
    return { values, error };
  }
  throw new Error("no error came");
}

function results<T>(futures: Future<T>[]): Promise<T[]> {
  return Promise.all(futures.map((future) => future.result()));
}

/** How a future ended. */
async function ending(future: Future<unknown>): Promise<string> {
  if (future.cancelled()) return "cancelled";
  const error = await future.exception();
  return error instanceof Error ? error.name : "returned";
}

function isWorker(thread: string): boolean {
  try {
    return Deno.readTextFileSync(`/proc/self/task/${thread}/comm`).startsWith("worker-");
  } catch {
    return false; // it has just ended
  }
}

/** Resolves when this process has no workers; at once where they cannot be counted. */
async function noWorkers(): Promise<void> {
  const any = () => [...Deno.readDirSync("/proc/self/task")].some(({ name }) => isWorker(name));
  while (countable && any()) await sleep(10);
}

/** Runs a program, next to copies of the two files, with `--allow-read` alone. */
async function runProgram(source: string): Promise<{ code: number; out: string; err: string }> {
  const dir = await Deno.makeTempDir();
  try {
    for (const name of ["futures.ts", "futures_worker.ts"]) {
      await Deno.copyFile(new URL(`../${name}`, import.meta.url), `${dir}/${name}`);
    }
    await Deno.writeTextFile(`${dir}/main.ts`, source);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", "--no-lock", "--allow-read", "main.ts"],
      cwd: dir,
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(50_000),
    }).output();
    const [out = "", err = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { code, out, err };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function moduleOf(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** A future in each state, and what decides it. */
function inEveryState() {
  const states = {
    pending: Future.withResolvers<number>(),
    running: Future.withResolvers<number>(),
    cancelled: Future.withResolvers<number>(),
    finished: Future.withResolvers<number>(),
  };
  states.running.start();
  states.cancelled.future.cancel();
  states.finished.resolve(1);
  return states;
}

// Future

test("a future is not a thenable: it comes out of an async generator as it is", async () => {
  const { future } = inEveryState().pending;
  const generator = async function* () {
    yield future;
  };
  assertEquals(await list(generator()), [future]);
});

test("state, cancelled(), running() and done() agree", () => {
  const seen = Object.values(inEveryState()).map(({ future }) => [
    future.state,
    future.cancelled(),
    future.running(),
    future.done(),
  ]);
  assertEquals(seen, [
    ["pending", false, false, false],
    ["running", false, true, false],
    ["cancelled", true, false, true],
    ["finished", false, false, true],
  ]);
});

test("result() resolves to the value, before and after, as often as it is asked", async () => {
  const { future, resolve } = Future.withResolvers<string>();
  const early = future.result();
  resolve("BR");
  assertEquals([await early, await future.result()], ["BR", "BR"]);
  assertEquals(await future.exception(), undefined);
});

test("result() rejects with what the task threw, the same object at every call", async () => {
  const { future, reject } = Future.withResolvers();
  const error = new TypeError("no such flag");
  const early = future.result().catch((reason) => reason);
  reject(error);
  assertStrictEquals(await early, error);
  assertStrictEquals(await future.result().catch((reason) => reason), error);
  assertStrictEquals(await future.exception(), error);
});

test("result() and exception() reject with CancelledError when cancelled", async () => {
  const { future } = Future.withResolvers();
  const early = assertRejects(() => future.result(), CancelledError);
  future.cancel();
  await early;
  await assertRejects(() => future.result(), CancelledError);
  await assertRejects(() => future.exception(), CancelledError);
});

test("result() and exception() reject with TimeoutError; the future goes on", async () => {
  const { future, resolve } = Future.withResolvers<number>();
  await assertRejects(() => future.result({ timeout: 5 }), TimeoutError);
  await assertRejects(() => future.exception({ timeout: 5 }), TimeoutError);
  resolve(1);
  assertEquals(await future.result({ timeout: 5 }), 1);
});

test("a timeout of 0 or less asks without waiting", async () => {
  for (const timeout of [0, -1, -Infinity]) {
    const { running, finished } = inEveryState();
    const early = running.future.result({ timeout });
    running.resolve(2);
    await assertRejects(() => early, TimeoutError);
    assertEquals(await finished.future.result({ timeout }), 1);
  }
});

test("a timeout that is long or Infinity does not fire early", async () => {
  const { future, resolve } = Future.withResolvers<number>();
  const waiting = [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, Number.MAX_VALUE, Infinity].flatMap(
    (timeout) => [
      future.result({ timeout }),
      asCompleted([future], { timeout }).next().then(({ value }) => value.result()),
      wait([future], { timeout }).then(({ done }) => done.size),
    ],
  );
  const early = Promise.race(waiting.map((promise) => promise.catch(() => "early")));
  assertEquals(await Promise.race([early, sleep(50)]), undefined);
  resolve(1);
  assertEquals(await Promise.all(waiting), waiting.map(() => 1));
}, { sanitizeOps: true });

test("a timeout that is not a number is a RangeError", async () => {
  const { future } = inEveryState().finished;
  const options = { timeout: NaN };
  await assertRejects(() => future.result(options), RangeError);
  await assertRejects(() => future.exception(options), RangeError);
  await assertRejects(() => wait([future], options), RangeError);
  assertThrows(() => asCompleted([future], options), RangeError);
  assertThrows(() => newPool().map(tasks.echo, [1], options), RangeError);
});

test("a failure that nobody reads is kept, never an unhandled rejection", async () => {
  const unhandled: unknown[] = [];
  const listen = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  addEventListener("unhandledrejection", listen);
  const { future, reject } = Future.withResolvers();
  const { cancelled } = inEveryState();
  const error = new Error("kept");
  reject(error);
  await wait([future, cancelled.future]);
  await sleep(0);
  removeEventListener("unhandledrejection", listen);
  assertEquals(unhandled, []);
  assertStrictEquals(await future.exception(), error);
});

test("callbacks run in the order they were added, synchronously when the future is done", () => {
  const { future, resolve } = Future.withResolvers<number>();
  const seen: unknown[] = [];
  for (const n of range(3)) future.addDoneCallback((f) => seen.push(n, f === future, f.state));
  assertEquals(seen, []);
  resolve(1);
  assertEquals(seen, range(3).flatMap((n) => [n, true, "finished"]));
});

test("callbacks run when a future fails and when it is cancelled", () => {
  const { pending, running } = inEveryState();
  const seen: string[] = [];
  for (const { future } of [pending, running]) {
    future.addDoneCallback(({ state }) => seen.push(state));
  }
  pending.future.cancel();
  pending.future.cancel();
  running.reject(new Error());
  assertEquals(seen, ["cancelled", "finished"]);
});

test("a callback added to a future that is done runs at once", () => {
  const { cancelled, finished } = inEveryState();
  const seen: string[] = [];
  for (const { future } of [cancelled, finished]) {
    future.addDoneCallback(() => future.addDoneCallback(({ state }) => seen.push(state)));
  }
  assertEquals(seen, ["cancelled", "finished"]);
});

test("a callback that throws is reported with console.error; the others still run", () => {
  const { future, resolve } = Future.withResolvers<number>();
  const reported: unknown[][] = [];
  const error = new Error("from a callback");
  const { error: original } = console;
  console.error = (...args: unknown[]) => reported.push(args);
  let ran = false;
  try {
    future.addDoneCallback(() => {
      throw error;
    });
    future.addDoneCallback(() => ran = true);
    resolve(1);
  } finally {
    console.error = original;
  }
  assert(ran);
  assertEquals(reported.length, 1);
  assert(reported[0]?.includes(error));
});

test("cancel() on a pending or cancelled future is true, otherwise false and changes nothing", () => {
  const states = Object.values(inEveryState());
  const seen = states.map(({ future }) => [future.cancel(), future.cancel(), future.state]);
  assertEquals(seen, [
    [true, true, "cancelled"],
    [false, false, "running"],
    [true, true, "cancelled"],
    [false, false, "finished"],
  ]);
});

test("start() makes a pending future running, and is false for a cancelled one", () => {
  const { pending, running, cancelled, finished } = inEveryState();
  assertEquals([pending.start(), pending.future.state], [true, "running"]);
  assertEquals([cancelled.start(), cancelled.future.state], [false, "cancelled"]);
  for (const { start } of [running, finished]) assertThrows(start, InvalidStateError);
});

test("settling twice throws InvalidStateError, which shows the state and the future", () => {
  const { cancelled, finished } = inEveryState();
  for (const { future, resolve, reject } of [cancelled, finished]) {
    for (const settle of [() => resolve(2), () => reject(new Error())]) {
      const { message } = assertThrows(settle, InvalidStateError);
      assertEquals(message, `${future.state}: ${future}`);
    }
  }
});

test("a future shows its number and its state, in console.log as well", () => {
  const { pending, running, cancelled } = inEveryState();
  for (const { future } of [pending, running, cancelled]) {
    assertMatch(`${future}`, new RegExp(`^<Future #[0-9]+ state=${future.state}>$`));
    assertEquals(Deno.inspect(future), `${future}`);
  }
});

test("a finished future shows the type or the class of what it returned or raised", () => {
  class OwnError extends Error {}
  const values = ["", 1, 1n, true, undefined, null, Symbol(), () => 1, {}, [], new Map()];
  const texts = [...values, Object.create(null)].map((value) => {
    const { future, resolve } = Future.withResolvers();
    resolve(value);
    return `${future}`.replace(/#[0-9]+/, "#7");
  });
  const types =
    "string number bigint boolean undefined null symbol function Object Array Map Object";
  assertEquals(
    texts,
    types.split(" ").map((type) => `<Future #7 state=finished returned ${type}>`),
  );
  for (const error of [new TypeError(), new OwnError(), new DOMException()]) {
    const { future, reject } = Future.withResolvers();
    reject(error);
    assertStringIncludes(`${future}`, ` state=finished raised ${error.constructor.name}>`);
  }
});

test("the errors know their names", () => {
  const types = [CancelledError, TimeoutError, InvalidStateError, WorkerCrashError];
  for (const type of [...types, BrokenExecutorError]) {
    assertEquals(`${new type("why")}`, `${type.name}: why`);
  }
});

// asCompleted and wait

test("asCompleted yields each future once, those already done first, then as they end", async () => {
  const all = range(5).map(() => Future.withResolvers<number>());
  const [a, b, c, d, e] = all;
  d?.resolve(3);
  b?.reject(new Error("as it is"));
  const futures = all.map(({ future }) => future);
  const completed = asCompleted([...futures, ...futures].values());
  e?.resolve(4);
  a?.future.cancel();
  const seen = [await completed.next(), await completed.next(), await completed.next()];
  setTimeout(() => c?.resolve(2));
  seen.push(await completed.next(), await completed.next());
  assertEquals(seen.map(({ value }) => value), [b, d, e, a, c].map((it) => it?.future));
  assertEquals((await completed.next()).done, true);
});

test("asCompleted of nothing yields nothing", async () => {
  assertEquals(await list(asCompleted([])), []);
});

test("asCompleted yields what is done and then throws TimeoutError with the counts", async () => {
  const { pending, running, cancelled, finished } = inEveryState();
  const futures = [pending, running, cancelled, finished].map(({ future }) => future);
  for (const timeout of [0, 20]) {
    const { values, error } = await listToError(asCompleted(futures, { timeout }));
    assertEquals(values, [cancelled.future, finished.future]);
    assertInstanceOf(error, TimeoutError);
    assertEquals(error.message, "2 (of 4) futures unfinished");
  }
});

test("the timeout of asCompleted counts from the call", async () => {
  const { pending, finished } = inEveryState();
  const completed = asCompleted([pending.future, finished.future], { timeout: 30 });
  await sleep(60);
  const late = completed.next().then(() => completed.next());
  pending.resolve(2);
  assertEquals((await late).value, pending.future); // it was done in time to be seen
  const never = asCompleted([inEveryState().pending.future], { timeout: 30 });
  await sleep(60);
  const first = await Promise.race([never.next().catch(() => "late"), sleep(25)]);
  assertEquals(first, "late");
});

test("asCompleted may be left early, and the futures go on", async () => {
  const { pending, finished } = inEveryState();
  for await (const future of asCompleted([pending.future, finished.future])) {
    assertStrictEquals(future, finished.future);
    break;
  }
  pending.resolve(2);
  assertEquals(await pending.future.result(), 2);
});

/** The states of the futures that `wait` says are done and not done. */
async function waited(...args: Parameters<typeof wait<number>>): Promise<string[][]> {
  const { done, notDone } = await wait(...args);
  return [done, notDone].map((set) => [...set].map(({ state }) => state));
}

test("wait waits for all, cancelled and failed futures included", async () => {
  const { pending, running, cancelled, finished } = inEveryState();
  const all = [pending, running, cancelled, finished].map(({ future }) => future);
  let over = false;
  const waiting = waited([...all, ...all].values()).finally(() => over = true);
  running.reject(new Error());
  await sleep(0);
  assertEquals(over, false);
  pending.future.cancel();
  assertEquals(await waiting, [["cancelled", "finished", "cancelled", "finished"], []]);
  assertEquals(await waited([]), [[], []]);
});

test("FIRST_COMPLETED returns when one is done, and reports all that are", async () => {
  const returnWhen = "FIRST_COMPLETED";
  const { pending, running, cancelled, finished } = inEveryState();
  const open = [pending.future, running.future];
  const waiting = waited(open, { returnWhen });
  running.resolve(2);
  assertEquals(await waiting, [["finished"], ["pending"]]);
  const all = [...open, cancelled.future, finished.future];
  assertEquals(await waited(all, { returnWhen }), [
    ["finished", "cancelled", "finished"],
    ["pending"],
  ]);
});

test("FIRST_EXCEPTION returns when one fails; a cancelled future has not failed", async () => {
  const returnWhen = "FIRST_EXCEPTION";
  const { pending, running, cancelled, finished } = inEveryState();
  const all = [pending, running, cancelled, finished].map(({ future }) => future);
  const waiting = waited(all, { returnWhen });
  assertEquals(await waited(all, { returnWhen, timeout: 20 }), [
    ["cancelled", "finished"],
    ["pending", "running"],
  ]);
  running.reject(new Error());
  assertEquals(await waiting, [["finished", "cancelled", "finished"], ["pending"]]);
  assertEquals(await waited(all, { returnWhen }), [
    ["finished", "cancelled", "finished"],
    ["pending"],
  ]);
});

test("FIRST_EXCEPTION without an exception waits for all", async () => {
  const { pending, running } = inEveryState();
  const waiting = waited([pending.future, running.future], { returnWhen: "FIRST_EXCEPTION" });
  running.resolve(1);
  setTimeout(() => pending.resolve(2));
  assertEquals(await waiting, [["finished", "finished"], []]);
});

test("wait does not throw when its time is up: it reports notDone", async () => {
  const { pending, running, cancelled, finished } = inEveryState();
  const all = [pending, running, cancelled, finished].map(({ future }) => future);
  for (const timeout of [0, 20]) {
    assertEquals(await waited(all, { timeout }), [
      ["cancelled", "finished"],
      ["pending", "running"],
    ]);
  }
});

test("wait takes no other returnWhen", async () => {
  const returnWhen = "FIRST" as "FIRST_COMPLETED";
  await assertRejects(() => wait([], { returnWhen }), RangeError, "FIRST_EXCEPTION, got FIRST");
});

// Executor

/** A test that starts workers. */
function poolTest(
  name: string,
  fn: () => Promise<void>,
  { needs = pool, ...rest }: Parameters<typeof test>[2] = {},
): void {
  test(name, fn, { needs, ...rest });
}

poolTest("submit runs an exported function with its arguments", async () => {
  await using executor = newPool();
  assertEquals(await executor.submit(tasks.add, 2, 3).result(), 5);
  assertEquals(await executor.submit(tasks.overlap, shared()).result(), 1);
});

poolTest("the module may be given as a string or as a URL", async () => {
  for (const module of [tasksUrl, tasksUrl.href]) {
    await using executor = new WorkerPoolExecutor(module);
    assertEquals(executor.maxWorkers, navigator.hardwareConcurrency);
    assertEquals(await executor.submit(tasks.add, 2, 3).result(), 5);
  }
});

test("maxWorkers, chunkSize and bufferSize are whole numbers from 1 up, or a RangeError", () => {
  for (const n of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => newPool(n), RangeError, `maxWorkers: expected a whole number`);
    for (const name of ["chunkSize", "bufferSize"]) {
      const map = () => newPool().map(tasks.echo, [], { [name]: n });
      assertThrows(map, RangeError, `${name}: expected a whole number from 1 up, got ${n}`);
    }
  }
});

poolTest("a function that is not exported fails its future with a TypeError", async () => {
  await using executor = newPool(1);
  const hidden = () => 1;
  const worker = await executor.submit(tasks.workerId).result();
  for (const [fn, name] of [[hidden, "hidden"], [() => 1, "a function without a name"]] as const) {
    const message = `${name} is not exported by ${tasksUrl}`;
    await assertRejects(() => executor.submit(fn).result(), TypeError, message);
    await assertRejects(() => executor.map(fn, [1]).next(), TypeError, message);
  }
  assertEquals(await executor.submit(tasks.workerId).result(), worker);
});

poolTest("a worker runs one task at a time and awaits it if it is async", async () => {
  await using executor = newPool(1);
  const active = shared();
  const futures = range(20).map(() => executor.submit(tasks.overlap, active));
  assertEquals(await results(futures), range(20).map(() => 1));
});

poolTest(
  "one worker starts tasks in order, also when quick ones are followed by slow",
  async () => {
    await using executor = newPool(1);
    const log = shared(201);
    const futures = range(200).map((n) => executor.submit(tasks.note, log, n, n % 9 ? 0 : 3));
    await wait(futures);
    assertEquals([...log], [200, ...range(200)]);
  },
);

poolTest("tasks start in order when what a busy worker was offered goes elsewhere", async () => {
  await using executor = newPool();
  for (const first of [0, 1, 0, 1, 0, 1, 0, 1]) {
    const gates = [shared(), shared()];
    const [started, log] = [shared(), shared(6)];
    await results(range(40).map((n) => executor.submit(tasks.add, n, 1)));
    const quick = range(20).map(() => executor.submit(tasks.step, {}));
    const long = gates.map((gate) => executor.submit(tasks.step, { started, gate }));
    const rest = range(5).map((n) => executor.submit(tasks.note, log, n));
    await reach(started, 2);
    await sleep(20); // or else what was offered counts as on its way
    open(gates[first] ?? shared());
    await wait<unknown>([...quick, ...rest]);
    gates.forEach(open);
    await results(long);
    assertEquals([...log], [5, ...range(5)]);
  }
});

poolTest("a task that gets a worker at submit is running when it returns", async () => {
  await using executor = newPool();
  const gate = shared();
  const futures = range(4).map(() => executor.submit(tasks.step, { gate }));
  const states = futures.map(({ state }) => state);
  assertEquals(states, ["running", "running", "pending", "pending"]);
  open(gate);
  await wait(futures);
  assertEquals(executor.submit(tasks.add, 1, 1).state, "running");
});

poolTest("a worker starts only when none is idle; idle ones are used again", async () => {
  await using executor = newPool(4);
  const ids = new Set<string>();
  for (const _ of range(10)) ids.add(await executor.submit(tasks.workerId).result());
  assertEquals(ids.size, 1);
  const [started, gate] = [shared(), shared()];
  const step = { started, gate };
  const futures = range(2).map(() => executor.submit(tasks.workerId, step));
  await reach(started, 2);
  open(gate);
  for (const id of await results(futures)) ids.add(id);
  assertEquals(ids.size, 2);
  for (const _ of range(10)) ids.add(await executor.submit(tasks.workerId).result());
  assertEquals(ids.size, 2);
});

poolTest("there are never more than maxWorkers", async () => {
  await using executor = newPool(3);
  const [started, gate] = [shared(), shared()];
  const futures = range(12).map(() => executor.submit(tasks.workerId, { started, gate }));
  await reach(started, 3);
  open(gate);
  assertEquals(new Set(await results(futures)).size, 3);
});

poolTest("a pool that is idle for a second ends its workers, and starts others", async () => {
  await using executor = newPool(1);
  const worker = await executor.submit(tasks.workerId).result();
  await noWorkers();
  assert(worker !== await executor.submit(tasks.workerId).result());
}, { ignore: !countable });

poolTest("a future that is cancelled never runs its task", async () => {
  await using executor = newPool(1);
  const [started, gate, count] = [shared(), shared(), shared()];
  const long = executor.submit(tasks.step, { started, gate });
  const futures = range(10).map(() => executor.submit(tasks.tick, count, 0));
  await reach(started, 1);
  assertEquals(futures.map((future) => future.cancel()), range(10).map(() => true));
  assertEquals([long.cancel(), long.state], [false, "running"]);
  open(gate);
  await executor.submit(tasks.add, 1, 2).result();
  assertEquals([count[0], long.cancel(), long.state], [0, false, "finished"]);
});

poolTest("no task is both cancelled and run while quick ones rush by", async () => {
  for (const maxWorkers of [1, 2]) {
    await using executor = newPool(maxWorkers);
    const counts = shared(3000);
    const futures = range(3000).map((n) => executor.submit(tasks.tick, counts, n));
    futures.forEach(async (future, n) => {
      await wait([future]);
      if (!future.cancelled()) futures[n + maxWorkers + n % 3]?.cancel();
    });
    const { done } = await wait(futures);
    assertEquals(done.size, 3000);
    assertEquals([...counts], futures.map((future) => future.cancelled() ? 0 : 1));
    assertGreater(futures.filter((future) => future.cancelled()).length, 0);
  }
});

poolTest("a task never waits behind a long one while another worker is idle", async () => {
  await using executor = newPool();
  for (const round of range(20)) {
    const gate = shared();
    const before = range(round).map((n) => executor.submit(tasks.add, n, 1));
    const long = executor.submit(tasks.step, { gate });
    const after = range(30).map((n) => executor.submit(tasks.add, n, 1));
    await results([...before, ...after]);
    assertEquals(long.state, "running");
    open(gate);
    await long.result();
  }
});

poolTest("arguments and results travel by structured clone", async () => {
  await using executor = newPool(1);
  const value = {
    map: new Map([[1n, new Date(5)]]),
    set: new Set(["a"]),
    bytes: new Uint8Array(3),
  };
  const future = executor.submit(tasks.echo, [value, value, undefined, NaN, /x/g]);
  const result = await future.result();
  assertEquals(result, [value, value, undefined, NaN, /x/g]);
  assert(result[0] !== value && result[0] === result[1]);
});

poolTest("an argument that cannot be cloned fails its future; the worker lives on", async () => {
  await using executor = newPool(1);
  const worker = await executor.submit(tasks.workerId).result();
  const gate = shared();
  const futures = [
    executor.submit(tasks.echo<unknown>, () => 1),
    executor.submit(tasks.step, { gate }),
    executor.submit(tasks.echo<unknown>, { deep: [Symbol()] }),
    ...range(20).map((n) => executor.submit(tasks.echo<unknown>, n % 2 ? n : () => n)),
  ];
  open(gate);
  const expected = futures.map((_, n) =>
    n === 1 || n > 3 && n % 2 === 0 ? "returned" : "DataCloneError"
  );
  assertEquals(await Promise.all(futures.map(ending)), expected);
  assertInstanceOf(await futures[0]?.exception(), DOMException);
  assertEquals(await executor.submit(tasks.workerId).result(), worker);
});

poolTest("a result that cannot be cloned fails its future; the worker lives on", async () => {
  await using executor = newPool(1);
  const worker = await executor.submit(tasks.workerId).result();
  const futures = range(6).map((n) => executor.submit(tasks.returnFunctionFor4, n));
  const expected = range(6).map((n) => n === 4 ? "DataCloneError" : "returned");
  assertEquals(await Promise.all(futures.map(ending)), expected);
  assertInstanceOf(await futures[4]?.exception(), DOMException);
  assertEquals(await executor.submit(tasks.workerId).result(), worker);
});

poolTest("what cannot be cloned in the middle of a chunk fails at its own item", async () => {
  await using executor = newPool();
  for (const chunkSize of [1, 3, 5, 10]) {
    const items = range(8).map((n) => n === 4 ? () => n : n);
    const maps = [
      executor.map(tasks.echo<unknown>, items, { chunkSize }),
      executor.map(tasks.returnFunctionFor4, range(8), { chunkSize }),
    ];
    for (const map of maps) {
      const { values, error } = await listToError(map);
      assertEquals(values, range(4));
      assertInstanceOf(error, DOMException);
      assertEquals(error.name, "DataCloneError");
    }
  }
  assertEquals(await list(executor.map(tasks.echo<number>, range(9))), range(9));
});

async function thrownBy(executor: WorkerPoolExecutor, kind: tasks.Throwable): Promise<unknown> {
  return await executor.submit(tasks.fail, kind).exception();
}

poolTest("an error arrives with its name, message, cause and the stack of the worker", async () => {
  await using executor = newPool(1);
  const error = await thrownBy(executor, "TypeError");
  assertInstanceOf(error, TypeError);
  assertEquals([error.name, error.message], ["TypeError", "a type"]);
  assertInstanceOf(error.cause, RangeError);
  assertEquals([error.cause.message, error.cause.cause], ["why", "deep"]);
  const source = await Deno.readTextFile(tasksUrl);
  const line = source.slice(0, source.indexOf("new TypeError(")).split("\n").length;
  assertMatch(error.stack ?? "", new RegExp(`^TypeError: a type\n.*${tasksUrl}:${line}:`));
  const renamed = await thrownBy(executor, "renamed");
  assertInstanceOf(renamed, Error);
  assertEquals(Object.entries(renamed).filter(([key]) => key === "size"), []);
  assertEquals([renamed.name, Reflect.get(renamed, "size")], ["Renamed", 2]);
});

poolTest("an error of a built-in class stays an instance of it", async () => {
  await using executor = newPool(1);
  assertInstanceOf(await thrownBy(executor, "NotFound"), Deno.errors.NotFound);
  const dom = await thrownBy(executor, "DOMException");
  assertInstanceOf(dom, DOMException);
  assertEquals([dom.name, dom.message, dom.code], ["AbortError", "dom", DOMException.ABORT_ERR]);
  const many = await thrownBy(executor, "AggregateError");
  assertInstanceOf(many, AggregateError);
  assertEquals(many.errors.map(({ message }) => message), ["one"]);
  const odd = await thrownBy(executor, "OddError");
  assertInstanceOf(odd, RangeError);
  assertEquals([odd.name, Reflect.get(odd, "code")], ["OddError", 3]);
});

poolTest("a thrown value that is no error arrives as it is", async () => {
  await using executor = newPool(1);
  assertEquals(await thrownBy(executor, "string"), "text");
  assertEquals(await thrownBy(executor, "object"), { n: 1n });
  const future = executor.submit(tasks.fail, "undefined");
  const reason = await future.result().then(() => "returned", (reason) => reason);
  assertEquals(reason, undefined);
  assertStringIncludes(`${future}`, "raised undefined");
  assertEquals(await ending(executor.submit(tasks.fail, "function")), "DataCloneError");
});

const escaped = "RangeError: escaped";
const causes: Record<tasks.CrashKind, string> = {
  "self.close()": "undefined",
  "self.close() while it awaits": "undefined",
  "Deno.exit(3)": "undefined",
  "process.exit(3)": "undefined",
  "an error thrown from a timer": escaped,
  "an error thrown from a microtask": escaped,
  "a rejected promise left behind": escaped,
  "a rejected promise left behind while it awaits": escaped,
};

for (const [kind, cause] of Object.entries(causes) as [tasks.CrashKind, string][]) {
  poolTest(`${kind} fails that task alone with WorkerCrashError`, async () => {
    for (const maxWorkers of [1, 2]) {
      await using executor = newPool(maxWorkers);
      const counts = shared(40);
      const before = range(20).map((n) => executor.submit(tasks.tick, counts, n));
      const future = executor.submit(tasks.crash, kind);
      const after = range(20).map((n) => executor.submit(tasks.tick, counts, n + 20));
      await results([...before, ...after]);
      const error = await future.exception();
      assertInstanceOf(error, WorkerCrashError);
      assertEquals(`${error.cause}`, cause);
      assertEquals([...counts], range(40).map(() => 1));
      await assertRejects(() => executor.map(tasks.crash, [kind]).next(), WorkerCrashError);
      assertEquals(await executor.submit(tasks.add, 1, 2).result(), 3);
    }
  });
}

poolTest("a worker that ends between two tasks takes none along", async () => {
  await using executor = newPool(1);
  for (const pause of range(10)) {
    const started = shared();
    await wait([executor.submit(tasks.crashLater, started)]);
    if (pause % 2) await reach(started, 1);
    await sleep(pause / 2);
    const counts = shared(5);
    await wait(range(5).map((n) => executor.submit(tasks.tick, counts, n)));
    assertEquals([...counts].filter((count) => count > 1), []);
  }
  assertEquals(await executor.submit(tasks.add, 1, 2).result(), 3);
});

poolTest("a crash in a chunk surfaces at its own item, after the results before it", async () => {
  await using executor = newPool();
  for (const chunkSize of [1, 3, 10]) {
    const map = executor.map(tasks.exitFor4, range(8), { chunkSize });
    const { values, error } = await listToError(map);
    assertEquals(values, range(4));
    assertInstanceOf(error, WorkerCrashError);
  }
});

poolTest("of 1,000 tasks 100 crash: 900 results, nothing lost or done twice", async () => {
  const counts = shared(1000);
  const began = performance.now();
  {
    await using executor = newPool(4);
    const futures = range(1000).map((n) => executor.submit(tasks.crashEveryTenth, counts, n));
    const endings = await Promise.all(futures.map(ending));
    const lost = endings.flatMap((ending, n) => ending === "WorkerCrashError" ? [n] : []);
    assertEquals(lost, range(100).map((n) => 10 * n + 3));
    const right = futures.filter((_, n) => !lost.includes(n));
    assertEquals(await results(right), range(1000).filter((n) => n % 10 !== 3).map((n) => 2 * n));
  }
  assertLess(performance.now() - began, 60_000);
  assertEquals([...counts], range(1000).map(() => 1));
  await noWorkers();
});

const unloadable: [string, string | URL, string][] = [
  ["throws", moduleOf("throw new RangeError('no')"), "RangeError: no"],
  ["throws no error", moduleOf("throw 'no'"), "no"],
  ["does not parse", moduleOf("export const = 1"), "SyntaxError: "],
  [
    "does not exist",
    new URL("./no_such_module.ts", import.meta.url),
    "TypeError: Module not found",
  ],
  ["rejects late", moduleOf("await new Promise((r) => setTimeout(r)); null.x"), "TypeError: "],
];

for (const [what, module, cause] of unloadable) {
  poolTest(`a module that ${what} fails every future with BrokenExecutorError`, async () => {
    await using executor = new WorkerPoolExecutor(module, { maxWorkers: 2 });
    const futures = range(9).map((n) => executor.submit(tasks.add, n, 1));
    const map = executor.map(tasks.echo, range(9), { bufferSize: 3 });
    const completed = list(asCompleted(futures));
    await assertRejects(() => map.next(), BrokenExecutorError);
    for (const future of futures) {
      const error = await future.exception();
      assertInstanceOf(error, BrokenExecutorError);
      assertStringIncludes(error.message, `${module}`);
      assertStringIncludes(`${error.cause}`, cause);
    }
    assertEquals((await completed).length, 9);
    assertThrows(() => executor.submit(tasks.add, 1, 1), BrokenExecutorError);
    assertThrows(() => executor.map(tasks.echo, [1]), BrokenExecutorError);
  });
}

for (const end of ["self.close()", "Deno.exit(3)"]) {
  poolTest(`a module that calls ${end} breaks its pool`, async () => {
    await using executor = new WorkerPoolExecutor(moduleOf(end), { maxWorkers: 2 });
    const futures = range(4).map((n) => executor.submit(tasks.add, n, 1));
    const endings = await Promise.all(futures.map(ending));
    assertEquals(endings, range(4).map(() => "BrokenExecutorError"));
  });
}

poolTest("an argument that cannot be cloned and a module that does not load", async () => {
  await using executor = new WorkerPoolExecutor(moduleOf("throw 1"), { maxWorkers: 1 });
  assertEquals(await ending(executor.submit(tasks.echo<unknown>, () => 1)), "DataCloneError");
  await assertRejects(async () => {
    for (;; await sleep(5)) executor.submit(tasks.echo<unknown>, () => 1);
  }, BrokenExecutorError);
});

poolTest("a module that loads in one worker only leaves no future behind", async () => {
  for (const _ of range(20)) {
    const dir = await Deno.makeTempDir();
    const once = `Deno.removeSync(${JSON.stringify(dir)}); export const add = (a, b) => a + b;`;
    await using executor = new WorkerPoolExecutor(moduleOf(once), { maxWorkers: 2 });
    await executor.submit(tasks.add, 1, 1).result();
    const futures = range(5000).map((n) => executor.submit(tasks.add, n, 1));
    const { notDone } = await wait(futures, { timeout: 20_000 });
    assertEquals(notDone.size, 0);
    assertThrows(() => executor.submit(tasks.add, 1, 1), BrokenExecutorError);
  }
}, { needs: ["read", "write"] });

// map

poolTest("map yields in the order of items", async () => {
  await using executor = newPool();
  for (const chunkSize of [1, 2, 7, 100]) {
    const gate = shared();
    const steps = range(20).map((value) => ({ value, ...(value === 0 && { gate }) }));
    const map = executor.map(tasks.step, steps.values(), { chunkSize });
    await executor.submit(tasks.add, 1, 1).result(); // by then, the first is the last
    open(gate);
    assertEquals(await list(map), range(20));
  }
  assertEquals(await list(executor.map(tasks.step, [])), []);
});

poolTest("map submits when it is called, not at the first next()", async () => {
  await using executor = newPool();
  const started = shared();
  const read: number[] = [];
  const items = function* () {
    for (const n of range(10)) {
      read.push(n);
      yield { started, value: n };
    }
  };
  const map = executor.map(tasks.step, items());
  assertEquals(read, range(10));
  await reach(started, 10);
  assertEquals(await list(map), range(10));
});

poolTest("with bufferSize at most so many results are waiting or under way", async () => {
  await using executor = newPool();
  for (const [chunkSize, bufferSize] of [[1, 1], [1, 8], [3, 8], [100, 8]] as const) {
    let read = 0;
    let closed = false;
    const items = function* () {
      try {
        for (;;) yield { value: read++ };
      } finally {
        closed = true;
      }
    };
    const map = executor.map(tasks.step, items(), { chunkSize, bufferSize });
    assertGreater(read, 0);
    for (const n of range(50)) {
      assert(read <= n + bufferSize, `${read} items read when ${n} results were out`);
      assertEquals((await map.next()).value, n);
    }
    assertEquals(closed, false);
    await map.return?.();
    assertEquals(closed, true);
  }
});

poolTest("with chunkSize a message carries so many items", async () => {
  await using executor = newPool();
  const [started, gate] = [shared(), shared()];
  const steps = range(8).map(() => ({ started, gate }));
  const map = executor.map(tasks.workerId, steps, { chunkSize: 4 });
  await reach(started, 2);
  open(gate);
  const ids = await list(map);
  const [first, second] = [ids[0], ids[4]];
  assert(first !== second);
  assertEquals(ids, steps.map((_, n) => n < 4 ? first : second));
});

poolTest("an error of a task surfaces at its own item, after the results before it", async () => {
  await using executor = newPool();
  for (const chunkSize of [1, 3, 5, 10]) {
    const steps = range(8).map((value) => ({ value, error: value === 4 ? "four" : "" }));
    const { values, error } = await listToError(executor.map(tasks.step, steps, { chunkSize }));
    assertEquals(values, range(4));
    assertEquals(`${error}`, "Error: four");
  }
});

poolTest("an error of the items surfaces after the results before it", async () => {
  await using executor = newPool();
  const items = function* () {
    yield* range(5).map((value) => ({ value }));
    throw new RangeError("no more");
  };
  for (const options of [{}, { chunkSize: 3 }, { bufferSize: 2 }]) {
    const { values, error } = await listToError(executor.map(tasks.step, items(), options));
    assertEquals(values, range(5));
    assertEquals(`${error}`, "RangeError: no more");
  }
});

poolTest("the timeout of map counts from the call", async () => {
  await using executor = newPool(1);
  const [started, gate, count] = [shared(), shared(), shared()];
  const steps = [{ value: 7 }, { started, gate }, { started: count }, { started: count }];
  const map = executor.map(tasks.step, steps, { timeout: 200 });
  await reach(started, 1);
  await sleep(250);
  assertEquals((await map.next()).value, 7);
  const first = await Promise.race([map.next().catch(({ name }) => name), sleep(100)]);
  assertEquals(first, "TimeoutError");
  open(gate);
  await executor.shutdown();
  assertEquals(count[0], 0);
});

poolTest("when a result throws, what has not started is cancelled", async () => {
  await using executor = newPool(1);
  const [gate, count] = [shared(), shared()];
  const steps = [{ error: "first" }, { gate }, ...range(50).map(() => ({ started: count }))];
  await assertRejects(() => list(executor.map(tasks.step, steps)), Error, "first");
  open(gate);
  await executor.shutdown();
  assertEquals(count[0], 0);
});

poolTest("when the loop is left early, what has not started is cancelled", async () => {
  await using executor = newPool(1);
  const [gate, count] = [shared(), shared()];
  const steps = [{ value: 1 }, { gate }, ...range(50).map(() => ({ started: count }))];
  for await (const value of executor.map(tasks.step, steps)) {
    assertEquals(value, 1);
    break;
  }
  open(gate);
  await executor.shutdown();
  assertEquals(count[0], 0);
});

poolTest(
  "when map is closed before the first result, what has not started is cancelled",
  async () => {
    await using executor = newPool(1);
    const [gate, count] = [shared(), shared()];
    const long = executor.submit(tasks.step, { gate });
    await executor.map(tasks.step, range(50).map(() => ({ started: count }))).return?.();
    assertEquals(long.state, "running");
    open(gate);
    await executor.shutdown();
    assertEquals(count[0], 0);
  },
);

poolTest("map over an endless generator, left after 10,000 items, keeps nothing", async () => {
  await using executor = newPool();
  let closed = false;
  const items = function* () {
    try {
      for (;;) yield new Uint8Array(100_000);
    } finally {
      closed = true;
    }
  };
  let [count, before] = [0, 0];
  for await (const bytes of executor.map(tasks.echo<Uint8Array>, items(), { bufferSize: 8 })) {
    assertEquals(bytes.length, 100_000);
    if (++count === 2000) before = Deno.memoryUsage().rss;
    if (count === 10_000) break;
  }
  assert(closed);
  assertLess(Deno.memoryUsage().rss - before, 300e6); // all 8,000 together are 800 MB
});

// shutdown

poolTest("shutdown() lets queued tasks finish, then ends the workers and resolves", async () => {
  const executor = newPool();
  const gate = shared();
  const futures = range(20).map((value) => executor.submit(tasks.step, { gate, value }));
  const ended = executor.shutdown().then(() => futures.map(({ state }) => state));
  assertEquals(futures[19]?.state, "pending");
  open(gate);
  assertEquals(await ended, futures.map(() => "finished"));
  assertEquals(await results(futures), range(20));
  await noWorkers();
});

poolTest("shutdown() in a callback lets queued tasks finish, too", async () => {
  const executor = newPool(1);
  const futures = range(5).map((value) => executor.submit(tasks.step, { value }));
  const { promise, resolve } = Promise.withResolvers<void>();
  futures[0]?.addDoneCallback(() => resolve(executor.shutdown()));
  await promise;
  assertEquals(futures.map(({ state }) => state), futures.map(() => "finished"));
});

poolTest("shutdown() waits for a task that crashes and the one after it", async () => {
  const executor = newPool(1);
  const futures = [executor.submit(tasks.crash, "self.close()"), executor.submit(tasks.add, 1, 2)];
  await executor.shutdown();
  assertEquals(futures.map(({ state }) => state), ["finished", "finished"]);
  assertEquals(await futures[1]?.result(), 3);
});

poolTest("shutdown({ cancelFutures: true }) cancels what has not started", async () => {
  const executor = newPool(1);
  const gate = shared();
  const futures = range(5).map(() => executor.submit(tasks.step, { gate, value: 1 }));
  const ended = executor.shutdown({ cancelFutures: true });
  assertEquals(futures.map(({ state }) => state), ["running", ...range(4).map(() => "cancelled")]);
  open(gate);
  await ended;
  assertEquals(await futures[0]?.result(), 1);
});

poolTest("shutdown({ cancelFutures: true }) tells everyone who waits", async () => {
  const executor = newPool(1);
  const [gate, started] = [shared(), shared()];
  const quick = range(30).map(() => executor.submit(tasks.step, {}));
  const futures = range(5).map(() => executor.submit(tasks.step, { gate, started }));
  const waiting = Promise.all([
    list(asCompleted(futures)).then(({ length }) => length),
    wait(futures).then(({ done }) => done.size),
    wait(futures.slice(1), { returnWhen: "FIRST_COMPLETED" }).then(({ done }) => done.size),
    futures[4]?.result().catch(({ name }) => name),
    futures[3]?.exception().catch(({ name }) => name),
    list(executor.map(tasks.step, [{ gate }])).catch(({ name }) => name),
    list(executor.map(tasks.step, [{ gate }, { gate }], { bufferSize: 1 })).catch(({ name }) =>
      name
    ),
  ]);
  await Promise.all([...quick.map((future) => future.result()), reach(started, 1)]);
  const ended = executor.shutdown({ cancelFutures: true });
  open(gate);
  assertEquals<unknown>(await waiting, [5, 5, 4, ...range(4).map(() => "CancelledError")]);
  await ended;
});

poolTest("shutdown({ cancelFutures: true }) amid quick tasks ends everything", async () => {
  for (const round of range(20)) {
    const executor = newPool();
    const counts = shared(500);
    const futures = range(500).map((n) => executor.submit(tasks.tick, counts, n));
    const map = list(executor.map(tasks.add.bind(null, 1), [])).catch(() => {});
    await futures[round * 10]?.result();
    await executor.shutdown({ cancelFutures: true });
    assertEquals([...counts], futures.map((future) => future.cancelled() ? 0 : 1));
    assertEquals(futures.filter((future) => !future.done()), []);
    await map;
  }
});

poolTest("shutdown({ wait: false }) resolves at once and does the rest behind", async () => {
  const executor = newPool(1);
  const gate = shared();
  const futures = range(3).map((value) => executor.submit(tasks.step, { gate, value }));
  await executor.shutdown({ wait: false });
  assertEquals(futures.map(({ state }) => state), ["running", "pending", "pending"]);
  open(gate);
  assertEquals(await results(futures), range(3));
  await noWorkers();
});

poolTest("shutdown may be called again, with other options", async () => {
  const executor = newPool(1);
  const gate = shared();
  const futures = range(3).map(() => executor.submit(tasks.step, { gate }));
  const ended = [executor.shutdown(), executor.shutdown({ wait: false })];
  await ended[1];
  ended.push(executor.shutdown({ cancelFutures: true }));
  assertEquals(futures.map(({ state }) => state), ["running", "cancelled", "cancelled"]);
  open(gate);
  await Promise.all(ended);
  await executor.shutdown();
});

test("a pool that was never used shuts down, too", async () => {
  await newPool().shutdown();
  await newPool().shutdown({ wait: false, cancelFutures: true });
});

test("submit and map after shutdown throw", async () => {
  const executor = newPool();
  await executor.shutdown();
  const message = "cannot schedule new futures after shutdown";
  assertThrows(() => executor.submit(tasks.add, 1, 1), Error, message);
  assertThrows(() => executor.map(tasks.step, []), Error, message);
});

poolTest("a map that reads on after shutdown yields its results and throws", async () => {
  const executor = newPool();
  const steps = range(9).map((value) => ({ value }));
  const map = executor.map(tasks.step, steps, { bufferSize: 3 });
  await executor.shutdown();
  const { values, error } = await listToError(map);
  assertEquals(values, range(3));
  assertStringIncludes(`${error}`, "cannot schedule new futures after shutdown");
});

poolTest("a map whose items were all read yields its results after shutdown", async () => {
  const executor = newPool();
  const results = executor.map(tasks.echo<number>, [1, 2, 3]);
  await executor.shutdown();
  assertEquals(await Array.fromAsync(results), [1, 2, 3]);
});

poolTest("await using shuts down", async () => {
  const gate = shared();
  const futures: Future<unknown>[] = [];
  {
    await using executor = newPool(1);
    futures.push(...range(3).map(() => executor.submit(tasks.step, { gate })));
    open(gate);
  }
  assertEquals(futures.map(({ state }) => state), range(3).map(() => "finished"));
});

poolTest("shutdown leaves no timer behind that would keep the program alive", async () => {
  for (const cancelFutures of [false, true]) {
    await using executor = newPool();
    await executor.submit(tasks.add, 1, 1).result();
    await executor.shutdown({ cancelFutures });
  }
}, { sanitizeOps: true });

poolTest("50 pools leave no workers and no memory behind", async () => {
  const usePool = async () => {
    await using executor = newPool();
    await results(range(10).map((n) => executor.submit(tasks.add, n, 1)));
  };
  const usePools = async (count: number) => {
    for (const _ of range(count / 5)) await Promise.all(range(5).map(usePool));
    await noWorkers();
    return Deno.memoryUsage().rss;
  };
  const before = await usePools(10);
  assertLess(await usePools(50) - before, 100e6); // a worker takes some 5 MB
});

poolTest("a task may open a pool of its own", async () => {
  await using executor = newPool();
  const futures = [
    executor.submit(tasks.sumInPool, range(10)),
    executor.submit(tasks.sumInPool, []),
  ];
  assertEquals(await results(futures), [45, 0]);
});

// Programs

function programTest(name: string, fn: () => Promise<void>): void {
  test(name, fn, { needs: program });
}

programTest("the examples print what they say", async () => {
  const source = await Deno.readTextFile(new URL("../futures.ts", import.meta.url));
  const examples = [...source.matchAll(/```ts\n([^`]*(?:`[^`]+)*?)```/g)]
    .map(([, code = ""]) => code.replaceAll(/^ *\* ?/gm, ""))
    .filter((code) => code.includes("import.meta.main"));
  const printed = await Promise.all(examples.map(runProgram));
  const lines = ["1\n4\n9\n", "3\n", "BR\n", "9\n1\n4\n"];
  assertEquals(printed, lines.map((out) => ({ code: 0, out, err: "" })));
});

programTest("a task that takes its worker down prints nothing and ends no program", async () => {
  const { code, out, err } = await runProgram(`
    import * as tasks from "${tasksUrl}";
    import { WorkerPoolExecutor } from "./futures.ts";
    await using executor = new WorkerPoolExecutor("${tasksUrl}", { maxWorkers: 2 });
    for (const kind of Object.keys(tasks.crashes)) {
      const { name } = await executor.submit(tasks.crash, kind).exception();
      console.log(name);
    }
  `);
  const names = Object.keys(tasks.crashes).map(() => "WorkerCrashError\n");
  assertEquals({ code, out, err }, { code: 0, out: names.join(""), err: "" });
});

programTest("a program that forgets to shut its pool down ends about a second later", async () => {
  const { code, out, err } = await runProgram(`
    import { WorkerPoolExecutor } from "./futures.ts";
    export const square = (n: number) => n * n;
    if (import.meta.main) {
      const executor = new WorkerPoolExecutor(import.meta.url);
      console.log(await executor.submit(square, 3).result());
      const end = performance.now();
      addEventListener("unload", () => console.log(performance.now() - end));
    }
  `);
  const [result, after] = out.split("\n").map(Number);
  assertEquals({ result, code, err }, { result: 9, code: 0, err: "" });
  assertGreater(after ?? 0, 500);
  assertLess(after ?? 0, 20_000);
});

programTest("a program that runs in a worker may open a pool", async () => {
  const { code, out, err } = await runProgram(`
    import { WorkerPoolExecutor } from "./futures.ts";
    export const square = (n: number) => n * n;
    if (import.meta.main && import.meta.url.endsWith("?inner")) {
      await using executor = new WorkerPoolExecutor(import.meta.url);
      for await (const n of executor.map(square, [3, 1, 2])) console.log(n);
      self.close();
    } else if (import.meta.main) {
      new Worker(import.meta.url + "?inner", { type: "module" });
    }
  `);
  assertEquals({ code, out, err }, { code: 0, out: "9\n1\n4\n", err: "" });
});

programTest("a failure in a pool that nobody reads ends no program", async () => {
  const { code, out, err } = await runProgram(`
    import { WorkerPoolExecutor } from "./futures.ts";
    export const fail = () => {
      throw new Error("nobody reads this");
    };
    if (import.meta.main) {
      await using executor = new WorkerPoolExecutor(import.meta.url);
      executor.submit(fail);
      executor.map(fail, [1, 2, 3]);
      executor.submit(() => 1);
    }
  `);
  assertEquals({ code, out, err }, { code: 0, out: "", err: "" });
});

programTest("a future that was waited for with a timeout keeps no program alive", async () => {
  const { code, out } = await runProgram(`
    import { asCompleted, Future, wait } from "./futures.ts";
    const { future, resolve } = Future.withResolvers();
    const options = { timeout: 1e9 };
    const all = [future.result(options), wait([future], options), asCompleted([future], options).next()];
    resolve(1);
    await Promise.all(all);
    console.log("done");
  `);
  assertEquals({ code, out }, { code: 0, out: "done\n" });
});
