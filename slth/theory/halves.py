"""Owns the two-halves argument: coverage of an interval, with a proof, from the hits of two half samples."""

from __future__ import annotations

import math

import numpy as np

from slth._validate import as_integer, as_real
from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.theory.conditional import conditional_bound

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


def two_halves_bound(
    n: int, k: int, eps: float, radius: float, law: str | Law, *, reach: float | None = None
) -> float:
    r"""Lower bound on the probability that every z in [-radius, radius] is within eps of a k-subset sum.

    Parameters
    ----------
    n, k : int
        Sample size and subset size, 2 <= k <= n - 2, n <= 10^4.
    eps : float
        Tolerance, eps > 0.
    radius : float
        Half-length of the covered interval, radius > 0.
    law : str or Law
        `Uniform()` or `Normal(s)`, or the name of one.
    reach : float, optional
        The a of the argument below, above radius/2. Default: radius/sqrt(2).

    Returns
    -------
    float
        In [0, 1]; a theorem up to the accuracy of its integrals.

    Raises
    ------
    InvalidInput
        If an argument is outside its range or the law is another one.

    Notes
    -----
    Split the sample into two parts of n/2 and take k/2 elements from each (rounded up in one and down in the
    other). Let eta_j be the share of [-a, a] that part j does not hit within eps/2. For |t| <= 2a the sets of
    points hit by part 1, and of t minus those hit by part 2, both lie in an interval of length 2a - |t| up to
    parts of measure 2a eta_1 and 2a eta_2; if |t| < 2a (1 - eta_1 - eta_2) they meet, and then t is within
    eps/2 + eps/2 of a sum of k elements. So eta_1 + eta_2 < c = 1 - R/(2a) covers all of [-R, R] at once, and
    by Markov's inequality

        P(cover) >= 1 - (E eta_1 + E eta_2)/c,   E eta_j = avg over |z| <= a of P(part j misses z),

    where `conditional_bound` bounds the misses. No union over targets, hence no additional logarithm: with
    n H2(k/n) >= 2 log2(k/eps) + omega(1) the bound tends to 1. The average is taken with 12 nodes on [0, a].

    Examples
    --------
    >>> from slth.laws.normal import Normal
    >>> two_halves_bound(200, 60, 1e-12, 60**0.5, Normal()) > 0.95
    True
    """
    size = as_integer(n, "n", low=4)
    chosen = as_integer(k, "k", low=2, high=size - 2)
    width = as_real(eps, "eps", low=0.0, open_low=True)
    half_length = as_real(radius, "radius", low=0.0, open_low=True)
    a = half_length / math.sqrt(2.0) if reach is None else as_real(reach, "reach")
    if a <= half_length / 2.0:
        raise InvalidInput(f"`reach` must be above half of `radius` = {radius!r}; got {reach!r}.")
    points = 0.5 * a * (1.0 + _NODES)
    parts = {(size // 2, chosen // 2), (size - size // 2, chosen - chosen // 2)}
    uncovered = []
    for m, j in parts:
        misses = [1.0 - conditional_bound(m, j, 0.5 * width, float(z), law) for z in points]
        uncovered.append(0.5 * float(np.dot(_WEIGHTS, misses)))
    total = sum(uncovered) if len(uncovered) == 2 else 2.0 * uncovered[0]
    return float(max(0.0, 1.0 - total / (1.0 - half_length / (2.0 * a))))
