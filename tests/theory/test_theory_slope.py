"""The squared logarithm: predicted slopes against numbers, and the band of slopes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.errors import InvalidInput
from slth.laws.normal import Normal
from slth.laws.uniform import Uniform
from slth.theory.slope import entropy_line, predicted_slope, slope_band

EPS = [10.0**-e for e in range(3, 16, 3)]


@pytest.mark.parametrize("density", [0.5, 0.25, 0.1])
def test_slopes_of_single_targets(density: float) -> None:
    """Sizes follow the law derived by hand: slope 1 at fixed confidence, 1/(1 - g) in the tail."""
    half = entropy_line(Normal(1.0), EPS, density=density, event="hit", confidence=0.5)
    assert half.slope == pytest.approx(predicted_slope(density), abs=0.06)
    tail = entropy_line(Normal(1.0), EPS, density=density, event="hit")
    assert tail.slope == pytest.approx(predicted_slope(density, exponent=1.0), rel=0.05)
    assert tail.exponent < 1.2


def test_coverage_is_linear_too() -> None:
    line = entropy_line(Uniform(), EPS[:4], density=0.25, place=1.0)
    assert line.slope == pytest.approx(4 / 3, abs=0.15)
    assert line.exponent < 1.3
    assert list(line.n) == sorted(line.n)
    half = entropy_line(Uniform(), EPS[:4], k=8, place=1.0, confidence=0.5)
    assert half.slope == pytest.approx(1.0, abs=0.1)
    assert set(half.k) == {8}


def test_guarantees_cost_a_factor_not_a_logarithm() -> None:
    line = entropy_line(
        Normal(1.0), [1e-2, 1e-5, 1e-8], density=0.2, place=1.0, confidence=0.5, kind="two-halves"
    )
    assert 1.5 < line.slope < 2.5


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(-5, 5), st.floats(0, 2)), min_size=2, max_size=5))
def test_the_band_is_attained_at_corners(rows: list[tuple[float, float, float]]) -> None:
    x = np.array([row[0] for row in rows]) + 100.0 * np.arange(len(rows))
    low = np.array([row[1] for row in rows])
    high = low + np.array([row[2] for row in rows])
    corners = [np.polyfit(x, np.where(c, high, low), 1)[0] for c in itertools.product((0, 1), repeat=len(rows))]
    assert slope_band(x, low, high) == pytest.approx((min(corners), max(corners)), abs=1e-9)


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match=r"`eps` must hold at least two different numbers in \(0, 1\)"):
        entropy_line(Uniform(), [0.1, 0.1], k=3)
    with pytest.raises(InvalidInput, match=r"`low` must not exceed `high`; got 2.0 > 1.0 at index 1"):
        slope_band([0.0, 1.0], [0.0, 2.0], [0.0, 1.0])
    with pytest.raises(InvalidInput, match=r"`bits` must not all be equal; got"):
        slope_band([1.0, 1.0], [0.0, 1.0], [0.0, 1.0])
    with pytest.raises(InvalidInput, match=r"must have one length of at least 2; got 1, 1, 1"):
        slope_band([1.0], [0.0], [0.0])
    with pytest.raises(InvalidInput, match=r"`density` must be a finite number in \(0.0, 1.0\); got 1"):
        predicted_slope(1)
