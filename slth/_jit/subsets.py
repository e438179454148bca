"""Compiled searches of whole problems on sorted lists: the best pair of half sums, and the subset behind it.

Blocks of instances are searched in one call; each writes only its own rows.
"""

from __future__ import annotations

import numpy as np

from slth._jit._options import routine
from slth._jit.merge import FAR, ZERO, Plan, collect, goal_of, locate, nearest, open_join, run_merges, sow
from slth._typing import BoolArray, IntArray

FAILED = -1  # instead of a gap: nothing found (pools), or read-back failed (impossible by construction)
UNSURE = -2  # instead of a gap: several subsets are alike within the rounding


@routine
def mark_combination(items, first, stop, size, value, comb, mask):
    """Mark the first combination (lexicographic) of `size` of items[first:stop] whose sum is `value`.

    comb : (at least size,) scratch. Returns whether there was one. O(binomial(stop - first, size)).
    """
    n = stop - first
    total = np.int64(0)
    for c in range(size):
        comb[c] = first + c
        total += items[first + c]
    while True:
        if total == value:
            for c in range(size):
                mask[comb[c]] = True
            return True
        c = size - 1
        while c >= 0 and comb[c] == first + n - size + c:
            c -= 1
        if c < 0:
            return False
        place = comb[c] + 1
        for d in range(c, size):
            total += items[place] - items[comb[d]]
            comb[d] = place
            place += 1


@routine
def mark_choice(items, first, stop, b, value, comb, mask):
    """Mark one of each b of items[first:stop], the first choice (lexicographic) of sum `value`.

    Sums are relative to the first item of each block. comb : (blocks,) scratch. Returns whether there was one.
    O(b^blocks).
    """
    count = (stop - first) // b
    total = np.int64(0)
    for c in range(count):
        comb[c] = first + c * b
    while True:
        if total == value:
            for c in range(count):
                mask[comb[c]] = True
            return True
        c = count - 1
        while c >= 0 and comb[c] == first + c * b + b - 1:
            total -= items[comb[c]] - items[first + c * b]
            comb[c] = first + c * b
            c -= 1
        if c < 0:
            return False
        total += items[comb[c] + 1] - items[comb[c]]
        comb[c] += 1


@routine
def mark_quarter(items, plan, q, size, value, comb, mask):
    """Mark the first subset of quarter q of a plan with sum `value`, of `size` items or one of each block."""
    first, stop, b = plan.cuts[q], plan.cuts[q + 1], plan.cuts[6]
    if b > 0:
        return mark_choice(items, first, stop, b, value, comb, mask)
    return mark_combination(items, first, stop, size, value, comb, mask)


@routine
def read_back(
    work: IntArray,
    items: IntArray,
    plan: Plan,
    right: int,
    low: int,
    high: int,
    value: int,
    comb: IntArray,
    mask: BoolArray,
) -> bool:
    """Mark a subset of one half, of size low..high, whose sum is exactly `value`; overwrites work.

    right : 0 for the left half, 1 for the right. The sums of the half's two quarters are rebuilt and joined,
    then each quarter is searched outright. Returns whether a subset was found.
    """
    split = plan.cuts[5]
    sow(work)
    run_merges(work, items, plan.read_ops, split * right, split if right == 0 else len(plan.read_ops))
    q = 2 * right
    sizes = plan.read_lists.shape[1]
    for c in range(sizes):
        a, na = plan.read_lists[q, c, 0], plan.read_lists[q, c, 1]
        for d in range(max(0, low - c), min(sizes - 1, high - c) + 1):
            b, nb = plan.read_lists[q + 1, d, 0], plan.read_lists[q + 1, d, 1]
            if na == 0 or nb == 0:
                continue
            i, j = locate(work, a, na, b, nb, value, ZERO, na + nb, ZERO)
            if i != 0:
                x, y = work[i], work[j]
                found = mark_quarter(items, plan, q, c, x, comb, mask)
                also = mark_quarter(items, plan, q + 1, d, y, comb, mask)
                return bool(found and also)
    return False


