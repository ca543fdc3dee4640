import { assertEquals, assertStringIncludes } from "@std/assert";
import { countWhole, DOWNLOADERS, errorLines, failures, flagSite } from "../flag_programs.ts";
import { ConcurrentTests, deno, output, programArgs } from "../testing.ts";

const tests = new ConcurrentTests();

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

tests.define("permissions");
