"""Lifted neurons: relu never acts on them, whatever the input; forged lifts are noticed."""

from __future__ import annotations

import dataclasses
import itertools
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from builders import box, target, tiny_ticket
from oracles.tickets import dense_layer, masked_forward, plain_forward

import slth
from slth.networks.intervals import Enclosure
from slth.networks.npz import load_npz, save_npz
from slth.networks.source import Source
from slth.tickets import fill
from slth.tickets.bounds import a_posteriori
from slth.tickets.layer import LIFTED, assemble
from slth.tickets.lifting import LIFTS, LIVE, base_edges, liftable, planned, subset_for
from slth.tickets.pairs import LayerPair
from slth.tickets.storage import _write_json, write_manifest
from slth.tickets.upright import needed

DOMAINS = {
    "pixels": box(),
    "signed": box(-1.0, 1.0),
    "apart from zero": slth.Domain.box([-0.5, 2.0, -3.0], [0.5, 3.0, -2.9]),
    "ball": slth.Domain.ball(1.0, size=3),
}


def corners(domain: slth.Domain) -> np.ndarray:
    """Many points of the domain, its corners among them."""
    rng = np.random.default_rng(5)
    ends = np.array(list(itertools.product(*zip(domain.low, domain.high, strict=True))))
    inside = domain.low + rng.random((200, domain.size)) * (domain.high - domain.low)
    return np.atleast_2d(domain.project(np.vstack((inside, ends))))


def lifted(domain: slth.Domain | None = None, **changes: object) -> slth.Ticket:
    settings: dict = {"arrangement": LIFTED, "budget": "certificate", "eps": 0.1, "inputs": None}
    return tiny_ticket(domain=domain or box(-1.0, 1.0), **(settings | changes))


@pytest.mark.parametrize("kind", list(DOMAINS))
@pytest.mark.parametrize("search", ["within", "closest", "feedback"])
def test_masked_source_is_the_reported_network(tmp_path: Path, kind: str, search: str) -> None:
    """relu is applied in the masked source; the network that the ticket reports has none of them."""
    domain, goal = DOMAINS[kind], target(1, (3, 5, 4, 2))
    ticket = lifted(domain, target=goal, search=search)
    assert [layer.arrangement for layer in ticket.layers] == [LIFTED] * 3
    ticket.save(tmp_path / "ticket")
    x = corners(domain)
    output, matrices = masked_forward(tmp_path / "ticket", x)
    for index, (layer, matrix) in enumerate(zip(ticket.layers, matrices, strict=True)):
        own = ticket.assembled(index)
        assert np.array_equal(own.positive, matrix[0])
        assert np.array_equal(own.negative, matrix[1])
        assert (own.kept_positive[:, :-1] == layer.k).all()
        assert layer.kept_first == layer.serving > layer.kept_second
    np.testing.assert_allclose(ticket.network().forward(x), output, rtol=0, atol=1e-10)
    chain = goal.dense_chain()
    truth = plain_forward([layer.weight for layer in chain], [layer.bias for layer in chain], x)
    error = np.linalg.norm(output - truth, axis=1).max()
    assert 0 < error <= ticket.certificate.bound <= 0.1
    assert slth.check(tmp_path / "ticket", goal).bound == ticket.certificate.bound


def test_no_neuron_falls_below_zero_at_its_own_worst_corner(tmp_path: Path) -> None:
    ticket = lifted()
    ticket.save(tmp_path / "ticket")
    layer, spec = ticket.layers[0], ticket.source.to_json()["layers"][0]
    first, _ = dense_layer(spec, ticket.source.seed, 0, layer.packed, layer.members)
    worst = -np.abs(first[:, :3]).sum(axis=1) + first[:, 3:].sum(axis=1) * 2.0**layer.lift_exponent
    assert (worst >= 0).all()
    # Without their constants most of them would.
    assert (-np.abs(first[:, :3]).sum(axis=1) < 0).mean() > 0.5


