"""Problems searched together by pools and complete searches: one grid, one plan, blocks on threads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slth._jit import subsets
from slth._jit.blocks import block_pool
from slth._typing import BoolArray, FloatArray, IntArray
from slth.errors import CapacityExceeded
from slth.subset_sum.blocks import plan_within as plan_blocks
from slth.subset_sum.blocks import pools_for as block_pools_for
from slth.subset_sum.blocks import relative, shift_pairs
from slth.subset_sum.family import Family
from slth.subset_sum.few import few_cost, pick_few
from slth.subset_sum.klist import merge_four
from slth.subset_sum.mitm import SHORT, Answer, lists_cost, meet, meet_cost, merge_lists, plan_within
from slth.subset_sum.plan import Layout
from slth.subset_sum.pools import TURNS, Pool, pools_for
from slth.subset_sum.problem import Problem, exact_error, exact_value, within
from slth.subset_sum.result import Status
from slth.subset_sum.scaling import NEAREST, Scaled, log2_ratio, scale, turn
from slth.subset_sum.workers import Team, share

Block = Callable[[IntArray, IntArray, int, int], None]  # work, scratch, start, stop
FEW = 30  # samples up to which looking at extreme sums, or at sums of all samples, saves nothing
QUICK = 1e-3  # seconds of a complete search that make heuristics superfluous
VERY_SMALL = 29  # log2 of spread / eps from which four lists are quicker than pools
CALL = 3e-4  # seconds that one search outside a compiled block costs besides
BLOCK = 0.1  # seconds of estimated work in one compiled call
TURN = 1e-6  # seconds that a turn of a pool costs besides
WORTH_THREADS = 0.001  # seconds of estimated work below which threads cost more than they bring


@dataclass(frozen=True)
class Answers:
    """What is known of B instances of n samples; rows are filled by whoever settles them."""

    mask: BoolArray
    values: FloatArray
    errors: FloatArray
    statuses: Any

    @classmethod
    def blank(cls, count: int, n: int) -> Answers:
        statuses = np.full(count, Status.LIMIT.value, np.int8)
        return cls(np.zeros((count, n), np.bool_), np.full(count, np.nan), np.full(count, np.nan), statuses)


class Group:
    """Instances of one shape, filled stage by stage; every block writes its own rows only."""

    def __init__(
        self,
        samples: FloatArray,
        targets: FloatArray,
        family: Family,
        eps: float | None,
        max_bytes: int,
        workers: int,
        answers: Answers,
        *,
        tried: bool,
    ) -> None:
        self.shared = samples.ndim == 1
        self.targets, self.answers = targets, answers
        self.rows = samples[None, :] if self.shared else samples
        self.k_min, self.k_max, self.blocks, self.eps = family.k_min, family.k_max, family.blocks, eps
        self.max_bytes, self.workers = max_bytes, workers
        self.n = samples.shape[-1]
        self.limits: tuple[str, ...] = ()
        self.work = 0
        self.tried = tried  # by a heuristic before: what the complete search cannot hold then stays open

    def run(self) -> None:
        shared = self.shared
        few = self._few_seconds()
        if shared and self.eps is not None and few == math.inf and not self._takes(SHORT, mirrored=False):
            self.rows = np.repeat(self.rows, len(self.targets), axis=0)  # pools work on own samples
            shared = False
        scaled = scale(self.rows, self.targets, self.k_max, self.eps)
        gaps = np.full(len(self.targets), -1, np.int64)
        if self.eps is not None and not shared and few > QUICK:
            if self.blocks is None:
                self._try_lists()
            self._try_pools(scaled, gaps)
        left = np.flatnonzero((gaps < 0) & np.isnan(self.answers.errors))
        layout = self._full_layout(shared) if left.size and few == math.inf else None
        if layout is not None and layout.seconds <= SHORT and not layout.fixed:
            searched = scaled if self.blocks is None else relative(scaled, self.blocks)
            if shared:
                self._search_shared(layout, searched, gaps)
            else:
                self._search(layout, searched, left, gaps)
        self._judge(scaled, gaps >= 0, gaps)
        if layout is not None or few < math.inf:
            for b in left[gaps[left] < 0].tolist():
                self._search_alone(b, few < math.inf)

    def _few_seconds(self) -> float:
        """Estimated seconds of `pick_few` for one instance where it is the best complete search."""
        if self.blocks is not None:
            return math.inf
        seconds, size = few_cost(self.n, self.k_min, self.k_max)
        worth = self.n > FEW and size <= self.max_bytes
        worth = worth and 2 * (seconds + CALL) < meet_cost(self.n, self.k_min, self.k_max)
        return seconds if worth else math.inf

    def _fits(self) -> bool:
        """Whether meet-in-the-middle may be tried after a refusal; it has a path through long integers."""
        try:
            plan_within((self.n, self.k_min, self.k_max), self.max_bytes)
        except CapacityExceeded:
            return False
        return True

    def _try_lists(self) -> None:
        """Merge four lists, one instance at a time, where eps is too small for pools."""
        eps = self.eps or 1.0
        if log2_ratio(self.rows, eps) <= VERY_SMALL:
            return
        for b in range(len(self.targets)):
            problem = self._problem(b)
            found = merge_four(problem)
            if found is None:
                return
            self.work += found[1]
            if found[0] is not None:
                self._put(b, problem, Answer(found[0], False, found[1]))

    def _plan(self, *, mirrored: bool) -> Layout:
        if self.blocks is not None:
            return plan_blocks(self.blocks, self.k_max, self.max_bytes)
        return plan_within((self.n, self.k_min, self.k_max), self.max_bytes, mirrored)

    def _takes(self, seconds: float, *, mirrored: bool) -> bool:
        """Whether the complete search of one instance fits, and takes no longer than that."""
        if self.blocks is None and lists_cost(self.n, self.k_min, self.k_max) > seconds:
            return False  # known without making a plan
        try:
            return self._plan(mirrored=mirrored).seconds <= seconds
        except CapacityExceeded:
            return False

    def _full_layout(self, shared: bool) -> Layout | None:
        """The layout of the complete search; None if it does not fit and pools were tried instead."""
        try:
            return self._plan(mirrored=not shared)
        except CapacityExceeded as error:
            if not (self.work or self.tried):
                raise
            self.limits += (str(error),)
            return None

    def _try_pools(self, scaled: Scaled, gaps: IntArray) -> None:
        hopeful = (scaled.enough >= 0) & np.isnan(self.answers.errors)
        pools: Sequence[Pool | Layout]
        if self.blocks is None:
            pools = pools_for(scaled, self.k_min, self.k_max, self.eps)
        else:
            pools = block_pools_for(scaled, self.blocks, self.eps)
        for pool in pools:
            ids = np.flatnonzero((gaps < 0) & hopeful)
            layout = pool.layout if isinstance(pool, Pool) else pool
            if not ids.size or layout.bytes > self.max_bytes or layout.seconds > SHORT:
                return
            if self._takes(TURNS * layout.seconds, mirrored=True):
                return
            self._try_pool(pool, layout, scaled, ids, gaps)

    def _try_pool(
        self, pool: Pool | Layout, layout: Layout, scaled: Scaled, ids: IntArray, gaps: IntArray
    ) -> None:
        plan, items, goals, enough = layout.plan, scaled.items, scaled.targets, scaled.enough
        mask = self.answers.mask
        shifts = shift_pairs(self.blocks or 1)

        def call(work: IntArray, scratch: IntArray, start: int, stop: int) -> None:
            rows = (goals, enough, ids, start, stop, scratch, mask, gaps)
            if isinstance(pool, Pool):
                subsets.pool_block(work, items, plan, pool.anchors, TURNS, *rows)
            else:
                block_pool(work, items, plan, shifts, TURNS, *rows)

        self._spread(call, len(ids), layout, TURNS * (layout.seconds + TURN), 4 * self.n)

    def _search(self, layout: Layout, scaled: Scaled, ids: IntArray, gaps: IntArray) -> None:
        if layout.turned:
            scaled = turn(scaled, self.n // 2)
        plan, items, goals, mask = layout.plan, scaled.items, scaled.targets, self.answers.mask
        enough, slack, beyond = scaled.enough, scaled.slack, scaled.beyond

        def call(work: IntArray, scratch: IntArray, start: int, stop: int) -> None:
            subsets.closest_block(
                work, items, plan, goals, enough, slack, beyond, ids, start, stop, scratch, mask, gaps
            )

        self._spread(call, len(ids), layout, layout.seconds, layout.largest)
        if layout.turned:
            mask[ids[gaps[ids] >= 0], self.n // 2 :] ^= True

    def _search_shared(self, layout: Layout, scaled: Scaled, gaps: IntArray) -> None:
        plan, items, goals, mask = layout.plan, scaled.items, scaled.targets, self.answers.mask
        enough, slack, beyond = scaled.enough, scaled.slack, scaled.beyond
        lists = np.empty(layout.length, np.int64)
        with Team(self.workers) as team:
            merge_lists(lists, scaled.items[0], layout, math.inf, team)

        def call(work: IntArray, scratch: IntArray, start: int, stop: int) -> None:
            subsets.closest_shared_block(
                lists, work, items, plan, goals, enough, slack, beyond, start, stop, scratch, mask, gaps
            )

        self._spread(call, len(self.targets), layout, 2e-9 * layout.joined + 1e-6, layout.largest)

    def _spread(
        self,
        call: Block,
        count: int,
        layout: Layout,
        each: float,
        extra: int,
    ) -> None:
        """Run `call` over 0..count in blocks of about BLOCK seconds, on as many threads as pay and fit."""
        workers = min(self.workers, count, max(1, self.max_bytes // max(1, layout.bytes)))
        if each * count < WORTH_THREADS:
            workers = 1
        step = max(1, min(int(BLOCK / each) if each else count, -(-count // (workers * 8))))
        self.work += count * (layout.merged + layout.joined)

        def drain(starts: Iterator[int]) -> None:
            work = np.empty(layout.length, np.int64)
            scratch = np.empty(max(1, extra), np.int64)
            for start in starts:
                call(work, scratch, start, min(start + step, count))

        share(drain, range(0, count, step), workers)

    def _judge(self, scaled: Scaled, grouped: BoolArray, gaps: IntArray) -> None:
        """Exact values, errors and statuses of the instances that were searched together."""
        values, errors, known = _exact_on_grid(scaled, self.answers.mask, self.targets)
        known &= scaled.exact
        for b in np.flatnonzero(grouped & ~known).tolist():
            terms = self.rows[b % len(self.rows)][self.answers.mask[b]].tolist()
            values[b], errors[b] = exact_value(terms), exact_error(terms, float(self.targets[b]))
        self.answers.values[grouped], self.answers.errors[grouped] = values[grouped], errors[grouped]
        if self.eps is None:
            self.answers.statuses[grouped] = Status.CLOSEST_PROVED.value
        else:
            inside = within(errors, self.eps)
            self.answers.statuses[grouped & inside] = Status.FOUND.value
            # a search that stopped early proves nothing but what it found
            complete = (gaps > scaled.enough) | (scaled.enough <= NEAREST)
            self.answers.statuses[grouped & ~inside & complete] = Status.ABSENT_PROVED.value

    def _problem(self, b: int) -> Problem:
        samples, target = self.rows[b % len(self.rows)], float(self.targets[b])
        return Problem(samples, target, self.k_min, self.k_max, self.eps, self.blocks)

    def _search_alone(self, b: int, few: bool) -> None:
        """Rounded grids, long searches and a few of many samples: one at a time, in slices."""
        problem = self._problem(b)
        answer = pick_few(problem, math.inf, self.workers) if few else None
        if answer is None or (answer.limits and self._fits()):
            answer = meet(problem, self.max_bytes, math.inf, self.workers)
        self.work += answer.work
        self.limits += tuple(reason for reason in answer.limits if reason not in self.limits)
        if answer.indices is not None:
            self._put(b, problem, answer)

    def _put(self, b: int, problem: Problem, answer: Answer) -> None:
        """Judge a proposal; one that is not within eps counts only if it comes from a complete search."""
        answers, chosen = self.answers, answer.indices
        terms = problem.samples[chosen].tolist()
        error = exact_error(terms, problem.target)
        inside = self.eps is not None and bool(within(error, self.eps))
        if not inside and self.eps is not None and not answer.complete and not answer.limits:
            return
        answers.mask[b, chosen] = True
        answers.values[b], answers.errors[b] = exact_value(terms), error
        if inside:
            answers.statuses[b] = Status.FOUND.value
        elif answer.complete:
            proof = Status.CLOSEST_PROVED if self.eps is None else Status.ABSENT_PROVED
            answers.statuses[b] = proof.value


def _exact_on_grid(
    scaled: Scaled, mask: BoolArray, targets: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Values (rounded to nearest) and errors (rounded up) of rows on the grid, and where they are valid.

    In grid units the sum S is an int64 and the target t is exact; with t = i + f, i = t rounded towards zero,
    the error is |(S - i) - f|: one float subtraction of exact numbers, whose own rounding error is exact too.
    """
    sums = np.einsum("bn,bn->b", mask, np.broadcast_to(scaled.items, mask.shape))
    valid = np.full(len(targets), abs(scaled.shift) < 800)
    size = np.abs(targets)
    small = (size < np.ldexp(1.0, min(60 - scaled.shift, 1000))) & ((size > 2.0**-100) | (size == 0))
    fraction, whole = np.modf(np.ldexp(np.where(small, targets, 0.0), scaled.shift))
    distance = sums - whole.astype(np.int64)
    valid &= small & (np.abs(distance) < 1 << 53)
    difference = distance.astype(np.float64)
    rounded = difference - fraction
    missing = (difference - rounded) - fraction
    errors = np.abs(rounded)
    errors = np.where(missing * np.sign(rounded) > 0, np.nextafter(errors, np.inf), errors)
    shift = -scaled.shift
    return np.ldexp(sums.astype(np.float64), shift), np.ldexp(errors, shift), valid
