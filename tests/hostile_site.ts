/**
 * A site with everything that a downloader must survive. Each country code selects one behavior.
 *
 * @module
 */
import { type AddressInfo, createServer, type Socket } from "node:net";

/**
 * A complete GIF: a header, two colors, a control extension, an image of one pixel, the trailer.
 */
export const GIF = new Uint8Array([
  ...new TextEncoder().encode("GIF89a"),
  ...[1, 0, 1, 0, 0x80, 0, 0],
  ...[0, 0, 0, 0xff, 0xff, 0xff],
  ...[0x21, 0xf9, 4, 1, 0, 0, 0, 0],
  ...[0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0],
  0x3b,
]);

type Piece = string | Uint8Array<ArrayBuffer>;

/**
 * A request: the number at the end of its path, and the URL of the site under another host name.
 */
interface Asked {
  step: number;
  elsewhere: string;
}

interface Row {
  about: string;
  /** Returns the pieces to send. After them, the site closes the connection. */
  send: (asked: Asked) => Iterable<Piece>;
  /** The expected error line. If omitted, the download succeeds. */
  line?: string;
  /** The bytes that arrive. Default: `GIF`. */
  file?: Uint8Array<ArrayBuffer>;
  /** Instead of closing the connection: leave it open, or reset it after one second. */
  then?: "hang" | "reset";
}

const CRLF = "\r\n";
const encoder = new TextEncoder();
const LENGTH = `content-length: ${GIF.length}`;
const PART = GIF.slice(0, 20);
/** The control extension is followed by a zero byte, which some programs write. */
const WITH_ZERO = new Uint8Array([...GIF.subarray(0, 27), 0, ...GIF.subarray(27)]);
const LONGER = new Uint8Array([...GIF, 0, 0x3c, 0x68, 0x31]);

function head(status: string, ...headers: string[]): string {
  return [`HTTP/1.1 ${status}`, "connection: close", ...headers].join(CRLF) + CRLF + CRLF;
}

const ok = (...headers: string[]) => head("200 OK", ...headers);
const redirect = (location: string) => [
  head("302 Found", `location: ${location}`, "content-length: 0"),
];

function chunked(bytes: Uint8Array<ArrayBuffer>, ...end: string[]): Piece[] {
  return [ok("transfer-encoding: chunked"), bytes.length.toString(16), CRLF, bytes, CRLF, ...end];
}

function* endlessChunks(): Generator<string> {
  yield ok(LENGTH, "transfer-encoding: chunked");
  yield `6${CRLF}GIF89a${CRLF}`;
  for (;;) yield `10000${CRLF}${"x".repeat(65536)}${CRLF}`;
}

function* endless(): Generator<string> {
  yield ok() + "GIF89a";
  for (;;) yield "x".repeat(65536);
}

