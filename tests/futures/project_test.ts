/** The folder works when it is copied into another project, and programs with a pool end. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { deno, ended, isGranted, ROOT, tempDir } from "../helpers.ts";

const ignore = !isGranted("read", "write", "run", "net");

/** Returns the files of the folder and their texts. */
function readFolder(): Map<string, string> {
  const names = Array.from(Deno.readDirSync(join(ROOT, "futures")), ({ name }) => name);
  return new Map(names.map((name) => [name, Deno.readTextFileSync(join(ROOT, "futures", name))]));
}

function writeFiles(directory: string, files: Iterable<[name: string, text: string]>): void {
  Deno.mkdirSync(directory, { recursive: true });
  for (const [name, text] of files) Deno.writeTextFileSync(join(directory, name), text);
}

/** Runs a program in a directory that has nothing else but a copy of the folder. */
async function runBesideCopy(source: string, permissions = ["--allow-read=."], first = "") {
  using dir = tempDir();
  const files = readFolder();
  files.set("worker.ts", first + files.get("worker.ts"));
  writeFiles(join(dir.path, "futures"), files);
  writeFiles(dir.path, [["main.ts", source]]);
  const args = ["run", "--no-prompt", "--no-lock", "--quiet", ...permissions, "main.ts"];
  return await ended(deno(args, dir.path).output());
}

