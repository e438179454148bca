"""Compiled walks through two sorted lists of half sums: the sums next to a value, or any in a short window.

Lists and sentinels are those of `merge`; sums are below 2**59 in magnitude and values at most 3 * 2**59.

Roofline of `sweep`: 8 bytes and about 13 instructions a step, 1.2 ns: bound by instructions, like
`merge.nearest`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slth._jit._options import routine, step
from slth._jit.merge import FAR, walk_from
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
def piece_from(work, a, na, b, nb, value, steps):
    """`merge.walk_from`, as indices of a hot loop."""
    i, j = walk_from(work, a, na, b, nb, value, steps)
    return np.uint64(i), np.uint64(j)


@step
def straddle(work, i, j, value, below, above):
    """One step of the walk: where it stands next, and the sums nearest to `value` so far, less value."""
    d = work[i] + work[j] - value
    short = np.uint64(d) >> SIGN
    return i + short, j - (ONE - short), max(below, d if d < 0 else -FAR), min(above, d if d >= 0 else FAR)


@routine
def sweep(work, a, na, b, nb, value, width):
    """Largest sum < value and smallest >= value of one join, less value; ends early at one < value + width.

    Four pieces of the two-pointer walk advance together, as in `merge.nearest`. -FAR/2, FAR/2 or beyond: none.
    """
    steps = na + nb
    piece = steps // 4
    goal = value - 1  # the walk's pointer passes left entries while the sum is <= goal, that is < value
    i0, j0 = piece_from(work, a, na, b, nb, goal, ZERO)
    i1, j1 = piece_from(work, a, na, b, nb, goal, piece)
    i2, j2 = piece_from(work, a, na, b, nb, goal, 2 * piece)
    i3, j3 = piece_from(work, a, na, b, nb, goal, 3 * piece)
    below0 = below1 = below2 = below3 = -FAR
    above0 = above1 = above2 = above3 = FAR
    done = ZERO
    while done < piece:
        length = min(STRIDE, piece - done)
        for _ in range(length):
            i0, j0, below0, above0 = straddle(work, i0, j0, value, below0, above0)
            i1, j1, below1, above1 = straddle(work, i1, j1, value, below1, above1)
            i2, j2, below2, above2 = straddle(work, i2, j2, value, below2, above2)
            i3, j3, below3, above3 = straddle(work, i3, j3, value, below3, above3)
        done += length
        if min(min(above0, above1), min(above2, above3)) < width:
            break
    if done == piece:
        for _ in range(steps - 4 * piece):
            i3, j3, below3, above3 = straddle(work, i3, j3, value, below3, above3)
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
