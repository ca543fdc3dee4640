"""contender.mjs for CPython's own pools, step by step: contender.py CLASS"""

import json
import os
import statistics
import sys
from concurrent import futures
from time import perf_counter

NAME = sys.argv[1]
OPEN = getattr(futures, NAME)


def noop(value):
    return value


def spin(rounds):
    value = 1
    for _ in range(rounds):
        value = (value * 16807 + 1) & 0xFFFF
    return value


def run_all(pool, fn, values):
    submitted = [pool.submit(fn, value) for value in values]
    return [future.result() for future in submitted]


def warm(size):
    pool = OPEN(size)
    run_all(pool, noop, range(2000))
    return pool


def time(fn, expected):
    t0 = perf_counter()
    result = fn()
    ms = (perf_counter() - t0) * 1000
    assert result == expected
    return ms


def median(count, measure):
    return statistics.median(measure() for _ in range(count))


def time_first():
    pools = []

    def first():
        pools.append(OPEN(1))
        return pools[0].submit(noop, 7).result()

    ms = time(first, 7)
    pools[0].shutdown()
    return ms


def one_pass(share):
    values = list(range(int(20_000 * share)))
    figures = {}
    pool = warm(2)
    figures["burst"] = median(3, lambda: time(lambda: run_all(pool, noop, values), values))
    if NAME == "ProcessPoolExecutor":
        mapped = lambda: list(pool.map(noop, values, chunksize=100))
        figures["map"] = median(21, lambda: time(mapped, values))
    trips = list(range(int(2000 * share)))
    one_by_one = lambda: [pool.submit(noop, i).result() for i in trips]
    figures["trip"] = time(one_by_one, trips) / len(trips) * 1000
    pool.shutdown()

    figures["first"] = median(5, time_first)

    sample = 20_000
    outcome = spin(sample)
    rounds = round(5 * sample / median(40, lambda: time(lambda: spin(sample), outcome)))
    cores = os.cpu_count()
    every_core = warm(cores)
    results = [spin(rounds)] * int(200 * share)
    together = time(lambda: run_all(every_core, spin, [rounds] * len(results)), results)
    every_core.shutdown()
    return figures | {"compute": 5 * len(results) / cores / together}


if __name__ == "__main__":
    one_pass(0.2)
    print(json.dumps(one_pass(1)))
