"""Brute force for subset-sum problems, in rational numbers, with nothing from the package."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations


def distances(
    samples: Sequence[float], target: float, k_min: int, k_max: int
) -> dict[tuple[int, ...], Fraction]:
    """Exact |sum - target| of every subset of k_min..k_max samples."""
    exact = [Fraction(x) for x in samples]
    goal = Fraction(target)
    return {
        subset: abs(sum((exact[i] for i in subset), Fraction(0)) - goal)
        for size in range(k_min, k_max + 1)
        for subset in combinations(range(len(exact)), size)
    }


def smallest_distance(
    samples: Sequence[float], target: float, k_min: int, k_max: int, weights: Sequence[int] | None = None
) -> Fraction | None:
    """The exact distance of the closest subset: all sums by doubling, in integers on a common denominator.

    With weights, k_min..k_max bounds their total; None if no subset fits.
    """
    ratios = [float(x).as_integer_ratio() for x in (*samples, target)]
    common = max(q for _, q in ratios)
    *items, goal = (p * (common // q) for p, q in ratios)
    sums, sizes = [0], [0]
    for item, weight in zip(items, weights or [1] * len(items), strict=True):
        sums += [s + item for s in sums]
        sizes += [size + weight for size in sizes]
    fitting = [abs(s - goal) for s, size in zip(sums, sizes, strict=True) if k_min <= size <= k_max]
    return Fraction(min(fitting), common) if fitting else None


def smallest_vector_distance(
    samples: Sequence[Sequence[float]], target: Sequence[float], k_min: int, k_max: int
) -> Fraction:
    """The exact largest coordinate distance of the best subset of vectors."""
    each = [distances([row[c] for row in samples], z, k_min, k_max) for c, z in enumerate(target)]
    return min(max(table[subset] for table in each) for subset in each[0])
