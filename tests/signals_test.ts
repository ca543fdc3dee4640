/** Ctrl-C, SIGTERM and SIGHUP end a run with the summary, the clean-up and an exit code. */
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { countWholeFlags, ended, flagSite, isGranted, PROGRAMS, readUntil } from "./helpers.ts";
import { start, tempDir } from "./helpers.ts";

/** On Windows, a process cannot send a signal to another process. */
const ignore = Deno.build.os === "windows" || !isGranted("net", "read", "run", "write");

const CASES: [program: string, signal: Deno.Signal, exit: number][] = [
  ...PROGRAMS.map((program): [string, Deno.Signal, number] => [program, "SIGINT", 130]),
  ["flags_threadpool.ts", "SIGTERM", 143],
  ["flags_threadpool.ts", "SIGHUP", 129],
];

for (const [program, signal, exit] of CASES) {
  Deno.test(
    `${program}: ${signal} prints a summary and keeps whole flags`,
    { ignore },
    async () => {
      using dir = tempDir();
      await using site = flagSite({ delay: [0.05, 0.05] });
      const args = ["-a", "-m", "3", "--timeline", "-s", site.url];
      await using child = start(program, args, dir.path);
      const stderr = child.stderr.text();
      const stdout = await readUntil(child.stdout, /^[A-Z]{2} /m);
      child.kill(signal);
      child.kill(signal); // `deno task` forwards what the terminal also sends.
      const { code } = await child.status;
      const text = await stdout.rest();
      assertEquals([code, (await stderr).split("\n").length], [exit, 2]);
      const timeline = `\n${program}, \\d connections?\n1 [^]*\n +\\|0 s.*\n`;
      assertMatch(text, RegExp(`\n\\d+ downloads? in \\d+\\.\\d\\ds, interrupted\n${timeline}$`));
      const arrived = Number(/(\d+) downloads? in/.exec(text)?.[1]);
      const written = countWholeFlags(dir.path);
      assertGreater(arrived, 0);
      // A worker may have written a flag that it has not reported yet.
      assert(
        arrived <= written && written <= arrived + 3,
        `${arrived} arrived, ${written} written`,
      );
    },
  );
}

Deno.test("Ctrl-C before the first flag leaves no file", { ignore }, async () => {
  using dir = tempDir();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  await using site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    if (url.endsWith("/br.gif")) return new Response(null, { status: 500 });
    asked.resolve();
    return answer.promise;
  });
  const args = ["BR", "US", "-s", `http://127.0.0.1:${site.addr.port}`];
  await using child = start("flags.ts", args, dir.path);
  const output = ended(child.output());
  await asked.promise;
  child.kill("SIGINT");
  const { code, stdout, stderr } = await output;
  answer.resolve(new Response());
  assertEquals([code, countWholeFlags(dir.path)], [130, 0]);
  assertMatch(stdout, /^0 downloads in \d+\.\d\ds, 1 error, interrupted\n$/);
  assertMatch(stderr, /\nBR: HTTP 500 Internal Server Error\n$/);
});
