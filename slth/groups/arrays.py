"""Integer arrays as groups need them: checked, copied, read-only; permutations among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import IntArray
from slth._validate import read_only
from slth.errors import InvalidInput


def as_array(values: Any, name: str) -> npt.NDArray[Any]:
    """Return `values` as an array of any kind; ragged lists are refused."""
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"`{name}` must be an array of integers; got {type(values).__name__} ({error})."
        ) from None


def as_integers(values: Any, name: str, ndim: int, low: int, high: int) -> IntArray:
    """Return a fresh read-only int64 array with `ndim` dimensions and entries in low..high."""
    raw = as_array(values, name)
    if raw.dtype.kind not in "iu" and raw.size:
        raise InvalidInput(f"`{name}` must be an array of integers; got dtype {raw.dtype}.")
    if raw.ndim != ndim:
        raise InvalidInput(f"`{name}` must have {ndim} dimension(s); got shape {raw.shape}.")
    bad = (raw < low) | (raw > high)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidInput(
            f"`{name}` must hold integers in [{low}, {high}]; got {raw[place]} at index {place}."
        )
    array: IntArray = read_only(np.array(raw, dtype=np.int64, order="C"))
    return array


def as_permutations(values: Any, name: str) -> IntArray:
    """Return (k, d) rows, each checked to be a permutation of 0..d-1 (position i holds the image of i)."""
    raw = as_array(values, name)
    array = as_integers(raw, name, 2, 0, (raw.shape[1] if raw.ndim == 2 else 1) - 1)
    rows, points = array.shape
    if points == 0:
        raise InvalidInput(f"`{name}` must act on at least one point; got shape {array.shape}.")
    met = np.zeros((rows, points), dtype=np.bool_)
    met[np.arange(rows)[:, None], array] = True
    if not met.all():
        row, point = (int(i) for i in np.argwhere(~met)[0])
        raise InvalidInput(
            f"`{name}` must hold permutations; got row {row}, in which no point goes to {point}."
        )
    return array


def first_numbering(labels: IntArray) -> IntArray:
    """Renumber labels 0, 1, ... in the order in which they first occur; -1 stays -1."""
    flat = labels.ravel()
    values, places, inverse = np.unique(flat, return_index=True, return_inverse=True)
    inside = values >= 0
    order = np.argsort(places[inside])
    numbers = np.full(values.size, -1, dtype=np.int64)
    numbers[np.flatnonzero(inside)[order]] = np.arange(order.size)
    return numbers[inverse].reshape(labels.shape)
