import { assertEquals, assertMatch } from "@std/assert";
import { granted, POP20_FILES, run, TempDir } from "./programs.ts";

Deno.test({
  name: "flags_futures.ts shows five futures: three running, two pending, then all finished",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    const { code, stdout } = await run("flags_futures.ts", [], dir);
    assertEquals(code, 0);
    const scheduled = ["BR", "CN", "ID", "IN", "US"].map((cc, i) =>
      `Scheduled for ${cc}: <Future #${i + 1} state=${i < 3 ? "running" : "pending"}>\n`
    );
    assertEquals(stdout.slice(0, scheduled.join("").length), scheduled.join(""));
    const results = [
      ...stdout.matchAll(/<(Future #\d) state=finished returned string> result: '(..)'\n/g),
    ];
    assertEquals(results.map(([, future, cc]) => `${future} ${cc}`).sort(), [
      "Future #1 BR",
      "Future #2 CN",
      "Future #3 ID",
      "Future #4 IN",
      "Future #5 US",
    ]);
    assertMatch(stdout, /\n5 downloads in \d+\.\d\ds\n$/);
    const five = [...POP20_FILES].filter(([name]) => /BR|CN|ID|IN|US/.test(name));
    assertEquals(dir.downloaded(), new Map(five));
  },
});

Deno.test({
  name: "flags_futures.ts shows a failure as a future that raised",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    const { code, stdout, stderr } = await run("flags_futures.ts", ["ZZ"], dir);
    assertEquals(code, 1);
    assertMatch(stdout, /^<Future #1 state=finished raised Error> exception: 'not found'$/m);
    assertMatch(stderr, /\nZZ: not found\n$/);
  },
});
