/** The tasks of every pool under JavaScript; contender.py has the same in Python. */

export function noop(value) {
  return value;
}

/** Pure computing, of which every round needs the one before. */
export function spin(rounds) {
  let value = 1;
  for (let i = 0; i < rounds; i++) value = (value * 16807 + 1) & 0xffff;
  return value;
}
