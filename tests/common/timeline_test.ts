/** A timeline has one row per thread or connection, as text, SVG or JSON, on stdout or in a file. */
import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { UsageError } from "../../common/terminal.ts";
import { checkTimeline, showTimeline, svgTimeline } from "../../common/timeline.ts";
import { type Task, textTimeline, traceTimeline } from "../../common/timeline.ts";
import { fakeTerminal, isGranted, tempDir } from "../helpers.ts";

const ignore = !isGranted("read", "write");

function task(label: string, start: number, end: number, ok = true, thread = 0): Task {
  return { label, start, end, ok, thread };
}

/** Draws one chart. Returns its lines without the title. */
function rows(width: number, ...tasks: Task[]): string[] {
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
  assertEquals(rows(42, ...tasks), [
    "1 [BR============][CNxxxxxxxxxxxxxxxxxxxx]",
    "2 [FR][DE====][EG=]",
    "  |0 s                |0.5",
  ]);
});

Deno.test("each of two threads has a row, in the order of their first tasks", () => {
  assertEquals(rows(42, task("CN", 500, 1000, true, 1), task("BR", 0, 500, true, 2)), [
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
  const short = "\nshort\n1 [BR======]\n  |0 s         |0.5\n";
  const long = "\nlong\n1 [BR================]\n  |0 s         |0.5\n";
  assertEquals(textTimeline(charts, 22), `${short}${long}`);
});

Deno.test("the row numbers of ten rows are aligned", () => {
  const lines = rows(9, ...Array.from({ length: 10 }, () => task("BR", 0, 10)));
  assertEquals([lines[8], lines[9]], [" 9 [BR==]", "10 [BR==]"]);
});

Deno.test("if tasks are shorter than a column, the last of them is shown", () => {
  const tasks = Array.from({ length: 100 }, (_, i) => task("XX", i * 10, i * 10 + 10, i !== 54));
  assertEquals(rows(12, ...tasks)[0], "1 =====x====");
});

Deno.test("a task without a duration takes a column, even at the end of the axis", () => {
  const tasks = [task("BR", 0, 400), task("CN", 500, 500, false), task("US", 1000, 1000)];
  assertEquals(rows(12, ...tasks)[0], "1 [BR] x   =");
});

for (
  const [width, ok, row] of [
    [7, true, "1 ====="],
    [8, true, "1 [LONG]"],
    [8, false, "1 xxxxxx"],
  ] as const
) {
  Deno.test(`a text bar has a label only if the label fits: ${row}`, () => {
    assertEquals(rows(width, task("LONG", 0, 10, ok))[0], row);
  });
}

for (
  const [ms, width, axis] of [
    [0.5, 26, "  |0 s        |0.0005"],
    [200, 74, "  |0 s              |0.05             |0.10             |0.15"],
    [1050, 26, "  |0 s"],
    [1400, 26, "  |0 s             |1"],
    [2100, 24, "  |0 s"],
  ] as const
) {
  Deno.test(`the axis of ${ms} ms in ${width} columns has round times`, () => {
    assertEquals(rows(width, task("BR", 0, ms))[1], axis);
  });
}

const CHARTS = [
  { title: "one", tasks: [task("BR", 0, 500), task("CN", 500, 520), task("DE", 520, 542.5)] },
  { title: "two", tasks: [task("US", 0, 1100, false), task("ZZ", 1000, 1001)] },
  { title: "none", tasks: [] },
];

Deno.test("an SVG timeline has titles, axes, rows, bars and tooltips, and marks failures", () => {
  const axis = (top: number, bottom: number) =>
    ["0 s", "0.2", "0.4", "0.6", "0.8", "1.0"].map((text, i) => {
      const x = 40 + 160 * i;
      return `<line x1="${x}" x2="${x}" y1="${top}" y2="${bottom + 4}"/>` +
        `<text class="axis" x="${x}" y="${bottom + 17}">${text}</text>`;
    });
  const bar = (x: number, y: number, tooltip: string, width: number, text = "") =>
    `transform="translate(${x} ${y})"><title>${tooltip}</title>` +
    `<rect y="2" width="${width}" height="18" rx="3"/>${text}</g>`;
  const svg = svgTimeline(CHARTS).replace(/<style>[^]*<\/style>\n/, "");
  assertEquals(svg.split("\n"), [
    '<svg xmlns="http://www.w3.org/2000/svg" width="960" height="246" viewBox="0 0 960 246">',
    '<text class="title" x="40" y="22">one</text>',
    ...axis(32, 54),
    '<text class="row" x="20" y="47">1</text>',
    `<g ${bar(40, 32, "BR: 500 ms", 400, '<text x="4" y="15">BR</text>')}`,
    `<g ${bar(440, 32, "CN: 20 ms", 16)}`,
    `<g ${bar(456, 32, "DE: 23 ms", 18, '<text x="4" y="15">DE</text>')}`,
    '<text class="title" x="40" y="104">two</text>',
    ...axis(114, 158),
    '<text class="row" x="20" y="129">1</text>',
    `<g class="failed" ${
      bar(40, 114, "US: 1100 ms, failed", 880, '<text x="4" y="15">✕ US</text>')
    }`,
    '<text class="row" x="20" y="151">2</text>',
    `<g ${bar(840, 136, "ZZ: 1 ms", 1)}`,
    '<text class="title" x="40" y="208">none</text>',
    ...axis(218, 218),
    "</svg>",
    "",
  ]);
});

Deno.test("the axis of an SVG timeline has up to 10 steps", () => {
  const svg = svgTimeline([{ title: "", tasks: [task("BR", 0, 1000)] }]);
  assertEquals(svg.match(/class="axis"/g)?.length, 11);
});

Deno.test("a JSON timeline has a process for each chart and a thread for each row", () => {
  const events: unknown[] = JSON.parse(traceTimeline(CHARTS.slice(1))).traceEvents;
  assertEquals(events.map((event) => JSON.stringify(event)), [
    '{"ph":"M","name":"process_name","pid":1000,"args":{"name":"two"}}',
    '{"ph":"M","name":"process_sort_index","pid":1000,"args":{"sort_index":0}}',
    '{"ph":"M","name":"thread_name","pid":1000,"tid":1,"args":{"name":"row 1"}}',
    '{"ph":"M","name":"thread_sort_index","pid":1000,"tid":1,"args":{"sort_index":1}}',
    '{"ph":"X","name":"US","pid":1000,"tid":1,"ts":0,"dur":1100000,"cname":"terrible","args":{"ok":false}}',
    '{"ph":"M","name":"thread_name","pid":1000,"tid":2,"args":{"name":"row 2"}}',
    '{"ph":"M","name":"thread_sort_index","pid":1000,"tid":2,"args":{"sort_index":2}}',
    '{"ph":"X","name":"ZZ","pid":1000,"tid":2,"ts":1000000,"dur":1000,"cname":"good","args":{"ok":true}}',
    '{"ph":"M","name":"process_name","pid":1001,"args":{"name":"none"}}',
    '{"ph":"M","name":"process_sort_index","pid":1001,"args":{"sort_index":1}}',
  ]);
});

for (const [columns, width] of [[undefined, 80], [0, 80], [100, 100]] as const) {
  Deno.test(`showTimeline prints ${width} columns if the terminal has ${columns}`, () => {
    using terminal = fakeTerminal(columns);
    showTimeline(CHARTS, "");
    assertEquals(terminal.stdout, textTimeline(CHARTS, width));
  });
}

Deno.test("showTimeline prints nothing without the option or without tasks", () => {
  using terminal = fakeTerminal();
  showTimeline(CHARTS, undefined);
  showTimeline([{ title: "a run", tasks: [] }], "");
  assertEquals(terminal.stdout, "");
});

Deno.test("checkTimeline accepts the terminal", () => checkTimeline(""));

for (const file of ["run.png", "svg", "run.svgz"]) {
  Deno.test(`checkTimeline rejects ${file} and names the formats`, () => {
    const message = `--timeline: expected a file that ends in .svg or .json, got ${file}`;
    assertThrows(() => checkTimeline(file), UsageError, message);
  });
}

for (const [name, draw] of [["json.SVG", svgTimeline], ["svg.JSON", traceTimeline]] as const) {
  Deno.test(`showTimeline replaces ${name}, which checkTimeline keeps`, { ignore }, () => {
    using dir = tempDir();
    const file = join(dir.path, name);
    checkTimeline(file);
    assertEquals(Deno.readTextFileSync(file), "");
    Deno.writeTextFileSync(file, "older");
    checkTimeline(file);
    assertEquals(Deno.readTextFileSync(file), "older");
    showTimeline(CHARTS, file);
    assertEquals(Deno.readTextFileSync(file), draw(CHARTS));
  });
}
