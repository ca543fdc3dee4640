/** The tests of `AbortSignal` as an argument of `submit`. */

import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { WorkerPoolExecutor } from "../../futures/mod.ts";
import { Reports, test } from "../testing.ts";
import { countListeners, ending, listToError, newPool, orders, POOL, until } from "./helpers.ts";
import * as tasks from "./pool_tasks.ts";
import { shared, sleep } from "./pool_tasks.ts";

const reasons: Record<string, unknown> = {
  "the default reason": undefined,
  "a TypeError": new TypeError("stop", { cause: "tired" }),
  "a DOMException": new DOMException("too slow", "TimeoutError"),
  "a string": "enough",
  "an object": { code: 5n },
  "null": null,
};

for (const [what, reason] of Object.entries(reasons)) {
  test(`the signal of a task aborts with ${what} when the caller's signal aborts`, async () => {
    await using executor = newPool(2);
    const started = shared();
    const controller = new AbortController();
    const seen = executor.submit(tasks.describeReason, controller.signal, started);
    await until(() => started[0] === 1);
    await sleep();
    assert(seen.running());
    controller.abort(reason);
    const expected = tasks.describe(controller.signal.reason);
    assertEquals(await seen.result(), expected);
    // The signal has aborted before these tasks are submitted.
    const { signal } = controller;
    assertEquals(await executor.submit(tasks.look, signal).result(), {
      isSignal: true,
      aborted: true,
    });
    assertEquals(await executor.submit(tasks.describeReason, signal).result(), expected);
  }, POOL);
}

test("the task gets an AbortSignal that has not aborted if the caller's has not", async () => {
  await using executor = newPool(1);
  for (const signal of [new AbortController().signal, AbortSignal.any([])]) {
    const seen = await executor.submit(tasks.look, signal).result();
    assertEquals(seen, { isSignal: true, aborted: false });
  }
}, POOL);

test("signals from AbortSignal.timeout and AbortSignal.any work", async () => {
  await using executor = newPool(2);
  const controller = new AbortController();
  const timeout = executor.submit(tasks.describeReason, AbortSignal.timeout(20));
  const any = executor.submit(tasks.reasonOf, AbortSignal.any([controller.signal]));
  controller.abort("any");
  assertMatch((await timeout.result()).text, /^TimeoutError: /);
  assertEquals(await any.result(), "any");
}, POOL);

test("a reason that cannot be cloned arrives as a string that says so", async () => {
  await using executor = newPool(1);
  for (const reason of [() => 1, Symbol("reason"), new URL("https://deno.com"), [() => 1]]) {
    const early = new AbortController();
    const late = new AbortController();
    early.abort(reason);
    const started = shared();
    const later = executor.submit(tasks.reasonOf, late.signal, started);
    await until(() => started[0] === 1);
    late.abort(reason);
    const again = executor.submit(tasks.reasonOf, early.signal);
    for (const seen of [await later.result(), await again.result()]) {
      assert(typeof seen === "string", Deno.inspect(seen));
      assertMatch(seen, /cannot be cloned/);
    }
  }
}, POOL);

test("an abort right after submit reaches the task, in a new and in a running worker", async () => {
  await using executor = newPool(1);
  for (const [n, position] of ["starting", "idle", "queued"].entries()) {
    const controller = new AbortController();
    const before = position === "queued" ? executor.submit(tasks.overlap, shared()) : undefined;
    const seen = executor.submit(tasks.reasonOf, controller.signal);
    controller.abort(n);
    assertEquals(await seen.result(), n);
    await before?.result();
  }
}, POOL);

test("each signal among several arguments aborts on its own", async () => {
  await using executor = newPool(1);
  const first = new AbortController();
  const last = new AbortController();
  const started = shared();
  const { signal } = first;
  const seen = executor.submit(tasks.abortedOnes, started, signal, 5, last.signal);
  await until(() => started[0] === 1);
  last.abort();
  assertEquals(await seen.result(), [false, 5, true]);
  const both = executor.submit(tasks.abortedOnes, started, signal, 5, signal);
  await until(() => started[0] === 2);
  first.abort();
  assertEquals(await both.result(), [true, 5, true]);
}, POOL);

