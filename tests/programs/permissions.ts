import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { countWhole, DOWNLOADERS, errorLines, failures, flagSite } from "../flag_programs.ts";
import {
  ConcurrentTests,
  delay,
  deno,
  inTerminal,
  output,
  programArgs,
  ROOT,
  type TempDir,
  unlessInstalled,
} from "../testing.ts";

export const tests = new ConcurrentTests();

for (const permission of ["--allow-net", "--allow-read", "--allow-write"]) {
  tests.addForEach(
    DOWNLOADERS,
    `without ${permission}, the error names the permission`,
    async (program, dir) => {
      await using site = flagSite();
      for (const server of ["LOCAL", site.url]) {
        const args = programArgs(program, ["BR", "-s", server], permission);
        const { code, stderr } = await output(deno(args, { cwd: dir.path }));
        const lines = errorLines(stderr);
        assertEquals([code, lines.length], [1, 1], stderr);
        assertStringIncludes(`${lines[0]}`, permission);
      }
    },
  );
}

tests.addForEach(DOWNLOADERS, "works without --allow-env", async (program, dir) => {
  const args = programArgs(program, ["BR"], "--allow-env");
  const { code, stderr } = await output(deno(args, { cwd: dir.path }));
  assertEquals([code, failures(stderr), countWhole(dir)], [0, [], 1]);
});

/**
 * Answers each question that Deno asks in a terminal with yes. Returns everything that is shown.
 */
async function grantAll(args: string[], dir: TempDir): Promise<string> {
  const options = { cwd: dir.path, env: { NO_COLOR: "1" }, stdin: "piped" } as const;
  const child = inTerminal(args, options).spawn();
  const keys = child.stdin.getWriter();
  let shown = "";
  let answers = 0;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    shown += text;
    const questions = shown.split("Allow?").length - 1;
    if (questions > answers) {
      answers = questions;
      // Deno drops what was typed before it asks.
      await delay(300);
      await keys.write(new TextEncoder().encode("y\n"));
    }
  }
  await keys.close();
  await child.status;
  return shown;
}

for (const program of ["flags.ts", "flags_threadpool.ts"]) {
  tests.add(`${program} asks for every permission before the run begins`, async (dir) => {
    const shown = await grantAll(["run", join(ROOT, program), "BR"], dir);
    const [before = "", after = ""] = shown.split(/1 flag from LOCAL/);
    for (const access of ["write", "read", "net"]) {
      assertStringIncludes(before, `requests ${access} access to `);
    }
    assert(!after.includes("requests"), after);
    assertMatch(after, /1 download in \d+\.\d\ds/);
  }, { only: "linux", ignore: unlessInstalled("script") });
}
