"""Numbers shortened for print without saying more than is proved: upper bounds round up, lower bounds down."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

DIGITS = 4


def upper(value: float, digits: int = DIGITS) -> str:
    """`value` with so many significant digits, rounded up.

    Examples
    --------
    >>> upper(0.0048604001), upper(0.05), upper(0.0)
    ('0.004861', '0.05', '0')
    """
    return _shorten(value, digits, ROUND_CEILING)


def lower(value: float, digits: int = DIGITS) -> str:
    """`value` with so many significant digits, rounded down.

    Examples
    --------
    >>> lower(0.0016889), lower(1.0)
    ('0.001688', '1')
    """
    return _shorten(value, digits, ROUND_FLOOR)


def _shorten(value: float, digits: int, rounding: str) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    # the shortest decimal that reads back as the float, so that 0.05 stays 0.05
    exact = Decimal(repr(float(value)))
    step = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    return f"{float(exact.quantize(step, rounding=rounding)):.{digits}g}"
