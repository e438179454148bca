"""Plans: for n items and the sizes allowed, which sorted lists are merged from which, where they stand, which are joined.

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

Window = tuple[int, int]


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
        Size of the largest subset, hence of the scratch for combinations.
    """

    plan: Plan
    length: int
    merged: int
    joined: int
    largest: int

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
    """Pairs of windows of the two halves that together cover each pair of sizes with k_min <= sum <= k_max once."""
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


def needed_bytes(n: int, k_min: int, k_max: int) -> float:
    """Bytes of the final lists of both halves, a lower bound (inf beyond 2^50 entries), without building anything."""
    left, right = n // 2, n - n // 2
    for size in (left, right):
        # the largest size that a list must cover decides whether exact counting is worth starting
        top = min(max(size // 2, 0), k_max)
        if (
            top
            and size * math.log2(max(size / top, 1)) > 0
            and _log2_binomial(size, top) > 50
            and k_min <= n - top
        ):
            wanted = clip(k_min - (n - size), k_max, size)
            if wanted is not None and wanted[0] <= size - top:
                return math.inf
    pairs = join_windows(n, k_min, k_max)
    total = sum(entries(w, left) for w in {a for a, _ in pairs}) + sum(
        entries(w, right) for w in {b for _, b in pairs}
    )
    return 8.0 * total


@lru_cache(maxsize=64)
def make_layout(n: int, k_min: int, k_max: int) -> Layout:
    """Plan for subsets of k_min..k_max out of n items; the caller has checked `needed_bytes` first."""
    left, right = n // 2, n - n // 2
    pairs = join_windows(n, k_min, k_max)
    half_left = _Half(0, left, {a for a, _ in pairs}, base=FIRST_FREE)
    half_right = _Half(left, right, {b for _, b in pairs}, base=half_left.end)
    length = half_right.end + max(half_left.spare, half_right.spare)
    ops = half_left.ops(half_right.end) + half_right.ops(half_right.end)
    joins = []
    for a, b in pairs:
        joins.append((*half_left.place(a), *half_right.place(b), *a, *b))
    joins.sort(key=lambda join: -join[1] * join[3])  # the likeliest place of a hit first

    cuts = [0, left // 2, left, left + right // 2, n]
    spread = min(k_max, max(cuts[q + 1] - cuts[q] for q in range(4)))
    read_ops: list[tuple[int, ...]] = []
    read_lists = np.zeros((4, spread + 1, 2), np.int64)
    split = 0
    for side in (0, 2):
        base = FIRST_FREE
        quarters = []
        for q in (side, side + 1):
            size = cuts[q + 1] - cuts[q]
            quarter = _Half(cuts[q], size, {(c, c) for c in range(min(size, k_max) + 1)}, base=base)
            base = quarter.end
            quarters.append((q, quarter))
        for q, quarter in quarters:
            read_ops += quarter.ops(base)
            for c in range(min(quarter.size, k_max) + 1):
                read_lists[q, c] = quarter.place((c, c))
        length = max(length, base + max(quarter.spare for _, quarter in quarters))
        split = split or len(read_ops)
    if not cuts[2]:
        split = 0  # the left half is empty: all read operations belong to the right one
    plan = Plan(
        _table(ops, 6),
        _table(joins, 8),
        _table(read_ops, 6),
        read_lists,
        np.array([*cuts, split], np.int64),
    )
    merged = sum(op[1] + op[3] for op in ops) + sum(op[1] + op[3] for op in read_ops)
    return Layout(plan, length, merged, sum(join[1] + join[3] for join in joins), max(1, k_max))


class _Half:
    """The stages of one half: windows at each number of items, and their places in two alternating regions."""

    def __init__(self, first: int, size: int, windows: set[Window], base: int) -> None:
        self.first, self.size, self.base = first, size, base
        stages = [windows]
        for t in range(size, 0, -1):
            sources = {clip(low - d, high - d, t - 1) for low, high in stages[-1] for d in (0, 1)}
            stages.append({window for window in sources if window is not None})
        stages.reverse()
        self.stages = [sorted(stage) for stage in stages]
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

    def _base(self, t: int, spare: int) -> int:
        return self.base if (self.size - t) % 2 == 0 else spare

    def place(self, window: Window) -> tuple[int, int]:
        if not self.size:
            return SEED, 1
        offset, length = self.offsets[self.size][window]
        return self.base + offset, length

    def ops(self, spare: int) -> list[tuple[int, ...]]:
        """Merges of all stages in order, with absolute places; `spare` is where the second region starts."""
        found = []
        for t in range(1, self.size + 1):
            source = self._base(t - 1, spare)
            target = self._base(t, spare)
            for low, high in self.stages[t]:
                row: list[int] = []
                for d in (0, 1):
                    window = clip(low - d, high - d, t - 1)
                    if window is None:
                        row += [EMPTY, 0]
                    elif t == 1:
                        row += [SEED, 1]
                    else:
                        offset, length = self.offsets[t - 1][window]
                        row += [source + offset, length]
                found.append((*row, self.first + t - 1, target + self.offsets[t][(low, high)][0]))
        return found


def _table(rows: list[tuple[int, ...]], width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(rows, np.int64).reshape(len(rows), width)


def _log2_binomial(n: int, k: int) -> float:
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(2)
