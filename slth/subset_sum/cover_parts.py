"""Covering proved by a small part of the subsets: quick where subsets abound, silent where they do not."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth.subset_sum.cover_batch import cover_batch

# Sums that a piece should expect within eps of each point, besides ln(1/eps): then nearly every row is covered.
_PLENTY = 40.0
_FEWEST = 6  # samples free, and samples fixed, below which nothing is gained
# Parts are quicker from so many list entries of a half on, all in all and for each 2 eps of the interval.
_LISTED, _LISTED_PER_WIDTH = 1 << 13, 8
_ROWS = 1024  # rows that fit in the cache
_LARGER = (0, 3, 6, 10)  # free samples of further attempts beyond those of the first


def covered_by_parts(
    samples: FloatArray, low: float, high: float, eps: float, k: int, *, threads: int | None = None
) -> npt.NDArray[np.bool_]:
    """Rows whose sums of k are proved to cover [low, high] within eps; of the others nothing is known.

    Parameters
    ----------
    samples : ndarray
        (B, n), finite.
    low, high, eps : float
        low <= high, eps > 0.
    k : int
        1 <= k <= n.
    threads : int, optional
        As in `cover_batch`.

    Returns
    -------
    ndarray of bool
        (B,).

    Notes
    -----
    The interval is cut into pieces of about one standard deviation of the sums of k' of m samples. For each
    piece some samples are fixed in and some out, so that the sums of the fixed ones plus k' of the m others lie
    around the middle of the piece; whether these alone cover it, `cover_batch` decides. The fixed part is added
    to the free samples in floats: with u = 2^-53 and |x| <= X that moves a sum by less than 8 n^2 X u, which is
    taken from eps. Time does not grow with n, but for choosing the fixed samples: O(n^2) a row and piece.
    """
    rows, n = samples.shape
    done = np.zeros(rows, np.bool_)
    listed = sum(math.comb(n // 2, c) for c in range(min(k, n // 2) + 1))
    if not rows or listed < max(_LISTED, _LISTED_PER_WIDTH * (high - low) / eps):
        return done
    largest, spread = float(np.abs(samples).max()), float(samples.std())
    narrower = eps - 8.0 * n * n * largest * 2.0**-53
    if not narrower > 0.999 * eps:
        return done
    free = _free(n, k, eps, spread)
    for start in range(0, rows, _ROWS):
        ordered = np.sort(samples[start : start + _ROWS], axis=1)
        mine = done[start : start + _ROWS]
        for more in _LARGER:
            size = round(k / n * (free + more))
            if free + more > n - _FEWEST or not 2 <= size <= k:
                break
            left = np.flatnonzero(~mine)
            mine[left] = _attempt(ordered[left], low, high, narrower, k, free + more, size, spread, threads)
    return done


def _free(n: int, k: int, eps: float, spread: float) -> int:
    """Least m for which sums of m k/n out of m samples are plenty; at most n."""
    plenty = math.log(_PLENTY + math.log1p(1.0 / eps))
    for m in range(_FEWEST, n):
        size = round(k / n * m)
        width = spread * math.sqrt(size * (1.0 - size / m))
        if width > 0.0 and math.log(math.comb(m, size)) + math.log(0.7 * eps / width) >= plenty:
            return m
    return n


def _attempt(
    ordered: FloatArray,
    low: float,
    high: float,
    eps: float,
    k: int,
    free: int,
    size: int,
    spread: float,
    threads: int | None,
) -> npt.NDArray[np.bool_]:
    """Whether `size` of `free` samples, with the others fixed, cover every piece."""
    width = spread * math.sqrt(size * (1.0 - size / free))
    pieces = max(1, math.ceil((high - low) / width))
    ends = np.linspace(low, high, pieces + 1)
    alive = np.arange(len(ordered))
    for i in np.argsort(-np.abs(ends[1:] + ends[:-1])):  # the outermost first: where most rows fail
        a, b = float(ends[i]), float(ends[i + 1])
        shifted = _shifted(ordered[alive], 0.5 * (a + b), k, free, size)
        alive = alive[cover_batch(shifted, a, b, eps, k=size, threads=threads).covered == 1]
        if not len(alive):
            break
    found = np.zeros(len(ordered), np.bool_)
    found[alive] = True
    return found


def _shifted(ordered: FloatArray, middle: float, k: int, free: int, size: int) -> FloatArray:
    """The free samples of each row, (B, free), each with its share of the fixed ones' sum added.

    Of the ways to fix samples, that for which the mean of the sums is nearest to `middle`.
    """
    count, n = ordered.shape
    window = k - size
    best = np.full(count, np.inf)
    chosen = np.empty((count, free))
    for start, first, last in _ways(n, window, free):
        places = np.round(np.linspace(first, last, free)).astype(np.int64)
        rest = ordered[:, np.where(places < start, places, places + window)]
        fixed = ordered[:, start : start + window].sum(axis=1)
        off = np.abs(fixed + size * rest.mean(axis=1) - middle)
        better = off < best
        best[better] = off[better]
        chosen[better] = rest[better] + (fixed[better] / size)[:, None]
    return chosen


def _ways(n: int, window: int, free: int) -> list[tuple[int, int, int]]:
    """Ways (start, first, last) to fix samples by rank: `window` neighbours from `start` are in.

    The free ones are spread evenly from first to last over the other ranks; outside these, and between, samples
    are out. Where the largest or the least are in, the free ones may crowd towards them.
    """
    others = n - window
    ways = [(start, 0, others - 1) for start in range(others + 1)]
    ways += [(others, first, others - 1) for first in range(1, others - free + 1)]
    ways += [(0, 0, last) for last in range(free - 1, others - 1)]
    return ways
