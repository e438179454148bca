"""Layer scales: powers of two that bring each linear node's weights, and its biases, into [-1, 1].

A linear node's weights are 2^e times what the two random sub-layers compute, its biases 2^b times. So a layer
has one fixed factor, 2^e, behind its random part, and the constant input that carries its biases is 2^(b - e)
(one, unless biases are the larger). Both stand in the ticket, outside the source; being powers of two they are
exact, and cost the ticket a few bits. ReLU, pools and sums are positively homogeneous, so that in a chain all
factors could be collected in one behind the output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slth._typing import FloatArray, IntArray
from slth.errors import InvalidInput
from slth.networks.layers import Linear
from slth.networks.network import Network
from slth.networks.slots import from_slots, linear_nodes, slots, to_slots

_LARGEST = 1000


@dataclass(frozen=True)
class Scale:
    """Exponents of a layer: of its weights, and of its biases (the same where there are none)."""

    weight: int
    bias: int

    @property
    def constant(self) -> float:
        """The constant input that carries the biases."""
        return math.ldexp(1.0, self.bias - self.weight)


def scales_of(network: Network) -> tuple[Scale, ...]:
    """Scale of each linear node, in topological order: the smallest weights that serve, biases not below.

    Raises InvalidInput, naming the node, when weights are beyond 2^1000 or all below 2^-1000.
    """
    return tuple(_scale(node) for node in linear_nodes(network))


def _scale(node: Linear) -> Scale:
    weight = _exponent(node.coefficients)
    bias = None if node.bias is None else _exponent(node.bias)
    own = next((e for e in (weight, bias) if e is not None), 0)
    if max(abs(own), abs(bias or 0)) > _LARGEST:
        raise InvalidInput(
            f"`target`: layer {node.name!r} has weights of about 2^{own}, beyond 2^{_LARGEST} or its inverse. "
            "Rescale it."
        )
    return Scale(own, own if bias is None else max(own, bias))


def _exponent(values: FloatArray) -> int | None:
    """Least e with max|values| <= 2^e, or None when all are zero."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return None
    mantissa, exponent = math.frexp(largest)
    return exponent - 1 if mantissa == 0.5 else exponent


def scaled_slots(network: Network, scales: Sequence[Scale]) -> tuple[FloatArray, ...]:
    """The scaled weights of each linear node as its slot matrix (rows, inputs), exact.

    Raises InvalidInput, naming the node, when a weight is so small that scaling would lose digits.
    """
    scaled = []
    for node, scale in zip(linear_nodes(network), scales, strict=True):
        matrix, shifts = to_slots(node), _shifts(node, scale)
        divided = np.ldexp(matrix, -shifts)
        if not np.array_equal(np.ldexp(divided, shifts), matrix):
            raise InvalidInput(
                f"`target`: layer {node.name!r} mixes magnitudes too different to scale by 2^{-scale.weight} "
                "exactly. Round its tiny weights to zero."
            )
        scaled.append(divided)
    return tuple(scaled)


def restored(node: Linear, matrix: FloatArray, scale: Scale) -> Linear:
    """`node` with the weights of a scaled slot matrix, in the target's own units."""
    with np.errstate(over="ignore"):
        return from_slots(node, np.ldexp(matrix, _shifts(node, scale)))


def _shifts(node: Linear, scale: Scale) -> IntArray:
    """Exponent that each column of the node's slot matrix is divided by."""
    shifts = np.full(slots(node).inputs, scale.weight, dtype=np.int64)
    if node.bias is not None:
        shifts[-1] = scale.bias
    return shifts
