import { assertEquals, assertLess, assertRejects } from "@std/assert";
import { readGif } from "../../common/fetch_gif.ts";
import { flagCodes } from "../../flags_server.ts";
import { GIF } from "../hostile_site.ts";
import { packageFlag, test } from "../testing.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const header = (flags: number, version = "89a") => [
  ...new TextEncoder().encode(`GIF${version}`),
  ...[1, 0, 1, 0, flags, 0, 0],
];
const image = (flags: number, ...blocks: number[]) => [
  ...[0x2c, 0, 0, 0, 0, 1, 0, 1, 0, flags],
  ...blocks,
];
const colors = (count: number) => Array<number>(3 * count).fill(0x3b);
const DATA = [2, 2, 0x44, 1, 0];
const TRAILER = 0x3b;

/** A `Response` with these bytes that was never sent. */
function response(bytes: Iterable<number> | string, init: ResponseInit = {}): Response {
  return new Response(typeof bytes === "string" ? bytes : new Uint8Array([...bytes]), init);
}

for (
  const [about, bytes] of [
    ["without colors", [...header(0), ...image(0, ...DATA), TRAILER]],
    ["of version 87a", [...header(0, "87a"), ...image(0, ...DATA), TRAILER]],
    ["with 2 colors", [...header(0x80), ...colors(2), ...image(0, ...DATA), TRAILER]],
    ["with 256 colors", [...header(0xf7), ...colors(256), ...image(0, ...DATA), TRAILER]],
    ["with 8 colors for its image", [
      ...header(0),
      ...image(0x82, ...colors(8), ...DATA),
      TRAILER,
    ]],
    ["with two images", [...header(0), ...image(0, ...DATA), ...image(0, ...DATA), TRAILER]],
    ["with several blocks of data", [
      ...header(0),
      ...image(0, 8, 1, 0x3b, 255, ...Array<number>(255).fill(0x3b), 2, 0, 0, 0),
      TRAILER,
    ]],
    ["with a comment and a control extension", [
      ...header(0),
      ...[0x21, 0xfe, 3, 0x3b, 0x21, 0x2c, 0],
      ...[0x21, 0xf9, 4, 0, 0, 0, 0, 0],
      ...image(0, ...DATA),
      TRAILER,
    ]],
    ["with a zero byte after its comment", [
      ...header(0),
      ...[0x21, 0xfe, 1, 0x3b, 0, 0],
      ...image(0, ...DATA),
      TRAILER,
    ]],
    ["with zero bytes before its trailer", [...header(0), ...image(0, ...DATA), 0, 0, TRAILER]],
    ["with bytes after its trailer", [...header(0), ...image(0, ...DATA), TRAILER, 1, 2, 3]],
  ] as const
) {
  test(`a GIF ${about} is complete, and kept unchanged`, async () => {
    assertEquals(await readGif(response(bytes)), new Uint8Array(bytes));
  });
}

test("a GIF truncated at any byte is incomplete", async () => {
  for (let length = 1; length < GIF.length; length++) {
    const cut = response(GIF.subarray(0, length), { headers: { "content-length": `${length}` } });
    await assertRejects(() => readGif(cut), Error, "not a ");
  }
});

