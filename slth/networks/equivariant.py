"""Equivariant layers, declared: the same network with layers written in the basis that a group leaves.

Readers meet a group convolution as an ordinary one, or as a dense layer; that its weights repeat is not in the
file. The user says so, by the basis of `slth.groups` for the layer's representations; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from slth.errors import InvalidInput
from slth.groups.dense import DenseIntertwiners
from slth.groups.intertwiners import Orbits
from slth.groups.projection import TOLERANCE, project, project_bias
from slth.networks.basis import Basis, DenseBasis, OrbitBasis
from slth.networks.layers import Linear
from slth.networks.network import Network
from slth.networks.symmetry import Symmetry


def basis_of(intertwiners: Orbits | DenseIntertwiners) -> Basis:
    """The basis of a linear layer that a group's orbits or intertwiners are.

    Raises
    ------
    InvalidInput
        If there are no intertwiners but zero.

    Examples
    --------
    >>> from slth.groups.actions import tuples
    >>> from slth.groups.intertwiners import orbits
    >>> basis = basis_of(orbits(tuples(5, 1), tuples(5, 1)))
    >>> basis.count, basis.bias_count, basis.identity is not None
    (2, 1, True)
    """
    if isinstance(intertwiners, Orbits):
        return OrbitBasis(intertwiners.labels, intertwiners.output_labels)
    return DenseBasis(intertwiners.matrices, intertwiners.output_vectors)


def declare(
    network: Network,
    layers: Mapping[str, Orbits | DenseIntertwiners],
    *,
    symmetry: Symmetry | None = None,
    tolerance: float = TOLERANCE,
) -> Network:
    """The network with the named linear layers written in equivariant bases.

    Each block of a layer's matrix is projected on the basis; on orbits the coefficient of equal entries is
    that entry, exactly. Parameters are then counted as coefficients.

    Parameters
    ----------
    network : Network
        Anything with these layers.
    layers : mapping of str to Orbits or DenseIntertwiners
        Basis of each layer's blocks, (s, t): s entries per output feature and t per input feature.
    symmetry : Symmetry, optional
        How the group acts on the network's inputs and outputs; reports of tickets then say how far target,
        source and ticket are equivariant.
    tolerance : float
        Largest difference between an entry and its projection, relative to the layer's largest |entry|.

    Raises
    ------
    InvalidInput
        If a name is no linear layer, sizes do not fit, or weights or biases are not in the span of the basis;
        the message names the layer.
    CapacityExceeded
        If a layer's matrix needs more than 512 MiB.

    Examples
    --------
    >>> from slth.groups.actions import tuples
    >>> from slth.groups.intertwiners import orbits
    >>> from slth.networks.network import dense_network
    >>> dense = dense_network([[[5.0, 2.0, 2.0], [2.0, 5.0, 2.0], [2.0, 2.0, 5.0]]])
    >>> sets = declare(dense, {"layer1": orbits(tuples(3, 1), tuples(3, 1))})
    >>> dense.parameters, sets.parameters, sets.nodes[1].coefficients.ravel().tolist()
    (9, 2, [5.0, 2.0])
    """
    by_name = {node.name: node for node in network.nodes if isinstance(node, Linear)}
    for name in layers:
        if name not in by_name:
            raise InvalidInput(
                f"`layers` must name linear layers of the network ({_some(by_name)}); got {name!r}."
            )
    changed = {name: _declared(by_name[name], given, tolerance) for name, given in layers.items()}
    nodes = tuple(changed.get(node.name, node) for node in network.nodes)
    return replace(network, nodes=nodes, symmetry=network.symmetry if symmetry is None else symmetry)


def _declared(node: Linear, given: Orbits | DenseIntertwiners, tolerance: float) -> Linear:
    basis = basis_of(given)
    bias = node.bias_vector()
    try:
        coefficients = project(node.matrix(), given, tolerance=tolerance)
        numbers = None if bias is None else project_bias(bias, given, tolerance=tolerance).ravel()
    except InvalidInput as error:
        raise InvalidInput(f"{str(error).removesuffix('.')} (layer {node.name!r}).") from None
    if numbers is not None and not numbers.size:
        numbers = None  # a zero bias where no other is invariant
    return Linear(node.name, node.input, np.ascontiguousarray(coefficients), basis, numbers)


def _some(names: Mapping[str, object]) -> str:
    shown = ", ".join(repr(name) for name in list(names)[:8])
    return shown + (", ..." if len(names) > 8 else "")
