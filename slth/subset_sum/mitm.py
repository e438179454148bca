"""Exact meet-in-the-middle for one problem: one compiled call if short, slices on several threads if long."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product

import numpy as np

from slth._jit import merge, subsets
from slth._typing import IntArray
from slth.errors import CapacityExceeded
from slth.subset_sum import blocks, unbounded
from slth.subset_sum.plan import Layout, entries, hopeless, join_windows, make_layout
from slth.subset_sum.problem import Problem
from slth.subset_sum.scaling import NEAREST, Scaled, scale_one, turn
from slth.subset_sum.workers import Team, cpus

SHORT = 0.05  # seconds up to which a search is one call
SLICE = 1 << 21  # merged entries or join steps in one call of a long search: a few milliseconds
ROUND = 16  # calls after which a search may end early: not the threads, only this decides where
MOST_FIXED = 12
FIRST_TOUCH = 2e-10  # seconds for a byte, as pessimistic as `Layout.seconds`
PATIENCE = 1800.0  # estimated seconds on one thread beyond which memory is not saved at the cost of time
WIDEST_FIXED = 128  # samples beyond which fixing some of them saves little
CANDIDATES = 2000  # pairs of half sums compared exactly before giving up on the int64 grid


FIRST, ALWAYS = np.zeros(1, np.int64), np.full(1, 1 << 62)  # for a batch of one: its place, and no `beyond`


@dataclass(frozen=True)
class Answer:
    """What a method hands to the facade: a subset if any, whether the search was complete, the work."""

    indices: IntArray | None
    complete: bool
    work: int
    limits: tuple[str, ...] = ()


def plan_within(problem_size: tuple[int, int, int], max_bytes: int, mirrored: bool = True) -> Layout:
    """The layout for (n, k_min, k_max), refused before allocating anything if it needs more than max_bytes.

    If mirrored and long, the quickest of those with 0, 1, 2, .. items fixed that fit.
    """
    n, k_min, k_max = problem_size
    layout = None if hopeless(n, k_min, k_max) else make_layout(n, k_min, k_max, mirrored, turn=True)
    least = layout
    if layout is not None and mirrored and layout.seconds > SHORT and n <= WIDEST_FIXED:
        fitting = layout if layout.bytes <= max_bytes else None
        for fixed in (1, 2, 3, 4, 6, 8, 10, MOST_FIXED):
            least = make_layout(n, k_min, k_max, True, min(fixed, n - 2), turn=True)
            if least.seconds > PATIENCE:
                break
            if least.bytes <= max_bytes and (fitting is None or _burden(least) < _burden(fitting)):
                fitting = least
            elif fitting is not None and fixed >= 2:
                break
        layout = fitting
    if layout is None or layout.bytes > max_bytes:
        amount = f"about {least.bytes / 2**20:.0f} MiB" if least else "more than 8 TiB"
        raise CapacityExceeded(
            f"meet-in-the-middle with n={n}, sizes {k_min}..{k_max} needs {amount}, more than "
            f"`max_bytes`={max_bytes}. Raise `max_bytes`, or give eps and use method='cp-sat'."
        )
    return layout


def _burden(layout: Layout) -> float:
    """Seconds of a search and of the first touch of its memory, which can outweigh it on virtual machines."""
    return layout.seconds + FIRST_TOUCH * layout.bytes


def meet_cost(n: int, k_min: int, k_max: int) -> float:
    """Rough seconds of a search, planning included, without making the plan."""
    return 1e-6 * n * n + lists_cost(n, k_min, k_max)


@lru_cache(maxsize=4096)
def lists_cost(n: int, k_min: int, k_max: int) -> float:
    """Rough seconds of a search by the lengths of its lists; less than `Layout.seconds`."""
    left, right = n // 2, n - n // 2
    pairs = join_windows(n, k_min, k_max)
    lists = sum(entries(a, left) + entries(b, right) for a, b in pairs) if len(pairs) <= 64 else math.inf
    return 4e-9 * lists


def meet(
    problem: Problem,
    max_bytes: int,
    deadline: float,
    threads: int | None = 1,
    forced: tuple[tuple[int, ...], tuple[int, ...]] = ((), ()),
) -> Answer:
    """The closest subset, proved; or, with eps, the first one met that is certainly within eps.

    forced : indices of samples that every subset must hold, and of those that none may; the caller has checked
    that the sizes allow it.

    Time O(2^(n/2)) for exact sizes near n/2, C(n/2, k)-like for small k; memory `Layout.bytes`. The answer does
    not depend on the number of threads.
    """
    taken, barred = forced
    free = problem.n - len(taken) - len(barred)
    scaled = scale_one(problem)
    if problem.blocks is not None:
        layout = blocks.plan_within(problem.blocks, problem.k_max, max_bytes)
        scaled = blocks.relative(scaled, problem.blocks)
    else:
        sizes = max(0, problem.k_min - len(taken)), min(free, problem.k_max - len(taken))
        layout = plan_within((free, *sizes), max_bytes)
    if layout.seconds <= SHORT and not layout.fixed and free == problem.n:
        answer = _one_call(layout, scaled, problem)
        if answer is not None:
            return answer
    with Team(cpus() if threads is None else threads) as team:
        return _Long(problem, layout, scaled, max_bytes, deadline, team, forced).run()


def _one_call(layout: Layout, scaled: Scaled, problem: Problem) -> Answer | None:
    """The whole search in one compiled call; None if rounding leaves several candidates."""
    work = np.empty(layout.length, np.int64)
    mask = np.zeros((1, problem.n), np.bool_)
    half = problem.n // 2
    if layout.turned:
        scaled = turn(scaled, half)
    gaps = np.empty(1, np.int64)
    comb = np.empty(layout.largest, np.int64)
    goals, enough, slack = scaled.targets, scaled.enough, scaled.slack
    subsets.closest_block(
        work, scaled.items, layout.plan, goals, enough, slack, ALWAYS, FIRST, 0, 1, comb, mask, gaps
    )
    if gaps[0] < 0:
        return None
    if layout.turned:
        mask[0, half:] ^= True
    proved = problem.eps is None or bool(gaps[0] > enough[0] or enough[0] <= NEAREST)
    return Answer(np.flatnonzero(mask[0]), proved, layout.merged + layout.joined)


def side_by_side(left: IntArray, right: IntArray) -> IntArray:
    """Two sorted lists with their sentinels: the first at place 1, the second at place len(left) + 3."""
    far = np.array([merge.FAR])
    return np.concatenate((-far, left, far, -far, right, far))


def merge_lists(
    memory: IntArray, items: IntArray, layout: Layout, deadline: float, team: Team
) -> tuple[bool, int]:
    """Build all lists of a layout in slices; whether that ended in time, and the entries written."""
    ops = layout.plan.ops
    merge.sow(memory)
    sizes = np.where(ops[:, 4] >= 0, ops[:, 1] + ops[:, 3], ops[:, 1])
    ends = np.cumsum(sizes)
    start = done = 0
    while start < len(ops):
        stop = int(np.searchsorted(ends, done + SLICE, side="right"))
        if stop > start:
            merge.run_merges(memory, items, ops, start, stop)
        else:
            stop = start + 1
            _run_large(memory, items, ops, start, int(sizes[start]), team)
        done = int(ends[stop - 1])
        start = stop
        if time.monotonic() > deadline:
            return False, done
    return True, done


def _run_large(memory: IntArray, items: IntArray, ops: IntArray, which: int, size: int, team: Team) -> None:
    """One operation of a plan in slices, shared by the threads."""
    team.run(
        lambda start: merge.run_part(memory, items, ops, which, start, min(start + SLICE, size)),
        range(0, size, SLICE),
    )


@dataclass(frozen=True, order=True)
class _Piece:
    """A stretch of a join for one pattern of the fixed items; ties go to the first in order."""

    gap: int
    place: int
    which: int
    pattern: int
    start: int
    stop: int


class _Long:
    """A search in slices on a team of threads, with a deadline; also settles searches on a rounded grid.

    A join that several patterns of fixed items share is done for all of them before the next.
    """

    def __init__(
        self,
        problem: Problem,
        layout: Layout,
        scaled: Scaled,
        max_bytes: int,
        deadline: float,
        team: Team,
        forced: tuple[tuple[int, ...], tuple[int, ...]],
    ) -> None:
        self.problem, self.layout, self.scaled = problem, layout, scaled
        self.max_bytes, self.deadline, self.team = max_bytes, deadline, team
        self.forced, self.taken = forced, list(forced[0])
        self.places = np.setdiff1d(np.arange(problem.n), [*forced[0], *forced[1]])  # of the items searched
        self.free = len(self.places) - layout.fixed
        items = scaled.items[0] if problem.blocks else scaled.items[0][self.places]
        self.items = items if problem.blocks else items[: self.free]
        self.target = int(scaled.targets[0]) - int(scaled.items[0][self.taken].sum())
        self.memory = np.empty(layout.length, np.int64)
        self.work = 0
        self.halves: list[_Half] | None = None
        last = items[self.free : len(self.places)].tolist()
        self.half = (
            self.free // 2 if problem.blocks is None else self.free // problem.blocks // 2 * problem.blocks
        )
        if layout.turned:
            self.items = np.concatenate((self.items[: self.half], -self.items[self.half :]))
            self.target += int(self.items[self.half :].sum())
        self.total = int(self.items[: self.free].sum())
        self.rests = [
            self.target - sum(x for i, x in enumerate(last) if pattern >> i & 1)
            for pattern in range(1 << layout.fixed)
        ]

    def run(self) -> Answer:
        in_time, self.work = merge_lists(self.memory, self.items, self.layout, self.deadline, self.team)
        if not in_time:
            return Answer(None, False, self.work, ("`time_limit` reached while building the lists.",))
        enough, slack = int(self.scaled.enough[0]), int(self.scaled.slack[0])
        pieces: list[_Piece] = []
        best = _Piece(merge.FAR, -1, 0, 0, 0, 0)
        for batch in self._batches():
            found = self.team.run(self._walk, batch)
            best = min(best, *found)
            pieces = [piece for piece in (*pieces, *found) if piece.gap <= best.gap + 2 * slack]
            self.work += sum(stretch.stop - stretch.start for stretch in batch)
            if best.gap <= enough:
                proved = self.problem.eps is None or enough <= NEAREST
                return Answer(self._read(best), proved, self.work)
            if time.monotonic() > self.deadline:
                return Answer(self._read(best), False, self.work, ("`time_limit` reached.",))
        if slack:
            return self._settle(best, pieces, 2 * slack)
        return Answer(self._read(best), True, self.work)

    def _batches(self) -> Iterator[list[_Piece]]:
        """Stretches to walk, a few at a time, after the lists they need are mirrored."""
        layout = self.layout
        place = 0
        by_number: list[list[int]] = [[] for _ in layout.groups]
        for pattern in range(1 << layout.fixed):
            by_number[pattern.bit_count()].append(pattern)
        for patterns, (first, last) in zip(by_number, layout.groups, strict=True):
            for which in range(first, last):
                _, na, _, nb, *_ = self._open(which)
                stretches = []
                for pattern in patterns:
                    for start in range(0, na + nb, SLICE):
                        stretches.append(_Piece(0, place, which, pattern, start, min(start + SLICE, na + nb)))
                        place += 1
                for begin in range(0, len(stretches), ROUND):
                    yield stretches[begin : begin + ROUND]

    def _open(self, which: int) -> list[int]:
        """Write the mirrored lists of a join; its row of the plan."""
        plan = self.layout.plan
        row: list[int] = plan.joins[which].tolist()
        for o in range(row[8], row[9]):
            _run_large(self.memory, self.items, plan.mirrors, o, int(plan.mirrors[o, 1]), self.team)
        return row

    def _walk(self, stretch: _Piece) -> _Piece:
        """The smallest gap of a stretch, and the part of it where that is."""
        a, na, b, nb, *_ = self.layout.plan.joins[stretch.which].tolist()
        goal, enough = self._goal(stretch.which, stretch.pattern), int(self.scaled.enough[0])
        gap, first, last = merge.nearest(self.memory, a, na, b, nb, goal, stretch.start, stretch.stop, enough)
        if self.scaled.slack[0]:  # others may be as near: the whole stretch is looked at again
            first, last = stretch.start, stretch.stop
        return _Piece(gap, stretch.place, stretch.which, stretch.pattern, first, last)

    def _goal(self, which: int, pattern: int) -> int:
        """What the sums of a join are sought near."""
        rest = int(self.rests[pattern])
        flipped = bool(self.layout.plan.joins[which, 10])
        return self.total - rest if flipped else rest

    def _read(self, piece: _Piece) -> IntArray:
        a, na, b, nb, *windows = self._open(piece.which)
        goal = self._goal(piece.which, piece.pattern)
        i, j = merge.locate(self.memory, a, na, b, nb, goal, piece.start, piece.stop, piece.gap)
        sums = int(self.memory[i]), int(self.memory[j])
        comb = np.empty(self.layout.largest, np.int64)
        mask = np.zeros(len(self.places), np.bool_)
        scratch = np.empty(self.layout.length, np.int64) if self.scaled.slack[0] else self.memory
        for side in (0, 1):
            low, high = windows[2 * side : 2 * side + 2]
            subsets.read_back(scratch, self.items, self.layout.plan, side, low, high, sums[side], comb, mask)
        return self._named(np.flatnonzero(mask).tolist(), piece.which, piece.pattern)

    def _named(self, subset: list[int], which: int, pattern: int) -> IntArray:
        """What the lists of a join stand for, items fixed and those forced in, as indices of the samples."""
        mask = np.zeros(len(self.places), np.bool_)
        mask[subset] = True
        mask[: self.free] ^= bool(self.layout.plan.joins[which, 10])
        mask[self.half : self.free] ^= self.layout.turned
        mask[self.free :] = [bool(pattern >> i & 1) for i in range(self.layout.fixed)]
        return np.sort(np.array([*self.places[mask], *self.taken], np.int64))

    def _settle(self, best: _Piece, pieces: list[_Piece], radius: int) -> Answer:
        """Compare exactly every subset whose rounded error is within `radius` units of the smallest."""
        pairs = np.empty((CANDIDATES, 2), np.int64)
        candidates: list[IntArray] = []
        for which, pattern in sorted({(piece.which, piece.pattern) for piece in pieces}):
            a, na, b, nb, *windows = self._open(which)
            goal = self._goal(which, pattern)
            count = merge.collect(self.memory, a, na, b, nb, goal, best.gap + radius, pairs, 0)
            more = self._subsets(np.unique(pairs[:count], axis=0), windows)
            candidates += [self._named(subset, which, pattern) for subset in more]
            if count == CANDIDATES or len(candidates) > CANDIDATES:
                return self._widen(best)
        self.work += len(candidates)
        chosen = min(candidates, key=lambda c: (unbounded.exact_distance(self.problem, c), c.tolist()))
        return Answer(chosen, True, self.work)

    def _widen(self, best: _Piece) -> Answer:
        """Too many subsets look alike on the grid: long integers if they fit, else say so."""
        reason = "the samples' magnitudes differ too much for 64-bit fixed point"
        try:
            found = unbounded.closest(self.problem, self.max_bytes, self.deadline, self.forced)
        except CapacityExceeded as error:
            return Answer(self._read(best), False, self.work, (f"{reason}; {error}",))
        if found is None:
            return Answer(self._read(best), False, self.work, (f"{reason}; `time_limit` reached.",))
        return Answer(found[0], True, self.work + found[1])

    def _subsets(self, pairs: IntArray, windows: list[int]) -> list[list[int]]:
        """Every subset behind some pairs of half sums."""
        b, half = self.problem.blocks, self.half
        if self.halves is None:
            parts = (self.items[:half], self.items[half : self.free])
            self.halves = [_Half(part, min(self.layout.largest, len(part)), b) for part in parts]
        left, right = self.halves
        found: list[list[int]] = []
        for x, y in pairs.tolist():
            ends = right.subsets(windows[2], windows[3], y)
            for start, end in product(left.subsets(windows[0], windows[1], x), ends):
                found.append(start + [half + i for i in end])
                if len(found) > CANDIDATES:
                    return found
        return found


class _Half:
    """All subsets of one half with a given sum, from two tables of quarter sums (built once, rarely)."""

    def __init__(self, items: IntArray, largest: int, b: int | None) -> None:
        self.blocks = b
        self.cut = len(items) // 2 if b is None else len(items) // b // 2 * b
        self.starts, sums = _combinations(items[: self.cut], largest, b)
        self.ends, others = _combinations(items[self.cut :], largest, b)
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
                if self.blocks or low <= len(subset) <= high:
                    found.append(subset)
        return found


def _combinations(items: IntArray, largest: int, b: int | None) -> tuple[list[tuple[int, ...]], IntArray]:
    if b is not None:  # relative to the first of each block
        places = product(*(range(first, first + b) for first in range(0, len(items), b)))
        relative = items - np.repeat(items[::b], b)
        subsets = list(places)
        return subsets, np.array([relative[list(c)].sum() for c in subsets], np.int64)
    subsets = [c for size in range(min(largest, len(items)) + 1) for c in combinations(range(len(items)), size)]
    return subsets, np.array([items[list(c)].sum() for c in subsets], np.int64)
