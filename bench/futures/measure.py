"""Measures one of CPython's pools, as measure.mjs measures the others: measure.py CLASS

`measure.py CLASS probe` runs only one task.
"""

import json
import os
import statistics
import sys
from concurrent import futures
from time import perf_counter

MIB = 1024 * 1024
open_pool = getattr(futures, sys.argv[1])
has_processes = sys.argv[1] == "ProcessPoolExecutor"


def noop(value):
    return value


def spin(rounds):
    value = 1
    for _ in range(rounds):
        value = (value * 16807 + 1) & 0xFFFF
    return value


def run_all(pool, task, values):
    submitted = [pool.submit(task, value) for value in values]
    return [future.result() for future in submitted]


def open_warm(size):
    pool = open_pool(size)
    run_all(pool, noop, range(2000))
    return pool


def time(fn, expected):
    began = perf_counter()
    result = fn()
    ms = (perf_counter() - began) * 1000
    assert result == expected
    return ms


def median_of(count, measure):
    return statistics.median(measure() for _ in range(count))


def measure_burst(pool, count):
    values = list(range(count))
    return median_of(3, lambda: time(lambda: run_all(pool, noop, values), values))


def measure_chunks(pool, count):
    values = list(range(count))
    return median_of(21, lambda: time(lambda: list(pool.map(noop, values, chunksize=100)), values))


def measure_trip(pool, count):
    values = list(range(count))
    ms = time(lambda: [pool.submit(noop, value).result() for value in values], values)
    return ms * 1000 / count


def measure_copy(pool):
    data = b"\7" * (16 * MIB)
    return median_of(9, lambda: time(lambda: pool.submit(noop, data).result(), data))


def measure_first():
    began = perf_counter()
    pool = open_pool(1)
    result = pool.submit(noop, 7).result()
    ms = (perf_counter() - began) * 1000
    assert result == 7
    pool.shutdown()
    return ms


def measure_compute(count):
    sample = 20_000
    expected = spin(sample)
    rounds = round(5 * sample / median_of(40, lambda: time(lambda: spin(sample), expected)))
    cores = os.cpu_count()
    pool = open_warm(cores)
    expected_results = [spin(rounds)] * count
    together = time(lambda: run_all(pool, spin, [rounds] * count), expected_results)
    pool.shutdown()
    return 5 * count / cores / together


def measure(share):
    figures = {}
    pool = open_warm(2)
    figures["burst"] = measure_burst(pool, int(20_000 * share))
    figures["trip"] = measure_trip(pool, int(2000 * share))
    if has_processes:
        # Threads share their memory, and their map ignores chunksize.
        figures["chunks"] = measure_chunks(pool, int(20_000 * share))
        figures["copy"] = measure_copy(pool)
    pool.shutdown()
    figures["first"] = median_of(5, measure_first)
    figures["compute"] = measure_compute(int(200 * share))
    return figures


if __name__ == "__main__":
    if sys.argv[2:] == ["probe"]:
        measure_first()
    else:
        measure(0.2)
        print(json.dumps(measure(1)))
