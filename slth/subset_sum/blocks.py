"""One of each block of b consecutive items: plans and pools on items followed by differences of items.

Sums are taken relative to the first item of every block. The list of one more block is merged from b shifted
copies of the list before it, two at a time: copies x and y merge with the shift (item y - item x), and the
result is relative to item x. These b - 1 differences for each block stand behind the items, as further columns.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from slth._jit.blocks import block_pool
from slth._jit.merge import FIRST_FREE, SEED, Plan
from slth._typing import IntArray
from slth.errors import CapacityExceeded
from slth.subset_sum.plan import Layout, Row
from slth.subset_sum.pools import EXPECTED_HITS, first_found
from slth.subset_sum.problem import Problem
from slth.subset_sum.scaling import Scaled, scale_one

MOST = 1 << 40  # entries of one list beyond which no plan is made, not even to refuse


@lru_cache(maxsize=64)
def shift_pairs(b: int) -> IntArray:
    """(b - 1, 2) int64: the shifts of one block's merges, in order, are item [., 0] less item [., 1]."""
    nodes, pairs = list(range(b)), []
    while len(nodes) > 1:
        pairs += list(zip(nodes[1::2], nodes[::2], strict=False))
        nodes = nodes[::2]
    return np.array(pairs, np.int64).reshape(b - 1, 2)


def chain(b: int, first: int, stop: int, offset: int, place: int) -> tuple[list[Row], tuple[int, int], int]:
    """Merges that make the list of the blocks first..stop (exclusive), written from `place` on.

    offset : column of the first difference. Also the place and length of the list, and the next free place.
    """
    rows: list[Row] = []
    source, length = SEED, 1
    for block in range(first, stop):
        nodes = [(source, length)] * b
        shift = offset + block * (b - 1)
        while len(nodes) > 1:
            merged = []
            for x, y in zip(nodes[::2], nodes[1::2], strict=False):
                rows.append((*x, *y, shift, place))
                merged.append((place, x[1] + y[1]))
                place += x[1] + y[1] + 2
                shift += 1
            nodes = merged + nodes[2 * len(merged) :]
        source, length = nodes[0]
    return rows, (source, length), place


@lru_cache(maxsize=64)
def make_layout(b: int, k: int) -> Layout:
    """The plan for one of each of k blocks of b; the caller has seen that b^((k + 1) / 2) is not absurd."""
    n, cuts = b * k, [0, k // 4, k // 2, k // 2 + (k - k // 2) // 2, k]
    left, one, place = chain(b, 0, k // 2, n, FIRST_FREE + 1)
    right, two, length = chain(b, k // 2, k, n, place)
    reading: list[Row] = []
    lists = np.zeros((4, 1, 2), np.int64)
    split = 0
    for q in range(4):
        if q == 2:
            split = len(reading)
        start = place if q % 2 else FIRST_FREE + 1
        rows, lists[q, 0], place = chain(b, cuts[q], cuts[q + 1], n, start)
        reading += rows
        length = max(length, place)
    ops = np.array(left + right, np.int64).reshape(-1, 6)
    plan = Plan(
        ops,
        np.array([(*one, *two, 0, 0, 0, 0, 0, 0, 0)], np.int64),
        np.zeros((0, 6), np.int64),
        np.array(reading, np.int64).reshape(-1, 6),
        lists,
        np.array([*(b * cut for cut in cuts), split, b], np.int64),
    )
    merged = sum(row[1] + row[3] for row in left + right + reading)
    return Layout(plan, length, merged, one[1] + two[1], k, 0, ((0, 1),))


def plan_within(b: int, k: int, max_bytes: int) -> Layout:
    """`make_layout`, refused before allocating anything if it needs more than max_bytes."""
    layout = make_layout(b, k) if b ** (k - k // 2) <= MOST else None
    if layout is None or layout.bytes > max_bytes:
        amount = f"about {layout.bytes / 2**20:.0f} MiB" if layout else "more than 8 TiB"
        raise CapacityExceeded(
            f"meet-in-the-middle with one of each of {k} blocks of {b} needs {amount}, more than "
            f"`max_bytes`={max_bytes}. Raise `max_bytes`, or give eps and use method='cp-sat'."
        )
    return layout


def relative(scaled: Scaled, b: int) -> Scaled:
    """The same problems, differences behind the items and targets less the first item of each block."""
    items = scaled.items
    blocks = items.reshape(len(items), -1, b)
    plus, minus = shift_pairs(b).T
    shifts = (blocks[:, :, plus] - blocks[:, :, minus]).reshape(len(items), -1)
    targets = scaled.targets - blocks[:, :, 0].sum(axis=1)
    return replace(scaled, items=np.concatenate((items, shifts), axis=1), targets=targets)


def pools_for(scaled: Scaled, b: int, eps: float | None) -> tuple[Layout, ...]:
    """Layouts for ever more blocks, the others being settled greedily; none without eps.

    One of each of j blocks: b^j sums of variance about s^2 j, so that about b^j 2 eps / sqrt(2 pi s^2 j) are
    within eps of a central target.
    """
    k = scaled.items.shape[1] // b
    spread = float(np.std(scaled.items, dtype=np.float64))
    if eps is None or k < 3 or b < 2 or not spread:
        return ()
    ratio = math.log2(spread) - math.log2(eps) - scaled.shift
    return make_pools(b, k, max(0.0, round(2 * ratio) / 2)) if ratio < 50 else ()


@lru_cache(maxsize=256)
def make_pools(b: int, k: int, log2_ratio: float) -> tuple[Layout, ...]:
    """Pools of growing size below k blocks of b, 2**log2_ratio = spread of one sample / eps."""
    sizes = []
    for hits in EXPECTED_HITS:
        need = log2_ratio + math.log2(hits)
        sizes += [j for j in range(2, k) if j * math.log2(b) + 1 - math.log2(2 * math.pi * j) / 2 >= need][:1]
    return tuple(make_layout(b, j) for j in sorted(set(sizes)))


def probe(problem: Problem, max_bytes: int) -> tuple[IntArray | None, int]:
    """One of each block within eps from pools if they hold it, and the work done; None proves nothing."""
    b, scaled = problem.blocks or 1, scale_one(problem)
    pools = [(layout, shift_pairs(b)) for layout in pools_for(scaled, b, problem.eps)]
    return first_found(scaled, block_pool, pools, max_bytes)
