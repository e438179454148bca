"""The output error that tolerances per weight allow, and the tolerances that an output error allows.

Both follow from the target and the domain alone, so they serve before any ticket exists.

[natale2024] "On the Sparsity of the Strong Lottery Ticket Hypothesis", NeurIPS 2024.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from slth._typing import BoolArray, FloatArray
from slth._validate import as_choice
from slth.errors import InvalidInput
from slth.networks.domain import Domain
from slth.networks.intervals import Enclosure, HalfMap, domain_enclosure, through_rows
from slth.networks.norms import (
    add_up,
    dot_upper,
    grouped_norm_upper,
    norm_upper,
    spectral_norm_upper,
    sum_upper,
    up_scalar,
)
from slth.networks.pool_bounds import pool_enclosure, pool_error, pool_lipschitz
from slth.networks.pooling import AveragePool, MaxPool
from slth.tickets.graph import PairGraph, Pairs, checked, nonnegative
from slth.tickets.pairs import LayerPair

COUNTINGS = ("frobenius", "theorem")


def budget(pairs: Pairs, tolerances: Sequence[float], domain: Domain, *, counting: str = "frobenius") -> float:
    """Bound the output error of every ticket whose weights are all within the tolerances.

    Parameters
    ----------
    pairs : PairGraph, or sequence of LayerPair
        The layers as a graph, or as a chain; `positive` and `negative` are not looked at.
    tolerances : sequence of float
        Largest |E+_ij| and |E-_ij| of each layer, >= 0, in the order of nodes; zero outside its `support`;
        `constant` times that in the column of biases.
    domain : Domain
        Of the inputs.
    counting : {"frobenius", "theorem"}
        How a layer's error on x = [h; constant] is counted, see Notes.

    Returns
    -------
    float
        At least sup over the domain of ||g(x) - f(x)||_2.

    Raises
    ------
    InvalidInput
        If shapes do not chain, or a tolerance is negative or not finite.

    Notes
    -----
    Exchange the target's layers for the ticket's one after the other, parents before children: the output error
    is at most the sum over l of the own error Delta(g) of layer l (see `slth.tickets.bounds`), met on the
    *ticket's* activations g, since all layers before l are the ticket's, and carried to the output by the
    *target's* later layers along all paths at once: where paths meet, their errors are added.

    "frobenius": x+ and x- have disjoint supports, so |Delta(x)_i| <= tol sum of |x_j| over the support of row
    i, whether one half exists or both. Let m be the largest of these sums over i: without a support, ||x||_1.
    Hence ||Delta(x)||_2 <= tol sqrt(d') m; without a support that is at most tol sqrt(d' D) ||x||_2, the
    Frobenius norm of one half times the norm of x.

    "theorem": tol d' D ||x||_2 for each half that exists, the count of entries in the proof of [natale2024],
    Theorem 3; with a support, its entries are counted. Its tolerance eps / (2 l d d') is this budget's for both
    halves, norms of at most one and l equal layers, but for the second-order term: g is as large as the
    target's activations plus the error so far.

    Examples
    --------
    >>> one = LayerPair(np.eye(2), np.eye(2), None, biased=False, relu=False)
    >>> round(budget([one], [0.01], Domain.box(0.0, 1.0, size=2)), 6)  # sqrt(2) * 0.01 * 2
    0.028284
    """
    graph = checked(pairs, domain)
    count = len(graph.layers)
    if len(tolerances) != count or not all(0.0 <= t < math.inf for t in tolerances):
        raise InvalidInput(f"`tolerances` must be one number >= 0 per layer ({count}); got {tolerances!r}.")
    profile = _profile(graph, domain, as_choice(counting, "counting", COUNTINGS))
    return profile.total([float(t) for t in tolerances])


def tolerances_for(
    pairs: Pairs, domain: Domain, eps: float, *, units: Sequence[float] = (), counting: str = "frobenius"
) -> list[float]:
    """Tolerances per weight, one for each layer, for which `budget` is at most eps; no ticket is needed.

    Parameters
    ----------
    pairs : PairGraph, or sequence of LayerPair
        The layers as a graph, or as a chain; `positive` and `negative` are not looked at (but must fit).
    domain : Domain
    eps : float
        Output error allowed, > 0.
    units : sequence of float, optional
        In which each layer's tolerance is given, > 0: the budget is that of tolerance times unit. Default: 1.
    counting : {"frobenius", "theorem"}
        "frobenius": one tolerance for all layers, since the hardest weight of the network decides how large its
        source must be. "theorem": each layer has the same share of eps, as in [natale2024], Theorem 3.

    Returns
    -------
    list of float
        In (0, 1], in the order of nodes.

    Raises
    ------
    InvalidInput
        If layers do not fit, or eps is not a positive number.

    Examples
    --------
    >>> one = LayerPair(np.eye(2), np.eye(2), None, biased=False, relu=False)
    >>> tolerance, = tolerances_for([one], Domain.box(0.0, 1.0, size=2), 0.01)
    >>> 0.00353 < tolerance < 0.00354
    True
    """
    if not 0.0 < eps < math.inf:
        raise InvalidInput(f"`eps` must be a positive number; got {eps!r}.")
    graph = checked(pairs, domain)
    profile = _profile(graph, domain, as_choice(counting, "counting", COUNTINGS))
    count = len(graph.layers)
    if units and (len(units) != count or not all(0.0 < unit < math.inf for unit in units)):
        raise InvalidInput(f"`units` must be one number > 0 per layer ({count}); got {units!r}.")
    unit = np.array(units or [1.0] * count)

    def total(tolerances: Sequence[float]) -> float:
        return profile.total((unit * tolerances).tolist())

    direction = [1.0] * count
    if counting == "theorem":
        alone = [total(list(row)) for row in np.eye(count)]
        least = min((value for value in alone if value > 0.0), default=1.0)
        # A layer of which nothing reaches the output may err freely.
        direction = [least / value if value > 0.0 else 1.0 for value in alone]
    if total(direction) <= eps:
        return direction
    low, high = 0.0, 1.0
    # The total is increasing in the factor, and zero at zero.
    while total([t * high / 2.0 for t in direction]) > eps:
        high /= 2.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if total([t * middle for t in direction]) <= eps:
            low = middle
        else:
            high = middle
    tolerances = [t * low for t in direction]
    if min(tolerances) == 0.0:
        raise InvalidInput(
            f"`eps` must allow a tolerance that float64 can hold; got {eps!r}. Use a larger `eps`."
        )
    return tolerances


@dataclass(frozen=True)
class _Profile:
    """What the target alone says about errors: one unit of error at each layer, carried on.

    count[i] : units of error per unit of tolerance and of input size at layer i; base[i] : size of the
    target's inputs of layer i; growth[i][j] : how much one unit of error at layer i adds to the size of the
    inputs of layer j; gain[i] : l2 norm of what one unit of error at layer i becomes at the output.
    """

    count: tuple[float, ...]
    base: tuple[float, ...]
    growth: tuple[tuple[float, ...], ...]
    gain: tuple[float, ...]

    def total(self, tolerances: Sequence[float]) -> float:
        """Output error for these tolerances, every operation rounded up."""
        units: list[float] = []
        total = 0.0
        for index, tolerance in enumerate(tolerances):
            reach = self.base[index]
            for earlier, unit in enumerate(units):
                reach = up_scalar(reach + up_scalar(unit * self.growth[earlier][index]))
            # A tolerance of zero leaves no error, and none is rounded into being.
            units.append(up_scalar(up_scalar(tolerance * self.count[index]) * reach) if tolerance else 0.0)
            if units[index]:
                total = up_scalar(total + up_scalar(units[index] * self.gain[index]))
        # Overflow leaves NaN or infinity, and proves nothing.
        return total if math.isfinite(total) else math.inf


@np.errstate(over="ignore", invalid="ignore")
def _profile(graph: PairGraph, domain: Domain, counting: str) -> _Profile:
    """The numbers behind `budget`, from the target alone; overflow ends in NaN or infinity."""
    by_rows = counting == "frobenius"
    boxes, factors = _target_enclosures(graph, domain)
    never = nonnegative(graph, domain)
    count, base, growth, gain = [], [], [], []
    for node, pair in zip(graph.layers, graph.pairs, strict=True):
        parent = node.parents[0]
        given = boxes[parent].with_constant(pair.constant) if pair.biased else boxes[parent]
        entries = pair.weight.size if pair.support is None else int(pair.support.sum())
        count.append(1.0 if by_rows else float((1 if never[parent] else 2) * entries))
        base.append(_size(pair.support, given.magnitude(), given.norm2(), given.norm1(), by_rows))
        errors = _carried(graph, node.name, pair.weight.shape[0], factors, by_rows)
        growth.append(_growth(graph, errors, by_rows))
        gain.append(errors[graph.output][1] if graph.output in errors else 0.0)
    return _Profile(tuple(count), tuple(base), tuple(growth), tuple(gain))


def _target_enclosures(graph: PairGraph, domain: Domain) -> tuple[dict[str, Enclosure], dict[str, float]]:
    """Where the target's values lie, and Lipschitz constants in l2 of its layers and pools, by node."""
    boxes, factors = {graph.nodes[0].name: domain_enclosure(domain)}, {}
    for node in graph.nodes[1:]:
        given = [boxes[parent] for parent in node.parents]
        if isinstance(node.op, LayerPair):
            pair = node.op
            factors[node.name] = spectral_norm_upper(pair.weight[:, : pair.moving])
            inputs = given[0].with_constant() if pair.biased else given[0]
            boxes[node.name] = HalfMap(pair.weight, -pair.weight).image(inputs, factors[node.name], pair.moving)
        elif isinstance(node.op, (AveragePool, MaxPool)):
            factors[node.name] = pool_lipschitz(node.op)
            boxes[node.name] = pool_enclosure(node.op, given[0], factors[node.name])
        else:
            total = reduce(Enclosure.plus, given)
            boxes[node.name] = total.relu() if node.op == "relu" else total
    return boxes, factors


Error = tuple[FloatArray, float]  # entrywise bounds, and one in l2


def _carried(
    graph: PairGraph, origin: str, outputs: int, factors: dict[str, float], by_rows: bool
) -> dict[str, Error]:
    """What one unit of error of a layer becomes at every node after it, by the target's layers."""
    # One unit: every output off by at most 1 ("frobenius"), or the whole layer by 1 in l2 ("theorem").
    found = {origin: (np.ones(outputs), up_scalar(math.sqrt(outputs)) if by_rows else 1.0)}
    for node in graph.nodes:
        given = [found[parent] for parent in node.parents if parent in found]
        if given:
            entries, norm = reduce(_plus, given)
            if isinstance(node.op, LayerPair):
                entries, norm = _carry(node.op, entries, norm, factors[node.name], by_rows)
            elif isinstance(node.op, (AveragePool, MaxPool)):
                entries, norm = pool_error(node.op, entries, norm, factors[node.name])
            found[node.name] = entries, norm
    return found


def _plus(one: Error, other: Error) -> Error:
    entries = add_up(one[0], other[0])
    return entries, min(up_scalar(one[1] + other[1]), norm_upper(entries))


def _growth(graph: PairGraph, errors: dict[str, Error], by_rows: bool) -> tuple[float, ...]:
    """The size of errors, given by node, at the inputs of each layer."""
    found = []
    for node, pair in zip(graph.layers, graph.pairs, strict=True):
        size = 0.0
        if node.parents[0] in errors:
            entries, norm = errors[node.parents[0]]
            l1 = min(sum_upper(entries), up_scalar(up_scalar(math.sqrt(entries.size)) * norm))
            support = None if pair.support is None else pair.support[:, : pair.moving]
            size = _size(support, entries, norm, l1, by_rows)
        found.append(size)
    return tuple(found)


def _size(support: BoolArray | None, entries: FloatArray, norm: float, l1: float, by_rows: bool) -> float:
    """How a layer's inputs, or errors of them, are counted in its own error: see Notes of `budget`."""
    if not by_rows:
        return norm
    if support is None:
        return l1
    rows = support.astype(np.float64)
    widest = up_scalar(math.sqrt(float(rows.sum(axis=1).max())))
    return min(l1, float(dot_upper(rows, entries).max()), up_scalar(widest * norm))


def _carry(pair: LayerPair, entries: FloatArray, norm: float, layer_norm: float, by_rows: bool) -> Error:
    """Bounds, entrywise and in l2, of an error after the target's layer."""
    carried = pair.weight[:, : pair.moving]
    after = through_rows(carried, entries, norm)
    total = up_scalar(layer_norm * norm)
    if by_rows:
        each = np.arange(carried.shape[1], dtype=np.int64)
        total = min(total, grouped_norm_upper(carried, each, entries)[0], norm_upper(after))
    return after, total
