"""Owns the steps from an intensity of sums to the probability that a point is missed or an interval covered."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_real
from slth.errors import InvalidInput


def _interpolation(nodes: FloatArray, points: FloatArray) -> FloatArray:
    """Matrix that reads at `points` the polynomial through values at Chebyshev `nodes`, both ends included."""
    signs = np.where(np.arange(nodes.size) % 2 == 0, 1.0, -1.0)
    signs[[0, -1]] *= 0.5
    matrix = signs / (points[:, np.newaxis] - nodes)
    return np.asarray(matrix / matrix.sum(axis=1)[:, np.newaxis])


# ln(intensity) is concave and smooth in z: 20 Chebyshev nodes leave about 1e-4 of it.
_CHEBYSHEV = -np.cos(np.pi * np.arange(20) / 19.0)
# The fine grid on [-1, 1] that integrals use: 24 panels of 12 nodes.
_PANEL_NODES, _PANEL_WEIGHTS = np.polynomial.legendre.leggauss(12)
_GRID = ((np.arange(-11.5, 12.0)[:, np.newaxis] + 0.5 * _PANEL_NODES) / 12.0).ravel()
_GRID_WEIGHTS = np.tile(_PANEL_WEIGHTS / 24.0, 24)
_TO_GRID = _interpolation(_CHEBYSHEV, _GRID)
_LOG_TOP = 700.0

# Of which samples (a mask over all), and where (one row of points for each of these): ln of the intensity.
LogIntensity = Callable[[npt.NDArray[np.bool_], FloatArray], FloatArray]


def as_radius(radius: float, eps: float, otherwise: str) -> float:
    """Return `radius` if it is at least eps; if not, InvalidInput says to use `otherwise`."""
    reach = as_real(radius, "radius")
    if reach < eps:
        raise InvalidInput(f"`radius` must be at least `eps` = {eps}; got {radius!r}. Use `{otherwise}`.")
    return reach


def poisson_miss(log_hits: FloatArray) -> FloatArray:
    """exp(-hits), the probability that a Poisson number of hits is none, from the logarithm of its mean."""
    return np.asarray(np.exp(-np.exp(np.minimum(log_hits, _LOG_TOP))))


def covered(
    lowest: FloatArray, highest: FloatArray, logs_at: LogIntensity, eps: float, radius: float
) -> FloatArray:
    """Probability, for each sample, that segments of half-length eps around its sums cover [-radius, radius].

    Parameters
    ----------
    lowest, highest : ndarray
        (B,) least and largest sum of each sample, known to be there; infinite where not known.
    logs_at : callable
        The intensity of the sums in between.
    eps, radius : float
        Positive.

    Notes
    -----
    The formula is in `slth.theory.quenched.sample_cover`.
    """
    result = np.where((lowest - eps <= -radius) & (radius <= highest + eps), 1.0, 0.0)
    left, right = np.maximum(-radius, lowest + eps), np.minimum(radius, highest - eps)
    open_ = (result > 0.0) & (left < right)
    left, right = left[open_, np.newaxis], right[open_, np.newaxis]
    middle, half = (left + right) / 2, (right - left) / 2
    logs = logs_at(open_, middle + half * _CHEBYSHEV)
    grid = np.minimum(logs @ _TO_GRID.T + math.log(2.0 * eps), _LOG_TOP)
    hits = np.exp(grid)
    gaps = half[:, 0] * ((hits * np.exp(-hits)) @ _GRID_WEIGHTS) / (2.0 * eps)
    # ends that no known sum covers
    ends = np.exp(np.minimum(logs[:, [0, -1]] + math.log(2.0 * eps), _LOG_TOP))
    ends[:, 0] = np.where(left[:, 0] > -radius, np.inf, ends[:, 0])
    ends[:, 1] = np.where(right[:, 0] < radius, np.inf, ends[:, 1])
    gaps += 0.5 * np.exp(-ends).sum(axis=1)
    result[open_] = np.minimum(np.exp(-gaps), np.prod(-np.expm1(-ends), axis=1))
    return result
