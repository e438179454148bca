"""Hypothesis strategies for subset-sum problems, for the tests of slth and of packages that build on it."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from slth._validate import read_only
from slth.subset_sum.problem import Problem

FAMILIES = ("grid", "uniform", "any", "wide", "tiny")


@st.composite
def samples_of(draw: st.DrawFn, n: int, family: str) -> list[float]:
    """n samples of one family.

    "grid": multiples of 1/64, with ties and zeros; "uniform": multiples of 2^-53 in [-1, 1]; "any": 53-bit
    mantissas of similar size; "wide": magnitudes from 1e-300 to 1e300 side by side; "tiny": subnormal numbers.
    """
    if family == "grid":
        return [i / 64 for i in draw(st.lists(st.integers(-128, 128), min_size=n, max_size=n))]
    if family == "uniform":
        return [i * 2.0**-53 for i in draw(st.lists(st.integers(-(2**53), 2**53), min_size=n, max_size=n))]
    if family == "any":
        return draw(st.lists(st.floats(-8, 8, allow_subnormal=False), min_size=n, max_size=n))
    if family == "wide":
        return draw(st.lists(st.floats(-1e300, 1e300), min_size=n, max_size=n))
    return [i * 5e-324 for i in draw(st.lists(st.integers(-20, 20), min_size=n, max_size=n))]


@st.composite
def problems(
    draw: st.DrawFn, *, max_n: int = 10, families: tuple[str, ...] = FAMILIES, eps: bool | None = None
) -> Problem:
    """Subset-sum problems of 1..max_n samples, with exact sizes, ranges and any size.

    Parameters
    ----------
    max_n : int
        Largest number of samples, >= 1.
    families : tuple of str
        Kinds of samples to draw from, of "grid", "uniform", "any", "wide", "tiny"; see `samples_of`.
    eps : bool, optional
        Whether a tolerance is given. Default: either.
    """
    n = draw(st.integers(1, max_n))
    samples = draw(samples_of(n, draw(st.sampled_from(families))))
    k_min, k_max = sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n))))
    if draw(st.booleans()):
        k_max = k_min
    scale = max(map(abs, samples)) or 1.0
    planted = draw(st.booleans())
    if planted:
        chosen = draw(st.permutations(range(n)))[:k_max]
        target = float(np.sum(np.array([samples[i] for i in chosen])))
    else:
        target = draw(st.floats(-2, 2)) * scale
    tolerance = None
    if eps or (eps is None and draw(st.booleans())):
        tolerance = max(draw(st.sampled_from((1e-12, 1e-6, 1e-3, 0.1, 1.0))) * scale, 5e-324)
    return Problem(read_only(np.array(samples, np.float64)), target, k_min, k_max, tolerance)
