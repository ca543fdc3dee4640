import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { flagCodes, serveFlags } from "../flags_server.ts";
import { granted, packageFlag, run, TempDir } from "./programs.ts";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !granted, fn });
}

test("a flag is served byte for byte, as a GIF with its length", async () => {
  await using site = serveFlags();
  const response = await fetch(`http://127.0.0.1:${site.addr.port}/flags/br/br.gif`);
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "image/gif");
  assertEquals(response.headers.get("content-length"), "361");
  assertEquals(await response.bytes(), packageFlag("BR"));
});

test("anything else is not found", async () => {
  await using site = serveFlags();
  for (const path of ["", "flags", "flags/zz/zz.gif", "flags/BR/BR.gif", "flags/br/us.gif"]) {
    const response = await fetch(`http://127.0.0.1:${site.addr.port}/${path}`);
    assertEquals([path, response.status], [path, 404]);
    await response.body?.cancel();
  }
  const post = await fetch(`http://127.0.0.1:${site.addr.port}/flags/br/br.gif`, {
    method: "POST",
  });
  assertEquals(post.status, 404);
  await post.body?.cancel();
});

test("every answer is late by the delay", async () => {
  await using site = serveFlags({ delay: [0.1, 0.2] });
  const start = performance.now();
  await (await fetch(`http://127.0.0.1:${site.addr.port}/flags/br/br.gif`)).bytes();
  assertGreater(performance.now() - start, 99);
});

test("with an error rate of 1 every request gets 418 I'm a teapot", async () => {
  await using site = serveFlags({ errorRate: 1 });
  const response = await fetch(`http://127.0.0.1:${site.addr.port}/flags/br/br.gif`);
  assertEquals(response.status, 418);
  assertEquals(response.statusText, "I'm a teapot");
  await response.body?.cancel();
});

test("the site has 243 flags, the chapter's 20 among them", () => {
  const codes = flagCodes();
  assertEquals(codes.length, 243);
  assertEquals(codes.slice(0, 3), ["AD", "AE", "AF"]);
  return Promise.resolve();
});

for (
  const [args, message] of [
    [["x"], "PORT: expected 0 to 65535, got x"],
    [["65536"], "PORT: expected 0 to 65535, got 65536"],
    [["1", "2"], "one port expected, got 1 and 2"],
    [["--delay", "5"], "--delay: expected seconds such as 0.5-5, got 5"],
    [["--delay", "5-1"], "--delay: expected seconds such as 0.5-5, got 5-1"],
    [["--error-rate", "2"], "--error-rate: expected 0 to 1, got 2"],
    [["--fast"], "unknown option: --fast"],
  ] as const
) {
  test(`flags_server.ts ${args.join(" ")} says what is wrong and exits with 2`, async () => {
    await using dir = new TempDir();
    const { code, stderr } = await run("flags_server.ts", [...args], dir);
    assertEquals(code, 2);
    assertEquals(stderr.split("\n")[0], message);
    assertStringIncludes(stderr, "usage: flags_server.ts");
  });
}

test("a port that is taken is an error, not a usage error", async () => {
  await using site = serveFlags();
  await using dir = new TempDir();
  const { code, stderr } = await run("flags_server.ts", [`${site.addr.port}`], dir);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `port ${site.addr.port}`);
});
