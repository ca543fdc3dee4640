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
import { helpOf } from "./common/options.ts";
import { Outcomes } from "./common/outcomes.ts";
import { countConnections, exitWith, onInterrupt, type Program, setUp } from "./common/run.ts";
import { fail, plural, print, runProgram } from "./common/terminal.ts";
import { type Chart, showTimeline, type Task } from "./common/timeline.ts";
import { BASE_URL, DEST_DIR, downloadMany, POP20_CC } from "./flags.ts";
import * as async from "./flags_async.ts";
import * as threadpool from "./flags_threadpool.ts";

const DOWNLOADERS = {
  "flags.ts": { downloadMany, SETTINGS: { maxReq: 1, limit: 1 } },
  "flags_threadpool.ts": threadpool,
  "flags_async.ts": async,
};

const PROGRAM: Program = {
  codes: POP20_CC,
  baseUrl: BASE_URL,
  directory: DEST_DIR,
  hasWorkers: true,
};

const TABLE_HEAD = "program              connections  seconds      speed-up  ideal s\n";
const NO_FIGURE = "–";

async function main(): Promise<void> {
  const setup = await setUp(PROGRAM);
  const { flags, options, what } = setup;
  console.error(`${what}, three times`);
  onInterrupt((code) => fail("interrupted: nothing to compare", code));

  const charts: Chart[] = [];
  const errorLines: string[] = [];
  /** The time of the first downloader that downloaded a flag. */
  let baseline: number | undefined;
  print(TABLE_HEAD);
  for (const [program, { downloadMany, SETTINGS }] of Object.entries(DOWNLOADERS)) {
    const { maxReq } = countConnections(setup, SETTINGS);
    const outcomes = new Outcomes(flags);
    const t0 = performance.now();
    await downloadMany([...flags], (outcome) => outcomes.add(outcome), maxReq);
    const seconds = (performance.now() - t0) / 1000;
    const title = `${program}: ${seconds.toFixed(2)} s, ${plural(maxReq, "connection")}`;
    const chart = outcomes.chart(title, t0);
    const hasFlags = chart.tasks.some(({ ok }) => ok);
    if (hasFlags) baseline ??= seconds;
    const cells = [
      program.padEnd(19),
      `${maxReq}`.padStart(12),
      seconds.toFixed(2).padStart(8),
      (hasFlags && baseline ? (baseline / seconds).toFixed(1) : NO_FIGURE).padStart(13),
      (hasFlags ? idealSeconds(chart.tasks, maxReq).toFixed(2) : NO_FIGURE).padStart(8),
    ];
    print(`${cells.join(" ")}\n`);
    charts.push(chart);
    errorLines.push(...outcomes.errorLines(options), ...outcomes.missingLines(program));
  }
  showTimeline(charts, options.timeline ?? "");
  exitWith(errorLines);
}

/** Returns the seconds that the same downloads would take if no connection were ever idle. */
function idealSeconds(tasks: readonly Task[], connections: number): number {
  const times = tasks.map(({ start, end }) => end - start);
  const total = times.reduce((sum, ms) => sum + ms, 0);
  return Math.max(total / connections, ...times) / 1000;
}

if (import.meta.main) await runProgram(helpOf(PROGRAM), main);
