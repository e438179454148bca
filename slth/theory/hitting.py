"""Owns the predictions of whether fixed-size subsets hit one target: sharp, cheap, not proved."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_choice, as_floats, as_integer, as_real
from slth.laws.law import Law
from slth.theory.entropy import log_binomial

KINDS = ("cox", "cox-variance", "annealed")

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_REACH = 20.0  # standard deviations of the sample mean that are integrated; beyond lies 5e-89
_GRID = np.linspace(-_REACH, _REACH, 41)
_LOG_TOP = 6.7  # exp(-exp(6.7)) = 5e-353: no gap survives so many hits
_FALL = np.arange(0.0, 47.0, 2.0)  # ln(expected hits) is followed down to a factor exp(-46) = 1e-20
# Gauss-Hermite rule over the logarithm of the sample variance
_LOG_NODES, _LOG_WEIGHTS = np.polynomial.hermite_e.hermegauss(8)
_BLOCK = 256  # targets evaluated together; bounds the memory, not the result


def miss_probability(
    n: int, k: int, eps: float, z: npt.ArrayLike, law: Law, *, kind: str = "cox"
) -> FloatArray:
    r"""Predicted probability that no k of n independent samples sum to within eps of z.

    The complement of `hit_probability`, computed without cancellation: misses of 1e-9 or 1e-60 keep
    their digits.

    Parameters
    ----------
    n, k : int
        Sample size and subset size, 1 <= k <= n.
    eps : float
        Tolerance, eps > 0.
    z : array_like
        Targets, any shape.
    law : Law
        Law of one sample.
    kind : {"cox", "cox-variance", "annealed"}
        See Notes.

    Returns
    -------
    ndarray
        In [0, 1], shape of z (a numpy scalar for a scalar).

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Notes
    -----
    A prediction, not a bound. *Annealed*: the number of hitting subsets is taken as Poisson with its mean
    lambda = C(n, k) P(|S_k - z| <= eps), so that the miss is exp(-lambda). This is right only for k << n:
    subsets of one sample share its mean. *Cox*: given the sample, the sums of its k-subsets near z behave as
    a Poisson process with the normal intensity that sampling without replacement dictates,

        nu(z | M) = C(n, k) exp(-(z - M)^2 / 2V) / sqrt(2 pi V),   V = k (1 - k/n) sigma^2,

    around M = k times the sample mean, and M ~ N(0, k (k/n) sigma^2) is integrated out:
    miss = E exp(-2 eps nu(z | M)). The fluctuation of the sample variance is neglected, and so is all that is
    not normal in the k-sums. *Cox-variance*: sigma^2 in V is replaced by the sample variance S^2, taken as
    independent of M and log-normal with its true mean sigma^2 and its true variance
    (E X^4 - sigma^4 (n-3)/(n-1))/n, and integrated out too.

    Against simulation (uniform and live product laws, n = 14-60, k = 2-8, k/n <= 1/2, |z| up to 1 or sqrt(k)),
    `cox` was within 0.07 of the probability of a hit for |z| <= 1/2 and within 0.13 at the far targets. Small
    misses are another matter: samples of small variance cause them. Against exp(-2 eps nu) averaged over
    400,000 real samples (n, k = 24, 8 and 32, 11; eps = 1e-3 to 1e-5; z = 0, 1/2, 1 and sqrt(k)), `cox` was
    low by up to 60 times for averages above 1e-5 and live products, and up to 180 times for uniform samples.
    `cox-variance` was within 10 % for live products where the average exceeds 1e-3 and within a factor of 2
    above 1e-5; below, it is too high (20 times or more at n = 32, k = 11, eps = 1e-3, z = 1/2, where misses
    are below 1e-7). For uniform samples it is too low: by a factor of 2 or less above 3e-3, up to 15 between
    1e-4 and 3e-3, and more than 100 below 1e-5 (n = 32, k = 11, eps = 1e-3). Averages over real samples
    (`averaged_hit`) are the better prediction wherever they are affordable.

    For k = n there is one subset, and all kinds return 1 - P(|S_n - z| <= eps). The integral over M is done on
    panels of at most one standard deviation, split finely where the expected number of hits passes from many
    to none: relative error below 1e-7 (1e-10 for misses above 1e-12), and misses below 1e-88 are returned as
    0. The integral over S^2 has 8 nodes: relative error below 1e-3 for misses above 1e-8.

    Examples
    --------
    >>> from slth.laws.uniform import Uniform
    >>> float(miss_probability(60, 12, 1e-6, 1.0, Uniform())) < 1e-4
    True
    """
    return _evaluate(n, k, eps, z, law, kind, miss=True)


def hit_probability(n: int, k: int, eps: float, z: npt.ArrayLike, law: Law, *, kind: str = "cox") -> FloatArray:
    """Predicted probability that some k of n independent samples sum to within eps of z.

    Small probabilities keep their digits here, small misses in `miss_probability`, where the two kinds of
    prediction are defined and their errors stated.

    Parameters
    ----------
    n, k : int
        Sample size and subset size, 1 <= k <= n.
    eps : float
        Tolerance, eps > 0.
    z : array_like
        Targets, any shape.
    law : Law
        Law of one sample.
    kind : {"cox", "cox-variance", "annealed"}
        As in `miss_probability`.

    Returns
    -------
    ndarray
        In [0, 1], shape of z (a numpy scalar for a scalar).

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Examples
    --------
    >>> from slth.laws.uniform import Uniform
    >>> eps = 3 / (2 * 15504 * 0.0737712)  # three subsets expected at the edge of [-sqrt(5), sqrt(5)]
    >>> round(float(hit_probability(20, 5, eps, 5**0.5, Uniform())), 3)
    0.746
    >>> round(float(hit_probability(20, 5, eps, 5**0.5, Uniform(), kind="annealed")), 3)
    0.95
    """
    return _evaluate(n, k, eps, z, law, kind, miss=False)


def _evaluate(n: int, k: int, eps: float, z: npt.ArrayLike, law: Law, kind: str, *, miss: bool) -> FloatArray:
    size = as_integer(n, "n", low=1)
    chosen = as_integer(k, "k", low=1, high=size)
    width = as_real(eps, "eps", low=0.0, open_low=True)
    targets = as_floats(z, "z", ndim=np.ndim(z))
    word = as_choice(kind, "kind", KINDS)
    if chosen == size:
        window = law.window(targets, width, chosen)
        values: FloatArray = np.asarray(1.0 - window if miss else window)
    elif word == "annealed":
        values = _annealed(size, chosen, width, targets, law, miss)
    else:
        mixture = variance_mixture(size, law) if word == "cox-variance" else ((1.0, law.variance),)
        values = np.zeros(targets.shape)
        for weight, spread in mixture:
            values += weight * _cox(size, chosen, width, targets.ravel(), spread, law.variance, miss).reshape(
                targets.shape
            )
    result: FloatArray = np.clip(values, 0.0, 1.0)[()]
    return result


def _annealed(n: int, k: int, eps: float, z: FloatArray, law: Law, miss: bool) -> FloatArray:
    with np.errstate(divide="ignore"):
        log_mean = np.minimum(log_binomial(n, k) + np.log(law.window(z, eps, k)), 700.0)
    mean = np.exp(log_mean)
    return np.asarray(np.exp(-mean) if miss else -np.expm1(-mean))


def variance_mixture(n: int, law: Law) -> tuple[tuple[float, float], ...]:
    """Weights and values of the sample variance of n samples, taken as log-normal with its true two moments.

    Parameters
    ----------
    n : int
        Sample size, n >= 2.
    law : Law
        Law of one sample.
    """
    square = law.variance**2
    spread = math.log1p((law.fourth_moment - square * (n - 3.0) / (n - 1.0)) / n / square)
    values = law.variance * np.exp(math.sqrt(spread) * _LOG_NODES - 0.5 * spread)
    weights = _LOG_WEIGHTS / _LOG_WEIGHTS.sum()
    return tuple(zip(weights.tolist(), values.tolist(), strict=True))


def log_hits_at_centre(n: int, k: int, eps: float, variance: float) -> float:
    """ln(2 eps nu(M | M)): logarithm of the expected number of hits of a target at the centre M.

    Parameters
    ----------
    n, k : int
        1 <= k < n.
    eps : float
        Tolerance.
    variance : float
        Of one sample.
    """
    spread = k * (1.0 - k / n) * variance
    return float(math.log(2.0 * eps) + log_binomial(n, k) - 0.5 * math.log(2.0 * math.pi * spread))


def _cox(
    n: int, k: int, eps: float, z: FloatArray, sample_variance: float, variance: float, miss: bool
) -> FloatArray:
    density = k / n
    inner = math.sqrt(k * (1.0 - density) * sample_variance)  # sqrt(V), spread of the sums around M
    outer = math.sqrt(k * density * variance)  # spread of M
    top = log_hits_at_centre(n, k, eps, sample_variance)
    if top < -30.0:
        # Hits are so rare that exp(-x) = 1 - x to rounding; the mixture is normal again.
        both = math.hypot(inner, outer)
        rare = math.exp(top) * (inner / both) * np.exp(-0.5 * (z / both) ** 2)
        return np.asarray(1.0 - rare if miss else rare)
    falling = np.sqrt(2.0 * (top - (min(top, _LOG_TOP) - _FALL)))
    steps = np.concatenate([-falling, falling]) * inner  # z - M where ln(hits) takes the values of the grid
    total = np.empty(z.shape)
    for begin in range(0, z.size, _BLOCK):
        part = z[begin : begin + _BLOCK, np.newaxis]
        marks = np.clip((part - steps) / outer, -_REACH, _REACH)
        cuts = np.sort(np.concatenate([marks, np.broadcast_to(_GRID, (part.shape[0], _GRID.size))], axis=1))
        half = np.diff(cuts)[..., np.newaxis] / 2
        xi = cuts[:, :-1, np.newaxis] + half * (1.0 + _NODES)
        gap = (part[..., np.newaxis] - outer * xi) / inner
        hits = np.exp(np.minimum(top - 0.5 * gap * gap, 700.0))
        values = np.exp(-hits - 0.5 * xi * xi) if miss else -np.expm1(-hits) * np.exp(-0.5 * xi * xi)
        total[begin : begin + _BLOCK] = ((values @ _WEIGHTS) * half[..., 0]).sum(axis=1)
    return total / math.sqrt(2.0 * math.pi)
