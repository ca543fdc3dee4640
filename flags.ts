/**
 * Downloads flags one after another. Each download starts when the previous download has finished.
 *
 * ```console
 * $ deno run -A flags.ts
 * 20 flags from LOCAL (http://127.0.0.1:42443/flags), 1 connection
 * BD BR CD CN DE EG ET FR ID IN IR KR MX NG PH PK RU TR US VN
 * 20 downloads in 5.60s
 * ```
 *
 * @module
 */
import { join } from "@std/path/posix/join";
import { clock, DEST_DIR, TIMEOUT } from "./common/flag.ts";
import type { Flag, Outcome, Report } from "./common/flag.ts";
import { failureOf } from "./common/errors.ts";
import { fetchGif } from "./common/fetch_gif.ts";
import { writeWhole } from "./common/files.ts";

/**
 * Downloads the image of a flag and follows redirects. Resolves to a complete GIF, or rejects with
 * an error that says why the download failed.
 */
export async function getFlag(url: string): Promise<Uint8Array> {
  return await fetchGif(url, AbortSignal.timeout(TIMEOUT));
}

/** Writes `downloaded/CC.gif` atomically. Throws if the file cannot be written. */
export function saveFlag(image: Uint8Array, cc: string): void {
  writeWhole(join(DEST_DIR, `${cc}.gif`), image);
}

/**
 * Downloads a flag and saves it, on the main thread or in a worker. A failed download is returned
 * as an outcome. An error that is not specific to the flag, such as a bug or a missing permission,
 * is thrown.
 */
export async function downloadOne({ cc, url }: Flag): Promise<Outcome> {
  const start = clock();
  const thread = performance.timeOrigin;
  try {
    const image = await getFlag(url);
    saveFlag(image, cc);
    return { cc, thread, start, end: clock(), status: "ok", bytes: image.length };
  } catch (error) {
    return { cc, thread, start, end: clock(), ...failureOf(error) };
  }
}

/** Downloads the flags one after another, and ignores `_maxReq`. */
export async function downloadMany(flags: Flag[], _maxReq: number, report: Report): Promise<void> {
  for (const flag of flags) report(await downloadOne(flag));
}

if (import.meta.main) {
  // Workers load this file too, but not the code that runs a program.
  const { main } = await import("./common/run.ts");
  await main(downloadMany);
}
