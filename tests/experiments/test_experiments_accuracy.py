"""Predictors against measurements: distances from the interval, scores, misses that are found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slth.experiments.accuracy import compare, rows_at_loads, scores
from slth.experiments.bins import edge_bin
from slth.experiments.export import Row, tallies
from slth.experiments.ledger import Ledger
from slth.experiments.shipped import LEDGERS, SWEPT, shipped_ledger
from slth.experiments.spec import parse_spec, read_spec
from slth.experiments.sweep import run_sweep, sweep_status
from slth.laws.uniform import Uniform
from slth.theory.catalogue import predictor
from slth.theory.entropy import log_binomial

TEXT = """
trials = 600
block = { trials = 600 }
[[grid]]
event = "closest"
n = [20]
k = [2, 5]
[[grid]]
event = "radius"
n = [16]
k = [5]
[[grid]]
event = "hit"
n = [10]
k = [3]
eps = [0.01]
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, ...]:
    path = tmp_path_factory.mktemp("accuracy") / "a.sqlite"
    run_sweep(parse_spec(TEXT), path)
    with Ledger(path, read_only=True) as ledger:
        return rows_at_loads(tallies(ledger), loads=(1.0, 10.0, 100.0))


def test_loads_choose_tolerances_without_the_data(rows: tuple[Row, ...]) -> None:
    assert len(rows) == 3 * 3 + 1  # and the one with a tolerance of its own
    assert [row.eps for row in rows if row.n == 10] == [0.01]
    for row in rows:
        if row.n == 10:
            continue
        edge_bin(row.eps)
        density = float(Uniform().sum_pdf(row.k**0.5, row.k))
        load = 2 * row.eps * density * float(2.718281828459045 ** float(log_binomial(row.n, row.k)))
        assert min(abs(load / wanted - 1) for wanted in (1, 10, 100)) < 0.08
    assert {row.event for row in rows} == {"hit", "cover"}


def test_miss_is_the_distance_from_the_interval(rows: tuple[Row, ...]) -> None:
    found = compare(rows, predictors=("annealed", "cox", "saddlepoint"), samples=200)
    assert len(found) == 3 * len(rows)
    for c in found:
        if c.predictor == "cox":
            place = c.k**0.5
            assert (
                c.predicted == predictor("cox", c.event).evaluate(c.n, c.k, c.eps, place, Uniform()).probability
            )
        if c.low <= c.predicted <= c.high:
            assert c.miss == 0
        else:
            assert c.miss == pytest.approx(min(abs(c.predicted - c.low), abs(c.predicted - c.high)))
        assert (c.error is None) == (c.predictor != "saddlepoint")
        json.dumps(c.summary(), allow_nan=False)
    by_name = {(s.event, s.predictor): s for s in scores(found, k_min=5)}
    assert by_name["hit", "cox"].cells == 3
    assert by_name["hit", "cox"].within == 3
    # the annealed first moment is wrong at constant density, and the comparison shows it
    assert by_name["hit", "annealed"].within < 3
    assert by_name["hit", "annealed"].worst > 0.05
    order = [s.predictor for s in scores(found, k_min=5) if s.event == "hit"]
    assert order[-1] == "annealed"


@pytest.mark.parametrize("name", SWEPT)
def test_shipped_ledgers_are_what_their_specifications_ask_for(name: str) -> None:
    path = shipped_ledger(name)
    spec = read_spec(path.with_suffix(".toml"))
    status = sweep_status(spec, path)
    assert status.complete
    assert status.others == 0
    assert path.stat().st_size < 1_200_000
    with Ledger(path, read_only=True) as ledger:
        assert ledger.check() == ()
        lengths = {cell: length for cell, length in ledger.cells().values()}
    # whoever runs the specification anew cuts the same blocks and so gets the same bits
    assert lengths == {cell: length for cell, _, length in spec.plan()}


def test_a_shipped_block_repeats() -> None:
    from slth.experiments.cell import run_block

    for name in SWEPT:
        with Ledger(shipped_ledger(name), read_only=True) as ledger:
            cheap = sorted(
                (length * cell.n**2 * cell.k, digest) for digest, (cell, length) in ledger.cells().items()
            )
            for _, digest in cheap[:4]:
                cell, length = ledger.cells()[digest]
                block = next(ledger.blocks(digest))
                assert run_block(cell, block.block, length) == block.payload


def test_shipped_paths_exist() -> None:
    assert all(isinstance(shipped_ledger(name), Path) and shipped_ledger(name).is_file() for name in LEDGERS)
