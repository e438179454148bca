"""`count`: how many subsets have a sum within eps of a target, exactly, without listing them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from fractions import Fraction

import numpy.typing as npt

from slth._jit.counting import count_up_to
from slth._typing import FloatArray, IntArray
from slth._validate import as_real
from slth.subset_sum.family import Family, as_family, as_samples
from slth.subset_sum.grid import Grid, clip, make_grid
from slth.subset_sum.halves import SLICE, Halves, build, plan_halves
from slth.subset_sum.nearby import Nearby
from slth.subset_sum.problem import Sizes
from slth.subset_sum.solve import DEFAULT_BYTES, as_memory


@dataclass(frozen=True)
class CountResult:
    """The number of subsets within eps of a target.

    Attributes
    ----------
    count : int or None
        Exact; None if `time_limit` ended the search.
    total : int
        How many subsets there are.
    method : str
    work : int
        List entries written + steps of walks.
    limits : tuple of str
        Why there is no count, in words.
    """

    count: int | None
    total: int
    method: str
    work: int
    limits: tuple[str, ...] = ()


def count(
    samples: npt.ArrayLike,
    target: float,
    eps: float,
    *,
    k: Sizes = None,
    blocks: int | None = None,
    max_bytes: int | None = None,
    time_limit: float | None = None,
) -> CountResult:
    r"""Count the subsets S of `samples` with :math:`|\sum_{i \in S} x_i - z| \le` eps, exactly.

    Parameters
    ----------
    samples : array_like
        x, shape (n,), n >= 1, finite. Equal samples are different samples: subsets of indices are counted.
    target : float
        z.
    eps : float
        Absolute tolerance, >= 0; 0 counts the sums that equal the target.
    k : int or (int, int), optional
        Size of S: exactly k, or k_min..k_max. Default: any size, 0 included.
    blocks : int, optional
        b: S takes exactly one of each b consecutive samples; b divides n, and k is None or n / b.
    max_bytes : int, optional
        Memory for lists. Default 4 GiB.
    time_limit : float, optional
        Seconds, > 0. Default: none.

    Returns
    -------
    CountResult
        `count` is a Python integer of any length.

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.
    CapacityExceeded
        Before allocating, if more than `max_bytes` is needed; or if more sums than can be listed lie so close
        to z - eps or z + eps that 64-bit fixed point cannot decide them.

    Notes
    -----
    Sorted sums of two halves in exact int64 fixed point; a two-pointer walk along either edge of the window
    counts the pairs below it. O(2^(n/2)) time, 8 bytes per list entry. Samples too fine for one 64-bit grid are
    rounded, and the subsets within the rounding of an edge are decided one by one in rational numbers.

    Examples
    --------
    >>> from slth.subset_sum.count import count
    >>> count([0.5, -0.25, 0.75, 0.125], 0.6, 0.2, k=2).count
    2
    >>> count([0.5, -0.25, 0.75, 0.125], 0.6, 0.2, blocks=2).count
    2
    """
    z = as_real(target, "target")
    tolerance = as_real(eps, "eps", low=0)
    array = as_samples(samples, 1, max(abs(z), tolerance))
    family = as_family(len(array), k, blocks)
    deadline = as_deadline(time_limit)
    return _count(array, Fraction(z), tolerance, family, as_memory(max_bytes), deadline)


def as_deadline(time_limit: float | None) -> float:
    """When `time_limit` seconds are over on the monotonic clock."""
    if time_limit is None:
        return math.inf
    return time.monotonic() + as_real(time_limit, "time_limit", low=0, open_low=True)


def count_near(samples: FloatArray, target: Fraction, eps: float, family: Family) -> int:
    """The number of subsets of the family within eps of a rational target."""
    found = _count(samples, target, eps, family, DEFAULT_BYTES, math.inf).count
    return 0 if found is None else found


def _count(
    samples: FloatArray, target: Fraction, eps: float, family: Family, max_bytes: int, deadline: float
) -> CountResult:
    halves = plan_halves(family, max_bytes)
    grid = make_grid(samples[None, :], family)
    built = build(halves, grid.items[0], deadline)
    counter = _Counter(halves, deadline)
    if built is not None:
        counter.work, counter.offset = built
    unit = Fraction(2) ** grid.shift
    low, high = (target - Fraction(eps)) * unit, (target + Fraction(eps)) * unit
    found: int | None = None
    if built is not None:
        first, last = math.ceil(low), math.floor(high)
        if grid.exact[0]:
            found = counter.between(first, last)
        else:
            found = _count_rounded(counter, samples, grid, family, max_bytes, (low, high))
    limits = () if found is not None else ("`time_limit` reached.",)
    return CountResult(found, family.size, "meet-in-the-middle", halves.merged + counter.steps, limits)


def _count_rounded(
    counter: _Counter,
    samples: FloatArray,
    grid: Grid,
    family: Family,
    max_bytes: int,
    window: tuple[Fraction, Fraction],
) -> int | None:
    """Rounded sums well inside the window are counted; those within the slack of an edge decided exactly."""
    low, high = window
    slack = grid.slack
    inside = math.ceil(low + slack), math.floor(high - slack)
    outside = math.ceil(low - slack), math.floor(high + slack)
    if inside[0] <= inside[1]:
        sure = counter.between(*inside)
        doubtful = [(outside[0], inside[0] - 1), (inside[1] + 1, outside[1])]
    else:
        sure, doubtful = 0, [outside]
    tables: Nearby | None = None
    for first, last in doubtful:
        near = counter.between(first, last)
        if sure is None or near is None:
            return None
        if near:
            tables = tables or Nearby(samples, grid, family, max_bytes)
            sure += sum(times for value, times in tables.sums(first, last) if low <= value <= high)
    return sure


class _Counter:
    """Counts of rounded sums in windows, in interruptible slices."""

    work: IntArray
    offset: int

    def __init__(self, halves: Halves, deadline: float) -> None:
        self.halves, self.deadline = halves, deadline
        self.steps = 0
        self.known: dict[int, int | None] = {}

    def between(self, first: int, last: int) -> int | None:
        """How many sums lie in first..last; None if time ran out."""
        if first > last:
            return 0
        below, upto = self.up_to(first - 1), self.up_to(last)
        return None if below is None or upto is None else upto - below

    def up_to(self, value: int) -> int | None:
        """How many sums are <= value; None if time ran out."""
        if value not in self.known:
            self.known[value] = self._walk(clip(value) - self.offset)
        return self.known[value]

    def _walk(self, value: int) -> int | None:
        total = 0
        for a, na, b, nb in self.halves.joins.tolist():
            for start in range(0, na + nb, SLICE):
                stop = min(start + SLICE, na + nb)
                total += count_up_to(self.work, a, na, b, nb, value, start, stop)
                self.steps += stop - start
                if time.monotonic() > self.deadline:
                    return None
        return total
