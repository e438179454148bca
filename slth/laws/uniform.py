"""Owns the uniform law on [-1, 1] and the density and cdf of its sums (scaled Irwin-Hall)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from slth._typing import FloatArray
from slth.laws.contour import UNIFORM, log_upper
from slth.laws.law import Law

_FEW = 32  # copies up to which the recursion is used


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

    For k > 32 the tilted contour integral of `log_upper` takes over, and near the ends of the support the
    alternating sum, where its first term rules. Relative error below 1e-12 up to k = 10^4 wherever the value is
    a normal float (checked as for `LiveProduct`); logarithms have absolute error below 1e-12, or relative 1e-14
    where that is more.

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
        if k > _FEW:
            return np.asarray(np.exp(self._sum_log_pdf(-np.abs(x), k)))
        # f_k is even; on the negative side the half-open convention keeps the end point -1 of f_1.
        values: FloatArray = _splines(-np.abs(x), k, 1)[0]
        return values

    def _sum_lower(self, x: FloatArray, k: int) -> FloatArray:
        if k > _FEW:
            return np.asarray(np.exp(self._sum_log_lower(x, k)))
        inside = np.maximum(x, -float(k))
        count = k // 2 + 1  # knots below x <= 0
        lower: FloatArray = 2.0 * _splines(inside - 1.0, k + 1, count).sum(axis=0)
        return lower

    def _sum_log_pdf(self, x: FloatArray, k: int) -> FloatArray:
        return _logs(x, k, self._sum_pdf, tail=False)

    def _sum_log_lower(self, x: FloatArray, k: int) -> FloatArray:
        return _logs(x, k, self._sum_lower, tail=True)

    def _window(self, z: FloatArray, eps: FloatArray, k: int) -> FloatArray:
        if k > _FEW:
            return self._smooth_window(z, eps, k)
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


def _logs(x: FloatArray, k: int, direct: Callable[[FloatArray, int], FloatArray], *, tail: bool) -> FloatArray:
    """Logarithms of the density, or of the lower tail, at x <= 0."""
    y = -x.ravel()
    result = np.full(y.shape, -np.inf)
    if k <= _FEW:
        values = direct(x, k).ravel()
        usable = values > 1e-250
        result[usable] = np.log(values[usable])
        rest = ~usable
        near = rest & (y < k)
    else:
        near = (y < k) & (k - y < k / (math.log(k) + 1.5))
        middle = (y < k) & ~near
        result[middle] = log_upper(UNIFORM, y[middle], k, tail=tail)
    result[near] = _near_end((k - y[near]) / 2.0, k, tail=tail)
    return result.reshape(x.shape)


def _near_end(u: FloatArray, k: int, *, tail: bool) -> FloatArray:
    """ln of sum_{j<u} (-1)^j C(k, j) (u - j)^p / p!; p = k for the cdf, k - 1 for the density, which is halved.

    With k > 32 and 2 u < k/(ln k + 1.5) the terms fall at least like k^j e^{-2 j (ln k + 1.5)}/j!.
    """
    power = k if tail else k - 1
    total = np.zeros(u.shape)
    for j in range(1, 6):
        with np.errstate(divide="ignore"):
            share = np.where(u > j, np.log1p(-np.minimum(j / u, 1.0)), -np.inf)
        total += (-1.0) ** j * np.exp(
            float(gammaln(k + 1) - gammaln(k - j + 1) - gammaln(j + 1)) + power * share
        )
    # p ln u - ln p!, with the large parts of the factorial taken into the logarithm
    p = max(power, 1)
    stirling = (
        float(gammaln(p + 1)) - p * (math.log(p) - 1.0)
        if p < 30
        else 0.5 * math.log(2 * math.pi * p) + 1 / (12 * p) - 1 / (360 * p**3) + 1 / (1260.0 * p**5)
    )
    first = p * (np.log(u / p) + 1.0) - stirling if power else np.zeros(u.shape)
    return np.asarray(first + np.log1p(total) - (0.0 if tail else math.log(2.0)))
