/** `isPrime` is exact for every integer, and `primes.ts` prints what it returns. */
import { assertEquals, assertThrows } from "@std/assert";
import { parseNumber, UsageError } from "../common/terminal.ts";
import { isPrime, NUMBERS } from "../primes.ts";
import { isGranted, ROOT, run } from "./helpers.ts";

const ignore = !isGranted("read", "run");

Deno.test("isPrime finds the nine primes among the 20 numbers of the chapter", () => {
  const primes = NUMBERS.map((n, i) => isPrime(n) ? i : NaN).filter((i) => i >= 0);
  assertEquals([NUMBERS.length, primes], [20, [0, 1, 2, 3, 6, 10, 13, 16, 18]]);
});

for (const [kind, of] of [["number", Number], ["bigint", BigInt]] as const) {
  Deno.test(`isPrime agrees with a sieve for every ${kind} below 10,000`, () => {
    const sieve = Array.from({ length: 10_000 }, (_, n) => n >= 2);
    for (let d = 2; d < 100; d++) {
      for (let n = d * d; n < 10_000; n += d) sieve[n] = false;
    }
    assertEquals(sieve.map((_, n) => isPrime(of(n))), sieve);
  });
}

Deno.test("isPrime returns false for negative numbers", () => {
  assertEquals([-1, -2, -7, -(2n ** 61n - 1n)].some(isPrime), false);
});

for (const primes of [[94906219n, 94906247n, 94906249n], [134217617n, 134217649n, 134217689n]]) {
  Deno.test(`isPrime rejects products and squares of primes such as ${primes[0]}`, () => {
    assertEquals(primes.filter(isPrime), primes);
    const products = primes.flatMap((p) => primes.map((q) => p * q));
    assertEquals(products.filter(isPrime), []);
  });
}

for (const [exponent, offsets] of [[53n, [5n, 41n, 57n]], [54n, [-53n, -33n]]] as const) {
  Deno.test(`isPrime is right for every odd number within 64 of 2^${exponent}`, () => {
    const odd = Array.from({ length: 64 }, (_, i) => BigInt(2 * i - 63));
    assertEquals(odd.filter((offset) => isPrime(2n ** exponent + offset)), [...offsets]);
  });
}

for (const n of [2 ** 53, 2.5, Infinity]) {
  Deno.test(`isPrime rejects ${n} and suggests a bigint`, () => {
    const message = `isPrime: expected a safe integer, got ${n}: pass a bigint`;
    assertThrows(() => isPrime(n), RangeError, message);
  });
}

for (const [text, n] of [["-7", -7n], ["1_000_000", 1000000n]] as const) {
  Deno.test(`parseNumber accepts ${text}`, () => assertEquals(parseNumber(text), n));
}

for (const text of ["", "1e3", "1__000", "_1", "1_", "--7"]) {
  Deno.test(`parseNumber rejects "${text}"`, () => {
    const message = `NUMBER: expected a whole number, got ${text || "nothing"}`;
    assertEquals(assertThrows(() => parseNumber(text), UsageError).message, message);
  });
}

const COMMANDS: [args: string, code: number, stdout: string, stderr: string][] = [
  ["97 1_000", 0, "              97 true\n            1000 false\n", ""],
  ["7 x", 2, "", "NUMBER: expected a whole number, got x\nusage: primes.ts [NUMBER…]\n"],
];

for (const [args, code, stdout, stderr] of COMMANDS) {
  Deno.test(`primes.ts ${args} exits with ${code}`, { ignore }, async () => {
    assertEquals(await run(`primes.ts ${args}`, ROOT, []), { code, stdout, stderr });
  });
}
