"""Bounds over graphs against exact evaluation on hundreds of small graphs; what graphs are refused."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from graphs import plain, random_graph, random_layer
from oracles.certificates import ball_points, box_points, float_graph_errors, worst_graph_square

from slth.errors import InvalidInput
from slth.networks.basis import Translations
from slth.networks.domain import Domain
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Windows
from slth.tickets import bounds, sums
from slth.tickets import budget as budgets
from slth.tickets.bounds import a_posteriori
from slth.tickets.budget import budget, tolerances_for
from slth.tickets.graph import PairGraph, PairNode, nonnegative
from slth.tickets.pairs import LayerPair


def random_domain(rng, kind):
    d = int(rng.integers(2, 6))
    if kind == 0:
        return Domain.box(0.0, 1.0, size=d)
    if kind == 1:
        low = rng.normal(size=d)
        return Domain.box(low, low + rng.exponential(size=d))
    return Domain.ball(float(rng.exponential()) + 0.01, center=rng.normal(size=d) * rng.integers(0, 2))


def sample(rng, domain, count=150):
    if domain.kind == "box":
        return box_points(rng, domain.low, domain.high, count)
    return domain.project(ball_points(rng, domain.center, domain.radius, count))


def tiny_graphs(count, seed):
    rng = np.random.default_rng(seed)
    for index in range(count):
        domain = random_domain(rng, index % 3)
        spread = float(rng.choice([1e-9, 1e-3, 0.3]))
        yield rng, domain, random_graph(rng, domain, spread=spread, length=int(rng.integers(2, 8)))


def exceeds(square, bound):
    return square > Fraction(bound) ** 2


def largest_errors(graph):
    """Largest entry of |E+| and |E-| of each layer, rounded up."""
    found = []
    for pair in graph.pairs:
        errors = [np.abs(pair.positive - pair.weight).max()]
        if pair.negative is not None:
            errors.append(np.abs(pair.negative + pair.weight).max())
        found.append(float(np.nextafter(max(errors), np.inf)) if max(errors) else 0.0)
    return found


def judge(count, seed):
    ratios = []
    for rng, domain, graph in tiny_graphs(count, seed):
        square = worst_graph_square(plain(graph), sample(rng, domain))
        found = a_posteriori(graph, domain)
        assert not exceeds(square, found.bound), (domain, graph, found)
        assert sum(found.contributions) == pytest.approx(found.bound, rel=1e-9)
        assert len(found.contributions) == len(graph.layers)
        for counting in ("frobenius", "theorem"):
            allowed = budget(graph, largest_errors(graph), domain, counting=counting)
            assert not exceeds(square, allowed), (domain, graph)
        if square > 0:
            ratios.append(found.bound / math.sqrt(square))
    return ratios


def test_bounds_hold_for_tiny_graphs():
    ratios = judge(200, seed=0)
    assert len(ratios) > 150
    assert np.median(ratios) < 3.0


@pytest.mark.slow
def test_bounds_hold_for_many_tiny_graphs():
    judge(700, seed=1)


def node(name, parents, op):
    return PairNode(name, tuple(parents.split()), op)


def residual(first, inner, *, relu=False):
    """h = first(x); h + inner(h), then perhaps ReLU."""
    nodes = [
        node("x", "", "input"),
        node("first", "x", first),
        node("inner", "first", inner),
        node("sum", "first inner", "add"),
    ]
    if relu:
        nodes.append(node("relu", "sum", "relu"))
    return PairGraph(tuple(nodes), nodes[-1].name)


def exact(weight, biased=False):
    weight = np.asarray(weight, dtype=float)
    return LayerPair(weight, weight, -weight, biased)


def wrong(rng, shape, spread=1e-3):
    weight = rng.normal(size=shape)
    error = rng.uniform(-spread, spread, shape)
    return LayerPair(weight, weight + error, -(weight + error), False)


def test_an_identity_path_carries_the_error_unchanged():
    rng, domain = np.random.default_rng(0), Domain.ball(1.0, size=5)
    first = wrong(rng, (4, 5))
    alone = a_posteriori([first], domain).bound
    around_nothing = a_posteriori(residual(first, exact(np.zeros((4, 4)))), domain)
    assert around_nothing.bound == pytest.approx(alone, rel=1e-9)
    assert around_nothing.contributions[1] == 0.0
    # What is added and taken away again is no error: the two paths are one matrix, here zero.
    assert a_posteriori(residual(first, exact(-np.eye(4))), domain).bound < 1e-300


def test_a_linear_residual_block_is_as_good_as_its_one_matrix():
    rng = np.random.default_rng(1)
    for domain in (Domain.ball(1.0, size=5), Domain.box(-1.0, 1.0, size=5)):
        first, weight = wrong(rng, (4, 5)), rng.normal(size=(4, 4))
        block = a_posteriori(residual(first, exact(weight)), domain).bound
        merged = a_posteriori([first, exact(weight + np.eye(4))], domain).bound
        assert block == pytest.approx(merged, rel=1e-6)


def test_bounds_of_a_residual_network_are_nearly_attained():
    # Everything positive: errors add up along all paths, and no bound can be much smaller.
    tol, d = 1e-5, 6
    layers = [np.full((d, d), 1 / d), np.full((d, d), 0.5 / d), np.full((d, d), 0.25 / d)]
    pairs = [LayerPair(w, w + tol, None, False) for w in layers]
    nodes = (
        node("x", "", "input"),
        node("a", "x", pairs[0]),
        node("ra", "a", "relu"),
        node("b", "ra", pairs[1]),
        node("rb", "b", "relu"),
        node("c", "rb", pairs[2]),
        node("sum", "ra c", "add"),
        node("pool", "sum", AveragePool("p", "x", 2, Windows(3, 3))),
    )
    graph, domain = PairGraph(nodes, "pool"), Domain.box(0.0, 1.0, size=d)
    seen = float_graph_errors(plain(graph), np.ones((1, d)))[0]
    assert seen <= a_posteriori(graph, domain).bound <= 1.01 * seen
    assert seen <= budget(graph, [tol * (1 + 1e-9)] * 3, domain) <= 1.01 * seen


def test_forgetting_the_error_of_the_identity_path_is_caught(monkeypatch):
    honest = sums._carried

    def forgetful(met, plain, own, states):
        carried, left = honest(met, plain, own, states)
        return carried, left[:1] if not carried else []

    monkeypatch.setattr(sums, "_carried", forgetful)
    caught = 0
    for rng, domain, graph in tiny_graphs(120, seed=2):
        square = worst_graph_square(plain(graph), sample(rng, domain, 50))
        caught += exceeds(square, a_posteriori(graph, domain).bound)
    assert caught >= 10


def test_forgetting_a_path_in_the_budget_is_caught(monkeypatch):
    monkeypatch.setattr(budgets, "_plus", lambda one, _: one)
    caught = 0
    for rng, domain, graph in tiny_graphs(120, seed=3):
        # Only the first layer errs, as much as it may: of rank one and one sign.
        pairs = [dataclasses.replace(p, positive=p.weight, negative=-p.weight) for p in graph.pairs]
        shift = np.ones_like(pairs[0].weight) if pairs[0].support is None else pairs[0].support.astype(float)
        pairs[0] = dataclasses.replace(
            pairs[0], positive=pairs[0].weight + shift, negative=shift - pairs[0].weight
        )
        names = {n.name: pair for n, pair in zip(graph.layers, pairs, strict=True)}
        moved = PairGraph(tuple(node_with(n, names) for n in graph.nodes), graph.output)
        square = worst_graph_square(plain(moved), sample(rng, domain, 50))
        tolerances = [1.0 + 1e-9] + [0.0] * (len(pairs) - 1)
        caught += exceeds(square, budget(moved, tolerances, domain))
    assert caught >= 5


def node_with(given, names):
    return dataclasses.replace(given, op=names.get(given.name, given.op))


def one_wrong_entry(pool):
    """A layer that is wrong in the middle entry of five, far above the others, then a pool."""
    weight = np.eye(5) * 0.1
    weight[2, 2] = 1.0
    error = np.zeros((5, 5))
    error[2, 2] = 1e-3
    layer = LayerPair(weight, weight + error, None, False)
    return PairGraph((node("x", "", "input"), node("a", "x", layer), node("p", "a", pool)), "p")


def test_the_overlap_of_maximum_windows_counts(monkeypatch):
    pool = MaxPool("p", "a", 1, Windows(5, 3))
    graph, domain = one_wrong_entry(pool), Domain.box(0.0, 1.0, size=5)
    seen = math.sqrt(worst_graph_square(plain(graph), np.ones((1, 5))))
    assert seen == pytest.approx(math.sqrt(3) * 1e-3)
    assert seen <= a_posteriori(graph, domain).bound <= seen * (1 + 1e-9)
    monkeypatch.setattr(bounds, "pool_lipschitz", lambda _: 1.0)
    assert a_posteriori(graph, domain).bound < seen


def test_pools_that_do_not_overlap_do_not_enlarge_the_error():
    for kind, factor in ((MaxPool, 1.0), (AveragePool, 0.5)):
        layer = wrong(np.random.default_rng(4), (8, 3))
        pool = kind("p", "a", 2, Windows(4, 4))
        graph = PairGraph((node("x", "", "input"), node("a", "x", layer), node("p", "a", pool)), "p")
        domain = Domain.ball(1.0, size=3)
        assert a_posteriori(graph, domain).bound <= factor * a_posteriori([layer], domain).bound * (1 + 1e-9)


def test_a_chain_is_the_graph_of_a_chain():
    rng, domain = np.random.default_rng(5), Domain.box(0.0, 1.0, size=4)
    pairs = [random_layer(rng, 4, outputs=4, spread=1e-2, signed=True) for _ in range(3)]
    pairs = [dataclasses.replace(pair, relu=index < 2) for index, pair in enumerate(pairs)]
    graph = PairGraph.chain(pairs)
    assert a_posteriori(pairs, domain) == a_posteriori(graph, domain)
    assert budget(pairs, [0.01] * 3, domain) == budget(graph, [0.01] * 3, domain)
    assert tolerances_for(pairs, domain, 0.1) == tolerances_for(graph, domain, 0.1)
    # Steps that change nothing change nothing.
    renamed = (*graph.nodes, node("same", graph.output, "same"))
    assert a_posteriori(PairGraph(renamed, "same"), domain) == a_posteriori(graph, domain)


@pytest.mark.parametrize("counting", ["frobenius", "theorem"])
def test_tolerances_use_the_whole_budget_of_a_graph(counting):
    for _, domain, graph in tiny_graphs(40, seed=6):
        tolerances = tolerances_for(graph, domain, 1e-3, counting=counting)
        spent = budget(graph, tolerances, domain, counting=counting)
        assert spent <= 1e-3
        assert spent >= 0.999e-3 or max(tolerances) == 1.0


def test_graphs_within_tolerance_are_within_eps():
    for rng, domain, graph in tiny_graphs(60, seed=7):
        tolerances = tolerances_for(graph, domain, 0.05)
        for _ in range(2):
            names = {}
            for given, pair, tol in zip(graph.layers, graph.pairs, tolerances, strict=True):
                signs = rng.choice([-1.0, 1.0], (2, *pair.weight.shape)) * tol * (1 - 1e-9)
                if pair.support is not None:
                    signs = signs * pair.support
                negative = None if pair.negative is None else signs[1] - pair.weight
                names[given.name] = dataclasses.replace(
                    pair, positive=pair.weight + signs[0], negative=negative
                )
            moved = PairGraph(tuple(node_with(n, names) for n in graph.nodes), graph.output)
            assert not exceeds(worst_graph_square(plain(moved), sample(rng, domain, 50)), 0.05)


def test_a_support_makes_the_budget_smaller():
    basis, domain = Translations(8, 3, padding=1, padding_mode="circular"), Domain.box(0.0, 1.0, size=8)
    weight = basis.matrix(np.random.default_rng(8).normal(size=(1, 1, 3)))
    where = basis.matrix(np.ones((1, 1, 3))) > 0
    free = LayerPair(weight, weight, -weight, False)
    tied = dataclasses.replace(free, support=where)
    assert budget([tied], [0.01], domain) == pytest.approx(math.sqrt(8) * 0.01 * 3)
    assert budget([free], [0.01], domain) == pytest.approx(math.sqrt(8) * 0.01 * 8)
    count = budget([tied], [0.01], domain, counting="theorem")
    assert count == pytest.approx(0.01 * 24 * math.sqrt(8))
    # Attained by the kernel that is wrong by the tolerance everywhere.
    worst = dataclasses.replace(tied, positive=weight + 0.01 * where)
    seen = float_graph_errors(plain(PairGraph.chain([worst])), np.ones((1, 8)))[0]
    assert budget([tied], [0.01], domain) == pytest.approx(seen)


def test_what_is_never_negative_follows_from_the_graph():
    layer = exact(np.eye(4))
    nodes = (
        node("x", "", "input"),
        node("pool", "x", MaxPool("p", "x", 1, Windows(4, 1))),
        node("layer", "pool", layer),
        node("relu", "layer", "relu"),
        node("mean", "relu", AveragePool("p", "x", 2, Windows(2, 1))),
        node("good", "mean pool", "add"),
        node("bad", "good layer", "add"),
        node("same", "bad", "same"),
    )
    positive = {"x": True, "pool": True, "layer": False, "relu": True, "mean": True, "good": True}
    graph = PairGraph(nodes, "same")
    assert nonnegative(graph, Domain.box(0.0, 1.0, size=4)) == {**positive, "bad": False, "same": False}
    signed = nonnegative(graph, Domain.ball(1.0, size=4))
    assert [name for name, never in signed.items() if never] == ["relu", "mean"]


LAYER = LayerPair(np.eye(2), np.eye(2), None, False)


@pytest.mark.parametrize(
    ("nodes", "output", "match"),
    [
        ([node("x", "", "input")], "x", "`pairs` must hold at least one layer; got none"),
        ([node("a", "x", LAYER)], "a", "`nodes` must begin with the one input; got 'a' as node 0"),
        (
            [node("x", "", "input"), node("y", "", "input")],
            "x",
            "`nodes` must begin with the one input; got 'y'",
        ),
        ([node("x", "", "input"), node("x", "x", "relu")], "x", "`nodes` must have different names; got 'x'"),
        ([node("x", "", "input"), node("a", "b", "relu")], "a", "`parents` must stand before a node; got 'b'"),
        ([node("x", "", "input"), node("a", "x", "add")], "a", "`parents` must be as many as 'a' reads; got 1"),
        (
            [node("x", "", "input"), node("a", "x x", LAYER)],
            "a",
            "`parents` must be as many as 'a' reads; got 2",
        ),
        ([node("x", "", "input"), node("a", "x", "gelu")], "a", "`op` must be a LayerPair, a pool or one of"),
        ([node("x", "", "input"), node("a", "x", LAYER)], "z", "`output` must name a node; got 'z'"),
        (
            [node("x", "", "input"), node("a", "x", dataclasses.replace(LAYER, relu=True))],
            "a",
            r"`relu` must be False in a graph, where ReLU is a node; got True \(layer a\)",
        ),
    ],
)
def test_graphs_that_are_none_are_refused(nodes, output, match):
    with pytest.raises(InvalidInput, match=match):
        PairGraph(tuple(nodes), output)


def test_graphs_that_do_not_fit_are_refused():
    wide = LayerPair(np.ones((3, 2)), np.ones((3, 2)), None, False)
    x, box = node("x", "", "input"), Domain.box(0.0, 1.0, size=2)
    cases = [
        ((node("a", "x", wide), node("b", "x a", "add")), "`nodes` must fit each other; got 'b' adding sizes"),
        (
            (node("a", "x", LAYER), node("b", "a", MaxPool("p", "a", 1, Windows(3, 1)))),
            "`nodes` must fit each other; got node 'p' with 3 inputs",
        ),
        ((node("a", "x", wide), node("b", "a", LAYER)), "`pairs` must chain: layer b needs 3 columns"),
        ((node("a", "x", LAYER), node("b", "a", LAYER)), r"`negative` must be given .* \(layer b\)"),
        (
            (node("a", "x", dataclasses.replace(LAYER, support=np.eye(2))),),
            r"`support` must be bool of shape \(2, 2\) \(layer a\); got float64",
        ),
        (
            (node("a", "x", dataclasses.replace(LAYER, support=np.zeros((2, 2), dtype=bool))),),
            r"`weight` must be zero outside `support` \(layer a\)",
        ),
    ]
    for nodes, match in cases:
        with pytest.raises(InvalidInput, match=match):
            a_posteriori(PairGraph((x, *nodes), nodes[-1].name), box)
    sums_only = PairGraph((x, node("a", "x", "relu"), node("b", "x a", "add"), node("c", "b", LAYER)), "b")
    assert sums_only.inputs == 2


def test_a_graph_knows_the_size_of_its_input():
    pool = MaxPool("p", "x", 2, Windows(3, 1))
    graph = PairGraph((node("x", "", "input"), node("p", "x", pool), node("a", "p", exact(np.eye(6)))), "a")
    assert graph.inputs == 6
