/** The tasks of every JavaScript pool. `measure.py` has the same tasks in Python. */

export function noop(value) {
  return value;
}

/** Computes without memory: every round needs the result of the round before. */
export function spin(rounds) {
  let value = 1;
  for (let i = 0; i < rounds; i++) value = (value * 16807 + 1) & 0xffff;
  return value;
}

/** Fills a shared buffer in place with the number that follows its first byte. Returns that number. */
export function fill(buffer) {
  const bytes = new Uint8Array(buffer);
  bytes.fill(bytes[0] + 1);
  return bytes[0];
}
