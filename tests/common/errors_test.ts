import { assertEquals, assertRejects } from "@std/assert";
import { downloadOne } from "../../flags.ts";
import { test } from "../testing.ts";

/** Returns the error line for a flag if `fetch` fails with `error`, and how often it was called. */
async function lineFor(error: unknown, url = "http://flags.example.com/br.gif") {
  const original = globalThis.fetch;
  let requests = 0;
  globalThis.fetch = () => {
    requests++;
    return Promise.reject(error);
  };
  try {
    const outcome = await downloadOne({ cc: "BR", url });
    return { line: outcome.status === "ok" ? "ok" : outcome.line, requests };
  } finally {
    globalThis.fetch = original;
  }
}

/** An error as Deno 2.8 and later throw it. */
function fetchError(message: string): TypeError {
  return new TypeError("fetch failed", { cause: new Error(message) });
}

/** The same error as older versions of Deno throw it. */
function oldFetchError(message: string): TypeError {
  return new TypeError(message);
}

const SENDING = "error sending request from 127.0.0.1:4 for http://127.0.0.1:5/x (127.0.0.1:5): " +
  "client error (SendRequest): ";
const CONNECTING = "error sending request for url (http://flags.example.com/br.gif): " +
  "client error (Connect): ";
const LOOKUP = "dns error: failed to lookup address information: ";

for (
  const message of [
    "Connection reset by peer (os error 104)",
    "broken pipe",
    "unexpected EOF during handshake",
    "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/…",
    "stream closed because of a broken pipe",
    "a message that no version of Deno has yet",
    `${SENDING}connection closed before message completed`,
    `${SENDING}connection error: Connection reset by peer (os error 104)`,
    `${SENDING}http2 error: keep-alive timed out`,
  ]
) {
  test(`a request that fails without a response is sent twice: ${message}`, async () => {
    const expected = { line: "connection lost after 0 bytes", requests: 2 };
    assertEquals(await lineFor(fetchError(message)), expected);
    assertEquals(await lineFor(oldFetchError(message)), expected);
  });
}

test("a request that an HTTP/2 site refuses is sent twice", async () => {
  const error = fetchError("stream error received: refused stream before any application logic");
  const line = "no response (refused stream before any application logic)";
  assertEquals(await lineFor(error), { line, requests: 2 });
});

const ORIGIN = "http://flags.example.com";
const TWICE = "Name or service not known: failed to lookup address information: Name or service " +
  "not known";
for (
  const [message, line] of [
    [`${SENDING}invalid content-length parsed`, "invalid content-length"],
    [`${SENDING}unexpected transfer-encoding parsed`, "unexpected transfer-encoding"],
    [`${SENDING}message head is too large`, "message head is too large"],
  ].map(([message, why]) => [message, `not a valid HTTP response (${why})`]).concat([
    [`${CONNECTING}${LOOKUP}Name or service not known`, "no such host: flags.example.com"],
    [`${CONNECTING}${LOOKUP}${TWICE}`, "no such host: flags.example.com"],
    [
      `${CONNECTING}${LOOKUP}nodename nor servname provided, or not known`,
      "no such host: flags.example.com",
    ],
    [
      `${CONNECTING}dns error: No such host is known. (os error 11001)`,
      "no such host: flags.example.com",
    ],
    [
      `${CONNECTING}${LOOKUP}Temporary failure in name resolution`,
      "could not look up flags.example.com (Temporary failure in name resolution)",
    ],
    [
      `${CONNECTING}dns error: Too many open files (os error 24)`,
      `could not connect to ${ORIGIN} (Too many open files)`,
    ],
    [
      `${CONNECTING}tcp open error: Too many open files (os error 24)`,
      `could not connect to ${ORIGIN} (Too many open files)`,
    ],
    [
      `${CONNECTING}tcp connect error: Connection refused (os error 111): Connection refused`,
      `could not connect to ${ORIGIN} (Connection refused)`,
    ],
    [
      `${CONNECTING}invalid peer certificate: Expired`,
      `could not connect to ${ORIGIN} (its certificate has expired)`,
    ],
    [
      `${CONNECTING}invalid peer certificate: BadSignature`,
      `could not connect to ${ORIGIN} (its certificate is not trusted)`,
    ],
  ])
) {
  test(`a request is sent once: ${message}`, async () => {
    assertEquals(await lineFor(fetchError(`${message}`)), { line, requests: 1 });
    assertEquals(await lineFor(oldFetchError(`${message}`)), { line, requests: 1 });
  }, { needs: ["env"] });
}

test("a request that Deno does not send is reported", async () => {
  const error = new TypeError("Fetch failed: Requests to port 1 are blocked");
  assertEquals((await lineFor(error)).line, "Requests to port 1 are blocked");
});

test("a request that times out is sent once", async () => {
  const error = new DOMException("Signal timed out.", "TimeoutError");
  assertEquals(await lineFor(error), { line: "timed out after 6.1 s", requests: 1 });
});

test("a missing permission ends the run", async () => {
  const error = new Deno.errors.NotCapable("Requires net access");
  await assertRejects(() => lineFor(error), Deno.errors.NotCapable, "Requires net access");
});

for (const Bug of [TypeError, ReferenceError, RangeError, SyntaxError]) {
  test(`a ${Bug.name} of the program's own is not the outcome of a flag`, async () => {
    const bug = new Bug("flags.foo is not a function");
    const url = {
      toString() {
        throw bug;
      },
    };
    const flag = { cc: "BR", url: url as unknown as string };
    const thrown = await assertRejects(() => downloadOne(flag), Bug, "flags.foo");
    assertEquals(thrown.stack, bug.stack);
  });
}

/** Runs `fn` with environment variables, and restores the variables. */
async function withEnv(env: Record<string, string>, fn: () => Promise<void>): Promise<void> {
  const before = Object.keys(env).map((name) => ({ name, value: Deno.env.get(name) }));
  for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
  try {
    await fn();
  } finally {
    for (const { name, value } of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

const PROXY = {
  NO_PROXY: "localhost, .example.org",
  no_proxy: "",
  ALL_PROXY: "",
  all_proxy: "",
  http_proxy: "",
  HTTP_PROXY: "http://u:secret@127.0.0.1:9",
};
for (
  const [about, text, line] of [
    [
      "refused",
      `${CONNECTING}tcp connect error: Connection refused (os error 111)`,
      `could not connect to ${ORIGIN} (Connection refused; the proxy in HTTP_PROXY may be down)`,
    ],
    [
      "unknown",
      `${CONNECTING}${LOOKUP}Name or service not known`,
      "no such host: flags.example.com (the proxy in HTTP_PROXY may be down)",
    ],
  ] as const
) {
  test(
    `a connection that is ${about} may be the fault of the proxy`,
    () =>
      withEnv(PROXY, async () => {
        assertEquals((await lineFor(fetchError(text))).line, line);
      }),
    { needs: ["env"] },
  );
}

for (const host of ["localhost", "flags.example.org"]) {
  test(
    `the proxy is not to blame for ${host}, which NO_PROXY lists`,
    () =>
      withEnv(PROXY, async () => {
        const error = fetchError(
          `${CONNECTING}tcp connect error: Connection refused (os error 111)`,
        );
        const { line } = await lineFor(error, `http://${host}/br.gif`);
        assertEquals(line, `could not connect to http://${host} (Connection refused)`);
      }),
    { needs: ["env"] },
  );
}
