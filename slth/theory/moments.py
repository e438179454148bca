"""Owns the constants of sum-boundedness, and what the second-moment proof draws from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slth._validate import as_fraction, as_integer, as_real
from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.entropy import log_binomial


@dataclass(frozen=True)
class SumBounds:
    """Constants with c_l/sqrt(k) <= f_k(x) for |x| <= reach sqrt(k), and f_k <= c_u/sqrt(k), for k >= k_min.

    Attributes
    ----------
    c_l, c_u : float
        Best constants: infimum and supremum over k >= k_min.
    reach : float
        1 in the definition of a sum-bounded law.
    k_min : int
        1 in the definition of a sum-bounded law.
    """

    c_l: float
    c_u: float
    reach: float = 1.0
    k_min: int = 1

    @property
    def sum_bounded(self) -> bool:
        """Whether the law is sum-bounded in the sense of [natale2024], Definition 1."""
        return self.reach >= 1.0 and self.k_min == 1


def sum_bounds(law: Law, *, reach: float | None = None, k_min: int | None = None) -> SumBounds:
    """Best constants of sum-boundedness of a law, on any range.

    Parameters
    ----------
    law : Law
        `Uniform()`, `Normal(s)` or `LiveProduct()`.
    reach : float, optional
        The range is |x| <= reach sqrt(k). Default: 1, for live products 1/2.
    k_min : int, optional
        Least number of copies. Default: 1, for live products 2.

    Returns
    -------
    SumBounds

    Raises
    ------
    InvalidInput
        If the constants of the law are not known.

    Notes
    -----
    [natale2024], Definition 1 and Lemma 1, with sharp constants instead of the proof's.

    *Uniform*. c_u = 1/sqrt(2), attained at k = 2 only: sqrt(k) f_k(0) is half the normalised volume of a
    central section of the cube, at most sqrt(2)/2 [ball1986]. c_l = sqrt(3/(2 pi)) e^{-3/2} is the
    limit of sqrt(k) f_k(sqrt k), which is approached from above (f_k falls away from 0, so the edge is worst).

    *Normal*. sqrt(k) f_k(x sqrt k) does not depend on k: c_u = 1/(s sqrt(2 pi)), c_l = c_u e^{-1/(2 s^2)}.

    *Live product*. Not sum-bounded: the density of one copy is infinite at 0, and sqrt(k) is three standard
    deviations of the sum. For k >= 2 on |x| <= sqrt(k)/2 it is: c_u = sqrt(2) (k = 2), and c_l is attained at
    k = 3, evaluated here (0.3804); the limit for large k is 3/sqrt(2 pi) e^{-9/8} = 0.3886. That k = 2 and
    k = 3 are the worst was checked numerically for k <= 60, not proved.

    *Other ranges*. The least of sqrt(k) f_k(reach sqrt(k)) and the largest of sqrt(k) f_k(0) over k_min <= k <=
    k_min + 60 and their limits phi(reach/sigma)/sigma and phi(0)/sigma: numerical beyond those k, and based on
    densities that fall away from 0. c_l is 0 where the range leaves the support of a sum.

    Examples
    --------
    >>> bounds = sum_bounds(Uniform())
    >>> round(bounds.c_l, 8), round(bounds.c_u, 8)
    (0.15418033, 0.70710678)
    >>> round(sum_bounds(Uniform(), reach=0.5).c_l, 4)
    0.4571
    """
    if reach is not None or k_min is not None:
        return _numerical_bounds(law, reach, k_min)
    if isinstance(law, Uniform):
        return SumBounds(math.sqrt(3.0 / (2.0 * math.pi)) * math.exp(-1.5), 1.0 / math.sqrt(2.0))
    if isinstance(law, Normal):
        top = 1.0 / (law.s * math.sqrt(2.0 * math.pi))
        return SumBounds(top * math.exp(-0.5 / law.variance), top)
    if isinstance(law, LiveProduct):
        lowest = math.sqrt(3.0) * float(law.sum_pdf(math.sqrt(3.0) / 2.0, 3))
        return SumBounds(lowest, math.sqrt(2.0), reach=0.5, k_min=2)
    raise InvalidInput(f"`law` must be Uniform, Normal or LiveProduct; got {type(law).__name__}.")


def _numerical_bounds(law: Law, reach: float | None, k_min: int | None) -> SumBounds:
    usual = sum_bounds(law)  # refuses other laws
    edge = as_real(usual.reach if reach is None else reach, "reach", low=0.0)
    first = as_integer(usual.k_min if k_min is None else k_min, "k_min", low=1)
    sigma = math.sqrt(law.variance)
    peak = 1.0 / (sigma * math.sqrt(2.0 * math.pi))
    lows, highs = [peak * math.exp(-0.5 * (edge / sigma) ** 2)], [peak]
    for k in range(first, first + 61):
        ends = math.sqrt(k) * law.sum_pdf([0.0, edge * math.sqrt(k)], k)
        highs.append(float(ends[0]))
        lows.append(float(ends[1]))
    return SumBounds(min(lows), max(highs), reach=edge, k_min=first)


def hit_constant(
    bounds: SumBounds, k: int, ratio: float, lambda_0: float, *, interior: bool = False, extra: float = 0.0
) -> tuple[float, float]:
    r"""The constant c_thm of Theorem 2 for one k, with the free parameter mu of the proof that gives it.

    Parameters
    ----------
    bounds : SumBounds
        Constants of the law.
    k : int
        Subset size, k >= 1.
    ratio : float
        n/k, at least 1/lambda_0.
    lambda_0 : float
        Largest density allowed, 0 < lambda_0 < 1.
    interior : bool
        Whether |z| <= reach sqrt(k) - eps: the whole window then lies where f_k >= c_l/sqrt(k), and c_thm
        doubles.
    extra : float
        Added to the denominator below, for laws that are sum-bounded from k = 2 on only: `last_overlap`.

    Returns
    -------
    tuple of float
        (c_thm, mu).

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Notes
    -----
    [natale2024], Theorem 2: the proof's terms collected, with mu in (lambda_0, 1),

        c_thm = max over mu of c_l / [2 sqrt2 + 2 c_u sqrt(k)/(n (mu - lambda_0)^2) + 2 c_u/sqrt(1 - mu)].

    The three terms belong to equal subsets, to overlaps of at least mu k (by Chebyshev; the printed proof
    multiplies by the constant it should divide by) and to smaller overlaps. For k = 1 the middle term is
    absent and mu = lambda_0. For given lambda_0 and n = k/lambda_0 it increases with k >= 2. The truth is far
    better: the conditional probability of another hit tends to that of a first one as k/n -> 0.

    Examples
    --------
    >>> round(hit_constant(sum_bounds(Uniform()), 4, 2.0, 0.5)[0], 4)
    0.0165
    """
    chosen = as_integer(k, "k", low=1)
    limit = as_fraction(lambda_0, "lambda_0")
    times = as_real(ratio, "ratio", low=(1.0 - 1e-12) / limit)
    root = bounds.c_u / (math.sqrt(chosen) * times)
    if chosen == 1:
        root = 0.0
    # With d = mu - lambda_0 the denominator is convex; its slope is c_u (1 - lambda_0 - d)^(-3/2) - 4 root/d^3.
    low, high = 0.0, 1.0 - limit
    while root > 0.0 and low < (d := 0.5 * (low + high)) < high:
        if bounds.c_u * d**3 < 4.0 * root * (1.0 - limit - d) ** 1.5:
            low = d
        else:
            high = d
    gap = high if root > 0.0 else 0.0
    overlap = 2.0 * root / gap**2 if root > 0.0 else 0.0
    rest = 2.0 * bounds.c_u / math.sqrt(1.0 - limit - gap)
    factor = 2.0 if interior else 1.0
    return factor * bounds.c_l / (2.0 * math.sqrt(2.0) + overlap + rest + extra), limit + gap


def last_overlap(n: int, k: int, eps: float) -> float:
    """What subsets with all but one element in common add to the denominator of c_thm, for live products.

    Their two last elements must agree to about eps, and the density of one product is infinite at 0: the
    probability of a window is at most P(|XY| <= eps) = eps (1 + ln(1/eps)) instead of 2 c_u eps. Such pairs of
    subsets are rare, P(I = k - 1) = k (n - k)/C(n, k); in units of eps/sqrt(k) they add
    sqrt(k) P(I = k - 1) (1 + ln(1/eps)).

    Parameters
    ----------
    n, k : int
        1 <= k < n.
    eps : float
        In (0, 1).
    """
    rare = math.exp(math.log(k) + math.log(n - k) - float(log_binomial(n, k)))
    return math.sqrt(k) * rare * (1.0 - math.log(eps))
