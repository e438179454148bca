"""A few of many samples (k up to 7, n in the hundreds to 100,000), exactly: sums of all samples, not of halves.

size    list                 repeated for                   time          memory
1       -                    -                              n             n
2, 3    the samples          nothing, or each sample        n, n^2        n
4, ..   sums of all pairs    each choice of k - 4 samples   n^(k - 2)     n^2
"""

from __future__ import annotations

import math
import time
from itertools import combinations

import numpy as np

from slth._jit.few import nearest_disjoint
from slth._jit.merge import FAR
from slth._typing import IntArray
from slth.subset_sum import unbounded
from slth.subset_sum.mitm import ROUND, Answer
from slth.subset_sum.problem import Problem
from slth.subset_sum.scaling import NEAREST, scale
from slth.subset_sum.workers import Team, cpus

LARGEST = 7
BYTES = 64  # of one entry: its sum and items, and the temporaries of sorting
STEP = 2e-9  # seconds
STEPS = 1 << 22  # in one compiled call
HITS = 4096


def few_cost(n: int, k_min: int, k_max: int) -> tuple[float, int]:
    """Estimated seconds and bytes; infinite where the method does not apply."""
    if k_min > n - k_max:
        k_min, k_max = n - k_max, n - k_min
    if k_max > LARGEST:
        return math.inf, 0
    seconds, size = 0.0, n
    for k in range(k_min, k_max + 1):
        entries = n if k <= 3 else math.comb(n, 2)
        size = max(size, entries)
        rows = math.comb(n, k - 2 if k <= 3 else k - 4) if k >= 2 else 1
        seconds += STEP * rows * entries + 1e-7 * entries
        size = max(size, rows)
    return seconds, BYTES * size


def pick_few(problem: Problem, deadline: float, threads: int | None) -> Answer:
    """The closest subset of a few samples, proved; with eps, the first one certainly within."""
    with Team(cpus() if threads is None else threads) as team:
        return _Few(problem, deadline, team).run()


class _Few:
    """One problem, size by size; of very large sizes the samples left out are looked for."""

    def __init__(self, problem: Problem, deadline: float, team: Team) -> None:
        self.problem, self.deadline, self.team = problem, deadline, team
        self.left_out = problem.k_min > problem.n - problem.k_max
        rows, goals = problem.samples[None, :], np.array([problem.target])
        scaled = scale(rows, goals, problem.k_max, problem.eps, few=not self.left_out)
        self.items = scaled.items[0]
        self.n = problem.n
        self.target, self.slack = int(scaled.targets[0]), 2 * int(scaled.slack[0])
        self.enough = int(scaled.enough[0])
        self.sizes = (problem.k_min, problem.k_max)
        if self.left_out:
            self.target = int(self.items.sum()) - self.target
            self.sizes = (problem.n - problem.k_max, problem.n - problem.k_min)
        self.best = FAR
        self.found: dict[tuple[int, ...], int] = {}  # gaps of subsets; a subset is met in several ways
        self.work = 0
        self.full = False

    def run(self) -> Answer:
        for k in range(self.sizes[0], self.sizes[1] + 1):
            if k < 2:
                self._one_or_none(k)
            elif not self._search(k):
                return Answer(self._answer()[0], False, self.work, ("`time_limit` reached.",))
            if self.best <= self.enough:
                break
        chosen, alike = self._answer()
        proved = self.best > self.enough or self.problem.eps is None or self.enough <= NEAREST
        if self.slack and self.best > self.enough and (alike > HITS or self.full):
            reason = "the samples' magnitudes differ too much for 64-bit fixed point"
            return Answer(chosen, False, self.work, (reason,))
        return Answer(chosen, proved, self.work)

    def _answer(self) -> tuple[IntArray | None, int]:
        """The closest subset known, compared exactly if several are alike on the grid; how many were."""
        near = [subset for subset, gap in self.found.items() if gap <= self.best + self.slack]
        subsets = []
        for subset in sorted(near):
            chosen = np.array(subset, np.int64)
            subsets.append(np.setdiff1d(np.arange(self.n), chosen) if self.left_out else chosen)
        if not subsets:
            return None, 0
        key = {True: lambda c: (unbounded.exact_distance(self.problem, c), c.tolist())}.get(bool(self.slack))
        return (min(subsets, key=key) if key else subsets[0]), len(subsets)

    def _keep(self, gap: int, subset: list[int]) -> None:
        self.best = min(self.best, gap)
        self.found[tuple(sorted(subset))] = gap

    def _one_or_none(self, k: int) -> None:
        if k == 0:
            self._keep(abs(self.target), [])
            return
        gaps = np.abs(self.items - self.target)
        least = int(gaps.min())
        near = np.flatnonzero(gaps <= least + self.slack)
        self.full |= len(near) > HITS
        for i in near[: HITS if self.slack else 1].tolist():
            self._keep(int(gaps[i]), [i])
        self.work += self.n

    def _search(self, k: int) -> bool:
        """Look at all subsets of k >= 2 samples; whether that ended in time."""
        sums, one, two = self._singles() if k <= 3 else self._pairs()
        number = k - 2 if k <= 3 else k - 4
        if k == 3:  # the fixed one comes first in the sorted list: each subset is met once
            fixed = one[:, None].copy()
        else:
            fixed = np.array(list(combinations(range(self.n), number)), np.int64)
            fixed = fixed.reshape(math.comb(self.n, number), number)
        goals = self.target - self.items[fixed].sum(axis=1)
        size = len(sums)
        rows = max(1, STEPS // size)
        jobs = []
        for row in range(0, len(goals), rows):
            end = min(row + rows, len(goals))
            jobs += [(row, end, i, min(i + STEPS, size)) for i in range(row if k == 3 else 0, size, STEPS)]
        for begin in range(0, len(jobs), ROUND):
            batch = jobs[begin : begin + ROUND]
            best = self.best

            def walk(job: tuple[int, int, int, int], best: int = best) -> IntArray:
                hits = np.empty((HITS, 4), np.int64)
                _, count = nearest_disjoint(
                    sums, one, two, fixed, goals, *job, best, self.slack, self.enough, hits
                )
                return hits[:count]

            for hits in self.team.run(walk, batch):
                self.full |= len(hits) == HITS
                for gap, i, j, row in hits.tolist():
                    if gap <= self.best + self.slack:
                        pair = {int(one[i]), int(two[i]), int(one[j]), int(two[j])}
                        self._keep(gap, [*pair, *fixed[row].tolist()])
            self.found = {s: gap for s, gap in self.found.items() if gap <= self.best + self.slack}
            if len(self.found) > HITS:
                self.full = True
                self.found = dict(sorted(self.found.items(), key=lambda entry: entry[1])[:HITS])
            self.work += sum((end - row) * (stop - start) for row, end, start, stop in batch)
            if self.best <= self.enough:
                return True
            if time.monotonic() > self.deadline:
                return False
        return True

    def _singles(self) -> tuple[IntArray, IntArray, IntArray]:
        order = np.argsort(self.items, kind="stable")
        return self.items[order], order, order

    def _pairs(self) -> tuple[IntArray, IntArray, IntArray]:
        one, two = np.triu_indices(self.n, 1)
        sums = self.items[one] + self.items[two]
        order = np.argsort(sums, kind="stable")
        return sums[order], one[order], two[order]
