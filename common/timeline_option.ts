/**
 * Parses the option `--timeline [FILE]`, and shows or writes the timelines that a user requests.
 *
 * @module
 */
import { DEST_DIR } from "./flag.ts";
import { reason } from "./terminal.ts";
import { type Chart, svgTimeline, textTimeline, traceTimeline } from "./timeline.ts";

/** The value of `--timeline`: `false` (off), `true` (text) or a file name. */
export type TimelineOption = boolean | string;

/** The width of a text timeline if stdout is not a terminal. */
const DEFAULT_COLUMNS = 80;

const OPTION = "--timeline";

/**
 * Extracts `--timeline`, `--timeline FILE` and `--timeline=FILE` from the arguments that come
 * before `--`. After a space, an argument is taken as FILE only if it contains a dot or a slash. If
 * the option is repeated, the last value wins.
 *
 * @throws {Error} if FILE ends neither in .svg nor in .json
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(timelineOption(["--timeline", "x.svg", "BR"]), { timeline: "x.svg", rest: ["BR"] });
 * assertEquals(timelineOption(["--timeline", "BR"]), { timeline: true, rest: ["BR"] });
 * ```
 */
export function timelineOption(
  args: readonly string[],
): { timeline: TimelineOption; rest: string[] } {
  const separator = args.indexOf("--");
  const count = separator === -1 ? args.length : separator;
  const rest: string[] = [];
  let timeline: TimelineOption = false;
  for (const [i, arg] of args.slice(0, count).entries()) {
    if (arg === OPTION) timeline = true;
    else if (arg.startsWith(`${OPTION}=`)) timeline = checkFile(arg.slice(OPTION.length + 1));
    else if (args[i - 1] === OPTION && looksLikeFile(arg)) timeline = checkFile(arg);
    else rest.push(arg);
  }
  return { timeline, rest: [...rest, ...args.slice(count)] };
}

function looksLikeFile(arg: string): boolean {
  return !arg.startsWith("-") && /[./\\]/.test(arg);
}

function checkFile(file: string): string {
  if (/\.(svg|json)$/i.test(file)) return file;
  throw new Error(
    `${OPTION}: expected a file that ends in .svg or .json, got ${file || "nothing"}`,
  );
}

/**
 * Checks that the file can be written, without changing it.
 *
 * @throws {Error} with the message `cannot write FILE: …`, which gives the reason or the permission
 * to add
 */
export function checkTimeline(option: TimelineOption): void {
  if (typeof option !== "string") return;
  orCannotWrite(option, () => {
    try {
      Deno.openSync(option, { write: true, createNew: true }).close();
      Deno.removeSync(option);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      // Writing to a pipe could block the program forever.
      if (Deno.statSync(option).isFifo) throw new Error("expected a file, got a pipe");
      Deno.openSync(option, { write: true }).close();
    }
  });
}

/**
 * Writes the charts to the file, or returns them as text that fits the width of the terminal (80
 * columns if there is no terminal). Draws nothing if the option is off or if there are no spans.
 *
 * @throws {Error} with the message `cannot write FILE: …`, as `checkTimeline` does
 */
export function showTimeline(charts: readonly Chart[], option: TimelineOption): string {
  if (option === false || charts.every(({ spans }) => spans.length === 0)) return "";
  if (option === true) return textTimeline(charts, columns());
  const drawing = /json$/i.test(option) ? traceTimeline(charts) : svgTimeline(charts);
  orCannotWrite(option, () => Deno.writeTextFileSync(option, drawing));
  return "";
}

/** Returns the width of the terminal. A terminal may have a width of 0, which means unknown. */
function columns(): number {
  if (!Deno.stdout.isTerminal()) return DEFAULT_COLUMNS;
  return Deno.consoleSize().columns || DEFAULT_COLUMNS;
}

/** Calls `write`, which writes `file`. If `write` throws, throws an error that names the file. */
function orCannotWrite(file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const isDenied = error instanceof Deno.errors.NotCapable;
    const why = isDenied ? permissionAdvice(file) : reason(error);
    throw new Error(`cannot write ${file}: ${why}`, { cause: error });
  }
}

/**
 * Returns the permission to add. Names the directory for the images if the program may write there.
 */
function permissionAdvice(file: string): string {
  const { state } = Deno.permissions.querySync({ name: "write", path: DEST_DIR });
  const elsewhere = state === "granted" ? `, or write into ${DEST_DIR}/` : "";
  return `add --allow-write=${file}${elsewhere}`;
}
