"""Enclosures: they hold exact values, they are narrow, and the fast functions agree with them."""

from __future__ import annotations

import math
import sys
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from oracles.theory import product_inversion, product_pdf_2, uniform_sum_cdf, uniform_sum_pdf

from slth.errors import InvalidInput, MissingExtra
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.rigor import Enclosure, sum_cdf_enclosure, sum_pdf_enclosure
from slth.laws.uniform import Uniform

pytest.importorskip("flint")

LAWS = [Uniform(), Normal(0.7), LiveProduct()]
IDS = ["uniform", "normal", "product"]


def test_uniform_sums_hold_exact_fractions() -> None:
    rng = np.random.default_rng(1)
    for k in (2, 3, 7, 30):
        for x in [*rng.uniform(-k, k, 6), 0.0, float(k - 2), -k + 1e-9]:
            box = sum_pdf_enclosure(Uniform(), x, k)
            assert Fraction(box.low) <= uniform_sum_pdf(Fraction(x), k) <= Fraction(box.high)
            box = sum_cdf_enclosure(Uniform(), x, k)
            assert Fraction(box.low) <= uniform_sum_cdf(Fraction(x), k) <= Fraction(box.high)
            assert box.high - box.low <= 5e-16 * box.high + 1e-320


def test_other_laws_hold_values_of_mpmath() -> None:
    with mp.workdps(30):
        assert float(mp.npdf(1.5, 0, 0.5 * mp.sqrt(3))) in sum_pdf_enclosure(Normal(0.5), 1.5, 3)
        assert float(mp.ncdf(-1.5, 0, 0.5 * mp.sqrt(3))) in sum_cdf_enclosure(Normal(0.5), -1.5, 3)
        density, cdf = product_inversion(-2.25, 12, reach=40.0)
        assert float(density) == pytest.approx(sum_pdf_enclosure(LiveProduct(), -2.25, 12).middle, rel=1e-12)
        assert float(cdf) == pytest.approx(sum_cdf_enclosure(LiveProduct(), -2.25, 12).middle, rel=1e-12)
        for x in (0.0, 0.3, 1.0, 1.7):
            assert float(product_pdf_2(x)) == pytest.approx(
                sum_pdf_enclosure(LiveProduct(), x, 2).middle, rel=1e-13
            )


def test_cdf_enclosures_are_integrals_of_density_enclosures() -> None:
    """k = 2, 3, 6 come from three methods; each density integrated from 0.2 to 0.9 by Gauss-Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    law = LiveProduct()
    for k in (2, 3, 6):
        densities = [sum_pdf_enclosure(law, float(x), k, digits=9).middle for x in 0.55 + 0.35 * nodes]
        ends = [sum_cdf_enclosure(law, x, k, digits=12).middle for x in (0.2, 0.9)]
        assert 0.35 * weights @ densities == pytest.approx(ends[1] - ends[0], abs=1e-8)


def agreement(law: Law, count: int, seed: int, largest: int) -> None:
    """Random k and x over bulk and tails: relative 1e-12 beside the width of the interval and subnormals."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        k = int(rng.integers(1, largest + 1))
        reach = k if law.name != "normal" else 30 * math.sqrt(k)
        scale = min(reach, 4 * math.sqrt(k * law.variance)) if rng.random() < 0.5 else reach
        x = float(rng.uniform(-scale, scale))
        for box, value in (
            (sum_pdf_enclosure(law, x, k, digits=14), float(law.sum_pdf(x, k))),
            (sum_cdf_enclosure(law, x, k, digits=14), float(law.sum_cdf(x, k))),
        ):
            slack = 1e-12 * box.high + 1e-307
            assert box.low - slack <= value <= box.high + slack, (k, x)
            assert box.high - box.low <= 1e-12 * box.high + 1e-307, (k, x)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_agreement_at_random_points(law: Law) -> None:
    agreement(law, 25, 3, 200 if law.name != "product" else 60)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_agreement_at_200_random_points(law: Law) -> None:
    agreement(law, 200, 4, 200)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_few_live_products(k: int) -> None:
    law = LiveProduct()
    for x in (-0.9 * k, -0.55 * k, -k + 0.5, -k + 0.01, -0.3, 0.45 * k):
        digits = 12 if k == 5 else 20
        pdf, cdf = sum_pdf_enclosure(law, x, k, digits=digits), sum_cdf_enclosure(law, x, k, digits=digits)
        assert float(law.sum_pdf(x, k)) == pytest.approx(pdf.middle, rel=1e-12)
        assert float(law.sum_cdf(x, k)) == pytest.approx(cdf.middle, rel=1e-12)


def test_ends_and_outside() -> None:
    for law in (Uniform(), LiveProduct()):
        assert sum_pdf_enclosure(law, 3.5, 3) == Enclosure(0.0, 0.0)
        assert sum_cdf_enclosure(law, 3.5, 3) == Enclosure(1.0, 1.0)
        assert sum_cdf_enclosure(law, -3.5, 3) == Enclosure(0.0, 0.0)
        assert 0.5 in sum_cdf_enclosure(law, 0.0, 3)
    assert sum_pdf_enclosure(Uniform(), -1.0, 1) == Enclosure(0.5, 0.5)
    assert sum_pdf_enclosure(LiveProduct(), 0.0, 1).high == math.inf
    assert sum_pdf_enclosure(LiveProduct(), 0.0, 2).low == 1.0


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match=r"`k` must be an integer in \[1, 2000\]; got 2001"):
        sum_pdf_enclosure(Uniform(), 0.0, 2001)
    with pytest.raises(InvalidInput, match=r"`digits` must be an integer in \[1, 100\]; got 0"):
        sum_pdf_enclosure(Uniform(), 0.0, 2, digits=0)
    with pytest.raises(InvalidInput, match=r"`law` must be Uniform, Normal or LiveProduct; got str"):
        sum_pdf_enclosure("uniform", 0.0, 2)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(MissingExtra, match=r"python-flint; install it with `pip install slth\[rigor\]`"):
        sum_cdf_enclosure(Uniform(), 0.0, 2)
