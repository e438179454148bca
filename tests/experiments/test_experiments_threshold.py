"""Thresholds: brackets against closed forms; slopes against laws planted in made-up tables."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.errors import InvalidInput
from slth.experiments import threshold as module
from slth.experiments.export import Row
from slth.experiments.intervals import clopper_pearson
from slth.experiments.law_of_n import Family, best_known, slope, slopes, threshold_points
from slth.experiments.threshold import Evidence, bracket, bracket_rows, side_of, threshold


def made_up(n: int, k: int, hits: int, trials: int, eps: float = 0.01, law: str = "uniform") -> Row:
    p = clopper_pearson(hits, trials)
    return Row(
        cell=f"{n}-{k}",
        event="hit",
        law=law,
        n=n,
        k=k,
        eps=eps,
        where="edge",
        selection="subset",
        seed=0,
        trials=trials,
        hits=hits,
        undecided=0,
        estimate=p.estimate,
        low=p.low,
        high=p.high,
        always_low=p.low,
        always_high=p.high,
        confidence=0.95,
    )


@pytest.mark.parametrize("probability", [0.5, 0.99])
def test_one_sample_has_a_closed_form(probability: float) -> None:
    """P(hit 0 with k = 1) = 1 - (1 - eps)^n for U[-1, 1]; a wrong bracket has probability <= 1e-6."""
    eps = 0.06
    truth = math.ceil(math.log(1 - probability) / math.log(1 - eps))
    found = threshold(
        "hit", eps, k=1, where=0.0, probability=probability, trials=4000, confidence=1 - 1e-6, seed=3
    )
    assert found.high is not None
    assert found.low <= truth <= found.high
    assert found.high - found.low <= 0.8 * truth
    assert found.monotone


def test_same_for_any_threads() -> None:
    arguments: dict[str, Any] = {"event": "hit", "eps": 0.06, "k": 1, "where": 0.0, "trials": 300, "seed": 3}
    assert threshold(**arguments, threads=1) == threshold(**arguments, threads=2)


@pytest.mark.parametrize("start", [1, 5, 40, 300])
def test_the_start_decides_where_to_look_only(start: int) -> None:
    found = threshold("hit", 0.06, k=1, where=0.0, trials=1000, confidence=1 - 1e-6, seed=3, start=start)
    assert found.low <= 12 <= (found.high or 0)
    assert found.high is not None
    assert found.high <= 20


def test_fixed_density_is_not_claimed_monotone() -> None:
    found = threshold("hit", 0.01, density=0.5, trials=500, seed=1)
    assert not found.monotone
    assert all(e.k == max(1, round(e.n / 2)) for e in found.evidence)
    assert found.low <= (found.high or 0)
    record = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert [e["n"] for e in record["evidence"]] == sorted(e.n for e in found.evidence)
    assert str(found) == f"[{found.low}, {found.high}] 95 %"


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 60))
def test_search_ends_and_brackets_any_threshold(truth: int, start: int, wide: int) -> None:
    """With answers known but for a dark zone around the truth, the bracket is as tight as the zone."""
    looked: list[int] = []

    def look(n: int) -> Any:
        looked.append(n)
        assert n >= 1
        return "undecided" if truth - wide <= n < truth + wide else "below" if n < truth else "reached"

    module._search(look, start, 1)
    assert len(set(looked)) < 60
    sides = {n: look(n) for n in set(looked)}
    p = clopper_pearson(1, 2)
    found = bracket(
        [Evidence(n, 1, p, side) for n, side in sides.items()], 0.5, confidence=0.9, monotone=True, least=1
    )
    assert found.high == truth + wide
    assert found.low == max(1, truth - wide)


def test_sides() -> None:
    assert side_of(clopper_pearson(90, 100), 0.5) == "reached"
    assert side_of(clopper_pearson(10, 100), 0.5) == "below"
    assert side_of(clopper_pearson(50, 100), 0.5) == "undecided"
    # unknown trials decide nothing
    assert side_of(clopper_pearson(60, 100, undecided=40), 0.7) == "undecided"


def test_bracket_of_rows_holds_for_all_rows_together() -> None:
    rows = [made_up(n, 3, hits, 1000) for n, hits in [(10, 100), (12, 300), (14, 480), (16, 535), (18, 900)]]
    found = bracket_rows(rows, 0.5)
    assert (found.low, found.high) == (13, 18)  # 535 of 1000 excludes 1/2 alone, but not among five
    assert rows[3].low > 0.5
    assert found.monotone
    assert {e.proportion.confidence for e in found.evidence} == {0.99}
    assert bracket_rows(rows[:3], 0.5).high is None
    assert str(bracket_rows(rows[:3], 0.5)) == "[13, unknown] 95 %"
    assert bracket_rows(rows[4:], 0.5).low == 3
    with pytest.raises(InvalidInput, match="`rows` must be one row for each n"):
        bracket_rows([rows[0], rows[0]], 0.5)
    with pytest.raises(InvalidInput, match="`rows` must be one row for each n"):
        bracket_rows([], 0.5)


def table_of(power: int, coefficient: float) -> list[Row]:
    """Counts of a sharp threshold where n H2(1/2) = n = coefficient log2(k/eps)^power, k = n/2."""
    rows = []
    for d in range(1, 9):
        eps = 10.0**-d
        for n in range(2, 2000 if power == 2 else 200, 2):
            reached = n >= coefficient * math.log2(n / 2 / eps) ** power
            rows.append(made_up(n, n // 2, 990 if reached else 10, 1000, eps))
    return rows


def test_a_straight_law_is_told_from_a_squared_one() -> None:
    family = [Family(density=0.5)]
    (straight,) = slopes(threshold_points(table_of(1, 1.5), family, probabilities=[0.5]))
    assert straight.whole[0] - 0.05 < 1.5 < straight.whole[1] + 0.05  # n is rounded up
    assert straight.whole[1] - straight.whole[0] < 0.4
    assert straight.squared_law == "refuted"
    assert straight.ratio[0] <= 1 <= straight.ratio[1]
    (squared,) = slopes(threshold_points(table_of(2, 0.5), family, probabilities=[0.5]))
    assert squared.squared_law == "not excluded"
    assert squared.ratio[0] <= squared.ratio_if_squared <= squared.ratio[1]
    record = json.loads(json.dumps(straight.summary(), allow_nan=False))
    assert record["family"] == "k/n=0.5"
    assert record["squared_law"] == "refuted"


def test_points_need_both_ends() -> None:
    rows = [made_up(n, 3, hits, 1000) for n, hits in [(10, 100), (12, 300), (14, 480), (18, 900)]]
    families = [Family(k=3), Family(k=4)]
    points = threshold_points(rows, families, probabilities=[0.5, 0.99, "1-eps"])
    assert [(p.family, p.probability) for p in points] == [("k=3", 0.5)]
    (point,) = points
    assert point.summary()["n_low"] == 13
    assert point.x == (math.log2(300), math.log2(300))
    assert point.y[0] < point.y[1]
    with pytest.raises(InvalidInput, match="`points` must be three or more; got 1"):
        slope(points)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "radius"}, "`event` must be one of 'hit', 'cover'"),
        ({"k": None}, "exactly one of `k` and `density` must be given; got k=None, density=None"),
        ({"density": 0.5}, "exactly one of `k` and `density` must be given"),
        ({"k": 0}, "`k` must be an integer >= 1"),
        ({"k": None, "density": 1.0}, "`density` must be a finite number"),
        ({"probability": 1.0}, "`probability` must be a finite number"),
        ({"eps": 0.0}, "`eps` must be a finite number"),
        ({"where": "corner"}, "`target` must be one of"),
        (
            {"trials": 100, "probability": 0.99},
            r"`trials` must be at least 1\d\d\d to place a threshold of 0.99",
        ),
        ({"start": 0}, "`start` must be an integer"),
    ],
)
def test_rejects(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"event": "hit", "eps": 0.1, "k": 1, **change}
    with pytest.raises(InvalidInput, match=message):
        threshold(**arguments)


def test_a_family_is_one_of_two() -> None:
    with pytest.raises(InvalidInput, match=r"exactly one of `k` and `density` must be given; got 1, 0.5"):
        Family(k=1, density=0.5)


def test_of_rows_that_tried_the_same_the_longer_counts() -> None:
    short, long, other = made_up(10, 3, 5, 10), made_up(10, 3, 450, 1000), made_up(12, 3, 7, 10)
    assert best_known([short, other, long]) == (long, other)
    assert best_known([long, short]) == (long,)
    assert set(best_known([short, replace(long, where=1.0)])) == {short, replace(long, where=1.0)}
