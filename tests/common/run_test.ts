/** A run says what it does, downloads the flags, prints a summary, and exits with a code. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { parseOptions, type Settings } from "../../common/options.ts";
import { countConnections, type Setup } from "../../common/run.ts";
import { countWholeFlags, deno, type Ended, ended, flagSite, isGranted } from "../helpers.ts";
import { readUntil, ROOT, run, start, tempDir } from "../helpers.ts";

const OPTIONS = { ignore: !isGranted("net", "read", "run", "write") };

const SECONDS = String.raw`\d+\.\d\ds`;

/** Returns what a program knows before it downloads `count` flags. */
function setupOf(count: number, args: string[]): Setup {
  const flags = Array.from({ length: count }, (_, i) => ({ cc: `${i}`, url: "" }));
  return { flags, what: "", options: parseOptions(args, "") };
}

const CONNECTIONS: [args: string[], count: number, settings: Settings, maxReq: number][] = [
  [[], 21, {}, 20],
  [[], 3, {}, 3],
  [[], 3, { maxReq: 2 }, 2],
  [["-m", "1"], 3, { maxReq: 2 }, 1],
  [["-m", "30"], 40, {}, 30],
  [["-m", "2"], 3, { limit: 2 }, 2],
  [["-m", "1000"], 2, { limit: 2 }, 2],
];

for (const [args, count, settings, maxReq] of CONNECTIONS) {
  const program = `a program with ${JSON.stringify(settings)}`;
  Deno.test(`${program} and [${args}] gets ${count} flags with ${maxReq} connections`, () => {
    assertEquals(countConnections(setupOf(count, args), settings), { maxReq, isMaximum: false });
  });
}

Deno.test("more connections than the limit are the maximum", () => {
  const connections = countConnections(setupOf(3, ["-m", "1000"]), { limit: 2 });
  assertEquals(connections, { maxReq: 2, isMaximum: true });
});

const POOL_SIZE = Math.min(navigator.hardwareConcurrency + 4, 20);

const SMOKE: [program: string, count: number, connections: string][] = [
  ["flags.ts", 20, "1 connection"],
  ["flags_threadpool.ts", 20, `${POOL_SIZE} connections`],
  ["flags_async.ts", 20, "20 connections"],
  ["flags_futures.ts", 5, "3 connections"],
];

for (const [program, count, connections] of SMOKE) {
  Deno.test(`${program} downloads the ${count} flags of the chapter`, OPTIONS, async () => {
    using dir = tempDir();
    await using site = flagSite();
    const { code, stdout, stderr } = await run(program, ["-s", site.url], dir.path);
    const first = `${program}: ${count} flags from ${site.url}, ${connections}\n`;
    assertEquals([code, stderr], [0, first]);
    assertMatch(stdout, RegExp(`\n${count} downloads in ${SECONDS}\n$`));
    assertEquals(countWholeFlags(dir.path), count);
  });
}

