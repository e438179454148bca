"""Densities, distribution functions and windows of sums, against exact fractions, mpmath and calculus."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.theory import (
    product_inversion,
    product_pdf_2,
    product_pdf_3,
    uniform_sum_cdf,
    uniform_sum_pdf,
)

from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.laws.named import LAW_NAMES, law_by_name
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform

LAWS = [Uniform(), Normal(1.0), Normal(0.3), LiveProduct()]
IDS = ["uniform", "normal", "narrow", "product"]


@pytest.mark.parametrize(
    ("k", "centre", "edge"),
    [
        (2, "0.5", "0.14644661"),
        (3, "0.375", "0.10048095"),
        (4, "0.33333333", "0.08333333"),
        (5, "0.29947917", "0.0737712"),
        (8, "0.23968254", "0.0567324"),
    ],
)
def test_published_values_of_uniform_sums(k: int, centre: str, edge: str) -> None:
    law = Uniform()
    assert f"{float(law.sum_pdf(0.0, k)):.{len(centre) - 2}f}" == centre
    assert f"{float(law.sum_pdf(math.sqrt(k), k)):.{len(edge) - 2}f}" == edge
    assert float(law.sum_pdf(0.0, 5)) == pytest.approx(115 / 384, rel=1e-15)


@given(st.integers(2, 40), st.floats(-1.05, 1.05))
def test_uniform_sums_equal_exact_fractions(k: int, share: float) -> None:
    x = share * k
    law = Uniform()
    pdf, cdf = float(law.sum_pdf(x, k)), float(law.sum_cdf(x, k))
    assert pdf == pytest.approx(float(uniform_sum_pdf(Fraction(x), k)), rel=4e-15 * k, abs=1e-300)
    assert cdf == pytest.approx(float(uniform_sum_cdf(Fraction(x), k)), rel=4e-15 * k, abs=1e-300)


@pytest.mark.parametrize(
    "x", [0.0, -0.6e-16, 1e-16, 1.0, -1.0, 2.0, 4.0, -4.0, 1.0 - 2**-53, -1.0 - 2**-52, 8.0]
)
@pytest.mark.parametrize("k", [2, 3, 4, 8])
def test_knots_are_not_counted_twice(x: float, k: int) -> None:
    # where a piece ends, a closed interval would double the value
    expected = float(uniform_sum_pdf(Fraction(x), k))
    assert float(Uniform().sum_pdf(x, k)) == pytest.approx(expected, rel=1e-13, abs=1e-15)
    assert float(Uniform().sum_cdf(x, k)) == pytest.approx(float(uniform_sum_cdf(Fraction(x), k)), rel=1e-13)


def test_lower_tails_keep_their_digits() -> None:
    x = Fraction(-299, 10)
    assert float(Uniform().sum_cdf(float(x), 30)) == pytest.approx(
        float(uniform_sum_cdf(Fraction(float(x)), 30)), rel=1e-11
    )
    assert float(Normal(1.0).sum_cdf(-60.0, 4)) == pytest.approx(float(mp.ncdf(-30)), rel=1e-12)


@pytest.mark.parametrize("x", [0.0, 1e-9, 0.3, 0.9999999, 1.0, 1.3, 1.999, 2.0, -0.7])
def test_two_live_products(x: float) -> None:
    assert float(LiveProduct().sum_pdf(x, 2)) == pytest.approx(float(product_pdf_2(x)), abs=2e-15)


def test_three_live_products() -> None:
    for x in (0.4, 1.5):
        assert float(LiveProduct().sum_pdf(x, 3)) == pytest.approx(float(product_pdf_3(x)), abs=1e-9)


@pytest.mark.parametrize("x", [0.0, 0.5, -2.25])
def test_many_live_products(x: float) -> None:
    density, cdf = product_inversion(x, 8)
    law = LiveProduct()
    assert float(law.sum_pdf(x, 8)) == pytest.approx(float(density), abs=1e-13)
    assert float(law.sum_cdf(x, 8)) == pytest.approx(float(cdf), abs=1e-13)


def test_one_live_product_in_closed_form() -> None:
    law = LiveProduct()
    x = np.array([-2.0, -1.0, -0.25, 0.25, 0.5, 1.0, 3.0])
    np.testing.assert_allclose(law.pdf(x), [0, 0, math.log(2), math.log(2), math.log(2) / 2, 0, 0], rtol=1e-15)
    np.testing.assert_allclose(
        law.cdf(x[2:4]), [0.5 - 0.125 * (1 + math.log(4)), 0.5 + 0.125 * (1 + math.log(4))]
    )
    assert law.pdf(0.0) == math.inf
    # near the end of the support the mass is that of a triangle: (1 - x)^2/4
    assert float(law.cdf(-1.0 + 1e-7)) == pytest.approx(1e-14 / 4, rel=1e-6)


def integral(law: Law, k: int, power: int) -> float:
    """int x^power f_k(x) dx on panels that end at the integers."""
    reach = float(k) if law.name != "normal" else 12.0 * math.sqrt(k * law.variance)
    edges = np.unique(np.concatenate([np.linspace(-reach, reach, 41), np.arange(-k, k + 1.0)]))
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half = np.diff(edges)[:, None] / 2
    # u -> u^3 crowds the nodes at both ends of a panel, where the density may be singular
    bend, slope = 0.5 * (3 * nodes - nodes**3), 1.5 * (1 - nodes**2)
    x = edges[:-1, None] + half * (1 + bend)
    return float((half * weights * slope * x**power * law.sum_pdf(x, k)).sum())


@pytest.mark.parametrize("law", LAWS, ids=IDS)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 9])
def test_densities_have_mass_one_and_the_right_variance(law: Law, k: int) -> None:
    loose = 1e-4 if law.name == "product" and k == 1 else 1e-6
    assert integral(law, k, 0) == pytest.approx(1.0, abs=loose)
    assert integral(law, k, 2) == pytest.approx(k * law.variance, rel=1e-6)
    fourth = k * law.fourth_moment + 3 * k * (k - 1) * law.variance**2
    assert integral(law, k, 4) == pytest.approx(fourth, rel=1e-6)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 7])
def test_the_density_is_the_slope_of_the_cdf(law: Law, k: int) -> None:
    x = np.array([-1.37, -0.61, -0.2, 0.13, 0.45, 0.77, 1.6]) * (0.6 if k == 1 else 1.0)
    h = 1e-4
    five_point = (8 * (law.sum_cdf(x + h, k) - law.sum_cdf(x - h, k))) / (12 * h) - (
        law.sum_cdf(x + 2 * h, k) - law.sum_cdf(x - 2 * h, k)
    ) / (12 * h)
    np.testing.assert_allclose(law.sum_pdf(x, k), five_point, atol=2e-8)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 6, 20])
@pytest.mark.parametrize("eps", [1e-3, 0.04, 0.3, 1.7, 50.0])
def test_windows_are_differences_of_the_cdf(law: Law, k: int, eps: float) -> None:
    z = np.array([-30.0, -1.01, -0.5, 0.0, 0.3, 0.999, 1.0, 2.5, float(k)])
    expected = law.sum_cdf(z + eps, k) - law.sum_cdf(z - eps, k)
    np.testing.assert_allclose(law.window(z, eps, k), expected, rtol=1e-10, atol=2e-14)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
@pytest.mark.parametrize("k", [2, 3, 5, 12])
def test_tiny_windows_do_not_cancel(law: Law, k: int) -> None:
    z = np.array([0.31, 0.77, -1.21])
    np.testing.assert_allclose(law.window(z, 1e-12, k), 2e-12 * law.sum_pdf(z, k), rtol=1e-9)


def test_uniform_window_across_a_knot_is_exact() -> None:
    for k in (1, 2, 3, 6, 11):
        for z, eps in ((k - 2.0, 1e-3), (float(k), 0.2), (k - 2.1, 0.49), (0.0, 0.25)):
            low, high = Fraction(z) - Fraction(eps), Fraction(z) + Fraction(eps)
            exact = float(uniform_sum_cdf(high, k) - uniform_sum_cdf(low, k))
            assert float(Uniform().window(z, eps, k)) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_arrays_scalars_and_emptiness(law: Law) -> None:
    x = np.array([[0.1, -0.2], [0.7, 5.0]])
    for k in (1, 2, 3, 4):
        for function in (law.sum_pdf, law.sum_cdf):
            values = function(x, k)
            assert values.shape == (2, 2)
            assert values[0, 1] == pytest.approx(float(function(-0.2, k)), rel=1e-14)
            assert function(np.zeros(0), k).shape == (0,)
        assert law.window(x, 0.01, k).shape == (2, 2)
        assert law.window(np.zeros(0), 0.01, k).shape == (0,)
    np.testing.assert_array_equal(law.sum_pdf(x, 3), law.sum_pdf(-x, 3))
    assert law.pdf(0.3) == law.sum_pdf(0.3, 1)
    assert law.cdf(0.3) == law.sum_cdf(0.3, 1)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_samples_follow_the_cdf(law: Law) -> None:
    """Dvoretzky-Kiefer-Wolfowitz with Massart's constant: false alarm at most 1e-6 for each k."""
    size = 20_000
    for k in (1, 3):
        draws = np.sort(law.sample(np.random.default_rng([7, k]), (size, k)).sum(axis=1))
        expected = law.sum_cdf(draws, k)
        ranks = np.arange(size + 1) / size
        distance = max(np.abs(expected - ranks[1:]).max(), np.abs(expected - ranks[:-1]).max())
        assert distance <= math.sqrt(math.log(2 / 1e-6) / (2 * size))


