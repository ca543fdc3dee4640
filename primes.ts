/**
 * Work for the cores: telling by trial division whether a number is a prime.
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

/** The chapter's numbers. Most have no small factor, which takes the longest to find out. */
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
 * Whether `n` is a prime: trial division, exact for every integer, and in doubles below 2^54.
 *
 * @throws {RangeError} if `n` is a number and no safe integer
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isPrime(9999999999999917n), true);
 * assertEquals(isPrime(9999999999999999n), false); // as a number, it would be 1e16
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
  if (n >= 2n ** 54n) {
    for (let d = 7n; d * d <= n; d += 2n) if (n % d === 0n) return false;
    return true;
  }

  const half = Number(n >> 1n);
  // One more, for Number(n) may be rounded down; d may go further, for it stays below n.
  const last = Math.sqrt(Number(n)) + 1;
  // Of 30 candidates in a row, all but these 8 are multiples of 2, 3 or 5.
  for (let d = 7; d <= last; d += 30) {
    if (divides(d, half) || divides(d + 4, half) || divides(d + 6, half)) return false;
    if (divides(d + 10, half) || divides(d + 12, half) || divides(d + 16, half)) return false;
    if (divides(d + 22, half) || divides(d + 24, half)) return false;
  }
  return true;
}

/**
 * Whether `d` divides `n`, both odd and `n` below 2^54; `half` is `(n - 1) / 2`.
 *
 * It does exactly when it divides `(n - d) / 2`, which is `x = half - (d - 1) / 2`: a double holds
 * that, for it is below 2^53. And `x / d` comes out whole only if it is: otherwise it is at least
 * `1 / d` away from a whole number, and rounding moves it by `x / d / 2^53` at most, which is less.
 */
function divides(d: number, half: number): boolean {
  const quotient = (half - (d >> 1)) / d;
  return quotient === Math.floor(quotient);
}

/** The whole number that `text` is, with underscores or without; an error says what it is instead. */
export function parseNumber(text: string): bigint {
  if (/^-?\d+(_\d+)*$/.test(text)) return BigInt(text.replaceAll("_", ""));
  throw new Error(`NUMBER: expected a whole number, got ${text || "nothing"}`);
}

if (import.meta.main) {
  const { orExit, print } = await import("./flags_cli.ts");
  const usage = "usage: primes.ts [NUMBER…]";
  if (Deno.args.some((arg) => ["-h", "--help"].includes(arg))) {
    print(`${usage}

  NUMBER…     whole numbers of any size, such as 1_000_000_007; default: the chapter's 20
  -h, --help  this
`);
  } else {
    const given = orExit(() => Deno.args.map(parseNumber), (why) => `${why}\n${usage}`, 2);
    for (const n of given.length > 0 ? given : NUMBERS) {
      print(`${`${n}`.padStart(16)} ${isPrime(n)}\n`);
    }
  }
}
