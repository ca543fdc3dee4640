/** A file is whole or absent, and a run leaves no unfinished files, even behind a symbolic link. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { writeWhole } from "../../common/files.ts";
import { isSystemError } from "../../common/flag.ts";
import { deno, ended, flagSite, isGranted, run, tempDir } from "../helpers.ts";

const ignore = !isGranted("net", "read", "run", "write");

function namesIn(path: string): string[] {
  return Array.from(Deno.readDirSync(path), ({ name }) => name).sort();
}

Deno.test("writeWhole replaces a file, but does not write into it", { ignore }, () => {
  using dir = tempDir();
  const path = join(dir.path, "BR.gif");
  const link = join(dir.path, "link");
  Deno.writeTextFileSync(path, "old");
  Deno.linkSync(path, link);
  writeWhole(path, new TextEncoder().encode("new"));
  assertEquals([Deno.readTextFileSync(path), Deno.readTextFileSync(link)], ["new", "old"]);
  assertEquals(namesIn(dir.path), ["BR.gif", "link"]);
});

Deno.test("writeWhole throws an error of the system if it cannot rename", { ignore }, () => {
  using dir = tempDir();
  const path = join(dir.path, "BR.gif");
  Deno.mkdirSync(path);
  assertEquals(isSystemError(assertThrows(() => writeWhole(path, new Uint8Array(3)))), true);
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
  const names = namesIn(join(dir.path, "downloaded")).filter((name) => !/^[A-I]\.gif$/.test(name));
  const parts = ["BR.gif", "NEVER.gif.PID.part", "OTHER.gif.PID.part"];
  assertEquals(names.map((name) => name.replace(/\d+/, "PID")), parts);
});

Deno.test("an error of the disk is one line, and leaves no file behind a symbolic link", {
  ignore: ignore || Deno.build.os === "windows",
}, async () => {
  using dir = tempDir();
  await using site = flagSite();
  const images = join(dir.path, "images");
  Deno.mkdirSync(join(images, "CN.gif"), { recursive: true });
  Deno.symlinkSync("images", join(dir.path, "downloaded"));
  const { code, stderr } = await run(`flags_threadpool.ts BR CN -s ${site.url}`, dir.path);
  assertEquals([code, namesIn(images)], [1, ["BR.gif", "CN.gif"]]);
  assertMatch(stderr, /^flags_threadpool\.ts: .*\nCN: .*CN\.gif.*\n$/);
});
