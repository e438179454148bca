"""Owns the centred normal law and its sums."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr

from slth._typing import FloatArray
from slth._validate import as_real
from slth.laws.law import Law


@dataclass(frozen=True)
class Normal(Law):
    """N(0, s^2); the sum of k copies is N(0, k s^2).

    Parameters
    ----------
    s : float
        Standard deviation of one copy, s > 0.

    Raises
    ------
    InvalidInput
        If s is not a positive number.

    Examples
    --------
    >>> round(float(Normal(1.0).sum_pdf(0.0, 4)), 8)
    0.19947114
    """

    s: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "s", as_real(self.s, "s", low=0.0, open_low=True))

    @property
    def name(self) -> str:
        """`normal`."""
        return "normal"

    @property
    def variance(self) -> float:
        """The square of s."""
        return self.s * self.s

    @property
    def fourth_moment(self) -> float:
        """3 s^4."""
        return 3.0 * self.variance**2

    def sample(self, rng: np.random.Generator, shape: int | tuple[int, ...]) -> FloatArray:
        """Independent samples of N(0, s^2), float64 of the given shape."""
        return np.asarray(rng.normal(0.0, self.s, shape))

    def _sum_pdf(self, x: FloatArray, k: int) -> FloatArray:
        scale = self.s * math.sqrt(k)
        values: FloatArray = np.exp(-0.5 * (x / scale) ** 2) / (scale * math.sqrt(2.0 * math.pi))
        return values

    def _sum_lower(self, x: FloatArray, k: int) -> FloatArray:
        values: FloatArray = ndtr(x / (self.s * math.sqrt(k)))
        return values

    def _sum_log_pdf(self, x: FloatArray, k: int) -> FloatArray:
        scale = self.s * math.sqrt(k)
        return np.asarray(-0.5 * (x / scale) ** 2 - math.log(scale * math.sqrt(2.0 * math.pi)))

    def _sum_log_lower(self, x: FloatArray, k: int) -> FloatArray:
        values: FloatArray = log_ndtr(x / (self.s * math.sqrt(k)))
        return values

    def _window(self, z: FloatArray, eps: FloatArray, k: int) -> FloatArray:
        scale = self.s * math.sqrt(k)
        # In the far tail the density falls by a factor e over scale^2/|z|: short means short on that scale.
        short = eps * (1.0 + np.abs(z) / scale) <= scale
        return np.where(short, self._quadrature(z, np.zeros_like(z), eps, k), self._difference(z, eps, k))
