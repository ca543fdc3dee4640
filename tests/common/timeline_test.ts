import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import {
  type Span,
  svgTimeline,
  textTimeline,
  traceTimeline,
  withLanes,
} from "../../common/timeline.ts";
import { test } from "../testing.ts";

function span(label: string, lane: number, start: number, end: number, ok = true): Span {
  return { label, lane, start, end, ok };
}

const SPANS = [
  span("BR", 0, 0, 400),
  span("CN", 0, 400, 1000, false),
  span("DE", 1, 100, 300),
  span("EG", 1, 310, 420),
  span("FR", 2, 0, 60, false),
  span("ID", 2, 60, 90),
  span("IN", 2, 90, 96),
];

/** Returns the lines of one chart, without the title. */
function rows(spans: Span[], width: number): string[] {
  return textTimeline([{ title: "a run", spans }], width).split("\n").slice(2);
}

test("a timeline has a row for each lane and an axis in seconds", () => {
  assertEquals(rows(SPANS, 42), [
    "1 [BR============][CNxxxxxxxxxxxxxxxxxxxx]",
    "2     [DE====][EG=]",
    "3 xx===",
    "  |0 s                |0.5",
  ]);
});

test("draws all charts to one scale, each with its title", () => {
  const charts = [{ title: "short", spans: [span("BR", 0, 0, 400)] }, {
    title: "long",
    spans: [span("BR", 0, 0, 800)],
  }];
  assertEquals(textTimeline(charts, 42).split("\n"), [
    "",
    "short",
    "1 [BR================]",
    "  |0 s                     |0.5",
    "",
    "long",
    "1 [BR====================================]",
    "  |0 s                     |0.5",
  ]);
});

test("if tasks are shorter than a column, the failed task is shown", () => {
  const many = Array.from({ length: 100 }, (_, i) => span("XX", 0, i * 10, i * 10 + 10, i !== 50));
  assertEquals(rows(many, 12)[0], "1 =====x====");
});

for (
  const [width, ok, row] of [
    [7, true, "1 [===]"],
    [8, true, "1 [LONG]"],
    [8, false, "1 [xxxx]"],
    [9, false, "1 [LONGx]"],
  ] as const
) {
  test(`leaves out a label that does not fit: ${row}`, () => {
    assertEquals(rows([span("LONG", 0, 0, 10, ok)], width)[0], row);
  });
}

for (const width of [5, 40, 80, 160]) {
  test(`no line of the drawing is wider than ${width} columns`, () => {
    for (const line of rows(SPANS, width)) assertLess(line.length, width + 1);
  });
}

test("a task gets the lowest lane that is free when it starts", () => {
  const drawn = withLanes(SPANS).map(({ label, lane }) => label + lane);
  assertEquals(drawn, ["BR0", "FR1", "ID1", "IN1", "DE1", "EG1", "CN0"]);
});

test("each of several threads has its own lane, in the order in which the threads started", () => {
  const task = { label: "BR", start: 0, end: 1, ok: true };
  const drawn = withLanes([30, 4, 30].map((thread) => ({ ...task, thread })));
  assertEquals(drawn.map(({ lane }) => lane), [1, 0, 1]);
});

function bars(spans: Span[]): string[] {
  return svgTimeline([{ title: "a run", spans }]).split("\n").filter((line) => /^<g/.test(line));
}

test("the picture has a bar for each task, and marks failures not only by color", () => {
  assertEquals(bars([span("BR", 0, 0, 500), span("CN", 1, 0, 1000, false)]), [
    '<g transform="translate(40.0 34)"><title>BR: 500 ms</title>' +
    '<rect width="440.0" height="18" rx="3"/><text x="4" y="13">BR</text></g>',
    '<g class="failed" transform="translate(40.0 56)"><title>CN: 1000 ms, failed</title>' +
    '<rect width="880.0" height="18" rx="3"/><text x="4" y="13">✕ CN</text></g>',
  ]);
});

test("a bar too narrow for its label has a tooltip", () => {
  const [, narrow] = bars([span("BR", 0, 0, 1000), span("CN", 1, 3.2, 4.4)]);
  assertEquals(
    narrow,
    '<g transform="translate(42.8 56)"><title>CN: 1 ms</title>' +
      '<rect width="1.1" height="18" rx="3"/></g>',
  );
});

test("the picture escapes labels and titles, and has colors for a dark page", () => {
  const svg = svgTimeline([{ title: "a < b", spans: [span("<&>", 0, 0, 1)] }]);
  assertStringIncludes(svg, ">a &#60; b</text>");
  assertStringIncludes(svg, "<title>&#60;&#38;&#62;: 1 ms</title>");
  assertStringIncludes(svg, "prefers-color-scheme: dark");
});

for (const ms of [0.02, 3, 96, 990, 1000, 1010, 5940, 99_999, 360_000, 86_400_000]) {
  test(`in a picture of ${ms} ms, no tick is clipped or touches the next`, () => {
    const svg = svgTimeline([{ title: "a run", spans: [span("BR", 0, 0, ms)] }]);
    const width = Number(svg.match(/width="(\d+)"/)?.[1]);
    let free = 0;
    for (const [, x, text = ""] of svg.matchAll(/class="axis" x="(.*?)".*?>(.*?)</g)) {
      const half = text.length * 8 / 2;
      assertLess(free, Number(x) - half);
      free = Number(x) + half;
    }
    assertLess(free, width);
  });
}

test("a trace has a process for each chart, a named thread for each row, and a span for each task", () => {
  const trace = JSON.parse(traceTimeline([
    { title: "flags.ts", spans: [span("BR", 0, 0.5, 2)] },
    { title: "flags_async.ts", spans: [span("CN", 1, 1.2344, 1.2346, false)] },
  ]));
  const meta = (pid: number, tid: number, name: string, args: Record<string, unknown>) => ({
    ph: "M",
    name,
    pid,
    tid,
    args,
  });
  assertEquals(trace, {
    traceEvents: [
      meta(1000, 0, "process_name", { name: "flags.ts" }),
      meta(1000, 0, "process_sort_index", { sort_index: 0 }),
      meta(1000, 1, "thread_name", { name: "row 1" }),
      meta(1000, 1, "thread_sort_index", { sort_index: 1 }),
      {
        ph: "X",
        name: "BR",
        pid: 1000,
        tid: 1,
        ts: 500,
        dur: 1500,
        cname: "good",
        args: { ok: true },
      },
      meta(1001, 0, "process_name", { name: "flags_async.ts" }),
      meta(1001, 0, "process_sort_index", { sort_index: 1 }),
      meta(1001, 1, "thread_name", { name: "row 1" }),
      meta(1001, 2, "thread_name", { name: "row 2" }),
      meta(1001, 1, "thread_sort_index", { sort_index: 1 }),
      meta(1001, 2, "thread_sort_index", { sort_index: 2 }),
      {
        ph: "X",
        name: "CN",
        pid: 1001,
        tid: 2,
        ts: 1234,
        dur: 1,
        cname: "terrible",
        args: { ok: false },
      },
    ],
  });
});

test("adjacent spans do not overlap in a trace, because viewers would nest them", () => {
  const spans = Array.from(
    { length: 100 },
    (_, i) => span("BR", 0, i * 1.2345678, (i + 1) * 1.2345678),
  );
  const { traceEvents } = JSON.parse(traceTimeline([{ title: "a run", spans }]));
  let end = 0;
  for (const { ph, ts, dur } of traceEvents) {
    if (ph !== "X") continue;
    assertEquals(ts, end);
    end = ts + dur;
  }
  assertEquals(end, 123457);
});
