"""The slope at confidence 1 - eps: limits, symmetry, and the exponent against sampled miss probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.laws.custom import FromPdf
from slth.laws.normal import Normal
from slth.laws.uniform import Uniform
from slth.theory import tail
from slth.theory.slope import predicted_slope
from slth.theory.tail import tail_slope


@pytest.mark.parametrize("law", ["uniform", "normal", "product"])
def test_small_densities_have_the_normal_slope(law: str) -> None:
    """The excess over 1/(1 - g) shrinks faster than g."""
    for gamma, slack in ((0.02, 0.15), (0.1, 0.7)):
        normal = predicted_slope(gamma, exponent=1.0)
        assert normal < tail_slope(gamma, law) < 1.0 + (1.0 + slack) * (normal - 1.0)


def test_subsets_and_what_they_leave() -> None:
    assert tail_slope(0.7, "uniform") == pytest.approx(tail_slope(0.3, "uniform"), rel=1e-9)


def test_scale_does_not_matter() -> None:
    assert tail_slope(0.25, Normal(0.01)) == pytest.approx(tail_slope(0.25, "normal"), rel=1e-6)


def saddlepoint_exponents(x: np.ndarray, gamma: float) -> np.ndarray:
    """min over a, b of the mean of ln(1 + e^{a + b x}) - a gamma for each row, by damped Newton steps."""
    tilt = np.tile([math.log(gamma / (1 - gamma)), 0.0], (len(x), 1))
    for _ in range(80):
        p = 1.0 / (1.0 + np.exp(-(tilt[:, :1] + tilt[:, 1:] * x)))
        w = p * (1.0 - p)
        g0, g1 = p.mean(1) - gamma, (p * x).mean(1)
        m0, m1, m2 = w.mean(1) + 1e-12, (w * x).mean(1), (w * x * x).mean(1) + 1e-12
        step = np.stack([m2 * g0 - m1 * g1, m0 * g1 - m1 * g0], 1) / (m0 * m2 - m1 * m1 + 1e-15)[:, None]
        size = np.abs(step).max(1, keepdims=True)
        tilt = np.clip(tilt - step * np.minimum(1.0, 0.7 / np.maximum(size, 1e-12)), -40.0, 40.0)
    return np.logaddexp(0.0, tilt[:, :1] + tilt[:, 1:] * x).mean(1) - tilt[:, 0] * gamma


def test_the_exponent_is_that_of_bad_samples() -> None:
    """n I(l) against the simulated probability that the saddlepoint exponent is below l, by its growth in n.

    P is exp(-n I) times a power of n between 0 and -1: between n = 10 and 30 that moves ln P by at most ln 3.
    """
    gamma, level = 0.25, 0.46  # H(1/4) = 0.562
    start = [np.array([math.log(gamma / (1 - gamma)), 1.0])]
    rate, _ = tail._rate(level, gamma, *tail._quadrature(Uniform()), start)
    rng = np.random.default_rng(4)
    logs = [
        math.log((saddlepoint_exponents(rng.uniform(-1.0, 1.0, (20_000, n)), gamma) < level).mean())
        for n in (10, 30)
    ]
    assert rate - 0.01 < (logs[0] - logs[1]) / 20 < rate + math.log(3) / 20 + 0.01


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match="`density` must be a finite number"):
        tail_slope(1.0, "uniform")
    with pytest.raises(InvalidInput, match="`law` must be Uniform, Normal or LiveProduct; got FromPdf"):
        tail_slope(0.5, FromPdf(lambda x: 0.75 * (1 - x * x), -1.0, 1.0))
