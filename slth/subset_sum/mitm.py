"""Exact meet-in-the-middle for one problem: one compiled call if short, interruptible slices if long."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from slth._jit import merge, subsets
from slth._typing import IntArray
from slth.errors import CapacityExceeded
from slth.subset_sum import unbounded
from slth.subset_sum.plan import Layout, hopeless, make_layout
from slth.subset_sum.problem import Problem
from slth.subset_sum.scaling import NEAREST, Scaled, scale

SHORT = 0.05  # seconds up to which a search is one call
SLICE = 1 << 25  # merged entries or join steps in one call of a long search: well under half a second
CANDIDATES = 2000  # pairs of half sums compared exactly before giving up on the int64 grid


@dataclass(frozen=True)
class Answer:
    """What a method hands to the facade: a subset if any, whether the search was complete, the work."""

    indices: IntArray | None
    complete: bool
    work: int
    limits: tuple[str, ...] = ()


def plan_within(problem_size: tuple[int, int, int], max_bytes: int, mirrored: bool = True) -> Layout:
    """The layout for (n, k_min, k_max), refused before allocating anything if it needs more than max_bytes."""
    n, k_min, k_max = problem_size
    layout = None if hopeless(n, k_min, k_max) else make_layout(n, k_min, k_max, mirrored)
    if layout is None or layout.bytes > max_bytes:
        amount = f"about {layout.bytes / 2**20:.0f} MiB" if layout else "more than 8 TiB"
        raise CapacityExceeded(
            f"meet-in-the-middle with n={n}, sizes {k_min}..{k_max} needs {amount}, more than "
            f"`max_bytes`={max_bytes}. Raise `max_bytes`, or give eps and use method='cp-sat'."
        )
    return layout


def meet(problem: Problem, max_bytes: int, deadline: float) -> Answer:
    """The closest subset, proved; or, with eps, the first one met that is certainly within eps.

    Time O(2^(n/2)) for exact sizes near n/2, C(n/2, k)-like for small k; memory `Layout.bytes`.
    """
    layout = plan_within((problem.n, problem.k_min, problem.k_max), max_bytes)
    scaled = scale_one(problem)
    if layout.seconds <= SHORT:
        answer = _one_call(layout, scaled, problem.eps is None)
        if answer is not None:
            return answer
    return _Long(problem, layout, scaled, max_bytes, deadline).run()


def scale_one(problem: Problem) -> Scaled:
    """`scale` for a batch of one."""
    return scale(problem.samples[None, :], np.array([problem.target]), problem.k_max, problem.eps)


def _one_call(layout: Layout, scaled: Scaled, closest: bool) -> Answer | None:
    """The whole search in one compiled call; None if rounding leaves several candidates."""
    work = np.empty(layout.length, np.int64)
    mask = np.zeros(scaled.items.shape, np.bool_)
    gaps = np.empty(1, np.int64)
    comb = np.empty(layout.largest, np.int64)
    ids = np.zeros(1, np.int64)
    always = np.full(1, 1 << 62)
    goals, enough, slack = scaled.targets, scaled.enough, scaled.slack
    subsets.closest_block(
        work, scaled.items, layout.plan, goals, enough, slack, always, ids, 0, 1, comb, mask, gaps
    )
    if gaps[0] < 0:
        return None
    proved = closest or bool(gaps[0] > enough[0] or enough[0] <= NEAREST)
    return Answer(np.flatnonzero(mask[0]), proved, layout.merged + layout.joined)


def merge_lists(memory: IntArray, items: IntArray, layout: Layout, deadline: float) -> tuple[bool, int]:
    """Build all lists of a layout in slices; whether that ended in time, and the entries written."""
    ops = layout.plan.ops
    merge.sow(memory)
    ends = np.cumsum(np.where(ops[:, 4] >= 0, ops[:, 1] + ops[:, 3], ops[:, 1]))
    start = done = 0
    while start < len(ops):
        stop = max(start + 1, int(np.searchsorted(ends, done + SLICE, side="right")))
        merge.run_merges(memory, items, ops, start, stop)
        done = int(ends[stop - 1])
        start = stop
        if time.monotonic() > deadline:
            return False, done
    return True, done


class _Long:
    """A search in slices, with a deadline; also settles searches whose grid is rounded."""

    def __init__(
        self, problem: Problem, layout: Layout, scaled: Scaled, max_bytes: int, deadline: float
    ) -> None:
        self.problem, self.layout, self.scaled = problem, layout, scaled
        self.max_bytes, self.deadline = max_bytes, deadline
        self.items = scaled.items[0]
        self.target = int(scaled.targets[0])
        self.memory = np.empty(layout.length, np.int64)
        self.work = 0
        self.halves: list[_Half] | None = None

    def run(self) -> Answer:
        in_time, self.work = merge_lists(self.memory, self.items, self.layout, self.deadline)
        if not in_time:
            return Answer(None, False, self.work, ("`time_limit` reached while building the lists.",))
        enough, slack = int(self.scaled.enough[0]), int(self.scaled.slack[0])
        pieces: list[tuple[int, int, int, int]] = []  # gap, join, first step, last step + 1
        for which, (a, na, b, nb, *_) in enumerate(self.layout.plan.joins.tolist()):
            merge.open_join(self.memory, self.items, self.layout.plan, which)
            for start in range(0, na + nb, SLICE):
                stop = min(start + SLICE, na + nb)
                gap, first, last = merge.nearest(self.memory, a, na, b, nb, self.target, start, stop, enough)
                pieces.append((gap, which, first if slack == 0 else start, last if slack == 0 else stop))
                self.work += stop - start
                if gap <= enough:
                    proved = self.problem.eps is None or enough <= NEAREST
                    return Answer(self._read(min(pieces)), proved, self.work)
                if time.monotonic() > self.deadline:
                    in_time = False
                    break
            if not in_time:
                break
        best = min(pieces)  # ties: the first join, the first steps
        if not in_time:
            return Answer(self._read(best), False, self.work, ("`time_limit` reached.",))
        if slack:
            return self._settle(best, [piece for piece in pieces if piece[0] <= best[0] + 2 * slack], 2 * slack)
        return Answer(self._read(best), True, self.work)

    def _read(self, piece: tuple[int, int, int, int]) -> IntArray:
        gap, which, start, stop = piece
        a, na, b, nb, *windows = self.layout.plan.joins[which].tolist()
        merge.open_join(self.memory, self.items, self.layout.plan, which)
        i, j = merge.locate(self.memory, a, na, b, nb, self.target, start, stop, gap)
        sums = int(self.memory[i]), int(self.memory[j])
        comb = np.empty(self.layout.largest, np.int64)
        mask = np.zeros(self.problem.n, np.bool_)
        scratch = np.empty(self.layout.length, np.int64) if self.scaled.slack[0] else self.memory
        for side in (0, 1):
            low, high = windows[2 * side : 2 * side + 2]
            subsets.read_back(scratch, self.items, self.layout.plan, side, low, high, sums[side], comb, mask)
        return np.flatnonzero(mask)

    def _settle(
        self, best: tuple[int, int, int, int], pieces: list[tuple[int, int, int, int]], radius: int
    ) -> Answer:
        """Compare exactly every subset whose rounded error is within `radius` units of the smallest."""
        pairs = np.empty((CANDIDATES, 2), np.int64)
        candidates: list[IntArray] = []
        for which in sorted({piece[1] for piece in pieces}):
            a, na, b, nb, *windows = self.layout.plan.joins[which].tolist()
            merge.open_join(self.memory, self.items, self.layout.plan, which)
            count = merge.collect(self.memory, a, na, b, nb, self.target, best[0] + radius, pairs, 0)
            candidates += self._subsets(np.unique(pairs[:count], axis=0), windows)
            if count == CANDIDATES or len(candidates) > CANDIDATES:
                return self._widen(best)
        self.work += len(candidates)
        chosen = min(candidates, key=lambda c: (unbounded.exact_distance(self.problem, c), c.tolist()))
        return Answer(chosen, True, self.work)

    def _widen(self, best: tuple[int, int, int, int]) -> Answer:
        """Too many subsets look alike on the grid: long integers if they fit, else say so."""
        reason = "the samples' magnitudes differ too much for 64-bit fixed point"
        try:
            found = unbounded.closest(self.problem, self.max_bytes, self.deadline)
        except CapacityExceeded as error:
            return Answer(self._read(best), False, self.work, (f"{reason}; {error}",))
        if found is None:
            return Answer(self._read(best), False, self.work, (f"{reason}; `time_limit` reached.",))
        return Answer(found[0], True, self.work + found[1])

    def _subsets(self, pairs: IntArray, windows: list[int]) -> list[IntArray]:
        """Every subset behind some pairs of half sums."""
        half = self.problem.n // 2
        if self.halves is None:
            parts = (self.items[:half], self.items[half:])
            self.halves = [_Half(part, min(self.problem.k_max, len(part))) for part in parts]
        left, right = self.halves
        found: list[IntArray] = []
        for x, y in pairs.tolist():
            ends = right.subsets(windows[2], windows[3], y)
            for start, end in product(left.subsets(windows[0], windows[1], x), ends):
                found.append(np.array(start + [half + i for i in end], np.int64))
                if len(found) > CANDIDATES:
                    return found
        return found


class _Half:
    """All subsets of one half with a given sum, from two tables of quarter sums (built once, rarely)."""

    def __init__(self, items: IntArray, largest: int) -> None:
        self.cut = len(items) // 2
        self.starts, sums = _combinations(items[: self.cut], largest)
        self.ends, others = _combinations(items[self.cut :], largest)
        self.sums = sums
        self.order = np.argsort(others, kind="stable")
        self.ordered = others[self.order]

    def subsets(self, low: int, high: int, value: int) -> list[list[int]]:
        first = np.searchsorted(self.ordered, value - self.sums, side="left")
        last = np.searchsorted(self.ordered, value - self.sums, side="right")
        found = []
        for place in np.flatnonzero(last > first).tolist():
            for other in self.order[first[place] : last[place]].tolist():
                subset = [*self.starts[place], *(self.cut + i for i in self.ends[other])]
                if low <= len(subset) <= high:
                    found.append(subset)
        return found


def _combinations(items: IntArray, largest: int) -> tuple[list[tuple[int, ...]], IntArray]:
    subsets = [c for size in range(min(largest, len(items)) + 1) for c in combinations(range(len(items)), size)]
    return subsets, np.array([items[list(c)].sum() for c in subsets], np.int64)
