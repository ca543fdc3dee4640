/** A site that does everything wrong that a downloader must survive: one way of failing a code. */
import { packageFlag } from "./programs.ts";

const CRLF = "\r\n";
const encoder = new TextEncoder();

function head(status: string, ...headers: string[]): string {
  return [`HTTP/1.1 ${status}`, "connection: close", ...headers].join(CRLF) + CRLF + CRLF;
}

function redirect(location: string): string {
  return head("302 Found", `location: ${location}`, "content-length: 0");
}

/** What to send for a code, in pieces; `hang` keeps the connection open after them. */
type Answer = { send: Iterable<string | Uint8Array<ArrayBuffer>>; hang?: boolean };

function* endless(): Generator<string> {
  yield head("200 OK") + "GIF89a";
  for (;;) yield "x".repeat(65536);
}

function answer(cc: string, step: string | undefined, elsewhere: string, reset: string): Answer {
  const gif = packageFlag("BR");
  const length = `content-length: ${gif.length}`;
  const part = gif.slice(0, 200);
  const whole = (...headers: string[]) => [head("200 OK", ...headers), gif];
  switch (cc) {
    case "NF":
      return { send: [head("404 Not Found", "content-length: 0")] };
    case "TP":
      return { send: [head("418 I'm a teapot", "content-length: 0")] };
    case "IE":
      return { send: [head("500 Internal Server Error", "content-length: 4"), "oops"] };
    case "SU":
      return { send: [head("503 Service Unavailable", "content-length: 0")] };
    case "SI":
      return { send: [], hang: true };
    case "ST":
      return { send: [head("200 OK", length), part], hang: true };
    case "CL":
      return { send: [] };
    case "SH":
      return { send: [head("200 OK", length), part] };
    case "CH":
      return { send: [head("200 OK", "transfer-encoding: chunked"), "c8", CRLF, part, CRLF] };
    case "NL":
      return { send: [head("200 OK"), part] };
    case "HT":
      return { send: [head("200 OK", "content-type: text/html"), "<!DOCTYPE html><h1>Sorry"] };
    case "EM":
      return { send: [head("200 OK", "content-length: 0")] };
    case "RB":
      return { send: [head("200 OK"), new Uint8Array([0, 1, 254, 255, 34, 10])] };
    case "EN":
      return { send: endless() };
    case "BI":
      return {
        send: [head("200 OK", "content-length: 6000000"), "GIF89a" + "x".repeat(5_999_994)],
      };
    case "RO":
      return { send: step === undefined ? [redirect("/flags/ro/1")] : whole(length) };
    case "RF":
      return {
        send: step === "5" ? whole(length) : [redirect(`/flags/rf/${Number(step ?? 0) + 1}`)],
      };
    case "RH":
      return { send: step === undefined ? [redirect(`${elsewhere}/flags/rh/1`)] : whole(length) };
    case "RE":
      return { send: [redirect(reset)] };
    case "RL":
      return { send: [redirect("/flags/rl/1")] };
    default:
      return { send: whole(length) };
  }
}

/** The line that each code must lead to; the others arrive. */
export const LINES: Record<string, string> = {
  BI: "larger than 5 MB",
  CH: "connection lost after 200 bytes",
  CL: "connection lost after 0 bytes",
  EM: "not a GIF image (empty)",
  EN: "larger than 5 MB",
  HT: 'not a GIF image (begins with "<!DOCTYPE")',
  IE: "HTTP 500 Internal Server Error",
  NF: "not found",
  NL: "connection lost after 200 bytes",
  RB: 'not a GIF image (begins with "\\u0000\\u0001þÿ\\"\\n")',
  RL: "too many redirects",
  SH: "connection lost after 200 of 361 bytes",
  SI: "timed out after 6.1 s",
  ST: "timed out after 6.1 s",
  SU: "HTTP 503 Service Unavailable",
  TP: "HTTP 418 I'm a teapot",
};

/** Codes that arrive, some by way of redirects. */
export const ARRIVING = ["BR", "RF", "RH", "RO", "US"];

/** Answers without reading the request and closes: the client is sent a reset. */
function resettingSite(): { url: string } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const connection of listener) {
      await connection.write(encoder.encode(head("200 OK", "content-length: 361") + "GIF89a"));
      await new Promise((resolve) => setTimeout(resolve, 50));
      connection.close();
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}/`,
    [Symbol.dispose]: () => listener.close(),
  };
}

/** Starts the site; `url` is its base. */
export function hostileSite(): { url: string } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const resetting = resettingSite();
  const open = new Set<Deno.Conn>();

  async function serve(connection: Deno.Conn): Promise<void> {
    const request = new Uint8Array(4096);
    const count = await connection.read(request) ?? 0;
    const path = new TextDecoder().decode(request.subarray(0, count)).split(" ")[1] ?? "";
    const [, cc = "", step] = path.match(/^\/flags\/(..)\/(\d)?/) ?? [];
    const elsewhere = `http://localhost:${port}`;
    const { send, hang } = answer(cc.toUpperCase(), step, elsewhere, resetting.url);
    for (const piece of send) {
      let rest = typeof piece === "string" ? encoder.encode(piece) : piece;
      while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
    }
    if (!hang) connection.close();
  }

  (async () => {
    for await (const connection of listener) {
      open.add(connection);
      serve(connection).catch(() => connection.close());
    }
  })();
  return {
    url: `http://127.0.0.1:${port}/flags`,
    [Symbol.dispose]() {
      listener.close();
      resetting[Symbol.dispose]();
      for (const connection of open) {
        try {
          connection.close();
        } catch {
          // The client was faster.
        }
      }
    },
  };
}
