/** Whatever happens to a pool, each task runs at most once, and each future ends as it should. */
import { assert, assertEquals } from "@std/assert";
import { type Future, WorkerPoolExecutor } from "../../futures/mod.ts";
import { lacks, listToError, logErrors, outcomeOf, range, shared, sleep } from "./helpers.ts";

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
  /** Counts how often each job has started. */
  log: Int32Array;
  n: number;
  kind: string;
}

export function run({ log, n, kind }: Job): unknown {
  Atomics.add(log, n, 1);
  return JOBS[kind]?.[1]();
}

export async function echoNumber(job: Job): Promise<number> {
  await run(job);
  return job.n;
}

/** Returns a function that returns random numbers below `n`. The seed decides which. */
function newRandom(seed: number): (n: number) => number {
  return (n) => {
    seed = Math.imul(seed, 1664525) + 1013904223 | 0;
    return (seed >>> 8) % n;
  };
}

async function stress(below: (n: number) => number): Promise<void> {
  const log = shared(2000);
  const futures: { job: Job; future: Future<unknown> }[] = [];
  const maps: Promise<unknown[]>[] = [];
  let jobCount = 0;
  const newJob = (kind = "returns") => ({ log, n: jobCount++, kind });
  const newJobs = async function* (count: number) {
    for (const _ of range(count)) {
      if (below(3) === 0) await sleep();
      yield newJob("awaits");
    }
  };
  const idleTimeout = [0, 1, Infinity][below(3)];
  const options = { maxWorkers: 1 + below(3), idleTimeout };
  const executor = new WorkerPoolExecutor(import.meta.url, options);
  for (const _ of range(20 + below(60))) {
    const kind = KINDS[below(2 * KINDS.length)];
    switch (below(8)) {
      case 0: {
        const options = { chunkSize: 1 + below(4), bufferSize: 1 + below(20) };
        maps.push(listToError(executor.map(echoNumber, newJobs(below(30)), options)));
        break;
      }
      case 1:
        await sleep(below(4));
        break;
      case 2:
        futures[below(futures.length + 1)]?.future.cancel();
        break;
      default: {
        const job = newJob(kind);
        futures.push({ job, future: executor.submit(run, job) });
      }
    }
  }
  const ended = executor.shutdown({ cancelFutures: below(2) === 0 });
  const isTerminated = below(3) === 0;
  if (isTerminated) {
    await sleep(below(20));
    await executor.terminateWorkers();
  }
  await ended;
  for (const results of await Promise.all(maps)) {
    const numbers = results.filter((n) => typeof n === "number");
    assertEquals(numbers, numbers.toSorted((a, b) => a - b));
    assert(numbers.length >= results.length - 1, "only the last one may be an error");
  }
  assert(log.every((count) => count <= 1), "a job has run twice");
  for (const { job: { n, kind }, future } of futures) {
    assert(future.done(), `${kind} ${n}: ${future}`);
    const outcome = await outcomeOf(future);
    if (isTerminated && outcome === "WorkerCrashError") continue;
    const expected = outcome === "cancelled" ? [outcome, false] : [JOBS[kind]?.[0], true];
    assertEquals([outcome, log[n] === 1], expected, `${kind} ${n}`);
  }
}

for (const seed of range(12)) {
  Deno.test(`no task is lost or runs twice, with seed ${seed}`, { ignore }, async () => {
    using _ = logErrors(); // for the jobs that leave a rejection behind
    await stress(newRandom(seed));
  });
}
