"""Compiled pair scan: many small problems side by side, one in each lane, the last two items from all pairs.

A tile holds up to LANES problems, transposed: row i has the i-th sample of each. Every inner loop runs along
the lanes, so it is free of branches and of dependences and compiles to vector instructions: about 0.08 ns
for each pair and problem (five vector instructions on 8 to 16 lanes of 32 bits; the tile stays in the caches).
Single precision only proposes; `confirm` decides in exact arithmetic.

Roofline: `scan_pairs` tries a pair in 0.07 ns, 14 G pairs/s: GROUP pairs on 16 lanes take 20 instructions, some
1.5 a cycle; the rows, 1 kB each, stay in L1 and L2. For (30,6,1e-2) a weight takes 490 pairs, 34 ns, of its 0.2
to 0.3 us; the rest is copying samples, transposing and exact confirmation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slth._jit._options import routine
from slth._typing import ByteArray, FloatArray, IntArray

LANES = 256
ZERO: Any = np.int64(0)
BASE = 4096  # more rows than a tile has; a code a * BASE + b is exact in single precision
GROUP = 4  # pairs tried by one step of the inner loop
NOWHERE = np.float32(1e30)  # a row of this value takes part in no pair


@routine
def exact_sum(terms, count, partials):
    """The exact sum of terms[:count], rounded to nearest, by partial sums that do not overlap (Shewchuk).

    partials : (count + 1,) scratch. No intermediate sum may overflow.
    """
    length = 0
    for t in range(count):
        x = terms[t]
        kept = 0
        for i in range(length):
            y = partials[i]
            if abs(x) < abs(y):
                x, y = y, x
            high = x + y
            low = y - (high - x)
            if low != 0.0:
                partials[kept] = low
                kept += 1
            x = high
        partials[kept] = x
        length = kept + 1
    total = 0.0
    low = 0.0
    while length > 0:
        length -= 1
        before = total
        total = before + partials[length]
        low = partials[length] - (total - before)
        if low != 0.0:
            break
    if length > 0 and low * np.sign(partials[length - 1]) > 0.0:  # just above or below a tie: not to even
        twice = low * 2.0
        raised = total + twice
        if twice == raised - total:
            total = raised
    return total


@routine
def exact_error(terms, count, target, partials):
    """The exact |sum of terms[:count] - target|, rounded up. terms and partials : (count + 3,), overwritten."""
    terms[count] = -target
    difference = exact_sum(terms, count + 1, partials)
    terms[count + 1] = -difference
    missing = exact_sum(terms, count + 2, partials)
    size = abs(difference)
    if (missing > 0.0 and difference >= 0.0) or (missing < 0.0 and difference < 0.0):
        return np.nextafter(size, np.inf)
    return size


@routine
def confirm(row, picks, count, target, up, down, limit, terms, partials):
    """Exact value (rounded to nearest) and error (rounded up) of the subset picks[:count] of a row.

    Integers at scale `up` = 1 / `down` where all numbers but the target are whole there and below `limit`,
    which is quicker; else partial sums. terms, partials : (count + 3,) scratch.
    """
    whole = True
    total = np.int64(0)
    for c in range(count):
        x = row[picks[c]]
        terms[c] = x
        scaled = x * up
        number = np.int64(scaled) if abs(scaled) < limit else ZERO
        whole &= np.float64(number) == scaled and (number != 0 or x == 0.0)
        total += number
    goal = target * up
    if whole and abs(goal) < limit and (abs(goal) > 1e-200 or target == 0.0):
        near = np.int64(goal)
        distance = total - near
        if abs(distance) < 1 << 53:
            difference = np.float64(distance)
            fraction = goal - np.float64(near)
            rounded = difference - fraction
            missing = (difference - rounded) - fraction
            error = abs(rounded)
            if (missing > 0.0 and rounded > 0.0) or (missing < 0.0 and rounded < 0.0):
                error = np.nextafter(error, np.inf)
            return np.float64(total) * down, error * down
    return exact_sum(terms, count, partials), exact_error(terms, count, target, partials)


@routine
def fill_tile(samples, targets, ids, first, lanes, rows, offset, unit, tile, rest):
    """Row i of the tile: sample (offset + i) mod n of each problem, in units; row `rows`: twice their mean."""
    n = samples.shape[1]
    for lane in range(lanes):
        b = ids[first + lane]
        total = 0.0
        j = offset
        for i in range(rows):
            x = samples[b, j] * unit
            tile[i, lane] = x
            total += x
            j += 1
            if j == n:
                j = 0
        rest[lane] = targets[b] * unit
        tile[rows, lane] = 2.0 * total / rows  # the last rows are filled with NOWHERE later


@routine
def fix_anchors(tile, rest, middle, lanes, rows, anchors, width, chosen, gaps):
    """Choose one row of each of `anchors` windows, so that what is left of the target suits two more samples.

    chosen : (anchors, LANES) float32, the rows; they are set to NOWHERE in the tile. gaps : (LANES,) scratch.
    """
    for c in range(anchors):
        begin = rows - (c + 1) * width
        share = np.float32(1.0 / (anchors - c))
        picked = chosen[c]
        for lane in range(lanes):
            gaps[lane] = NOWHERE
            picked[lane] = begin
        for i in range(begin, begin + width):
            x = tile[i]
            name = np.float32(i)
            for lane in range(lanes):
                gap = abs((rest[lane] - middle[lane]) * share - x[lane])
                closer = gap < gaps[lane]
                gaps[lane] = gap if closer else gaps[lane]
                picked[lane] = name if closer else picked[lane]
        for lane in range(lanes):
            place = np.int64(picked[lane])
            rest[lane] -= tile[place, lane]
            tile[place, lane] = NOWHERE


@routine
def scan_pairs(tile, rest, hits, lanes, pool, split, eps):
    """hits[lane] = a * BASE + b for the last a < b < pool such that a and one of b..b+3 are within eps, or -1.

    Rows behind the pool may take part: they are samples too, or NOWHERE. With split > 0 they may not, and
    a < split <= b: one of each of two blocks of at least GROUP rows.
    """
    top = split if split > 0 else pool
    last = pool - GROUP if split > 0 else pool
    for lane in range(lanes):
        hits[lane] = np.float32(-1)
    for a in range(top):
        x = tile[a]
        for begin in range(max(a + 1, split), pool, GROUP):
            b = min(begin, last)
            y0, y1, y2, y3 = tile[b], tile[b + 1], tile[b + 2], tile[b + 3]
            code = np.float32(a * BASE + b)
            for lane in range(lanes):
                r = rest[lane] - x[lane]
                gap = min(min(abs(y0[lane] - r), abs(y1[lane] - r)), min(abs(y2[lane] - r), abs(y3[lane] - r)))
                hits[lane] = code if gap <= eps else hits[lane]


@routine
def name_picks(tile, rest, hits, chosen, lane, anchors, eps, offset, n, picks):
    """Write the items behind a hit of one lane to picks; return how many, 0 if there was none."""
    if hits[lane] < 0:
        return 0
    code = np.int64(hits[lane])
    a, b = code // BASE, code % BASE
    r = rest[lane] - tile[a, lane]
    while not abs(tile[b, lane] - r) <= eps:
        b += 1
    picks[0] = offset + a
    picks[1] = offset + b
    for c in range(anchors):
        picks[2 + c] = offset + np.int64(chosen[c, lane])
    for c in range(anchors + 2):
        if picks[c] >= n:
            picks[c] -= n
    return anchors + 2


@routine
def pair_block(
    samples: FloatArray,
    targets: FloatArray,
    ids: IntArray,
    start: int,
    stop: int,
    attempts: IntArray,
    eps: float,
    scale: FloatArray,
    bits: ByteArray,
    values: FloatArray,
    errors: FloatArray,
) -> tuple[int, int]:
    """Look for subsets within eps for the problems ids[start:stop]; fill their rows of bits, values and errors.

    attempts : (t, 5) anchors, width of their windows, rows of the pool, first sample of each attempt, and how
        many rows of the pool are the one block of two of which one each is taken (0: any two rows).
    bits : (B, ceil(n / 8)) uint8, sample i is bit i % 8 of byte i // 8.
    scale : (4,) unit of single precision, then `up`, `down`, `limit` of `confirm`.
    Returns how many problems are left open, moved to ids[start:] in order, and how many pairs were tried.
    """
    n = samples.shape[1]
    largest = attempts[:, 0].max()
    tile = np.empty((n + GROUP, LANES + 16), np.float32)  # rows off the same cache sets
    rest = np.empty(LANES, np.float32)
    gaps = np.empty(LANES, np.float32)
    hits = np.empty(LANES, np.float32)
    chosen = np.empty((largest + 1, LANES), np.float32)
    picks = np.empty(largest + 2, np.int64)
    terms = np.empty(largest + 5)
    partials = np.empty(largest + 6)
    radius = np.float32(0.999 * eps * scale[0])
    alive = stop - start
    tried = 0
    for t in range(len(attempts)):
        anchors, width, pool, offset = attempts[t, 0], attempts[t, 1], attempts[t, 2], attempts[t, 3]
        rows = min(n, pool + anchors * width)
        split = attempts[t, 4]
        tried += alive * (split * split if split > 0 else pool * (pool - 1) // 2)
        kept = start
        for first in range(start, start + alive, LANES):
            lanes = min(LANES, start + alive - first)
            fill_tile(samples, targets, ids, first, lanes, rows, offset, scale[0], tile, rest)
            fix_anchors(tile, rest, tile[rows], lanes, rows, anchors, width, chosen, gaps)
            for i in range(rows, rows + GROUP):
                for lane in range(lanes):
                    tile[i, lane] = NOWHERE
            scan_pairs(tile, rest, hits, lanes, pool, split, radius)
            for lane in range(lanes):
                b = ids[first + lane]
                count = name_picks(tile, rest, hits, chosen, lane, anchors, radius, offset, n, picks)
                if count > 0:
                    value, error = confirm(
                        samples[b], picks, count, targets[b], scale[1], scale[2], scale[3], terms, partials
                    )
                    if error <= eps:
                        values[b] = value
                        errors[b] = error
                        for c in range(count):
                            bits[b, picks[c] >> 3] |= np.uint8(1 << (picks[c] & 7))
                        continue
                ids[kept] = b
                kept += 1
        alive = kept - start
        if alive == 0:
            break
    return alive, tried
