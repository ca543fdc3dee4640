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
import { clock, type DownloadMany, type Outcome } from "./common/flag.ts";
import { makeUnfinished } from "./common/files.ts";
import { CODES_HELP, DEFAULTS, NOTES_HELP, SERVER_HELP, SYNTAX } from "./common/options.ts";
import { exitWith, failWith, type Setup, setUp, showResults, spansOf } from "./common/run.ts";
import { Reports } from "./common/reports.ts";
import { fail, onSignal, orExit, plural, print, printError } from "./common/terminal.ts";
import type { Chart, Span } from "./common/timeline.ts";
import { downloadMany as sequential } from "./flags.ts";
import { downloadMany as async } from "./flags_async.ts";
import { downloadMany as threadpool } from "./flags_threadpool.ts";

const HELP = `[-aeh] [-l N] [-m N] [-s SITE] [--timeline [FILE]] [CC…]

Runs flags.ts, flags_threadpool.ts and flags_async.ts one after another, and compares them.

${CODES_HELP}
  -m, --max-req N     number of workers in flags_threadpool.ts, at most ${DEFAULTS.threadpool.maxWorkers}, and of
                      concurrent fetches in flags_async.ts (default: their own defaults)
${SERVER_HELP}
  --timeline [FILE]   draw the timelines in the terminal (default), or to an .svg or .json file
  -h, --help          show this help

${NOTES_HELP}`;

/** A downloader, with its number of connections if the user does not choose one. */
interface Downloader {
  program: string;
  downloadMany: DownloadMany;
  maxReq: number;
  /** Whether `--max-req` has an effect. */
  isConcurrent: boolean;
  maxWorkers?: number;
}

const DOWNLOADERS: readonly Downloader[] = [
  { program: "flags.ts", downloadMany: sequential, maxReq: 1, isConcurrent: false },
  {
    program: "flags_threadpool.ts",
    downloadMany: threadpool,
    isConcurrent: true,
    ...DEFAULTS.threadpool,
  },
  { program: "flags_async.ts", downloadMany: async, isConcurrent: true, ...DEFAULTS.async },
];

/** The result of one downloader. */
interface Result {
  program: string;
  connections: number;
  seconds: number;
  outcomes: Outcome[];
  spans: Span[];
  /** A line for the user if some flags have no outcome. */
  missing: string[];
}

/** Downloads all flags with one downloader. Exits if no flag can be saved. */
async function runOne(downloader: Downloader, setup: Setup): Promise<Result> {
  const { program, downloadMany } = downloader;
  const { flags } = setup;
  const connections = countConnections(downloader, setup);
  const reports = new Reports(flags);
  const begin = clock();
  try {
    await downloadMany(flags, connections, (outcome) => {
      reports.add(outcome);
      if (outcome.status === "unwritable") fail(`${outcome.cc}: ${outcome.line}`);
    });
  } catch (error) {
    failWith(error);
  }
  const seconds = (clock() - begin) / 1000;
  const { outcomes } = reports;
  const missing = reports.missingLines(program);
  return { program, connections, seconds, outcomes, spans: spansOf(outcomes, begin), missing };
}

function countConnections(downloader: Downloader, { flags, options }: Setup): number {
  const { maxReq, isConcurrent, maxWorkers = Infinity } = downloader;
  const wanted = isConcurrent ? options.maxReq ?? maxReq : maxReq;
  return Math.min(wanted, flags.length, maxWorkers);
}

const TABLE_HEAD = "program              connections  seconds      speed-up  ideal s\n";
const NO_FIGURE = "–";

/**
 * Returns a row of the table. `baseline` is the time of the first downloader that downloaded a
 * flag.
 */
function tableRow({ program, connections, seconds, spans }: Result, baseline?: number): string {
  const hasFlags = spans.some(({ ok }) => ok);
  const speedUp = hasFlags && baseline !== undefined ? (baseline / seconds).toFixed(1) : NO_FIGURE;
  const ideal = hasFlags ? idealSeconds(spans, connections).toFixed(2) : NO_FIGURE;
  const cells = [
    program.padEnd(19),
    `${connections}`.padStart(12),
    seconds.toFixed(2).padStart(8),
    speedUp.padStart(13),
    ideal.padStart(8),
  ];
  return `${cells.join(" ")}\n`;
}

/** Returns the seconds that the same downloads would take if no connection were ever idle. */
function idealSeconds(spans: Span[], connections: number): number {
  const times = spans.map(({ start, end }) => end - start);
  const total = times.reduce((sum, ms) => sum + ms, 0);
  return Math.max(total / connections, ...times) / 1000;
}

function chartOf({ program, connections, seconds, spans }: Result): Chart {
  const title = `${program}: ${seconds.toFixed(2)} s, ${plural(connections, "connection")}`;
  return { title, spans };
}

async function main(): Promise<never> {
  const { verbose: _, ...syntax } = SYNTAX;
  const setup = await setUp(DEFAULTS.threadpool, { help: HELP, syntax });
  printError(`${setup.what}, three times`);

  let running = "";
  onSignal((code) => fail(`${running} was cut short: nothing to compare`, code));
  orExit(makeUnfinished);
  const results: Result[] = [];
  let line = TABLE_HEAD;
  for (const downloader of DOWNLOADERS) {
    // Set the name first, because a signal may arrive as soon as the line is printed.
    running = downloader.program;
    await print(line);
    const result = await runOne(downloader, setup);
    results.push(result);
    const baseline = results.find(({ spans }) => spans.some(({ ok }) => ok));
    line = tableRow(result, baseline?.seconds);
  }
  await print(line);

  const options = { ...setup.options, timeline: setup.options.timeline || true };
  const outcomes = results.flatMap((result) => result.outcomes);
  const lines = await showResults({ ...setup, options }, outcomes, results.map(chartOf));
  lines.push(...results.flatMap(({ missing }) => missing));
  return exitWith(lines);
}

if (import.meta.main) await main();
