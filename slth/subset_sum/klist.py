"""Merging four lists (generalised birthday): one subset within a very small tolerance where many exist.

Some items are fixed greedily (anchors); four groups of g others give q each. Of the N = C(g, q) sums of each
group, the pairs of groups 1 and 2 whose sum lies in a window of half-width w about c, and those of groups 3 and
4 about the rest, are listed, about N of each when w = 1 / (2 N density); two such lists hold about

    2 N^3 eps density

pairs within eps of the target, so that N = (1 / (eps density))^(1/3) suffices: time and memory eps^(-1/3) up to
logarithms, where pools need eps^(-1/2). Other c give fresh lists from the same sums. Not finding one proves
nothing.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations

import numpy as np

from slth._jit import merge
from slth._jit.subsets import spread_stride
from slth._typing import IntArray
from slth.subset_sum.mitm import side_by_side
from slth.subset_sum.problem import Problem
from slth.subset_sum.scaling import scale_one

WINDOWS = 64  # values of c tried before giving up
HITS = 1.0  # expected in one window
LARGEST = 1 << 18  # sums of one group: beyond, one try takes seconds
SMALLEST = 300  # sums of one group below which nothing is saved


def merge_four(problem: Problem) -> tuple[IntArray | None, int] | None:
    """A subset within eps if some window holds one, and the work done; None if the method does not apply."""
    if problem.eps is None or problem.n < 16:
        return None
    scaled = scale_one(problem)
    enough = int(scaled.enough[0])
    k = min(max(problem.k_min, problem.n // 2), problem.k_max)
    spread = float(np.std(scaled.items[0].astype(np.float64)))
    if enough < 1 or not spread:
        return None
    shape = choose_groups(problem.n, k, round(2 * math.log2(spread / enough)) / 2)
    if shape is None:
        return None
    # Groups are counted off in long strides, since neighbours in sorted samples are alike.
    order = np.arange(problem.n) * spread_stride(problem.n) % problem.n
    found, work = _Search(scaled.items[0][order], int(scaled.targets[0]), enough, k, *shape).run()
    return None if found is None else np.sort(order[found]), work


@lru_cache(maxsize=256)
def choose_groups(n: int, k: int, log2_ratio: float) -> tuple[int, int] | None:
    """(g, q) with enough and fewest sums, for spread / eps = 2**log2_ratio; None if there is none."""
    best: tuple[int, int, int] | None = None
    for q in range(1, k // 4 + 1):
        for g in range(2 * q, (n - (k - 4 * q)) // 4 + 1):
            density = 1 / math.sqrt(4 * math.pi * q * (1 - q / g))
            size = math.comb(g, q)
            if size > LARGEST or (best is not None and size >= best[0]):
                break
            if size >= SMALLEST and 3 * math.log2(size) + math.log2(2 * density) - log2_ratio >= math.log2(
                HITS
            ):
                best = (size, g, q)
                break
    return None if best is None else best[1:]


@lru_cache(maxsize=8)
def _choices(g: int, q: int) -> IntArray:
    return np.array(list(combinations(range(g), q)), np.int64)


class _Search:
    """The groups, anchors and sorted sums of one problem."""

    def __init__(self, items: IntArray, target: int, enough: int, k: int, g: int, q: int) -> None:
        self.items, self.enough, self.g = items, enough, g
        self.groups = [np.arange(i * g, (i + 1) * g) for i in range(4)]
        self.choices = _choices(g, q)
        mean = float(items[: 4 * g].astype(np.float64).mean())
        self.anchors, self.rest = self._anchors(k - 4 * q, target, 4 * q * mean)
        self.sums = [items[group][self.choices].sum(axis=1) for group in self.groups]
        self.size = len(self.choices)
        self.centre = [float(s.astype(np.float64).mean()) for s in self.sums]
        spread = float(np.hypot(self.sums[0].astype(np.float64).std(), self.sums[1].astype(np.float64).std()))
        self.width = max(1, math.ceil(math.sqrt(2 * math.pi) * spread / (2 * self.size)))

    def _anchors(self, count: int, target: int, middle: float) -> tuple[list[int], int]:
        """Items outside the groups that bring the rest of the target near `middle`."""
        left = list(range(4 * self.g, len(self.items)))
        chosen: list[int] = []
        rest = target
        for c in range(count):
            share = (rest - middle) / (count - c)
            place = int(np.argmin(np.abs(self.items[left].astype(np.float64) - share)))
            chosen.append(left.pop(place))
            rest -= int(self.items[chosen[-1]])
        return chosen, rest

    def run(self) -> tuple[IntArray | None, int]:
        halves = [side_by_side(np.sort(self.sums[2 * i]), np.sort(self.sums[2 * i + 1])) for i in (0, 1)]
        pairs = [np.empty((8 * self.size + 64, 2), np.int64) for _ in (0, 1)]
        drift = (self.rest - sum(self.centre)) / 2
        work = 4 * self.size
        for t in range(WINDOWS):
            step = (t + 1) // 2 * (1 if t % 2 else -1)
            c = round(self.centre[0] + self.centre[1] + drift) + 2 * self.width * step
            found = []
            for half, goal, table in zip(halves, (c, self.rest - c), pairs, strict=True):
                n = self.size
                count = merge.collect(half, 1, n, n + 3, n, goal, self.width, table, 0)
                found.append(table[:count])
                work += 2 * n + count
            chosen = self._join(*found)
            if chosen is not None:
                return chosen, work
        return None, work

    def _join(self, first: IntArray, second: IntArray) -> IntArray | None:
        """The subset behind two pairs of sums, one of each list, whose total is near enough to the rest."""
        if not (len(first) and len(second)):
            return None
        totals = first.sum(axis=1), second.sum(axis=1)
        lists = side_by_side(np.sort(totals[0]), np.sort(totals[1]))
        na, nb = len(first), len(second)
        gap, start, stop = merge.nearest(lists, 1, na, na + 3, nb, self.rest, 0, na + nb, self.enough)
        if gap > self.enough:
            return None
        i, j = merge.locate(lists, 1, na, na + 3, nb, self.rest, start, stop, gap)
        chosen = list(self.anchors)
        for table, total, values, where in (
            (first, totals[0], lists[i], (0, 1)),
            (second, totals[1], lists[j], (2, 3)),
        ):
            pair = table[np.argmax(total == values)]
            for group, value in zip(where, pair, strict=True):
                choice = self.choices[np.argmax(self.sums[group] == value)]
                chosen += self.groups[group][choice].tolist()
        return np.sort(np.array(chosen, np.int64))
