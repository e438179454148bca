"""Compiled counting of the pairs of half sums whose total lies in a window, without listing them."""

from __future__ import annotations

from slth._jit._options import routine
from slth._jit.walks import first_at_least
from slth._typing import IntArray


@routine
def count_pairs(
    work: IntArray, a: int, na: int, b: int, nb: int, low: int, high: int, start: int, stop: int
) -> int:
    """Number of pairs of an entry work[a+start:a+stop] and one of work[b:b+nb] with low <= sum <= high.

    Both ends of the window of partners move down as the left entry grows: O(stop - start + nb). na is the
    length of the left list; callers keep na * nb below 2**63.
    """
    count = 0
    if start < stop and nb > 0 and low <= high:
        first = first_at_least(work, b, nb, low - work[a + start])
        last = first_at_least(work, b, nb, high + 1 - work[a + start])
        for i in range(a + start, a + min(stop, na)):
            x = work[i]
            while work[first - 1] + x >= low:
                first -= 1
            while work[last - 1] + x > high:
                last -= 1
            count += last - first
    return count
