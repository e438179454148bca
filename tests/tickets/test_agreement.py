"""Margins, and predictions proved equal."""

from __future__ import annotations

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from graphs import plain, random_graph
from oracles.certificates import exact_graph_values, exact_outputs

from slth.errors import InvalidInput
from slth.networks.domain import Domain
from slth.networks.pooling import AveragePool
from slth.networks.windows import Windows
from slth.tickets.agreement import agreement
from slth.tickets.bounds import a_posteriori
from slth.tickets.graph import PairGraph, PairNode
from slth.tickets.pairs import LayerPair


def network(rng, widths, spread):
    pairs = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weight = rng.normal(size=(outputs, inputs + 1)) / math.sqrt(inputs)
        positive = weight + rng.uniform(-spread, spread, weight.shape)
        pairs.append(LayerPair(weight, positive, None, True, index + 2 < len(widths)))
    return pairs


def as_chain(pairs):
    return [(p.weight, p.positive, p.negative, p.biased, p.relu) for p in pairs]


def exact_margin(outputs):
    first, second = sorted(outputs, reverse=True)[:2]
    return first - second


def test_margins_are_proved_lower_bounds_and_tight():
    rng = np.random.default_rng(0)
    for _ in range(30):
        pairs = network(rng, [4, 6, 5, 3], 0.0)
        inputs = rng.uniform(0, 1, (4, 4))
        found = agreement(pairs, inputs, 0.0)
        for x, margin in zip(inputs, found.margins, strict=True):
            exact = exact_margin(exact_outputs(as_chain(pairs), x)[0])
            assert Fraction(margin) <= exact
            assert float(exact) - margin < 1e-12
        assert found.smallest_margin == found.margins.min()


def test_proved_predictions_are_equal_in_exact_arithmetic():
    rng = np.random.default_rng(1)
    proved = open_ = 0
    for _ in range(20):
        pairs = network(rng, [4, 6, 3], 0.02)
        inputs = rng.uniform(0, 1, (10, 4))
        bound = a_posteriori(pairs, Domain.box(0.0, 1.0, size=4)).bound
        found = agreement(pairs, inputs, bound)
        for x, sure in zip(inputs, found.proved, strict=True):
            target, ticket = exact_outputs(as_chain(pairs), x)
            if sure:
                assert target.index(max(target)) == ticket.index(max(ticket))
        proved += found.count
        open_ += len(inputs) - found.count
    assert proved > 20
    assert open_ > 20


def test_margins_of_graphs_are_proved_lower_bounds_and_tight():
    rng = np.random.default_rng(5)
    seen = 0
    for _ in range(120):
        domain = Domain.box(0.0, 1.0, size=int(rng.integers(2, 6)))
        graph = random_graph(rng, domain, spread=0.0, length=int(rng.integers(3, 9)))
        inputs = rng.random((3, domain.size))
        outputs = [exact_graph_values(plain(graph), x)[graph.output][0] for x in inputs]
        if len(outputs[0]) < 2:
            continue
        seen += 1
        for margin, exact in zip(
            agreement(graph, inputs, 0.0).margins, map(exact_margin, outputs), strict=True
        ):
            assert Fraction(margin) <= exact
            assert float(exact) - margin < 1e-11
    assert seen > 60


def test_rounding_of_sums_and_means_is_counted():
    # Equal in exact arithmetic only: x / 3 + x / 3 + x / 3 against x, by means of three and by a layer.
    third = AveragePool("p", "x", 2, Windows(3, 3))
    nodes = (PairNode("x", (), "input"), PairNode("mean", ("x",), third), PairNode("a", ("mean",), one(3.0)))
    found = agreement(PairGraph(nodes, "a"), [[0.1, 0.2, 0.3, 0.3, 0.2, 0.1]], 0.0)
    assert not found.proved[0]
    values = (
        PairNode("x", (), "input"),
        PairNode("a", ("x",), one(1.0)),
        PairNode("s", ("x", "x", "a"), "add"),
    )
    far = agreement(PairGraph(values, "s"), [[0.1, 0.1 + 2.0**-56]], 0.0)
    assert far.margins[0] <= 3 * 2.0**-56


