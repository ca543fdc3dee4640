/**
 * Writes files atomically, so that the images are never incomplete.
 *
 * @module
 */
import { join } from "@std/path/posix/join";
import { DEST_DIR, type Failure } from "./flag.ts";
import { FlagError } from "./errors.ts";
import { reason } from "./terminal.ts";

/** The prefix of the names of temporary files. */
const UNFINISHED = `.unfinished-${Deno.pid}-`;

/**
 * Writes a file atomically: writes a temporary file, and then renames it. Throws if the file cannot
 * be written.
 */
export function writeWhole(path: string, bytes: Uint8Array): void {
  const unfinished = join(DEST_DIR, UNFINISHED + crypto.randomUUID());
  try {
    Deno.writeFileSync(unfinished, bytes);
  } catch (error) {
    // If a new temporary file cannot be written, no other flag can be saved either.
    throw writeError(path, error, "unwritable");
  }
  try {
    Deno.renameSync(unfinished, path);
  } catch (error) {
    throw writeError(path, error, "failed");
  }
}

function writeError(path: string, error: unknown, status: Failure["status"]): unknown {
  if (error instanceof Deno.errors.NotCapable) return error;
  const why = reason(error);
  const passes = why.startsWith("Too many open files");
  return new FlagError(`cannot write ${path}: ${why}`, passes ? "failed" : status);
}

/** Removes the temporary files that workers left when the program ended. */
export function removeUnfinished(): void {
  try {
    // Workers use relative paths, so this change of directory makes their next writes fail.
    Deno.chdir(DEST_DIR);
    for (const { name } of [...Deno.readDirSync(".")]) {
      if (name.startsWith(UNFINISHED)) Deno.removeSync(name);
    }
  } catch {
    // The directory is missing, or the program may not read or change it.
  }
}
