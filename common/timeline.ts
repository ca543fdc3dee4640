/**
 * Draws timelines: one row per lane, one bar per task, and an axis in seconds.
 *
 * @module
 */

/** A task in a timeline. Times are in milliseconds since the start of the run. */
export interface Span {
  label: string;
  /** The row. The first row is 0. */
  lane: number;
  start: number;
  end: number;
  /** Whether the task succeeded. */
  ok: boolean;
}

/** The timeline of one run. */
export interface Chart {
  title: string;
  spans: readonly Span[];
}

/** A task that has no lane yet. Tasks with the same `thread` ran on the same thread. */
export type Timed = Omit<Span, "lane"> & { thread?: number };

/**
 * Assigns a lane to each task. If there are several threads, each thread has its own lane.
 * Otherwise, a task takes the lowest free lane.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const task = { label: "BR", ok: true };
 * const tasks = [
 *   { ...task, start: 0, end: 2 },
 *   { ...task, start: 1, end: 3 },
 *   { ...task, start: 2, end: 4 },
 * ];
 * assertEquals(withLanes(tasks).map(({ lane }) => lane), [0, 1, 0]);
 * ```
 */
export function withLanes(tasks: readonly Timed[]): Span[] {
  const sorted = tasks.toSorted((a, b) => a.start - b.start);
  const threads = [...new Set(tasks.map(({ thread = 0 }) => thread))].sort((a, b) => a - b);
  if (threads.length > 1) {
    return sorted.map(({ thread = 0, ...task }) => ({ ...task, lane: threads.indexOf(thread) }));
  }
  const busyUntil: number[] = [];
  return sorted.map(({ thread: _, ...task }) => {
    const free = busyUntil.findIndex((end) => end <= task.start);
    const lane = free === -1 ? busyUntil.length : free;
    busyUntil[lane] = task.end;
    return { ...task, lane };
  });
}

/** The minimum number of columns between two ticks of the axis. */
const TICK_COLUMNS = 12;

/**
 * Draws the charts as text that is `width` columns wide, all to the same scale. A bar of `=` is a
 * task that succeeded. A bar of `x` is a task that failed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const br = { label: "BR", lane: 0, start: 0, end: 500, ok: true };
 * const cn = { label: "CN", lane: 1, start: 0, end: 1000, ok: false };
 * assertEquals(textTimeline([{ title: "two flags", spans: [br, cn] }], 26).split("\n"), [
 *   "",
 *   "two flags",
 *   "1 [BR========]",
 *   "2 [CNxxxxxxxxxxxxxxxxxxxx]",
 *   "  |0 s        |0.5",
 * ]);
 * ```
 */
export function textTimeline(charts: readonly Chart[], width: number): string {
  const total = lastEnd(charts);
  return charts.flatMap((chart) => textChart(chart, total, width)).join("\n");
}

/** Returns the lines of one chart. The axis ends at `total` ms. */
function textChart({ title, spans }: Chart, total: number, width: number): string[] {
  const lanes = laneCount(spans);
  const margin = `${lanes}`.length + 1;
  const columns = Math.max(1, width - margin);
  const toColumn = (ms: number) => Math.min(columns, Math.round(ms / total * columns));

  const rows = Array.from({ length: lanes }, () => Array<string>(columns).fill(" "));
  for (const span of spans) {
    const row = rows[span.lane];
    if (row) drawBar(row, span, toColumn);
  }
  const lines = rows.map((row, lane) => `${`${lane + 1} `.padStart(margin)}${row.join("")}`);
  lines.push(" ".repeat(margin) + textAxis(total, columns, toColumn));
  return ["", title, ...lines.map((line) => line.trimEnd())];
}

/** Draws the bar of a span into the columns of a row. */
function drawBar(row: string[], span: Span, toColumn: (ms: number) => number): void {
  const from = Math.min(toColumn(span.start), row.length - 1);
  const length = Math.max(1, toColumn(span.end) - from);
  // If several tasks share one column, the column shows whether any of them failed.
  const hidesFailure = length === 1 && row[from] === "x";
  const fill = span.ok && !hidesFailure ? "=" : "x";
  row.splice(from, length, ...textBar(span, length, fill));
}

