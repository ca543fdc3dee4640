/**
 * The built-in flag site. It serves real flags at http://127.0.0.1:PORT/flags/br/br.gif, with
 * optional delays and errors.
 *
 * ```console
 * $ deno run --allow-net --allow-read flags_server.ts 8001 --delay 0.5-5 --error-rate 0.25
 * 243 flags at http://127.0.0.1:8001/flags, such as http://127.0.0.1:8001/flags/br/br.gif
 * ```
 *
 * @module
 */
// The contents of aliases.json are not used. The import makes Deno download the package that
// contains the images.
import "famfamfam-flags/aliases.json" with { type: "json" };
import { parseArguments } from "./common/arguments.ts";
import { orExit, print } from "./common/terminal.ts";

const IMAGES = new URL(".", import.meta.resolve("famfamfam-flags/dist/gif/br.gif"));
const DEFAULT_PORT = 8000;
const MAX_PORT = 65535;
/** The maximum delay in seconds. */
const MAX_DELAY = 600;

const USAGE = "usage: flags_server.ts [PORT] [--delay MIN-MAX] [--error-rate P]";
const HELP = `${USAGE}
  Serves real flags at http://127.0.0.1:PORT/flags/br/br.gif until Ctrl-C.

  PORT             default: ${DEFAULT_PORT}; 0 picks a free port
  --delay MIN-MAX  seconds before each response, a random time from MIN to MAX, at most ${MAX_DELAY};
                   default: 0-0
  --error-rate P   the share of requests that get 418 I'm a teapot, from 0 (default) to 1
  -h, --help       show this help

Example: deno task serve 8001 --delay 0.5-5 --error-rate 0.25
The program needs Deno 2.4 or later.`;

const SYNTAX = {
  delay: { takesValue: true },
  "error-rate": { takesValue: true },
  help: { letter: "h" },
};

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

/** Parses `args`. Throws an error that says what was expected and what was given. */
function parse(args: string[]): Required<SiteOptions> & { help: boolean } {
  const { switches, values, operands } = parseArguments(args, SYNTAX);
  const [port = `${DEFAULT_PORT}`, ...more] = operands;
  if (more.length > 0) throw new Error(`expected one port, got ${port} and ${more.join(", ")}`);
  return {
    help: switches.has("help"),
    port: parsePort(port),
    delay: parseDelay(values.get("delay") ?? "0-0"),
    errorRate: parseErrorRate(values.get("error-rate") ?? "0"),
  };
}

function parsePort(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= MAX_PORT) return Number(text);
  throw new Error(`PORT: expected 0 to ${MAX_PORT}, got ${text || "nothing"}`);
}

function parseDelay(text: string): [min: number, max: number] {
  const [, min = NaN, max = NaN] = (/^(\d*\.?\d+)-(\d*\.?\d+)$/.exec(text) ?? []).map(Number);
  if (!(min <= max)) {
    throw new Error(`--delay: expected seconds such as 0.5-5, got ${text || "nothing"}`);
  }
  if (max > MAX_DELAY) throw new Error(`--delay: expected at most ${MAX_DELAY} s, got ${text}`);
  return [min, max];
}

function parseErrorRate(text: string): number {
  if (/^\d*\.?\d+$/.test(text) && Number(text) <= 1) return Number(text);
  throw new Error(`--error-rate: expected 0 to 1, got ${text || "nothing"}`);
}

async function main(): Promise<void> {
  const { help, ...options } = orExit(() => parse(Deno.args), (why) => `${why}\n${USAGE}`, 2);
  if (help) return await print(`${HELP}\n`);
  const codes = orExit(flagCodes, (why) => `cannot read the images: ${why}`);
  const site = orExit(
    () => serveFlags(options),
    (why) => `cannot use port ${options.port}: ${why}`,
  );
  const url = `http://127.0.0.1:${site.addr.port}/flags`;
  await print(`${codes.length} flags at ${url}, such as ${url}/br/br.gif\n`);
}

if (import.meta.main) await main();
