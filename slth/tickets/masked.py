"""The masked source of a ticket as a network: all random weights, and which of them are kept.

Each linear node of the target, of i features with t entries each, is replaced by two random sub-layers:

    <layer>.first   from the i features to N copies of each, by multiples of the identity (a 1 x 1 convolution)
    <layer>.second  from the copies, after ReLU, to the output features, coefficients in the node's own basis

The constant 1 that carries biases is one more feature, of one entry. Its edges to the copies are
<layer>.first.bias; its own N copies are made by <layer>.constant.first, which reads the other features by their
sums, and go on through <layer>.constant.second to the invariant vectors of the output; both parts are added. In
a dense layer every feature has one entry, so that copies of the constant are the last rows of <layer>.first and
the last columns of <layer>.second. Where neurons are lifted (`slth.tickets.lifting`), there are several
constants: <layer>.constants gives them, <layer>.lift holds their edges to the hidden neurons, and
<layer>.raised adds these to <layer>.first. All other nodes are the target's.

Weights are multiples of 2^-23 in [-1, 1), which float32 holds exactly. Outside the source, the value of a layer
is multiplied by a power of two. A constant input c other than 1 (`slth.tickets.scaling`) is one too: a layer's
input is divided by c (<layer>.input) and its value multiplied by c, which is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import BoolArray, FloatArray, IntArray
from slth.errors import CapacityExceeded
from slth.networks.basis import Basis, DenseBasis, OrbitBasis, Translations
from slth.networks.layers import Add, Flatten, Linear, Node, ReLU
from slth.networks.network import Network
from slth.networks.pooling import Pool
from slth.networks.slots import linear_nodes, slots
from slth.tickets.ticket import Ticket

MAX_BYTES = 2**32
# Bytes per random weight while exporting: in float64 and float32, masked, and the mask as torch keeps it.
BYTES_PER_WEIGHT = 20


@dataclass(frozen=True)
class Parameter:
    """One array of a masked network: its name, its numbers in float32, and which of them are kept."""

    name: str
    numbers: npt.NDArray[np.float32]
    mask: BoolArray

    @property
    def kept(self) -> npt.NDArray[np.float32]:
        """The numbers with zeros where they are pruned."""
        return self.numbers * self.mask


@dataclass(frozen=True)
class MaskedNetwork:
    """A network with all weights, masks of its parameters, and the powers of two outside of them.

    masks : by parameter name ("<node>.weight" in the shape of the coefficients, "<node>.bias"), True = kept;
    nodes without masks hold no weights of the source. exponents : by node name, e where the node's value is
    multiplied by 2^e.
    """

    network: Network
    masks: Mapping[str, BoolArray]
    exponents: Mapping[str, int] = field(default_factory=dict)

    def parameters(self) -> Iterator[Parameter]:
        """The source's weights, node by node; convolution kernels as (o, i / groups, kernel entries)."""
        for node in self.network.order:
            for label, array in node_arrays(node):
                name = f"{node.name}.{label}"
                if name in self.masks:
                    yield Parameter(name, array.astype(np.float32), self.masks[name])


def node_arrays(node: Node) -> Iterator[tuple[str, FloatArray]]:
    """Free arrays of a node as torch names them: weight (the coefficients; a matrix if dense) and bias."""
    if isinstance(node, Linear):
        yield "weight", node.coefficients[:, :, 0] if node.is_dense else node.coefficients
        if node.bias is not None:
            yield "bias", node.bias


def orbit_table(basis: OrbitBasis) -> IntArray:
    """What each output entry of a feature adds up, (s, r): places in a table (p, t) of mixed inputs, flattened.

    Rows are filled up with p t, the place of a zero behind the table.
    """
    s, t = basis.outputs, basis.inputs
    rows, places = np.nonzero(basis.labels >= 0)
    first = np.searchsorted(rows, np.arange(s))
    table = np.full((s, int(np.bincount(rows, minlength=s).max())), basis.count * t)
    table[rows, np.arange(rows.size) - first[rows]] = basis.labels[rows, places] * t + places
    return table


