/**
 * Helpers for the tests of the programs that download flags.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { serveFlags, type SiteOptions } from "../flags_server.ts";
import { packageFlag, type TempDir } from "./testing.ts";

/** The programs that download flags in one way. */
export const PROGRAMS = ["flags.ts", "flags_threadpool.ts", "flags_async.ts", "flags_futures.ts"];

/** All programs that download flags. */
export const DOWNLOADERS = [...PROGRAMS, "compare.ts"];

/** A site with the real flags. It answers at once, unless the options say otherwise. */
export function flagSite(options: SiteOptions = {}): { url: string } & AsyncDisposable {
  const server = serveFlags(options);
  return {
    url: `http://127.0.0.1:${server.addr.port}/flags`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Returns the lines of stderr after the first line, with which every run begins. */
export function failures(stderr: string): string[] {
  return stderr.split("\n").slice(1, -1);
}

/** Returns the lines of stderr without the line that a run with one flag begins with. */
export function errorLines(stderr: string): string[] {
  return stderr.split("\n").slice(0, -1).filter((line) => !line.startsWith("1 flag from "));
}

/** Asserts that `downloaded/` contains only complete flags. Returns their number. */
export function countWhole(dir: TempDir): number {
  const files = dir.downloaded();
  assertEquals([...files.keys()].filter((name) => !/^[A-Z]{2}\.gif$/.test(name)), []);
  for (const [name, bytes] of files) {
    assertEquals([name, bytes], [name, packageFlag(name.slice(0, 2))]);
  }
  return files.size;
}

/** The output for one downloaded flag. */
export const ARRIVED = /^[A-Z]{2} /m;

/** Asserts that stdout reports an interrupted run with the flags that had arrived. */
export function assertInterrupted(stdout: string, dir: TempDir, connections: number): void {
  const [, count] = stdout.match(/^(\d+) downloads? in \d+\.\d\ds, interrupted$/m) ?? [];
  // Flags that arrived during the interruption may not have been counted.
  const uncounted = countWhole(dir) - Number(count);
  assert(uncounted >= 0 && uncounted < connections, `${stdout}\n${uncounted} files more`);
}

/** The signals that end a program, each with the program's exit code. */
export const SIGNALS = [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const;