@routine
def best_pair(lists, items, plan, target, enough):
    """Smallest gap over all joins of a plan whose merges are done, stopping at a gap <= enough.

    Returns (gap, join, x, y): x and y are the half sums of the first pair met with that gap.
    """
    total = items[: plan.cuts[4]].sum()
    best = FAR
    which = 0
    start = 0
    stop = 0
    for q in range(len(plan.joins)):
        a, na, b, nb = plan.joins[q, 0], plan.joins[q, 1], plan.joins[q, 2], plan.joins[q, 3]
        open_join(lists, items, plan, q)
        goal = goal_of(plan, q, target, total)
        gap, s, t = nearest(lists, a, na, b, nb, goal, ZERO, na + nb, enough)
        if gap < best:
            best, which, start, stop = gap, q, s, t
            if best <= enough:
                break
    a, na, b, nb = plan.joins[which, 0], plan.joins[which, 1], plan.joins[which, 2], plan.joins[which, 3]
    open_join(lists, items, plan, which)
    i, j = locate(lists, a, na, b, nb, goal_of(plan, which, target, total), start, stop, best)
    return best, which, lists[i], lists[j]


@routine
def recover(work, items, plan, which, x, y, comb, mask):
    """Mark the subset whose half sums, in the windows of join `which`, are x and y; overwrites work."""
    found = True
    for right in range(2):
        low, high = plan.joins[which, 4 + 2 * right], plan.joins[which, 5 + 2 * right]
        found &= read_back(work, items, plan, right, low, high, y if right else x, comb, mask)
    if plan.joins[which, 10] != 0:
        for i in range(plan.cuts[4]):
            mask[i] = not mask[i]
    return found


@routine
def settle(lists, scratch, items, plan, target, enough, slack, beyond, pairs, comb, mask):
    """Mark the subset nearest to `target`, or one with a gap <= enough; return its gap.

    With slack > 0 gaps are off by up to slack, so a nearest subset counts only if no other pair of half sums is
    within 2 slack of it, or if its gap is at least `beyond`, where all that matters is how far it is. Otherwise
    UNSURE is returned and nothing marked. pairs : (2, 2) scratch.
    """
    gap, which, x, y = best_pair(lists, items, plan, target, enough)
    if slack > 0 and enough < gap < beyond:
        count = ZERO
        for q in range(len(plan.joins)):
            a, na, b, nb = plan.joins[q, 0], plan.joins[q, 1], plan.joins[q, 2], plan.joins[q, 3]
            open_join(lists, items, plan, q)
            goal = goal_of(plan, q, target, items[: plan.cuts[4]].sum())
            count = collect(lists, a, na, b, nb, goal, gap + 2 * slack, pairs, count)
        if count != 1:
            return UNSURE
    return gap if recover(scratch, items, plan, which, x, y, comb, mask) else FAILED


@routine
def closest_block(
    work: IntArray,
    items: IntArray,
    plan: Plan,
    targets: IntArray,
    enough: IntArray,
    slack: IntArray,
    beyond: IntArray,
    ids: IntArray,
    start: int,
    stop: int,
    comb: IntArray,
    masks: BoolArray,
    gaps: IntArray,
) -> None:
    """`settle` instances ids[start:stop]; row b of items, masks (all False) and gaps belongs to instance b."""
    pairs = np.empty((2, 2), np.int64)
    for place in range(start, stop):
        b = ids[place]
        sow(work)
        run_merges(work, items[b], plan.ops, ZERO, len(plan.ops))
        gaps[b] = settle(
            work, work, items[b], plan, targets[b], enough[b], slack[b], beyond[b], pairs, comb, masks[b]
        )


