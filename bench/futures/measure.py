"""Measures one of CPython's pools, as measure.mjs measures the others: measure.py CLASS [probe]"""

import json
import os
import statistics
import sys
from concurrent import futures
from time import perf_counter

SAMPLE = 20_000

open_pool = getattr(futures, sys.argv[1])


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


def run_in_turn(pool, task, values):
    return [pool.submit(task, value).result() for value in values]


def median_of(count, fn, expected):
    times = []
    for _ in range(count):
        began = perf_counter()
        result = fn()
        times.append((perf_counter() - began) * 1000)
        assert result == expected
    return statistics.median(times)


def run_first():
    return open_pool(1).submit(noop, 7).result()


def measure_all():
    values = list(range(20_000))
    few = values[:2000]
    data = b"\7" * (16 * 1024 * 1024)
    sample_ms = median_of(40, lambda: spin(SAMPLE), spin(SAMPLE))
    rounds = [round(5 * SAMPLE / sample_ms)] * 200
    expected = [spin(rounds[0])] * 200

    pool = open_pool(2)
    all_cores = open_pool(os.cpu_count())
    figures = {
        "20,000 tasks, ms": median_of(5, lambda: run_all(pool, noop, values), values),
        "one at a time, µs": median_of(5, lambda: run_in_turn(pool, noop, few), few) / 2,
        "first result, ms": median_of(9, run_first, 7),
        "200 × 5 ms, ms": median_of(3, lambda: run_all(all_cores, spin, rounds), expected),
    }
    # Threads share their memory, and their map ignores chunksize.
    if open_pool is futures.ProcessPoolExecutor:
        chunks = median_of(21, lambda: list(pool.map(noop, values, chunksize=100)), values)
        figures["chunks of 100, ms"] = chunks
        figures["16 MiB copied, ms"] = median_of(21, lambda: pool.submit(noop, data).result(), data)
    return figures


if __name__ == "__main__":
    if sys.argv[2:] == ["probe"]:
        run_first()
    else:
        print(json.dumps(measure_all()))
