import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { type Flag, POP20_CC, timedRun } from "../flags_cli.ts";
import { serveFlags } from "../flags_server.ts";
import { downloadMany } from "../flags_threadpool.ts";
import { type Span, svgTimeline, textTimeline, timelineOption, withLanes } from "../timeline.ts";
import { granted, run, TempDir } from "./programs.ts";

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

function lines(text: string): string[] {
  return text.split("\n");
}

Deno.test("a timeline has a row for each lane and an axis in seconds", () => {
  assertEquals(lines(textTimeline(SPANS, 42)), [
    "1 [BR============][CNxxxxxxxxxxxxxxxxxxxx]",
    "2     [DE====][EG=]",
    "3 xx===",
    "  |0 s                |0.5",
  ]);
});

Deno.test("a timeline may stand for more time than its tasks took", () => {
  assertEquals(lines(textTimeline(SPANS.slice(0, 1), 42, { total: 800 })), [
    "1 [BR================]",
    "  |0 s                     |0.5",
  ]);
});

Deno.test("where tasks are shorter than a column, a failure is what shows", () => {
  const many = Array.from({ length: 100 }, (_, i) => span("XX", 0, i * 10, i * 10 + 10, i !== 50));
  assertEquals(lines(textTimeline(many, 12))[0], "1 =====x====");
});

Deno.test("a label that does not fit is left out", () => {
  assertEquals(lines(textTimeline([span("LONG", 0, 0, 10)], 7))[0], "1 [===]");
  assertEquals(lines(textTimeline([span("LONG", 0, 0, 10)], 8))[0], "1 [LONG]");
  assertEquals(lines(textTimeline([span("LONG", 0, 0, 10, false)], 8))[0], "1 [xxxx]");
});

Deno.test("no line is wider than the terminal, and nothing at all can be drawn", () => {
  for (const width of [5, 40, 80, 160]) {
    for (const line of lines(textTimeline(SPANS, width))) assertLess(line.length, width + 1);
  }
  assertMatch(textTimeline([], 40), /^ {2}\|0 s/);
});

Deno.test("a task gets the lowest lane that is free when it starts", () => {
  const drawn = withLanes(SPANS);
  assertEquals(drawn.map(({ label, lane }) => label + lane), [
    "BR0",
    "FR1",
    "ID1",
    "IN1",
    "DE1",
    "EG1",
    "CN0",
  ]);
});

Deno.test("where there are several threads, each has its lane, in the order in which they began", () => {
  const task = { label: "BR", start: 0, end: 1, ok: true };
  const drawn = withLanes([{ ...task, thread: 30 }, { ...task, thread: 4 }, {
    ...task,
    thread: 30,
  }]);
  assertEquals(drawn.map(({ lane }) => lane), [1, 0, 1]);
});

Deno.test("the picture has a bar for each task, and marks failures without colour", () => {
  const svg = svgTimeline([{
    title: "a < b",
    spans: [span("BR", 0, 0, 500), span("CN", 1, 0, 1000, false)],
  }]);
  const bars = lines(svg).filter((line) => line.startsWith("<g"));
  assertEquals(bars, [
    '<g><rect x="40.0" y="34" width="450.0" height="18" rx="3"/><text x="44.0" y="47">BR</text></g>',
    '<g class="failed"><rect x="40.0" y="56" width="900.0" height="18" rx="3"/>' +
    '<text x="44.0" y="69">✕ CN</text></g>',
  ]);
  assertStringIncludes(svg, "a &#60; b");
  assertStringIncludes(svg, "prefers-color-scheme: dark");
  assertMatch(svg, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="960" height="104"/);
});

Deno.test("--timeline takes a file name only if it ends in .svg", () => {
  assertEquals(timelineOption(["BR"]), { timeline: false, rest: ["BR"] });
  assertEquals(timelineOption(["--timeline", "BR"]), { timeline: true, rest: ["BR"] });
  assertEquals(timelineOption(["-v", "--timeline", "a.svg", "BR"]), {
    timeline: "a.svg",
    rest: ["-v", "BR"],
  });
});

Deno.test({
  name: "in a real run of the pool no bars of a lane overlap, and they end when the run does",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    await using site = serveFlags({ delay: [0.1, 0.3] });
    const shared = new Int32Array(new SharedArrayBuffer(8));
    const flags = POP20_CC.map((cc): Flag => {
      const name = cc.toLowerCase();
      const url = `http://127.0.0.1:${site.addr.port}/flags/${name}/${name}.gif`;
      return { cc, url, print: "nothing", shared };
    });
    const cwd = Deno.cwd();
    Deno.chdir(dir.path);
    Deno.mkdirSync("downloaded");
    const { spans, seconds } = await timedRun(downloadMany, flags, 6);
    Deno.chdir(cwd);

    assertEquals(new Set(spans.map(({ lane }) => lane)), new Set([0, 1, 2, 3, 4, 5]));
    assert(spans.every(({ ok }) => ok));
    for (const lane of Map.groupBy(spans, ({ lane }) => lane).values()) {
      lane.toSorted((a, b) => a.start - b.start).reduce((before, span) => {
        assertLess(before.end, span.start + 0.001);
        return span;
      });
    }
    const last = Math.max(...spans.map(({ end }) => end)) / 1000;
    assertLess(Math.abs(seconds - last), 0.05 * seconds);
  },
});

for (const program of ["flags.ts", "flags_threadpool.ts", "flags_async.ts", "flags_futures.ts"]) {
  Deno.test({
    name: `${program} --timeline draws 80 columns after the summary`,
    ignore: !granted,
    async fn() {
      await using dir = new TempDir();
      const { code, stdout } = await run(program, ["BR", "US", "--timeline", "-m", "2"], dir);
      assertEquals(code, 0);
      const title = `${program}, ${program === "flags.ts" ? "1 connection" : "2 connections"}`;
      const drawing = stdout.split(`\n2 downloads in `)[1]?.split("\n").slice(1);
      assertEquals(drawing?.slice(0, 2), ["", title]);
      assertMatch(`${drawing?.[2]}`, /^1 +\[BR=*\]/);
      assertEquals(Math.max(...drawing?.map((line) => line.length) ?? []), 80);
    },
  });
}

Deno.test({
  name: "--timeline FILE.svg writes the picture and nothing else",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    const args = ["BR", "--timeline", "downloaded/run.svg"];
    const { code, stdout } = await run("flags_async.ts", args, dir);
    assertEquals(code, 0);
    assertMatch(stdout, /^BR \n1 download in \d+\.\d\ds\n$/);
    const svg = Deno.readTextFileSync(join(dir.path, "downloaded/run.svg"));
    assertStringIncludes(svg, ">BR</text>");
  },
});

Deno.test({
  name: "a picture that cannot be written is one line",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    const args = ["BR", "--timeline", "downloaded/no/such.svg"];
    const { code, stderr } = await run("flags_async.ts", args, dir);
    assertEquals(code, 1);
    assertEquals(
      stderr.split("\n")[1],
      "cannot write downloaded/no/such.svg: No such file or directory",
    );
  },
});
