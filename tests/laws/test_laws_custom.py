"""Laws given by a density: against closed forms, with errors inside the reported ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.laws.custom import FromPdf
from slth.laws.normal import Normal
from slth.laws.uniform import Uniform
from slth.theory.predictors import hit_probability, n_cover, predictor

FLAT = FromPdf(lambda x: np.full(x.shape, 0.5), -1.0, 1.0)
BELL = FromPdf(lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi), -10.0, 10.0)
# exponential law shifted to mean 0, cut at 40
SKEW = FromPdf(lambda x: np.exp(-(x + 1)), -1.0, 39.0)
STEP = FromPdf(lambda x: np.where(x < 0, 0.25, 1.0), -4 / 3, 2 / 3, breaks=(0.0,))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 9, 40])
def test_equals_the_named_laws(k: int) -> None:
    x = np.linspace(-2.7, 2.9, 17)
    for law, named in ((FLAT, Uniform()), (BELL, Normal(1.0))):
        np.testing.assert_allclose(law.sum_pdf(x, k), named.sum_pdf(x, k), atol=law.error(k) + 1e-14)
        np.testing.assert_allclose(law.sum_cdf(x, k), named.sum_cdf(x, k), atol=10 * law.error(k) + 1e-11)
        np.testing.assert_allclose(
            law.window(x, 0.03, k), named.window(x, 0.03, k), atol=0.06 * law.error(k) + 1e-6, rtol=1e-9
        )
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(law.sum_log_pdf(x, k), np.log(law.sum_pdf(x, k)))


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_an_asymmetric_law(k: int) -> None:
    """k exponentials sum to a gamma variable."""
    x = np.array([-0.7, -0.1, 0.0, 0.4, 2.3, 5.0])
    gamma = (x + k) ** (k - 1) * np.exp(-(x + k)) / math.factorial(k - 1)
    np.testing.assert_allclose(SKEW.sum_pdf(x, k), gamma, atol=SKEW.error(k) + 1e-12)
    assert SKEW.variance == pytest.approx(1.0, rel=1e-12)
    assert SKEW.fourth_moment == pytest.approx(9.0, rel=1e-10)


def test_the_reported_error_is_not_idle() -> None:
    """Jumps leave a visible error at k = 3, a smaller one for more copies; smooth densities none."""
    x = np.linspace(-2.9, 2.9, 200)
    actual = np.abs(FLAT.sum_pdf(x, 3) - Uniform().sum_pdf(x, 3)).max()
    assert actual <= FLAT.error(3) < 1e-6
    errors = [FLAT.error(k) for k in (3, 4, 5, 6)]
    assert errors == sorted(errors, reverse=True)
    assert BELL.error(3) < 1e-13


def test_samples_follow_the_cdf() -> None:
    for law in (FLAT, STEP, SKEW):
        draws = np.sort(law.sample(np.random.default_rng(1), 20_000))
        distance = np.abs(law.cdf(draws) - np.arange(1, 20_001) / 20_000).max()
        assert distance <= math.sqrt(math.log(2 / 1e-6) / 40_000) + 1e-4


def test_moments_and_ends() -> None:
    assert STEP.mass == pytest.approx(1.0, abs=1e-14)
    assert STEP.mean == pytest.approx(0.0, abs=1e-14)
    assert STEP.variance == pytest.approx(0.25 * (4 / 3) ** 3 / 3 + (2 / 3) ** 3 / 3, rel=1e-13)
    for k in (1, 2, 3, 7):
        assert float(STEP.sum_cdf(-k * 4 / 3, k)) == pytest.approx(0.0, abs=1e-9)
        assert float(STEP.sum_cdf(k * 2.0, k)) == pytest.approx(1.0, abs=1e-9)
        assert float(STEP.sum_pdf(k * 0.67, k)) == 0.0


def test_predictors_take_it() -> None:
    plain, given = (float(hit_probability(20, 5, 1e-3, 1.0, law)) for law in (Uniform(), FLAT))
    assert given == pytest.approx(plain, rel=1e-9)
    pair = [predictor("annealed").evaluate(20, 5, 1e-3, 1.0, law).probability for law in (Uniform(), FLAT)]
    assert pair[0] == pytest.approx(pair[1], rel=1e-9)
    assert predictor("saddlepoint", "cover").evaluate(20, 5, 1e-2, 1.0, STEP).probability > 0.5
    assert n_cover(1e-3, STEP, k=5, radius=1.0) > 10
    with pytest.raises(InvalidInput, match=r"`law` must be one of uniform, normal for two-halves; got custom"):
        predictor("two-halves", "cover").evaluate(20, 5, 1e-2, 1.0, STEP)


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match=r"`low` must be below `high` = 1.0; got 1.0"):
        FromPdf(np.ones_like, 1.0, 1.0)
    with pytest.raises(InvalidInput, match=r"`density` must have mass 1 on \[-1.0, 1.0\]; got 2"):
        FromPdf(np.ones_like, -1.0, 1.0)
    with pytest.raises(InvalidInput, match=r"`density` must have mean 0; got 0.4999.* Shift it"):
        FromPdf(np.ones_like, 0.0, 1.0)
    with pytest.raises(InvalidInput, match=r"`density` must be finite and non-negative; got .* at x = "):
        FromPdf(lambda x: x, -1.0, 1.0)
    with pytest.raises(
        InvalidInput, match=r"`density` must return an array of the shape it is given; got \(\)"
    ):
        FromPdf(lambda _: 0.5, -1.0, 1.0)
    with pytest.raises(InvalidInput, match=r"`breaks` must lie inside \(-1.0, 1.0\); got \(1.0,\)"):
        FromPdf(np.ones_like, -1.0, 1.0, breaks=(1.0,))
    with pytest.raises(InvalidInput, match=r"`k` must be an integer >= 1; got 0"):
        FLAT.error(0)
