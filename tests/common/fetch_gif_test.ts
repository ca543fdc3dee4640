/** The answer of a site becomes a complete GIF, or an error with one line. */
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { get, readGif } from "../../common/fetch_gif.ts";
import { FlagError } from "../../common/flag.ts";
import { getFlag } from "../../flags.ts";
import { isGranted, replace } from "../helpers.ts";

/** A connection that `fetch` keeps outlives its test. */
const SITE = { ignore: !isGranted("net"), sanitizeResources: false };

/** A complete GIF without colors, with an image of one pixel. Each character is a byte. */
const IMAGE = "GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
const GIF = bytesOf(IMAGE);
const LENGTH = `content-length: ${IMAGE.length}`;

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

async function lineOf(image: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => image, FlagError)).message;
}

// Responses that were never sent.

Deno.test("readGif returns an image with bytes after its end unchanged", async () => {
  const bytes = bytesOf(`${IMAGE}after`);
  assertEquals(await readGif(new Response(bytes)), bytes);
});

const teapot = { status: 418, statusText: "\x9b2J" };

const FAILURES: [body: string | null, init: ResponseInit, line: string, status?: string][] = [
  [null, { status: 204 }, "HTTP 204"],
  [IMAGE, { status: 206, statusText: "Partial" }, "HTTP 206 Partial"],
  [IMAGE, { status: 404 }, "not found", "not found"],
  ["", { status: 410 }, "HTTP 410"],
  ["", teapot, "HTTP 418 \\u{9b}2J"],
  [null, {}, "not a GIF image (empty)"],
  ["<!DOCTYPE html>", {}, 'not a GIF image (begins with "<!DOCTYPE")'],
  ["\0\x1b\n", {}, 'not a GIF image (begins with "\\u0000\\u001b\\n")'],
  [IMAGE.slice(0, -1), {}, `not a complete GIF (${IMAGE.length - 1} bytes)`],
];

for (const [body, init, line, status = "failed"] of FAILURES) {
  Deno.test(`readGif throws "${line}"`, async () => {
    const error = await assertRejects(() => readGif(new Response(body, init)), FlagError);
    assertEquals([error.message, error.status], [line, status]);
  });
}

Deno.test("readGif does not wait for the body of an error", async () => {
  const canceled = Promise.withResolvers<void>();
  const body = new ReadableStream({ cancel: () => canceled.resolve() });
  await lineOf(readGif(new Response(body, { status: 500 })));
  await canceled.promise;
});

Deno.test("readGif times out during the response", async () => {
  const timeout = new DOMException("Signal timed out.", "TimeoutError");
  const body = new ReadableStream({ pull: (controller) => controller.error(timeout) });
  assertEquals(await lineOf(readGif(new Response(body))), "timed out after 6.1 s");
});

/** Returns a response with a GIF of `size` bytes. */
function largeImage(size: number, headers: Record<string, string>): Response {
  const image = new Uint8Array(size);
  image.set(GIF);
  return new Response(image, { headers });
}

Deno.test("readGif accepts an image of 5 MB", async () => {
  assertEquals((await readGif(largeImage(5_000_000, {}))).length, 5_000_000);
});

const TOO_LARGE: [what: string, headers: Record<string, string>][] = [
  ["no length", {}],
  ["its length", { "content-length": "5000001" }],
  ["a wrong length and chunks", { "content-length": "100", "transfer-encoding": "chunked" }],
  ["the length of its compressed body", { "content-length": "100", "content-encoding": "gzip" }],
];

for (const [what, headers] of TOO_LARGE) {
  Deno.test(`readGif rejects an image of 5 MB and one byte, with ${what}`, async () => {
    assertEquals(await lineOf(readGif(largeImage(5_000_001, headers))), "larger than 5 MB");
  });
}

// Errors of `fetch`.

const TOO_LARGE_HEAD = new Error("error for x: client error (SendRequest): head is too large");

