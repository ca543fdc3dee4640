/** The tests of `WorkerPoolExecutor`: its options, `submit`, its workers and its modules. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import { asCompleted, BrokenExecutorError, wait, WorkerPoolExecutor } from "../../futures/mod.ts";
import { TempDir, test, testSideBySide } from "../testing.ts";
import {
  assertNotKept,
  ending,
  nameOf,
  newPool,
  orders,
  POOL,
  range,
  results,
  statesOf,
  submitTicks,
  TASKS_URL,
  until,
} from "./helpers.ts";
import * as tasks from "./pool_tasks.ts";
import { shared, sleep } from "./pool_tasks.ts";

test("submit runs an exported function with its arguments, and awaits it", async () => {
  for (const module of [TASKS_URL, new URL(TASKS_URL)]) {
    await using executor = new WorkerPoolExecutor(module);
    assertEquals(executor.maxWorkers, navigator.hardwareConcurrency);
    assertEquals(await executor.submit(tasks.add, 2, 3).result(), 5);
    assertEquals(await executor.submit(tasks.overlap, shared()).result(), 1);
  }
}, POOL);

test("maxWorkers that is not a positive integer is a RangeError", () => {
  for (const n of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    const message = `maxWorkers: expected a positive integer, got ${n}`;
    assertThrows(() => newPool(n), RangeError, message);
  }
}, POOL);

test("a module that is not an absolute URL is a TypeError", () => {
  for (const module of ["./tasks.ts", "tasks.ts", "/tasks.ts", ""]) {
    const { message } = assertThrows(() => new WorkerPoolExecutor(module), TypeError);
    assertStringIncludes(message, "module: expected an absolute URL");
    assertStringIncludes(message, module);
    assert(!message.includes("bundle"), message);
  }
}, POOL);

test("a module that is a bundle with the pool is a TypeError that says so", () => {
  const bundle = import.meta.resolve("../../futures/worker_pool.ts");
  for (const module of [bundle, new URL(bundle)]) {
    const { message } = assertThrows(() => new WorkerPoolExecutor(module), TypeError);
    assertStringIncludes(message, "bundle");
    assertStringIncludes(message, bundle);
    assert(!message.includes("absolute URL"), message);
  }
}, POOL);

test("a worker runs one task at a time, and tasks start in the order of submission", async () => {
  await using executor = newPool(1);
  const active = shared();
  const log = shared(201);
  const noted = range(200).map((n) => executor.submit(tasks.job, { log, n, kind: "returns" }));
  const overlaps = range(20).map(() => executor.submit(tasks.overlap, active));
  assertEquals(await results(overlaps), range(20).map(() => 1));
  assertEquals(await results(noted), range(200));
  assertEquals([...log], [200, ...range(200)]);
}, POOL);

test("tasks that wait for each other get workers in the order of submission", async () => {
  await using executor = newPool();
  for (const round of range(100)) {
    const gate = shared();
    const quick = (n: number) => range(n).map(() => executor.submit(tasks.step, {}));
    const waits = () => executor.submit(tasks.step, { gate });
    const opens = () => executor.submit(tasks.step, { started: gate });
    const order = round % 2 ? [opens, waits, waits] : [waits, opens, waits];
    await results([...quick(round % 25), ...order.map((submit) => submit()), ...quick(9)]);
  }
}, POOL);

test("workers start when none is idle, up to maxWorkers; idle ones are used again", async () => {
  await using executor = newPool(3);
  const ids = new Set<string>();
  for (const [held, workers] of [[1, 1], [2, 2], [1, 2], [12, 3], [2, 3]] as const) {
    const started = shared();
    const gate = shared();
    const all = range(held).map(() => executor.submit(tasks.workerId, { started, gate }));
    assertEquals(statesOf(all), range(held).map((n) => n < 3 ? "running" : "pending"));
    await until(() => started[0] === Math.min(held, 3));
    tasks.tick(gate);
    for (const id of await results(all)) ids.add(id);
    assertEquals(ids.size, workers);
  }
}, POOL);

test("if a worker cannot be created, every future fails with BrokenExecutorError", async () => {
  const { Worker } = globalThis;
  globalThis.Worker = class {
    constructor() {
      throw new Error("no thread is left");
    }
  } as unknown as typeof Worker;
  try {
    await using executor = newPool(2);
    const all = range(4).map(() => executor.submit(tasks.add, 1, 1));
    for (const future of all) assertEquals(await ending(future), "BrokenExecutorError");
    assertThrows(() => executor.submit(tasks.add, 1, 1), BrokenExecutorError);
  } finally {
    globalThis.Worker = Worker;
  }
}, POOL);

/** Notes each start of a worker until the end of the block. */
class StartedWorkers implements Disposable {
  readonly #Worker = globalThis.Worker;

