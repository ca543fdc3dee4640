/** The tests of `futures/` in other people's projects. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { deno, output, PROGRAM, TempDir, test, testSideBySide } from "../testing.ts";
import { copyFutures, futuresFiles } from "./copy.ts";

/** Returns the files that each file of `futures/` imports. */
function importsOf(): Map<string, string[]> {
  const isImport = /^(?:import|export)\s(?:[^;"]*?\sfrom\s)?"([^"]+)"|\bimport\("([^"]+)"\)/gm;
  return new Map(
    futuresFiles().map(({ name, text }) => [
      name,
      Array.from(
        text.replaceAll(/\/\*\*[^]*?\*\//g, "").matchAll(isImport),
        ([, a, b]) => a ?? b ?? "",
      ),
    ]),
  );
}

test("futures/ imports nothing from outside itself", () => {
  const names = futuresFiles().map(({ name }) => `./${name}`);
  for (const [file, imports] of importsOf()) {
    for (const name of imports) assert(names.includes(name), `${file} imports ${name}`);
  }
}, { needs: ["read"] });

test("the imports of futures/ go one way", () => {
  const imports = importsOf();
  const check = (path: string[]) => {
    for (const name of imports.get(path.at(-1) ?? "") ?? []) {
      const next = [...path, name.replace("./", "")];
      assertEquals(new Set(next).size, next.length, `a cycle: ${next.join(" → ")}`);
      check(next);
    }
  };
  for (const name of imports.keys()) check([name]);
  assertEquals(imports.has("mod.ts") && imports.has("worker.ts"), true);
}, { needs: ["read"] });

test("the pool starts its workers in the form that deno compile recognizes", () => {
  const all = futuresFiles().map(({ text }) => text).join("\n");
  const form = /new Worker\(\s*new URL\("\.\/worker\.ts", import\.meta\.url\),/;
  assertMatch(all, form);
  assertEquals(all.match(/new Worker\(/g)?.length, 1);
}, { needs: ["read"] });

/** The compiler options of other projects. Each option only adds errors. */
const ALL_OPTIONS = {
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

/** The libraries of a project for browsers. */
const BROWSER_LIBS = ["dom", "dom.iterable", "deno.ns"];

/** Code that breaks an option, to see that the option has an effect. */
const MISTAKES: Record<keyof typeof ALL_OPTIONS, string> = {
  strict: "export const x: string = null;",
  noUncheckedIndexedAccess: "export const f = (x: number[]): number => x[0];",
  exactOptionalPropertyTypes: "export const x: { a?: number } = { a: undefined };",
  noImplicitReturns: "export function f(n: number): number | undefined { if (n) return 1; }",
  noImplicitOverride: "export class A { f(): void {} } export class B extends A { f(): void {} }",
  noPropertyAccessFromIndexSignature:
    "export const f = (x: { [key: string]: number | undefined }): number => x.a ?? 0;",
  isolatedDeclarations: "export const f = (n: number) => n;",
  verbatimModuleSyntax:
    'import { FutureState } from "./futures/mod.ts"; export type S = FutureState;',
  erasableSyntaxOnly: "export enum E { A }",
};

/**
 * Type-checks a copy of `futures/` in a project with all options and optionally other libraries.
 */
async function check(lib?: string[]): Promise<void> {
  await using dir = new TempDir();
  const write = (name: string, text: string) => Deno.writeTextFileSync(join(dir.path, name), text);
  copyFutures(dir.path);
  const imports = futuresFiles().map(({ name }) => `import "./futures/${name}";\n`).join("");
  write("deno.json", JSON.stringify({ compilerOptions: { ...ALL_OPTIONS, ...(lib && { lib }) } }));
  write("main.ts", imports);
  const mistakes = { ...MISTAKES, ...(lib && { lib: "setImmediate(() => {});" }) };
  for (const [option, mistake] of Object.entries(mistakes)) write(`${option}.ts`, mistake);
  const files = Object.keys(mistakes).map((option) => `${option}.ts`);
  const { stderr } = await output(deno(["check", "main.ts", ...files], { cwd: dir.path }));
  // Every mistake is an error, and the pool has none.
  const places = stderr.matchAll(/at file:\S*\/((?:futures\/)?\w+\.ts):/g);
  assertEquals(new Set(places.map(([, place]) => place)), new Set(files), stderr);
}

/** Serves `futures/` on a free port. */
function serveFutures(): Deno.HttpServer<Deno.NetAddr> {
  const files = new Map(futuresFiles().map(({ name, text }) => [`/futures/${name}`, text]));
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    const text = files.get(new URL(url).pathname);
    const headers = { "content-type": "application/typescript" };
    return new Response(text ?? null, { status: text === undefined ? 404 : 200, headers });
  });
}

testSideBySide("futures/ in other people's projects", {
  "type-checks with all options that make the compiler stricter": () => check(),
  "type-checks with these options in a browser's project": () => check(BROWSER_LIBS),
  "runs when it is imported over http, with --allow-read=. and --allow-import=HOST": async () => {
    await using dir = new TempDir();
    await using server = await serveFutures();
    const host = `127.0.0.1:${server.addr.port}`;
    Deno.writeTextFileSync(
      join(dir.path, "main.ts"),
      `import { WorkerPoolExecutor } from "http://${host}/futures/mod.ts";
      export const square = (n: number) => n * n;
      if (import.meta.main) {
        await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: 2 });
        for await (const n of executor.map(square, [3, 1, 2])) console.log(n);
      }`,
    );
    const allow = ["--allow-read=.", `--allow-import=${host}`];
    const args = ["run", "--no-prompt", "--no-lock", "--quiet", ...allow, "main.ts"];
    const env = { DENO_DIR: join(dir.path, "cache") };
    const ended = await output(deno(args, { cwd: dir.path, env }));
    assertEquals(ended, { code: 0, stdout: "9\n1\n4\n", stderr: "" });
  },
}, { needs: PROGRAM });
