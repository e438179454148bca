"""Constants of sum-boundedness on any range, against the published sequences and their limits."""

from __future__ import annotations

import math

import pytest

from slth.errors import InvalidInput
from slth.laws.custom import FromPdf
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.moments import sum_bounds


def test_published_sequences_of_the_uniform_law() -> None:
    centre = {1: "0.50000", 2: "0.70711", 3: "0.64952", 4: "0.66667", 5: "0.66966", 6: "0.67361"}
    edge = {
        1: "0.50000",
        2: "0.20711",
        3: "0.17404",
        4: "0.16667",
        5: "0.16496",
        6: "0.16281",
        10: "0.15912",
        100: "0.15465",
    }
    law = Uniform()
    assert {k: f"{math.sqrt(k) * float(law.sum_pdf(0.0, k)):.5f}" for k in centre} == centre
    assert {k: f"{math.sqrt(k) * float(law.sum_pdf(math.sqrt(k), k)):.5f}" for k in edge} == edge


@pytest.mark.parametrize("law", [Uniform(), Normal(1.0), Normal(0.4), LiveProduct()])
def test_the_usual_range_both_ways(law: Law) -> None:
    usual = sum_bounds(law)
    again = sum_bounds(law, reach=usual.reach, k_min=usual.k_min)
    assert again.c_l == pytest.approx(usual.c_l, rel=1e-10)
    assert again.c_u == pytest.approx(usual.c_u, rel=1e-10)


def test_other_ranges() -> None:
    wide = sum_bounds(Uniform(), reach=1.5, k_min=3)
    assert wide.c_l < 0.0237
    assert wide.c_u == pytest.approx(math.sqrt(3 / (2 * math.pi)), rel=1e-12)
    assert sum_bounds(Uniform(), reach=1.5).c_l == 0.0  # one copy does not reach that far
    assert sum_bounds(LiveProduct(), reach=0.1, k_min=3).c_l > 1.0
    values = [sum_bounds(Uniform(), reach=r).c_l for r in (0.0, 0.3, 0.6, 1.0)]
    assert values == sorted(values, reverse=True)
    assert not sum_bounds(Uniform(), reach=0.5).sum_bounded


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match=r"`law` must be Uniform, Normal or LiveProduct; got FromPdf"):
        sum_bounds(FromPdf(lambda x: 0.75 * (1 - x * x), -1.0, 1.0), reach=0.5)
    with pytest.raises(InvalidInput, match=r"`reach` must be a finite number >= 0.0; got -1"):
        sum_bounds(Uniform(), reach=-1)
    with pytest.raises(InvalidInput, match=r"`k_min` must be an integer >= 1; got 0"):
        sum_bounds(Uniform(), k_min=0)
