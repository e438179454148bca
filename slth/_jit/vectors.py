"""Compiled search for two vectors, one of each list, whose sum is nearest to a target, in the maximum norm."""

from __future__ import annotations

from slth._jit._options import routine
from slth._jit.few import drop_far
from slth._typing import IntArray


@routine
def nearest_vectors(
    left: IntArray,
    right: IntArray,
    target: IntArray,
    start: int,
    stop: int,
    best: int,
    slack: int,
    hits: IntArray,
) -> tuple[int, int]:
    """Lower `best` to the smallest max_c |left[i, c] + right[j, c] - target[c]|, start <= i < stop.

    right : (b, d), sorted by its first coordinate; only the window that can matter is looked at. Every pair
    that lowers the best, or is within slack of it if slack > 0, is written to hits (h, 3) as gap, i, j. Returns
    best and the number of hits; ends early when hits is full of pairs that count.
    """
    count = 0
    for i in range(start, stop):
        rest = target[0] - left[i, 0]
        low, high = 0, len(right)
        while low < high:
            middle = (low + high) // 2
            if right[middle, 0] < rest - best - slack:
                low = middle + 1
            else:
                high = middle
        j = low
        while j < len(right) and right[j, 0] <= rest + best + slack:
            gap = abs(right[j, 0] - rest)
            for c in range(1, len(target)):
                gap = max(gap, abs(left[i, c] + right[j, c] - target[c]))
            if gap < best or (slack > 0 and gap <= best + slack):
                best = min(best, gap)
                hits[count, 0] = gap
                hits[count, 1] = i
                hits[count, 2] = j
                count += 1
                if count == len(hits):
                    count = drop_far(hits, best + slack)
                    if count == len(hits):
                        return best, count
            j += 1
    return best, count
