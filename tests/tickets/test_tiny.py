"""Tickets of small networks: what they compute, what they claim, on every kind of domain and arrangement."""

from __future__ import annotations

import importlib
import itertools
from typing import Any

import numpy as np
import pytest
from builders import box, target, tiny_ticket
from oracles.tickets import masked_forward, plain_forward

import slth
from slth.networks.npz import save_npz
from slth.tickets import budgeting
from slth.tickets.layer import LIFTED
from slth.tickets.storage import write_manifest

DOMAINS = {
    "pixels": box(),
    "signed": box(-1.0, 1.0),
    "mixed": slth.Domain.box([-0.5, 0.0, 0.2], [0.5, 1.0, 0.9]),
    "ball": slth.Domain.ball(1.0, size=3),
}


def samples_of(domain: slth.Domain, count: int = 200) -> np.ndarray:
    rng = np.random.default_rng(5)
    corners = np.array(list(itertools.product(*zip(domain.low, domain.high, strict=True))))
    points = np.vstack((domain.low + rng.random((count, domain.size)) * (domain.high - domain.low), corners))
    return np.atleast_2d(domain.project(points))


def arrays(network: slth.Network) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    chain = network.dense_chain()
    return [layer.weight for layer in chain], [layer.bias for layer in chain]


@pytest.mark.parametrize("arrangement", ["sign-matched", "paper", "assigned", "blocks", "auto"])
@pytest.mark.parametrize("kind", list(DOMAINS))
@pytest.mark.parametrize("biased", [True, False])
def test_masked_source_is_the_reported_network(tmp_path, arrangement: str, kind: str, biased: bool) -> None:
    domain, goal = DOMAINS[kind], target(biased=biased)
    ticket = slth.prune(goal, domain=domain, eps=0.1, arrangement=arrangement, seed=3)
    ticket.save(tmp_path / "ticket")
    x = samples_of(domain)
    output, matrices = masked_forward(tmp_path / "ticket", x)
    for index, (positive, negative) in enumerate(matrices):
        own = ticket.assembled(index)
        assert np.array_equal(own.positive, positive)  # products and their sums are exact in float64
        assert np.array_equal(own.negative, negative)
    np.testing.assert_allclose(ticket.network().forward(x), output, rtol=0, atol=1e-12)
    error = np.linalg.norm(output - plain_forward(*arrays(goal), x), axis=1).max()
    assert 0 < error <= ticket.certificate.bound <= 0.1
    assert ticket.certificate.lower_estimate <= ticket.certificate.bound
    assert ticket.certificate.lower_estimate >= 0.9 * error
    assert slth.check(tmp_path / "ticket", goal).bound == ticket.certificate.bound


@pytest.mark.parametrize("biased", [True, False])
def test_neurons_owned_by_outputs_compute_the_reported_network(tmp_path, biased: bool) -> None:
    goal = target(biased=biased)
    ticket = slth.prune(goal, domain=box(), eps=0.1, arrangement="gathered", seed=3)
    assert [layer.owners for layer in ticket.layers] == ["outputs", "outputs"]
    ticket.save(tmp_path / "ticket")
    x = samples_of(box())
    output, matrices = masked_forward(tmp_path / "ticket", x)
    for index, (positive, _) in enumerate(matrices):
        own = ticket.assembled(index)
        assert np.array_equal(own.positive, positive)
        assert (own.kept_positive == ticket.layers[index].k).all()
    np.testing.assert_allclose(ticket.network().forward(x), output, rtol=0, atol=1e-12)
    error = np.linalg.norm(output - plain_forward(*arrays(goal), x), axis=1).max()
    assert 0 < error <= slth.check(tmp_path / "ticket").bound <= 0.1
    assert ticket.layers[0].kept_first == ticket.layers[0].serving > ticket.layers[0].kept_second


def test_neurons_that_choose_their_owner_need_fewer_of_them() -> None:
    goal = target(2, (8, 12, 3))
    domains = {"unsigned": box(size=8), "signed": box(-1.0, 1.0, 8)}
    for domain in domains.values():
        plain, assigned, auto = (
            slth.prune(goal, domain=domain, eps=0.05, arrangement=name)
            for name in ("sign-matched", "assigned", "auto")
        )
        assert auto.parameters <= assigned.parameters < 0.75 * plain.parameters
    # Twelve outputs of eight inputs: neurons of inputs are fewer, unless inputs are signed.
    assert auto.construction.arrangement == LIFTED


def test_neurons_that_choose_serve_by_their_largest_weights() -> None:
    ticket = slth.prune(target(2, (8, 12, 3)), domain=box(size=8), eps=0.05, arrangement="assigned")
    for index, layer in enumerate(ticket.layers):
        assert np.array_equal(np.sort(layer.members, axis=None), np.arange(layer.members.size))
        incoming = ticket.source.block(index, 0, 0, layer.inputs).reshape(-1, layer.inputs)
        chosen = incoming[layer.members, np.arange(layer.inputs)[:, None]] * 2.0**-23
        assert chosen.mean() > 0.7
        assert (chosen <= 0).mean() < 0.1


