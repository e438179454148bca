"""Tails, many copies and logarithms: exact integers, limits, and seams between methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from oracles.theory import log_uniform_sum

from slth.laws.contour import PRODUCT, UNIFORM, Transform, log_upper
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform

LAWS = [Uniform(), Normal(1.0), LiveProduct()]
IDS = ["uniform", "normal", "product"]


@pytest.mark.parametrize("k", [10, 32, 33, 100, 300])
def test_uniform_logarithms_equal_exact_integers(k: int) -> None:
    rng = np.random.default_rng(k)
    x = -np.concatenate(
        [rng.uniform(0, 3 * math.sqrt(k), 3), rng.uniform(0, k, 5), k - 10.0 ** rng.uniform(-3, 1, 4)]
    )
    for tail in (False, True):
        values = Uniform().sum_log_cdf(x, k) if tail else Uniform().sum_log_pdf(x, k)
        exact = [log_uniform_sum(Fraction(v), k, tail=tail) for v in x.tolist()]
        np.testing.assert_allclose(values, exact, rtol=1e-14, atol=3e-14)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 32, 33, 70, 2000])
def test_logarithms_belong_to_values(law: Law, k: int) -> None:
    x = np.linspace(-1.02, 0.98, 15) * min(k, 12 * math.sqrt(k))
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(law.sum_log_pdf(x, k), np.log(law.sum_pdf(x, k)), rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(law.sum_log_cdf(x, k), np.log(law.sum_cdf(x, k)), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("law", [Uniform(), LiveProduct()], ids=["uniform", "product"])
def test_ten_thousand_copies_are_nearly_normal(law: Law) -> None:
    """Edgeworth: f_k = phi (1 + kappa_4 He_4/(24 k sigma^4)) (1 + O(1/k^2)) in the bulk."""
    k = 10_000
    s = math.sqrt(k * law.variance)
    u = np.array([0.0, 0.7, -1.9, 3.0])
    excess = law.fourth_moment / law.variance**2 - 3
    expected = np.exp(-u * u / 2) / math.sqrt(2 * math.pi) / s * (1 + excess * (u**4 - 6 * u**2 + 3) / (24 * k))
    np.testing.assert_allclose(law.sum_pdf(u * s, k), expected, rtol=2e-7)
    third = law.sum_log_pdf(-0.9 * k, k)
    assert np.isfinite(third)
    assert third < -1000


def tilted_density(mgf: Callable[[mp.mpc], mp.mpc], x: float, k: int) -> mp.mpf:
    """f_k(x) = (1/pi) int_0^oo Re(M(c + i t)^k e^{-(c + i t) x}) dt through the saddlepoint c, in 40 digits."""
    with mp.workdps(40):
        log_m = lambda c: mp.log(mgf(mp.mpf(c)))  # noqa: E731
        c = (
            mp.findroot(lambda c: k * mp.diff(log_m, c) - x, mp.mpf(3 * x) / k + mp.mpf("1e-9"))
            if x
            else mp.mpf(0)
        )
        end = 14 / mp.sqrt(k * mp.diff(log_m, c, 2)) if x else mp.mpf(14 * 3) / mp.sqrt(k)
        scale = k * log_m(c) - c * x if x else mp.mpf(0)

        def integrand(t: mp.mpf) -> mp.mpf:
            s = mp.mpc(c, t)
            return mp.re(mp.exp(k * mp.log(mgf(s)) - s * x - scale))

        return mp.exp(scale) * mp.quad(integrand, [end * i / 16 for i in range(17)]) / mp.pi


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "mgf"),
    [
        (Uniform(), lambda s: mp.sinh(s) / s if s else mp.mpf(1)),
        (LiveProduct(), lambda s: mp.shi(s) / s if s else mp.mpf(1)),
    ],
    ids=["uniform", "product"],
)
@pytest.mark.parametrize("deviations", [0.0, 1.3, 6.0, 25.0])
def test_ten_thousand_copies_to_twelve_digits(
    law: Law, mgf: Callable[[mp.mpc], mp.mpc], deviations: float
) -> None:
    k = 10_000
    x = round(deviations * math.sqrt(k * law.variance), 2)
    assert float(law.sum_pdf(x, k)) == pytest.approx(float(tilted_density(mgf, x, k)), rel=1e-12)


@pytest.mark.parametrize(("transform", "law"), [(UNIFORM, Uniform()), (PRODUCT, LiveProduct())])
def test_the_contour_agrees_with_the_other_methods(transform: Transform, law: Law) -> None:
    for k in (7, 12, 30):
        y = np.linspace(0.0, 0.97 * k, 40)
        np.testing.assert_allclose(log_upper(transform, y, k, tail=False), law.sum_log_pdf(y, k), atol=2e-12)
        np.testing.assert_allclose(log_upper(transform, y, k, tail=True), law.sum_log_cdf(-y, k), atol=2e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 9, 40])
def test_no_seam_near_the_ends(k: int) -> None:
    """The power series at distance 1/2 of the end meets the other methods smoothly."""
    law = LiveProduct()
    for seam in (k - 0.5, math.sqrt(k)):
        if seam < k:
            step = 1e-9
            below, above = law.sum_log_pdf([seam - step, seam + step], k)
            slope = (law.sum_log_pdf(seam + 1e-4, k) - law.sum_log_pdf(seam - 1e-4, k)) / 2e-4
            assert above - below == pytest.approx(2 * step * slope, abs=3e-11)


def test_the_end_of_the_product_law() -> None:
    # 1 - XY has density u/2 near 0: k copies leave k - u a density u^{2k-1}/(2^k (2k-1)!)
    for k in (1, 2, 5, 50):
        u = 2.0**-40
        expected = (2 * k - 1) * math.log(u) - k * math.log(2) - math.lgamma(2 * k)
        assert float(LiveProduct().sum_log_pdf(k - u, k)) == pytest.approx(expected, rel=1e-11)
    assert LiveProduct().sum_log_pdf(3.0, 3) == -math.inf
    # P(XY > 1 - u) = ((1 - u) ln(1 - u) + u)/2
    u = mp.mpf(1) - mp.mpf(0.9990234375)
    assert float(LiveProduct().cdf(-0.9990234375)) == pytest.approx(
        float(((1 - u) * mp.log(1 - u) + u) / 2), rel=1e-9
    )


@pytest.mark.parametrize("law", LAWS, ids=IDS)
@pytest.mark.parametrize("k", [5, 40, 300])
def test_tail_windows_keep_their_digits(law: Law, k: int) -> None:
    """A short window is the density; wide ones are ratios of tails."""
    z = np.array([0.35, 0.6]) * k * math.sqrt(law.variance if law.name != "normal" else 1.0)
    np.testing.assert_allclose(law.window(z, 1e-9, k), 2e-9 * law.sum_pdf(z, k), rtol=1e-9)
    wide = np.exp(law.sum_log_cdf(-(z - 0.3), k)) - np.exp(law.sum_log_cdf(-(z + 0.3), k))
    np.testing.assert_allclose(law.window(z, 0.3, k), wide, rtol=1e-9)


def test_normal_logarithms_far_out() -> None:
    assert float(Normal(1.0).sum_log_cdf(-100.0, 1)) == pytest.approx(float(mp.log(mp.ncdf(-100))), rel=1e-14)
    assert float(Normal(1.0).sum_log_cdf(12.0, 1)) == pytest.approx(-float(mp.ncdf(-12)), rel=1e-12)
    assert float(Uniform().sum_log_cdf(20.0, 20)) == 0.0