const REQUESTS: [error: Error, line: string][] = [
  // Deno 2.8 and later put the details in the cause of the error.
  [new Error("failed", { cause: TOO_LARGE_HEAD }), "not a valid HTTP response (head is too large)"],
  [new Error("Fetch failed: Requests to port 1 are blocked"), "Requests to port 1 are blocked"],
  [new Deno.errors.NotCapable("Requires net access"), "Requires net access"],
];

for (const [error, line] of REQUESTS) {
  Deno.test(`get throws "${line}" after one request`, async () => {
    const errors = [error].values();
    using _fetch = replace(globalThis, { fetch: () => Promise.reject(errors.next().value) });
    assertEquals(await lineOf(get("http://x.test/", new AbortController().signal)), line);
  });
}

Deno.test("getFlag gives a download 6.1 s", async () => {
  using _timeout = replace(AbortSignal, {
    timeout: (ms) => AbortSignal.abort(new DOMException(`${ms}`, "TimeoutError")),
  });
  let limit: unknown;
  using _fetch = replace(globalThis, {
    fetch(_url, init) {
      limit = init?.signal?.reason.message;
      return Promise.reject(init?.signal?.reason);
    },
  });
  assertEquals([await lineOf(getFlag("http://x.test/")), limit], ["timed out after 6.1 s", "6100"]);
});

// Sites that answer badly.

const CERTIFICATE = {
  // For localhost, from 2020 to 2120.
  cert: `-----BEGIN CERTIFICATE-----
MIIBWzCCAQGgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKO/NpNBfVFZrM0u
f4MHpYKSFGf6/UmAnyqHjB0qCfAvP9UltdZFwZuA3x2zIrhLltqxbzWOtX3EyoQi
/4eziyajQjBAMBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAJBgNVHRMEAjAAMB0GA1Ud
DgQWBBSYCwGUKMsgzSKCPxlyWJjxLUzRGjAKBggqhkjOPQQDAgNIADBFAiEAwGya
buMFdmA1HTUeivsYudZ62oNhkXu6uBp779TY+AECIE/n7r4mZ/cR+N+uPJ2ttQ7B
08RZGfNX9JKqlV4ahsLg
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcbUBY+JxnCOIpNB6
Ted3vGVOvB16AYC8m6AFtJ5Iq+yhRANCAASjvzaTQX1RWazNLn+DB6WCkhRn+v1J
gJ8qh4wdKgnwLz/VJbXWRcGbgN8dsyK4S5basW81jrV9xMqEIv+Hs4sm
-----END PRIVATE KEY-----`,
};

