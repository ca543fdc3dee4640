import { assert, assertEquals } from "@std/assert";
import { type Outcome, POP20_CC } from "../../common/flag.ts";
import { DEFAULTS } from "../../common/options.ts";
import { spansOf } from "../../common/run.ts";
import { test } from "../testing.ts";

test("the chapter's 20 codes are distinct and in the chapter's order", () => {
  assertEquals(new Set(POP20_CC).size, 20);
  assertEquals(POP20_CC.slice(0, 5), ["CN", "IN", "US", "ID", "BR"]);
});

test("the pool's default size is Python's, and never exceeds the maximum", () => {
  const { maxReq, maxWorkers } = DEFAULTS.threadpool;
  assertEquals([maxReq, maxWorkers], [Math.min(32, navigator.hardwareConcurrency + 4), 128]);
  assert(!("maxWorkers" in DEFAULTS.async));
});

const AT = { start: 1000, end: 1400, thread: 3 };

test("a failed download is drawn as a failure, and times are relative to the start of the run", () => {
  const outcomes: Outcome[] = [
    { cc: "BR", ...AT, status: "ok", bytes: 361 },
    { cc: "CN", ...AT, thread: 9, status: "not found", line: "not found" },
  ];
  assertEquals(spansOf(outcomes, 900), [
    { label: "BR", lane: 0, start: 100, end: 500, ok: true },
    { label: "CN", lane: 1, start: 100, end: 500, ok: false },
  ]);
});
