import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { flagCodes, serveFlags } from "../flags_server.ts";
import {
  deno,
  output,
  type Permission,
  PROGRAM,
  ROOT,
  run,
  start,
  TempDir,
  test,
} from "./testing.ts";

// The permission for `env` lets the tests bypass a proxy.
const SITE: Permission[] = ["net", "read", "env"];
const USAGE = "usage: flags_server.ts [PORT] [--delay MIN-MAX] [--error-rate P]\n";

function urlOf({ addr }: Deno.HttpServer<Deno.NetAddr>, path = "flags/br/br.gif"): string {
  return `http://127.0.0.1:${addr.port}/${path}`;
}

/** Sends a request unchanged, and returns the whole response. */
async function send(port: number, request: string): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(`${request}\r\nConnection: close\r\n\r\n`));
  return await new Response(connection.readable).text();
}

test("serves a flag unchanged, with content type and length, also from its cache", async () => {
  await using site = serveFlags();
  const file = new URL(import.meta.resolve("famfamfam-flags/dist/gif/br.gif"));
  for (const _ of [1, 2]) {
    const response = await fetch(urlOf(site));
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "image/gif");
    assertEquals(response.headers.get("content-length"), "361");
    assertEquals(await response.bytes(), Deno.readFileSync(file));
  }
}, { needs: SITE });

test("answers HEAD like GET, but without the body", async () => {
  await using site = serveFlags();
  const response = await fetch(urlOf(site), { method: "HEAD" });
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "image/gif");
  assertEquals(response.headers.get("content-length"), "361");
  assertEquals((await response.bytes()).length, 0);
}, { needs: SITE });

for (
  const [method, path] of [
    ["GET", ""],
    ["GET", "flags"],
    ["GET", "flags/zz/zz.gif"],
    ["GET", "flags/BR/BR.gif"],
    ["GET", "flags/br/us.gif"],
    ["GET", "/flags/br/br.gif"],
    ["GET", "flags/%zz/%00.gif"],
    ["HEAD", "flags/zz/zz.gif"],
    ["POST", "flags/br/br.gif"],
  ] as const
) {
  test(`${method} /${path} is not found`, async () => {
    await using site = serveFlags();
    const response = await fetch(urlOf(site, path), { method });
    assertEquals(response.status, 404);
    await response.body?.cancel();
  }, { needs: SITE });
}

test("delays every response", async () => {
  await using site = serveFlags({ delay: [0.1, 0.2] });
  const start = performance.now();
  await (await fetch(urlOf(site))).bytes();
  assertGreater(performance.now() - start, 99);
}, { needs: SITE });

test("delays its responses even in a version of Deno whose timers are numbers", async () => {
  const { setTimeout } = globalThis;
  const asNumber = (...args: Parameters<typeof setTimeout>) => Number(setTimeout(...args));
  Object.assign(globalThis, { setTimeout: asNumber });
  try {
    await using site = serveFlags({ delay: [0.01, 0.01] });
    const response = await fetch(urlOf(site));
    assertEquals([response.status, (await response.bytes()).length], [200, 361]);
  } finally {
    Object.assign(globalThis, { setTimeout });
  }
}, { needs: SITE });

test("with an error rate of 1, every response is 418 I'm a teapot", async () => {
  await using site = serveFlags({ errorRate: 1 });
  const response = await fetch(urlOf(site));
  assertEquals(response.status, 418);
  assertEquals(response.statusText, "I'm a teapot");
  await response.body?.cancel();
}, { needs: SITE });

test("the site has 243 flags", () => {
  const codes = flagCodes();
  assertEquals(codes.length, 243);
  assertEquals(codes.slice(0, 3), ["AD", "AE", "AF"]);
}, { needs: ["read"] });

test(
  "prints the URL, answers a bad Host with 400, and ends on Ctrl-C",
  async () => {
    await using dir = new TempDir();
    await using server = start("flags_server.ts", ["0"], dir);
    await server.stdout.until(/\n/);
    const port = Number(server.stdout.text.match(/:(\d+)/)?.[1]);
    for (const host of ["a b", "[", "a:b", "a:99999", "%", "x, y"]) {
      const answer = await send(port, `GET /flags/br/br.gif HTTP/1.1\r\nHost: ${host}`);
      assertMatch(answer, /^HTTP\/1.1 400 Bad Request\r\n/, host);
    }
    server.kill("SIGINT");
    const { code, stdout, stderr } = await server.end();
    const url = `http://127.0.0.1:${port}/flags`;
    assertEquals(stdout, `243 flags at ${url}, such as ${url}/br/br.gif\n`);
    assertEquals([code, stderr], [130, ""]);
  },
  { needs: PROGRAM, only: "unix" },
);

for (
  const [args, message] of [
    ["x", "PORT: expected 0 to 65535, got x"],
    ["65536", "PORT: expected 0 to 65535, got 65536"],
    ["1 2", "expected one port, got 1 and 2"],
    ["--delay 5", "--delay: expected seconds such as 0.5-5, got 5"],
    ["--delay 5-1", "--delay: expected seconds such as 0.5-5, got 5-1"],
    ["--delay", "--delay: expected seconds such as 0.5-5, got nothing"],
    ["--delay 0-600.5", "--delay: expected at most 600 s, got 0-600.5"],
    ["--delay 9999999-9999999", "--delay: expected at most 600 s, got 9999999-9999999"],
    ["--error-rate 2", "--error-rate: expected 0 to 1, got 2"],
    ["--error-rate=", "--error-rate: expected 0 to 1, got nothing"],
    ["--fast", "unknown option: --fast"],
    ["--help=no", "expected no value after -h, got --help=no"],
  ] as const
) {
  test(`flags_server.ts ${args} reports what is wrong and exits with 2`, async () => {
    await using dir = new TempDir();
    const ended = await run("flags_server.ts", args.split(" "), dir);
    assertEquals(ended, { code: 2, stdout: "", stderr: `${message}\n${USAGE}` });
  }, { needs: PROGRAM });
}

for (const arg of ["--help", "-h"]) {
  test(`flags_server.ts ${arg} explains the options`, async () => {
    await using dir = new TempDir();
    const { code, stdout, stderr } = await run("flags_server.ts", ["8001", arg], dir);
    assertEquals([code, stderr, stdout.slice(0, USAGE.length)], [0, "", USAGE]);
    assertMatch(stdout, /--delay MIN-MAX +seconds .*at most 600/);
  }, { needs: PROGRAM });
}

test("a port that is taken is an error, not a usage error", async () => {
  await using site = serveFlags();
  await using dir = new TempDir();
  const { port } = site.addr;
  const { code, stderr } = await run("flags_server.ts", [`${port}`], dir);
  assertEquals(code, 1);
  assertMatch(stderr, new RegExp(`^cannot use port ${port}: Address already in use.*\n$`));
}, { needs: PROGRAM, only: "unix" });

for (
  const [given, message] of [
    ["--allow-read", "cannot use port 0: .*run again with the --allow-net flag"],
    ["--allow-net", "cannot read the images: .*run again with the --allow-read flag"],
  ] as const
) {
  test(`with ${given} alone, the error names the missing permission`, async () => {
    await using dir = new TempDir();
    const args = ["run", "--no-prompt", given, join(ROOT, "flags_server.ts"), "0"];
    const { code, stdout, stderr } = await output(deno(args, { cwd: dir.path }));
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, new RegExp(`^${message}\n$`));
  }, { needs: PROGRAM });
}
