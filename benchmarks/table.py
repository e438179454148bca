"""The table of times: slth beside plain NumPy, CP-SAT, SCIP and HiGHS on the same instances and questions.

Run: python benchmarks/table.py [--large] [--peers] [--million]

Every number is in CPU time of this process (all its threads) and in wall time, median and least of the
instances, warm; compilation is timed apart. On a shared machine only ratios carry over: the first lines give
the yardstick, a branch-free merge of two lists of 2^20 numbers, in the same run. Every answer is recomputed
exactly; answers outside eps and answers that are not the closest are counted, not hidden.

--large adds (60,30) with 4 GB and with 13 GB; --peers the other solvers, 10 s each; --million 10^6 weights.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from slth._jit import merge
from slth.errors import SlthError
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.mip import CROSS_CHECKERS, cross_check
from slth.subset_sum.problem import exact_error, make_problem
from slth.subset_sum.solve import judge, solve

Instance = tuple[np.ndarray, float]


def instances(n: int, k: int, count: int) -> list[Instance]:
    """Samples uniform on [-1, 1], targets uniform on [-sqrt k, sqrt k], seeded."""
    rng = np.random.default_rng([n, k])
    return [(rng.uniform(-1, 1, n), float(rng.uniform(-1, 1) * np.sqrt(k))) for _ in range(count)]


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall seconds, CPU seconds and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def show(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def line(question: str, who: str, times: list[tuple[float, float]], note: str = "") -> None:
    wall, cpu = np.array(times).T
    cells = [question, who, show(float(np.median(wall))), show(float(wall.min())), show(float(np.median(cpu)))]
    print("| " + " | ".join([*cells, f"{float(np.median(cpu)) / YARD:.3g}", note]) + " |", flush=True)


def yardstick() -> float:
    """Least CPU seconds of merging two sorted lists of 2^20 numbers."""
    size = 1 << 20
    rng = np.random.default_rng(0)
    work = np.zeros(4 * size + 16, np.int64)
    for place in (1, size + 3):
        work[place - 1], work[place + size] = -merge.FAR, merge.FAR
        work[place : place + size] = np.sort(rng.integers(-(2**55), 2**55, size))
    ops = np.array([[1, size, size + 3, size, 0, 2 * size + 6]])
    return min(
        timed(lambda: merge.run_part(work, np.zeros(1, np.int64), ops, 0, 0, 2 * size))[1] for _ in range(15)
    )


def closest(n: int, k: int, count: int, threads: int, **options: Any) -> None:
    times = []
    for samples, target in instances(n, k, count):
        wall, cpu, result = timed(lambda x=samples, z=target: solve(x, z, k=k, threads=threads, **options))
        result.check()
        times.append((wall, cpu))
    line(f"closest ({n},{k})", f"slth, {threads} thread(s)", times, f"largest error {result.error:.1e}")


def within(n: int, k: int | None, eps: float, count: int, threads: int = 1) -> None:
    """Through `solve_batch`, time per instance."""
    rng = np.random.default_rng([n, k or 0, count])
    samples, reach = rng.uniform(-1, 1, (count, n)), np.sqrt(k) if k else 0.5
    targets = rng.uniform(-reach, reach, count)
    solve_batch(samples[:1], targets[:1], k=k, eps=eps)
    times = []
    for _ in range(3 if count < 10**6 else 2):
        wall, cpu, result = timed(lambda: solve_batch(samples, targets, k=k, eps=eps, threads=threads))
        times.append((wall / count, cpu / count))
    found = int((result.statuses == 0).sum())
    absent = int((result.statuses == 2).sum())
    name = f"within ({n},{k},{eps:g})" if k else f"RSS within ({n},{eps:g})"
    note = f"found {found}, proved absent {absent}, open {count - found - absent}"
    line(name, f"slth, batch of {count}, {threads} thread(s)", times, note)


def numpy_closest(samples: np.ndarray, target: float, k: int) -> float:
    """The honest rival: all sums of each half by size, one sorted, binary search of the other; the error."""
    half = len(samples) // 2
    tables = []
    for items in (samples[:half], samples[half:]):
        sums, sizes = np.zeros(1), np.zeros(1, np.int8)
        for item in items:
            sums, sizes = np.concatenate((sums, sums + item)), np.concatenate((sizes, sizes + np.int8(1)))
        tables.append([sums[sizes == size] for size in range(len(items) + 1)])
    best = np.inf
    for size, sums in enumerate(tables[0]):
        if 0 <= k - size < len(tables[1]):
            others = np.sort(tables[1][k - size])
            place = np.searchsorted(others, target - sums)
            for near in (np.minimum(place, len(others) - 1), np.maximum(place - 1, 0)):
                best = min(best, float(np.abs(others[near] + sums - target).min()))
    return best


def numpy_random(samples: np.ndarray, target: float, k: int, eps: float) -> Any:
    """Random subsets by the thousand until one is within eps, at most 10^6 of them."""
    rng = np.random.default_rng(0)
    for _ in range(1000):
        picks = rng.random((1000, len(samples))).argpartition(k, axis=1)[:, :k]
        gaps = np.abs(samples[picks].sum(axis=1) - target)
        if gaps.min() <= eps:
            return picks[gaps.argmin()]
    return None


def ask(who: str, samples: np.ndarray, target: float, k: int, eps: float | None) -> tuple[float, float, Any]:
    """Wall and CPU seconds of one solver on one instance, and its exact error, None without an answer."""
    if who in ("slth", "cp-sat"):
        method = "auto" if who == "slth" else who
        call = partial(solve, samples, target, k=k, eps=eps, method=method, time_limit=10)
        wall, cpu, result = timed(call)
        return wall, cpu, result.error
    if who == "NumPy" and eps is None:
        return timed(partial(numpy_closest, samples, target, k))
    if who == "NumPy":
        wall, cpu, picks = timed(partial(numpy_random, samples, target, k, eps))
        return wall, cpu, None if picks is None else exact_error(samples[picks].tolist(), target)
    problem = make_problem(samples, target, k, eps)
    try:
        wall, cpu, (answer, _) = timed(partial(cross_check, problem, who, 10.0))
    except SlthError:
        return np.nan, np.nan, None
    return wall, cpu, judge(problem, answer, who).error


def peers(n: int, k: int, eps: float | None, count: int) -> None:
    question = f"closest ({n},{k})" if eps is None else f"within ({n},{k},{eps:g})"
    given = instances(n, k, count)
    truths = [solve(samples, target, k=k, eps=eps) for samples, target in given]
    for who in ("slth", "NumPy", "cp-sat", *CROSS_CHECKERS):
        times, missed = [], 0
        for (samples, target), truth in zip(given, truths, strict=True):
            wall, cpu, error = ask(who, samples, target, k, eps)
            times.append((wall, cpu))
            if eps is None:  # 1e-13: the rival in plain NumPy works in floats
                missed += error is None or error > truth.error * (1 + 1e-9) + 1e-13
            else:
                missed += truth.found and (error is None or error > eps)
        what = "the closest" if eps is None else "within eps"
        line(question, who, times, f"{missed} of {count} not {what}" if missed else "")


def main(arguments: list[str]) -> None:
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs; merge of 2^21 entries: {show(YARD)}")
    print("| question | who | median wall | least wall | median CPU | CPU / merge | |\n" + "|---" * 7 + "|")
    sizes = ((20, 10, 50, 1), (30, 15, 30, 1), (40, 20, 15, 1), (50, 10, 10, 1), (50, 25, 10, 1))
    for n, k, count, threads in sizes:
        closest(n, k, count, threads)
    closest(50, 25, 10, 2)
    closest(702, 4, 5, 1)
    for arguments_of in (
        (30, 6, 1e-2, 50_000), (50, 10, 1e-3, 20_000), (100, 5, 1e-3, 20_000), (200, 20, 1e-6, 500),
        (200, 20, 1e-10, 20), (200, 20, 1e-12, 20), (25, None, 1e-2, 50_000), (21, None, 1e-2, 50_000),
    ):  # fmt: skip
        within(*arguments_of)
    if "--million" in arguments:
        within(30, 6, 1e-2, 10**6, 1)
        within(30, 6, 1e-2, 10**6, 2)
        within(25, None, 1e-2, 10**6, 1)
    if "--large" in arguments:
        closest(60, 30, 2, 2, max_bytes=4 << 30)
        closest(60, 30, 1, 2, max_bytes=13 << 30)
    if "--peers" in arguments:
        for question in ((20, 10, None), (30, 15, None), (30, 6, 1e-2), (50, 10, 1e-3), (100, 5, 1e-3)):
            peers(*question, 5 if question[2] else 3)
    calls = instances(10, 5, 1)[0]
    least = min(timed(lambda: solve(*calls, k=5, threads=1))[1] for _ in range(500))
    print(f"one public call of solve, (10,5): {show(least)} CPU")


if __name__ == "__main__":
    solve([0.5, 0.25, 0.125], 0.3)
    YARD = yardstick()
    main(sys.argv[1:])
