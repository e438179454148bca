"""Bounds of the output error against exact evaluation on thousands of tiny tickets."""

from __future__ import annotations

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from oracles.certificates import ball_points, box_points, float_errors, worst_square

from slth.errors import InvalidInput
from slth.networks.domain import Domain
from slth.tickets.bounds import a_posteriori
from slth.tickets.budget import budget, tolerances_for
from slth.tickets.pairs import LayerPair


def as_chain(pairs):
    return [(p.weight, p.positive, p.negative, p.biased, p.relu) for p in pairs]


def random_domain(rng, d, kind):
    if kind == "unit box":
        return Domain.box(0.0, 1.0, size=d)
    if kind == "box":
        low = rng.normal(size=d)
        return Domain.box(low, low + rng.exponential(size=d) * rng.integers(0, 2, d))
    if kind == "ball":
        return Domain.ball(float(rng.exponential()) + 0.01, center=rng.normal(size=d) * rng.integers(0, 2))
    return Domain.ball(1.0, center=np.full(d, 1.5))


KINDS = ("unit box", "box", "ball", "positive ball")


def random_pairs(rng, domain, *, spread):
    """A target and a ticket whose entries differ by up to `spread`; now and then exactly equal, or zero."""
    widths = [domain.size, *rng.integers(1, 5, rng.integers(1, 4))]
    pairs = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        biased = bool(rng.random() < 0.6)
        shape = (outputs, inputs + biased)
        weight = rng.normal(size=shape) * (rng.random(shape) < 0.9)
        positive = weight + rng.uniform(-spread, spread, shape) * (rng.random(shape) < 0.9)
        negative = -weight + rng.uniform(-spread, spread, shape) * (rng.random(shape) < 0.9)
        signed = not domain.nonnegative if index == 0 else not pairs[-1].relu
        relu = bool(rng.random() < 0.8) if index + 2 < len(widths) else bool(rng.random() < 0.2)
        keep = signed or rng.random() < 0.3
        pairs.append(LayerPair(weight, positive, negative if keep else None, biased, relu))
    return pairs


def sample(rng, domain, count):
    if domain.kind == "box":
        return box_points(rng, domain.low, domain.high, count)
    return domain.project(ball_points(rng, domain.center, domain.radius, count))


def exceeds(square, bound):
    """Whether the exact error (given its square) is above a bound, without rounding."""
    return square > Fraction(bound) ** 2


def tiny_tickets(count, seed):
    rng = np.random.default_rng(seed)
    for index in range(count):
        domain = random_domain(rng, int(rng.integers(1, 5)), KINDS[index % len(KINDS)])
        spread = float(rng.choice([1e-9, 1e-3, 0.3, 3.0]))
        pairs = random_pairs(rng, domain, spread=spread)
        yield rng, domain, pairs


def judge(count, seed):
    """Every bound against the worst of many points; how loose the bound was."""
    ratios = []
    for rng, domain, pairs in tiny_tickets(count, seed):
        square = worst_square(as_chain(pairs), sample(rng, domain, 200))
        found = a_posteriori(pairs, domain)
        assert not exceeds(square, found.bound), (domain, pairs, found)
        assert sum(found.contributions) == pytest.approx(found.bound)
        largest = [tolerance(pair) for pair in pairs]
        for counting in ("frobenius", "theorem"):
            assert not exceeds(square, budget(pairs, largest, domain, counting=counting)), (domain, pairs)
        if square > 0:
            ratios.append(found.bound / math.sqrt(square))
    return ratios


def tolerance(pair):
    """Largest entry of |E|, rounded up."""
    errors = [np.abs(pair.positive - pair.weight).max()]
    if pair.negative is not None:
        errors.append(np.abs(pair.negative + pair.weight).max())
    return float(np.nextafter(max(errors), np.inf)) if max(errors) else 0.0


def test_bounds_hold_for_tiny_tickets():
    ratios = judge(300, seed=0)
    assert np.median(ratios) < 3.0


@pytest.mark.slow
def test_bounds_hold_for_thousands_of_tiny_tickets():
    judge(2000, seed=1)


def test_forgetting_the_negative_half_is_caught():
    caught = 0
    for rng, domain, pairs in tiny_tickets(120, seed=2):
        square = worst_square(as_chain(pairs), sample(rng, domain, 200))
        first = pairs[0]
        if first.negative is None:
            continue
        blind = [dataclasses.replace(first, negative=-first.weight), *pairs[1:]]
        caught += exceeds(square, a_posteriori(blind, domain).bound)
    assert caught >= 10


