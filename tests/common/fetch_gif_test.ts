/** The answer of a site becomes a complete GIF, or an error with one line. */
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { get, readGif } from "../../common/fetch_gif.ts";
import { FlagError } from "../../common/flag.ts";
import { getFlag } from "../../flags.ts";
import { isGranted, replace } from "../helpers.ts";

const ignore = !isGranted("net");
/** A connection that `fetch` keeps outlives its test. */
const SITE = { ignore, sanitizeResources: false };

type Bytes = Uint8Array<ArrayBuffer>;

/** A complete GIF without colors, with an image of one pixel. */
const GIF: Bytes = new Uint8Array([
  ...new TextEncoder().encode("GIF89a"),
  ...[1, 0, 1, 0, 0, 0, 0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b],
]);
const LENGTH = `content-length: ${GIF.length}`;

async function lineOf(image: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => image, FlagError)).message;
}

// Responses that were never sent.

Deno.test("readGif returns an image with bytes after its end unchanged", async () => {
  const bytes = new Uint8Array([...GIF, 1, 2, 3]);
  assertEquals(await readGif(new Response(bytes)), bytes);
});

const teapot = (statusText: string) => () => new Response("", { status: 418, statusText });

const FAILURES: [response: () => Response, line: string][] = [
  [() => new Response(null, { status: 204 }), "HTTP 204"],
  [() => new Response(GIF, { status: 206, statusText: "Partial" }), "HTTP 206 Partial"],
  [() => new Response(GIF, { status: 404 }), "not found"],
  [teapot("I'm a teapot"), "HTTP 418 I'm a teapot"],
  [teapot("\x9b2J"), "HTTP 418 \\u{9b}2J"],
  [() => new Response(""), "not a GIF image (empty)"],
  [() => new Response("<!DOCTYPE html>"), 'not a GIF image (begins with "<!DOCTYPE")'],
  [() => new Response("\0\x1b\n"), 'not a GIF image (begins with "\\u0000\\u001b\\n")'],
  [() => new Response(GIF.slice(0, -1)), `not a complete GIF (${GIF.length - 1} bytes)`],
];

for (const [response, line] of FAILURES) {
  Deno.test(`readGif throws "${line}"`, async () => {
    assertEquals(await lineOf(readGif(response())), line);
  });
}

Deno.test("readGif reports 404 with a status of its own", async () => {
  const statusOf = (status: number) =>
    assertRejects(() => readGif(new Response("", { status })), FlagError);
  assertEquals([(await statusOf(404)).status, (await statusOf(410)).status], [
    "not found",
    "failed",
  ]);
});

/** Returns a body that yields `chunks` and then fails with `error`. */
function failing(error: Error, ...chunks: Bytes[]): ReadableStream<Bytes> {
  const rest = chunks.values();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = rest.next();
      if (done) controller.error(error);
      else controller.enqueue(value);
    },
  });
}

Deno.test("readGif does not wait for the body of an error", async () => {
  let isCanceled = false;
  const cancel = () => {
    isCanceled = true;
  };
  await lineOf(readGif(new Response(new ReadableStream({ cancel }), { status: 500 })));
  assertEquals(isCanceled, true);
});

const ENDS: [error: Error, line: string][] = [
  [new DOMException("Signal timed out.", "TimeoutError"), "timed out after 6.1 s"],
  [new TypeError("error reading a body from connection"), "connection lost during the response"],
  [new TypeError("unexpected end of file"), "cannot read the response: unexpected end of file"],
];

for (const [error, line] of ENDS) {
  Deno.test(`readGif throws "${line}" if the body ends with "${error.message}"`, async () => {
    assertEquals(await lineOf(readGif(new Response(failing(error, GIF)))), line);
  });
}

