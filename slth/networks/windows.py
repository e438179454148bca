"""Sliding windows over a line or an image: which input each window entry reads, for convolutions and pools."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from slth._validate import as_choice, as_integer, read_only
from slth.errors import CapacityExceeded, InvalidInput

MAX_SPATIAL = 2**24
# Entries of a table of windows, four bytes each.
MAX_TABLE = 2**26

Sizes = int | Sequence[int]
Pairs = tuple[tuple[int, int], ...]
TableArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Windows:
    """Windows of one size that slide over a line (H,) or an image (H, W), rows first.

    Parameters
    ----------
    spatial : int or tuple of 1 or 2 int
        Size of the input.
    kernel : int or tuple of int
        Entries of a window along each axis.
    stride : int or tuple of int
        Steps between windows.
    padding : int, tuple of int, or tuple of pairs
        Positions added before and after each axis; a number counts for both sides.
    padding_mode : {"zeros", "circular"}
        What the added positions hold: nothing, or the input continued periodically.
    dilation : int or tuple of int
        Steps between the entries of a window.

    Raises
    ------
    InvalidInput
        If a number is outside its range, or no window fits the padded input.
    CapacityExceeded
        If there are more than 2^26 window entries in all.

    Examples
    --------
    >>> Windows(4, 3, padding=1).table()
    array([[-1,  0,  1,  2],
           [ 0,  1,  2,  3],
           [ 1,  2,  3, -1]], dtype=int32)
    >>> Windows((5, 5), 2, stride=2).output_spatial
    (2, 2)
    """

    spatial: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...] = (1,)
    padding: Pairs = ((0, 0),)
    padding_mode: str = "zeros"
    dilation: tuple[int, ...] = (1,)

    def __init__(
        self,
        spatial: Sizes,
        kernel: Sizes,
        stride: Sizes = 1,
        padding: int | Sequence[int] | Sequence[Sequence[int]] = 0,
        padding_mode: str = "zeros",
        dilation: Sizes = 1,
    ) -> None:
        given = (spatial,) if isinstance(spatial, (int, np.integer)) else tuple(spatial)
        axes = len(given)
        if axes not in (1, 2):
            raise InvalidInput(f"`spatial` must have 1 or 2 axes; got {given!r:.80}.")
        sizes = _sizes(given, "spatial", axes, low=1, high=MAX_SPATIAL)
        pairs = _pairs(padding, axes)
        object.__setattr__(self, "spatial", sizes)
        object.__setattr__(self, "kernel", _sizes(kernel, "kernel", axes, low=1, high=MAX_SPATIAL))
        object.__setattr__(self, "stride", _sizes(stride, "stride", axes, low=1, high=MAX_SPATIAL))
        object.__setattr__(self, "dilation", _sizes(dilation, "dilation", axes, low=1, high=MAX_SPATIAL))
        object.__setattr__(self, "padding", pairs)
        object.__setattr__(self, "padding_mode", as_choice(padding_mode, "padding_mode", ("zeros", "circular")))
        if padding_mode == "circular":
            for size, pair in zip(sizes, pairs, strict=True):
                if max(pair) > size:
                    raise InvalidInput(
                        f"`padding` must be at most the input ({size}) to be circular; got {pair}."
                    )
        for axis, out in enumerate(self.output_spatial):
            if out < 1:
                reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
                raise InvalidInput(
                    f"`kernel` must fit the padded input; got {reach} positions for "
                    f"{sizes[axis] + sum(pairs[axis])} (axis {axis})."
                )
        if max(math.prod(sizes), self.count * self.outputs) > MAX_TABLE:
            raise CapacityExceeded(
                f"windows of {self.count} entries at {self.outputs} places over {math.prod(sizes)} positions "
                f"are more than the {MAX_TABLE} entries that a table may hold. Use smaller inputs."
            )

    @property
    def output_spatial(self) -> tuple[int, ...]:
        """Number of windows along each axis."""
        return tuple(
            (size + before + after - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, (before, after), dilation in zip(
                self.spatial, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )

    @property
    def count(self) -> int:
        """Entries of one window, p."""
        return math.prod(self.kernel)

    @property
    def inputs(self) -> int:
        """Positions of the input, t."""
        return math.prod(self.spatial)

    @property
    def outputs(self) -> int:
        """Number of windows, s."""
        return math.prod(self.output_spatial)

    def table(self) -> TableArray:
        """Position (p, s), in [0, t), that entry p of window s reads; -1 where it reads the padding."""
        axes = []
        for axis, out in enumerate(self.output_spatial):
            starts = np.arange(out) * self.stride[axis] - self.padding[axis][0]
            places = starts[None, :] + (np.arange(self.kernel[axis]) * self.dilation[axis])[:, None]
            if self.padding_mode == "circular":
                places %= self.spatial[axis]
            else:
                places[(places < 0) | (places >= self.spatial[axis])] = -1
            axes.append(places.astype(np.int32))
        if len(axes) == 1:
            table = axes[0]
        else:
            rows, columns = axes[0][:, None, :, None], axes[1][None, :, None, :]
            joined = np.where((rows < 0) | (columns < 0), -1, rows * np.int32(self.spatial[1]) + columns)
            table = joined.reshape(self.count, self.outputs).astype(np.int32)
        found: TableArray = read_only(table)
        return found

    @property
    def overlap(self) -> int:
        """Largest number of windows that read one position (with multiplicity)."""
        table = self.table()
        return int(np.bincount(table[table >= 0], minlength=1).max())

    def to_json(self) -> dict[str, Any]:
        """JSON-ready fields, all written out."""
        return {
            "spatial": list(self.spatial),
            "kernel": list(self.kernel),
            "stride": list(self.stride),
            "padding": [list(pair) for pair in self.padding],
            "padding_mode": self.padding_mode,
            "dilation": list(self.dilation),
        }

    @classmethod
    def from_json(cls, record: object) -> Self:
        """Read what `to_json` wrote, and nothing else. Raises InvalidInput."""
        keys = ["dilation", "kernel", "padding", "padding_mode", "spatial", "stride"]
        if not isinstance(record, dict) or sorted(record) != keys:
            raise InvalidInput(f"`windows` must have exactly the keys {keys}; got {record!r:.80}.")
        for key in keys:
            if key != "padding_mode" and not isinstance(record[key], list):
                raise InvalidInput(f"`{key}` must be a list; got {record[key]!r:.80}.")
        return cls(**record)


def gather(values: npt.NDArray[np.float64], table: TableArray, fill: float) -> npt.NDArray[np.float64]:
    """Entries (..., p, s) of `values` (..., t) at the positions of a table (p, s); `fill` where it is -1."""
    if (table < 0).any():
        edge = np.full((*values.shape[:-1], 1), fill)
        values = np.concatenate((values, edge), axis=-1)
    taken: npt.NDArray[np.float64] = np.take(values, table, axis=-1)
    return taken


def _sizes(value: Sizes, name: str, axes: int, *, low: int, high: int) -> tuple[int, ...]:
    given = (value,) * axes if isinstance(value, (int, np.integer)) else tuple(value)
    if len(given) == 1:
        given *= axes
    if len(given) != axes:
        raise InvalidInput(f"`{name}` must have one number per axis ({axes}); got {given!r:.80}.")
    return tuple(as_integer(size, name, low=low, high=high) for size in given)


def _pairs(value: int | Sequence[int] | Sequence[Sequence[int]], axes: int) -> Pairs:
    given: tuple[Any, ...] = (value,) * axes if isinstance(value, (int, np.integer)) else tuple(value)
    if len(given) == 1:
        given *= axes
    if len(given) != axes:
        raise InvalidInput(f"`padding` must have one entry per axis ({axes}); got {given!r:.80}.")
    pairs = []
    for entry in given:
        pair = tuple(entry) if isinstance(entry, (tuple, list)) else (entry, entry)
        if len(pair) != 2:
            raise InvalidInput(f"`padding` must be numbers or pairs (before, after); got {entry!r:.80}.")
        before, after = (as_integer(side, "padding", low=0, high=MAX_SPATIAL) for side in pair)
        pairs.append((before, after))
    return tuple(pairs)
