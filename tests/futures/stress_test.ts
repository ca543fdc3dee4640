/** Whatever happens to a pool, each task runs at most once, and each future ends as it should. */
import { assert, assertEquals } from "@std/assert";
import { type Future, WorkerPoolExecutor } from "../../futures/mod.ts";
import { lacks, LoggedErrors, outcomeOf, range, shared, sleep } from "./helpers.ts";

const ignore = lacks("read");

/** Jobs: the outcome that is expected, and what the job does in the worker. */
const JOBS: Record<string, [outcome: string, task: (n: number, signal?: AbortSignal) => unknown]> =
  {
    returns: ["returned", (n) => n],
    awaits: ["returned", (n) => sleep().then(() => n)],
    throws: ["RangeError", () => {
      throw new RangeError();
    }],
    leaves: ["returned", (n) => {
      Promise.reject(new Error("left behind"));
      return n;
    }],
    closes: ["WorkerCrashError", () => self.close()],
    "returns a function": ["DataCloneError", () => () => 1],
    "is refused": ["DataCloneError", (n) => n],
    "waits for its signal": ["AbortError", async (_, signal) => {
      while (!signal?.aborted) await sleep();
      throw signal.reason;
    }],
  };
const KINDS = Object.keys(JOBS);

interface Job {
  /** `log[0]` counts the jobs that have started. Their numbers follow. */
  log: Int32Array;
  n: number;
  kind: string;
  refused?: () => void;
}

export function run({ log, n, kind }: Job, signal?: AbortSignal): unknown {
  log[Atomics.add(log, 0, 1) + 1] = n;
  return JOBS[kind]?.[1](n, signal);
}

/** One pool with random operations. The seed decides which, so that a failure can be repeated. */
class StressTest {
  #seed: number;
  readonly #executor: WorkerPoolExecutor;
  readonly #log = shared(2000);
  readonly #futures: { job: Job; future: Future<unknown>; controller: AbortController }[] = [];
  readonly #maps: Promise<void>[] = [];
  /** The numbers of the jobs whose results have arrived. */
  readonly #arrived: number[] = [];
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
    await this.#check();
  }

  #below(n: number): number {
    this.#seed = Math.imul(this.#seed, 1664525) + 1013904223 | 0;
    return (this.#seed >>> 8) % n;
  }

  async #doSomething(): Promise<void> {
    const other = this.#futures[this.#below(this.#futures.length || 1)];
    switch (this.#below(10)) {
      case 0:
        this.#maps.push(this.#readMap(this.#below(30), 1 + this.#below(30)));
        break;
      case 1:
        await sleep(this.#below(4));
        break;
      case 2:
        other?.future.cancel();
        break;
      case 3:
        other?.controller.abort();
        break;
      case 4:
      case 5:
        this.#submit(KINDS[this.#below(KINDS.length)] ?? "returns");
        break;
      default:
        this.#submit("returns");
    }
  }

  #newJob(kind: string): Job {
    return { log: this.#log, n: this.#jobCount++, kind };
  }

  #submit(kind: string): void {
    const job = this.#newJob(kind);
    if (kind === "is refused") job.refused = () => {};
    const controller = new AbortController();
    const needsSignal = kind === "waits for its signal" || this.#below(3) === 0;
    const args: [Job, AbortSignal?] = needsSignal ? [job, controller.signal] : [job];
    this.#futures.push({ job, future: this.#executor.submit(run, ...args), controller });
  }

  #newJobs(count: number): Iterable<Job> | AsyncIterable<Job> {
    const kind = this.#below(2) === 0 ? "returns" : "awaits";
    const pause = this.#below(3);
    const jobs = Iterator.from(range(count)).map(() => this.#newJob(kind));
    if (pause === 0) return jobs;
    return (async function* () {
      for (const job of jobs) {
        if (job.n % pause === 0) await sleep();
        yield job;
      }
    })();
  }

  async #readMap(count: number, stopAfter: number): Promise<void> {
    const options = {
      chunkSize: 1 + this.#below(4),
      bufferSize: 1 + this.#below(20),
      ordered: this.#below(2) === 0,
    };
    const seen: number[] = [];
    try {
      for await (const n of this.#executor.map(run, this.#newJobs(count), options)) {
        seen.push(n as number);
        if (seen.length === stopAfter) break;
      }
      assertEquals(seen.length, Math.min(count, stopAfter));
    } catch (error) {
      const isExpected = /CancelledError|after shutdown/.test(`${error}`) ||
        this.#isTerminated && /WorkerCrashError/.test(`${error}`);
      assert(isExpected, `${error}`);
    }
    if (options.ordered) assertEquals(seen, seen.toSorted((a, b) => a - b));
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
      for (const { future } of this.#futures) assert(future.done(), `${future}`);
    }
    for (const { controller } of this.#futures) controller.abort();
    await Promise.all(ended);
  }

  async #check(): Promise<void> {
    const starts = [...this.#log.slice(1, 1 + (this.#log[0] ?? 0))];
    for (const { job: { n, kind }, future } of this.#futures) {
      assert(future.done(), `${kind} ${n}: ${future}`);
      const outcome = await outcomeOf(future);
      const isLost = this.#isTerminated && outcome === "WorkerCrashError";
      if (outcome === "cancelled" || kind === "is refused") {
        assert(!starts.includes(n), `${kind} ${n} has run`);
      }
      if (outcome === "cancelled" || isLost) continue;
      assertEquals(outcome, JOBS[kind]?.[0], `${kind} ${n}`);
      if (kind !== "is refused") this.#arrived.push(n);
    }
    assertEquals(this.#arrived.filter((n) => !starts.includes(n)), []);
    assertEquals(new Set(starts).size, starts.length, "a job has run twice");
  }
}

for (const seed of range(16)) {
  Deno.test(`no task is lost or runs twice, with seed ${seed}`, { ignore }, async () => {
    using _ = new LoggedErrors(); // for the jobs that leave a rejection behind
    await new StressTest(seed).run();
  });
}
