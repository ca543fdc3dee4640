/** A run says what it does, downloads the flags, prints a summary, and exits with a code. */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { parseOptions, type Settings } from "../../common/options.ts";
import { countConnections } from "../../common/run.ts";
import { countFlags, deno, type Ended, ended, flagSite, imageOf, isGranted } from "../helpers.ts";
import { ROOT, run, runUntil, siteOf, start, tempDir } from "../helpers.ts";

const OPTIONS = { ignore: !isGranted("net", "read", "run", "write") };

const SECONDS = String.raw`\d+\.\d\ds`;

const CONNECTIONS: [args: string[], settings: Settings, maxReq: number, isMaximum: boolean][] = [
  [[], {}, 20, false],
  [[], { maxReq: 2 }, 2, false],
  [["-m", "1"], { maxReq: 2 }, 1, false],
  [["-m", "30"], {}, 21, false],
  [["-m", "2"], { limit: 2 }, 2, false],
  [["-m", "1000"], { limit: 2 }, 2, true],
];

for (const [args, settings, maxReq, isMaximum] of CONNECTIONS) {
  const program = `a program with ${JSON.stringify(settings)}`;
  Deno.test(`${program} and [${args}] gets 21 flags with ${maxReq} connections`, () => {
    const flags = Array.from({ length: 21 }, (_, i) => ({ cc: `${i}`, url: "" }));
    const setup = { flags, what: "", options: parseOptions(args, "") };
    assertEquals(countConnections(setup, settings), { maxReq, isMaximum });
  });
}

const POOL_SIZE = Math.min(navigator.hardwareConcurrency + 4, 20);

const SMOKE: [program: string, connections: string][] = [
  ["flags.ts", "1 connection"],
  ["flags_threadpool.ts", `${POOL_SIZE} connections`],
  ["flags_async.ts", "20 connections"],
];

for (const [program, connections] of SMOKE) {
  Deno.test(`${program} downloads the 20 flags of the chapter`, OPTIONS, async () => {
    using dir = tempDir();
    await using site = flagSite();
    const { code, stdout, stderr } = await run(`${program} -s ${site.url}`, dir.path);
    assertEquals([code, stderr], [0, `${program}: 20 flags from ${site.url}, ${connections}\n`]);
    assertMatch(stdout, RegExp(`\n20 downloads in ${SECONDS}\n$`));
    assertEquals(countFlags(dir.path), 20);
  });
}

/** Starts a site that answers when it has `count` requests. It answers for BR after `release`. */
function gatheringSite(count: number) {
  let current = 0;
  let most = 0;
  const gathered = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const site = siteOf(async (url) => {
    current++;
    most = Math.max(most, current);
    if (current === count) gathered.resolve();
    await gathered.promise;
    await new Promise((resolve) => setTimeout(resolve, 20)); // For a request too many.
    if (url.includes("/br/")) await released.promise;
    current--;
    return new Response(imageOf(url));
  });
  return { ...site, most: () => most, release: () => released.resolve() };
}

for (const program of ["flags_threadpool.ts", "flags_async.ts"]) {
  Deno.test(`${program} -m 3 prints the codes as they arrive, 3 at a time`, OPTIONS, async () => {
    using dir = tempDir();
    await using site = gatheringSite(3);
    const command = `${program} us BR DE EG BR -m 3 -s ${site.url}`;
    const { stdout } = await runUntil(command, dir.path, /US/, site.release);
    assertMatch(stdout, /^(DE EG|EG DE) US BR \n4 downloads/);
    assertEquals([site.most(), countFlags(dir.path)], [3, 4]);
  });
}

Deno.test("flags.ts -m 3 downloads one flag at a time, in sorted order", OPTIONS, async () => {
  using dir = tempDir();
  await using site = gatheringSite(1);
  site.release();
  const { stdout } = await run(`flags.ts us BR DE EG BR -m 3 -s ${site.url}`, dir.path);
  assertMatch(stdout, /^BR DE EG US \n/);
  assertEquals(site.most(), 1);
});

Deno.test("flags_futures.ts shows five futures, scheduled and done", OPTIONS, async () => {
  using dir = tempDir();
  await using site = siteOf((url) => {
    if (url.endsWith("/us.gif")) return new Response(null, { status: 404 });
    return new Response(imageOf(url));
  });
  const { code, stdout, stderr } = await run(`flags_futures.ts -s ${site.url}`, dir.path);
  const codes = ["BR", "CN", "ID", "IN"];
  const scheduled = [...codes, "US"].map((cc, i) =>
    `Scheduled for ${cc}: <Future #${i + 1} state=${i < 3 ? "running" : "pending"}>`
  );
  const finished = codes.map((cc, i) =>
    `${cc} <Future #${i + 1} state=finished returned string> result: '${cc}'`
  );
  const failed = "<Future #5 state=finished raised FlagError> exception: 'not found'";
  assertEquals(stdout.split("\n").slice(0, 5), scheduled);
  assertEquals(stdout.match(/^.*<Future .* \w+: '.*'$/gm)?.sort(), [failed, ...finished]);
  assertMatch(stdout, RegExp(`\n4 downloads in ${SECONDS}, 1 not found\n$`));
  const connections = `flags_futures.ts: 5 flags from ${site.url}, 3 connections`;
  assertEquals([code, stderr], [1, `${connections}\nUS: not found\n`]);
});

