/** The built-in site serves real flags, with delays and errors, on a port that users choose. */
import { assertEquals, assertMatch } from "@std/assert";
import { helpOf } from "../common/options.ts";
import { flagCodes } from "../common/site.ts";
import { flagSite, imageOf, isGranted, replace, run, runUntil, tempDir } from "./helpers.ts";

const SITE = { ignore: !isGranted("net", "read"), sanitizeResources: false };
const ignore = !isGranted("net", "read", "run", "write");

for (const method of ["GET", "HEAD"]) {
  Deno.test(`the site answers ${method} with a flag, also from its cache`, SITE, async () => {
    await using site = flagSite();
    const flag = method === "GET" ? imageOf("br.gif") : new Uint8Array();
    for (let request = 1; request <= 2; request++) {
      const response = await fetch(`${site.url}/br/br.gif`, { method });
      const { status, headers } = response;
      const received = [status, headers.get("content-type"), headers.get("content-length")];
      assertEquals(received, [200, "image/gif", "361"]);
      assertEquals(await response.bytes(), flag);
    }
  });
}

const MISSING: [method: string, path: string][] = [
  ["GET", "/zz/zz.gif"],
  ["GET", "/BR/BR.gif"],
  ["GET", "/br/us.gif"],
  ["GET", "/x/flags/br/br.gif"],
  ["GET", "/br/br.gif/x"],
  ["POST", "/br/br.gif"],
];

for (const [method, path] of MISSING) {
  Deno.test(`the site answers ${method} /flags${path} with 404`, SITE, async () => {
    await using site = flagSite();
    const response = await fetch(`${site.url}${path}`, { method });
    await response.body?.cancel();
    assertEquals(response.status, 404);
  });
}

for (const [delay, waits] of [[[10, 30], [15_000]], [[0, 0], []]] as const) {
  Deno.test(`with a delay of ${delay} s, the site waits [${waits}] ms`, SITE, async () => {
    const delays: (number | undefined)[] = [];
    const { setTimeout } = globalThis;
    const wait = (fn: (...args: unknown[]) => void, ms?: number) => {
      delays.push(ms);
      return setTimeout(fn, 1);
    };
    await using site = flagSite({ delay: [...delay] });
    using _random = replace(Math, { random: () => 0.25 });
    using _timer = replace(globalThis, { setTimeout: Object.assign(wait, setTimeout) });
    await (await fetch(`${site.url}/br/br.gif`)).bytes();
    assertEquals(delays, [...waits]);
  });
}

for (const [random, status] of [[0.24, 418], [0.25, 200]] as const) {
  Deno.test(`with --error-rate 0.25, ${random} means ${status}`, SITE, async () => {
    using _random = replace(Math, { random: () => random });
    await using site = flagSite({ errorRate: 0.25 });
    const response = await fetch(`${site.url}/br/br.gif`);
    await response.body?.cancel();
    assertEquals(response.status, status);
  });
}

Deno.test("the site answers a request with an invalid host with 400", SITE, async () => {
  await using site = flagSite();
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: +new URL(site.url).port });
  const request = "GET /flags/br/br.gif HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n";
  await connection.write(new TextEncoder().encode(request));
  const answer = new Uint8Array(12);
  await connection.read(answer);
  assertEquals(new TextDecoder().decode(answer), "HTTP/1.1 400");
});

Deno.test("the site has 243 flags, sorted", SITE, () => {
  const codes = flagCodes();
  assertEquals([codes.length, codes.slice(0, 3)], [243, ["AD", "AE", "AF"]]);
  assertMatch(helpOf({}), /every flag that the built-in site has \(243\)/);
});

Deno.test("flags_server.ts prints its URL and ends on Ctrl-C", {
  ignore: ignore || Deno.build.os === "windows",
}, async () => {
  using dir = tempDir();
  const { stdout, stderr } = await runUntil(
    "flags_server.ts 0 -d .1-600 -e 1",
    dir.path,
    /\n/,
    (child) => child.kill("SIGINT"),
  );
  const url = /^243 flags at (http:\/\/127\.0\.0\.1:\d+\/flags), such as \1\/br\/br\.gif\n$/;
  assertMatch(stdout, url);
  assertEquals(stderr, "");
});

Deno.test("flags_server.ts reports on one line that it cannot use a port", { ignore }, async () => {
  using dir = tempDir();
  await using site = flagSite();
  const { port } = new URL(site.url);
  const { code, stderr } = await run(`flags_server.ts ${port}`, dir.path);
  assertEquals(code, 1);
  assertMatch(stderr, RegExp(`^cannot use port ${port}: .+\n$`));
});

const DELAY = "--delay: expected seconds such as 0.5-5, at most 600, got";

const REJECTED: [args: string, message: string][] = [
  ["x", "PORT: expected 0 to 65535, got x"],
  ["65536", "PORT: expected 0 to 65535, got 65536"],
  ["1 2", "expected one port, got 1 and 2"],
  ["-d 5-1", `${DELAY} 5-1`],
  ["-d 0-600.5", `${DELAY} 0-600.5`],
  ["-e 1.5", "--error-rate: expected 0 to 1, got 1.5"],
  ["-e", "--error-rate: expected 0 to 1, got nothing"],
];

for (const [args, message] of REJECTED) {
  Deno.test(`flags_server.ts rejects "${args}" and exits with 2`, { ignore }, async () => {
    using dir = tempDir();
    const usage = "usage: flags_server.ts [PORT] [--delay MIN-MAX] [--error-rate P]";
    const expected = { code: 2, stdout: "", stderr: `${message}\n${usage}\n` };
    assertEquals(await run(`flags_server.ts ${args}`, dir.path), expected);
  });
}
