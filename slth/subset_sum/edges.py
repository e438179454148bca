"""An interval and a tolerance in exact grid units: which gaps between sums leave a point uncovered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from slth._jit.covering import OVERLAP
from slth._typing import BoolArray, IntArray, WordArray
from slth.subset_sum.grid import Grid, clip

PARTS = 4  # cells in the longest gap allowed: a longer one holds PARTS - 1 whole cells
BLOCK = 1 << 17  # cells of one block


@dataclass(frozen=True)
class Edges:
    """[low, high] and eps in units of a grid, exact rational numbers; `ends` are low and high as given."""

    grid: Grid
    ends: tuple[float, float]
    low: Fraction
    high: Fraction
    eps: Fraction

    def open(self, point: Fraction, left: Fraction | None, right: Fraction | None) -> bool:
        """Whether a point of [low, high] is farther than eps from the sums left and right (None: none)."""
        return (
            self.low <= point <= self.high
            and (left is None or point - left > self.eps)
            and (right is None or right - point > self.eps)
        )

    def witness(self, left: Fraction | None, right: Fraction | None) -> Fraction | float | None:
        """A point of [low, high] farther than eps from both neighbouring sums, if there is one.

        A float64 if any lies there, else a rational number.
        """
        first = self.low if left is None else max(self.low, left + self.eps)
        last = self.high if right is None else min(self.high, right - self.eps)
        middle = (first + last) / 2
        if not self.open(middle, left, right):
            return None
        exact = self.grid.value(middle)
        for point in (float(exact), *self.ends):
            if self.open(self.grid.units(point), left, right):
                return point
        return exact


def edges_on(grid: Grid, low: float, high: float, eps: float) -> Edges:
    """The interval and the tolerance in units of the grid."""
    return Edges(grid, (low, high), grid.units(low), grid.units(high), grid.units(eps))


@dataclass(frozen=True)
class Range:
    """What a search among integer sums has to look at, all in units and without the lists' offset.

    Attributes
    ----------
    first, last : int
        Sums outside do not matter, except that there must be one <= `lowest` and one >= `highest`.
    lowest, highest : int
    allowed : int
        Gaps up to this length are covered.
    """

    first: int
    last: int
    lowest: int
    highest: int
    allowed: int


def range_for(edges: Edges, slack: int) -> Range | None:
    """The range whose integer sums, each off by `slack` at most, decide; None if eps is below the resolution.

    A point uncovered by such sums lies beyond them or in a gap of the integer sums longer than 2 (eps - slack).
    """
    tight = edges.eps - slack
    if tight <= 0 or math.floor(2 * tight) < 1:
        return None
    return Range(
        clip(math.ceil(edges.low - tight)),
        clip(math.floor(edges.high + tight)),
        clip(math.floor(edges.low + tight)),
        clip(math.ceil(edges.high - tight)),
        clip(math.floor(2 * tight)),
    )


def cells_between(first: int, last: int, allowed: int) -> IntArray:
    """The frame of `covering.scan`: equal cells from `first` to `last`, PARTS of them in an allowed gap."""
    width = (allowed + 1) // min(PARTS, allowed + 1)
    length = max(0, last - first + 1)
    size = max(8, min(BLOCK, length // width))
    cut = max(0, ((size + OVERLAP) * width).bit_length() - 31)
    width = width >> cut << cut
    divisor = width >> cut
    spread = (divisor - 1).bit_length()
    # floor(v / divisor) = (v * factor) >> lift for all v < 2**31, by the choice of factor and lift
    factor = -(-(1 << (31 + spread)) // divisor)
    return np.array([first, width, length // width, allowed, size, cut, factor, 31 + spread], np.int64)


def cells_for(frame: IntArray) -> tuple[BoolArray, WordArray]:
    """Marks of one block, and the same bytes as 64-bit words."""
    cells = np.empty((int(frame[4]) + OVERLAP + 15) // 8 * 8, np.bool_)
    return cells, cells.view(np.uint64)
