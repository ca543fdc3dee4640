import { assert, assertEquals } from "@std/assert";
import { check } from "../proc_pool.ts";
import { test } from "./testing.ts";

test("check returns the number, whether it is prime, and the seconds it took", () => {
  const { n, prime, elapsed, thread, end } = check(9999999999999917n);
  assertEquals([n, prime], [9999999999999917n, true]);
  assert(elapsed > 0);
  assert(end >= thread + elapsed * 1000);
});