  constructor(onStart: () => void) {
    globalThis.Worker = class extends this.#Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        onStart();
      }
    };
  }

  [Symbol.dispose](): void {
    globalThis.Worker = this.#Worker;
  }
}

test("timers run and results arrive between the starts of two workers", async () => {
  await using ready = newPool(1);
  await ready.submit(tasks.add, 1, 1).result();
  let ticks = 0;
  let resultCount = 0;
  const starts: { ticks: number; resultCount: number }[] = [];
  using _ = new StartedWorkers(() => starts.push({ ticks, resultCount }));
  const timer = setInterval(() => ticks++, 0);
  await using executor = newPool(6);
  const all = range(12).map((n) => executor.submit(tasks.echo, n));
  assert(starts.length <= 1, `${starts.length} workers have started when submit returns`);
  assertEquals(statesOf(all), range(12).map((n) => n < 6 ? "running" : "pending"));
  while (starts.length < 6) {
    await ready.submit(tasks.add, 1, 1).result();
    resultCount++;
  }
  clearInterval(timer);
  assertEquals(await results(all), range(12));
  assertEquals(starts.length, 6);
  assertEquals(new Set(starts.map(({ ticks }) => ticks)).size, 6, Deno.inspect(starts));
  assert(starts[5] && starts[5].resultCount > 0, Deno.inspect(starts));
}, POOL);

test("pending tasks can be cancelled and never run; running tasks cannot", async () => {
  for (const maxWorkers of [1, 2]) {
    await using executor = newPool(maxWorkers);
    const counts = shared(2000);
    const all = range(2000).map((n) => executor.submit(tasks.tick, counts, n));
    for (const [n, future] of all.entries()) {
      if (n % 7 === 0) await future.result().catch(nameOf);
      const other = all[n + n % 7];
      if (other?.state === "running") assertEquals(other.cancel(), false);
      if (other?.state === "pending") assertEquals(other.cancel(), true);
    }
    await wait(all);
    assertEquals([...counts], all.map((future) => future.cancelled() ? 0 : 1));
    assert(counts.includes(0) && counts.includes(1));
  }
}, POOL);

test("a finished or cancelled future keeps its outcome but not its arguments", async () => {
  await using executor = newPool();
  const refs: WeakRef<object>[] = [];
  const item = (error = "") => {
    const step = { error, value: refs.length };
    refs.push(new WeakRef(step));
    return step;
  };
  const submit = () => {
    const ended = range(100).map((n) => executor.submit(tasks.step, item(n % 2 ? "odd" : "")));
    for (const future of ended.slice(50)) future.cancel();
    const refused = range(25).map(() => executor.submit(tasks.echo<unknown>, [item(), () => 1]));
    const items = Iterator.from(range(100)).map(() => item());
    return { all: [...ended, ...refused], map: executor.map(tasks.step, items) };
  };
  const { all, map } = submit();
  await wait(all);
  await executor.shutdown();
  assertEquals(refs.length, 225);
  await assertNotKept(refs, "arguments");
  const endings = await Promise.all(all.map(ending));
  const counts = Object.groupBy(endings, (name) => name);
  assertEquals(Object.keys(counts).sort(), ["DataCloneError", "Error", "cancelled", "returned"]);
  assertEquals((await Array.fromAsync(map)).length, 100);
}, POOL);

