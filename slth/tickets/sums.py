"""One step of a bound: a sum of layers and identity paths, then ReLU or not; see `slth.tickets.bounds`.

Adding up before bounding keeps what a bound of each part would lose: a layer and an identity path that read
the same node are one matrix, and neurons that ReLU switches off are left out of the norms of all parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from slth._typing import BoolArray, FloatArray, IntArray
from slth.networks.intervals import Enclosure, HalfMap, through_rows
from slth.networks.norms import (
    UNIT,
    add_up,
    grouped_norm_upper,
    norm_upper,
    spectral_norm_upper,
    sum_upper,
    up,
    up_scalar,
)
from slth.tickets.graph import PairGraph, PairNode
from slth.tickets.pairs import LayerPair

# Rows above which a joint norm is tried with balls alone: the weights that make boxes good are not searched
# there (`slth.networks.norms.BALANCE`), and each trial is an eigenvalue problem of that order.
_WIDE = 640


@dataclass(frozen=True, eq=False)
class State:
    """What is known at a node: where both networks' values lie, and how far apart.

    entries, norm : bounds of the difference d, entrywise and in l2; shares (L,) : how `norm` splits over the
    own errors of the L layers of the graph.
    """

    target: Enclosure
    ticket: Enclosure
    entries: FloatArray
    norm: float
    shares: FloatArray

    @property
    def is_finite(self) -> bool:
        """Whether nothing overflowed."""
        boxes = [(e.low, e.high, e.center, e.radius) for e in (self.target, self.ticket)]
        return all(np.isfinite(value).all() for value in (*boxes[0], *boxes[1], self.entries, self.norm))


def apart(target: Enclosure, ticket: Enclosure) -> FloatArray:
    """Bound of |d| by the enclosures alone."""
    above, below = up(ticket.high - target.low), up(target.high - ticket.low)
    return np.maximum(np.maximum(above, below), 0.0)


def settled(
    target: Enclosure, ticket: Enclosure, entries: FloatArray, norm: float, shares: FloatArray
) -> State:
    """The state; each network's values also lie in the other's enclosure, widened by the error."""
    return State(
        target.meet(ticket.widened(entries, norm)),
        ticket.meet(target.widened(entries, norm)),
        entries,
        norm,
        shares,
    )


@dataclass(frozen=True, eq=False)
class Term:
    """A layer of a sum: its place among the graph's layers, its matrices, the node it reads."""

    index: int
    pair: LayerPair
    parent: str


@dataclass(frozen=True, eq=False)
class Sum:
    """Layers plus the values of nodes, then ReLU or not."""

    terms: tuple[Term, ...] = ()
    identities: tuple[str, ...] = ()
    relu: bool = False


def sums_of(graph: PairGraph) -> dict[str, Sum]:
    """The sums to be bounded, by the node whose value each is; parts of a sum have no entry of their own."""
    readers, indices = graph.readers(), {node.name: i for i, node in enumerate(graph.layers)}
    found: dict[str, Sum] = {}
    parts: dict[str, Sum] = {}

    def summand(parent: str) -> Sum:
        return parts.get(parent, Sum(identities=(parent,)))

    for node in graph.nodes:
        own = _own_sum(node, indices, [summand(parent) for parent in node.parents])
        if own is None:
            continue
        following = readers[node.name]
        joins = len(following) == 1 and following[0].op in ("relu", "add", "same") and node.name != graph.output
        (parts if joins and not own.relu else found)[node.name] = own
    return found


def _own_sum(node: PairNode, indices: Mapping[str, int], summands: Sequence[Sum]) -> Sum | None:
    """The node as a sum, given its parents as sums; None for the input and for pools."""
    if isinstance(node.op, LayerPair):
        return Sum(terms=(Term(indices[node.name], node.op, node.parents[0]),))
    if node.op not in ("relu", "add", "same"):
        return None
    return Sum(
        tuple(term for part in summands for term in part.terms),
        tuple(name for part in summands for name in part.identities),
        node.op == "relu",
    )


