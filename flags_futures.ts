/**
 * Downloads five flags with three workers, and shows each future when it is scheduled and when it
 * is done.
 *
 * ```console
 * $ deno run -A flags_futures.ts
 * flags_futures.ts: 5 flags from LOCAL (http://127.0.0.1:33439/flags), 3 connections
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
import { failureOf, type Flag, type Report } from "./common/flag.ts";
import { getFlag, main, POP20_CC, saveFlag } from "./flags.ts";
import { asCompleted, type Future, WorkerPoolExecutor } from "./futures/mod.ts";

/** Downloads a flag in a worker. Returns its code, or throws, so that the future shows the error. */
export async function download({ cc, url }: Flag): Promise<string> {
  saveFlag(await getFlag(url), cc);
  return cc;
}

export async function downloadMany(flags: Flag[], report: Report, maxReq: number): Promise<void> {
  // A future does not know when its task starts, so all times begin here.
  const { timeOrigin } = performance;
  const start = performance.now();
  await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: maxReq });
  const toDo = new Map<Future<string>, string>();
  for (const flag of flags) {
    const future = executor.submit(download, flag);
    toDo.set(future, flag.cc);
    console.log(`Scheduled for ${flag.cc}: ${future}`);
  }
  for await (const future of asCompleted(toDo.keys())) {
    const cc = toDo.get(future) as string;
    const times = { timeOrigin, start, end: performance.now() };
    try {
      const result = await future.result();
      report({ cc, ...times, status: "ok" });
      console.log(`${future} result: '${result}'`);
    } catch (error) {
      const failure = failureOf(error);
      report({ cc, ...times, ...failure });
      console.log(`${future} exception: '${failure.line}'`);
    }
  }
}

if (import.meta.main) {
  const codes = POP20_CC.slice(0, 5);
  await main(downloadMany, { codes, maxReq: 3, limit: 128, hasWorkers: true, bar: false });
}
