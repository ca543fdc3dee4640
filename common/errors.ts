/**
 * Describes why a download failed, in one line for the user.
 *
 * @module
 */
import { type Failure, TIMEOUT } from "./flag.ts";
import { reason } from "./terminal.ts";

/** The reason why a download failed, in one line. */
export class FlagError extends Error {
  readonly status: Failure["status"];

  constructor(line: string, status: Failure["status"] = "failed") {
    super(line);
    this.status = status;
  }
}

/**
 * Returns the failure to report for an error. Rethrows an error that is not specific to a flag,
 * such as a missing permission.
 */
export function failureOf(error: unknown): Failure {
  if (error instanceof FlagError) return { status: error.status, line: error.message };
  if (!(error instanceof Error) || error instanceof Deno.errors.NotCapable) throw error;
  return { status: "failed", line: describeFetchError(error) };
}

/**
 * Describes an error from `fetch` in one line. Deno's errors have no codes for these failures, so
 * the function matches the text of the messages.
 */
function describeFetchError(error: Error): string {
  if (error.name === "TimeoutError") return `timed out after ${TIMEOUT / 1000} s`;
  const text = error.cause instanceof Error ? error.cause.message : error.message;
  const connect = text.match(/url \((?<url>.*?)\): .*\(Connect\): (?:tcp.*?: )?(?<why>.*)/)?.groups;
  if (connect) {
    const { url = "", why = "" } = connect;
    if (why.startsWith("dns error")) return `no such host: ${new URL(url).hostname}`;
    return `could not connect to ${new URL(url).origin} (${reason(why)})`;
  }
  if (text.includes("(SendRequest)")) return "connection lost after 0 bytes";
  if (text.includes("number of redirects")) return "too many redirects";
  return withoutPasswords(text);
}

/** Returns whether the connection was closed before any part of the response had arrived. */
export function isConnectionClosed(error: unknown): boolean {
  return error instanceof TypeError && `${error.cause}`.includes("(SendRequest)");
}

function withoutPasswords(text: string): string {
  return text.replaceAll(/\/\/\S*@/g, "//");
}
