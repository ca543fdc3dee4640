import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { svgTimeline, textTimeline, traceTimeline } from "../../common/timeline.ts";
import { checkTimeline, showTimeline, timelineOption } from "../../common/timeline_option.ts";
import { deno, output, type Permission, PROGRAM, TempDir, test } from "../testing.ts";

const FILES: Permission[] = ["read", "write"];

function messageOf(fn: () => unknown): string {
  return assertThrows(fn, Error).message;
}

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
  test(`${args} is rejected, and the message names the allowed extensions`, () => {
    assertEquals(
      messageOf(() => timelineOption(args.split(" "))),
      `--timeline: expected a file that ends in .svg or .json, got ${got}`,
    );
  });
}

const CHARTS = [{
  title: "a run",
  spans: [
    { label: "BR", lane: 0, start: 0, end: 400, ok: true },
    { label: "CN", lane: 1, start: 400, end: 1000, ok: false },
  ],
}];

test("a timeline is text if no file is given, and empty without the option or without spans", () => {
  assertStringIncludes(showTimeline(CHARTS, true), "\na run\n1 [BR====");
  assertEquals(showTimeline(CHARTS, false), "");
  assertEquals(showTimeline([{ title: "a run", spans: [] }], true), "");
  assertEquals(showTimeline([], true), "");
});

for (const [columns, width] of [[0, 80], [100, 100]] as const) {
  test(`in a terminal of ${columns} columns, a timeline is ${width} columns wide`, () => {
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
  test(`the check of ${name} leaves no file, and then the file is written`, async () => {
    await using dir = new TempDir();
    const file = join(dir.path, name);
    checkTimeline(file);
    assertEquals([...Deno.readDirSync(dir.path)], []);
    assertEquals(showTimeline(CHARTS, file), "");
    assertEquals(Deno.readTextFileSync(file), draw(CHARTS));
  }, { needs: FILES });
}

test("an existing file survives the check and a run without spans", async () => {
  await using dir = new TempDir();
  const file = join(dir.path, "run.svg");
  Deno.writeTextFileSync(file, "a picture");
  Deno.utimeSync(file, 1000, 1000);
  checkTimeline(file);
  showTimeline([{ title: "a run", spans: [] }], file);
  assertEquals(Deno.readTextFileSync(file), "a picture");
  assertEquals(Deno.statSync(file).mtime, new Date(1_000_000));
}, { needs: FILES });

test("a run without spans writes no file", async () => {
  await using dir = new TempDir();
  const file = join(dir.path, "run.svg");
  checkTimeline(file);
  showTimeline([], file);
  assertEquals([...Deno.readDirSync(dir.path)], []);
}, { needs: FILES });

test("the check does nothing if no file is given", () => {
  checkTimeline(true);
  checkTimeline(false);
});

for (
  const [what, name, reason] of [
    ["is a directory", "dir.svg", "Is a directory"],
    ["is in no directory", "no/x.svg", "No such file or directory"],
    ["is in a file", "file/x.json", "Not a directory"],
  ] as const
) {
  test(`a file that ${what} cannot be written, and the check notices`, async () => {
    await using dir = new TempDir();
    Deno.mkdirSync(join(dir.path, "dir.svg"));
    Deno.writeTextFileSync(join(dir.path, "file"), "");
    const file = join(dir.path, name);
    for (const fn of [() => checkTimeline(file), () => showTimeline(CHARTS, file)]) {
      assertEquals(messageOf(fn), `cannot write ${file}: ${reason}`);
    }
    assertEquals(Deno.readDirSync(join(dir.path, "dir.svg")).next().done, true);
  }, { needs: FILES, only: "unix" });
}

test("reports a full disk on one line", async () => {
  await using dir = new TempDir();
  const file = join(dir.path, "full.svg");
  Deno.symlinkSync("/dev/full", file);
  checkTimeline(file);
  assertEquals(
    messageOf(() => showTimeline(CHARTS, file)),
    `cannot write ${file}: No space left on device`,
  );
}, { needs: FILES, only: "linux" });

for (
  const [permissions, advice] of [
    [["--allow-write=downloaded"], "add --allow-write=x.svg, or write into downloaded/"],
    [[], "add --allow-write=x.svg"],
  ] as const
) {
  test(
    `with ${permissions[0] ?? "no permission"}, the check says which permission to add`,
    async () => {
      await using dir = new TempDir();
      const program = join(dir.path, "program.ts");
      const timeline = import.meta.resolve("../../common/timeline_option.ts");
      Deno.writeTextFileSync(
        program,
        `import { checkTimeline } from "${timeline}";
       try { checkTimeline("x.svg"); } catch ({ message }) { console.log(message); }`,
      );
      const args = ["run", "--no-prompt", "--no-config", ...permissions, program];
      const { code, stdout, stderr } = await output(deno(args, { cwd: dir.path }));
      assertEquals(
        [code, stdout, stderr],
        [0, `cannot write x.svg: ${advice}\n`, ""],
      );
      assert(![...Deno.readDirSync(dir.path)].some(({ name }) => name === "x.svg"));
    },
    { needs: PROGRAM },
  );
}
