"""Shortened numbers never claim more than the number they stand for."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from slth.experiments.rounding import lower, upper

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@given(NUMBERS, st.integers(1, 8))
def test_outward_and_close(value: float, digits: int) -> None:
    above, below = float(upper(value, digits)), float(lower(value, digits))
    assert below <= value <= above
    if abs(value) > 1e-290:
        assert above - below <= abs(value) * 1.01 * 10.0 ** (1 - digits)


@given(st.integers(-9999, 9999), st.integers(-12, 12))
def test_short_numbers_stay(mantissa: int, exponent: int) -> None:
    value = float(f"{mantissa}e{exponent}")
    assert float(upper(value)) == float(lower(value)) == value


def test_infinities() -> None:
    assert (upper(math.inf), lower(-math.inf)) == ("inf", "-inf")
