import { assertEquals, assertThrows } from "@std/assert";
import { isPrime, NUMBERS } from "../primes.ts";

Deno.test("of the chapter's 20 numbers, the nine with a P in its sample run are primes", () => {
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

Deno.test("every number below 10,000 is what a sieve says, as a number and as a bigint", () => {
  const sieve = Array.from({ length: 10_000 }, (_, n) => n >= 2);
  for (let d = 2; d < 100; d++) for (let n = d * d; n < 10_000; n += d) sieve[n] = false;
  assertEquals(sieve.map((_, n) => isPrime(n)), sieve);
  assertEquals(sieve.map((_, n) => isPrime(BigInt(n))), sieve);
});

Deno.test("0, 1 and negative numbers are no primes", () => {
  for (const n of [-0, 0, 1, -1, -2, -7, Number.MIN_SAFE_INTEGER]) {
    assertEquals([n, isPrime(n), isPrime(BigInt(n))], [n, false, false]);
  }
  assertEquals(isPrime(-(2n ** 61n - 1n)), false);
});

Deno.test("products of neighbouring primes around 2^26.5 and 2^27 are no primes, nor squares", () => {
  for (
    const primes of [
      [94906219n, 94906247n, 94906249n, 94906297n, 94906319n, 94906373n],
      [134217617n, 134217649n, 134217689n],
    ]
  ) {
    for (const p of primes) {
      assertEquals([p, isPrime(p)], [p, true]);
      for (const q of primes) assertEquals([p, q, isPrime(p * q)], [p, q, false]);
    }
  }
});

for (const exponent of [53n, 54n]) {
  Deno.test(`every odd number within 64 of 2^${exponent} gets its answer`, () => {
    const power = 2n ** exponent;
    const expected = exponent === 53n ? [5n, 41n, 57n] : [-53n, -33n];
    const odd = Array.from({ length: 64 }, (_, i) => BigInt(2 * i - 63));
    assertEquals(odd.filter((offset) => isPrime(power + offset)), expected);
  });
}

Deno.test("just past 2^54 a prime and the product of two large primes get their answer", () => {
  assertEquals(isPrime(2n ** 54n + 159n), true);
  assertEquals(isPrime(134217689n * 134217757n), false);
});

Deno.test("composites beyond 2^60 are no primes, however large", () => {
  const composites = [
    2n ** 60n,
    2n ** 61n + 1n,
    1000003n ** 4n,
    (2n ** 127n - 1n) * 1000003n,
    2n ** 2000n + 1n,
  ];
  for (const n of composites) {
    assertEquals([n, isPrime(n)], [n, false]);
  }
});

Deno.test("Carmichael numbers and strong pseudoprimes are no primes", () => {
  const carmichael = [561n, 41041n, 825265n, 321197185n, 9746347772161n, 1436697831295441n];
  const strong = [
    2047n,
    1373653n,
    25326001n,
    3215031751n,
    2152302898747n,
    3474749660383n,
    341550071728321n,
    3825123056546413051n,
  ];
  for (const n of [...carmichael, ...strong]) assertEquals([n, isPrime(n)], [n, false]);
});

Deno.test("a number and the bigint of the same value get the same answer", () => {
  for (let n = Number.MAX_SAFE_INTEGER; n > Number.MAX_SAFE_INTEGER - 200; n--) {
    assertEquals([n, isPrime(n)], [n, isPrime(BigInt(n))]);
  }
});

Deno.test("a number that is no safe integer is refused with the advice to pass a bigint", () => {
  for (const n of [2 ** 53, 1e16, -(2 ** 53), 2.5, NaN, Infinity, -Infinity]) {
    const message = `isPrime: expected a safe integer, got ${n}: pass a bigint`;
    assertThrows(() => isPrime(n), RangeError, message);
  }
});