def forged(path: Path, arrays: dict | None = None, layer: dict | None = None) -> Path:
    """The ticket with other masks, or another record of its first layer, under a manifest that fits."""
    if arrays is not None:
        stored = dict(load_npz(path / "masks.npz", max_bytes=1 << 20))
        save_npz(path / "masks.npz", stored | arrays)
    if layer is not None:
        record = json.loads((path / "certificate.json").read_text())
        record["construction"]["layers"][0] |= layer
        _write_json(path / "certificate.json", record)
    write_manifest(path)
    return path


def test_a_neuron_that_may_fall_below_zero_is_noticed(tmp_path: Path) -> None:
    """The constants are made smaller and their sums larger: all weights are right, all neurons too low."""
    ticket = lifted(target=target(widths=(3, 2)))
    layer = ticket.layers[0]
    low = dataclasses.replace(layer, lift_exponent=layer.lift_exponent - 12)
    construction = dataclasses.replace(ticket.construction, layers=(low,))
    for name, forgery in (("true", ticket.construction), ("low", construction)):
        path = tmp_path / name
        dataclasses.replace(ticket, construction=forgery).save(path)
        if name == "true":
            slth.check(path)
            continue
        with pytest.raises(slth.TicketDamaged, match=r"lifted neuron\(s\) are not proved to stay above zero"):
            slth.check(path)


def test_lifts_cannot_be_forged(tmp_path: Path) -> None:
    ticket = lifted(target=target(widths=(3, 2)))
    layer = ticket.layers[0]
    fewer = layer.packed.copy()
    place = np.argwhere(fewer[:, 3:])[0]
    byte = fewer[place[0], 3 + place[1], place[2]]
    fewer[place[0], 3 + place[1], place[2]] = byte & (byte - 1)  # one lifting edge less
    for name, forgery, message in (
        ("edge", {"arrays": {"edges_1": fewer}}, "the kept edges sum"),
        ("exponent", {"layer": {"lift_exponent": layer.lift_exponent + 1}}, "the kept edges sum"),
        ("count", {"layer": {"lifts": layer.lifts + 1}}, "its mask must have shape"),
        ("none", {"layer": {"lifts": 0}}, "`lifts` is out of range"),
        ("one", {"layer": {"lifts": 1}}, "`lifts` is out of range"),  # exports take it for the bias's
        ("huge", {"layer": {"lift_exponent": 5000}}, "scale is out of range"),
        ("other", {"layer": {"arrangement": "gathered"}}, "`lifts` is out of range"),
    ):
        ticket.save(tmp_path / name)
        with pytest.raises(slth.TicketDamaged, match=message):
            slth.check(forged(tmp_path / name, **forgery))


def test_proved_again_in_ball_arithmetic(tmp_path: Path) -> None:
    pytest.importorskip("flint")
    from slth.tickets.recheck import recheck

    ticket = lifted(target=target(1, (3, 4, 2)))
    ticket.save(tmp_path / "ticket")
    found = recheck(tmp_path / "ticket")
    assert found.bound == pytest.approx(ticket.certificate.bound, rel=1e-6)
    assert found.edges == sum(layer.serving for layer in ticket.layers)
    layers = list(ticket.layers)
    layers[1] = dataclasses.replace(layers[1], lift_exponent=layers[1].lift_exponent - 12)
    construction = dataclasses.replace(ticket.construction, layers=tuple(layers))
    dataclasses.replace(ticket, construction=construction).save(tmp_path / "low")
    with pytest.raises(slth.SlthError, match="some lifted neuron may fall below zero"):
        recheck(tmp_path / "low")


def test_auto_lifts_where_it_can() -> None:
    goal = target(2, (12, 8, 3))
    for domain in (box(size=12), box(-1.0, 1.0, 12)):
        ways = {
            name: slth.prune(goal, domain=domain, eps=0.05, arrangement=name, budget="certificate")
            for name in ("assigned", "auto")
        }
        assert ways["auto"].construction.arrangement == LIFTED
        assert ways["auto"].parameters < 0.75 * ways["assigned"].parameters
    without = slth.prune(target(biased=False), domain=box(), eps=0.1, arrangement="auto")
    assert LIFTED not in without.construction.arrangement
    weights = slth.prune(goal, domain=box(size=12), tolerance=0.01, arrangement="auto")
    assert LIFTED not in weights.construction.arrangement
    with pytest.raises(slth.InvalidInput, match="they are lifted in dense layers with biases, for an `eps`"):
        slth.prune(goal, domain=box(size=12), tolerance=0.01, arrangement=LIFTED)