def through_sum(own: Sum, states: Mapping[str, State]) -> tuple[State, str]:
    """The state after a sum, and which bound of the error in l2 was the smaller."""
    if not own.terms and len(own.identities) == 1 and not own.relu:
        return states[own.identities[0]], "same"
    met = [_Met(term, states[term.parent]) for term in own.terms]
    plain = [states[name] for name in own.identities]
    targets = [part.target for part in met] + [state.target for state in plain]
    tickets = [part.ticket for part in met] + [state.ticket for state in plain]
    target, ticket = (reduce(Enclosure.plus, parts) for parts in (targets, tickets))
    if own.relu:
        target, ticket = target.relu(), ticket.relu()
    # What is off in both networks carries no error.
    alive = ~((target.high <= 0.0) & (ticket.high <= 0.0)) | (not own.relu)

    carried, plain = _carried(met, plain, own, states)
    local = [np.where(alive, part.error.largest(part.inputs, part.term.pair.moving), 0.0) for part in met]
    passed = [
        np.where(alive, through_rows(path.steep, path.state.entries, path.state.norm), 0.0) for path in carried
    ]
    straight = [np.where(alive, state.entries, 0.0) for state in plain]
    summed = reduce(add_up, (*passed, *local, *straight))
    entries = np.where(alive, np.minimum(summed, apart(target, ticket)), 0.0)

    norms = [min(state.norm, norm_upper(part)) for state, part in zip(plain, straight, strict=True)]
    joint, pulls = _joint_norm(carried, met, alive)
    total, method = sum_upper(np.array([joint, *norms])), "spectral"
    weights = np.array([*(joint * pulls), *norms])
    by_entries = norm_upper(entries)
    if by_entries < total:
        total, method = by_entries, "elementwise"
        weights = np.array([norm_upper(part) for part in (*passed, *local, *straight)])
    shares = _split(total, weights, [path.state for path in carried], met, plain)
    return settled(target, ticket, entries, total, shares), method


class _Met:
    """A layer met with the values it reads: its own error, and both networks' values after it alone."""

    def __init__(self, term: Term, state: State) -> None:
        pair, target, ticket = term.pair, state.target, state.ticket
        if pair.biased:
            target, ticket = target.with_constant(), ticket.with_constant()
        self.term, self.inputs = term, ticket
        self.error = _error_map(pair, ticket)
        self.target, self.ticket = _images(pair, self.error, target, ticket)


def _images(
    pair: LayerPair, error: HalfMap, target: Enclosure, ticket: Enclosure
) -> tuple[Enclosure, Enclosure]:
    """Enclosures of both networks' values after the layer, each from its own weights alone."""
    moving = pair.moving
    norm = spectral_norm_upper(pair.weight[:, :moving])
    halves = np.hstack(error.halves(moving))
    # Where no input reaches a half its errors count as zero: the ticket may be taken to be the target.
    positive = np.where(error.positive == 0.0, pair.weight, pair.positive)
    negative = -pair.weight
    if pair.negative is not None:
        negative = np.where(error.negative == 0.0, negative, pair.negative)
    finite = np.isfinite(halves).all()  # the difference of two finite numbers may not be
    lipschitz = up_scalar(norm + spectral_norm_upper(halves, error.relative)) if finite else math.inf
    return (
        HalfMap(pair.weight, -pair.weight).image(target, norm, moving),
        HalfMap(positive, negative).image(ticket, lipschitz, moving),
    )


def _error_map(pair: LayerPair, inputs: Enclosure) -> HalfMap:
    """E+ and E-, up to one rounding; zero in columns whose half no input reaches."""
    positive = np.where(inputs.high > 0.0, pair.positive - pair.weight, 0.0)
    if pair.negative is None:
        return HalfMap(positive, np.zeros_like(positive), 2.0 * UNIT)
    if np.array_equal(pair.negative[:, : pair.moving], -pair.positive[:, : pair.moving]):
        # One linear map, of which both halves are the same error.
        error = np.where((inputs.high > 0.0) | (inputs.low < 0.0), pair.positive - pair.weight, 0.0)
        return HalfMap(error, -error, 2.0 * UNIT)
    return HalfMap(positive, np.where(inputs.low < 0.0, pair.negative + pair.weight, 0.0), 2.0 * UNIT)


@dataclass(frozen=True, eq=False)
class _Path:
    """A node whose error is carried on by a matrix, to within a relative 2u; steep bounds its entries."""

    state: State
    matrix: FloatArray
    steep: FloatArray


def _carried(
    met: Sequence[_Met], plain: Sequence[State], own: Sum, states: Mapping[str, State]
) -> tuple[list[_Path], list[State]]:
    """Which matrix carries the error of each node on, and the nodes whose error passes unchanged.

    Two matrices that carry the same node's error are added, an identity path counting as one; of more, each
    is a path of its own.
    """
    matrices: dict[str, list[FloatArray]] = {}
    for part in met:
        pair = part.term.pair
        matrices.setdefault(part.term.parent, []).append(pair.weight[:, : pair.moving])
    left = list(plain)
    found: list[_Path] = []
    for parent, own_matrices in matrices.items():
        state = states[parent]
        if parent in own.identities and own_matrices[0].shape[0] == state.entries.size:
            own_matrices = [*own_matrices, np.eye(state.entries.size)]
            left.remove(state)
        if len(own_matrices) == 2:
            matrix = own_matrices[0] + own_matrices[1]
            found.append(_Path(state, matrix, np.where(matrix == 0.0, 0.0, up(np.abs(matrix)))))
        else:
            found += [_Path(state, matrix, np.abs(matrix)) for matrix in own_matrices]
    return found, left


