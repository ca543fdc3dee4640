import { assertEquals, assertMatch } from "@std/assert";
import { serveFlags } from "../flags_server.ts";
import { command, granted, run, TempDir } from "./programs.ts";

Deno.test({
  name: "compare.ts runs the three downloaders, in a table and on one scale",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    await using site = serveFlags({ delay: [0.1, 0.1] });
    const url = `http://127.0.0.1:${site.addr.port}/flags`;
    const { code, stdout } = await run(
      "compare.ts",
      ["-s", url, "-m", "4", "BR", "CN", "DE", "US"],
      dir,
    );
    assertEquals(code, 0);
    const [table = "", ...charts] = stdout.split("\n\n");
    const rows = table.split("\n").slice(1).map((row) => row.split(/ +/));
    assertEquals(rows.map(([program, connections]) => [program, connections]), [
      ["flags.ts", "1"],
      ["flags_threadpool.ts", "4"],
      ["flags_async.ts", "4"],
    ]);
    assertEquals(rows[0]?.[3], "1.0");
    assertEquals(charts.map((chart) => chart.split("\n").length), [3, 6, 6 + 1]);
    for (const chart of charts) {
      assertMatch(chart, /^flags\w*\.ts: \d\.\d\d s, \d connections?\n1 +\[/);
    }
  },
});

Deno.test({
  name: "compare.ts reports failures like the programs it runs",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    await using site = serveFlags();
    const url = `http://127.0.0.1:${site.addr.port}/flags`;
    const { code, stderr } = await run("compare.ts", ["-s", url, "BR", "ZZ"], dir);
    assertEquals(code, 1);
    assertEquals(stderr, `2 flags from ${url}, three times\n${"ZZ: not found\n".repeat(3)}`);
  },
});

Deno.test({
  name: "compare.ts compares nothing with a run that Ctrl-C cut short",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    await using site = serveFlags({ delay: [0.5, 0.5] });
    const url = `http://127.0.0.1:${site.addr.port}/flags`;
    const child = command("compare.ts", ["-s", url], dir.path).spawn();
    const reader = child.stdout.getReader();
    const header = await reader.read();
    child.kill("SIGINT");
    assertEquals((await child.status).code, 130);
    assertMatch(new TextDecoder().decode(header.value), /^program .*\n$/);
    assertEquals((await reader.read()).done, true);
    assertMatch(await new Response(child.stderr).text(), /\nflags\.ts was cut short/);
  },
});
