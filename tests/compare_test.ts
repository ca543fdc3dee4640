import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { serveFlags, type SiteOptions } from "../flags_server.ts";
import { command, Printed, PROGRAM, run, TempDir, testSideBySide } from "./testing.ts";

const HEADER = "program              connections  seconds  times faster  ideal s";

/** Runs side by side with others, in an empty directory, with the URL of a site. */
const cases: Record<string, () => Promise<void>> = {};
function one(
  name: string,
  site: SiteOptions,
  fn: (url: string, dir: TempDir) => Promise<void>,
): void {
  cases[name] = async () => {
    await using dir = new TempDir();
    await using server = serveFlags(site);
    await fn(`http://127.0.0.1:${server.addr.port}/flags`, dir);
  };
}

/** The cells of the table, row by row. */
function table(stdout: string): string[][] {
  const [header, ...rows] = (stdout.split("\n\n")[0] ?? "").trimEnd().split("\n");
  assertEquals(header, HEADER);
  return rows.map((row) => row.split(/ +/));
}

const LATE: SiteOptions = { delay: [0.1, 0.1] };

one("it runs the three downloaders, in a table and on one scale", LATE, async (url, dir) => {
  const args = ["-s", url, "-m", "4", "BR", "CN", "DE", "US"];
  const { code, stdout, stderr } = await run("compare.ts", args, dir);
  assertEquals([code, stderr], [0, `4 flags from ${url}, three times\n`]);
  const rows = table(stdout);
  assertEquals(rows.map(([program, connections]) => [program, connections]), [
    ["flags.ts", "1"],
    ["flags_threadpool.ts", "4"],
    ["flags_async.ts", "4"],
  ]);
  assertEquals(rows[0]?.[3], "1.0");
  for (const row of rows) assertMatch(row.slice(2).join(" "), /^\d\.\d\d \d\.\d \d\.\d\d$/);
  // A downloader can do no better than its ideal, and each of the four took 0.1 s.
  for (const [, , , , ideal] of rows) assertLess(0.09, Number(ideal));
  for (const [, , seconds, , ideal] of rows) assertLess(Number(ideal), Number(seconds) + 0.02);
  const charts = stdout.split("\n\n").slice(1);
  assertEquals(charts.map((chart) => chart.split("\n").length), [3, 6, 6 + 1]);
  for (const chart of charts) {
    assertMatch(chart, /^flags\w*\.ts: \d\.\d\d s, \d connections?\n1 +\[/);
  }
  assertEquals([...dir.downloaded().keys()], ["BR.gif", "CN.gif", "DE.gif", "US.gif"]);
});

one("each downloader has the connections that it has alone", {}, async (url, dir) => {
  const { stdout } = await run("compare.ts", ["-s", url], dir);
  const pool = Math.min(20, 32, navigator.hardwareConcurrency + 4);
  assertEquals(table(stdout).map(([, connections]) => connections), ["1", `${pool}`, "20"]);
});

one("with --timeline FILE the charts are there and not below the table", LATE, async (url, dir) => {
  const args = ["-s", url, "BR", "--timeline", "downloaded/compare.svg"];
  const { code, stdout } = await run("compare.ts", args, dir);
  assertEquals([code, stdout.split("\n").length], [0, 5]);
  const svg = Deno.readTextFileSync(join(dir.path, "downloaded/compare.svg"));
  for (const program of ["flags", "flags_threadpool", "flags_async"]) {
    assertMatch(svg, RegExp(`>${program}\\.ts: \\d\\.\\d\\d s, 1 connection<`));
  }
});

one("it reports failures like the programs it runs", {}, async (url, dir) => {
  const { code, stdout, stderr } = await run("compare.ts", ["-s", url, "BR", "ZZ"], dir);
  assertEquals(code, 1);
  assertEquals(stderr, `2 flags from ${url}, three times\n${"ZZ: not found\n".repeat(3)}`);
  assertMatch(table(stdout)[0]?.[3] ?? "", /^1\.0$/);
});

one("where every download failed there is no ratio", {}, async (url, dir) => {
  const { code, stdout } = await run("compare.ts", ["-s", url, "XX", "ZZ"], dir);
  assertEquals(code, 1);
  const rows = table(stdout);
  assertEquals(rows.map(([program, , , ...figures]) => [program, ...figures]), [
    ["flags.ts", "–", "–"],
    ["flags_threadpool.ts", "–", "–"],
    ["flags_async.ts", "–", "–"],
  ]);
});

for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  one(
    `it compares nothing with a run that ${signal} cut short`,
    { delay: [0.5, 0.5] },
    async (url, dir) => {
      const args = ["-s", url, "BR", "--timeline", "downloaded/compare.svg"];
      const child = command("compare.ts", args, { cwd: dir.path }).spawn();
      const [stdout, stderr] = [new Printed(child.stdout), child.stderr.text()];
      await stdout.until(/\n/);
      child.kill(signal);
      assertEquals((await child.status).code, exit);
      assertEquals(await stdout.end(), `${HEADER}\n`);
      const why = "flags.ts was cut short: nothing to compare";
      assertEquals(await stderr, `1 flag from ${url}, three times\n${why}\n`);
      assertEquals([...dir.downloaded().keys()], []);
    },
  );
}

one("Ctrl-C names the downloader that it cut short", { delay: [0.3, 0.3] }, async (url, dir) => {
  const child = command("compare.ts", ["-s", url, "BR"], { cwd: dir.path }).spawn();
  const [stdout, stderr] = [new Printed(child.stdout), child.stderr.text()];
  await stdout.until(/^flags\.ts .*\n/m);
  child.kill("SIGINT");
  assertEquals((await child.status).code, 130);
  assertStringIncludes(await stderr, "\nflags_threadpool.ts was cut short: nothing to compare\n");
  await stdout.close();
  assertEquals([...dir.downloaded().keys()], ["BR.gif"]);
});

testSideBySide("compare.ts", cases, { needs: PROGRAM });
