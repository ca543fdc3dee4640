/** Copies `futures/` and runs programs beside the copy. */

import { join } from "@std/path";
import { deno, type Ended, output, ROOT, TempDir } from "../testing.ts";

const FOLDER = join(ROOT, "futures");

/** Returns the files of `futures/`. */
export function futuresFiles(): { name: string; text: string }[] {
  const names = Array.from(Deno.readDirSync(FOLDER), ({ name }) => name);
  return names.map((name) => ({ name, text: Deno.readTextFileSync(join(FOLDER, name)) }));
}

/** Copies `futures/` into `dir`. */
export function copyFutures(dir: string): void {
  Deno.mkdirSync(join(dir, "futures"), { recursive: true });
  for (const { name, text } of futuresFiles()) {
    Deno.writeTextFileSync(join(dir, "futures", name), text);
  }
}

/** Runs a program beside a copy of `futures/`. */
export async function runBesideCopy(source: string, allow = ["--allow-read"]): Promise<Ended> {
  await using dir = new TempDir();
  copyFutures(dir.path);
  Deno.writeTextFileSync(join(dir.path, "main.ts"), source);
  const args = ["run", "--no-prompt", "--no-lock", "--quiet", ...allow, "main.ts"];
  return await output(deno(args, { cwd: dir.path }));
}
