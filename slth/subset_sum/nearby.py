"""Exact sums of the subsets whose rounded sums lie in a narrow window: what decides edges on a rounded grid.

Each half is listed as pairs (rounded sum, exact sum of the rounding errors), equal pairs merged and counted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from slth._typing import FloatArray, IntArray
from slth.errors import CapacityExceeded
from slth.subset_sum.family import Family
from slth.subset_sum.grid import Grid
from slth.subset_sum.halves import sums_by_size, sums_of_blocks
from slth.subset_sum.plan import Window, entries, join_windows

FEW = 100_000  # pairs of half sums in one window that are worth listing
COST = 80  # bytes a half sum takes here, Python integers for rounding errors included


class Nearby:
    """Tables of one row of a rounded grid, made when first needed."""

    def __init__(self, samples: FloatArray, grid: Grid, family: Family, max_bytes: int) -> None:
        if family.blocks is None:
            cut = family.n // 2
            pairs = join_windows(family.n, family.k_min, family.k_max)
            count = sum(entries(a, cut) + entries(b, family.n - cut) for a, b in pairs)
        else:
            cut = family.k_max // 2 * family.blocks
            pairs = [((0, 0), (0, 0))]
            count = family.blocks ** (family.k_max - family.k_max // 2)
        if count * COST > max_bytes:
            raise CapacityExceeded(
                f"deciding sums at the edge exactly with {family.words} needs about "
                f"{count * COST / 2**20:.0f} MiB, more than `max_bytes`={max_bytes}. Raise `max_bytes`, or "
                "round the samples to multiples of one power of two."
            )
        items = grid.items[0]
        exact, self.finer = grid.integers(samples)
        fine = [x - item * self.finer for x, item in zip(exact, items.tolist(), strict=True)]
        small = sum(map(abs, fine)) < 1 << 62
        fine_items: Any = np.array(fine, np.int64 if small else object)
        self.joins = []
        if family.blocks is not None:
            halves = [
                _group(
                    sums_of_blocks(items[part], family.blocks), sums_of_blocks(fine_items[part], family.blocks)
                )
                for part in (slice(None, cut), slice(cut, None))
            ]
            self.joins.append((halves[0], halves[1]))
        else:
            sides = []
            for part in (slice(None, cut), slice(cut, None)):
                largest = min(family.k_max, len(items[part]))
                sides.append((sums_by_size(items[part], largest), sums_by_size(fine_items[part], largest)))
            for pair in pairs:
                left, right = (_window(side, window) for side, window in zip(sides, pair, strict=True))
                self.joins.append((left, right))

    def sums(self, low: int, high: int) -> list[tuple[Fraction, int]]:
        """Exact sums in grid units, and how often, of all subsets with low <= rounded sum <= high."""
        found: dict[int, int] = {}
        for (x, fine_x, times_x), (y, fine_y, times_y) in self.joins:
            first = np.searchsorted(y, low - x, side="left")
            last = np.searchsorted(y, high - x, side="right")
            if int((last - first).sum()) > FEW:
                raise CapacityExceeded(
                    f"more than {FEW} pairs of half sums lie within rounding of an edge. Round the samples to "
                    "multiples of one power of two."
                )
            for i in np.flatnonzero(last > first).tolist():
                for j in range(int(first[i]), int(last[i])):
                    exact = (int(x[i]) + int(y[j])) * self.finer + int(fine_x[i]) + int(fine_y[j])
                    found[exact] = found.get(exact, 0) + int(times_x[i]) * int(times_y[j])
        return [(Fraction(value, self.finer), times) for value, times in sorted(found.items())]

    def around(
        self, left: int | None, right: int | None, slack: int
    ) -> tuple[Fraction | None, Fraction | None]:
        """The exact sums on both sides of a gap between neighbouring rounded sums (None: none on that side).

        Farther rounded sums cannot be nearer: rounding moves each by `slack` at most.
        """
        return (
            None if left is None else self.sums(left - 2 * slack, left)[-1][0],
            None if right is None else self.sums(right, right + 2 * slack)[0][0],
        )


def _window(side: tuple[list[Any], list[Any]], window: Window) -> tuple[IntArray, Any, IntArray]:
    sums, fine = (np.concatenate(part[window[0] : window[1] + 1]) for part in side)
    return _group(sums, fine)


def _group(sums: IntArray, fine: Any) -> tuple[IntArray, Any, IntArray]:
    """Distinct pairs (sum, rest) in order of the sum, and how often each occurs."""
    order = np.lexsort((fine, sums)) if fine.dtype != object else _order(sums, fine)
    sums, fine = sums[order], fine[order]
    fresh = np.ones(len(sums), np.bool_)
    fresh[1:] = (np.diff(sums) != 0) | (fine[1:] != fine[:-1])
    starts = np.flatnonzero(fresh)
    return sums[starts], fine[starts], np.diff(np.append(starts, len(sums)))


def _order(sums: IntArray, fine: Any) -> IntArray:
    keys = list(zip(sums.tolist(), fine.tolist(), strict=True))
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)
