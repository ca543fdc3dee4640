/** `compare.ts` runs the three downloaders, prints a table and draws their timelines to one scale. */
import { assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { countWholeFlags, flagSite, isGranted, readUntil, run, start, tempDir } from "./helpers.ts";

const ignore = !isGranted("net", "read", "run", "write");

const HEADER = "program              connections  seconds      speed-up  ideal s";

/** Returns the cells of the table, row by row. */
function tableOf(stdout: string): string[][] {
  const [table = ""] = stdout.split("\n\n");
  const [header, ...rows] = table.trimEnd().split("\n");
  assertEquals(header, HEADER);
  return rows.map((row) => row.split(/ +/));
}

Deno.test("compare.ts prints a row and a chart for each downloader", { ignore }, async () => {
  using dir = tempDir();
  await using site = flagSite({ delay: [0.1, 0.1] });
  const args = ["BR", "CN", "DE", "US", "-m", "4", "-s", site.url];
  const { code, stdout, stderr } = await run("compare.ts", args, dir.path);
  assertEquals([code, stderr], [0, `compare.ts: 4 flags from ${site.url}, three times\n`]);
  const rows = tableOf(stdout);
  assertEquals(rows.map(([program, connections]) => `${program} ${connections}`), [
    "flags.ts 1",
    "flags_threadpool.ts 4",
    "flags_async.ts 4",
  ]);
  const [baseline = 0] = rows.map(([, , seconds]) => Number(seconds));
  for (const [, , seconds, speedUp, ideal] of rows) {
    // The figures are rounded.
    assertLess(Math.abs(Number(speedUp) - baseline / Number(seconds)), 0.6);
    assertLess(Number(ideal), Number(seconds) + 0.01);
  }
  // Each of the four downloads takes at least 0.1 s.
  assertGreater(Number(rows[0]?.[4]), 0.39);
  assertGreater(Number(rows[2]?.[4]), 0.09);
  const charts = stdout.split("\n\n").slice(1);
  assertEquals(charts.length, 3);
  for (const chart of charts) {
    assertMatch(chart, /^flags\w*\.ts: \d+\.\d\d s, \d connections?\n1 +\[/);
  }
  assertEquals(countWholeFlags(dir.path), 4);
});

Deno.test("without flags, compare.ts has failures and no speed-up", { ignore }, async () => {
  using dir = tempDir();
  await using site = flagSite();
  const file = join("downloaded", "compare.svg");
  const args = ["ZZ", "-t", file, "-s", site.url];
  const { code, stdout, stderr } = await run("compare.ts", args, dir.path);
  assertEquals([code, stderr.split("\n").slice(1)], [1, [...Array(3).fill("ZZ: not found"), ""]]);
  assertEquals(tableOf(stdout).map((row) => row.slice(3)), Array(3).fill(["–", "–"]));
  const svg = Deno.readTextFileSync(join(dir.path, file));
  assertEquals(svg.match(/class="title"/g)?.length, 3);
});

Deno.test("Ctrl-C ends compare.ts with one line and 130", {
  ignore: ignore || Deno.build.os === "windows",
}, async () => {
  using dir = tempDir();
  const answer = Promise.withResolvers<Response>();
  await using site = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => answer.promise,
  );
  const args = ["BR", "-s", `http://127.0.0.1:${site.addr.port}`];
  await using child = start("compare.ts", args, dir.path);
  const stderr = child.stderr.text();
  const stdout = await readUntil(child.stdout, /\n/);
  child.kill("SIGINT");
  const { code } = await child.status;
  answer.resolve(new Response());
  assertEquals([code, await stdout.rest()], [130, `${HEADER}\n`]);
  assertMatch(await stderr, /^.+, three times\ninterrupted: nothing to compare\n$/);
  assertEquals(countWholeFlags(dir.path), 0);
});
