/**
 * A stress test: performs random operations on a pool, and asserts that each task runs at most once
 * and that every future completes as it should. A failure prints the seed that repeats it:
 * deno test -A tests/futures/oracle_test.ts -- SEED
 */

import { assert, assertEquals } from "@std/assert";
import type { Future, WorkerPoolExecutor } from "../../futures/mod.ts";
import { Reports, test } from "../testing.ts";
import { countListeners, ending, newPool, POOL, range } from "./helpers.ts";
import * as tasks from "./pool_tasks.ts";
import { shared, sleep } from "./pool_tasks.ts";

type Kind = tasks.Job["kind"];

interface Submitted {
  job: tasks.Job;
  future: Future<unknown>;
  controller: AbortController;
  /** Counts the listeners of the controller's signal. */
  listeners: { attached: number };
}

const KINDS = Object.keys(tasks.jobs) as Kind[];

class StressTest {
  #seed: number;
  readonly #maxWorkers: number;
  readonly #executor: WorkerPoolExecutor;
  readonly #log = shared(2000);
  readonly #submitted: Submitted[] = [];
  readonly #maps: Promise<void>[] = [];
  /** The jobs whose results have arrived. */
  readonly #arrived: unknown[] = [];
  #jobCount = 0;
  #isTerminated = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.#maxWorkers = 1 + this.#below(3);
    this.#executor = newPool(this.#maxWorkers);
  }

  async run(): Promise<void> {
    for (const _ of range(20 + this.#below(60))) await this.#doSomething();
    await this.#close();
    await Promise.all(this.#maps);
    await this.#check();
  }

  #below(n: number): number {
    this.#seed = Math.imul(this.#seed, 1664525) + 1013904223 | 0;
    return (this.#seed >>> 8) % n;
  }

  #newJob(kind: Kind): tasks.Job {
    return { log: this.#log, n: this.#jobCount++, kind };
  }

  async #doSomething(): Promise<void> {
    const other = this.#submitted[this.#below(this.#submitted.length || 1)];
    switch (this.#below(14)) {
      case 0:
        this.#maps.push(this.#readMap(this.#below(30), 1 + this.#below(30)));
        break;
      case 1:
        await sleep(this.#below(4));
        break;
      case 2:
      case 3:
        other?.future.cancel();
        break;
      case 4:
      case 5:
        other?.controller.abort();
        break;
      case 6:
      case 7:
        this.#submit(KINDS[this.#below(KINDS.length)]);
        break;
      default:
        this.#submit(KINDS[this.#below(2)]);
    }
  }

  #submit(kind: Kind = "returns"): void {
    const job = this.#newJob(kind);
    if (kind === "is refused") job.refused = () => {};
    const controller = new AbortController();
    const listeners = countListeners(controller.signal);
    const needsSignal = kind === "waits for its signal" || this.#below(3) === 0;
    const future = needsSignal
      ? this.#executor.submit(tasks.job, job, controller.signal)
      : this.#executor.submit(tasks.job, job);
    this.#submitted.push({ job, future, controller, listeners });
  }

  async #readMap(size: number, stop: number): Promise<void> {
    const options = {
      chunkSize: 1 + this.#below(4),
      bufferSize: 1 + this.#below(20),
      ordered: this.#below(2) === 0,
    };
    const items = Iterator.from(range(size)).map(() => this.#newJob(KINDS[size % 2] ?? "returns"));
    const seen: unknown[] = [];
    try {
      for await (const n of this.#executor.map(tasks.job, items, options)) {
        seen.push(n);
        if (seen.length === stop) break;
      }
      assertEquals(seen.length, Math.min(size, stop));
    } catch (error) {
      const isExpected = /CancelledError|after shutdown/.test(`${error}`) ||
        this.#isTerminated && /WorkerCrashError/.test(`${error}`);
      assert(isExpected, `${error}`);
    }
    if (options.ordered) assertEquals(seen, seen.toSorted((a, b) => Number(a) - Number(b)));
    this.#arrived.push(...seen);
  }

  /** Shuts the pool down in one of many ways. */
  async #close(): Promise<void> {
    if (this.#below(3) === 0) await this.#executor.shutdown({ wait: false });
    const ended = [this.#executor.shutdown({ cancelFutures: this.#below(2) === 0 })];
    if (this.#below(3) === 0) {
      await sleep(this.#below(20));
      this.#isTerminated = true;
      ended.push(this.#executor.terminateWorkers());
    }
    for (const { controller } of this.#submitted) controller.abort();
    await Promise.all(ended);
  }

  async #check(): Promise<void> {
    const starts = [...this.#log.slice(1, 1 + (this.#log[0] ?? 0))];
    for (const { job: { n, kind }, future, listeners } of this.#submitted) {
      assert(future.done(), `${kind} ${n}: ${future}`);
      assertEquals(listeners.attached, 0, `${kind} ${n}: its signal still has listeners`);
      const outcome = await ending(future);
      const isLost = this.#isTerminated && outcome === "WorkerCrashError";
      if (outcome === "cancelled" || kind === "is refused") {
        assert(!starts.includes(n), `${kind} ${n} has run`);
      }
      if (outcome === "cancelled" || isLost) continue;
      assertEquals(outcome, tasks.jobs[kind][0], `${kind} ${n}`);
      if (kind !== "is refused") this.#arrived.push(n);
    }
    assertEquals(this.#arrived.filter((n) => !starts.includes(Number(n))), []);
    assertEquals(new Set(starts).size, starts.length);
    if (this.#maxWorkers === 1) assertEquals(starts, starts.toSorted((a, b) => a - b));
  }
}

test("each task runs once or is cancelled, whatever happens to its pool", async () => {
  using _ = new Reports();
  let seed = Number(Deno.args[0] ?? Date.now() % 1e6);
  for (const end = performance.now() + 3000; performance.now() < end; seed++) {
    await new StressTest(seed).run().catch((cause) => {
      throw new Error(`deno test -A tests/futures/oracle_test.ts -- ${seed}`, { cause });
    });
  }
}, POOL);
