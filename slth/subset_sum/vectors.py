"""Subsets of vectors: the sum close to a target in every coordinate at once; exact, for few samples.

All sums of each half of the samples by size, one side sorted by its first coordinate; for each sum of the other
side the window of the first coordinate that can matter. O(2^(n/2)) memory; time O(2^(n/2)) times the window,
2^(n/2) times the distance over the spread. Each further dimension asks for more samples: with density f of the
sums, lambda = C(n, k) (2 eps)^d f hits are expected.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np
import numpy.typing as npt

from slth._jit.vectors import nearest_vectors
from slth._typing import FloatArray, IntArray
from slth._validate import as_choice, as_floats, as_real, read_only
from slth.errors import InvalidInput
from slth.subset_sum.problem import (
    Sizes,
    as_sizes,
    as_tolerance,
    check_magnitudes,
    exact_error,
    exact_value,
    within,
)
from slth.subset_sum.result import Status
from slth.subset_sum.solve import as_work_limit

METHODS = ("auto", "meet-in-the-middle", "cp-sat")
DIMENSIONS = 4
LARGEST = 36  # samples
HITS = 4096
ROWS = 1 << 12  # left sums in one compiled call
BITS = 58


@dataclass(frozen=True)
class VectorResult:
    """The answer to one problem of vectors.

    Attributes
    ----------
    indices : ndarray or None
        (k,) int64, ascending, read-only: the subset; None if nothing is within eps.
    values : ndarray or None
        (d,) exact sums, rounded to nearest.
    error : float or None
        The exact largest distance from the target of any coordinate, rounded up.
    status : Status
    work : int
        Sums of a half looked at, both halves; branches of CP-SAT.
    limits : tuple of str
        Why the status is LIMIT.
    """

    indices: IntArray | None
    values: FloatArray | None
    error: float | None
    status: Status
    work: int
    limits: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether a subset within eps was found (eps given), or the closest one proved (eps None)."""
        return self.status in (Status.FOUND, Status.CLOSEST_PROVED)


def solve_vectors(
    samples: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    k: Sizes = None,
    eps: float | None = None,
    method: str = "auto",
    time_limit: float | None = None,
    work_limit: float | None = None,
) -> VectorResult:
    r"""Find a subset of vectors whose sum is close to a target in every coordinate, or prove there is none.

    Without `eps`: S minimising :math:`\max_c |\sum_{i \in S} x_{ic} - z_c|`, proved. With it: any S with that
    distance at most eps, or a proof of absence.

    Parameters
    ----------
    samples : array_like
        (n, d), n, d >= 1, finite. Row i holds what sample i adds to each coordinate: with d targets that share
        one mask, its weight towards each (structured pruning).
    target : array_like
        (d,).
    k : int or (int, int), optional
        Sizes allowed. Default: any.
    eps : float, optional
        Absolute tolerance, > 0.
    method : {"auto", "meet-in-the-middle", "cp-sat"}
        "meet-in-the-middle" for n <= 36 and d <= 4, which is what "auto" takes there; else CP-SAT on scaled
        integers, which is quick where solutions abound and exponential in n where they do not.
    time_limit : float, optional
        Seconds, > 0, after which the search ends with status LIMIT.
    work_limit : float, optional
        CP-SAT's deterministic seconds, > 0, after which it ends with status LIMIT, on every machine alike; with
        method "cp-sat" only.

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.

    Notes
    -----
    Integers on one grid of 2^-p for all coordinates, as fine as int64 allows; samples off the grid are rounded,
    and every subset within the rounding of the best is compared in rational numbers.

    Examples
    --------
    >>> from slth.subset_sum.vectors import solve_vectors
    >>> result = solve_vectors([[0.5, 0.25], [0.25, -0.5], [-0.125, 1.0]], [0.375, 0.5], k=2)
    >>> result.indices.tolist(), result.values.tolist(), result.error
    ([1, 2], [0.125, 0.5], 0.25)
    """
    table = as_floats(samples, "samples", ndim=2)
    goal = as_floats(target, "target", ndim=1)
    n, d = table.shape
    as_choice(method, "method", METHODS)
    work = as_work_limit(work_limit, method)
    if not n or not d:
        raise InvalidInput(f"`samples` must not be empty; got shape {table.shape}.")
    small = n <= LARGEST and d <= DIMENSIONS
    if method == "meet-in-the-middle" and not small:
        raise InvalidInput(
            f"`samples` must have 1 to {LARGEST} rows and 1 to {DIMENSIONS} columns; got shape {table.shape}. "
            "Use method='cp-sat'."
        )
    if len(goal) != d:
        raise InvalidInput(f"`target` must have one number for each column of samples, {d}; got {len(goal)}.")
    check_magnitudes(float(np.abs(table / 4).sum(axis=0).max()), float(np.abs(goal).max()))
    low, high = as_sizes(k, n)
    tolerance = as_tolerance(eps)
    deadline = math.inf
    if time_limit is not None:
        deadline = time.monotonic() + as_real(time_limit, "time_limit", low=0, open_low=True)
    search = _Search(table, goal, low, high, tolerance, deadline)
    return search.run() if small and method != "cp-sat" else search.ask(work)


