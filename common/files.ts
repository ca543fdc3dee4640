/**
 * Writes files that are either complete or absent, even if the program is interrupted.
 *
 * @module
 */

/** The end of the names of the unfinished files of this process. */
const UNFINISHED = `.${Deno.pid}.part`;

/** Writes a file atomically: writes an unfinished file beside it, and then renames that file. */
export function writeWhole(path: string, bytes: Uint8Array): void {
  const unfinished = `${path}${UNFINISHED}`;
  Deno.writeFileSync(unfinished, bytes);
  Deno.renameSync(unfinished, path);
}

/**
 * Removes the files in `directory` that this process could not finish. Call this function last,
 * because it changes the current directory. Workers then cannot write files with relative paths.
 */
export function removeUnfinished(directory: string): void {
  // The path is absolute, because the permission may not cover the target of a symbolic link.
  const path = `${Deno.cwd()}/${directory}`;
  try {
    Deno.chdir(directory);
  } catch {
    return; // The directory is gone.
  }
  for (const { name } of Deno.readDirSync(path)) {
    if (!name.endsWith(UNFINISHED)) continue;
    try {
      Deno.removeSync(`${path}/${name}`);
    } catch {
      // A worker has just renamed the file.
    }
  }
}
