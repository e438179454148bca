"""How many copies and which subset size a target needs: predicted, never used as a proof.

The copies N of an input's hidden neurons draw binomial(N, 1/2) usable ones, and each of its weights then
misses with the probability that the Cox prediction gives. N is the smallest for which the expected number of
missed weights of a layer stays below its share of FAILURE. The prediction is optimistic where tolerances are
loose, because sums of few bounded samples have no normal tails: asked for 1e-3, networks of 26 weights failed
in 6 of 150 seeds at tolerance 0.1, in 2 at 1e-3, in 1 at 1e-4. Hence the margin in FAILURE.
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

FAILURE = 1e-4
MOST_SAMPLES = 4096
_BINS = 12


@dataclass(frozen=True)
class Size:
    """k edges per weight and half; `copies` N hidden neurons per input."""

    k: int
    copies: int


def layer_size(
    weights: FloatArray,
    tolerance: float,
    *,
    signed: bool,
    arrangement: str,
    subset_density: float,
    k: int | None,
    failure: float,
) -> Size:
    """Smallest predicted size for one layer.

    weights : float64 (d', D), scaled to [-1, 1]; tolerance in the same units; signed : two halves per
    weight; failure : expected number of missed weights allowed. With k given only N is chosen. Raises
    CapacityExceeded when no sample of up to 4096 is predicted to do.
    """
    values, counts = _summary(weights)
    counts *= 2 if signed else 1
    # Copies that one half draws from: all of them when signs are matched, its own group in the paper's way.
    groups = 2 if signed and arrangement == "paper" else 1

    def misses(copies: int) -> float:
        size = k if k is not None else subset_size(copies, arrangement, subset_density)
        return _expected_misses(copies, size, tolerance, values, counts, arrangement)

    copies = _least(misses, failure, start=2)
    size = k if k is not None else subset_size(copies, arrangement, subset_density)
    return Size(size, groups * copies)


def subset_size(samples: int, arrangement: str, subset_density: float) -> int:
    """k for a half that draws from `samples` copies; when signs are matched only half of them count."""
    return max(1, round(subset_density * (samples / 2 if arrangement == "sign-matched" else samples)))


def _expected_misses(
    copies: int, k: int, tolerance: float, values: FloatArray, counts: FloatArray, arrangement: str
) -> float:
    """Expected number of missed weights, over the binomial number of live neurons."""
    live = np.arange(copies + 1)
    chance = stats.binom.pmf(live, copies, 0.5)
    total = counts.sum()
    missed = 0.0
    for number, share in zip(live.tolist(), chance.tolist(), strict=True):
        if share * total < 1e-3 * FAILURE:
            missed += share * total
            continue
        size = k
        if arrangement == "paper":
            # Any number of live edges from k minus the dead ones to k will do: the central one counts alone.
            size = min(k, max(1, k - (copies - number), number // 2))
        if size > number:
            missed += share * total
            continue
        missed += share * float(counts @ miss_probability(number, size, tolerance, values, LiveProduct()))
    return missed


def _least(misses: Callable[[int], float], allowed: float, start: int) -> int:
    """An N with misses(N) <= allowed < misses(N - 1), by doubling and bisection from `start`."""
    high = max(4, start)
    while misses(high) > allowed:
        high *= 2
        if high > MOST_SAMPLES:
            raise CapacityExceeded(
                f"no sample size up to {MOST_SAMPLES} is predicted to reach every weight. "
                "Raise `eps` or `subset_density`, or give `k` and `copies`."
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if misses(middle) <= allowed:
            high = middle
        else:
            low = middle
    return high


def _summary(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Upper edges and counts of |w| in equal bins: misses grow with |w|, so edges err on the safe side."""
    magnitude = np.abs(weights[weights != 0.0])
    if magnitude.size == 0:
        return np.zeros(1), np.zeros(1)
    counts, edges = np.histogram(magnitude, bins=_BINS, range=(0.0, float(magnitude.max())))
    filled = counts > 0
    return edges[1:][filled], counts[filled].astype(np.float64)
