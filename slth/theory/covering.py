"""Owns the predictions of whether fixed-size subsets hit every target of an interval at once."""

from __future__ import annotations

import math

import numpy as np

from slth._typing import FloatArray
from slth._validate import as_choice, as_integer, as_real
from slth.laws.law import Law
from slth.theory.entropy import log_binomial
from slth.theory.gaps import as_radius
from slth.theory.hitting import KINDS, log_hits_at_centre, variance_mixture

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_REACH = 12.0  # standard deviations of the sample mean that are integrated; beyond lies 4e-33
_GRID = np.linspace(-_REACH, _REACH, 25)
# ln(expected hits) where panels begin: exp(-exp(y)) and the number of gaps fall steeply between -1 and 6.7.
_LEVELS = np.concatenate([np.linspace(6.7, -1.0, 39), np.linspace(-3.0, -39.0, 19)])


def uncovered_probability(n: int, k: int, eps: float, radius: float, law: Law, *, kind: str = "cox") -> float:
    r"""Predicted probability that some z in [-radius, radius] is missed by all sums of k of n samples.

    The complement of `cover_probability`, without cancellation.

    Parameters
    ----------
    n, k : int
        Sample size and subset size, 1 <= k <= n.
    eps : float
        Tolerance, eps > 0.
    radius : float
        Half-length of the covered interval, radius >= eps.
    law : Law
        Law of one sample.
    kind : {"cox", "cox-variance", "annealed"}
        As in `miss_probability`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Notes
    -----
    A prediction, not a bound. Around each k-subset sum lies a segment of length 2 eps; for sums that form a
    Poisson process of intensity nu, the number of gaps that the segments leave in [-R, R] has mean

        B = int_{-R}^{R} nu e^{-2 eps nu} dz + (e^{-2 eps nu(-R)} + e^{-2 eps nu(R)}) / 2,

    and coverage has probability about e^-B; it is capped by the probability that both ends are hit, which
    e^-B exceeds when they are out of reach. The intensity is nu(z | M) of `miss_probability`, averaged over
    M ~ N(0, k (k/n) sigma^2) (Cox), or C(n, k) P(|S_k - z| <= eps) / (2 eps) (annealed, wrong at constant
    density). `cox` neglects the fluctuation of the sample variance, `cox-variance` does not. Integrated to
    absolute 1e-5 in the
    bulk; M is followed to 12 standard deviations, so that results below 1e-31 come out too small.

    Examples
    --------
    >>> from slth.laws.uniform import Uniform
    >>> round(uncovered_probability(35, 4, 1e-2, 2.0, Uniform()), 5)
    0.00102
    """
    return _uncovered(n, k, eps, radius, law, kind)[0]


def cover_probability(n: int, k: int, eps: float, radius: float, law: Law, *, kind: str = "cox") -> float:
    """Predicted probability that every z in [-radius, radius] is within eps of a sum of k of n samples.

    `uncovered_probability` defines the prediction and states its errors.

    Parameters
    ----------
    n, k : int
        Sample size and subset size, 1 <= k <= n.
    eps : float
        Tolerance, eps > 0.
    radius : float
        Half-length of the covered interval, radius >= eps.
    law : Law
        Law of one sample.
    kind : {"cox", "cox-variance", "annealed"}
        As in `miss_probability`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Examples
    --------
    >>> from slth.laws.uniform import Uniform
    >>> cover_probability(30, 3, 1e-2, 3**0.5, Uniform()) > 0.5
    True
    """
    return _uncovered(n, k, eps, radius, law, kind)[1]


def _uncovered(n: int, k: int, eps: float, radius: float, law: Law, kind: str) -> tuple[float, float]:
    """Probabilities of an uncovered and of a covered interval."""
    size = as_integer(n, "n", low=1)
    chosen = as_integer(k, "k", low=1, high=size)
    width = as_real(eps, "eps", low=0.0, open_low=True)
    reach = as_radius(radius, width, "hit_probability")
    word = as_choice(kind, "kind", KINDS)
    if chosen == size:
        # One subset covers a segment of length 2 eps, so [-R, R] with R = eps only by a miracle.
        return 1.0, 0.0
    if word == "annealed":
        return _annealed(size, chosen, width, reach, law)
    mixture = variance_mixture(size, law) if word == "cox-variance" else ((1.0, law.variance),)
    uncovered = covered = 0.0
    for weight, spread in mixture:
        pair = _cox(size, chosen, width, reach, spread, law.variance)
        uncovered, covered = uncovered + weight * pair[0], covered + weight * pair[1]
    return min(uncovered, 1.0), min(covered, 1.0)


