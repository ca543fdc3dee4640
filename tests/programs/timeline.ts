import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { DOWNLOADERS, failures, flagSite, PROGRAMS } from "../flag_programs.ts";
import { ConcurrentTests, run, start } from "../testing.ts";

export const tests = new ConcurrentTests();

tests.addForEach(
  PROGRAMS,
  "--timeline draws 80 columns after the summary",
  async (program, dir) => {
    await using site = flagSite({ delay: [0.1, 0.1] });
    const args = ["BR", "US", "--timeline", "-m", "2", "-s", site.url];
    const { code, stdout } = await run(program, args, dir);
    assertEquals(code, 0);
    const title = `${program}, ${program === "flags.ts" ? "1 connection" : "2 connections"}`;
    const drawing = stdout.split(`\n2 downloads in `)[1]?.split("\n").slice(1) ?? [];
    assertEquals(drawing.slice(0, 2), ["", title]);
    const bars = drawing.join("\n").match(/\[..=+\]/g)?.map((bar) => bar.slice(1, 3));
    assertEquals([bars?.sort(), drawing[2]?.slice(0, 2)], [["BR", "US"], "1 "]);
    assertLess(Math.max(...drawing.map((line) => line.length)), 81);
  },
);

for (
  const [option, file, begins, label] of [
    ["--timeline=downloaded/run.svg", "run.svg", "<svg ", ">BR</text>"],
    ["--timeline=downloaded/run.json", "run.json", '{"traceEvents":[', '"name":"BR"'],
  ] as const
) {
  tests.add(`${option} writes the file and prints nothing more`, async (dir) => {
    await using site = flagSite({ delay: [0.1, 0.1] });
    const { code, stdout } = await run("flags_async.ts", ["BR", option, "-s", site.url], dir);
    assertEquals(code, 0);
    assertMatch(stdout, /^BR \n1 download in \d+\.\d\ds\n$/);
    const drawing = Deno.readTextFileSync(join(dir.path, "downloaded", file));
    assertEquals(drawing.slice(0, begins.length), begins);
    assertStringIncludes(drawing, label);
  });
}

for (
  const { file, why, only } of [
    { file: "downloaded/no/such.svg", why: "No such file or directory", only: "unix" },
    { file: "run.svg", why: "add --allow-write=run.svg, or write into downloaded/" },
  ] as const
) {
  tests.addForEach(
    DOWNLOADERS,
    `reports that ${file} cannot be written before the first download`,
    async (program, dir) => {
      const expected = { code: 1, stdout: "", stderr: `cannot write ${file}: ${why}\n` };
      assertEquals(await run(program, ["BR", "--timeline", file], dir), expected);
    },
    only ? { only } : {},
  );
}

tests.add("reports the failed flags also if the timeline cannot be written", async (dir) => {
  await using site = flagSite({ delay: [0.2, 0.2] });
  Deno.mkdirSync(join(dir.path, "downloaded/later"), { recursive: true });
  const args = ["BR", "ZZ", "--timeline", "downloaded/later/run.svg", "-s", site.url];
  await using running = start("flags.ts", args, dir);
  await running.stderr.until(/\n/);
  Deno.removeSync(join(dir.path, "downloaded/later"));
  const { code, stdout, stderr } = await running.end();
  assertEquals(code, 1);
  assertEquals(failures(stderr), [
    "ZZ: not found",
    "cannot write downloaded/later/run.svg: No such file or directory",
  ]);
  assertMatch(stdout, /\n1 download in \d+\.\d\ds, 1 not found\n$/);
}, { only: "unix" });
