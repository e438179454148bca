"""The worst input found, and its exact error."""

from __future__ import annotations

import itertools
import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from graphs import plain, random_graph
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.certificates import exact_graph_square, exact_square, float_errors, float_graph_errors

from slth.errors import InvalidInput
from slth.networks.domain import Domain
from slth.tickets.attack import exact_error, worst_input
from slth.tickets.bounds import a_posteriori
from slth.tickets.evaluate import distances, distances_and_gradients
from slth.tickets.graph import PairGraph, PairNode
from slth.tickets.pairs import LayerPair


def as_chain(pairs):
    return [(p.weight, p.positive, p.negative, p.biased, p.relu) for p in pairs]


def network(rng, widths, *, spread=1e-3, signed=True, biased=True):
    pairs = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weight = rng.normal(size=(outputs, inputs + biased)) / math.sqrt(inputs)
        errors = rng.uniform(-spread, spread, (2, *weight.shape))
        negative = errors[1] - weight if signed and index == 0 else None
        pairs.append(LayerPair(weight, weight + errors[0], negative, biased, index + 2 < len(widths)))
    return pairs


def is_just_below(value, square):
    """value <= sqrt(square) <= value (1 + 2^-51), exactly."""
    low = Fraction(value) ** 2
    return low <= square <= low * (1 + Fraction(1, 2**50))


@given(st.integers(0, 10**6), st.sampled_from([1.0, 1e-8, 1e100, 1e-100]))
@settings(max_examples=80)
def test_the_exact_error_is_the_rational_one_rounded_down(seed, magnitude):
    rng = np.random.default_rng(seed)
    pairs = network(rng, [*rng.integers(1, 5, rng.integers(2, 4))], biased=bool(rng.random() < 0.5))
    x = rng.normal(size=pairs[0].weight.shape[1] - pairs[0].biased) * magnitude
    assert is_just_below(exact_error(pairs, x), exact_square(as_chain(pairs), x))


def test_the_exact_error_sees_what_floats_lose():
    # 1 + 2^-60 against 1: the difference vanishes in float64 sums, not here.
    weight, positive = np.array([[1.0, 0.0]]), np.array([[1.0, 2.0**-60]])
    pairs = [LayerPair(weight, positive, None, False, False)]
    assert exact_error(pairs, [1.0, 1.0]) == 2.0**-60
    assert float_errors(as_chain(pairs), np.ones((1, 2)))[0] == 0.0


def test_the_exact_error_at_the_ends_of_the_range():
    pair = LayerPair(np.array([[3e200]]), np.array([[0.0]]), None, False, False)
    assert exact_error([pair], [1e200]) == sys.float_info.max
    assert exact_error([pair], [0.0]) == 0.0
    small = LayerPair(np.array([[1.5 * 2.0**-600]]), np.array([[0.0]]), None, False, False)
    assert exact_error([small], [2.0**-474]) <= 1.5 * 2.0**-1074
    assert exact_error([small], [2.0**-600]) == 0.0


@pytest.mark.parametrize("x", [[1.0], [1.0, 2.0, 3.0]])
def test_inputs_of_the_wrong_size_are_refused(x):
    pairs = [LayerPair(np.eye(2), np.eye(2), None, False, False)]
    with pytest.raises(InvalidInput, match="`x` must have 2 entries"):
        exact_error(pairs, x)


DOMAINS = {
    "unit box": Domain.box(0.0, 1.0, size=6),
    "box": Domain.box([-1, -2, 0, 0, 1, -1], [1, 0, 0, 3, 1, 2]),
    "ball": Domain.ball(1.5, size=6),
    "ball aside": Domain.ball(0.3, center=[1.0, 2.0, 0.0, 0.0, -1.0, 5.0]),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_the_worst_input_lies_in_the_domain_and_below_the_bound(name):
    domain, rng = DOMAINS[name], np.random.default_rng(1)
    for _ in range(5):
        pairs = network(rng, [6, 5, 4, 3], signed=not domain.nonnegative)
        x, error = worst_input(pairs, domain, seed=3)
        assert domain.contains(x)
        proved = exact_error(pairs, x)
        assert proved == pytest.approx(error, rel=1e-6)
        assert proved <= a_posteriori(pairs, domain).bound
        # As good as blind search with as many evaluations, in few dimensions where that is strong.
        blind = domain.project(rng.uniform(domain.low, domain.high, (64 * 100, 6)))
        assert proved >= 0.95 * float_errors(as_chain(pairs), blind).max()


def test_the_attack_reaches_the_best_corner_of_a_linear_layer():
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(4, 8))
    pairs = [LayerPair(weight, weight + rng.normal(size=weight.shape), None, False, False)]
    corners = np.array(list(itertools.product([0.0, 1.0], repeat=8)))
    best = float_errors(as_chain(pairs), corners).max()
    x, error = worst_input(pairs, Domain.box(0.0, 1.0, size=8))
    assert error == pytest.approx(best, rel=1e-12)
    assert set(x.tolist()) <= {0.0, 1.0}


def test_the_attack_reaches_the_top_of_a_linear_layer_on_a_ball():
    rng = np.random.default_rng(3)
    weight, error_matrix = rng.normal(size=(2, 4, 8))
    pairs = [LayerPair(weight, weight + error_matrix, -weight - error_matrix, False, False)]
    _, error = worst_input(pairs, Domain.ball(2.0, size=8))
    top = 2.0 * np.linalg.norm(error_matrix, 2)
    assert 0.999 * top <= error <= top * (1 + 1e-12)


