"""Families of subsets: all of k_min..k_max samples, or one of each block of consecutive samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats
from slth.errors import InvalidInput
from slth.subset_sum.problem import Sizes, as_blocks, as_sizes, check_magnitudes


@dataclass(frozen=True)
class Family:
    """The subsets of n samples that an experiment allows.

    Attributes
    ----------
    n : int
        Number of samples.
    k_min, k_max : int
        Sizes allowed.
    blocks : int or None
        b: exactly one of each b consecutive samples, n = k b; None: any subset of the sizes.
    """

    n: int
    k_min: int
    k_max: int
    blocks: int | None

    @property
    def size(self) -> int:
        """How many subsets."""
        if self.blocks is not None:
            return int(self.blocks**self.k_max)
        if (self.k_min, self.k_max) == (0, self.n):
            return 1 << self.n
        return sum(math.comb(self.n, k) for k in range(self.k_min, self.k_max + 1))

    @property
    def words(self) -> str:
        """The family in an error message."""
        if self.blocks is not None:
            return f"n={self.n}, one of each {self.blocks}"
        return f"n={self.n}, sizes {self.k_min}..{self.k_max}"


def as_family(n: int, k: Sizes, blocks: Any) -> Family:
    """The family that `k` and `blocks` describe on n samples."""
    if blocks is None:
        low, high = as_sizes(k, n)
        return Family(n, low, high, None)
    return Family(n, *as_blocks(blocks, k, n), int(blocks))


def as_samples(samples: npt.ArrayLike, ndim: int, largest: float) -> FloatArray:
    """Samples (n,) or (B, n), n >= 1, whose sums, next to numbers up to `largest`, stay in range."""
    array = as_floats(samples, "samples", ndim=ndim)
    if not array.shape[-1]:
        raise InvalidInput(f"`samples` must not be empty; got shape {array.shape}.")
    quarters = np.abs(array / 4).sum(axis=-1)
    check_magnitudes(float(quarters.max()) if quarters.size else 0.0, largest)
    return array
