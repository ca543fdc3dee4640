/**
 * Checks numbers with `isPrime` on one core, and prints the seconds and the number of primes.
 * `primes.c` and `primes.py` do the same.
 *
 * @module
 */
import { isPrime } from "../primes.ts";

const numbers = Deno.args.map(BigInt);
const began = performance.now();
const primes = numbers.filter(isPrime).length;
const seconds = (performance.now() - began) / 1000;
console.log(seconds, primes);
