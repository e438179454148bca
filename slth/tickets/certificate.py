"""From a source, a target and kept edges to a certificate: everything here is re-derived, nothing is believed.

The same derivation serves whoever issues a certificate and whoever checks one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slth._typing import FloatArray
from slth.errors import SlthError
from slth.networks.domain import Domain
from slth.networks.intervals import Enclosure
from slth.networks.layers import Add, Flatten, Input, Linear, ReLU
from slth.networks.network import Network
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.slots import expanded, from_slots, linear_nodes
from slth.networks.source import Source
from slth.tickets.agreement import agreement
from slth.tickets.attack import exact_error, worst_input
from slth.tickets.bounds import a_posteriori, budget
from slth.tickets.effective import effective_network
from slth.tickets.graph import PairGraph, PairNode
from slth.tickets.layer import Assembled, TicketLayer, assemble
from slth.tickets.pairs import LayerPair
from slth.tickets.record import Certificate, Construction
from slth.tickets.scaling import Scale, restored, scaled_slots
from slth.tickets.upright import bent

# A claim is rounded up by this much, so that another machine's linear algebra, which sums in another
# order, still derives a bound below it.
CLAIM_SLACK = 2.0**-30


@dataclass(frozen=True)
class OutputProof:
    """What is proved of the output, in the target's own units."""

    graph: PairGraph
    a_posteriori: float
    budget: float
    contributions: tuple[float, ...]

    @property
    def bound(self) -> float:
        """The smaller of both bounds."""
        return min(self.a_posteriori, self.budget)


@dataclass(frozen=True)
class Derivation:
    """All that follows from the files, before it is compared with any claim.

    bent : lifted neurons of each layer not proved to stay above zero; when there are any, nothing else is
    proved. output : None when nothing is claimed of it.
    """

    assembled: tuple[Assembled, ...]
    largest_errors: tuple[float, ...]
    rms_errors: tuple[float, ...]
    bent: tuple[int, ...]
    output: OutputProof | None


def derive(source: Source, target: Network, construction: Construction) -> Derivation:
    """Regenerate the source, sum the kept products exactly, and bound what they compute."""
    weights = scaled_slots(target, construction.scales)
    assembled = tuple(assemble(source, index, layer) for index, layer in enumerate(construction.layers))
    values = [
        (own.positive, own.negative if layer.signed else None)
        for own, layer in zip(assembled, construction.layers, strict=True)
    ]
    largest, rms = [], []
    for weight, value, layer in zip(weights, values, construction.layers, strict=True):
        errors = entry_errors(weight, *value, layer.biased)
        largest.append(float(errors.max(initial=0.0)))
        rms.append(math.sqrt(math.fsum((errors**2).ravel()) / errors.size))
    output, reads = None, tuple[Enclosure, ...]()
    if construction.eps is not None:
        output, reads = _prove(construction, pair_graph(target, construction.scales, values))
    bends = tuple(
        _bent(source, index, layer, reads) if layer.lifts else 0
        for index, layer in enumerate(construction.layers)
    )
    return Derivation(assembled, tuple(largest), tuple(rms), bends, output)


def _bent(source: Source, index: int, layer: TicketLayer, reads: Sequence[Enclosure]) -> int:
    """Lifted neurons not proved to stay above zero: all, where nothing is known of what they read."""
    return bent(source, index, layer, reads[index]) if reads else layer.groups * layer.copies


def _prove(construction: Construction, graph: PairGraph) -> tuple[OutputProof, tuple[Enclosure, ...]]:
    """The proof, and where the ticket's values lie that its layers read."""
    posterior = a_posteriori(graph, construction.domain)
    tolerances = [math.ldexp(layer.tolerance, layer.scale.weight) for layer in construction.layers]
    prior = budget(graph, tolerances, construction.domain, counting=prior_counting(construction.budget))
    return OutputProof(graph, posterior.bound, prior, posterior.contributions), posterior.reads


def prior_counting(budget: str) -> str:
    """How entries are counted in the bound from tolerances alone, which a certificate also states."""
    return "theorem" if budget == "theorem" else "frobenius"


