/**
 * Draws who waited for whom: a row for each lane, a bar for each task, an axis in seconds.
 *
 * `textTimeline` draws for the terminal, `svgTimeline` for a page. `timelineOption` and `showTimeline` are
 * what a program needs for an option `--timeline [FILE.svg]`.
 *
 * @module
 */

/** A task as it is drawn. Times are ms since the start of the run. */
export interface Span {
  label: string;
  /** The row: 0 is the first. */
  lane: number;
  start: number;
  end: number;
  /** Whether it succeeded. */
  ok: boolean;
}

/** One picture of a run. */
export interface Chart {
  title: string;
  spans: readonly Span[];
}

/** A task without a lane; `thread` is the same for tasks of one thread, where that is known. */
export type Task = Omit<Span, "lane"> & { thread?: number };

/**
 * Gives each task a lane: its thread's if there are several threads, else the lowest that is free.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const task = { label: "BR", ok: true };
 * const tasks = [{ ...task, start: 0, end: 2 }, { ...task, start: 1, end: 3 }, { ...task, start: 2, end: 4 }];
 * assertEquals(withLanes(tasks).map(({ lane }) => lane), [0, 1, 0]);
 * ```
 */
export function withLanes(tasks: readonly Task[]): Span[] {
  const threads = [...new Set(tasks.map(({ thread = 0 }) => thread))].sort((a, b) => a - b);
  const busyUntil: number[] = [];
  return tasks.toSorted((a, b) => a.start - b.start).map(({ thread = 0, ...task }) => {
    if (threads.length > 1) return { ...task, lane: threads.indexOf(thread) };
    const free = busyUntil.findIndex((end) => end <= task.start);
    const lane = free < 0 ? busyUntil.length : free;
    busyUntil[lane] = task.end;
    return { ...task, lane };
  });
}

/**
 * The spans as text, at most `width` columns wide. A bar of `=` succeeded, one of `x` failed.
 *
 * @param options `total`: how many ms the width stands for (default: up to the last end).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const spans = [
 *   { label: "BR", lane: 0, start: 0, end: 500, ok: true },
 *   { label: "CN", lane: 1, start: 0, end: 1000, ok: false },
 * ];
 * assertEquals(textTimeline(spans, 26), [
 *   "1 [BR========]",
 *   "2 [CNxxxxxxxxxxxxxxxxxxxx]",
 *   "  |0 s        |0.5",
 * ].join("\n"));
 * ```
 */
export function textTimeline(
  spans: readonly Span[],
  width: number,
  { total = lastEnd(spans) }: { total?: number } = {},
): string {
  const lanes = laneCount(spans);
  const margin = `${lanes}`.length + 1;
  const columns = Math.max(1, width - margin);
  const column = (ms: number) => Math.min(columns, Math.round(ms / total * columns));
  const rows = Array.from({ length: lanes }, () => Array<string>(columns).fill(" "));
  for (const { label, lane, start, end, ok } of spans) {
    const from = Math.min(column(start), columns - 1);
    const length = Math.max(1, column(end) - from);
    const row = rows[lane] ?? [];
    const failed = length === 1 && row[from] === "x";
    row.splice(from, length, ...(failed ? "x" : bar(label, length, ok)));
  }
  const axis = Array<string>(columns).fill(" ");
  for (const { ms, text } of ticks(total, columns / 12)) {
    const tick = `|${text}`;
    if (column(ms) + tick.length <= columns) axis.splice(column(ms), tick.length, ...tick);
  }
  const lines = rows.map((row, i) => `${i + 1}`.padStart(margin - 1) + " " + row.join(""));
  return [...lines, " ".repeat(margin) + axis.join("")].map((line) => line.trimEnd()).join("\n");
}

function bar(label: string, length: number, ok: boolean): string {
  const fill = ok ? "=" : "x";
  if (length < 3) return fill.repeat(length);
  const inside = length - 2;
  const text = label.length + (ok ? 0 : 1) <= inside ? label : "";
  return `[${text.padEnd(inside, fill)}]`;
}

/** About `count` round times from 0 on, in seconds. */
function ticks(total: number, count: number): { ms: number; text: string }[] {
  const least = total / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((n) => n * power).find((ms) => ms >= least) ?? total;
  const digits = Math.max(0, Math.ceil(3 - Math.log10(step) - 1e-9));
  return Array.from({ length: Math.floor(total / step) + 1 }, (_, i) => ({
    ms: i * step,
    text: i === 0 ? "0 s" : (i * step / 1000).toFixed(digits),
  }));
}

