"""Confidence sequences: their error at every time at once, summed over all walks of a binomial count."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from slth.errors import InvalidInput
from slth.experiments.intervals import clopper_pearson
from slth.experiments.sequence import confidence_sequence

HORIZON = 70


@functools.cache
def limits(kind: str, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """low[t, h] and high[t, h] for 1 <= t <= HORIZON."""
    make = confidence_sequence if kind == "sequence" else clopper_pearson
    low, high = np.zeros((HORIZON + 1, HORIZON + 1)), np.ones((HORIZON + 1, HORIZON + 1))
    for t in range(1, HORIZON + 1):
        for h in range(t + 1):
            interval = make(h, t, confidence=confidence)
            low[t, h], high[t, h] = interval.low, interval.high
    return low, high


def ever_wrong(kind: str, confidence: float, p: float) -> float:
    """P(some interval up to the horizon misses p): walks are dropped at their first miss."""
    low, high = limits(kind, confidence)
    alive = np.zeros(HORIZON + 1)
    alive[0] = 1.0
    lost = 0.0
    for t in range(1, HORIZON + 1):
        step = alive * (1 - p)
        step[1:] += alive[:-1] * p
        wrong = (p < low[t]) | (p > high[t])
        wrong[t + 1 :] = False
        lost += step[wrong].sum()
        alive = np.where(wrong, 0.0, step)
    assert lost + alive.sum() == pytest.approx(1.0, abs=1e-12)
    return lost


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_error_at_all_times_together_is_at_most_the_stated_one(confidence: float) -> None:
    low, high = limits("sequence", confidence)
    ends = np.concatenate([low[1:].ravel(), high[1:].ravel()])
    ends = ends[(ends > 0) & (ends < 1)]
    picked = np.random.default_rng(1).choice(ends, 40)
    truths = [*np.linspace(0.0, 1.0, 41), *(picked + 1e-9), *(picked - 1e-9)]
    worst = max(ever_wrong("sequence", confidence, float(p)) for p in truths)
    assert worst <= 1 - confidence + 1e-12
    assert worst > 0.2 * (1 - confidence)  # not so wide as to be empty words


def test_looking_again_and_again_breaks_clopper_pearson() -> None:
    """Negative control: the exact interval for fixed trials errs far more often when looked at repeatedly."""
    assert max(ever_wrong("fixed", 0.95, p) for p in (0.2, 0.5, 0.7)) > 0.12


def test_ends_solve_the_defining_equation() -> None:
    """M_t(p) = 1/alpha at both ends, the mixture integrated numerically."""
    h, t = 13, 40
    interval = confidence_sequence(h, t, confidence=0.9)
    for p in (interval.low, interval.high):

        def likelihood_ratio(q: float, p: float = p) -> float:
            return math.exp(h * math.log(q / p) + (t - h) * math.log((1 - q) / (1 - p)))

        # w(q) dq with q = sin(a)^2 is (2/pi) da
        mixture, _ = quad(lambda a: likelihood_ratio(math.sin(a) ** 2) * 2 / math.pi, 1e-9, math.pi / 2 - 1e-9)
        assert mixture == pytest.approx(10.0, rel=1e-6)


@given(st.integers(1, 3000).flatmap(lambda t: st.tuples(st.integers(0, t), st.just(t))))
def test_shape(case: tuple[int, int]) -> None:
    hits, trials = case
    p = confidence_sequence(hits, trials)
    assert 0 <= p.low <= p.estimate <= p.high <= 1
    mirrored = confidence_sequence(trials - hits, trials)
    assert mirrored.low == pytest.approx(1 - p.high, abs=1e-12)
    fixed = clopper_pearson(hits, trials)
    assert p.low <= fixed.low
    assert p.high >= fixed.high
    if hits < trials:
        more = confidence_sequence(hits + 1, trials)
        assert more.low >= p.low
        assert more.high >= p.high


def test_unknown_outcomes_widen_both_ways() -> None:
    p = confidence_sequence(5, 20, undecided=3)
    assert p.low == confidence_sequence(5, 20).low
    assert p.high == confidence_sequence(8, 20).high
    assert p.false_alarm == pytest.approx(0.05)
    assert str(p).endswith("95 % at every stop")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hits": 3, "trials": 2}, r"`hits` must be an integer in \[0, 2\]; got 3"),
        ({"hits": 0, "trials": 0}, r"`trials` must be an integer >= 1; got 0"),
        ({"hits": 0, "trials": 1, "confidence": 0.0}, "`confidence` must be a finite number"),
    ],
)
def test_rejects(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        confidence_sequence(**arguments)  # type: ignore[arg-type]