test("a signal does not affect the state of a future or cancel()", async () => {
  await using executor = newPool(1);
  const controller = new AbortController();
  const gate = shared();
  const started = shared();
  const running = executor.submit(tasks.compute, controller.signal, started, gate);
  const pending = executor.submit(tasks.look, controller.signal);
  const cancelled = executor.submit(tasks.look, controller.signal);
  await until(() => started[0] === 1);
  controller.abort();
  assertEquals([running.state, pending.state], ["running", "pending"]);
  assertEquals([running.cancel(), cancelled.cancel()], [false, true]);
  await sleep(5);
  assertEquals([running.state, pending.state], ["running", "pending"]);
  tasks.tick(gate);
  await running.result();
  assertEquals(await pending.result(), { isSignal: true, aborted: true });
}, POOL);

test("a task that computes without awaiting sees the abort only afterwards", async () => {
  await using executor = newPool(1);
  const controller = new AbortController();
  const started = shared();
  const gate = shared();
  const seen = executor.submit(tasks.compute, controller.signal, started, gate);
  await until(() => started[0] === 1);
  controller.abort();
  await sleep(20);
  tasks.tick(gate);
  assertEquals(await seen.result(), [false, true]);
}, POOL);

test("a task may pass its signal to fetch, which then rejects with the reason", async () => {
  const arrived = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    arrived.resolve();
    return answer.promise;
  });
  await using executor = newPool(1);
  const controller = new AbortController();
  const url = `http://127.0.0.1:${server.addr.port}`;
  const future = executor.submit(tasks.fetchUntilAborted, url, controller.signal);
  await arrived.promise;
  controller.abort(new RangeError("enough"));
  const error = await future.exception();
  assertInstanceOf(error, RangeError);
  assertEquals(error.message, "enough");
  answer.resolve(new Response());
}, { needs: ["read", "net"] });

test("when a task ends, nothing stays attached to the caller's signal", async () => {
  const { signal } = new AbortController();
  const count = countListeners(signal);
  const started = shared();
  {
    await using executor = newPool(2);
    for (const kind of ["returns", "throws", "crashes"] as const) {
      const future = executor.submit(tasks.useSignal, signal, kind, started);
      await ending(future);
      assertEquals([kind, count.attached], [kind, 0]);
    }
    const unsendable = executor.submit(tasks.useSignal, signal, (() => 1) as never, started);
    assertEquals([await ending(unsendable), count.attached], ["DataCloneError", 0]);
  }
  const executor = newPool(1);
  const running = executor.submit(tasks.useSignal, signal, "waits", started);
  const pending = executor.submit(tasks.useSignal, signal, "waits", started);
  const cancelled = executor.submit(tasks.useSignal, signal, "waits", started);
  cancelled.cancel();
  assert(count.attached > 0, "the test does not see the listener of a running task");
  await executor.terminateWorkers();
  assertEquals([running.state, pending.state, count.attached], ["finished", "cancelled", 0]);
  await using broken = new WorkerPoolExecutor("data:text/javascript,null.x", { maxWorkers: 1 });
  assertEquals(await ending(broken.submit(tasks.look, signal)), "BrokenExecutorError");
  assertEquals(count.attached, 0);
  assertEquals(signal.aborted, false);
}, POOL);

test("a signal survives a worker that dies before the task starts", async () => {
  await using executor = newPool(1);
  const controller = new AbortController();
  using reports = new Reports();
  const left = executor.submit(tasks.leave, "a rejected promise");
  const seen = executor.submit(tasks.reasonOf, controller.signal);
  left.addDoneCallback(() => controller.abort("while the worker dies"));
  assertEquals(await seen.result(), "while the worker dies");
  assertEquals(reports.all.length, 1);
}, POOL);

test("a signal that is an item of map or a result fails with a DataCloneError", async () => {
  await using executor = newPool(1);
  const { signal } = new AbortController();
  for (const { ordered } of orders) {
    for (const chunkSize of [1, 2]) {
      const map = executor.map(tasks.echo, [signal], { ordered, chunkSize });
      assertEquals(await listToError(map), ["DataCloneError"]);
    }
  }
  assertEquals(await ending(executor.submit(tasks.makeSignal)), "DataCloneError");
  assertEquals(await ending(executor.submit(tasks.echo, signal)), "DataCloneError");
}, POOL);
