/** The folder works when it is copied into another project, and programs with a pool end. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { deno, type Ended, ended, isGranted, ROOT, tempDir } from "../helpers.ts";

const ignore = !isGranted("read", "write", "run", "net");

/** The names of the files of the folder, and their texts. */
const FOLDER = ignore ? new Map<string, string>() : readFolder();

function readFolder(): Map<string, string> {
  const names = Array.from(Deno.readDirSync(join(ROOT, "futures")), ({ name }) => name);
  return new Map(names.map((name) => [name, Deno.readTextFileSync(join(ROOT, "futures", name))]));
}

/** Runs `deno ARGS…` in a directory that has these files and a copy of the folder. */
async function runBesideCopy(args: string[], files: Record<string, string>): Promise<Ended> {
  using dir = tempDir();
  Deno.mkdirSync(join(dir.path, "futures"));
  for (const [name, text] of FOLDER) files[`futures/${name}`] ??= text;
  for (const [name, text] of Object.entries(files)) {
    Deno.writeTextFileSync(join(dir.path, name), text);
  }
  return await ended(deno(args, dir.path).output());
}

const RUN = ["run", "--no-prompt", "--no-lock", "--quiet"];

async function runMain(source: string, files: Record<string, string> = {}): Promise<Ended> {
  return await runBesideCopy([...RUN, "--allow-read=.", "main.ts"], {
    ...files,
    "main.ts": source,
  });
}

