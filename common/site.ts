/**
 * The built-in flag site. It serves real flags, with optional delays and errors.
 *
 * @module
 */
// The contents of aliases.json are not used. The import makes Deno download the package that
// contains the images.
import "famfamfam-flags/aliases.json" with { type: "json" };

const IMAGES = new URL(".", import.meta.resolve("famfamfam-flags/dist/gif/br.gif"));

/** The behavior of the site. */
export interface SiteOptions {
  /** The port on 127.0.0.1. Default: 0, which picks a free port. */
  port?: number;
  /** The range of the random delay before each response, in seconds. Default: no delay. */
  delay?: [min: number, max: number];
  /** The share of requests that get `418 I'm a teapot`, from 0 to 1. Default: 0. */
  errorRate?: number;
}

/**
 * Serves the flags until the server is disposed of. The port is `addr.port`.
 *
 * @throws {Deno.errors.AddrInUse} if another program uses the port
 * @throws {Deno.errors.NotCapable} without the permission to listen, or to read the images
 *
 * @example
 * ```ts ignore
 * await using site = serveFlags({ delay: [0.2, 0.4] });
 * const response = await fetch(`http://127.0.0.1:${site.addr.port}/flags/br/br.gif`);
 * ```
 */
export function serveFlags(
  { port = 0, delay: [min, max] = [0, 0], errorRate = 0 }: SiteOptions = {},
): Deno.HttpServer<Deno.NetAddr> {
  const codes = new Set(flagCodes());
  const images = new Map<string, Uint8Array<ArrayBuffer>>();

  function respond({ method, url }: Request): Response {
    const path = URL.parse(url)?.pathname;
    if (path === undefined) return new Response("bad request\n", { status: 400 });
    if (Math.random() < errorRate) {
      return new Response(null, { status: 418, statusText: "I'm a teapot" });
    }
    const [, cc = ""] = path.match(/^\/flags\/([a-z]{2})\/\1\.gif$/) ?? [];
    if (!codes.has(cc.toUpperCase()) || !["GET", "HEAD"].includes(method)) {
      return new Response("not found\n", { status: 404 });
    }
    const image = images.get(cc) ?? Deno.readFileSync(new URL(`${cc}.gif`, IMAGES));
    images.set(cc, image);
    return new Response(image, { headers: { "content-type": "image/gif" } });
  }

  return Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, async (request) => {
    await wait((min + Math.random() * (max - min)) * 1000);
    return respond(request);
  });
}

/** Waits, but does not keep the program alive. */
async function wait(ms: number): Promise<void> {
  if (ms === 0) return;
  await new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, ms)));
}

/** Returns the codes of all the flags of the site, in upper case, sorted. */
export function flagCodes(): string[] {
  return Array.from(Deno.readDirSync(IMAGES), ({ name }) => name)
    .filter((name) => /^[a-z]{2}\.gif$/.test(name))
    .map((name) => name.slice(0, 2).toUpperCase())
    .sort();
}
