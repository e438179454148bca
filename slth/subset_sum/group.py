"""Problems searched together by pools and complete searches: one grid, one plan, blocks on threads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from slth._jit import subsets
from slth._typing import BoolArray, FloatArray, IntArray
from slth.errors import CapacityExceeded
from slth.subset_sum.few import few_cost, pick_few
from slth.subset_sum.klist import merge_four
from slth.subset_sum.mitm import SHORT, Answer, meet, meet_cost, merge_lists, plan_within
from slth.subset_sum.plan import Layout
from slth.subset_sum.pools import TURNS, Pool, pools_for
from slth.subset_sum.problem import Problem, exact_error, exact_value, within
from slth.subset_sum.result import Status
from slth.subset_sum.scaling import NEAREST, Scaled, log2_ratio, scale
from slth.subset_sum.workers import Team, share

Block = Callable[[IntArray, IntArray, int, int], None]  # work, scratch, start, stop
FEW = 30  # samples up to which looking at extreme sums, or at sums of all samples, saves nothing
QUICK = 1e-3  # seconds of a complete search that make heuristics superfluous
VERY_SMALL = 29  # log2 of spread / eps from which four lists are quicker than pools
CALL = 3e-4  # seconds that one search outside a compiled block costs besides
BLOCK = 0.1  # seconds of estimated work in one compiled call
WORTH_THREADS = 0.004  # seconds of estimated work below which threads cost more than they bring


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

    def arrays(self) -> tuple[Any, ...]:
        return self.mask, self.values, self.errors, self.statuses

    def part(self, ids: slice | IntArray) -> Answers:
        """Some rows: a view for a slice, else a copy to be `put` back."""
        return Answers(self.mask[ids], self.values[ids], self.errors[ids], self.statuses[ids])

    def put(self, ids: IntArray, part: Answers) -> None:
        for mine, theirs in zip(self.arrays(), part.arrays(), strict=True):
            mine[ids] = theirs


class Group:
    """Instances of one shape, filled stage by stage; every block writes its own rows only."""

    def __init__(
        self,
        samples: FloatArray,
        targets: FloatArray,
        k_min: int,
        k_max: int,
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
        self.k_min, self.k_max, self.eps = k_min, k_max, eps
        self.max_bytes, self.workers = max_bytes, workers
        self.n = samples.shape[-1]
        self.limits: tuple[str, ...] = ()
        self.work = 0
        self.tried = tried  # by a heuristic before: what the complete search cannot hold then stays open

    def run(self) -> None:
        shared = self.shared
        few = self._few_seconds()
        if shared and self.eps is not None and few == math.inf and not self._is_light():
            self.rows = np.repeat(self.rows, len(self.targets), axis=0)  # pools work on own samples
            shared = False
        scaled = scale(self.rows, self.targets, self.k_max, self.eps)
        gaps = np.full(len(self.targets), -1, np.int64)
        if self.eps is not None and not shared and few > QUICK:
            self._try_lists()
            self._try_pools(scaled, gaps)
        left = np.flatnonzero((gaps < 0) & np.isnan(self.answers.errors))
        layout = self._full_layout(shared) if left.size and few == math.inf else None
        if layout is not None and layout.seconds <= SHORT and not layout.fixed:
            if shared:
                self._search_shared(layout, scaled, gaps)
            else:
                self._search(layout, scaled, left, gaps)
        self._judge(scaled, gaps >= 0, gaps)
        if layout is not None or few < math.inf:
            for b in left[gaps[left] < 0].tolist():
                self._search_alone(b, few < math.inf)

    def _few_seconds(self) -> float:
        """Estimated seconds of `pick_few` for one instance where it is the best complete search."""
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

    def _is_light(self) -> bool:
        """Whether the complete search of one instance fits in one short call."""
        try:
            return plan_within((self.n, self.k_min, self.k_max), self.max_bytes, False).seconds <= SHORT
        except CapacityExceeded:
            return False

    def _full_layout(self, shared: bool) -> Layout | None:
        """The layout of the complete search; None if it does not fit and pools were tried instead."""
        try:
            return plan_within((self.n, self.k_min, self.k_max), self.max_bytes, mirrored=not shared)
        except CapacityExceeded as error:
            if not (self.work or self.tried):
                raise
            self.limits += (str(error),)
            return None

    def _try_pools(self, scaled: Scaled, gaps: IntArray) -> None:
        hopeful = (scaled.enough >= 0) & np.isnan(self.answers.errors)
        for pool in pools_for(scaled, self.k_min, self.k_max, self.eps):
            ids = np.flatnonzero((gaps < 0) & hopeful)
            if not ids.size or pool.layout.bytes > self.max_bytes or pool.layout.seconds > SHORT:
                return
            self._try_pool(pool, scaled, ids, gaps)

    def _try_pool(self, pool: Pool, scaled: Scaled, ids: IntArray, gaps: IntArray) -> None:
        plan, goals, enough, mask = pool.layout.plan, scaled.targets, scaled.enough, self.answers.mask

        def call(work: IntArray, scratch: IntArray, start: int, stop: int) -> None:
            subsets.pool_block(
                work,
                scaled.items,
                plan,
                pool.anchors,
                TURNS,
                goals,
                enough,
                ids,
                start,
                stop,
                scratch,
                mask,
                gaps,
            )

        self._blocks(call, len(ids), pool.layout, pool.layout.seconds, 3 * self.n)

    def _search(self, layout: Layout, scaled: Scaled, ids: IntArray, gaps: IntArray) -> None:
        plan, items, goals, mask = layout.plan, scaled.items, scaled.targets, self.answers.mask
        enough, slack, beyond = scaled.enough, scaled.slack, scaled.beyond

        def call(work: IntArray, scratch: IntArray, start: int, stop: int) -> None:
            subsets.closest_block(
                work, items, plan, goals, enough, slack, beyond, ids, start, stop, scratch, mask, gaps
            )

        self._blocks(call, len(ids), layout, layout.seconds, layout.largest)

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

        self._blocks(call, len(self.targets), layout, 2e-9 * layout.joined + 1e-6, layout.largest)

    def _blocks(
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
        step = max(1, min(int(BLOCK / each) if each else count, -(-count // workers)))
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
        return Problem(self.rows[b % len(self.rows)], float(self.targets[b]), self.k_min, self.k_max, self.eps)

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
