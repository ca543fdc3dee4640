/** `compare.ts` runs the three downloaders, prints a table and draws their timelines to one scale. */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { countFlags, flagSite, isGranted, run, runUntil, siteOf, tempDir } from "./helpers.ts";

const ignore = !isGranted("net", "read", "run", "write");

const HEADER = "program              connections  seconds      speed-up  ideal s\n";

Deno.test("compare.ts prints a row and a chart for each downloader", { ignore }, async () => {
  using dir = tempDir();
  await using site = flagSite({ delay: [0.1, 0.1] });
  const { code, stdout, stderr } = await run(
    `compare.ts BR CN DE US -m 4 -s ${site.url}`,
    dir.path,
  );
  assertEquals([code, stderr], [0, `compare.ts: 4 flags from ${site.url}, three times\n`]);
  const [table = "", ...charts] = stdout.split("\n\n");
  const rows = table.trim().split("\n").slice(1).map((row) => row.split(/ +/));
  const baseline = Number(rows[0]?.[2]);
  const isRight = rows.map(([, connections, seconds, speedUp, ideal]) => {
    const isSpeedUp = Math.abs(Number(speedUp) - baseline / Number(seconds)) < 0.6; // It is rounded.
    // Each of the four downloads takes at least 0.1 s.
    const least = 0.4 / Number(connections) - 0.01;
    return isSpeedUp && Number(ideal) >= least && Number(ideal) < Number(seconds) + 0.01;
  });
  assertEquals(rows.map(([program, connections], i) => [program, connections, isRight[i]]), [
    ["flags.ts", "1", true],
    ["flags_threadpool.ts", "4", true],
    ["flags_async.ts", "4", true],
  ]);
  assertEquals(charts.length, 3);
  for (const chart of charts) {
    assertMatch(chart, /^flags\w*\.ts: \d+\.\d\d s, \d connections?\n1 +[[=]/);
  }
  assertEquals(countFlags(dir.path), 4);
});

Deno.test("without flags, compare.ts has failures and no speed-up", { ignore }, async () => {
  using dir = tempDir();
  await using site = flagSite();
  const command = `compare.ts ZZ -t compare.svg -s ${site.url}`;
  const permissions = ["--allow-net", "--allow-read", "--allow-write"];
  const { code, stdout, stderr } = await run(command, dir.path, permissions);
  assertEquals([code, stderr.match(/\nZZ: not found/g)?.length], [1, 3]);
  assertMatch(stdout, RegExp(`^${HEADER}(\\S+ +\\d+ +\\S+ +– +–\n){3}$`));
  assertMatch(Deno.readTextFileSync(join(dir.path, "compare.svg")), /(class="title"[^]*){3}/);
});

Deno.test("Ctrl-C ends compare.ts with one line and 130", {
  ignore: ignore || Deno.build.os === "windows",
}, async () => {
  using dir = tempDir();
  const answer = Promise.withResolvers<Response>();
  await using site = siteOf(() => answer.promise);
  const { code, stdout, stderr } = await runUntil(
    `compare.ts BR -s ${site.url}`,
    dir.path,
    /\n/,
    (child) => child.kill("SIGINT"),
  );
  answer.resolve(new Response());
  assertEquals([code, stdout, countFlags(dir.path)], [130, HEADER, 0]);
  assertMatch(stderr, /^.+, three times\ninterrupted: nothing to compare\n$/);
});