/** Returns a bar such as `[BR====]`. A bar that is too short for its label has no label. */
function textBar({ label, ok }: Span, length: number, fill: string): string {
  if (length < 3) return fill.repeat(length);
  const brackets = 2;
  // The bar of a failed task needs at least one `x`.
  const needed = label.length + brackets + (ok ? 0 : 1);
  const text = needed <= length ? label : "";
  return `[${text.padEnd(length - brackets, fill)}]`;
}

function textAxis(total: number, columns: number, toColumn: (ms: number) => number): string {
  const axis = Array<string>(columns).fill(" ");
  for (const { ms, text } of ticks(total, columns / TICK_COLUMNS)) {
    const from = toColumn(ms);
    const tick = `|${text}`;
    if (from + tick.length <= columns) axis.splice(from, tick.length, ...tick);
  }
  return axis.join("");
}

/** A mark on the axis. */
interface Tick {
  ms: number;
  /** The time in seconds. */
  text: string;
}

/** Returns about `count` evenly spaced round times from 0 to `total`, labeled in seconds. */
function ticks(total: number, count: number): Tick[] {
  const step = roundStep(total / Math.max(1, count));
  // A step of 1000 ms needs no digits after the point. The rounding error of log10 is below 1e-9.
  const digits = Math.max(0, Math.ceil(3 - Math.log10(step) - 1e-9));
  const times = Array.from({ length: Math.floor(total / step) + 1 }, (_, i) => i * step);
  return times.map((ms) => ({ ms, text: ms === 0 ? "0 s" : (ms / 1000).toFixed(digits) }));
}

/** Returns the smallest of 1, 2, 5, 10, 20, 50 … that is at least `minimum`. */
function roundStep(minimum: number): number {
  const power = 10 ** Math.floor(Math.log10(minimum));
  const steps = [1, 2, 5].map((factor) => factor * power);
  return steps.find((step) => step >= minimum) ?? 10 * power;
}

function lastEnd(charts: readonly Chart[]): number {
  return Math.max(1, ...charts.flatMap(({ spans }) => spans.map(({ end }) => end)));
}

function laneCount(spans: readonly Span[]): number {
  return Math.max(0, ...spans.map(({ lane }) => lane + 1));
}

// The sizes in an SVG document, in pixels.
const WIDTH = 960;
const MARGIN = 40;
const TITLE_HEIGHT = 32;
const LANE_HEIGHT = 22;
const AXIS_HEIGHT = 28;
const BAR_HEIGHT = LANE_HEIGHT - 4;
const CHARACTER_WIDTH = 8;
const SVG_TICKS = 10;

const STYLE = `
  svg { color: #1f2328; fill: currentColor; font: 12px system-ui, sans-serif; }
  @media (prefers-color-scheme: dark) { svg { color: #f0f6fc; } }
  .title { font-size: 15px; font-weight: 600; }
  .axis, .lane { fill-opacity: 0.7; text-anchor: middle; }
  line { stroke: currentColor; stroke-opacity: 0.2; }
  rect { fill: #4493f8; fill-opacity: 0.4; stroke: #4493f8; }
  .failed rect { fill: #f85149; stroke: #f85149; stroke-dasharray: 3 2; }`;

/**
 * Draws the charts one below another in one SVG document, all to the same scale. The bar of a
 * failed task is dashed and marked with a cross. The tooltip of a bar shows the label and the
 * duration in ms.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 *
 * const spans = [{ label: "BR", lane: 0, start: 0, end: 500, ok: true }];
 * assertStringIncludes(svgTimeline([{ title: "one flag", spans }]), ">BR</text>");
 * ```
 */