Deno.test("the folder imports nothing from outside, and its imports go one way", { ignore }, () => {
  const visit = (name: string, path: string[]) => {
    assert(FOLDER.has(name), `${path} → ${name}`);
    assert(!path.includes(name), `a cycle: ${path} → ${name}`);
    const code = FOLDER.get(name)?.replaceAll(/\/\*\*[^]*?\*\//g, "") ?? "";
    for (const [, imported = ""] of code.matchAll(/(?:\bfrom |\bimport ?\(?)"([^"]+)"/g)) {
      visit(imported.replace("./", ""), [...path, name]);
    }
  };
  for (const name of FOLDER.keys()) visit(name, []);
});

Deno.test("workers start in the form that deno compile recognizes", { ignore }, () => {
  const code = [...FOLDER.values()].join("\n");
  assertEquals(code.match(/new Worker\(/g)?.length, 1);
  assertMatch(code, /new Worker\(new URL\("\.\/worker\.ts", import\.meta\.url\),/);
});

Deno.test("the folder type-checks strictly, with a browser's types", { ignore }, async () => {
  const compilerOptions = {
    lib: ["dom", "dom.iterable", "deno.ns"],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noImplicitReturns: true,
    noImplicitOverride: true,
    noPropertyAccessFromIndexSignature: true,
    isolatedDeclarations: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
  };
  const config = JSON.stringify({ compilerOptions });
  const output = await runBesideCopy(["check", "--quiet", "futures"], { "deno.json": config });
  assertEquals(output, { code: 0, stdout: "", stderr: "" });
});

/** The start of each program. */
const PRELUDE = `
  import { Future, wait, WorkerPoolExecutor } from "./futures/mod.ts";
  export const square = (n: number) => n * n;
  export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  export const fail = () => { throw new Error("nobody reads this"); };
  export const leaveTimer = () => { setInterval(() => {}, 1); };
  export const throwLater = () => { setTimeout(fail); return sleep(1e9); };
  export const squareInPool = (n: number) => newPool().submit(square, n).result();
  export const compute = (gate: Int32Array) => {
    Atomics.store(gate, 0, 1);
    while (true);
  };
  const newPool = (idleTimeout = 1) =>
    new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2, idleTimeout });
`;

Deno.test("the folder works when it is imported over http", { ignore }, async () => {
  const headers = { "content-type": "application/typescript" };
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    return new Response(FOLDER.get(new URL(url).pathname.slice(1)), { headers });
  });
  const host = `127.0.0.1:${server.addr.port}`;
  const source = `${PRELUDE.replace("./futures", `http://${host}`)}
    if (import.meta.main) console.log(await newPool().submit(square, 3).result());`;
  const args = [...RUN, "--allow-read=.", `--allow-import=${host}`, "--reload", "main.ts"];
  const output = await runBesideCopy(args, { "main.ts": source });
  assertEquals(output, { code: 0, stdout: "9\n", stderr: "" });
});

/** Main programs that end by themselves, and what they print. */
const PROGRAMS: Record<string, [source: string, stdout: string]> = {
  "never shuts its pool down and ignores all errors": [
    `const executor = newPool();
    executor.submit(fail);
    executor.submit(throwLater);
    executor.map(fail, [1, 2, 3], { timeout: 1 });
    await wait([executor.submit(sleep, 20)], { timeout: 0 });
    console.log(await executor.submit(square, 3).result());`,
    "9\n",
  ],
  "shuts down pools whose idle workers stay": [
    `await newPool(Infinity).shutdown();
    const executor = newPool(Infinity);
    await executor.submit(leaveTimer).result();
    executor.submit(square, 3).addDoneCallback((future) => console.log(future.state));
    executor.shutdown({ wait: false });`,
    "finished\n",
  ],
  "calls terminateWorkers()": [
    `const executor = newPool(Infinity);
    executor.map(sleep, [1e9, 1e9, 1e9]);
    await executor.terminateWorkers();
    console.log("terminated");`,
    "terminated\n",
  ],
  "calls Deno.exit() while a task computes": [
    `const executor = newPool();
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const future = executor.submit(compute, gate);
    while (gate[0] === 0) await sleep(1);
    await executor.terminateWorkers();
    console.log((await future.exception() as Error).name);
    Deno.exit();`,
    "WorkerCrashError\n",
  ],
};

for (const [which, [source, stdout]] of Object.entries(PROGRAMS)) {
  Deno.test(`a program that ${which} ends`, { ignore }, async () => {
    const output = await runMain(`${PRELUDE} if (import.meta.main) { ${source} }`);
    assertEquals(output, { code: 0, stdout, stderr: "" });
  });
}

Deno.test("the pool works without Deno.telemetry", { ignore }, async () => {
  const worker = `Reflect.deleteProperty(Deno, "telemetry");\n${FOLDER.get("worker.ts")}`;
  const source = "console.log(await newPool().submit(squareInPool, 3).result());";
  const { stdout } = await runMain(`${PRELUDE} if (import.meta.main) ${source}`, {
    "futures/worker.ts": worker,
  });
  assertEquals(stdout, "9\n");
});

/** Main programs without a guard. Each worker runs them again. */
const UNGUARDED: Record<string, string> = {
  "top-level await": "console.log(await newPool().submit(square, 3).result());",
  "main() that nobody awaits": `
    async function main() {
      await sleep(50);
      for await (const n of newPool().map(sleep, [1e9, 1e9, 1e9])) console.log(n);
    }
    main().catch(() => {});`,
  "calls that catch their errors": `
    try {
      newPool().submit(square, 3).result().catch(() => {});
    } catch {}`,
};

for (const [what, source] of Object.entries(UNGUARDED)) {
  Deno.test(`the pool ends an unguarded program with advice: ${what}`, { ignore }, async () => {
    const { code, stdout, stderr } = await runMain(PRELUDE + source);
    assertEquals([code, stdout], [1, ""], stderr);
    const [firstLine = ""] = stderr.split("\n");
    assertMatch(firstLine, /call `submit` and `map` only under `if \(import\.meta\.main\)`/);
    assert(!stderr.includes("futures/"), stderr);
  });
}

Deno.test("the examples in the docs print what their comments say", { ignore }, async () => {
  const docs = [...FOLDER.values()].join("\n").replaceAll(/^ *\* ?/gm, "");
  const examples = Array.from(docs.matchAll(/```ts\n([^]*?)```/g), ([, code = ""]) => code);
  assert(examples.length >= 4, `found ${examples.length} examples`);
  await Promise.all(examples.map(async (example) => {
    const comments = example.matchAll(/console\.log\(.*\/\/ (.*)/g);
    const lines = Array.from(comments, ([, comment = ""]) => comment.replaceAll(", ", "\n"));
    const output = await runMain(example.replace("./mod.ts", "./futures/mod.ts"));
    assertEquals(output, { code: 0, stdout: `${lines.join("\n")}\n`, stderr: "" });
  }));
});

Deno.test("a missing permission to read is named in four lines", { ignore }, async () => {
  const source = `${PRELUDE} if (import.meta.main) await newPool().submit(square, 3).result();`;
  const { code, stderr } = await runBesideCopy([...RUN, "main.ts"], { "main.ts": source });
  assertEquals(code, 1, stderr);
  assertStringIncludes(stderr, "--allow-read");
  assert(stderr.trimEnd().split("\n").length <= 4, stderr);
});
