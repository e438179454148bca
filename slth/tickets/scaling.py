"""Layer scales: powers of two that bring the target's weights and biases into [-1, 1].

ReLU, pools and sums are positively homogeneous, so every node's value may be carried divided by a power of
two of its own. A linear node whose input is divided by 2^s and whose output by 2^(s + e) has the weights
W / 2^e and the bias b / 2^(s + e). One scalar, 2^(the output node's exponent), restores the output; it stands
in the ticket, outside the source. Powers of two make the scaled target exact.

The terms of a sum must be divided alike: the linear nodes of the other branches share the difference to the
largest, last ones first. Where a branch has none (an identity path), the others are brought to it; weights may
then exceed 1 (sums of k products reach further).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from slth._typing import FloatArray
from slth.errors import InvalidInput
from slth.networks.layers import Add, Linear
from slth.networks.network import Network
from slth.networks.slots import from_slots, linear_nodes, to_slots


def scale_exponents(network: Network) -> tuple[int, ...]:
    """e of each linear node, in topological order; the smallest that serve, 0 for a layer of zeros.

    Raises InvalidInput, naming the node, when the terms of a sum cannot be brought to one scale.
    """
    own: dict[str, int] = {}
    carried: dict[str, int] = {}
    readers = _readers(network)
    for node in network.order:
        if isinstance(node, Linear):
            before = carried[node.input]
            own[node.name] = _least_exponent(node, before)
            carried[node.name] = before + own[node.name]
        elif isinstance(node, Add):
            branches = [_own_layers(network, name, readers) for name in node.inputs]
            fixed = {carried[name] for name, layers in zip(node.inputs, branches, strict=True) if not layers}
            if len(fixed) > 1:
                raise InvalidInput(
                    f"`target`: the paths into node {node.name!r} that end in no linear node of their own come "
                    f"at different scales, 2^{min(fixed)} and 2^{max(fixed)}. Rescale the layers before it."
                )
            common = fixed.pop() if fixed else max(carried[name] for name in node.inputs)
            for name, layers in zip(node.inputs, branches, strict=True):
                if layers:
                    _share(own, layers, common - carried[name])
            carried[node.name] = common
        else:
            carried[node.name] = carried[node.parents[0]] if node.parents else 0
    return tuple(own[node.name] for node in linear_nodes(network))


def carried_exponents(network: Network, exponents: Sequence[int]) -> dict[str, int]:
    """Power of two that each node's value is divided by. Raises InvalidInput when the terms of a sum differ."""
    own = {node.name: e for node, e in zip(linear_nodes(network), exponents, strict=True)}
    carried: dict[str, int] = {}
    for node in network.order:
        before = {carried[name] for name in node.parents} or {0}
        if len(before) > 1:
            raise InvalidInput(f"the terms of node {node.name!r} come at different scales.")
        carried[node.name] = before.pop() + own.get(node.name, 0)
    return carried


def scaled_slots(network: Network, exponents: Sequence[int]) -> tuple[FloatArray, ...]:
    """The scaled weights of each linear node as its slot matrix (rows, inputs), exact.

    Raises InvalidInput, naming the node, when a weight is so small that scaling would lose digits.
    """
    carried = carried_exponents(network, exponents)
    scaled = []
    for node, exponent in zip(linear_nodes(network), exponents, strict=True):
        matrix = to_slots(node)
        shifts = _shifts(node, exponent, carried)
        divided = np.ldexp(matrix, -shifts)
        if not np.array_equal(np.ldexp(divided, shifts), matrix):
            raise InvalidInput(
                f"`target`: layer {node.name!r} mixes magnitudes too different to scale by 2^{-exponent} "
                "exactly. Round its tiny weights to zero."
            )
        scaled.append(divided)
    return tuple(scaled)


def restored(node: Linear, matrix: FloatArray, exponent: int, carried: Mapping[str, int]) -> Linear:
    """`node` with the weights of a scaled slot matrix, in the target's own units."""
    return from_slots(node, np.ldexp(matrix, _shifts(node, exponent, carried)))


def _shifts(
    node: Linear, exponent: int, carried: Mapping[str, int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Exponent that each column of the node's slot matrix is divided by."""
    shifts = np.full(node.input_features, exponent, dtype=np.int64)
    return shifts if node.bias is None else np.append(shifts, carried[node.name])


def _least_exponent(node: Linear, before: int) -> int:
    """Smallest e with max(|W| / 2^e, |b| / 2^(before + e)) <= 1; 0 for zeros."""
    weight = _exponent(node.coefficients)
    bias = None if node.bias is None else _exponent(node.bias)
    wanted = [e for e in (weight, None if bias is None else bias - before) if e is not None]
    return max(wanted, default=0)


def _exponent(values: FloatArray) -> int | None:
    """Least e with max|values| <= 2^e, or None when all are zero."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return None
    mantissa, exponent = math.frexp(largest)
    return exponent - 1 if mantissa == 0.5 else exponent


def _readers(network: Network) -> dict[str, int]:
    """How many nodes read each node (the network's output counts as a reader)."""
    counts = dict.fromkeys((node.name for node in network.order), 0)
    counts[network.output] += 1
    for node in network.order:
        for name in node.parents:
            counts[name] += 1
    return counts


def _share(own: dict[str, int], layers: Sequence[str], difference: int) -> None:
    """Add `difference` to the exponents of a branch, one by one to its layers, last first."""
    for step in range(abs(difference)):
        own[layers[step % len(layers)]] += 1 if difference > 0 else -1


def _own_layers(network: Network, name: str, readers: Mapping[str, int]) -> list[str]:
    """Linear nodes that the value of `name` comes through and nothing else reads on the way, last first."""
    by_name = {node.name: node for node in network.order}
    node = by_name[name]
    found = []
    while readers[node.name] == 1 and len(node.parents) == 1:
        if isinstance(node, Linear):
            found.append(node.name)
        node = by_name[node.parents[0]]
    return found
