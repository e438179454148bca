"""Compiled covering: is every integer of a range near a sum, given the sorted half sums that merging made?

The range is cut into equal cells. Sums mark the cells they fall into, block by block of cells that fit the
cache; only cells that stay empty are looked at exactly, by a walk through the lists that ends at the first sum
it meets or proves the cell empty and returns its neighbours. A gap longer than the width asked for contains
`need` whole empty cells in a row, so nothing is missed.

Lists and sentinels are those of `merge`; sums are below 2**59 in magnitude and edges at most 3 * 2**59.

Roofline: a mark is one load (8 bytes), add, two shifts, multiply and a store of one byte at a random place of a
block of 131,072 cells, which stays in L2: 1.1 ns each with all looks (cover (40,20,1e-6): 53 M marks and steps,
59 ms), 0.36-0.55 ns where runs are long. About six marks a cell, where drawing cells at random would take
ln(cells) = 16: the half sums of a block are met in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slth._jit._options import routine
from slth._jit.merge import FAR, run_merges, sow
from slth._jit.walks import SEGMENT, first_at_least, look, middle_left
from slth._typing import BoolArray, IntArray, WordArray

DONE = 0
GAP = 1
PAUSE = 2
ALL_SET = np.uint64(0x0101010101010101)
LANE = np.uint64(8)
BYTE = np.uint64(255)
ROUNDS = 64  # a block is marked by at most this many sums a cell
LOOK = 100  # the least cost of a look, in marks
STEP = 8  # cost of passing a left sum and its share of right ones, in marks
OVERLAP = 16  # a block has room for this many cells more
UNBEGUN = np.int64(-1)
ZERO: Any = np.int64(0)


@routine
def mark_some(work, a, b, na, nb, base, span, cut, factor, lift, cells, reach, quota):
    """Mark the cells of sums in [base, base + span), going on from `reach` outwards, until `quota` is spent.

    The cell of base + v is v // cell, computed as ((v >> cut) * factor) >> lift. reach : (6,) next left place
    upwards and its window of right places, the same downwards; changed. Returns marks + left sums visited; 0
    when the join is exhausted.
    """
    up, up_low, up_high = reach[0], reach[1], reach[2]
    down, down_low, down_high = reach[3], reach[4], reach[5]
    spent = ZERO
    while spent < quota and (up < a + na or down >= a):
        if up < a + na:
            offset = work[up] - base
            while work[up_low - 1] + offset >= 0:
                up_low -= 1
            while work[up_high - 1] + offset >= span:
                up_high -= 1
            for j in range(np.uint64(up_low), np.uint64(up_high)):
                cells[((np.uint64(work[j] + offset) >> cut) * factor) >> lift] = True
            spent += up_high - up_low + 1
            up = a + na if up_high == b else up + 1
        if down >= a:
            offset = work[down] - base
            while work[down_low] + offset < 0:
                down_low += 1
            while work[down_high] + offset < span:
                down_high += 1
            for j in range(np.uint64(down_low), np.uint64(down_high)):
                cells[((np.uint64(work[j] + offset) >> cut) * factor) >> lift] = True
            spent += down_high - down_low + 1
            down = a - 1 if down_low == b + nb else down - 1
    reach[0], reach[1], reach[2] = up, up_low, up_high
    reach[3], reach[4], reach[5] = down, down_low, down_high
    return spent


@routine
def full_cells(words):
    """How many bytes of `words`, each 0 or 1, are 1."""
    total = np.uint64(0)
    for start in range(0, len(words), 255):
        lanes = np.uint64(0)  # eight counts of at most 255 side by side
        for w in range(start, min(start + 255, len(words))):
            lanes += words[w]
        for _ in range(8):
            total += lanes & BYTE
            lanes >>= LANE
    return np.int64(total)


@routine
def work_of(joins):
    """Entries of all lists that joins name: the steps of a walk that proves a cell empty."""
    total = ZERO
    for q in range(len(joins)):
        total += joins[q, 1] + joins[q, 3]
    return total


@routine
def mark_block(work, joins, base, count, need, frame, cells, words, reach):
    """Mark `count` cells from `base` on until a look at each run of `need` empty ones costs less than marking
    on, until marking no longer helps, or until sums run out.

    A look finds a sum after passing about count / (need * sums of the block per left sum) left sums. Returns
    the marks and left sums visited. Cells after `count` are set, so that they are never looked at.
    """
    width, cut, factor, lift = frame[1], np.uint64(frame[5]), np.uint64(frame[6]), np.uint64(frame[7])
    span = count * width
    used = (count + 7) // 8
    words[:used] = 0
    cells[count : 8 * used] = True
    padding = 8 * used - count
    listed = work_of(joins)
    quota = count // 2 + 64
    spent = ZERO
    empty = count
    for q in range(len(joins)):
        a, na, b, nb = joins[q, 0], joins[q, 1], joins[q, 2], joins[q, 3]
        start = middle_left(work, a, na, b, nb, base + span // 2)
        reach[0], reach[3] = start, start - 1
        if start < a + na:
            reach[1] = first_at_least(work, b, nb, base - work[start])
            reach[2] = first_at_least(work, b, nb, base + span - work[start])
        if start > a:
            reach[4] = first_at_least(work, b, nb, base - work[start - 1])
            reach[5] = first_at_least(work, b, nb, base + span - work[start - 1])
        done_here = ZERO
        while True:
            done = mark_some(work, a, b, na, nb, base, span, cut, factor, lift, cells, reach, quota)
            spent += done
            done_here += done
            before = empty
            empty = count + padding - full_cells(words[:used])
            lefts = (reach[0] - start) + (start - 1 - reach[3])
            each = min(LOOK + STEP * count * lefts // (need * max(done_here, 1)), 2 * listed)
            if (empty / count) ** need * need * each < 1.0 or spent > ROUNDS * count:
                return spent
            if done < quota:
                break
            if spent > 8 * count and 20 * empty > 19 * before:
                return spent
    return spent


@routine
def next_run(cells, words, count, start, need):
    """First and last cell + 1 of the next run of >= need empty cells, cut to 2 need - 1; count twice if none.

    A gap that holds need empty cells of this run in a row holds the cells last - need .. first + need - 1.
    """
    p = start
    while p + need <= count:
        if need == 1 and p % 8 == 0:
            w = p // 8
            while w < (count + 7) // 8 and words[w] == ALL_SET:
                w += 1
            p = 8 * w
            if p >= count:
                break
        back = p + need - 1
        while back >= p and not cells[back]:
            back -= 1
        if back < p:
            end = p + need
            while end < count and end < p + 2 * need - 1 and not cells[end]:
                end += 1
            return p, end
        p = back + 1
    return count, count


@routine
def scan(
    work: IntArray,
    joins: IntArray,
    frame: IntArray,
    cells: BoolArray,
    words: WordArray,
    reach: IntArray,
    state: IntArray,
    budget: int,
) -> int:
    """Search blocks of cells, outermost first, for a gap longer than frame[3]; go on from `state`.

    frame : (8,) first value, cell width, number of cells, longest gap that is allowed, cells in a block, then
        cut, factor and lift of the division by the cell width.
    cells : (block,) marks of one block; words is its view as 64-bit words.
    reach : (6,) scratch.
    state : (6,) next block (in order of search), one past the last, next cell in it (-1: not marked yet), the
        two sums around the gap found, work done; changed.
    Returns DONE, GAP (call again to go on behind it), or PAUSE when `budget` is spent.
    """
    origin, width, total, allowed, size = frame[0], frame[1], frame[2], frame[3], frame[4]
    blocks = (total + size - 1) // size
    listed = work_of(joins)
    need = min(max((allowed + 1) // width - 1, 1), OVERLAP)
    spent = ZERO
    while state[0] < state[1]:
        block = state[0] // 2 if state[0] % 2 == 0 else blocks - 1 - state[0] // 2
        first = max(ZERO, block * size - need + 1)  # a run of empty cells may start in the block before
        count = min(total, (block + 1) * size) - first
        base = origin + first * width
        if state[2] < 0:
            spent += mark_block(work, joins, base, count, need, frame, cells, words, reach)
            state[2] = 0
        p, end = next_run(cells, words, count, state[2], need)
        while p < count:
            state[2] = p
            if spent > budget:
                state[5] += spent
                return PAUSE
            low, high = end - need, p + need
            below, above = look(work, joins, base + low * width, (high - low) * width)
            # a sum met at a glance leaves the one below unknown; a sweep ends early after a share of the lists
            spent += 2 * SEGMENT if below == -FAR else listed // 4
            if above < base + high * width:
                cells[(above - base) // width] = True
            else:
                spent += listed
                low = max(ZERO, (below - base) // width + 1) if below >= base else ZERO
                high = min(count, (above - base) // width)
                cells[low:high] = True
                if above - below > allowed:
                    state[3], state[4] = below, above
                    state[5] += spent
                    return GAP
            p, end = next_run(cells, words, count, p, need)
        state[0] += 1
        state[2] = UNBEGUN
        if spent > budget and state[0] < state[1]:
            state[5] += spent
            return PAUSE
    state[5] += spent
    return DONE


@routine
def extremes(work: IntArray, joins: IntArray) -> tuple[int, int]:
    """The smallest and the largest sum of all joins."""
    lowest = FAR
    highest = -FAR
    for q in range(len(joins)):
        a, na, b, nb = joins[q, 0], joins[q, 1], joins[q, 2], joins[q, 3]
        lowest = min(lowest, work[a] + work[b])
        highest = max(highest, work[a + na - 1] + work[b + nb - 1])
    return lowest, highest


@routine
def cover_rows(
    work: IntArray,
    rows: IntArray,
    ops: IntArray,
    joins: IntArray,
    origins: IntArray,
    frames: IntArray,
    bounds: IntArray,
    kinds: IntArray,
    cells: BoolArray,
    words: WordArray,
    scratch: IntArray,
    start: int,
    stop: int,
    budget: int,
    codes: IntArray,
    gaps: IntArray,
    spent: IntArray,
) -> int:
    """Lists and `scan` for rows start..stop; returns the first row not begun when `budget` is spent.

    rows : (B, n). origins : (3, s) the items added, those subtracted (-1: none) to make the shifts of the
        merges, and those (-1: none) whose sum is in no list. kinds : row r is scanned by frames[kinds[r]].
    bounds : (kinds, 4) first and last value that matter, the largest lowest sum and the smallest highest sum
        that leave no gap at the ends.
    scratch : (s + 20,). codes : (B,) DONE, GAP, or PAUSE for a row that took more than the budget alone.
    gaps : (B, 2) the sums around a gap, -FAR or FAR for none. spent : (B,).
    """
    s = origins.shape[1]
    shifts = scratch[:s]
    state = scratch[s : s + 6]
    reach = scratch[s + 6 : s + 12]
    frame = scratch[s + 12 : s + 20]
    listed = work_of(joins)
    left = budget
    for r in range(start, stop):
        offset = ZERO
        for c in range(s):
            shifts[c] = rows[r, origins[0, c]]
            if origins[1, c] >= 0:
                shifts[c] -= rows[r, origins[1, c]]
            if origins[2, c] >= 0:
                offset += rows[r, origins[2, c]]
        sow(work)
        run_merges(work, shifts, ops, ZERO, len(ops))
        lowest, highest = extremes(work, joins)
        limit = bounds[kinds[r]]
        spent[r] = listed
        if lowest + offset > limit[2]:
            codes[r], gaps[r, 0], gaps[r, 1] = GAP, -FAR, lowest + offset
        elif highest + offset < limit[3]:
            codes[r], gaps[r, 0], gaps[r, 1] = GAP, highest + offset, FAR
        else:
            frame[:] = frames[kinds[r]]
            frame[0] = max(limit[0] - offset, lowest)
            frame[2] = max(ZERO, min(limit[1] - offset, highest) - frame[0] + 1) // frame[1]
            state[:] = 0
            state[1] = (frame[2] + frame[4] - 1) // frame[4]
            state[2] = UNBEGUN
            codes[r] = scan(work, joins, frame, cells, words, reach, state, budget)
            gaps[r, 0], gaps[r, 1] = state[3] + offset, state[4] + offset
            spent[r] += state[5]
        left -= spent[r]
        if left < 0:
            return r + 1
    return stop