/** Starts a site that passes its connections to `serve`. */
async function socketSite(
  serve: (socket: Socket) => void,
  isTls = false,
): Promise<{ url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const connect = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // `fetch` closes connections, too.
    serve(socket);
  };
  const server = isTls ? createTlsServer(CERTIFICATE, connect) : createServer(connect);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address instanceof Object ? address.port : 0;
  return {
    url: isTls ? `https://localhost:${port}/` : `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function download(url: string, signal = new AbortController().signal): Promise<Uint8Array> {
  return await readGif(await get(url, signal));
}

/** Returns a response that ends with `body`. */
function http(status: string, headers: string[], body = ""): string {
  return `${[`HTTP/1.1 ${status}`, ...headers].join("\r\n")}\r\n\r\n${body}`;
}

const redirect = (url: string) => http("302 Found", ["content-length: 0", `location: ${url}`]);
const CHUNKED = "transfer-encoding: chunked";
const FIRST_CHUNK = `9\r\n${IMAGE.slice(0, 9)}\r\n`;
const CHUNKS = `${FIRST_CHUNK}${(IMAGE.length - 9).toString(16)}\r\n${IMAGE.slice(9)}\r\n0\r\n\r\n`;

/** What a site sends before it closes the connection, and the line. Without a line, the GIF arrives. */
const ANSWERS: [what: string, answer: string, line?: RegExp][] = [
  ["without a length", http("200 OK", [], IMAGE)],
  ["in chunks", http("200 OK", [CHUNKED], CHUNKS)],
  ["after a redirect", redirect("/image")],
  ["that breaks off", http("200 OK", [LENGTH], "GIF"), /^connection lost during the response$/],
  ["that breaks off in chunks", http("200 OK", [CHUNKED], FIRST_CHUNK), /^connection lost during/],
  ["of a mail server", "220 mail.test ESMTP\r\n", /^not a valid HTTP response \(.+\)$/],
  [
    "that is not compressed",
    http("200 OK", [LENGTH, "content-encoding: gzip"], IMAGE),
    /^cannot read/,
  ],
  ["that redirects to a file", redirect("file:///etc/passwd"), /^[^/]+$/],
  ["that redirects to an invalid URL", redirect("http://u:pw@1.2.3.4.5/"), /^redirected to an inv/],
  ["that redirects to itself", redirect("/"), /redirect/],
  ["that redirects to nowhere", http("302 Found", ["content-length: 0"]), /^HTTP 302 Found$/],
];

for (const [what, answer, line] of ANSWERS) {
  Deno.test(`an answer ${what} ${line ? "is one line" : "arrives"}`, SITE, async () => {
    await using site = await socketSite((socket) => {
      socket.once("data", (request) => {
        const isImage = `${request}`.startsWith("GET /image ");
        socket.end(isImage ? http("200 OK", [LENGTH], IMAGE) : answer, "latin1");
      });
    });
    const image = download(site.url);
    if (line) assertMatch(await lineOf(image), line);
    else assertEquals(await image, GIF);
  });
}

Deno.test("a certificate of an unknown issuer is one line with the origin", SITE, async () => {
  await using site = await socketSite(() => {}, true);
  const line = await lineOf(download(site.url));
  assertMatch(line, /^could not connect to https:\/\/localhost:\d+: .*certificate/);
});

/** Lets `fetch` trust the certificate until the end of the block. */
function trust(): Disposable {
  const { fetch } = globalThis;
  const { createHttpClient } = Deno;
  const caCerts = [CERTIFICATE.cert];
  const stack = new DisposableStack();
  const client = stack.use(createHttpClient({ caCerts }));
  stack.use(replace(globalThis, { fetch: (url, init) => fetch(url, { client, ...init }) }));
  stack.use(replace(Deno, {
    createHttpClient: (options) => createHttpClient({ ...options, caCerts }),
  }));
  return stack;
}

for (const end of ["destroy", "resetAndDestroy"] as const) {
  for (const isTls of [false, true]) {
    const how = `${end === "destroy" ? "closed" : "reset"}${isTls ? " without a TLS alert" : ""}`;
    Deno.test(`a download survives a kept connection that the site has ${how}`, SITE, async () => {
      using _trust = trust();
      let requests = 0;
      await using site = await socketSite((socket) => {
        socket.on("data", () => {
          requests++;
          if (requests === 2) socket[end]();
          else socket.write(http("200 OK", [LENGTH], IMAGE), "latin1");
        });
      }, isTls);
      assertEquals([await download(site.url), await download(site.url)], [GIF, GIF]);
      assertEquals(requests, 3);
    });
  }
}

/** A site that drops its connections, or only those before the last request. */
const STOPS: [what: string, requests: number, isDropped: boolean, line: RegExp][] = [
  ["drops every connection gets two requests", 2, true, /^connection lost: /],
  ["stops before the response times out", 1, false, /^timed out after 6.1 s$/],
  ["stops before the response to the retry times out", 2, false, /^timed out after 6.1 s$/],
];

for (const [what, requests, isDropped, line] of STOPS) {
  Deno.test(`a site that ${what}`, SITE, async () => {
    const abort = new AbortController();
    let count = 0;
    await using site = await socketSite((socket) => {
      socket.once("data", () => {
        count++;
        if (count < requests || isDropped) socket.destroy();
        else abort.abort(new DOMException("Signal timed out.", "TimeoutError"));
      });
    });
    assertMatch(await lineOf(download(site.url, abort.signal)), line);
    assertEquals(count, requests);
  });
}
