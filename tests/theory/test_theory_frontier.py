"""The data of the density figure: published numbers inside, conventions, and files that lose nothing."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from oracles.theory import theorem_3_root

from slth.errors import InvalidInput
from slth.laws.product import LiveProduct
from slth.theory.covering import uncovered_probability
from slth.theory.frontier import PUBLISHED_GAMMAS, density_table
from slth.theory.table import COLUMNS, Table


@pytest.fixture(scope="module")
def table() -> Table:
    return density_table()


def test_published_numbers_are_in_the_table(table: Table) -> None:
    rows = table.rows("theorem-3", "one")
    stored = dict(zip(rows.column("gamma"), rows.column("n"), strict=True))
    published = ("883.166", "1714.05", "9345.16", "63530.2", "477007", "3.13936e+07", "2.03944e+10")
    assert tuple(f"{stored[gamma]:.6g}" for gamma in PUBLISHED_GAMMAS) == published
    np.testing.assert_array_equal(rows.column("overparameterization"), 4 * rows.column("n"))
    np.testing.assert_allclose(rows.column("k"), rows.column("gamma") * rows.column("n"))
    ten = density_table(gammas=[0.5, 1e-6], c_amp=10).rows("theorem-3", "10").column("n")
    assert [f"{n:.6g}" for n in ten] == ["11138.8", "4.10243e+08"]


def test_lower_bounds_are_in_the_table(table: Table) -> None:
    for kind, published in (("printed", "22.4962"), ("norm-1", "12.0354")):
        rows = table.rows("lower-bound", kind)
        stored = dict(zip(rows.column("gamma"), rows.column("overparameterization"), strict=True))
        assert f"{stored[0.1]:.6g}" == published


def test_every_curve_is_there(table: Table) -> None:
    assert table.curves == (
        ("theorem-3", "one"),
        ("theorem-3", "literal"),
        ("theorem-3", "fitted"),
        ("lower-bound", "norm-1"),
        ("lower-bound", "printed"),
        ("sharp-one-edge", "w=1/2"),
        ("sharp-one-edge", "w=1"),
        ("sharp", "sign-matched"),
        ("sharp", "paper"),
        ("malach", ""),
        ("pensia", "theorem"),
        ("pensia", "experiment"),
    )
    for curve, variant in table.curves:
        rows = table.rows(curve, variant)
        assert np.all(rows.column("gamma") > 0)
        assert np.all(rows.column("overparameterization") > 1)
        assert np.all(rows.column("gamma") <= 0.5)


def test_order_of_the_curves(table: Table) -> None:
    """More density never needs more parameters, and theorem, prediction and lower bound stand in this order."""
    for curve, variant in (("theorem-3", "one"), ("lower-bound", "norm-1"), ("lower-bound", "printed")):
        rows = table.rows(curve, variant)
        assert np.all(np.diff(rows.column("gamma")) < 0)
        assert np.all(np.diff(rows.column("overparameterization")) > 0)
    sharp = table.rows("sharp", "paper")
    lower = table.rows("lower-bound", "norm-1")
    for gamma, y in zip(sharp.column("gamma"), sharp.column("overparameterization"), strict=True):
        theorem = 4 * float(theorem_3_root(float(gamma), 5e-7, 1.0))
        assert y < theorem
        assert y > np.interp(-gamma, -lower.column("gamma"), lower.column("overparameterization"))


def test_the_arrangements_differ_by_the_wasted_half(table: Table) -> None:
    matched, paper = table.rows("sharp", "sign-matched"), table.rows("sharp", "paper")
    np.testing.assert_array_equal(matched.column("k"), np.arange(2, 2 + len(matched)))
    np.testing.assert_allclose(matched.column("overparameterization"), 4 * matched.column("n"))
    np.testing.assert_allclose(paper.column("overparameterization"), 8 * paper.column("n"))
    np.testing.assert_allclose(matched.column("gamma"), matched.column("k") / matched.column("n"))
    np.testing.assert_allclose(paper.column("gamma"), matched.column("gamma") / 2)


def test_sharp_sizes_are_least(table: Table) -> None:
    rows = table.rows("sharp", "sign-matched")
    for i in (0, 3, 10, len(rows) - 1):
        k, n = int(rows.column("k")[i]), int(rows.column("n")[i])
        assert uncovered_probability(n, k, 5e-7, 1.0, LiveProduct()) <= 5.001e-7
        assert uncovered_probability(n - 1, k, 5e-7, 1.0, LiveProduct()) > 5e-7


def test_one_edge_per_weight(table: Table) -> None:
    """z = m_t/eps: about z ln z up to |w| = 1/2; up to 1 the mass e0^2/4 brings Malach's z^2 back."""
    e0 = 5e-7
    half = float(table.rows("sharp-one-edge", "w=1/2").column("n")[0])
    assert half == pytest.approx(math.log(1 / e0) / (2 * e0 * 0.5 * math.log(2)), rel=1e-5)
    full = float(table.rows("sharp-one-edge", "w=1").column("n")[0])
    assert full == pytest.approx(math.log(1 / e0) / (e0**2 / 4), rel=1e-3)


