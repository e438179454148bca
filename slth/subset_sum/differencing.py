"""Balanced differencing (after Karmarkar and Karp): one of each of k pairs, by repeatedly taking differences.

The samples are sorted and paired; from each of k pairs exactly one is taken, so the size is exact by
construction. With low and high of a pair, the sum is the sum of all lows plus that of some of the differences:
a partition of the k differences and the rest of the target into two parts that nearly cancel. Taking the two
largest numbers and putting back their difference commits them to opposite sides; the last number left is the
error, about k^(-c log k) of the spread for k samples: polynomial time, but never a proof.
"""

from __future__ import annotations

import heapq

import numpy as np

from slth._typing import IntArray
from slth.subset_sum.problem import Problem, exact_error, within
from slth.subset_sum.scaling import scale_one

ATTEMPTS = 24  # different choices of pairs


def difference(problem: Problem) -> tuple[IntArray | None, int]:
    """The best subset that differencing finds, of one allowed size, and the numbers handled."""
    k = min(max(problem.k_min, problem.n // 2), problem.k_max)
    scaled = scale_one(problem)
    items, target = scaled.items[0], int(scaled.targets[0])
    dropped = 2 * k > problem.n  # then the samples left out are the subset to find
    count = problem.n - k if dropped else k
    if dropped:
        target = int(items.sum()) - target
    best: tuple[float, IntArray] | None = None
    for attempt in range(ATTEMPTS):
        chosen = _one_of_each(items, target, count, attempt)
        if dropped:
            chosen = np.setdiff1d(np.arange(problem.n), chosen)
        error = exact_error(problem.samples[chosen].tolist(), problem.target)
        if best is None or error < best[0]:
            best = error, chosen
        if problem.eps is not None and within(error, problem.eps):
            break
    return (None if best is None else best[1]), (attempt + 1) * (2 * count)


def _one_of_each(items: IntArray, target: int, count: int, attempt: int) -> IntArray:
    """One item of each of `count` pairs of neighbours, whose lows and differences suit the target."""
    order = np.argsort(items, kind="stable")
    levels = max(1, count.bit_length())
    apart = min(1 << attempt % levels, max(1, len(order) // 2))  # wider pairs reach farther
    blocks = [order[i : i + 2 * apart] for i in range(0, len(order), 2 * apart)]
    rows = [(block[i], block[i + len(block) // 2]) for block in blocks for i in range(len(block) // 2)]
    pairs = np.array(rows, np.int64).reshape(-1, 2)
    middle = items[pairs].astype(np.float64).mean(axis=1)
    left = list(range(len(pairs)))
    rest, taken = float(target), []
    for c in range(count):  # pairs whose middles add up to about the target
        share = rest / (count - c)
        near = int(
            np.argmin(
                np.abs(middle[left] - share) * (1.0 + 0.05 * ((np.arange(len(left)) + attempt // levels) % 7))
            )
        )
        taken.append(left.pop(near))
        rest -= middle[taken[-1]]
    low, high = pairs[taken, 0], pairs[taken, 1]
    gaps: list[int] = (items[high] - items[low]).tolist()
    wanted = 2 * (target - int(items[low].sum())) - sum(gaps)  # the signed sum of the gaps that hits the target
    signs = _signs([*gaps, abs(wanted)])
    flip = signs.pop() * (1 if wanted >= 0 else -1) > 0
    return np.sort(np.where((np.array(signs) > 0) != flip, high, low)) if count else low


def _signs(numbers: list[int]) -> list[int]:
    """Signs under which numbers >= 0 nearly cancel: the largest differencing method."""
    heap = [(-number, i) for i, number in enumerate(numbers)]
    heapq.heapify(heap)
    opposite: list[list[int]] = [[] for _ in numbers]
    while len(heap) > 1:
        (one, i), (two, j) = heapq.heappop(heap), heapq.heappop(heap)
        opposite[i].append(j)
        heapq.heappush(heap, (one - two, i))
    signs = [0] * len(numbers)
    stack = [(heap[0][1], 1)]
    while stack:
        i, sign = stack.pop()
        signs[i] = sign
        stack += [(j, -sign) for j in opposite[i]]
    return signs
