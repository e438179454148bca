"""A ticket as a code for its target, in bits, beside plain quantisation at the same certified error.

Whoever holds the seed can draw the source again, so that a ticket is written down by its subsets. This is
accounting, not a compressor: no code words are made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from slth._typing import BoolArray, FloatArray, IntArray
from slth._validate import as_real
from slth.errors import CapacityExceeded
from slth.networks.domain import Domain
from slth.networks.network import Network
from slth.theory.entropy import binary_entropy, log2_binomial
from slth.tickets.arrangement import CHOOSING, halves
from slth.tickets.bounds import a_posteriori
from slth.tickets.certificate import pair_graph
from slth.tickets.layer import BLOCKS, TicketLayer
from slth.tickets.scaling import scaled_slots, scales_of
from slth.tickets.ticket import Ticket
from slth.tickets.wiring import wiring

SEED_BITS = 128
# Two exponents of 12 bits, k and N of 20 bits, for each layer.
LAYER_BITS = 64
_STEPS = 6


@dataclass(frozen=True)
class TicketCode:
    """Length of a ticket written down.

    Attributes
    ----------
    weights : int
        Weights and biases of the target.
    subset_bits : float
        log2 of the number of subsets that each weight and half chooses from, added up; and, where some weights
        are exactly zero, which.
    header_bits : int
        Seed, scales, k and N.
    owner_bits : float
        log2 of the number of ways to divide neurons among owners, where neurons chose theirs. Not in `bits`:
        the choice follows from the seed. Ticket folders store it, so that a reader need not repeat it.
    """

    weights: int
    subset_bits: float
    header_bits: int
    owner_bits: float

    @property
    def bits(self) -> float:
        """Seed, scales, sizes and subsets."""
        return self.subset_bits + self.header_bits

    @property
    def per_weight(self) -> float:
        """Bits for each weight of the target."""
        return self.bits / self.weights


def ticket_code(ticket: Ticket) -> TicketCode:
    """Count the bits of a ticket.

    Parameters
    ----------
    ticket : Ticket
        Its source is drawn again.

    Returns
    -------
    TicketCode
    """
    weights = scaled_slots(ticket.target, ticket.construction.scales)
    subsets, owners = 0.0, 0.0
    for index, (layer, weight) in enumerate(zip(ticket.layers, weights, strict=True)):
        filled = weight != 0.0
        share = float(filled.mean())
        subsets += filled.size * float(binary_entropy(share))
        subsets += _subset_bits(ticket, index, layer, filled)
        if layer.arrangement in CHOOSING:
            each = layer.groups * float(gammaln(layer.copies + 1.0))
            owners += (float(gammaln(layer.groups * layer.copies + 1.0)) - each) / math.log(2.0)
    header = SEED_BITS + LAYER_BITS * len(ticket.layers)
    return TicketCode(ticket.target_parameters, subsets, header, owners)


def _subset_bits(ticket: Ticket, index: int, layer: TicketLayer, filled: BoolArray) -> float:
    """log2 of the number of allowed subsets, over all weights that are not zero."""
    if layer.arrangement in ("paper", BLOCKS):
        return _sampled_bits(ticket, index, layer, filled)
    own = ticket.assembled(index)
    if layer.lifts:
        # Any of a neuron's constants may lift it.
        places = layer.outputs * layer.copies * layer.lifts
        total = float(log2_binomial(places, int(own.kept_positive[:, -1].sum())))
        return total + _chosen_bits(own.live_positive[:, :-1], layer, filled[:, :-1])
    total = _chosen_bits(own.live_positive, layer, filled)
    if layer.signed:
        moving = filled.copy()
        if layer.biased:
            moving[:, -1] = False
        total += _chosen_bits(own.live_negative, layer, moving)
    return total


def _chosen_bits(live: IntArray, layer: TicketLayer, filled: BoolArray) -> float:
    """log2 of the number of subsets with k - window to k of the live neurons, over all weights; live : (D,) or
    (d', D)."""
    low = max(0, layer.k - layer.window)
    sizes, counts = np.unique(np.broadcast_to(live, filled.shape)[filled], return_counts=True)
    return math.fsum(
        int(count) * _log2_subsets(int(size), low, layer.k) for size, count in zip(sizes, counts, strict=True)
    )


def _sampled_bits(ticket: Ticket, index: int, layer: TicketLayer, filled: BoolArray) -> float:
    """Where samples hold dead edges: as many live ones as these leave room for; or one of each block."""
    total = 0.0
    for j, first in enumerate(wiring(ticket.source, index, layer.members).singles):
        signed = layer.signed and not (layer.biased and j == layer.inputs - 1)
        for half in halves(layer.arrangement, first, signed=signed):
            sizes = half.sizes(layer.k, layer.window)
            if layer.arrangement == BLOCKS:
                total += int(filled[:, j].sum()) * layer.k * math.log2(half.whole.size // layer.k)
            elif sizes is not None:
                total += int(filled[:, j].sum()) * _log2_subsets(half.live.size, *sizes)
    return total


def _log2_subsets(samples: int, low: int, high: int) -> float:
    """log2 of the number of subsets of `low` to `high` of the samples."""
    logs = [float(log2_binomial(samples, c)) for c in range(low, min(high, samples) + 1)]
    most = max(logs, default=0.0)
    return most + math.log2(sum((2.0 ** (x - most) for x in logs), 0.0) or 1.0)


@dataclass(frozen=True)
class Quantised:
    """The target with its weights rounded to a grid, one step for all weights in scaled units.

    Attributes
    ----------
    tolerance : float
        Half the step: the largest error of a weight, in scaled units.
    bound : float
        Certified output error, by the bound that certifies tickets.
    entropy_bits : float
        Empirical entropy of the rounded weights of each layer, times their number (the table of frequencies is
        not counted).
    level_bits : float
        log2 of the number of grid points between the least and the largest, times the number of weights.
    weights : int
    """

    tolerance: float
    bound: float
    entropy_bits: float
    level_bits: float
    weights: int


def quantised(target: Network, domain: Domain, error: float) -> Quantised:
    """Round the weights of `target` as coarsely as a certified output error allows.

    Parameters
    ----------
    target : Network
    domain : Domain
    error : float
        Certified error allowed, > 0.

    Returns
    -------
    Quantised
        The coarsest of the grids tried, `bound` <= error. Grids next to it were refused, but the bound is not
        monotone in the step, so that a coarser one may exist.

    Raises
    ------
    CapacityExceeded
        If no grid down to 2^-40 is certified.
    """
    allowed = as_real(error, "error", low=0.0, open_low=True)
    scales = scales_of(target)
    weights = scaled_slots(target, scales)

    def bound(tolerance: float) -> float:
        rounded = [_rounded(weight, tolerance) for weight in weights]
        return a_posteriori(pair_graph(target, scales, [(w, -w) for w in rounded]), domain).bound

    good, bad = 0.0, 0.0
    tolerance = 0.05
    while tolerance > 2.0**-40:
        found = bound(tolerance)
        if found <= allowed:
            good = tolerance
            break
        bad = tolerance
        tolerance *= min(0.7, max(0.02, 0.9 * allowed / found)) if math.isfinite(found) else 0.1
    if not good:
        raise CapacityExceeded(f"no grid is certified to {error:g}. Use a larger `error`.")
    for _ in range(_STEPS):
        middle = math.sqrt(good * bad) if bad else 2.0 * good
        if bound(middle) <= allowed:
            good = middle
        else:
            bad = middle
    entropy, levels, count = _bits(weights, good)
    return Quantised(good, bound(good), entropy, levels, count)


def _rounded(weight: FloatArray, tolerance: float) -> FloatArray:
    step = 2.0 * tolerance
    return np.asarray(np.rint(weight / step) * step, dtype=np.float64)


def _bits(weights: Sequence[FloatArray], tolerance: float) -> tuple[float, float, int]:
    entropy, levels, count = 0.0, 0.0, 0
    for weight in weights:
        numbers = np.rint(weight / (2.0 * tolerance)).astype(np.int64)
        _, counts = np.unique(numbers, return_counts=True)
        share = counts / numbers.size
        entropy -= numbers.size * float(share @ np.log2(share))
        levels += numbers.size * math.log2(int(numbers.max()) - int(numbers.min()) + 1)
        count += numbers.size
    return entropy, levels, count
