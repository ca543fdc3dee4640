import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { POP20_CC } from "../common/flag.ts";
import { DEFAULTS } from "../common/run.ts";
import { serveFlags, type SiteOptions } from "../flags_server.ts";
import { droppingSite, GIF, hostileSite, ROWS } from "./hostile_site.ts";
import { commands } from "./readme.ts";
import {
  command,
  deno,
  isGranted,
  output,
  packageFlag,
  Printed,
  PROGRAM,
  programArgs,
  ROOT,
  run,
  TempDir,
  testSideBySide,
} from "./testing.ts";

const PROGRAMS = ["flags.ts", "flags_threadpool.ts", "flags_async.ts", "flags_futures.ts"];
const OTHERS = ["compare.ts", "primes.ts", "proc_pool.ts"];

/** All of it runs side by side, each in an empty directory; what waits the longest starts first. */
const cases: Record<string, () => Promise<void>> = {};
function one(name: string, fn: (dir: TempDir) => Promise<void>): void {
  cases[name] = async () => {
    await using dir = new TempDir();
    await fn(dir);
  };
}

/** A case for each of the programs. */
function each(
  name: string,
  fn: (program: string, dir: TempDir) => Promise<void>,
  programs = PROGRAMS,
): void {
  for (const program of programs) one(`${program}: ${name}`, (dir) => fn(program, dir));
}

