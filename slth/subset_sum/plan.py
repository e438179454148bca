"""Plans: which sorted lists are merged from which, where they stand in memory, which pairs are joined.

A *window* (low, high) of a set of items stands for the sorted list of the sums of all its subsets of low..high
items. Adding item v turns the lists of t items into those of t + 1 items:

    list[low, high]  <-  merge(list[low, high], list[low - 1, high - 1] + v)

so one rule covers an exact size (low = high), a range, and any size (both sources are then the same list).
Only windows that a later one needs are planned. Stages alternate between two regions of one work array.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from slth._jit.merge import EMPTY, FIRST_FREE, SEED, Plan
from slth._typing import IntArray

Window = tuple[int, int]
Row = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """A compiled-side plan with what the Python side needs to know about it.

    Attributes
    ----------
    plan : Plan
        The tables that the routines read.
    length : int
        Entries of int64 work space.
    merged, joined : int
        Entries written by all merges, steps of all joins: the cost.
    largest : int
        Size of the largest subset of a half, hence of the scratch for combinations.
    fixed : int
        The last `fixed` items are in no list: each of their 2^fixed patterns is searched for the rest.
    groups : tuple of (int, int)
        Range of the joins that a pattern of 0, 1, .. `fixed` items needs.
    turned : bool
        On the right half the complement of the subset is sought: the items there come with the other sign, the
        target less their sum. Then sizes c and c of equal halves meet, instead of c and k - c: of two stored
        lists, not of a stored one and the mirror image of another.
    """

    plan: Plan
    length: int
    merged: int
    joined: int
    largest: int
    fixed: int = 0
    groups: tuple[tuple[int, int], ...] = ()
    turned: bool = False

    @property
    def bytes(self) -> int:
        return 8 * self.length

    @property
    def seconds(self) -> float:
        """Rough time of one closest search, on the pessimistic side."""
        return 2e-9 * self.merged + 2e-9 * self.joined


def clip(low: int, high: int, size: int) -> Window | None:
    """The window cut to 0..size, or None if nothing is left."""
    low, high = max(low, 0), min(high, size)
    return (low, high) if low <= high else None


def entries(window: Window, size: int) -> int:
    """Number of subsets of `size` items that a window counts."""
    return sum(math.comb(size, c) for c in range(window[0], window[1] + 1))


def join_windows(n: int, k_min: int, k_max: int) -> list[tuple[Window, Window]]:
    """Pairs of windows of the halves that cover each pair of sizes with k_min <= sum <= k_max exactly once."""
    left, right = n // 2, n - n // 2
    pairs: list[tuple[Window, Window]] = []
    for c in range(min(left, k_max) + 1):
        partner = clip(k_min - c, k_max - c, right)
        if partner is None:
            continue
        if pairs and pairs[-1][1] == partner and pairs[-1][0][1] == c - 1:
            pairs[-1] = ((pairs[-1][0][0], c), partner)
        else:
            pairs.append(((c, c), partner))
    return pairs


def hopeless(n: int, k_min: int, k_max: int) -> bool:
    """Whether one list alone would have more than 2^40 entries: then no plan is made, not even to refuse."""
    right = n - n // 2
    fewest, most = max(0, k_min - n // 2), min(k_max, right)
    size = min(max(right // 2, fewest), most)
    ways = math.lgamma(right + 1) - math.lgamma(size + 1) - math.lgamma(right - size + 1)
    return ways > 40 * math.log(2)


@lru_cache(maxsize=128)
def make_layout(
    n: int, k_min: int, k_max: int, mirrored: bool = True, fixed: int = 0, turn: bool = False
) -> Layout:
    """Plan for subsets of k_min..k_max out of n items; the caller has asked `hopeless` first.

    Without `mirrored`, joins write nothing, so that several threads may share the lists. With the last `fixed`
    items in no list, memory shrinks by about 2^(fixed / 2), and the joins are repeated for 2^fixed patterns.
    With `turn`, the right half is turned where that saves mirror images.
    """
    n -= fixed
    left, right = n // 2, n - n // 2
    parts = [join_windows(n, k_min - taken, k_max - taken) for taken in range(fixed + 1)]
    turned = False
    if turn and mirrored:
        other = [[(a, _flip(b, right)) for a, b in part] for part in parts]
        turned = _images(other, left, right) < _images(parts, left, right)
        parts = other if turned else parts
    sides = _sides(parts)
    half_left = _Half(0, left, sides[0], FIRST_FREE, mirrored)
    half_right = _Half(left, right, sides[1], half_left.end, mirrored)
    halves = (half_left, half_right)
    spare = half_right.end
    aside = spare + max(half.spare for half in halves)
    ops = half_left.ops(spare, aside) + half_right.ops(spare, aside)
    length = aside + max(half.aside for half in halves)
    joins: list[Row] = []
    mirrors: list[Row] = []
    groups: list[tuple[int, int]] = []
    joined = 0
    for taken, part in enumerate(parts):
        first = len(joins)
        # the largest join first: it is the likeliest place of a hit
        for pair in sorted(part, key=lambda pair: -entries(pair[0], left) * entries(pair[1], right)):
            flipped = mirrored and _is_flipped(pair, sides, left, right)
            lists = (_flip(pair[0], left), _flip(pair[1], right)) if flipped else pair
            before = len(mirrors)
            place = spare + 1  # the merges are over: their second region is free
            row: list[int] = []
            for half, window in zip(halves, lists, strict=True):
                found = half.find(half.size, window)
                if found.mirrored:
                    mirrors.append((*found.source, half.first, half.first + half.size, -1, place))
                    row += [place, found.length]
                    place += found.length + 2
                else:
                    row += found.source
            length = max(length, place)
            joins.append((*row, *lists[0], *lists[1], before, len(mirrors), int(flipped)))
            joined += math.comb(fixed, taken) * (row[1] + row[3])
        groups.append((first, len(joins)))

    cuts = [0, left // 2, left, left + right // 2, n]
    most = max(window[1] for side in sides for window in side)
    read_ops, read_lists, reading = _quarters(cuts, most)
    plan = Plan(
        _table(ops, 6), _table(joins, 11), _table(mirrors, 6), _table(read_ops, 6), read_lists, reading[1]
    )
    merged = sum(op[1] + (op[3] if op[4] >= 0 else 0) for op in ops + read_ops) + sum(op[1] for op in mirrors)
    length = max(length, reading[0])
    return Layout(plan, length, merged, joined, max(1, most), fixed, tuple(groups), turned)


def _sides(parts: list[list[tuple[Window, Window]]]) -> tuple[set[Window], set[Window]]:
    """The windows that the joins of all parts need, left and right."""
    pairs = [pair for part in parts for pair in part]
    return {a for a, _ in pairs}, {b for _, b in pairs}


def _is_image(window: Window, windows: set[Window], size: int) -> bool:
    """Whether `_Half` stores the list of the complements instead."""
    return _flip(window, size) in windows and window > _flip(window, size)


def _is_flipped(pair: tuple[Window, Window], sides: tuple[set[Window], set[Window]], *sizes: int) -> bool:
    """Whether complements are joined instead: no list is a mirror image then, or its own, and some would be."""
    images = [_is_image(*args) for args in zip(pair, sides, sizes, strict=True)]
    own = [_flip(window, size) == window for window, size in zip(pair, sizes, strict=True)]
    return any(images) and all(image or same for image, same in zip(images, own, strict=True))


def _images(parts: list[list[tuple[Window, Window]]], left: int, right: int) -> int:
    """Entries of the mirror images that the joins would write."""
    sides = _sides(parts)
    written = 0
    for pair in (pair for part in parts for pair in part):
        if not _is_flipped(pair, sides, left, right):
            for window, windows, size in zip(pair, sides, (left, right), strict=True):
                written += entries(window, size) * _is_image(window, windows, size)
    return written


def _quarters(cuts: list[int], k_max: int) -> tuple[list[Row], IntArray, tuple[int, IntArray]]:
    """Merges and lists of the four quarters, one exact size each; the space they need; the plan's `cuts`."""
    spread = min(k_max, max(cuts[q + 1] - cuts[q] for q in range(4)))
    ops: list[Row] = []
    lists = np.zeros((4, spread + 1, 2), np.int64)
    splits = []
    length = 0
    for side in (0, 2):
        base = FIRST_FREE
        quarters = []
        for q in (side, side + 1):
            size = cuts[q + 1] - cuts[q]
            quarters.append(_Half(cuts[q], size, {(c, c) for c in range(min(size, k_max) + 1)}, base, False))
            base = quarters[-1].end
        for q, quarter in zip((side, side + 1), quarters, strict=True):
            ops += quarter.ops(base, base)
            for c in range(min(quarter.size, k_max) + 1):
                lists[q, c] = quarter.find(quarter.size, (c, c)).source
        length = max(length, base + max(quarter.spare for quarter in quarters))
        splits.append(len(ops))
    return ops, lists, (length, np.array([*cuts, splits[0], 0], np.int64))


