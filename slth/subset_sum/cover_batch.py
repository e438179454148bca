"""`cover_batch`: one interval and many sample sets, searched in compiled blocks of instances."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from slth._jit import covering
from slth._jit.merge import FAR
from slth._typing import FloatArray
from slth._validate import as_integer, read_only
from slth.subset_sum.cover import BUDGET, Search, as_interval, widened
from slth.subset_sum.cover_result import CoverBatch
from slth.subset_sum.edges import cells_between, cells_for, edges_on, range_for
from slth.subset_sum.family import Family, as_family, as_samples
from slth.subset_sum.grid import make_grid
from slth.subset_sum.halves import SLICE, Halves, plan_halves
from slth.subset_sum.problem import Sizes
from slth.subset_sum.solve import as_memory

ROWS = 512  # rows that one thread takes at a time


def cover_batch(
    samples: npt.ArrayLike,
    low: float,
    high: float,
    eps: float,
    *,
    k: Sizes = None,
    blocks: int | None = None,
    threads: int | None = None,
    max_bytes: int | None = None,
) -> CoverBatch:
    """Decide for each of B sample sets what `cover` decides for one.

    Parameters
    ----------
    samples : array_like
        (B, n), n >= 1, finite.
    low, high, eps : float
        As in `cover`, the same for all.
    k : int or (int, int), optional
        Sizes allowed. Default: any size.
    blocks : int, optional
        One of each `blocks` consecutive samples, as in `cover`.
    threads : int, optional
        Threads to use, >= 1; the result does not depend on it. Default: the CPUs available.
    max_bytes : int, optional
        Memory for lists, all threads together. Default 4 GiB.

    Returns
    -------
    CoverBatch

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.
    CapacityExceeded
        Before allocating, if even one thread needs more than `max_bytes`.

    Notes
    -----
    The method of `cover`, blocked. Witnesses may differ from those of `cover`: they are exact all the same.

    Examples
    --------
    >>> from slth.subset_sum.cover_batch import cover_batch
    >>> result = cover_batch([[1.0, 2.0, 4.0], [1.0, 2.0, 5.0]], 0, 7, 0.5)
    >>> result.covered.tolist(), result.witness.tolist()
    ([1, 0], [nan, 4.0])
    """
    first, last, tolerance = as_interval(low, high, eps)
    rows = as_samples(samples, 2, max(abs(first), abs(last), tolerance))
    family = as_family(rows.shape[1], k, blocks)
    workers = (
        len(os.sched_getaffinity(0)) if threads is None else as_integer(threads, "threads", low=1, high=1024)
    )
    memory = as_memory(max_bytes)
    halves = plan_halves(family, memory)
    batch = _Batch(rows, (first, last, tolerance), family, memory)
    if len(rows):
        workers = min(workers, max(1, memory // halves.bytes))
        if not halves.parts and halves.merged <= SLICE:
            batch.together(halves, workers)
        batch.alone(workers)
    return CoverBatch(read_only(batch.covered), read_only(batch.witness), int(batch.work.sum()), batch.limits)


class _Batch:
    """The arrays of one call; each row's slots are written by one thread only."""

    def __init__(
        self, rows: FloatArray, interval: tuple[float, float, float], family: Family, max_bytes: int
    ) -> None:
        self.rows, self.interval, self.family, self.max_bytes = rows, interval, family, max_bytes
        self.covered = np.full(len(rows), -1, np.int8)
        self.witness = np.full(len(rows), np.nan)
        self.work = np.zeros(len(rows), np.int64)
        self.codes = np.full(len(rows), covering.PAUSE)
        self.limits: tuple[str, ...] = ()

    def together(self, halves: Halves, workers: int) -> None:
        """Search all rows in compiled blocks and judge the gaps found; what is not decided stays PAUSE."""
        grid = make_grid(self.rows, self.family)
        edges = edges_on(grid, *self.interval)
        spans = [range_for(edges, slack) for slack in (0, grid.slack)]
        kinds = np.where(grid.exact, 0, 1)
        usable = [span for span in spans if span is not None]
        if not usable or (spans[1] is None and not grid.exact.all()):
            return
        spans = [span or usable[0] for span in spans]  # a kind that no row has
        frames = np.stack([cells_between(s.first, s.last, s.allowed) for s in usable + usable][:2])
        bounds = np.array([(s.first, s.last, s.lowest, s.highest) for s in usable + usable][:2], np.int64)
        gaps = np.zeros((len(self.rows), 2), np.int64)
        joins, ops, origins = halves.joins, halves.ops, halves.origins

        def block(start: int, stop: int) -> None:
            work = np.empty(halves.length, np.int64)
            cells, words = cells_for(frames[int(np.argmax(frames[:, 4]))])
            scratch = np.empty(origins.shape[1] + 20, np.int64)
            while start < stop:
                start = covering.cover_rows(
                    work,
                    grid.items,
                    ops,
                    joins,
                    origins,
                    frames,
                    bounds,
                    kinds,
                    cells,
                    words,
                    scratch,
                    start,
                    stop,
                    BUDGET,
                    self.codes,
                    gaps,
                    self.work,
                )

        _spread(block, len(self.rows), workers)
        self.covered[self.codes == covering.DONE] = 1
        for r in np.flatnonzero(self.codes == covering.GAP).tolist():
            left, right = gaps[r].tolist()
            sums = None if left == -FAR else left, None if right == FAR else right
            found = edges.witness(*widened(*sums, grid.slack if kinds[r] else 0))
            if found is None:  # a gap at the edge of what counts, or of the rounding
                self.codes[r] = covering.PAUSE
            else:
                self.covered[r], self.witness[r] = 0, float(found)

    def alone(self, workers: int) -> None:
        """Search the rows that are left as `cover` does."""
        left = np.flatnonzero(self.codes == covering.PAUSE)
        reasons: dict[int, tuple[str, ...]] = {}

        def block(start: int, stop: int) -> None:
            for r in left[start:stop].tolist():
                search = Search(self.rows[r], *self.interval, self.family, self.max_bytes, math.inf)
                found = search.blocked(listing=True)
                self.work[r] = found.work
                reasons[r] = found.limits
                if found.covered is not None:
                    self.covered[r] = found.covered
                if found.witness is not None:
                    self.witness[r] = float(found.witness)

        _spread(block, len(left), workers)
        for r in sorted(reasons):
            self.limits += tuple(reason for reason in reasons[r] if reason not in self.limits)


def _spread(block: Callable[[int, int], None], count: int, workers: int) -> None:
    """Run block(start, stop) over 0..count on some threads; each piece is decided by its rows alone."""
    step = max(1, min(ROWS, -(-count // workers)))
    if workers == 1 or count <= step:
        for start in range(0, count, step):
            block(start, min(start + step, count))
        return
    halt = threading.Event()

    def guarded(start: int) -> None:
        if not halt.is_set():
            block(start, min(start + step, count))

    with ThreadPoolExecutor(workers) as executor:
        try:
            for task in [executor.submit(guarded, start) for start in range(0, count, step)]:
                task.result()
        finally:
            halt.set()
