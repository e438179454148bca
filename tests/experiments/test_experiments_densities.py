"""Sizes read off covering radii: brackets against a fresh count, tolerances between bins, others left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.experiments.cell import Cell
from slth.experiments.densities import coverings
from slth.experiments.export import Tally, tallies
from slth.experiments.ledger import Ledger
from slth.experiments.shipped import shipped_ledger
from slth.experiments.spec import parse_spec
from slth.experiments.sweep import run_sweep
from slth.laws.product import LiveProduct
from slth.subset_sum.cover import cover

TEXT = """
trials = 200
block = { trials = 200 }
[[grid]]
event = "radius"
law = ["product", "uniform"]
n = [4, 6, 8, 12, 16, 24]
k = [3]
range = [1.0]
[[grid]]
event = "radius"
selection = "one-per-block"
law = ["product"]
n = { from = 8, to = 24, step = 4 }
gamma = [0.25]
range = [1.0]
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Tally]:
    path = tmp_path_factory.mktemp("densities") / "a.sqlite"
    run_sweep(parse_spec(TEXT), path)
    with Ledger(path, read_only=True) as ledger:
        return tallies(ledger)


def test_brackets_hold_the_threshold_of_other_samples(found: Sequence[Tally]) -> None:
    eps, trials = 0.05, 300
    by_selection = {c.selection: c for c in coverings(found, eps)}
    assert set(by_selection) == {"subset", "one-per-block"}
    rng = np.random.default_rng(5)
    for selection, c in by_selection.items():
        assert c.low[0] <= c.high[0]
        short = (c.low[0] - 1, 3) if selection == "subset" else c.low
        for (n, k), reached in ((c.high, True), (short, False)):
            kind = {"k": k} if selection == "subset" else {"blocks": n // k}
            samples = LiveProduct().sample(rng, (trials, n))
            share = sum(cover(x, -1.0, 1.0, eps, **kind).covered is True for x in samples) / trials
            # five standard deviations of both counts
            assert share > 0.36 if reached else share < 0.64


def test_a_tolerance_between_edges_is_no_narrower(found: Sequence[Tally]) -> None:
    edge = 10.0 ** (-20 / 16)
    between = coverings(found, edge * 1.05)
    at_edge = coverings(found, 10 ** (-19 / 16)), coverings(found, edge)
    for c in between:
        coarse, fine = (next(d for d in group if d.family == c.family) for group in at_edge)
        assert c.low[0] <= min(fine.low[0], c.high[0])
        assert c.high[0] >= coarse.high[0] >= coarse.low[0]
    assert {c.family for c in between} == {"k=3", "one of each 4"}


def test_coordinates(found: Sequence[Tally]) -> None:
    c = next(c for c in coverings(found, 0.1) if c.family == "one of each 4")
    assert all(n == 4 * k for n, k in (c.low, c.high))
    p = c.point()
    assert p.x == pytest.approx((math.log2(c.low[1] / 0.1), math.log2(c.high[1] / 0.1)))
    entropy = 0.25 * 2 + 0.75 * math.log2(4 / 3)
    assert p.y == pytest.approx((entropy * c.low[0], entropy * c.high[0]))


def test_what_decides_nothing_is_passed_over(found: Sequence[Tally]) -> None:
    assert coverings(found, 1e-12) == ()
    assert coverings(found, 1e-30) == ()
    uniform = [t for t in found if t.cell.law == "uniform"]
    assert uniform
    assert coverings(uniform, 0.05) == ()
    assert isinstance(found[0].cell, Cell)
    with pytest.raises(InvalidInput, match="`probability` must"):
        coverings(found, 0.05, probability=1.0)


def test_the_shipped_ledger_decides_at_many_tolerances() -> None:
    path: Path = shipped_ledger("density")
    with Ledger(path, read_only=True) as ledger:
        cells = tallies(ledger)
    families = {c.family for eps in (1e-1, 1e-2, 1e-3, 1e-4) for c in coverings(cells, eps)}
    assert {"k/n=0.5", "k=3", "k=6", "one of each 2", "one of each 4", "one of each 16"} <= families
