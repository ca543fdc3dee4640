/**
 * Writes files that are either complete or absent, even if the program is interrupted.
 *
 * @module
 */
import { FlagError } from "./errors.ts";
import { DEST_DIR, type Failure } from "./flag.ts";
import { reason } from "./terminal.ts";

/** The directory for unfinished files, below `DEST_DIR`. Each run has its own directory. */
const UNFINISHED = `.unfinished-${Deno.pid}`;

/**
 * Makes the directory for the unfinished files of this run. The main thread calls this function
 * once, after `onSignal`. Before `onSignal`, a signal would end the program without a clean-up. No
 * worker may make the directory, because a worker could make it again after the clean-up.
 */
export function makeUnfinished(): void {
  try {
    Deno.mkdirSync(`${DEST_DIR}/${UNFINISHED}`, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    // For example, the disk is full. The first download reports the reason.
  }
}

/**
 * Writes a file atomically: writes a temporary file, and then renames it. Throws if the file cannot
 * be written.
 */
export function writeWhole(path: string, bytes: Uint8Array): void {
  let unfinished: string;
  try {
    unfinished = writeUnfinished(bytes);
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

/** Writes a temporary file and returns its path. */
function writeUnfinished(bytes: Uint8Array): string {
  const name = crypto.randomUUID();
  const path = `${DEST_DIR}/${UNFINISHED}/${name}`;
  try {
    Deno.writeFileSync(path, bytes);
    return path;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  // The caller is not part of a run. (After the clean-up, writing to this path fails, too.)
  const pathOutsideRun = `${DEST_DIR}/${UNFINISHED}-${name}`;
  Deno.writeFileSync(pathOutsideRun, bytes);
  return pathOutsideRun;
}

function writeError(path: string, error: unknown, status: Failure["status"]): unknown {
  // A TypeError is a bug in the program, for example a promise instead of bytes.
  if (error instanceof Deno.errors.NotCapable || error instanceof TypeError) return error;
  const why = reason(error);
  // Other downloads will soon close their files.
  const isTemporary = why.startsWith("Too many open files");
  return new FlagError(`cannot write ${path}: ${why}`, isTemporary ? "failed" : status);
}

/**
 * Removes the unfinished files of this run. Workers may still be writing, so the directory is
 * renamed first. After that, no worker can create a file in it.
 */
export function removeUnfinished(): void {
  try {
    // Workers use relative paths, so a change of directory makes their next writes fail.
    Deno.chdir(DEST_DIR);
    removeAll(rename(UNFINISHED, `${UNFINISHED}-${crypto.randomUUID()}`));
  } catch {
    // The directory is missing, or the program may not read or change it.
  }
}

/** Renames a directory and returns its name. */
function rename(from: string, to: string): string {
  try {
    Deno.renameSync(from, to);
    return to;
  } catch {
    // Windows does not rename a directory while a worker has a file open in it.
    return from;
  }
}

/** Removes a directory. Tries again if a worker is creating or writing a file in the directory. */
function removeAll(directory: string): void {
  const maxTries = 10;
  for (let tries = 1; tries <= maxTries; tries++) {
    try {
      return remove(directory);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || tries === maxTries) throw error;
      sleepSync(2);
    }
  }
}

function remove(directory: string): void {
  try {
    // Unlike a recursive removal, this also works if the program has too many open files.
    Deno.removeSync(directory);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw error;
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Blocks this thread, but not the workers. */
function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