export const ROWS: Record<string, Row> = {
  BR: { about: "a complete GIF arrives", send: () => [ok(LENGTH), GIF] },
  NC: { about: "a complete GIF without a length arrives", send: () => [ok(), GIF] },
  CE: { about: "a complete GIF in chunks arrives", send: () => chunked(GIF, "0", CRLF, CRLF) },
  TB: {
    about: "bytes after the end are kept",
    send: () => [ok(`content-length: ${LONGER.length}`), LONGER],
    file: LONGER,
  },
  TC: {
    about: "bytes after the end are kept, also in chunks",
    send: () => chunked(LONGER, "0", CRLF, CRLF),
    file: LONGER,
  },
  RO: {
    about: "a redirect is followed",
    send: ({ step }) => step === 0 ? redirect("/flags/ro/1") : [ok(LENGTH), GIF],
  },
  RF: {
    about: "five redirects are followed",
    send: ({ step }) => step < 5 ? redirect(`/flags/rf/${step + 1}`) : [ok(LENGTH), GIF],
  },
  RH: {
    about: "a redirect to another host is followed",
    send: ({ step, elsewhere }) =>
      step === 0 ? redirect(`${elsewhere}/flags/rh/1`) : [ok(LENGTH), GIF],
  },
  RL: {
    about: "a redirect to itself is not followed forever",
    send: () => redirect("/flags/rl/1"),
    line: "too many redirects",
  },
  RM: {
    about: "a redirect to a file is not followed",
    send: () => redirect("file:///etc/passwd"),
    line: "redirected to a URL that is neither http nor https",
  },
  RC: {
    about: "control characters in a redirect are not printed",
    send: () => redirect("http://\x9b2J\x9b31mAll arrived.invalid:x/"),
    line: "redirected to an invalid URL",
  },
  RP: {
    about: "the password in a redirect is not printed",
    send: () => redirect("http://u:secret word@1.2.3.4.5/"),
    line: "redirected to an invalid URL",
  },
  RX: {
    about: "a redirect of 50 kB is not printed",
    send: () => redirect(`http://1.2.3.4.5/${"y".repeat(50_000)}`),
    line: "redirected to an invalid URL",
  },
  RN: {
    about: "a redirect without a location is an error",
    send: () => [head("302 Found", "content-length: 0")],
    line: "HTTP 302 Found",
  },
  NF: {
    about: "404 is not found",
    send: () => [head("404 Not Found", "content-length: 0")],
    line: "not found",
  },
  TP: {
    about: "any other status is reported",
    send: () => [head("418 I'm a teapot", "content-length: 0")],
    line: "HTTP 418 I'm a teapot",
  },
  IE: {
    about: "the program does not wait for the body of an error",
    send: () => [head("500 Internal Server Error", "content-length: 4000"), "oops"],
    line: "HTTP 500 Internal Server Error",
  },
  SU: {
    about: "a busy site is not asked again",
    send: () => [head("503 Service Unavailable", "content-length: 0")],
    line: "HTTP 503 Service Unavailable",
  },
  PC: {
    about: "status 206 is an error, even with a complete GIF",
    send: () => [head("206 Partial Content", LENGTH), GIF],
    line: "HTTP 206 Partial Content",
  },
  NM: {
    about: "a status without a body is an error",
    send: () => [head("204 No Content")],
    line: "HTTP 204 No Content",
  },
  HT: {
    about: "an HTML page is not an image",
    send: () => [ok("content-type: text/html"), "<!DOCTYPE html><h1>Sorry"],
    line: 'not a GIF image (begins with "<!DOCTYPE")',
  },
  RB: {
    about: "bytes that could control a terminal are escaped",
    send: () => [ok(), new Uint8Array([0, 1, 254, 255, 34, 10])],
    line: 'not a GIF image (begins with "\\u0000\\u0001þÿ\\"\\n")',
  },
  EM: {
    about: "an empty body is not an image",
    send: () => [ok("content-length: 0")],
    line: "not a GIF image (empty)",
  },
  SX: {
    about: "6 bytes are not an image",
    send: () => [ok("content-length: 6"), "GIF89a"],
    line: "not a complete GIF (6 bytes)",
  },
  PX: {
    about: "a truncated GIF whose content-length matches is not complete",
    send: () => [ok("content-length: 20"), PART],
    line: "not a complete GIF (20 bytes)",
  },
  SH: {
    about: "fewer bytes than the length are a lost connection",
    send: () => [ok(LENGTH), PART],
    line: `connection lost before ${GIF.length} bytes had arrived`,
  },
  CH: {
    about: "chunks without an end are a lost connection",
    send: () => chunked(PART),
    line: "connection lost before all bytes had arrived",
  },
  CC: {
    about: "a truncated GIF in complete chunks is not complete",
    send: () => chunked(PART, "0", CRLF, CRLF),
    line: "not a complete GIF (20 bytes)",
  },
  NL: {
    about: "a GIF without a length that ends too early is a lost connection",
    send: () => [ok(), PART],
    line: "connection lost after 20 bytes",
  },
  CL: {
    about: "a connection that is closed without a response is lost",
    send: () => [],
    line: "connection lost after 0 bytes",
  },
  RE: {
    about: "a connection that is reset is lost",
    send: () => [ok(LENGTH) + "GIF89a"],
    line: `connection lost before ${GIF.length} bytes had arrived`,
    then: "reset",
  },
  VL: {
    about: "a length that is not a number is not a valid response",
    send: () => [ok("content-length: abc"), GIF],
    line: "not a valid HTTP response (invalid content-length)",
  },
  VI: {
    about: "a response in the protocol of a radio stream is not a valid response",
    send: () => [`ICY 200 OK${CRLF}${LENGTH}${CRLF}${CRLF}`, GIF],
    line: "not a valid HTTP response (invalid HTTP version)",
  },
  VS: {
    about: "the greeting of a mail server is not a valid response",
    send: () => [`220 mail.example.com ESMTP${CRLF}`],
    line: "not a valid HTTP response (invalid HTTP version)",
  },
  VH: {
    about: "a response with 500 headers is not a valid response",
    send: () => [ok(...Array.from({ length: 500 }, (_, i) => `x-${i}: x`)), GIF],
    line: "not a valid HTTP response (message head is too large)",
  },
  GZ: {
    about: "a body that is not compressed as declared cannot be decoded",
    send: () => [ok("content-encoding: gzip", LENGTH), GIF],
    line: "cannot decode the response (Invalid gzip header)",
  },
  ZB: {
    about: "a zero byte between two blocks is accepted",
    send: () => [ok(`content-length: ${WITH_ZERO.length}`), WITH_ZERO],
    file: WITH_ZERO,
  },
  LC: {
    about: "an endless body in chunks is too large, even if its length is declared",
    send: endlessChunks,
    line: "larger than 5 MB",
  },
  EN: { about: "an endless image is too large", send: endless, line: "larger than 5 MB" },
  BI: {
    about: "an image of 6 MB is too large",
    send: () => [ok("content-length: 6000000"), "GIF89a" + "x".repeat(5_999_994)],
    line: "larger than 5 MB",
  },
  SI: {
    about: "a site that sends nothing times out",
    send: () => [],
    line: "timed out after 6.1 s",
    then: "hang",
  },
  ST: {
    about: "a site that stops halfway times out",
    send: () => [ok(LENGTH), PART],
    line: "timed out after 6.1 s",
    then: "hang",
  },
};

