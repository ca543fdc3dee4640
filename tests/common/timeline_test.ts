/** A timeline has one row per thread or connection, as text, SVG or JSON, on stdout or in a file. */
import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { UsageError } from "../../common/terminal.ts";
import { chartOf, checkTimeline, showTimeline, svgTimeline } from "../../common/timeline.ts";
import { type Task, textTimeline, traceTimeline } from "../../common/timeline.ts";
import { FakeTerminal } from "../fake_terminal.ts";
import { isGranted, tempDir } from "../helpers.ts";

const ignore = !isGranted("read", "write");

function task(label: string, start: number, end: number, ok = true, thread = 0): Task {
  return { label, start, end, ok, thread };
}

/** Draws one chart. Returns its lines without the title. */
function rows(tasks: Task[], width: number): string[] {
  return textTimeline([{ title: "a run", tasks }], width).split("\n").slice(2, -1);
}

Deno.test("a task of one thread takes the first row that is free when it starts", () => {
  const tasks = [
    task("CN", 400, 1000, false),
    task("BR", 0, 400),
    task("DE", 100, 300),
    task("EG", 310, 420),
    task("FR", 0, 90),
  ];
  assertEquals(rows(tasks, 42), [
    "1 [BR============][CNxxxxxxxxxxxxxxxxxxxx]",
    "2 [FR][DE====][EG=]",
    "  |0 s                |0.5",
  ]);
});

Deno.test("each of two threads has a row, in the order of their first tasks", () => {
  assertEquals(rows([task("CN", 500, 1000, true, 1), task("BR", 0, 500, true, 2)], 42), [
    "1 [BR================]",
    "2                     [CN================]",
    "  |0 s                |0.5",
  ]);
});

Deno.test("all charts have the same scale, and each has its title", () => {
  const charts = [
    { title: "short", tasks: [task("BR", 0, 400)] },
    { title: "long", tasks: [task("BR", 0, 800)] },
  ];
  assertEquals(textTimeline(charts, 42).split("\n"), [
    "",
    "short",
    "1 [BR================]",
    "  |0 s                     |0.5",
    "",
    "long",
    "1 [BR====================================]",
    "  |0 s                     |0.5",
    "",
  ]);
});

Deno.test("the row numbers of ten rows are aligned", () => {
  const lines = rows(Array.from({ length: 10 }, () => task("BR", 0, 10)), 9);
  assertEquals([lines[8], lines[9]], [" 9 [BR==]", "10 [BR==]"]);
});

Deno.test("if tasks are shorter than a column, the last of them is shown", () => {
  const tasks = Array.from({ length: 100 }, (_, i) => task("XX", i * 10, i * 10 + 10, i !== 54));
  assertEquals(rows(tasks, 12)[0], "1 =====x====");
});

Deno.test("a task that begins at the end of the axis takes the last column", () => {
  assertEquals(rows([task("BR", 0, 1000), task("CN", 1000, 1000, false)], 12)[0], "1 [BR======x");
});

for (
  const [width, ok, row] of [
    [7, true, "1 ====="],
    [8, true, "1 [LONG]"],
    [8, false, "1 xxxxxx"],
    [9, false, "1 [LONGx]"],
  ] as const
) {
  Deno.test(`a text bar has a label only if the label fits: ${row}`, () => {
    assertEquals(rows([task("LONG", 0, 10, ok)], width)[0], row);
  });
}

for (
  const [ms, width, axis] of [
    [0.5, 26, "  |0 s        |0.0005"],
    [100, 62, "  |0 s        |0.02       |0.04       |0.06       |0.08"],
    [200, 74, "  |0 s              |0.05             |0.10             |0.15"],
    [1400, 26, "  |0 s             |1"],
    [2100, 24, "  |0 s"],
    [2200, 24, "  |0 s                |2"],
    [10_000, 26, "  |0 s        |5"],
  ] as const
) {
  Deno.test(`the axis of ${ms} ms in ${width} columns has round times`, () => {
    assertEquals(rows([task("BR", 0, ms)], width)[1], axis);
  });
}

