"""Clopper-Pearson intervals: their coverage, summed exactly, and their limits against a slow definition."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.errors import InvalidInput
from slth.experiments.intervals import clopper_pearson, trials_needed


def tail(trials: int, p: Fraction, hits: list[int]) -> Fraction:
    """P(Binomial(trials, p) in hits), exactly."""
    return sum((comb(trials, h) * p**h * (1 - p) ** (trials - h) for h in hits), Fraction(0))


@pytest.mark.parametrize("trials", [1, 2, 5, 20, 41])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_each_side_errs_at_most_as_often_as_stated(trials: int, confidence: float) -> None:
    intervals = [clopper_pearson(h, trials, confidence=confidence) for h in range(trials + 1)]
    allowed = (1 - Fraction(confidence)) / 2
    truths = {Fraction(i, 50) for i in range(51)}
    # the worst truths lie just beyond the ends of intervals
    for interval in intervals:
        for end in (interval.low, interval.high):
            truths |= {Fraction(end) + Fraction(s, 10**9) for s in (-1, 1)}
    slack = Fraction(1, 10**12)
    for p in truths:
        if 0 <= p <= 1:
            too_high = [h for h, i in enumerate(intervals) if Fraction(i.low) > p]
            too_low = [h for h, i in enumerate(intervals) if Fraction(i.high) < p]
            assert tail(trials, p, too_high) <= allowed + slack
            assert tail(trials, p, too_low) <= allowed + slack


def test_limits_solve_the_defining_equation() -> None:
    p = clopper_pearson(7, 23)
    assert float(tail(23, Fraction(p.low), list(range(7, 24)))) == pytest.approx(0.025, rel=1e-9)
    assert float(tail(23, Fraction(p.high), list(range(8)))) == pytest.approx(0.025, rel=1e-9)


def test_a_narrower_interval_would_fail_the_coverage_test() -> None:
    """Negative control: the textbook normal interval errs far more often than it says."""
    trials, p = 20, Fraction(1, 20)
    wrong = []
    for hits in range(trials + 1):
        f = hits / trials
        half = 1.96 * (f * (1 - f) / trials) ** 0.5
        if not f - half <= p <= f + half:
            wrong.append(hits)
    assert tail(trials, p, wrong) > Fraction(3, 10)


@given(st.integers(1, 200).flatmap(lambda t: st.tuples(st.integers(0, t), st.just(t))))
def test_shape(case: tuple[int, int]) -> None:
    hits, trials = case
    p = clopper_pearson(hits, trials)
    assert 0 <= p.low <= p.estimate <= p.high <= 1
    mirrored = clopper_pearson(trials - hits, trials)
    assert mirrored.low == pytest.approx(1 - p.high, abs=1e-12)
    wider = clopper_pearson(hits, trials, confidence=0.99)
    assert wider.low <= p.low
    assert wider.high >= p.high
    assert (p.low == 0) == (hits == 0)
    assert (p.high == 1) == (hits == trials)


def test_undecided_trials_widen_both_ways() -> None:
    p = clopper_pearson(5, 20, undecided=3)
    assert p.low == clopper_pearson(5, 20).low
    assert p.high == clopper_pearson(8, 20).high
    assert str(p).startswith("5/20 (3 undecided) 0.25 [")
    assert str(p).endswith("] 95 % exact")


@pytest.mark.parametrize(
    ("estimate", "claimed"), [(0.55, 0.5), (0.3, 0.5), (1.0, 0.99), (0.0, 0.01), (0.9, 0.95)]
)
def test_trials_needed_is_the_least_that_separates(estimate: float, claimed: float) -> None:
    trials = trials_needed(estimate, claimed)
    assert trials is not None

    def apart(t: int) -> bool:
        p = clopper_pearson(round(estimate * t), t)
        return p.low >= claimed or p.high < claimed

    rounding = 2 if 0 < estimate < 1 else 0
    assert apart(trials + 20 * rounding)
    assert not apart(max(1, trials - 1 - 20 * rounding))


def test_no_plan_when_the_claim_is_the_estimate() -> None:
    assert trials_needed(0.5, 0.5) is None
    assert trials_needed(0.5, 0.5 + 1e-9) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hits": 3, "trials": 2}, r"`hits` must be an integer in \[0, 2\]; got 3"),
        ({"hits": 0, "trials": 0}, r"`trials` must be an integer >= 1; got 0"),
        ({"hits": 2, "trials": 2, "undecided": 1}, r"`hits` must be an integer in \[0, 1\]; got 2"),
        (
            {"hits": 1, "trials": 2, "confidence": 1.0},
            r"`confidence` must be a finite number in \(0.0, 1.0\); got 1.0",
        ),
    ],
)
def test_rejects(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        clopper_pearson(**arguments)  # type: ignore[arg-type]
