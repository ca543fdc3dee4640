/**
 * Draws timelines: one row per thread or connection, one bar per task, and an axis in seconds.
 *
 * @module
 */
import type { Times } from "./flag.ts";
import { print, UsageError } from "./terminal.ts";

/** A task in a timeline. Times are in milliseconds since the start of the run. */
export interface Task {
  label: string;
  start: number;
  end: number;
  /** Whether the task succeeded. */
  ok: boolean;
  /** A number that identifies the thread that ran the task. */
  thread: number;
}

/** The timeline of one run. */
export interface Chart {
  title: string;
  tasks: readonly Task[];
}

/**
 * Returns the timeline of a run that began at `t0`, a time of `performance.now()` in this thread.
 * The tasks may have run in other threads.
 */
export function chartOf(
  title: string,
  t0: number,
  tasks: readonly (Times & { label: string; ok: boolean })[],
): Chart {
  const begin = performance.timeOrigin + t0;
  return {
    title,
    tasks: tasks.map(({ label, ok, start, end, timeOrigin }) => ({
      label,
      ok,
      start: timeOrigin + start - begin,
      end: timeOrigin + end - begin,
      thread: timeOrigin,
    })),
  };
}

/** The width of a text timeline if stdout is not a terminal. */
const DEFAULT_COLUMNS = 80;

/**
 * Checks the value of `--timeline`: the name of a file, an empty string for the terminal, or
 * `undefined` for no timeline. Creates the file if it is missing. Throws if the file has another
 * format or cannot be written.
 */
export function checkTimeline(file: string | undefined): void {
  if (!file) return;
  const isKnown = /\.(svg|json)$/i.test(file);
  if (!isKnown) {
    throw new UsageError(`--timeline: expected a file that ends in .svg or .json, got ${file}`);
  }
  Deno.openSync(file, { append: true, create: true }).close();
}

/** Writes the charts to a file, or prints them if `file` is an empty string. */
export function showTimeline(charts: readonly Chart[], file: string | undefined): void {
  if (file === undefined || charts.every(({ tasks }) => tasks.length === 0)) return;
  if (file === "") {
    const columns = Deno.stdout.isTerminal() ? Deno.consoleSize().columns : DEFAULT_COLUMNS;
    print(textTimeline(charts, columns || DEFAULT_COLUMNS));
  } else {
    const isTrace = /json$/i.test(file);
    Deno.writeTextFileSync(file, isTrace ? traceTimeline(charts) : svgTimeline(charts));
  }
}

/**
 * Returns the tasks of each row. If there are several threads, each thread has a row. Otherwise, a
 * task takes the first row that is free.
 */
function rowsOf(tasks: readonly Task[]): Task[][] {
  const sorted = tasks.toSorted((a, b) => a.start - b.start);
  const threads = Map.groupBy(sorted, ({ thread }) => thread);
  if (threads.size > 1) return [...threads.values()];
  const rows: Task[][] = [];
  for (const task of sorted) {
    const free = rows.find((row) => row.every(({ end }) => end <= task.start));
    if (free) free.push(task);
    else rows.push([task]);
  }
  return rows;
}

function lastEnd(charts: readonly Chart[]): number {
  return Math.max(1, ...charts.flatMap(({ tasks }) => tasks.map(({ end }) => end)));
}

/** A mark on the axis. */
interface Tick {
  ms: number;
  /** The time in seconds. */
  text: string;
}

/** Returns at most `count` evenly spaced round times from 0 to `total`, labeled in seconds. */
function ticks(total: number, count: number): Tick[] {
  const power = 10 ** Math.floor(Math.log10(total / count));
  const factor = [1, 2, 5].find((factor) => factor * power >= total / count) ?? 10;
  const step = factor * power;
  const times = Array.from({ length: Math.floor(total / step) + 1 }, (_, i) => i * step);
  // A step of 500 ms needs one digit after the point.
  const digits = Math.max(0, Math.ceil(3 - Math.log10(step)));
  return times.map((ms) => ({ ms, text: ms === 0 ? "0 s" : (ms / 1000).toFixed(digits) }));
}

/** The minimum number of columns between two ticks of a text timeline. */
const TICK_COLUMNS = 12;

/**
 * Draws the charts as text that is `width` columns wide, all to the same scale. A bar of `=` is a
 * task that succeeded. A bar of `x` is a task that failed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const br = { label: "BR", start: 0, end: 500, ok: true, thread: 1 };
 * const cn = { label: "CN", start: 0, end: 1000, ok: false, thread: 2 };
 * assertEquals(textTimeline([{ title: "two flags", tasks: [br, cn] }], 26).split("\n"), [
 *   "",
 *   "two flags",
 *   "1 [BR========]",
 *   "2 [CNxxxxxxxxxxxxxxxxxxxx]",
 *   "  |0 s        |0.5",
 *   "",
 * ]);
 * ```
 */
export function textTimeline(charts: readonly Chart[], width: number): string {
  const total = lastEnd(charts);
  return charts.map((chart) => textChart(chart, total, width)).join("");
}

/** Draws one chart. The axis ends at `total` ms. */
function textChart({ title, tasks }: Chart, total: number, width: number): string {
  const rows = rowsOf(tasks);
  const margin = `${rows.length} `.length;
  const toColumn = (ms: number) => margin + Math.round(ms / total * (width - margin));
  const lines = rows.map((row, i) => {
    let line = `${i + 1} `.padStart(margin);
    for (const task of row) {
      const start = Math.min(toColumn(task.start), width - 1);
      line = putAt(line, start, textBar(task, toColumn(task.end) - start));
    }
    return line;
  });
  let axis = "";
  for (const { ms, text } of ticks(total, Math.max(1, (width - margin) / TICK_COLUMNS))) {
    const start = toColumn(ms);
    if (start + text.length < width) axis = putAt(axis, start, `|${text}`);
  }
  return `\n${title}\n${[...lines, axis].join("\n")}\n`;
}