def test_the_sampling_test_would_notice() -> None:
    draws = np.sort(np.random.default_rng(7).uniform(-1, 1, 20_000))
    distance = np.abs(LiveProduct().cdf(draws) - np.arange(1, 20_001) / 20_000).max()
    assert distance > math.sqrt(math.log(2 / 1e-6) / 40_000)


def test_laws_by_name() -> None:
    assert [law_by_name(word).name for word in LAW_NAMES] == list(LAW_NAMES)
    assert [law.variance for law in map(law_by_name, LAW_NAMES)] == [1 / 3, 1.0, 1 / 9]
    with pytest.raises(
        InvalidInput, match=r"`law` must be one of 'uniform', 'normal', 'product'; got 'cauchy'"
    ):
        law_by_name("cauchy")


def test_refusals() -> None:
    law = Uniform()
    with pytest.raises(InvalidInput, match=r"`k` must be an integer >= 1; got 0"):
        law.sum_pdf(0.0, 0)
    with pytest.raises(InvalidInput, match=r"`k` must be an integer >= 1; got 2.5"):
        law.sum_cdf(0.0, 2.5)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"`x` must be finite; got nan at index 1"):
        law.pdf([0.0, math.nan])
    with pytest.raises(InvalidInput, match=r"`x` must be an array of real numbers"):
        law.pdf("0.5")
    with pytest.raises(InvalidInput, match=r"`eps` must be a finite number > 0.0; got 0.0"):
        law.window(0.0, 0.0, 1)
    with pytest.raises(InvalidInput, match=r"`s` must be a finite number > 0.0; got -1"):
        Normal(-1.0)
