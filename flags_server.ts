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

const IMAGES = new URL(".", import.meta.resolve("famfamfam-flags/dist/gif/br.gif"));
/** Seconds. */
const MAX_DELAY = 600;
const USAGE = "usage: flags_server.ts [PORT] [--delay MIN-MAX] [--error-rate P]";
const HELP = `${USAGE}
  Serves real flags at http://127.0.0.1:PORT/flags/br/br.gif until Ctrl-C.

  PORT             default: 8000; 0 picks a free one
  --delay MIN-MAX  seconds before each answer, a random time from MIN to MAX, at most ${MAX_DELAY};
                   default: 0-0
  --error-rate P   the share of requests that get 418 I'm a teapot, from 0 (default) to 1
  -h, --help       this

  deno task serve 8001 --delay 0.5-5 --error-rate 0.25`;

/** How the site behaves. */
export interface SiteOptions {
  /** The port on 127.0.0.1; 0, the default, picks a free one. */
  port?: number;
  /** Seconds before each answer: a random time from the first to the second. Default: none. */
  delay?: [min: number, max: number];
  /** The share of requests that gets `418 I'm a teapot`, from 0 (the default) to 1. */
  errorRate?: number;
}

/** The site in the moods that `--server` knows: late as the web, slow, and failing. */
export const SITES: Record<string, SiteOptions> = {
  LOCAL: { delay: [0.2, 0.4] },
  DELAY: { delay: [0.5, 5] },
  ERROR: { delay: [0.5, 0.5], errorRate: 0.25 },
};

/**
 * Serves the flags until it is disposed of; `addr.port` is the port.
 *
 * @throws {Deno.errors.AddrInUse} if something listens on the port already
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
  return Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, async ({ method, url }) => {
    const late = (min + Math.random() * (max - min)) * 1000;
    if (late > 0) await new Promise((resolve) => setTimeout(resolve, late).unref());
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
  });
}

/** The codes of all the flags the site has, in upper case and in order. */
export function flagCodes(): string[] {
  return Array.from(Deno.readDirSync(IMAGES), ({ name }) => name)
    .filter((name) => /^[a-z]{2}\.gif$/.test(name))
    .map((name) => name.slice(0, 2).toUpperCase())
    .sort();
}

/** The options in `args`, or what is wrong with them. */
async function parse(args: string[]): Promise<SiteOptions | string> {
  const { parseArgs } = await import("@std/cli/parse-args");
  const unknown: string[] = [];
  const options = parseArgs(args, {
    string: ["_", "delay", "error-rate"],
    unknown: (arg) => !arg.startsWith("-") || unknown.push(arg),
  });
  const [port = "8000", ...more] = options._;
  const { delay = "0-0", "error-rate": rate = "0" } = options;
  const [min = NaN, max = NaN] =
    `${delay}`.match(/^(\d*\.?\d+)-(\d*\.?\d+)$/)?.slice(1).map(Number) ?? [];
  if (unknown.length > 0) return `unknown option: ${unknown[0]}`;
  if (more.length > 0) return `one port expected, got ${port} and ${more.join(", ")}`;
  if (!/^\d+$/.test(`${port}`) || Number(port) > 65535) {
    return `PORT: expected 0 to 65535, got ${port || "nothing"}`;
  }
  if (!(min <= max)) return `--delay: expected seconds such as 0.5-5, got ${delay || "nothing"}`;
  if (max > MAX_DELAY) return `--delay: expected at most ${MAX_DELAY} s, got ${delay}`;
  if (!/^\d*\.?\d+$/.test(`${rate}`) || Number(rate) > 1) {
    return `--error-rate: expected 0 to 1, got ${rate || "nothing"}`;
  }
  return { port: Number(port), delay: [min, max], errorRate: Number(rate) };
}

async function main(args: string[]): Promise<void> {
  const options = await parse(args);
  let site: ReturnType<typeof serveFlags> | undefined;
  try {
    if (args.includes("--help") || args.includes("-h")) return console.log(HELP);
    if (typeof options === "string") throw new Error(`${options}\n${USAGE}`);
    site = serveFlags(options);
    const url = `http://127.0.0.1:${site.addr.port}/flags`;
    console.log(`${flagCodes().length} flags at ${url}, such as ${url}/br/br.gif`);
  } catch (error) {
    const at = typeof options === "string" || site ? "" : `cannot use port ${options.port}: `;
    console.error(
      `${at}${error instanceof Error ? error.message : error}`.replace(/ \(os error.*/s, ""),
    );
    Deno.exit(typeof options === "string" ? 2 : 1);
  }
}

if (import.meta.main) await main(Deno.args);
