import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { flagSite, SIGNALS } from "../flag_programs.ts";
import { ConcurrentTests, run, start } from "../testing.ts";

const HEADER = "program              connections  seconds      speed-up  ideal s";

export const tests = new ConcurrentTests();

/** Returns the cells of the table, row by row. */
function table(stdout: string): string[][] {
  const [header, ...rows] = (stdout.split("\n\n")[0] ?? "").trimEnd().split("\n");
  assertEquals(header, HEADER);
  return rows.map((row) => row.split(/ +/));
}

tests.add(
  "runs the three downloaders, prints a table, and draws them to one scale",
  async (dir) => {
    await using site = flagSite({ delay: [0.1, 0.1] });
    const args = ["-s", site.url, "-m", "4", "BR", "CN", "DE", "US"];
    const { code, stdout, stderr } = await run("compare.ts", args, dir);
    assertEquals([code, stderr], [0, `4 flags from ${site.url}, three times\n`]);
    const rows = table(stdout);
    assertEquals(rows.map(([program, connections]) => [program, connections]), [
      ["flags.ts", "1"],
      ["flags_threadpool.ts", "4"],
      ["flags_async.ts", "4"],
    ]);
    assertEquals(rows[0]?.[3], "1.0");
    for (const row of rows) assertMatch(row.slice(2).join(" "), /^\d\.\d\d \d\.\d \d\.\d\d$/);
    // The ideal time is a lower bound, and each of the four downloads takes at least 0.1 s.
    for (const [, , , , ideal] of rows) assertLess(0.09, Number(ideal));
    for (const [, , seconds, , ideal] of rows) assertLess(Number(ideal), Number(seconds) + 0.02);
    const charts = stdout.split("\n\n").slice(1);
    assertEquals(charts.map((chart) => chart.split("\n").length), [3, 6, 6 + 1]);
    for (const chart of charts) {
      assertMatch(chart, /^flags\w*\.ts: \d\.\d\d s, \d connections?\n1 +\[/);
    }
    assertEquals([...dir.downloaded().keys()], ["BR.gif", "CN.gif", "DE.gif", "US.gif"]);
  },
);

tests.add("each downloader uses as many connections as when it runs alone", async (dir) => {
  await using site = flagSite();
  const { stdout } = await run("compare.ts", ["-s", site.url], dir);
  const pool = Math.min(20, 32, navigator.hardwareConcurrency + 4);
  assertEquals(table(stdout).map(([, connections]) => connections), ["1", `${pool}`, "20"]);
});

tests.add("--timeline FILE writes the charts to the file, not to stdout", async (dir) => {
  await using site = flagSite({ delay: [0.1, 0.1] });
  const args = ["-s", site.url, "BR", "--timeline", "downloaded/compare.svg"];
  const { code, stdout } = await run("compare.ts", args, dir);
  assertEquals([code, stdout.split("\n").length], [0, 5]);
  const svg = Deno.readTextFileSync(join(dir.path, "downloaded/compare.svg"));
  for (const program of ["flags", "flags_threadpool", "flags_async"]) {
    assertMatch(svg, RegExp(`>${program}\\.ts: \\d\\.\\d\\d s, 1 connection<`));
  }
});

tests.add("reports failures like the programs that it runs", async (dir) => {
  await using site = flagSite();
  const { code, stdout, stderr } = await run("compare.ts", ["-s", site.url, "BR", "ZZ"], dir);
  assertEquals(code, 1);
  assertEquals(stderr, `2 flags from ${site.url}, three times\n${"ZZ: not found\n".repeat(3)}`);
  assertMatch(table(stdout)[0]?.[3] ?? "", /^1\.0$/);
});

tests.add("prints no speed-up if every download fails", async (dir) => {
  await using site = flagSite();
  const { code, stdout } = await run("compare.ts", ["-s", site.url, "XX", "ZZ"], dir);
  assertEquals(code, 1);
  const rows = table(stdout);
  assertEquals(rows.map(([program, , , ...figures]) => [program, ...figures]), [
    ["flags.ts", "–", "–"],
    ["flags_threadpool.ts", "–", "–"],
    ["flags_async.ts", "–", "–"],
  ]);
});

for (const [signal, exit] of SIGNALS) {
  tests.add(`${signal} ends the comparison`, async (dir) => {
    await using site = flagSite({ delay: [0.5, 0.5] });
    const args = ["-s", site.url, "BR", "--timeline", "downloaded/compare.svg"];
    await using running = start("compare.ts", args, dir);
    await running.stdout.until(/\n/);
    running.kill(signal);
    const { code, stdout, stderr } = await running.end();
    assertEquals([code, stdout], [exit, `${HEADER}\n`]);
    const why = "flags.ts was cut short: nothing to compare";
    assertEquals(stderr, `1 flag from ${site.url}, three times\n${why}\n`);
    assertEquals([...dir.downloaded().keys()], []);
  }, { only: "unix" });
}

tests.add("after Ctrl-C, the message names the interrupted downloader", async (dir) => {
  await using site = flagSite({ delay: [0.3, 0.3] });
  await using running = start("compare.ts", ["-s", site.url, "BR"], dir);
  await running.stdout.until(/^flags\.ts .*\n/m);
  running.kill("SIGINT");
  const { code, stderr } = await running.end();
  assertEquals(code, 130);
  assertStringIncludes(stderr, "\nflags_threadpool.ts was cut short: nothing to compare\n");
  assertEquals([...dir.downloaded().keys()], ["BR.gif"]);
}, { only: "unix" });
