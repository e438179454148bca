"""From a source, a target and kept edges to a certificate: everything here is re-derived, nothing is believed.

The same derivation serves whoever issues a certificate and whoever checks one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from slth._typing import FloatArray
from slth.networks.network import Network
from slth.networks.source import Source
from slth.tickets.agreement import Agreement, agreement
from slth.tickets.attack import exact_error, worst_input
from slth.tickets.bounds import LayerPair, a_posteriori, budget
from slth.tickets.layer import Assembled, assemble
from slth.tickets.record import Certificate, Construction
from slth.tickets.scaling import scaled_weights

# A claim is rounded up by this much, so that another machine's linear algebra, which sums in another
# order, still derives a bound below it.
CLAIM_SLACK = 2.0**-30


@dataclass(frozen=True)
class Derivation:
    """All that follows from the files, before it is compared with any claim."""

    assembled: tuple[Assembled, ...]
    pairs: tuple[LayerPair, ...]
    a_posteriori: float
    budget: float
    contributions: tuple[float, ...]
    largest_errors: tuple[float, ...]
    rms_errors: tuple[float, ...]


def derive(source: Source, target: Network, construction: Construction) -> Derivation:
    """Regenerate the source, sum the kept products exactly, and bound what they compute."""
    weights = scaled_weights(target.dense_chain(), [layer.scale_exponent for layer in construction.layers])
    assembled = tuple(assemble(source, index, layer) for index, layer in enumerate(construction.layers))
    pairs = tuple(
        LayerPair(
            weight=weight,
            positive=own.positive,
            negative=own.negative if layer.signed else None,
            biased=layer.biased,
            relu=layer.relu,
        )
        for weight, own, layer in zip(weights, assembled, construction.layers, strict=True)
    )
    posterior = a_posteriori(pairs, construction.domain, construction.output_scale_exponent)
    tolerances = [layer.tolerance for layer in construction.layers]
    prior = budget(pairs, tolerances, construction.domain, counting=construction.budget)
    errors = [entry_errors(pair) for pair in pairs]
    return Derivation(
        assembled=assembled,
        pairs=pairs,
        a_posteriori=posterior.bound,
        budget=float(np.ldexp(prior, construction.output_scale_exponent)),
        contributions=posterior.contributions,
        largest_errors=tuple(float(error.max(initial=0.0)) for error in errors),
        rms_errors=tuple(math.sqrt(math.fsum((error**2).ravel()) / error.size) for error in errors),
    )


def issue(
    source: Source, target: Network, construction: Construction, inputs: FloatArray | None
) -> Certificate:
    """Derive, attack and state: the certificate of a ticket just built."""
    found = derive(source, target, construction)
    scale = construction.output_scale_exponent
    worst, _ = worst_input(found.pairs, construction.domain, inputs)
    bound = claimed(min(found.a_posteriori, found.budget))
    proved = None if inputs is None else agreed(found, construction, inputs, bound)
    return Certificate(
        bound=bound,
        a_posteriori=claimed(found.a_posteriori),
        budget=claimed(found.budget),
        contributions=tuple(claimed(value) for value in found.contributions),
        lower_estimate=exact_error(found.pairs, worst, scale),
        worst_input=worst,
        largest_errors=found.largest_errors,
        rms_errors=found.rms_errors,
        inputs_checked=0 if inputs is None else len(inputs),
        predictions_proved=0 if proved is None else proved.count,
        predictions_equal=0 if inputs is None else equal_predictions(found, inputs),
    )


def agreed(found: Derivation, construction: Construction, inputs: FloatArray, bound: float) -> Agreement:
    """On which inputs a bound proves that ticket and target predict the same class."""
    return agreement(found.pairs, inputs, bound, construction.output_scale_exponent)


def equal_predictions(found: Derivation, inputs: FloatArray) -> int:
    """Inputs on which the float64 outputs of target and ticket have the same argmax: measured, not proved."""
    target = ticket = inputs
    for pair in found.pairs:
        if pair.biased:
            one = np.ones((len(inputs), 1))
            target, ticket = np.hstack((target, one)), np.hstack((ticket, one))
        target = target @ pair.weight.T
        above = np.maximum(ticket, 0.0) @ pair.positive.T
        ticket = above if pair.negative is None else above + np.maximum(-ticket, 0.0) @ pair.negative.T
        if pair.relu:
            target, ticket = np.maximum(target, 0.0), np.maximum(ticket, 0.0)
    return int((target.argmax(axis=1) == ticket.argmax(axis=1)).sum())


def entry_errors(pair: LayerPair) -> FloatArray:
    """|P - W| and, where it exists, |N + W|, entry by entry, rounded outward."""
    errors = [np.abs(pair.positive - pair.weight)]
    if pair.negative is not None:
        part = np.abs(pair.negative + pair.weight)
        if pair.biased:
            part[:, -1] = 0.0  # the constant is never negative
        errors.append(part)
    stacked = np.stack(errors)
    exact = stacked == 0.0
    return np.where(exact, 0.0, np.nextafter(stacked, np.inf))


def claimed(value: float) -> float:
    """A claim slightly above a derived bound; see CLAIM_SLACK."""
    return math.nextafter(value * (1.0 + CLAIM_SLACK), math.inf) if value else 0.0
