"""The map from one raw 64-bit random word to a weight, per law, as an exact integer over a power of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from slth._typing import IntArray, WordArray
from slth._validate import as_choice


@dataclass(frozen=True)
class WordLaw:
    """A law of weights that are integers times 2^-scale_bits.

    Attributes
    ----------
    name : str
        Name of the law.
    scale_bits : int
        A weight is numerator * 2^-scale_bits, exact in float32 and float64.
    numerators : callable
        Array of words (uint64, consumed: it is overwritten) -> array of numerators (int64), same shape.
    """

    name: str
    scale_bits: int
    numerators: Callable[[WordArray], IntArray]


def _uniform(words: WordArray) -> IntArray:
    """(word >> 40) - 2^23: the top 24 bits, centred, so that the weight is uniform on a grid in [-1, 1)."""
    words >>= np.uint64(40)
    numerators: IntArray = words.view(np.int64)
    numerators -= 2**23
    return numerators


def _normal(words: WordArray) -> IntArray:
    """Phi^-1(((word >> 40) + 1/2) / 2^24) to the nearest multiple of 2^-20: standard normal, below 5.5."""
    words >>= np.uint64(40)
    ranks = (words.astype(np.float64) + 0.5) * 2.0**-24
    numerators: IntArray = np.rint(ndtri(ranks) * 2.0**20).astype(np.int64)
    return numerators


_LAWS = {"uniform": WordLaw("uniform", 23, _uniform), "normal": WordLaw("normal", 20, _normal)}


def word_law(name: str) -> WordLaw:
    """The map named `name`: "uniform" on [-1, 1), or standard "normal".

    Raises
    ------
    InvalidInput
        If there is no law of that name.

    Examples
    --------
    >>> words = np.array([0, 2**63, 2**64 - 1], dtype=np.uint64)
    >>> law = word_law("uniform")
    >>> law.numerators(words) / 2**law.scale_bits
    array([-1.        ,  0.        ,  0.99999988])
    """
    return _LAWS[as_choice(name, "law", tuple(_LAWS))]
