/**
 * Downloads flags one after another. Each download starts when the previous download has finished.
 *
 * ```console
 * $ deno run -A flags.ts
 * flags.ts: 20 flags from LOCAL (http://127.0.0.1:42443/flags), 1 connection
 * BD BR CD CN DE EG ET FR ID IN IR KR MX NG PH PK RU TR US VN
 * 20 downloads in 5.60s
 * ```
 *
 * @module
 */
import { get, readGif } from "./common/fetch_gif.ts";
import { writeWhole } from "./common/files.ts";
import { failureOf, TIMEOUT } from "./common/flag.ts";
import type { DownloadMany, Flag, Outcome, Report } from "./common/flag.ts";
import type { Settings } from "./common/options.ts";

/** The codes of the 20 most populous countries. */
export const POP20_CC: readonly string[] =
  "CN IN US ID BR PK NG BD RU KR MX PH VN ET EG DE IR TR CD FR".split(" ");

/** The book's site. `--server REMOTE` selects it. */
export const BASE_URL = "https://www.fluentpython.com/data/flags";

/** The directory for the images, below the current directory. */
export const DEST_DIR = "downloaded";

/** Writes `downloaded/CC.gif`, whole or not at all. Throws if the file cannot be written. */
export function saveFlag(image: Uint8Array, cc: string): void {
  writeWhole(`${DEST_DIR}/${cc}.gif`, image);
}

/**
 * Downloads the image of a flag and follows redirects. Resolves to a complete GIF, or rejects with
 * an error that says why the download failed.
 */
export async function getFlag(url: string): Promise<Uint8Array> {
  const response = await get(url, AbortSignal.timeout(TIMEOUT));
  return await readGif(response);
}

/**
 * Downloads a flag and saves it, on the main thread or in a worker. A failed download is returned
 * as an outcome. An error that is not specific to the flag, such as a bug, is thrown.
 */
export async function downloadOne({ cc, url }: Flag): Promise<Outcome> {
  const { timeOrigin } = performance; // Tells the threads apart in a timeline.
  const start = performance.now();
  try {
    const image = await getFlag(url);
    saveFlag(image, cc);
    return { cc, timeOrigin, start, end: performance.now(), status: "ok", bytes: image.length };
  } catch (error) {
    return { cc, timeOrigin, start, end: performance.now(), ...failureOf(error) };
  }
}

export async function downloadMany(flags: Flag[], report: Report): Promise<void> {
  for (const flag of flags) report(await downloadOne(flag));
}

/**
 * Runs a program: downloads the flags that the command line asks for with `downloader`, prints how
 * many downloads succeeded and how long they took, and exits.
 */
export async function main(downloader: DownloadMany, settings: Settings = {}): Promise<never> {
  // Workers load this module for `downloadOne`, but they do not need the code that runs a program.
  const { prepare } = await import("./common/run.ts");
  const chapter = { codes: POP20_CC, baseUrl: BASE_URL, directory: DEST_DIR };
  using run = await prepare({ ...chapter, ...settings });
  const t0 = performance.now();
  await downloader(run.flags, run.report, run.maxReq);
  const elapsed = performance.now() - t0;
  return run.end(elapsed);
}

if (import.meta.main) await main(downloadMany, { maxReq: 1, limit: 1 });