class _Search:
    """Sums of both halves by size, and the joins of sizes that fit together."""

    def __init__(
        self, samples: FloatArray, target: FloatArray, low: int, high: int, eps: float | None, deadline: float
    ) -> None:
        self.samples, self.target, self.eps, self.deadline = samples, target, eps, deadline
        self.low, self.high = low, high
        total = float((np.abs(samples).sum(axis=0) + np.abs(target)).max()) or 1.0
        power = BITS - math.frexp(total * (1 + 1e-9))[1]
        grid, goal = np.ldexp(samples, power), np.ldexp(target, power)
        self.items, self.goal = np.rint(grid).astype(np.int64), np.rint(goal).astype(np.int64)
        exact = bool((grid == self.items).all() and (goal == self.goal).all())
        exact = exact and bool(((grid != 0) == (samples != 0)).all() and ((goal != 0) == (target != 0)).all())
        self.slack = 0 if exact else high + 3  # two subsets, each off by half a unit for each number
        self.best = 1 << 60
        if eps is not None:
            step = 1 << 59 if math.frexp(eps)[1] + power > 59 else math.floor(math.ldexp(eps, power))
            self.best = step + 1 + self.slack
        self.found: list[tuple[int, tuple[int, ...]]] = []
        self.work = 0
        self.full = False

    def run(self) -> VectorResult:
        half = len(self.samples) // 2
        left, right = _by_size(self.items, 0, half), _by_size(self.items, half, len(self.samples))
        hits = np.empty((HITS, 3), np.int64)
        for a, (ones, starts) in enumerate(left):
            for b, (twos, ends) in enumerate(right):
                if not self.low <= a + b <= self.high:
                    continue
                for start in range(0, len(ones), ROWS):
                    stop = min(start + ROWS, len(ones))
                    best, count = nearest_vectors(
                        ones, twos, self.goal, start, stop, self.best, self.slack, hits
                    )
                    self.best = best
                    self.full |= count == HITS
                    self.found += [(g, (*starts[i], *ends[j])) for g, i, j in hits[:count].tolist()]
                    self.found = [entry for entry in self.found if entry[0] <= best + self.slack]
                    self.work += stop - start
                    if time.monotonic() > self.deadline:
                        return self._judge("`time_limit` reached.")
                self.work += len(twos)
        if self.full or len(self.found) > HITS:
            return self._judge("the samples' magnitudes differ too much for 64-bit fixed point")
        return self._judge("")

    def ask(self, work_limit: float) -> VectorResult:
        """The same through CP-SAT; the gaps of the grid mean what they mean in `run`."""
        from slth.subset_sum.mip import Questions

        asked = Questions(
            [([1] * len(self.samples), self.low, self.high)],
            self.items.T.tolist(),
            self.goal.tolist(),
            self.slack,
            lambda subset: self._distance(tuple(subset.tolist())),
            (self.deadline, work_limit),
        )
        eps = self.eps
        if eps is None:
            answer = asked.closest()
        else:
            windows = [(z - self.best + 1, z + self.best - 1) for z in self.goal.tolist()]
            answer = asked.within(windows, lambda s: self._distance(tuple(s.tolist())) <= Fraction(eps))
        self.work = answer.work
        if answer.indices is not None:
            self.found = [(0, tuple(answer.indices.tolist()))]
        return self._judge(answer.limits[0] if answer.limits else "")

    def _judge(self, limit: str) -> VectorResult:
        """The closest of the subsets that the grid cannot tell apart, recomputed exactly."""
        if not self.found:
            status = Status.LIMIT if limit or self.eps is None else Status.ABSENT_PROVED
            return VectorResult(None, None, None, status, self.work, (limit,) if limit else ())
        chosen = min((subset for _, subset in self.found), key=lambda s: (self._distance(s), s))
        columns = [self.samples[list(chosen), c].tolist() for c in range(len(self.target))]
        error = max(exact_error(terms, z) for terms, z in zip(columns, self.target.tolist(), strict=True))
        values = read_only(np.array([exact_value(terms) for terms in columns]))
        indices = read_only(np.array(chosen, np.int64))
        if self.eps is not None and within(error, self.eps):
            return VectorResult(indices, values, error, Status.FOUND, self.work)
        if limit:
            return VectorResult(indices, values, error, Status.LIMIT, self.work, (limit,))
        if self.eps is not None:
            return VectorResult(None, None, None, Status.ABSENT_PROVED, self.work)
        return VectorResult(indices, values, error, Status.CLOSEST_PROVED, self.work)

    def _distance(self, subset: tuple[int, ...]) -> Fraction:
        goals = [Fraction(z) for z in self.target.tolist()]
        rows = self.samples[list(subset)].tolist()
        return max(abs(sum((Fraction(row[c]) for row in rows), -z)) for c, z in enumerate(goals))


def _by_size(items: IntArray, first: int, stop: int) -> list[tuple[IntArray, list[tuple[int, ...]]]]:
    """Sums of the subsets of items[first:stop] of each size, by the first coordinate, and the subsets."""
    lists = []
    for size in range(stop - first + 1):
        subsets = list(combinations(range(first, stop), size))
        sums = items[np.array(subsets, np.int64).reshape(len(subsets), size)].sum(axis=1)
        order = np.argsort(sums[:, 0], kind="stable")
        lists.append((np.ascontiguousarray(sums[order]), [subsets[i] for i in order.tolist()]))
    return lists
