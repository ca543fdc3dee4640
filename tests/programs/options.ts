import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DOWNLOADERS, flagSite, PROGRAMS } from "../flag_programs.ts";
import { ConcurrentTests, run, start } from "../testing.ts";

export const tests = new ConcurrentTests();

tests.add("-m 1000 starts 128 workers and says so", async (dir) => {
  await using site = flagSite();
  await using program = start("flags_threadpool.ts", ["-a", "-m", "1000", "-s", site.url], dir);
  await program.stderr.until(/\n/);
  const line = `243 flags from ${site.url}, 128 connections (the maximum)\n`;
  assertEquals(program.stderr.text, line);
  program.kill("SIGTERM");
  const { code, stderr } = await program.end();
  assertEquals([code, stderr], [143, line]);
}, { only: "unix" });

tests.add("prints no note if -m exceeds the number of flags", async (dir) => {
  await using site = flagSite();
  const { stderr } = await run("flags_threadpool.ts", ["BR", "-m", "1000", "-s", site.url], dir);
  assertEquals(stderr, `1 flag from ${site.url}, 1 connection\n`);
});

tests.addForEach(
  PROGRAMS,
  "accepts codes and labels in any case, and ignores repeated codes",
  async (program, dir) => {
    const { code, stdout, stderr } = await run(program, ["br", "BR", "Us", "-s", "local"], dir);
    assertEquals(code, 0);
    const local = /^2 flags from LOCAL \(http:\/\/127\.0\.0\.1:\d+\/flags\), [12] connections?\n$/;
    assertMatch(stderr, local);
    assertMatch(stdout, /\n2 downloads in \d+\.\d\ds\n$/);
    assertEquals([...dir.downloaded().keys()], ["BR.gif", "US.gif"]);
  },
);

tests.add("--limit takes the first codes, and the summary says 1 download", async (dir) => {
  await using site = flagSite();
  const args = ["US", "BR", "-l", "1", "-s", `${site.url}/`];
  const { stdout, stderr } = await run("flags.ts", args, dir);
  assertEquals(stderr, `1 flag from ${site.url}, 1 connection\n`);
  assertMatch(stdout, /^US \n1 download in \d+\.\d\ds\n$/);
  assertEquals([...dir.downloaded().keys()], ["US.gif"]);
});

tests.addForEach(
  PROGRAMS,
  "--verbose prints code, bytes, ms and outcome",
  async (program, dir) => {
    await using site = flagSite();
    const { code, stdout } = await run(program, ["BR", "ZZ", "-v", "-s", site.url], dir);
    assertEquals(code, 1);
    assertMatch(stdout, /^BR +361 bytes +\d+ ms {2}ok$/m);
    assertMatch(stdout, /^ZZ +0 bytes +\d+ ms {2}not found$/m);
    assertMatch(stdout, /^1 download in \d+\.\d\ds, 1 not found$/m);
  },
);

tests.addForEach(
  DOWNLOADERS,
  "for an invalid option, prints the error and the usage, and exits with 2",
  async (program, dir) => {
    const { code, stdout, stderr } = await run(program, ["BR", "-el2"], dir);
    assertEquals([code, stdout], [2, ""]);
    const switches = program === "compare.ts" ? "-a, -e or -h" : "-a, -e, -h or -v";
    const [line, usage, ...rest] = stderr.split("\n");
    assertEquals([line, rest], [`expected no value after ${switches}, got -el2`, [""]]);
    assert(usage?.startsWith(`usage: ${program} [`), usage);
    assertEquals([...Deno.readDirSync(dir.path)], []);
  },
);

const ALL_PROGRAMS = [...DOWNLOADERS, "proc_pool.ts", "primes.ts", "flags_server.ts"];

tests.addForEach(
  ALL_PROGRAMS,
  "rejects an unknown option with exit code 2 and its usage",
  async (program, dir) => {
    const { code, stdout, stderr } = await run(program, ["--foo"], dir);
    const [line, usage] = stderr.split("\n");
    assertEquals([code, stdout, line], [2, "", "unknown option: --foo"]);
    assert(usage?.startsWith(`usage: ${program} [`), usage);
  },
);

tests.addForEach(
  ALL_PROGRAMS,
  "the help says which version of Deno the program needs",
  async (program, dir) => {
    const { code, stdout } = await run(program, ["--help"], dir);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "Deno 2.4 or later");
  },
);

tests.add("compare.ts has its own help, without --verbose", async (dir) => {
  const { code, stdout, stderr } = await run("compare.ts", ["--help"], dir);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^usage: compare\.ts \[-aeh\] /);
  assertStringIncludes(stdout, "flags.ts, flags_threadpool.ts and flags_async.ts");
  assert(!stdout.includes("--verbose"), stdout);
});

for (const option of ["-v", "--verbose"]) {
  tests.add(`compare.ts rejects ${option}, which would have no effect`, async (dir) => {
    const { code, stderr } = await run("compare.ts", ["BR", option], dir);
    assertEquals([code, stderr.split("\n")[0]], [2, `unknown option: ${option}`]);
  });
}

const OPTIONS =
  "CC… --all --every --limit --max-req --server LOCAL DELAY ERROR REMOTE --timeline " +
  "--help -a -e -l -m -s -h";

for (const help of ["--help", "-h", "-vh"]) {
  const programs = help === "--help" ? DOWNLOADERS : ["flags.ts"];
  tests.addForEach(programs, `${help} lists the options`, async (program, dir) => {
    const { code, stdout, stderr } = await run(program, [help], dir);
    assertEquals([code, stderr], [0, ""]);
    for (const option of OPTIONS.split(" ")) assertStringIncludes(stdout, ` ${option}`);
    assertEquals(stdout.includes(" -v, --verbose "), program !== "compare.ts");
    assertStringIncludes(stdout, "at most 128");
    assertEquals(stdout.split("\n")[0]?.startsWith(`usage: ${program} [`), true);
    assertEquals([...Deno.readDirSync(dir.path)], []);
  });
}

tests.add("does not print a password in the URL of a site", async (dir) => {
  await using site = flagSite();
  const url = site.url.replace("http://", "http://me:secret@");
  const { code, stdout, stderr } = await run("flags.ts", ["BR", "ZZ", "-v", "-s", url], dir);
  assertEquals([code, stderr], [1, `2 flags from ${site.url}, 1 connection\nZZ: not found\n`]);
  assert(!stdout.includes("secret"), stdout);
});
