import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { deno, output, PROGRAM, ROOT, TempDir, test, testSideBySide } from "./testing.ts";

/** What stands between the fences of a language in the README. */
function blocks(language: string): string[] {
  const readme = Deno.readTextFileSync(join(ROOT, "README.md"));
  const fences = readme.matchAll(/^```(.*)\n([^]*?)^```$/gm);
  return Array.from(fences).flatMap(([, name, text = ""]) => name === language ? text : []);
}

/** A copy of the programs, to run them in. */
function copyPrograms(): TempDir {
  const dir = new TempDir();
  for (const { name, isFile } of Deno.readDirSync(ROOT)) {
    if (isFile) Deno.copyFileSync(join(ROOT, name), join(dir.path, name));
  }
  return dir;
}

test("the lesson shows downloadMany as it stands in the three programs", () => {
  const programs = ["flags.ts", "flags_threadpool.ts", "flags_async.ts"];
  const sources = programs.map((name) => Deno.readTextFileSync(join(ROOT, name)));
  const shown = blocks("ts ignore");
  assertEquals(shown.length, 3);
  assert(shown.every((block, i) => sources[i]?.includes(block)));
}, { needs: ["read"] });

/** The commands that run offline and end: the programs, not the tests and benchmarks. */
function commands(): Record<string, () => Promise<void>> {
  const lines = blocks("console").flatMap((block) =>
    block.match(/^\$ deno (run|task) .+$/gm) ?? []
  );
  const programs = lines.filter((line) => !line.includes("task bench"));
  return Object.fromEntries(programs.map((line) => [line, async () => {
    await using dir = copyPrograms();
    const [command = "", comment = ""] = line.split("   #");
    const { code, stderr } = await output(deno(command.split(" ").slice(2), { cwd: dir.path }));
    assertEquals([code, stderr.includes("error: ")], [comment.includes("fails") ? 1 : 0, false]);
  }]));
}

const granted = PROGRAM.every((name) => Deno.permissions.querySync({ name }).state === "granted");

testSideBySide("the commands of the README do what it says", granted ? commands() : {}, {
  needs: PROGRAM,
});

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