/** Returns a line with `text` at a column. Removes the text from that column on. */
function putAt(line: string, column: number, text: string): string {
  return line.slice(0, column).padEnd(column) + text;
}

/** Returns a bar such as `[BR====]`. A bar that is too short for its label has no label. */
function textBar({ label, ok }: Task, length: number): string {
  const fill = ok ? "=" : "x";
  const minLength = `[${label}${ok ? "" : fill}]`.length;
  if (length < minLength) return fill.repeat(Math.max(1, length));
  return `[${label.padEnd(length - "[]".length, fill)}]`;
}

// The sizes in an SVG document, in pixels.
const WIDTH = 960;
const MARGIN = 40;
const TITLE_HEIGHT = 32;
const ROW_HEIGHT = 22;
const AXIS_HEIGHT = 28;
const CHARACTER_WIDTH = 8;
const SVG_TICKS = 10;

const STYLE = `
  svg { color: #1f2328; fill: currentColor; font: 12px system-ui, sans-serif; }
  @media (prefers-color-scheme: dark) { svg { color: #f0f6fc; } }
  .title { font-size: 15px; font-weight: 600; }
  .axis, .row { fill-opacity: 0.7; text-anchor: middle; }
  line { stroke: currentColor; stroke-opacity: 0.2; }
  rect { fill: #4493f8; fill-opacity: 0.4; stroke: #4493f8; }
  .failed rect { fill: #f85149; stroke: #f85149; stroke-dasharray: 3 2; }`;

/**
 * Draws the charts one below another in one SVG document, all to the same scale. The bar of a
 * failed task is dashed and marked with a cross. The tooltip of a bar shows the label and the
 * duration in ms.
 */
export function svgTimeline(charts: readonly Chart[]): string {
  const scale = (WIDTH - 2 * MARGIN) / lastEnd(charts);
  const elements: string[] = [];
  let top = 0;
  for (const { title, tasks } of charts) {
    const rows = rowsOf(tasks);
    const rowsTop = top + TITLE_HEIGHT;
    const rowsBottom = rowsTop + rows.length * ROW_HEIGHT;
    elements.push(`<text class="title" x="${MARGIN}" y="${top + 22}">${title}</text>`);
    for (const tick of ticks(lastEnd(charts), SVG_TICKS)) {
      elements.push(svgTick(tick, MARGIN + tick.ms * scale, rowsTop, rowsBottom));
    }
    for (const [i, row] of rows.entries()) {
      const y = rowsTop + i * ROW_HEIGHT;
      elements.push(`<text class="row" x="20" y="${y + 15}">${i + 1}</text>`);
      elements.push(...row.map((task) => svgBar(task, scale, y)));
    }
    top = rowsBottom + AXIS_HEIGHT;
  }
  const size = `width="${WIDTH}" height="${top}" viewBox="0 0 ${WIDTH} ${top}"`;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n<style>${STYLE}\n</style>`;
  return [head, ...elements, "</svg>\n"].join("\n");
}

function svgTick({ text }: Tick, x: number, top: number, bottom: number): string {
  const line = `<line x1="${x}" x2="${x}" y1="${top}" y2="${bottom + 4}"/>`;
  return `${line}<text class="axis" x="${x}" y="${bottom + 17}">${text}</text>`;
}

/** Draws the bar of a task. A bar without enough room for its label has only a tooltip. */
function svgBar({ label, start, end, ok }: Task, scale: number, y: number): string {
  const width = Math.max(1, (end - start) * scale);
  const text = ok ? label : `✕ ${label}`;
  const name = text.length * CHARACTER_WIDTH < width ? `<text x="4" y="15">${text}</text>` : "";
  const tooltip = `${label}: ${(end - start).toFixed()} ms${ok ? "" : ", failed"}`;
  const attributes = `${ok ? "" : 'class="failed" '}transform="translate(${
    MARGIN + start * scale
  } ${y})"`;
  const bar = `<rect y="2" width="${width}" height="${ROW_HEIGHT - 4}" rx="3"/>`;
  return `<g ${attributes}><title>${tooltip}</title>${bar}${name}</g>`;
}

/** Perfetto sorts a thread first if its ID equals the process ID. No row has this number. */
const FIRST_PROCESS = 1000;

/**
 * Returns the charts in Chrome's Trace Event format, with a process for each chart and a thread for
 * each row.
 */
export function traceTimeline(charts: readonly Chart[]): string {
  const traceEvents = charts.flatMap(({ title, tasks }, i) => {
    const pid = FIRST_PROCESS + i;
    return [
      { ph: "M", name: "process_name", pid, args: { name: title } },
      { ph: "M", name: "process_sort_index", pid, args: { sort_index: i } },
      ...rowsOf(tasks).flatMap((row, i) => traceRow(row, pid, i + 1)),
    ];
  });
  return JSON.stringify({ traceEvents });
}

/** Returns the events of a row. Perfetto expects times in microseconds. */
function traceRow(row: Task[], pid: number, tid: number): unknown[] {
  return [
    { ph: "M", name: "thread_name", pid, tid, args: { name: `row ${tid}` } },
    { ph: "M", name: "thread_sort_index", pid, tid, args: { sort_index: tid } },
    ...row.map(({ label, start, end, ok }) => {
      const cname = ok ? "good" : "terrible";
      const args = { ok };
      return {
        ph: "X",
        name: label,
        pid,
        tid,
        ts: start * 1000,
        dur: (end - start) * 1000,
        cname,
        args,
      };
    }),
  ];
}
