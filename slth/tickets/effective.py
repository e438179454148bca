"""The function that kept edges compute, as a network in the target's own units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slth.networks.basis import DenseBasis
from slth.networks.layers import Add, Linear, Node, ReLU
from slth.networks.network import Network
from slth.networks.slots import linear_nodes
from slth.tickets.layer import Assembled
from slth.tickets.record import Construction
from slth.tickets.scaling import restored


def effective_network(target: Network, construction: Construction, assembled: Sequence[Assembled]) -> Network:
    """The target's graph with the ticket's coefficients; see `Ticket.network`."""
    place = {node.name: index for index, node in enumerate(linear_nodes(target))}
    nodes: list[Node] = []
    for node in target.order:
        if not isinstance(node, Linear):
            nodes.append(node)
            continue
        index = place[node.name]
        own, scale = assembled[index], construction.scales[index]
        positive = restored(node, own.positive, scale)
        if not construction.layers[index].halved:
            nodes.append(positive)
            continue
        nodes += _halves(node, positive, restored(node, own.negative, scale))
    return Network(tuple(nodes), target.output)


def _halves(node: Linear, positive: Linear, negative: Linear) -> list[Node]:
    """Nodes that compute `positive` on max(x, 0) plus `negative` on max(-x, 0) under the name of `node`."""
    features, size = node.input_features, node.basis.inputs
    mirror = DenseBasis(np.eye(size)[None]) if size > 1 else DenseBasis(np.ones((1, 1, 1)))
    plus, minus = f"{node.name}.plus", f"{node.name}.minus"
    flipped = Linear(f"{node.name}.flipped", node.input, -np.eye(features)[:, :, None], mirror)
    return [
        ReLU(plus, node.input),
        flipped,
        ReLU(minus, flipped.name),
        Linear(f"{node.name}.positive", plus, positive.coefficients, node.basis, positive.bias, node.groups),
        Linear(f"{node.name}.negative", minus, negative.coefficients, node.basis, None, node.groups),
        Add(node.name, (f"{node.name}.positive", f"{node.name}.negative")),
    ]