def test_printed_proof_is_marked(table: Table) -> None:
    rows = table.rows("theorem-3", "literal")
    notes = rows.columns["note"]
    assert notes[0] == "density not covered by the printed proof"
    assert notes[-1] == "density covered by the printed proof"
    assert sorted(notes, reverse=True) == list(notes)  # one switch, at a small density


def test_files_lose_nothing(table: Table) -> None:
    for copy in (Table.from_json(table.to_json()), Table.from_csv(table.to_csv())):
        assert copy.to_dict() == table.to_dict()
        assert copy.to_json() == table.to_json()
        assert copy.to_csv() == table.to_csv()
    assert json.loads(table.to_json())["meta"]["m_t"] == 1e4
    assert table.to_csv().splitlines()[1] == ",".join(COLUMNS)


def test_tables_are_frozen(table: Table) -> None:
    with pytest.raises(ValueError, match="read-only"):
        table.column("gamma")[0] = 1.0
    with pytest.raises(TypeError, match="does not support item assignment"):
        table.columns["gamma"] = ()  # type: ignore[index]


def test_fast_enough() -> None:
    start = time.perf_counter()
    density_table(2688, 0.05)
    assert time.perf_counter() - start < 30  # two seconds on an idle machine


def test_extreme_targets() -> None:
    for m_t, eps in ((1.0, 0.49), (1e9, 1e-6)):
        extreme = density_table(m_t, eps, gammas=(0.5, 1e-3), c_amp=("one", 2.5))
        assert ("theorem-3", "2.5") in extreme.curves
        json.loads(extreme.to_json())


def test_refusals(table: Table) -> None:
    with pytest.raises(InvalidInput, match=r"`eps` must be a finite number in \(0.0, 0.5\); got 0.5"):
        density_table(1e4, 0.5)
    with pytest.raises(InvalidInput, match=r"`m_t` must be a finite number >= 1.0; got 0"):
        density_table(0)
    with pytest.raises(InvalidInput, match=r"`gammas` must be a finite number in \(0.0, 0.5\]; got 0.6"):
        density_table(gammas=[0.6])
    with pytest.raises(InvalidInput, match=r"`gammas` must hold at least one density; got none"):
        density_table(gammas=[])
    with pytest.raises(InvalidInput, match=r"`c_amp` must be one of 'one', 'literal', 'fitted'; got 'many'"):
        density_table(c_amp="many")
    with pytest.raises(
        InvalidInput, match=r"`curve` must be one of theorem-3/one, .*; got 'theorem-9', variant None"
    ):
        table.rows("theorem-9")
    with pytest.raises(
        InvalidInput, match=r"`name` must be one of gamma, overparameterization, k, n; got 'note'"
    ):
        table.column("note")
    with pytest.raises(InvalidInput, match=r"`columns` must be curve, variant, .*; got curve"):
        Table({"curve": ["a"]}, {})
    with pytest.raises(InvalidInput, match=r"`columns` must have one length; got .*'gamma': 0"):
        Table({**{key: ["1"] for key in COLUMNS}, "gamma": []}, {})
    with pytest.raises(InvalidInput, match=r"`text` must be a density table in JSON; got"):
        Table.from_json("[1, 2]")
    with pytest.raises(InvalidInput, match=r"`text` must have schema 'slth/density-table/1'; got 'x'"):
        Table.from_json('{"schema": "x"}')
    with pytest.raises(InvalidInput, match=r"`text` must be a density table in CSV; got"):
        Table.from_csv("curve,gamma")
    with pytest.raises(InvalidInput, match=r"`text` must start with schema"):
        Table.from_csv(table.to_csv().replace("gamma", "delta"))
