/**
 * What the benchmarks share: medians, Markdown tables, the machine, whole processes timed.
 *
 * @module
 */

/**
 * The value in the middle, or the mean of the two that are.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(median([30, 1, 2]), 2);
 * assertEquals(median([1, 2, 4, 30]), 3);
 * ```
 */
export function median(xs: number[]): number {
  const sorted = xs.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? NaN;
  return (at(Math.ceil(xs.length / 2 - 1)) + at(Math.floor(xs.length / 2))) / 2;
}

/**
 * How far figures are apart, from the middle to either end, in per cent of their median.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(spread([90, 100, 110]), "±10%");
 * ```
 */
export function spread(xs: number[]): string {
  const half = (Math.max(...xs) - Math.min(...xs)) / 2;
  return `±${(half / median(xs) * 100).toFixed()}%`;
}

/**
 * A Markdown table: the first column to the left, the others to the right.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const expected = "| pool | ms |\n| :--- | -: |\n| Deno |  7 |";
 * assertEquals(table(["pool", "ms"], [["Deno", 7]]), expected);
 * ```
 */
export function table(header: string[], rows: (string | number)[][]): string {
  const cells = [header, ...rows.map((row) => row.map(String))];
  const widths = header.map((_, i) => Math.max(2, ...cells.map((row) => row[i]?.length ?? 0)));
  const line = (row: string[]) => `| ${row.join(" | ")} |`;
  const rule = widths.map((width, i) =>
    i ? "-".repeat(width - 1) + ":" : ":" + "-".repeat(width - 1)
  );
  const [head = "", ...body] = cells.map((row) =>
    line(
      widths.map((width, i) => i ? (row[i] ?? "").padStart(width) : (row[i] ?? "").padEnd(width)),
    )
  );
  return [head, line(rule), ...body].join("\n");
}

/** Whether `command` can be run here. */
export async function has(command: string): Promise<boolean> {
  try {
    await new Deno.Command(command, { args: ["--version"], stdout: "null", stderr: "null" })
      .output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The processor, the number of cores, and the versions of Deno, Python and the C compiler. */
export async function machine(): Promise<string> {
  const info = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  const model = /^model name\s*:\s*(.+)$/m.exec(info)?.[1] ?? Deno.build.arch;
  const facts = [
    `${model}, ${navigator.hardwareConcurrency} cores, ${Deno.build.os}`,
    `Deno ${Deno.version.deno} (V8 ${Deno.version.v8})`,
  ];
  for (const command of ["python3", "cc"]) {
    if (!await has(command)) continue;
    const [version = ""] = (await timed(command, ["--version"])).output.split("\n");
    facts.push(version);
  }
  return facts.join("; ");
}

/** What {@linkcode timed} found out. */
export interface Timed {
  /** Wall time from the start of the process to its end. */
  seconds: number;
  /** What it wrote to stdout. */
  output: string;
  /** The most memory it held at once, without its children; unknown where there is no /proc. */
  peakMiB: number | undefined;
}

/**
 * Runs a command and times the whole process.
 *
 * @param options `cwd`, `env` and the like
 * @throws {Error} if it fails, with what it wrote to stderr
 */
export async function timed(
  command: string,
  args: string[],
  options: Deno.CommandOptions = {},
): Promise<Timed> {
  const t0 = performance.now();
  const pipes = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command(command, { ...options, args, ...pipes }).spawn();
  let peakMiB: number | undefined;
  const poll = setInterval(async () => {
    const status = await Deno.readTextFile(`/proc/${child.pid}/status`).catch(() => "");
    const kiB = /^VmHWM:\s*(\d+)/m.exec(status)?.[1];
    if (kiB) peakMiB = Number(kiB) / 1024;
  }, 20);
  const { success, stdout, stderr } = await child.output();
  const seconds = (performance.now() - t0) / 1000;
  clearInterval(poll);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`${command} ${args.join(" ")} failed: ${text(stderr)}`);
  return { seconds, output: text(stdout), peakMiB };
}

if (import.meta.main) {
  const names = Array.from(Deno.readDirSync(new URL(".", import.meta.url)), ({ name }) => name)
    .flatMap((name) => name.match(/^(\w+)_bench\.ts$/)?.[1] ?? []);
  const [name = "nothing"] = Deno.args;
  if (!names.includes(name)) {
    console.error(`expected one of ${names.sort().join(", ")}, got ${name}`);
    Deno.exit(2);
  }
  // Not awaited: a benchmark imports this module, which would wait for it.
  import(import.meta.resolve(`./${name}_bench.ts`));
}
