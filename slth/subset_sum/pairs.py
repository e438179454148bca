"""When and how to scan pairs: anchors, pools and attempts for many small problems with a loose tolerance.

All but two of the k samples (the anchors) are chosen greedily, each from a window of its own, so that what is
left of the target is near two mean samples; then all pairs of a pool of m samples are tried. The sum of two
samples of standard deviation s has density about 1 / sqrt(4 pi s^2) there, so that a scan expects

    lambda(m) = m (m - 1) / 2 * 2 eps / sqrt(4 pi s^2)

hits; its m is the one that minimises (time of a scan) / (1 - exp(-lambda)). Later attempts move the windows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from slth._jit.pairs import BASE, GROUP
from slth._typing import FloatArray, IntArray

LOOKED_AT = 64  # rows from which the size of the samples is estimated: a guess that no answer depends on
FEWEST_HITS = 0.1  # expected hits of one scan below which larger pools are quicker
FINEST = 2.0**-18  # eps / largest sample below which single precision proposes too little
WIDEST = 6  # samples in one anchor's window
MOST_ATTEMPTS = 96
REACH = 2.0**100  # magnitudes beyond the estimate that single precision still carries
PAIR, ROW, CALL = 0.08, 1.5, 80.0  # ns: one pair, one row of a tile, exact confirmation and the rest


@dataclass(frozen=True)
class PairPlan:
    """What `pair_block` is to try: its tables, and the largest magnitude it may be given."""

    attempts: IntArray
    scale: FloatArray
    reach: float


def plan_pairs(
    rows: FloatArray, targets: FloatArray, k_min: int, k_max: int, eps: float, blocks: int | None = None
) -> PairPlan | None:
    """A plan for problems like the first of `rows` (B, n), `targets` (B,); None if other methods are better."""
    n = rows.shape[1]
    few = rows[:LOOKED_AT]
    largest = max(float(few.max(initial=0.0)), -float(few.min(initial=0.0)))
    if not 0.0 < largest < 2.0**250 or largest < 2.0**-250 or k_max < 2 or k_min > n - 2 or n >= BASE // 2:
        return None
    top = math.frexp(largest)[1]
    few = np.ldexp(few, -top)
    spread = float(few.std())
    ratio = math.ldexp(eps, -top)
    if not FINEST <= ratio <= 4.0 or not spread > 0.0:
        return None
    far = math.ldexp(float(np.abs(targets[:LOOKED_AT]).max(initial=0.0)), -top)
    base = min(n, 3 + math.ceil(far / spread / 2) if far < n else n)
    log2_ratio = round(2.0 * math.log2(ratio / spread)) / 2.0
    if blocks is None:
        attempts = plan_attempts(n, k_min, k_max, base, log2_ratio)
    else:
        attempts = plan_block_attempts(n, blocks, log2_ratio)
    if attempts is None:
        return None
    room = 61 - (k_max + 3).bit_length()
    power = room - 1 - top
    scale = np.array([2.0**-top, 2.0**power, 2.0**-power, 2.0**room])
    return PairPlan(attempts, scale, REACH * largest)


@lru_cache(maxsize=256)
def plan_attempts(n: int, k_min: int, k_max: int, base: int, log2_ratio: float) -> IntArray | None:
    """Attempts, rows (anchors, window, pool, first sample), for eps / spread = 2**log2_ratio; None if hopeless.

    Of a range of sizes `base` + 2 are taken, then more from attempt to attempt: only anchors reach far targets.
    """
    fewest = min(max(min(base, n // 3), k_min - 2), k_max - 2)
    most = max(fewest, min(k_max - 2, n // 3))
    if fewest and n // fewest < 2:
        return None
    density = 2.0 ** (log2_ratio + 1) / math.sqrt(4 * math.pi)
    width = _width(n, fewest)
    costs = []
    for m in range(2, n - fewest + 1):
        pairs = m * (m - 1) / 2
        rows = min(n, m + fewest * width)
        costs.append(((CALL + ROW * rows + PAIR * pairs) / -math.expm1(-pairs * density), m))
    pool = min(costs)[1]
    hits = pool * (pool - 1) / 2 * density
    if hits < FEWEST_HITS:
        return None
    step = next(s for s in range(max(1, round(0.382 * n)), n + 1) if math.gcd(s, n) == 1)
    count = min(MOST_ATTEMPTS, n, math.ceil(8 / hits) + 4) if most else 1
    table = []
    for t in range(count):
        anchors = fewest + t % (most - fewest + 1)
        size = min(n, pool + anchors) if pool + anchors * _width(n, anchors) > n else pool
        table.append((anchors, _width(n, anchors), size, t * step % n, 0))
    return np.array(table, np.int64)


@lru_cache(maxsize=256)
def plan_block_attempts(n: int, b: int, log2_ratio: float) -> IntArray | None:
    """The same for one of each block of b: pairs of two neighbouring blocks, the other blocks settled."""
    k = n // b
    if b < GROUP or k < 2 or b * b * 2.0 ** (log2_ratio + 1) / math.sqrt(4 * math.pi) < FEWEST_HITS:
        return None
    step = next(s for s in range(max(1, round(0.382 * k)), k + 1) if math.gcd(s, k) == 1)
    return np.array([(k - 2, b, 2 * b, t * step % k * b, b) for t in range(min(MOST_ATTEMPTS, k))], np.int64)


def _width(n: int, anchors: int) -> int:
    return min(WIDEST, n // anchors) if anchors else 0
