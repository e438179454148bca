"""The facade: one subset-sum problem, any method, one kind of result.

What "auto" does, in order; n samples of standard deviation s:

situation                                        method              cost                     status
target at or beyond the extreme sums             extremes            n log n                  proved
k or n - k at most 7, n^(k-2) below the lists    few-of-many         n^(k-2), k = 3: n^2      proved
eps given, s / eps > 2^29, room for four groups  k-list              (s / eps)^(1/3)          found
eps given, many subsets expected within it       pools               (s / eps)^(1/2)          found
anything else                                    meet-in-the-middle  2^(n/2) at k near n/2    proved
the same, lists beyond max_bytes                 .. g items fixed    x 2^(g/2), bytes / 2^(g/2)
one of each block, eps, many expected within it  pools               (s / eps)^(1/2)          found
one of each of k blocks of b                     meet-in-the-middle  b^(k/2)                  proved
a total weight instead of a size                 meet-in-the-middle  2^(n/2)                  proved
asked for by name                                exhaustive          2^n                      proved
asked for by name                                cp-sat              exponential              proved
asked for by name, with eps                      differencing        n log n                  found / not found

"Many": a pool of m samples of which j are taken expects lambda = C(m, j) 2 eps / sqrt(2 pi s^2 j (1 - j/m))
>= 4 hits; `pools.make_pools` finds the cheapest. Batches of own samples first scan pairs (`pairs.plan_pairs`)
where a scan expects at least 0.1 hits. What a heuristic misses goes on to the complete search.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._validate import as_choice, as_integer, as_real, read_only
from slth.errors import CapacityExceeded, InvalidInput, SlthError
from slth.subset_sum import weighted
from slth.subset_sum.blocks import probe as probe_blocks
from slth.subset_sum.differencing import difference
from slth.subset_sum.exhaustive import enumerate_all
from slth.subset_sum.extremes import beyond
from slth.subset_sum.few import few_cost, pick_few
from slth.subset_sum.group import FEW, QUICK, VERY_SMALL
from slth.subset_sum.klist import merge_four
from slth.subset_sum.mitm import Answer, meet, meet_cost
from slth.subset_sum.pools import probe
from slth.subset_sum.problem import Problem, Sizes, exact_error, exact_value, make_problem, within
from slth.subset_sum.result import Status, SubsetSumResult
from slth.subset_sum.scaling import log2_ratio
from slth.subset_sum.workers import as_threads

METHODS = ("auto", "exhaustive", "meet-in-the-middle", "cp-sat", "k-list", "differencing")
STRUCTURED = ("auto", "meet-in-the-middle", "cp-sat")
HEURISTICS = ("k-list", "differencing")
DEFAULT_BYTES = 4 << 30


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
    forced_in: Sequence[int] = (),
    forced_out: Sequence[int] = (),
    blocks: int | None = None,
    weights: Sequence[int] | None = None,
    work_limit: float | None = None,
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
    method : {"auto", "exhaustive", "meet-in-the-middle", "cp-sat", "k-list", "differencing"}
        "exhaustive" for n <= 22; "cp-sat" uses OR-Tools, and needs little memory when meet-in-the-middle needs
        too much. "k-list" and "differencing" need eps and prove nothing: they end with FOUND or NOT_FOUND.
        "auto" does what the table of this module says, and ends with a proof if that is possible.
    max_bytes : int, optional
        Memory the search may use. Default 4 GiB. Meet-in-the-middle uses less, and more time, when it must.
    time_limit : float, optional
        Seconds, > 0, from which the search ends with status LIMIT and its best subset so far. Default: none.
    threads : int, optional
        Threads that a long search may use, >= 1; the answer does not depend on it. Default: the CPUs available.
    forced_in, forced_out : sequence of int, optional
        Indices of samples that S must hold, and of samples that it must not; with "auto" and
        "meet-in-the-middle".
    blocks : int, optional
        b: S holds exactly one of each b consecutive samples, n = k b; k may be left out then. With "auto",
        "meet-in-the-middle" and "cp-sat".
    weights : sequence of int, optional
        (n,) integers >= 0: k then bounds the total weight of S instead of its size, within 0..their sum. With
        "auto", "meet-in-the-middle" (2^(n/2) entries) and "cp-sat".
    work_limit : float, optional
        CP-SAT's deterministic seconds, > 0, after which it ends with status LIMIT, on every machine alike; with
        method "cp-sat" only. Default: none.

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
    problem = make_problem(samples, target, k, eps, blocks, weights)
    as_choice(method, "method", METHODS)
    for name, given in (("blocks", blocks), ("weights", weights)):
        if given is not None and method not in STRUCTURED:
            allowed = ", ".join(map(repr, STRUCTURED))
            raise InvalidInput(f"`method` must be one of {allowed} with {name}; got {method!r}.")
        if given is not None and (len(forced_in) or len(forced_out)):
            raise InvalidInput(f"`{name}` must be None with forced_in or forced_out; got {given!r}.")
    memory = as_memory(max_bytes)
    deadline = math.inf
    if time_limit is not None:
        deadline = time.monotonic() + as_real(time_limit, "time_limit", low=0, open_low=True)
    workers = None if threads is None else as_threads(threads)
    if method in HEURISTICS and eps is None:
        raise InvalidInput(f"`eps` must be given with method={method!r}, which proves nothing; got None.")
    if len(forced_in) or len(forced_out):
        forced = _as_forced(problem, forced_in, forced_out, method)
        return judge(problem, meet(problem, memory, deadline, workers, forced), "meet-in-the-middle")
    return run(problem, method, memory, deadline, workers, as_work_limit(work_limit, method))


def _as_forced(
    problem: Problem, forced_in: Sequence[int], forced_out: Sequence[int], method: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Checked, sorted indices of samples forced in and out."""
    if method not in ("auto", "meet-in-the-middle"):
        raise InvalidInput(
            f"`method` must be 'auto' or 'meet-in-the-middle' with forced_in or forced_out; got {method!r}."
        )
    checked = []
    for name, indices in (("forced_in", forced_in), ("forced_out", forced_out)):
        listed = [as_integer(i, f"{name}[{c}]", low=0, high=problem.n - 1) for c, i in enumerate(indices)]
        if len(set(listed)) < len(listed):
            raise InvalidInput(f"`{name}` must not name a sample twice; got {listed}.")
        checked.append(tuple(sorted(listed)))
    both = set(checked[0]) & set(checked[1])
    if both:
        raise InvalidInput(f"`forced_out` must not name a sample of forced_in; got {sorted(both)} in both.")
    taken, free = len(checked[0]), problem.n - len(checked[1])
    if taken > problem.k_max or free < problem.k_min:
        raise InvalidInput(
            f"`k` must allow {taken} to {free} samples, the sizes that forced_in and forced_out leave; "
            f"got {problem.k_min}..{problem.k_max}."
        )
    return checked[0], checked[1]


