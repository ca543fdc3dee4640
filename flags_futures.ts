/**
 * Downloads five flags with three workers and shows the futures: when they are scheduled, and as they
 * are done.
 *
 * ```console
 * $ deno run -A flags_futures.ts
 * 5 flags from LOCAL (http://127.0.0.1:33439/flags), 3 connections
 * Scheduled for BR: <Future #1 state=running>
 * Scheduled for CN: <Future #2 state=running>
 * Scheduled for ID: <Future #3 state=running>
 * Scheduled for IN: <Future #4 state=pending>
 * Scheduled for US: <Future #5 state=pending>
 * CN <Future #2 state=finished returned string> result: 'CN'
 * BR <Future #1 state=finished returned string> result: 'BR'
 * ID <Future #3 state=finished returned string> result: 'ID'
 * IN <Future #4 state=finished returned string> result: 'IN'
 * US <Future #5 state=finished returned string> result: 'US'
 *
 * 5 downloads in 0.70s
 * ```
 *
 * @module
 */
import { clock, type Flag, main, type Outcome, POP20_CC, print, type Result } from "./flags_cli.ts";
import { downloadOne } from "./flags.ts";
import { asCompleted, type Future, WorkerPoolExecutor } from "./futures.ts";

/** What the workers run: returns the code of the flag, or throws if it did not arrive. */
export async function download(flag: Flag): Promise<string> {
  const outcome = await downloadOne(flag);
  if (outcome.status !== "ok") throw new Error(outcome.status, { cause: outcome });
  return flag.cc;
}

export async function downloadMany(flags: Flag[], maxWorkers: number): Promise<Result[]> {
  await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers });
  const toDo: Future<string>[] = [];
  for (const flag of flags) {
    const future = executor.submit(download, flag);
    toDo.push(future);
    print(flag, `Scheduled for ${flag.cc}: ${future}\n`);
  }

  const times = watch(toDo);
  const results: Result[] = [];
  for await (const future of asCompleted(toDo)) {
    const error = await future.exception();
    if (error instanceof Error) {
      console.log(`${future} exception: '${error.message}'`);
      const { thread: _, ...outcome } = error.cause as Outcome;
      results.push({ ...outcome, ...times(future) });
    } else {
      const cc = await future.result();
      console.log(`${future} result: '${cc}'`);
      results.push({ cc, status: "ok", ...times(future) });
    }
  }
  return results;
}

/** Notes when each future was first seen running, and when it was done. */
function watch<T>(futures: Future<T>[]): (future: Future<T>) => { start: number; end: number } {
  const starts = new Map<Future<T>, number>();
  const ends = new Map<Future<T>, number>();
  const look = () => {
    for (const future of futures) {
      if (future.state !== "pending" && !starts.has(future)) starts.set(future, clock());
    }
  };
  for (const future of futures) {
    future.addDoneCallback(() => {
      ends.set(future, clock());
      queueMicrotask(look);
    });
  }
  look();
  return (future) => ({ start: starts.get(future) ?? NaN, end: ends.get(future) ?? NaN });
}

if (import.meta.main) await main(downloadMany, { codes: POP20_CC.slice(0, 5), maxReq: 3 });