/** Answers one request as the row of its code says. */
async function serve(connection: Deno.Conn, elsewhere: string): Promise<void> {
  // If a connection is closed before all of the request is read, the system resets the connection.
  const request = new Uint8Array(24);
  const count = await connection.read(request) ?? 0;
  const asked = new TextDecoder().decode(request.subarray(0, count));
  const [, cc = "", step = "0"] = asked.match(/\/flags\/(..)\/(\d?)/) ?? [];
  const { send, then } = ROWS[cc.toUpperCase()] ?? { send: () => [], then: undefined };
  if (then !== "reset") await connection.read(new Uint8Array(4096));
  for (const piece of send({ step: Number(step), elsewhere })) {
    let rest = typeof piece === "string" ? encoder.encode(piece) : piece;
    while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
  }
  if (then === "reset") await new Promise((resolve) => setTimeout(resolve, 1000));
  if (then !== "hang") connection.close();
}

/** Starts the site. `url` is the base of its URLs. */
export function hostileSite(): { url: string } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const open = new Set<Deno.Conn>();
  const close = (connection: Deno.Conn) => {
    try {
      connection.close();
    } catch {
      // The client has already closed the connection.
    }
  };
  (async () => {
    for await (const connection of listener) {
      open.add(connection);
      serve(connection, `http://localhost:${port}`).catch(() => close(connection));
    }
  })();
  return {
    url: `http://127.0.0.1:${port}/flags`,
    [Symbol.dispose]() {
      listener.close();
      open.forEach(close);
    },
  };
}

/**
 * When a site drops a keep-alive connection: on its second request (`second`), after a response
 * (`after`), one millisecond later (`late`), or on every request (`always`). With `junk`, the site
 * keeps the connection and sends bytes after each response that belong to no response.
 */
export type DropTime = "second" | "after" | "late" | "always" | "junk";

export interface DroppingSite extends Disposable {
  url: string;
  /** How often the site was asked for each path. */
  requests: Map<string, number>;
}

