/**
 * Runs the three downloaders on the same site, one after the other, and compares them: in a table, and
 * in a picture of who waited for whom, on one scale.
 *
 * ```console
 * $ deno run -A compare.ts
 * ```
 *
 * @module
 */
import { DEFAULT_MAX_REQ, finish, plural, print, type Run, setUp, timedRun } from "./flags_cli.ts";
import { downloadMany as sequential } from "./flags.ts";
import { downloadMany as async } from "./flags_async.ts";
import { downloadMany as threadpool } from "./flags_threadpool.ts";

/** Seconds if the same downloads had been shared out without a gap. */
function ideal({ spans }: Run, connections: number): number {
  const times = spans.map(({ start, end }) => end - start);
  const total = times.reduce((sum, ms) => sum + ms, 0);
  return Math.max(total / connections, ...times) / 1000;
}

const setup = await setUp();
const { flags, maxReq } = setup;
console.error(`${setup.what}, three times`);

const charts = [];
const results = [];
let slowest: number | undefined;
print(setup, "program              connections  seconds  times faster  ideal s\n");
for (
  const [program, downloadMany, wanted] of [
    ["flags.ts", sequential, 1],
    ["flags_threadpool.ts", threadpool, maxReq ?? DEFAULT_MAX_REQ.threadpool],
    ["flags_async.ts", async, maxReq ?? DEFAULT_MAX_REQ.async],
  ] as const
) {
  const connections = Math.min(wanted, flags.length);
  const run = await timedRun(downloadMany, flags, connections);
  results.push(...run.results);
  if (run.results.some(({ status }) => status === "dropped")) {
    console.error(`${program} was cut short: nothing to compare`);
    break;
  }
  slowest ??= run.seconds;
  const cells = [
    program.padEnd(19),
    `${connections}`.padStart(12),
    run.seconds.toFixed(2).padStart(8),
    (slowest / run.seconds).toFixed(1).padStart(13),
    ideal(run, connections).toFixed(2).padStart(8),
  ];
  print(setup, `${cells.join(" ")}\n`);
  const title = `${program}: ${run.seconds.toFixed(2)} s, ${plural(connections, "connection")}`;
  charts.push({ title, spans: run.spans });
}
finish({ ...setup, timeline: setup.timeline || true }, results, charts);
