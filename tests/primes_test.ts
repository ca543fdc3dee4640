import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { isPrime, NUMBERS, parseNumber } from "../primes.ts";
import { PROGRAM, run, TempDir, test } from "./testing.ts";

test("of the chapter's 20 numbers, the nine with a P in the book's sample run are prime", () => {
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
  test(`isPrime agrees with a sieve for every ${kind} below 10,000`, () => {
    const sieve = Array.from({ length: 10_000 }, (_, n) => n >= 2);
    for (let d = 2; d < 100; d++) for (let n = d * d; n < 10_000; n += d) sieve[n] = false;
    assertEquals(sieve.map((_, n) => isPrime(of(n))), sieve);
  });
}

test("0, 1 and negative numbers are not prime", () => {
  for (const n of [-0, 0, 1, -1, -2, -7, Number.MIN_SAFE_INTEGER]) {
    assertEquals([n, isPrime(n), isPrime(BigInt(n))], [n, false, false]);
  }
  assertEquals(isPrime(-(2n ** 61n - 1n)), false);
});

test("products and squares of neighboring primes around 2^26.5 and 2^27 are not prime", () => {
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
  test(`every odd number within 64 of 2^${exponent} is classified correctly`, () => {
    const power = 2n ** exponent;
    const expected = exponent === 53n ? [5n, 41n, 57n] : [-53n, -33n];
    const odd = Array.from({ length: 64 }, (_, i) => BigInt(2 * i - 63));
    assertEquals(odd.filter((offset) => isPrime(power + offset)), expected);
  });
}

test("a prime and a product of two large primes just above 2^54 are classified correctly", () => {
  assertEquals(isPrime(2n ** 54n + 159n), true);
  assertEquals(isPrime(134217689n * 134217757n), false);
});

test("composites above 2^60 are not prime, however large", () => {
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

test("Carmichael numbers and strong pseudoprimes are not prime", () => {
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

test("isPrime gives the same answer for a number and for the bigint of the same value", () => {
  for (let n = Number.MAX_SAFE_INTEGER; n > Number.MAX_SAFE_INTEGER - 200; n--) {
    assertEquals([n, isPrime(n)], [n, isPrime(BigInt(n))]);
  }
});

test("rejects a number that is not a safe integer and suggests a bigint", () => {
  for (const n of [2 ** 53, 1e16, -(2 ** 53), 2.5, NaN, Infinity, -Infinity]) {
    const message = `isPrime: expected a safe integer, got ${n}: pass a bigint`;
    assertThrows(() => isPrime(n), RangeError, message);
  }
});

for (
  const [text, n] of [["7", 7n], ["-7", -7n], ["1_000_000_007", 1000000007n], [
    "1000000000000000000000000",
    10n ** 24n,
  ]] as const
) {
  test(`${text} is an integer`, () => assertEquals(parseNumber(text), n));
}

for (const text of ["", "1e3", "0x10", "1__000", "_1", "1_", "1.0", " 7", "--7", "seven"]) {
  test(`${JSON.stringify(text)} is not an integer`, () => {
    const { message } = assertThrows(() => parseNumber(text), Error);
    assertEquals(message, `NUMBER: expected a whole number, got ${text || "nothing"}`);
  });
}

const USAGE = "usage: primes.ts [NUMBER…]";

for (
  const [about, args, expected] of [
    ["checks one number", ["7"], { code: 0, stdout: "               7 true\n", stderr: "" }],
    ["checks several numbers in the given order", ["1_000_000_007", "-7", `${10n ** 24n}`], {
      code: 0,
      stdout: "      1000000007 true\n              -7 false\n1000000000000000000000000 false\n",
      stderr: "",
    }],
    ["rejects invalid numbers before it checks any, and exits with 2", ["7", "1e3"], {
      code: 2,
      stdout: "",
      stderr: `NUMBER: expected a whole number, got 1e3\n${USAGE}\n`,
    }],
  ] as const
) {
  test(`primes.ts: ${about}`, async () => {
    await using dir = new TempDir();
    assertEquals(await run("primes.ts", [...args], dir), expected);
  }, { needs: PROGRAM });
}

test(
  "primes.ts without arguments checks the chapter's numbers, and needs no permission",
  async () => {
    await using dir = new TempDir();
    const { code, stdout, stderr } = await run("primes.ts", [], dir);
    assertEquals([code, stderr], [0, ""]);
    const lines = NUMBERS.map((n) => `${n} ${isPrime(n)}`);
    assertEquals(stdout.split("\n").map((line) => line.trim()), [...lines, ""]);
  },
  { needs: PROGRAM },
);

for (const option of ["-h", "--help"]) {
  test(`primes.ts ${option} prints the usage`, async () => {
    await using dir = new TempDir();
    const { code, stdout, stderr } = await run("primes.ts", [option], dir);
    assertEquals([code, stderr, stdout.split("\n")[0]], [0, "", USAGE]);
    for (const what of ["NUMBER…  ", "-h, --help"]) assertStringIncludes(stdout, what);
  }, { needs: PROGRAM });
}
