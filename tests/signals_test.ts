/** Ctrl-C, SIGTERM and SIGHUP end a run with the summary, the clean-up and an exit code. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { countFlags, imageOf, isGranted, runUntil, siteOf, tempDir } from "./helpers.ts";

/** On Windows, a process cannot send a signal to another process. */
const ignore = Deno.build.os === "windows" || !isGranted("net", "read", "run", "write");

const CASES: [program: string, signal: Deno.Signal, exit: number][] = [
  ["flags.ts", "SIGINT", 130],
  ["flags_threadpool.ts", "SIGINT", 130],
  ["flags_async.ts", "SIGINT", 130],
  ["flags_futures.ts", "SIGINT", 130],
  ["flags_threadpool.ts", "SIGTERM", 143],
  ["flags_threadpool.ts", "SIGHUP", 129],
];

for (const [program, signal, exit] of CASES) {
  Deno.test(`${program} ends on ${signal} with a summary and whole flags`, { ignore }, async () => {
    using dir = tempDir();
    await using site = siteOf(async (url) => {
      if (url.endsWith("/ad.gif")) return new Response(null, { status: 500 });
      await new Promise((resolve) => setTimeout(resolve, 50)); // So that the run does not end.
      return new Response(imageOf(url));
    });
    const command = `${program} -a -m 3 --timeline -s ${site.url}`;
    const { code, stdout, stderr } = await runUntil(command, dir.path, /^[A-Z]{2} /m, (child) => {
      child.kill(signal);
      child.kill(signal); // `deno task` forwards what the terminal also sends.
    });
    assertEquals(code, exit);
    assertMatch(stderr, /^.+\nAD: HTTP 500 Internal Server Error\n$/);
    const timeline = `\n${program}, \\d connections?\n1 [^]*\n +\\|0 s.*\n`;
    const summary = RegExp(
      `\n(\\d+) downloads? in \\d+\\.\\d\\ds, 1 error, interrupted\n${timeline}$`,
    );
    const arrived = Number(stdout.match(summary)?.[1]);
    const written = countFlags(dir.path);
    // A worker may have written a flag that it has not reported yet.
    const isRight = arrived > 0 && arrived <= written && written <= arrived + 3;
    assert(isRight, `${written} written, ${stdout}`);
  });
}
