/**
 * Checks the chapter's numbers against C and CPython, on every core, and by their size.
 *
 * ```console
 * $ deno task bench primes
 * ```
 *
 * It takes about two minutes. Peers take turns, every turn is a process of its own, and the best of 9
 * turns counts: of 3 for CPython, which needs its time. A pool of more workers that comes out slower than
 * one worker was disturbed, and is measured again. A peer that the machine lacks is named and left out.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import { isPrime, NUMBERS } from "../primes.ts";
import { has, machine, table, timed } from "./bench.ts";

const TURNS = 9;
const SLOW_TURNS = 3;

interface Peer {
  name: string;
  turns: number;
  /** The seconds that one turn took. */
  run(): Promise<number>;
}

const args = NUMBERS.toReversed().map(String);
const count = NUMBERS.filter(isPrime).length;
const path = (specifier: string) => fromFileUrl(import.meta.resolve(specifier));
const ms = (seconds: number) => (seconds * 1000).toFixed(seconds < 0.01 ? 2 : 0);
const times = (ratio: number) => `${ratio.toFixed(2)}x`;

/** The time that a program took by its own clock: it prints that, and the count of primes. */
async function clocked(command: string, args: string[]): Promise<number> {
  const { output } = await timed(command, args);
  const [seconds = NaN, primes] = output.trim().split(" ").map(Number);
  if (primes !== count) throw new Error(`${command}: expected ${count} primes, got ${output}`);
  return seconds;
}

/** The best turn of each peer, in seconds. */
async function race(peers: Peer[]): Promise<number[]> {
  const best = peers.map(() => Infinity);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [i, { turns, run }] of peers.entries()) {
      if (turn < turns) best[i] = Math.min(best[i] ?? NaN, await run());
    }
  }
  return best;
}

/** `isPrime` on one core, against the same work in C and in CPython. */
async function oneCore(dir: string, cc: boolean, python: boolean): Promise<string> {
  const code = `
    import { isPrime } from ${JSON.stringify(import.meta.resolve("../primes.ts"))};
    const numbers = Deno.args.map(BigInt);
    const t0 = performance.now();
    const primes = numbers.filter(isPrime).length;
    console.log((performance.now() - t0) / 1000, primes);`;
  const peers: Peer[] = [{
    name: "isPrime, Deno",
    turns: TURNS,
    run: () => clocked(Deno.execPath(), ["eval", code, ...args]),
  }];
  if (cc) {
    const binary = join(dir, "primes");
    await timed("cc", ["-O3", "-o", binary, path("./primes.c"), "-lm"]);
    peers.push(
      { name: "the same in C", turns: TURNS, run: () => clocked(binary, ["wheel", ...args]) },
      { name: "the book's loop in C", turns: TURNS, run: () => clocked(binary, ["book", ...args]) },
    );
  }
  if (python) {
    const run = () => clocked("python3", [path("./primes.py"), "0", ...args]);
    peers.push({ name: "the book's loop in CPython", turns: SLOW_TURNS, run });
  }
  const best = await race(peers);
  const [ours = NaN] = best;
  const rows = peers.map(({ name }, i) => {
    const seconds = best[i] ?? NaN;
    return [name, ms(seconds), times(seconds / ours)];
  });
  return table(["20 numbers on one core", "ms", "against isPrime"], rows);
}

/** Whole processes with more and more workers: proc_pool.ts, and CPython's ProcessPoolExecutor. */
async function workers(python: boolean): Promise<string> {
  const cores = navigator.hardwareConcurrency;
  const counts = [1, 2, 4, 8, 16, 32, 64, 128].filter((n) => n < cores).concat(cores);
  const pools = (name: string, turns: number, command: string, before: string[], after: string[]) =>
    counts.map((n): Peer => ({
      name,
      turns,
      run: async () => (await timed(command, [...before, `${n}`, ...after])).seconds,
    }));
  const program = ["run", "--allow-read", path("../proc_pool.ts")];
  const peers = pools("proc_pool.ts", TURNS, Deno.execPath(), program, []);
  if (python) peers.push(...pools("CPython", SLOW_TURNS, "python3", [path("./primes.py")], args));
  let best = await race(peers);
  const isDisturbed = (seconds: number, i: number) =>
    seconds > (best[i - i % counts.length] ?? Infinity);
  for (let again = 0; again < 2 && best.some(isDisturbed); again++) {
    console.log("disturbed: once more");
    best = await race(peers);
  }

  const rows = counts.map((n, i) => {
    const [ours = NaN, theirs] = [best[i], best[counts.length + i]];
    const speedUp = (best[0] ?? NaN) / ours;
    const row = [n, ms(ours), times(speedUp), (speedUp / n).toFixed(2)];
    return theirs === undefined ? row : [...row, ms(theirs), times(theirs / ours)];
  });
  const header = ["workers, whole process", "proc_pool.ts, ms", "faster than one", "of the ideal"];
  const of = ((best[1] ?? NaN) / (best[0] ?? NaN)).toFixed(2);
  const goal = `- ${counts[1]} workers take ${of} of the time of one; the goal is at most 0.65`;
  const all = table(python ? [...header, "CPython, ms", "against proc_pool.ts"] : header, rows);
  return counts.length > 1 ? `${all}\n\n${goal}` : all;
}

/** The largest primes below the powers of 10: what a number takes grows with its root. */
function sizes(): string {
  const primes = [
    10n ** 12n - 11n,
    10n ** 13n - 29n,
    10n ** 14n - 27n,
    10n ** 15n - 11n,
    10n ** 16n - 63n,
  ];
  let previous = NaN;
  const rows = primes.map((n) => {
    let best = Infinity;
    for (let turn = 0; turn < TURNS; turn++) {
      const t0 = performance.now();
      if (!isPrime(n)) throw new Error(`expected a prime, got ${n}`);
      best = Math.min(best, (performance.now() - t0) / 1000);
    }
    const growth = best / previous;
    previous = best;
    const divisions = Math.sqrt(Number(n)) * 8 / 30;
    const each = (best * 1e9 / divisions).toFixed(2);
    return [`${n}`, ms(best), Number.isNaN(growth) ? "" : times(growth), each];
  });
  return table(["prime", "ms", "the one before (√10: 3.16x)", "ns for a division"], rows);
}

console.log(`${await machine()}\n`);
const [cc, python] = [await has("cc"), await has("python3")];
if (!cc) console.log("cc: not on this machine, left out\n");
if (!python) console.log("python3: not on this machine, left out\n");

const dir = await Deno.makeTempDir({ prefix: "primes" });
try {
  console.log(`${await oneCore(dir, cc, python)}\n`);
} finally {
  await Deno.remove(dir, { recursive: true });
}
console.log(`${await workers(python)}\n`);
console.log(sizes());
