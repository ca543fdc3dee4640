/** A site that does everything that a downloader must survive: one way of failing, or not, a code. */

/** A whole GIF: a header, two colours, a control extension, an image of one pixel, the trailer. */
export const GIF = new Uint8Array([
  ...new TextEncoder().encode("GIF89a"),
  ...[1, 0, 1, 0, 0x80, 0, 0],
  ...[0, 0, 0, 0xff, 0xff, 0xff],
  ...[0x21, 0xf9, 4, 1, 0, 0, 0, 0],
  ...[0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0],
  0x3b,
]);

type Piece = string | Uint8Array<ArrayBuffer>;

/** A request: the number at the end of its path, and the URL of the same site by another name. */
interface Asked {
  step: number;
  elsewhere: string;
}

interface Row {
  about: string;
  /** What to send, in pieces; the connection is closed after them. */
  send: (asked: Asked) => Iterable<Piece>;
  /** What is said about it. Where there is none, the flag arrives. */
  line?: string;
  /** The bytes that arrive. Default: `GIF`. */
  file?: Uint8Array<ArrayBuffer>;
  /** What becomes of the connection instead: nothing, or a reset a second later. */
  then?: "hang" | "reset";
}

const CRLF = "\r\n";
const encoder = new TextEncoder();
const LENGTH = `content-length: ${GIF.length}`;
const PART = GIF.slice(0, 20);
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

function* endless(): Generator<string> {
  yield ok() + "GIF89a";
  for (;;) yield "x".repeat(65536);
}

export const ROWS: Record<string, Row> = {
  BR: { about: "a whole GIF arrives", send: () => [ok(LENGTH), GIF] },
  NC: { about: "a whole GIF without a length arrives", send: () => [ok(), GIF] },
  CE: { about: "a whole GIF in chunks arrives", send: () => chunked(GIF, "0", CRLF, CRLF) },
  TB: {
    about: "bytes behind the end are kept",
    send: () => [ok(`content-length: ${LONGER.length}`), LONGER],
    file: LONGER,
  },
  TC: {
    about: "bytes behind the end are kept, in chunks too",
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
    about: "a redirect to itself is not followed for ever",
    send: () => redirect("/flags/rl/1"),
    line: "too many redirects",
  },
  NF: {
    about: "404 is not found",
    send: () => [head("404 Not Found", "content-length: 0")],
    line: "not found",
  },
  TP: {
    about: "another status is named",
    send: () => [head("418 I'm a teapot", "content-length: 0")],
    line: "HTTP 418 I'm a teapot",
  },
  IE: {
    about: "the body of an error is not waited for",
    send: () => [head("500 Internal Server Error", "content-length: 4000"), "oops"],
    line: "HTTP 500 Internal Server Error",
  },
  SU: {
    about: "a site that is busy is not asked again",
    send: () => [head("503 Service Unavailable", "content-length: 0")],
    line: "HTTP 503 Service Unavailable",
  },
  PC: {
    about: "a part is not the whole, even if it is a whole GIF",
    send: () => [head("206 Partial Content", LENGTH), GIF],
    line: "HTTP 206 Partial Content",
  },
  NM: {
    about: "a status without a body is an error",
    send: () => [head("204 No Content")],
    line: "HTTP 204 No Content",
  },
  HT: {
    about: "a page is no image",
    send: () => [ok("content-type: text/html"), "<!DOCTYPE html><h1>Sorry"],
    line: 'not a GIF image (begins with "<!DOCTYPE")',
  },
  RB: {
    about: "bytes that no terminal should see are escaped",
    send: () => [ok(), new Uint8Array([0, 1, 254, 255, 34, 10])],
    line: 'not a GIF image (begins with "\\u0000\\u0001þÿ\\"\\n")',
  },
  EM: {
    about: "nothing is no image",
    send: () => [ok("content-length: 0")],
    line: "not a GIF image (empty)",
  },
  SX: {
    about: "6 bytes are no image",
    send: () => [ok("content-length: 6"), "GIF89a"],
    line: "not a whole GIF (6 bytes)",
  },
  PX: {
    about: "a GIF that was cut by a proxy, which gave it a new length, is not whole",
    send: () => [ok("content-length: 20"), PART],
    line: "not a whole GIF (20 bytes)",
  },
  SH: {
    about: "less than was promised is a lost connection",
    send: () => [ok(LENGTH), PART],
    line: `connection lost before ${GIF.length} bytes had come`,
  },
  CH: {
    about: "chunks without an end are a lost connection",
    send: () => chunked(PART),
    line: "connection lost before all bytes had come",
  },
  CC: {
    about: "chunks with an end, but not the GIF's, are a lost connection",
    send: () => chunked(PART, "0", CRLF, CRLF),
    line: "connection lost after 20 bytes",
  },
  NL: {
    about: "a GIF without a length that ends too early is a lost connection",
    send: () => [ok(), PART],
    line: "connection lost after 20 bytes",
  },
  CL: {
    about: "a connection that is closed without a word is lost",
    send: () => [],
    line: "connection lost after 0 bytes",
  },
  RE: {
    about: "a connection that is reset is lost",
    send: () => [ok(LENGTH) + "GIF89a"],
    line: `connection lost before ${GIF.length} bytes had come`,
    then: "reset",
  },
  EN: { about: "an image without end is too large", send: endless, line: "larger than 5 MB" },
  BI: {
    about: "an image of 6 MB is too large",
    send: () => [ok("content-length: 6000000"), "GIF89a" + "x".repeat(5_999_994)],
    line: "larger than 5 MB",
  },
  SI: {
    about: "a site that says nothing is timed out",
    send: () => [],
    line: "timed out after 6.1 s",
    then: "hang",
  },
  ST: {
    about: "a site that stops half-way is timed out",
    send: () => [ok(LENGTH), PART],
    line: "timed out after 6.1 s",
    then: "hang",
  },
};

/** Answers one request as its row says. */
async function serve(connection: Deno.Conn, elsewhere: string): Promise<void> {
  // A connection that is closed before all of the request is read is a reset.
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

/** Starts the site; `url` is its base. */
export function hostileSite(): { url: string } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const open = new Set<Deno.Conn>();
  const close = (connection: Deno.Conn) => {
    try {
      connection.close();
    } catch {
      // The client was faster.
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
 * A site that keeps connections and drops them without a word: `second` when a connection is asked for
 * a second flag, `after` as soon as it has answered, `late` a moment later, `always` when it is asked.
 */
export function droppingSite(
  mode: "second" | "after" | "late" | "always",
): { url: string; requests: number } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const site = {
    url: `http://127.0.0.1:${listener.addr.port}/flags`,
    requests: 0,
    [Symbol.dispose]: () => listener.close(),
  };
  async function serveDropping(connection: Deno.Conn): Promise<void> {
    using _ = connection;
    for (let n = 0; await connection.read(new Uint8Array(4096)) !== null; n++) {
      site.requests++;
      if (mode === "always" || (mode === "second" && n === 1)) return;
      await connection.write(encoder.encode(`HTTP/1.1 200 OK${CRLF}${LENGTH}${CRLF}${CRLF}`));
      await connection.write(GIF);
      if (mode === "late") await new Promise((resolve) => setTimeout(resolve, 1));
      if (mode !== "second") return;
    }
  }
  (async () => {
    for await (const connection of listener) serveDropping(connection).catch(() => {});
  })();
  return site;
}
