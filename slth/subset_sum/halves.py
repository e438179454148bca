"""Sorted sums of the two halves of a family of subsets: planned, weighed against the memory allowed, built.

Three ways to build: by merging item after item (plans of `plan`), by merging shifted copies of one list (one
of each block), and by listing and sorting where few are chosen among many (merging would pass over the lists
once for each item).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from slth._jit import merge
from slth._jit.merge import FIRST_FREE
from slth._typing import IntArray
from slth.errors import CapacityExceeded
from slth.subset_sum.blocks import MOST, chain, shift_pairs
from slth.subset_sum.family import Family
from slth.subset_sum.plan import Row, Window, entries, hopeless, join_windows, make_layout

SLICE = 1 << 25  # merged entries in one compiled call
RATIO = 12  # items of a half for each one chosen from which on sorting beats merging


@dataclass(frozen=True)
class Halves:
    """Where the lists of a family stand, and how to make them.

    Attributes
    ----------
    joins : ndarray
        (q, 4) int64: place and length of a left list, place and length of a right one. Every subset of the
        family is one pair of entries of one join.
    ops : ndarray
        (o, 6) merges, as in `merge.Plan`.
    origins : ndarray
        (3, s) int64: merge shifts are the items origins[0] less the items origins[1]; the items origins[2] are
        in no list; -1 stands for none.
    parts : tuple
        For lists made by sorting: (first item, one past the last, sizes, place) of each.
    length : int
        Entries of work space.
    merged : int
        Entries written.
    """

    joins: IntArray
    ops: IntArray
    origins: IntArray
    parts: tuple[tuple[int, int, Window, int], ...]
    length: int
    merged: int

    @property
    def bytes(self) -> int:
        return 8 * self.length

    @property
    def listed(self) -> int:
        """Entries of all lists, counted once for each join."""
        return int(self.joins[:, 1].sum() + self.joins[:, 3].sum())


def plan_halves(family: Family, max_bytes: int) -> Halves:
    """The halves of a family, refused before allocating anything if they need more than max_bytes."""
    halves = _plan(family)
    if halves is None or halves.bytes > max_bytes:
        amount = f"about {halves.bytes / 2**20:.0f} MiB" if halves else "more than 8 TiB"
        raise CapacityExceeded(
            f"half sums with {family.words} need {amount}, more than `max_bytes`={max_bytes}. "
            "Raise `max_bytes`, or choose fewer samples."
        )
    return halves


@lru_cache(maxsize=64)
def _plan(family: Family) -> Halves | None:
    n, low, high = family.n, family.k_min, family.k_max
    if family.blocks is not None:
        return _plan_blocks(family.blocks, family.k_max)
    if hopeless(n, low, high):
        return None
    if high * RATIO < n // 2 or high <= 1:
        return _plan_sorted(n, low, high)
    layout = make_layout(n, low, high, False)
    items = np.arange(n)
    origins = np.stack((items, np.full(n, -1), np.full(n, -1)))
    joins = np.ascontiguousarray(layout.plan.joins[:, :4])
    return Halves(joins, layout.plan.ops, origins, (), layout.length, layout.merged)


def _plan_sorted(n: int, low: int, high: int) -> Halves:
    half = n // 2 if high > 1 else 0  # one sample: all of them, sorted, against nothing
    pairs = join_windows(n, low, high) if high > 1 else [((0, 0), (low, high))]
    place = FIRST_FREE + 1
    parts: list[tuple[int, int, Window, int]] = []
    found: dict[tuple[int, Window], Row] = {}
    joins: list[Row] = []
    for pair in sorted(pairs, key=lambda pair: -entries(pair[0], half) * entries(pair[1], n - half)):
        row: Row = ()
        for first, stop, window in ((0, half, pair[0]), (half, n, pair[1])):
            if (first, window) not in found:
                count = entries(window, stop - first)
                found[first, window] = (place, count)
                parts.append((first, stop, window, place))
                place += count + 2
            row += found[first, window]
        joins.append(row)
    merged = sum(count for _, count in found.values())
    nothing = np.zeros((0, 6), np.int64)
    # sorting needs the sums twice for a moment
    length = place + max(count for _, count in found.values())
    return Halves(np.array(joins, np.int64), nothing, np.zeros((3, 0), np.int64), tuple(parts), length, merged)


def _plan_blocks(b: int, k: int) -> Halves | None:
    if b ** (k - k // 2) > MOST:
        return None
    left, one, place = chain(b, 0, k // 2, 0, FIRST_FREE + 1)
    right, two, place = chain(b, k // 2, k, 0, place)
    # the list of each half leaves out the first sample of every block
    width = k * max(1, b - 1)
    origins = np.full((3, width), -1, np.int64)
    origins[0] = 0
    if b > 1:
        firsts = np.arange(k)[:, None] * b
        origins[:2] = (firsts + shift_pairs(b).T[:, None, :]).reshape(2, width)
    origins[2, :k] = np.arange(k) * b
    table = np.array(left + right, np.int64).reshape(-1, 6)
    count = sum(op[1] + op[3] for op in left + right)
    return Halves(np.array([(*one, *two)], np.int64), table, origins, (), place, count)


def build(halves: Halves, items: IntArray, deadline: float) -> tuple[IntArray, int] | None:
    """The work array with all lists, and the sum that is to be added to every sum; None if time ran out."""
    work = np.empty(halves.length, np.int64)
    merge.sow(work)
    plus, minus, apart = halves.origins
    shifts = items[plus]
    if (minus >= 0).any():
        shifts = shifts - np.where(minus >= 0, items[minus], 0)
    for first, stop, window, place in halves.parts:
        tables = sums_by_size(items[first:stop], window[1])
        values = np.concatenate([sums for sums in tables[window[0] :] if sums.size] or [items[:0]])
        values.sort()
        work[place : place + len(values)] = values
        work[place - 1], work[place + len(values)] = -merge.FAR, merge.FAR
        if time.monotonic() > deadline:
            return None
    ops = halves.ops
    if halves.merged <= SLICE:
        merge.run_merges(work, shifts, ops, 0, len(ops))
    else:
        ends = np.cumsum(ops[:, 1] + ops[:, 3])
        start = done = 0
        while start < len(ops):
            stop = max(start + 1, int(np.searchsorted(ends, done + SLICE, side="right")))
            merge.run_merges(work, shifts, ops, start, stop)
            done = int(ends[stop - 1])
            start = stop
            if time.monotonic() > deadline:
                return None
    offset = int(items[apart[apart >= 0]].sum()) if halves.origins.shape[1] else 0
    return work, offset


def sums_by_size(items: IntArray, largest: int) -> list[IntArray]:
    """Unsorted sums of all subsets of 0..largest items, by size: pairs of sums of two halves, added."""
    if len(items) <= 1 or largest <= 1:
        return [np.zeros(1, items.dtype), items.copy()][: largest + 1] + [items[:0]] * (largest - 1)
    half = len(items) // 2
    left, right = sums_by_size(items[:half], largest), sums_by_size(items[half:], largest)
    return [
        np.concatenate([(left[d][:, None] + right[c - d]).ravel() for d in range(c + 1)])
        for c in range(largest + 1)
    ]


def sums_of_blocks(items: IntArray, b: int) -> IntArray:
    """Unsorted sums of one of each block of b items."""
    sums = np.zeros(1, items.dtype)
    for block in range(len(items) // b):
        sums = (sums[:, None] + items[block * b : (block + 1) * b]).ravel()
    return sums