def test_forgetting_the_growth_of_earlier_errors_is_caught():
    caught = 0
    for rng, domain, pairs in tiny_tickets(120, seed=3):
        square = worst_square(as_chain(pairs), sample(rng, domain, 200))
        last_only = [dataclasses.replace(p, positive=p.weight, negative=-p.weight) for p in pairs[:-1]] + pairs[
            -1:
        ]
        caught += exceeds(square, a_posteriori(last_only, domain).bound)
    assert caught >= 10


@pytest.mark.parametrize("kind", KINDS)
def test_one_linear_layer_is_tight(kind):
    rng = np.random.default_rng(4)
    for _ in range(25):
        d, outputs = int(rng.integers(1, 6)), int(rng.integers(1, 5))
        domain = random_domain(rng, d, kind)
        weight = rng.normal(size=(outputs, d))
        error = rng.normal(size=weight.shape) * 1e-3
        pairs = [LayerPair(weight, weight + error, -(weight + error), False, False)]
        bound = a_posteriori(pairs, domain).bound
        truth = math.sqrt(worst_square(as_chain(pairs), sample(rng, domain, 4000)))
        assert truth <= bound * (1 + 1e-12)
        # A box is a quadratic maximisation (factor at most pi/2), a ball is solved exactly up to the sampling.
        assert bound <= 1.6 * truth


def test_a_ball_at_the_origin_gives_the_spectral_norm():
    rng = np.random.default_rng(5)
    weight, error = rng.normal(size=(2, 6, 9))
    pairs = [LayerPair(weight, weight + error, -(weight + error), False, False)]
    bound = a_posteriori(pairs, Domain.ball(2.0, size=9)).bound
    # Both halves are unknown signs: between the norm of one and the norm of both side by side.
    assert 2 * np.linalg.norm(error, 2) <= bound <= 2 * math.sqrt(2) * np.linalg.norm(error, 2) * (1 + 1e-9)


def test_an_exact_ticket_has_bound_zero():
    rng = np.random.default_rng(6)
    weights = rng.normal(size=(4, 4)), rng.normal(size=(2, 5))
    pairs = [
        LayerPair(weights[0], weights[0], -weights[0], False, True),
        LayerPair(weights[1], weights[1], None, True, False),
    ]
    found = a_posteriori(pairs, Domain.box(-1.0, 1.0, size=4))
    assert (found.bound, found.contributions) == (0.0, (0.0, 0.0))
    assert budget(pairs, [0.0, 0.0], Domain.box(-1.0, 1.0, size=4)) == 0.0


def test_dead_and_active_neurons_are_certified():
    weight = np.array([[-1.0, -0.5], [1.0, 0.5], [1.0, -0.5]])  # last column: bias
    first = LayerPair(weight, weight * 1.01, None, True, True)
    second = LayerPair(np.ones((1, 3)), np.ones((1, 3)), None, False, False)
    found = a_posteriori([first, second], Domain.box(0.0, 1.0, size=1))
    assert (found.dead, found.active) == ((1, 0), (1, 1))
    # The dead neuron's weights, however wrong, add nothing while it stays dead.
    wrong = weight * 1.01
    wrong[0] *= 50.0
    worse = a_posteriori([dataclasses.replace(first, positive=wrong), second], Domain.box(0.0, 1.0, size=1))
    assert worse.bound == found.bound


def test_inputs_that_are_never_negative_do_not_meet_the_negative_half():
    rng = np.random.default_rng(7)
    weight = rng.normal(size=(3, 2))
    positive = weight + 1e-3
    given = [LayerPair(weight, positive, rng.normal(size=(3, 2)) * 100.0, False, False)]
    absent = [LayerPair(weight, positive, None, False, False)]
    domain = Domain.box(0.0, 1.0, size=2)
    assert a_posteriori(given, domain).bound == a_posteriori(absent, domain).bound
    half_signed = Domain.box([-1.0, 0.0], [1.0, 1.0])
    negative = -weight + 1e-3
    negative[:, 1] = 1e6  # this input is never negative
    assert a_posteriori([LayerPair(weight, positive, negative, False, False)], half_signed).bound < 1.0


def test_units_scale_exactly():
    for _, domain, pairs in tiny_tickets(12, seed=8):
        plain = a_posteriori(pairs, domain)
        last = pairs[-1]
        negative = None if last.negative is None else 32.0 * last.negative
        larger = dataclasses.replace(
            last, weight=32.0 * last.weight, positive=32.0 * last.positive, negative=negative
        )
        scaled = a_posteriori([*pairs[:-1], larger], domain)
        assert scaled.bound == 32.0 * plain.bound
        assert scaled.contributions == tuple(32.0 * c for c in plain.contributions)


def test_a_larger_domain_never_has_a_much_smaller_bound():
    # Weights of the dual are searched, so monotonicity holds up to the search's slack.
    for _, domain, pairs in tiny_tickets(60, seed=9):
        if domain.kind == "box":
            wider = Domain.box(np.minimum(domain.low * 1.0, domain.low), domain.high + 0.5)
            assert a_posteriori(pairs, wider).bound >= 0.9 * a_posteriori(pairs, domain).bound