def masked_source(ticket: Ticket, *, max_bytes: int = MAX_BYTES) -> MaskedNetwork:
    """Make all random weights of a ticket's source, with their masks.

    Raises
    ------
    CapacityExceeded
        If that needs more than `max_bytes`, at 20 bytes per weight; a source may be far larger than memory.
    InvalidInput
        If names of the target's nodes are those of sub-layers.
    """
    need = BYTES_PER_WEIGHT * ticket.parameters
    if need > max_bytes:
        raise CapacityExceeded(
            f"the source's {ticket.parameters} weights need about {need / 2**20:.0f} MiB to export, more than "
            f"`max_bytes` ({max_bytes / 2**20:.0f} MiB). Raise it, or export masks only (kind 'safetensors')."
        )
    index = {layer.name: place for place, layer in enumerate(ticket.layers)}
    stands_for: dict[str, str] = {}
    exponents: dict[str, int] = {}
    nodes: list[Node] = []
    for node in ticket.target.order:
        given = [stands_for[parent] for parent in node.parents]
        if isinstance(node, Linear):
            scale = ticket.layers[index[node.name]].scale
            parent = given[0]
            if scale.bias != scale.weight:
                parent = f"{node.name}.input"
                nodes.append(Flatten(parent, given[0]))
                exponents[parent] = scale.weight - scale.bias
            layer = ticket.layers[index[node.name]]
            constant = math.ldexp(1.0, layer.constant_shift) if layer.lifts else 1.0
            nodes += _sublayers(node, parent, _weights(ticket, index[node.name], node), constant)
            exponents[nodes[-1].name] = scale.bias
        elif isinstance(node, Add):
            nodes.append(replace(node, inputs=tuple(given)))
        elif isinstance(node, (ReLU, Flatten, Pool)):
            nodes.append(replace(node, input=given[0]))
        else:
            nodes.append(node)
        stands_for[node.name] = nodes[-1].name
    network = Network(tuple(nodes), stands_for[ticket.target.output])
    return MaskedNetwork(network, dict(masks(ticket)), exponents)


def masks(ticket: Ticket) -> Iterator[tuple[str, BoolArray]]:
    """Masks by parameter name, without making any weight."""
    for layer, node in zip(ticket.layers, linear_nodes(ticket.target), strict=True):
        first, second = (ticket.mask(f"{layer.name}.{part}") for part in ("first", "second"))
        for name, mask in _parts(node, first, second).items():
            yield f"{layer.name}.{name}", np.ascontiguousarray(mask)


def _weights(ticket: Ticket, index: int, node: Linear) -> dict[str, FloatArray]:
    """All weights of a layer, by parameter name, in the shapes of the sub-layers."""
    spec = ticket.source.layers[index]
    hidden = np.arange(spec.groups * spec.copies)
    found = []
    for sublayer in (0, 1):
        numerators = ticket.source.rows(index, sublayer, hidden)
        found.append(np.ldexp(numerators.astype(np.float64), -ticket.source.scale_bits))
    return _parts(node, found[0], found[1].T)


