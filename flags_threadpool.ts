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
import { DEFAULT_MAX_REQ, type Flag, main, type Outcome } from "./flags_cli.ts";
import { downloadOne } from "./flags.ts";
import { WorkerPoolExecutor } from "./futures.ts";

export async function downloadMany(flags: Flag[], maxWorkers: number): Promise<Outcome[]> {
  await using executor = new WorkerPoolExecutor(import.meta.resolve("./flags.ts"), { maxWorkers });
  return await Array.fromAsync(executor.map(downloadOne, flags));
}

if (import.meta.main) await main(downloadMany, { maxReq: DEFAULT_MAX_REQ.threadpool });
