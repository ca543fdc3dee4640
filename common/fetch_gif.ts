/**
 * Downloads an image from a site that may send any response. The result is a complete GIF, or an
 * error that says why the download failed.
 *
 * @module
 */
import { FlagError, isConnectionClosed } from "./errors.ts";
import { hasGifSignature, isWholeGif } from "./gif.ts";

/** The maximum size of an image in bytes. */
const MAX_SIZE = 5_000_000;

/** Downloads the GIF at `url`. Retries once if the connection was closed before the response. */
export async function fetchGif(url: string, signal: AbortSignal): Promise<Uint8Array> {
  try {
    return await readGif(await fetch(url, { signal }));
  } catch (error) {
    if (!isConnectionClosed(error)) throw error;
    // The site may have closed a keep-alive connection. Retry on a new connection.
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    return await readGif(await fetch(url, { signal, client }));
  }
}

/**
 * Returns the body of a response. Throws if the body is not a complete GIF. Bytes after the trailer
 * of the GIF are kept.
 */
export async function readGif(response: Response): Promise<Uint8Array> {
  await checkStatus(response);
  const promised = promisedLength(response);
  const image = await readBody(response, promised);
  if (image.length === 0) throw new FlagError("not a GIF image (empty)");
  if (!hasGifSignature(image)) {
    throw new FlagError(`not a GIF image (begins with ${firstBytes(image)})`);
  }
  if (!isWholeGif(image)) {
    // If the site did not send a length, a lost connection looks like the end of the image.
    throw new FlagError(
      promised === undefined
        ? `connection lost after ${image.length} bytes`
        : `not a whole GIF (${image.length} bytes)`,
    );
  }
  return image;
}

async function checkStatus({ status, statusText, body }: Response): Promise<void> {
  if (status === 200) return;
  await body?.cancel();
  if (status === 404) throw new FlagError("not found", "not found");
  throw new FlagError(`HTTP ${status} ${statusText}`.trim());
}

/** Returns the length that the site declared for the image, or `undefined` if it is unknown. */
function promisedLength({ headers }: Response): number | undefined {
  // The length of a compressed body is not the length of the image.
  if (headers.has("content-encoding")) return undefined;
  const length = headers.get("content-length");
  return length === null ? undefined : Number(length);
}

async function readBody(response: Response, promised: number | undefined): Promise<Uint8Array> {
  try {
    // Read the body in one call if its length is known, because that is faster.
    if (promised !== undefined && promised <= MAX_SIZE) return await response.bytes();
    return await readUpTo(MAX_SIZE, response);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new FlagError(`connection lost before ${promised ?? "all"} bytes had arrived`);
  }
}

async function readUpTo(maxSize: number, { body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxSize) throw new FlagError(`larger than ${maxSize / 1e6} MB`);
  }
  return await new Blob(chunks).bytes();
}

/** Returns the first bytes of an image in quotes, with control characters escaped or replaced. */
function firstBytes(image: Uint8Array): string {
  const text = String.fromCharCode(...image.subarray(0, 9));
  return JSON.stringify(text.replace(/[\x7f-\x9f]/g, "?"));
}
