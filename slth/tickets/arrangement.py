"""Arrangements: which hidden neurons may serve which half of a weight, and which subsets are allowed.

A weight w acts as w max(x, 0) - w max(-x, 0). The positive half is served by neurons with a > 0, the
negative half by neurons with a < 0; an input that cannot be negative has no negative half.

Neurons owned by inputs (`slth.tickets.wiring`):

* ``paper``: as in [natale2024], Theorem 3. The copies are divided in advance between the halves; products
  with a wrong-sign first weight are zeros of the sample. k of the sample are chosen, but an edge from such
  a neuron carries nothing: it is *dead*, pruned, and reported apart.
* ``sign-matched``: each neuron serves the half that its own sign matches; the sample of a half holds the
  products of exactly those neurons, and k of them are kept.
* ``assigned``: neurons choose their input and half by their own incoming weights (`slth.tickets.assignment`),
  so that hardly any has the wrong sign or a small weight; otherwise as sign-matched.
* ``blocks``: assigned, and the neurons of a half stand in k blocks of equal length; of each block exactly one
  is chosen, as in N:M sparsity. One of the wrong sign counts as zero and is pruned, as in the paper's
  arrangement.

Neurons owned by outputs, where inputs are never negative:

* ``gathered``: neurons choose their output by their own outgoing weights, and keep positive edges from inputs.

Neurons owned by outputs, in layers with biases, any inputs:

* ``lifted``: neurons choose their output likewise, and keep edges of either sign. Further random edges, from
  constants, lift each neuron above zero for all inputs of the domain, and carry the bias
  (`slth.tickets.lifting`): relu never acts, one sample serves a weight whatever the sign of the input, and no
  neuron has a wrong one.

Random parameters of a dense layer d -> d', D = d + 1 with its bias, for n samples that can serve each half of
each weight; in brackets, where inputs may be negative:

    paper           2 (4) n D (D + d')    half of the neurons of a half have the wrong sign
    sign-matched    2 (2) n D (D + d')    they serve the other half, if there is one
    assigned        1 (2) n D (D + d')
    gathered        2     n d' (D + d')   half of the edges from inputs are negative
    lifted          1 (1) n d' (d + L + d')

Theorem 3 counts as the first line, at d' = D. The edges that carry subsets are n d d' at least; what is above
that is the other matrix.

``auto`` takes, for each layer, the one of sign-matched, assigned, gathered and lifted that is predicted to need
the fewest parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth._typing import IntArray

SINGLE = ("sign-matched", "paper", "assigned", "blocks", "gathered", "lifted")
ARRANGEMENTS = ("auto", *SINGLE)
# Arrangements whose neurons choose their owner.
CHOOSING = ("assigned", "blocks", "gathered", "lifted")
# Arrangements that divide the copies of a signed input in advance.
DIVIDED = ("paper", "assigned", "blocks")


@dataclass(frozen=True)
class HalfSample:
    """The sample of one half of the weights of one input.

    live : int64 (n_live,), copies whose product counts, ascending; dead : number of zeros in the sample;
    whole : all copies, zeros included.
    """

    live: IntArray
    dead: int
    whole: IntArray

    def sizes(self, k: int, window: int) -> tuple[int, int] | None:
        """Fewest and most live edges in a subset of size k - window to k; None when there is no such subset."""
        low, high = max(0, k - window - self.dead), min(k, self.live.size)
        return (low, high) if low <= high else None


def halves(arrangement: str, first: IntArray, *, signed: bool) -> tuple[HalfSample, ...]:
    """Samples of the positive half and, for a signed input, of the negative half.

    first : int64 (N,), numerators of the incoming weights a_1..a_N of one input's neurons.
    """
    if arrangement in ("sign-matched", "assigned"):
        served = [np.flatnonzero(first > 0)]
        if signed:
            served.append(np.flatnonzero(first < 0))
        return tuple(HalfSample(live, 0, live) for live in (own.astype(np.int64) for own in served))
    samples = []
    for copies, sign in half_groups(first.size, signed=signed):
        live = copies[sign * first[copies] > 0]
        samples.append(HalfSample(live, copies.size - live.size, copies))
    return tuple(samples)


def half_groups(copies: int, *, signed: bool) -> tuple[tuple[IntArray, int], ...]:
    """Copies of each half and its sign, where they are divided in advance."""
    middle = half_boundary(copies, signed=signed)
    groups = [(np.arange(middle, dtype=np.int64), 1)]
    if signed:
        groups.append((np.arange(middle, copies, dtype=np.int64), -1))
    return tuple(groups)


def half_boundary(copies: int, *, signed: bool) -> int:
    """First copy of the negative group where copies are divided in advance (all are positive when unsigned)."""
    return copies // 2 if signed else copies
