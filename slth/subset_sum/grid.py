"""Exact fixed point for whole families of sums: int64 samples on one grid, rational edges beside them.

Samples become X = x 2**shift rounded to nearest. Edges stay exact rational numbers of grid units, so an integer
sum is compared with them exactly. Where samples do not lie on the grid, the true sum of a subset is within
`slack` units of its integer sum; searches then use tolerances tightened by the slack, so that "covered" stays a
proof, and what lies within the slack of an edge is decided on the samples themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from slth._typing import BoolArray, FloatArray, IntArray
from slth.subset_sum.family import Family

BITS = 59  # sums of |X| stay below 2**59, and so do those relative to the first of each block
EDGE = 1 << 60  # edges are cut to this: beyond every sum


@dataclass(frozen=True)
class Grid:
    """Rows of samples in units of 2**-shift.

    Attributes
    ----------
    items : ndarray
        (B, n) int64.
    shift : int
    exact : ndarray
        (B,) bool: nothing was rounded in this row.
    slack : int
        Units by which a true sum in the other rows may differ from its integer sum.
    """

    items: IntArray
    shift: int
    exact: BoolArray
    slack: int

    def units(self, number: float) -> Fraction:
        """A number in units of the grid."""
        return Fraction(number) * Fraction(2) ** self.shift

    def value(self, units: Fraction | int) -> Fraction:
        """Units as a number."""
        return Fraction(units) / Fraction(2) ** self.shift

    def integers(self, samples: FloatArray) -> tuple[list[int], int]:
        """Samples (n,), exactly, as integers in units of 1/finer of the grid's; and finer, a power of two."""
        ratios = [x.as_integer_ratio() for x in samples.tolist()]
        depth = max(below for _, below in ratios).bit_length() - 1  # all are multiples of 2**-depth
        finer = max(0, depth - self.shift)
        lift = self.shift + finer + 1
        return [above << (lift - below.bit_length()) for above, below in ratios], 1 << finer


def make_grid(rows: FloatArray, family: Family) -> Grid:
    """The finest grid on which the sums of all rows (B, n) fit."""
    sizes = np.abs(rows)
    most = family.n if family.blocks else max(1, family.k_max)
    if most < family.n:
        sizes = np.partition(sizes, family.n - most, axis=1)[:, family.n - most :]
    total = float(sizes.sum(axis=1).max()) or 1.0
    # a float sum of n terms is off by a relative n 2**-53 at most; frexp gives total < 2**exponent
    shift = BITS - math.frexp(total * (1 + 1e-9))[1]
    grid = np.ldexp(rows, shift)
    whole = np.rint(grid)
    exact = (grid == whole).all(axis=1)
    if shift < 0 and not (grid != 0).all():
        exact &= ((grid != 0) == (rows != 0)).all(axis=1)  # tiny samples may vanish beside huge ones
    return Grid(whole.astype(np.int64), shift, exact, (family.k_max + 1) // 2)


def clip(edge: int) -> int:
    """An integer edge cut to the range of the compiled searches."""
    return max(-EDGE, min(EDGE, edge))
