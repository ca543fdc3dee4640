/**
 * Downloads flags with many fetches in flight on one thread: no workers, nothing to share.
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
import { DEFAULT_MAX_REQ, type Flag, main, type Outcome } from "./flags_cli.ts";
import { downloadOne } from "./flags.ts";

export async function downloadMany(flags: Flag[], maxReq: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const rest = flags.values();
  async function downloadInTurn(): Promise<void> {
    for (const flag of rest) {
      outcomes.push(await downloadOne(flag));
    }
  }
  await Promise.all(Array.from({ length: maxReq }, downloadInTurn));
  return outcomes;
}

if (import.meta.main) await main(downloadMany, { maxReq: DEFAULT_MAX_REQ.async });
