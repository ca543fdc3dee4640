/**
 * Runs the three downloaders against the same site, one after another. Shows the results in a table
 * and in timelines that are drawn to the same scale.
 *
 * ```console
 * $ deno run -A compare.ts
 * ```
 *
 * @module
 */
import { clock, type Outcome } from "./common/flag.ts";
import { DEFAULTS, finish, setUp, spansOf } from "./common/run.ts";
import { fail, onSignal, plural, print, reason } from "./common/terminal.ts";
import { downloadMany as sequential } from "./flags.ts";
import { downloadMany as async } from "./flags_async.ts";
import { downloadMany as threadpool } from "./flags_threadpool.ts";
import type { Chart, Span } from "./common/timeline.ts";

/** Returns the seconds that the same downloads would take if no connection were ever idle. */
function ideal(spans: Span[], connections: number): number {
  const times = spans.map(({ start, end }) => end - start);
  const total = times.reduce((sum, ms) => sum + ms, 0);
  return Math.max(total / connections, ...times) / 1000;
}

const setup = await setUp();
const { flags } = setup;
console.error(`${setup.what}, three times`);

const charts: Chart[] = [];
const outcomes: Outcome[] = [];
let running = "";
onSignal((code) => fail(`${running} was cut short: nothing to compare`, code));
let slowest: number | undefined;
print("program              connections  seconds      speed-up  ideal s\n");
for (
  const [program, downloadMany, wanted] of [
    ["flags.ts", sequential, 1],
    ["flags_threadpool.ts", threadpool, setup.options.maxReq ?? DEFAULTS.threadpool.maxReq],
    ["flags_async.ts", async, setup.options.maxReq ?? DEFAULTS.async.maxReq],
  ] as const
) {
  running = program;
  const most = downloadMany === threadpool ? DEFAULTS.threadpool.most : Infinity;
  const connections = Math.min(wanted, flags.length, most);
  const arrived: Outcome[] = [];
  const begin = clock();
  await downloadMany(flags, connections, (outcome) => {
    arrived.push(outcome);
    if (outcome.status === "unwritable") finish(setup, [outcome], []);
  }).catch((error) => fail(reason(error)));
  const seconds = (clock() - begin) / 1000;
  const spans = spansOf(arrived, begin);
  const any = arrived.some(({ status }) => status === "ok");
  slowest ??= any ? seconds : undefined;
  const cells = [
    program.padEnd(19),
    `${connections}`.padStart(12),
    seconds.toFixed(2).padStart(8),
    (any && slowest ? (slowest / seconds).toFixed(1) : "–").padStart(13),
    (any ? ideal(spans, connections).toFixed(2) : "–").padStart(8),
  ];
  print(`${cells.join(" ")}\n`);
  outcomes.push(...arrived);
  charts.push({
    title: `${program}: ${seconds.toFixed(2)} s, ${plural(connections, "connection")}`,
    spans,
  });
}
const options = { ...setup.options, timeline: setup.options.timeline || true };
finish({ ...setup, options }, outcomes, charts);
