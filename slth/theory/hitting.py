"""Owns the predictions of whether fixed-size subsets hit one target: sharp, cheap, not proved."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_choice, as_floats, as_integer, as_real
from slth.laws.law import Law
from slth.theory.entropy import log_binomial

KINDS = ("cox", "annealed")

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_REACH = 20.0  # standard deviations of the sample mean that are integrated; beyond lies 5e-89
_GRID = np.linspace(-_REACH, _REACH, 41)
_LOG_TOP = 6.7  # exp(-exp(6.7)) = 5e-353: no gap survives so many hits
_FALL = np.arange(0.0, 47.0, 2.0)  # ln(expected hits) is followed down to a factor exp(-46) = 1e-20
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
    kind : {"cox", "annealed"}
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
    miss = E exp(-2 eps nu(z | M)). The fluctuation of the sample variance is neglected, and so are the
    non-normal tails of the k-sums, which matter for k = 2-4 (errors of probability up to 0.2 at k = 2,
    0.13 at k = 3-4, 0.05 from k = 5 on, in simulations with n = 20-100). For k = n there is one subset, and
    both kinds return 1 - P(|S_n - z| <= eps). The integral is done on panels of at most one standard
    deviation of M, split finely where the expected number of hits passes from many to none: relative error
    below 1e-7 (1e-10 for misses above 1e-12), and misses below 1e-88 are returned as 0.

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
    kind : {"cox", "annealed"}
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
        values = _cox(size, chosen, width, targets.ravel(), law.variance, miss).reshape(targets.shape)
    result: FloatArray = np.clip(values, 0.0, 1.0)[()]
    return result


def _annealed(n: int, k: int, eps: float, z: FloatArray, law: Law, miss: bool) -> FloatArray:
    with np.errstate(divide="ignore"):
        log_mean = np.minimum(log_binomial(n, k) + np.log(law.window(z, eps, k)), 700.0)
    mean = np.exp(log_mean)
    return np.asarray(np.exp(-mean) if miss else -np.expm1(-mean))


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


def _cox(n: int, k: int, eps: float, z: FloatArray, variance: float, miss: bool) -> FloatArray:
    density = k / n
    inner = math.sqrt(k * (1.0 - density) * variance)  # sqrt(V), spread of the sums around M
    outer = math.sqrt(k * density * variance)  # spread of M
    top = log_hits_at_centre(n, k, eps, variance)
    if top < -30.0:
        # Hits are so rare that exp(-x) = 1 - x to rounding; the mixture is normal again.
        rare = math.exp(top) * (inner / math.hypot(inner, outer)) * np.exp(-0.5 * z * z / (k * variance))
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
