import { assertEquals, assertMatch } from "@std/assert";
import { POP20_CC } from "../flags_cli.ts";
import { countingSite, granted, POP20_FILES, run, TempDir } from "./programs.ts";

Deno.test({
  name: "flags_async.ts downloads the 20 flags and prints each code as it arrives",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    const { code, stdout } = await run("flags_async.ts", [], dir);
    assertEquals(code, 0);
    assertMatch(stdout, /^([A-Z]{2} ){20}\n20 downloads in \d+\.\d\ds\n$/);
    assertEquals(stdout.slice(0, 59).split(" ").sort(), POP20_CC.toSorted());
    assertEquals(dir.downloaded(), POP20_FILES);
  },
});

Deno.test({
  name: "flags_async.ts has as many requests at the same time as --max-req says",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    await using site = countingSite();
    await run("flags_async.ts", ["-m", "4", "-s", site.url], dir);
    assertEquals(site.most, 4);
  },
});