Deno.test("chartOf counts the times of other threads from the start of the run", () => {
  const t0 = 900;
  const times = { timeOrigin: performance.timeOrigin + 50, start: 1000, end: 1400 };
  const { title, tasks } = chartOf("a run", t0, [{ ...times, label: "BR", ok: false }]);
  const rounded = tasks.map((
    { start, end, ...rest },
  ) => [Math.round(start), Math.round(end), rest]);
  assertEquals(title, "a run");
  assertEquals(rounded, [[150, 550, { label: "BR", ok: false, thread: times.timeOrigin }]]);
});

const CHARTS = [
  { title: "one", tasks: [task("BR", 0, 500), task("CN", 500, 506.25)] },
  { title: "two", tasks: [task("DE", 0, 1000, false), task("EG", 990, 1000, true)] },
];

Deno.test("an SVG timeline has a bar with a tooltip for each task, and marks failures", () => {
  const bars = svgTimeline(CHARTS).split("\n").filter((line) => line.startsWith("<g"));
  assertEquals(bars, [
    '<g transform="translate(40 32)"><title>BR: 500 ms</title>' +
    '<rect y="2" width="440" height="18" rx="3"/><text x="4" y="15">BR</text></g>',
    '<g transform="translate(480 32)"><title>CN: 6 ms</title>' +
    '<rect y="2" width="5.5" height="18" rx="3"/></g>',
    '<g class="failed" transform="translate(40 114)"><title>DE: 1000 ms, failed</title>' +
    '<rect y="2" width="880" height="18" rx="3"/><text x="4" y="15">✕ DE</text></g>',
    '<g transform="translate(911.2 136)"><title>EG: 10 ms</title>' +
    '<rect y="2" width="8.8" height="18" rx="3"/></g>',
  ]);
});

Deno.test("a bar in an SVG timeline is at least a pixel wide, and labeled if the label fits", () => {
  // The axis is 880 pixels wide, so a millisecond is one pixel.
  const tasks = [task("XX", 0, 17), task("YY", 30, 46), task("ZZ", 879.5, 880)];
  const svg = svgTimeline([{ title: "", tasks }]);
  const labeled = ["XX", "YY", "ZZ"].filter((label) => svg.includes(`>${label}</text>`));
  assertEquals(labeled, ["XX"]);
  assertEquals(svg.match(/width="1"/g)?.length, 1);
});

Deno.test("an SVG timeline has titles, row numbers and axes", () => {
  const svg = svgTimeline(CHARTS);
  const lines = svg.split("\n").filter((line) => /^<(text|line)/.test(line));
  const tick = (x: number, text: string, top: number, rowsBottom: number) =>
    `<line x1="${x}" x2="${x}" y1="${top}" y2="${rowsBottom + 4}"/>` +
    `<text class="axis" x="${x}" y="${rowsBottom + 17}">${text}</text>`;
  assertEquals(lines.slice(0, 4), [
    '<text class="title" x="40" y="22">one</text>',
    tick(40, "0 s", 32, 54),
    tick(128, "0.1", 32, 54),
    tick(216, "0.2", 32, 54),
  ]);
  assertEquals(lines.slice(11, 15), [
    tick(920, "1.0", 32, 54),
    '<text class="row" x="20" y="47">1</text>',
    '<text class="title" x="40" y="104">two</text>',
    tick(40, "0 s", 114, 158),
  ]);
  assertEquals(lines.at(-1), '<text class="row" x="20" y="151">2</text>');
  const size = 'width="960" height="186" viewBox="0 0 960 186"';
  assertEquals(svg.split("\n")[0], `<svg xmlns="http://www.w3.org/2000/svg" ${size}>`);
  assertEquals(svg.slice(-7), "</svg>\n");
});

