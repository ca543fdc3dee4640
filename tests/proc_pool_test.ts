/** `proc_pool.ts` prints one line for each number, in the order of the numbers. */
import { assertEquals, assertMatch } from "@std/assert";
import { isPrime, NUMBERS } from "../primes.ts";
import { isGranted, ROOT, run, runUntil } from "./helpers.ts";

const ignore = !isGranted("read", "run");

Deno.test("proc_pool.ts checks the numbers, the largest first", { ignore }, async () => {
  const { code, stdout, stderr } = await run("proc_pool.ts 2 --timeline", ROOT);
  assertEquals([code, stderr], [0, ""]);
  const what = "20 numbers with 2 workers";
  const lines = NUMBERS.toReversed().map((n) => {
    return `${`${n}`.padStart(16)}   ${isPrime(n) ? "P" : " "} +\\d+\\.\\d{6}s`;
  });
  const timeline = `\nproc_pool.ts: ${what}\n1 .*=.*\n2 .*=.*\n  \\|0 s.*\n`;
  const expected = [`Checking ${what}:`, ...lines, `Total time: \\d+\\.\\d\\ds\n${timeline}`];
  assertMatch(stdout, RegExp(`^${expected.join("\n")}$`));
});

Deno.test("proc_pool.ts prints a line before the next number is done", { ignore }, async () => {
  // It would take longer than a lifetime to check the prime 2^127 - 1.
  const command = `proc_pool.ts 1 ${2n ** 128n} ${2n ** 127n - 1n}`;
  const { stdout } = await runUntil(command, ROOT, /s\n/, (child) => child.kill());
  assertMatch(stdout, RegExp(`^Checking 2 numbers with 1 worker:\n${2n ** 128n} .*s\n$`));
});

Deno.test("proc_pool.ts names a missing permission in four lines", { ignore }, async () => {
  const { code, stderr } = await run("proc_pool.ts 1 7", ROOT, []);
  assertEquals(code, 1);
  assertMatch(stderr, /^(?=[^]*--allow-read)(.*\n){1,4}$/);
});
