"""Frontiers: theory in a target's norms, the search, trials that resume, rows that can be recounted."""

from __future__ import annotations

import itertools
import json
import math
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import slth
from slth.errors import InvalidInput
from slth.experiments.frontier import Frontier, domain_words, run_frontier
from slth.experiments.frontier_cell import FrontierCell, FrontierLedger, Recipe, build
from slth.experiments.frontier_rows import frontier_rows, rows_bytes
from slth.experiments.frontier_search import LOOKS, Look, copies_at, search
from slth.experiments.frontier_theory import (
    LayerFacts,
    family_bits,
    family_bound,
    layer_facts,
    theorem_3,
    theorem_3_at,
)
from slth.experiments.intervals import clopper_pearson
from slth.theory.lower_bounds import least_overparameterization
from slth.theory.network_bounds import gadget_size

PLAIN = Recipe("sign-matched", budget="frobenius")


def wanted(**changes: object) -> Frontier:
    rng = np.random.default_rng(3)
    target = slth.dense_network(
        [rng.normal(0, 0.4, (3, 2)), rng.normal(0, 0.4, (2, 3))], [rng.normal(0, 0.1, 3), rng.normal(0, 0.1, 2)]
    )
    plain = Frontier(
        target, slth.Domain.box(0, 1, 2), 0.3, "tiny", densities=(0.3, 0.45), recipe=PLAIN, trials=2
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frontier") / "whole.sqlite"
    run_frontier(wanted(), path, tickets=path.parent / "tickets")
    return path


def blocks(path: Path) -> list[tuple[str, int, str]]:
    with FrontierLedger(path, read_only=True) as ledger:
        return [(b.cell, b.block, b.payload) for b in ledger.blocks()]


# --- theory ---------------------------------------------------------------------------------------------------


def test_theorem_3_is_the_catalogue_where_norms_are_one() -> None:
    widths, eps, density = [30, 20, 10], 0.02, 0.2
    layers = [LayerFacts(e, d, 1.0, 1.0) for d, e in itertools.pairwise(widths)]
    values = slth.bound("theorem-3", widths=widths, eps=eps, density=density, c_amp=1).values
    found = theorem_3(layers, eps, density)
    assert found.parameters == values["m"]
    assert found.density == values["density_kept_at_most"]


def test_theorem_3_counts_biases_as_inputs_and_scales_eps_by_norms() -> None:
    layer = LayerFacts(outputs=4, inputs=7, norm=3.0, sensitivity=5.0)
    size = gadget_size(0.1, 0.3 / 15.0 / (2 * 4 * 7), 1.0)
    assert theorem_3([layer], 0.3, 0.1).parameters == 2 * 7 * size.n * (7 + 4)


def test_theorem_3_at_a_density_has_that_density() -> None:
    layers = [LayerFacts(32, 65, 3.0, 25.0), LayerFacts(10, 33, 3.0, 25.0)]
    for density in (0.1, 0.03, 0.005):
        found = theorem_3_at(layers, 0.1, density)
        assert found is not None
        assert 1.0 <= found.density / density < 1.05
    assert theorem_3_at(layers, 0.1, 0.4) is None  # no gamma' <= 1/2 has so dense a ticket


def test_family_bound_is_theorem_5_where_norms_are_one() -> None:
    layers = [LayerFacts(100, 100, 1.0, 1.0)]
    for density in (0.5, 0.1, 0.001):
        expected = least_overparameterization(1e4, 0.01, density, "norm-1")
        found = family_bound(layers, 0.01, density)
        assert expected is not None
        assert found == pytest.approx(1e4 * expected, rel=1e-12)


def test_family_bits_by_hand() -> None:
    layers = [LayerFacts(3, 2, 2.0, 4.0), LayerFacts(5, 3, 1.0, 1.0), LayerFacts(9, 9, 1.0, 0.01)]
    # the last layer's error hardly reaches the output: it asks for nothing
    assert family_bits(layers, 0.1) == pytest.approx(6 * math.log2(40) + 15 * math.log2(5) - 1)


def test_facts_of_the_theorems_own_networks_are_one() -> None:
    rng = np.random.default_rng(0)
    turns = [np.linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(3)]
    facts = layer_facts(slth.dense_network(turns), slth.Domain.ball(1.0, size=5))
    assert facts is not None
    assert [f.relative(0.01) for f in facts] == pytest.approx([0.01] * 3, rel=1e-9)


def test_relative_errors_do_not_see_how_layers_share_their_scale() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=(6, 4)), rng.normal(size=(3, 6))
    region = slth.Domain.box(-1, 1, 4)
    plain = layer_facts(slth.dense_network([one, two]), region)
    moved = layer_facts(slth.dense_network([8 * one, two / 8]), region)
    larger = layer_facts(slth.dense_network([one, 4 * two]), region)
    assert plain is not None
    assert moved is not None
    assert larger is not None
    for a, b, c in zip(plain, moved, larger, strict=True):
        assert a.relative(1.0) == pytest.approx(b.relative(1.0), rel=1e-9)
        assert a.relative(1.0) == pytest.approx(c.relative(4.0), rel=1e-9)


