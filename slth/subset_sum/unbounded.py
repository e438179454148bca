"""Meet-in-the-middle in Python integers of any length: exact for every mixture of magnitudes, for small n.

The fallback where one int64 grid cannot tell the samples apart (1e-300 next to 1e300).
"""

from __future__ import annotations

import time
from fractions import Fraction
from heapq import merge as merge_sorted

import numpy as np

from slth._typing import IntArray
from slth.errors import CapacityExceeded
from slth.subset_sum.plan import entries, join_windows
from slth.subset_sum.problem import Problem

Entry = tuple[int, int]  # (sum, bits of the subset)


def as_integers(values: list[float]) -> list[int]:
    """The values times the smallest power of two that makes all of them integers."""
    ratios = [value.as_integer_ratio() for value in values]
    common = max(denominator for _, denominator in ratios)
    return [numerator * (common // denominator) for numerator, denominator in ratios]


def needed_bytes(problem: Problem, free: int, sizes: tuple[int, int]) -> int:
    """Estimated memory for `free` samples: an integer of full length and a tuple for each subset of a half."""
    *items, _ = as_integers([*problem.samples.tolist(), problem.target])
    length = max(abs(item) for item in items).bit_length() // 8
    if problem.blocks is not None:
        half = problem.k_max // 2
        count = int(problem.blocks**half + problem.blocks ** (problem.k_max - half))
    else:
        pairs = join_windows(free, *sizes)
        count = sum(entries(a, free // 2) for a, _ in pairs) + sum(
            entries(b, free - free // 2) for _, b in pairs
        )
    return count * (140 + length)


def closest(
    problem: Problem,
    max_bytes: int,
    deadline: float,
    forced: tuple[tuple[int, ...], tuple[int, ...]] = ((), ()),
) -> tuple[IntArray, int] | None:
    """The closest subset's indices and the work done; None if the deadline passed.

    forced : indices of samples that the subset holds, and of those that it does not.
    Ties go to the first pair met. O(2^(n/2)) big-integer operations for one exact size or any size.
    """
    taken, barred = forced
    places = [i for i in range(problem.n) if i not in taken and i not in barred]
    sizes = max(0, problem.k_min - len(taken)), min(len(places), problem.k_max - len(taken))
    need = needed_bytes(problem, len(places), sizes)
    if need > max_bytes:
        raise CapacityExceeded(
            f"meet-in-the-middle in long integers with n={problem.n} needs about {need / 2**20:.0f} MiB, "
            f"more than `max_bytes`={max_bytes}. Raise `max_bytes`, or round the samples to a common grid."
        )
    *numbers, target = as_integers([*problem.samples.tolist(), problem.target])
    target -= sum(numbers[i] for i in taken)
    items = [numbers[i] for i in places]
    pairs = [((0, 0), (0, 0))]
    if problem.blocks is not None:
        half = problem.k_max // 2 * problem.blocks
        left, right = (_by_block(part, problem.blocks) for part in (items[:half], items[half:]))
    else:
        half = len(items) // 2
        left, right = _by_size(items[:half]), _by_size(items[half:])
        pairs = join_windows(len(items), *sizes)
    best: tuple[int, int, int] | None = None
    work = 0
    for a, b in pairs:
        ups = list(merge_sorted(*left[a[0] : a[1] + 1]))
        downs = list(merge_sorted(*right[b[0] : b[1] + 1]))
        i, j = 0, len(downs) - 1
        while i < len(ups) and j >= 0:
            gap = ups[i][0] + downs[j][0] - target
            if best is None or abs(gap) < best[0]:
                best = (abs(gap), ups[i][1], downs[j][1])
            if gap > 0:
                j -= 1
            else:
                i += 1
            work += 1
            if work % 4096 == 0 and time.monotonic() > deadline:
                return None
    if best is None:
        return None
    bits = best[1] | best[2] << half
    chosen = [place for i, place in enumerate(places) if bits >> i & 1]
    return np.sort(np.array([*chosen, *taken], np.int64)), work


def exact_distance(problem: Problem, indices: IntArray) -> Fraction:
    """|sum - target| as a rational number."""
    total = sum((Fraction(x) for x in problem.samples[indices].tolist()), Fraction(0))
    return abs(total - Fraction(problem.target))


def _by_size(items: list[int]) -> list[list[Entry]]:
    """Sorted sums with bits, by number of items chosen."""
    lists: list[list[Entry]] = [[(0, 0)]]
    for place, item in enumerate(items):
        longer: list[list[Entry]] = []
        for size in range(len(lists) + 1):
            kept = lists[size] if size < len(lists) else []
            added = [(s + item, bits | 1 << place) for s, bits in lists[size - 1]] if size else []
            longer.append(list(merge_sorted(kept, added)))
        lists = longer
    return lists


def _by_block(items: list[int], b: int) -> list[list[Entry]]:
    """Sorted sums with bits of one of each b items, as the list of one size."""
    found = [(0, 0)]
    for first in range(0, len(items), b):
        block = range(first, first + b)
        found = [(s + items[place], bits | 1 << place) for s, bits in found for place in block]
    return [sorted(found)]