const RESPONSE = new Uint8Array([
  ...encoder.encode(`HTTP/1.1 200 OK${CRLF}${LENGTH}${CRLF}${CRLF}`),
  ...GIF,
]);

/** A site that closes keep-alive connections without notice. */
export function droppingSite(time: DropTime): DroppingSite {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests = new Map<string, number>();
  acceptAll(listener, (connection) => serveAndDrop(connection, time, requests));
  return {
    url: `http://127.0.0.1:${listener.addr.port}/flags`,
    requests,
    [Symbol.dispose]: () => listener.close(),
  };
}

/**
 * The same site over TLS. To drop a connection without TLS's `close_notify`, the site needs access
 * to the TCP connection below. Therefore, a TCP listener forwards to the TLS listener.
 */
export function droppingTlsSite(
  time: DropTime,
  certificate: { cert: string; key: string },
): DroppingSite {
  const inner = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...certificate });
  const outer = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests = new Map<string, number>();
  /** The outer connections, by the port from which they are forwarded. */
  const clients = new Map<number, Deno.Conn>();
  acceptAll(outer, async (client) => {
    const forward = await Deno.connect({ hostname: "127.0.0.1", port: inner.addr.port });
    clients.set(forward.localAddr.port, client);
    await Promise.allSettled([
      client.readable.pipeTo(forward.writable),
      forward.readable.pipeTo(client.writable),
    ]);
  });
  acceptAll(inner, async (connection) => {
    await serveAndDrop(connection, time, requests, async () => {
      // Wait until the response has been forwarded.
      await sleep(50);
      clients.get(connection.remoteAddr.port)?.close();
    });
  });
  return {
    url: `https://localhost:${outer.addr.port}/flags`,
    requests,
    [Symbol.dispose]() {
      outer.close();
      inner.close();
    },
  };
}

/** Passes each connection to `serve`. Ignores errors, because clients close connections too. */
export async function acceptAll<T extends Deno.Conn>(
  listener: Deno.Listener<T>,
  serve: (connection: T) => Promise<void>,
): Promise<void> {
  for await (const connection of listener) serve(connection).catch(() => {});
}

/** Answers the requests on a connection until it is time to drop the connection. */
async function serveAndDrop(
  connection: Deno.Conn,
  time: DropTime,
  requests: Map<string, number>,
  drop: () => void | Promise<void> = () => connection.close(),
): Promise<void> {
  const buffer = new Uint8Array(4096);
  for (let count = 1;; count++) {
    const length = await connection.read(buffer);
    if (length === null) return connection.close();
    countRequest(requests, buffer.subarray(0, length));
    if (time === "always" || (time === "second" && count === 2)) return await drop();
    await connection.write(RESPONSE);
    if (time === "late" || time === "junk") await sleep(1);
    if (time === "junk") {
      await connection.write(new TextEncoder().encode("junk\r\n\r\n"));
      continue;
    }
    if (time !== "second") return await drop();
  }
}

/** The same site, but it resets connections. `Deno.Conn` can only close them. */
export async function resettingSite(time: DropTime): Promise<DroppingSite> {
  const requests = new Map<string, number>();
  const server = createServer((socket) => {
    let count = 0;
    socket.on("error", () => {}); // Clients close connections too.
    socket.on("data", (request: Uint8Array) => {
      count++;
      countRequest(requests, request);
      const isDropped = time === "always" || (time === "second" && count === 2);
      if (isDropped) socket.resetAndDestroy();
      else socket.write(RESPONSE, () => resetAfterResponse(socket, time));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/flags`,
    requests,
    [Symbol.dispose]: () => server.close(),
  };
}

function resetAfterResponse(socket: Socket, time: DropTime): void {
  if (time === "after") socket.resetAndDestroy();
  if (time === "late") setTimeout(() => socket.resetAndDestroy(), 1);
}

/** Counts a request for its path. */
function countRequest(requests: Map<string, number>, request: Uint8Array): void {
  const [, path = ""] = new TextDecoder().decode(request).split(" ");
  requests.set(path, (requests.get(path) ?? 0) + 1);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