def test_a_given_source_lifts_by_its_own_constants() -> None:
    drawn = lifted(seed=9)
    copies = [layer.copies for layer in drawn.source.layers]
    source = Source.for_network(drawn.target, copies, seed=9, owners="outputs", constants=LIFTS)
    assert source == drawn.source
    more = Source.for_network(drawn.target, copies, seed=9, owners="outputs", constants=[LIFTS + 3, LIFTS])
    ticket = lifted(source=more)
    assert [layer.lifts for layer in ticket.layers] == [LIFTS + 3, LIFTS]
    assert ticket.parameters == more.parameters
    assert Source.from_json(more.to_json()) == more
    with pytest.raises(slth.InvalidInput, match="`constants` must be 1 where hidden neurons belong to inputs"):
        Source.for_network(drawn.target, copies, seed=9, constants=2)
    with pytest.raises(slth.InvalidInput, match="`constants` must have one entry per layer"):
        Source.for_network(drawn.target, copies, seed=9, owners="outputs", constants=[2])


def test_a_bias_that_no_sum_reaches_is_listed() -> None:
    """One copy per output: a bias has few sums of constants, and they are far from it."""
    goal = slth.dense_network([[[0.4, -0.3]]], [[0.1]])
    source = Source.for_network(goal, 1, seed=1, owners="outputs", constants=3)
    with pytest.raises(slth.WeightsUnreachable, match=r"3 weight\(s\) cannot be reached") as caught:
        slth.prune(goal, source, domain=box(size=2), eps=1e-6, arrangement=LIFTED, k=1)
    assert {(f.output, f.input) for f in caught.value.failures} == {(0, 0), (0, 1), (0, 2)}