def as_memory(max_bytes: Any) -> int:
    """`max_bytes` or its default."""
    return DEFAULT_BYTES if max_bytes is None else as_integer(max_bytes, "max_bytes", low=1)


def as_work_limit(work_limit: Any, method: str) -> float:
    """CP-SAT's deterministic seconds, or infinity."""
    if work_limit is None:
        return math.inf
    if method != "cp-sat":
        raise InvalidInput(f"`work_limit` must be None unless method is 'cp-sat'; got {work_limit!r}.")
    return as_real(work_limit, "work_limit", low=0, open_low=True)


def run(
    problem: Problem,
    method: str,
    max_bytes: int,
    deadline: float,
    threads: int | None,
    work_limit: float = math.inf,
) -> SubsetSumResult:
    """Solve a validated problem by one method."""
    if problem.weights is not None and method != "cp-sat":
        return judge(problem, weighted.search(problem, max_bytes, deadline), "meet-in-the-middle")
    if method == "exhaustive":
        return judge(problem, enumerate_all(problem, max_bytes, deadline), method)
    if method == "cp-sat":
        from slth.subset_sum.mip import search

        return judge(problem, search(problem, deadline, work_limit), method)
    if method == "meet-in-the-middle":
        return judge(problem, meet(problem, max_bytes, deadline, threads), method)
    if method == "k-list":
        chosen, work = merge_four(problem) or (None, 0)
        return judge(problem, Answer(chosen, False, work), method)
    if method == "differencing":
        chosen, work = difference(problem)
        return judge(problem, Answer(chosen, False, work), method)
    return _automatic(problem, max_bytes, deadline, threads)


