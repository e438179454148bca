"""The subset-sum problem as a value, its validation, and the exact arithmetic that judges every answer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray, IntArray
from slth._validate import as_floats, as_integer, as_real, read_only
from slth.errors import InvalidInput

Sizes = int | tuple[int, int] | None


@dataclass(frozen=True)
class Problem:
    """Find a subset of k_min..k_max samples whose sum is within `eps` of `target`, or closest to it.

    Attributes
    ----------
    samples : ndarray
        (n,) float64, n >= 1, finite, read-only.
    target : float
        The number to approximate.
    k_min, k_max : int
        Sizes allowed, 0 <= k_min <= k_max <= n.
    eps : float or None
        Absolute tolerance, > 0; None asks for the closest subset.
    blocks : int or None
        b: exactly one of each b consecutive samples, n = k b; None: any subset of the sizes.
    weights : tuple of int or None
        Weight of each sample; k_min..k_max then bounds the subset's total weight instead of its size.
    """

    samples: FloatArray
    target: float
    k_min: int
    k_max: int
    eps: float | None
    blocks: int | None = None
    weights: tuple[int, ...] | None = None

    @property
    def n(self) -> int:
        return len(self.samples)

    @property
    def most(self) -> int:
        """How many samples a subset can hold."""
        return self.k_max if self.weights is None else self.n

    def size_of(self, indices: IntArray) -> int:
        """What k bounds: how many samples a subset has, or their total weight."""
        return len(indices) if self.weights is None else sum(self.weights[i] for i in indices.tolist())


def make_problem(
    samples: npt.ArrayLike,
    target: float,
    k: Sizes,
    eps: float | None,
    blocks: int | None = None,
    weights: Any = None,
) -> Problem:
    """Validate one problem given by the user."""
    array = as_floats(samples, "samples", ndim=1)
    if not array.size:
        raise InvalidInput("`samples` must not be empty; got shape (0,).")
    goal = as_real(target, "target")
    each = None if weights is None else as_weights(weights, array.size)
    if each is not None:
        if blocks is not None:
            raise InvalidInput(f"`weights` must be None with blocks; got {len(each)} of them.")
        low, high = as_sizes(k, sum(each))
    else:
        low, high = as_sizes(k, array.size) if blocks is None else as_blocks(blocks, k, array.size)
    tolerance = as_tolerance(eps)
    check_magnitudes(float(np.abs(array / 4).sum()), goal)
    return Problem(
        read_only(array), goal, low, high, tolerance, blocks if blocks is None else int(blocks), each
    )


def as_sizes(k: Any, n: int) -> tuple[int, int]:
    """The allowed sizes (k_min, k_max) from an int, a pair, or None."""
    if k is None:
        return 0, n
    if isinstance(k, (tuple, list)):
        if len(k) != 2:
            raise InvalidInput(f"`k` must be an integer, a pair (k_min, k_max) or None; got {k!r}.")
        low = as_integer(k[0], "k[0]", low=0, high=n)
        high = as_integer(k[1], "k[1]", low=0, high=n)
        if low > high:
            raise InvalidInput(f"`k` must be a pair with k_min <= k_max; got {k!r}.")
        return low, high
    size = as_integer(k, "k", low=0, high=n)
    return size, size


def as_blocks(blocks: Any, k: Any, n: int) -> tuple[int, int]:
    """The sizes that one of each `blocks` of n samples leaves, (n / blocks, n / blocks)."""
    b = as_integer(blocks, "blocks", low=1, high=n)
    if n % b:
        raise InvalidInput(f"`blocks` must divide the number of samples; got {b} for {n} samples.")
    if k is not None and as_sizes(k, n) != (n // b, n // b):
        raise InvalidInput(f"`k` must be None or {n // b} (= n / blocks) with `blocks`; got {k!r}.")
    return n // b, n // b


def as_weights(weights: Any, n: int) -> tuple[int, ...]:
    """One integer >= 0 for each of n samples."""
    if len(weights) != n:
        raise InvalidInput(f"`weights` must hold one integer for each sample, {n}; got {len(weights)}.")
    return tuple(as_integer(w, f"weights[{i}]", low=0, high=1 << 40) for i, w in enumerate(weights))


def as_tolerance(eps: Any) -> float | None:
    """A tolerance > 0, or None for the closest subset."""
    return None if eps is None else as_real(eps, "eps", low=0, open_low=True)


def check_magnitudes(quarter: float, target: float) -> None:
    """Refuse samples whose sums would leave the range of float64; `quarter` is a quarter of their total."""
    if quarter + abs(target) / 4 > 2.0**1021:
        raise InvalidInput(
            "`samples` must have sums below 2**1023 in magnitude, target included; got a larger total. "
            "Scale samples, target and eps by a power of two (which is exact)."
        )


def exact_value(chosen: Iterable[float]) -> float:
    """The exact sum of `chosen`, rounded to nearest."""
    return math.fsum(chosen)


def exact_error(chosen: Iterable[float], target: float) -> float:
    """The exact |sum of `chosen` - target|, rounded up.

    Rounding up makes `error <= eps` on the rounded number equivalent to the same comparison on the exact one,
    because eps is a float64 itself.
    """
    terms = [*chosen, -target]
    difference = math.fsum(terms)
    size = abs(difference)
    missing = math.fsum([*terms, -difference])
    return math.nextafter(size, math.inf) if missing * math.copysign(1.0, difference) > 0 else size


def within(error: float | FloatArray, eps: float) -> Any:
    """Whether an error counts as success: the one place that decides it. `error` is exact, rounded up."""
    return error <= eps