def test_resumed_layers_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lifted(resume=tmp_path / "resume")
    assert len(list((tmp_path / "resume").iterdir())) == 2
    monkeypatch.setattr(fill, "solve", None)  # nothing is solved again
    again = lifted(resume=tmp_path / "resume")
    assert all(np.array_equal(a.packed, b.packed) for a, b in zip(whole.layers, again.layers, strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_need_is_a_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.normal(0, 1, 6) * rng.integers(0, 2, 6)
    inputs = Enclosure(low, low + rng.exponential(1, 6), low, np.inf)
    weights, kept = rng.integers(-(2**23), 2**23, (4, 6)) * 2.0**-23, rng.random((4, 6)) < 0.5
    found = needed(weights, kept, inputs)
    for row, mask, bound in zip(weights, kept, found, strict=True):
        exact = sum(
            max(-Fraction(a) * Fraction(b) for b in ends)
            for a, on, *ends in zip(row, mask, inputs.low, inputs.high, strict=True)
            if on
        )
        assert exact <= Fraction(float(bound)) <= exact + Fraction(1, 10**12)


def test_need_does_not_underflow() -> None:
    inputs = Enclosure(np.array([-5e-324]), np.array([5e-324]), np.zeros(1), 5e-324)
    assert (needed(np.array([[0.25], [-(2.0**-23)]]), np.ones((2, 1), dtype=bool), inputs) > 0.0).all()


def test_nothing_is_needed_where_nothing_can_be_negative() -> None:
    inputs = Enclosure(np.zeros(3), np.ones(3), np.zeros(3), np.inf)
    assert needed(np.array([[0.5, 0.25, 1.0]]), np.ones((1, 3), dtype=bool), inputs).tolist() == [0.0]


def test_constants_are_large_enough_as_a_rule() -> None:
    rng = np.random.default_rng(3)
    for low, share in ((0.0, 0.05), (-1.0, 0.45), (0.5, 0.2)):
        inputs = Enclosure(np.full(64, low), np.ones(64), np.zeros(64), np.inf)
        lift = planned(inputs, share, "uniform", bias=0.0, edges=1)
        weights = rng.uniform(-1, 1, (4000, 64 + LIFTS))
        need = needed(weights[:, :64], rng.random((4000, 64)) < share, inputs)
        assert (need <= lift.least).all()  # six standard deviations: false alarm below 1e-5
        live = liftable(weights[:, 64:], lift).mean()
        assert live >= LIVE - 5 * (0.25 / 4000) ** 0.5


def test_base_edges_lift_enough_and_balance() -> None:
    rng = np.random.default_rng(4)
    inputs = Enclosure(np.full(10, -1.0), np.ones(10), np.zeros(10), np.inf)
    lift = planned(inputs, 0.3, "uniform", bias=0.0, edges=1)
    weights = rng.uniform(-1, 1, (5, 40, 10 + LIFTS))
    kept = rng.random((5, 40, 10)) < 0.3
    kept[0, 0] = False
    singles = rng.choice([-1.0, 1.0], (5, 40))
    aim = np.linspace(-1, 1, 5)
    weights[4, 7, 10:] = -0.1  # no constant lifts this one
    found, upright = base_edges(weights, kept, singles, aim, lift)
    assert found[0, 0] == -1
    need = needed(weights[:, :, :10], kept, inputs)
    rows, columns = np.nonzero(found >= 0)
    chosen = weights[rows, columns, 10 + found[rows, columns]]
    assert (chosen * 2.0**lift.exponent >= need[rows, columns]).all()
    without = (found < 0) & (need > 0)
    assert without[4, 7]
    assert (upright == ~without.any(axis=1)).all()
    assert upright[0]
    assert all((weights[r, c, 10:] * 2.0**lift.exponent < need[r, c]).all() for r, c in np.argwhere(without))
    sums = np.bincount(rows, chosen * singles[rows, columns], 5)
    assert np.abs(sums - aim).max() < 0.5  # forty terms of size 1/2 at random would miss by three


def test_subsets_of_lifting_edges_are_exact() -> None:
    rng = np.random.default_rng(8)
    unit, tolerance = Fraction(1, 2**46), Fraction(1, 10**5)
    products = rng.integers(-(2**45), 2**45, 60)
    for rest in (Fraction(0), Fraction(1, 3), Fraction(-7, 3)):
        found = subset_for(products, rest, tolerance, unit)
        assert found is not None
        assert abs(sum(int(products[i]) for i in found) * unit - rest) <= tolerance
        assert len(set(found.tolist())) == found.size <= 16
    # Nearly all of one sign: few sizes have subsets near zero, and they are found.
    for _ in range(4):
        oblique = rng.integers(0, 2**45, 46) * np.where(np.arange(46) < 5, -1, 1)
        found = subset_for(oblique, Fraction(-1, 20), tolerance, unit)
        assert found is not None
        assert abs(sum(int(oblique[i]) for i in found) * unit + Fraction(1, 20)) <= tolerance
    assert subset_for(products[:3], Fraction(10), tolerance, unit) is None
    assert subset_for(products[:0], Fraction(10), tolerance, unit) is None


def test_a_linear_layer_is_bounded_as_one() -> None:
    """E- = -E+ is one error on signed inputs: its bound is smaller than with both as if they were two."""
    rng = np.random.default_rng(6)
    domain, weight = slth.Domain.box(-1.0, 1.0, 12), rng.normal(0, 0.3, (9, 12))
    error = rng.uniform(-1e-3, 1e-3, weight.shape)
    one = LayerPair(weight, weight + error, -(weight + error), biased=False)
    nudged = -(weight + error)
    nudged[0, 0] += 1e-15
    two = LayerPair(weight, weight + error, nudged, biased=False)
    bounds = [a_posteriori([pair], domain).bound for pair in (one, two)]
    assert bounds[0] < 0.9 * bounds[1]
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=12)))
    worst = np.linalg.norm(signs @ error.T, axis=1).max()
    assert worst <= bounds[0] <= 1.5 * worst


def checked(goal: slth.Network, path: Path, **settings: object) -> slth.Ticket:
    """A lifted ticket that passes the check, and whose masked source is within its bound."""
    ticket = lifted(target=goal, **settings)
    ticket.save(path)
    slth.check(path, goal)
    x = corners(ticket.construction.domain)
    chain = goal.dense_chain()
    truth = plain_forward([layer.weight for layer in chain], [layer.bias for layer in chain], x)
    error = np.linalg.norm(masked_forward(path, x)[0] - truth, axis=1).max()
    assert error <= ticket.certificate.bound
    return ticket


