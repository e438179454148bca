"""Checks of arguments at the public boundary: each returns the canonical value or raises InvalidInput.

The message form is one for the whole package: what the argument must be, what it was, where, and the
remedy if there is one. Inner code assumes canonical values and checks nothing again.
"""

from __future__ import annotations

import math
import operator
import secrets
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth.errors import InvalidInput


def as_integer(value: Any, name: str, *, low: int | None = None, high: int | None = None) -> int:
    """Return `value` as an int within [low, high]; bool is not an integer here."""
    rule = f"`{name}` must be an integer{_range_text(low, high)}; got {value!r}."
    if isinstance(value, (bool, np.bool_)):
        raise InvalidInput(rule)
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidInput(rule) from None
    if (low is not None and number < low) or (high is not None and number > high):
        raise InvalidInput(rule)
    return number


def as_real(
    value: Any,
    name: str,
    *,
    low: float | None = None,
    high: float | None = None,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return `value` as a finite float within the stated interval."""
    rule = f"`{name}` must be a finite number{_range_text(low, high, open_low, open_high)}; got {value!r}."
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise InvalidInput(rule)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(rule) from None
    if not math.isfinite(number):
        raise InvalidInput(rule)
    if low is not None and (number <= low if open_low else number < low):
        raise InvalidInput(rule)
    if high is not None and (number >= high if open_high else number > high):
        raise InvalidInput(rule)
    return number


def as_fraction(value: Any, name: str) -> float:
    """Return `value` as a float strictly between 0 and 1."""
    return as_real(value, name, low=0.0, high=1.0, open_low=True, open_high=True)


def as_seed(value: Any) -> int:
    """Return `value` if it is a seed of random streams, or one drawn from the system in place of None."""
    return secrets.randbits(64) if value is None else as_integer(value, "seed", low=0, high=2**128 - 1)


def as_floats(values: npt.ArrayLike, name: str, *, ndim: int | tuple[int, ...]) -> FloatArray:
    """Return a fresh C-contiguous float64 array of finite values with an allowed number of dimensions.

    Integers too large for float64 to hold exactly are refused: they would be silently rounded.
    """
    try:
        raw = np.asarray(values)
        if raw.dtype == np.longdouble and raw.dtype != np.float64:
            raise InvalidInput(f"`{name}` must be float64 or narrower; got dtype {raw.dtype}.")
        if raw.dtype.kind not in "fiu":
            raise InvalidInput(f"`{name}` must be an array of real numbers; got dtype {raw.dtype}.")
        array = np.array(raw, dtype=np.float64, order="C", copy=True)
    except InvalidInput:
        raise
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"`{name}` must be an array of real numbers; got {type(values).__name__} ({error})."
        ) from None
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if array.ndim not in allowed:
        wanted = " or ".join(str(d) for d in allowed)
        raise InvalidInput(f"`{name}` must have {wanted} dimension(s); got shape {array.shape}.")
    if raw.dtype.kind in "iu" and raw.dtype.itemsize == 8 and array.size:
        exact = (np.abs(array) < 2.0**53) | (array == 0)
        if not exact.all():
            place = _place(~exact)
            raise InvalidInput(
                f"`{name}` must fit float64 exactly; got the integer {raw[place]}{_show(place)}."
            )
    finite = np.isfinite(array)
    if not finite.all():
        place = _place(~finite)
        raise InvalidInput(
            f"`{name}` must be finite; got {array[place]}{_show(place)} ({int((~finite).sum())} such value(s))."
        )
    return array


def as_choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise InvalidInput(f"`{name}` must be one of {listed}; got {value!r}.")
    return value


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Mark `array` read-only and return it."""
    array.setflags(write=False)
    return array


def _place(bad: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(bad)[0])


def _show(place: tuple[int, ...]) -> str:
    """Where in an array, as the end of a sentence; nothing for a number alone."""
    return f" at index {place[0] if len(place) == 1 else place}" if place else ""


def _range_text(low: float | None, high: float | None, open_low: bool = False, open_high: bool = False) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f" {'>' if open_low else '>='} {low}"
    if low is None:
        return f" {'<' if open_high else '<='} {high}"
    return f" in {'(' if open_low else '['}{low}, {high}{')' if open_high else ']'}"
