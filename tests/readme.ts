/** What the README shows: programs, and commands as tests. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { deno, output, ROOT, TempDir } from "./testing.ts";

/** What stands between the fences of a language in the README. */
export function blocks(language: string): string[] {
  const readme = Deno.readTextFileSync(join(ROOT, "README.md"));
  const fences = readme.matchAll(/^```(.*)\n([^]*?)^```$/gm);
  return Array.from(fences).flatMap(([, name, text = ""]) => name === language ? text : []);
}

/** A copy of the programs, to run them in. */
export function copyPrograms(): TempDir {
  const dir = new TempDir();
  for (const { name, isFile } of Deno.readDirSync(ROOT)) {
    if (isFile) Deno.copyFileSync(join(ROOT, name), join(dir.path, name));
  }
  return dir;
}

/** The commands that run offline and end: the programs, not the tests and benchmarks. */
export function commands(): Record<string, () => Promise<void>> {
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
