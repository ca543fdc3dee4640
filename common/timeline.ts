/**
 * Draws who waited for whom: a row for each lane, a bar for each task, an axis in seconds; and reads the
 * option `--timeline [FILE]`, which asks for it.
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
  ok: boolean;
}

/** One picture of a run. */
export interface Chart {
  title: string;
  spans: readonly Span[];
}

/** A task without a lane; `thread` is the same for tasks of one thread, where that is known. */
export type Timed = Omit<Span, "lane"> & { thread?: number };

/**
 * Gives each task a lane: its thread's if there are several threads, else the lowest that is free.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const task = { label: "BR", ok: true };
 * const tasks = [{ ...task, start: 0, end: 2 }, { ...task, start: 1, end: 3 }, { ...task, start: 2, end: 4 }];
 * assertEquals(withLanes(tasks).map(({ lane }) => lane), [0, 1, 0]);
 * ```
 */
export function withLanes(tasks: readonly Timed[]): Span[] {
  const threads = [...new Set(tasks.map(({ thread = 0 }) => thread))].sort((a, b) => a - b);
  const busyUntil: number[] = [];
  return tasks.toSorted((a, b) => a.start - b.start).map(({ thread = 0, ...task }) => {
    if (threads.length > 1) return { ...task, lane: threads.indexOf(thread) };
    const lane = [...busyUntil, -Infinity].findIndex((end) => end <= task.start);
    busyUntil[lane] = task.end;
    return { ...task, lane };
  });
}

/**
 * The charts as text, `width` columns wide, on one scale. A bar of `=` succeeded, one of `x` failed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const br = { label: "BR", lane: 0, start: 0, end: 500, ok: true };
 * const cn = { label: "CN", lane: 1, start: 0, end: 1000, ok: false };
 * const lines = ["", "two flags", "1 [BR========]", "2 [CNxxxxxxxxxxxxxxxxxxxx]", "  |0 s        |0.5"];
 * assertEquals(textTimeline([{ title: "two flags", spans: [br, cn] }], 26).split("\n"), lines);
 * ```
 */
export function textTimeline(charts: readonly Chart[], width: number): string {
  const total = lastEnd(charts);
  return charts.flatMap(({ title, spans }) => {
    const lanes = laneCount(spans);
    const margin = `${lanes}`.length + 1;
    const columns = Math.max(1, width - margin);
    const column = (ms: number) => Math.min(columns, Math.round(ms / total * columns));
    const rows = Array.from({ length: lanes + 1 }, () => Array<string>(columns).fill(" "));
    for (const { label, lane, start, end, ok } of spans) {
      const from = Math.min(column(start), columns - 1);
      const length = Math.max(1, column(end) - from);
      const fill = ok && !(length === 1 && rows[lane]?.[from] === "x") ? "=" : "x";
      const text = label.length + (ok ? 2 : 3) <= length ? label : "";
      const bar = length < 3 ? fill.repeat(length) : `[${text.padEnd(length - 2, fill)}]`;
      rows[lane]?.splice(from, length, ...bar);
    }
    for (const { ms, text } of ticks(total, columns / 12)) {
      const [at, tick] = [column(ms), `|${text}`];
      if (at + tick.length <= columns) rows[lanes]?.splice(at, tick.length, ...tick);
    }
    const name = (i: number) => (i < lanes ? `${i + 1} ` : "").padStart(margin);
    return ["", title, ...rows.map((row, i) => (name(i) + row.join("")).trimEnd())];
  }).join("\n");
}

/** About `count` round times from 0 on, in seconds. */
function ticks(total: number, count: number): { ms: number; text: string }[] {
  const least = total / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((n) => n * power).find((ms) => ms >= least) ?? total;
  const digits = Math.max(0, Math.ceil(3 - Math.log10(step) - 1e-9));
  const text = (ms: number) => ms === 0 ? "0 s" : (ms / 1000).toFixed(digits);
  const all = Array.from({ length: Math.floor(total / step) + 1 }, (_, i) => i * step);
  return all.map((ms) => ({ ms, text: text(ms) }));
}

