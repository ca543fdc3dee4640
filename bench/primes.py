"""Checks numbers with the book's is_prime, and prints the seconds and the number of primes.

primes.py WORKERS N… uses a ProcessPoolExecutor, or only this process if WORKERS is 0.
"""

import math
import sys
from concurrent import futures
from time import perf_counter


def is_prime(n: int) -> bool:
    if n < 2:
        return False
    if n == 2:
        return True
    if n % 2 == 0:
        return False
    root = math.isqrt(n)
    for i in range(3, root + 1, 2):
        if n % i == 0:
            return False
    return True


def main() -> None:
    workers, *numbers = map(int, sys.argv[1:])
    t0 = perf_counter()
    if workers == 0:
        primes = sum(map(is_prime, numbers))
    else:
        with futures.ProcessPoolExecutor(workers) as executor:
            primes = sum(executor.map(is_prime, numbers))
    print(perf_counter() - t0, primes)


if __name__ == "__main__":
    main()
