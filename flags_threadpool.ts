/**
 * Downloads flags in a pool of Web Workers: each worker downloads one flag at a time.
 *
 * ```console
 * $ deno run -A flags_threadpool.ts
 * 20 flags from LOCAL (http://127.0.0.1:41015/flags), 6 connections
 * BD CN BR EG CD DE ID ET FR IR KR IN MX NG PH PK RU US TR VN
 * 20 downloads in 1.28s
 * ```
 *
 * @module
 */
import { DEFAULTS, type Flag, main, type Report } from "./flags_cli.ts";
import { downloadOne } from "./flags.ts";
import { WorkerPoolExecutor } from "./worker_pool.ts";

export async function downloadMany(flags: Flag[], maxReq: number, report: Report): Promise<void> {
  const module = import.meta.resolve("./flags.ts");
  await using executor = new WorkerPoolExecutor(module, { maxWorkers: maxReq });
  const outcomes = executor.map(downloadOne, flags, { ordered: false });
  for await (const outcome of outcomes) report(outcome);
}

if (import.meta.main) await main(downloadMany, DEFAULTS.threadpool);
