"""How many copies and which subset size a target needs: predicted, never used as a proof.

The expected number of weights without a subset within tolerance, over the whole network, is kept below a
stated failure level; half of it is spent on the subset sums (quenched Poisson prediction averaged over the
sample's mean), half on the chance that some input draws too few neurons of a sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from slth._typing import FloatArray
from slth.errors import CapacityExceeded
from slth.laws.product import LiveProduct
from slth.theory.predictors import miss_probability

FAILURE = 1e-3
MOST_LIVE = 4096
_BINS = 64


@dataclass(frozen=True)
class Size:
    """k edges per weight and half out of about `live` usable neurons; `copies` N per input."""

    k: int
    live: int
    copies: int


def layer_size(
    weights: FloatArray,
    tolerance: float,
    *,
    halves: int,
    signed: bool,
    arrangement: str,
    subset_density: float,
    k: int | None,
    failure: float,
) -> Size:
    """Smallest predicted (k, N) for one layer.

    weights : float64 (d', D), scaled to [-1, 1]; tolerance in the same units; halves : 1 or 2 per weight;
    failure : expected number of missed weights allowed. With k given only N is chosen. Raises
    CapacityExceeded when no n up to 4096 is predicted to do.
    """
    values, multiplicity = _summary(weights)
    multiplicity = multiplicity * halves
    law = LiveProduct()

    def misses(live: int) -> float:
        size = _subset_size(live, subset_density, k)
        if size > live:
            return np.inf
        if arrangement == "paper":
            size = min(size, max(1, live // 2))  # subsets of every smaller live size compete; the central one suffices
        return float(multiplicity @ miss_probability(live, size, tolerance, values, law))

    live = _least(misses, failure / 2.0, start=max(1, k or 1))
    size = _subset_size(live, subset_density, k)
    copies = _copies(live, weights.shape[1] * (2 if signed else 1), failure / 2.0)
    if arrangement == "paper":
        if k is None:
            size = max(1, round(subset_density * copies))
        copies = 2 * copies if signed else copies
    return Size(size, live, copies)


def _subset_size(live: int, subset_density: float, k: int | None) -> int:
    return k if k is not None else max(1, round(subset_density * live))


def _least(misses: Callable[[int], float], allowed: float, start: int) -> int:
    """An n with misses(n) <= allowed < misses(n - 1), by doubling and bisection from `start`."""
    high = max(4, start)
    while misses(high) > allowed:
        high *= 2
        if high > MOST_LIVE:
            raise CapacityExceeded(
                f"no sample size up to {MOST_LIVE} is predicted to reach every weight. "
                "Raise `eps` or `subset_density`, or give `k` and `copies`."
            )
    low = max(start - 1, high // 2 - 1)
    while high - low > 1:
        middle = (low + high) // 2
        if misses(middle) <= allowed:
            high = middle
        else:
            low = middle
    return high


def _copies(live: int, draws: int, failure: float) -> int:
    """Least N such that `draws` binomial(N, 1/2) counts all reach `live` but for probability `failure`."""
    copies = 2 * live
    while draws * stats.binom.cdf(live - 1, copies, 0.5) > failure:
        copies += 1
    return copies


def _summary(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Upper edges and counts of |w| in equal bins: misses grow with |w|, so edges err on the safe side."""
    magnitude = np.abs(weights[weights != 0.0])
    if magnitude.size == 0:
        return np.zeros(1), np.zeros(1)
    counts, edges = np.histogram(magnitude, bins=_BINS, range=(0.0, float(magnitude.max())))
    filled = counts > 0
    return edges[1:][filled], counts[filled].astype(np.float64)
