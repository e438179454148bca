"""How many copies and which subset size a target needs: predicted, never used as a proof.

Of the N copies that an owner (an input, or an output) has of its hidden neurons a binomial number can serve,
half of them where the sign of a random edge decides. Each weight then misses with the probability that the Cox
prediction gives, or for uniform samples the one given their sum. N is the smallest for which the expected
number of missed weights of a layer stays below its share of FAILURE.
The prediction is optimistic where tolerances are loose, because sums of few bounded samples have no normal
tails: asked for 1e-3, networks of 26 weights failed in 6 of 150 seeds at tolerance 0.1, in 2 at 1e-3, in 1 at
1e-4. Hence the margin in FAILURE.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from slth._typing import FloatArray
from slth.errors import CapacityExceeded
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.blocks import block_miss_probability
from slth.theory.predictors import miss_probability
from slth.theory.windows import window_miss_probability
from slth.tickets.arrangement import DIVIDED
from slth.tickets.layer import LIFTED, owners_of
from slth.tickets.lifting import LIVE

FAILURE = 1e-4
MOST_SAMPLES = 4096
_BINS = 12
_LIVE_NODES = 9
_SIZES = 12


@dataclass(frozen=True)
class Size:
    """k edges per weight and half; `copies` N hidden neurons per owner."""

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
    window: int,
    failure: float,
    law: str = "uniform",
) -> Size:
    """Smallest predicted size for one layer.

    weights : float64 (d', D), scaled to [-1, 1], biases in the last column where neurons are lifted;
    tolerance in the same units; signed : two halves per weight; failure : expected number of missed weights
    allowed. With k given only N is chosen; subsets of k - window to k are allowed. Raises CapacityExceeded
    when no sample of up to 4096 is predicted to do.
    """
    # Biases of lifted layers have a sample of their own, large enough; and one sample serves both halves.
    lifted = arrangement == LIFTED
    values, counts = _summary(weights[:, :-1] if lifted else weights)
    counts *= 2 if signed and not lifted else 1
    supply = _supply(arrangement, weights.shape, signed=signed, law=law)
    # Copies that one half draws from: all of them when signs are matched, otherwise its own group.
    groups = 2 if signed and arrangement in DIVIDED else 1
    if arrangement == "blocks":

        def missed(blocks: int, length: int) -> float:
            return supply.expected_block_misses(blocks, length, tolerance, values, counts)

        if k is not None:
            return Size(k, groups * k * _least(lambda length: missed(k, max(2, length)), failure, start=2))
        length = block_length(subset_density)
        number = _least(lambda blocks: missed(blocks, length), failure, start=1)
        return Size(number, groups * number * length)

    def misses(copies: int) -> float:
        size = k if k is not None else subset_size(copies, arrangement, subset_density)
        return supply.expected_misses(copies, size, window, tolerance, values, counts)

    copies = _least(misses, failure, start=2)
    size = k if k is not None else subset_size(copies, arrangement, subset_density)
    return Size(size, groups * copies)


def block_length(subset_density: float) -> int:
    """Elements of a block of which one is kept."""
    return max(2, round(1.0 / subset_density))


def subset_size(samples: int, arrangement: str, subset_density: float) -> int:
    """k for a half that draws from `samples` copies, of which only half count unless neurons or zeros fill
    up, or neurons are lifted."""
    if arrangement == "blocks":
        return max(1, samples // block_length(subset_density))
    usable = samples if arrangement in (*DIVIDED, LIFTED) else samples / 2
    return max(1, round(subset_density * usable))


@dataclass(frozen=True)
class _Supply:
    """What N copies give a half: how many can serve it, and the law of their products.

    chance : probability that a copy can serve; zeros : those that cannot fill up subsets, as zeros; law : of
    the products divided by `spread`.
    """

    chance: float
    zeros: bool
    law: Law
    spread: float

    @property
    def by_products(self) -> bool:
        """Whether samples are products of two weights, neither of them chosen."""
        return isinstance(self.law, LiveProduct)

    def expected_misses(
        self, copies: int, k: int, window: int, tolerance: float, values: FloatArray, counts: FloatArray
    ) -> float:
        """Expected number of missed weights, over the binomial number of live neurons."""
        live = np.arange(copies + 1)
        chance = stats.binom.pmf(live, copies, self.chance)
        total = counts.sum()
        if not total:
            return 0.0
        likely = np.flatnonzero(chance * total >= 1e-3 * FAILURE)
        missed = float(total * (1.0 - chance[likely].sum()))
        nodes = likely
        if window or not self.by_products:
            # Costly, and between a few numbers of live neurons the logarithm of the misses is nearly straight.
            nodes = np.unique(np.linspace(likely[0], likely[-1], _LIVE_NODES).round().astype(np.int64))
        logs = [
            math.log(max(self._misses(int(n), copies, k, window, tolerance, values, counts), 1e-300))
            for n in nodes
        ]
        return missed + float(chance[likely] @ np.exp(np.interp(likely, nodes, logs)))

    def expected_block_misses(
        self, blocks: int, length: int, tolerance: float, values: FloatArray, counts: FloatArray
    ) -> float:
        """Expected number of missed weights with one of each block, none of them zero."""
        eps, z = tolerance / self.spread, values / self.spread
        return float(counts @ block_miss_probability(blocks, length, eps, z, self.law))

    def _misses(
        self,
        live: int,
        copies: int,
        k: int,
        window: int,
        tolerance: float,
        values: FloatArray,
        counts: FloatArray,
    ) -> float:
        """Expected number of missed weights when every half has that many live neurons."""
        if self.zeros:
            # Any number of live edges from k minus the dead ones to k will do: the central one counts alone.
            k = min(k, max(1, k - (copies - live), live // 2))
        least, most = max(0, k - window), min(k, live)
        if least > live or most == 0:
            return float(counts.sum())
        eps, z = tolerance / self.spread, values / self.spread
        if live == 1 or (self.by_products and least == most):
            each = miss_probability(live, most, eps, z, self.law)
        else:
            # The densities of sums of products take a contour integral each: normal ones stand in for them. Of
            # many sizes the largest are looked at, which have nearly all subsets.
            law = Normal(math.sqrt(self.law.variance)) if self.by_products else self.law
            each = window_miss_probability(live, max(least, most - _SIZES), most, eps, z, law)
        return float(counts @ each)


def _supply(arrangement: str, shape: tuple[int, ...], *, signed: bool, law: str) -> _Supply:
    outputs, inputs = shape
    normal = law == "normal"
    if arrangement in ("paper", "sign-matched"):
        products: Law = Normal() if normal else LiveProduct()  # both of the variance of |a| b
        return _Supply(0.5, arrangement == "paper", products, 1.0)
    gathering = owners_of(arrangement) == "outputs"
    roles = 2 * outputs if gathering else (2 * inputs if signed else inputs)
    # The other weight is as random as ever: it decides the law, the chosen one its spread.
    other: Law = Normal() if normal else Uniform()
    spread = chosen_magnitude(roles, law)
    if gathering:
        return _Supply(LIVE if arrangement == LIFTED else 0.5, False, other, spread)
    # The last neurons find the best places taken: about 0.3 of every input's have the wrong sign.
    return _Supply(1.0 - 0.3 / inputs, False, other, spread)


def chosen_magnitude(roles: int, law: str = "uniform") -> float:
    """About the mean |weight| of the edges that neurons keep when they choose among that many roles.

    Of m independent uniform numbers on [-1, 1] the largest has mean 1 - 2 / (m + 1); rivals for the same places
    cost half as much again. Seen: 0.81 for 10 roles, 0.90 for 20, 0.954 for 64, 0.9975 for 1568. Normal
    weights: the quantile of the same rank.
    """
    largest = max(0.5, 1.0 - 3.0 / (roles + 2.0))
    return float(stats.norm.ppf((1.0 + largest) / 2.0)) if law == "normal" else largest


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