const lastEnd = (charts: readonly Chart[]) =>
  Math.max(1, ...charts.flatMap(({ spans }) => spans.map(({ end }) => end)));
const laneCount = (spans: readonly Span[]) => Math.max(0, ...spans.map(({ lane }) => lane + 1));
const escape = (text: string) => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
const [WIDTH, MARGIN, LANE] = [960, 40, 22];
const STYLE = `
  svg { color: #1f2328; fill: currentColor; font: 12px system-ui, sans-serif; }
  @media (prefers-color-scheme: dark) { svg { color: #f0f6fc; } }
  .title { font-size: 15px; font-weight: 600; }
  .axis, .lane { fill-opacity: 0.7; text-anchor: middle; }
  line { stroke: currentColor; stroke-opacity: 0.2; }
  rect { fill: #4493f8; fill-opacity: 0.4; stroke: #4493f8; }
  .failed rect { fill: #f85149; stroke: #f85149; stroke-dasharray: 3 2; }`;

/**
 * The charts below each other as one SVG document, all on the same scale. A bar that failed is dashed
 * and has a cross; one that is pointed at shows its label and how many ms it took.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * const spans = [{ label: "BR", lane: 0, start: 0, end: 500, ok: true }];
 * assertStringIncludes(svgTimeline([{ title: "one flag", spans }]), ">BR</text>");
 * ```
 */
