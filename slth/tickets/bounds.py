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
||Delta(x) - Delta(c)||_2 <= ||[E+, E-]||_2 ||x - c||_2. An input known to be non-negative never meets its
column of E-, nor one known to be non-positive its column of E+: these columns count as zero, since the ticket
may be thought to equal the target there; no input of the domain tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slth._typing import BoolArray, FloatArray
from slth.networks.domain import Domain
from slth.networks.intervals import Enclosure, HalfMap, domain_enclosure, through_rows
from slth.networks.norms import (
    UNIT,
    add_up,
    grouped_norm_upper,
    norm_upper,
    scale_up,
    spectral_norm_upper,
    up,
    up_scalar,
)
from slth.tickets.budget import budget as budget
from slth.tickets.budget import tolerances_for as tolerances_for
from slth.tickets.pairs import LayerPair as LayerPair
from slth.tickets.pairs import check_chain


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
        Which bound was the smallest at each layer: "spectral" (centred, composed with norms) or "elementwise".
    dead, active : tuple of int
        Neurons of each layer certified to be off, and on, in both networks over all of the domain.
    """

    bound: float
    contributions: tuple[float, ...]
    methods: tuple[str, ...]
    dead: tuple[int, ...]
    active: tuple[int, ...]


@dataclass(frozen=True)
class _Step:
    """The error of the activations after some layer: entrywise, in l2, and the l2 bound's split over layers."""

    entries: FloatArray
    norm: float
    shares: tuple[float, ...]


def a_posteriori(pairs: Sequence[LayerPair], domain: Domain, output_scale_exponent: int = 0) -> PosterioriBound:
    """Bound the output error over the domain from the ticket's exact weights.

    Parameters
    ----------
    pairs : sequence of LayerPair
        The chain, first layer first.
    domain : Domain
        Of the first layer's d inputs.
    output_scale_exponent : int
        The bound is multiplied by 2 to this power.

    Returns
    -------
    PosterioriBound

    Raises
    ------
    InvalidInput
        If shapes do not chain, a number is not finite, or `negative` is None where inputs may be negative.

    Notes
    -----
    Kept at once, layer by layer: an enclosure of each network's activations (box and ball), entrywise
    bounds v of |d|, and a bound s of ||d||_2. The next s is the smallest of two. "spectral" bounds
    ||W d + Delta(c) + [E+, E-] u||_2 jointly by `grouped_norm_upper`, with d in its box or ball and the lifted
    deviation u from the centre c in the box or ball of the ticket's activations; this is at most about
    ||W|| s + ||Delta(c)|| + radius ||[E+, E-]||. "elementwise" is the norm of the next v, whose rows are the
    smaller of |W| v and (row norm of W) s, plus the smaller of interval arithmetic and (row norm) radius for
    Delta. Neurons certified off in both networks drop out. Time O(d' D) and a handful of eigenvalue problems
    of order min(d', D) for each layer.
    """
    check_chain(pairs, domain)
    with np.errstate(over="ignore", invalid="ignore"):
        target = ticket = domain_enclosure(domain)
        step = _Step(np.zeros(domain.size), 0.0, ())
        methods, dead, active = [], [], []
        for pair in pairs:
            target, ticket, step, method = _through_layer(pair, target, ticket, step)
            if not _finite(target, ticket, step):
                return PosterioriBound(math.inf, (math.inf,) * len(pairs), ("overflow",) * len(pairs), (), ())
            methods.append(method)
            both_low, both_high = np.minimum(target.low, ticket.low), np.maximum(target.high, ticket.high)
            dead.append(int((both_high <= 0.0).sum()) if pair.relu else 0)
            active.append(int((both_low > 0.0).sum()) if pair.relu else both_low.size)
    return PosterioriBound(
        bound=scale_up(step.norm, output_scale_exponent),
        contributions=tuple(scale_up(share, output_scale_exponent) for share in step.shares),
        methods=tuple(methods),
        dead=tuple(dead),
        active=tuple(active),
    )