Deno.test("a run ends with a summary, a timeline and its failures", OPTIONS, async () => {
  using dir = tempDir();
  await using site = siteOf((url) => {
    if (url.endsWith("/cn.gif")) return new Response("<html>");
    return new Response(null, { status: url.endsWith("/us.gif") ? 404 : 500 });
  });
  const command = `flags_async.ts US DE CN -m 1 -t -s ${site.url}/`;
  const { code, stdout, stderr } = await run(command, dir.path);
  assertEquals([code, stderr.split("\n")], [1, [
    `flags_async.ts: 3 flags from ${site.url}, 1 connection`,
    'CN: not a GIF image (begins with "<html>")',
    "DE: HTTP 500 Internal Server Error",
    "US: not found",
    "",
  ]]);
  const timeline = `\nflags_async\\.ts, 1 connection\n1 .*x.*\n  \\|0 s.*\n`;
  assertMatch(stdout, RegExp(`^0 downloads in ${SECONDS}, 1 not found, 2 errors\n${timeline}$`));
});

Deno.test("LOCAL bypasses a proxy, and a letter allows missing flags", OPTIONS, async () => {
  using dir = tempDir();
  const proxy = { HTTP_PROXY: "http://127.0.0.1:9", NO_PROXY: "" };
  const program = join(ROOT, "flags_async.ts");
  const args = ["run", "-A", program, "b", "BR", "-m", "26", "-s", "local"];
  const { code, stdout, stderr } = await ended(deno(args, dir.path, proxy).output());
  const site = String.raw`LOCAL \(http://127\.0\.0\.1:\d+/flags\)`;
  assertMatch(stderr, RegExp(`^flags_async\\.ts: 26 flags from ${site}, 26 connections\n$`));
  assertMatch(stdout, RegExp(`\n19 downloads in ${SECONDS}, 7 not found\n$`));
  assertEquals([code, countFlags(dir.path)], [0, 19]);
});

Deno.test("-m 1000 names the maximum, and a run prints no password", OPTIONS, async () => {
  using dir = tempDir();
  await using site = flagSite();
  const url = site.url.replace("http://", "http://me:secret@");
  const command = `flags.ts ZZ US BR -l 2 -m 1000 -v -s ${url}`;
  const { stdout, stderr } = await run(command, dir.path);
  const first = `flags.ts: 2 flags from ${site.url}, 1 connection (the maximum)\n`;
  assertEquals(stderr, `${first}ZZ: not found\n`);
  assertMatch(stdout, RegExp(`^US .* ok\nZZ .* not found\n1 download in .*, 1 not found\n$`));
});

Deno.test("the reader of the flags of --all may leave, as in `| head -1`", OPTIONS, async () => {
  using dir = tempDir();
  await using site = flagSite({ delay: [0.02, 0.02] });
  await using child = start(`flags_async.ts -a -m 3 -s ${site.url}`, dir.path);
  const stderr = child.stderr.text();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const first = `flags_async.ts: 243 flags from ${site.url}, 3 connections\n`;
  assertEquals([(await child.status).code, await stderr], [141, first]);
});

// Permissions.

const NO_NET = ["--allow-read", "--allow-write"];
const PORT_80 = [...NO_NET, "--allow-net=www.fluentpython.com:80"];
const NO_MODULES = ["--allow-net", "--allow-read=downloaded", "--allow-write"];

const WITHOUT: [what: string, command: string, permissions: string[], names: RegExp][] = [
  ["the built-in site", "flags.ts", NO_NET, /--allow-net\b/],
  ["another site", "flags.ts -s http://x", NO_NET, /--allow-net\b/],
  ["the book's site", "flags.ts -s remote", PORT_80, /--allow-net\b/],
  ["its directory", "flags.ts", ["--allow-net", "--allow-write"], /--allow-read\b/],
  ["modules", "flags_threadpool.ts BR -s http://127.0.0.1:9", NO_MODULES, /--allow-read\b/],
  ["writing", "flags.ts", ["--allow-net", "--allow-read"], /--allow-write\b/],
  ["the directory of its timeline", "flags.ts -t missing/x.svg", ["-A"], /missing.x\.svg/],
];

