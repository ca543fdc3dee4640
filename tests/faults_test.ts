/** Tests with sites and machines that each fail in one way not covered by `hostile_site.ts`. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { join } from "@std/path";
import { makeCertificate, NEEDS_OPENSSL } from "./certificates.ts";
import { downloadOne, getFlag } from "../flags.ts";
import {
  acceptAll,
  type DroppingSite,
  droppingSite,
  droppingTlsSite,
  type DropTime,
  GIF,
  resettingSite,
  sleep,
} from "./hostile_site.ts";
import { deno, output, ROOT, TempDir, test } from "./testing.ts";

const encoder = new TextEncoder();

/** The error line for one flag of a site. */
async function lineOf(site: string): Promise<string> {
  const outcome = await downloadOne({ cc: "BR", url: `${site}/br/br.gif` });
  return outcome.status === "ok" ? "ok" : outcome.line;
}

// Sites that drop connections.

/**
 * Downloads 60 flags, and asserts that each arrives. Many concurrent requests are followed by few,
 * so that Deno keeps more connections than it needs. Deno's own retry then fails, too.
 */
async function downloadAll(site: DroppingSite): Promise<void> {
  let count = 0;
  for (const size of [8, 2, 8, 2, 8, 2, 8, 2, 8, 2, 8, 2]) {
    const urls = Array.from({ length: size }, () => `${site.url}/${count++}`);
    const images = await Promise.all(urls.map(getFlag));
    for (const image of images) assertEquals(image, GIF);
  }
  assertLess(Math.max(...site.requests.values()), 3, "requests for the same flag");
}

const SITES = {
  closes: (time: DropTime) => Promise.resolve(droppingSite(time)),
  resets: resettingSite,
};

for (const [drops, startSite] of Object.entries(SITES)) {
  for (const time of ["second", "after", "late"] as const) {
    test(`retries if the site ${drops} a keep-alive connection (${time})`, async () => {
      using site = await startSite(time);
      await downloadAll(site);
    }, { needs: ["net"] });
  }

  test(`a site that ${drops} every connection gets two requests for a flag`, async () => {
    using site = await startSite("always");
    assertEquals(await lineOf(site.url), "connection lost after 0 bytes");
    assertEquals([...site.requests], [["/flags/br/br.gif", 2]]);
  }, { needs: ["net"] });
}

test(
  "retries if junk after a response makes the next response on the connection invalid",
  async () => {
    using site = droppingSite("junk");
    for (let count = 0; count < 20; count++) {
      assertEquals(await getFlag(`${site.url}/${count}`), GIF);
      await sleep(3);
    }
    assertLess(Math.max(...site.requests.values()), 3, "requests for the same flag");
  },
  { needs: ["net"] },
);

test("retries if the site drops a TLS connection without close_notify", async () => {
  await using dir = new TempDir();
  const certificate = await makeCertificate(
    dir,
    "subjectAltName=DNS:localhost",
    "basicConstraints=CA:FALSE",
  );
  const args = ["run", "--allow-all", "--cert", join(dir.path, "cert.pem")];
  for (const time of ["second", "after"] as const) {
    using site = droppingTlsSite(time, certificate);
    for (const program of ["flags.ts", "flags_async.ts", "flags_threadpool.ts"]) {
      const run = [...args, join(ROOT, program), "-s", site.url, "-m", "4"];
      const { code, stderr } = await output(deno(run, { cwd: dir.path }));
      assertEquals([time, program, code, stderr.split("\n").length], [time, program, 0, 2], stderr);
    }
  }
}, NEEDS_OPENSSL);

// Bodies.

/** Starts a site that answers every request with the same bytes. */
function siteOf(response: Uint8Array<ArrayBuffer>): { url: string } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  acceptAll(listener, async (connection) => {
    await connection.read(new Uint8Array(4096));
    let rest = response;
    while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
    connection.close();
  });
  return {
    url: `http://127.0.0.1:${listener.addr.port}/flags`,
    [Symbol.dispose]: () => listener.close(),
  };
}

/** Returns a response with a complete GIF of `size` bytes in chunks of `chunkSize` bytes. */
function chunkedGif(size: number, chunkSize: number): Uint8Array<ArrayBuffer> {
  const gif = new Uint8Array(size);
  gif.set(GIF);
  const chunk = new Uint8Array([...encoder.encode(`${chunkSize.toString(16)}\r\n`)]);
  const parts: (Uint8Array<ArrayBuffer> | string)[] = [
    "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
  ];
  for (let at = 0; at < size; at += chunkSize) {
    parts.push(chunk, gif.subarray(at, at + chunkSize), "\r\n");
  }
  parts.push("0\r\n\r\n");
  const bytes = parts.map((part) => typeof part === "string" ? encoder.encode(part) : part);
  const response = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of bytes) {
    response.set(part, at);
    at += part.length;
  }
  return response;
}

test("a body of 4.9 MB in chunks of 1 KB arrives", async () => {
  using site = siteOf(chunkedGif(4800 * 1024, 1024));
  assertEquals((await getFlag(site.url)).length, 4800 * 1024);
}, { needs: ["net"] });

test("a body of 4 MB in chunks of 128 bytes does not take seconds", async () => {
  using site = siteOf(chunkedGif(30_000 * 128, 128));
  const start = performance.now();
  assertEquals((await getFlag(site.url)).length, 30_000 * 128);
  // Copying the bytes of all earlier chunks for each chunk would copy 58 GB.
  assertLess(performance.now() - start, 3000);
}, { needs: ["net"] });

// Connections that cannot be made.

test("reports an unreachable site with the reason", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  const line = await lineOf(url);
  if (Deno.build.os !== "windows") {
    assertEquals(line, `could not connect to ${url} (Connection refused)`);
  }
  assert(line.startsWith(`could not connect to ${url} (`), line);
}, { needs: ["net", "env"] });

test("reports a host that does not exist", async () => {
  const line = await lineOf("http://no-such-host.invalid:8000");
  // Without a network, the system cannot know whether the host exists.
  const offline = "could not look up no-such-host.invalid (Temporary failure in name resolution)";
  assert([offline, "no such host: no-such-host.invalid"].includes(line), line);
}, { needs: ["net", "env"] });

for (
  const [about, extensions, why] of [
    ["unknown issuer", ["basicConstraints=CA:FALSE"], "not trusted: the issuer is unknown"],
    [
      "issuer as site",
      ["basicConstraints=critical,CA:TRUE"],
      "not trusted: it is the certificate of an issuer, not of a site",
    ],
  ] as const
) {
  test(`reports a rejected certificate with the reason (${about})`, async () => {
    await using dir = new TempDir();
    const certificate = await makeCertificate(dir, ...extensions);
    await using site = Deno.serve(
      { hostname: "127.0.0.1", port: 0, ...certificate, onListen() {} },
      () => new Response(GIF),
    );
    const url = `https://localhost:${site.addr.port}`;
    assertEquals(await lineOf(url), `could not connect to ${url} (its certificate is ${why})`);
  }, NEEDS_OPENSSL);
}