function lastEnd(spans: readonly Span[]): number {
  return Math.max(1, ...spans.map(({ end }) => end));
}

function laneCount(spans: readonly Span[]): number {
  return Math.max(0, ...spans.map(({ lane }) => lane + 1));
}

const [WIDTH, MARGIN, LANE] = [960, 40, 22];
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .axis, .lane { fill: #59636e; }
  line { stroke: #d1d9e0; }
  rect { fill: #9cd0ff; stroke: #0969da; }
  .failed rect { fill: #ffd8d3; stroke: #cf222e; stroke-dasharray: 3 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .axis, .lane { fill: #9198a1; }
    line { stroke: #3d444d; }
    rect { fill: #0b3d75; stroke: #4493f8; }
    .failed rect { fill: #67161b; stroke: #f85149; }
  }`;

/**
 * The charts below each other as one SVG document, all on the same scale. A bar that failed is dashed
 * and has a cross.
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
  const total = Math.max(...charts.map(({ spans }) => lastEnd(spans)));
  const x = (ms: number) => (MARGIN + ms / total * (WIDTH - MARGIN - 20)).toFixed(1);
  const parts: string[] = [];
  let y = 0;
  for (const { title, spans } of charts) {
    const lanes = laneCount(spans);
    parts.push(`<text class="title" x="${MARGIN}" y="${y + 22}">${escape(title)}</text>`);
    const top = y + 32;
    const bottom = top + lanes * LANE;
    for (const { ms, text } of ticks(total, 10)) {
      parts.push(`<line x1="${x(ms)}" x2="${x(ms)}" y1="${top}" y2="${bottom + 4}"/>`);
      parts.push(`<text class="axis" x="${x(ms)}" y="${bottom + 17}">${text}</text>`);
    }
    for (let lane = 0; lane < lanes; lane++) {
      parts.push(`<text class="lane" x="12" y="${top + lane * LANE + 15}">${lane + 1}</text>`);
    }
    for (const { label, lane, start, end, ok } of spans) {
      const width = Math.max(1, Number(x(end)) - Number(x(start)));
      const at = `y="${top + lane * LANE + 2}" width="${width.toFixed(1)}" height="${
        LANE - 4
      }" rx="3"`;
      const text = `${ok ? "" : "✕ "}${label}`;
      const fits = text.length * 8 + 6 <= width;
      const name = `<text x="${(Number(x(start)) + 4).toFixed(1)}" y="${top + lane * LANE + 15}">${
        escape(text)
      }</text>`;
      parts.push(
        `<g${ok ? "" : ' class="failed"'}><rect x="${x(start)}" ${at}/>${fits ? name : ""}</g>`,
      );
    }
    y = bottom + 28;
  }
  const size = `width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size}>`,
    `<style>${STYLE}\n</style>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function escape(text: string): string {
  return text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** What `--timeline` asks for: nothing, text, or a picture in a file of that name. */
export type TimelineOption = boolean | string;

/**
 * Takes `--timeline`, with the name of an SVG file or without, out of the arguments of a program.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(timelineOption(["--timeline", "x.svg", "BR"]), { timeline: "x.svg", rest: ["BR"] });
 * assertEquals(timelineOption(["BR", "--timeline"]), { timeline: true, rest: ["BR"] });
 * ```
 */
export function timelineOption(
  args: readonly string[],
): { timeline: TimelineOption; rest: string[] } {
  const at = args.indexOf("--timeline");
  if (at < 0) return { timeline: false, rest: [...args] };
  const file = args[at + 1]?.match(/.\.svg$/i)?.input;
  return { timeline: file ?? true, rest: args.toSpliced(at, file ? 2 : 1) };
}

/** Writes the picture if the option names a file; else returns the text, for the terminal's width. */
export function showTimeline(charts: readonly Chart[], option: TimelineOption): string {
  if (typeof option === "string") {
    Deno.writeTextFileSync(option, svgTimeline(charts));
    return "";
  }
  const width = Deno.stdout.isTerminal() ? Deno.consoleSize().columns : 80;
  const total = Math.max(...charts.map(({ spans }) => lastEnd(spans)));
  return charts.map(({ title, spans }) => `\n${title}\n${textTimeline(spans, width, { total })}`)
    .join("\n");
}