export function svgTimeline(charts: readonly Chart[]): string {
  const total = lastEnd(charts);
  const scale = (WIDTH - 2 * MARGIN) / total;
  const x = (ms: number) => (MARGIN + ms * scale).toFixed(1);
  const parts: string[] = [];
  let y = 0;
  for (const { title, spans } of charts) {
    parts.push(`<text class="title" x="${MARGIN}" y="${y + 22}">${escape(title)}</text>`);
    const top = y + 32;
    const bottom = top + laneCount(spans) * LANE;
    for (const { ms, text } of ticks(total, 10)) {
      parts.push(`<line x1="${x(ms)}" x2="${x(ms)}" y1="${top}" y2="${bottom + 4}"/>`);
      parts.push(`<text class="axis" x="${x(ms)}" y="${bottom + 17}">${text}</text>`);
    }
    for (let at = top; at < bottom; at += LANE) {
      parts.push(`<text class="lane" x="20" y="${at + 15}">${(at - top) / LANE + 1}</text>`);
    }
    for (const { label, lane, start, end, ok } of spans) {
      const width = Math.max(1, (end - start) * scale);
      const text = ok ? label : `✕ ${label}`;
      const name = text.length * 8 + 6 <= width ? `<text x="4" y="13">${escape(text)}</text>` : "";
      const tip = escape(`${label}: ${(end - start).toFixed()} ms${ok ? "" : ", failed"}`);
      const at = `transform="translate(${x(start)} ${top + lane * LANE + 2})"`;
      const bar = `<rect width="${width.toFixed(1)}" height="${LANE - 4}" rx="3"/>${name}`;
      parts.push(`<g${ok ? "" : ' class="failed"'} ${at}><title>${tip}</title>${bar}</g>`);
    }
    y = bottom + 28;
  }
  const size = `width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}"`;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n<style>${STYLE}\n</style>`;
  return [head, ...parts, "</svg>\n"].join("\n");
}

/**
 * The charts in Chrome's Trace Event format: a process for each chart, a thread for each lane.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * assertStringIncludes(traceTimeline([{ title: "a run", spans: [] }]), '"args":{"name":"a run"}');
 * ```
 */
export function traceTimeline(charts: readonly Chart[]): string {
  const us = (ms: number) => Math.round(ms * 1000);
  const traceEvents = charts.flatMap(({ title, spans }, i) => {
    // Not the number of a row: Perfetto puts the thread first that has its process's number.
    const pid = 1000 + i;
    const meta = (name: string, tid: number, args: unknown) => ({ ph: "M", name, pid, tid, args });
    const rows = Array.from({ length: laneCount(spans) }, (_, lane) => lane + 1);
    return [
      meta("process_name", 0, { name: title }),
      meta("process_sort_index", 0, { sort_index: i }),
      ...rows.map((row) => meta("thread_name", row, { name: `row ${row}` })),
      ...rows.map((row) => meta("thread_sort_index", row, { sort_index: row })),
      ...spans.map(({ label: name, lane, start, end, ok }) => {
        const bar = { ts: us(start), dur: us(end) - us(start), cname: ok ? "good" : "terrible" };
        return { ph: "X", name, pid, tid: lane + 1, ...bar, args: { ok } };
      }),
    ];
  });
  return JSON.stringify({ traceEvents });
}

/** What `--timeline` asks for: nothing, text, or a file of that name. */
export type TimelineOption = boolean | string;

/**
 * Takes `--timeline`, `--timeline FILE` and `--timeline=FILE` out of the arguments of a program, as far as
 * `--`. After a space, only what has a dot or a slash is a FILE. The last one counts.
 *
 * @throws {Error} if FILE ends neither in .svg nor in .json
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(timelineOption(["--timeline", "x.svg", "BR"]), { timeline: "x.svg", rest: ["BR"] });
 * assertEquals(timelineOption(["--timeline", "BR"]), { timeline: true, rest: ["BR"] });
 * ```
 */
export function timelineOption(
  args: readonly string[],
): { timeline: TimelineOption; rest: string[] } {
  let timeline: TimelineOption = false;
  const rest: string[] = [];
  for (const [i, arg] of args.entries()) {
    if (arg === "--") return { timeline, rest: [...rest, ...args.slice(i)] };
    const isFile = args[i - 1] === "--timeline" && /^(?!-).*[./\\]/s.test(arg);
    const file = isFile ? arg : arg.match(/^--timeline=(.*)/s)?.[1];
    if (file === undefined && arg !== "--timeline") rest.push(arg);
    else timeline = file ?? true;
    if (file === undefined || /\.(svg|json)$/i.test(file)) continue;
    const got = file || "nothing";
    throw new Error(`--timeline: expected a file that ends in .svg or .json, got ${got}`);
  }
  return { timeline, rest };
}

/**
 * Tries whether the file that the option names can be written, and leaves it as it is.
 *
 * @throws {Error} `cannot write FILE: …`, with the reason or the permission to add
 */
export function checkTimeline(option: TimelineOption): void {
  if (typeof option !== "string") return;
  write(option, () => {
    try {
      Deno.openSync(option, { write: true, createNew: true }).close();
      Deno.removeSync(option);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      Deno.openSync(option, { write: true }).close();
    }
  });
}

/**
 * Writes the file that the option names, or returns the text, for the terminal's width (default: 80).
 * Nothing is drawn if it isn't asked for, or if there are no spans at all.
 *
 * @throws {Error} `cannot write FILE: …`, as `checkTimeline` does
 */
export function showTimeline(charts: readonly Chart[], option: TimelineOption): string {
  if (!option || charts.every(({ spans }) => spans.length === 0)) return "";
  const width = Deno.stdout.isTerminal() && Deno.consoleSize().columns || 80;
  if (option === true) return textTimeline(charts, width);
  const drawing = /json$/i.test(option) ? traceTimeline(charts) : svgTimeline(charts);
  write(option, () => Deno.writeTextFileSync(option, drawing));
  return "";
}

function write(file: string, how: () => void): void {
  try {
    how();
  } catch (error) {
    const add = error instanceof Deno.errors.NotCapable && `add --allow-write=${file}`;
    const why = add || `${error}`.replace(/^\w+: | \(os error \d+\).*/gs, "");
    throw new Error(`cannot write ${file}: ${why}`, { cause: error });
  }
}
