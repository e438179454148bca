"""Which pools to try when a tolerance leaves many solutions: sizes from the expected number of hits.

Subsets of a pool of m samples with j of them have sums of variance about s^2 j (1 - j/m); the number within
eps of a central target is then about C(m, j) 2 eps / sqrt(2 pi s^2 j (1 - j/m)). A pool that expects a few
hits costs about sqrt(s/eps) however large n is; the other k - j samples are chosen greedily beforehand
(anchors).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from slth._jit.subsets import pool_block
from slth._typing import IntArray
from slth.subset_sum.plan import Layout, make_layout
from slth.subset_sum.problem import Problem
from slth.subset_sum.scaling import Scaled, scale_one

EXPECTED_HITS = (1.0, 4.0, 40.0, 1000.0)
TURNS = 4
SMALLEST = 12  # samples below which the complete search is as quick
LONGEST = 0.3  # seconds that one compiled call may take


@dataclass(frozen=True)
class Pool:
    """Pools of `size` samples of which `chosen` are taken, after `anchors` others."""

    size: int
    chosen: int
    anchors: int
    layout: Layout


def pools_for(scaled: Scaled, k_min: int, k_max: int, eps: float | None) -> tuple[Pool, ...]:
    """Pools for scaled problems; none without eps.

    Of a range of sizes the one with most subsets is used. The ratio of the samples' standard deviation to eps
    is rounded to steps of sqrt(2), so that few plans are ever made.
    """
    n = scaled.items.shape[1]
    k = min(max(k_min, n // 2), k_max)
    spread = float(np.std(scaled.items, dtype=np.float64))  # not a dot product: BLAS would wake its threads
    if eps is None or not k or n < SMALLEST or not spread:
        return ()
    ratio = math.log2(spread) - math.log2(eps) - scaled.shift
    return make_pools(n, k, max(0.0, round(2 * ratio) / 2)) if ratio < 50 else ()


def probe(problem: Problem, max_bytes: int) -> tuple[IntArray | None, int]:
    """A subset within eps from pools if they hold one, and the work done; None proves nothing."""
    scaled = scale_one(problem)
    pools = pools_for(scaled, problem.k_min, problem.k_max, problem.eps)
    return first_found(scaled, pool_block, [(pool.layout, pool.anchors) for pool in pools], max_bytes)


def first_found(
    scaled: Scaled, search: Callable[..., None], pools: Sequence[tuple[Layout, Any]], max_bytes: int
) -> tuple[IntArray | None, int]:
    """What a compiled search finds for one problem in the first pool that holds a subset within eps.

    pools : for each its layout and the argument of `search` that follows the plan; those that need too much
        memory or time end the list. Also the work done; None proves nothing.
    """
    if scaled.enough[0] < 0:
        return None, 0
    mask = np.zeros(scaled.items.shape, np.bool_)
    gaps, ids = np.full(1, -1, np.int64), np.zeros(1, np.int64)
    scratch = np.empty(4 * mask.size, np.int64)
    rows = (scaled.targets, scaled.enough, ids, 0, 1, scratch, mask, gaps)
    done = 0
    for layout, own in pools:
        if layout.bytes > max_bytes or layout.seconds * TURNS > LONGEST:
            break
        search(np.empty(layout.length, np.int64), scaled.items, layout.plan, own, TURNS, *rows)
        done += layout.merged + layout.joined
        if gaps[0] >= 0:
            return np.flatnonzero(mask[0]), done
    return None, done


@lru_cache(maxsize=256)
def make_pools(n: int, k: int, log2_ratio: float) -> tuple[Pool, ...]:
    """Pools of growing size for exactly k out of n samples, 2**log2_ratio = spread of one sample / eps."""
    sizes = [_cheapest(n, k, math.log2(hits) + log2_ratio) for hits in EXPECTED_HITS]
    found: list[Pool] = []
    for size in sizes:
        if size is None or (found and size[:2] == (found[-1].size, found[-1].chosen)):
            continue
        m, j = size
        found.append(Pool(m, j, k - j, make_layout(m, j, j)))
    return tuple(found)


def _cheapest(n: int, k: int, log2_need: float) -> tuple[int, int] | None:
    """The cheapest (m, j) with enough expected hits, n - m >= k - j; None if there is none."""
    best: tuple[float, int, int] | None = None
    for m in range(4, n):
        for j in range(max(1, k - (n - m)), min(k, m - 1) + 1):
            spread = math.sqrt(2 * math.pi * j * (1 - j / m)) / 2
            if math.log2(math.comb(m, j)) - math.log2(spread) >= log2_need:
                cost = _cost(m, j)
                if best is None or cost < best[0]:
                    best = (cost, m, j)
        if best is not None and m > 2 * math.log2(best[0]):
            break  # larger pools only cost more
    return None if best is None else best[1:]


@lru_cache(maxsize=4096)
def _cost(m: int, j: int) -> float:
    """Entries of the lists of both halves, the stages behind them, and a constant for each merge."""
    left, right = m // 2, m - m // 2
    entries = sum(math.comb(left, c) + math.comb(right, c) for c in range(min(j, right) + 1))
    return 3.0 * entries + 20.0 * m * min(j, right)
