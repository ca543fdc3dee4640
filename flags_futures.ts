/**
 * Downloads five flags with three workers, and shows each future when it is scheduled and when it
 * is done.
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
import { downloadOne } from "./flags.ts";
import { clock, DEST_DIR } from "./common/flag.ts";
import type { Flag, Outcome, Report } from "./common/flag.ts";
import { print } from "./common/terminal.ts";
import { asCompleted, WorkerPoolExecutor } from "./futures/mod.ts";

/** Downloads a flag in a worker. Returns the code of the flag, or throws if the download failed. */
export async function download(flag: Flag): Promise<string> {
  const outcome = await downloadOne(flag);
  if (outcome.status !== "ok") throw new Error(outcome.line, { cause: outcome });
  return flag.cc;
}

export async function downloadMany(flags: Flag[], maxReq: number, report: Report): Promise<void> {
  await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: maxReq });
  const start = clock();
  const toDo = flags.map((flag) => {
    const future = executor.submit(download, flag);
    print(`Scheduled for ${flag.cc}: ${future}\n`);
    return future;
  });
  for await (const future of asCompleted(toDo)) {
    const times = { start, end: clock(), thread: 0 };
    try {
      const cc = await future.result();
      const { size } = Deno.statSync(`${DEST_DIR}/${cc}.gif`);
      report({ cc, ...times, status: "ok", bytes: size });
      print(`${future} result: '${cc}'\n`);
    } catch (error) {
      if (!isFailedDownload(error)) throw error;
      report({ ...error.cause, ...times });
      print(`${future} exception: '${error.message}'\n`);
    }
  }
}

/** Returns whether an error comes from `download` and its cause is the outcome of the download. */
function isFailedDownload(error: unknown): error is Error & { cause: Outcome } {
  return error instanceof Error && error.cause instanceof Object && "status" in error.cause;
}

if (import.meta.main) {
  const { DEFAULTS, main } = await import("./common/run.ts");
  await main(downloadMany, DEFAULTS.futures);
}
