"""The set of inputs that a claim is about: a box (one interval per input) or a Euclidean ball."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import BoolArray, FloatArray
from slth._validate import as_choice, as_floats, as_integer, as_real, read_only
from slth.errors import InvalidInput

FORMAT = "slth-domain/1"
MAX_SIZE = 2**31


@dataclass(frozen=True, eq=False)
class Domain:
    """A box or ball of inputs, with bounds that hold rigorously. Build it with `Domain.box` or `Domain.ball`.

    Attributes
    ----------
    kind : str
        "box" or "ball".
    low, high : (d,) arrays
        Every input of the domain lies entrywise in [low, high]; for a box these are the domain.
    center : (d,) array
        Centre of the ball, or midpoint of the box as rounded to float64.
    radius : float
        Every input of the domain is within this Euclidean distance of `center`, in exact arithmetic; for a
        ball it is the domain, for a box an upper bound some units in the last place above the half diagonal.
    """

    kind: str
    low: FloatArray
    high: FloatArray
    center: FloatArray
    radius: float

    @classmethod
    def box(cls, low: npt.ArrayLike, high: npt.ArrayLike, size: int | None = None) -> Domain:
        """Inputs with low <= x <= high entrywise.

        Parameters
        ----------
        low, high : (d,) arrays or numbers
            Bounds of each input; a number stands for all of them.
        size : int, optional
            d; needed when both bounds are numbers.

        Raises
        ------
        InvalidInput
            If the bounds are not finite, not in order, of different lengths, or too far apart for float64.

        Examples
        --------
        >>> pixels = Domain.box(0.0, 1.0, size=4)
        >>> pixels.nonnegative, pixels.size, pixels.contains([0.0, 0.5, 1.0, 1.0])
        (True, 4, True)
        """
        lows = as_floats(low, "low", ndim=(0, 1))
        highs = as_floats(high, "high", ndim=(0, 1))
        d = _common_size({"low": lows, "high": highs}, size)
        lows, highs = (np.array(np.broadcast_to(a, (d,))) for a in (lows, highs))
        if (lows > highs).any():
            i = int(np.argmax(lows > highs))
            raise InvalidInput(f"`low` must be <= `high`; got [{lows[i]}, {highs[i]}] at index {i}.")
        center = np.clip(lows / 2 + highs / 2, lows, highs)  # halves of subnormals are rounded
        with np.errstate(over="ignore"):
            reach = np.maximum(_subtract_up(center, lows), _subtract_up(highs, center))
            squares = np.where(reach > 0, np.nextafter(reach * reach, np.inf), 0.0)
        radius = _root_of_sum_up(squares)
        if not math.isfinite(radius):
            raise InvalidInput(
                f"`low` and `high` must bound a box whose radius float64 can hold; got reach {reach.max()}."
            )
        return cls("box", read_only(lows), read_only(highs), read_only(center), radius)

    @classmethod
    def ball(cls, radius: float, *, center: npt.ArrayLike | None = None, size: int | None = None) -> Domain:
        """Inputs within Euclidean distance `radius` of `center`.

        Parameters
        ----------
        radius : float
            > 0.
        center : (d,) array or number, optional
            Default: the origin. A number stands for all entries.
        size : int, optional
            d; needed when `center` is not an array.

        Raises
        ------
        InvalidInput
            If the radius is not positive, the centre is not finite, or float64 cannot hold the bounds.

        Examples
        --------
        >>> Domain.ball(0.5, center=[1.0, 1.0]).low
        array([0.5, 0.5])
        """
        r = as_real(radius, "radius", low=0.0, open_low=True)
        middle = as_floats(0.0 if center is None else center, "center", ndim=(0, 1))
        d = _common_size({"center": middle}, size)
        middle = np.array(np.broadcast_to(middle, (d,)))
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = -_subtract_up(-middle, -r), _subtract_up(middle, -r)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise InvalidInput(f"`radius` must keep center +- radius within float64; got {r}.")
        return cls("ball", read_only(low), read_only(high), read_only(middle), r)

    def __eq__(self, other: object) -> bool:
        return self.to_json() == other.to_json() if isinstance(other, Domain) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.kind, self.low.tobytes(), self.high.tobytes(), self.radius))

    @property
    def size(self) -> int:
        """Number of inputs d."""
        return int(self.low.size)

    @property
    def nonnegative(self) -> bool:
        """Whether `low` shows that no input of the domain has a negative entry."""
        return bool((self.low >= 0).all())

    def contains(self, x: npt.ArrayLike) -> bool | BoolArray:
        """Whether the input (d,), or each row of (B, d), lies in the domain, decided exactly.

        Raises
        ------
        InvalidInput
            If `x` is not finite or has another size.
        """
        rows, single = self._rows(x)
        inside = self._inside(rows)
        return bool(inside[0]) if single else inside

    def project(self, x: npt.ArrayLike) -> FloatArray:
        """Point of the domain nearest to `x` (d,), or to each row of (B, d), to rounding; always contained.

        Raises
        ------
        InvalidInput
            If `x` is not finite or has another size.

        Examples
        --------
        >>> Domain.box(0.0, 1.0, size=2).project([3.0, -1.0])
        array([1., 0.])
        """
        rows, single = self._rows(x)
        if self.kind == "box":
            result = np.clip(rows, self.low, self.high)
        else:
            result = self._project_ball(rows)
        return result[0] if single else result

    def to_json(self) -> dict[str, Any]:
        """JSON-ready form, numbers as hexadecimal floats; `from_json` gives back an equal domain.

        Examples
        --------
        >>> Domain.box([0.0, 0.0], [1.0, 0.5]).to_json()["high"]
        ['0x1.0000000000000p+0', '0x1.0000000000000p-1']
        """
        if self.kind == "box":
            return {"format": FORMAT, "kind": "box", "low": _to_hex(self.low), "high": _to_hex(self.high)}
        return {"format": FORMAT, "kind": "ball", "center": _to_hex(self.center), "radius": self.radius.hex()}

    @classmethod
    def from_json(cls, data: object) -> Domain:
        """Read what `to_json` wrote, and nothing else.

        Raises
        ------
        InvalidInput
            If keys, types, format, or numbers are not those that `to_json` writes.
        """
        if not isinstance(data, Mapping):
            raise InvalidInput(f"`domain` must be a JSON object; got {type(data).__name__}.")
        kind = as_choice(data.get("kind"), "domain kind", ("box", "ball"))
        keys = {"box": {"format", "kind", "low", "high"}, "ball": {"format", "kind", "center", "radius"}}[kind]
        if set(data) != keys:
            raise InvalidInput(f"`domain` must have the keys {sorted(keys)}; got {sorted(map(str, data))}.")
        if data["format"] != FORMAT:
            raise InvalidInput(f"`domain` must have format {FORMAT!r}; got {data['format']!r}.")
        if kind == "box":
            return cls.box(_array_from_hex(data["low"], "low"), _array_from_hex(data["high"], "high"))
        radius = _from_hex(data["radius"], "radius")
        return cls.ball(radius, center=_array_from_hex(data["center"], "center"))

    def _rows(self, x: npt.ArrayLike) -> tuple[FloatArray, bool]:
        array = as_floats(x, "x", ndim=(1, 2))
        rows = array.reshape(1, -1) if array.ndim == 1 else array
        if rows.shape[1] != self.size:
            raise InvalidInput(f"`x` must have {self.size} entries per input; got shape {array.shape}.")
        return rows, array.ndim == 1

    def _inside(self, rows: FloatArray) -> BoolArray:
        inside: BoolArray = np.logical_and.reduce((rows >= self.low) & (rows <= self.high), axis=1)
        if self.kind == "box":
            return inside
        # Each entry of the scaled offset has a relative error of a few 2^-53, so floats decide all rows but
        # those whose distance is within `slack` of the radius; rationals decide these.
        offset = np.where(inside[:, None], rows, self.center) - self.center
        with np.errstate(over="ignore"):
            scaled = offset / self.radius
            distance = np.sqrt((scaled * scaled).sum(axis=1))
        close = inside & (np.abs(distance - 1.0) <= self._slack)
        inside &= distance <= 1.0
        for i in np.flatnonzero(close):
            inside[i] = self._inside_exactly(rows[i])
        return inside

    @property
    def _slack(self) -> float:
        return 1e-14 * (self.size + 8)

    def _inside_exactly(self, row: FloatArray) -> bool:
        terms = (
            (Fraction(a) - Fraction(c)) ** 2 for a, c in zip(row.tolist(), self.center.tolist(), strict=True)
        )
        return sum(terms, Fraction(0)) <= Fraction(self.radius) ** 2

    def _project_ball(self, rows: FloatArray) -> FloatArray:
        result = rows.copy()
        outside = np.flatnonzero(~self._inside(result))
        # Halves keep the difference of two finite numbers finite; the largest entry keeps squares finite.
        offset = rows[outside] / 2 - self.center / 2
        largest = np.abs(offset).max(axis=1, keepdims=True, initial=0.0)
        direction = np.divide(offset, largest, out=np.zeros_like(offset), where=largest > 0)
        length = np.sqrt((direction * direction).sum(axis=1, keepdims=True))
        direction = np.divide(direction, length, out=np.zeros_like(offset), where=length > 0)
        shrink = 4.0 * self._slack  # far enough inside for floats to see it, unless the centre is far away
        while outside.size and shrink < 1.0:
            result[outside] = self.center + direction * (self.radius * (1.0 - shrink))
            still = ~self._inside(result[outside])
            outside, direction = outside[still], direction[still]
            shrink *= 2.0
        result[outside] = self.center
        return result


def _common_size(arrays: Mapping[str, FloatArray], size: int | None) -> int:
    """Length shared by the one-dimensional arrays and `size`."""
    sizes = {name: array.size for name, array in arrays.items() if array.ndim == 1}
    if size is not None:
        sizes["size"] = as_integer(size, "size", low=1, high=MAX_SIZE)
    if not sizes:
        raise InvalidInput(f"`size` must be given when {' and '.join(f'`{n}`' for n in arrays)} is no array.")
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        listed = ", ".join(f"{name} {count}" for name, count in sizes.items())
        raise InvalidInput(
            f"`{next(iter(sizes))}` must have one positive length with the others; got {listed}."
        )
    return next(iter(sizes.values()))


def _subtract_up(a: FloatArray, b: FloatArray | float) -> FloatArray:
    """a - b rounded upwards: exact where float64 holds it, by the error term of Knuth's two-sum."""
    total = a - b
    other = total - a
    error = (a - (total - other)) + (-b - other)
    result: FloatArray = np.where(error <= 0, total, np.nextafter(total, np.inf))
    return result


def _root_of_sum_up(squares: FloatArray) -> float:
    """Upper bound of sqrt(sum(squares)) for squares >= 0; inf if out of range."""
    try:
        total = math.fsum(squares)
    except OverflowError:
        return math.inf
    if total == 0 or not math.isfinite(total):
        return total
    return math.nextafter(math.sqrt(math.nextafter(total, math.inf)), math.inf)


def _to_hex(array: FloatArray) -> list[str]:
    return [value.hex() for value in array.tolist()]


def _from_hex(text: object, name: str) -> float:
    """The finite number whose one canonical text (that of float.hex) is `text`."""
    try:
        value = float.fromhex(text) if isinstance(text, str) else math.nan
    except (ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value) or value.hex() != text:
        raise InvalidInput(f"`{name}` must be a finite number in the form of float.hex; got {text!r:.80}.")
    return value


def _array_from_hex(texts: object, name: str) -> FloatArray:
    if not isinstance(texts, list):
        raise InvalidInput(f"`{name}` must be a list of hexadecimal floats; got {type(texts).__name__}.")
    return np.array([_from_hex(text, f"{name}[{i}]") for i, text in enumerate(texts)], dtype=np.float64)
