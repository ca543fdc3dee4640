import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { downloadOne, getFlag, saveFlag } from "../flags.ts";
import { readGif } from "../common/fetch_gif.ts";
import { type Flag, type Outcome, POP20_CC } from "../common/flag.ts";
import { spansOf } from "../common/run.ts";
import { flagCodes, serveFlags } from "../flags_server.ts";
import { downloadMany } from "../flags_threadpool.ts";
import { droppingSite, GIF, hostileSite, ROWS } from "./hostile_site.ts";
import { packageFlag, PROGRAM, TempDir, test, testSideBySide } from "./testing.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const header = (flags: number, version = "89a") => [
  ...new TextEncoder().encode(`GIF${version}`),
  ...[1, 0, 1, 0, flags, 0, 0],
];
const image = (flags: number, ...blocks: number[]) => [
  ...[0x2c, 0, 0, 0, 0, 1, 0, 1, 0, flags],
  ...blocks,
];
const colours = (count: number) => Array<number>(3 * count).fill(0x3b);
const DATA = [2, 2, 0x44, 1, 0];
const TRAILER = 0x3b;

/** A `Response` that was never sent, with these bytes. */
function response(bytes: Iterable<number> | string, init: ResponseInit = {}): Response {
  return new Response(typeof bytes === "string" ? bytes : new Uint8Array([...bytes]), init);
}

for (
  const [about, bytes] of [
    ["without colours of its own", [...header(0), ...image(0, ...DATA), TRAILER]],
    ["of the older version", [...header(0, "87a"), ...image(0, ...DATA), TRAILER]],
    ["with 2 colours", [...header(0x80), ...colours(2), ...image(0, ...DATA), TRAILER]],
    ["with 256 colours", [...header(0xf7), ...colours(256), ...image(0, ...DATA), TRAILER]],
    ["whose image has 8 colours", [
      ...header(0),
      ...image(0x82, ...colours(8), ...DATA),
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
    ["with bytes behind its trailer", [...header(0), ...image(0, ...DATA), TRAILER, 1, 2, 3]],
  ] as const
) {
  test(`a GIF ${about} is whole, and kept as it is`, async () => {
    assertEquals(await readGif(response(bytes)), new Uint8Array(bytes));
  });
}

test("a GIF that is cut, wherever that is, is not whole", async () => {
  for (let length = 1; length < GIF.length; length++) {
    const cut = response(GIF.subarray(0, length), { headers: { "content-length": `${length}` } });
    await assertRejects(() => readGif(cut), Error, "not a ");
  }
});

for (
  const [about, bytes, init, line] of [
    ["404", "GIF89a", { status: 404 }, "not found"],
    ["206 with a whole GIF", GIF, { status: 206 }, "HTTP 206"],
    ["201 with a whole GIF", GIF, { status: 201, statusText: "Created" }, "HTTP 201 Created"],
    ["418", "", { status: 418, statusText: "I'm a teapot" }, "HTTP 418 I'm a teapot"],
    ["an empty body", "", {}, "not a GIF image (empty)"],
    ["a page", "<html>", {}, 'not a GIF image (begins with "<html>")'],
    ["another version", "GIF88a1234567", {}, 'not a GIF image (begins with "GIF88a123")'],
    ["another format", "\x89PNG\r\n", {}, 'not a GIF image (begins with "Â?PNG\\r\\n")'],
    ["the first 3 bytes", "GIF", {}, 'not a GIF image (begins with "GIF")'],
    ["the first 6 bytes", "GIF89a", {}, "connection lost after 6 bytes"],
    [
      "the first 6 bytes and no more promised",
      "GIF89a",
      { headers: { "content-length": "6" } },
      "not a whole GIF (6 bytes)",
    ],
    [
      "all but the trailer",
      GIF.subarray(0, -1),
      {},
      `connection lost after ${GIF.length - 1} bytes`,
    ],
    [
      "a trailer among the colours only",
      [...header(0x80), ...colours(2)],
      { headers: { "content-length": "19" } },
      "not a whole GIF (19 bytes)",
    ],
  ] as const
) {
  test(`the line for ${about} is "${line}"`, async () => {
    const { message } = await assertRejects(() => readGif(response(bytes, init)), Error);
    assertEquals(message, line);
  });
}

/** A body that gives `bytes`, a chunk each, and then fails as a connection does. */
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
    ["of a known length", { "content-length": "900" }, "connection lost before 900 bytes had come"],
    ["of unknown length", {}, "connection lost before all bytes had come"],
  ] as const
) {
  test(`a body ${about} that breaks off is a lost connection`, async () => {
    const part = GIF.slice(0, 20);
    const lost = new Response(losing(part, part), { headers });
    assertEquals((await assertRejects(() => readGif(lost), Error)).message, line);
  });
}

