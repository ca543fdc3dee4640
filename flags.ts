/**
 * Downloads flags one after another: each waits until the one before has arrived.
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
import { clock, DEST_DIR, main, reason, UNFINISHED } from "./flags_cli.ts";
import type { Flag, Outcome, Report } from "./flags_cli.ts";

/** Seconds for one flag, from the request to its last byte. */
const TIMEOUT = 6.1;
const MAX_SIZE = 5_000_000; // bytes of the largest image that is accepted

/** Why a flag did not arrive, in a line. */
class FlagError extends Error {
  constructor(line: string, readonly status: "not found" | "failed" | "unwritable" = "failed") {
    super(line);
  }
}

/** The image of a flag, a whole GIF; redirects are followed. */
export async function getFlag(url: string): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(TIMEOUT * 1000);
  try {
    return await readGif(await fetch(url, { signal }));
  } catch (error) {
    if (!(error instanceof TypeError && `${error.cause}`.includes("(SendRequest)"))) throw error;
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 }); // a kept connection was closed
    return await readGif(await fetch(url, { signal, client }));
  }
}

/** The body of a response, if it is a whole GIF; bytes behind its end are kept. */
export async function readGif(response: Response): Promise<Uint8Array> {
  const { status, statusText, headers } = response;
  if (status !== 200) await response.body?.cancel();
  if (status === 404) throw new FlagError("not found", "not found");
  if (status !== 200) throw new FlagError(`HTTP ${status} ${statusText}`.trim());
  const length = headers.has("content-encoding") ? null : headers.get("content-length");
  const image = await readBody(response, length).catch((error) => {
    const line = `connection lost before ${length ?? "all"} bytes had come`;
    throw error instanceof TypeError ? new FlagError(line) : error;
  });
  const text = String.fromCharCode(...image.subarray(0, 9)).replace(/[\x7f-\x9f]/g, "?");
  const begins = JSON.stringify(text);
  if (image.length === 0) throw new FlagError("not a GIF image (empty)");
  if (!/^"GIF8[79]a/.test(begins)) throw new FlagError(`not a GIF image (begins with ${begins})`);
  if (hasTrailer(image)) return image;
  const n = image.length;
  throw new FlagError(length ? `not a whole GIF (${n} bytes)` : `connection lost after ${n} bytes`);
}

/** A body that is not too large: at once where its length is known, for that is faster. */
async function readBody(response: Response, length: string | null): Promise<Uint8Array> {
  if (length && Number(length) <= MAX_SIZE) return await response.bytes();
  let image = new Blob();
  for await (const chunk of response.body ?? []) {
    image = new Blob([image, chunk]);
    if (image.size > MAX_SIZE) throw new FlagError(`larger than ${MAX_SIZE / 1e6} MB`);
  }
  return await image.bytes();
}

/** Whether a GIF goes on to its trailer: it is a header, extensions and images, each in blocks. */
function hasTrailer(gif: Uint8Array): boolean {
  const colours = (flags = 0) => flags & 0x80 ? 6 << (flags & 7) : 0;
  let at = 13 + colours(gif[10]);
  while (gif[at] === 0x21 || gif[at] === 0x2c) {
    at += gif[at] === 0x21 ? 2 : 11 + colours(gif[at + 9]);
    for (let length; (length = gif[at]);) at += 1 + length;
    at++;
  }
  return gif[at] === 0x3b;
}

/** Writes `downloaded/CC.gif`, whole or not at all: under another name first. */
export function saveFlag(image: Uint8Array, cc: string): void {
  const path = join(DEST_DIR, `${cc}.gif`);
  const unfinished = join(DEST_DIR, UNFINISHED + crypto.randomUUID());
  let status: FlagError["status"] = "unwritable"; // so is every other flag
  try {
    Deno.writeFileSync(unfinished, image);
    status = "failed"; // that other name could be written
    Deno.renameSync(unfinished, path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    const why = reason(error);
    throw new FlagError(`cannot write ${path}: ${why}`, /^Too many/.test(why) ? "failed" : status);
  }
}

/** Gets a flag and saves it, wherever this runs. That it does not arrive is no exception but an outcome. */
export async function downloadOne({ cc, url }: Flag): Promise<Outcome> {
  const begun = { cc, start: clock(), thread: performance.timeOrigin };
  try {
    const image = await getFlag(url);
    saveFlag(image, cc);
    return { ...begun, end: clock(), status: "ok", bytes: image.length };
  } catch (error) {
    return { ...begun, end: clock(), ...failure(error) };
  }
}

function failure(error: unknown): { status: FlagError["status"]; line: string } {
  if (error instanceof FlagError) return { status: error.status, line: error.message };
  if (!(error instanceof Error) || error instanceof Deno.errors.NotCapable) throw error;
  const { name, message, cause } = error;
  const text = cause instanceof Error ? cause.message : message;
  const [, url = "", why] = text.match(/url \((.*?)\): .*\(Connect\): (?:tcp.*?: )?(.*)/) ?? [];
  let line = text.replaceAll(/\/\/\S*@/g, "//"); // no password
  if (name === "TimeoutError") line = `timed out after ${TIMEOUT} s`;
  else if (why?.startsWith("dns error")) line = `no such host: ${new URL(url).hostname}`;
  else if (why) line = `could not connect to ${new URL(url).origin} (${reason(why)})`;
  else if (text.includes("(SendRequest)")) line = "connection lost after 0 bytes";
  else if (text.includes("number of redirects")) line = "too many redirects";
  return { status: "failed", line };
}

export async function downloadMany(flags: Flag[], _: number, report: Report): Promise<void> {
  for (const flag of flags) report(await downloadOne(flag));
}

if (import.meta.main) await main(downloadMany);
