"""Bits of tickets and of quantised networks, against counting by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import slth
from slth.errors import CapacityExceeded, InvalidInput
from slth.experiments.compression import LAYER_BITS, SEED_BITS, quantised, ticket_code
from slth.tickets.bounds import a_posteriori
from slth.tickets.certificate import pair_graph
from slth.tickets.scaling import scaled_slots, scales_of


def network() -> slth.Network:
    rng = np.random.default_rng(4)
    weights = [rng.normal(0, 0.4, (3, 2)), rng.normal(0, 0.4, (2, 3))]
    weights[0][1, 0] = 0.0  # keeps no edge
    return slth.dense_network(weights, [rng.normal(0, 0.1, 3), rng.normal(0, 0.1, 2)])


DOMAIN = slth.Domain.box(-1, 1, 2)


@pytest.mark.parametrize(
    ("arrangement", "window"), [("sign-matched", 0), ("sign-matched", 2), ("assigned", 0), ("blocks", 0)]
)
def test_subset_bits_are_counted_weight_by_weight(arrangement: str, window: int) -> None:
    ticket = slth.prune(
        network(), domain=DOMAIN, eps=0.5, arrangement=arrangement, window=window, subset_density=0.3, seed=2
    )
    code = ticket_code(ticket)
    total = 0.0
    for index, layer in enumerate(ticket.layers):
        own = ticket.assembled(index)
        wanted = scaled_slots(ticket.target, ticket.construction.scales)[index]
        filled = int((wanted != 0).sum())
        total -= sum(c * math.log2(c / wanted.size) for c in (filled, wanted.size - filled) if c)
        for j in np.argwhere(wanted != 0)[:, 1]:
            constant = layer.biased and j == layer.inputs - 1
            for half, live in enumerate((own.live_positive, own.live_negative)):
                if half == 1 and (constant or not layer.signed):
                    continue
                if arrangement == "blocks":
                    size = layer.copies if constant or not layer.signed else layer.copies // 2
                    total += layer.k * math.log2(size // layer.k)
                else:
                    sizes = range(max(0, layer.k - window), layer.k + 1)
                    total += math.log2(sum(math.comb(int(live[j]), c) for c in sizes))
    assert code.subset_bits == pytest.approx(total, rel=1e-9)
    assert code.header_bits == SEED_BITS + 2 * LAYER_BITS
    assert code.bits == code.subset_bits + code.header_bits
    assert code.per_weight == code.bits / 17
    assert code.weights == 17


def test_owners_are_counted_apart() -> None:
    ticket = slth.prune(network(), domain=DOMAIN, eps=0.5, arrangement="assigned", seed=2)
    ways = 1
    for layer in ticket.layers:
        ways *= math.factorial(layer.groups * layer.copies) // math.factorial(layer.copies) ** layer.groups
    assert ticket_code(ticket).owner_bits == pytest.approx(math.log2(ways), rel=1e-9)
    plain = slth.prune(network(), domain=DOMAIN, eps=0.5, arrangement="sign-matched", seed=2)
    assert ticket_code(plain).owner_bits == 0.0


def test_the_papers_subsets_may_hold_dead_edges() -> None:
    ticket = slth.prune(network(), domain=DOMAIN, eps=0.5, arrangement="paper", subset_density=0.3, seed=2)
    total = 0.0
    for index, layer in enumerate(ticket.layers):
        wanted = scaled_slots(ticket.target, ticket.construction.scales)[index]
        filled = int((wanted != 0).sum())
        total -= sum(c * math.log2(c / wanted.size) for c in (filled, wanted.size - filled) if c)
        for j, first in enumerate(ticket.source.matched(index)):
            both = layer.signed and not (layer.biased and j == layer.inputs - 1)
            groups = np.split(first, [layer.copies // 2]) if both else [first]
            for group, sign in zip(groups, (1, -1), strict=False):
                live = int((sign * group > 0).sum())
                least = max(0, layer.k - (len(group) - live))
                ways = sum(math.comb(live, c) for c in range(least, min(layer.k, live) + 1))
                total += int((wanted[:, j] != 0).sum()) * math.log2(ways)
    assert ticket_code(ticket).subset_bits == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("error", [0.3, 1e-2, 1e-5])
def test_quantised_weights_are_certified_and_counted(error: float) -> None:
    target = network()
    found = quantised(target, DOMAIN, error)
    assert 0.5 * error < found.bound <= error
    scales = scales_of(target)
    weights = scaled_slots(target, scales)
    step = 2 * found.tolerance
    rounded = [np.rint(w / step) * step for w in weights]
    graph = pair_graph(target, scales, [(w, -w) for w in rounded])
    assert a_posteriori(graph, DOMAIN).bound == found.bound
    levels = entropy = 0.0
    for w in rounded:
        numbers = [round(v / step) for v in w.ravel()]
        levels += len(numbers) * math.log2(max(numbers) - min(numbers) + 1)
        entropy -= sum(math.log2(numbers.count(n) / len(numbers)) for n in numbers)
    assert found.level_bits == pytest.approx(levels)
    assert found.entropy_bits == pytest.approx(entropy)
    assert found.weights == 17
    coarser = [np.rint(w / (4 * step)) * 4 * step for w in weights]
    assert a_posteriori(pair_graph(target, scales, [(w, -w) for w in coarser]), DOMAIN).bound > error


def test_errors_out_of_reach() -> None:
    with pytest.raises(CapacityExceeded, match="no grid is certified to 1e-30"):
        quantised(network(), DOMAIN, 1e-30)
    with pytest.raises(InvalidInput, match="`error` must be"):
        quantised(network(), DOMAIN, 0.0)
