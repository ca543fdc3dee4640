/** Programs that download from sites that fail in one way each. */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { makeCertificate, NEEDS_OPENSSL } from "../certificates.ts";
import { acceptAll, GIF } from "../hostile_site.ts";
import { command, ConcurrentTests, deno, output, programArgs, ROOT } from "../testing.ts";

export const tests = new ConcurrentTests();

const encoder = new TextEncoder();

tests.add("reports a certificate for another host", async (dir) => {
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
  tests.add(
    `${program} reports a redirect to ${host}, which --allow-net does not include`,
    async (dir) => {
      await using site = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen() {} },
        ({ url }) => {
          const elsewhere = { status: 302, headers: { location: `http://${host}/x` } };
          return url.includes("/br/") ? new Response(null, elsewhere) : new Response(GIF);
        },
      );
      const url = `http://127.0.0.1:${site.addr.port}/flags`;
      const args = programArgs(program, ["AA", "BR", "CC", "-s", url], "--allow-net");
      args.splice(1, 0, "--allow-net=127.0.0.1");
      const { code, stdout, stderr } = await output(deno(args, { cwd: dir.path }));
      const [, line, ...rest] = stderr.split("\n");
      assertEquals(line, `BR: redirected to ${host}, which --allow-net does not include`);
      assertEquals([code, rest], [1, [""]]);
      assertMatch(stdout, /\n2 downloads in \S+s, 1 error\n$/);
      assertEquals([...dir.downloaded().keys()], ["AA.gif", "CC.gif"]);
    },
  );
}

// Interruptions.

/**
 * A site that answers only when `count` requests are waiting, and then answers all of them at once.
 */
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

tests.add("Ctrl-C leaves no unfinished files, even if all workers are writing", async (dir) => {
  const runs = 3;
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
}, { only: "unix" });