def test_exactly_k_edges_per_weight_and_half() -> None:
    ticket = tiny_ticket(domain=box(-1.0, 1.0), inputs=None, k=9)
    for index, layer in enumerate(ticket.layers):
        own = ticket.assembled(index)
        assert (own.kept_positive == 9).all()
        signed = np.full(layer.inputs, layer.signed)
        signed[-1] = False
        assert (own.kept_negative == np.where(signed, 9, 0)).all()
    assert ticket.dead_edges == 0


def test_weights_that_are_zero_keep_nothing() -> None:
    goal = slth.dense_network([[[0.5, 0.0, -0.25]]], [[0.0]])
    ticket = slth.prune(goal, domain=box(), eps=0.01, k=5)
    own = ticket.assembled(0)
    assert own.kept_positive.tolist() == [[5, 0, 5, 0]]
    assert own.positive[0, 1] == 0.0


def test_paper_arrangement_reports_dead_edges_apart() -> None:
    ticket = tiny_ticket(arrangement="paper")
    chosen = sum(layer.k * layer.outputs * layer.inputs for layer in ticket.layers)
    kept = sum(layer.kept_second for layer in ticket.layers)
    assert ticket.dead_edges == chosen - kept > 0


def test_large_weights_are_rescaled_and_errors_are_in_original_units(tmp_path) -> None:
    goal = target(scale=20.0)
    ticket = slth.prune(goal, domain=box(), eps=0.5)
    assert all(layer.scale_exponent == 5 for layer in ticket.layers)
    x = samples_of(box())
    error = np.linalg.norm(ticket.network().forward(x) - goal.forward(x), axis=1).max()
    assert 1e-4 < error <= ticket.certificate.bound <= 0.5


def test_masks_agree_with_their_sparse_form_and_the_counts() -> None:
    ticket = tiny_ticket()
    total = 0
    for name in ticket.mask_names:
        mask = ticket.mask(name)
        assert mask.dtype == np.bool_
        assert np.array_equal(ticket.mask_csr(name).toarray(), mask)
        total += mask.size
    assert total == ticket.parameters
    assert sum(int(ticket.mask(name).sum()) for name in ticket.mask_names) == ticket.kept
    assert ticket.density == ticket.kept / total
    assert ticket.density <= ticket.paper_density
    with pytest.raises(slth.InvalidInput, match=r"`name` must be one of layer1\.first, .*got 'nothing'"):
        ticket.mask("nothing")


def test_one_source_serves_several_targets() -> None:
    source = slth.Source(seed=11, layers=(slth.SourceLayer(4, 60, 4), slth.SourceLayer(5, 60, 2)))
    before = [source.block(0, 1, j, j + 1).copy() for j in range(4)]
    tickets = [slth.prune(target(seed), source, domain=box(), eps=0.05, k=9) for seed in range(3)]
    assert all(ticket.source == source for ticket in tickets)
    assert all(np.array_equal(source.block(0, 1, j, j + 1), before[j]) for j in range(4))
    masks = [ticket.mask("layer1.second") for ticket in tickets]
    assert not np.array_equal(masks[0], masks[1])


def test_threads_do_not_change_the_ticket() -> None:
    one, four = tiny_ticket(threads=1), tiny_ticket(threads=4)
    assert all(np.array_equal(a.packed, b.packed) for a, b in zip(one.layers, four.layers, strict=True))
    assert one.certificate.to_json() == four.certificate.to_json()


def test_closest_search_gives_a_smaller_bound() -> None:
    within, closest = tiny_ticket(), tiny_ticket(search="closest")
    assert closest.certificate.bound < within.certificate.bound / 10


def test_theorem_budget_asks_for_smaller_tolerances() -> None:
    frobenius, theorem = tiny_ticket(), tiny_ticket(budget="theorem")
    assert all(t.tolerance < f.tolerance for t, f in zip(theorem.layers, frobenius.layers, strict=True))
    assert theorem.certificate.budget <= 0.05


def test_predictions_are_proved_only_where_margins_allow() -> None:
    rng = np.random.default_rng(2)
    goal, inputs = target(), rng.random((500, 3))
    ticket = slth.prune(goal, domain=box(), eps=0.2, inputs=inputs)
    output = np.sort(goal.forward(inputs), axis=1)
    margin = output[:, -1] - output[:, -2]
    expected = int((margin > np.sqrt(2) * ticket.certificate.bound).sum())
    assert ticket.certificate.predictions_proved == expected
    assert 0 < expected < 500