def one(factor):
    return LayerPair(np.eye(2) * factor, np.eye(2) * factor, None, False)


def test_the_square_root_of_two_cannot_be_improved():
    # The error (-1, 1) B / sqrt(2) has norm B and overturns every margin below sqrt(2) B.
    bound, eye = 0.1, np.eye(2)
    push = bound / math.sqrt(2)
    moved = LayerPair(
        np.hstack((eye, np.zeros((2, 1)))), np.hstack((eye, [[-push], [push]])), None, True, False
    )
    for factor, overturned in ((1 - 1e-9, True), (1 + 1e-9, False)):
        x = np.array([0.5 + factor * math.sqrt(2) * bound, 0.5])
        target, ticket = exact_outputs(as_chain([moved]), x)
        assert target[0] > target[1]
        assert (ticket[0] < ticket[1]) == overturned
        assert agreement([moved], x[None], bound).proved[0] == (not overturned)


def test_the_threshold_is_rounded_up_and_ties_prove_nothing():
    one = LayerPair(np.eye(2), np.eye(2), None, False, False)
    found = agreement([one], [[1.0, 1.0], [2.0, 0.0]], 0.0)
    assert found.proved.tolist() == [False, True]
    assert found.margins[0] <= 0.0
    for bound in (0.1, 1.0, 3.7e-11):
        assert Fraction(agreement([one], [[0.0, 1.0]], bound).threshold) ** 2 >= 2 * Fraction(bound) ** 2


def test_rounding_that_hides_a_tie_proves_nothing():
    # The same numbers in another order: equal exactly, whatever order of summation the floats take.
    weight = np.array([[0.1, 0.2, 0.3, 1e9, -1e9], [-1e9, 0.3, 1e9, 0.2, 0.1]])
    found = agreement([LayerPair(weight, weight, None, False, False)], np.ones((1, 5)), 0.0)
    assert exact_margin(exact_outputs([(weight, weight, None, False, False)], np.ones(5))[0]) == 0
    assert not found.proved[0]


def test_units_scale():
    pairs = network(np.random.default_rng(2), [4, 3], 0.0)
    inputs = np.random.default_rng(3).uniform(0, 1, (5, 4))
    larger = [dataclasses.replace(pairs[0], weight=4.0 * pairs[0].weight)]
    plain, scaled = agreement(pairs, inputs, 0.01), agreement(larger, inputs, 0.04)
    assert (scaled.margins == 4.0 * plain.margins).all()
    assert (scaled.proved == plain.proved).all()


def test_no_inputs_and_arrays_that_cannot_be_changed():
    one = LayerPair(np.eye(2), np.eye(2), None, False, False)
    empty = agreement([one], np.zeros((0, 2)), 1.0)
    assert (empty.count, empty.smallest_margin) == (0, math.inf)
    with pytest.raises(ValueError, match="read-only"):
        agreement([one], [[1.0, 0.0]], 1.0).margins[0] = 9.0


def test_overflow_proves_nothing():
    weight = np.array([[1e300, 1e300], [-1e300, 0.0]])
    found = agreement([LayerPair(weight, weight, None, False, False)], [[1e300, 1e300]], 1.0)
    assert not found.proved[0]


@pytest.mark.parametrize(
    ("inputs", "bound", "outputs", "match"),
    [
        (np.zeros((1, 3)), 1.0, 2, r"`inputs` must have 2 columns; got shape \(1, 3\)"),
        (np.zeros((1, 2)), -1.0, 2, "`bound` must be a finite number >= 0.0; got -1.0"),
        (np.zeros((1, 2)), math.inf, 2, "`bound` must be a finite number"),
        (np.zeros((1, 2)), 1.0, 1, "`pairs` must end with two outputs or more; got 1"),
    ],
)
def test_bad_arguments_are_refused(inputs, bound, outputs, match):
    weight = np.eye(2)[:outputs]
    with pytest.raises(InvalidInput, match=match):
        agreement([LayerPair(weight, weight, None, False, False)], inputs, bound)
