import { assertEquals, assertGreater } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { granted, TempDir } from "./programs.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/** The commands of the README that run offline and end: the programs, not the tests and benchmarks. */
function commands(): string[] {
  const readme = Deno.readTextFileSync(join(ROOT, "README.md"));
  const all = Array.from(readme.matchAll(/^\$ (deno (?:run|task) .+)$/gm), ([, line = ""]) => line);
  return all.filter((line) => !line.startsWith("deno task bench"));
}

/** A copy of the programs, to run them in. */
function copyPrograms({ path }: TempDir): void {
  for (const { name, isFile } of Deno.readDirSync(ROOT)) {
    if (isFile) Deno.copyFileSync(join(ROOT, name), join(path, name));
  }
  Deno.mkdirSync(join(path, "docs"));
}

Deno.test({
  name: "the commands of the README do what it says",
  ignore: !granted,
  async fn(t) {
    await using dir = new TempDir();
    copyPrograms(dir);
    assertGreater(commands().length, 10);
    for (const line of commands()) {
      const [command = "", comment = ""] = line.split("   #");
      await t.step(command, async () => {
        const { code } = await new Deno.Command(Deno.execPath(), {
          args: command.split(" ").slice(1),
          cwd: dir.path,
          stdin: "null",
          stdout: "null",
          stderr: "null",
        }).output();
        assertEquals(code, comment.includes("fails") ? 1 : 0);
      });
    }
  },
});
