/**
 * The flag site that is built in: real flags, served at http://127.0.0.1:PORT/flags/br/br.gif, late or
 * with errors if you like.
 *
 * ```console
 * $ deno run --allow-net --allow-read flags_server.ts 8001 --delay 0.5-5 --error-rate 0.25
 * 243 flags at http://127.0.0.1:8001/flags, such as http://127.0.0.1:8001/flags/br/br.gif
 * ```
 *
 * @module
 */
// Nothing in aliases.json matters; importing it is what makes Deno fetch the package with the images.
import "famfamfam-flags/aliases.json" with { type: "json" };
import { parseArgs } from "@std/cli/parse-args";

const IMAGES = new URL(".", import.meta.resolve("famfamfam-flags/dist/gif/br.gif"));
const USAGE = "usage: flags_server.ts [PORT] [--delay MIN-MAX] [--error-rate P]";

/** How the site behaves. */
export interface SiteOptions {
  /** The port on 127.0.0.1; 0, the default, picks a free one. */
  port?: number;
  /** Seconds before each answer: a random time from the first to the second. Default: none. */
  delay?: [min: number, max: number];
  /** The share of requests that gets `418 I'm a teapot`, from 0 (the default) to 1. */
  errorRate?: number;
}

/**
 * Serves the flags until it is disposed of; `addr.port` is the port.
 *
 * @throws {Deno.errors.AddrInUse} if something listens on the port already
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
  return Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, async (request) => {
    const late = (min + Math.random() * (max - min)) * 1000;
    if (late > 0) await new Promise((resolve) => setTimeout(resolve, late).unref());
    if (Math.random() < errorRate) {
      return new Response(null, { status: 418, statusText: "I'm a teapot" });
    }
    const { pathname } = new URL(request.url);
    const [, cc] = pathname.match(/^\/flags\/([a-z]{2})\/\1\.gif$/) ?? [];
    const image = request.method === "GET" && cc && await read(`${cc}.gif`);
    if (!image) return new Response("not found\n", { status: 404 });
    return new Response(image, { headers: { "content-type": "image/gif" } });
  });
}

/** The codes of all the flags the site has, in upper case and in order. */
export function flagCodes(): string[] {
  return Array.from(Deno.readDirSync(IMAGES), ({ name }) => name)
    .filter((name) => /^[a-z]{2}\.gif$/.test(name))
    .map((name) => name.slice(0, 2).toUpperCase())
    .sort();
}

async function read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(new URL(name, IMAGES));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The options in `args`, or an error that names the one that is wrong. */
function parse(args: string[]): SiteOptions {
  const unknown = (arg: string): boolean => {
    if (arg.startsWith("-")) throw new Error(`unknown option: ${arg}`);
    return true;
  };
  const options = parseArgs(args, { string: ["_", "delay", "error-rate"], unknown });
  const [port = "8000", ...more] = options._;
  const { delay = "0-0", "error-rate": rate = "0" } = options;
  const [, min, max] = `${delay}`.match(/^(\d*\.?\d+)-(\d*\.?\d+)$/) ?? [];
  if (more.length > 0) throw new Error(`one port expected, got ${port} and ${more.join(", ")}`);
  if (!/^\d+$/.test(`${port}`) || Number(port) > 65535) {
    throw new Error(`PORT: expected 0 to 65535, got ${port}`);
  }
  if (!(Number(min) <= Number(max))) {
    throw new Error(`--delay: expected seconds such as 0.5-5, got ${delay}`);
  }
  if (!/^\d*\.?\d+$/.test(`${rate}`) || Number(rate) > 1) {
    throw new Error(`--error-rate: expected 0 to 1, got ${rate}`);
  }
  return { port: Number(port), delay: [Number(min), Number(max)], errorRate: Number(rate) };
}

function fail(error: unknown, hint: string, code: number): never {
  console.error(`${error instanceof Error ? error.message : error}${hint}`);
  Deno.exit(code);
}

if (import.meta.main) {
  let options: SiteOptions;
  try {
    options = parse(Deno.args);
  } catch (error) {
    fail(error, `\n${USAGE}`, 2);
  }
  try {
    const url = `http://127.0.0.1:${serveFlags(options).addr.port}/flags`;
    console.log(`${flagCodes().length} flags at ${url}, such as ${url}/br/br.gif`);
  } catch (error) {
    fail(error, `: port ${options.port}`, 1);
  }
}
