"""Owns what a law is: the distribution of one sample, and of the sum of k independent copies.

Most laws are symmetric about 0: for them lower tails are computed, and upper tails are their mirror image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats, as_integer, as_real

# Gauss-Legendre rule for smooth densities over windows that are short on the scale of the density.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


class Law(ABC):
    """A centred law on the real line, with the law of the sum of k independent copies.

    Functions of `x` take any shape and return that shape (a numpy scalar for a scalar). They are
    vectorised: one call on an array costs far less than many calls.
    """

    symmetric: ClassVar[bool] = True

    @property
    @abstractmethod
    def name(self) -> str:
        """The word that names the law in files and on the command line."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """Variance of one copy."""

    @property
    @abstractmethod
    def fourth_moment(self) -> float:
        """E X^4 of one copy."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, shape: int | tuple[int, ...]) -> FloatArray:
        """Independent samples, float64.

        Parameters
        ----------
        rng : numpy.random.Generator
            Where the randomness comes from.
        shape : int or tuple of int
        """

    @abstractmethod
    def _sum_pdf(self, x: FloatArray, k: int) -> FloatArray:
        """`sum_pdf` on an array, of x <= 0 for a symmetric law; k >= 1."""

    @abstractmethod
    def _sum_lower(self, x: FloatArray, k: int) -> FloatArray:
        """P(S_k <= x) for an array, of x <= 0 for a symmetric law; k >= 1."""

    @abstractmethod
    def _sum_log_pdf(self, x: FloatArray, k: int) -> FloatArray:
        """`sum_log_pdf` on an array, of x <= 0 for a symmetric law; k >= 1."""

    @abstractmethod
    def _sum_log_lower(self, x: FloatArray, k: int) -> FloatArray:
        """ln P(S_k <= x) for an array, of x <= 0 for a symmetric law; k >= 1."""

    @abstractmethod
    def _window(self, z: FloatArray, eps: FloatArray, k: int) -> FloatArray:
        """`window` on arrays of one shape, eps > 0 and z <= 0 for a symmetric law."""

    def pdf(self, x: npt.ArrayLike) -> FloatArray:
        """Density of one copy at x, `sum_pdf(x, 1)`.

        Parameters
        ----------
        x : array_like
            Finite points, any shape.
        """
        return self.sum_pdf(x, 1)

    def cdf(self, x: npt.ArrayLike) -> FloatArray:
        """P(X <= x) for one copy, `sum_cdf(x, 1)`.

        Parameters
        ----------
        x : array_like
            Finite points, any shape.
        """
        return self.sum_cdf(x, 1)

    def sum_pdf(self, x: npt.ArrayLike, k: int) -> FloatArray:
        """Density at x of S_k, the sum of k independent copies.

        Parameters
        ----------
        x : array_like
            Finite points, any shape.
        k : int
            Number of copies, k >= 1.

        Raises
        ------
        InvalidInput
            If x is not finite or k < 1.
        """
        points, copies = _points(x), as_integer(k, "k", low=1)
        values: FloatArray = self._sum_pdf(self._fold(points), copies)[()]
        return values

    def sum_cdf(self, x: npt.ArrayLike, k: int) -> FloatArray:
        """P(S_k <= x) for the sum S_k of k independent copies.

        Parameters
        ----------
        x : array_like
            Finite points, any shape.
        k : int
            Number of copies, k >= 1.

        Raises
        ------
        InvalidInput
            If x is not finite or k < 1.
        """
        points, copies = _points(x), as_integer(k, "k", low=1)
        lower = self._sum_lower(self._fold(points), copies)
        values: FloatArray = np.where((points <= 0) | (not self.symmetric), lower, 1.0 - lower)[()]
        return values

    def sum_log_pdf(self, x: npt.ArrayLike, k: int) -> FloatArray:
        """Natural logarithm of `sum_pdf`, also where that is below the smallest float; -inf off the support.

        Parameters
        ----------
        x : array_like
            Finite points, any shape.
        k : int
            Number of copies, k >= 1.

        Raises
        ------
        InvalidInput
            If x is not finite or k < 1.
        """
        points, copies = _points(x), as_integer(k, "k", low=1)
        values: FloatArray = self._sum_log_pdf(self._fold(points), copies)[()]
        return values

    def sum_log_cdf(self, x: npt.ArrayLike, k: int) -> FloatArray:
        """Natural logarithm of `sum_cdf`, also where that is below the smallest float or rounds to 1.

        Parameters
        ----------
        x : array_like
            Finite points, any shape.
        k : int
            Number of copies, k >= 1.

        Raises
        ------
        InvalidInput
            If x is not finite or k < 1.
        """
        points, copies = _points(x), as_integer(k, "k", low=1)
        lower = self._sum_log_lower(self._fold(points), copies)
        with np.errstate(divide="ignore"):
            mirrored = np.log1p(-np.exp(lower))
        values: FloatArray = np.where((points <= 0) | (not self.symmetric), lower, mirrored)[()]
        return values

    def window(self, z: npt.ArrayLike, eps: float, k: int) -> FloatArray:
        """P(|S_k - z| <= eps), without the cancellation of a difference of two values of the cdf.

        Parameters
        ----------
        z : array_like
            Finite targets, any shape.
        eps : float
            Tolerance, eps > 0.
        k : int
            Number of copies, k >= 1.

        Raises
        ------
        InvalidInput
            If z is not finite, eps <= 0 or k < 1.
        """
        points, copies = _points(z), as_integer(k, "k", low=1)
        width = as_real(eps, "eps", low=0.0, open_low=True)
        values: FloatArray = self._window(self._fold(points), np.full(points.shape, width), copies)[()]
        return values

    def _fold(self, points: FloatArray) -> FloatArray:
        return -np.abs(points) if self.symmetric else points

    def _ends(self, z: FloatArray, eps: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
        """P(S_k <= z - eps) and P(S_k <= z + eps), of a symmetric law and z <= 0."""
        high = z + eps
        upper = self._sum_lower(-np.abs(high), k)
        return self._sum_lower(z - eps, k), np.where(high <= 0, upper, 1.0 - upper)

    def _difference(self, z: FloatArray, eps: FloatArray, k: int) -> FloatArray:
        """The window as a difference of lower tails: good when the window is not short."""
        low, high = self._ends(z, eps, k)
        return high - low

    def _smooth_window(self, z: FloatArray, eps: FloatArray, k: int) -> FloatArray:
        """The window of a density without kinks: a difference where it loses nothing, else 24 nodes."""
        low, high = self._ends(z, eps, k)
        short = low >= 0.7 * high
        values: FloatArray = np.array(high - low)
        if short.any():
            values[short] = self._quadrature(z[short], np.zeros_like(z[short]), eps[short], k)
        return values

    def _quadrature(self, z: FloatArray, middle: FloatArray, half: FloatArray, k: int) -> FloatArray:
        """Integral of the density over z + middle + [-half, half], where it is smooth, with 24 nodes."""
        points = (z + middle)[..., np.newaxis] + half[..., np.newaxis] * _NODES
        total: FloatArray = half * (self._sum_pdf(points, k) @ _WEIGHTS)
        return total


def _points(x: npt.ArrayLike) -> FloatArray:
    ndim = np.ndim(x) if not isinstance(x, (str, bytes)) else 0
    return as_floats(x, "x", ndim=ndim)
