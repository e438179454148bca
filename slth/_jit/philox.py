"""Philox4x64-10 words by counter, bit-equal to numpy's `Philox(key, counter)` stream, for blocks of weights.

[salmon2011] Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The 128-bit
products are built from 32-bit limbs, so that no intermediate wraps: the same lines are right compiled and as
plain numpy scalars.
"""

from __future__ import annotations

import numpy as np

from slth._jit._options import routine
from slth._typing import IntArray, WordArray

ROUNDS = 10
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
# The two multipliers 0xD2E7470EE14C6C93 and 0xCA5A826395121157, in halves.
_M0_HIGH = np.uint64(0xD2E7470E)
_M0_LOW = np.uint64(0xE14C6C93)
_M1_HIGH = np.uint64(0xCA5A8263)
_M1_LOW = np.uint64(0x95121157)


def round_keys(seed: int) -> WordArray:
    """Keys of the ten rounds, (10, 2) uint64, for a seed in [0, 2^128).

    Computed in Python integers: the sums wrap modulo 2^64, which numpy scalars would warn about.
    """
    words = (seed % 2**64, seed >> 64)
    return np.array(
        [[(words[i] + step * WEYL[i]) % 2**64 for i in range(2)] for step in range(ROUNDS)], dtype=np.uint64
    )


@routine
def multiply(value: np.uint64, high: np.uint64, low: np.uint64) -> tuple[np.uint64, np.uint64]:
    """High and low word of value * (high * 2^32 + low); value uint64, high and low below 2^32."""
    upper = value >> _HALF
    lower = value & _LOW
    low_low = lower * low
    low_high = lower * high
    high_low = upper * low
    middle = (low_low >> _HALF) + (low_high & _LOW) + (high_low & _LOW)
    top = upper * high + (low_high >> _HALF) + (high_low >> _HALF) + (middle >> _HALF)
    return top, (middle << _HALF) | (low_low & _LOW)


@routine
def block(
    keys: WordArray, a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """The four words that counter (a, b, c, d) gives; keys from `round_keys`, all uint64."""
    for step in range(ROUNDS):
        high0, low0 = multiply(a, _M0_HIGH, _M0_LOW)
        high1, low1 = multiply(c, _M1_HIGH, _M1_LOW)
        a, b, c, d = high1 ^ b ^ keys[step, 0], low1, high0 ^ d ^ keys[step, 1], low0
    return a, b, c, d


@routine
def fill_rows(keys: WordArray, stream: np.uint64, owners: IntArray, copies: IntArray, out: WordArray) -> None:
    """out[r, o] = word o of counter (0, copies[r], owners[r], stream).

    keys : (10, 2) uint64; stream : uint64; owners, copies : (R,) int64 >= 0; out : (R, O) uint64, written.
    numpy steps the counter before its first block, so words 4b .. 4b+3 come from counter word b + 1.
    O(R ceil(O / 4)) blocks.
    """
    length = out.shape[1]
    whole = length // 4 * 4
    for r in range(out.shape[0]):
        owner = np.uint64(owners[r])
        copy = np.uint64(copies[r])
        counter = _ZERO
        for o in range(0, whole, 4):
            counter = counter + _ONE
            w0, w1, w2, w3 = block(keys, counter, copy, owner, stream)
            out[r, o] = w0
            out[r, o + 1] = w1
            out[r, o + 2] = w2
            out[r, o + 3] = w3
        if whole < length:
            w0, w1, w2, _ = block(keys, counter + _ONE, copy, owner, stream)
            out[r, whole] = w0
            if whole + 1 < length:
                out[r, whole + 1] = w1
            if whole + 2 < length:
                out[r, whole + 2] = w2


@routine
def fill_edges(
    keys: WordArray, stream: np.uint64, owners: IntArray, copies: IntArray, ends: IntArray, out: WordArray
) -> None:
    """out[r] = word ends[r] of counter (0, copies[r], owners[r], stream): one block each.

    keys : (10, 2) uint64; stream : uint64; owners, copies, ends : (R,) int64 >= 0; out : (R,) uint64, written.
    """
    for r in range(out.shape[0]):
        lane = ends[r] % 4
        counter = np.uint64(ends[r] // 4 + 1)
        w0, w1, w2, w3 = block(keys, counter, np.uint64(copies[r]), np.uint64(owners[r]), stream)
        if lane == 0:
            out[r] = w0
        elif lane == 1:
            out[r] = w1
        elif lane == 2:
            out[r] = w2
        else:
            out[r] = w3
