"""Owns the conditional second moment: a lower bound on hits that sees the sample's total first."""

from __future__ import annotations

import math

import numpy as np

from slth._typing import FloatArray
from slth._validate import as_integer, as_real
from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.laws.named import as_law
from slth.laws.normal import Normal
from slth.laws.uniform import Uniform
from slth.theory.entropy import log_binomial

MOST_N = 10_000

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_PANELS = 32
_REACH = 9.0  # standard deviations of the total that are integrated; what lies beyond only adds
_FEW, _MANY = np.polynomial.legendre.leggauss(4), np.polynomial.legendre.leggauss(12)
_BLOCK = 1 << 18  # totals times nodes held at once
_TINY = 1e-280
_VANISHING = 1e-9

Ratios = tuple[FloatArray, FloatArray]  # ln p_t, and the sum over i < k of h_i q_i(t)/p_t^2


def conditional_bound(n: int, k: int, eps: float, z: float, law: str | Law, *, limit: bool = False) -> float:
    r"""Lower bound on the probability that some k of n independent samples sum to within eps of z.

    Parameters
    ----------
    n, k : int
        Sample size and subset size, 1 <= k < n <= 10^4.
    eps : float
        Tolerance, eps > 0.
    z : float
        Target.
    law : str or Law
        `Uniform()` or `Normal(s)`, or the name of one.
    limit : bool
        Take the ratios of windows at a vanishing tolerance, and only the expected number of hits at `eps`: the
        formula as it is usually written. Then the value is no bound, but its limit as eps -> 0.

    Returns
    -------
    float
        In [0, 1]; without `limit` a theorem for every eps, up to the accuracy of its integrals (relative 1e-5
        for n > 12, 2e-4 below; checked against finer rules, not enclosed).

    Raises
    ------
    InvalidInput
        If an argument is outside its range or the law is another one.

    Notes
    -----
    Subsets of one sample share its total T; that alone spoils the plain second moment at constant density.
    So it is applied given T = t, and the result averaged over T:

    .. math:: P(hit) \ge E_T \Big[\Big(\frac{1}{C(n,k)\, p_T}
              + \sum_{i<k} h_i \frac{q_i(T)}{p_T^2}\Big)^{-1}\Big],

    with p_t the probability, given T = t, that one subset hits, q_i(t) that two with i common elements do,
    h_i = C(k, i) C(n-k, k-i)/C(n, k). The right side falls when p_t is replaced by something smaller and q_i(t)
    by something larger, and q_i <= p always.

    *Normal*. Given the total, two subset sums are normal with mean k t/n, variance V = k (1 - k/n) s^2 and
    correlation rho_i = (i - k^2/n)/(k (1 - k/n)). p_t and q_i(t) are integrals of the density over a window
    and a square, by products of Gauss-Legendre rules; where eps is not short for them q_i <= p is used. As
    eps -> 0, q_i/p^2 -> (1 - rho^2)^{-1/2} exp(u rho/(1 + rho)), u = (z - k t/n)^2/V.

    *Uniform*. All sums have even densities that fall away from 0. With y the sum of the common elements, the
    rest of the sample has to sum to t - 2 z + y up to 2 eps, so that

        f_n(t) p_t = int_{z-eps}^{z+eps} f_k(s) f_{n-k}(t - s) ds >= G_k(z) f_{n-k}(|t - z| + eps),
        f_n(t) q_i(t) <= int f_i(y) G_{k-i}(z - y)^2 f_{n-2k+i}(max(|t - 2z + y| - 2 eps, 0)) dy,

    G_j(x) = P(|S_j - x| <= eps); the integral for eps <= 1/4, its bound beyond. For n - 2k + i = 1 or 2 the
    last factor is replaced by its maximum. Where two subsets leave nothing, i = 2k - n, they hit only if
    |t - 2 z + y| <= 2 eps: with i = 0 then q_i <= p, and otherwise, with r = n - k,

        f_n(t) q_i(t) <= int_{|t - 2z + y| <= 2 eps} f_i(y) G_r(z - y) f_r(max(|z - y| - eps, 0)) dy.

    As eps -> 0 nothing is lost for k < n/2; for k > n/2 these replacements can cost more than the total gives.
    Where eps is not small, the bound may be larger at a smaller eps, and then holds there too.

    O(k) integrals for each of 192 totals; for the uniform law O(k^2 n^2) operations for each total.

    Examples
    --------
    >>> eps = 30 / (2 * math.comb(30, 6) * float(Uniform().sum_pdf(6**0.5, 6)))
    >>> round(conditional_bound(30, 6, eps, 6**0.5, Uniform(), limit=True), 4)
    0.8687
    >>> round(conditional_bound(30, 6, eps, 6**0.5, Uniform()), 4)
    0.8684
    """
    size = as_integer(n, "n", low=2, high=MOST_N)
    chosen = as_integer(k, "k", low=1, high=size - 1)
    width = as_real(eps, "eps", low=0.0, open_low=True)
    target = as_real(z, "z")
    law = as_law(law)
    if not isinstance(law, (Uniform, Normal)):
        raise InvalidInput(f"`law` must be Uniform or Normal for the second moment; got {type(law).__name__}.")
    spread = math.sqrt(size * law.variance)
    edges = np.linspace(-_REACH, _REACH, _PANELS + 1)
    half = np.diff(edges)[:, np.newaxis] / 2
    totals = (edges[:-1, np.newaxis] + half * (1.0 + _NODES)).ravel() * spread
    weights = (half * _WEIGHTS).ravel() * spread * law.sum_pdf(totals, size)
    given = _normal if isinstance(law, Normal) else _uniform
    short = min(width, _VANISHING) if limit else width
    log_p, total = given(size, chosen, short, target, law, totals)
    log_hits = float(log_binomial(size, chosen)) + log_p + math.log(width / short)
    hits = np.exp(np.minimum(-log_hits, 700.0))
    values = np.where(np.isfinite(log_p), 1.0 / (hits + total), 0.0)
    return min(1.0, float(np.dot(weights, values)))


