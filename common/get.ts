/**
 * Sends a GET request and follows redirects.
 *
 * @module
 */
import { FlagError, requestError } from "./errors.ts";

/** The options of `fetch` that a request needs. */
export interface GetOptions {
  signal: AbortSignal;
  /** Makes the connections. Default: Deno's own client, which keeps connections alive. */
  client?: Deno.HttpClient;
}

/** The maximum that browsers and Deno allow. */
const MAX_REDIRECTS = 20;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * Resolves to the response to a GET request. Follows redirects to every host for which the program
 * has permission.
 */
export async function get(url: string, options: GetOptions): Promise<Response> {
  let target = new URL(url);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await getOnce(target, options);
    const location = response.headers.get("location");
    if (location === null || !REDIRECTS.includes(response.status)) return response;
    await response.body?.cancel();
    target = redirectTarget(location, target);
  }
  throw new FlagError("too many redirects");
}

async function getOnce(url: URL, options: GetOptions): Promise<Response> {
  try {
    return await fetch(url, { ...options, redirect: "manual" });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw requestError(error, url);
  }
}

/** Returns the URL in a `Location` header. Error messages contain at most the host of the URL. */
function redirectTarget(location: string, base: URL): URL {
  const target = URL.parse(location, base);
  if (target === null) throw new FlagError("redirected to an invalid URL");
  if (target.protocol !== "http:" && target.protocol !== "https:") {
    throw new FlagError("redirected to a URL that is neither http nor https");
  }
  // `fetch` would ask the user for permission, or fail as if the site itself were not allowed.
  if (!mayConnect(target)) {
    throw new FlagError(`redirected to ${target.host}, which --allow-net does not include`);
  }
  return target;
}

function mayConnect({ protocol, hostname, port }: URL): boolean {
  const defaultPort = protocol === "https:" ? "443" : "80";
  const host = `${hostname}:${port || defaultPort}`;
  try {
    return Deno.permissions.querySync({ name: "net", host }).state === "granted";
  } catch {
    return false; // Deno's permissions reject some hosts that URLs accept, such as `a..b`.
  }
}
