/** `isPrime` is exact for every integer, and `primes.ts` prints what it returns. */
import { assertEquals, assertThrows } from "@std/assert";
import { parseNumber, UsageError } from "../common/terminal.ts";
import { isPrime, NUMBERS } from "../primes.ts";
import { isGranted, run, tempDir } from "./helpers.ts";

const ignore = !isGranted("read", "run", "write");

Deno.test("isPrime finds the nine primes among the 20 numbers of the chapter", () => {
  assertEquals(NUMBERS.length, 20);
  assertEquals(NUMBERS.filter(isPrime), [
    2n,
    142702110479723n,
    299593572317531n,
    3333333333333301n,
    4444444444444423n,
    5555555555555503n,
    6666666666666719n,
    7777777777777753n,
    9999999999999917n,
  ]);
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
  for (const n of [-1, -2, -7, Number.MIN_SAFE_INTEGER, -(2n ** 61n - 1n)]) {
    assertEquals([n, isPrime(n)], [n, false]);
  }
});

for (const primes of [[94906219n, 94906247n, 94906249n], [134217617n, 134217649n, 134217689n]]) {
  Deno.test(`isPrime rejects products and squares of primes such as ${primes[0]}`, () => {
    for (const p of primes) {
      assertEquals([p, isPrime(p)], [p, true]);
      for (const q of primes) assertEquals([p, q, isPrime(p * q)], [p, q, false]);
    }
  });
}

for (const [exponent, offsets] of [[53n, [5n, 41n, 57n]], [54n, [-53n, -33n]]] as const) {
  Deno.test(`isPrime is right for every odd number within 64 of 2^${exponent}`, () => {
    const odd = Array.from({ length: 64 }, (_, i) => BigInt(2 * i - 63));
    assertEquals(odd.filter((offset) => isPrime(2n ** exponent + offset)), [...offsets]);
  });
}

Deno.test("isPrime accepts a number and a bigint above 2^54", () => {
  assertEquals(isPrime(Number.MAX_SAFE_INTEGER), isPrime(BigInt(Number.MAX_SAFE_INTEGER)));
  assertEquals([isPrime(10n ** 24n), isPrime(1000003n ** 4n)], [false, false]);
});

for (const n of [2 ** 53, -(2 ** 53), 2.5, NaN, Infinity]) {
  Deno.test(`isPrime rejects ${n} and suggests a bigint`, () => {
    const message = `isPrime: expected a safe integer, got ${n}: pass a bigint`;
    assertThrows(() => isPrime(n), RangeError, message);
  });
}

for (
  const [text, n] of [["-7", -7n], ["1_000_000", 1000000n], [`${10n ** 24n}`, 10n ** 24n]] as const
) {
  Deno.test(`parseNumber accepts ${text}`, () => assertEquals(parseNumber(text), n));
}

for (const text of ["", "1e3", "1__000", "_1", "1_", "1.0", " 7", "--7"]) {
  Deno.test(`parseNumber rejects "${text}"`, () => {
    const message = `NUMBER: expected a whole number, got ${text || "nothing"}`;
    assertEquals(assertThrows(() => parseNumber(text), UsageError).message, message);
  });
}

const COMMANDS: [args: string[], code: number, stdout: string, stderr: string][] = [
  [["97", "1_000"], 0, "              97 true\n            1000 false\n", ""],
  [["7", "x"], 2, "", "NUMBER: expected a whole number, got x\nusage: primes.ts [NUMBER…]\n"],
];

for (const [args, code, stdout, stderr] of COMMANDS) {
  Deno.test(`primes.ts ${args.join(" ")} exits with ${code}`, { ignore }, async () => {
    using dir = tempDir();
    assertEquals(await run("primes.ts", args, dir.path, []), { code, stdout, stderr });
  });
}
