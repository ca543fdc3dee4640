/**
 * Statistics and Markdown tables for the benchmarks.
 *
 * @module
 */

/**
 * Returns the value in the middle, or the mean of the two values in the middle.
 *
 * @throws {RangeError} if `values` is empty
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(median([30, 1, 2]), 2);
 * assertEquals(median([1, 2, 4, 30]), 3);
 * ```
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const lower = sorted[Math.floor(middle)];
  const upper = sorted[Math.ceil(middle)];
  if (lower === undefined || upper === undefined) {
    throw new RangeError("values: expected at least one number, got none");
  }
  return (lower + upper) / 2;
}

/**
 * Returns half the difference between the largest and the smallest value, as a percentage of the
 * median.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(spread([90, 100, 110]), "±10%");
 * ```
 */
export function spread(values: readonly number[]): string {
  const half = (Math.max(...values) - Math.min(...values)) / 2;
  return `±${(half / median(values) * 100).toFixed()}%`;
}

/**
 * Returns the median with `digits` decimals, and the spread.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(medianAndSpread([0.9, 1, 1.1], 1), "1.0 ±10%");
 * ```
 */
export function medianAndSpread(values: readonly number[], digits: number): string {
  return `${median(values).toFixed(digits)} ${spread(values)}`;
}

/**
 * Returns the median of `values` divided by the median of `reference`, with two decimals.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(ratio([3, 30, 4], [2]), "2.00");
 * ```
 */
export function ratio(values: readonly number[], reference: readonly number[]): string {
  return (median(values) / median(reference)).toFixed(2);
}

/**
 * Returns a Markdown table. The first column is aligned to the left, and the others to the right.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const expected = "| pool | ms |\n| :--- | -: |\n| Deno |  7 |";
 * assertEquals(table(["pool", "ms"], [["Deno", "7"]]), expected);
 * ```
 */
export function table(header: readonly string[], rows: readonly string[][]): string {
  const minWidth = 2; // of the line under the header
  const widths = header.map((title, column) => {
    const cells = [title, ...rows.map((row) => row[column] ?? "")];
    return Math.max(minWidth, ...cells.map((cell) => cell.length));
  });
  const formatRow = (row: readonly string[]) => {
    const cells = widths.map((width, column) => {
      const cell = row[column] ?? "";
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${cells.join(" | ")} |`;
  };
  const alignments = widths.map((width, column) => {
    const dashes = "-".repeat(width - 1);
    return column === 0 ? `:${dashes}` : `${dashes}:`;
  });
  return [header, alignments, ...rows].map(formatRow).join("\n");
}
