"""`cover`: is every point of an interval within eps of some subset's sum? A proof, or a point that is not."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._jit import covering
from slth._jit.merge import FAR
from slth._jit.walks import look
from slth._typing import FloatArray, IntArray
from slth._validate import as_choice, as_integer, as_real, read_only
from slth.errors import CapacityExceeded, InvalidInput
from slth.subset_sum.count import as_deadline
from slth.subset_sum.cover_result import CoverResult, CoverStatus
from slth.subset_sum.edges import Edges, cells_between, cells_for, edges_on, range_for
from slth.subset_sum.everything import all_sums, pays
from slth.subset_sum.family import Family, as_family, as_samples
from slth.subset_sum.grid import Grid, clip, make_grid
from slth.subset_sum.halves import build, plan_halves
from slth.subset_sum.nearby import Nearby
from slth.subset_sum.problem import Sizes
from slth.subset_sum.solve import as_memory

METHODS = ("auto", "blocked", "exhaustive")
BUDGET = 1 << 26  # marks and steps of one compiled call: about 0.1 s
WORTH_THREADS = 4  # blocks from which on threads pay
FEW = 64  # sums up to which a rounded grid is avoided
SMALL = 1 << 12  # sums up to which a grid too coarse for eps is replaced by listing all


def cover(
    samples: npt.ArrayLike,
    low: float,
    high: float,
    eps: float,
    *,
    k: Sizes = None,
    blocks: int | None = None,
    method: str = "auto",
    threads: int | None = None,
    max_bytes: int | None = None,
    time_limit: float | None = None,
) -> CoverResult:
    r"""Decide whether every z in [low, high] has a subset S with :math:`|\sum_{i \in S} x_i - z| \le` eps.

    Parameters
    ----------
    samples : array_like
        x, shape (n,), n >= 1, finite.
    low, high : float
        The interval, low <= high.
    eps : float
        Absolute tolerance, > 0.
    k : int or (int, int), optional
        Size of S: exactly k, or k_min..k_max. Default: any size, 0 included.
    blocks : int, optional
        b: S takes exactly one of each b consecutive samples; b divides n, and k is None or n / b.
    method : {"auto", "blocked", "exhaustive"}
        "exhaustive" lists and sorts all sums; "auto" is blocked, and exhaustive for families hardly larger than
        the lists of their halves, and for small ones where eps is below the resolution of 64-bit fixed point.
    threads : int, optional
        Threads to use, >= 1; the result does not depend on it. Default: 1.
    max_bytes : int, optional
        Memory for lists. Default 4 GiB.
    time_limit : float, optional
        Seconds, > 0, from which the search ends with status LIMIT. Default: none.

    Returns
    -------
    CoverResult
        `covered` True or False is a proof; False comes with an exactly checked witness.

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.
    CapacityExceeded
        Before allocating, if the lists need more than `max_bytes`.

    Notes
    -----
    Sums are exact int64 numbers. The interval is cut into cells, four in 2 eps; sums of two sorted halves mark
    the cells they fall into, block by block, until hardly any three neighbours are empty; these are settled by
    walks through the lists, which find a sum or prove that there is none. Where samples are too fine for one
    64-bit grid, the search uses a tolerance smaller by the largest rounding, and a gap it finds is measured
    again on the exact sums on both sides. About 4 marks per 2 eps of the interval, however many subsets there
    are, after O(2^(n/2)) for the lists; 8 bytes per list entry.

    Examples
    --------
    >>> from slth.subset_sum.cover import cover
    >>> cover([1.0, 2.0, 4.0], 0, 7, 0.5).covered
    True
    >>> cover([1.0, 2.0, 4.0], 0, 7, 0.4).witness
    0.5
    """
    first, last, tolerance = as_interval(low, high, eps)
    array = as_samples(samples, 1, max(abs(first), abs(last), tolerance))
    family = as_family(len(array), k, blocks)
    as_choice(method, "method", METHODS)
    workers = 1 if threads is None else as_integer(threads, "threads", low=1, high=1024)
    memory = as_memory(max_bytes)
    deadline = as_deadline(time_limit)
    search = Search(read_only(array), first, last, tolerance, family, memory, deadline, workers)
    if method == "exhaustive":
        return search.exhaustive()
    return search.blocked(listing=method == "auto")


def as_interval(low: Any, high: Any, eps: Any) -> tuple[float, float, float]:
    """The interval and the tolerance, validated."""
    first, last = as_real(low, "low"), as_real(high, "high")
    if first > last:
        raise InvalidInput(f"`low` must be <= `high`; got {first!r} > {last!r}.")
    return first, last, as_real(eps, "eps", low=0, open_low=True)


def widened(left: int | None, right: int | None, slack: int) -> tuple[Fraction | None, Fraction | None]:
    """Where the exact sums around a gap of integer sums are at the worst."""
    return (
        None if left is None else Fraction(int(left) + slack),
        None if right is None else Fraction(int(right) - slack),
    )


class Search:
    """One covering problem, validated."""

    def __init__(
        self,
        samples: FloatArray,
        low: float,
        high: float,
        eps: float,
        family: Family,
        max_bytes: int,
        deadline: float,
        workers: int = 1,
    ) -> None:
        self.samples, self.low, self.high, self.eps = samples, low, high, eps
        self.family, self.max_bytes, self.deadline, self.workers = family, max_bytes, deadline, workers
        self.grid: Grid = make_grid(samples[None, :], family)
        self.edges: Edges = edges_on(self.grid, low, high, eps)
        self.slack = 0 if self.grid.exact[0] else self.grid.slack
        self.tables: Nearby | None = None
        self.work = 0

    def exhaustive(self) -> CoverResult:
        """Decide by the sorted list of all sums."""
        sums, finer = all_sums(self.samples, self.grid, self.family, self.max_bytes)
        self.work += self.family.size
        longest = math.floor(2 * self.edges.eps * finer)
        wide = np.flatnonzero(sums[1:] - sums[:-1] > longest).tolist()
        ends = [(None, sums[0]), *((sums[i], sums[i + 1]) for i in wide), (sums[-1], None)]
        for left, right in ends:
            a = None if left is None else Fraction(int(left), finer)
            b = None if right is None else Fraction(int(right), finer)
            witness = self.edges.witness(a, b)
            if witness is not None:
                return self.result(witness, "exhaustive")
        return self.result(None, "exhaustive")

    def blocked(self, listing: bool) -> CoverResult:
        """Decide by the marked cells of blocks; if `listing` is allowed, by all sums where that is better."""
        halves = plan_halves(self.family, self.max_bytes)
        if listing and pays(self.grid, self.family, halves.listed, self.max_bytes, FEW):
            return self.exhaustive()
        built = build(halves, self.grid.items[0], self.deadline)
        self.work += halves.merged + halves.listed
        if built is None:
            return self.limit("`time_limit` reached while building the lists.")
        try:
            return self._search(halves.joins, *built, listing)
        except CapacityExceeded as error:
            return self.limit(str(error))

    def _search(self, joins: IntArray, work: IntArray, offset: int, listing: bool) -> CoverResult:
        """Both ends, then what lies between."""
        span = range_for(self.edges, self.slack)
        if span is None:
            return self._finer_than_grid(joins, work, offset, listing)
        lowest, highest = covering.extremes(work, joins)
        witness = None
        if lowest + offset > span.lowest:
            witness = self.uncovered(None, lowest + offset)
        if witness is None and highest + offset < span.highest:
            witness = self.uncovered(highest + offset, None)
        if witness is not None:
            return self.result(witness, "blocked")
        first, last = max(span.first - offset, lowest), min(span.last - offset, highest)
        return self._scan(work, joins, cells_between(int(first), int(last), span.allowed), offset)

    def _finer_than_grid(self, joins: IntArray, work: IntArray, offset: int, listing: bool) -> CoverResult:
        """With 2 eps below one unit, or eps below the rounding: the gap behind the last sum that covers `low`.

        Neighbouring sums on an exact grid are more than 2 eps apart: if that gap leaves nothing uncovered, one
        sum covers everything.
        """
        value = clip(math.floor(self.edges.low + self.edges.eps) + 1) - offset
        below, above = look(work, joins, value, 0)
        left = None if below == -FAR else below + offset
        right = None if above == FAR else above + offset
        witness = self.uncovered(left, right)
        if witness is not None or not self.slack:
            return self.result(witness, "blocked")
        if listing and self.family.size <= SMALL:
            return self.exhaustive()
        return self.limit("eps is below the resolution of 64-bit fixed point for these samples.")

    def _scan(self, work: IntArray, joins: IntArray, frame: IntArray, offset: int) -> CoverResult:
        blocks = _Blocks(self, work, joins, frame, offset)
        if self.workers > 1 and blocks.total >= WORTH_THREADS:
            with ThreadPoolExecutor(self.workers) as executor:
                try:
                    for task in [executor.submit(blocks.drain) for _ in range(self.workers)]:
                        task.result()
                finally:
                    blocks.halt = True
        else:
            blocks.drain()
        self.work += sum(spent for t, spent in blocks.spent.items() if t <= blocks.first)
        if blocks.late:
            return self.limit("`time_limit` reached.")
        return self.result(blocks.witnesses.get(blocks.first), "blocked")

    def uncovered(self, left: int | None, right: int | None) -> Fraction | float | None:
        """A witness in the gap between two neighbouring integer sums (None: none on that side), if any."""
        witness = self.edges.witness(*widened(left, right, self.slack))
        if witness is None and self.slack:
            if self.tables is None:
                self.tables = Nearby(self.samples, self.grid, self.family, self.max_bytes)
            witness = self.edges.witness(*self.tables.around(left, right, self.slack))
        return witness

    def result(self, witness: Fraction | float | None, method: str) -> CoverResult:
        status = CoverStatus.COVERED if witness is None else CoverStatus.UNCOVERED
        return self._make(witness is None, witness, status, method, ())

    def limit(self, reason: str) -> CoverResult:
        return self._make(None, None, CoverStatus.LIMIT, "blocked", (reason,))

    def _make(
        self,
        covered: bool | None,
        witness: Fraction | float | None,
        status: CoverStatus,
        method: str,
        limits: tuple[str, ...],
    ) -> CoverResult:
        return CoverResult(
            self.samples,
            self.low,
            self.high,
            self.eps,
            self.family,
            covered,
            witness,
            status,
            method,
            self.work,
            limits,
        )


class _Blocks:
    """The blocks of one scan, taken in order by any number of threads; the first block with a witness wins."""

    def __init__(self, search: Search, work: IntArray, joins: IntArray, frame: IntArray, offset: int) -> None:
        self.search, self.work, self.joins, self.frame, self.offset = search, work, joins, frame, offset
        self.total = -(-int(frame[2]) // int(frame[4]))
        self.first = self.total  # the lowest block known to hold a witness
        self.witnesses: dict[int, Fraction | float] = {}
        self.spent: dict[int, int] = {}
        self.late = self.halt = False
        self._next = 0
        self._lock = threading.Lock()

    def _take(self) -> int:
        with self._lock:
            self._next += 1
            return self._next - 1

    def drain(self) -> None:
        """Take and search blocks until none is left that matters; marks and state are this call's own."""
        cells, words = cells_for(self.frame)
        reach = np.zeros(6, np.int64)
        state = np.zeros(6, np.int64)
        while not self.halt:
            t = self._take()
            if t >= self.first:
                return
            state[:] = t, t + 1, -1, 0, 0, 0
            while True:
                code = covering.scan(self.work, self.joins, self.frame, cells, words, reach, state, BUDGET)
                if code == covering.GAP and self._judge(t, int(state[3]), int(state[4])):
                    break
                if time.monotonic() > self.search.deadline:
                    self.late = self.halt = True
                    return
                if code == covering.DONE:
                    break
            self.spent[t] = int(state[5])

    def _judge(self, t: int, left: int, right: int) -> bool:
        with self._lock:
            witness = self.search.uncovered(left + self.offset, right + self.offset)
            if witness is not None:
                self.witnesses[t] = witness
                self.first = min(self.first, t)
            return witness is not None
