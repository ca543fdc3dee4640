/** The tests of `wait`. They use no workers and need no permissions. */

import { assertEquals } from "@std/assert";
import { type FutureState, wait, type WaitOptions } from "../../futures/mod.ts";
import { test } from "../testing.ts";
import { inEveryState } from "./helpers.ts";

const ALL: FutureState[] = ["pending", "running", "cancelled", "finished"];
type States = ReturnType<typeof inEveryState>;
const fails = ({ running }: States) => setTimeout(() => running.reject(undefined));

/** Calls `wait`, changes the futures meanwhile, and returns the states of `done` and `notDone`. */
async function waited(options: WaitOptions, given = ALL, settle = (_: States) => {}) {
  const states = inEveryState();
  const all = given.map((state) => states[state].future);
  const waiting = wait([...all, ...all].values(), options);
  settle(states);
  const { done, notDone } = await waiting;
  const [ended, others] = [done, notDone].map((set) => Array.from(set, ({ state }) => state));
  return `${ended} and ${others}`;
}

test("wait waits for all futures; cancelled and failed ones count as done", async () => {
  const seen = await waited({ timeout: 30_000 }, ALL, (states) => {
    fails(states);
    setTimeout(() => states.pending.future.cancel());
  });
  assertEquals(seen, "cancelled,finished,cancelled,finished and ");
  assertEquals(await waited({}, []), " and ");
}, { sanitizeOps: true });

test("when its timeout expires, wait returns the unfinished futures in notDone", async () => {
  for (const timeout of [0, 20]) {
    assertEquals(await waited({ timeout }), "cancelled,finished and pending,running");
  }
});

test("FIRST_COMPLETED returns when a future is done, and reports all that are done", async () => {
  const options = { returnWhen: "FIRST_COMPLETED", timeout: 30_000 } as const;
  assertEquals(await waited(options, ["pending", "running"], fails), "finished and pending");
  assertEquals(await waited(options), "cancelled,finished and pending,running");
  assertEquals(await waited(options, []), " and ");
}, { sanitizeOps: true });

test("FIRST_EXCEPTION returns when one future fails, and waits for all if none fails", async () => {
  const options = { returnWhen: "FIRST_EXCEPTION", timeout: 30_000 } as const;
  assertEquals(await waited(options, ALL, fails), "finished,cancelled,finished and pending");
  const seen = await waited(options, ALL, ({ pending, running }) => {
    running.resolve(2);
    setTimeout(() => pending.resolve(2));
  });
  assertEquals(seen, "finished,finished,cancelled,finished and ");
}, { sanitizeOps: true });