export function svgTimeline(charts: readonly Chart[]): string {
  const total = lastEnd(charts);
  const elements: string[] = [];
  let top = 0;
  for (const chart of charts) {
    elements.push(...svgChart(chart, total, top));
    top += TITLE_HEIGHT + laneCount(chart.spans) * LANE_HEIGHT + AXIS_HEIGHT;
  }
  const size = `width="${WIDTH}" height="${top}" viewBox="0 0 ${WIDTH} ${top}"`;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n<style>${STYLE}\n</style>`;
  return [head, ...elements, "</svg>\n"].join("\n");
}

/** Returns the elements of one chart, which begins at `top` px. The axis ends at `total` ms. */
function svgChart({ title, spans }: Chart, total: number, top: number): string[] {
  const scale = (WIDTH - 2 * MARGIN) / total;
  const lanesTop = top + TITLE_HEIGHT;
  const lanes = Array.from({ length: laneCount(spans) }, (_, lane) => lane);
  const lanesBottom = lanesTop + lanes.length * LANE_HEIGHT;
  return [
    `<text class="title" x="${MARGIN}" y="${top + 22}">${escapeXml(title)}</text>`,
    ...ticks(total, SVG_TICKS).flatMap((tick) => svgTick(tick, scale, lanesTop, lanesBottom)),
    ...lanes.map((lane) => {
      const y = lanesTop + lane * LANE_HEIGHT + 15;
      return `<text class="lane" x="20" y="${y}">${lane + 1}</text>`;
    }),
    ...spans.map((span) => svgBar(span, scale, lanesTop)),
  ];
}

function svgTick({ ms, text }: Tick, scale: number, top: number, bottom: number): string[] {
  const x = (MARGIN + ms * scale).toFixed(1);
  return [
    `<line x1="${x}" x2="${x}" y1="${top}" y2="${bottom + 4}"/>`,
    `<text class="axis" x="${x}" y="${bottom + 17}">${text}</text>`,
  ];
}

/** Draws the bar of a span. A bar without enough room for its label has only a tooltip. */
function svgBar({ label, lane, start, end, ok }: Span, scale: number, lanesTop: number): string {
  const x = (MARGIN + start * scale).toFixed(1);
  const y = lanesTop + lane * LANE_HEIGHT + 2;
  const width = Math.max(1, (end - start) * scale);
  const text = ok ? label : `✕ ${label}`;
  const fits = text.length * CHARACTER_WIDTH + 6 <= width;
  const name = fits ? `<text x="4" y="13">${escapeXml(text)}</text>` : "";
  const tooltip = escapeXml(`${label}: ${(end - start).toFixed()} ms${ok ? "" : ", failed"}`);
  const bar = `<rect width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="3"/>`;
  const attributes = `${ok ? "" : ' class="failed"'} transform="translate(${x} ${y})"`;
  return `<g${attributes}><title>${tooltip}</title>${bar}${name}</g>`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * Perfetto sorts a thread first if its ID equals the process ID. The IDs of the processes begin at
 * a number that no row has.
 */
const FIRST_PROCESS = 1000;

/**
 * Returns the charts in Chrome's Trace Event format, with a process for each chart and a thread for
 * each lane.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 *
 * assertStringIncludes(traceTimeline([{ title: "a run", spans: [] }]), '"args":{"name":"a run"}');
 * ```
 */
export function traceTimeline(charts: readonly Chart[]): string {
  const traceEvents = charts.flatMap((chart, i) => [
    ...traceNames(chart, i),
    ...chart.spans.map((span) => traceBar(span, FIRST_PROCESS + i)),
  ]);
  return JSON.stringify({ traceEvents });
}

/** Returns the events that give a chart and its rows their names and their order. */
function traceNames({ title, spans }: Chart, index: number): unknown[] {
  const pid = FIRST_PROCESS + index;
  const meta = (name: string, tid: number, args: unknown) => ({ ph: "M", name, pid, tid, args });
  const rows = Array.from({ length: laneCount(spans) }, (_, lane) => lane + 1);
  return [
    meta("process_name", 0, { name: title }),
    meta("process_sort_index", 0, { sort_index: index }),
    ...rows.map((row) => meta("thread_name", row, { name: `row ${row}` })),
    ...rows.map((row) => meta("thread_sort_index", row, { sort_index: row })),
  ];
}

function traceBar({ label, lane, start, end, ok }: Span, pid: number): unknown {
  const ts = microseconds(start);
  return {
    ph: "X",
    name: label,
    pid,
    tid: lane + 1,
    ts,
    dur: microseconds(end) - ts,
    cname: ok ? "good" : "terrible",
    args: { ok },
  };
}

function microseconds(ms: number): number {
  return Math.round(ms * 1000);
}
