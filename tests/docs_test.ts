import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { argsOf, copyPool, Page, writePrograms } from "./readme.ts";
import { deno, output, TempDir, test } from "./testing.ts";

function guide(): Page {
  return Page.read("docs/pool.md");
}

/** Copies the pool and the programs of the guide into `dir`. */
function prepare(dir: TempDir): void {
  copyPool(dir);
  writePrograms(guide(), dir);
}

test("the guide has a command for each program, and no program has more than 15 lines", () => {
  const programs = guide().programs();
  const typed = guide().commands().map(({ line }) => line).join("\n");
  for (const [name, text] of programs) {
    const isLibrary = !/WorkerPoolExecutor\(/.test(text);
    assert(isLibrary || typed.includes(name), `expected a command for ${name}`);
    const [, ...lines] = text.trimEnd().split("\n"); // the first line is the name
    assert(lines.length <= 15, `expected at most 15 lines in ${name}`);
  }
}, { needs: ["read"] });

test("README.md and the guide begin with the same program", () => {
  assertEquals(
    Page.read("README.md").programs().get("squares.ts"),
    guide().programs().get("squares.ts"),
  );
}, { needs: ["read"] });

test("the programs of the guide pass the type checker", async () => {
  await using dir = new TempDir();
  prepare(dir);
  // Nothing answers at the address in this program. Its own test checks it.
  Deno.removeSync(join(dir.path, "remote.ts"));
  const { code, stderr } = await output(deno(["check", "."], { cwd: dir.path }));
  assertEquals(code, 0, stderr);
}, { needs: ["read", "write", "run"] });

test("the executable that the guide compiles contains the code of the workers", async () => {
  await using dir = new TempDir();
  prepare(dir);
  const command = guide().commands().find(({ line }) => line.startsWith("deno compile"));
  assert(command);
  // Deno would download the runtime of the executable. Any file will do, because nothing runs it.
  const env = { DENORT_BIN: Deno.execPath() };
  const { code, stderr } = await output(deno(argsOf(command), { cwd: dir.path, env }));
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /── worker\.ts/);
  assertMatch(stderr, /── squares\.ts/);
}, { needs: ["read", "write", "run"], only: "linux" });
