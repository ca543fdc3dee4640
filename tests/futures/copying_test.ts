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

/** The options of other projects. Each member of a workspace may have options of its own. */
const projects: Record<string, Record<string, unknown>> = {
  strict: { strict: true },
  unchecked: { noUncheckedIndexedAccess: true },
  exact: { exactOptionalPropertyTypes: true },
  returns: { noImplicitReturns: true },
  override: { noImplicitOverride: true },
  signature: { noPropertyAccessFromIndexSignature: true },
  isolated: { isolatedDeclarations: true },
  verbatim: { verbatimModuleSyntax: true },
  erasable: { erasableSyntaxOnly: true },
};
const together = Object.assign({}, ...Object.values(projects));
const browser = { lib: ["dom", "dom.iterable", "deno.ns"] };

/** Code that breaks an option, to see that the option has an effect. */
const mistakes: Record<string, string> = {
  strict: "export const f = (x) => x;",
  unchecked: "export const f = (x: number[]): number => x[0];",
  exact: "export const x: { a?: number } = { a: undefined };",
  returns: "export function f(n: number): number | undefined { if (n) return 1; }",
  override: "export class A { f(): void {} } export class B extends A { f(): void {} }",
  signature: "export const f = (x: { [key: string]: number }): number => x.a;",
  isolated: "export const f = (n: number) => n;",
  verbatim: 'import { FutureState } from "./futures/mod.ts"; export type S = FutureState;',
  erasable: "export enum E { A }",
  together: "export const f = (n: number) => n;",
  browser: "setImmediate(() => {});",
};

/** Type-checks copies of `futures/` in one process, each in a project with its own options. */
async function check(projects: Record<string, Record<string, unknown>>): Promise<void> {
  await using dir = new TempDir();
  const write = (name: string, text: string) => Deno.writeTextFileSync(join(dir.path, name), text);
  const names = Object.keys(projects);
  write("deno.json", JSON.stringify({ workspace: names }));
  for (const [name, compilerOptions] of Object.entries(projects)) {
    copyFutures(join(dir.path, name));
    const imports = futuresFiles().map((file) => `import "./futures/${file.name}";\n`);
    write(`${name}/deno.json`, JSON.stringify({ compilerOptions }));
    write(`${name}/main.ts`, `${imports.join("")}${mistakes[name]}`);
  }
  const files = names.map((name) => `${name}/main.ts`);
  const { stderr } = await output(deno(["check", ...files], { cwd: dir.path }));
  // Every project has an error in main.ts, and none in the pool.
  const places = stderr.matchAll(/at file:\S*\/(\w+\/(?:main|futures\/\w+)\.ts):/g);
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
  "type-checks with each compiler option of the contract, and with all of them": async () => {
    await check({ ...projects, together });
  },
  "type-checks with the types of a browser": async () => {
    await check({ browser });
  },
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
