"""Many subset-sum problems at once: independent ones, or many targets on one set of samples."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._jit import subsets
from slth._typing import BoolArray, FloatArray, IntArray
from slth._validate import as_floats, as_integer, read_only
from slth.errors import CapacityExceeded, InvalidInput
from slth.subset_sum.mitm import SHORT, Answer, meet, merge_lists, plan_within
from slth.subset_sum.plan import Layout
from slth.subset_sum.pools import TURNS, Pool, pools_for
from slth.subset_sum.problem import (
    Problem,
    Sizes,
    as_sizes,
    as_tolerance,
    check_magnitudes,
    exact_error,
    exact_value,
    within,
)
from slth.subset_sum.result import BatchResult, Status
from slth.subset_sum.scaling import NEAREST, Scaled, scale
from slth.subset_sum.solve import as_memory

Block = Callable[[IntArray, IntArray, int, int], None]  # work, scratch, start, stop
BLOCK = 0.1  # seconds of estimated work in one compiled call
WORTH_THREADS = 0.004  # seconds of estimated work below which threads cost more than they bring


def solve_batch(
    samples: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    k: Sizes = None,
    eps: float | None = None,
    threads: int | None = None,
    max_bytes: int | None = None,
) -> BatchResult:
    r"""Solve B subset-sum problems as `solve` would: closest and proved, or within `eps` or proved absent.

    Parameters
    ----------
    samples : array_like
        (B, n), own samples for each target, or (n,), one set for all targets. n >= 1, finite.
    targets : array_like
        (B,).
    k : int or (int, int), optional
        Sizes allowed, the same for all: exactly k, or k_min..k_max. Default: any size.
    eps : float, optional
        Absolute tolerance, > 0, the same for all. Default: the closest subset.
    threads : int, optional
        Threads to use, >= 1; the result does not depend on it, bit for bit. Default: the CPUs available.
    max_bytes : int, optional
        Memory that lists may use, all threads together. Default 4 GiB.

    Returns
    -------
    BatchResult
        Values and errors exact as in SubsetSumResult. Which subset within eps is found may differ from `solve`;
        the subset given with ABSENT_PROVED is the closest one up to the rounding to a 64-bit grid.

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.
    CapacityExceeded
        Before allocating, if even one thread needs more than `max_bytes`. (With eps, where pools were tried
        first, the instances that they left open have status LIMIT instead.)

    Notes
    -----
    Closest: meet-in-the-middle per instance, O(2^(n/2)) each; on shared samples the lists are built once.
    Within eps: first pools of a few samples completed by greedily chosen ones, about sqrt(spread/eps) per
    instance however large n is, then, for what is left, the complete search.

    Examples
    --------
    >>> import numpy as np
    >>> from slth.subset_sum.batch import solve_batch
    >>> result = solve_batch(np.array([0.5, -0.25, 0.75, 0.125]), [0.6, 0.3], k=2)
    >>> result.values.tolist(), result.mask.astype(int).tolist()
    ([0.625, 0.25], [[1, 0, 0, 1], [1, 1, 0, 0]])
    """
    goals = as_floats(targets, "targets", ndim=1)
    table = as_floats(samples, "samples", ndim=(1, 2))
    if not table.shape[-1]:
        raise InvalidInput(f"`samples` must not be empty; got shape {table.shape}.")
    if table.ndim == 2 and len(table) != len(goals):
        raise InvalidInput(
            f"`samples` must have one row for each target; got {len(table)} rows for {len(goals)} targets."
        )
    low, high = as_sizes(k, table.shape[-1])
    tolerance = as_tolerance(eps)
    memory = as_memory(max_bytes)
    workers = _cpus() if threads is None else as_integer(threads, "threads", low=1, high=1024)
    batch = _Batch(table, goals, low, high, tolerance, memory, workers)
    if goals.size:
        check_magnitudes(float(np.abs(batch.rows / 4).sum(axis=1).max()), float(np.abs(goals).max()))
        batch.run()
    return batch.result()


class _Batch:
    """The arrays of one call, filled stage by stage; every block of instances writes its own rows only."""

    def __init__(
        self,
        samples: FloatArray,
        targets: FloatArray,
        k_min: int,
        k_max: int,
        eps: float | None,
        max_bytes: int,
        workers: int,
    ) -> None:
        self.samples, self.targets = samples, targets
        self.rows = samples if samples.ndim == 2 else samples[None, :]
        self.k_min, self.k_max, self.eps = k_min, k_max, eps
        self.max_bytes, self.workers = max_bytes, workers
        count, n = len(targets), samples.shape[-1]
        self.n = n
        self.mask: BoolArray = np.zeros((count, n), np.bool_)
        self.values = np.full(count, np.nan)
        self.errors = np.full(count, np.nan)
        self.statuses = np.full(count, Status.LIMIT.value, np.int8)
        self.limits: tuple[str, ...] = ()
        self.work = 0

    def run(self) -> None:
        shared = self.samples.ndim == 1
        if shared and self.eps is not None and not self._is_light():
            self.rows = np.repeat(self.rows, len(self.targets), axis=0)  # pools work on own samples
            shared = False
        scaled = scale(self.rows, self.targets, self.k_max, self.eps)
        gaps = np.full(len(self.targets), -1, np.int64)
        if self.eps is not None and not shared:
            self._try_pools(scaled, gaps)
        left = np.flatnonzero(gaps < 0)
        alone = left
        layout = self._full_layout(shared) if left.size else None
        if layout is None:
            alone = left[:0]
        else:
            if layout.seconds <= SHORT:
                if shared:
                    self._search_shared(layout, scaled, gaps)
                else:
                    self._search(layout, scaled, left, gaps)
                alone = np.flatnonzero(gaps < 0)
        grouped = gaps >= 0
        self._judge(scaled, grouped, gaps)
        for b in alone.tolist():
            self._search_alone(b)

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
            if not self.work:
                raise
            self.limits += (str(error),)
            return None

    def _try_pools(self, scaled: Scaled, gaps: IntArray) -> None:
        hopeful = scaled.enough >= 0
        for pool in pools_for(scaled, self.k_min, self.k_max, self.eps):
            ids = np.flatnonzero((gaps < 0) & hopeful)
            if not ids.size or pool.layout.bytes > self.max_bytes or pool.layout.seconds > SHORT:
                return
            self._try_pool(pool, scaled, ids, gaps)

    def _try_pool(self, pool: Pool, scaled: Scaled, ids: IntArray, gaps: IntArray) -> None:
        plan, goals, enough, mask = pool.layout.plan, scaled.targets, scaled.enough, self.mask

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
        plan, items, goals, mask = layout.plan, scaled.items, scaled.targets, self.mask
        enough, slack, beyond = scaled.enough, scaled.slack, scaled.beyond

        def call(work: IntArray, scratch: IntArray, start: int, stop: int) -> None:
            subsets.closest_block(
                work, items, plan, goals, enough, slack, beyond, ids, start, stop, scratch, mask, gaps
            )

        self._blocks(call, len(ids), layout, layout.seconds, layout.largest)

    def _search_shared(self, layout: Layout, scaled: Scaled, gaps: IntArray) -> None:
        plan, items, goals, mask = layout.plan, scaled.items, scaled.targets, self.mask
        enough, slack, beyond = scaled.enough, scaled.slack, scaled.beyond
        lists = np.empty(layout.length, np.int64)
        merge_lists(lists, scaled.items[0], layout, math.inf)

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
        starts = iter(range(0, count, step))
        if workers == 1:
            _drain(call, starts, step, count, layout, extra, threading.Event())
            return
        starts = _locked(starts)
        stop = threading.Event()
        with ThreadPoolExecutor(workers) as executor:
            try:
                tasks = [
                    executor.submit(_drain, call, starts, step, count, layout, extra, stop)
                    for _ in range(workers)
                ]
                for task in tasks:
                    task.result()
            finally:
                stop.set()

    def _judge(self, scaled: Scaled, grouped: BoolArray, gaps: IntArray) -> None:
        """Exact values, errors and statuses of the instances that were searched together."""
        values, errors, known = _exact_on_grid(scaled, self.mask, self.targets)
        known &= scaled.exact
        for b in np.flatnonzero(grouped & ~known).tolist():
            terms = self.rows[b % len(self.rows)][self.mask[b]].tolist()
            values[b], errors[b] = exact_value(terms), exact_error(terms, float(self.targets[b]))
        self.values[grouped], self.errors[grouped] = values[grouped], errors[grouped]
        if self.eps is None:
            self.statuses[grouped] = Status.CLOSEST_PROVED.value
        else:
            inside = within(errors, self.eps)
            self.statuses[grouped & inside] = Status.FOUND.value
            # a search that stopped early proves nothing but what it found
            complete = (gaps > scaled.enough) | (scaled.enough <= NEAREST)
            self.statuses[grouped & ~inside & complete] = Status.ABSENT_PROVED.value

    def _search_alone(self, b: int) -> None:
        """Rounded grids and long searches: one at a time, in slices."""
        problem = Problem(
            self.rows[b % len(self.rows)], float(self.targets[b]), self.k_min, self.k_max, self.eps
        )
        answer: Answer = meet(problem, self.max_bytes, math.inf)
        self.work += answer.work
        self.limits += tuple(reason for reason in answer.limits if reason not in self.limits)
        if answer.indices is None:
            return
        terms = problem.samples[answer.indices].tolist()
        self.mask[b, answer.indices] = True
        self.values[b], self.errors[b] = exact_value(terms), exact_error(terms, problem.target)
        if self.eps is not None and within(float(self.errors[b]), self.eps):
            self.statuses[b] = Status.FOUND.value
        elif answer.complete:
            proof = Status.CLOSEST_PROVED if self.eps is None else Status.ABSENT_PROVED
            self.statuses[b] = proof.value

    def result(self) -> BatchResult:
        for array in (self.samples, self.targets, self.mask, self.values, self.errors, self.statuses):
            read_only(array)
        return BatchResult(
            self.samples,
            self.targets,
            self.k_min,
            self.k_max,
            self.eps,
            self.mask,
            self.values,
            self.errors,
            self.statuses,
            "meet-in-the-middle",
            self.work,
            self.limits,
        )


def _cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _drain(
    call: Block,
    starts: Iterator[int],
    step: int,
    count: int,
    layout: Layout,
    extra: int,
    stop: threading.Event,
) -> None:
    """One worker: take blocks until none is left; its work arrays are its own."""
    work = np.empty(layout.length, np.int64)
    scratch = np.empty(max(1, extra), np.int64)
    for start in starts:
        if stop.is_set():
            return
        call(work, scratch, start, min(start + step, count))


def _locked(starts: Iterator[int]) -> Iterator[int]:
    """An iterator that several threads may share."""
    lock = threading.Lock()

    def take() -> Any:
        with lock:
            return next(starts, None)

    return iter(take, None)


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