def test_idle_neurons_carry_the_bias_of_a_row_without_weights(tmp_path: Path) -> None:
    weights = [np.array([[0.4, -0.3, 0.8], [0.0, 0.0, 0.0], [-0.7, 0.6, 0.1]])]
    goal = slth.dense_network(weights, [np.array([0.2, 0.7, -0.4])])
    layer = checked(goal, tmp_path / "ticket").layers[0]
    edges = layer.edges()
    assert not edges[1, :, :3].any()
    assert edges[1, :, 3:].any()
    # Elsewhere neurons that serve no weight stay pruned.
    served, used = edges[:, :, :3].any(axis=2), edges.any(axis=2)
    assert np.array_equal(served[[0, 2]], used[[0, 2]])


def test_few_neurons_in_use_are_helped_by_idle_ones(tmp_path: Path) -> None:
    goal = slth.dense_network([[[0.4]]], [[0.3]])
    checked(goal, tmp_path / "ticket", domain=box(-1.0, 1.0, 1), eps=0.05, subset_density=0.03)


@pytest.mark.parametrize(("reach", "size"), [(1e-3, 1.0), (1.0, 800.0)])
def test_constants_are_large_enough_for_biases(tmp_path: Path, reach: float, size: float) -> None:
    plain = target(widths=(3, 4))
    weight = plain.dense_chain()[0].weight
    goal = slth.dense_network([weight], [np.array([size, -size, 0.5 * size, 0.0])])
    small, large = (
        checked(own, tmp_path / name, domain=box(-reach, reach), eps=0.01 * size)
        for name, own in (("small", slth.dense_network([weight], [np.zeros(4)])), ("large", goal))
    )
    assert large.layers[0].lift_exponent > small.layers[0].lift_exponent


def test_constants_out_of_range_are_refused() -> None:
    inputs = Enclosure(np.full(2, -1e305), np.full(2, 1e305), np.zeros(2), np.inf)
    with pytest.raises(slth.CapacityExceeded, match=r"no constants up to 2\^1000 lift neurons"):
        planned(inputs, 0.3, "uniform", bias=0.0, edges=1)
    tiny = Enclosure(np.full(2, -1e-310), np.full(2, 1e-310), np.zeros(2), np.inf)
    assert planned(tiny, 0.3, "uniform", bias=0.0, edges=1).exponent == -1000


@pytest.mark.parametrize("other", [{"bias_exponent": 100}, {"bias_exponent": -100, "scale_exponent": -100}])
def test_constants_too_small_for_exact_biases_are_refused(other: dict[str, int]) -> None:
    ticket = lifted(target=target(widths=(3, 2)))
    layer = dataclasses.replace(ticket.layers[0], lift_exponent=-1000, **other)
    with pytest.raises(slth.CapacityExceeded, match=r"constants of 2\^-1000 do not fit its weights"):
        assemble(ticket.source, 0, layer)


def test_a_layer_of_zeros_is_not_lifted(tmp_path: Path) -> None:
    goal = slth.dense_network([np.zeros((3, 3)), np.ones((2, 3))], [np.array([0.1, 0.5, 0.2]), np.zeros(2)])
    ticket = lifted(target=goal, arrangement="auto")
    assert ticket.layers[0].arrangement != LIFTED
    with pytest.raises(slth.InvalidInput, match="unless all weights are zero"):
        lifted(target=goal)
    nothing = slth.dense_network([np.zeros((2, 3))], [np.zeros(2)])
    for arrangement in ("auto", "sign-matched", "paper", "blocks"):
        slth.prune(nothing, domain=box(), eps=0.1, arrangement=arrangement).save(tmp_path / arrangement)
        assert slth.check(tmp_path / arrangement).bound == 0.0


def test_live_neurons_are_counted_whatever_the_sign_of_the_input() -> None:
    for layer in lifted().summary()["layers"]:
        assert 0 < layer["live_min"] <= layer["live_max"] <= layer["copies"]
