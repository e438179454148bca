"""`covering_radius`: the least tolerance at which an interval is covered, and the longest gaps between sums."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from slth._jit import covering
from slth._jit.merge import FAR
from slth._jit.walks import look
from slth._typing import FloatArray
from slth._validate import as_integer, as_real, read_only
from slth.errors import InvalidInput
from slth.subset_sum.count import as_deadline
from slth.subset_sum.cover import BUDGET
from slth.subset_sum.cover_result import CoverRadius
from slth.subset_sum.edges import cells_between, cells_for
from slth.subset_sum.everything import all_sums, pays
from slth.subset_sum.family import Family, as_family, as_samples
from slth.subset_sum.grid import clip, make_grid
from slth.subset_sum.halves import Halves, build, plan_halves
from slth.subset_sum.nearby import Nearby
from slth.subset_sum.problem import Sizes
from slth.subset_sum.solve import as_memory

FEW = 1 << 20  # sums up to which listing them as long integers is quicker than measuring gaps one by one
FINER = 4  # each pass looks for gaps this many times shorter than the pass before
SHORTEST = 16  # gaps this many times shorter than the longest are not searched for


def covering_radius(
    samples: npt.ArrayLike,
    low: float,
    high: float,
    *,
    k: Sizes = None,
    blocks: int | None = None,
    gaps: int = 1,
    threads: int | None = None,
    max_bytes: int | None = None,
    time_limit: float | None = None,
) -> CoverRadius:
    r"""Largest distance of a point of [low, high] from the nearest sum: the least eps that covers it.

    .. math:: \max_{z \in [low, high]} \min_S \bigl|\sum_{i \in S} x_i - z\bigr|,

    the largest of the distances of low and of high from the nearest sum and half of the longest gap between
    neighbouring sums whose middle lies in the interval.

    Parameters
    ----------
    samples : array_like
        x, shape (n,), n >= 1, finite.
    low, high : float
        The interval, low <= high.
    k : int or (int, int), optional
        Size of S: exactly k, or k_min..k_max. Default: any size, 0 included.
    blocks : int, optional
        One of each `blocks` consecutive samples, as in `cover`.
    gaps : int, optional
        How many of the longest gaps to list, 1..1000. Those shorter than a sixteenth of the longest, or than
        twice the distance of an end, may be left out; of equally long ones, any.
    threads : int, optional
        Threads to use, >= 1; the result does not depend on it. Default: 1.
    max_bytes : int, optional
        Memory for lists. Default 4 GiB.
    time_limit : float, optional
        Seconds, > 0, from which the search ends with what is known of the radius and the reason in `limits`.
        Default: none. Lists of all sums of a small family are not interrupted.

    Returns
    -------
    CoverRadius

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.
    CapacityExceeded
        Before allocating, if the lists need more than `max_bytes`; or if sums so close together decide that
        64-bit fixed point cannot tell them apart.

    Notes
    -----
    The blocked search of `cover` with ever shorter allowed gaps, until some are found that are longer; each one
    found raises the length that is still of interest in its block. Cost: about 4 of `cover` with eps = radius.
    On a rounded grid the sums at the ends and around the gaps listed are computed again exactly.

    Examples
    --------
    >>> from slth.subset_sum.radius import covering_radius
    >>> result = covering_radius([1.0, 2.0, 5.0], 0, 8)
    >>> result.radius, result.witness, result.left.tolist(), result.right.tolist()
    (1.0, 4.0, [3.0], [5.0])
    """
    first, last = as_real(low, "low"), as_real(high, "high")
    if first > last:
        raise InvalidInput(f"`low` must be <= `high`; got {first!r} > {last!r}.")
    array = as_samples(samples, 1, max(abs(first), abs(last)))
    family = as_family(len(array), k, blocks)
    wanted = as_integer(gaps, "gaps", low=1, high=1000)
    workers = 1 if threads is None else as_integer(threads, "threads", low=1, high=1024)
    memory = as_memory(max_bytes)
    deadline = as_deadline(time_limit)
    halves = plan_halves(family, memory)
    search = _Radius(read_only(array), (first, last), family, wanted, memory, workers, deadline)
    if pays(search.grid, family, halves.listed, memory, FEW):
        return search.exhaustive()
    return search.blocked(halves)


class _Gaps:
    """The longest gaps with their middle in the interval, by the integer sums around them."""

    def __init__(self, wanted: int, low: Fraction, high: Fraction, slack: int) -> None:
        self.wanted, self.low, self.high, self.slack = wanted, low, high, slack
        self.sure: set[tuple[int, int]] = set()
        self.unsure: set[tuple[int, int]] = set()  # where rounding leaves the middle in doubt

    def note(self, left: int, right: int) -> int:
        """Keep a gap whose middle may lie in the interval; the length up to which gaps no longer matter."""
        twice, slack = left + right, 2 * self.slack
        if 2 * self.low + slack <= twice <= 2 * self.high - slack:
            self.sure.add((left, right))
        elif 2 * self.low - slack <= twice <= 2 * self.high + slack:
            self.unsure.add((left, right))
        return self.forget()

    def forget(self) -> int:
        """Drop the gaps that are certainly too short; the length up to which they are."""
        if len(self.sure) < self.wanted:
            return 0
        longest = sorted((right - left for left, right in self.sure), reverse=True)
        shortest = longest[self.wanted - 1] - 4 * self.slack
        self.sure = {gap for gap in self.sure if gap[1] - gap[0] >= shortest}
        return shortest

    def add(self, other: _Gaps) -> None:
        """Take over the gaps of a block."""
        self.sure |= other.sure
        self.unsure |= other.unsure
        self.forget()

    @property
    def longest(self) -> int:
        """Length of the longest, in integer sums."""
        return max((right - left for left, right in self.sure | self.unsure), default=0)


class _Radius:
    def __init__(
        self,
        samples: FloatArray,
        interval: tuple[float, float],
        family: Family,
        wanted: int,
        max_bytes: int,
        workers: int,
        deadline: float,
    ) -> None:
        self.samples, self.family, self.max_bytes, self.wanted = samples, family, max_bytes, wanted
        self.workers, self.deadline = workers, deadline
        self.grid = make_grid(samples[None, :], family)
        self.slack = 0 if self.grid.exact[0] else self.grid.slack
        self.low, self.high = (self.grid.units(end) for end in interval)
        self.tables: Nearby | None = None
        self.work = 0
        self.found = self.fresh()
        self.late = False
        self.most: Fraction | None = None  # no gap in the interval is longer, if anything is known

    def fresh(self) -> _Gaps:
        return _Gaps(self.wanted, self.low, self.high, self.slack)

    def exhaustive(self) -> CoverRadius:
        """By the sorted list of all sums."""
        sums, finer = all_sums(self.samples, self.grid, self.family, self.max_bytes)
        self.work = self.family.size
        cut = clip if sums.dtype == np.int64 else int
        ends = []
        for point in (self.low, self.high):
            place = int(np.searchsorted(sums, cut(math.ceil(point * finer))))
            near = sums[max(0, place - 1) : place + 1].tolist()
            ends.append(min(abs(point - Fraction(s, finer)) for s in near))
        twice = sums[1:] + sums[:-1]
        first, last = cut(math.ceil(2 * self.low * finer)), cut(math.floor(2 * self.high * finer))
        inside = np.flatnonzero((twice >= first) & (twice <= last))
        order = np.argsort(-(sums[1:] - sums[:-1])[inside], kind="stable")[: self.wanted]
        pairs = [
            (Fraction(int(sums[i]), finer), Fraction(int(sums[i + 1]), finer)) for i in inside[order].tolist()
        ]
        return self.result((ends[0], ends[1]), pairs, "exhaustive")

    def blocked(self, halves: Halves) -> CoverRadius:
        """By ever finer cells, until gaps are found."""
        built = build(halves, self.grid.items[0], self.deadline)
        if built is None:
            self.late = True
            return self.result(None, [], "blocked")
        self.lists, self.offset = built
        self.joins = halves.joins
        self.work = halves.merged
        ends = self.distance(self.low), self.distance(self.high)
        farthest = 2 * max(ends)
        allowed = max(1, clip(math.floor(max((self.high - self.low) / 8, farthest))))
        while self.low < self.high:
            self.search(allowed)
            if self.late:
                break
            self.most = Fraction(max(allowed, self.found.longest + 2 * self.slack))
            longest = max((right - left for left, right in self.found.sure), default=0)
            finest = max(1, math.floor(farthest), longest // SHORTEST)
            if len(self.found.sure) >= self.wanted or allowed <= finest:
                break
            allowed = max(allowed // FINER, finest)
        return self.result(ends, self.gaps(), "blocked")

    def distance(self, point: Fraction) -> Fraction:
        """The exact distance, in units, of a point from the nearest sum."""
        value = clip(math.ceil(point)) - self.offset
        below, above = look(self.lists, self.joins, value, 0)
        left = None if below == -FAR else int(below) + self.offset
        right = None if above == FAR else int(above) + self.offset
        return min(abs(point - s) for s in self.exact(left, right) if s is not None)

    def exact(self, left: int | None, right: int | None) -> tuple[Fraction | None, Fraction | None]:
        """The exact sums on both sides of a gap between neighbouring integer sums."""
        if not self.slack:
            return None if left is None else Fraction(left), None if right is None else Fraction(right)
        if self.tables is None:
            self.tables = Nearby(self.samples, self.grid, self.family, self.max_bytes)
        return self.tables.around(left, right, self.slack)

    def search(self, allowed: int) -> None:
        """Note all gaps longer than `allowed` with their middle in the interval, or the longest ones wanted.

        Each block is searched by itself, so that the result is the same for any number of threads.
        """
        lowest, highest = covering.extremes(self.lists, self.joins)
        margin = allowed // 2 + 1 + self.slack
        first = max(clip(math.floor(self.low) - margin) - self.offset, int(lowest))
        last = min(clip(math.ceil(self.high) + margin) - self.offset, int(highest))
        frame = cells_between(first, last, max(1, allowed - 2 * self.slack))
        total = -(-int(frame[2]) // int(frame[4]))
        blocks = iter(range(total))
        lock = threading.Lock()
        found: dict[int, _Gaps] = {}

        def drain() -> None:
            own = frame.copy()
            cells, words = cells_for(frame)
            reach, state = np.zeros(6, np.int64), np.zeros(6, np.int64)
            while not self.late:
                with lock:
                    block = next(blocks, total)
                if block == total:
                    return
                state[:] = block, block + 1, -1, 0, 0, 0
                own[3] = frame[3]
                gaps = found[block] = self.fresh()
                while True:
                    code = covering.scan(self.lists, self.joins, own, cells, words, reach, state, BUDGET)
                    if code == covering.GAP:
                        shortest = gaps.note(int(state[3]) + self.offset, int(state[4]) + self.offset)
                        own[3] = max(int(own[3]), shortest)
                    if time.monotonic() > self.deadline:
                        self.late = True
                        return
                    if code == covering.DONE:
                        break
                with lock:
                    self.work += int(state[5])

        if min(self.workers, total) <= 1:
            drain()
        else:
            with ThreadPoolExecutor(min(self.workers, total)) as executor:
                try:
                    for task in [executor.submit(drain) for _ in range(self.workers)]:
                        task.result()
                except BaseException:
                    self.late = True
                    raise
        for block in sorted(found):
            self.found.add(found[block])

    def gaps(self) -> list[tuple[Fraction, Fraction]]:
        """The exact sums around the longest gaps, longest first, then from the left."""
        pairs = [self.exact(left, right) for left, right in self.found.sure | self.found.unsure]
        inside = [(a, b) for a, b in pairs if a is not None and b is not None and self.inside(a + b)]
        return sorted(inside, key=lambda gap: (gap[0] - gap[1], gap[0]))[: self.wanted]

    def inside(self, twice: Fraction) -> bool:
        return 2 * self.low <= twice <= 2 * self.high

    def result(
        self, ends: tuple[Fraction, Fraction] | None, found: list[tuple[Fraction, Fraction]], method: str
    ) -> CoverRadius:
        value = self.grid.value
        nothing = Fraction(0)
        places = [] if ends is None else [(ends[0], self.low), (ends[1], self.high)]
        places += [((b - a) / 2, (a + b) / 2) for a, b in found[:1]]
        least, place = max(places, key=lambda pair: pair[0], default=(nothing, self.low))
        most: Fraction | None = least
        if self.late:
            most = None if ends is None or self.most is None else max(*ends, self.most / 2)
        left, right, lengths = (
            read_only(np.array([float(value(number)) for number in numbers], np.float64))
            for numbers in (
                [a for a, _ in found],
                [b for _, b in found],
                [b - a for a, b in found],
            )
        )
        distances = [math.inf if ends is None else rounded_up(value(end)) for end in ends or (nothing, nothing)]
        return CoverRadius(
            math.inf if most is None else rounded_up(value(most)),
            float(value(place)),
            distances[0],
            distances[1],
            left,
            right,
            lengths,
            method,
            self.work,
            rounded_up(value(least)) if not self.late else math.nextafter(float(value(least)), 0.0),
            ("`time_limit` reached.",) if self.late else (),
        )


def rounded_up(number: Fraction) -> float:
    """The least float64 >= number."""
    nearest = float(number)
    return nearest if Fraction(nearest) >= number else math.nextafter(nearest, math.inf)
