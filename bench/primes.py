"""Prints how many numbers are primes, with the book's is_prime: primes.py WORKERS N…"""

import math
import sys
from concurrent import futures


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


if __name__ == "__main__":
    workers, *numbers = map(int, sys.argv[1:])
    with futures.ProcessPoolExecutor(workers) as executor:
        print(sum(executor.map(is_prime, numbers)))