test("5 MB are an image, and a byte more is too large", async () => {
  const image = new Uint8Array(5_000_000);
  image.set(GIF);
  assertEquals((await readGif(new Response(image))).length, 5_000_000);
  const larger = new Response(new Uint8Array([...image, 0]));
  const { message } = await assertRejects(() => readGif(larger), Error);
  assertEquals(message, "larger than 5 MB");
});

test("of an image without end, no more is read than may arrive", async () => {
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
  "all 243 flags of the site are whole GIFs, and none is when its second half is missing",
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

/** What the site does, each for itself; a program's test has those that keep it waiting. */
testSideBySide(
  "what a site does becomes a flag, or one line",
  Object.fromEntries(
    Object.entries(ROWS).filter(([, { then }]) => then !== "hang").map((
      [cc, { about, line, file = GIF }],
    ) => [about, async () => {
      using site = hostileSite();
      const flag = { cc, url: `${site.url}/${cc.toLowerCase()}/${cc.toLowerCase()}.gif` };
      if (line === undefined) return assertEquals(await getFlag(flag.url), file);
      const outcome = await downloadOne(flag);
      const status = line === "not found" ? line : "failed";
      assertEquals({ ...outcome }, { ...outcome, cc, status, line });
    }]),
  ),
  { needs: ["net"] },
);

/** The line for a flag of a site that is not even asked. */
async function lineOf(site: string): Promise<string> {
  const outcome = await downloadOne({ cc: "BR", url: `${site}/br/br.gif` });
  return outcome.status === "ok" ? "ok" : outcome.line;
}

test("a site that nobody can reach is said to be so, with the reason", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  assertEquals(await lineOf(url), `could not connect to ${url} (Connection refused)`);
}, { needs: ["net"] });

test("a host that does not exist is said to be so", async () => {
  assertEquals(
    await lineOf("http://no-such-host.invalid:8000"),
    "no such host: no-such-host.invalid",
  );
}, { needs: ["net"] });

test("a certificate that is refused is said to be so, with the reason", async () => {
  await using dir = new TempDir();
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(dir.path, name));
  const args =
    `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout ${key} -out ${cert}`;
  await new Deno.Command("openssl", { args: args.split(" "), stderr: "null" }).output();
  const pem = (path = "") => Deno.readTextFileSync(path);
  await using site = Deno.serve(
    { hostname: "127.0.0.1", port: 0, key: pem(key), cert: pem(cert), onListen() {} },
    () => new Response(GIF),
  );
  const url = `https://localhost:${site.addr.port}`;
  const line = await lineOf(url);
  assert(line.startsWith(`could not connect to ${url} (`), line);
  assertMatch(line, /certificate/i);
}, { needs: PROGRAM, ignore: !exists("openssl") });