Deno.test("the axis of an SVG timeline has at most 10 steps", () => {
  const svg = svgTimeline([{ title: "", tasks: [task("BR", 0, 1100)] }]);
  const times = Array.from(svg.matchAll(/class="axis".*>(.*)<\/text>/g), ([, time]) => time);
  assertEquals(times, ["0 s", "0.2", "0.4", "0.6", "0.8", "1.0"]);
});

Deno.test("a JSON timeline has a process for each chart and a thread for each row", () => {
  const meta = (name: string, pid: number, args: object, tid?: number) =>
    tid === undefined ? { ph: "M", name, pid, args } : { ph: "M", name, pid, tid, args };
  const row = (pid: number, tid: number) => [
    meta("thread_name", pid, { name: `row ${tid}` }, tid),
    meta("thread_sort_index", pid, { sort_index: tid }, tid),
  ];
  const bar = (name: string, pid: number, tid: number, ts: number, dur: number, ok: boolean) => {
    return { ph: "X", name, pid, tid, ts, dur, cname: ok ? "good" : "terrible", args: { ok } };
  };
  assertEquals(JSON.parse(traceTimeline(CHARTS)).traceEvents, [
    meta("process_name", 1000, { name: "one" }),
    meta("process_sort_index", 1000, { sort_index: 0 }),
    ...row(1000, 1),
    bar("BR", 1000, 1, 0, 500_000, true),
    bar("CN", 1000, 1, 500_000, 6250, true),
    meta("process_name", 1001, { name: "two" }),
    meta("process_sort_index", 1001, { sort_index: 1 }),
    ...row(1001, 1),
    bar("DE", 1001, 1, 0, 1_000_000, false),
    ...row(1001, 2),
    bar("EG", 1001, 2, 990_000, 10_000, true),
  ]);
});

for (const [columns, width] of [[undefined, 80], [0, 80], [100, 100]] as const) {
  Deno.test(`showTimeline prints ${width} columns if the terminal has ${columns}`, () => {
    using terminal = new FakeTerminal(columns);
    showTimeline(CHARTS, "");
    assertEquals(terminal.stdout, textTimeline(CHARTS, width));
  });
}

Deno.test("showTimeline prints nothing without the option or without tasks", () => {
  using terminal = new FakeTerminal();
  showTimeline(CHARTS, undefined);
  showTimeline([{ title: "a run", tasks: [] }], "");
  assertEquals(terminal.stdout, "");
});

Deno.test("checkTimeline accepts no file", () => {
  checkTimeline(undefined);
  checkTimeline("");
});

for (const file of ["run.png", "svg", "run.svgz", "run.json/x"]) {
  Deno.test(`checkTimeline rejects ${file} and names the formats`, () => {
    const message = `--timeline: expected a file that ends in .svg or .json, got ${file}`;
    assertThrows(() => checkTimeline(file), UsageError, message);
  });
}

for (const [name, draw] of [["json.SVG", svgTimeline], ["svg.JSON", traceTimeline]] as const) {
  Deno.test(`showTimeline writes ${name}, which checkTimeline has created`, { ignore }, () => {
    using dir = tempDir();
    const file = join(dir.path, name);
    checkTimeline(file);
    assertEquals(Deno.readTextFileSync(file), "");
    showTimeline(CHARTS, file);
    assertEquals(Deno.readTextFileSync(file), draw(CHARTS));
  });
}

Deno.test("an older timeline survives the check, and a run without tasks", { ignore }, () => {
  using dir = tempDir();
  const file = join(dir.path, "run.svg");
  Deno.writeTextFileSync(file, "older");
  checkTimeline(file);
  showTimeline([{ title: "a run", tasks: [] }], file);
  assertEquals(Deno.readTextFileSync(file), "older");
});

Deno.test("checkTimeline throws if the file cannot be written", { ignore }, () => {
  using dir = tempDir();
  const file = join(dir.path, "missing", "run.svg");
  assertThrows(() => checkTimeline(file), Deno.errors.NotFound);
});
