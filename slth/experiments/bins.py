"""The bins of distances: sixteen to a decade, so that one measured distance answers for every tolerance.

A distance d is counted in the bin of the least edge >= d. The number of trials with d <= eps is then exact
for every eps that is an edge, in particular for all powers of ten.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray, IntArray
from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.theory.entropy import log_binomial

PER_DECADE = 16
LOWEST, HIGHEST = -16 * PER_DECADE, 2 * PER_DECADE  # bins of the edges 1e-16 and 1e2
BEYOND = HIGHEST + 1  # farther than the last edge
UNKNOWN_BIN = HIGHEST + 2  # a trial without a proof


@lru_cache(maxsize=1)
def edges() -> FloatArray:
    """Edges of the bins LOWEST..HIGHEST: 10^(j/16), rounded once from forty digits, so equal everywhere."""
    digits = Context(prec=40)
    values = [float(digits.power(Decimal(10), Decimal(j) / PER_DECADE)) for j in range(LOWEST, HIGHEST + 1)]
    array = np.array(values)
    array.setflags(write=False)
    return array


def bin_of(distances: npt.ArrayLike) -> IntArray:
    """The bin of each distance >= 0: LOWEST..HIGHEST, or BEYOND.

    Examples
    --------
    >>> bin_of([0.01, 0.010000001, 0.0, 1e9]).tolist()
    [-32, -31, -256, 33]
    """
    return LOWEST + np.searchsorted(edges(), np.asarray(distances, dtype=np.float64), side="left").astype(
        np.int64
    )


def edge_bin(eps: float) -> int:
    """The bin whose edge is `eps`.

    Raises
    ------
    InvalidInput
        If `eps` is no edge: the count of distances up to it is then not known exactly.
    """
    j = round(PER_DECADE * math.log10(eps)) if eps > 0 else LOWEST
    if not LOWEST <= j <= HIGHEST or edges()[j - LOWEST] != eps:
        near = edge_of_bin(min(max(j, LOWEST), HIGHEST))
        raise InvalidInput(
            f"`eps` must be an edge of the bins, 10^(j/16); got {eps!r}. The nearest is {near!r}."
        )
    return j


def eps_of_load(load: float, n: int, k: int, place: float, law: Law) -> float:
    """The edge nearest to the tolerance at which `load` subsets are expected to hit `place`.

    load = C(n, k) 2 eps f_k(place), with f_k the density of the sum of k samples; the rounding to an edge makes
    the answer, and so the identity of a cell, independent of the last bits of f_k.
    """
    log_density = math.log(float(law.sum_pdf(place, k)))
    wanted = math.log(load / 2.0) - float(log_binomial(n, k)) - log_density
    return edge_of_bin(min(HIGHEST, max(LOWEST, round(PER_DECADE * wanted / math.log(10.0)))))


def edge_of_bin(j: int) -> float:
    """The edge 10^(j/16) of bin j in LOWEST..HIGHEST."""
    return float(edges()[j - LOWEST])