def pair_graph(
    target: Network, scales: Sequence[Scale], values: Sequence[tuple[FloatArray, FloatArray | None]]
) -> PairGraph:
    """Target and ticket side by side, coefficients expanded to matrices, in the target's own units.

    values : the scaled slot matrices that the ticket has for each linear node, on max(x, 0) and on max(-x, 0)
    (None where no input is negative).
    """
    of_node = {
        node.name: item
        for node, item in zip(linear_nodes(target), zip(scales, values, strict=True), strict=True)
    }
    nodes = []
    for node in target.order:
        op: LayerPair | AveragePool | MaxPool | str
        if isinstance(node, Linear):
            scale, (positive, negative) = of_node[node.name]
            ones = np.ones_like(positive)
            op = LayerPair(
                weight=expanded(node),
                positive=expanded(restored(node, positive, scale)),
                negative=None if negative is None else expanded(restored(node, negative, scale)),
                biased=node.bias is not None,
                constant=scale.constant,
                support=expanded(from_slots(node, ones)) != 0.0,
            )
        elif isinstance(node, (AveragePool, MaxPool)):
            op = node
        else:
            op = _PLAIN[type(node)]
        nodes.append(PairNode(node.name, node.parents, op))
    return PairGraph(tuple(nodes), target.output)


_PLAIN: dict[type, str] = {Input: "input", ReLU: "relu", Add: "add", Flatten: "same"}


def target_graph(target: Network, scales: Sequence[Scale]) -> PairGraph:
    """The target beside itself: for budgets, and to see which inputs of layers may be negative."""
    weights = scaled_slots(target, scales)
    return pair_graph(target, scales, [(weight, -weight) for weight in weights])


def signed_layers(target: Network, domain: Domain) -> tuple[bool, ...]:
    """Whether each linear node's inputs may be negative, so that a negative half must be built.

    After a ReLU nothing is negative; pools, sums and flattening keep that; the input is as the domain says.
    """
    never: dict[str, bool] = {}
    for node in target.order:
        if isinstance(node, Input):
            never[node.name] = domain.nonnegative
        elif isinstance(node, (Linear, ReLU)):
            never[node.name] = isinstance(node, ReLU)
        else:
            never[node.name] = all(never[parent] for parent in node.parents)
    return tuple(not never[node.input] for node in linear_nodes(target))


def issue(
    source: Source, target: Network, construction: Construction, inputs: FloatArray | None
) -> Certificate:
    """Derive, attack and state: the certificate of a ticket just built."""
    found = derive(source, target, construction)
    if any(found.bent):
        raise SlthError("a lifted neuron may fall below zero: a defect of slth; please report it.")
    if found.output is None:
        return Certificate(largest_errors=found.largest_errors, rms_errors=found.rms_errors)
    output = found.output
    worst, _ = worst_input(output.graph, construction.domain, inputs)
    bound = claimed(output.bound)
    checked = proved = equal = 0
    if inputs is not None:
        checked = len(inputs)
        proved = agreement(output.graph, inputs, bound).count
        equal = equal_predictions(target, construction, found, inputs)
    return Certificate(
        largest_errors=found.largest_errors,
        rms_errors=found.rms_errors,
        bound=bound,
        a_posteriori=claimed(output.a_posteriori),
        budget=claimed(output.budget),
        contributions=tuple(claimed(value) for value in output.contributions),
        lower_estimate=exact_error(output.graph, worst),
        worst_input=worst,
        inputs_checked=checked,
        predictions_proved=proved,
        predictions_equal=equal,
    )


def equal_predictions(
    target: Network, construction: Construction, found: Derivation, inputs: FloatArray
) -> int:
    """Inputs on which the float64 outputs of target and ticket have the same argmax: measured, not proved."""
    ticket = effective_network(target, construction, found.assembled)
    same = target.forward(inputs).argmax(axis=1) == ticket.forward(inputs).argmax(axis=1)
    return int(same.sum())


def entry_errors(
    weight: FloatArray, positive: FloatArray, negative: FloatArray | None, biased: bool
) -> FloatArray:
    """|P - W| and, where it exists, |N + W|, entry by entry, rounded outward."""
    errors = [np.abs(positive - weight)]
    if negative is not None:
        part = np.abs(negative + weight)
        if biased:
            part[:, -1] = 0.0  # the constant is never negative
        errors.append(part)
    stacked = np.stack(errors)
    exact = stacked == 0.0
    return np.where(exact, 0.0, np.nextafter(stacked, np.inf))


def claimed(value: float) -> float:
    """A claim slightly above a derived bound; see CLAIM_SLACK."""
    return math.nextafter(value * (1.0 + CLAIM_SLACK), math.inf) if value else 0.0
