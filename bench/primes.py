"""primes.py WORKERS N…: checks the numbers as the book does, prints the seconds and how many are prime.

With 0 workers, it works in this process.
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