@dataclass(frozen=True)
class _Found:
    """Where a window's list stands, or the list of the complements, of which it is the mirror image."""

    place: int
    length: int
    mirrored: bool

    @property
    def source(self) -> tuple[int, int]:
        return self.place, self.length


class _Half:
    """The stages of one half: windows at each number of items, and their places in two alternating regions.

    The window (low, high) of t items is the mirror image of (t - high, t - low): sums of complements are the
    total minus the sums. Of two such windows only one is merged and stored.
    """

    def __init__(self, first: int, size: int, windows: set[Window], base: int, mirrored: bool) -> None:
        self.first, self.size, self.base = first, size, base
        stages: list[set[Window]] = []
        for t in range(size, -1, -1):
            stages.append(
                {w for w in windows if not mirrored or w <= _flip(w, t) or _flip(w, t) not in windows}
            )
            sources = {clip(low - d, high - d, t - 1) for low, high in stages[-1] for d in (0, 1)}
            windows = {window for window in sources if window is not None}
        self.stages = [sorted(stage) for stage in reversed(stages)]
        self.offsets: list[dict[Window, tuple[int, int]]] = []
        footprints = []
        for t, stage in enumerate(self.stages):
            offset = 1
            table: dict[Window, tuple[int, int]] = {}
            for window in stage:
                table[window] = (offset, entries(window, t))
                offset += table[window][1] + 2
            self.offsets.append(table)
            footprints.append(offset)
        self.end = base + max(footprints[size::-2])
        self.spare = max(footprints[size - 1 :: -2]) if size else 0
        self.aside = 0

    def find(self, t: int, window: Window, spare: int = 0) -> _Found:
        """Where the list of a window of the first t items stands."""
        if t == 0:
            return _Found(SEED, 1, False)
        base = self.base if (self.size - t) % 2 == 0 else spare
        direct = self.offsets[t].get(window)
        offset, length = direct or self.offsets[t][_flip(window, t)]
        return _Found(base + offset, length, direct is None)

    def ops(self, spare: int, aside: int) -> list[Row]:
        """Merges of all stages in order, with absolute places.

        `spare` is where the second region starts, `aside` where mirrored sources are written.
        """
        rows: list[Row] = []
        for t in range(1, self.size + 1):
            for low, high in self.stages[t]:
                row: list[int] = []
                place = aside + 1
                for d in (0, 1):
                    window = clip(low - d, high - d, t - 1)
                    if window is None:
                        row += [EMPTY, 0]
                        continue
                    found = self.find(t - 1, window, spare)
                    if found.mirrored:
                        rows.append((*found.source, self.first, self.first + t - 1, -1, place))
                        row += [place, found.length]
                        place += found.length + 2
                        self.aside = max(self.aside, place - aside)
                    else:
                        row += found.source
                rows.append((*row, self.first + t - 1, self.find(t, (low, high), spare).place))
        return rows


def _flip(window: Window, size: int) -> Window:
    return size - window[1], size - window[0]


def _table(rows: list[Row], width: int) -> IntArray:
    return np.array(rows, np.int64).reshape(len(rows), width)