def overlaps(n: int, k: int) -> list[tuple[int, float]]:
    """(i, h_i) for i < k: how likely two independent k-subsets of n share i elements.

    Parameters
    ----------
    n, k : int
        1 <= k <= n.
    """
    whole = math.comb(n, k)
    return [(i, math.comb(k, i) * math.comb(n - k, k - i) / whole) for i in range(max(0, 2 * k - n), k)]


def _normal(n: int, k: int, eps: float, z: float, law: Law, totals: FloatArray) -> Ratios:
    share = k / n
    scale = math.sqrt(k * (1.0 - share) * law.variance)
    gap = (z - share * totals) / scale
    width = eps / scale
    p = np.asarray(Normal(1.0).window(gap, width, 1))
    with np.errstate(divide="ignore"):
        log_p = np.log(np.where(p > _TINY, p, 0.0))
    p = np.maximum(p, _TINY)
    total = np.zeros(totals.shape)
    for i, weight in overlaps(n, k):
        rho = (i - k * share) / (k * (1.0 - share))
        total += weight * (1.0 / p if rho <= -1.0 + 1e-12 else _square(gap, width, rho, p))
        if rho <= -1.0 + 1e-12:
            # a subset and its complement: both hit only if the total is near 2 z
            total -= np.where(np.abs(totals - 2.0 * z) > 2.0 * eps, weight / p, 0.0)
    return log_p, total


def _square(gap: FloatArray, width: float, rho: float, p: FloatArray) -> FloatArray:
    """P(both of two standard normals of correlation rho are within width of gap) / p^2, or its bound 1/p."""
    rest = 1.0 - rho * rho
    ratio = width * (1.0 + np.abs(gap)) / math.sqrt(rest)
    values = 1.0 / p
    for (nodes, weights), usable in ((_FEW, ratio <= 0.02), (_MANY, (ratio > 0.02) & (ratio <= 1.0))):
        x = gap[usable, np.newaxis] + width * nodes
        first, second = x[:, :, np.newaxis], x[:, np.newaxis, :]
        exponent = -0.5 * (first * first - 2.0 * rho * first * second + second * second) / rest
        mass = np.exp(exponent) @ weights @ weights * (width * width / (2.0 * math.pi * math.sqrt(rest)))
        values[usable] = np.minimum(values[usable], mass / p[usable] / p[usable])
    return values


