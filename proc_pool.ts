/**
 * Checks numbers for primality in a pool of workers, with `executor.map`.
 *
 * ```console
 * $ deno task primes 2
 * Checking 20 numbers with 2 workers:
 * 9999999999999999      0.000105s
 * 9999999999999917   P  0.044939s
 * 7777777777777777      0.000046s
 * 7777777777777753   P  0.043643s
 * 7777777536340681      0.031733s
 * 6666667141414921      0.030266s
 * 6666666666666719   P  0.029695s
 * 6666666666666666      0.000005s
 * 5555555555555555      0.000005s
 * 5555555555555503   P  0.028050s
 * 5555553133149889      0.026920s
 * 4444444488888889      0.024520s
 * 4444444444444444      0.000005s
 * 4444444444444423   P  0.024325s
 * 3333335652092209      0.021291s
 * 3333333333333333      0.000002s
 * 3333333333333301   P  0.021096s
 *  299593572317531   P  0.006257s
 *  142702110479723   P  0.004852s
 *                2   P  0.000003s
 * Total time: 0.23s
 * ```
 *
 * @module
 */
import type { Timed } from "./common/timeline.ts";
import type { TimelineOption } from "./common/timeline_option.ts";
import { WorkerPoolExecutor } from "./futures/mod.ts";
import { isPrime, NUMBERS, parseNumber } from "./primes.ts";

/**
 * The result of one check. `elapsed` is in seconds. `thread`, the start of the worker, and `end`,
 * the end of the check, are in milliseconds since the epoch.
 */
export interface PrimeResult {
  n: bigint;
  prime: boolean;
  elapsed: number;
  thread: number;
  end: number;
}

/** Tests one number in a worker, and measures how long the test takes. */
export function check(n: bigint): PrimeResult {
  const t0 = performance.now();
  const prime = isPrime(n);
  const t1 = performance.now();
  const thread = performance.timeOrigin;
  return { n, prime, elapsed: (t1 - t0) / 1000, thread, end: thread + t1 };
}

async function main(): Promise<void> {
  // Each worker loads this module. Only the main program needs the command line and the timeline.
  const { orExit, plural, print } = await import("./common/terminal.ts");
  const { withLanes } = await import("./common/timeline.ts");
  const { checkTimeline, showTimeline } = await import("./common/timeline_option.ts");

  const { help, timeline, numbers, ...options } = await optionsOrExit();
  if (help) return await print(`${HELP}\n`);
  orExit(() => checkTimeline(timeline));
  const maxWorkers = Math.min(options.maxWorkers, numbers.length);
  const workers = plural(maxWorkers, "worker");
  await print(`Checking ${plural(numbers.length, "number")} with ${workers}:\n`);

  const checks: Timed[] = [];
  const t0 = performance.now();
  await using executor = orExit(() => new WorkerPoolExecutor(import.meta.url, { maxWorkers }));
  // The results come in the order of the numbers, regardless of which worker finishes first.
  for await (const { n, prime, elapsed, thread, end } of executor.map(check, numbers)) {
    const mark = prime ? "P" : " ";
    await print(`${`${n}`.padStart(16)}   ${mark} ${elapsed.toFixed(6).padStart(9)}s\n`);
    const done = end - performance.timeOrigin - t0;
    checks.push({ label: `${n}`, start: done - elapsed * 1000, end: done, ok: true, thread });
  }
  const seconds = (performance.now() - t0) / 1000;
  await print(`Total time: ${seconds.toFixed(2)}s\n`);
  const charts = [{ title: `proc_pool.ts, ${workers}`, spans: withLanes(checks) }];
  const drawing = orExit(() => showTimeline(charts, timeline));
  if (drawing) await print(`${drawing}\n`);
}

const MAX_WORKERS = 1024;
const USAGE = "usage: proc_pool.ts [WORKERS] [NUMBER…] [--timeline [FILE]]";
const HELP = `${USAGE}

  WORKERS            number of workers, up to ${MAX_WORKERS}; default: the number of cores
  NUMBER…            whole numbers of any size, such as 1_000_000_007;
                     default: the chapter's ${NUMBERS.length} numbers
  --timeline [FILE]  draw a timeline in the terminal, or to an .svg or .json file
  -h, --help         show this help

The program needs Deno 2.4 or later.`;

/** The parsed command-line options. */
interface Options {
  help: boolean;
  timeline: TimelineOption;
  maxWorkers: number;
  /** The numbers to check, the largest first. */
  numbers: bigint[];
}

/** Parses the arguments. If one is wrong, says what was expected and given, and exits. */
async function optionsOrExit(): Promise<Options> {
  const { parseArguments } = await import("./common/arguments.ts");
  const { orExit, wholeNumber } = await import("./common/terminal.ts");
  const { timelineOption } = await import("./common/timeline_option.ts");

  function parse(): Options {
    const { timeline, rest } = timelineOption(Deno.args);
    const { switches, operands } = parseArguments(rest, { help: { letter: "h" } });
    const [workers = `${navigator.hardwareConcurrency}`, ...given] = operands;
    const maxWorkers = wholeNumber("WORKERS", workers);
    if (maxWorkers > MAX_WORKERS) {
      throw new Error(
        `WORKERS (the first argument): expected at most ${MAX_WORKERS}, got ${workers}`,
      );
    }
    const numbers = given.length > 0 ? given.map(parseNumber) : [...NUMBERS];
    numbers.sort((a, b) => Number(b - a));
    return { help: switches.has("help"), timeline, maxWorkers, numbers };
  }

  return orExit(parse, (why) => `${why}\n${USAGE}`, 2);
}

if (import.meta.main) await main();
