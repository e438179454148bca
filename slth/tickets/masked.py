"""The masked source of a ticket as a network: all random weights, and which of them are kept.

For each target layer two linear sub-layers with ReLU between them:

    <layer>.first   (D N, d)    from the d inputs to N copies of each of the D inputs; with a bias, D = d + 1,
                                the last input is the constant 1, its edges are <layer>.first.bias
    <layer>.second  (d', D N)   from the copies to the outputs

Weights are multiples of 2^-23 in [-1, 1), which float32 holds exactly. The output of every second sub-layer is
multiplied by a power of two, and the constant input is one (`slth.tickets.scaling`); where it is not 1,
<layer>.first.bias is the source's weights times that constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import BoolArray, FloatArray
from slth.errors import CapacityExceeded, InvalidInput
from slth.networks.layers import Input, Linear, Node, ReLU
from slth.networks.network import Network
from slth.networks.slots import linear_nodes
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
    what has no mask is kept. exponents : by node name, the value of that node is multiplied by 2 to this power.
    """

    network: Network
    masks: Mapping[str, BoolArray]
    exponents: Mapping[str, int] = field(default_factory=dict)

    def parameters(self) -> Iterator[Parameter]:
        """All parameters in the order of the nodes; convolution kernels as (o, i / groups, kernel entries)."""
        for node in self.network.order:
            for label, array in node_arrays(node):
                name = f"{node.name}.{label}"
                mask = self.masks.get(name)
                yield Parameter(
                    name, array.astype(np.float32), np.ones(array.shape, np.bool_) if mask is None else mask
                )


def node_arrays(node: Node) -> Iterator[tuple[str, FloatArray]]:
    """Free arrays of a node as torch names them: weight (the coefficients; a matrix if dense) and bias."""
    if isinstance(node, Linear):
        yield "weight", node.coefficients[:, :, 0] if node.is_dense else node.coefficients
        if node.bias is not None:
            yield "bias", node.bias


def masked_source(ticket: Ticket, *, max_bytes: int = MAX_BYTES) -> MaskedNetwork:
    """Make all random weights of a ticket's source, with their masks.

    Raises
    ------
    CapacityExceeded
        If that needs more than `max_bytes`, at 20 bytes per weight; a source may be far larger than memory.
    InvalidInput
        If the target is no chain of dense layers and ReLU; the message names the node.
    """
    ticket.target.dense_chain()
    for node in linear_nodes(ticket.target):
        if not node.is_dense:
            raise InvalidInput(
                f"`ticket` must be of a dense network to be exported with its source; node {node.name!r} is "
                "not dense. Export its masks (kind 'safetensors'), or its function (`Ticket.network`)."
            )
    need = BYTES_PER_WEIGHT * ticket.parameters
    if need > max_bytes:
        raise CapacityExceeded(
            f"the source's {ticket.parameters} weights need about {need / 2**20:.0f} MiB to export, more than "
            f"`max_bytes` ({max_bytes / 2**20:.0f} MiB). Raise it, or export masks only (kind 'safetensors')."
        )
    exponents: dict[str, int] = {}
    nodes: list[Node] = [Input("input", ticket.construction.domain.size)]
    for index, layer in enumerate(ticket.layers):
        width = layer.inputs - layer.biased
        first, second = (_weights(ticket, index, part) for part in ("incoming", "outgoing"))
        bias = first[:, width] * layer.scale.constant if layer.biased else None
        nodes.append(_dense(f"{layer.name}.first", nodes[-1].name, first[:, :width], bias))
        nodes.append(ReLU(f"{layer.name}.hidden", nodes[-1].name))
        nodes.append(_dense(f"{layer.name}.second", nodes[-1].name, second.T, None))
        exponents[nodes[-1].name] = layer.scale_exponent
        if index + 1 < len(ticket.layers):
            nodes.append(ReLU(f"{layer.name}.relu", nodes[-1].name))
    network = Network(tuple(nodes), nodes[-1].name)
    return MaskedNetwork(network, dict(masks(ticket)), exponents)


def masks(ticket: Ticket) -> Iterator[tuple[str, BoolArray]]:
    """Masks by parameter name, without making any weight."""
    for layer in ticket.layers:
        first, width = ticket.mask(f"{layer.name}.first"), layer.inputs - layer.biased
        yield f"{layer.name}.first.weight", first[:, :width].copy()
        if layer.biased:
            yield f"{layer.name}.first.bias", first[:, width].copy()
        yield f"{layer.name}.second.weight", ticket.mask(f"{layer.name}.second")


def _weights(ticket: Ticket, index: int, part: str) -> FloatArray:
    """All weights into, or out of, the hidden neurons (j, c) of a layer, one row per neuron."""
    make: Any = getattr(ticket.source, part)
    numerators = np.concatenate([make(index, j) for j in range(ticket.layers[index].inputs)])
    weights: FloatArray = np.ldexp(numerators.astype(np.float64), -ticket.source.scale_bits)
    return weights


def _dense(name: str, parent: str, matrix: FloatArray, bias: FloatArray | None) -> Linear:
    return Linear(name, parent, matrix[:, :, None], np.ones((1, 1, 1)), bias)
