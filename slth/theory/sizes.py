"""Owns the inversions: the least sample size whose prediction reaches a wanted probability."""

from __future__ import annotations

import math
from collections.abc import Callable

from slth._validate import as_fraction, as_integer, as_real
from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.laws.named import as_law
from slth.theory.catalogue import predictor
from slth.theory.entropy import log_binomial
from slth.theory.search import first_size, least_size


def n_hit(
    eps: float,
    z: float,
    law: str | Law,
    *,
    k: int | None = None,
    density: float | None = None,
    probability: float = 0.5,
    kind: str = "cox",
) -> int:
    """Least n at which a predictor or guarantee says that z is hit with `probability`.

    Parameters
    ----------
    eps : float
        Tolerance, eps > 0.
    z : float
        Target.
    law : str or Law
        Law of one sample, or the name of one.
    k : int, optional
        Fixed subset size, k >= 1. Exactly one of `k` and `density` is given.
    density : float, optional
        Fixed k/n in (0, 1): k = max(1, round(density n)), halves to the even neighbour.
    probability : float
        Wanted probability in (0, 1); compared through the miss, so 1 - 1e-12 means what it says.
    kind : str
        Name of a predictor or guarantee: see `predictor`.

    Returns
    -------
    int
        n > k.

    Raises
    ------
    InvalidInput
        If an argument is outside its range.
    CapacityExceeded
        If no n up to 10^15 (or up to the largest that `kind` can be evaluated at) reaches the probability.

    Notes
    -----
    At fixed k the prediction increases with n, and doubling and bisection find the least n. At fixed density
    it does so only between two jumps of k: sizes are then searched block by block, a block being the n that
    round to one k, upward from a few blocks below the one that bisection finds. Predictions averaged over
    drawn samples use the same samples, lengthened, for every n, which leaves their monotonicity nearly intact.

    Examples
    --------
    >>> n_hit(1e-6, 1.0, "uniform", k=5, probability=0.999)
    76
    """
    width = as_real(eps, "eps", low=0.0, open_low=True)
    target = as_real(z, "z")

    rule, chosen_kind = as_law(law), predictor(kind, "hit")

    def miss(n: int, chosen: int) -> float:
        return chosen_kind.evaluate(n, chosen, width, target, rule).failure

    return _least(miss, k, density, probability)


def n_cover(
    eps: float,
    law: str | Law,
    *,
    k: int | None = None,
    density: float | None = None,
    radius: float | None = None,
    probability: float = 0.5,
    kind: str = "cox",
) -> int:
    """Least n at which a predictor or guarantee says that [-radius, radius] is covered with `probability`.

    Parameters
    ----------
    eps : float
        Tolerance, eps > 0.
    law : str or Law
        Law of one sample, or the name of one.
    k : int, optional
        Fixed subset size, k >= 1. Exactly one of `k` and `density` is given.
    density : float, optional
        Fixed k/n in (0, 1).
    radius : float, optional
        Half-length of the interval to cover, radius >= eps. Default: sqrt(k), which grows with k.
    probability : float
        Wanted probability in (0, 1).
    kind : str
        Name of a predictor or guarantee: see `predictor`.

    Returns
    -------
    int
        n > k.

    Raises
    ------
    InvalidInput
        If an argument is outside its range.
    CapacityExceeded
        If no n up to 10^15 (or up to the largest that `kind` can be evaluated at) reaches the probability.

    Notes
    -----
    The search is that of `n_hit`. Two halves split k as well as n, and are searched in the same way.

    Examples
    --------
    >>> [n_cover(1e-4, "uniform", density=0.1, probability=p) for p in (0.5, 0.99)]
    [46, 55]
    """
    width = as_real(eps, "eps", low=0.0, open_low=True)
    reach = None if radius is None else as_real(radius, "radius", low=0.0, open_low=True)

    rule, chosen_kind = as_law(law), predictor(kind, "cover")

    def uncovered(n: int, chosen: int) -> float:
        half = math.sqrt(chosen) if reach is None else reach
        return chosen_kind.evaluate(n, chosen, width, half, rule).failure

    return _least(uncovered, k, density, probability)


def n_first_moment(k: int, eps: float, edge_density: float) -> float:
    r"""Sample size at which the least likely target is hit ln(1/eps) times in the mean.

    The real solution n of C(n, k) 2 eps f = ln(1/eps), where f = `edge_density` is the density of the sum at
    the least likely target: one expected hit, times the coupon-collector factor for hitting all of the about
    1/eps distinguishable targets. For U[-1, 1] and the range sqrt(k), f = c_l/sqrt(k) with
    c_l = sqrt(3/(2 pi)) e^{-3/2}. It neglects what subsets of one sample share, hence is for k << n.

    Parameters
    ----------
    k : int
        Subset size, k >= 1.
    eps : float
        Tolerance, 0 < eps < 1.
    edge_density : float
        Positive.

    Returns
    -------
    float
        n >= k.

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Examples
    --------
    >>> c_l = 0.15418033
    >>> [round(n_first_moment(k, 5e-7, c_l / k**0.5), 1) for k in (4, 8, 12)]
    [260.7, 46.1, 32.8]
    """
    chosen = as_integer(k, "k", low=1)
    width = as_fraction(eps, "eps")
    height = as_real(edge_density, "edge_density", low=0.0, open_low=True)
    wanted = math.log(math.log(1.0 / width) / (2.0 * width * height))
    if wanted <= 0.0:
        return float(chosen)
    high = 2.0 * chosen
    while log_binomial(high, chosen) < wanted:
        high *= 2.0
    low = float(chosen)
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return high
        if log_binomial(middle, chosen) < wanted:
            low = middle
        else:
            high = middle


def _least(
    failure: Callable[[int, int], float], k: int | None, density: float | None, probability: float
) -> int:
    allowed = 1.0 - as_fraction(probability, "probability")
    if (k is None) == (density is None):
        raise InvalidInput(
            f"exactly one of `k` and `density` must be given; got k = {k!r}, density = {density!r}."
        )
    if k is not None:
        chosen = as_integer(k, "k", low=1)
        return first_size(lambda n: failure(n, chosen) <= allowed, chosen + 1, None)
    share = as_fraction(density, "density")
    return least_size(lambda n, size: size < n and failure(n, size) <= allowed, share)[0]