def _gaps_to_probabilities(
    gaps: FloatArray, left: FloatArray, right: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(uncovered, covered) from the mean number of gaps and the expected hits of the two ends."""
    miss_left, miss_right = np.exp(-left), np.exp(-right)
    missed_end = miss_left + miss_right - miss_left * miss_right
    uncovered = np.maximum(-np.expm1(-gaps), missed_end)
    covered = np.minimum(np.exp(-gaps), np.expm1(-left) * np.expm1(-right))
    return uncovered, covered


def _annealed(n: int, k: int, eps: float, radius: float, law: Law) -> tuple[float, float]:
    cuts = np.union1d(np.linspace(0.0, radius, 65), [c for c in range(k + 1) if c < radius])
    half = np.diff(cuts)[:, np.newaxis] / 2
    z = np.concatenate([(cuts[:-1, np.newaxis] + half * (1.0 + _NODES)).ravel(), [radius]])
    with np.errstate(divide="ignore"):
        hits = np.exp(np.minimum(log_binomial(n, k) + np.log(law.window(z, eps, k)), 700.0))
    body = (hits * np.exp(-hits))[:-1].reshape(half.size, _NODES.size)
    end = np.asarray(hits[-1])
    gaps = np.asarray(((body @ _WEIGHTS) * half[:, 0]).sum() / eps + np.exp(-end))  # both halves: 2/(2 eps)
    uncovered, covered = _gaps_to_probabilities(gaps, end, end)
    return float(uncovered), float(covered)


def _cox(
    n: int, k: int, eps: float, radius: float, sample_variance: float, variance: float
) -> tuple[float, float]:
    density = k / n
    inner = math.sqrt(k * (1.0 - density) * sample_variance)
    outer = math.sqrt(k * density * variance)
    top = log_hits_at_centre(n, k, eps, sample_variance)
    levels = _LEVELS[top > _LEVELS]
    marks = np.sqrt(2.0 * (top - levels))  # |z - M| / sqrt(V) where ln(hits) takes the values of the grid
    marks = np.concatenate([-marks[::-1], marks])

    # Average over M, in its standard deviations, on panels cut where one of the two ends passes a level.
    ends = [(sign * radius - marks * inner) / outer for sign in (-1.0, 1.0)]
    cuts = np.unique(np.clip(np.concatenate([_GRID, *ends]), -_REACH, _REACH))
    half = np.diff(cuts)[:, np.newaxis] / 2
    mean = ((cuts[:-1, np.newaxis] + half * (1.0 + _NODES)) * outer).ravel()
    weights = (half * _WEIGHTS).ravel() * np.exp(-0.5 * (mean / outer) ** 2) / math.sqrt(2.0 * math.pi)

    low, high = (-radius - mean) / inner, (radius - mean) / inner
    gaps = _gaps_inside(low, high, marks, top) * inner / (2.0 * eps)
    left, right = (np.exp(np.minimum(top - 0.5 * u * u, 700.0)) for u in (low, high))
    gaps = gaps + 0.5 * (np.exp(-left) + np.exp(-right))
    uncovered, covered = _gaps_to_probabilities(gaps, left, right)
    return min(float(uncovered @ weights), 1.0), min(float(covered @ weights), 1.0)


def _gaps_inside(low: FloatArray, high: FloatArray, marks: FloatArray, top: float) -> FloatArray:
    """int over [low, high] of L e^{-L} du with ln L = top - u^2/2, for arrays of limits.

    Through the odd antiderivative from 0. The integrand grows outwards from a well-covered centre, so that
    differences of the antiderivative lose digits only where an end of the interval is missed anyway.
    """
    knots = np.unique(np.concatenate([np.linspace(0.0, 9.0, 19), marks[marks > 0.0], [40.0]]))
    half = np.diff(knots)[:, np.newaxis] / 2
    panels = (_lost_hits(knots[:-1, np.newaxis] + half * (1.0 + _NODES), top) @ _WEIGHTS) * half[:, 0]
    before = np.concatenate([[0.0], np.cumsum(panels)])

    def antiderivative(u: FloatArray) -> FloatArray:
        size = np.minimum(np.abs(u), 40.0)
        panel = np.searchsorted(knots, size, side="right") - 1
        part = ((size - knots[panel]) / 2)[:, np.newaxis]
        inside = (_lost_hits(knots[panel][:, np.newaxis] + part * (1.0 + _NODES), top) @ _WEIGHTS) * part[:, 0]
        signed: FloatArray = np.sign(u) * (before[panel] + inside)
        return signed

    return np.maximum(antiderivative(high) - antiderivative(low), 0.0)


def _lost_hits(u: FloatArray, top: float) -> FloatArray:
    """L e^{-L} with ln L = top - u^2/2."""
    hits = np.exp(np.minimum(top - 0.5 * u * u, 700.0))
    lost: FloatArray = hits * np.exp(-hits)
    return lost