def _uniform(n: int, k: int, eps: float, z: float, law: Law, totals: FloatArray) -> Ratios:
    window = float(law.window(z, eps, k))
    whole = law.sum_pdf(totals, n)
    joint = window * law.sum_pdf(np.abs(totals - z) + eps, n - k)  # at most f_n(t) p_t
    if eps <= 0.25:
        s = z + eps * _MANY[0]
        exact = law.sum_pdf(totals[:, np.newaxis] - s, n - k) @ (eps * _MANY[1] * law.sum_pdf(s, k))
        joint = np.maximum(joint, exact)
    possible = (joint > _TINY) & (whole > _TINY)
    whole, joint = np.where(possible, whole, 1.0), np.where(possible, joint, 1.0)
    p = joint / whole
    total = np.zeros(totals.shape)
    for i, weight in overlaps(n, k):
        rest = n - 2 * k + i
        if rest == 0 and i == 0:
            ratio = np.where(np.abs(totals - 2.0 * z) > 2.0 * eps, 0.0, 1.0 / p)
        elif rest == 0:
            ratio = _nothing_left(i, k, eps, z, law, totals) * whole / joint / joint
        else:
            points, masses = _common(i, k, eps, z, law, window)
            ratio = _rest(points, masses, rest, totals - 2.0 * z, eps, law) * whole * (window / joint) ** 2
        total += weight * np.minimum(ratio, 1.0 / p)
    with np.errstate(divide="ignore"):
        log_p = np.log(np.where(possible, p, 0.0))
    return log_p, total


def _nothing_left(i: int, k: int, eps: float, z: float, law: Law, totals: FloatArray) -> FloatArray:
    """What bounds f_n(t) q_i(t) where two subsets with i > 0 common elements make up the whole sample."""
    own = k - i
    lattice = np.arange(-own, own + 1, 2, dtype=np.float64)
    knots = np.concatenate(
        [np.arange(-i, i + 1, 2, dtype=np.float64), *(z + s * eps - lattice for s in (-1, 1))]
    )
    knots = np.unique(np.clip(np.concatenate([knots, [z - eps, z + eps]]), -i, i))
    nodes, weights = np.polynomial.legendre.leggauss(min(k + 4, 10))

    def between(low: FloatArray, high: FloatArray) -> FloatArray:
        """The integral over pieces without knots inside."""
        half = (high - low)[:, np.newaxis] / 2.0
        y = low[:, np.newaxis] + half * (1.0 + nodes)
        other = law.sum_pdf(np.maximum(np.abs(z - y) - eps, 0.0), own)
        values: FloatArray = (law.sum_pdf(y, i) * law.window(z - y, eps, own) * other) @ weights * half[:, 0]
        return values

    before = np.concatenate([[0.0], np.cumsum(between(knots[:-1], knots[1:]))])

    def up_to(y: FloatArray) -> FloatArray:
        place = np.clip(y, -i, i)
        piece = np.clip(np.searchsorted(knots, place, side="right") - 1, 0, knots.size - 1)
        values: FloatArray = before[piece] + between(knots[piece], place)
        return values

    middle = 2.0 * z - totals
    return np.maximum(up_to(middle + 2.0 * eps) - up_to(middle - 2.0 * eps), 0.0)


def _common(i: int, k: int, eps: float, z: float, law: Law, window: float) -> tuple[FloatArray, FloatArray]:
    """Nodes y and weights f_i(y) (G_{k-i}(z - y)/G_k(z))^2 dy."""
    if i == 0:
        return np.zeros(1), np.ones(1)
    own = np.arange(-i, i + 1, 2, dtype=np.float64)
    other = np.arange(-(k - i), k - i + 1, 2, dtype=np.float64)
    knots = np.unique(np.concatenate([own, z - eps - other, z + eps - other]))
    knots = knots[(knots >= max(-i, z - eps - (k - i))) & (knots <= min(i, z + eps + (k - i)))]
    if knots.size < 2:
        return np.zeros(1), np.zeros(1)
    nodes, weights = np.polynomial.legendre.leggauss(min(k + 4, 10))
    half = np.diff(knots)[:, np.newaxis] / 2.0
    points = (knots[:-1, np.newaxis] + half * (1.0 + nodes)).ravel()
    masses = (
        (half * weights).ravel() * law.sum_pdf(points, i) * (law.window(z - points, eps, k - i) / window) ** 2
    )
    heavy = masses > 0.0
    return points[heavy], masses[heavy]


def _rest(
    points: FloatArray, masses: FloatArray, rest: int, shift: FloatArray, eps: float, law: Law
) -> FloatArray:
    """Sum over the nodes of masses times the largest density of the remaining elements, for each total."""
    if rest <= 2:
        return np.full(shift.shape, masses.sum() * float(law.sum_pdf(0.0, rest)))
    result = np.empty(shift.shape)
    step = max(1, _BLOCK // max(points.size, 1))
    for begin in range(0, shift.size, step):
        distance = np.abs(shift[begin : begin + step, np.newaxis] + points) - 2.0 * eps
        result[begin : begin + step] = law.sum_pdf(np.maximum(distance, 0.0), rest) @ masses
    return result