/** A site with the real flags: at once, unless the options say otherwise. */
function flagSite(options: SiteOptions = {}): { url: string } & AsyncDisposable {
  const server = serveFlags(options);
  return {
    url: `http://127.0.0.1:${server.addr.port}/flags`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What stderr says below the line that every run begins with. */
const failures = (stderr: string) => stderr.split("\n").slice(1, -1);

/** Fails unless only whole flags are in `downloaded/`; how many. */
function countWhole(dir: TempDir): number {
  const files = dir.downloaded();
  assertEquals([...files.keys()].filter((name) => !/^[A-Z]{2}\.gif$/.test(name)), []);
  for (const [name, bytes] of files) {
    assertEquals([name, bytes], [name, packageFlag(name.slice(0, 2))]);
  }
  return files.size;
}

// The longest first.

each("every failure is one line, and the other flags arrive whole", async (program, dir) => {
  using site = hostileSite();
  Deno.mkdirSync(join(dir.path, "downloaded"));
  for (const cc of ["BR", "SH", "PX"]) {
    Deno.writeTextFileSync(join(dir.path, `downloaded/${cc}.gif`), "an older flag");
  }
  // One after another, one time-out is enough.
  const codes = Object.keys(ROWS).filter((cc) => program !== "flags.ts" || cc !== "ST").sort();
  const { code, stdout, stderr } = await run(program, [...codes, "-s", site.url], dir);
  assertEquals(code, 1);
  const lines = codes.filter((cc) => ROWS[cc]?.line).map((cc) => `${cc}: ${ROWS[cc]?.line}`);
  assertEquals(failures(stderr), lines);
  const arriving = codes.filter((cc) => !ROWS[cc]?.line);
  const [ok, failed] = [arriving.length, lines.length - 1];
  assertMatch(
    stdout,
    RegExp(`\n${ok} downloads in \\d+\\.\\d\\ds, 1 not found, ${failed} errors\n$`),
  );
  const older = new TextEncoder().encode("an older flag");
  const expected = new Map(arriving.map((cc) => [`${cc}.gif`, ROWS[cc]?.file ?? GIF]));
  for (const cc of ["SH", "PX"]) expected.set(`${cc}.gif`, older);
  assertEquals(dir.downloaded(), new Map([...expected].sort()));
});

for (
  const [program, args, megabytes] of [
    ["flags_async.ts", ["--every", "-m", "200"], 150],
    ["flags_threadpool.ts", ["--all", "-m", "32"], 500],
  ] as const
) {
  if (Deno.build.os === "linux") {
    one(
      `${program} ${args.join(" ")} downloads all 243 flags within ${megabytes} MB`,
      async (dir) => {
        const child = command(program, [...args, "-s", "LOCAL"], { cwd: dir.path }).spawn();
        let peak = 0;
        const timer = setInterval(() => peak = Math.max(peak, residentMegabytes(child.pid)), 10);
        const { code } = await child.output();
        clearInterval(timer);
        assertEquals([code, countWhole(dir)], [0, 243]);
        assertGreater(peak, 20);
        assertLess(peak, megabytes);
      },
    );
  }
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

one("-m 1000 makes a pool of 128 workers, and that is said", async (dir) => {
  await using site = flagSite();
  const args = ["-a", "-m", "1000", "-s", site.url];
  const child = command("flags_threadpool.ts", args, { cwd: dir.path }).spawn();
  const [stdout, stderr] = [new Printed(child.stdout), new Printed(child.stderr)];
  await stderr.until(/\n/);
  child.kill("SIGTERM");
  assertEquals(stderr.text, `243 flags from ${site.url}, 128 connections: more do not help\n`);
  assertEquals([(await child.status).code, await stderr.end()], [143, stderr.text]);
  await stdout.end();
});

one("more workers than flags are nothing to be said", async (dir) => {
  await using site = flagSite();
  const { stderr } = await run("flags_threadpool.ts", ["BR", "-m", "1000", "-s", site.url], dir);
  assertEquals(stderr, `1 flag from ${site.url}, 1 connection\n`);
});

// What arrives, and how that is printed.

for (
  const [program, flags, connections] of [
    ["flags.ts", POP20_CC, 1],
    ["flags_threadpool.ts", POP20_CC, Math.min(20, DEFAULTS.threadpool.maxReq)],
    ["flags_async.ts", POP20_CC, 20],
    ["flags_futures.ts", POP20_CC.slice(0, 5), 3],
  ] as const
) {
  one(`${program} downloads the ${flags.length} flags of the chapter`, async (dir) => {
    await using site = flagSite();
    const { code, stdout, stderr } = await run(program, ["-s", site.url], dir);
    const how = `${connections} connection${connections === 1 ? "" : "s"}`;
    assertEquals([code, stderr], [0, `${flags.length} flags from ${site.url}, ${how}\n`]);
    assertMatch(stdout, RegExp(`\n${flags.length} downloads in \\d+\\.\\d\\ds\n$`));
    const expected = flags.toSorted().map((cc) => [`${cc}.gif`, packageFlag(cc)] as const);
    assertEquals(dir.downloaded(), new Map(expected));
  });
}

/**
 * A site that answers when so many requests are there, and BR later than the others; it counts the
 * requests that it has at the same time.
 */
function gatheringSite(expected: number): { url: string; most: number } & AsyncDisposable {
  const { promise: gathered, resolve } = Promise.withResolvers<void>();
  let now = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async ({ url }) => {
    site.most = Math.max(site.most, ++now);
    if (now === expected) setTimeout(resolve, 100);
    await gathered;
    await wait(url.endsWith("br.gif") ? 500 : 50);
    now--;
    return new Response(GIF);
  });
  const site = {
    url: `http://127.0.0.1:${server.addr.port}`,
    most: 0,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  return site;
}

for (
  const [program, most, codes] of [
    ["flags.ts", 1, "BR CN DE EG ET"],
    ["flags_threadpool.ts", 4, "(?:[A-Z]{2} ){4}BR"],
    ["flags_async.ts", 4, "(?:[A-Z]{2} ){4}BR"],
  ] as const
) {
  one(`${program} -m 4 prints the codes as they arrive, ${most} at a time`, async (dir) => {
    await using site = gatheringSite(most);
    const args = ["BR", "CN", "DE", "EG", "ET", "-m", "4", "-s", site.url];
    const { stdout } = await run(program, args, dir);
    assertMatch(stdout, RegExp(`^${codes} \n5 downloads in \\d+\\.\\d\\ds\n$`));
    assertEquals(site.most, most);
  });
}

one(
  "flags_futures.ts shows five futures: three running, two pending, then all finished",
  async (dir) => {
    await using site = flagSite();
    const { stdout } = await run("flags_futures.ts", ["-s", site.url], dir);
    const codes = ["BR", "CN", "ID", "IN", "US"];
    const lines = stdout.split("\n");
    assertEquals(
      lines.slice(0, 5),
      codes.map((cc, i) =>
        `Scheduled for ${cc}: <Future #${i + 1} state=${i < 3 ? "running" : "pending"}>`
      ),
    );
    assertEquals(
      lines.slice(5, 10).sort(),
      codes.map((cc, i) =>
        `${cc} <Future #${i + 1} state=finished returned string> result: '${cc}'`
      ),
    );
    assertMatch(lines.slice(10).join("\n"), /^\n5 downloads in \d+\.\d\ds\n$/);
  },
);

one("flags_futures.ts shows a failure as a future that raised", async (dir) => {
  await using site = flagSite();
  const { code, stdout, stderr } = await run("flags_futures.ts", ["ZZ", "-s", site.url], dir);
  assertEquals([code, failures(stderr)], [1, ["ZZ: not found"]]);
  const [first, second, third] = stdout.split("\n");
  assertEquals([first, second], [
    "Scheduled for ZZ: <Future #1 state=running>",
    "<Future #1 state=finished raised Error> exception: 'not found'",
  ]);
  assertMatch(`${third}`, /^0 downloads in \d+\.\d\ds, 1 not found$/);
});

one("flags_futures.ts -e cuts no line into another", async (dir) => {
  await using site = flagSite();
  const { code, stdout } = await run("flags_futures.ts", ["-e", "-m", "4", "-s", site.url], dir);
  assertEquals(code, 0);
  const lines = stdout.split("\n");
  assertEquals(
    lines.filter((line) => /^Scheduled for [A-Z]{2}: <Future #\d+ state=\w+>$/.test(line)).length,
    676,
  );
  const done = /^([A-Z]{2}) <Future #\d+ state=finished returned string> result: '\1'$/;
  assertEquals(lines.filter((line) => done.test(line)).length, 243);
  const failed = "state=finished raised Error> exception: 'not found'";
  assertEquals(
    lines.filter((line) => /^<Future #\d+ /.test(line) && line.endsWith(failed)).length,
    433,
  );
  assertEquals(lines.length - 676 - 676, 3);
});

each(
  "codes and labels may be in any case, a code given twice counts once",
  async (program, dir) => {
    const { code, stdout, stderr } = await run(program, ["br", "BR", "Us", "-s", "local"], dir);
    assertEquals(code, 0);
    const local = /^2 flags from LOCAL \(http:\/\/127\.0\.0\.1:\d+\/flags\), [12] connections?\n$/;
    assertMatch(stderr, local);
    assertMatch(stdout, /\n2 downloads in \d+\.\d\ds\n$/);
    assertEquals([...dir.downloaded().keys()], ["BR.gif", "US.gif"]);
  },
);

one("--limit takes the first of the list, and one download is no plural", async (dir) => {
  await using site = flagSite();
  const { stdout, stderr } = await run(
    "flags.ts",
    ["US", "BR", "-l", "1", "-s", `${site.url}/`],
    dir,
  );
  assertEquals(stderr, `1 flag from ${site.url}, 1 connection\n`);
  assertMatch(stdout, /^US \n1 download in \d+\.\d\ds\n$/);
  assertEquals([...dir.downloaded().keys()], ["US.gif"]);
});

each("--verbose prints code, bytes, ms and outcome", async (program, dir) => {
  await using site = flagSite();
  const { code, stdout } = await run(program, ["BR", "ZZ", "-v", "-s", site.url], dir);
  assertEquals(code, 1);
  assertMatch(stdout, /^BR +361 bytes +\d+ ms {2}ok$/m);
  assertMatch(stdout, /^ZZ +0 bytes +\d+ ms {2}not found$/m);
  assertMatch(stdout, /^1 download in \d+\.\d\ds, 1 not found$/m);
});

each("codes that nobody named may have no flag", async (program, dir) => {
  await using site = flagSite();
  const { code, stdout, stderr } = await run(program, ["b", "-s", site.url], dir);
  assertEquals([code, failures(stderr)], [0, []]);
  assertMatch(stdout, /\n19 downloads in \d+\.\d\ds, 7 not found\n$/);
  assertEquals(countWhole(dir), 19);
});

one("ERROR fails a quarter of the requests, with a line for each", async (dir) => {
  const args = ["-a", "-m", "250", "-s", "ERROR"];
  const { code, stdout, stderr } = await run("flags_async.ts", args, dir);
  assertEquals(code, 1);
  const lines = failures(stderr);
  for (const line of lines) assertMatch(line, /^[A-Z]{2}: HTTP 418 I'm a teapot$/);
  // Of 243 requests 61 fail, give or take 7; so far from it they never are.
  assertGreater(lines.length, 15);
  assertLess(lines.length, 125);
  assertEquals(countWhole(dir), 243 - lines.length);
  assertStringIncludes(stdout, `\n${243 - lines.length} downloads in `);
});

one("two runs into the same directory both end with whole files", async (dir) => {
  await using site = flagSite();
  const args = ["-a", "-s", site.url];
  const programs = ["flags.ts", "flags_threadpool.ts", "flags_async.ts", "flags_async.ts"];
  const runs = await Promise.all(programs.map((program) => run(program, args, dir)));
  assertEquals(runs.map(({ code }) => code), [0, 0, 0, 0]);
  assertEquals(countWhole(dir), 243);
});

each("nothing is lost where a site drops kept connections without a word", async (program, dir) => {
  using site = droppingSite("second");
  const { code, stderr } = await run(program, ["-a", "-l", "60", "-m", "6", "-s", site.url], dir);
  assertEquals([code, failures(stderr), dir.downloaded().size], [0, [], 60]);
});

// What is refused, and what a program tells about itself.

each("an option that is refused is a line and the usage, exit 2", async (program, dir) => {
  const { code, stdout, stderr } = await run(program, ["BR", "-el2"], dir);
  assertEquals([code, stdout], [2, ""]);
  const [line, usage, ...rest] = stderr.split("\n");
  assertEquals([line, rest], ["expected no value for a switch, got -el2", [""]]);
  assert(usage?.startsWith(`usage: ${program} [`), usage);
  assertEquals([...Deno.readDirSync(dir.path)], []);
}, [...PROGRAMS, "compare.ts"]);

const OPTIONS = "CC… --all --every --limit --max-req --server LOCAL DELAY ERROR REMOTE --verbose " +
  "--timeline --help -a -e -l -m -s -v -h";

for (const help of ["--help", "-h", "-vh"]) {
  each(`${help} lists the options`, async (program, dir) => {
    const { code, stdout, stderr } = await run(program, [help], dir);
    assertEquals([code, stderr], [0, ""]);
    for (const option of OPTIONS.split(" ")) assertStringIncludes(stdout, ` ${option}`);
    assertStringIncludes(stdout, "at most 128");
    assertEquals(stdout.split("\n")[0]?.startsWith(`usage: ${program} [`), true);
    assertEquals([...Deno.readDirSync(dir.path)], []);
  }, help === "--help" ? [...PROGRAMS, "compare.ts"] : ["flags.ts"]);
}

one("a password in the URL of a site is not printed", async (dir) => {
  await using site = flagSite();
  const url = site.url.replace("http://", "http://me:secret@");
  const { code, stdout, stderr } = await run("flags.ts", ["BR", "ZZ", "-v", "-s", url], dir);
  assertEquals([code, stderr], [1, `2 flags from ${site.url}, 1 connection\nZZ: not found\n`]);
  assert(!stdout.includes("secret"), stdout);
});

// The disk.

each("a file where the directory should be is said to be so", async (program, dir) => {
  Deno.writeTextFileSync(join(dir.path, "downloaded"), "");
  const stderr = "cannot make the directory downloaded: File exists\n";
  assertEquals(await run(program, ["BR"], dir), { code: 1, stdout: "", stderr });
}, [...PROGRAMS, "compare.ts"]);

each("a directory that leads nowhere is said to be so, once", async (program, dir) => {
  Deno.symlinkSync("/nonexistent", join(dir.path, "downloaded"));
  const { code, stderr } = await run(program, ["BR", "US"], dir);
  assertEquals(code, 1);
  assertMatch(stderr, /cannot (make the directory downloaded|write downloaded\/..\.gif): .+\n$/);
  assertLess(stderr.split("\n").length, 4);
}, [...PROGRAMS, "compare.ts"]);

each("a flag whose file is a directory fails alone", async (program, dir) => {
  await using site = flagSite();
  Deno.mkdirSync(join(dir.path, "downloaded/CN.gif"), { recursive: true });
  const { code, stdout, stderr } = await run(program, ["BR", "CN", "US", "-s", site.url], dir);
  assertEquals([code, failures(stderr)], [1, [
    "CN: cannot write downloaded/CN.gif: Is a directory",
  ]]);
  assertMatch(stdout, /\n2 downloads in \d+\.\d\ds, 1 error\n$/);
  Deno.removeSync(join(dir.path, "downloaded/CN.gif"));
  assertEquals([...dir.downloaded().keys()], ["BR.gif", "US.gif"]);
});

/** A file system with room for one flag; `mounted` says whether that is allowed here. */
async function tinyDisk(path: string): Promise<{ mounted: boolean } & AsyncDisposable> {
  Deno.mkdirSync(path);
  const succeeds = (program: string, ...args: string[]) =>
    new Deno.Command(program, { args, stderr: "null" }).output()
      .then(({ success }) => success, () => false);
  const mounted = await succeeds("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", path);
  if (mounted) Deno.writeFileSync(join(path, "filler"), new Uint8Array(12 * 1024));
  return {
    mounted,
    async [Symbol.asyncDispose]() {
      if (mounted) await succeeds("umount", path);
    },
  };
}

each(
  "a full disk ends the run with one line, and leaves nothing half-written",
  async (program, dir) => {
    await using site = flagSite();
    await using disk = await tinyDisk(join(dir.path, "downloaded"));
    if (!disk.mounted) return;
    const codes = ["BR", "CN", "DE", "US", "FR"];
    const { code, stdout, stderr } = await run(program, [...codes, "-s", site.url], dir);
    assertEquals([code, failures(stderr).length], [1, 1]);
    assertMatch(stderr, /\n..: cannot write downloaded\/..\.gif: No space left on device\n$/);
    if (program !== "compare.ts") assertMatch(stdout, /1 error\n$/);
    Deno.removeSync(join(dir.path, "downloaded/filler"));
    assertLess(countWhole(dir), 2);
  },
  [...PROGRAMS, "compare.ts"],
);

// The end of a run that is cut short.

/** Fails unless it is the report of a run that was cut short, and says what was there at that time. */
function assertInterrupted(stdout: string, dir: TempDir, connections: number): void {
  const [, count] = stdout.match(/^(\d+) downloads? in \d+\.\d\ds, interrupted$/m) ?? [];
  // What arrived in the very moment may not have been reported.
  const late = countWhole(dir) - Number(count);
  assert(late >= 0 && late < connections, `${stdout}\n${late} files more`);
}

/** How a line or a word looks that tells of a flag that arrived. */
const ARRIVED = /^[A-Z]{2} /m;

for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  each(
    `${signal} drops what is under way, reports, and exits with ${exit}`,
    async (program, dir) => {
      await using site = flagSite({ delay: [0.3, 0.3] });
      const args = ["-a", "-m", "3", "-s", site.url];
      const child = command(program, args, { cwd: dir.path }).spawn();
      const [stdout, stderr] = [new Printed(child.stdout), child.stderr.text()];
      await stdout.until(ARRIVED);
      const begin = performance.now();
      child.kill(signal);
      const { code } = await child.status;
      assertLess(performance.now() - begin, 1000);
      assertEquals([code, failures(await stderr)], [exit, []]);
      assertMatch(await stdout.end(), /\n\d+ downloads? in \d+\.\d\ds, interrupted\n$/);
      assertInterrupted(stdout.text, dir, 3);
    },
  );
}

each("two Ctrl-C in a row do not cut its report short, nor its timeline", async (program, dir) => {
  await using site = flagSite({ delay: [0.3, 0.3] });
  const args = ["-a", "-m", "3", "--timeline", "-s", site.url];
  const child = command(program, args, { cwd: dir.path }).spawn();
  const [stdout, stderr] = [new Printed(child.stdout), child.stderr.text()];
  await stdout.until(ARRIVED);
  child.kill("SIGINT");
  child.kill("SIGINT");
  assertEquals([(await child.status).code, failures(await stderr)], [130, []]);
  assertMatch(await stdout.end(), RegExp(`\n${program}, \\d connections?\n1 [^]*\n +\\|0 s.*\n$`));
  assertInterrupted(stdout.text, dir, 3);
});

each("Ctrl-C in the midst of writing leaves whole files only", async (program, dir) => {
  await using site = flagSite({ delay: [0, 0.02] });
  for (let i = 0; i < 3; i++) {
    const args = ["-a", "-m", "6", "-s", site.url];
    const child = command(program, args, { cwd: dir.path }).spawn();
    const [stdout, stderr] = [new Printed(child.stdout), child.stderr.text()];
    await stdout.until(ARRIVED);
    child.kill("SIGINT");
    assertEquals([(await child.status).code, failures(await stderr)], [130, []]);
    assertMatch(await stdout.end(), /, interrupted\n$/);
    assertGreater(countWhole(dir), 0);
  }
});

each("Ctrl-C before anything has arrived draws nothing", async (program, dir) => {
  const asked = Promise.withResolvers<void>();
  const abort = new AbortController();
  const { signal } = abort;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {}, signal }, () => {
    asked.resolve();
    return new Promise<Response>(() => {});
  });
  Deno.mkdirSync(join(dir.path, "downloaded"));
  Deno.writeTextFileSync(join(dir.path, "downloaded/run.svg"), "an older run");
  const url = `http://127.0.0.1:${server.addr.port}`;
  const args = ["BR", "--timeline", "downloaded/run.svg", "-s", url];
  const child = command(program, args, { cwd: dir.path }).spawn();
  const [stdout, stderr] = [child.stdout.text(), child.stderr.text()];
  await Promise.race([asked.promise, child.status]);
  child.kill("SIGINT");
  assertEquals([(await child.status).code, failures(await stderr)], [130, []]);
  abort.abort();
  assertMatch(await stdout, /^(Scheduled .*\n)?0 downloads in \d+\.\d\ds, interrupted\n$/);
  const older = new TextEncoder().encode("an older run");
  assertEquals(dir.downloaded(), new Map([["run.svg", older]]));
});

for (const task of ["flags", "threadpool", "async", "futures"]) {
  one(`deno task ${task} reports when Ctrl-C is pressed in a terminal`, async (dir) => {
    for (const { name, isFile } of Deno.readDirSync(ROOT)) {
      if (isFile) Deno.copyFileSync(join(ROOT, name), join(dir.path, name));
    }
    await using site = flagSite({ delay: [0.3, 0.3] });
    const child = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", task, "-a", "-m", "3", "-s", site.url],
      cwd: dir.path,
      detached: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const [stdout, stderr] = [new Printed(child.stdout), child.stderr.text()];
    await stdout.until(ARRIVED);
    // The terminal sends it to all of the process group, and deno task hands it on.
    Deno.kill(-child.pid, "SIGINT");
    assertEquals([(await child.status).code, failures(await stderr)], [130, []]);
    assertMatch(await stdout.end(), /\n\d+ downloads? in \d+\.\d\ds, interrupted\n$/);
    assertInterrupted(stdout.text, dir, 3);
  });
}

// stdout.

each("it ends quietly when nobody reads its output any more", async (program, dir) => {
  await using site = flagSite({ delay: [0.05, 0.1] });
  const args = ["-a", "-m", "3", "-s", site.url];
  const child = command(program, args, { cwd: dir.path }).spawn();
  const [stdout, stderr] = [new Printed(child.stdout), child.stderr.text()];
  await stdout.until(/./);
  await stdout.close();
  assertEquals([(await child.status).code, failures(await stderr)], [141, []]);
  countWhole(dir);
});

one("proc_pool.ts: it ends quietly when nobody reads its output any more", async ({ path }) => {
  const child = command("proc_pool.ts", ["2"], { cwd: path }).spawn();
  const [stdout, stderr] = [new Printed(child.stdout), child.stderr.text()];
  await stdout.until(/./);
  await stdout.close();
  assertEquals([(await child.status).code, await stderr], [141, ""]);
});

if (Deno.build.os === "linux") {
  each("a stdout that is full is one line, and exit 1", async (program, dir) => {
    await using site = flagSite();
    const args = program === "primes.ts"
      ? ["7"]
      : program === "proc_pool.ts"
      ? ["1", "7"]
      : ["BR", "-s", site.url];
    const full = { cwd: dir.path, shell: '"$@" > /dev/full' };
    const { code, stderr } = await output(command(program, args, full));
    const lines = stderr.split("\n").filter((line) => !/^1 flag from/.test(line));
    assertEquals([code, lines], [1, ["cannot write to stdout: No space left on device", ""]]);
  }, [...PROGRAMS, ...OTHERS]);
}

// Permissions.

for (const permission of ["--allow-net", "--allow-read", "--allow-write"]) {
  each(`without ${permission} a line names it`, async (program, dir) => {
    await using site = flagSite();
    for (const server of ["LOCAL", site.url]) {
      const args = programArgs(program, ["BR", "-s", server], permission);
      const { code, stderr } = await output(deno(args, { cwd: dir.path }));
      const lines = stderr.split("\n").filter((line) => !/^1 flag from/.test(line));
      assertEquals([code, lines.length, lines[1]], [1, 2, ""], stderr);
      assertStringIncludes(`${lines[0]}`, permission);
    }
  }, [...PROGRAMS, "compare.ts"]);
}

each("without --allow-env everything works as ever", async (program, dir) => {
  const args = programArgs(program, ["BR"], "--allow-env");
  const { code, stderr } = await output(deno(args, { cwd: dir.path }));
  assertEquals([code, failures(stderr), countWhole(dir)], [0, [], 1]);
}, [...PROGRAMS, "compare.ts"]);

// Proxies.

/** A port that nothing listens on. */
function deadProxy(): Record<string, string> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}`;
  return { HTTP_PROXY: url, http_proxy: url, ALL_PROXY: url, all_proxy: url };
}

each("the built-in site is never asked through a proxy", async (program, dir) => {
  const options = { cwd: dir.path, env: deadProxy() };
  const { code, stderr } = await output(command(program, ["BR", "US"], options));
  assertEquals([code, failures(stderr), countWhole(dir)], [0, [], 2]);
}, [...PROGRAMS, "compare.ts"]);

each(
  "without --allow-env=NO_PROXY a proxy that is down is a line for each flag",
  async (program, dir) => {
    const args = programArgs(program, ["BR", "US"], "--allow-env");
    const options = { cwd: dir.path, env: deadProxy() };
    const { code, stderr } = await output(deno(args, options));
    assertEquals([code, failures(stderr).length], [1, 2]);
    for (const line of failures(stderr)) assertMatch(line, /^(BR|US): could not connect to .+$/);
  },
);

each("any other site is asked through the proxy", async (program, dir) => {
  const asked: string[] = [];
  await using proxy = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    asked.push(url);
    return new Response(GIF);
  });
  const url = `http://127.0.0.1:${proxy.addr.port}`;
  const options = { cwd: dir.path, env: { HTTP_PROXY: url } };
  const args = ["BR", "US", "-s", "http://flags.invalid/flags"];
  const { code, stderr } = await output(command(program, args, options));
  assertEquals([code, failures(stderr)], [0, []]);
  assertEquals(asked.sort().map((url) => url.slice(-10)), ["/br/br.gif", "/us/us.gif"]);
  assertEquals([...dir.downloaded().values()], [GIF, GIF]);
});

