"""Lifting hidden neurons above zero: constants that keep relu out of the way, and carry the biases as well.

A neuron that keeps edges of either sign may see sums below zero. Each keeps an edge from one of L random
constants of value 2^r that is large enough for the worst input of the domain (`slth.tickets.upright`). The
output sees all these constants, times the neurons' outgoing weights, and wants its bias: so base edges are
chosen for their sum to stay near it, and the rest is a random subset sum over the lifting edges that are
left, all of which lift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.special import gammaln

from slth._typing import BoolArray, FloatArray, IntArray
from slth.errors import CapacityExceeded
from slth.laws.words import word_law
from slth.networks.intervals import Enclosure
from slth.subset_sum.solve import solve
from slth.tickets.upright import needed

# Constants per lifted layer. More of them leave fewer neurons without a large one, and cost edges.
LIFTS = 8
# Base edges lift by at least this many standard deviations more than neurons are expected to need.
_DEVIATIONS = 6.0
# The constants are at least so many times that need; so of LIFTS uniform weights one is large enough with
# probability LIVE, 0.99. Larger constants cost the sums that cancel them digits.
_ROOM = 8.0
LIVE = 1.0 - (0.5 + 0.5 / _ROOM) ** LIFTS
# Sums over lifting edges reach so many constants for each edge with ease: an eighth would take all of them.
_REACH = 2.0**-5
# Exponents of constants that files may hold.
_LARGEST = 1000
# Edges lift by this part of a constant more than is needed: another machine may round the need up further.
_SPARE = 2.0**-30
# Subsets expected within tolerance at the size where the search for one starts (the more, the sooner one is
# found), and sizes tried.
_EXPECTED = 1e8
_SIZES = 8
# Samples of which all subsets are searched in the end.
_FEW = 40


@dataclass(frozen=True, eq=False)
class Lift:
    """How a layer is lifted: `exponent` r of the constants, `least` base edge in units of values, the box that
    the layer reads from."""

    exponent: int
    least: float
    inputs: Enclosure


def planned(inputs: Enclosure, share: float, law: str, *, bias: float, edges: int) -> Lift:
    """Constants large enough for neurons that keep each edge with probability `share`, whatever its sign.

    An edge of weight a needs max(-a low_j, -a high_j); means and variances over a symmetric a are added up.
    bias : largest |bias| of the layer, in units of values; edges : lifting edges of an output. Raises
    CapacityExceeded when constants beyond 2^1000 are needed.
    """
    normal = word_law(law).name == "normal"
    mean, square = (math.sqrt(2.0 / math.pi), 1.0) if normal else (0.5, 1.0 / 3.0)
    # |a| times the first for a > 0, the second for a < 0.
    ends = np.stack((-inputs.low, inputs.high))
    least = share * mean * float(ends.sum()) / 2.0
    with np.errstate(over="ignore"):
        least += _DEVIATIONS * math.sqrt(share * square * float(np.square(ends).sum()) / 2.0)
    constant = max(_ROOM * least if least > 0.0 else 1.0, bias / (_REACH * edges), 2.0**-_LARGEST)
    if not constant <= 2.0**_LARGEST:
        raise CapacityExceeded(
            f"no constants up to 2^{_LARGEST} lift neurons above values of {float(np.abs(ends).max()):.3g} and "
            f"carry a bias of {bias:.3g}. Use another `arrangement`, or rescale the target."
        )
    return Lift(math.ceil(math.log2(constant)), max(least, 0.0), inputs)


def liftable(edges: FloatArray, lift: Lift) -> BoolArray:
    """Neurons (..., N) with a large enough edge from one of the constants; edges : (..., N, L)."""
    able: BoolArray = math.ldexp(1.0, lift.exponent) * edges.max(axis=-1) >= lift.least
    return able


def base_edges(
    weights: FloatArray, kept: BoolArray, singles: FloatArray, aim: FloatArray, lift: Lift
) -> tuple[IntArray, BoolArray]:
    """The constant that lifts each neuron, (B, N), -1 for none; and whether all that need one have one, (B,).

    weights : (B, N, d + L); kept : (B, N, d); singles : (B, N), b; aim : (B,), what sums of products of edges
    are to come near. Neurons with the fewest choices come first; each takes the edge that leaves the sum
    nearest to its aim.
    """
    moving = kept.shape[2]
    need = needed(weights[:, :, :moving], kept, lift.inputs)
    constants = weights[:, :, moving:]
    enough = math.ldexp(1.0, lift.exponent) * (constants - _SPARE) >= need[:, :, None]
    bases = np.full(need.shape, -1)
    rows, left = np.arange(len(weights)), aim.copy()
    for column in np.argsort(-need, axis=1, kind="stable").T:
        offers = constants[rows, column] * singles[rows, column, None]
        misses = np.where(enough[rows, column], np.abs(left[:, None] - offers), np.inf)
        best = misses.argmin(axis=1)
        takes = (need[rows, column] > 0.0) & np.isfinite(misses[rows, best])
        bases[rows[takes], column[takes]] = best[takes]
        left = np.where(takes, left - offers[rows, best], left)
    upright: BoolArray = np.all((need <= 0.0) | (bases >= 0), axis=1)
    return bases, upright


def subset_for(products: IntArray, rest: Fraction, tolerance: Fraction, unit: Fraction) -> IntArray | None:
    """Indices of `products` (n,), integers in units of `unit`, that sum to `rest` within `tolerance`; or None.

    Not more than help: sizes are tried from the least that is expected to have plenty of such subsets.
    """
    if abs(rest) <= tolerance:
        return np.zeros(0, dtype=np.int64)
    samples = products.astype(np.float64) * float(unit)
    for k in _sizes(samples, float(rest), float(tolerance)):
        # The float target is off by less than what is taken off the tolerance; decided below in rationals.
        try:
            found = solve(samples, float(rest), k=k, eps=float(tolerance) * (1.0 - 2.0**-20)).indices
        except CapacityExceeded:  # what pools missed is too much to search: another size will do
            continue
        if found is not None and abs(int(products[found].sum()) * unit - rest) <= tolerance:
            return np.asarray(found, dtype=np.int64)
    return None


def _sizes(samples: FloatArray, target: float, tolerance: float) -> list[int | None]:
    """Subset sizes to try: the least with plenty of subsets expected within tolerance, or the most promising
    ones; then any."""
    n = samples.size
    if n == 0:
        return []
    k = np.arange(1, n + 1)
    # Sums of k without replacement, as if normal; that of all n has no variance, and gets one sample's.
    mean, spread = float(samples.mean()), float(samples.var()) or 1.0
    variance = spread * np.maximum(k * (n - k) / max(n - 1, 1), 1.0)
    logs = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0) + math.log(2.0 * tolerance)
    logs -= 0.5 * np.log(2.0 * math.pi * variance) + np.square(target - k * mean) / (2.0 * variance)
    plenty = np.flatnonzero(logs >= math.log(_EXPECTED))
    promising = plenty if plenty.size else np.argsort(-logs, kind="stable")
    return [*k[promising[:_SIZES]].tolist(), *([None] if n <= _FEW else [])]
