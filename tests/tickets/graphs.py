"""Random small graphs of layers, pools and sums, and their plain form for the exact judge."""

from __future__ import annotations

import numpy as np

from slth.networks.basis import Translations
from slth.networks.domain import Domain
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Windows
from slth.tickets.graph import PairGraph, PairNode, nonnegative
from slth.tickets.pairs import LayerPair


def plain(graph: PairGraph) -> tuple[list, str]:
    """The graph as the oracle reads it."""
    nodes = []
    for node in graph.nodes:
        op, kind, data = node.op, node.op, None
        if isinstance(op, LayerPair):
            kind, data = "layer", (op.weight, op.positive, op.negative, op.biased)
        elif isinstance(op, (AveragePool, MaxPool)):
            kind = "max" if isinstance(op, MaxPool) else "average"
            table, size = op.windows.table(), op.windows.inputs
            windows = [
                [int(place) + feature * size for place in table[:, s] if place >= 0]
                for feature in range(op.features)
                for s in range(op.windows.outputs)
            ]
            divisors = None
            if kind == "average":
                counted = [len(w) for w in windows]
                divisors = [op.windows.count] * len(windows) if op.count_padding else counted
            data = (windows, divisors)
        nodes.append((node.name, node.parents, kind, data))
    return nodes, graph.output


def random_layer(rng, inputs: int, *, outputs: int, spread: float, signed: bool) -> LayerPair:
    """A dense layer and a ticket's whose entries differ by up to `spread`."""
    biased = bool(rng.random() < 0.5)
    shape = (outputs, inputs + biased)
    weight = rng.normal(size=shape) / np.sqrt(inputs)
    positive = weight + rng.uniform(-spread, spread, shape)
    negative = -weight + rng.uniform(-spread, spread, shape)
    return LayerPair(weight, positive, negative if signed or rng.random() < 0.3 else None, biased)


def random_convolution(rng, inputs: int, *, spread: float, signed: bool) -> LayerPair:
    """A convolution of one input feature along a line; the same size where the kernel is odd."""
    mode = ("zeros", "circular")[rng.integers(0, 2)]
    kernel = int(rng.integers(1, min(3, inputs) + 1))
    basis = Translations(inputs, kernel, padding=((kernel - 1) // 2), padding_mode=mode)
    outputs = int(rng.integers(1, 3))
    weight, first, second = (
        rng.normal(size=(3, outputs, 1, kernel)) * np.array([1, spread, spread])[:, *[None] * 3]
    )
    positive, negative = basis.matrix(weight + first), basis.matrix(second - weight)
    support = basis.matrix(np.ones((outputs, 1, kernel))) > 0
    return LayerPair(basis.matrix(weight), positive, negative if signed else None, False, False, support)


def random_pool(rng, size: int) -> AveragePool | MaxPool:
    features = int(rng.choice([f for f in (1, 2, 3) if size % f == 0]))
    spatial = size // features
    kernel = int(rng.integers(1, min(3, spatial) + 1))
    windows = Windows(
        spatial, kernel, stride=int(rng.integers(1, 3)), padding=int(rng.integers(0, kernel // 2 + 1))
    )
    if rng.random() < 0.5:
        return MaxPool("pool", "x", features, windows)
    return AveragePool("pool", "x", features, windows, count_padding=bool(rng.random() < 0.5))


def random_graph(rng, domain: Domain, *, spread: float, length: int) -> PairGraph:
    """Nodes of all kinds in random order; the last one is the output, and at least one is a layer."""
    nodes, sizes = [PairNode("x", (), "input")], {"x": domain.size}
    signs = {"x": domain.nonnegative}
    while len(nodes) < length + 1 or not any(isinstance(n.op, LayerPair) for n in nodes):
        name = f"n{len(nodes)}"
        late = list(sizes)[-3:]
        parent = late[rng.integers(0, len(late))]
        size, signed = sizes[parent], not signs[parent]
        alike = [other for other in sizes if sizes[other] == size]
        op: object = rng.choice(["layer", "layer", "convolution", "relu", "add", "add", "pool", "same"])
        parents: tuple[str, ...] = (parent,)
        if op == "layer":
            # Often square, so that paths around it can be added.
            outputs = size if rng.random() < 0.6 else int(rng.integers(1, 6))
            op = random_layer(rng, size, outputs=outputs, spread=spread, signed=signed)
            size = outputs
        elif op == "convolution":
            op = random_convolution(rng, size, spread=spread, signed=signed)
            size = len(op.weight)
        elif op == "pool":
            op = random_pool(rng, size)
            size = op.output_size([size])
        elif op == "add":
            others = rng.choice(alike, int(rng.integers(1, 3)))
            parents = (parent, *(str(other) for other in others))
        nodes.append(PairNode(name, parents, op if not isinstance(op, str) else str(op)))
        sizes[name] = size
        signs = nonnegative_so_far(nodes, domain)
        if size > 12:
            nodes.pop()
            del sizes[name], signs[name]
    return PairGraph(tuple(nodes), nodes[-1].name)


def nonnegative_so_far(nodes, domain: Domain) -> dict[str, bool]:
    """`nonnegative` of nodes that need not hold a layer yet."""
    filler = LayerPair(np.ones((1, domain.size)), np.ones((1, domain.size)), None, False)
    return nonnegative(PairGraph((*nodes, PairNode("filler", ("x",), filler)), nodes[-1].name), domain)
