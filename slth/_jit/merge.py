"""Compiled meet-in-the-middle: sorted lists of subset sums built by merging, joined by two pointers, read back.

All sums are exact int64 numbers. A list lives in one `work` array with a sentinel on either side (-FAR before
its first entry, +FAR after its last), so that no inner loop checks a bound. Callers keep the sum of absolute
values of the items below 2**60 and the target within one of that sum; with FAR = 5 * 2**60 a gap that involves
one sentinel stays inside int64 and above 3 * 2**60, while a true gap is at most 2**61.

Indices are uint64 in hot loops: signed ones would cost a wrap-around test per access.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from slth._jit._options import routine
from slth._typing import IntArray

FAR = 5 << 60
SEED = 1
EMPTY = 4
FIRST_FREE = 5
ONE = np.uint64(1)
CHAINS = 4
SEGMENT = 2048


class Plan(NamedTuple):
    """Where every list of one kind of instance (number of items, sizes allowed) stands; all int64.

    ops : (o, 6) merges in order: a, len(a), b, len(b), item, out; out := merge(a, b + items[item]).
    joins : (q, 8) pairs of lists to join: a, len(a), b, len(b), smallest and largest size in a, the same in b.
    read_ops : the same for the quarters, from which a subset is read back.
    read_lists : (4, c, 2) place and length of each quarter's list of each size.
    cuts : (6,) item bounds of the four quarters, then how many read_ops belong to the left half.
    """

    ops: IntArray
    joins: IntArray
    read_ops: IntArray
    read_lists: IntArray
    cuts: IntArray


@routine
def merge(work, a, na, b, nb, shift, out):
    """Write the sorted union of work[a:a+na] and work[b:b+nb] + shift to work[out:], with its sentinels.

    Branch-free, from both ends at once: two independent chains of dependent loads. O(na + nb).
    """
    total = na + nb
    work[out - 1] = -FAR
    work[out + total] = FAR
    low_a = np.uint64(a)
    low_b = np.uint64(b)
    high_a = np.uint64(a + na - 1)
    high_b = np.uint64(b + nb - 1)
    low = np.uint64(out)
    high = np.uint64(out + total - 1)
    for _ in range(total // 2):
        x = work[low_a]
        y = work[low_b] + shift
        first = x <= y
        work[low] = x if first else y
        step = np.uint64(first)
        low_a += step
        low_b += ONE - step
        low += ONE
        x = work[high_a]
        y = work[high_b] + shift
        last = x > y
        work[high] = x if last else y
        step = np.uint64(last)
        high_a -= step
        high_b -= ONE - step
        high -= ONE
    if total % 2:
        work[low] = min(work[low_a], work[low_b] + shift)


@routine
def sow(work):
    """Write the two lists that every plan starts from: {0} at place SEED, the empty one at place EMPTY."""
    work[0] = -FAR
    work[SEED] = 0
    work[2] = FAR
    work[3] = -FAR
    work[EMPTY] = FAR


@routine
def run_merges(work, items, ops, start, stop):
    """Run the merges `start` to `stop` (exclusive) of a plan, after `sow`."""
    for o in range(start, stop):
        merge(work, ops[o, 0], ops[o, 1], ops[o, 2], ops[o, 3], items[ops[o, 4]], ops[o, 5])


@routine
def state_after(work, a, na, b, nb, target, steps):
    """How many entries of a the two-pointer walk has passed after `steps` steps (binary search on a diagonal)."""
    low = max(0, steps - nb)
    high = min(steps, na)
    while low < high:
        middle = (low + high + 1) // 2
        if work[a + middle - 1] + work[b + nb - 1 - (steps - middle)] <= target:
            low = middle
        else:
            high = middle - 1
    return low


@routine
def nearest(work, a, na, b, nb, target, start, stop, enough):
    """Smallest |x + y - target| over the steps [start, stop) of the walk through lists a (up) and b (down).

    Four pieces of the walk advance together, since one alone waits for its own loads. Ends early once the
    smallest gap is <= enough. Returns (gap, first step, last step + 1) of the piece that holds the smallest.
    """
    piece = (stop - start) // CHAINS
    cut1 = start + piece
    cut2 = cut1 + piece
    cut3 = cut2 + piece
    top = b + nb - 1
    s = state_after(work, a, na, b, nb, target, start)
    i0 = np.uint64(a + s)
    j0 = np.uint64(top - (start - s))
    s = state_after(work, a, na, b, nb, target, cut1)
    i1 = np.uint64(a + s)
    j1 = np.uint64(top - (cut1 - s))
    s = state_after(work, a, na, b, nb, target, cut2)
    i2 = np.uint64(a + s)
    j2 = np.uint64(top - (cut2 - s))
    s = state_after(work, a, na, b, nb, target, cut3)
    i3 = np.uint64(a + s)
    j3 = np.uint64(top - (cut3 - s))
    best0 = np.int64(FAR)
    best1 = np.int64(FAR)
    best2 = np.int64(FAR)
    best3 = np.int64(FAR)
    done = 0
    while done < piece:
        length = min(SEGMENT, piece - done)
        for _ in range(length):
            gap = work[i0] + work[j0] - target
            best0 = min(best0, abs(gap))
            down = np.uint64(gap > 0)
            j0 -= down
            i0 += ONE - down
            gap = work[i1] + work[j1] - target
            best1 = min(best1, abs(gap))
            down = np.uint64(gap > 0)
            j1 -= down
            i1 += ONE - down
            gap = work[i2] + work[j2] - target
            best2 = min(best2, abs(gap))
            down = np.uint64(gap > 0)
            j2 -= down
            i2 += ONE - down
            gap = work[i3] + work[j3] - target
            best3 = min(best3, abs(gap))
            down = np.uint64(gap > 0)
            j3 -= down
            i3 += ONE - down
        done += length
        if min(min(best0, best1), min(best2, best3)) <= enough:
            break
    if done == piece:
        for _ in range(stop - cut3 - piece):
            gap = work[i3] + work[j3] - target
            best3 = min(best3, abs(gap))
            down = np.uint64(gap > 0)
            j3 -= down
            i3 += ONE - down
    best = min(min(best0, best1), min(best2, best3))
    if best == best0:
        return best, start, cut1
    if best == best1:
        return best, cut1, cut2
    if best == best2:
        return best, cut2, cut3
    return best, cut3, stop


@routine
def locate(work, a, na, b, nb, target, start, stop, gap):
    """Places in work of the first pair met in steps [start, stop) of the walk with |x + y - target| = gap.

    Returns (0, 0) if there is none: place 0 holds a sentinel and is never an answer.
    """
    s = state_after(work, a, na, b, nb, target, start)
    i = a + s
    j = b + nb - 1 - (start - s)
    for _ in range(stop - start):
        d = work[i] + work[j] - target
        if abs(d) == gap:
            return i, j
        if d > 0:
            j -= 1
        else:
            i += 1
    return 0, 0


@routine
def collect(work, a, na, b, nb, target, radius, pairs, count):
    """Append to pairs (p, 2) every pair of values (x, y) with |x + y - target| <= radius; return the new count.

    Stops at a full `pairs`; the caller treats a full array as overflow. O(na + nb + pairs found).
    """
    j = b + nb - 1
    for i in range(a, a + na):
        x = work[i] - target
        while work[j] + x > 0:
            j -= 1
        y = j
        while work[y] + x >= -radius and y >= b and count < len(pairs):
            pairs[count, 0] = work[i]
            pairs[count, 1] = work[y]
            count += 1
            y -= 1
        y = j + 1
        while work[y] + x <= radius and y < b + nb and count < len(pairs):
            pairs[count, 0] = work[i]
            pairs[count, 1] = work[y]
            count += 1
            y += 1
    return count


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
def read_back(work, items, plan, right, low, high, value, comb, mask):
    """Mark a subset of one half, of size low..high, whose sum is exactly `value`; overwrites work.

    right : 0 for the left half, 1 for the right. The sums of the half's two quarters are rebuilt and joined,
    then each quarter is searched outright. Returns whether a subset was found.
    """
    split = plan.cuts[5]
    sow(work)
    if right == 0:
        run_merges(work, items, plan.read_ops, 0, split)
    else:
        run_merges(work, items, plan.read_ops, split, len(plan.read_ops))
    q = 2 * right
    sizes = plan.read_lists.shape[1]
    for c in range(sizes):
        a, na = plan.read_lists[q, c, 0], plan.read_lists[q, c, 1]
        for d in range(max(0, low - c), min(sizes - 1, high - c) + 1):
            b, nb = plan.read_lists[q + 1, d, 0], plan.read_lists[q + 1, d, 1]
            if na == 0 or nb == 0:
                continue
            i, j = locate(work, a, na, b, nb, value, 0, na + nb, 0)
            if i != 0:
                x, y = work[i], work[j]
                found = mark_combination(items, plan.cuts[q], plan.cuts[q + 1], c, x, comb, mask)
                return found and mark_combination(items, plan.cuts[q + 1], plan.cuts[q + 2], d, y, comb, mask)
    return False


@routine
def best_pair(lists, plan, target, enough):
    """Smallest gap over all joins of a plan whose merges are done, stopping at a gap <= enough.

    Returns (gap, join, x, y): x and y are the half sums of the first pair met with that gap.
    """
    best = np.int64(FAR)
    which = 0
    start = 0
    stop = 0
    for q in range(len(plan.joins)):
        a, na, b, nb = plan.joins[q, 0], plan.joins[q, 1], plan.joins[q, 2], plan.joins[q, 3]
        gap, s, t = nearest(lists, a, na, b, nb, target, 0, na + nb, enough)
        if gap < best:
            best, which, start, stop = gap, q, s, t
            if best <= enough:
                break
    a, na, b, nb = plan.joins[which, 0], plan.joins[which, 1], plan.joins[which, 2], plan.joins[which, 3]
    i, j = locate(lists, a, na, b, nb, target, start, stop, best)
    return best, which, lists[i], lists[j]


@routine
def recover(work, items, plan, which, x, y, comb, mask):
    """Mark the subset whose half sums, in the windows of join `which`, are x and y; overwrites work."""
    left = read_back(work, items, plan, 0, plan.joins[which, 4], plan.joins[which, 5], x, comb, mask)
    right = read_back(work, items, plan, 1, plan.joins[which, 6], plan.joins[which, 7], y, comb, mask)
    return left and right


@routine
def closest_block(work, items, plan, targets, enough, ids, start, stop, comb, masks, gaps):
    """Mark the subset nearest to its target for the instances ids[start:stop], or one with a gap <= enough.

    Row b of items, masks (all False on entry) and gaps belongs to instance b. A gap of -1 says that read-back
    failed, which it cannot by construction.
    """
    for place in range(start, stop):
        b = ids[place]
        sow(work)
        run_merges(work, items[b], plan.ops, 0, len(plan.ops))
        gap, which, x, y = best_pair(work, plan, targets[b], enough[b])
        gaps[b] = gap if recover(work, items[b], plan, which, x, y, comb, masks[b]) else -1


@routine
def closest_shared_block(lists, scratch, items, plan, targets, enough, start, stop, comb, masks, gaps):
    """`closest_block` for targets start..stop (exclusive) on one set of items (1, n), whose lists are merged."""
    for b in range(start, stop):
        gap, which, x, y = best_pair(lists, plan, targets[b], enough[b])
        gaps[b] = gap if recover(scratch, items[0], plan, which, x, y, comb, masks[b]) else -1


@routine
def take_anchors(items, order, m, count, goal):
    """Move `count` places to order[m:m+count], greedily chosen from order[m:] so that their items sum to about `goal`."""
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
def pool_block(work, items, plan, anchors, turns, targets, enough, ids, start, stop, scratch, masks, gaps):
    """Look for a gap <= enough among subsets made of `anchors` items taken greedily and a few of a pool of m items.

    The plan belongs to the pool; m is its number of items. Turn t takes the m items after the first t * m // 2 + t
    (cyclically) as the pool, fixes the anchors among the others so that the rest of the target is central for the
    pool, and searches the pool completely. gaps[b] = -1 and an empty mask where all turns failed: not a proof.
    scratch : (3 n,) int64.
    """
    n = items.shape[1]
    m = plan.cuts[4]
    order = scratch[:n]
    pool = scratch[n : n + m]
    comb = scratch[2 * n :]
    for place in range(start, stop):
        b = ids[place]
        gaps[b] = -1
        for turn in range(turns):
            middle = 0.0
            for p in range(n):
                order[p] = (p + turn * (m // 2 + 1)) % n
            for p in range(m):
                pool[p] = items[b, order[p]]
                middle += pool[p]
            size = plan.joins[0, 4] + plan.joins[0, 6]
            take_anchors(items[b], order, m, anchors, targets[b] - middle * size / m)
            rest = targets[b]
            for p in range(m, m + anchors):
                rest -= items[b, order[p]]
            sow(work)
            run_merges(work, pool, plan.ops, 0, len(plan.ops))
            gap, which, x, y = best_pair(work, plan, rest, enough[b])
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