def test_sensitivity_bounds_what_an_error_of_norm_one_does() -> None:
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=(6, 4)), rng.normal(size=(3, 6))]
    biases = [rng.normal(size=6), rng.normal(size=3)]
    network = slth.dense_network(weights, biases)
    facts = layer_facts(network, slth.Domain.box(-1, 1, 4))
    assert facts is not None
    x = rng.uniform(-1, 1, (2000, 4))
    for index, fact in enumerate(facts):
        error = rng.normal(size=(fact.outputs, fact.inputs))
        error *= 1e-4 / np.linalg.norm(error, 2)
        moved = [w.copy() for w in weights]
        shifted = [b.copy() for b in biases]
        moved[index] += error[:, :-1]
        shifted[index] += error[:, -1]
        seen = np.linalg.norm(slth.dense_network(moved, shifted).forward(x) - network.forward(x), axis=1).max()
        assert 0.02 < seen / (1e-4 * fact.sensitivity) <= 1.0


def test_layers_of_other_kinds_have_no_facts() -> None:
    from slth.examples.digits import digits

    example = digits("cnn")
    assert layer_facts(example.network, example.domain) is None


# --- search ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("predicted", [(38, 36), (4, 5), (900, 800)])
@pytest.mark.parametrize("cut", [0.1, 0.35, 0.66, 0.99, 1.0, 1.3, 3.5, 9.0])
def test_search_ends_beside_a_size_that_fails(predicted: tuple[int, ...], cut: float) -> None:
    seen: dict[tuple[int, ...], Look] = {}

    def look(copies: tuple[int, ...]) -> Look:
        assert copies not in seen
        seen[copies] = Look(copies, 5 if sum(copies) >= cut * sum(predicted) else 4, 10)
        return seen[copies]

    assert [found for found, _ in search(look, predicted, (1, 1), share=0.5)] == list(seen.values())
    assert len(seen) <= LOOKS
    reached = [sum(c) for c, found in seen.items() if found.certified >= 5]
    failed = [sum(c) for c, found in seen.items() if found.certified < 5]
    if cut > 4:
        assert not reached
        return
    least = min(reached)
    assert all(value < least for value in failed)
    below = {sum(copies_at(s, predicted, (1, 1))) for s in range(1, 257)}
    between = [value for value in below if max(failed, default=0) < value < least]
    assert not between


def test_copies_are_multiples_of_their_steps() -> None:
    assert copies_at(33, (70, 143), (2, 1)) == (36, 74)
    assert copies_at(1, (10, 10), (2, 6)) == (2, 6)


# --- cells ----------------------------------------------------------------------------------------------------


def test_cell_digest_is_pinned() -> None:
    """A change here makes every trial of every stored frontier unreachable: give new fields a default."""
    cell = FrontierCell("t", "d", 0.5, 0.25, Recipe("paper"), 7, (4, 6), ("inputs", "outputs"))
    assert cell.canonical == (
        '{"copies":[4,6],"density":"0x1.0000000000000p-2","domain":"d","eps":"0x1.0000000000000p-1",'
        '"owners":["inputs","outputs"],"recipe":{"arrangement":"paper"},"seed":7,"target":"t"}'
    )
    assert FrontierCell.from_canonical(cell.canonical) == cell
    assert cell.trial_seed(0) != cell.trial_seed(1) < 2**128


@pytest.mark.parametrize("text", ["", "{}", '{"copies":[4]}', '{"density":"0x1p-2","eps":"0x1p-1"}', "[1]"])
def test_other_texts_are_no_cells(text: str) -> None:
    with pytest.raises(InvalidInput, match="`text` must be a cell of a frontier"):
        FrontierCell.from_canonical(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eps": 0.0}, "`eps` must be"),
        ({"trials": 0}, "`trials` must be"),
        ({"share": 0.0}, "`share` must be"),
        ({"densities": ()}, "`densities` must hold at least one"),
        ({"densities": (1.0,)}, "`densities` must be"),
    ],
)
def test_wishes_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        wanted(**changes)


def test_shards_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="`shard` must be i/n"):
        run_frontier(wanted(), tmp_path / "x.sqlite", shard=(3, 2))


# --- trials ---------------------------------------------------------------------------------------------------


