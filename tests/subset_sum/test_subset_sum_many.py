"""At least 10,000 random instances against rational brute force: the facade and the batch."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from oracles.instances import KINDS, draw_samples, draw_sizes, draw_target
from oracles.subset_sums import smallest_distance

from slth.subset_sum.batch import solve_batch
from slth.subset_sum.result import Status
from slth.subset_sum.solve import solve


def draw_instance(rng: np.random.Generator) -> tuple[np.ndarray, float, int | tuple[int, int] | None]:
    n = int(rng.integers(1, 15))
    samples = draw_samples(rng, n, KINDS[rng.integers(len(KINDS))])
    low, high = draw_sizes(rng, n)
    k: int | tuple[int, int] | None = low if low == high else None if (low, high) == (0, n) else (low, high)
    return samples, draw_target(rng, samples, high), k


def run(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        samples, target, k = draw_instance(rng)
        low, high = (0, len(samples)) if k is None else k if isinstance(k, tuple) else (k, k)
        best = smallest_distance(samples.tolist(), target, low, high)
        method = "exhaustive" if rng.random() < 0.1 else "auto"
        closest = solve(samples, target, k=k, method=method)
        closest.check()
        assert closest.status is Status.CLOSEST_PROVED
        total = sum((Fraction(x) for x in samples[closest.indices].tolist()), Fraction(0))
        assert abs(total - Fraction(target)) == best
        # a tolerance at, just above, just below, or away from the exact optimum
        near = closest.error
        eps = (near, np.nextafter(near, 0), near * 1.5, near / 3, float(np.abs(samples).max()))[rng.integers(5)]
        if eps > 0:
            within = solve(samples, target, k=k, eps=float(eps), method=method)
            within.check()
            assert within.status is (Status.FOUND if best <= Fraction(float(eps)) else Status.ABSENT_PROVED)


def test_thousand_instances() -> None:
    run(1500, seed=1)


@pytest.mark.slow
@pytest.mark.compiled
def test_ten_thousand_instances() -> None:
    run(10_000, seed=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("eps", [None, 1e-4, 0.05])
def test_batches_against_brute_force(kind: str, eps: float | None) -> None:
    rng = np.random.default_rng(hash_of(kind))
    for n, k in ((7, 3), (9, None), (8, (2, 5))):
        samples = np.array([draw_samples(rng, n, kind) for _ in range(12)])
        scale = float(np.abs(samples).max()) or 1.0
        targets = rng.uniform(-1, 1, 12) * scale
        tolerance = None if eps is None else max(eps * scale, 5e-324)
        low, high = (0, n) if k is None else k if isinstance(k, tuple) else (k, k)
        for table in (samples, samples[0]):
            result = solve_batch(table, targets, k=k, eps=tolerance)
            result.check()
            for b in range(12):
                row = table if table.ndim == 1 else table[b]
                best = smallest_distance(row.tolist(), float(targets[b]), low, high)
                one = result[b]
                if tolerance is None:
                    assert one.status is Status.CLOSEST_PROVED
                    total = sum((Fraction(x) for x in row[one.indices].tolist()), Fraction(0))
                    assert abs(total - Fraction(float(targets[b]))) == best
                else:
                    assert one.status is (Status.FOUND if best <= Fraction(tolerance) else Status.ABSENT_PROVED)


def hash_of(kind: str) -> int:
    return KINDS.index(kind)
