"""Verdicts: decided by the ends of the interval alone, the claimed probability itself included."""

from __future__ import annotations

import math

import pytest

from slth.experiments.claims import Claim
from slth.experiments.intervals import Proportion, clopper_pearson
from slth.experiments.verdict import judge


def interval(low: float, high: float) -> Proportion:
    return Proportion(50, 100, 0, low, high, 0.95)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.5, 0.7, "verified"),
        (math.nextafter(0.5, 0.0), 0.7, "undecided"),
        (0.3, 0.5, "undecided"),
        (0.3, math.nextafter(0.5, 0.0), "refuted"),
        (0.5, 0.5, "verified"),
    ],
)
def test_ends_decide(low: float, high: float, verdict: str) -> None:
    assert judge(Claim("given", "Given", 0.5), interval(low, high))[0] == verdict


def test_a_claim_that_does_not_apply_is_never_decided() -> None:
    claim = Claim("given", "Given", 0.1, hypotheses=(("eps < 1", False),))
    verdict, reason, needed = judge(claim, interval(0.4, 0.6))
    assert (verdict, needed) == ("undecided", None)
    assert reason.endswith("There is nothing to verify.")


def test_a_fresh_run_of_the_length_advised_decides() -> None:
    claim = Claim("given", "Given", 0.55)
    verdict, reason, needed = judge(claim, clopper_pearson(60, 100))
    assert verdict == "undecided"
    assert f"about {needed} trials" in reason
    assert judge(claim, clopper_pearson(round(0.6 * needed), needed))[0] == "verified"
    assert judge(claim, clopper_pearson(round(0.6 * needed) - needed // 50, needed))[0] == "undecided"
