/**
 * Describes why a download failed, in one line for the user.
 *
 * @module
 */
import { type Failure, TIMEOUT } from "./flag.ts";
import { proxyHint } from "./proxy.ts";
import { reason } from "./terminal.ts";

/** The maximum length of a line. A site can send a status text of any length. */
const MAX_LENGTH = 200;

/** The reason why a download failed, in one line that is safe to print in a terminal. */
export class FlagError extends Error {
  readonly status: Failure["status"];

  constructor(line: string, status: Failure["status"] = "failed") {
    super(printable(line));
    this.status = status;
  }
}

/** A request failed before a response arrived. A retry on a new connection may succeed. */
export class NoResponseError extends FlagError {}

/**
 * A response might belong to no request, because the response is not valid HTTP or says that the
 * connection was idle for too long. If the connection had been used before, a retry on a new
 * connection may succeed.
 */
export class StrayResponseError extends FlagError {}

/**
 * Returns the failure to report for a `FlagError`. Rethrows any other error, which is not specific
 * to a flag, for example a missing permission or a bug such as a misspelled name.
 */
export function failureOf(error: unknown): Failure {
  if (error instanceof FlagError) return { status: error.status, line: error.message };
  throw error;
}

/**
 * Returns the reason why `fetch` failed. Deno's errors have no codes for these failures, so the
 * function matches the text of the messages.
 */
export function requestError(error: unknown, url: URL): FlagError {
  if (isTimeout(error)) return timeoutError();
  const text = fetchMessage(error);
  const invalid = /(invalid|unexpected) [^:]+(?= parsed)|message head is too large/.exec(text);
  if (invalid) return new StrayResponseError(`not a valid HTTP response (${invalid[0]})`);
  const connect = /\(Connect\): (.*)/s.exec(text)?.[1];
  if (connect !== undefined) return new FlagError(connectLine(connect, url));
  // Deno did not send the request, for example because browsers block the port.
  const refused = /^Fetch failed: (.*)/s.exec(text)?.[1];
  if (refused !== undefined) return new FlagError(refused);
  const http2 = /stream error received: (.*)/s.exec(text)?.[1];
  if (http2 !== undefined) return new NoResponseError(`no response (${http2})`);
  return new NoResponseError("connection lost after 0 bytes");
}

/** Returns the reason why a body could not be read. `length` is its length in bytes, if known. */
export function bodyError(error: unknown, length: number | undefined): FlagError {
  if (isTimeout(error)) return timeoutError();
  const text = fetchMessage(error);
  const isCoding = /gzip|brotli|deflate|zlib|checksum|does not match|end of file/i.test(text);
  if (isCoding) return new FlagError(`cannot decode the response (${text})`);
  return new FlagError(`connection lost before ${length ?? "all"} bytes had arrived`);
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

function timeoutError(): FlagError {
  return new FlagError(`timed out after ${TIMEOUT / 1000} s`);
}

/** Returns the message of an error from `fetch`. Since Deno 2.8, the details are in its cause. */
function fetchMessage(error: unknown): string {
  if (!(error instanceof Error)) return `${error}`;
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** Returns the reason why no connection was made. */
function connectLine(text: string, url: URL): string {
  const message = reason(text);
  if (/Too many open files/.test(message)) {
    return `could not connect to ${url.origin} (Too many open files)`;
  }
  const hint = proxyHint(url);
  const why = withoutPrefix(message);
  if (!message.startsWith("dns error")) {
    return `could not connect to ${url.origin} (${certificateProblem(why) ?? `${why}${hint}`})`;
  }
  if (!NO_SUCH_HOST.test(why)) return `could not look up ${url.hostname} (${why}${hint})`;
  return `no such host: ${url.hostname}${hint.replace(/^; (.*)/, " ($1)")}`;
}

/** Matches the messages of Linux, macOS and Windows for a host that does not exist. */
const NO_SUCH_HOST =
  /^(Name or service not known|No address associated|nodename nor servname|No such host)/;

/** Removes the names of the layers of `fetch` from a message. Deno 2.4 repeats the message. */
function withoutPrefix(message: string): string {
  const why = message.replace(/^(tcp \w+ error|dns error): /, "");
  const [, lookup = why] = /^failed to lookup address information: ([^:]*)/.exec(why) ?? [];
  return lookup;
}

/** Says in words why a certificate was rejected, or returns `undefined` for another problem. */
function certificateProblem(why: string): string | undefined {
  const problem = /^invalid peer certificate: (.*)/s.exec(why)?.[1];
  if (problem === undefined) return undefined;
  if (/Expired/.test(problem)) return "its certificate has expired";
  if (/NotValidYet/.test(problem)) return "its certificate is not valid yet";
  if (/NotValidForName|not valid for name/.test(problem)) {
    return "its certificate is for another host";
  }
  if (/UnknownIssuer/.test(problem)) {
    return "its certificate is not trusted: the issuer is unknown";
  }
  if (/CaUsedAsEndEntity/.test(problem)) {
    return "its certificate is not trusted: it is the certificate of an issuer, not of a site";
  }
  return "its certificate is not trusted";
}

/** Returns `text` on one line, with invisible characters escaped, and shortened if it is long. */
function printable(text: string): string {
  const line = text.replace(/\p{C}|[\u2028\u2029]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
  return line.length <= MAX_LENGTH ? line : `${line.slice(0, MAX_LENGTH - 1)}…`;
}
