"""Means, claims and tables from rows that are written by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from slth.baselines.cells import StudyCell
from slth.baselines.compared import gap_table, side_by_side
from slth.baselines.lottery import (
    CEILING,
    claims,
    curves,
    plain_runs,
    popup_claims,
    run_name,
    runs,
    training_claims,
)
from slth.baselines.magnitude import ONE_SHOT, RANDOM, REINITIALISED, WINNING, Pruning
from slth.baselines.results import Finished, interval
from slth.baselines.training import Recipe

PRUNING = Pruning(rounds=14, rate=0.25)
COUNTS = [(19200, 30000, 1000)] * 15
LONG, SHORT = Recipe(iterations=600), Recipe(iterations=60)
RUN = "300-100, 600 steps"


def row(arm: str, number: int, test: int, train: int = 1124, stop: int = 300) -> dict[str, Any]:
    from slth.baselines.architecture import architecture

    return {
        "arm": arm,
        "round": number,
        "kept": list(PRUNING.counts(architecture("300-100"))[number]),
        "trainings": number + 1,
        "stop_iteration": stop,
        "stop_loss": 0.1,
        "stop_test": test,
        "stop_train": train,
        "final_test": test,
        "final_train": train,
        "final_loss": 0.01 * (number + 1),
        "stop_agree": test,
        "tests": 449,
        "trains": 1124,
    }


def cell(method: str, seed: int, rows: list[dict[str, Any]], recipe: Recipe = LONG) -> Finished:
    return Finished(StudyCell(method, seed, "300-100", pruning=PRUNING, recipe=recipe), tuple(rows), 1000)


@pytest.fixture
def study() -> list[Finished]:
    made = []
    for seed, shift in enumerate((0, 1, 0, 2, 1)):
        winning = [row(WINNING, r, 436 + shift + (r == 6), stop=300 - 5 * r - shift) for r in range(15)]
        again = [row(REINITIALISED, r, 430 + 2 * (seed % 2)) for r in range(1, 15)]
        made.append(cell("iterative", seed, winning + again))
        made.append(cell("random mask", seed, [row(RANDOM, r, 440 + 9 * shift) for r in range(1, 15)]))
        made.append(cell("one-shot", seed, [row(ONE_SHOT, r, 400) for r in range(1, 15)]))
        made.append(cell("iterative", seed, [row(WINNING, r, 300, 1000 + 10 * r) for r in range(15)], SHORT))
    return made


def test_interval_against_a_table() -> None:
    # Student's 97.5 % quantile with four degrees of freedom is 2.776 in every table
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    found = interval(values)
    half = 2.7764451 * np.std(values, ddof=1) / math.sqrt(5)
    assert found.low == pytest.approx(3 - half, rel=1e-7)
    assert found.high == pytest.approx(3 + half, rel=1e-7)
    assert interval([99.0, 100.0], high=100.0).high == 100.0
    assert str(interval([4.0])) == "4.00 (one seed)"


def test_runs_are_told_apart(study: list[Finished]) -> None:
    assert runs(study) == [RUN, "300-100, 60 steps"]
    assert plain_runs(study) == [RUN]
    options = StudyCell("iterative", 0, "20", pruning=Pruning(rewind=5), recipe=Recipe(dropout=0.5, warmup=9))
    assert run_name(options) == "20, 500 steps, dropout 0.5, warm-up 9, rewinding to step 5"


def test_curves(study: list[Finished]) -> None:
    arms = curves(study, RUN)
    assert set(arms) == {WINNING, REINITIALISED, RANDOM, ONE_SHOT}
    curve = arms[WINNING]
    assert curve.rounds == tuple(range(15))
    assert curve.seeds == (0, 1, 2, 3, 4)
    assert curve.density[0] == 1.0
    assert curve.stop_test[6] == pytest.approx([100 * n / 449 for n in (437, 438, 437, 439, 438)])
    assert curve.stop_iteration[2].tolist() == [290, 289, 290, 288, 289]


def test_claims_are_paired(study: list[Finished]) -> None:
    found = {(round(c.density, 3), c.statement): c for c in claims(study, RUN)}
    at = 0.183
    reaches = found[at, "winning ticket reaches the dense net"]
    # one more right answer in every seed: a difference without spread, though the seeds differ
    assert reaches.difference.mean == pytest.approx(100 / 449)
    assert reaches.difference.high - reaches.difference.low == pytest.approx(0, abs=1e-9)  # type: ignore[operator]
    assert reaches.verdict == "holds"
    assert found[at, "iterative beats one-shot"].verdict == "holds"
    assert found[at, "it beats its mask over fresh weights"].verdict == "holds"
    assert found[at, "it beats a random mask"].verdict == "does not hold"
    earlier = found[at, "it stops earlier than the dense net (steps)"]
    assert earlier.difference.mean == pytest.approx(30)
    assert earlier.verdict == "holds"
    assert sorted({d for d, _ in found}, reverse=True) == [0.183, 0.046, 0.021]


def test_training_accuracy(study: list[Finished]) -> None:
    full = {c.statement: c.verdict for c in training_claims(study, RUN)}
    assert full["final training accuracy rises"] == CEILING
    assert full["final training loss falls (milli)"] == "does not hold"
    rising = [c for c in training_claims(study, "300-100, 60 steps") if "accuracy" in c.statement]
    assert {c.verdict for c in rising} == {"holds"}
    assert min(c.density for c in rising) >= 0.12


def test_popup_claim(study: list[Finished]) -> None:
    for seed in range(5):
        masked = StudyCell("edge-popup", seed, "600-200", 0.5, "signed-constant")
        study.append(Finished(masked, (row(WINNING, 0, 431 + seed % 2) | {"unchanged": 1},), 100))
    (claim,) = popup_claims(study)
    assert claim.verdict == "holds"
    assert claim.difference.mean == pytest.approx(100 * np.mean([-5, -5, -5, -6, -6]) / 449)


def test_side_by_side(study: list[Finished]) -> None:
    constructed = {
        "m": 1000, "m_t": 10, "kept": 20, "paper_kept": 30, "k": [3, 3], "bound": 0.5, "found_error": 0.1,
        "proved": 400, "test": 436, "agree": 449, "tests": 449,
    }  # fmt: skip
    for seed in (0, 1):
        made = constructed | {"bound": 0.5 + seed}
        study.append(Finished(StudyCell("constructed", seed, k=3, eps=5.0), (made,), 2000))
    rows = side_by_side(study)
    (dense,) = [r for r in rows if r.method == "trained dense net"]
    assert (dense.source, dense.ticket, dense.density) == (50610, 50610, 1.0)
    assert dense.seconds == pytest.approx(1 / 29)
    ticket = next(r for r in rows if r.method == "IMP ticket" and r.density < 0.2)
    assert ticket.source == 50610
    assert ticket.seconds == pytest.approx(7 / 29)
    (strong,) = [r for r in rows if r.method == "constructed ticket"]
    assert (strong.source, strong.ticket, strong.certified) == (1000, 20, 1.5)
    assert strong.agreement.mean == 100.0
    assert all(r.certified is None for r in rows if r is not strong)


def test_gap_medians() -> None:
    logs = list(range(-10000, 90001, 1000))
    data = {name: logs for name in ("exists", "last", "random")} | {"visited": [x + 5000 for x in logs]}
    study = [Finished(StudyCell("gap", 0, source="weight", n=8), ({"masks": 10, **data},), 1)]
    (found,) = gap_table(study)
    assert found.trials == 101
    assert found.exists[0] == pytest.approx(1e4)
    # 101 trials: the 41st and the 61st order statistics hold the median with 95.4 %
    assert [math.log10(v) for v in found.exists[1:]] == pytest.approx([3.0, 5.0])
    assert found.ratio == pytest.approx([10**0.5] * 3)
    few = [
        Finished(
            StudyCell("gap", 0, source="weight", n=8), ({"masks": 1, **{k: v[:3] for k, v in data.items()}},), 1
        )
    ]
    assert gap_table(few)[0].exists[1:] == (0.0, math.inf)