def _automatic(problem: Problem, max_bytes: int, deadline: float, threads: int | None) -> SubsetSumResult:
    """Cheapest first, as the table at the top of this file says."""
    few = math.inf
    if problem.n > FEW:
        chosen = beyond(problem)
        if chosen is not None:
            return judge(problem, Answer(chosen, True, problem.n), "extremes")
        few = few_seconds(problem, max_bytes) if problem.blocks is None else math.inf
    work = 0
    if problem.blocks is not None and problem.eps is not None:
        chosen, work = probe_blocks(problem, max_bytes)
        if chosen is not None:
            return judge(problem, Answer(chosen, False, work), "pools")
    elif problem.eps is not None and few > QUICK:
        if log2_ratio(problem.samples, problem.eps) > VERY_SMALL:
            merged = merge_four(problem)
            if merged is not None and merged[0] is not None:
                return judge(problem, Answer(merged[0], False, merged[1]), "k-list")
        chosen, work = probe(problem, max_bytes)
        if chosen is not None:
            return judge(problem, Answer(chosen, False, work), "pools")
    if few < math.inf:
        answer = pick_few(problem, deadline, threads)
        if not answer.limits or time.monotonic() > deadline:
            return judge(problem, answer, "few-of-many")
    try:
        return judge(problem, meet(problem, max_bytes, deadline, threads), "meet-in-the-middle")
    except CapacityExceeded as error:
        if not work:
            raise
        return judge(problem, Answer(None, False, work, (str(error),)), "pools")


def few_seconds(problem: Problem, max_bytes: int) -> float:
    """Estimated seconds of `pick_few` where it is the quicker complete search and fits; else infinite."""
    seconds, size = few_cost(problem.n, problem.k_min, problem.k_max)
    if not seconds < math.inf or size > max_bytes:
        return math.inf
    return seconds if 2 * seconds < meet_cost(problem.n, problem.k_min, problem.k_max) else math.inf


def judge(problem: Problem, answer: Answer, method: str) -> SubsetSumResult:
    """Recompute what a method proposed and decide the status from the exact error."""
    if answer.indices is None:
        status = Status.ABSENT_PROVED if answer.complete else Status.LIMIT
        if method in HEURISTICS:
            status = Status.NOT_FOUND
        return SubsetSumResult(problem, None, None, None, status, method, answer.work, answer.limits)
    indices = read_only(answer.indices.astype(np.int64))
    size = problem.size_of(indices)
    if not problem.k_min <= size <= problem.k_max:
        raise SlthError(
            f"{method} proposed a subset of size or weight {size}: a defect of slth; please report it."
        )
    terms = problem.samples[indices].tolist()
    value, error = exact_value(terms), exact_error(terms, problem.target)
    limits: tuple[str, ...] = ()
    if problem.eps is not None and within(error, problem.eps):
        status = Status.FOUND
    elif answer.complete:
        status = Status.CLOSEST_PROVED if problem.eps is None else Status.ABSENT_PROVED
    elif method in HEURISTICS:
        status = Status.NOT_FOUND
    else:
        status, limits = Status.LIMIT, answer.limits
    return SubsetSumResult(problem, indices, value, error, status, method, answer.work, limits)
