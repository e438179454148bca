"""Exhaustive search: the sums of all subsets of few samples, on exact integers, in one numpy table."""

from __future__ import annotations

import numpy as np

from slth._typing import IntArray
from slth.errors import CapacityExceeded, InvalidInput
from slth.subset_sum import unbounded
from slth.subset_sum.mitm import CANDIDATES, Answer
from slth.subset_sum.problem import Problem
from slth.subset_sum.scaling import scale

LARGEST = 22
BYTES_EACH = 40  # sums, sizes, gaps and one temporary


def enumerate_all(problem: Problem, max_bytes: int, deadline: float) -> Answer:
    """The closest subset of the allowed sizes, proved; ties go to the smallest mask.

    The table doubles with each item: sums of the first t items, then the same plus item t. O(2^n) time and
    memory.
    """
    if problem.n > LARGEST:
        raise InvalidInput(
            f"`method` must not be 'exhaustive' for n > {LARGEST}; got n={problem.n}. Use 'meet-in-the-middle'."
        )
    need = BYTES_EACH << problem.n
    if need > max_bytes:
        raise CapacityExceeded(
            f"exhaustive search with n={problem.n} needs about {need / 2**20:.0f} MiB, more than "
            f"`max_bytes`={max_bytes}. Raise `max_bytes`, or use method='meet-in-the-middle'."
        )
    scaled = scale(problem.samples[None, :], np.array([problem.target]), problem.k_max, problem.eps)
    sums = np.zeros(1, np.int64)
    sizes = np.zeros(1, np.int8)
    for item in scaled.items[0]:
        sums = np.concatenate((sums, sums + item))
        sizes = np.concatenate((sizes, sizes + np.int8(1)))
    allowed = np.flatnonzero((sizes >= problem.k_min) & (sizes <= problem.k_max))
    gaps = np.abs(sums[allowed] - scaled.targets[0])
    slack = int(scaled.slack[0])
    if not slack:
        return Answer(_indices(int(allowed[np.argmin(gaps)]), problem.n), True, len(allowed))
    near = allowed[gaps <= gaps.min() + 2 * slack]
    if len(near) > CANDIDATES:
        found = unbounded.closest(problem, max_bytes, deadline)
        if found is None:
            best = _indices(int(allowed[np.argmin(gaps)]), problem.n)
            return Answer(best, False, len(allowed), ("`time_limit` reached.",))
        return Answer(found[0], True, len(allowed) + found[1])
    subsets = [_indices(mask, problem.n) for mask in near.tolist()]
    return Answer(min(subsets, key=lambda c: unbounded.exact_distance(problem, c)), True, len(allowed))


def _indices(mask: int, n: int) -> IntArray:
    return np.array([i for i in range(n) if mask >> i & 1], np.int64)
