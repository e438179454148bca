"""The weights of a linear node laid out by input feature: what multiplies feature j stands in column j.

A source has, for every input feature, hidden copies of it and their outgoing weights. So the weights of a
node are wanted as one matrix: column j holds the coefficients that multiply input feature j, the last column
(if there is a bias) the bias coefficients, which multiply the constant 1. Row r of feature j, in a node with
p maps, o' output features per group: output feature r // p of the feature's own group, map r % p. A dense
layer is its own matrix, with the bias as the last column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth._typing import FloatArray
from slth.errors import InvalidInput
from slth.networks.basis import DenseBasis, OrbitBasis, Translations
from slth.networks.layers import Linear
from slth.networks.network import Network


@dataclass(frozen=True)
class Slots:
    """Shape of the matrix: `inputs` columns (the constant included), `outputs` rows per feature, and
    `constant_outputs` rows of the constant where they are another number (else None)."""

    inputs: int
    outputs: int
    constant_outputs: int | None

    @property
    def rows(self) -> int:
        """Rows of the matrix; the shorter columns end in zeros."""
        return max(self.outputs, self.constant_outputs or 0)


def linear_nodes(network: Network) -> tuple[Linear, ...]:
    """The linear nodes in topological order: the layers of a source. Raises InvalidInput if there is none."""
    found = tuple(node for node in network.order if isinstance(node, Linear))
    if not found:
        raise InvalidInput("`network` must have a linear node; got none.")
    return found


def slots(node: Linear) -> Slots:
    """Shape of the node's matrix."""
    outputs = node.output_features // node.groups * node.basis.count
    if node.bias is None:
        return Slots(node.input_features, outputs, None)
    return Slots(node.input_features + 1, outputs, None if node.bias.size == outputs else node.bias.size)


def to_slots(node: Linear) -> FloatArray:
    """The node's coefficients and biases as a (rows, inputs) matrix; entries that stand for none are zero."""
    shape = slots(node)
    matrix = np.zeros((shape.rows, shape.inputs))
    groups, inner = node.groups, node.coefficients.shape[1]
    parts = node.coefficients.reshape(groups, -1, inner, node.basis.count).transpose(1, 3, 0, 2)
    matrix[: shape.outputs, : node.input_features] = parts.reshape(shape.outputs, node.input_features)
    if node.bias is not None:
        matrix[: node.bias.size, -1] = node.bias
    return matrix


def from_slots(
    node: Linear, matrix: FloatArray, *, name: str | None = None, parent: str | None = None
) -> Linear:
    """A node like `node` with the coefficients and biases of a (rows, inputs) matrix; inverse of `to_slots`."""
    shape = slots(node)
    groups, inner = node.groups, node.coefficients.shape[1]
    each = matrix[: shape.outputs, : node.input_features]
    parts = each.reshape(-1, node.basis.count, groups, inner).transpose(2, 0, 3, 1)
    bias = None if node.bias is None else matrix[: node.bias.size, -1]
    return Linear(
        name or node.name,
        parent or node.input,
        parts.reshape(node.coefficients.shape),
        node.basis,
        bias,
        node.groups,
    )


def is_placement(node: Linear) -> bool:
    """Whether every entry of the node's matrix is one coefficient or zero, so that making it rounds nothing."""
    basis = node.basis
    if isinstance(basis, OrbitBasis):
        return True
    if isinstance(basis, DenseBasis):
        return basis.is_trivial
    if isinstance(basis, Translations):
        # A circular kernel longer than the axis meets itself: some entry would be a sum.
        table = np.sort(basis.table(), axis=0)
        return not bool(((table[1:] == table[:-1]) & (table[1:] >= 0)).any())
    return False


def expanded(node: Linear) -> FloatArray:
    """The node's matrix with what the bias adds as last column, (o*s, i*t [+ 1]); exact placements.

    Raises InvalidInput when the basis is no placement, CapacityExceeded when the matrix is too large.
    """
    if not is_placement(node):
        raise InvalidInput(
            f"node {node.name!r} must have a basis whose maps have disjoint 0/1 supports: otherwise its matrix "
            "is rounded and nothing can be proved from it. Use an orbit or translation basis."
        )
    matrix = node.matrix()
    bias = node.bias_vector()
    return matrix if bias is None else np.hstack((matrix, bias[:, None]))