@routine
def closest_shared_block(
    lists: IntArray,
    scratch: IntArray,
    items: IntArray,
    plan: Plan,
    targets: IntArray,
    enough: IntArray,
    slack: IntArray,
    beyond: IntArray,
    start: int,
    stop: int,
    comb: IntArray,
    masks: BoolArray,
    gaps: IntArray,
) -> None:
    """`settle` targets start..stop (exclusive) on one set of items (1, n), whose lists are merged."""
    pairs = np.empty((2, 2), np.int64)
    for b in range(start, stop):
        gaps[b] = settle(
            lists, scratch, items[0], plan, targets[b], enough[b], slack[b], beyond[b], pairs, comb, masks[b]
        )


@routine
def take_anchors(items, order, m, count, goal):
    """Move to order[m:m+count] places chosen greedily from order[m:], whose items sum to about `goal`."""
    n = len(order)
    rest = np.float64(goal)
    for c in range(count):
        share = rest / (count - c)
        nearest_place = m + c
        nearest_gap = abs(items[order[nearest_place]] - share)
        for p in range(m + c + 1, n):
            gap = abs(items[order[p]] - share)
            if gap < nearest_gap:
                nearest_gap = gap
                nearest_place = p
        chosen = order[nearest_place]
        order[nearest_place] = order[m + c]
        order[m + c] = chosen
        rest -= items[chosen]


@routine
def spread_stride(n: int) -> int:
    """A number coprime to n, near n times the golden section: its multiples mod n visit 0..n-1, far apart."""
    stride = int(0.6180339887498949 * n)
    while True:
        a, b = n, stride
        while b != 0:
            a, b = b, a % b
        if a == 1:
            return stride
        stride += 1


@routine
def pool_block(
    work: IntArray,
    items: IntArray,
    plan: Plan,
    anchors: int,
    turns: int,
    targets: IntArray,
    enough: IntArray,
    ids: IntArray,
    start: int,
    stop: int,
    scratch: IntArray,
    masks: BoolArray,
    gaps: IntArray,
) -> None:
    """Look for a gap <= enough among subsets of `anchors` items taken greedily and a few of a pool of m.

    The plan belongs to the pool; m is its number of items. Items are counted off in long strides, since
    neighbours in sorted samples are alike. Turn t takes the m items from number t (m // 2 + 1) on (cyclically)
    as the pool, fixes the anchors among the others so that the rest of the target is central
    for the pool, and searches the pool completely. gaps[b] = FAILED and an empty mask where all turns failed,
    which proves nothing.
    scratch : (3 n,) int64.
    """
    n = items.shape[1]
    m = plan.cuts[4]
    order = scratch[:n]
    pool = scratch[n : n + m]
    comb = scratch[2 * n :]
    stride = spread_stride(n)
    for place in range(start, stop):
        b = ids[place]
        gaps[b] = FAILED
        for turn in range(turns):
            middle = 0.0
            for p in range(n):
                order[p] = (p + turn * (m // 2 + 1)) * stride % n
            for p in range(m):
                pool[p] = items[b, order[p]]
                middle += pool[p]
            size = plan.joins[0, 4] + plan.joins[0, 6]
            if plan.joins[0, 10] != 0:
                size = m - size
            take_anchors(items[b], order, m, anchors, targets[b] - middle * size / m)
            rest = targets[b]
            for p in range(m, m + anchors):
                rest -= items[b, order[p]]
            sow(work)
            run_merges(work, pool, plan.ops, ZERO, len(plan.ops))
            gap, which, x, y = best_pair(work, pool, plan, rest, enough[b])
            if gap > enough[b]:
                continue
            picked = masks[b, :m]
            recover(work, pool, plan, which, x, y, comb, picked)
            for p in range(m):
                comb[p] = picked[p]
                picked[p] = False
            for p in range(m):
                if comb[p] != 0:
                    masks[b, order[p]] = True
            for p in range(m, m + anchors):
                masks[b, order[p]] = True
            gaps[b] = gap
            break
