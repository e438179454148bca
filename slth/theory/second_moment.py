"""Owns the exact second moment: a lower bound on the probability that a fixed-size subset hits one target."""

from __future__ import annotations

import math

import numpy as np

from slth._typing import FloatArray
from slth._validate import as_integer, as_real
from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.uniform import Uniform

MOST_K = 64
_REACH = 14.0  # standard deviations of a normal sum that are integrated; beyond lies 1e-44
_PANEL_NODES = 24


def second_moment_bound(n: int, k: int, eps: float, z: float, law: Law) -> float:
    r"""Lower bound on the probability that some k of n independent samples sum to within eps of z.

    Parameters
    ----------
    n, k : int
        Sample size and subset size, 1 <= k <= n, k <= 64.
    eps : float
        Tolerance, eps > 0.
    z : float
        Target.
    law : Law
        `Uniform()` or `Normal(s)`.

    Returns
    -------
    float
        In [0, 1]; a theorem up to the rounding of its evaluation (relative 1e-10).

    Raises
    ------
    InvalidInput
        If an argument is outside its range or the law is another one.

    Notes
    -----
    [natale2024], Section 3.1, without its estimates. Let Y be the number of k-subsets that hit, S and S'
    independent uniform k-subsets and I the size of their intersection, which has probabilities
    h_i = C(k, i) C(n-k, k-i) / C(n, k). With p the probability that one subset hits, Cauchy-Schwarz gives

    .. math:: P(Y > 0) \ge \frac{E[Y]^2}{E[Y^2]} = \frac{p^2}{\sum_{i=0}^k h_i q_i},

    where q_i is the probability that S and S' both hit, given I = i: q_0 = p^2, q_k = p, and, conditioning on
    the sum y of the common elements,

    .. math:: q_i = \int f_i(y)\, G_{k-i}(z - y)^2\, dy, \qquad G_j(t) = P(|S_j - t| \le eps).

    For the uniform law the integrand is a polynomial of degree below 2k between the knots of f_i and those of
    G_{k-i}, so Gauss-Legendre with k nodes on each piece is exact; for the normal law it is smooth. O(k^3)
    evaluations of densities of sums.

    Examples
    --------
    >>> eps = 30 / (2 * math.comb(40, 10) * float(Uniform().sum_pdf(10**0.5, 10)))
    >>> round(second_moment_bound(40, 10, eps, 10**0.5, Uniform()), 4)
    0.5175
    """
    size = as_integer(n, "n", low=1)
    chosen = as_integer(k, "k", low=1, high=min(size, MOST_K))
    width = as_real(eps, "eps", low=0.0, open_low=True)
    target = as_real(z, "z")
    if not isinstance(law, (Uniform, Normal)):
        raise InvalidInput(f"`law` must be Uniform or Normal for the second moment; got {type(law).__name__}.")
    p = float(law.window(target, width, chosen))
    if p == 0.0:
        return 0.0
    subsets = math.comb(size, chosen)
    total = 1 / subsets / p  # i = k: h_k q_k / p^2
    for i in range(max(0, 2 * chosen - size), chosen):
        overlap = math.comb(chosen, i) * math.comb(size - chosen, chosen - i) / subsets
        total += overlap * (1.0 if i == 0 else _both(i, chosen, width, target, law, p))
    return min(1.0, 1.0 / total)


def _both(i: int, k: int, eps: float, z: float, law: Uniform | Normal, p: float) -> float:
    """q_i/p^2, where q_i is the probability that two k-subsets with i common elements both hit.

    The windows are divided by p before they are squared: the square of a tiny one would be 0.
    """
    ends = _pieces(i, k, eps, z, law)
    nodes, weights = np.polynomial.legendre.leggauss(k if isinstance(law, Uniform) else _PANEL_NODES)
    half = np.diff(ends)[:, None] / 2.0
    points = ends[:-1, None] + half * (1.0 + nodes)
    values = law.sum_pdf(points, i) * (law.window(z - points, eps, k - i) / p) ** 2
    return math.fsum((half * weights * values).ravel())


def _pieces(i: int, k: int, eps: float, z: float, law: Uniform | Normal) -> FloatArray:
    """Ends of intervals on which the integrand of q_i is smooth, ascending; zero outside."""
    if isinstance(law, Normal):
        scale = math.sqrt(law.variance)
        # the product of a density of y and a window around z - y varies on the scale of the narrower one
        count = 4 * math.ceil(_REACH * math.sqrt(i) / min(math.sqrt(i), math.sqrt(k - i)))
        return np.linspace(-_REACH, _REACH, count + 1) * math.sqrt(i) * scale
    own = np.arange(-i, i + 1, 2, dtype=np.float64)
    other = np.arange(-(k - i), k - i + 1, 2, dtype=np.float64)
    knots = np.unique(np.concatenate([own, z - eps - other, z + eps - other]))
    return knots[(knots >= -i) & (knots <= i)]
