"""Compiled search for a few of many items: two sums of one sorted list whose subsets do not overlap.

Halves of n items hold C(n / 2, j) sums each, far more than the C(n, k / 2) sums of all n items if k is small.
The price is a test of disjointness at each near pair, and that a subset is met once for each way to cut it.

Roofline: a step takes 3-4 loads and about 6 ns (n = 700, two of the 245,000 pairs): the inner loops end after
an unforeseeable number of turns, so that mispredicted branches bound it, not memory; the list stays in the
caches for n in the hundreds. Steps are few: one for each pair, where halves hold hundreds of millions.
"""

from __future__ import annotations

from slth._jit._options import routine
from slth._typing import IntArray


@routine
def overlap(one, two, fixed, i, j):
    """Whether entries i and j share an item, or hold one that is fixed."""
    if one[i] == one[j] or one[i] == two[j] or two[i] == one[j] or two[i] == two[j]:
        return True
    taken = False
    for item in fixed:
        taken |= one[i] == item or two[i] == item or one[j] == item or two[j] == item
    return taken


@routine
def drop_far(hits, most):
    """Keep the rows of hits whose gap is at most `most`, in order; return how many."""
    kept = 0
    for h in range(len(hits)):
        if hits[h, 0] <= most:
            hits[kept] = hits[h]
            kept += 1
    return kept


@routine
def nearest_disjoint(
    sums: IntArray,
    one: IntArray,
    two: IntArray,
    fixed: IntArray,
    goals: IntArray,
    row: int,
    rows: int,
    start: int,
    stop: int,
    best: int,
    slack: int,
    enough: int,
    hits: IntArray,
) -> tuple[int, int]:
    """Lower `best` to the smallest |sums[i] + sums[j] - goal| of disjoint entries i <= j, start <= i < stop.

    For each of the rows row..rows of fixed (r, t), items that no entry may hold, with its goal. one, two : the
    items of each entry (the same twice for single items); the list is sorted. Every pair smaller than the best
    so far, or within slack of it if slack > 0, is written to hits (h, 4) as gap, i, j, row. Ends early at
    best <= enough, or when hits is full of such pairs. Returns best and the number of hits.
    """
    count = 0
    last = len(sums) - 1
    for r in range(row, rows):
        goal = goals[r]
        low, high = start, last + 1
        while low < high:  # the first j with sums[start] + sums[j] >= goal
            middle = (low + high) // 2
            if sums[start] + sums[middle] < goal:
                low = middle + 1
            else:
                high = middle
        j = low
        for i in range(start, stop):
            rest = goal - sums[i]
            while j > i and sums[j - 1] >= rest:
                j -= 1
            if j <= i and sums[i] - rest > best + slack:
                break  # all further sums are larger still
            for side in range(2):
                p = max(i, j) if side == 0 else j - 1
                while i <= p <= last:
                    gap = abs(sums[p] - rest)
                    if gap > best + slack or (slack == 0 and gap == best):
                        break
                    if not overlap(one, two, fixed[r], i, p):
                        best = min(best, gap)
                        hits[count, 0] = gap
                        hits[count, 1] = i
                        hits[count, 2] = p
                        hits[count, 3] = r
                        count += 1
                        if best <= enough:
                            return best, count
                        if count == len(hits):
                            count = drop_far(hits, best + slack)
                            if count == len(hits):
                                return best, count
                        if slack == 0:
                            break
                    p += 1 if side == 0 else -1
    return best, count
