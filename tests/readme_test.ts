import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { blocks, copyPrograms } from "./readme.ts";
import { deno, output, PROGRAM, ROOT, test } from "./testing.ts";

test("the lesson shows downloadMany as it stands in the three programs", () => {
  const programs = ["flags.ts", "flags_threadpool.ts", "flags_async.ts"];
  const sources = programs.map((name) => Deno.readTextFileSync(join(ROOT, name)));
  const shown = blocks("ts ignore");
  assertEquals(shown.length, 3);
  assert(shown.every((block, i) => sources[i]?.includes(block)));
}, { needs: ["read"] });

test("the program for those who come from Python runs as it stands", async () => {
  await using dir = copyPrograms();
  const [program = ""] = blocks("ts");
  Deno.writeTextFileSync(join(dir.path, "main.ts"), program);
  const args = ["run", "--no-prompt", "--allow-read", "main.ts"];
  const { code, stdout, stderr } = await output(deno(args, { cwd: dir.path }));
  assertEquals([code, stderr], [0, ""]);
  const results = Array.from(
    stdout.matchAll(/^<Future #\d state=finished returned number> (\d+)$/gm),
  );
  assertEquals(results.map(([, n]) => Number(n)).sort((a, b) => a - b), [0, 1, 4, 9, 16]);
}, { needs: PROGRAM });

test("the README has at most 400 lines", () => {
  const lines = Deno.readTextFileSync(join(ROOT, "README.md")).split("\n").length;
  assertGreater(401, lines);
}, { needs: ["read"] });
