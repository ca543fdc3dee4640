/**
 * Downloads an image from a site that may send any response. The result is a complete GIF, or an
 * error that says why the download failed.
 *
 * @module
 */
import { BorrowedClient } from "./clients.ts";
import { bodyError, FlagError, NoResponseError, StrayResponseError } from "./errors.ts";
import { get } from "./get.ts";
import { hasGifSignature, isCompleteGif } from "./gif.ts";
import { exactLength, readBody } from "./read_body.ts";

/** The maximum size of an image in bytes. */
const MAX_SIZE = 5_000_000;
/** The status with which a site closes a connection that was idle for too long. */
const REQUEST_TIMEOUT = 408;

/** Downloads the GIF at `url`. If no response arrives, retries once on a new connection. */
export async function fetchGif(url: string, signal: AbortSignal): Promise<Uint8Array> {
  using borrowed = new BorrowedClient();
  try {
    return await readGif(await get(url, { signal, client: borrowed.client }));
  } catch (error) {
    const isStray = error instanceof StrayResponseError;
    if (!isStray && !(error instanceof NoResponseError)) throw error;
    borrowed.discard();
    if (isStray && borrowed.isNew) throw error;
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    return await readGif(await get(url, { signal, client }));
  }
}

/**
 * Returns the body of a response. Throws if the body is not a complete GIF. Bytes after the trailer
 * of the GIF are kept.
 */
export async function readGif(response: Response): Promise<Uint8Array> {
  await checkStatus(response);
  const image = await readImage(response);
  if (image.length === 0) throw new FlagError("not a GIF image (empty)");
  if (!hasGifSignature(image)) {
    throw new FlagError(`not a GIF image (begins with ${firstBytes(image)})`);
  }
  if (!isCompleteGif(image)) {
    // Without a length or chunks, a lost connection looks like the end of the image.
    const isWholeBody = hasEnd(response);
    throw new FlagError(
      isWholeBody
        ? `not a complete GIF (${image.length} bytes)`
        : `connection lost after ${image.length} bytes`,
    );
  }
  return image;
}

async function checkStatus({ status, statusText, body }: Response): Promise<void> {
  if (status === 200) return;
  await body?.cancel();
  if (status === 404) throw new FlagError("not found", "not found");
  const line = `HTTP ${status} ${statusText}`.trim();
  throw status === REQUEST_TIMEOUT ? new StrayResponseError(line) : new FlagError(line);
}

async function readImage(response: Response): Promise<Uint8Array> {
  const image = await readBody(response, MAX_SIZE).catch((error) => {
    throw bodyError(error, exactLength(response));
  });
  if (image === undefined) throw new FlagError(`larger than ${MAX_SIZE / 1e6} MB`);
  return image;
}

/** Returns whether Deno reports an error if the end of the body is missing. */
function hasEnd({ headers }: Response): boolean {
  return headers.has("content-length") || headers.has("transfer-encoding");
}

/** Returns the first bytes of an image in quotes, with control characters escaped or replaced. */
function firstBytes(image: Uint8Array): string {
  const text = String.fromCharCode(...image.subarray(0, 9));
  return JSON.stringify(text.replace(/[\x7f-\x9f]/g, "?"));
}