def test_progress_counts_every_weight() -> None:
    seen: dict[str, tuple[int, int]] = {}
    tiny_ticket(progress=lambda name, done, total: seen.update({name: (done, total)}))
    assert seen == {"layer1": (16, 16), "layer2": (10, 10)}


def test_every_layer_has_its_own_scale_and_biases_may_have_another(tmp_path) -> None:
    goal = slth.dense_network([[[0.01, -0.008]], [[3.0], [-2.0]]], [[0.9], [0.001, 0.0]])
    ticket = slth.prune(goal, domain=box(size=2), eps=0.05)
    assert [(layer.scale_exponent, layer.bias_exponent) for layer in ticket.layers] == [(-6, 0), (2, 2)]
    assert ticket.layers[0].scale.constant == 64.0
    ticket.save(tmp_path / "ticket")
    x = samples_of(box(size=2))
    output, _ = masked_forward(tmp_path / "ticket", x)
    np.testing.assert_allclose(ticket.network().forward(x), output, rtol=0, atol=1e-14)
    error = np.linalg.norm(output - goal.forward(x), axis=1).max()
    assert error <= slth.check(tmp_path / "ticket").bound <= 0.05


def test_tolerances_from_the_certificate_are_looser_and_hold(tmp_path) -> None:
    goal = target(4, (8, 12, 3))
    entries, certificate = (
        slth.prune(goal, domain=box(size=8), eps=0.05, arrangement="assigned", budget=budget)
        for budget in ("frobenius", "certificate")
    )
    pairs = list(zip(entries.layers, certificate.layers, strict=True))
    assert all(b.tolerance > 1.5 * a.tolerance for a, b in pairs)
    assert certificate.parameters < entries.parameters
    assert 0.02 < certificate.certificate.bound <= 0.05 < certificate.certificate.budget
    certificate.save(tmp_path / "ticket")
    assert slth.check(tmp_path / "ticket", goal).bound == certificate.certificate.bound


def test_closest_subsets_are_counted_on_to_be_close() -> None:
    goal = target(4, (8, 12, 3))
    within, closest = (
        slth.prune(goal, domain=box(size=8), eps=0.05, budget="certificate", search=search, seed=1)
        for search in ("within", "closest")
    )
    pairs = list(zip(closest.layers, within.layers, strict=True))
    assert all(close.tolerance > 1.5 * any_.tolerance for close, any_ in pairs)
    assert closest.parameters < within.parameters
    assert closest.certificate.bound <= 0.05
    # Errors are as far below the tolerance as was counted on, or farther.
    errors = zip(closest.certificate.rms_errors, closest.layers, strict=True)
    assert all(error < layer.tolerance / 8 for error, layer in errors)


def test_the_certificate_decides_where_no_weight_need_be_within_tolerance(tmp_path) -> None:
    goal = target(4, (8, 12, 3))

    def ticket(
        search: str = "closest", copies: int | None = None, budget: str = "certificate", **more: Any
    ) -> slth.Ticket:
        wanted = {"search": search, "copies": copies, "budget": budget, "arrangement": LIFTED, **more}
        return slth.prune(goal, domain=box(size=8), eps=0.05, seed=3, **wanted)

    foretold = [layer.tolerance for layer in ticket().layers]
    with pytest.raises(slth.WeightsUnreachable, match="cannot be reached"):
        ticket("within", 20)
    with pytest.raises(slth.WeightsUnreachable, match="cannot be reached"):
        ticket(copies=15, budget="frobenius")
    with pytest.raises(slth.BoundMissed, match=r"of the closest subsets\. Use a larger `eps`, more copies"):
        ticket(copies=15)
    found = ticket(copies=20)
    found.save(tmp_path / "ticket")
    assert slth.check(tmp_path / "ticket", goal).bound == found.certificate.bound <= 0.05
    # One weight of the second layer is beyond the tolerance foretold: recorded is what all of them keep.
    assert found.layers[0].tolerance == foretold[0]
    assert foretold[1] < found.layers[1].tolerance == found.certificate.largest_errors[1]
    # So it is when its layers come from a stopped build, where no weight is solved again.
    ticket(copies=20, resume=tmp_path / "layers")
    solved: list[str] = []
    resumed = ticket(copies=20, resume=tmp_path / "layers", progress=lambda name, *_: solved.append(name))
    assert not solved
    assert resumed.summary() == found.summary()


