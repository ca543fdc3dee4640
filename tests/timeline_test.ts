import { assert, assertEquals, assertLess, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import {
  checkTimeline,
  showTimeline,
  type Span,
  svgTimeline,
  textTimeline,
  timelineOption,
  traceTimeline,
  withLanes,
} from "../common/timeline.ts";
import { deno, output, type Permission, PROGRAM, TempDir, test } from "./testing.ts";

const FILES: Permission[] = ["read", "write"];

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

/** The lines of one chart as text, without its title. */
function rows(spans: Span[], width: number): string[] {
  return textTimeline([{ title: "a run", spans }], width).split("\n").slice(2);
}

function messageOf(fn: () => unknown): string {
  return assertThrows(fn, Error).message;
}

test("a timeline has a row for each lane and an axis in seconds", () => {
  assertEquals(rows(SPANS, 42), [
    "1 [BR============][CNxxxxxxxxxxxxxxxxxxxx]",
    "2     [DE====][EG=]",
    "3 xx===",
    "  |0 s                |0.5",
  ]);
});

test("all charts are drawn on one scale, each with its title", () => {
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

test("where tasks are shorter than a column, a failure is what shows", () => {
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
  test(`a label that does not fit is left out: ${row}`, () => {
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

test("where there are several threads, each has its lane, in the order in which they began", () => {
  const task = { label: "BR", start: 0, end: 1, ok: true };
  const drawn = withLanes([30, 4, 30].map((thread) => ({ ...task, thread })));
  assertEquals(drawn.map(({ lane }) => lane), [1, 0, 1]);
});

function bars(spans: Span[]): string[] {
  return svgTimeline([{ title: "a run", spans }]).split("\n").filter((line) => /^<g/.test(line));
}

test("the picture has a bar for each task, and marks failures without colour", () => {
  assertEquals(bars([span("BR", 0, 0, 500), span("CN", 1, 0, 1000, false)]), [
    '<g transform="translate(40.0 34)"><title>BR: 500 ms</title>' +
    '<rect width="440.0" height="18" rx="3"/><text x="4" y="13">BR</text></g>',
    '<g class="failed" transform="translate(40.0 56)"><title>CN: 1000 ms, failed</title>' +
    '<rect width="880.0" height="18" rx="3"/><text x="4" y="13">✕ CN</text></g>',
  ]);
});

test("a bar that is too narrow for its label says who it is when it is pointed at", () => {
  const [, narrow] = bars([span("BR", 0, 0, 1000), span("CN", 1, 3.2, 4.4)]);
  assertEquals(
    narrow,
    '<g transform="translate(42.8 56)"><title>CN: 1 ms</title>' +
      '<rect width="1.1" height="18" rx="3"/></g>',
  );
});

test("the picture escapes what it is given, and has colours for a dark page", () => {
  const svg = svgTimeline([{ title: "a < b", spans: [span("<&>", 0, 0, 1)] }]);
  assertStringIncludes(svg, ">a &#60; b</text>");
  assertStringIncludes(svg, "<title>&#60;&#38;&#62;: 1 ms</title>");
  assertStringIncludes(svg, "prefers-color-scheme: dark");
});

for (const ms of [0.02, 3, 96, 990, 1000, 1010, 5940, 99_999, 360_000, 86_400_000]) {
  test(`the picture of ${ms} ms clips no tick, and no tick touches the next`, () => {
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

test("a trace has a process for each chart, a named thread for each row, a span for each task", () => {
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

test("spans that touch do not overlap in a trace: viewers would nest them", () => {
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

for (
  const [args, timeline, rest] of [
    ["BR", false, "BR"],
    ["--timeline", true, ""],
    ["--timeline BR", true, "BR"],
    ["--timeline 4 97", true, "4 97"],
    ["--timeline -v", true, "-v"],
    ["--timeline -s=http://127.0.0.1", true, "-s=http://127.0.0.1"],
    ["-v --timeline a.svg BR", "a.svg", "-v BR"],
    ["-v --timeline=a.svg BR", "a.svg", "-v BR"],
    ["--timeline ../x/RUN.JSON", "../x/RUN.JSON", ""],
    ["--timeline=my-run.json", "my-run.json", ""],
    ["--timeline my-run.json", "my-run.json", ""],
    ["--timeline a.svg b.svg", "a.svg", "b.svg"],
    ["--timeline=a.svg --timeline b.json BR", "b.json", "BR"],
    ["--timeline a.svg --timeline", true, ""],
    ["BR -- --timeline --timeline=x", false, "BR -- --timeline --timeline=x"],
    ["--timeline -- a.svg", true, "-- a.svg"],
    ["--timelines --no-timeline", false, "--timelines --no-timeline"],
  ] as const
) {
  const what = timeline === true ? "text" : timeline || "no timeline";
  test(`${args} asks for ${what} and leaves ${rest || "nothing"}`, () => {
    const got = timelineOption(args.split(" "));
    assertEquals(got, { timeline, rest: rest.split(" ").filter((arg) => arg !== "") });
  });
}

for (
  const [args, got] of [
    ["--timeline=x.png", "x.png"],
    ["--timeline x.png", "x.png"],
    ["--timeline=x", "x"],
    ["--timeline out/x", "out/x"],
    ["--timeline 3.5", "3.5"],
    ["--timeline=a.svg --timeline=a.svgz", "a.svgz"],
    ["--timeline=", "nothing"],
  ] as const
) {
  test(`${args} is refused, with the endings`, () => {
    assertEquals(
      messageOf(() => timelineOption(args.split(" "))),
      `--timeline: expected a file that ends in .svg or .json, got ${got}`,
    );
  });
}

const CHARTS = [{ title: "a run", spans: SPANS }];

test("without a file a timeline is text, without the option or without spans it is nothing", () => {
  assertStringIncludes(showTimeline(CHARTS, true), "\na run\n1 [BR====");
  assertEquals(showTimeline(CHARTS, false), "");
  assertEquals(showTimeline([{ title: "a run", spans: [] }], true), "");
  assertEquals(showTimeline([], true), "");
});

for (const [columns, width] of [[0, 80], [100, 100]] as const) {
  test(`in a terminal of ${columns} columns a timeline is ${width} wide`, () => {
    const { consoleSize } = Deno;
    const { isTerminal } = Deno.stdout;
    Deno.consoleSize = () => ({ columns, rows: columns });
    Deno.stdout.isTerminal = () => true;
    try {
      assertEquals(showTimeline(CHARTS, true), textTimeline(CHARTS, width));
    } finally {
      Deno.consoleSize = consoleSize;
      Deno.stdout.isTerminal = isTerminal;
    }
  });
}

for (const [name, draw] of [["run.SVG", svgTimeline], ["run.json", traceTimeline]] as const) {
  test(`${name} is checked, which leaves nothing behind, and written`, async () => {
    await using dir = new TempDir();
    const file = join(dir.path, name);
    checkTimeline(file);
    assertEquals([...Deno.readDirSync(dir.path)], []);
    assertEquals(showTimeline(CHARTS, file), "");
    assertEquals(Deno.readTextFileSync(file), draw(CHARTS));
  }, { needs: FILES });
}

test("a picture that is there survives the check and a run without spans", async () => {
  await using dir = new TempDir();
  const file = join(dir.path, "run.svg");
  Deno.writeTextFileSync(file, "a picture");
  Deno.utimeSync(file, 1000, 1000);
  checkTimeline(file);
  showTimeline([{ title: "a run", spans: [] }], file);
  assertEquals(Deno.readTextFileSync(file), "a picture");
  assertEquals(Deno.statSync(file).mtime, new Date(1_000_000));
}, { needs: FILES });

test("a run without spans makes no picture", async () => {
  await using dir = new TempDir();
  const file = join(dir.path, "run.svg");
  checkTimeline(file);
  showTimeline([], file);
  assertEquals([...Deno.readDirSync(dir.path)], []);
}, { needs: FILES });

test("nothing is checked where no file is asked for", () => {
  checkTimeline(true);
  checkTimeline(false);
});

const windows = Deno.build.os === "windows";
for (
  const [what, name, reason] of [
    ["is a directory", "dir.svg", "Is a directory"],
    ["is in no directory", "no/x.svg", "No such file or directory"],
    ["is in a file", "file/x.json", "Not a directory"],
  ] as const
) {
  test(`a picture that ${what} cannot be written, and the check notices`, async () => {
    await using dir = new TempDir();
    Deno.mkdirSync(join(dir.path, "dir.svg"));
    Deno.writeTextFileSync(join(dir.path, "file"), "");
    const file = join(dir.path, name);
    for (const fn of [() => checkTimeline(file), () => showTimeline(CHARTS, file)]) {
      assertEquals(messageOf(fn), `cannot write ${file}: ${reason}`);
    }
    assertEquals(Deno.readDirSync(join(dir.path, "dir.svg")).next().done, true);
  }, { needs: FILES, ignore: windows });
}

test("a disk that is full when the picture is written is one line", async () => {
  await using dir = new TempDir();
  const file = join(dir.path, "full.svg");
  Deno.symlinkSync("/dev/full", file);
  checkTimeline(file);
  assertEquals(
    messageOf(() => showTimeline(CHARTS, file)),
    `cannot write ${file}: No space left on device`,
  );
}, { needs: FILES, ignore: Deno.build.os !== "linux" });

for (const permissions of [["--allow-write=downloaded"], []]) {
  test(`with ${permissions[0] ?? "no permission"}, the check says what to add`, async () => {
    await using dir = new TempDir();
    const program = join(dir.path, "program.ts");
    const timeline = import.meta.resolve("../common/timeline.ts");
    Deno.writeTextFileSync(
      program,
      `import { checkTimeline } from "${timeline}";
       try { checkTimeline("x.svg"); } catch ({ message }) { console.log(message); }`,
    );
    const args = ["run", "--no-prompt", "--no-config", ...permissions, program];
    const { code, stdout, stderr } = await output(deno(args, { cwd: dir.path }));
    assertEquals(
      [code, stdout, stderr],
      [0, "cannot write x.svg: add --allow-write=x.svg\n", ""],
    );
    assert(![...Deno.readDirSync(dir.path)].some(({ name }) => name === "x.svg"));
  }, { needs: PROGRAM });
}