/** Returns a response with a GIF of `size` bytes in chunks of 1 MB. */
function largeImage(size: number, headers: Record<string, string>): Response {
  const chunks: Bytes[] = [new Uint8Array([...GIF, ...new Uint8Array(1_000_000 - GIF.length)])];
  for (let rest = size - 1_000_000; rest > 0; rest -= 1_000_000) {
    chunks.push(new Uint8Array(Math.min(rest, 1_000_000)));
  }
  return new Response(ReadableStream.from(chunks), { headers });
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

const SEND = "error sending request from 127.0.0.1:4 for http://x/ (127.0.0.1:5): " +
  "client error (SendRequest): ";
const CONNECT = "error sending request for url (http://u:pw@x.test/): client error (Connect): ";

const REQUESTS: [error: Error, line: string, requests: number][] = [
  [new Error(`${SEND}connection closed`), "connection lost: connection closed", 2],
  [new Error("broken pipe (os error 32)"), "connection lost: broken pipe", 2],
  [
    new Error(`${CONNECT}tcp connect error`),
    "could not connect to http://x.test: tcp connect error",
    1,
  ],
  [new Error(`${SEND}invalid X parsed`), "not a valid HTTP response (invalid X parsed)", 1],
  [new Error(`${SEND}head is too large`), "not a valid HTTP response (head is too large)", 1],
  [new Error("Fetch failed: Requests to port 1 are blocked"), "Requests to port 1 are blocked", 1],
  [new Error("Invalid URL: 'http://u:pw@\x9b'"), "redirected to an invalid URL", 1],
  [new Deno.errors.NotCapable("Requires net access"), "Requires net access", 1],
  [new DOMException("Signal timed out.", "TimeoutError"), "timed out after 6.1 s", 1],
];

for (const [error, line, requests] of REQUESTS) {
  Deno.test(`get throws "${line}" after ${requests} of 2 requests`, async () => {
    let count = 0;
    using _fetch = replace(globalThis, "fetch", () => {
      count++;
      return Promise.reject(error);
    });
    assertEquals(await lineOf(get("http://u:pw@x.test/", new AbortController().signal)), line);
    assertEquals(count, requests);
  });
}

Deno.test("get looks at the cause of the error that Deno 2.8 and later throw", async () => {
  const error = new TypeError("fetch failed", { cause: new Error(`${SEND}invalid X parsed`) });
  using _fetch = replace(globalThis, "fetch", () => Promise.reject(error));
  const line = await lineOf(get("http://x.test/", new AbortController().signal));
  assertEquals(line, "not a valid HTTP response (invalid X parsed)");
});

Deno.test("getFlag gives a download 6.1 s", async () => {
  const limits: number[] = [];
  using _timeout = replace(AbortSignal, "timeout", (ms) => {
    limits.push(ms);
    return AbortSignal.abort(new DOMException("Signal timed out.", "TimeoutError"));
  });
  using _fetch = replace(globalThis, "fetch", (_url, init) => {
    return Promise.reject(init?.signal?.reason);
  });
  assertEquals(await lineOf(getFlag("http://x.test/")), "timed out after 6.1 s");
  assertEquals(limits, [6100]);
});

// Sites that answer badly.

type Piece = string | Bytes;
const head = (status: string, ...headers: string[]) =>
  `${[`HTTP/1.1 ${status}`, "connection: close", ...headers].join("\r\n")}\r\n\r\n`;
const ok = (...headers: string[]) => head("200 OK", ...headers);
const redirect = (url: string) => head("302 Found", "content-length: 0", `location: ${url}`);
const chunk = (bytes: Bytes): Piece[] => [`${bytes.length.toString(16)}\r\n`, bytes, "\r\n"];
const CHUNKED = "transfer-encoding: chunked";

/** What a site sends before it closes the connection, and the line. Without a line, the GIF arrives. */
const ANSWERS: [what: string, pieces: Piece[], line?: RegExp][] = [
  ["with its length", [ok(LENGTH), GIF]],
  ["without a length", [ok(), GIF]],
  ["in chunks", [ok(CHUNKED), ...chunk(GIF.slice(0, 9)), ...chunk(GIF.slice(9)), "0\r\n\r\n"]],
  ["after a redirect", [redirect("/image")]],
  ["that breaks off", [ok(LENGTH), GIF.slice(0, 9)], /^connection lost during the response$/],
  [
    "that breaks off in chunks",
    [ok(CHUNKED), ...chunk(GIF)],
    /^connection lost during the response$/,
  ],
  ["that breaks off without a length", [ok(), GIF.slice(0, 9)], /^not a complete GIF \(9 bytes\)$/],
  ["that never begins", [], /^connection lost: /],
  ["of a mail server", ["220 mail.test ESMTP\r\n"], /^not a valid HTTP response \(.+\)$/],
  [
    "that is not compressed",
    [ok("content-encoding: gzip", LENGTH), GIF],
    /^cannot read the response: /,
  ],
  ["that redirects to a file", [redirect("file:///etc/passwd")], /^[^/]+$/],
  [
    "that redirects to an invalid URL",
    [redirect("http://u:pw@1.2.3.4.5/")],
    /^redirected to an invalid URL$/,
  ],
  ["that redirects to itself", [redirect("/")], /redirect/],
  ["that redirects to nowhere", [head("302 Found", "content-length: 0")], /^HTTP 302 Found$/],
];

/** Starts a site that sends the pieces, or a GIF at `/image`, and then closes the connection. */
function siteOf(pieces: Piece[]): { url: string } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answer = async (connection: Deno.Conn) => {
    const request = new Uint8Array(4096);
    const length = await connection.read(request) ?? 0;
    const isImage = new TextDecoder().decode(request.subarray(0, length)).startsWith("GET /image ");
    await new Blob(isImage ? [ok(LENGTH), GIF] : pieces).stream().pipeTo(connection.writable);
  };
  const answerAll = async () => {
    for await (const connection of listener) answer(connection).catch(() => connection.close());
  };
  answerAll();
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  return { url, [Symbol.dispose]: () => listener.close() };
}

