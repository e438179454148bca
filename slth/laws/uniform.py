"""Owns the uniform law on [-1, 1] and the density and cdf of its sums (scaled Irwin-Hall)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth._typing import FloatArray
from slth.laws.law import Law


@dataclass(frozen=True)
class Uniform(Law):
    """U[-1, 1].

    Notes
    -----
    The density f_k of the sum of k copies is a B-spline with knots k, k-2, ..., -k. It is evaluated by the
    recursion that only adds non-negative terms,

        f_k(x) = [(x + k) f_{k-1}(x + 1) + (k - x) f_{k-1}(x - 1)] / (2 (k - 1)),

    from f_1 = 1/2 on the half-open interval [-1, 1): with a closed interval two neighbouring pieces would
    both be counted at a knot. The alternating textbook sum is useless in floats beyond k ~ 15. The cdf is
    F_k(x) = 2 sum_{j>=0} f_{k+1}(x - 1 - 2j). Both cost O(k^2) per point, and are accurate to about k
    units in the last place, in the tails too. At the ends x = +-1 the density of one copy is 1/2.

    Examples
    --------
    >>> law = Uniform()
    >>> [round(float(law.sum_pdf(0.0, k)), 8) for k in (2, 3, 4, 5, 8)]
    [0.5, 0.375, 0.33333333, 0.29947917, 0.23968254]
    >>> float(law.sum_cdf(4.0, 4))
    1.0
    """

    @property
    def name(self) -> str:
        """`uniform`."""
        return "uniform"

    @property
    def variance(self) -> float:
        """1/3."""
        return 1.0 / 3.0

    @property
    def fourth_moment(self) -> float:
        """1/5."""
        return 0.2

    def sample(self, rng: np.random.Generator, shape: int | tuple[int, ...]) -> FloatArray:
        """Independent samples of U[-1, 1), float64 of the given shape."""
        return np.asarray(rng.uniform(-1.0, 1.0, shape))

    def _sum_pdf(self, x: FloatArray, k: int) -> FloatArray:
        # f_k is even; on the negative side the half-open convention keeps the end point -1 of f_1.
        values: FloatArray = _splines(-np.abs(x), k, 1)[0]
        return values

    def _sum_lower(self, x: FloatArray, k: int) -> FloatArray:
        inside = np.maximum(x, -float(k))
        count = k // 2 + 1  # knots below x <= 0
        lower: FloatArray = 2.0 * _splines(inside - 1.0, k + 1, count).sum(axis=0)
        return lower

    def _window(self, z: FloatArray, eps: FloatArray, k: int) -> FloatArray:
        if np.all(eps >= 0.5):
            return self._difference(z, eps, k)
        # Distances from z stay exact when eps is tiny. At most one knot falls inside a window shorter than
        # the knots' distance 2: split there, and Gauss-Legendre with more than k/2 nodes is exact.
        low, high = np.maximum(-eps, -k - z), np.minimum(eps, k - z)
        high = np.maximum(high, low)
        knot = np.clip(2.0 * np.ceil((z + low + k) / 2.0) - k - z, low, high)
        nodes, weights = np.polynomial.legendre.leggauss(k // 2 + 1)
        total = np.zeros(z.shape)
        for start, stop in ((low, knot), (knot, high)):
            half = (stop - start) / 2
            points = (z + (stop + start) / 2)[..., np.newaxis] + half[..., np.newaxis] * nodes
            total += half * (self._sum_pdf(points, k) @ weights)
        return total


def _splines(x: FloatArray, k: int, count: int) -> FloatArray:
    """f_k at x, x - 2, ..., x - 2 (count - 1): shape (count, *x.shape)."""
    index = np.arange(k + count - 1, dtype=np.float64).reshape((-1,) + (1,) * x.ndim)
    points = x + ((k - 1) - 2.0 * index)
    # Exactly one point of the lattice lies in [-1, 1). It is found by one rounding, not by comparing every
    # point: rounded separately, two neighbours can both seem to lie inside.
    table: FloatArray = np.where(index == np.floor((x + k) / 2.0), 0.5, 0.0)
    for m in range(2, k + 1):
        points = points[:-1] - 1.0
        # The factors are negative only outside the support, where rounding alone could leave a trace.
        rise, fall = np.maximum(points + m, 0.0), np.maximum(m - points, 0.0)
        table = (rise * table[:-1] + fall * table[1:]) / (2.0 * (m - 1))
    return table
