import {
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { serveFlags } from "../flags_server.ts";
import { ARRIVING, hostileSite, LINES } from "./hostile_site.ts";
import { command, FLAGS_PROGRAMS, granted, packageFlag, run, TempDir } from "./programs.ts";

/** One test for each of the four programs. */
function testAll(name: string, fn: (program: string) => Promise<void>): void {
  for (const program of FLAGS_PROGRAMS) {
    Deno.test({ name: `${program}: ${name}`, ignore: !granted, fn: () => fn(program) });
  }
}

for (
  const [args, message] of [
    [["--fast"], "unknown option: --fast"],
    [["BR", "BRA"], "expected a country code of two letters, or one letter, got BRA"],
    [["B1"], "expected a country code of two letters, or one letter, got B1"],
    [["-l", "0"], "--limit: expected a whole number from 1 up, got 0"],
    [["-m", "1.5"], "--max-req: expected a whole number from 1 up, got 1.5"],
    [["--limit"], "--limit: expected a whole number from 1 up, got nothing"],
    [["-s", "MOON"], "--server: expected LOCAL, DELAY, ERROR, REMOTE or an http URL, got MOON"],
    [
      ["-s", "ftp://x"],
      "--server: expected LOCAL, DELAY, ERROR, REMOTE or an http URL, got ftp://x",
    ],
  ] as const
) {
  testAll(`${args.join(" ")} is refused with a line and the usage, exit 2`, async (program) => {
    await using dir = new TempDir();
    const { code, stdout, stderr } = await run(program, [...args], dir);
    assertEquals([code, stdout], [2, ""]);
    const [first, usage, ...rest] = stderr.split("\n");
    assertEquals([first, rest], [message, [""]]);
    assertStringIncludes(`${usage}`, `usage: ${program} `);
    assertEquals([...Deno.readDirSync(dir.path)], []);
  });
}

testAll("--help lists the options", async (program) => {
  await using dir = new TempDir();
  const { code, stdout } = await run(program, ["--help"], dir);
  assertEquals(code, 0);
  for (const option of ["--all", "--every", "--limit", "--max-req", "--server", "--verbose"]) {
    assertStringIncludes(stdout, option);
  }
});

testAll("codes and labels may be in any case, a code given twice counts once", async (program) => {
  await using dir = new TempDir();
  const { code, stdout, stderr } = await run(program, ["br", "BR", "Us", "-s", "local"], dir);
  assertEquals(code, 0);
  assertMatch(
    stderr,
    /^2 flags from LOCAL \(http:\/\/127\.0\.0\.1:\d+\/flags\), [12] connections?\n$/,
  );
  assertMatch(stdout, /\n2 downloads in \d+\.\d\ds\n$/);
  assertEquals([...dir.downloaded().keys()], ["BR.gif", "US.gif"]);
});

testAll("--limit takes the first of the list, and one download is no plural", async (program) => {
  await using dir = new TempDir();
  await using site = serveFlags();
  const url = `http://127.0.0.1:${site.addr.port}/flags`;
  const { stdout, stderr } = await run(program, ["US", "BR", "-l", "1", "-s", `${url}/`], dir);
  assertEquals(stderr, `1 flag from ${url}, 1 connection\n`);
  assertMatch(stdout, /\n1 download in \d+\.\d\ds\n$/);
  assertEquals([...dir.downloaded().keys()], ["US.gif"]);
});

testAll("--verbose prints code, bytes, ms and outcome", async (program) => {
  await using dir = new TempDir();
  await using site = serveFlags();
  const url = `http://127.0.0.1:${site.addr.port}/flags`;
  const { code, stdout } = await run(program, ["BR", "ZZ", "-v", "-s", url], dir);
  assertEquals(code, 1);
  assertMatch(stdout, /^BR +361 bytes +\d+ ms {2}ok$/m);
  assertMatch(stdout, /^ZZ +0 bytes +\d+ ms {2}not found$/m);
  assertMatch(stdout, /^1 download in \d+\.\d\ds, 1 not found$/m);
});

testAll("codes that nobody named may have no flag", async (program) => {
  await using dir = new TempDir();
  await using site = serveFlags();
  const url = `http://127.0.0.1:${site.addr.port}/flags`;
  const { code, stdout, stderr } = await run(program, ["b", "-s", url], dir);
  assertEquals(code, 0);
  assertMatch(stdout, /\n19 downloads in \d+\.\d\ds, 7 not found\n$/);
  assertEquals(stderr.split("\n").length, 2);
  assertEquals(dir.downloaded().size, 19);
});

testAll("every failure is one line, and the other flags arrive whole", async (program) => {
  await using dir = new TempDir();
  using site = hostileSite();
  const old = new TextEncoder().encode("GIF89a from an earlier run;");
  Deno.mkdirSync(join(dir.path, "downloaded"));
  for (const cc of ["BR", "SH"]) Deno.writeFileSync(join(dir.path, `downloaded/${cc}.gif`), old);

  const codes = [...ARRIVING, ...Object.keys(LINES)];
  const { code, stdout, stderr } = await run(program, [...codes, "-s", site.url], dir);
  assertEquals(code, 1);
  const lines = Object.entries(LINES).map(([cc, line]) => `${cc}: ${line}`);
  assertEquals(stderr.split("\n").slice(1, -1), lines);
  assertMatch(stdout, /\n5 downloads in \d+\.\d\ds, 1 not found, 15 errors\n$/);
  const expected = new Map(ARRIVING.map((cc) => [`${cc}.gif`, packageFlag("BR")]));
  expected.set("SH.gif", old);
  assertEquals(dir.downloaded(), new Map([...expected].sort()));
});

testAll("a connection that is reset is lost", async (program) => {
  await using dir = new TempDir();
  using site = hostileSite();
  const { code, stderr } = await run(program, ["BR", "RE", "-s", site.url], dir);
  assertEquals(code, 1);
  assertMatch(stderr, /\nRE: connection lost after (0|6 of 361) bytes\n$/);
  assertEquals([...dir.downloaded().keys()], ["BR.gif"]);
});

testAll("a site that nobody can reach is said to be so", async (program) => {
  await using dir = new TempDir();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closed = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  for (const url of [closed, "http://no-such-host.invalid"]) {
    const { code, stderr } = await run(program, ["BR", "-s", `${url}/flags`], dir);
    assertEquals(code, 1);
    assertEquals(stderr.split("\n")[1], `BR: could not connect to ${url}`);
  }
});

testAll("a file where the directory should be is said to be so", async (program) => {
  await using dir = new TempDir();
  Deno.writeTextFileSync(join(dir.path, "downloaded"), "");
  const { code, stdout, stderr } = await run(program, ["BR"], dir);
  assertEquals([code, stdout], [1, ""]);
  assertEquals(stderr, "cannot make the directory downloaded: File exists\n");
});

Deno.test({
  name: "a full disk ends the run with one line, and leaves nothing half-written",
  ignore: !granted || Deno.build.os !== "linux",
  async fn(t) {
    for (const program of FLAGS_PROGRAMS) {
      await using dir = new TempDir();
      await using disk = await tinyDisk(join(dir.path, "downloaded"));
      await t.step({
        name: `${program}${disk.mounted ? "" : ": no small disk may be mounted here"}`,
        ignore: !disk.mounted,
        async fn() {
          const { code, stdout, stderr } = await run(program, ["BR", "CN", "DE", "US", "FR"], dir);
          assertEquals(code, 1);
          assertMatch(stdout, /1 error\n$/);
          assertMatch(
            stderr.split("\n").slice(1).join("\n"),
            /^..: cannot write downloaded\/..\.gif: No space left on device\n$/,
          );
          for (const [name, bytes] of dir.downloaded()) {
            if (name !== "filler") assertEquals(bytes, packageFlag(name.slice(0, 2)));
          }
        },
      });
    }
  },
});

/** A file system with room for one or two flags. */
async function tinyDisk(path: string): Promise<{ mounted: boolean } & AsyncDisposable> {
  Deno.mkdirSync(path);
  const sh = (...args: string[]) =>
    new Deno.Command(args[0] ?? "", { args: args.slice(1), stderr: "null" }).output()
      .then(({ success }) => success, () => false);
  const mounted = await sh("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", path);
  if (mounted) Deno.writeFileSync(join(path, "filler"), new Uint8Array(12 * 1024));
  return {
    mounted,
    async [Symbol.asyncDispose]() {
      if (mounted) await sh("umount", path);
    },
  };
}

testAll("a directory that cannot be written is said to be so, once", async (program) => {
  await using dir = new TempDir();
  Deno.symlinkSync("/nonexistent", join(dir.path, "downloaded"));
  const { code, stderr } = await run(program, ["BR", "US"], dir);
  assertEquals(code, 1);
  assertMatch(stderr, /cannot (make the directory downloaded|write downloaded\/..\.gif): .+\n$/);
  assertLess(stderr.split("\n").length, 4);
});

testAll("Ctrl-C drops what is under way, reports, and exits with 130", async (program) => {
  await using dir = new TempDir();
  await using site = serveFlags({ delay: [0.5, 0.5] });
  const url = `http://127.0.0.1:${site.addr.port}/flags`;
  const child = command(program, ["-a", "-m", "3", "-s", url], dir.path).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let stdout = "";
  while (!/\b[A-Z]{2} /.test(stdout.replaceAll(/Scheduled.*\n/g, ""))) {
    stdout += (await reader.read()).value ?? "";
  }
  const signalled = performance.now();
  child.kill("SIGINT");
  for (let read = await reader.read(); !read.done; read = await reader.read()) stdout += read.value;
  const { code } = await child.status;
  assertLess(performance.now() - signalled, 1000);
  assertEquals(code, 130);
  const [, count] = stdout.match(/\n(\d+) downloads? in \d+\.\d\ds, interrupted\n$/) ?? [];
  const files = dir.downloaded();
  assertEquals(files.size, Number(count));
  for (const [name, bytes] of files) assertEquals(bytes, packageFlag(name.slice(0, 2)));
  assertEquals((await new Response(child.stderr).text()).split("\n").length, 2);
});

testAll("a second Ctrl-C ends it at once", async (program) => {
  await using dir = new TempDir();
  using site = hostileSite();
  const child = command(program, ["SI", "-s", site.url], dir.path).spawn();
  const reader = child.stderr.getReader();
  await reader.read();
  child.kill("SIGINT");
  child.kill("SIGINT");
  assertEquals((await child.status).code, 130);
  await Promise.all([reader.cancel(), child.stdout.cancel()]);
});

testAll("it ends quietly when nobody reads its output any more", async (program) => {
  await using dir = new TempDir();
  await using site = serveFlags({ delay: [0.05, 0.1] });
  const url = `http://127.0.0.1:${site.addr.port}/flags`;
  const child = command(program, ["-a", "-m", "3", "-s", url], dir.path).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const stderr = await new Response(child.stderr).text();
  assertEquals((await child.status).code, 141);
  assertEquals(stderr.split("\n").length, 2);
});

testAll("two runs into the same directory both end with whole files", async (program) => {
  await using dir = new TempDir();
  await using site = serveFlags();
  const args = ["-a", "-s", `http://127.0.0.1:${site.addr.port}/flags`];
  const runs = await Promise.all([run(program, args, dir), run(program, args, dir)]);
  assertEquals(runs.map(({ code }) => code), [0, 0]);
  const files = dir.downloaded();
  assertEquals(files.size, 243);
  for (const [name, bytes] of files) assertEquals(bytes, packageFlag(name.slice(0, 2)));
});

for (
  const [program, args, megabytes] of [
    ["flags_async.ts", ["--every", "-m", "200"], 150],
    ["flags_threadpool.ts", ["--all", "-m", "32"], 500],
  ] as const
) {
  Deno.test({
    name: `${program} ${args.join(" ")} downloads all 243 flags within ${megabytes} MB`,
    ignore: !granted || Deno.build.os !== "linux",
    async fn() {
      await using dir = new TempDir();
      const child = command(program, [...args, "-s", "LOCAL"], dir.path).spawn();
      let peak = 0;
      const timer = setInterval(() => {
        peak = Math.max(peak, residentMegabytes(child.pid));
      }, 10);
      const { code } = await child.output();
      clearInterval(timer);
      assertEquals(code, 0);
      assertEquals(dir.downloaded().size, 243);
      assertGreater(peak, 20);
      assertLess(peak, megabytes);
    },
  });
}

/** The most memory a process has had, or 0 if it has ended. */
function residentMegabytes(pid: number): number {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(status.match(/VmHWM:\s+(\d+)/)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