def test_rows_are_what_the_trials_recount(whole: Path) -> None:
    rows = frontier_rows(whole)
    assert [row.density for row in rows] == [0.3, 0.45]
    with FrontierLedger(whole, read_only=True) as ledger:
        sized = [c for c in ledger.records().values() if c.copies is not None and c.stage == "trial"]
        counted = {
            cell.copies: [json.loads(b.payload)["outcome"] for b in ledger.blocks(cell.digest)]
            for cell in sized
            if cell.density == rows[0].density
        }
    row = rows[0]
    assert {t.copies: (t.certified, t.trials) for t in row.sizes} == {
        copies: (found.count("certified"), len(found)) for copies, found in counted.items()
    }
    assert 2 * row.certified >= row.trials == 2
    alone = clopper_pearson(row.certified, row.trials)
    assert (row.low, row.high) == (alone.low, alone.high)
    smaller = [t for t in row.sizes if sum(t.copies) < sum(row.copies)]
    assert all(2 * t.certified < t.trials for t in smaller)


def test_the_ticket_of_a_row_can_be_built_again(whole: Path) -> None:
    (row, _), plain = frontier_rows(whole), wanted()
    with FrontierLedger(whole, read_only=True) as ledger:
        cell = next(
            c
            for c in ledger.records().values()
            if (c.copies, c.density, c.stage) == (row.copies, row.density, "trial")
        )
    ticket = build(cell, row.trial, plain.target, plain.domain)
    assert ticket.source.seed == row.seed
    assert (ticket.parameters, ticket.kept, ticket.target_parameters) == (row.m, row.kept, row.m_t)
    assert ticket.certificate.bound == pytest.approx(row.bound, rel=1e-9)
    assert row.lower_estimate <= row.bound <= row.eps
    assert row.overparameterization == row.m / row.m_t
    assert row.gamma == row.kept / row.m
    assert row.family_bound is not None
    assert row.theorem_3 is not None
    assert row.family_bound < row.overparameterization < row.theorem_3
    assert row.code is not None
    assert row.code["quantised_bound"] <= row.bound


def test_every_saved_ticket_passes_the_check(whole: Path) -> None:
    folders = sorted((whole.parent / "tickets").iterdir())
    assert len(folders) == 2
    rows = frontier_rows(whole)
    for folder in folders:
        report = slth.check(folder, wanted().target)
        assert report.overparameterization in [r.overparameterization for r in rows]


def test_an_interrupted_run_goes_on(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.sqlite"

    def stop(stage: str, done: int, total: int) -> None:
        assert stage == "frontier"
        assert 0 <= done < total
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_frontier(wanted(), path, progress=stop)
    assert len(blocks(path)) == 5
    begun = []
    run_frontier(wanted(), path, progress=lambda *seen: begun.append(seen))
    assert begun[0][:2] == ("frontier", 5)
    assert blocks(path) == blocks(whole)
    begun.clear()
    run_frontier(wanted(), path, progress=lambda *seen: begun.append(seen))
    assert not begun


def test_shards_join_to_the_whole(whole: Path, tmp_path: Path) -> None:
    joined = tmp_path / "joined.sqlite"
    with FrontierLedger(joined) as ledger:
        for part in (1, 2):
            path = tmp_path / f"{part}.sqlite"
            run_frontier(wanted(), path, shard=(part, 2))
            with FrontierLedger(path, read_only=True) as other:
                assert ledger.take_over(other) == len(blocks(path))
                assert ledger.take_over(other) == 0
    assert blocks(joined) == blocks(whole)


def test_a_size_without_certificates_has_no_row(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    run_frontier(wanted(eps=1e-13, densities=(1e-4,), recipe=Recipe("paper", budget="theorem")), path)
    assert frontier_rows(path) == ()
    assert [json.loads(payload)["outcome"] for _, _, payload in blocks(path)] == ["no source"]


def test_a_damaged_trial_is_refused(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(whole.read_bytes())
    with sqlite3.connect(path) as database:
        database.execute("UPDATE blocks SET payload = replace(payload, 'certified', 'Certified')")
    with pytest.raises(slth.SlthError, match="is damaged"):
        frontier_rows(path)


def test_other_ledgers_are_refused(tmp_path: Path) -> None:
    from slth.experiments.shipped import shipped_ledger

    with pytest.raises(InvalidInput, match="`ledger` must hold a frontier"):
        frontier_rows(shipped_ledger("density"))


def test_tables(whole: Path) -> None:
    rows = frontier_rows(whole)
    text = rows_bytes(rows, ".csv").decode().splitlines()
    assert len(text) == 1 + len(rows)
    header, first = text[0].split(","), text[1].split(",")
    cells = dict(zip(header, first, strict=True))
    assert float(cells["overparameterization"]) == rows[0].overparameterization
    assert int(cells["seed"]) == rows[0].seed
    record = json.loads(rows_bytes(rows, ".json"))
    assert record["rows"][0]["seed"] == str(rows[0].seed)
    with pytest.raises(InvalidInput, match=r"`table` must end in .csv or .json"):
        rows_bytes(rows, ".txt")


def test_domains_in_words() -> None:
    assert domain_words(slth.Domain.box(-1, 1, 3)) == "box:-1:1"
    assert domain_words(slth.Domain.ball(2.0, size=3)) == "ball:2"
    assert domain_words(slth.Domain.box([0, 0], [1, 2])) == "box of 2 intervals"
