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
import { onSignal, orExit, plural, print, wholeNumber } from "./common/terminal.ts";
import { isPrime, NUMBERS, parseNumber } from "./primes.ts";
import {
  checkTimeline,
  showTimeline,
  type Timed,
  timelineOption,
  withLanes,
} from "./common/timeline.ts";
import { WorkerPoolExecutor } from "./futures/mod.ts";

const HELP = `usage: proc_pool.ts [WORKERS] [NUMBER…] [--timeline [FILE]]

  WORKERS            number of workers, up to 1024; default: the number of cores
  NUMBER…            whole numbers of any size, such as 1_000_000_007; default: the chapter's 20
  --timeline [FILE]  draw a timeline in the terminal, or to an .svg or .json file
  -h, --help         show this help`;

/**
 * The result of one check. `elapsed` is in seconds. `thread`, the start of the worker, and `end`,
 * the end of the check, are in milliseconds since the epoch.
 */
type PrimeResult = { n: bigint; prime: boolean; elapsed: number; thread: number; end: number };

/** Tests one number in a worker, and measures how long the test takes. */
export function check(n: bigint): PrimeResult {
  const t0 = performance.now();
  const prime = isPrime(n);
  const t1 = performance.now();
  const thread = performance.timeOrigin;
  return { n, prime, elapsed: (t1 - t0) / 1000, thread, end: thread + t1 };
}

/** Parses `args`. Throws an error that says what was expected and what was given. */
function parse(args: string[]) {
  const { timeline, rest } = timelineOption(args);
  const [workers = `${navigator.hardwareConcurrency}`, ...given] = rest;
  const maxWorkers = wholeNumber("WORKERS", workers);
  if (maxWorkers > 1024) {
    throw new Error(`WORKERS (the first argument): expected at most 1024, got ${workers}`);
  }
  const numbers = given.length > 0 ? given.map(parseNumber) : [...NUMBERS];
  return { timeline, maxWorkers, numbers: numbers.sort((a, b) => Number(b - a)) };
}

async function main(): Promise<void> {
  const withUsage = (why: string) => `${why}\n${HELP.split("\n")[0]}`;
  const { timeline, maxWorkers: most, numbers } = orExit(() => parse(Deno.args), withUsage, 2);
  orExit(() => checkTimeline(timeline));
  onSignal(Deno.exit);
  const maxWorkers = Math.min(most, numbers.length);
  print(`Checking ${plural(numbers.length, "number")} with ${plural(maxWorkers, "worker")}:\n`);

  const checks: Timed[] = [];
  const t0 = performance.now();
  await using executor = orExit(() => new WorkerPoolExecutor(import.meta.url, { maxWorkers }));
  // The results come in the order of the numbers, regardless of which worker finishes first.
  for await (const { n, prime, elapsed, thread, end } of executor.map(check, numbers)) {
    print(`${`${n}`.padStart(16)}   ${prime ? "P" : " "} ${elapsed.toFixed(6).padStart(9)}s\n`);
    const done = end - performance.timeOrigin - t0;
    checks.push({ label: `${n}`, start: done - elapsed * 1000, end: done, ok: true, thread });
  }
  print(`Total time: ${((performance.now() - t0) / 1000).toFixed(2)}s\n`);
  const title = `proc_pool.ts, ${plural(maxWorkers, "worker")}`;
  const drawing = orExit(() => showTimeline([{ title, spans: withLanes(checks) }], timeline));
  print(drawing && `${drawing}\n`);
}

if (import.meta.main) {
  if (Deno.args.some((arg) => ["-h", "--help"].includes(arg))) print(`${HELP}\n`);
  else await main();
}