function exists(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

for (const mode of ["second", "after", "late"] as const) {
  test(`nothing is lost where a site drops kept connections without a word: ${mode}`, async () => {
    using site = droppingSite(mode);
    const rest = Array.from({ length: 80 }, (_, i) => `${site.url}/${i}`).values();
    const inTurn = async () => {
      for (const url of rest) assertEquals(await getFlag(url), GIF);
    };
    await Promise.all(Array.from({ length: 8 }, inTurn));
  }, { needs: ["net"] });
}

test("a site that answers nothing at all is asked twice at most", async () => {
  using site = droppingSite("always");
  assertEquals(await lineOf(site.url), "connection lost after 0 bytes");
  assertLess(site.requests, 3);
}, { needs: ["net"] });

/** Runs `fn` in an empty directory that has an empty `downloaded/`. */
async function inEmptyDirectory(fn: (dir: TempDir) => void | Promise<void>): Promise<void> {
  await using dir = new TempDir();
  const cwd = Deno.cwd();
  Deno.mkdirSync(join(dir.path, "downloaded"));
  Deno.chdir(dir.path);
  try {
    await fn(dir);
  } finally {
    Deno.chdir(cwd);
  }
}

test(
  "saveFlag writes downloaded/CC.gif and nothing else, in place of an older one",
  () =>
    inEmptyDirectory((dir) => {
      saveFlag(packageFlag("US"), "BR");
      saveFlag(GIF, "BR");
      assertEquals(dir.downloaded(), new Map([["BR.gif", GIF]]));
    }),
  { needs: ["read", "write"] },
);

test("saveFlag never shows half of a flag to others who read it", () =>
  inEmptyDirectory(() => {
    saveFlag(GIF, "BR");
    using open = Deno.openSync("downloaded/BR.gif");
    saveFlag(new Uint8Array([...GIF, 1]), "BR");
    assertEquals(open.statSync().size, GIF.length);
    assertEquals(Deno.statSync("downloaded/BR.gif").size, GIF.length + 1);
  }), { needs: ["read", "write"] });

test(
  "downloadOne tells what arrived, when, and in which thread",
  () =>
    inEmptyDirectory(async (dir) => {
      await using site = serveFlags();
      const url = `http://127.0.0.1:${site.addr.port}/flags/br/br.gif`;
      const before = performance.timeOrigin + performance.now();
      const outcome = await downloadOne({ cc: "BR", url });
      const after = performance.timeOrigin + performance.now();
      const { start, end } = outcome;
      const thread = performance.timeOrigin;
      assertEquals(outcome, { cc: "BR", start, end, thread, status: "ok", bytes: 361 });
      assert(before <= start && start < end && end <= after);
      assertEquals(dir.downloaded(), new Map([["BR.gif", packageFlag("BR")]]));
    }),
  { needs: ["read", "write", "net"] },
);

for (
  const [about, status, block] of [
    [
      "a target that is a directory fails alone",
      "failed",
      () => Deno.mkdirSync("downloaded/BR.gif"),
    ],
    ["a directory that is gone is unwritable", "unwritable", () => Deno.removeSync("downloaded")],
  ] as const
) {
  test(about, () =>
    inEmptyDirectory(async () => {
      await using site = serveFlags();
      block();
      const url = `http://127.0.0.1:${site.addr.port}/flags/br/br.gif`;
      const outcome = await downloadOne({ cc: "BR", url });
      assertEquals(outcome.status, status);
      const line = outcome.status === "ok" ? "" : outcome.line;
      assertMatch(line, /^cannot write downloaded\/BR\.gif: [A-Z][a-z ]+$/);
    }), { needs: ["read", "write", "net"] });
}

test(
  "in a real run of the pool no bars of a lane overlap, and they end when the run does",
  () =>
    inEmptyDirectory(async () => {
      await using site = serveFlags({ delay: [0.05, 0.15] });
      const flags = POP20_CC.map((cc): Flag => {
        const name = cc.toLowerCase();
        return { cc, url: `http://127.0.0.1:${site.addr.port}/flags/${name}/${name}.gif` };
      });
      const outcomes: Outcome[] = [];
      const begin = performance.timeOrigin + performance.now();
      await downloadMany(flags, 6, (outcome) => outcomes.push(outcome));
      const took = performance.timeOrigin + performance.now() - begin;

      const spans = spansOf(outcomes, begin);
      assertEquals(new Set(spans.map(({ lane }) => lane)), new Set([0, 1, 2, 3, 4, 5]));
      assert(spans.every(({ ok }) => ok));
      for (const lane of Map.groupBy(spans, ({ lane }) => lane).values()) {
        lane.reduce((before, span) => {
          assertLess(before.end, span.start + 0.001);
          return span;
        });
      }
      const last = Math.max(...spans.map(({ end }) => end));
      assertLess(last, took + 1);
      assertLess(took, last + 200);
    }),
  { needs: PROGRAM },
);

test("a compressed image is as large as what comes out of it", async () => {
  const bomb = new Blob([GIF, new Uint8Array(6_000_000)]);
  const bytes = await new Response(bomb.stream()).bytes();
  const headers = { "content-encoding": "gzip", "content-length": "6000" };
  await assertRejects(() => readGif(response(bytes, { headers })), Error, "larger than 5 MB");
  assertEquals(await readGif(response(GIF, { headers })), GIF);
});
