import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { makeUnfinished, removeUnfinished, writeWhole } from "../../common/files.ts";
import { deno, output, PROGRAM, TempDir, test } from "../testing.ts";

const BYTES = new Uint8Array([1, 2, 3]);

/** Runs `fn` in an empty directory that has an empty `downloaded/`. */
async function inEmptyDirectory(fn: (dir: TempDir) => void): Promise<void> {
  await using dir = new TempDir();
  const cwd = Deno.cwd();
  Deno.mkdirSync(join(dir.path, "downloaded"));
  Deno.chdir(dir.path);
  try {
    fn(dir);
  } finally {
    Deno.chdir(cwd);
  }
}

/** The status of the error, or `"written"`. */
function write(path: string): string {
  try {
    writeWhole(path, BYTES);
    return "written";
  } catch (error) {
    return error instanceof Error && "status" in error ? `${error.status}` : `${error}`;
  }
}

test(
  "the clean-up leaves the complete files of a run, and nothing else",
  () =>
    inEmptyDirectory((dir) => {
      makeUnfinished();
      assertEquals(write("downloaded/BR.gif"), "written");
      Deno.mkdirSync("downloaded/CN.gif");
      assertEquals(write("downloaded/CN.gif"), "failed");
      Deno.removeSync("downloaded/CN.gif");
      removeUnfinished();
      assertEquals(dir.downloaded(), new Map([["BR.gif", BYTES]]));
    }),
  { needs: ["read", "write"] },
);

test(
  "after the clean-up, no file can be written and no directory appears",
  () =>
    inEmptyDirectory((dir) => {
      makeUnfinished();
      removeUnfinished();
      assertEquals(write("downloaded/BR.gif"), "unwritable");
      assertEquals(dir.downloaded(), new Map());
    }),
  { needs: ["read", "write"] },
);

test("the clean-up removes the files of its own run only", () =>
  inEmptyDirectory((dir) => {
    const other = join("downloaded", `.unfinished-${Deno.pid + 1}`);
    Deno.mkdirSync(other);
    Deno.writeFileSync(join(other, "file"), BYTES);
    makeUnfinished();
    removeUnfinished();
    assertEquals([...Deno.readDirSync(join(dir.path, other))].length, 1);
  }), { needs: ["read", "write"] });

test("a program without a run can write files too", () =>
  inEmptyDirectory((dir) => {
    assertEquals(write("downloaded/BR.gif"), "written");
    assertEquals(dir.downloaded(), new Map([["BR.gif", BYTES]]));
  }), { needs: ["read", "write"] });

/** Four workers write files without a pause until the main thread has cleaned up. */
const WRITERS = `
import { makeUnfinished, removeUnfinished, writeWhole } from "FILES";
if (self.name !== "writer") {
  Deno.mkdirSync("downloaded");
  makeUnfinished();
  const ready = [1, 2, 3, 4].map((number) => {
    const worker = new Worker(import.meta.url, { type: "module", name: "writer" });
    worker.postMessage(number);
    return new Promise((resolve) => worker.onmessage = resolve);
  });
  await Promise.all(ready);
  const directory = Deno.realPathSync("downloaded");
  removeUnfinished();
  await new Promise((resolve) => setTimeout(resolve, 50));
  console.log(Array.from(Deno.readDirSync(directory), ({ name }) => name).sort().join(" "));
  Deno.exit();
}
self.onmessage = ({ data }) => {
  writeWhole("downloaded/A" + data + ".gif", new Uint8Array(1000));
  self.postMessage("ready");
  for (;;) {
    try {
      writeWhole("downloaded/A" + data + ".gif", new Uint8Array(1000));
    } catch {
      // The clean-up has begun.
    }
  }
};
`;

test("the clean-up leaves no unfinished files, even if workers are writing", async () => {
  await using dir = new TempDir();
  const script = join(dir.path, "writers.ts");
  const files = import.meta.resolve("../../common/files.ts");
  Deno.writeTextFileSync(script, WRITERS.replace("FILES", files));
  for (let run = 0; run < 5; run++) {
    await using cwd = new TempDir();
    const args = ["run", "--allow-all", "--no-check", script];
    const { stdout, stderr } = await output(deno(args, { cwd: cwd.path }));
    assertEquals([stdout, stderr], ["A1.gif A2.gif A3.gif A4.gif\n", ""]);
  }
}, { needs: PROGRAM });
