/**
 * Lets the contestants of a benchmark take turns.
 *
 * @module
 */

/** One program of a comparison. */
export interface Contestant<T> {
  name: string;
  /** The number of rounds in which the contestant runs. */
  rounds: number;
  /** Runs the contestant once and returns what was measured. */
  run(): Promise<T>;
}

/**
 * Runs the contestants in turn, and returns the measurements of each contestant. Every second round
 * runs in reverse, so that a contestant does not always run after the same contestant.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const a = { name: "a", rounds: 3, run: () => Promise.resolve(7) };
 * const b = { name: "b", rounds: 1, run: () => Promise.resolve(8) };
 * assertEquals(await takeTurns([a, b]), new Map([["a", [7, 7, 7]], ["b", [8]]]));
 * ```
 */
export async function takeTurns<T>(
  contestants: readonly Contestant<T>[],
): Promise<Map<string, T[]>> {
  const measured = new Map(contestants.map(({ name }): [string, T[]] => [name, []]));
  const rounds = Math.max(...contestants.map((contestant) => contestant.rounds));
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const { name, run } of order.filter((contestant) => round < contestant.rounds)) {
      measured.get(name)?.push(await run());
    }
  }
  return measured;
}
