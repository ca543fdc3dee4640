/**
 * Serves real flags at http://127.0.0.1:PORT/flags/br/br.gif, with optional delays and errors.
 *
 * ```console
 * $ deno run --allow-net --allow-read flags_server.ts 8001 --delay 0.5-5 --error-rate 0.25
 * 243 flags at http://127.0.0.1:8001/flags, such as http://127.0.0.1:8001/flags/br/br.gif
 * ```
 *
 * @module
 */
import { reason } from "./common/flag.ts";
import { flagCodes, serveFlags, type SiteOptions } from "./common/site.ts";
import { fail, parseArguments, print, runProgram, UsageError } from "./common/terminal.ts";

const DEFAULT_PORT = 8000;
const MAX_PORT = 65535;
/** The maximum delay in seconds. */
const MAX_DELAY = 600;

const HELP = `[PORT] [--delay MIN-MAX] [--error-rate P]
  Serves real flags at http://127.0.0.1:PORT/flags/br/br.gif until Ctrl-C.

  PORT             default: ${DEFAULT_PORT}; 0 picks a free port
  -d, --delay MIN-MAX
                   seconds before each response, a random time from MIN to MAX, at most ${MAX_DELAY};
                   default: 0-0
  -e, --error-rate P
                   the share of requests that get 418 I'm a teapot, from 0 (default) to 1
  -h, --help       show this help

Example: deno task serve 8001 --delay 0.5-5 --error-rate 0.25
The program needs Deno 2.4 or later.`;

/** Parses `args`. Throws a `UsageError` that says what was expected and what was given. */
function parse(args: string[]): Required<SiteOptions> {
  const given = parseArguments(args, HELP, { values: ["delay", "error-rate"] });
  const [port = `${DEFAULT_PORT}`, ...more] = given.operands;
  if (more.length > 0) {
    throw new UsageError(`expected one port, got ${port} and ${more.join(", ")}`);
  }
  return {
    port: parsePort(port),
    delay: parseDelay(given.get("delay") ?? "0-0"),
    errorRate: parseErrorRate(given.get("error-rate") ?? "0"),
  };
}

function parsePort(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= MAX_PORT) return Number(text);
  throw new UsageError(`PORT: expected 0 to ${MAX_PORT}, got ${text || "nothing"}`);
}

function parseDelay(text: string): [min: number, max: number] {
  const [, min = NaN, max = NaN] = (/^(\d*\.?\d+)-(\d*\.?\d+)$/.exec(text) ?? []).map(Number);
  if (min <= max && max <= MAX_DELAY) return [min, max];
  throw new UsageError(
    `--delay: expected seconds such as 0.5-5, at most ${MAX_DELAY}, got ${text || "nothing"}`,
  );
}

function parseErrorRate(text: string): number {
  if (/^\d*\.?\d+$/.test(text) && Number(text) <= 1) return Number(text);
  throw new UsageError(`--error-rate: expected 0 to 1, got ${text || "nothing"}`);
}

function main(): void {
  const options = parse(Deno.args);
  const { length } = flagCodes();
  const site = serve(options);
  const url = `http://127.0.0.1:${site.addr.port}/flags`;
  print(`${length} flags at ${url}, such as ${url}/br/br.gif\n`);
}

function serve(options: Required<SiteOptions>): Deno.HttpServer<Deno.NetAddr> {
  try {
    return serveFlags(options);
  } catch (error) {
    fail(`cannot use port ${options.port}: ${reason(error)}`);
  }
}

if (import.meta.main) await runProgram(HELP, main);
