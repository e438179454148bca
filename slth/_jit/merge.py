"""Compiled meet-in-the-middle: sorted lists of subset sums, built by merging and joined by two pointers.

All sums are exact int64 numbers. A list lives in one `work` array with a sentinel on either side (-FAR before
its first entry, +FAR after its last), so that no inner loop checks a bound. Callers keep the sum of absolute
values of the items below 2**60 and the target within one of that sum; with FAR = 5 * 2**60 a gap that involves
one sentinel stays inside int64 and above 3 * 2**60, while a true gap is at most 2**61.

Indices are uint64 in hot loops: signed ones would cost a wrap-around test per access.

Roofline, one thread of a two-core AMD EPYC (AVX-512, 1 MB L2, 32 MB L3), copy 42 GB/s read and written:

routine     per result                                      in memory, in L2      fraction of the copy
merge_part  entry: 2 loads, 1 store, 6 others; 16 bytes     0.89 ns, 0.89-1.0 ns  43 % (18 GB/s)
nearest     step: 2 loads, 8 others; 8 bytes                0.96 ns, 0.93 ns      20 % (8.3 GB/s)
mirror_part entry: 1 load, 1 store, 2 others; 16 bytes      0.5 ns                75 %

Neither merging nor walking gets quicker in the cache: both are bound by instructions, about three a cycle, not
by memory. One chain alone waits for its own loads (4-5 cycles a step); four use the ports. First touch of fresh
memory costs 0.1 ns a byte besides. The whole of closest (50,25) is 74 M entries, 67 M steps and 340 MB.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from slth._jit._options import routine, step
from slth._typing import IntArray

FAR = 5 << 60
SEED = 1
EMPTY = 4
FIRST_FREE = 5
ONE = np.uint64(1)
ZERO: Any = np.int64(0)  # a plain 0 would be a literal type and compile its callee a second time
SIGN: Any = np.int64(63)  # a shift by it leaves 0, or -1 for negative numbers
CHAINS = 4
SEGMENT = 2048


class Plan(NamedTuple):
    """Where every list of one kind of instance (number of items, sizes allowed) stands; all int64.

    ops : (o, 6) merges in order: a, len(a), b, len(b), item, out; out := merge(a, b + items[item]); or, with
        item = -1, mirrors: a, len(a), first, last item + 1, -1, out; out := sum of those items - reversed a.
    joins : (q, 11) pairs of lists to join: a, len(a), b, len(b), smallest and largest size in a, the same in b,
        the range of `mirrors` to run before, and whether the lists are those of the complements of the subsets
        meant: their sums are sought near (sum of all items) - target.
    mirrors : (r, 6) operations like ops.
    read_ops : the same for the quarters, from which a subset is read back.
    read_lists : (4, c, 2) place and length of each quarter's list of each size.
    cuts : (7,) item bounds of the four quarters, how many read_ops belong to the left half, then b where one of
        each b items is chosen (0: any of the sizes allowed).
    """

    ops: IntArray
    joins: IntArray
    mirrors: IntArray
    read_ops: IntArray
    read_lists: IntArray
    cuts: IntArray


@routine
def pass_of_merge(work, a, na, b, nb, shift, steps):
    """How many of the first `steps` entries of the union come from list a (binary search on a diagonal)."""
    low = max(0, steps - nb)
    high = min(steps, na)
    while low < high:
        middle = (low + high + 1) // 2
        if work[a + middle - 1] <= work[b + steps - middle] + shift:
            low = middle
        else:
            high = middle - 1
    return low


@step
def take_least(work, a, b, shift, out):
    """Write the lesser of work[a] and work[b] + shift to work[out]; where to read and write next, upwards."""
    x, y = work[a], work[b] + shift
    first = x <= y
    work[out] = x if first else y
    move = np.uint64(first)
    return a + move, b + (ONE - move), out + ONE


@step
def take_largest(work, a, b, shift, out):
    """Write the larger of work[a] and work[b] + shift to work[out]; where to read and write next, downwards."""
    x, y = work[a], work[b] + shift
    last = x > y
    work[out] = x if last else y
    move = np.uint64(last)
    return a - move, b - (ONE - move), out - ONE


@routine
def merge_part(work, a, na, b, nb, shift, out, start, stop):
    """Write entries start..stop (exclusive) of the sorted union of work[a:a+na] and work[b:b+nb] + shift.

    Branch-free; from both ends and from the middle outwards at once, since one chain of dependent loads alone
    waits for itself: 0.9 ns an entry instead of 2. O(stop - start).
    """
    half = (stop - start) // 2
    middle = start + half
    s = pass_of_merge(work, a, na, b, nb, shift, start)
    up_a, up_b, up = np.uint64(a + s), np.uint64(b + start - s), np.uint64(out + start)
    s = pass_of_merge(work, a, na, b, nb, shift, middle)
    down_a, down_b, down = np.uint64(a + s - 1), np.uint64(b + middle - s - 1), np.uint64(out + middle - 1)
    rise_a, rise_b, rise = np.uint64(a + s), np.uint64(b + middle - s), np.uint64(out + middle)
    s = pass_of_merge(work, a, na, b, nb, shift, stop)
    fall_a, fall_b, fall = np.uint64(a + s - 1), np.uint64(b + stop - s - 1), np.uint64(out + stop - 1)
    for _ in range(half // 2):
        up_a, up_b, up = take_least(work, up_a, up_b, shift, up)
        rise_a, rise_b, rise = take_least(work, rise_a, rise_b, shift, rise)
        down_a, down_b, down = take_largest(work, down_a, down_b, shift, down)
        fall_a, fall_b, fall = take_largest(work, fall_a, fall_b, shift, fall)
    if half % 2:
        work[up] = min(work[up_a], work[up_b] + shift)
    for _ in range(stop - middle - 2 * (half // 2)):
        rise_a, rise_b, rise = take_least(work, rise_a, rise_b, shift, rise)


@routine
def mirror_part(work, a, na, total, out, start, stop):
    """Write entries start..stop (exclusive) of the list total - x, x in work[a:a+na], ascending."""
    last = np.uint64(a + na - 1)
    first = np.uint64(out)
    for i in range(start, stop):
        work[first + np.uint64(i)] = total - work[last - np.uint64(i)]


@routine
def run_part(work: IntArray, items: IntArray, ops: IntArray, o: int, start: int, stop: int) -> None:
    """Write entries start..stop (exclusive) of the list of operation o; its sentinels too, with the first."""
    a, na, out = ops[o, 0], ops[o, 1], ops[o, 5]
    merged = ops[o, 4] >= 0
    if start == 0:
        work[out - 1] = -FAR
        work[out + na + (ops[o, 3] if merged else ZERO)] = FAR
    if merged:
        merge_part(work, a, na, ops[o, 2], ops[o, 3], items[ops[o, 4]], out, start, stop)
    else:
        total = ZERO
        for i in range(ops[o, 2], ops[o, 3]):
            total += items[i]
        mirror_part(work, a, na, total, out, start, stop)


@routine
def sow(work: IntArray) -> None:
    """Write the two lists that every plan starts from: {0} at place SEED, the empty one at place EMPTY."""
    work[0] = -FAR
    work[SEED] = 0
    work[2] = FAR
    work[3] = -FAR
    work[EMPTY] = FAR


@routine
def run_merges(work: IntArray, items: IntArray, ops: IntArray, start: int, stop: int) -> None:
    """Run the operations `start` to `stop` (exclusive) of a plan, after `sow`."""
    for o in range(start, stop):
        run_part(work, items, ops, o, ZERO, ops[o, 1] + (ops[o, 3] if ops[o, 4] >= 0 else ZERO))


@routine
def open_join(work: IntArray, items: IntArray, plan: Plan, q: int) -> None:
    """Write the mirrored lists that join q needs, if any; later joins write theirs over them."""
    run_merges(work, items, plan.mirrors, plan.joins[q, 8], plan.joins[q, 9])


@routine
def goal_of(plan: Plan, q: int, target: int, total: int) -> int:
    """What the sums of join q are sought near; total : the sum of all items in lists."""
    return total - target if plan.joins[q, 10] != 0 else target


@routine
def state_after(work, a, na, b, nb, target, steps):
    """How many entries of a the two-pointer walk has passed after `steps` steps (search on a diagonal)."""
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
def walk_from(work, a, na, b, nb, target, steps):
    """Places in both lists where the two-pointer walk stands after `steps` steps."""
    s = state_after(work, a, na, b, nb, target, steps)
    return a + s, b + nb - 1 - (steps - s)


@step
def approach(work, i, j, target, best):
    """One step of the walk: where it stands next, and the lesser of `best` and its distance from `target`."""
    gap = target - work[np.uint64(i)] - work[np.uint64(j)]
    sign = gap >> SIGN
    return i + (1 + sign), j + sign, min(best, abs(gap))


@routine
def nearest(
    work: IntArray, a: int, na: int, b: int, nb: int, target: int, start: int, stop: int, enough: int
) -> tuple[int, int, int]:
    """Smallest |x + y - target| over the steps [start, stop) of the walk through lists a (up) and b (down).

    Four pieces of the walk advance together, since one alone waits for its own loads. Ends early once the
    smallest gap is <= enough. Returns (gap, first step, last step + 1) of the piece that holds the smallest.
    """
    piece = (stop - start) // CHAINS
    cut1 = start + piece
    cut2 = cut1 + piece
    cut3 = cut2 + piece
    i0, j0 = walk_from(work, a, na, b, nb, target, start)
    i1, j1 = walk_from(work, a, na, b, nb, target, cut1)
    i2, j2 = walk_from(work, a, na, b, nb, target, cut2)
    i3, j3 = walk_from(work, a, na, b, nb, target, cut3)
    best0 = best1 = best2 = best3 = FAR
    done = 0
    while done < piece:
        length = min(SEGMENT, piece - done)
        for _ in range(length):
            i0, j0, best0 = approach(work, i0, j0, target, best0)
            i1, j1, best1 = approach(work, i1, j1, target, best1)
            i2, j2, best2 = approach(work, i2, j2, target, best2)
            i3, j3, best3 = approach(work, i3, j3, target, best3)
        done += length
        if min(min(best0, best1), min(best2, best3)) <= enough:
            break
    if done == piece:
        for _ in range(stop - cut3 - piece):
            i3, j3, best3 = approach(work, i3, j3, target, best3)
    best = min(min(best0, best1), min(best2, best3))
    if best == best0:
        return best, start, cut1
    if best == best1:
        return best, cut1, cut2
    if best == best2:
        return best, cut2, cut3
    return best, cut3, stop


@routine
def locate(
    work: IntArray, a: int, na: int, b: int, nb: int, target: int, start: int, stop: int, gap: int
) -> tuple[int, int]:
    """Places in work of the first pair met in steps [start, stop) of the walk with |x + y - target| = gap.

    Returns (0, 0) if there is none: place 0 holds a sentinel and is never an answer.
    """
    i, j = walk_from(work, a, na, b, nb, target, start)
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
def collect(
    work: IntArray, a: int, na: int, b: int, nb: int, target: int, radius: int, pairs: IntArray, count: int
) -> int:
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
