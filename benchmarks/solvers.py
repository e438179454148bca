"""Times of the subset-sum solvers beside their honest rivals; reports, never asserts a time.

Run: pytest benchmarks/solvers.py --benchmark-only --benchmark-sort=name --benchmark-columns=min,median,rounds

The rival is plain NumPy meet-in-the-middle (all sums of each half by size, one sorted, binary search of the
other): what one writes in twenty lines. Every answer is compared with it or recomputed. Instances are seeded;
compilation happens before the first round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from slth.subset_sum.batch import solve_batch
from slth.subset_sum.solve import solve


def instance(n: int, k: int) -> tuple[np.ndarray, float]:
    rng = np.random.default_rng([n, k])
    return rng.uniform(-1, 1, n), float(rng.uniform(-1, 1) * np.sqrt(k) / 2)


def products(count: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Live products of two uniforms on the grid 2^-46, and targets as weights of a network."""
    rng = np.random.default_rng([count, n])
    samples = rng.integers(0, 2**23, (count, n)) * rng.integers(-(2**23), 2**23, (count, n)) * 2.0**-46
    return samples, rng.uniform(-0.5, 0.5, count)


def numpy_sums(items: np.ndarray) -> list[np.ndarray]:
    """Sums of all subsets, by size, each sorted."""
    sums, sizes = np.zeros(1), np.zeros(1, np.int8)
    for item in items:
        sums = np.concatenate((sums, sums + item))
        sizes = np.concatenate((sizes, sizes + np.int8(1)))
    return [np.sort(sums[sizes == size]) for size in range(len(items) + 1)]


def numpy_closest(samples: np.ndarray, target: float, k: int) -> float:
    """The smallest error over subsets of exactly k, in float arithmetic: sort and searchsorted."""
    half = len(samples) // 2
    left, right = numpy_sums(samples[:half]), numpy_sums(samples[half:])
    best = np.inf
    for size, sums in enumerate(left):
        if not 0 <= k - size < len(right):
            continue
        others = right[k - size]
        wanted = target - sums
        place = np.searchsorted(others, wanted)
        for candidates in (np.minimum(place, len(others) - 1), np.maximum(place - 1, 0)):
            best = min(best, float(np.abs(others[candidates] - wanted).min()))
    return best


def rounds(n: int) -> dict[str, Any]:
    return {"rounds": 3 if n >= 45 else 7 if n >= 38 else 30, "warmup_rounds": 1}


@pytest.mark.parametrize(("n", "k"), [(10, 5), (20, 10), (30, 15), (40, 20), (50, 10), (50, 25)])
def test_closest_slth(benchmark: Any, n: int, k: int) -> None:
    samples, target = instance(n, k)
    result = benchmark.pedantic(solve, (samples, target), {"k": k}, **rounds(n))
    result.check()
    benchmark.extra_info["error"] = result.error


@pytest.mark.parametrize(("n", "k"), [(10, 5), (20, 10), (30, 15), (40, 20)])
def test_closest_numpy(benchmark: Any, n: int, k: int) -> None:
    samples, target = instance(n, k)
    error = benchmark.pedantic(numpy_closest, (samples, target, k), **rounds(n))
    exact = solve(samples, target, k=k).error
    assert abs(error - exact) <= 1e-13  # the rival works in floats


@pytest.mark.parametrize(("n", "k"), [(10, 5), (20, 10)])
def test_closest_exhaustive(benchmark: Any, n: int, k: int) -> None:
    samples, target = instance(n, k)
    benchmark.pedantic(solve, (samples, target), {"k": k, "method": "exhaustive"}, rounds=5)


@pytest.mark.parametrize(("n", "k"), [(10, 5), (20, 10)])
def test_closest_cp_sat(benchmark: Any, n: int, k: int) -> None:
    samples, target = instance(n, k)
    benchmark.pedantic(solve, (samples, target), {"k": k, "method": "cp-sat"}, rounds=1)


@pytest.mark.parametrize(
    ("n", "k", "eps"), [(30, 6, 1e-2), (50, 10, 1e-3), (100, 5, 1e-3), (200, 20, 1e-6), (200, 20, 1e-8)]
)
@pytest.mark.parametrize("method", ["auto", "cp-sat"])
def test_within_one(benchmark: Any, n: int, k: int, eps: float, method: str) -> None:
    samples, target = instance(n, k)
    if method == "cp-sat" and eps < 1e-6:
        pytest.skip("takes CP-SAT minutes to hours")
    count = {"rounds": 1} if method == "cp-sat" else rounds(20)
    result = benchmark.pedantic(solve, (samples, target), {"k": k, "eps": eps, "method": method}, **count)
    assert result.found


@pytest.mark.parametrize(
    ("n", "k", "eps"),
    [
        (30, 6, 1e-2),
        (32, 11, 1e-4),
        (32, 11, 1e-6),
        (50, 10, 1e-6),
        (70, 20, 1e-8),
        (20, 6, None),
        (32, 11, None),
    ],
)
@pytest.mark.parametrize("count", [10, 500])
@pytest.mark.parametrize("threads", [1, 2])
def test_batch_own_samples(benchmark: Any, n: int, k: int, eps: float | None, count: int, threads: int) -> None:
    samples, targets = products(count, n)
    options = {"k": k, "eps": eps, "threads": threads}
    result = benchmark.pedantic(solve_batch, (samples, targets), options, rounds=5, warmup_rounds=1)
    benchmark.extra_info["microseconds each"] = benchmark.stats.stats.min / count * 1e6
    assert len(result) == count


@pytest.mark.parametrize(
    "call", [solve_batch, lambda x, z, **o: [solve(x, t, **o) for t in z]], ids=["batch", "loop"]
)
def test_shared_samples(benchmark: Any, call: Callable[..., Any]) -> None:
    samples, targets = products(1000, 21)
    benchmark.pedantic(call, (samples[0], targets), {"k": None}, rounds=3, warmup_rounds=1)
