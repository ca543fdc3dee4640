/** The tasks of every JavaScript pool. `measure.py` has the same tasks in Python. */

export const noop = (value) => value;

/** Computes without memory: every round needs the result of the round before. */
export function spin(rounds) {
  let value = 1;
  for (let i = 0; i < rounds; i++) value = (value * 16807 + 1) & 0xffff;
  return value;
}

/** Fills a shared buffer in place. */
export function fill(buffer) {
  new Uint8Array(buffer).fill(7);
  return buffer.byteLength;
}
