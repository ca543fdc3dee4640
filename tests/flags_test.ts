import { assertEquals, assertMatch } from "@std/assert";
import { countingSite, granted, POP20_FILES, run, TempDir } from "./programs.ts";

Deno.test({
  name: "flags.ts downloads the 20 flags in the order of their codes",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    const { code, stdout } = await run("flags.ts", [], dir);
    assertEquals(code, 0);
    assertMatch(
      stdout,
      /^BD BR CD CN DE EG ET FR ID IN IR KR MX NG PH PK RU TR US VN \n20 downloads in \d+\.\d\ds\n$/,
    );
    assertEquals(dir.downloaded(), POP20_FILES);
  },
});

Deno.test({
  name: "flags.ts has one request at a time, whatever --max-req says",
  ignore: !granted,
  async fn() {
    await using dir = new TempDir();
    await using site = countingSite();
    const { stderr } = await run("flags.ts", ["-m", "5", "-s", site.url], dir);
    assertEquals(site.most, 1);
    assertEquals(stderr, `20 flags from ${site.url}, 1 connection\n`);
  },
});