Deno.test("the folder imports nothing from outside, and its imports go one way", { ignore }, () => {
  const files = readFolder();
  const importsOf = (name: string) => {
    const code = files.get(name)?.replaceAll(/\/\*\*[^]*?\*\//g, "") ?? "";
    return Array.from(
      code.matchAll(/(?:\bfrom |\bimport ?\(?)"([^"]+)"/g),
      ([, path = ""]) => path,
    );
  };
  const visit = (path: string[]) => {
    for (const imported of importsOf(path.at(-1) ?? "")) {
      assert(files.has(imported.replace("./", "")), `${path} → ${imported}`);
      assert(!path.includes(imported.replace("./", "")), `a cycle: ${path} → ${imported}`);
      visit([...path, imported.replace("./", "")]);
    }
  };
  for (const name of files.keys()) visit([name]);
  assert(importsOf("mod.ts").length > 1);
});

Deno.test("workers start in the form that deno compile recognizes", { ignore }, () => {
  const code = [...readFolder().values()].join("\n");
  assertEquals(code.match(/new Worker\(/g)?.length, 1);
  assertMatch(code, /new Worker\(new URL\("\.\/worker\.ts", import\.meta\.url\),/);
});

Deno.test("deno doc --lint reports nothing", { ignore }, async () => {
  const { code, stderr } = await ended(deno(["doc", "--lint", "futures/mod.ts"], ROOT).output());
  assertEquals(code, 0, stderr);
});

/** The compiler options of other projects, each with code that breaks it. */
const COMPILER_OPTIONS: Record<string, string> = {
  strict: "export const x: string = null;",
  noUncheckedIndexedAccess: "export const f = (x: number[]): number => x[0];",
  exactOptionalPropertyTypes: "export const x: { a?: number } = { a: undefined };",
  noImplicitReturns: "export function f(n: number): number | undefined { if (n) return 1; }",
  noImplicitOverride: "export class A { f(): void {} } export class B extends A { f(): void {} }",
  noPropertyAccessFromIndexSignature:
    "export const f = (x: Record<string, string>): unknown => x.a;",
  isolatedDeclarations: "export const f = (n: number) => n;",
  verbatimModuleSyntax:
    'import { FutureState } from "./futures/mod.ts"; export type S = FutureState;',
  erasableSyntaxOnly: "export enum E { A }",
};

for (const lib of [undefined, ["dom", "dom.iterable", "deno.ns"]]) {
  const libraries = lib ? "the libraries of a browser" : "the default libraries";
  Deno.test(`the folder type-checks strictly with ${libraries}`, { ignore }, async () => {
    using dir = tempDir();
    const options = Object.keys(COMPILER_OPTIONS).map((name) => [name, true]);
    const compilerOptions = { ...Object.fromEntries(options), ...(lib && { lib }) };
    const mistakes = { ...COMPILER_OPTIONS, ...(lib && { lib: "setImmediate(() => {});" }) };
    const files = readFolder();
    writeFiles(join(dir.path, "futures"), files);
    writeFiles(dir.path, [
      ["deno.json", JSON.stringify({ compilerOptions })],
      ["main.ts", Array.from(files.keys(), (name) => `import "./futures/${name}";\n`).join("")],
      ...Object.entries(mistakes).map(([name, text]): [string, string] => [`${name}.ts`, text]),
    ]);
    const names = Object.keys(mistakes).map((name) => `${name}.ts`);
    const { stderr } = await ended(deno(["check", "main.ts", ...names], dir.path).output());
    // Every mistake is an error, and the folder has no error.
    const places = stderr.matchAll(/at file:\S*\/((?:futures\/)?\w+\.ts):/g);
    assertEquals(new Set(Array.from(places, ([, place]) => place)), new Set(names), stderr);
  });
}

Deno.test("the folder works when it is imported over http", { ignore }, async () => {
  using dir = tempDir();
  const files = readFolder();
  const headers = { "content-type": "application/typescript" };
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    const text = files.get(new URL(url).pathname.slice(1));
    return new Response(text ?? "", { status: text ? 200 : 404, headers });
  });
  const host = `127.0.0.1:${server.addr.port}`;
  const source = `
    import { WorkerPoolExecutor } from "http://${host}/mod.ts";
    export const square = (n: number) => n * n;
    if (import.meta.main) {
      await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2 });
      for await (const n of executor.map(square, [3, 1, 2])) console.log(n);
    }`;
  writeFiles(dir.path, [["main.ts", source]]);
  const permissions = ["--allow-read=.", `--allow-import=${host}`, "--reload"];
  const args = ["run", "--no-prompt", "--no-lock", "--quiet", ...permissions, "main.ts"];
  const output = await ended(deno(args, dir.path).output());
  assertEquals(output, { code: 0, stdout: "9\n1\n4\n", stderr: "" });
});

/** The start of each program. */
const PRELUDE = `
  import { Future, wait, WorkerPoolExecutor } from "./futures/mod.ts";
  export const square = (n: number) => n * n;
  export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  export const fail = () => { throw new Error("nobody reads this"); };
  export const close = () => self.close();
  export const leaveTimer = () => { setInterval(() => {}, 1); };
  export const throwLater = () => { setTimeout(fail); return sleep(1e9); };
  export const compute = (gate: Int32Array) => {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    while (true);
  };
  const newPool = (idleTimeout = 1) =>
    new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2, idleTimeout });
`;

/** Main programs that end by themselves, and what they print. */
const PROGRAMS: Record<string, [source: string, stdout: string]> = {
  "never shuts its pool down": [
    "console.log(await newPool().submit(square, 3).result());",
    "9\n",
  ],
  "shuts down a pool whose idle workers stay": [
    `const executor = newPool(Infinity);
    await executor.submit(leaveTimer).result();
    await executor.shutdown();
    console.log("shut down");`,
    "shut down\n",
  ],
  "does not wait for shutdown()": [
    `const executor = newPool(Infinity);
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
  "has tasks that kill their workers": [
    `await using executor = newPool();
    for (const fn of [close, throwLater]) {
      console.log((await executor.submit<unknown[], unknown>(fn).exception() as Error).name);
    }`,
    "WorkerCrashError\nWorkerCrashError\n",
  ],
  "ignores all errors": [
    `await using executor = newPool();
    executor.submit(fail);
    executor.submit(() => 1);
    executor.map(fail, [1, 2, 3]);
    executor.map(fail, [1, 2, 3], { ordered: false, timeout: 1 });`,
    "",
  ],
};

for (const [which, [source, stdout]] of Object.entries(PROGRAMS)) {
  Deno.test(`a program that ${which} ends`, { ignore }, async () => {
    const output = await runBesideCopy(`${PRELUDE} if (import.meta.main) { ${source} }`);
    assertEquals(output, { code: 0, stdout, stderr: "" });
  });
}

/** Main programs without a guard. Each worker runs them again. */
const UNGUARDED: Record<string, string> = {
  "top-level await": `
    await using executor = newPool();
    console.log(await executor.submit(square, 3).result());`,
  "a top-level loop": "for await (const n of newPool().map(square, [1, 2])) console.log(n);",
  "main() that nobody awaits": `
    async function main() {
      await using executor = newPool();
      console.log(await executor.submit(square, 3).result());
    }
    main();`,
  "main() that awaits something else first": `
    async function main() {
      await sleep(50);
      await using executor = newPool();
      for await (const n of executor.map(sleep, [1000, 1000, 1000])) console.log(n);
    }
    main().catch(() => {});`,
  "calls that catch their errors": `
    try {
      const executor = newPool();
      executor.submit(square, 3).result().catch(() => {});
      executor.map(square, [1, 2]);
    } catch {}`,
};

for (const [what, source] of Object.entries(UNGUARDED)) {
  Deno.test(`the pool ends an unguarded program with advice: ${what}`, { ignore }, async () => {
    const { code, stdout, stderr } = await runBesideCopy(PRELUDE + source);
    assertEquals([code, stdout], [1, ""], stderr);
    const [firstLine = ""] = stderr.split("\n");
    assertMatch(firstLine, /call `submit` and `map` only under `if \(import\.meta\.main\)`/);
    assert(!stderr.includes("futures/"), stderr);
  });
}

Deno.test("the examples in the docs print what their comments say", { ignore }, async () => {
  const docs = [...readFolder().values()].join("\n").replaceAll(/^ *\* ?/gm, "");
  const examples = Array.from(docs.matchAll(/```ts\n([^]*?)```/g), ([, code = ""]) => code);
  assert(examples.length >= 4, `found ${examples.length} examples`);
  for (const example of new Set(examples)) {
    const comments = example.matchAll(/console\.log\(.*\/\/ (.*)/g);
    const lines = Array.from(comments, ([, comment = ""]) => comment.replaceAll(", ", "\n"));
    const output = await runBesideCopy(example.replace("./mod.ts", "./futures/mod.ts"));
    assertEquals(output, { code: 0, stdout: `${lines.join("\n")}\n`, stderr: "" });
  }
});

Deno.test("the pool works without Deno.telemetry", { ignore }, async () => {
  const hide = `Reflect.deleteProperty(Deno, "telemetry");\n`;
  const { stdout } = await runBesideCopy(
    `${PRELUDE} if (import.meta.main) console.log(await newPool().submit(square, 3).result());`,
    undefined,
    hide,
  );
  const { stderr } = await runBesideCopy(PRELUDE + UNGUARDED["top-level await"], undefined, hide);
  assertEquals(stdout, "9\n");
  assertStringIncludes(stderr, "import.meta.main");
});

Deno.test("a missing permission to read is named in four lines", { ignore }, async () => {
  const source = `${PRELUDE} if (import.meta.main) {
    const error = await newPool().submit(square, 3).exception();
    await sleep(1); // An error that nobody catches would end the program here.
    console.log((error as Error).name);
    throw error;
  }`;
  const { code, stdout, stderr } = await runBesideCopy(source, []);
  assertEquals([code, stdout], [1, "BrokenExecutorError\n"], stderr);
  assertStringIncludes(stderr, "--allow-read");
  assert(stderr.trimEnd().split("\n").length <= 4, stderr);
});
