"""Owns the question of the squared logarithm: least n H2(k/n) as a function of log2(k/eps), and its slope."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_choice, as_floats, as_fraction, as_real, read_only
from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.theory.catalogue import EVENTS
from slth.theory.logsquare import chosen_entropy
from slth.theory.sizes import n_cover, n_hit


@dataclass(frozen=True)
class EntropyLine:
    """Least sample sizes against the logarithm that the theorems are written in.

    Attributes
    ----------
    eps : ndarray
        Tolerances, (m,).
    n, k : ndarray
        Least sample sizes and their subset sizes, (m,).
    bits : ndarray
        log2(k/eps), the abscissa.
    entropy : ndarray
        n H2(k/n), the ordinate.
    slope, intercept : float
        Of the least-squares straight line.
    exponent : float
        Slope of ln(entropy) against ln(bits) by least squares: 1 for proportionality, 2 for the squared
        logarithm of Corollary 1; a straight line with an intercept lies in between at small `bits`.
    """

    eps: FloatArray
    n: npt.NDArray[np.int64]
    k: npt.NDArray[np.int64]
    bits: FloatArray
    entropy: FloatArray
    slope: float
    intercept: float
    exponent: float


def entropy_line(
    law: Law,
    eps: Sequence[float],
    *,
    k: int | None = None,
    density: float | None = None,
    event: str = "cover",
    place: float | None = None,
    confidence: float | None = None,
    kind: str = "cox",
) -> EntropyLine:
    """Least n at each tolerance, by a predictor or guarantee, in the coordinates of the theorems.

    Parameters
    ----------
    law : Law
        Law of one sample.
    eps : sequence of float
        At least two different tolerances in (0, 1); 1e-15 or more where the confidence is 1 - eps.
    k : int, optional
        Fixed subset size. Exactly one of `k` and `density` is given.
    density : float, optional
        Fixed k/n.
    event : {"hit", "cover"}
    place : float, optional
        Target or radius. Default for "cover": sqrt(k); for "hit": 0.
    confidence : float, optional
        Wanted probability. Default: 1 - eps, another one for each tolerance, as in Corollary 1.
    kind : str
        As in `n_hit`.

    Returns
    -------
    EntropyLine

    Raises
    ------
    InvalidInput
        If an argument is outside its range.
    CapacityExceeded
        As in `n_hit`.

    Notes
    -----
    See `predicted_slope` for what to expect.

    Examples
    --------
    >>> from slth.laws.uniform import Uniform
    >>> line = entropy_line(Uniform(), [1e-3, 1e-6, 1e-9], density=0.1, event="hit", confidence=0.5)
    >>> 0.9 < line.slope < 1.2
    True
    """
    word = as_choice(event, "event", EVENTS)
    widths = as_floats(list(eps), "eps", ndim=1)
    if widths.size < 2 or np.unique(widths).size < 2 or widths.min() <= 0.0 or widths.max() >= 1.0:
        raise InvalidInput(f"`eps` must hold at least two different numbers in (0, 1); got {list(eps)!r}.")
    sizes = []
    for width in widths.tolist():
        wanted = 1.0 - width if confidence is None else confidence
        if word == "hit":
            z = 0.0 if place is None else place
            sizes.append(n_hit(width, z, law, k=k, density=density, probability=wanted, kind=kind))
        else:
            sizes.append(n_cover(width, law, k=k, density=density, radius=place, probability=wanted, kind=kind))
    chosen = [k if k is not None else max(1, round((density or 0.0) * n)) for n in sizes]
    bits = np.array([math.log2(c / w) for c, w in zip(chosen, widths, strict=True)])
    entropy = np.array([chosen_entropy(n, c) for n, c in zip(sizes, chosen, strict=True)])
    slope, intercept = np.polyfit(bits, entropy, 1)
    exponent = np.polyfit(np.log(bits), np.log(entropy), 1)[0]
    return EntropyLine(
        eps=read_only(widths),
        n=read_only(np.array(sizes, dtype=np.int64)),
        k=read_only(np.array(chosen, dtype=np.int64)),
        bits=read_only(bits),
        entropy=read_only(entropy),
        slope=float(slope),
        intercept=float(intercept),
        exponent=float(exponent),
    )


def predicted_slope(density: float, *, exponent: float = 0.0) -> float:
    r"""Slope of the least n H2(k/n) against log2(1/eps) for confidence 1 - eps^exponent, at fixed density.

    Parameters
    ----------
    density : float
        gamma = k/n in (0, 1).
    exponent : float
        0 for a fixed confidence, 1 for confidence 1 - eps; at least 0.

    Returns
    -------
    float
        1 + exponent gamma/(1 - gamma); 1/(1 - gamma) for exponent 1.

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Notes
    -----
    By Stirling, the number of hits expected at a central target is lambda with

        log2(lambda) = n H2(gamma) - log2(k/eps) + O(1).

    A fixed confidence needs lambda = O(1) to hit and, by the coupon-collector argument, lambda ~ ln(1/eps) to
    cover: n H2 = log2(k/eps) + O(log log(1/eps)), slope 1. A small miss comes from a bad sample mean. With
    M = k times the mean, M ~ N(0, gamma k sigma^2), the expected number of hits given M is lambda
    exp(-M^2/(2 k (1 - gamma) sigma^2)); it falls below 1 where M^2 > 2 k (1 - gamma) sigma^2 ln(lambda), which
    has probability about

        exp(-M^2/(2 gamma k sigma^2)) = lambda^{-(1 - gamma)/gamma}.

    Setting this to eps^c asks for log2(lambda) = c gamma/(1 - gamma) log2(1/eps), that is

        n H2 = log2(k/eps) + c gamma/(1 - gamma) log2(1/eps) + ... .

    A factor, not another logarithm: if this is right the square in Corollary 1 of [natale2024] is an artefact
    of its union over blocks. It is a prediction about the least n; the two-halves argument proves slope 2 at
    fixed confidence (`two_halves_bound`).

    Examples
    --------
    >>> predicted_slope(0.5, exponent=1.0), predicted_slope(0.1)
    (2.0, 1.0)
    """
    gamma = as_fraction(density, "density")
    power = as_real(exponent, "exponent", low=0.0)
    return 1.0 + power * gamma / (1.0 - gamma)


def slope_band(bits: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> tuple[float, float]:
    """Least and largest least-squares slope of any ordinates between `low` and `high`.

    Parameters
    ----------
    bits : array_like
        Abscissas, (m,), not all equal.
    low, high : array_like
        Ends of the interval of each ordinate, (m,), low <= high.

    Returns
    -------
    tuple of float
        If every interval holds its true ordinate, the slope through the true ordinates lies between these.

    Raises
    ------
    InvalidInput
        If shapes differ, low exceeds high somewhere, or all abscissas are equal.

    Notes
    -----
    The slope is linear in the ordinates, sum_i (x_i - mean x) y_i / sum_i (x_i - mean x)^2; each takes the end
    that its sign asks for.

    Examples
    --------
    >>> slope_band([0.0, 1.0], [0.0, 1.0], [0.0, 2.0])
    (1.0, 2.0)
    """
    x, bottom, top = (as_floats(v, name, ndim=1) for v, name in ((bits, "bits"), (low, "low"), (high, "high")))
    if not x.shape == bottom.shape == top.shape or x.size < 2:
        raise InvalidInput(
            "`bits`, `low` and `high` must have one length of at least 2; "
            f"got {x.size}, {bottom.size}, {top.size}."
        )
    if np.any(bottom > top):
        where = int(np.argmax(bottom > top))
        raise InvalidInput(
            f"`low` must not exceed `high`; got {bottom[where]} > {top[where]} at index {where}."
        )
    centred = x - x.mean()
    spread = float(centred @ centred)
    if spread == 0.0:
        raise InvalidInput(f"`bits` must not all be equal; got {x[0]!r}.")
    weights = centred / spread
    ends = weights * bottom, weights * top
    return float(np.minimum(*ends).sum()), float(np.maximum(*ends).sum())
