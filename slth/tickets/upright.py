"""Whether lifted neurons stay above zero, so that relu passes on what they sum, for all inputs of a box.

A lifted neuron h computes relu(sum of a_hj x_j + l_h) with l_h = 2^r times the sum of its kept edges from
lifting constants. On a box low <= x <= high the sum over inputs is at least minus

    need_h = sum over kept j of max(-a_hj low_j, -a_hj high_j),

so that l_h >= need_h leaves relu nothing to do. Neurons that keep no edge are pruned, whatever they would
compute.
"""

from __future__ import annotations

import math

import numpy as np

from slth._typing import BoolArray, FloatArray
from slth.networks.intervals import Enclosure
from slth.networks.norms import rounding, up
from slth.networks.source import Source
from slth.tickets.layer import TicketLayer, owner_blocks
from slth.tickets.wiring import wiring

_NEAR = 2.0**-900


def needed(weights: FloatArray, kept: BoolArray, inputs: Enclosure) -> FloatArray:
    """Upper bounds (..., N) of need_h; weights, kept : (..., N, d), of which those kept are added up;
    weights are zero or at least 2^-23."""
    # Ends so near to zero that a product with them might underflow are moved away from it.
    low = np.where((inputs.low < 0.0) & (inputs.low > -_NEAR), -_NEAR, inputs.low)
    high = np.where((inputs.high > 0.0) & (inputs.high < _NEAR), _NEAR, inputs.high)
    terms = np.where(kept, np.maximum(-weights * low, -weights * high), 0.0)
    size = np.abs(terms).sum(axis=-1)
    # One rounding in each product, and those of the sum; none where all terms are zero.
    found: FloatArray = np.where(size > 0.0, up(terms.sum(axis=-1) + rounding(size, terms.shape[-1] + 1)), 0.0)
    return found


def bent(source: Source, index: int, layer: TicketLayer, inputs: Enclosure) -> int:
    """Neurons of a lifted layer in use that are not proved to stay above zero while it reads from `inputs`.

    The sum of at most 2^16 lifting edges is exact in float64. Time O(d' D N), memory a bounded block.
    """
    own = wiring(source, index, layer.members)
    moving, found = layer.inputs - 1, 0
    for start, stop in owner_blocks(layer.groups, layer.copies, layer.columns):
        edges = layer.edges(start, stop)
        weights = np.ldexp(own.block(start, stop).astype(np.float64), -source.scale_bits)
        need = needed(weights[:, :, :moving], edges[:, :, :moving], inputs)
        lift = np.where(edges[:, :, moving:], weights[:, :, moving:], 0.0).sum(axis=2)
        found += int((edges.any(axis=2) & ~(math.ldexp(1.0, layer.lift_exponent) * lift >= need)).sum())
    return found