one("REMOTE is the site of the book, and asked through the proxy", async (dir) => {
  const options = { cwd: dir.path, env: deadProxy() };
  const { code, stderr } = await output(command("flags.ts", ["BR", "-s", "remote"], options));
  const [first, line = ""] = stderr.split("\n");
  const url = "https://www.fluentpython.com/data/flags";
  assertEquals([code, first], [1, `1 flag from REMOTE (${url}), 1 connection`]);
  assertMatch(line, /^BR: could not connect to https:\/\/www\.fluentpython\.com \(.+\)$/);
});

// Files, terminals, pictures.

if (Deno.build.os === "linux") {
  one("too many open files are said to be so", async (dir) => {
    await using site = flagSite({ delay: [0.5, 0.5] });
    const options = { cwd: dir.path, shell: 'ulimit -n 40; exec "$@"' };
    const args = ["-a", "-m", "100", "-s", site.url];
    const { code, stderr } = await output(command("flags_async.ts", args, options));
    assertEquals(code, 1);
    const lines = failures(stderr);
    assertGreater(lines.length, 10);
    for (const line of lines) assertMatch(line, /^[A-Z]{2}: .*too many open files/i);
    assertEquals(countWhole(dir) + lines.length, 243);
  });

  for (
    const [program, columns, TERM, bar] of [
      ["flags_async.ts", 0, "xterm", false],
      ["flags_async.ts", 19, "xterm", false],
      ["flags_async.ts", 20, "xterm", true],
      ["flags_async.ts", 80, "dumb", false],
      ["flags_async.ts", 80, "xterm", true],
      ["flags_threadpool.ts", 80, "xterm", true],
      ["flags_futures.ts", 80, "xterm", false],
    ] as const
  ) {
    const has = bar ? "a" : "no";
    one(`${program} has ${has} bar in ${columns} columns of ${TERM}`, async ({ path }) => {
      await using site = flagSite({ delay: [0.1, 0.1] });
      const line = [
        Deno.execPath(),
        ...programArgs(program, ["-a", "-l", "60", "-m", "10", "-s", site.url]),
      ];
      const quoted = line.map((word) => `'${word}'`).join(" ");
      const terminal = new Deno.Command("script", {
        args: ["-qec", `stty cols ${columns}; exec ${quoted}`, "/dev/null"],
        cwd: path,
        env: { TERM },
        stdin: "null",
      });
      const { code, stdout } = await terminal.output();
      const shown = new TextDecoder().decode(stdout);
      assertEquals(code, 0);
      assertEquals(/\r\[#*-*\] \d+\/60 /.test(shown), bar, JSON.stringify(shown));
      assertEquals(shown.includes("\x1b["), bar);
      const drawn = shown.split("\r").filter((text) => text.startsWith("["))
        .map((text) => text.split("\x1b")[0]?.length ?? 0);
      assertLess(Math.max(0, ...drawn), columns + 1);
      assertMatch(shown, /60 downloads in \d+\.\d\ds\r\n$/);
    });
  }
}

each("--timeline draws 80 columns after the summary", async (program, dir) => {
  await using site = flagSite({ delay: [0.1, 0.1] });
  const args = ["BR", "US", "--timeline", "-m", "2", "-s", site.url];
  const { code, stdout } = await run(program, args, dir);
  assertEquals(code, 0);
  const title = `${program}, ${program === "flags.ts" ? "1 connection" : "2 connections"}`;
  const drawing = stdout.split(`\n2 downloads in `)[1]?.split("\n").slice(1);
  assertEquals(drawing?.slice(0, 2), ["", title]);
  const bars = drawing?.join("\n").match(/\[..=+\]/g)?.map((bar) => bar.slice(1, 3));
  assertEquals([bars?.sort(), drawing?.[2]?.slice(0, 2)], [["BR", "US"], "1 "]);
  assertLess(Math.max(...drawing?.map((line) => line.length) ?? []), 81);
});

for (
  const [option, file, begins, label] of [
    ["--timeline=downloaded/run.svg", "run.svg", "<svg ", ">BR</text>"],
    ["--timeline=downloaded/run.json", "run.json", '{"traceEvents":[', '"name":"BR"'],
  ] as const
) {
  one(`${option} writes the picture and prints nothing more`, async (dir) => {
    await using site = flagSite({ delay: [0.1, 0.1] });
    const { code, stdout } = await run("flags_async.ts", ["BR", option, "-s", site.url], dir);
    assertEquals(code, 0);
    assertMatch(stdout, /^BR \n1 download in \d+\.\d\ds\n$/);
    const drawing = Deno.readTextFileSync(join(dir.path, "downloaded", file));
    assertEquals(drawing.slice(0, begins.length), begins);
    assertStringIncludes(drawing, label);
  });
}

for (
  const [file, why] of [
    ["downloaded/no/such.svg", "No such file or directory"],
    ["run.svg", "add --allow-write=run.svg"],
  ] as const
) {
  each(
    `${file}, which cannot be written, is said before the first download`,
    async (program, dir) => {
      const expected = { code: 1, stdout: "", stderr: `cannot write ${file}: ${why}\n` };
      assertEquals(await run(program, ["BR", "--timeline", file], dir), expected);
    },
    [...PROGRAMS, "compare.ts"],
  );
}

one("a picture that cannot be written any more does not hide which flags failed", async (dir) => {
  await using site = flagSite({ delay: [0.2, 0.2] });
  Deno.mkdirSync(join(dir.path, "downloaded/later"), { recursive: true });
  const args = ["BR", "ZZ", "--timeline", "downloaded/later/run.svg", "-s", site.url];
  const child = command("flags.ts", args, { cwd: dir.path }).spawn();
  const [stdout, stderr] = [child.stdout.text(), new Printed(child.stderr)];
  await stderr.until(/\n/);
  Deno.removeSync(join(dir.path, "downloaded/later"));
  assertEquals((await child.status).code, 1);
  assertEquals(failures(await stderr.end()), [
    "ZZ: not found",
    "cannot write downloaded/later/run.svg: No such file or directory",
  ]);
  assertMatch(await stdout, /\n1 download in \d+\.\d\ds, 1 not found\n$/);
});

// What waits longest begins first. A command of the README is a test that waits, like the others.
const readme = isGranted(PROGRAM) ? commands() : {};
testSideBySide("the programs, and the commands of the README", { ...readme, ...cases }, {
  needs: PROGRAM,
});
