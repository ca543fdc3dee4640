/** Whatever happens to a pool, each task runs at most once, and each future ends as it should. */
import { assert, assertEquals } from "@std/assert";
import { type Future, WorkerPoolExecutor } from "../../futures/mod.ts";
import { lacks, logErrors, nameOf, outcomeOf, range, shared, sleep } from "./helpers.ts";

const ignore = lacks("read");

/** Jobs: the outcome that is expected, and what the job does in the worker. */
const JOBS: Record<string, [outcome: string, task: () => unknown]> = {
  returns: ["returned", () => 1],
  awaits: ["returned", () => sleep()],
  throws: ["RangeError", () => Promise.reject(new RangeError())],
  closes: ["WorkerCrashError", () => self.close()],
  "leaves a rejection": ["returned", () => {
    Promise.reject(new Error("left behind"));
  }],
  "returns a function": ["DataCloneError", () => () => 1],
};
const KINDS = Object.keys(JOBS);

interface Job {
  /** `log[0]` counts the jobs that have started. Their numbers follow. */
  log: Int32Array;
  n: number;
  kind: string;
}

export function run({ log, n, kind }: Job): unknown {
  log[Atomics.add(log, 0, 1) + 1] = n;
  return JOBS[kind]?.[1]();
}

export async function echoNumber(job: Job): Promise<number> {
  await run(job);
  return job.n;
}

/** One pool with random operations. The seed decides which, so that a failure can be repeated. */
class StressTest {
  #seed: number;
  readonly #executor: WorkerPoolExecutor;
  readonly #log = shared(2000);
  readonly #futures: { job: Job; future: Future<unknown> }[] = [];
  readonly #maps: Promise<void>[] = [];
  #jobCount = 0;
  #isTerminated = false;

  constructor(seed: number) {
    this.#seed = seed;
    const maxWorkers = 1 + this.#below(3);
    const idleTimeout = [0, 1, Infinity][this.#below(3)];
    this.#executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers, idleTimeout });
  }

  async run(): Promise<void> {
    for (const _ of range(20 + this.#below(60))) await this.#doSomething();
    await this.#close();
    await Promise.all(this.#maps);
    const starts = this.#log.slice(1, 1 + (this.#log[0] ?? 0));
    assertEquals(new Set(starts).size, starts.length, "a job has run twice");
    for (const { job, future } of this.#futures) await this.#check(job, future, starts);
  }

  #below(n: number): number {
    this.#seed = Math.imul(this.#seed, 1664525) + 1013904223 | 0;
    return (this.#seed >>> 8) % n;
  }

  #newJob(kind: string): Job {
    return { log: this.#log, n: this.#jobCount++, kind };
  }

  async #doSomething(): Promise<void> {
    switch (this.#below(8)) {
      case 0:
        this.#maps.push(this.#readMap(this.#below(30), 1 + this.#below(30)));
        break;
      case 1:
        await sleep(this.#below(4));
        break;
      case 2:
        this.#futures[this.#below(this.#futures.length + 1)]?.future.cancel();
        break;
      default: {
        const job = this.#newJob(KINDS[this.#below(2 * KINDS.length)] ?? "returns");
        this.#futures.push({ job, future: this.#executor.submit(run, job) });
      }
    }
  }

  async *#newJobs(count: number): AsyncGenerator<Job> {
    for (const _ of range(count)) {
      if (this.#below(3) === 0) await sleep();
      yield this.#newJob("awaits");
    }
  }

  async #readMap(count: number, stopAfter: number): Promise<void> {
    const ordered = this.#below(2) === 0;
    const options = { chunkSize: 1 + this.#below(4), bufferSize: 1 + this.#below(20), ordered };
    const seen: number[] = [];
    try {
      for await (const n of this.#executor.map(echoNumber, this.#newJobs(count), options)) {
        seen.push(n);
        if (seen.length === stopAfter) break;
      }
      assertEquals(seen.length, Math.min(count, stopAfter));
    } catch (error) {
      const isExpected = this.#isTerminated && nameOf(error) === "WorkerCrashError";
      assert(isExpected || /CancelledError|after shutdown/.test(`${error}`), `${error}`);
    }
    if (ordered) assertEquals(seen, seen.toSorted((a, b) => a - b));
  }

  /** Shuts the pool down in one of many ways. */
  async #close(): Promise<void> {
    if (this.#below(3) === 0) await this.#executor.shutdown({ wait: false });
    const ended = this.#executor.shutdown({ cancelFutures: this.#below(2) === 0 });
    if (this.#below(3) === 0) {
      await sleep(this.#below(20));
      this.#isTerminated = true;
      await this.#executor.terminateWorkers();
    }
    await ended;
  }

  async #check({ n, kind }: Job, future: Future<unknown>, starts: Int32Array): Promise<void> {
    assert(future.done(), `${kind} ${n}: ${future}`);
    const outcome = await outcomeOf(future);
    if (outcome === "cancelled") {
      assert(!starts.includes(n), `${kind} ${n} has run`);
    } else if (outcome !== "WorkerCrashError" || !this.#isTerminated) {
      assertEquals([outcome, starts.includes(n)], [JOBS[kind]?.[0], true], `${kind} ${n}`);
    }
  }
}

for (const seed of range(12)) {
  Deno.test(`no task is lost or runs twice, with seed ${seed}`, { ignore }, async () => {
    using _ = logErrors(); // for the jobs that leave a rejection behind
    await new StressTest(seed).run();
  });
}
