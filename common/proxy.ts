/**
 * Finds out whether a request goes through a proxy, to explain why it failed.
 *
 * @module
 */
import { mayUse } from "./terminal.ts";

/**
 * Returns a clause for an error message that says which proxy may be the cause, or an empty string
 * if the request did not go through a proxy.
 */
export function proxyHint({ protocol, hostname }: URL): string {
  if (isExempt(hostname)) return "";
  const name = protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const names = ["ALL_PROXY", "all_proxy", name, name.toLowerCase()];
  const used = names.find((name) => environment(name) !== "");
  if (used !== undefined) return `; the proxy in ${used} may be down`;
  return names.every(mayUse) ? "" : `; if ${name} is set, the proxy may be down`;
}

/** Returns whether `NO_PROXY` lists a host or one of its parent domains. */
function isExempt(hostname: string): boolean {
  const list = environment("NO_PROXY") || environment("no_proxy");
  return list.split(",").some((entry) => {
    const domain = entry.trim().replace(/^\*?\./, "");
    return domain === "*" || hostname === domain || hostname.endsWith(`.${domain}`);
  });
}

/** Returns the value of a variable, or an empty string if it is not set or may not be read. */
function environment(name: string): string {
  return mayUse(name) ? Deno.env.get(name) ?? "" : "";
}
