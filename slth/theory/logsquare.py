"""Owns the solution in n of the implicit inequalities n H2(k/n) >= c log2(k/eps)^p of the theorems."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import lambertw

from slth.theory.entropy import binary_entropy, entropy_per_chosen

_LN2 = math.log(2.0)


def log_square_root(a: float, b: float) -> float | None:
    r"""Largest root n of n = a log2(b n)^2, or None when there is none with b n > 1.

    Parameters
    ----------
    a, b : float
        Positive.

    Notes
    -----
    With t = log2(b n) the equation is 2^{t/2} = sqrt(a b) t, so that

        t = -(2/ln 2) W_{-1}(-ln 2 / (2 sqrt(a b))),   n = a t^2,

    real when sqrt(a b) >= e (ln 2)/2 = 0.942. The lower branch W_{-1} gives the root beyond which
    n >= a log2(b n)^2 for all n; the principal branch W_0 gives a smaller one between which the inequality
    fails. Without a real root the inequality holds for every n > 1/b.

    Examples
    --------
    >>> round(log_square_root(1.0, 1e6), 2)
    883.17
    """
    argument = -_LN2 / (2.0 * math.sqrt(a) * math.sqrt(b))
    if argument < -math.exp(-1.0):
        return None
    t = -(2.0 / _LN2) * float(lambertw(argument, -1).real)
    return a * t * t


def log_linear_root(h: float, b: float) -> float | None:
    """Largest root x of x h = log2(b x)/2, or None: x = -W_{-1}(-2 h ln2/b) / (2 h ln 2).

    Parameters
    ----------
    h, b : float
        Positive.
    """
    argument = -2.0 * h * _LN2 / b
    if argument < -math.exp(-1.0):
        return None
    return -float(lambertw(argument, -1).real) / (2.0 * h * _LN2)


def log_root(a: float, b: float) -> float | None:
    """Largest root of n = a log2(b n), or None: n = -(a/ln 2) W_{-1}(-ln 2 / (a b)).

    Parameters
    ----------
    a, b : float
        Positive.
    """
    argument = -_LN2 / a / b
    if argument < -math.exp(-1.0):
        return None
    return -a / _LN2 * float(lambertw(argument, -1).real)


def chosen_entropy(n: int, k: int) -> float:
    """n H2(k/n), also for integers beyond the floats.

    Parameters
    ----------
    n, k : int
        1 <= k <= n.
    """
    if n < 2**50:
        return n * float(binary_entropy(k / n))
    return k * entropy_per_chosen(max(math.log2(n) - math.log2(k), 0.0))


def share(density: float, n: int) -> int:
    """ceil(density n), at least 1, forgiving the rounding of a decimal density (0.1 * 30 is 3, not 4).

    Parameters
    ----------
    density : float
        In (0, 1).
    n : int
        Positive.
    """
    return max(1, math.ceil(density * n * (1.0 - 1e-13)))


def least_n_fixed_k(k: int, bits: float, start: int) -> tuple[int | None, float]:
    """Least n >= start with n H2(k/n) >= bits, and log2 n; n is None where it exceeds 2^1000.

    Parameters
    ----------
    k : int
        Subset size.
    bits : float
        Right-hand side; the left side increases with n at fixed k.
    start : int
        At least k.
    """
    low, high = start, start
    while chosen_entropy(high, k) < bits:
        if high > 2**1000:
            # n H2(k/n) = k (log2(n/k) + log2 e) to far more digits than a float has
            return None, math.log2(k) + bits / k - 1.0 / _LN2
        low, high = high + 1, 2 * high
    while low < high:
        middle = (low + high) // 2
        if chosen_entropy(middle, k) < bits:
            low = middle + 1
        else:
            high = middle
    return high, math.log2(high)


def round_up(start: float, density: float, needed: Callable[[int], float], k_min: int = 1) -> tuple[int, int]:
    """Least n >= start, with k = ceil(density n) >= k_min, such that k <= n/2 and n H2(k/n) >= needed(k).

    Parameters
    ----------
    start : float
        The real solution.
    density : float
        In (0, 1).
    needed : callable
        Right-hand side as a function of k, growing like a power of log k.
    k_min : int
        Smallest k allowed.

    Notes
    -----
    Rounding moves k/n, so everything is checked anew at the integers; a few steps suffice, since the left
    side grows like n and `needed` like a power of log k. For density > 1/2 nothing qualifies and the first n
    is returned.
    """
    n = max(math.ceil(start), math.floor((k_min - 1) / density) + 1, 1)
    while density <= 0.5:
        k = share(density, n)
        if 2 * k <= n and k >= k_min and chosen_entropy(n, k) >= needed(k):
            break
        n += max(1, n >> 50)
    return n, share(density, n)
