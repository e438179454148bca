"""The graph of layers that a certificate is about: a network's nodes, each layer beside the ticket's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from slth._typing import BoolArray, FloatArray
from slth.errors import InvalidInput
from slth.networks.domain import Domain
from slth.networks.pooling import AveragePool, MaxPool
from slth.tickets.pairs import LayerPair

PLAIN = ("input", "relu", "add", "same")


@dataclass(frozen=True, eq=False)
class PairNode:
    """One step that target and ticket take alike, but for the matrices of a LayerPair.

    Attributes
    ----------
    name : str
    parents : tuple of str
        Names of the nodes read: none for "input", two or more for "add", otherwise one.
    op : LayerPair, AveragePool, MaxPool or str
        "input"; "relu"; "add"; "same" (the parent's value, as after Flatten). Of a pool, features and windows
        count; its own name and parent do not.
    """

    name: str
    parents: tuple[str, ...]
    op: LayerPair | AveragePool | MaxPool | str


@dataclass(frozen=True, eq=False)
class PairGraph:
    """Target and ticket as one directed graph without cycles.

    Attributes
    ----------
    nodes : tuple of PairNode
        Each after its parents; the first, and no other, is the input.
    output : str
        Name of the node whose value is the network's.

    Raises
    ------
    InvalidInput
        If names repeat, parents do not stand before a node, their number does not fit its kind, or a
        LayerPair has its own ReLU.

    Examples
    --------
    >>> layer = LayerPair(np.eye(2) / 2, np.eye(2) / 2 + 1e-3, None, biased=False)
    >>> graph = PairGraph(
    ...     (
    ...         PairNode("x", (), "input"),
    ...         PairNode("layer", ("x",), layer),
    ...         PairNode("sum", ("x", "layer"), "add"),
    ...     ),
    ...     "sum",
    ... )
    >>> graph.inputs, [node.name for node in graph.layers]
    (2, ['layer'])
    """

    nodes: tuple[PairNode, ...]
    output: str

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for index, node in enumerate(self.nodes):
            _check_node(node, index, seen)
            seen.add(node.name)
        if self.output not in seen:
            raise InvalidInput(f"`output` must name a node; got {self.output!r}.")
        if not self.layers:
            raise InvalidInput("`pairs` must hold at least one layer; got none.")

    @classmethod
    def chain(cls, pairs: Sequence[LayerPair]) -> PairGraph:
        """The graph of layers one after the other, named "0", "1", ...; their ReLU written out as nodes.

        Examples
        --------
        >>> layer = LayerPair(np.eye(2), np.eye(2), None, biased=False, relu=True)
        >>> [node.name for node in PairGraph.chain([layer, layer]).nodes]
        ['input', '0', 'relu 0', '1', 'relu 1']
        """
        nodes = [PairNode("input", (), "input")]
        for index, pair in enumerate(pairs):
            nodes.append(PairNode(f"{index}", (nodes[-1].name,), replace(pair, relu=False)))
            if pair.relu:
                nodes.append(PairNode(f"relu {index}", (nodes[-1].name,), "relu"))
        return cls(tuple(nodes), nodes[-1].name)

    @property
    def layers(self) -> tuple[PairNode, ...]:
        """Nodes that are LayerPairs, in order."""
        return tuple(node for node in self.nodes if isinstance(node.op, LayerPair))

    @property
    def pairs(self) -> tuple[LayerPair, ...]:
        """The LayerPairs, in order."""
        return tuple(node.op for node in self.nodes if isinstance(node.op, LayerPair))

    @property
    def inputs(self) -> int:
        """Size of the input, as the first layer or pool that reads it needs it."""
        copies = {self.nodes[0].name}
        for node in self.nodes[1:]:
            if not copies.intersection(node.parents):
                continue
            if isinstance(node.op, LayerPair):
                return node.op.moving
            if isinstance(node.op, (AveragePool, MaxPool)):
                return node.op.features * node.op.windows.inputs
            copies.add(node.name)
        raise InvalidInput("`nodes` must read the input in a layer or pool; got none that does.")

    def readers(self) -> dict[str, list[PairNode]]:
        """The nodes that read each node."""
        found: dict[str, list[PairNode]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for parent in node.parents:
                found[parent].append(node)
        return found


Pairs = Sequence[LayerPair] | PairGraph


def as_graph(pairs: Pairs) -> PairGraph:
    """A graph as it is, a sequence as the graph of a chain."""
    return pairs if isinstance(pairs, PairGraph) else PairGraph.chain(pairs)


def fitting(pairs: Pairs) -> PairGraph:
    """The graph, once its layers fit each other and every number is finite; raises InvalidInput otherwise."""
    graph = as_graph(pairs)
    _check_sizes(graph, graph.inputs)
    return graph


def checked(pairs: Pairs, domain: Domain) -> PairGraph:
    """The graph, once its layers fit each other and the domain and every number is finite.

    Raises InvalidInput otherwise, or where `negative` is missing though inputs may be negative.
    """
    graph = as_graph(pairs)
    _check_sizes(graph, domain.size)
    never = nonnegative(graph, domain)
    for node in graph.layers:
        if isinstance(node.op, LayerPair) and node.op.negative is None and not never[node.parents[0]]:
            raise InvalidInput(
                f"`negative` must be given where inputs may be negative; got None (layer {node.name})."
            )
    return graph


def nonnegative(pairs: Pairs, domain: Domain) -> dict[str, bool]:
    """Which nodes are proved, by the graph alone, to have no negative entry in any network of its shape.

    After a ReLU nothing is negative; pools and sums keep that. The input is as the domain says. A layer
    needs `negative` where its parent is False.

    Examples
    --------
    >>> layer = LayerPair(np.eye(2), np.eye(2), None, biased=False, relu=True)
    >>> nonnegative([layer], Domain.box(0.0, 1.0, size=2))
    {'input': True, '0': False, 'relu 0': True}
    """
    found: dict[str, bool] = {}
    for node in as_graph(pairs).nodes:
        if node.op == "input":
            found[node.name] = domain.nonnegative
        elif node.op == "relu":
            found[node.name] = True
        else:
            found[node.name] = not isinstance(node.op, LayerPair) and all(found[p] for p in node.parents)
    return found


def _check_node(node: PairNode, index: int, seen: set[str]) -> None:
    if not isinstance(node.op, (LayerPair, AveragePool, MaxPool)) and node.op not in PLAIN:
        raise InvalidInput(
            f"`op` must be a LayerPair, a pool or one of {PLAIN}; got {node.op!r:.80} (node {node.name})."
        )
    if node.name in seen:
        raise InvalidInput(f"`nodes` must have different names; got {node.name!r} twice.")
    if (node.op == "input") != (index == 0):
        raise InvalidInput(
            f"`nodes` must begin with the one input; got {node.name!r} as node {index} (op {node.op!r:.40})."
        )
    missing = [parent for parent in node.parents if parent not in seen]
    if missing:
        raise InvalidInput(f"`parents` must stand before a node; got {missing[0]!r} (node {node.name}).")
    count = len(node.parents)
    fits = count >= 2 if node.op == "add" else count == (node.op != "input")
    if not fits:
        raise InvalidInput(f"`parents` must be as many as {node.name!r} reads; got {count}.")
    if isinstance(node.op, LayerPair) and node.op.relu:
        raise InvalidInput(
            f"`relu` must be False in a graph, where ReLU is a node; got True (layer {node.name})."
        )


def _check_sizes(graph: PairGraph, inputs: int) -> None:
    """Raise InvalidInput where a node does not fit its parents, or numbers are not finite."""
    sizes: dict[str, int] = {}
    for node in graph.nodes:
        given = [sizes[parent] for parent in node.parents]
        if isinstance(node.op, LayerPair):
            sizes[node.name] = _checked_layer(node.name, node.op, given[0])
        elif isinstance(node.op, (AveragePool, MaxPool)):
            sizes[node.name] = node.op.output_size(given)
        elif node.op == "input":
            sizes[node.name] = inputs
        else:
            if len(set(given)) != 1:
                raise InvalidInput(f"`nodes` must fit each other; got {node.name!r} adding sizes {given}.")
            sizes[node.name] = given[0]


def _checked_layer(name: str, pair: LayerPair, size: int) -> int:
    """Number of outputs of a layer that reads `size` numbers."""
    shape = pair.weight.shape
    if len(shape) != 2 or shape[0] == 0 or shape[1] != size + pair.biased:
        needed = size + pair.biased
        raise InvalidInput(f"`pairs` must chain: layer {name} needs {needed} columns; got shape {shape}.")
    for field, matrix in (("weight", pair.weight), ("positive", pair.positive), ("negative", pair.negative)):
        if matrix is None:
            continue
        if matrix.shape != shape:
            raise InvalidInput(f"`{field}` must have shape {shape} (layer {name}); got {matrix.shape}.")
        if matrix.dtype != np.float64 or not np.isfinite(matrix).all():
            raise InvalidInput(f"`{field}` must be finite float64 (layer {name}); got {matrix.dtype}.")
        if pair.support is not None:
            _check_support(name, field, matrix, pair.support)
    return int(shape[0])


def _check_support(name: str, field: str, matrix: FloatArray, support: BoolArray) -> None:
    if support.shape != matrix.shape or support.dtype != np.bool_:
        raise InvalidInput(
            f"`support` must be bool of shape {matrix.shape} (layer {name}); "
            f"got {support.dtype} of shape {support.shape}."
        )
    if (matrix[~support] != 0.0).any():
        raise InvalidInput(f"`{field}` must be zero outside `support` (layer {name}).")
