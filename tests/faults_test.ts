/** Tests with sites and machines that fail in one way each. The rows of `hostile_site.ts` fail in others. */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { join } from "@std/path";
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
import {
  command,
  deno,
  output,
  PROGRAM,
  programArgs,
  ROOT,
  TempDir,
  test,
  type TestOptions,
  unlessInstalled,
} from "./testing.ts";

const encoder = new TextEncoder();

/** The error line for one flag of a site. */
async function lineOf(site: string): Promise<string> {
  const outcome = await downloadOne({ cc: "BR", url: `${site}/br/br.gif` });
  return outcome.status === "ok" ? "ok" : outcome.line;
}

const NEEDS_OPENSSL: TestOptions = { needs: PROGRAM, ignore: unlessInstalled("openssl") };

interface Certificate {
  cert: string;
  key: string;
}

/** Makes a self-signed certificate. `extensions` are in the format of `openssl req -addext`. */
async function makeCertificate(dir: TempDir, ...extensions: string[]): Promise<Certificate> {
  const keyFile = join(dir.path, "key.pem");
  const certFile = join(dir.path, "cert.pem");
  const { success } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
      ...["-keyout", keyFile, "-out", certFile],
      ...extensions.flatMap((extension) => ["-addext", extension]),
    ],
    stderr: "null",
  }).output();
  assert(success, "expected openssl to make a certificate");
  return { cert: Deno.readTextFileSync(certFile), key: Deno.readTextFileSync(keyFile) };
}

// Sites that drop connections.

/**
 * Downloads 60 flags, and asserts that each arrives. After many requests at a time come few, so that
 * Deno has more kept connections than it needs. Its own retry then fails too.
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

test("reports a certificate for another host", async () => {
  await using dir = new TempDir();
  const certificate = await makeCertificate(
    dir,
    "subjectAltName=DNS:flags.example.com",
    "basicConstraints=CA:FALSE",
  );
  await using site = Deno.serve(
    { hostname: "127.0.0.1", port: 0, ...certificate, onListen() {} },
    () => new Response(GIF),
  );
  const url = `https://localhost:${site.addr.port}/flags`;
  const cert = ["--cert", join(dir.path, "cert.pem")];
  const args = ["run", "--allow-all", ...cert, join(ROOT, "flags.ts"), "BR", "-s", url];
  const { stderr } = await output(deno(args, { cwd: dir.path }));
  assertMatch(stderr, /\nBR: could not connect to \S+ \(its certificate is for another host\)\n/);
}, NEEDS_OPENSSL);

// Redirects to hosts that the program may not ask.

for (
  const [program, host] of [
    ["flags.ts", "localhost:8182"],
    ["flags_async.ts", "a..b"], // Deno's permissions do not accept such a name.
    ["flags_threadpool.ts", "localhost:8182"],
  ] as const
) {
  test(`${program} reports a redirect to ${host}, which --allow-net does not include`, async () => {
    await using dir = new TempDir();
    await using site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
      const elsewhere = { status: 302, headers: { location: `http://${host}/x` } };
      return url.includes("/br/") ? new Response(null, elsewhere) : new Response(GIF);
    });
    const url = `http://127.0.0.1:${site.addr.port}/flags`;
    const args = programArgs(program, ["AA", "BR", "CC", "-s", url], "--allow-net");
    args.splice(1, 0, "--allow-net=127.0.0.1");
    const { code, stdout, stderr } = await output(deno(args, { cwd: dir.path }));
    const [, line, ...rest] = stderr.split("\n");
    assertEquals(line, `BR: redirected to ${host}, which --allow-net does not include`);
    assertEquals([code, rest], [1, [""]]);
    assertMatch(stdout, /\n2 downloads in \S+s, 1 error\n$/);
    assertEquals([...dir.downloaded().keys()], ["AA.gif", "CC.gif"]);
  }, { needs: PROGRAM });
}

// Interruptions.

/** A site that answers only when `count` requests are waiting, and then answers all of them at once. */
function simultaneousSite(count: number) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const waiting = new Set<Deno.Conn>();
  const answer = encoder.encode(`HTTP/1.1 200 OK\r\ncontent-length: ${GIF.length}\r\n\r\n`);
  const response = new Uint8Array([...answer, ...GIF]);
  let batches = 0;
  let tell = () => {};
  acceptAll(listener, async (connection) => {
    while (await connection.read(new Uint8Array(4096)) !== null) {
      waiting.add(connection);
      if (waiting.size < count) continue;
      const answered = [...waiting];
      waiting.clear();
      await Promise.allSettled(answered.map((each) => each.write(response)));
      batches++;
      tell();
    }
    connection.close();
  });
  return {
    url: `http://127.0.0.1:${listener.addr.port}/flags`,
    /** Resolves when the site has answered `wanted` times. */
    async answers(wanted: number): Promise<void> {
      while (batches < wanted) {
        await new Promise<void>((resolve) => {
          tell = resolve;
        });
      }
    },
    [Symbol.dispose]: () => listener.close(),
  };
}

test("Ctrl-C leaves no unfinished files, even if all workers are writing", async () => {
  const runs = 3;
  await using dir = new TempDir();
  for (let run = 0; run < runs; run++) {
    using site = simultaneousSite(16);
    const args = ["-e", "-m", "16", "-s", site.url];
    await using program = command("flags_threadpool.ts", args, { cwd: dir.path }).spawn();
    const ended = program.output();
    await site.answers(3);
    await new Promise((resolve) => setTimeout(resolve, 2 * run));
    program.kill("SIGINT");
    assertEquals((await ended).code, 130);
    const names = Array.from(Deno.readDirSync(join(dir.path, "downloaded")), ({ name }) => name);
    assertEquals(names.filter((name) => !/^[A-Z]{2}\.gif$/.test(name)), []);
  }
}, { needs: PROGRAM, only: "unix" });
