"""Subsets of several sizes: against the prediction for one size, and against simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.laws.normal import Normal
from slth.laws.uniform import Uniform
from slth.theory.hitting import miss_probability
from slth.theory.windows import window_miss_probability


def test_a_normal_law_has_the_cox_mixture() -> None:
    """For normal samples the conditional mean is the normal intensity exactly."""
    z = np.array([0.0, 0.3, -1.0, 2.0])
    for n, k, eps in [(20, 5, 1e-3), (30, 15, 1e-6), (40, 3, 1e-2), (12, 11, 0.1)]:
        one = miss_probability(n, k, eps, z, Normal())
        several = window_miss_probability(n, k, k, eps, z, Normal())
        assert np.allclose(several, one, rtol=1e-3, atol=1e-25)


def test_tails_of_uniform_samples() -> None:
    """Misses among 200,000 simulated samples, within the factors stated."""
    for n, low, high, eps, z, measured in [
        (24, 11, 11, 1e-3, 0.5, 1.8e-3),
        (37, 17, 17, 9e-5, 0.2, 3.5e-5),
        (25, 7, 11, 1e-3, 0.5, 7.5e-5),
    ]:
        assert measured / 40 < float(window_miss_probability(n, low, high, eps, z, Uniform())) < measured


def test_more_sizes_miss_less() -> None:
    misses = [float(window_miss_probability(20, low, 8, 1e-3, 0.4, Uniform())) for low in range(8, -1, -1)]
    assert all(b <= a for a, b in itertools.pairwise(misses))
    assert misses[3] < misses[0] / 5


def test_against_simulation() -> None:
    """4,000 samples: the standard error is at most 0.008, and the prediction is off by a few hundredths."""
    rng = np.random.default_rng(1)
    for n, low, high, eps, z in [(12, 3, 5, 4e-3, 0.5), (10, 1, 4, 5e-3, 0.2), (14, 5, 7, 1e-3, 0.9)]:
        x = rng.uniform(-1, 1, (4000, n))
        sums = [
            x[:, list(subset)].sum(axis=1)
            for k in range(low, high + 1)
            for subset in itertools.combinations(range(n), k)
        ]
        missed = (np.abs(np.array(sums) - z) > eps).all(axis=0).mean()
        assert 0.05 < missed < 0.95
        assert abs(float(window_miss_probability(n, low, high, eps, z, Uniform())) - missed) < 0.06


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 3, 2, 0.1, 0.0), r"`k_min` must be an integer in \[0, 2\]; got 3"),
        ((5, 0, 6, 0.1, 0.0), r"`k_max` must be an integer in \[0, 5\]; got 6"),
        ((5, 1, 2, 0.0, 0.0), "`eps`"),
    ],
)
def test_refuses(arguments: tuple, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        window_miss_probability(*arguments, Uniform())
