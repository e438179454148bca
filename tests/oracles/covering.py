"""Exact sums of whole families of subsets, counted and measured in rational numbers, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations, pairwise, product

# How samples are drawn, and numbers of samples with the families of subsets that are enumerated.
LAWS = {
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "normal": lambda rng, n: rng.normal(size=n),
    "product": lambda rng, n: rng.uniform(0, 1, n) * rng.uniform(-1, 1, n),
    "coarse": lambda rng, n: rng.integers(-3, 4, n) / 2,
}
FAMILIES = [
    (10, {"k": 5}),
    (11, {"k": 3}),
    (9, {"k": 8}),
    (8, {}),
    (9, {"k": (2, 5)}),
    (7, {"k": 0}),
    (9, {"k": 1}),
    (10, {"blocks": 2}),
    (9, {"blocks": 3, "k": 3}),
    (6, {"blocks": 6}),
    (5, {"blocks": 1}),
]


def family(n: int, k: int | tuple[int, int] | None, blocks: int | None) -> list[tuple[int, ...]]:
    """Every subset of the family, as indices."""
    if blocks is not None:
        return list(product(*(range(s, s + blocks) for s in range(0, n, blocks))))
    low, high = (0, n) if k is None else (k, k) if isinstance(k, int) else k
    return [c for size in range(low, high + 1) for c in combinations(range(n), size)]


def exact_sums(
    samples: Iterable[float], k: int | tuple[int, int] | None = None, blocks: int | None = None
) -> list[Fraction]:
    """The sum of every subset of the family, with repetitions."""
    items = [Fraction(float(x)) for x in samples]
    return [sum((items[i] for i in c), Fraction(0)) for c in family(len(items), k, blocks)]


def count_within(sums: list[Fraction], target: float | Fraction, eps: float) -> int:
    return sum(abs(s - Fraction(target)) <= Fraction(eps) for s in sums)


def distance(sums: list[Fraction], point: float | Fraction) -> Fraction:
    return min(abs(s - Fraction(point)) for s in sums)


def inner_gaps(sums: list[Fraction], low: float, high: float) -> list[Fraction]:
    """Lengths of the gaps between neighbouring sums with their middle in [low, high], longest first."""
    line = sorted(set(sums))
    return sorted(
        (b - a for a, b in pairwise(line) if Fraction(low) <= (a + b) / 2 <= Fraction(high)),
        reverse=True,
    )


def radius(sums: list[Fraction], low: float, high: float) -> Fraction:
    """The largest distance of a point of [low, high] from the nearest sum."""
    halves = [gap / 2 for gap in inner_gaps(sums, low, high)[:1]]
    return max([distance(sums, low), distance(sums, high), *halves])
