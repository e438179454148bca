"""Arrangements: which hidden neurons of an input may serve which half of a weight.

A weight w acts as w max(x, 0) - w max(-x, 0). The positive half is served by neurons with a > 0, the
negative half by neurons with a < 0; an input that cannot be negative has no negative half.

* ``sign-matched``: each neuron serves the half that its own sign matches; the sample of a half holds the
  products of exactly those neurons, and k of them are kept.
* ``paper``: as in [natale2024], Theorem 3. The copies are divided in advance between the halves; products
  with a wrong-sign first weight are zeros of the sample. k of the sample are chosen, but an edge from such
  a neuron carries nothing: it is *dead*, pruned, and reported apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth._typing import IntArray

ARRANGEMENTS = ("sign-matched", "paper")


@dataclass(frozen=True)
class HalfSample:
    """The sample of one half of the weights of one input.

    live : int64 (n_live,), copies whose product counts, ascending; dead : number of zeros in the sample.
    """

    live: IntArray
    dead: int

    def sizes(self, k: int) -> tuple[int, int] | None:
        """Fewest and most live edges in a subset of size k; None when there is no such subset."""
        low, high = max(0, k - self.dead), min(k, self.live.size)
        return (low, high) if low <= high else None


def halves(arrangement: str, first: IntArray, *, signed: bool) -> tuple[HalfSample, ...]:
    """Samples of the positive half and, for a signed input, of the negative half.

    first : int64 (N,), numerators of the incoming weights a_1..a_N of one input's neurons.
    """
    if arrangement == "sign-matched":
        served = [np.flatnonzero(first > 0)]
        if signed:
            served.append(np.flatnonzero(first < 0))
        return tuple(HalfSample(live.astype(np.int64), 0) for live in served)
    middle = half_boundary(first.size, signed=signed)
    groups = [(np.arange(middle), 1)]
    if signed:
        groups.append((np.arange(middle, first.size), -1))
    samples = []
    for copies, sign in groups:
        live = copies[sign * first[copies] > 0].astype(np.int64)
        samples.append(HalfSample(live, copies.size - live.size))
    return tuple(samples)


def half_boundary(copies: int, *, signed: bool) -> int:
    """First copy of the negative group in the paper's arrangement (all copies are positive when unsigned)."""
    return copies // 2 if signed else copies