for (
  const [about, bytes, init, line] of [
    ["404", "GIF89a", { status: 404 }, "not found"],
    ["206 with a complete GIF", GIF, { status: 206 }, "HTTP 206"],
    ["201 with a complete GIF", GIF, { status: 201, statusText: "Created" }, "HTTP 201 Created"],
    ["418", "", { status: 418, statusText: "I'm a teapot" }, "HTTP 418 I'm a teapot"],
    [
      "a status text that could control a terminal",
      "",
      { status: 418, statusText: "\x9b2J" },
      "HTTP 418 \\u{9b}2J",
    ],
    [
      "a status text of 5 kB",
      "",
      { status: 418, statusText: "y".repeat(5000) },
      `HTTP 418 ${"y".repeat(190)}…`,
    ],
    ["an empty body", "", {}, "not a GIF image (empty)"],
    ["a page", "<html>", {}, 'not a GIF image (begins with "<html>")'],
    ["another version", "GIF88a1234567", {}, 'not a GIF image (begins with "GIF88a123")'],
    ["another format", "\x89PNG\r\n", {}, 'not a GIF image (begins with "Â?PNG\\r\\n")'],
    ["the first 3 bytes", "GIF", {}, 'not a GIF image (begins with "GIF")'],
    ["the first 6 bytes", "GIF89a", {}, "connection lost after 6 bytes"],
    [
      "6 bytes in complete chunks",
      "GIF89a",
      { headers: { "transfer-encoding": "chunked" } },
      "not a complete GIF (6 bytes)",
    ],
    [
      "6 bytes with content-length: 6",
      "GIF89a",
      { headers: { "content-length": "6" } },
      "not a complete GIF (6 bytes)",
    ],
    [
      "all but the trailer",
      GIF.subarray(0, -1),
      {},
      `connection lost after ${GIF.length - 1} bytes`,
    ],
    [
      "a trailer byte only in the color table",
      [...header(0x80), ...colors(2)],
      { headers: { "content-length": "19" } },
      "not a complete GIF (19 bytes)",
    ],
  ] as const
) {
  test(`the line for ${about} is "${line}"`, async () => {
    const { message } = await assertRejects(() => readGif(response(bytes, init)), Error);
    assertEquals(message, line);
  });
}

/** A body that yields each of `bytes` as a chunk and then fails like a lost connection. */
function losing(...bytes: Bytes[]): ReadableStream<Bytes> {
  const rest = bytes.values();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = rest.next();
      if (done) controller.error(new TypeError("error reading a body from connection"));
      else controller.enqueue(value);
    },
  });
}

for (
  const [about, headers, line] of [
    [
      "of a known length",
      { "content-length": "900" },
      "connection lost before 900 bytes had arrived",
    ],
    ["of unknown length", {}, "connection lost before all bytes had arrived"],
  ] as const
) {
  test(`reports a lost connection if a body ${about} breaks off`, async () => {
    const part = GIF.slice(0, 20);
    const lost = new Response(losing(part, part), { headers });
    assertEquals((await assertRejects(() => readGif(lost), Error)).message, line);
  });
}

test("accepts 5 MB and rejects one byte more", async () => {
  const image = new Uint8Array(5_000_000);
  image.set(GIF);
  assertEquals((await readGif(new Response(image))).length, 5_000_000);
  const larger = new Response(new Uint8Array([...image, 0]));
  const { message } = await assertRejects(() => readGif(larger), Error);
  assertEquals(message, "larger than 5 MB");
});

test("stops reading an endless image at the maximum size", async () => {
  let given = 0;
  const endless = new ReadableStream<Bytes>({
    pull(controller) {
      given += 65536;
      controller.enqueue(new Uint8Array(65536));
    },
  });
  await assertRejects(() => readGif(new Response(endless)), Error, "larger than 5 MB");
  assertLess(given, 6_000_000);
});

test(
  "all 243 flags are complete GIFs; the first half of each is not",
  async () => {
    const codes = flagCodes();
    assertEquals(codes.length, 243);
    for (const cc of codes) {
      const flag = packageFlag(cc);
      assertEquals(await readGif(new Response(flag)), flag);
      const half = flag.slice(0, flag.length / 2);
      await assertRejects(() => readGif(new Response(half)), Error, "connection lost after");
    }
  },
  { needs: ["read"] },
);

test("the size of a compressed image is its decompressed size", async () => {
  const bomb = new Blob([GIF, new Uint8Array(6_000_000)]);
  const bytes = await new Response(bomb.stream()).bytes();
  const headers = { "content-encoding": "gzip", "content-length": "6000" };
  await assertRejects(() => readGif(response(bytes, { headers })), Error, "larger than 5 MB");
  assertEquals(await readGif(response(GIF, { headers })), GIF);
});