def test_the_bound_of_the_exact_weights_is_far_below_the_budget_in_wide_layers():
    rng = np.random.default_rng(10)
    tol = 1e-4
    pairs = []
    for inputs, outputs in ((64, 32), (32, 10)):
        weight = rng.normal(size=(outputs, inputs + 1)) / 8
        pairs.append(LayerPair(weight, weight + rng.uniform(-tol, tol, weight.shape), None, True, inputs == 64))
    domain = Domain.box(0.0, 1.0, size=64)
    points = rng.integers(0, 2, (2000, 64)).astype(float)
    seen = float_errors(as_chain(pairs), points).max()
    found, allowed = a_posteriori(pairs, domain).bound, budget(pairs, [tol, tol], domain)
    assert seen < found < allowed / 4


def targets(weights, *, biased=False):
    """The chain of a target before any ticket exists; ReLU after each layer but the last."""
    return [LayerPair(w, w, -w, biased, index + 1 < len(weights)) for index, w in enumerate(weights)]


@pytest.mark.parametrize("counting", ["frobenius", "theorem"])
def test_tolerances_use_the_whole_budget_and_no_more(counting):
    for _, domain, pairs in tiny_tickets(60, seed=11):
        chain = [dataclasses.replace(p, relu=i + 1 < len(pairs)) for i, p in enumerate(pairs)]
        chain = [dataclasses.replace(p, negative=-p.weight) for p in chain]
        tolerances = tolerances_for(chain, domain, 1e-3, counting=counting)
        spent = budget(chain, tolerances, domain, counting=counting)
        assert spent <= 1e-3
        assert spent >= 0.999e-3 or max(tolerances) == 1.0


def test_tickets_within_tolerance_are_within_eps():
    rng = np.random.default_rng(12)
    for domain in (Domain.box(-1.0, 1.0, size=3), Domain.ball(1.0, size=3), Domain.box(0.0, 1.0, size=3)):
        weights = [rng.normal(size=(4, 4)), rng.normal(size=(2, 5))]
        for counting in ("frobenius", "theorem"):
            tolerances = tolerances_for(targets(weights, biased=True), domain, 0.05, counting=counting)
            worst = Fraction(0)
            for _ in range(20):
                pairs = []
                for weight, tol in zip(weights, tolerances, strict=True):
                    signs = rng.choice([-1.0, 1.0], (2, *weight.shape)) * tol * (1 - 1e-9)
                    pairs.append(
                        LayerPair(weight, weight + signs[0], -weight + signs[1], True, weight is weights[0])
                    )
                worst = max(worst, worst_square(as_chain(pairs), sample(rng, domain, 100)))
            assert not exceeds(worst, 0.05)


def test_one_linear_layer_gets_the_papers_tolerance():
    # Theorem 3 for l = 1: eps / (2 d d') on the unit ball, where both halves exist.
    weight = np.linalg.qr(np.random.default_rng(13).normal(size=(6, 6)))[0]
    (tolerance_found,) = tolerances_for(targets([weight]), Domain.ball(1.0, size=6), 0.01, counting="theorem")
    assert tolerance_found == pytest.approx(0.01 / (2 * 6 * 6), rel=1e-9)


def test_two_layers_get_the_papers_tolerances_to_first_order():
    rng = np.random.default_rng(14)
    weights = [np.linalg.qr(rng.normal(size=(6, 6)))[0] for _ in range(2)]
    first, second = tolerances_for(targets(weights), Domain.ball(1.0, size=6), 1e-4, counting="theorem")
    assert first == pytest.approx(1e-4 / (2 * 2 * 6 * 6), rel=1e-3)
    # After a ReLU only the positive half exists.
    assert second == pytest.approx(1e-4 / (2 * 6 * 6), rel=1e-3)


def test_frobenius_counting_is_the_sharp_bound_of_one_layer():
    weight, tol = np.zeros((3, 4)), 0.5
    allowed = budget([LayerPair(weight, weight, -weight, False, False)], [tol], Domain.box(-1.0, 1.0, size=4))
    worst = LayerPair(weight, weight + tol, weight - tol, False, False)
    seen = float_errors(as_chain([worst]), np.ones((1, 4)))[0]
    assert allowed == pytest.approx(seen, rel=1e-12)
    assert allowed >= seen


