"""Compiled search of pools of blocks: one item of each block, most of them settled greedily beforehand."""

from __future__ import annotations

import numpy as np

from slth._jit._options import routine
from slth._jit.merge import ZERO, Plan, run_merges, sow
from slth._jit.subsets import FAILED, best_pair, recover
from slth._typing import BoolArray, IntArray


@routine
def fill_pool(items, plan, shifts, shift, target, pool, picks):
    """Copy the blocks of the pool, settle one item of each other block, and return what is left of the target.

    The pool holds the blocks shift, shift + 1, .. (cyclically) of one row of items, then their differences; the
    target left is relative to the pool's first items. picks : the places of the items settled.
    """
    b, m = plan.cuts[6], plan.cuts[4]
    j, k = m // b, len(items) // b
    middle = 0.0
    rest = target
    for c in range(j):
        first = (c + shift) % k * b
        for p in range(b):
            pool[c * b + p] = items[first + p]
            middle += items[first + p]
        for s in range(b - 1):
            pool[m + c * (b - 1) + s] = items[first + shifts[s, 0]] - items[first + shifts[s, 1]]
        rest -= items[first]
    wanted = target - middle / b
    for c in range(k - j):
        first = (j + c + shift) % k * b
        share = wanted / (k - j - c)
        near = first
        for p in range(first + 1, first + b):
            if abs(items[p] - share) < abs(items[near] - share):
                near = p
        picks[c] = near
        wanted -= items[near]
        rest -= items[near]
    return rest


@routine
def block_pool(
    work: IntArray,
    items: IntArray,
    plan: Plan,
    shifts: IntArray,
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
    """Look for a gap <= enough among choices of one of each block of the instances ids[start:stop].

    The plan belongs to a pool of j blocks. Turn t takes j blocks from number t (j // 2 + 1) on as the pool,
    settles the others greedily so that the rest of the target is central for the pool, and searches the pool
    completely. gaps[i] = FAILED and an empty mask where all turns failed, which proves nothing.
    shifts : (b - 1, 2) the differences of each block. scratch : (4 n,) int64.
    """
    n = items.shape[1]
    b, m = plan.cuts[6], plan.cuts[4]
    j, k = m // b, n // b
    pool, comb, picks = scratch[: 2 * n], scratch[2 * n : 3 * n], scratch[3 * n :]
    picked = np.zeros(m, np.bool_)
    for place in range(start, stop):
        i = ids[place]
        gaps[i] = FAILED
        for turn in range(turns):
            shift = turn * (j // 2 + 1) % k
            rest = fill_pool(items[i], plan, shifts, shift, targets[i], pool, picks)
            sow(work)
            run_merges(work, pool, plan.ops, ZERO, len(plan.ops))
            gap, which, x, y = best_pair(work, pool, plan, rest, enough[i])
            if gap > enough[i]:
                continue
            recover(work, pool, plan, which, x, y, comb, picked)
            for p in range(m):
                if picked[p]:
                    masks[i, (p + shift * b) % n] = True
                    picked[p] = False
            for c in range(k - j):
                masks[i, picks[c]] = True
            gaps[i] = gap
            break
