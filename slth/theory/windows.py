"""Owns the prediction of whether subsets of several sizes, of one sample, hit one target."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats, as_integer, as_real
from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.theory.hitting import log_hits_at_centre

# Standard normal nodes of the sample mean: the trapezoidal rule, whose steps are fine against every fall of the
# integrand, which takes about 1 / (number of sizes) standard deviations.
_STEP = 1.0 / 16.0
_MEANS = np.arange(-12.0, 12.0 + _STEP / 2.0, _STEP)
_CHANCES = np.exp(-0.5 * _MEANS**2) * (_STEP / math.sqrt(2.0 * math.pi))
_LOG_TOP = 6.7  # exp(-exp(6.7)) = 5e-353


def window_miss_probability(
    n: int, k_min: int, k_max: int, eps: float, z: npt.ArrayLike, law: Law
) -> FloatArray:
    r"""Predicted probability that no subset of k_min to k_max of n independent samples sums to within eps of z.

    Parameters
    ----------
    n, k_min, k_max : int
        Sample size and least and greatest subset size, 0 <= k_min <= k_max <= n.
    eps : float
        Tolerance, eps > 0.
    z : array_like
        Targets, any shape.
    law : Law
        Law of one sample.

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
    A prediction, not a bound: the Cox mixture of `miss_probability`, with all sizes driven by one sample
    mean. Given the mean x, hits of size k are Poisson with the intensity

        nu_k(z | x) = C(n, k) exp(-(z - k x)^2 / 2 V_k) / sqrt(2 pi V_k),   V_k = k (1 - k/n) sigma^2,

    and a miss has probability exp(-2 eps sum_k nu_k(z | x)), averaged over x ~ N(0, sigma^2 / n). A single size
    misses when the sample's mean carries k x away from z; of several sizes some other is still close, which
    is what a window is for: with exactly k the tail of misses falls like hits^(-(1-g)/g), g = k/n. Sizes 0
    and n have one subset each and are not counted.

    Examples
    --------
    >>> from slth.laws.uniform import Uniform
    >>> one, several = (window_miss_probability(24, low, 11, 1e-3, 0.5, Uniform()) for low in (11, 6))
    >>> bool(several < one / 1e3)
    True
    """
    size = as_integer(n, "n", low=1)
    high = as_integer(k_max, "k_max", low=0, high=size)
    low = as_integer(k_min, "k_min", low=0, high=high)
    width = as_real(eps, "eps", low=0.0, open_low=True)
    targets = as_floats(z, "z", ndim=np.ndim(z))
    sizes = [k for k in range(low, high + 1) if 0 < k < size]
    if not sizes:
        raise InvalidInput(f"`k_max` must leave a size between 1 and n - 1; got {low} to {high} of {size}.")
    means = _MEANS * math.sqrt(law.variance / size)
    logs = np.full((targets.size, means.size), -np.inf)
    for k in sizes:
        spread = k * (1.0 - k / size) * law.variance
        top = log_hits_at_centre(size, k, width, law.variance)
        away = (targets.reshape(-1, 1) - k * means) ** 2 / (2.0 * spread)
        logs = np.logaddexp(logs, top - away)
    misses = np.exp(-np.exp(np.minimum(logs, _LOG_TOP))) @ _CHANCES
    result: FloatArray = np.clip(misses, 0.0, 1.0).reshape(targets.shape)[()]
    return result