def test_bounds_are_nearly_attained_by_errors_that_all_push_one_way():
    # Everything positive: errors add up through both layers, and no bound can be much smaller.
    tol, weights = 1e-5, (np.full((8, 12), 1 / 12), np.full((3, 8), 1 / 8))
    pairs = [LayerPair(w, w + tol, None, False, w is weights[0]) for w in weights]
    domain = Domain.box(0.0, 1.0, size=12)
    seen = float_errors(as_chain(pairs), np.ones((1, 12)))[0]
    assert seen <= a_posteriori(pairs, domain).bound <= 1.01 * seen
    assert seen <= budget(pairs, [np.nextafter(tol, 1) * (1 + 1e-9)] * 2, domain) <= 1.01 * seen


def one(**changes):
    base = LayerPair(np.eye(2), np.eye(2), None, False, False)
    return dataclasses.replace(base, **changes)


@pytest.mark.parametrize(
    ("pairs", "match"),
    [
        ([], "`pairs` must hold at least one layer"),
        ([one(weight=np.ones((2, 3)))], r"`pairs` must chain: layer 0 needs 2 columns; got shape \(2, 3\)"),
        ([one(), one(biased=True)], r"`pairs` must chain: layer 1 needs 3 columns; got shape \(2, 2\)"),
        ([one(positive=np.ones((1, 2)))], r"`positive` must have shape \(2, 2\) \(layer 0\); got \(1, 2\)"),
        ([one(negative=np.full((2, 2), np.nan))], r"`negative` must be finite float64 \(layer 0\)"),
        (
            [one(weight=np.eye(2, dtype=np.float32))],
            r"`weight` must be finite float64 \(layer 0\); got float32",
        ),
        ([one(), one()], r"`negative` must be given where inputs may be negative; got None \(layer 1\)"),
    ],
)
def test_chains_that_do_not_fit_are_refused(pairs, match):
    with pytest.raises(InvalidInput, match=match):
        a_posteriori(pairs, Domain.box(0.0, 1.0, size=2))


def test_a_missing_negative_half_is_refused_where_inputs_may_be_negative():
    with pytest.raises(InvalidInput, match=r"`negative` must be given .* \(layer 0\)"):
        a_posteriori([one()], Domain.ball(1.0, size=2))


def test_bad_tolerances_and_eps_are_refused():
    domain = Domain.box(0.0, 1.0, size=2)
    for tolerances in ([], [-1.0], [math.nan], [1.0, 1.0]):
        with pytest.raises(InvalidInput, match="`tolerances` must be one number >= 0 per layer"):
            budget([one()], tolerances, domain)
    for eps in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InvalidInput, match="`eps` must be a positive number"):
            tolerances_for([one()], domain, eps)
    with pytest.raises(InvalidInput, match="`counting` must be one of"):
        budget([one()], [1.0], domain, counting="guess")


def test_overflow_gives_infinity_and_never_a_small_bound():
    weight = np.full((2, 2), 1e200)
    pairs = [
        LayerPair(weight, weight * 2, None, False, True),
        LayerPair(weight, weight * 2, None, False, False),
    ]
    assert a_posteriori(pairs, Domain.box(0.0, 1.0, size=2)).bound == math.inf
    assert budget(pairs, [1e200, 1e200], Domain.box(0.0, 1.0, size=2)) == math.inf
    with pytest.raises(InvalidInput, match="`eps` must allow a tolerance that float64 can hold; got 5e-324"):
        tolerances_for(pairs, Domain.box(0.0, 1.0, size=2), 5e-324)


def test_a_difference_that_overflows_gives_infinity():
    weight = np.array([[1.5e308, 0.0], [0.0, 1.0]])
    pairs = [LayerPair(weight, -weight, None, False, False), LayerPair(weight, weight, weight, False, False)]
    assert a_posteriori(pairs, Domain.box(0.0, 1.0, size=2)).bound == math.inf
    assert a_posteriori(pairs[:1], Domain.box(0.0, 1e-10, size=2)).bound == math.inf


def test_rounding_elsewhere_does_not_move_the_bound():
    # A checker on another machine sums in another order: it must derive the same bound to many digits.
    rng = np.random.default_rng(15)
    pairs = []
    for inputs, outputs in ((40, 30), (30, 30), (30, 5)):
        weight = rng.normal(size=(outputs, inputs + 1)) / 6
        pairs.append(
            LayerPair(weight, weight + rng.uniform(-1e-4, 1e-4, weight.shape), None, True, outputs == 30)
        )
    domain = Domain.box(0.0, 1.0, size=40)
    bound = a_posteriori(pairs, domain).bound
    for _ in range(5):
        moved = [
            dataclasses.replace(
                p, positive=p.positive * (1.0 + rng.choice([-1, 0, 1], p.positive.shape) * 2.0**-52)
            )
            for p in pairs
        ]
        assert any((m.positive != p.positive).any() for m, p in zip(moved, pairs, strict=True))
        assert a_posteriori(moved, domain).bound == pytest.approx(bound, rel=1e-11)