def _through_layer(
    pair: LayerPair, target: Enclosure, ticket: Enclosure, step: _Step
) -> tuple[Enclosure, Enclosure, _Step, str]:
    """Enclosures and error after the layer, from those before it."""
    moving = pair.weight.shape[1] - pair.biased
    carried = pair.weight[:, :moving]
    if pair.biased:
        target, ticket = target.with_one(), ticket.with_one()
    error = _error_map(pair, ticket)
    after_target, after_ticket = _activations(pair, error, target, ticket)
    # What is off in both networks carries no error.
    alive = ~((after_target.high <= 0.0) & (after_ticket.high <= 0.0)) | (not pair.relu)

    local = np.where(alive, error.largest(ticket, moving), 0.0)
    passed = np.where(alive, through_rows(carried, step.entries, step.norm), 0.0)
    joint, split = _joint_norm(carried, error, ticket, step, alive)
    apart = np.maximum(up(after_ticket.high - after_target.low), up(after_target.high - after_ticket.low))
    entries = np.where(alive, np.minimum(add_up(passed, local), np.maximum(apart, 0.0)), 0.0)
    method, total = "spectral", joint
    by_entries = norm_upper(entries)
    if by_entries < joint:
        method, total = "elementwise", by_entries
        mine, before = norm_upper(local), norm_upper(passed)
        split = mine / (mine + before) if mine + before > 0.0 else 0.0
    shares = tuple(total * (1.0 - split) * (share / step.norm) if step.norm else 0.0 for share in step.shares)
    # Each network's activations also lie in the other's, widened by the error.
    return (
        after_target.meet(after_ticket.widened(entries, total)),
        after_ticket.meet(after_target.widened(entries, total)),
        _Step(entries, total, (*shares, total * split)),
        method,
    )


def _activations(
    pair: LayerPair, error: HalfMap, target: Enclosure, ticket: Enclosure
) -> tuple[Enclosure, Enclosure]:
    """Enclosures of both networks' activations after the layer, each from its own weights alone."""
    moving = pair.weight.shape[1] - pair.biased
    norm = spectral_norm_upper(pair.weight[:, :moving])
    halves = np.hstack((error.positive[:, :moving], error.negative[:, :moving]))
    # Where no input reaches a half its errors count as zero: the ticket may be taken to be the target.
    positive = np.where(error.positive == 0.0, pair.weight, pair.positive)
    negative = -pair.weight
    if pair.negative is not None:
        negative = np.where(error.negative == 0.0, negative, pair.negative)
    own = HalfMap(positive, negative)
    finite = np.isfinite(halves).all()  # the difference of two finite numbers may not be
    lipschitz = up_scalar(norm + spectral_norm_upper(halves, error.relative)) if finite else math.inf
    after_target = HalfMap(pair.weight, -pair.weight).image(target, norm, moving)
    after_ticket = own.image(ticket, lipschitz, moving)
    if pair.relu:
        return after_target.relu(), after_ticket.relu()
    return after_target, after_ticket


def _error_map(pair: LayerPair, inputs: Enclosure) -> HalfMap:
    """E+ and E-, up to one rounding; zero in columns whose half no input reaches."""
    positive = np.where(inputs.high > 0.0, pair.positive - pair.weight, 0.0)
    if pair.negative is None:
        return HalfMap(positive, np.zeros_like(positive), 2.0 * UNIT)
    return HalfMap(positive, np.where(inputs.low < 0.0, pair.negative + pair.weight, 0.0), 2.0 * UNIT)


def _joint_norm(
    carried: FloatArray, error: HalfMap, inputs: Enclosure, step: _Step, alive: BoolArray
) -> tuple[float, float]:
    """Bound of ||W d + Delta(g)||_2 over rows `alive`, and the fraction of it due to Delta.

    Columns: d, the two halves of the deviation from a centre (which share one radius), and Delta at the centre.
    """
    size = carried.shape[1]
    one, each = np.zeros(size, dtype=np.int64), np.arange(size, dtype=np.int64)
    before = [(one, np.array([step.norm])), (each, step.entries)] if step.norm else [(one, np.zeros(1))]
    best = (math.inf, 1.0)
    for center, own_groups, own_radii in (
        (inputs.middle, each, inputs.spread()[:size]),
        (inputs.center, one, np.array([inputs.radius])),
    ):
        value, slack = error.at(center)
        columns = np.hstack((carried, error.positive[:, :size], error.negative[:, :size], value[:, None]))[
            alive
        ]
        for groups, radii in before:
            first, last = radii.size, radii.size + own_radii.size
            all_groups = np.concatenate((groups, first + own_groups, first + own_groups, [last]))
            all_radii = np.concatenate((radii, own_radii, [1.0]))
            bound, shares = grouped_norm_upper(columns, all_groups, all_radii, error.relative)
            bound = up_scalar(bound + norm_upper(slack[alive]))
            if bound < best[0]:
                best = (bound, float(shares[first:].sum()))
    return best


def _finite(*parts: Enclosure | _Step) -> bool:
    for part in parts:
        values = (
            (part.low, part.high, part.center, part.radius)
            if isinstance(part, Enclosure)
            else (
                part.entries,
                part.norm,
            )
        )
        if not all(np.isfinite(value).all() for value in values):
            return False
    return True
