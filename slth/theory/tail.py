"""Owns the price of high confidence: the slope of the least n H2(k/n) where misses come from bad samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq, minimize, minimize_scalar

from slth._typing import FloatArray
from slth._validate import as_fraction
from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.laws.named import as_law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)
_REACH = 9.0  # standard deviations of a normal sample that are integrated
_TILTS = (0.5, 2.0, 6.0)  # where the search for the worst tilt begins, in standard deviations
_MOST_POWER = 200.0


def tail_slope(density: float, law: str | Law) -> float:
    r"""Slope of the least n H2(k/n) against log2(1/eps) for confidence 1 - eps, by large deviations.

    Parameters
    ----------
    density : float
        gamma = k/n in (0, 1).
    law : str or Law
        `Uniform()`, `Normal(s)` or `LiveProduct()`, or the name of one.

    Returns
    -------
    float
        Above 1/(1 - gamma).

    Raises
    ------
    InvalidInput
        If an argument is outside its range or the law is another one.

    Notes
    -----
    A prediction, for targets that stay bounded, or grow like sqrt(k), as n grows. The number of k-subsets whose
    sum is near 0 is exp(n S) up to powers of n, with the saddlepoint exponent of the sample

        S = min over a, b of (1/n) sum_i ln(1 + e^{a + b X_i}) - a gamma.

    0 is missed within eps when S < l = ln(1/eps)/n, that is, when for some (a, b) the mean of
    ln(1 + e^{a + b X_i}) is below l + a gamma; by Cramer's theorem this has probability exp(-n I(l)) with

        I(l) = min over a, b of max over t >= 0 of  -t (l + a gamma) - ln E (1 + e^{a + b X})^{-t}.

    Confidence 1 - eps means I(l) = l, and the slope is H(gamma)/l, in nats. A normal sample mean with subset
    sums of normal shape gives 1/(1 - gamma) (`predicted_slope`); but samples as bad as this have means that are
    off by a constant share of one sample's standard deviation, where that shape is wrong unless gamma is small.

    Examples
    --------
    >>> [round(tail_slope(g, "uniform"), 2) for g in (0.5, 0.25, 0.02)]
    [3.26, 1.64, 1.02]
    """
    gamma = as_fraction(density, "density")
    rule = as_law(law)
    if not isinstance(rule, (Uniform, Normal, LiveProduct)):
        raise InvalidInput(f"`law` must be Uniform, Normal or LiveProduct; got {type(rule).__name__}.")
    gamma = min(gamma, 1.0 - gamma)  # the samples that are left out are a subset, too
    points, masses = _quadrature(rule)
    entropy = -gamma * math.log(gamma) - (1.0 - gamma) * math.log1p(-gamma)

    flat = math.log(gamma) - math.log1p(-gamma)
    starts = [np.array([flat, b]) for b in _TILTS]  # -b stands for the mirrored samples

    def excess(share: float) -> float:
        level = share * entropy
        rate, tilt = _rate(level, gamma, points, masses, starts)
        starts[:] = [tilt]
        return rate - level

    # the middle first, from all tilts; then each level from the tilt of the one before
    excess(0.9 - 0.8 * gamma)
    share: float = brentq(excess, 0.05, 1.0 - 0.1 * gamma, xtol=1e-7)
    return 1.0 / share


def _quadrature(law: Law) -> tuple[FloatArray, FloatArray]:
    """Points in standard deviations, and masses; cubes tame the logarithm of live products."""
    spread = math.sqrt(law.variance)
    end = _REACH * spread if isinstance(law, Normal) else 1.0
    u = 0.5 * (1.0 + _NODES)
    x = end * u**3
    half = 0.5 * _WEIGHTS * 3.0 * end * u**2 * law.sum_pdf(x, 1)
    points, masses = np.concatenate([x, -x]) / spread, np.concatenate([half, half])
    return points, masses / masses.sum()


def _rate(
    level: float, gamma: float, points: FloatArray, masses: FloatArray, starts: Sequence[FloatArray]
) -> tuple[float, FloatArray]:
    """I(level), the exponent of samples whose saddlepoint exponent is below `level`, and the tilt (a, b)."""

    def exponent(tilt: FloatArray) -> float:
        a, b = tilt
        terms = np.logaddexp(0.0, a + b * points)

        def negative(power: float) -> float:
            values = -power * terms
            top = float(values.max())
            return float(power * (level + a * gamma) + top + math.log(float(masses @ np.exp(values - top))))

        found = minimize_scalar(negative, bounds=(0.0, _MOST_POWER), method="bounded", options={"xatol": 1e-9})
        return -float(found.fun)

    options = {"xatol": 1e-6, "fatol": 1e-12, "maxiter": 1000}
    best = min(
        (minimize(exponent, start, method="Nelder-Mead", options=options) for start in starts),
        key=lambda found: float(found.fun),
    )
    return float(best.fun), np.asarray(best.x, dtype=np.float64)
