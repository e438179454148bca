"""The fewest samples whose sum is within eps of a target: size by size, each smaller one proved impossible."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy.typing as npt

from slth._validate import as_choice, as_real
from slth.errors import InvalidInput
from slth.subset_sum.problem import Problem, Sizes, make_problem
from slth.subset_sum.result import Status, SubsetSumResult
from slth.subset_sum.solve import as_memory, run
from slth.subset_sum.workers import as_threads

METHODS = ("auto", "exhaustive", "meet-in-the-middle", "cp-sat")


@dataclass(frozen=True)
class FewestResult:
    """The smallest subset within eps that was found.

    Attributes
    ----------
    result : SubsetSumResult
        Of the size that was found first, or of the last size tried; its `problem` asks for exactly that size.
    left_open : tuple of int
        Smaller sizes that time or memory left undecided.
    """

    result: SubsetSumResult
    left_open: tuple[int, ...]

    @property
    def found(self) -> bool:
        """Whether some subset is within eps."""
        return self.result.found

    @property
    def proved(self) -> bool:
        """Whether no allowed size is smaller (found), or none is possible at all (not found)."""
        return not self.left_open and self.result.status is not Status.LIMIT


def solve_fewest(
    samples: npt.ArrayLike,
    target: float,
    eps: float,
    *,
    k: Sizes = None,
    method: str = "auto",
    max_bytes: int | None = None,
    time_limit: float | None = None,
    threads: int | None = None,
) -> FewestResult:
    """Find a subset within `eps` of `target` that has as few samples as possible.

    Parameters
    ----------
    samples : array_like
        (n,), n >= 1, finite.
    target : float
    eps : float
        Absolute tolerance, > 0.
    k : int or (int, int), optional
        Sizes allowed. Default: any.
    method : {"auto", "exhaustive", "meet-in-the-middle", "cp-sat"}
        How each size is decided, as in `solve`.
    max_bytes, time_limit, threads : optional
        As in `solve`; the time is that of all sizes together.

    Returns
    -------
    FewestResult

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.
    CapacityExceeded
        Before allocating, if a size needs more than `max_bytes`.

    Notes
    -----
    Sizes ascend: the first one with a subset within eps is the answer, and the sizes before it are proofs of
    absence, each as dear as `solve` says.

    Examples
    --------
    >>> from slth.subset_sum.fewest import solve_fewest
    >>> found = solve_fewest([0.5, 0.25, 0.25, 0.125, 0.0625], 0.8, 0.06)
    >>> found.result.k, found.result.value, found.proved
    (2, 0.75, True)
    """
    whole = make_problem(samples, target, k, eps)
    if whole.eps is None:
        raise InvalidInput("`eps` must be given; got None.")
    as_choice(method, "method", METHODS)
    memory, workers = as_memory(max_bytes), None if threads is None else as_threads(threads)
    deadline = math.inf
    if time_limit is not None:
        deadline = time.monotonic() + as_real(time_limit, "time_limit", low=0, open_low=True)
    left_open: list[int] = []
    for size in range(whole.k_min, whole.k_max + 1):
        problem = Problem(whole.samples, whole.target, size, size, whole.eps)
        result = run(problem, method, memory, deadline, workers)
        if result.found:
            break
        if result.status is not Status.ABSENT_PROVED and size < whole.k_max:
            left_open.append(size)
    return FewestResult(result, tuple(left_open))
