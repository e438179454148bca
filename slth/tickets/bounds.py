"""A rigorous bound of a ticket's output error over a whole domain, from its exact weights.

A layer of the target is h -> s(W x), x = [h; 1], and the ticket's is h -> s(P x+ + N x-), with
x+ = max(x, 0), x- = max(-x, 0) and s the ReLU or the identity. As W x = W x+ - W x-, the layer's own error is

    Delta(x) = E+ x+ + E- x-,   E+ = P - W,   E- = N + W .

Let f, g be the activations of target and ticket and d = g - f. Before s, a layer changes d into
W d + Delta(g): the target's weights carry on what was wrong, and the layer's own error is met on the
*ticket's* activations. (The other split, the ticket's weights and the target's activations, gives nothing
new, since the ticket's activations are enclosed in the target's widened by the bound of d.) s is
1-Lipschitz in each coordinate, hence in l2.

**The lift x -> [x+; x-] is 1-Lipschitz and preserves the norm.** Coordinate by coordinate: for equal signs
one half is zero in both and the other differs by |x_j - y_j|; for x_j > 0 > y_j the squared difference is
x_j^2 + y_j^2 <= (x_j + |y_j|)^2; and x_j^2 = (x_j+)^2 + (x_j-)^2. So, around any centre c,
||Delta(x) - Delta(c)||_2 <= ||[E+, E-]||_2 ||x - c||_2, and ||E+||_2 ||x - c||_2 where E- = -E+, the ticket's
layer being linear. An input known to be non-negative never meets its column of E-, nor one known to be
non-positive its column of E+: these columns count as zero, since the ticket may be thought to equal the target
there; no input of the domain tells.

**Graphs.** Where nodes are added, d is the sum of what its parts are off by: W d + Delta(g) of each layer, and
d unchanged along an identity path. Pools are the same in both networks: a mean takes d to its mean, a maximum
moves by at most the largest |d_j| of its window (`slth.networks.pool_bounds`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from slth.networks.domain import Domain
from slth.networks.intervals import Enclosure, domain_enclosure
from slth.networks.norms import norm_upper
from slth.networks.pool_bounds import pool_enclosure, pool_error, pool_lipschitz
from slth.networks.pooling import AveragePool, MaxPool
from slth.tickets.budget import budget as budget
from slth.tickets.budget import tolerances_for as tolerances_for
from slth.tickets.graph import PairGraph, PairNode, Pairs, checked
from slth.tickets.pairs import LayerPair as LayerPair
from slth.tickets.sums import State, Sum, apart, settled, sums_of, through_sum


@dataclass(frozen=True)
class PosterioriBound:
    """What `a_posteriori` proves.

    Attributes
    ----------
    bound : float
        At least sup over the domain of ||g(x) - f(x)||_2, in the output's original units.
    contributions : tuple of float
        How `bound` splits over the layers' own errors; non-negative, of sum `bound` up to rounding.
    methods : tuple of str
        Which bound was the smallest at each layer, or at the sum it is a part of: "spectral" (centred, composed
        with norms) or "elementwise".
    dead, active : tuple of int
        Neurons of each layer, or of the sum it is a part of, certified to be off, and on, in both networks over
        all of the domain.
    reads : tuple of Enclosure
        Where the values lie that each layer of the ticket reads, its constant left out.
    """

    bound: float
    contributions: tuple[float, ...]
    methods: tuple[str, ...]
    dead: tuple[int, ...]
    active: tuple[int, ...]
    reads: tuple[Enclosure, ...] = field(compare=False)


def a_posteriori(pairs: Pairs, domain: Domain) -> PosterioriBound:
    """Bound the output error over the domain from the ticket's exact weights.

    Parameters
    ----------
    pairs : PairGraph, or sequence of LayerPair
        The layers as a graph, or as a chain, first layer first.
    domain : Domain
        Of the d inputs.

    Returns
    -------
    PosterioriBound

    Raises
    ------
    InvalidInput
        If shapes do not chain, a number is not finite, or `negative` is None where inputs may be negative.

    Notes
    -----
    Kept at once, node by node: an enclosure of each network's activations (box and ball), entrywise
    bounds v of |d|, and a bound s of ||d||_2. After a layer the next s is the smallest of two. "spectral"
    bounds ||W d + Delta(c) + [E+, E-] u||_2 jointly by `grouped_norm_upper`, with d in its box or ball and the
    lifted deviation u from the centre c in the box or ball of the ticket's activations; this is at most about
    ||W|| s + ||Delta(c)|| + radius ||[E+, E-]||. "elementwise" is the norm of the next v, whose rows are the
    smaller of |W| v and (row norm of W) s, plus the smaller of interval arithmetic and (row norm) radius for
    Delta. Layers that are added, and the ReLU that follows, are bounded at once; the s and v of identity paths
    are added. Neurons certified off in both networks drop out. Time O(d' D) and a handful of eigenvalue
    problems of order min(d', D) for each layer.
    """
    graph = checked(pairs, domain)
    count = len(graph.layers)
    methods, dead, active = [""] * count, [0] * count, [0] * count
    states: dict[str, State] = {}
    for node, state, own, method in _walk(graph, domain):
        if not state.is_finite:
            return PosterioriBound(math.inf, (math.inf,) * count, ("overflow",) * count, (), (), ())
        states[node.name] = state
        if own is not None:
            off, on = _switched(state) if own.relu else (0, state.entries.size)
            for term in own.terms:
                methods[term.index], dead[term.index], active[term.index] = method, off, on
    end = states[graph.output]
    return PosterioriBound(
        bound=end.norm,
        contributions=tuple(map(float, end.shares)),
        methods=tuple(methods),
        dead=tuple(dead),
        active=tuple(active),
        reads=tuple(states[node.parents[0]].ticket for node in graph.layers),
    )


def inputs_of_layer(pairs: Pairs, domain: Domain, index: int) -> Enclosure:
    """Where the values lie that layer `index` of the *ticket* reads: `PosterioriBound.reads` of that layer.

    It depends on the layers before that one alone, and no more is computed. Raises as `a_posteriori` does.
    """
    graph = checked(pairs, domain)
    wanted = graph.layers[index].parents[0]
    return next(state.ticket for node, state, _, _ in _walk(graph, domain) if node.name == wanted)


def _walk(graph: PairGraph, domain: Domain) -> Iterator[tuple[PairNode, State, Sum | None, str]]:
    """The nodes that have a value of their own, parents before children: what is known there, the sum that it
    is, and the method that bounded it."""
    start = domain_enclosure(domain)
    first = State(start, start, np.zeros(domain.size), 0.0, np.zeros(len(graph.layers)))
    states = {graph.nodes[0].name: first}
    yield graph.nodes[0], first, None, ""
    sums = sums_of(graph)
    for node in graph.nodes[1:]:
        own, method = sums.get(node.name), ""
        with np.errstate(over="ignore", invalid="ignore"):
            if own is not None:
                state, method = through_sum(own, states)
            elif isinstance(node.op, (AveragePool, MaxPool)):
                state = _through_pool(node.op, states[node.parents[0]])
            else:
                continue  # a part of a sum
        states[node.name] = state
        yield node, state, own, method


def _switched(state: State) -> tuple[int, int]:
    """Numbers of neurons off, and on, in both networks over all of the domain, after a ReLU."""
    low, high = np.minimum(state.target.low, state.ticket.low), np.maximum(state.target.high, state.ticket.high)
    return int((high <= 0.0).sum()), int((low > 0.0).sum())


def _through_pool(pool: AveragePool | MaxPool, before: State) -> State:
    """The state after a pool, from that before it."""
    lipschitz = pool_lipschitz(pool)
    target, ticket = (pool_enclosure(pool, box, lipschitz) for box in (before.target, before.ticket))
    entries, norm = pool_error(pool, before.entries, before.norm, lipschitz)
    entries = np.minimum(entries, apart(target, ticket))
    norm = min(norm, norm_upper(entries))
    shares = before.shares * (norm / before.norm) if before.norm else before.shares
    return settled(target, ticket, entries, norm, shares)