def test_a_certificate_that_misses_eps_is_tightened_or_refused(monkeypatch) -> None:
    goal = target(4, (8, 12, 3))
    honest, prune_module = budgeting.budgeted, importlib.import_module("slth.tickets.prune")
    monkeypatch.setattr(
        prune_module, "budgeted", lambda *given, **more: [1.6 * t for t in honest(*given, **more)]
    )
    ticket = slth.prune(goal, domain=box(size=8), eps=0.05, budget="certificate", copies=120)
    assert ticket.certificate.bound <= 0.05
    monkeypatch.setattr(prune_module, "TIGHTENINGS", 0)
    with pytest.raises(
        slth.BoundMissed, match=r"`eps` must be one that the certificate can reach; got 0\.05"
    ) as e:
        slth.prune(goal, domain=box(size=8), eps=0.05, budget="certificate", copies=120)
    assert e.value.bound > e.value.eps == 0.05


@pytest.mark.parametrize("arrangement", ["sign-matched", "gathered"])
def test_a_window_of_sizes(tmp_path, arrangement: str) -> None:
    goal = target(4, (8, 12, 3))
    exact, window = (
        slth.prune(goal, domain=box(size=8), eps=0.05, arrangement=arrangement, window=width)
        for width in (0, 4)
    )
    assert window.parameters < 0.9 * exact.parameters
    for index, layer in enumerate(window.layers):
        kept = window.assembled(index).kept_positive
        assert kept.max() <= layer.k
        assert kept.min() >= layer.k - 4
        assert np.unique(kept).size > 1
    window.save(tmp_path / "ticket")
    slth.check(tmp_path / "ticket", goal)
    with pytest.raises(slth.InvalidInput, match="`window` must be 0 in the arrangement 'paper'; got 2"):
        slth.prune(goal, domain=box(size=8), eps=0.05, arrangement="paper", window=2)


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_one_edge_of_every_block(tmp_path, low: float) -> None:
    goal = target(4, (8, 12, 3))
    ticket = slth.prune(goal, domain=box(low, 1.0, 8), eps=0.05, arrangement="blocks", subset_density=0.25)
    ticket.save(tmp_path / "ticket")
    assert slth.check(tmp_path / "ticket", goal).bound <= 0.05
    for layer in ticket.layers:
        edges = layer.edges()
        half = layer.copies // 2 if layer.signed else layer.copies
        assert half == 4 * layer.k
        for j in range(layer.inputs - 1):
            counts = edges[j].reshape(-1, 4, layer.outputs).sum(axis=1)
            assert counts.max() == 1
            assert counts.mean() > 0.5  # but for the few of the wrong sign, whose choice carries nothing
    given = slth.prune(goal, domain=box(low, 1.0, 8), eps=0.05, arrangement="blocks", k=5)
    assert all(layer.k == 5 and layer.copies % 5 == 0 for layer in given.layers)
    with pytest.raises(
        slth.InvalidInput, match="`copies` must give every half k blocks of equal length; got 20"
    ):
        slth.prune(goal, domain=box(size=8), eps=0.05, arrangement="blocks", copies=20, k=7)


def test_two_edges_of_a_block_are_noticed(tmp_path) -> None:
    path = tmp_path / "ticket"
    tiny_ticket(arrangement="blocks", subset_density=0.5).save(path)
    slth.check(path)
    with np.load(path / "masks.npz") as stored:
        arrays = dict(stored)
    bits = np.unpackbits(arrays["edges_1"], axis=2, bitorder="little")
    bits[0, 0, :4] = [1, 1, 0, 0]
    arrays["edges_1"] = np.packbits(bits, axis=2, bitorder="little")
    save_npz(path / "masks.npz", arrays)
    write_manifest(path)
    with pytest.raises(slth.TicketDamaged, match=r"block\(s\) of which not exactly one is kept"):
        slth.check(path)


@pytest.mark.parametrize("arrangement", ["sign-matched", "assigned", "gathered"])
def test_normal_weights(tmp_path, arrangement: str) -> None:
    goal = target(4, (8, 12, 3))
    ticket = slth.prune(goal, domain=box(size=8), eps=0.05, arrangement=arrangement, law="normal", seed=2)
    ticket.save(tmp_path / "ticket")
    assert slth.check(tmp_path / "ticket", goal).bound <= 0.05
    index, layer = 1, ticket.layers[1]
    first, second = (ticket.mask(f"{layer.name}.{part}") for part in ("first", "second"))
    sums = np.zeros((layer.outputs, layer.inputs))
    for row in np.flatnonzero(first.any(axis=1)):
        owner, copy = divmod(int(row), layer.copies)
        for j in np.flatnonzero(first[row]):
            a = ticket.source.weight(index, 0, owner, copy, int(j))
            for i in np.flatnonzero(second[:, row]):
                sums[i, j] += a * ticket.source.weight(index, 1, owner, copy, int(i))
    np.testing.assert_allclose(ticket.assembled(index).positive, sums, rtol=0, atol=1e-13)
    with pytest.raises(slth.InvalidInput, match="`law` must be one of 'uniform', 'normal'; got 'cauchy'"):
        slth.prune(goal, domain=box(size=8), eps=0.05, law="cauchy")