test("in a worker, submit and map throw once the task has ended", async () => {
  await using executor = newPool(1);
  const errors = shared(2);
  await executor.submit(tasks.submitLater, errors).result();
  await until(() => errors.includes(2));
  assertEquals([...errors], [2, 0]);
  await submitTicks(executor, tasks.tick)();
}, POOL);

testSideBySide("pools that take a second", {
  async "a pool that is idle for a second stops its workers, and starts others"() {
    await using executor = newPool(1);
    const worker = await executor.submit(tasks.workerId).result();
    await sleep(1500);
    assert(worker !== await executor.submit(tasks.workerId).result());
  },
  async "a task may open a pool of its own"() {
    await using executor = newPool();
    const all = [range(10), []].map((numbers) => executor.submit(tasks.sumInPool, numbers));
    assertEquals(await results(all), [45, 0]);
  },
}, POOL);

test("the pool works without setImmediate, as in versions of Deno before 2.4", async () => {
  // Counts the tasks of a worker, to see that one worker runs all of them.
  const count = () => {
    const n = (Reflect.get(globalThis, "count") ?? 0) + 1;
    Reflect.set(globalThis, "count", n);
    return n;
  };
  const module = moduleOf(`delete globalThis.setImmediate; export const count = ${count};`);
  await using executor = new WorkerPoolExecutor(module, { maxWorkers: 1 });
  for (const round of [0, 1]) {
    const all = range(5).map(() => executor.submit(count));
    assertEquals(await results(all), range(5).map((n) => 5 * round + n + 1));
  }
}, POOL);

function moduleOf(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** Modules that do not load, and what their errors are. */
const unloadable: Record<string, [module: string, cause: string]> = {
  "throws": [moduleOf("throw new RangeError('no')"), "RangeError: no"],
  "throws something that is not an Error": [moduleOf("throw 'no'"), "no"],
  "does not parse": [moduleOf("export const = 1"), "SyntaxError: "],
  "does not exist": [import.meta.resolve("./nowhere.ts"), "TypeError: Module not found"],
  "rejects late": [moduleOf("await new Promise((r) => setTimeout(r)); null.x"), "TypeError: "],
  "leaves a rejection": [moduleOf("Promise.reject(new RangeError('no'))"), "RangeError: no"],
  "calls self.close()": [moduleOf("self.close()"), ""],
  "calls Deno.exit(3)": [moduleOf("Deno.exit(3)"), ""],
};

for (const [what, [module, cause]] of Object.entries(unloadable)) {
  test(`a module that ${what} fails every future with BrokenExecutorError`, async () => {
    await using executor = new WorkerPoolExecutor(module, { maxWorkers: 2 });
    const refused = executor.submit(tasks.echo<unknown>, () => 1);
    const all = range(9).map((n) => executor.submit(tasks.add, n, 1));
    const maps = orders.map((it) => executor.map(tasks.echo, range(9), { bufferSize: 3, ...it }));
    const completed = Array.fromAsync(asCompleted(all));
    for (const map of maps) await assertRejects(() => map.next(), BrokenExecutorError, module);
    for (const future of await completed) {
      const error = await future.exception();
      assertInstanceOf(error, BrokenExecutorError);
      assertStringIncludes(`${error.cause}`, cause);
    }
    assertEquals(await ending(refused), "DataCloneError");
    assertThrows(() => executor.submit(tasks.add, 1, 1), BrokenExecutorError);
    assertThrows(() => executor.map(tasks.echo, [1]), BrokenExecutorError);
  }, POOL);
}

test("if a module loads in only one worker, every future still completes", async () => {
  await using dir = new TempDir();
  const module = moduleOf(`Deno.mkdirSync(${JSON.stringify(join(dir.path, "once"))})`);
  await using executor = new WorkerPoolExecutor(module, { maxWorkers: 2 });
  await executor.submit(tasks.add, 1, 1).exception();
  await wait(range(2000).map((n) => executor.submit(tasks.add, n, 1)));
  assertThrows(() => executor.submit(tasks.add, 1, 1), BrokenExecutorError);
}, { needs: ["read", "write"] });
