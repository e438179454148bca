"""Owns binary entropy and the binomial coefficient in logarithms, accurate from k = 1 to n beyond 1e15."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, xlogy

from slth._typing import FloatArray
from slth._validate import as_real
from slth.errors import InvalidInput

_LN2 = math.log(2.0)


def binary_entropy(x: npt.ArrayLike) -> FloatArray:
    """H2(x) = -x log2 x - (1 - x) log2(1 - x), in bits; H2(0) = H2(1) = 0.

    Parameters
    ----------
    x : array_like
        Numbers in [0, 1], any shape.

    Returns
    -------
    ndarray
        Same shape (a numpy scalar for a scalar), in [0, 1].

    Raises
    ------
    InvalidInput
        If a value is outside [0, 1].

    Examples
    --------
    >>> float(binary_entropy(0.5))
    1.0
    """
    p = np.asarray(x, dtype=np.float64)
    if not np.all((p >= 0.0) & (p <= 1.0)):
        raise InvalidInput(f"`x` must lie in [0, 1]; got {x!r}.")
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(p < 1.0, (1.0 - p) * np.log1p(-p), 0.0)
    bits: FloatArray = (np.maximum(-(xlogy(p, p) + rest), 0.0) / _LN2)[()]
    return bits


def log_binomial(n: npt.ArrayLike, k: npt.ArrayLike) -> FloatArray:
    """ln C(n, k) for real 0 <= k <= n, through the gamma function.

    Parameters
    ----------
    n, k : array_like
        Broadcast against each other.

    Returns
    -------
    ndarray
        Natural logarithms (a numpy scalar for scalars).

    Raises
    ------
    InvalidInput
        If some k is outside [0, n].

    Notes
    -----
    A difference of three ln Gamma loses everything at n = 1e15. Here the large terms are combined first,

        ln C = n H(k/n) - ln(2 pi k (n-k)/n)/2 + d(n) - d(k) - d(n-k),

    with H in nats and d(x) = ln Gamma(x+1) - [x ln x - x + ln(2 pi x)/2], which decays as 1/(12 x)
    ([loader2000], for the binomial law). Relative error about 1e-14 for k >= 1 and n - k >= 1.

    Examples
    --------
    >>> round(float(np.exp(log_binomial(20, 5))))
    15504
    """
    top, part = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64))
    if not np.all((part >= 0.0) & (part <= top) & np.isfinite(top)):
        raise InvalidInput(f"`k` must lie in [0, n]; got k = {k!r}, n = {n!r}.")
    few, many = np.minimum(part, top - part), np.maximum(part, top - part)
    proper = few > 0.0
    m, a, b = np.where(proper, top, 2.0), np.where(proper, few, 1.0), np.where(proper, many, 1.0)
    body = -a * np.log(a / m) - b * np.log1p(-a / m)
    body += _stirling_gap(m) - _stirling_gap(a) - _stirling_gap(b) - 0.5 * np.log(2.0 * math.pi * a * (b / m))
    values: FloatArray = np.where(proper, body, 0.0)[()]
    return values


def log2_binomial(n: npt.ArrayLike, k: npt.ArrayLike) -> FloatArray:
    """log2 C(n, k), computed as `log_binomial` is.

    Parameters
    ----------
    n, k : array_like
        0 <= k <= n, broadcast against each other.
    """
    return log_binomial(n, k) / _LN2


def entropy_per_chosen(ratio_bits: float) -> float:
    """n H2(k/n) / k as a function of log2(n/k), also where n overflows.

    Parameters
    ----------
    ratio_bits : float
        log2(n/k) >= 0.

    Notes
    -----
    With q = k/n = 2^-b this is b + ((1 - q)/q) log2(1/(1 - q)), which tends to b + log2 e. It increases
    with b, so that n H2(k/n) increases with n at fixed k.
    """
    bits = as_real(ratio_bits, "ratio_bits", low=0.0)
    q = 2.0**-bits if bits < 1000.0 else 0.0
    if q == 1.0:
        return 0.0
    tail = 1.0 / _LN2 if q < 1e-17 else -(1.0 - q) / q * math.log1p(-q) / _LN2
    return bits + tail


def _stirling_gap(x: FloatArray) -> FloatArray:
    """ln Gamma(x + 1) minus Stirling's x ln x - x + ln(2 pi x)/2, for x > 0."""
    small = np.minimum(x, 16.0)
    direct = gammaln(small + 1.0) - (small * np.log(small) - small + 0.5 * np.log(2.0 * math.pi * small))
    y = 1.0 / np.maximum(x, 16.0)
    series = y * (1 / 12 - y * y * (1 / 360 - y * y * (1 / 1260 - y * y * (1 / 1680 - y * y / 1188))))
    return np.where(x < 16.0, direct, series)
