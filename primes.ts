/**
 * CPU-bound work: tests by trial division whether a number is prime.
 *
 * ```console
 * $ deno run primes.ts
 *                2 true
 *  142702110479723 true
 *  299593572317531 true
 * 3333333333333301 true
 * 3333333333333333 false
 * …
 * ```
 *
 * @module
 */

/** The chapter's numbers. Most have no small factor, so trial division takes a long time. */
export const NUMBERS: readonly bigint[] = [
  2n,
  142702110479723n,
  299593572317531n,
  3333333333333301n,
  3333333333333333n,
  3333335652092209n,
  4444444444444423n,
  4444444444444444n,
  4444444488888889n,
  5555553133149889n,
  5555555555555503n,
  5555555555555555n,
  6666666666666666n,
  6666666666666719n,
  6666667141414921n,
  7777777536340681n,
  7777777777777753n,
  7777777777777777n,
  9999999999999917n,
  9999999999999999n,
];

/**
 * Returns whether `n` is prime, by trial division. The result is exact for every integer.
 *
 * @throws {RangeError} if `n` is a number but not a safe integer
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isPrime(9999999999999917n), true);
 * assertEquals(isPrime(9999999999999999n), false); // as a number, this would round to 1e16
 * assertEquals(isPrime(97), true);
 * ```
 */
export function isPrime(n: bigint | number): boolean {
  if (typeof n === "number" && !Number.isSafeInteger(n)) {
    throw new RangeError(`isPrime: expected a safe integer, got ${n}: pass a bigint`);
  }
  n = BigInt(n);
  if (n < 2n) return false;
  for (const d of [2n, 3n, 5n]) if (n % d === 0n) return n === d;
  if (n < 2n ** 54n) return !hasDivisor(n);
  for (let d = 7n; d * d <= n; d += 2n) if (n % d === 0n) return false;
  return true;
}

/**
 * Returns whether `n` has a divisor from 7 up to its square root. `n` is below 2^54 and not a
 * multiple of 2, 3 or 5. Divides doubles, which is faster than dividing bigints.
 */
function hasDivisor(n: bigint): boolean {
  const half = Number(n >> 1n);
  // Add 1, because Number(n) may be rounded down. A larger d is harmless, because d stays below n.
  const last = Math.sqrt(Number(n)) + 1;
  // Of 30 candidates in a row, all but these 8 are multiples of 2, 3 or 5.
  for (let d = 7; d <= last; d += 30) {
    if (divides(d, half) || divides(d + 4, half) || divides(d + 6, half)) return true;
    if (divides(d + 10, half) || divides(d + 12, half) || divides(d + 16, half)) return true;
    if (divides(d + 22, half) || divides(d + 24, half)) return true;
  }
  return false;
}

/**
 * Returns whether `d` divides `n`. Both are odd, `n` is below 2^54, and `half` is `(n - 1) / 2`.
 *
 * You may skip this proof that the result is exact. `d` divides `n` exactly when `d` divides
 * `x = (n - d) / 2 = half - (d - 1) / 2`. A double represents `x` exactly, because `x` is below
 * 2^53. The rounded quotient `x / d` is an integer only if the exact quotient is an integer.
 * Otherwise, the exact quotient differs from every integer by at least `1 / d`. Rounding changes the
 * quotient by at most `x / d / 2^53`, which is less than `1 / d`.
 */
function divides(d: number, half: number): boolean {
  const quotient = (half - (d >> 1)) / d;
  return quotient === Math.floor(quotient);
}

const HELP = `[NUMBER…]

  NUMBER…     whole numbers of any size, such as 1_000_000_007;
              default: the chapter's ${NUMBERS.length} numbers
  -h, --help  show this help

The program needs Deno 2.4 or later.`;

if (import.meta.main) {
  // The workers of proc_pool.ts load this module, too. They do not need the command line.
  const { parseArguments, parseNumber, print, runProgram } = await import("./common/terminal.ts");
  await runProgram(HELP, () => {
    const given = parseArguments(Deno.args, HELP).operands.map(parseNumber);
    for (const n of given.length > 0 ? given : NUMBERS) {
      print(`${`${n}`.padStart(16)} ${isPrime(n)}\n`);
    }
  });
}
