"""Which pools to try when a tolerance leaves many solutions: sizes from the expected number of hits.

Subsets of a pool of m samples with j of them have sums of variance about s^2 j (1 - j/m); the number within eps of
a central target is then about C(m, j) 2 eps / sqrt(2 pi s^2 j (1 - j/m)). A pool that expects a few hits costs
about sqrt(s/eps) however large n is; the other k - j samples are chosen greedily beforehand (anchors).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from slth.subset_sum.plan import Layout, make_layout

EXPECTED_HITS = (4.0, 40.0, 1000.0)
TURNS = 4


@dataclass(frozen=True)
class Pool:
    """Pools of `size` samples of which `chosen` are taken, after `anchors` others."""

    size: int
    chosen: int
    anchors: int
    layout: Layout


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
    """The cheapest (m, j) with enough expected hits, m - n >= k - j, m < n; None if there is none."""
    best: tuple[float, int, int] | None = None
    for m in range(4, n):
        for j in range(max(1, k - (n - m)), min(k, m - 1) + 1):
            spread = math.sqrt(2 * math.pi * j * (1 - j / m)) / 2
            if math.log2(math.comb(m, j)) - math.log2(spread) >= log2_need:
                cost = _cost(m, j)
                if best is None or cost < best[0]:
                    best = (cost, m, j)
        if best is not None and 2.0 ** (m / 2) > best[0]:
            break  # larger pools only cost more
    return None if best is None else best[1:]


@lru_cache(maxsize=4096)
def _cost(m: int, j: int) -> float:
    """Entries of the lists of both halves, the stages behind them, and a constant for each merge."""
    left, right = m // 2, m - m // 2
    entries = sum(math.comb(left, c) + math.comb(right, c) for c in range(min(j, right) + 1))
    return 3.0 * entries + 20.0 * m * min(j, right)
