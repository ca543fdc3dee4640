/**
 * Downloads an image from a site that may send any response. The result is a complete GIF, or an
 * error that says why the download failed.
 *
 * @module
 */
import { FlagError, reason, TIMEOUT } from "./flag.ts";
import { hasGifSignature, isCompleteGif } from "./gif.ts";

/** The maximum size of an image in bytes. */
const MAX_SIZE = 5_000_000;

/** No response arrived. A retry on a new connection may succeed. */
class NoResponseError extends FlagError {}

/**
 * Resolves to the response to a GET request, and follows redirects. Retries once on a new
 * connection, because the site may have closed a connection that `fetch` kept for the next request.
 */
export async function get(url: string, signal: AbortSignal): Promise<Response> {
  const { origin } = new URL(url); // A URL that is not valid is a bug, not a failure of the site.
  try {
    return await fetch(url, { signal });
  } catch (error) {
    const failure = requestError(error, origin);
    if (!(failure instanceof NoResponseError)) throw failure;
  }
  try {
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    return await fetch(url, { signal, client });
  } catch (error) {
    throw requestError(error, origin);
  }
}

/**
 * Describes why `fetch` failed. Deno's errors have no codes for these failures, so the function
 * looks at their text. Deno 2.8 and later put the details in the cause of the error.
 */
function requestError(error: unknown, origin: string): FlagError {
  if (isTimeout(error)) return timeoutError();
  const text = reason(error instanceof Error && error.cause ? error.cause : error);
  // The target of a redirect may contain a password, or characters that control a terminal.
  if (text.startsWith("Invalid URL")) return new FlagError("redirected to an invalid URL");
  const isRefused = error instanceof Deno.errors.NotCapable || text.startsWith("Fetch failed");
  if (isRefused) return new FlagError(text.replace("Fetch failed: ", ""));
  const why = text.replace(/^.*client error \(\w+\): /s, "");
  if (text.includes("(Connect)")) {
    return new FlagError(`could not connect to ${origin}: ${why}`);
  }
  if (/ parsed$|too large$/.test(why)) return new FlagError(`not a valid HTTP response (${why})`);
  return new NoResponseError(`connection lost: ${why}`);
}

/** Resolves to the body of a response. Throws if the body is not a complete GIF. */
export async function readGif(response: Response): Promise<Uint8Array> {
  const { status, statusText, body } = response;
  if (status !== 200) {
    await body?.cancel();
    if (status === 404) throw new FlagError("not found", "not found");
    throw new FlagError(`HTTP ${status} ${statusText}`.trim());
  }
  const image = await readBody(response);
  if (image.length === 0) throw new FlagError("not a GIF image (empty)");
  if (!hasGifSignature(image)) {
    throw new FlagError(`not a GIF image (begins with ${firstBytes(image)})`);
  }
  if (!isCompleteGif(image)) throw new FlagError(`not a complete GIF (${image.length} bytes)`);
  return image;
}

/** Returns the first bytes of a body in quotes. They show, for example, that it is a web page. */
function firstBytes(bytes: Uint8Array): string {
  return JSON.stringify(String.fromCharCode(...bytes.subarray(0, 9)));
}

async function readBody(response: Response): Promise<Uint8Array> {
  try {
    // `bytes` takes a third of the time of a loop over chunks, but `bytes` has no size limit.
    if (exactLength(response) <= MAX_SIZE) return await response.bytes();
    return await readChunks(response.body ?? new Blob().stream());
  } catch (error) {
    throw error instanceof FlagError ? error : bodyError(error);
  }
}

/** Returns the length of a body, or `Infinity` if the body can be longer than its headers say. */
function exactLength({ headers }: Response): number {
  // `transfer-encoding` overrides `content-length`. With compression, the length is that of the compressed body.
  if (headers.has("transfer-encoding") || headers.has("content-encoding")) return Infinity;
  return Number(headers.get("content-length") ?? Infinity);
}

async function readChunks(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_SIZE) throw new FlagError(`larger than ${MAX_SIZE / 1e6} MB`);
    // Deno allocates 64 KB for each chunk, even if it has only one byte. The copy is smaller.
    chunks.push(chunk.slice());
  }
  return await new Blob(chunks).bytes();
}

function bodyError(error: unknown): FlagError {
  if (isTimeout(error)) return timeoutError();
  const why = reason(error);
  if (why.includes("from connection")) return new FlagError("connection lost during the response");
  return new FlagError(`cannot read the response: ${why}`);
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

function timeoutError(): FlagError {
  return new FlagError(`timed out after ${TIMEOUT / 1000} s`);
}
