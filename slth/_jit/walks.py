"""Compiled walks through two sorted lists of half sums: the sums next to a value, or any in a short window.

Lists and sentinels are those of `merge`; sums are below 2**59 in magnitude and values at most 3 * 2**59.

Roofline of `sweep`: 8 bytes and about 13 instructions a step, 1.2 ns: bound by instructions, like
`merge.nearest`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slth._jit._options import routine
from slth._jit.merge import FAR, state_after
from slth._typing import IntArray

NOWHERE = 5 << 59  # farther than any sum is from any value: there is none on that side
SIGN = np.uint64(63)
ONE = np.uint64(1)
SEGMENT = 48  # steps of a walk between two looks at what it found
GLANCE = 4 * SEGMENT
STRIDE = 512  # the same where a walk is to be finished
ZERO: Any = np.int64(0)


@routine
def first_at_least(work, a, na, value):
    """Place of the first entry >= value in work[a:a+na], a + na if none (binary search)."""
    low = a
    high = a + na
    while low < high:
        middle = (low + high) // 2
        if work[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@routine
def middle_left(work, a, na, b, nb, value):
    """Place in the left list from which to look for sums near `value`: both halves give the same share."""
    share = (value + work[a + na // 2] - work[b + nb // 2]) // 2
    return first_at_least(work, a, na, share)


@routine
def glance(work, a, na, b, nb, value, width):
    """Some sum in [value, value + width) met in the first steps of a walk from the middle; FAR if none is."""
    above = FAR
    start = middle_left(work, a, na, b, nb, value)
    if start < a + na:
        i = np.uint64(start)
        j = np.uint64(first_at_least(work, b, nb, value - work[start]))
        left = min(a + na - start + np.int64(j) - b + 1, GLANCE)
        while left > 0:
            for _ in range(min(left, SEGMENT)):
                s = work[i] + work[j] - value
                short = np.uint64(s) >> SIGN
                above = min(above, s if s >= 0 else FAR)
                i += short
                j -= ONE - short
            left -= SEGMENT
            if above < width:
                return value + above
    return FAR


@routine
def sweep(work, a, na, b, nb, value, width):
    """Largest sum < value and smallest >= value of one join, less value; ends early at one < value + width.

    Four pieces of the two-pointer walk advance together, as in `merge.nearest`. -FAR/2, FAR/2 or beyond: none.
    """
    steps = na + nb
    piece = steps // 4
    top = b + nb - 1
    goal = value - 1  # the walk's pointer passes left entries while the sum is <= goal, that is < value
    s = state_after(work, a, na, b, nb, goal, piece)
    i1, j1 = np.uint64(a + s), np.uint64(top - (piece - s))
    s = state_after(work, a, na, b, nb, goal, 2 * piece)
    i2, j2 = np.uint64(a + s), np.uint64(top - (2 * piece - s))
    s = state_after(work, a, na, b, nb, goal, 3 * piece)
    i3, j3 = np.uint64(a + s), np.uint64(top - (3 * piece - s))
    i0, j0 = np.uint64(a), np.uint64(top)
    below0 = below1 = below2 = below3 = -FAR
    above0 = above1 = above2 = above3 = FAR
    done = ZERO
    while done < piece:
        length = min(STRIDE, piece - done)
        for _ in range(length):
            d = work[i0] + work[j0] - value
            short = np.uint64(d) >> SIGN
            below0 = max(below0, d if d < 0 else -FAR)
            above0 = min(above0, d if d >= 0 else FAR)
            i0 += short
            j0 -= ONE - short
            d = work[i1] + work[j1] - value
            short = np.uint64(d) >> SIGN
            below1 = max(below1, d if d < 0 else -FAR)
            above1 = min(above1, d if d >= 0 else FAR)
            i1 += short
            j1 -= ONE - short
            d = work[i2] + work[j2] - value
            short = np.uint64(d) >> SIGN
            below2 = max(below2, d if d < 0 else -FAR)
            above2 = min(above2, d if d >= 0 else FAR)
            i2 += short
            j2 -= ONE - short
            d = work[i3] + work[j3] - value
            short = np.uint64(d) >> SIGN
            below3 = max(below3, d if d < 0 else -FAR)
            above3 = min(above3, d if d >= 0 else FAR)
            i3 += short
            j3 -= ONE - short
        done += length
        if min(min(above0, above1), min(above2, above3)) < width:
            break
    if done == piece:
        for _ in range(steps - 4 * piece):
            d = work[i3] + work[j3] - value
            short = np.uint64(d) >> SIGN
            below3 = max(below3, d if d < 0 else -FAR)
            above3 = min(above3, d if d >= 0 else FAR)
            i3 += short
            j3 -= ONE - short
    return max(max(below0, below1), max(below2, below3)), min(min(above0, above1), min(above2, above3))


@routine
def look(work: IntArray, joins: IntArray, value: int, width: int) -> tuple[int, int]:
    """The largest sum < value and the smallest >= value; or any two such once the latter is < value + width.

    -FAR or FAR where there is none. First a few steps where sums abound, then the whole walk of every join: a
    pair of half sums that it does not visit is dominated by one that it does. O(na + nb) a join.
    """
    if width > 0:
        for q in range(len(joins)):
            found = glance(work, joins[q, 0], joins[q, 1], joins[q, 2], joins[q, 3], value, width)
            if found < FAR:
                return -FAR, found
    below = -FAR
    above = FAR
    for q in range(len(joins)):
        low, high = sweep(work, joins[q, 0], joins[q, 1], joins[q, 2], joins[q, 3], value, width)
        below = max(below, low)
        above = min(above, high)
        if above < width:
            break
    return value + below if below > -NOWHERE else -FAR, value + above if above < NOWHERE else FAR