async function download(url: string, signal = new AbortController().signal): Promise<Uint8Array> {
  return await readGif(await get(url, signal));
}

for (const [what, pieces, line] of ANSWERS) {
  Deno.test(`an answer ${what} ${line ? "is one line" : "arrives"}`, SITE, async () => {
    using site = siteOf(pieces);
    const image = download(site.url);
    if (line) assertMatch(await lineOf(image), line);
    else assertEquals(await image, GIF);
  });
}

Deno.test("a site that nobody runs is named", SITE, async () => {
  const { url, ...site } = siteOf([]);
  site[Symbol.dispose]();
  assertMatch(await lineOf(download(url)), /^could not connect to http:\/\/127\.0\.0\.1:\d+: \w/);
});

// Sites that stop answering, or drop a connection that `fetch` has kept for the next request.

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

const RESPONSE = new Uint8Array([
  ...new TextEncoder().encode(`HTTP/1.1 200 OK\r\n${LENGTH}\r\n\r\n`),
  ...GIF,
]);

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

/** Lets `fetch` trust the certificate until the end of the block. */
function trust(): Disposable {
  const { fetch } = globalThis;
  const { createHttpClient } = Deno;
  const caCerts = [CERTIFICATE.cert];
  const stack = new DisposableStack();
  const client = stack.use(createHttpClient({ caCerts }));
  stack.use(replace(globalThis, "fetch", (input, init) => fetch(input, { client, ...init })));
  stack.use(
    replace(Deno, "createHttpClient", (options) => createHttpClient({ ...options, caCerts })),
  );
  return stack;
}

for (const end of ["destroy", "resetAndDestroy"] as const) {
  for (const isTls of [false, true]) {
    const how = `${end === "destroy" ? "closed" : "reset"}${isTls ? " without a TLS alert" : ""}`;
    Deno.test(`a download survives a kept connection that the site has ${how}`, SITE, async () => {
      using _trust = trust();
      let requests = 0;
      await using site = await socketSite((socket) => {
        socket.once("data", () => {
          requests++;
          socket.write(RESPONSE);
          socket.once("data", () => {
            requests++;
            socket[end]();
          });
        });
      }, isTls);
      assertEquals([await download(site.url), await download(site.url)], [GIF, GIF]);
      assertEquals(requests, 3);
    });
  }
}

Deno.test("a site that drops every connection gets two requests", SITE, async () => {
  let requests = 0;
  await using site = await socketSite((socket) => {
    socket.once("data", () => {
      requests++;
      socket.destroy();
    });
  });
  assertMatch(await lineOf(download(site.url)), /^connection lost: /);
  assertEquals(requests, 2);
});

Deno.test("a certificate of an unknown issuer is one line with the origin", SITE, async () => {
  await using site = await socketSite(() => {}, true);
  const line = await lineOf(download(site.url));
  assertMatch(line, /^could not connect to https:\/\/localhost:\d+: .*certificate/);
});

/** When the time of a download is over: which request, and how much of its response was sent. */
const STOPS: [when: string, requests: number, response: Uint8Array][] = [
  ["before the response", 1, new Uint8Array()],
  ["before the response to the retry", 2, new Uint8Array()],
  ["during the response", 1, RESPONSE.slice(0, -1)],
];

for (const [when, requests, response] of STOPS) {
  Deno.test(`a site that stops ${when} times out`, SITE, async () => {
    const abort = new AbortController();
    let count = 0;
    await using site = await socketSite((socket) => {
      socket.once("data", () => {
        count++;
        if (count < requests) {
          socket.destroy();
        } else {
          socket.write(response);
          abort.abort(new DOMException("Signal timed out.", "TimeoutError"));
        }
      });
    });
    assertEquals(await lineOf(download(site.url, abort.signal)), "timed out after 6.1 s");
    assertEquals(count, requests);
  });
}