def _parts(node: Linear, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Something of every edge of a layer, by parameter name, in the shapes that parameters have.

    first : (H, D), into the hidden neurons, more columns where several constants lift them; second : (rows of
    the slot matrix, H), out of them. Of H = D N, the constant's copies are the last N, but in a dense layer,
    where any neuron may belong to any owner.
    """
    features = node.input_features
    copies = len(first) // slots(node).inputs
    if node.is_dense:
        found = {"first.weight": first[:, :features], "second.weight": second}
        if first.shape[1] > slots(node).inputs:
            return {**found, "lift.weight": first[:, features:]}
        return found if node.bias is None else {**found, "first.bias": first[:, features]}
    own, p = features * copies, node.basis.count
    # rows of a feature: output feature of its group, map
    edges = second[: slots(node).outputs, :own].reshape(-1, p, node.groups, own // node.groups)
    found = {
        "first.weight": _flat(first[:own, :features, None], _identity(node.basis)),
        "second.weight": edges.transpose(2, 0, 3, 1).reshape(node.output_features, -1, p),
    }
    if node.bias is None:
        return found
    biases = second[: node.bias.size, own:].reshape(node.output_features, -1, copies).transpose(0, 2, 1)
    return {
        **found,
        "first.bias": first[:own, features],
        "constant.first.weight": _flat(first[own:, :features, None], _sum(node.basis)),
        "constant.first.bias": first[own:, features],
        "constant.second.weight": _flat(biases, _invariants(node.basis)),
    }


def _flat(coefficients: npt.NDArray[Any], basis: Basis) -> npt.NDArray[Any]:
    """Coefficients as `node_arrays` has them: a matrix if the basis is that of a dense layer."""
    trivial = isinstance(basis, DenseBasis) and basis.is_trivial
    return coefficients[:, :, 0] if trivial else coefficients


def _sublayers(node: Linear, parent: str, weights: Mapping[str, FloatArray], constant: float) -> Iterator[Node]:
    """Nodes that stand for `node`; the last one has its value. constant : what lifts neurons, if anything
    does."""
    name, basis = node.name, node.basis
    biased = node.bias is not None
    first, second = (f"{name}.{part}" for part in ("first", "second"))

    def linear(part: str, reads: str, maps: Basis, groups: int = 1) -> Linear:
        numbers = weights[f"{part}.weight"]
        coefficients = numbers[:, :, None] if numbers.ndim == 2 else numbers
        return Linear(f"{name}.{part}", reads, coefficients, maps, weights.get(f"{part}.bias"), groups)

    yield linear("first", parent, _identity(basis))
    summed = first
    if "lift.weight" in weights:
        # No random weights: nothing of the input, and the constants.
        number, summed = weights["lift.weight"].shape[1], f"{name}.raised"
        plain, nothing = DenseBasis(np.ones((1, 1, 1))), np.zeros((number, node.input_features, 1))
        yield Linear(f"{name}.constants", parent, nothing, plain, np.full(number, constant))
        yield linear("lift", f"{name}.constants", plain)
        yield Add(summed, (first, f"{name}.lift"))
    yield ReLU(f"{name}.hidden", summed)
    yield linear("second", f"{name}.hidden", basis, node.groups)
    if not biased or node.is_dense:
        return
    yield linear("constant.first", parent, _sum(basis))
    yield ReLU(f"{name}.constant.hidden", f"{name}.constant.first")
    yield linear("constant.second", f"{name}.constant.hidden", _invariants(basis))
    yield Add(name, (second, f"{name}.constant.second"))


def _permuted(basis: Basis) -> bool:
    """Whether the group permutes the entries of features, so that their sum is invariant."""
    return not isinstance(basis, DenseBasis) or basis.is_trivial


def _identity(basis: Basis) -> Basis:
    """The identity of an input feature; biases are alike for all entries, or zero if that is not invariant."""
    size = basis.inputs
    if not _permuted(basis):
        return DenseBasis(np.eye(size)[None], np.zeros((1, size)))
    if isinstance(basis, Translations):
        return Translations(basis.spatial, 1)
    return DenseBasis(np.ones((1, 1, 1))) if size == 1 else Translations(size, 1)


def _sum(basis: Basis) -> Basis:
    """The sum of an input feature's entries, or zero if that is not invariant."""
    return DenseBasis(np.full((1, 1, basis.inputs), float(_permuted(basis))))


def _invariants(basis: Basis) -> Basis:
    """From a number to its multiples of each invariant vector of an output feature."""
    return DenseBasis(basis.bias_vector(np.eye(basis.bias_count))[:, :, None])