def test_data_are_never_worse_than_what_is_found():
    rng = np.random.default_rng(4)
    domain = Domain.box(0.0, 1.0, size=10)
    pairs = network(rng, [10, 6, 2], signed=False)
    data = rng.uniform(0, 1, (5000, 10))
    _, error = worst_input(pairs, domain, data, starts=1, steps=1)
    assert error >= float_errors(as_chain(pairs), data).max() * (1 - 1e-12)
    far = worst_input(pairs, domain, data * 100.0, starts=1, steps=1)[0]
    assert domain.contains(far)


def test_the_same_seed_gives_the_same_input():
    pairs = network(np.random.default_rng(5), [5, 4, 3])
    domain = Domain.ball(1.0, size=5)
    first, again = worst_input(pairs, domain, seed=7), worst_input(pairs, domain, seed=7)
    assert first[0].tobytes() == again[0].tobytes()
    assert first[1] == again[1]


def test_an_exact_ticket_has_nothing_to_find():
    weight = np.random.default_rng(6).normal(size=(3, 4))
    pairs = [LayerPair(weight, weight, -weight, False, True)]
    x, error = worst_input(pairs, Domain.ball(1.0, size=4))
    assert exact_error(pairs, x) == 0.0
    assert error < 1e-14


def test_bad_data_are_refused():
    pairs = [LayerPair(np.eye(2), np.eye(2), None, False, False)]
    domain = Domain.box(0.0, 1.0, size=2)
    with pytest.raises(InvalidInput, match=r"`inputs` must have 2 columns; got shape \(4, 3\)"):
        worst_input(pairs, domain, np.zeros((4, 3)))
    with pytest.raises(InvalidInput, match=r"`starts` must be an integer in \[1, 1048576\]; got 0"):
        worst_input(pairs, domain, starts=0)
    assert worst_input(pairs, domain, np.zeros((0, 2)))[1] == 0.0


def test_gradients_are_those_of_the_error():
    rng = np.random.default_rng(8)
    pairs = network(rng, [4, 6, 5, 3], spread=0.5)
    points, step = rng.normal(size=(20, 4)), 1e-6
    errors, slopes = distances_and_gradients(pairs, points)
    for j in range(4):
        moved = points.copy()
        moved[:, j] += step
        change = (float_errors(as_chain(pairs), moved) ** 2 - errors**2) / (2 * step)
        np.testing.assert_allclose(slopes[:, j], change, rtol=1e-3, atol=1e-4)


def small_graphs(count, seed, spread=0.3):
    rng = np.random.default_rng(seed)
    for index in range(count):
        d = int(rng.integers(2, 6))
        domain = (Domain.box(0.0, 1.0, size=d), Domain.box(-1.0, 2.0, size=d), Domain.ball(1.0, size=d))[
            index % 3
        ]
        yield rng, domain, random_graph(rng, domain, spread=spread, length=int(rng.integers(3, 9)))


def test_the_exact_error_of_a_graph_is_the_rational_one_rounded_down():
    pooled = 0
    for rng, domain, graph in small_graphs(150, seed=20):
        x = domain.project(rng.normal(size=domain.size) * rng.choice([1.0, 1e-8]))
        assert is_just_below(exact_error(graph, x), exact_graph_square(plain(graph), x))
        pooled += any(type(node.op).__name__ == "AveragePool" for node in graph.nodes)
    assert pooled > 20


def test_what_is_found_on_a_graph_lies_below_its_bound():
    for rng, domain, graph in small_graphs(40, seed=21):
        x, error = worst_input(graph, domain, starts=8, steps=20)
        assert domain.contains(x)
        proved = exact_error(graph, x)
        assert proved == pytest.approx(error, rel=1e-6, abs=1e-12)
        assert proved <= a_posteriori(graph, domain).bound
        blind = domain.project(rng.uniform(domain.low, domain.high, (500, domain.size)))
        assert proved >= 0.9 * float_graph_errors(plain(graph), blind).max()


def test_gradients_of_graphs_are_those_of_the_error():
    step = 1e-6
    for rng, domain, graph in small_graphs(60, seed=22, spread=0.5):
        points = rng.normal(size=(6, domain.size)) if domain.kind == "ball" else rng.random((6, domain.size))
        errors, slopes = distances_and_gradients(graph, points)
        np.testing.assert_allclose(errors, float_graph_errors(plain(graph), points), rtol=1e-9, atol=1e-12)
        for j in range(domain.size):
            moved = [points + step * sign * np.eye(domain.size)[j] for sign in (1, -1)]
            squares = [distances(graph, at) ** 2 for at in moved]
            change = (squares[0] - squares[1]) / (4 * step)
            kink = np.abs(squares[0] + squares[1] - 2 * errors**2) > 1e-8
            np.testing.assert_allclose(slopes[~kink, j], change[~kink], rtol=1e-3, atol=1e-4)


def test_layers_that_do_not_fit_are_refused():
    layer = LayerPair(np.eye(2), np.eye(2), None, False)
    wide = LayerPair(np.ones((1, 3)), np.ones((1, 3)), None, False)
    nodes = (PairNode("x", (), "input"), PairNode("a", ("x",), layer), PairNode("b", ("a",), wide))
    with pytest.raises(InvalidInput, match=r"`pairs` must chain: layer b needs 2 columns; got shape \(1, 3\)"):
        exact_error(PairGraph(nodes, "b"), [1.0, 2.0])
