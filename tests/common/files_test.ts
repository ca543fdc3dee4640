/** A file is whole or absent, and a run leaves no unfinished files, even behind a symbolic link. */
import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { writeWhole } from "../../common/files.ts";
import { countWholeFlags, deno, ended, flagSite, isGranted, run, tempDir } from "../helpers.ts";

const ignore = !isGranted("net", "read", "run", "write");

const BYTES = new Uint8Array([1, 2, 3]);

/** Returns the names in a directory. */
function namesIn(...path: [string, ...string[]]): string[] {
  return Array.from(Deno.readDirSync(join(...path)), ({ name }) => name).sort();
}

Deno.test("writeWhole replaces a file and leaves nothing beside it", { ignore }, () => {
  using dir = tempDir();
  const path = join(dir.path, "BR.gif");
  Deno.writeTextFileSync(path, "an older flag");
  writeWhole(path, BYTES);
  assertEquals([namesIn(dir.path), Deno.readFileSync(path)], [["BR.gif"], BYTES]);
});

Deno.test("writeWhole throws an error of the system if it cannot rename", { ignore }, () => {
  using dir = tempDir();
  const path = join(dir.path, "BR.gif");
  Deno.mkdirSync(path);
  const error = assertThrows(() => writeWhole(path, BYTES));
  assertEquals(error instanceof Error && "code" in error, true);
  assertEquals(namesIn(path), []);
});

/** Cannot finish nine files, cleans up, and says what it can write before and after. */
const CLEAN_UP = `
import { removeUnfinished, writeWhole } from "${import.meta.resolve("../../common/files.ts")}";
const write = (cc) => {
  try {
    writeWhole(\`downloaded/\${cc}.gif\`, new Uint8Array(3));
    return true;
  } catch {
    return false;
  }
};
for (const cc of "ABCDEFGHI") Deno.mkdirSync(\`downloaded/\${cc}.gif\`, { recursive: true });
Deno.writeTextFileSync(\`downloaded/OTHER.gif.\${Deno.pid + 1}.part\`, "");
// This directory cannot be removed. That must not keep the files.
Deno.mkdirSync(\`downloaded/NEVER.gif.\${Deno.pid}.part/x\`, { recursive: true });
console.log(write("BR"), ...Array.from("ABCDEFGHI", write));
removeUnfinished("downloaded");
console.log(write("US"));
removeUnfinished("a directory that is gone");
`;

Deno.test("removeUnfinished removes the files of its own process", { ignore }, async () => {
  using dir = tempDir();
  const script = join(dir.path, "clean_up.js");
  Deno.writeTextFileSync(script, CLEAN_UP);
  const args = ["run", "--no-config", "--allow-read", "--allow-write", script];
  const { stdout, stderr } = await ended(deno(args, dir.path).output());
  assertEquals([stdout, stderr], [`true${" false".repeat(9)}\nfalse\n`, ""]);
  const names = namesIn(dir.path, "downloaded").filter((name) => name.length > "A.gif".length);
  const parts = ["BR.gif", "NEVER.gif.PID.part", "OTHER.gif.PID.part"];
  assertEquals(names.map((name) => name.replace(/\d+/, "PID")), parts);
});

for (const program of ["flags.ts", "flags_threadpool.ts"]) {
  Deno.test(`${program} writes whole flags through a symbolic link, and nothing else`, {
    ignore: ignore || Deno.build.os === "windows",
  }, async () => {
    using dir = tempDir();
    await using site = flagSite();
    const images = join(dir.path, "images");
    Deno.mkdirSync(join(images, "CN.gif"), { recursive: true });
    Deno.symlinkSync("images", join(dir.path, "downloaded"));
    const { code } = await run(program, ["BR", "CN", "-s", site.url], dir.path);
    assertEquals([code, namesIn(images)], [1, ["BR.gif", "CN.gif"]]);
    Deno.removeSync(join(images, "CN.gif"));
    assertEquals(countWholeFlags(dir.path), 1);
  });
}
