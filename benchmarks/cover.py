"""Times of covering and counting beside plain NumPy; reports, never asserts a time.

Run: pytest benchmarks/cover.py --benchmark-only --benchmark-sort=name --benchmark-columns=min,median,rounds
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from slth.subset_sum.count import count
from slth.subset_sum.cover import cover
from slth.subset_sum.cover_batch import cover_batch
from slth.subset_sum.radius import covering_radius


def uniform(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng([seed, n]).uniform(-1, 1, n)


def numpy_sums(samples: np.ndarray, k: int) -> np.ndarray:
    """All sums of k samples, sorted."""
    places = np.fromiter(
        itertools.chain.from_iterable(itertools.combinations(range(len(samples)), k)), np.int64
    )
    return np.sort(samples[places.reshape(-1, k)].sum(axis=1))


@pytest.mark.parametrize(
    ("n", "k", "eps"), [(24, 8, 1e-2), (30, 15, 1e-4), (36, 18, 1e-5), (40, 20, 1e-2), (40, 20, 1e-6)]
)
@pytest.mark.parametrize("threads", [1, 2])
def test_cover(benchmark: Any, n: int, k: int, eps: float, threads: int) -> None:
    samples, reach = uniform(n), math.sqrt(k)
    options = {"k": k, "threads": threads}
    result = benchmark.pedantic(
        cover, (samples, -reach, reach, eps), options, rounds=50 if n < 36 else 7, warmup_rounds=1
    )
    benchmark.extra_info["covered"] = result.covered
    benchmark.extra_info["work"] = result.work


def test_cover_numpy(benchmark: Any) -> None:
    samples, reach = uniform(24), math.sqrt(8)
    sums = benchmark.pedantic(numpy_sums, (samples, 8), rounds=3)
    inside = sums[(sums >= -reach - 0.01) & (sums <= reach + 0.01)]
    assert (np.diff(inside).max() <= 0.02) == cover(samples, -reach, reach, 0.01, k=8).covered


@pytest.mark.parametrize(("n", "k", "eps"), [(16, 8, 1e-2), (24, 8, 1e-2)])
@pytest.mark.parametrize("threads", [1, 2])
def test_cover_batch(benchmark: Any, n: int, k: int, eps: float, threads: int) -> None:
    samples, reach = np.random.default_rng(n).uniform(-1, 1, (1000, n)), math.sqrt(k)
    options = {"k": k, "threads": threads}
    result = benchmark.pedantic(cover_batch, (samples, -reach, reach, eps), options, rounds=5, warmup_rounds=1)
    benchmark.extra_info["microseconds each"] = benchmark.stats.stats.min / len(samples) * 1e6
    benchmark.extra_info["share covered"] = float(np.mean(result.covered == 1))


@pytest.mark.parametrize(("b", "k", "eps"), [(2, 24, 1e-4), (4, 10, 1e-4), (16, 6, 1e-4)])
def test_cover_blocks(benchmark: Any, b: int, k: int, eps: float) -> None:
    samples = uniform(b * k)
    result = benchmark.pedantic(cover, (samples, -1, 1, eps), {"blocks": b}, rounds=20, warmup_rounds=1)
    benchmark.extra_info["covered"] = result.covered


@pytest.mark.parametrize(("n", "k"), [(20, 10), (24, 8), (30, 15)])
def test_radius(benchmark: Any, n: int, k: int) -> None:
    samples, reach = uniform(n), math.sqrt(k) / 2
    result = benchmark.pedantic(
        covering_radius, (samples, -reach, reach), {"k": k}, rounds=20 if n < 30 else 3, warmup_rounds=1
    )
    benchmark.extra_info["radius"] = result.radius


@pytest.mark.parametrize(("n", "k"), [(24, 8), (30, 15), (40, 20)])
def test_count(benchmark: Any, n: int, k: int) -> None:
    result = benchmark.pedantic(
        count, (uniform(n), 0.3, 1e-3), {"k": k}, rounds=30 if n < 40 else 7, warmup_rounds=1
    )
    benchmark.extra_info["count"] = result.count
