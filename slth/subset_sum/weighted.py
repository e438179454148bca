"""Weighted cardinality: subsets whose total weight, in integers, lies in a range; exact, n up to about 44.

The sums of each half of the samples are listed with their weights and sorted by weight, then by sum; every
weight on the left is joined with the range of weights on the right that fits it. O(2^(n/2)) memory; time the
same for one exact weight, and times the number of different weights for a range.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from slth._jit import merge
from slth._typing import IntArray
from slth.errors import CapacityExceeded
from slth.subset_sum import unbounded
from slth.subset_sum.mitm import CANDIDATES, Answer, side_by_side
from slth.subset_sum.problem import Problem
from slth.subset_sum.scaling import NEAREST, scale_one

BYTES = 64  # of one half sum: sum, weight, place in order, and the temporaries of sorting
LONGEST = 1 << 31  # entries of all joins beyond which a search would take minutes

Join = tuple[IntArray, IntArray]  # places of the left and of the right sums, each in order of the sums


def search(problem: Problem, max_bytes: int, deadline: float) -> Answer:
    """The closest subset of an allowed weight, proved; with eps, any that is certainly within."""
    half = problem.n // 2
    need = BYTES << (problem.n - half)
    if need > max_bytes:
        raise CapacityExceeded(
            f"meet-in-the-middle with weights and n={problem.n} needs about {need / 2**20:.0f} MiB, more than "
            f"`max_bytes`={max_bytes}. Raise `max_bytes`, or give eps and use method='cp-sat'."
        )
    scaled = scale_one(problem)
    items, weights = scaled.items[0], np.array(problem.weights, np.int64)
    left, right = (_sums(part) for part in (items[:half], items[half:]))
    sides = [_by_weight(_sums(part), sums) for part, sums in ((weights[:half], left), (weights[half:], right))]
    target, enough, slack = (int(number[0]) for number in (scaled.targets, scaled.enough, scaled.slack))
    best: tuple[int, int, int] | None = None
    work = len(left) + len(right)
    for ups, downs in _joins(problem, sides, right):
        lists = side_by_side(left[ups], right[downs])
        a, b, na, nb = 1, len(ups) + 3, len(ups), len(downs)
        gap, start, stop = merge.nearest(lists, a, na, b, nb, target, 0, na + nb, enough)
        work += na + nb
        if best is None or gap < best[0]:
            i, j = merge.locate(lists, a, na, b, nb, target, start, stop, gap)
            best = gap, int(ups[i - a]), int(downs[j - b])
            if gap <= enough:
                proved = problem.eps is None or enough <= NEAREST
                return Answer(_named(best[1], best[2], half), proved, work)
        if time.monotonic() > deadline:
            return Answer(_named(best[1], best[2], half), False, work, ("`time_limit` reached.",))
    if best is None:
        return Answer(None, True, work)
    if not slack:
        return Answer(_named(best[1], best[2], half), True, work)
    near: list[IntArray] = []
    for ups, downs in _joins(problem, sides, right):
        first = np.searchsorted(right[downs], target - best[0] - 2 * slack - left[ups], side="left")
        last = np.searchsorted(right[downs], target + best[0] + 2 * slack - left[ups], side="right")
        if int((last - first).sum()) + len(near) > CANDIDATES:
            return _in_long_integers(problem, deadline, work)
        for i in np.flatnonzero(last > first).tolist():
            near += [_named(int(ups[i]), int(j), half) for j in downs[first[i] : last[i]]]
    chosen = min(near, key=lambda c: (unbounded.exact_distance(problem, c), c.tolist()))
    return Answer(chosen, True, work + len(near))


def _in_long_integers(problem: Problem, deadline: float, work: int) -> Answer:
    """The same in Python's integers, where many subsets look alike on the 64-bit grid."""
    half = problem.n // 2
    *numbers, target = unbounded.as_integers([*problem.samples.tolist(), problem.target])
    items, weights = np.array(numbers, object), np.array(problem.weights, np.int64)
    left, right = (_sums(part) for part in (items[:half], items[half:]))
    sides = [_by_weight(_sums(part), sums) for part, sums in ((weights[:half], left), (weights[half:], right))]
    best: tuple[Any, int, int] | None = None
    for ups, downs in _joins(problem, sides, right):
        place = np.searchsorted(right[downs], target - left[ups])
        for near in (np.minimum(place, len(downs) - 1), np.maximum(place - 1, 0)):
            gaps = np.abs(left[ups] + right[downs[near]] - target)
            i = int(np.argmin(gaps))
            if best is None or gaps[i] < best[0]:
                best = gaps[i], int(ups[i]), int(downs[near[i]])
        work += len(ups) + len(downs)
        if time.monotonic() > deadline and best is not None:
            return Answer(_named(best[1], best[2], half), False, work, ("`time_limit` reached.",))
    return Answer(None if best is None else _named(best[1], best[2], half), True, work)


def _sums(items: Any) -> Any:
    """The sum of every subset; bit i of the place says whether item i belongs to it."""
    sums = items[:0].sum(keepdims=True) if items.dtype != object else np.zeros(1, object)
    for item in items:
        sums = np.concatenate((sums, sums + item))
    return sums


def _by_weight(weights: IntArray, sums: Any) -> tuple[IntArray, IntArray, IntArray]:
    """The different weights, where each starts in `order`, and the subsets in order of weight and sum."""
    order = np.argsort(sums, kind="stable")
    order = order[np.argsort(weights[order], kind="stable")]
    kinds, starts = np.unique(weights[order], return_index=True)
    return kinds, np.append(starts, len(order)), order


def _joins(problem: Problem, sides: list[Any], sums: Any) -> Iterator[Join]:
    """Left subsets of one weight and the right ones that fit, for each weight that has any."""
    (kinds, starts, order), (others, ends, partners) = sides
    first = np.searchsorted(others, problem.k_min - kinds, side="left")
    last = np.searchsorted(others, problem.k_max - kinds, side="right")
    total = int((ends[last] - ends[first])[last > first].sum())
    if total > LONGEST:
        raise CapacityExceeded(
            f"joining {len(kinds)} different weights with n={problem.n} needs {total} entries, more than "
            f"{LONGEST}. Narrow `k`, or give eps and use method='cp-sat'."
        )
    before: tuple[int, int] | None = None
    downs = partners[:0]
    for c in np.flatnonzero(last > first).tolist():
        span = int(first[c]), int(last[c])
        if span != before:
            downs = partners[ends[span[0]] : ends[span[1]]]
            if span[1] - span[0] > 1:
                downs = downs[np.argsort(sums[downs], kind="stable")]
            before = span
        yield order[starts[c] : starts[c + 1]], downs


def _named(left: int, right: int, half: int) -> IntArray:
    bits = left | right << half
    return np.array([i for i in range(bits.bit_length()) if bits >> i & 1], np.int64)
