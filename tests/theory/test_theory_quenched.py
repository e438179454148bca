"""Predictions for given samples: against all sums of a sample, a slow solver of the saddlepoint, simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from oracles.theory import PUBLISHED, covering_radius_of_sums, saddlepoint_of_sample

from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.averaged import averaged_cover, averaged_miss
from slth.theory.quenched import FORMS, log_intensity, sample_cover, sample_misses

U, P = Uniform(), LiveProduct()
LAWS = {"uniform": U, "normal": Normal(1.0), "product": P}


def sums_of(x: np.ndarray, k: int) -> np.ndarray:
    return np.array([math.fsum(x[list(c)]) for c in itertools.combinations(range(x.size), k)])


@pytest.mark.parametrize("k", [3, 5, 9, 15])
def test_counts_of_sums_in_bins(k: int) -> None:
    """All sums of one sample in twelve bins: the mass to 1 %, the bins to a few standard deviations."""
    x = np.random.default_rng(1).uniform(-1, 1, 18)
    sums = sums_of(x, k)
    edges = np.linspace(sums.min(), sums.max(), 13)
    fine = np.linspace(sums.min(), sums.max(), 481)
    middle = (fine[1:] + fine[:-1]) / 2
    mass = np.exp(log_intensity(x, k, middle)).reshape(12, 40).sum(axis=1) * (fine[1] - fine[0])
    assert mass.sum() == pytest.approx(math.comb(18, k), rel=0.012)
    counts = np.histogram(sums, edges)[0]
    assert np.all(np.abs(mass - counts) <= 5 + 4 * np.sqrt(counts))
    normal = np.exp(log_intensity(x, k, middle, form="normal")).sum() * (fine[1] - fine[0])
    assert normal == pytest.approx(math.comb(18, k), rel=0.03)


def test_equals_the_slow_saddlepoint() -> None:
    for seed, n, k in ((1, 12, 4), (2, 30, 15), (3, 9, 7)):
        x = np.random.default_rng(seed).normal(size=n)
        low, high = np.sort(x)[:k].sum(), np.sort(x)[-k:].sum()
        z = low + (high - low) * np.array([0.02, 0.1, 0.35, 0.5, 0.8, 0.97])
        values = log_intensity(x, k, z)
        assert values == pytest.approx([saddlepoint_of_sample(x, k, t) for t in z], abs=1e-6)


def test_targets_out_of_reach() -> None:
    x = np.array([[0.1, 0.2, 0.4, 0.9], [-1.0, 0.5, 0.6, 0.7]])
    logs = log_intensity(x, 2, [0.2999, 0.5, 1.3001, -0.6])
    np.testing.assert_array_equal(np.isfinite(logs), [[False, True, False, False], [True, True, False, False]])
    misses = sample_misses(x, 2, 0.01, [0.295, 0.28, 1.309, 1.32])
    np.testing.assert_array_equal(misses[0], [0.0, 1.0, 0.0, 1.0])
    assert np.all(sample_misses(np.full(5, 0.3), 2, 0.1, [0.9, 0.6], form="normal") == 1.0)


def test_complement_and_scale() -> None:
    """Leaving k out is choosing n - k; scaling by 4 divides densities by 4."""
    x = np.random.default_rng(3).uniform(-1, 1, 14)
    z = np.linspace(-2, 2, 7)
    for form in FORMS:
        logs = log_intensity(x, 5, z, form=form)
        np.testing.assert_allclose(log_intensity(x, 9, x.sum() - z, form=form), logs, atol=1e-8)
        np.testing.assert_allclose(log_intensity(4 * x, 5, 4 * z, form=form), logs - math.log(4), atol=1e-8)
        np.testing.assert_allclose(log_intensity(x[::-1].copy(), 5, z, form=form), logs, atol=1e-8)


def test_rows_are_independent() -> None:
    rows = np.random.default_rng(5).uniform(-1, 1, (7, 16))
    z = np.linspace(-1, 1, 5)
    np.testing.assert_allclose(log_intensity(rows, 4, z)[3], log_intensity(rows[3], 4, z), rtol=1e-12)
    for form in FORMS:
        values = sample_cover(rows, 4, 0.02, 1.0, form=form)
        assert values.shape == (7,)
        assert float(sample_cover(rows[3], 4, 0.02, 1.0, form=form)) == pytest.approx(values[3], rel=1e-9)
        assert sample_misses(rows, 4, 0.02, z, form=form).shape == (7, 5)


@pytest.mark.parametrize(("name", "n", "k"), [("uniform", 20, 5), ("normal", 18, 6), ("product", 16, 8)])
def test_coverage_against_simulation(name: str, n: int, k: int) -> None:
    """300 samples, every sum of each; six standard deviations plus the stated 0.05."""
    law: Law = LAWS[name]
    subsets = np.array(list(itertools.combinations(range(n), k)))
    radius = 1.0 if name == "product" else math.sqrt(k)
    draws = law.sample(np.random.default_rng([9, n, k]), (300, n))
    reached = [covering_radius_of_sums(row[subsets].sum(axis=1), radius) for row in draws]
    for share in (0.25, 0.6, 0.9):
        eps = float(np.quantile(reached, share))
        predicted = averaged_cover(n, k, eps, radius, law, samples=300)
        slack = 6 * math.hypot(math.sqrt(share * (1 - share) / 300), float(predicted.error))
        assert float(predicted.value) == pytest.approx(share, abs=0.05 + slack)
        # the sums themselves: each forecast belongs to one sample
        single = sample_cover(draws, k, eps, radius)
        assert single[np.array(reached) <= eps].mean() > single[np.array(reached) > eps].mean() + 0.05


@pytest.mark.parametrize(
    ("n", "k", "expected", "hit", "cover"),
    PUBLISHED,
)
def test_published_simulations(n: int, k: int, expected: int, hit: float | None, cover: float | None) -> None:
    """Published to +-0.03; the saddlepoint prediction adds at most 0.02, its own drawing included."""
    eps = expected / (2 * math.comb(n, k) * float(U.sum_pdf(k**0.5, k)))
    if hit is not None:
        predicted = averaged_miss(n, k, eps, k**0.5, U)
        assert 1 - float(predicted.value) == pytest.approx(hit, abs=0.05)
    if cover is not None:
        assert float(averaged_cover(n, k, eps, k**0.5, U).value) == pytest.approx(cover, abs=0.05)


def test_one_element_is_exact() -> None:
    value = averaged_miss(50, 1, 0.01, [0.0, 0.995, 3.0], U)
    np.testing.assert_allclose(value.value, [0.99**50, (1 - 0.0075) ** 50, 1.0], rtol=1e-12)
    assert np.all(value.error == 0.0)
    # interior gaps of n uniform points, and two ends: exp(-n e^{-n eps} - 2 e^{-n eps/2})
    cover = averaged_cover(300, 1, 0.025, 1.0, U, samples=4000)
    expected = math.exp(-300 * math.exp(-7.5) - 2 * math.exp(-3.75))
    assert float(cover.value) == pytest.approx(expected, abs=0.04)
    # all but one of n: sums are the total minus one element
    miss = averaged_miss(9, 8, 0.2, 0.5, Normal(1.0), samples=20000)
    cox = averaged_miss(9, 8, 0.2, -0.5, Normal(1.0), samples=20000, seed=4)
    assert abs(float(miss.value - cox.value)) < 6 * math.hypot(float(miss.error), float(cox.error))


def test_averages_state_their_error() -> None:
    small = [averaged_miss(20, 5, 1e-3, 2.0, U, samples=200, seed=s) for s in range(40)]
    spread = np.std([float(a.value) for a in small], ddof=1)
    assert 0.6 * spread < np.mean([float(a.error) for a in small]) < 1.6 * spread
    assert float(small[3].value) == float(averaged_miss(20, 5, 1e-3, 2.0, U, samples=200, seed=3).value)


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match=r"`k` must be an integer in \[1, 3\]; got 4"):
        log_intensity([1.0, 2.0, 3.0, 4.0], 4, [0.0])
    with pytest.raises(InvalidInput, match=r"`samples` must hold at least two values each; got shape \(1,\)"):
        sample_misses([1.0], 1, 0.1, [0.0])
    with pytest.raises(InvalidInput, match=r"`form` must be one of 'saddlepoint', 'normal'; got 'exact'"):
        sample_cover([1.0, 2.0, 3.0], 1, 0.1, 1.0, form="exact")
    with pytest.raises(
        InvalidInput, match=r"`radius` must be at least `eps` = 0.5; got 0.1. Use `sample_misses`"
    ):
        sample_cover([1.0, 2.0, 3.0], 1, 0.5, 0.1)
    with pytest.raises(
        InvalidInput, match=r"`radius` must be at least `eps` = 0.5; got 0.1. Use `averaged_miss`"
    ):
        averaged_cover(5, 2, 0.5, 0.1, U)
    with pytest.raises(InvalidInput, match=r"`samples` must be an integer >= 2; got 1"):
        averaged_miss(5, 2, 0.5, 0.1, U, samples=1)