/** Starts a site that answers when it has `count` requests. It answers for BR after `release`. */
function gatheringSite(count: number) {
  let current = 0;
  let most = 0;
  const gathered = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async ({ url }) => {
    current++;
    most = Math.max(most, current);
    if (current === count) gathered.resolve();
    await gathered.promise;
    if (url.includes("/br/")) await released.promise;
    current--;
    const path = import.meta.resolve(`famfamfam-flags/dist/gif/${url.slice(-6)}`);
    return new Response(Deno.readFileSync(new URL(path)));
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    most: () => most,
    release: released.resolve,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

for (const program of ["flags_threadpool.ts", "flags_async.ts"]) {
  Deno.test(`${program} -m 3 prints the codes as they arrive, 3 at a time`, OPTIONS, async () => {
    using dir = tempDir();
    await using site = gatheringSite(3);
    const args = ["us", "BR", "DE", "EG", "BR", "-m", "3", "-s", site.url];
    await using child = start(program, args, dir.path);
    const text = await readUntil(child.stdout, /US/);
    site.release();
    assertMatch(await text.rest(), /^(DE EG|EG DE) US BR \n4 downloads/);
    assertEquals([site.most(), countWholeFlags(dir.path)], [3, 4]);
    await child.stderr.cancel();
  });
}

Deno.test("flags.ts -m 3 downloads one flag at a time, in sorted order", OPTIONS, async () => {
  using dir = tempDir();
  await using site = gatheringSite(1);
  site.release();
  const args = ["us", "BR", "DE", "EG", "BR", "-m", "3", "-s", site.url];
  const { stdout } = await run("flags.ts", args, dir.path);
  assertMatch(stdout, /^BR DE EG US \n/);
  assertEquals(site.most(), 1);
});

Deno.test("flags_futures.ts shows each future, scheduled and done", OPTIONS, async () => {
  using dir = tempDir();
  await using site = flagSite();
  const args = ["BR", "CN", "US", "ZZ", "-m", "2", "-s", site.url];
  const { code, stdout, stderr } = await run("flags_futures.ts", args, dir.path);
  const lines = stdout.split("\n");
  assertEquals(lines.slice(0, 4), [
    "Scheduled for BR: <Future #1 state=running>",
    "Scheduled for CN: <Future #2 state=running>",
    "Scheduled for US: <Future #3 state=pending>",
    "Scheduled for ZZ: <Future #4 state=pending>",
  ]);
  const finished = ["BR", "CN", "US"].map((cc, i) =>
    `${cc} <Future #${i + 1} state=finished returned string> result: '${cc}'`
  );
  const shown = stdout.match(/^([A-Z]{2}) <Future.*$/gm)?.sort();
  assertEquals(shown, finished);
  assertStringIncludes(
    stdout,
    "\n<Future #4 state=finished raised FlagError> exception: 'not found'\n",
  );
  assertMatch(stdout, RegExp(`\n3 downloads in ${SECONDS}, 1 not found\n$`));
  assertEquals([code, stderr.split("\n")[1]], [1, "ZZ: not found"]);
});

Deno.test("a run ends with a summary, a timeline and its failures", OPTIONS, async () => {
  using dir = tempDir();
  await using site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    if (url.endsWith("/cn.gif")) return new Response("<html>");
    return new Response(null, { status: url.endsWith("/us.gif") ? 404 : 500 });
  });
  const url = `http://127.0.0.1:${site.addr.port}`;
  const args = ["US", "DE", "CN", "-m", "1", "-t", "-s", `${url}/`];
  const { code, stdout, stderr } = await run("flags_async.ts", args, dir.path);
  assertEquals([code, stderr.split("\n")], [1, [
    `flags_async.ts: 3 flags from ${url}, 1 connection`,
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
  const HTTP_PROXY = "http://127.0.0.1:9";
  const program = join(ROOT, "flags_async.ts");
  const args = ["run", "--no-prompt", "-A", program, "b", "BR", "-m", "26", "-s", "local"];
  const { code, stdout, stderr } = await ended(
    deno(args, dir.path, { HTTP_PROXY, NO_PROXY: "" }).output(),
  );
  const site = String.raw`LOCAL \(http://127\.0\.0\.1:\d+/flags\)`;
  assertMatch(stderr, RegExp(`^flags_async\\.ts: 26 flags from ${site}, 26 connections\n$`));
  assertMatch(stdout, RegExp(`\n19 downloads in ${SECONDS}, 7 not found\n$`));
  assertEquals([code, countWholeFlags(dir.path)], [0, 19]);
});

Deno.test("--all asks for all flags, and --limit for the first of them", OPTIONS, async () => {
  using dir = tempDir();
  await using site = flagSite();
  const { stderr } = await run("flags.ts", ["-a", "-l", "2", "-s", site.url], dir.path);
  assertEquals(stderr, `flags.ts: 2 flags from ${site.url}, 1 connection\n`);
  const names = Array.from(Deno.readDirSync(join(dir.path, "downloaded")), ({ name }) => name);
  assertEquals(names.sort(), ["AD.gif", "AE.gif"]);
});

Deno.test("-m 1000 names the maximum, and a run prints no password", OPTIONS, async () => {
  using dir = tempDir();
  await using site = flagSite();
  const url = site.url.replace("http://", "http://me:secret@");
  const args = ["ZZ", "US", "BR", "-l", "2", "-m", "1000", "-v", "-s", url];
  const { stdout, stderr } = await run("flags.ts", args, dir.path);
  const first = `flags.ts: 2 flags from ${site.url}, 1 connection (the maximum)`;
  assertEquals(stderr.split("\n"), [first, "ZZ: not found", ""]);
  assertMatch(
    stdout,
    RegExp(`^US .* ok\nZZ .* not found\n1 download in ${SECONDS}, 1 not found\n$`),
  );
});

Deno.test("the reader of a pipe may leave, as in `| head -1`", OPTIONS, async () => {
  using dir = tempDir();
  await using site = flagSite({ delay: [0.02, 0.02] });
  await using child = start("flags_async.ts", ["-a", "-m", "3", "-s", site.url], dir.path);
  const stderr = child.stderr.text();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  assertEquals([(await child.status).code, (await stderr).split("\n").length], [141, 2]);
  countWholeFlags(dir.path);
});

// Permissions.

const NO_NET = ["--allow-read", "--allow-write"];
const PORT_80 = [...NO_NET, "--allow-net=www.fluentpython.com:80"];
const NO_MODULES = ["--allow-net", "--allow-read=downloaded", "--allow-write"];

const WITHOUT: [what: string, command: string, permissions: string[], names: RegExp][] = [
  ["to connect to the built-in site", "flags.ts", NO_NET, /--allow-net\b/],
  ["to connect to another site", "flags.ts -s http://x", NO_NET, /--allow-net\b/],
  ["to connect to the book's site", "flags.ts -s remote", PORT_80, /--allow-net\b/],
  ["to read", "flags.ts", ["--allow-net", "--allow-write"], /--allow-read\b/],
  ["to read modules in workers", "flags_threadpool.ts", NO_MODULES, /--allow-read\b/],
  ["to write", "flags.ts", ["--allow-net", "--allow-read"], /--allow-write\b/],
];

for (const [what, command, permissions, names] of WITHOUT) {
  Deno.test(`without the permission ${what}, a run does not begin`, OPTIONS, async () => {
    using dir = tempDir();
    const [program = "", ...args] = command.split(" ");
    const { code, stdout, stderr } = await run(program, args, dir.path, permissions);
    assertEquals([code, stdout, stderr.split("\n").length], [1, "", 2], stderr);
    assertMatch(stderr, names);
  });
}

for (const [url, port] of [["http://127.0.0.1", 80], ["https://127.0.0.1", 443]] as const) {
  Deno.test(`a site at ${url} needs the permission for port ${port} only`, OPTIONS, async () => {
    using dir = tempDir();
    const permissions = [
      `--allow-net=127.0.0.1:${port}`,
      "--allow-read=downloaded",
      "--allow-write",
    ];
    const { stderr } = await run("flags.ts", ["BR", "-s", url], dir.path, permissions);
    assertMatch(stderr, /^flags\.ts: 1 flag from .*\nBR: .+\n$/);
  });
}

Deno.test("a redirect to a host without permission is one failure", OPTIONS, async () => {
  using dir = tempDir();
  await using site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    return Response.redirect("http://localhost:81/");
  });
  const permissions = ["--allow-net=127.0.0.1", "--allow-read", "--allow-write"];
  const args = ["BR", "-s", `http://127.0.0.1:${site.addr.port}`];
  const { code, stdout, stderr } = await run("flags.ts", args, dir.path, permissions);
  assertEquals(code, 1);
  assertMatch(stdout, RegExp(`^0 downloads in ${SECONDS}, 1 error\n$`));
  assertMatch(stderr, /\nBR: .*"localhost:81".*--allow-net.*\n$/);
});

// Disks.

Deno.test("an error of the disk in a worker is one line for its flag", OPTIONS, async () => {
  using dir = tempDir();
  await using site = flagSite();
  Deno.mkdirSync(join(dir.path, "downloaded", "CN.gif"), { recursive: true });
  const args = ["BR", "CN", "US", "-s", site.url];
  const { code, stdout, stderr } = await run("flags_threadpool.ts", args, dir.path);
  assertEquals(code, 1);
  assertMatch(stderr, /^flags_threadpool\.ts: .*\nCN: .*CN\.gif.*\n$/);
  assertMatch(stdout, RegExp(`\n2 downloads in ${SECONDS}, 1 error\n$`));
  Deno.removeSync(join(dir.path, "downloaded", "CN.gif"));
  assertEquals(countWholeFlags(dir.path), 2);
});

const BAD_PATHS: [what: string, args: string[]][] = [
  ["the directory", []],
  ["the timeline", ["-t", "missing/run.svg"]],
];

for (const [what, args] of BAD_PATHS) {
  Deno.test(`if ${what} cannot be created, a run does not begin`, OPTIONS, async () => {
    using dir = tempDir();
    if (args.length === 0) Deno.writeTextFileSync(join(dir.path, "downloaded"), "");
    const permissions = ["--allow-net", "--allow-read", "--allow-write"];
    const { code, stdout, stderr } = await run("flags.ts", args, dir.path, permissions);
    assertEquals([code, stdout, stderr.split("\n").length], [1, "", 2], stderr);
  });
}

// Programs of a student.

const HEAD = `import { downloadOne, main } from "${import.meta.resolve("../../flags.ts")}";
import { WorkerPoolExecutor } from "${import.meta.resolve("../../futures/mod.ts")}";
`;

/** Runs a program that a student wrote, for the flags BR and US. */
async function runStudent(source: string, name = "student.ts"): Promise<Ended> {
  using dir = tempDir();
  await using site = flagSite();
  const program = join(dir.path, name);
  Deno.writeTextFileSync(program, HEAD + source);
  const options = ["--no-check", "--no-prompt", "-A", `--config=${join(ROOT, "deno.json")}`];
  const args = ["run", ...options, program, "BR", "US", "-s", site.url];
  return await ended(deno(args, dir.path).output());
}

Deno.test(
  "main(downloadMany) accepts all connections and the name of a file",
  OPTIONS,
  async () => {
    const { code, stdout, stderr } = await runStudent(
      `await main(async (flags, report, maxReq) => {
       for (const flag of flags) report(await downloadOne(flag));
       console.log(maxReq);
     });`,
      "my flags.ts",
    );
    assertMatch(stderr, /^my flags\.ts: 2 flags from \S+, 2 connections\n$/);
    assertMatch(stdout, RegExp(`^BR US 2\n\n2 downloads in ${SECONDS}\n$`));
    assertEquals(code, 0);
  },
);

const FORGOTTEN: [mistake: string, body: string][] = [
  [
    "`await` before Promise.all",
    "Promise.all(flags.map(async (flag) => report(await downloadOne(flag))));",
  ],
  ["`report`", "for (const flag of flags) await downloadOne(flag);"],
];

for (const [mistake, body] of FORGOTTEN) {
  Deno.test(`a missing ${mistake} is named at the end of a run`, OPTIONS, async () => {
    const { code, stdout, stderr } = await runStudent(
      `await main(async (flags, report) => { ${body} });`,
    );
    assertMatch(stdout, /^0 downloads in /);
    assertStringIncludes(
      stderr,
      "\ndownloadMany reported 0 of 2 flags: is an `await` or a `report` missing",
    );
    assertEquals(code, 1);
  });
}

const BUGS: [bug: string, source: string, stdout: string, message: string, at: RegExp][] = [
  [
    "an `await` that is missing before downloadOne",
    `await main(async ([first, second], report) => {
       report(await downloadOne(first));
       report(downloadOne(second));
     });`,
    "BR \n",
    "got Promise { <pending> } (is an `await` missing?)",
    /student\.ts:5:/,
  ],
  [
    "a bug in a task",
    `export function task(flag) { return download(flag); }
     async function downloadMany(flags, report) {
       await using executor = new WorkerPoolExecutor(import.meta.url);
       for await (const outcome of executor.map(task, flags)) report(outcome);
     }
     if (import.meta.main) await main(downloadMany);`,
    "",
    "ReferenceError: download is not defined",
    /at task .*student\.ts:3:/,
  ],
  [
    "a `main` that each worker calls",
    `export function task(flag) { return downloadOne(flag); }
     await main(async (flags, report) => {
       await using executor = new WorkerPoolExecutor(import.meta.url);
       for await (const outcome of executor.map(task, flags)) report(outcome);
     });`,
    "",
    "call `main` only under `if (import.meta.main)`",
    /student\.ts:4:/,
  ],
];

for (const [bug, source, arrived, message, at] of BUGS) {
  Deno.test(`${bug} ends a run with its message and its line`, OPTIONS, async () => {
    const { code, stdout, stderr } = await runStudent(source);
    assertEquals([code, stdout], [1, arrived]);
    assertStringIncludes(stderr, message);
    assertMatch(stderr, at);
  });
}
