"""The facade: one subset-sum problem, any method, one kind of result."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._validate import as_choice, as_integer, as_real, read_only
from slth.errors import CapacityExceeded, SlthError
from slth.subset_sum.exhaustive import enumerate_all
from slth.subset_sum.extremes import beyond
from slth.subset_sum.mitm import Answer, meet
from slth.subset_sum.pools import probe
from slth.subset_sum.problem import Problem, Sizes, exact_error, exact_value, make_problem, within
from slth.subset_sum.result import Status, SubsetSumResult
from slth.subset_sum.workers import as_threads

METHODS = ("auto", "exhaustive", "meet-in-the-middle", "cp-sat")
DEFAULT_BYTES = 4 << 30
FEW = 30  # samples up to which looking at extreme sums first saves nothing


def solve(
    samples: npt.ArrayLike,
    target: float,
    *,
    k: Sizes = None,
    eps: float | None = None,
    method: str = "auto",
    max_bytes: int | None = None,
    time_limit: float | None = None,
    threads: int | None = None,
) -> SubsetSumResult:
    r"""Find a subset of `samples` whose sum is close to `target`, or prove that there is none.

    Without `eps`: a subset S minimising :math:`|\sum_{i \in S} x_i - z|`, proved. With `eps`: any S with
    :math:`|\sum_{i \in S} x_i - z| \le` eps, or a proof that none exists. Sums and comparisons are exact.

    Parameters
    ----------
    samples : array_like
        x, shape (n,), n >= 1, finite.
    target : float
        z.
    k : int or (int, int), optional
        Size of S: exactly k, or k_min..k_max, within 0..n. Default: any size, 0 included.
    eps : float, optional
        Absolute tolerance, > 0.
    method : {"auto", "exhaustive", "meet-in-the-middle", "cp-sat"}
        "exhaustive" for n <= 22; "cp-sat" uses OR-Tools, and needs little memory when meet-in-the-middle needs
        too much. "auto" is meet-in-the-middle.
    max_bytes : int, optional
        Memory the search may use. Default 4 GiB.
    time_limit : float, optional
        Seconds, > 0, from which the search ends with status LIMIT and its best subset so far. Default: none.
    threads : int, optional
        Threads that a long search may use, >= 1; the answer does not depend on it. Default: the CPUs available.

    Returns
    -------
    SubsetSumResult
        Status FOUND or ABSENT_PROVED with eps, CLOSEST_PROVED without, LIMIT if `time_limit` or precision ended
        the search. With ABSENT_PROVED the subset given is the closest one. Equal errors are resolved the same
        way on every call.

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.
    CapacityExceeded
        Before allocating, if the method needs more than `max_bytes` (with eps, "auto" ends with LIMIT instead
        when its pools were tried and failed).
    SolverFailed
        If CP-SAT ends in a state that is no answer.

    Notes
    -----
    Meet-in-the-middle: for each half and each size the sorted list of sums in exact int64 fixed point, joined
    by two pointers; O(2^(n/2)) time, 8 bytes per entry. Samples too fine for one 64-bit grid are rounded and
    every subset within the rounding of the best is compared exactly. Exhaustive: O(2^n) time and memory.

    Examples
    --------
    >>> from slth.subset_sum.solve import solve
    >>> result = solve([0.5, -0.25, 0.75, 0.125], 0.6, k=2)
    >>> result.indices.tolist(), result.value, result.status.name
    ([0, 3], 0.625, 'CLOSEST_PROVED')
    >>> solve([0.5, -0.25, 0.75, 0.125], 0.6, k=2, eps=0.01).status.name
    'ABSENT_PROVED'
    """
    problem = make_problem(samples, target, k, eps)
    as_choice(method, "method", METHODS)
    memory = as_memory(max_bytes)
    deadline = math.inf
    if time_limit is not None:
        deadline = time.monotonic() + as_real(time_limit, "time_limit", low=0, open_low=True)
    return run(problem, method, memory, deadline, as_threads(threads))


def as_memory(max_bytes: Any) -> int:
    """`max_bytes` or its default."""
    return DEFAULT_BYTES if max_bytes is None else as_integer(max_bytes, "max_bytes", low=1)


def run(problem: Problem, method: str, max_bytes: int, deadline: float, threads: int) -> SubsetSumResult:
    """Solve a validated problem by one method."""
    if method == "exhaustive":
        return judge(problem, enumerate_all(problem, max_bytes, deadline), method)
    if method == "cp-sat":
        from slth.subset_sum.mip import search

        return judge(problem, search(problem, deadline), method)
    if method == "meet-in-the-middle":
        return judge(problem, meet(problem, max_bytes, deadline, threads), method)
    return _automatic(problem, max_bytes, deadline, threads)


def _automatic(problem: Problem, max_bytes: int, deadline: float, threads: int) -> SubsetSumResult:
    """Cheapest first: extreme sums, pools where eps leaves many solutions, then the complete search."""
    if problem.n > FEW:
        chosen = beyond(problem)
        if chosen is not None:
            return judge(problem, Answer(chosen, True, problem.n), "extremes")
    work = 0
    if problem.eps is not None:
        chosen, work = probe(problem, max_bytes)
        if chosen is not None:
            return judge(problem, Answer(chosen, False, work), "pools")
    try:
        return judge(problem, meet(problem, max_bytes, deadline, threads), "meet-in-the-middle")
    except CapacityExceeded as error:
        if not work:
            raise
        return judge(problem, Answer(None, False, work, (str(error),)), "pools")


def judge(problem: Problem, answer: Answer, method: str) -> SubsetSumResult:
    """Recompute what a method proposed and decide the status from the exact error."""
    if answer.indices is None:
        status = Status.ABSENT_PROVED if answer.complete else Status.LIMIT
        return SubsetSumResult(problem, None, None, None, status, method, answer.work, answer.limits)
    indices = read_only(answer.indices.astype(np.int64))
    if not problem.k_min <= len(indices) <= problem.k_max:
        raise SlthError(
            f"{method} proposed a subset of {len(indices)} samples: a defect of slth; please report it."
        )
    terms = problem.samples[indices].tolist()
    value, error = exact_value(terms), exact_error(terms, problem.target)
    limits: tuple[str, ...] = ()
    if problem.eps is not None and within(error, problem.eps):
        status = Status.FOUND
    elif answer.complete:
        status = Status.CLOSEST_PROVED if problem.eps is None else Status.ABSENT_PROVED
    else:
        status, limits = Status.LIMIT, answer.limits
    return SubsetSumResult(problem, indices, value, error, status, method, answer.work, limits)