def _joint_norm(carried: Sequence[_Path], met: Sequence[_Met], alive: BoolArray) -> tuple[float, FloatArray]:
    """Bound of ||sum of W d + Delta(g)||_2 over rows `alive`, and how it splits: carried errors, layers.

    Columns: the errors d, for each layer the two halves of the deviation from a centre (which share one
    radius), and Delta at the centre.
    """
    if not met:
        return 0.0, np.zeros(len(carried))
    best, pulls = math.inf, np.ones(len(carried) + len(met))
    both, wide = (False, True), int(alive.sum()) > _WIDE
    for centered in both if not wide else (True,):
        own = [_deviations(part, centered) for part in met]
        for by_entries in both if not wide and any(path.state.norm for path in carried) else (False,):
            blocks = [_error_columns(path, by_entries) for path in carried]
            blocks += [columns for columns, _ in own]
            groups, radii, owners = _arranged(blocks)
            columns = np.hstack([block.columns for block in blocks])[alive]
            bound, shares = grouped_norm_upper(columns, groups, radii, met[0].error.relative)
            bound = up_scalar(bound + sum_upper(np.array([norm_upper(slack[alive]) for _, slack in own])))
            if bound < best:
                best = bound
                pulls = np.asarray(np.bincount(owners, shares, len(blocks)), dtype=np.float64)
    return best, pulls


@dataclass(frozen=True, eq=False)
class _Block:
    """Columns of a joint norm that are one summand: the group of each column, and the groups' radii."""

    columns: FloatArray
    groups: IntArray
    radii: FloatArray


def _error_columns(path: _Path, by_entries: bool) -> _Block:
    size = path.matrix.shape[1]
    if by_entries:
        return _Block(path.matrix, np.arange(size, dtype=np.int64), path.state.entries)
    return _Block(path.matrix, np.zeros(size, dtype=np.int64), np.array([path.state.norm]))


def _deviations(part: _Met, centered: bool) -> tuple[_Block, FloatArray]:
    """Columns of a layer's own error around the centre of its ball, or of its box; rounding of the value."""
    inputs, error = part.inputs, part.error
    size = part.term.pair.moving
    if centered:
        value, slack = error.at(inputs.center)
        groups, radii = np.zeros(size, dtype=np.int64), np.array([inputs.radius])
    else:
        value, slack = error.at(inputs.middle)
        groups, radii = np.arange(size, dtype=np.int64), inputs.spread()[:size]
    halves = error.halves(size)
    last = np.array([radii.size])
    return (
        _Block(
            np.hstack((*halves, value[:, None])),
            np.concatenate((*([groups] * len(halves)), last)),
            np.append(radii, 1.0),
        ),
        slack,
    )


def _arranged(blocks: Sequence[_Block]) -> tuple[IntArray, FloatArray, IntArray]:
    """Groups numbered through all blocks, their radii, and the block of each group."""
    starts = np.cumsum([0, *(block.radii.size for block in blocks)])
    groups = np.concatenate([block.groups + start for block, start in zip(blocks, starts[:-1], strict=True)])
    owners = np.repeat(np.arange(len(blocks)), np.diff(starts))
    return groups, np.concatenate([block.radii for block in blocks]), owners


def _split(
    total: float, weights: FloatArray, carried: Sequence[State], met: Sequence[_Met], plain: Sequence[State]
) -> FloatArray:
    """`total` over the graph's layers: what came in keeps its split, a layer's own error is its own."""
    states = [*carried, *plain]
    places = [*range(len(carried)), *range(len(carried) + len(met), weights.size)]
    shares: FloatArray = np.zeros(states[0].shares.size)
    whole = float(weights.sum())
    fractions = weights / whole if whole > 0.0 else np.zeros_like(weights)
    for place, state in zip(places, states, strict=True):
        if state.norm:
            shares = shares + total * fractions[place] * (state.shares / state.norm)
    for place, part in enumerate(met, start=len(carried)):
        shares[part.term.index] += total * fractions[place]
    return shares
