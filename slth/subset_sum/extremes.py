"""Targets beyond all sums: the largest and the smallest sum of an allowed size settle them in O(n log n)."""

from __future__ import annotations

import math

import numpy as np

from slth._typing import IntArray
from slth.subset_sum.problem import Problem


def beyond(problem: Problem) -> IntArray | None:
    """The closest subset if the target is at or beyond the largest or smallest sum, else None.

    The sign of the correctly rounded sum of the chosen samples minus the target is the exact sign.
    """
    if problem.blocks is not None:
        rows = problem.samples.reshape(-1, problem.blocks)
        firsts = np.arange(len(rows)) * problem.blocks
        ends = (firsts + rows.argmin(axis=1), -1), (firsts + rows.argmax(axis=1), 1)
    else:
        ends = _ends(problem)
    for chosen, sign in ends:
        terms = problem.samples[chosen].tolist()
        if sign * math.fsum([*terms, -problem.target]) <= 0:
            return np.sort(chosen)
    return None


def _ends(problem: Problem) -> tuple[tuple[IntArray, int], tuple[IntArray, int]]:
    """The subsets of smallest and of largest sum, with the sides that they bound."""
    order = np.argsort(problem.samples, kind="stable")
    negative = int(np.count_nonzero(problem.samples < 0))
    small = min(max(negative, problem.k_min), problem.k_max)
    large = min(max(problem.n - negative, problem.k_min), problem.k_max)
    return (order[:small], -1), (order[problem.n - large :], 1)
