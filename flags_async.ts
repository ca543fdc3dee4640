/**
 * Downloads flags with many concurrent fetches on one thread, without workers.
 *
 * ```console
 * $ deno run -A flags_async.ts
 * 20 flags from LOCAL (http://127.0.0.1:37827/flags), 20 connections
 * NG KR ET BR IN PK CD US VN FR RU MX IR EG CN DE TR BD PH ID
 * 20 downloads in 0.41s
 * ```
 *
 * @module
 */
import { downloadOne } from "./flags.ts";
import type { Flag, Report } from "./common/flag.ts";

export async function downloadMany(flags: Flag[], maxReq: number, report: Report): Promise<void> {
  const rest = flags.values(); // All loops take from this one iterator.
  async function downloadInTurn(): Promise<void> {
    for (const flag of rest) report(await downloadOne(flag));
  }
  await Promise.all(Array.from({ length: maxReq }, downloadInTurn));
}

if (import.meta.main) {
  const { DEFAULTS, main } = await import("./common/run.ts");
  await main(downloadMany, DEFAULTS.async);
}