for (const [what, command, permissions, names] of WITHOUT) {
  Deno.test(`without access to ${what}, a run does not begin`, OPTIONS, async () => {
    using dir = tempDir();
    const { code, stdout, stderr } = await run(command, dir.path, permissions);
    assertEquals([code, stdout, stderr.split("\n").length], [1, "", 2], stderr);
    assertMatch(stderr, names);
  });
}

for (const [url, port] of [["http://127.0.0.1", 80], ["https://127.0.0.1", 443]] as const) {
  Deno.test(`a site at ${url} needs the permission for port ${port} only`, OPTIONS, async () => {
    using dir = tempDir();
    const net = `--allow-net=127.0.0.1:${port}`;
    const permissions = [net, "--allow-read=downloaded", "--allow-write"];
    const { stderr } = await run(`flags.ts BR -s ${url}`, dir.path, permissions);
    assertMatch(stderr, /^flags\.ts: 1 flag from .*\nBR: .+\n$/);
  });
}

Deno.test("a redirect to a host without permission is one failure", OPTIONS, async () => {
  using dir = tempDir();
  await using site = siteOf(() => Response.redirect("http://localhost:81/"));
  const permissions = [`--allow-net=${new URL(site.url).host}`, "--allow-read", "--allow-write"];
  const { stderr } = await run(`flags.ts BR -s ${site.url}`, dir.path, permissions);
  assertMatch(stderr, /\nBR: .*"localhost:81".*--allow-net.*\n$/);
});

// Programs of a student.

const HEAD = `import { downloadOne, main } from "${import.meta.resolve("../../flags.ts")}";
import { WorkerPoolExecutor } from "${import.meta.resolve("../../futures/mod.ts")}";
`;

/** Runs a program that a student wrote, for the flags BR and US. */
async function runStudent(source: string): Promise<Ended> {
  using dir = tempDir();
  await using site = flagSite();
  const program = join(dir.path, "my flags.ts");
  Deno.writeTextFileSync(program, HEAD + source);
  const options = ["--no-check", "--no-prompt", "-A", `--config=${join(ROOT, "deno.json")}`];
  const args = ["run", ...options, program, "BR", "US", "-s", site.url];
  return await ended(deno(args, dir.path).output());
}

Deno.test(
  "main(downloadMany) accepts all connections and a name with a space",
  OPTIONS,
  async () => {
    const { code, stdout, stderr } = await runStudent(`
    await main(async (flags, report, maxReq) => {
      for (const flag of flags) report(await downloadOne(flag));
      console.log(maxReq);
    });`);
    assertMatch(stderr, /^my flags\.ts: 2 flags from \S+, 2 connections\n$/);
    assertMatch(stdout, RegExp(`^BR US 2\n\n2 downloads in ${SECONDS}\n$`));
    assertEquals(code, 0);
  },
);

const MISTAKES: [mistake: string, source: string, printed: RegExp][] = [
  [
    "an `await` that is missing before Promise.all",
    `await main(async (flags, report) => {
       Promise.all(flags.map(async (flag) => report(await downloadOne(flag))));
     });`,
    /^0 downloads in .*\n[^]*\ndownloadMany reported 0 of 2 flags: is an `await` or a `report` miss/,
  ],
  [
    "an `await` that is missing before downloadOne",
    `await main(async ([first, second], report) => {
       report(await downloadOne(first));
       report(downloadOne(second));
     });`,
    /^BR \n[^]*, got Promise { <pending> } \(is an `await` missing\?\)[^]*flags\.ts:5:/,
  ],
  [
    "a bug in a task",
    `export function task(flag) { return download(flag); }
     async function downloadMany(flags, report) {
       await using executor = new WorkerPoolExecutor(import.meta.url);
       for await (const outcome of executor.map(task, flags)) report(outcome);
     }
     if (import.meta.main) await main(downloadMany);`,
    /^my flags[^]*ReferenceError: download is not defined\n.*at task .*flags\.ts:3:/,
  ],
  [
    "a `main` that each worker calls",
    `export function task(flag) { return downloadOne(flag); }
     await main(async (flags, report) => {
       await using executor = new WorkerPoolExecutor(import.meta.url);
       for await (const outcome of executor.map(task, flags)) report(outcome);
     });`,
    /^my flags[^]*: call `main` only under `if \(import\.meta\.main\)`[^]*flags\.ts:4:/,
  ],
];

for (const [mistake, source, printed] of MISTAKES) {
  Deno.test(`${mistake} ends a run with a message and exit code 1`, OPTIONS, async () => {
    const { code, stdout, stderr } = await runStudent(source);
    assertMatch(`${stdout}${stderr}`, printed);
    assertEquals(code, 1);
  });
}
