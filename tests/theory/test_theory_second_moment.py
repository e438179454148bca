"""The second moment overlap by overlap: published r_i, h_i and R_0, and independent integrals."""

from __future__ import annotations

import math

import pytest
from oracles.theory import overlap_probability, overlap_ratio

from slth.errors import InvalidInput
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.second_moment import _both, second_moment_bound

LAW = Uniform()
RATIOS = {
    (2, False): "1 1",
    (2, True): "1 3.414214",
    (3, False): "1 1.037037 1.333333",
    (5, False): "1 1.009102 1.072151 1.216605 1.669565",
    (5, True): "1 1.636416 2.489601 3.677589 6.777709",
    (8, False): "1 1.00333 1.02524 1.06800 1.13918 1.25617 1.46700 2.08609",
}


@pytest.mark.parametrize(("k", "edge"), list(RATIOS))
def test_published_overlap_ratios(k: int, edge: bool) -> None:
    """r_i = lim q_i/p^2 as eps -> 0, i = 0, ..., k-1."""
    z, eps = (math.sqrt(k) if edge else 0.0), 1e-7
    p = float(LAW.window(z, eps, k))
    published = RATIOS[k, edge].split()
    for i, text in enumerate(published):
        value = 1.0 if i == 0 else _both(i, k, eps, z, LAW, p)
        tolerance = 0.51 * 10.0 ** -(len(text.partition(".")[2]) or 9) + 3e-6
        assert value == pytest.approx(float(text), abs=tolerance)
        assert value == pytest.approx(overlap_ratio(k, i, z), rel=3e-6)
    if k > 2:
        # one element differs: the rest must land within eps, so r_{k-1} = 1/(2 f_k(z))
        assert float(published[-1]) == pytest.approx(1 / (2 * float(LAW.sum_pdf(z, k))), rel=1e-5)


def test_published_overlap_probabilities() -> None:
    published = "0.19369195 0.44020898 0.29347265 0.06772446 0.00483746"
    values = [overlap_probability(20, 5, i) for i in range(6)]
    assert " ".join(f"{float(h):.8f}" for h in values[:5]) == published
    assert f"{float(values[5]):.2e}" == "6.45e-05"
    assert sum(values) == 1


@pytest.mark.parametrize(
    ("n", "k", "centre", "edge"),
    [
        (20, 5, "1.04303", "1.92654"),
        (24, 8, "1.06808", "2.27575"),
        (50, 5, "1.00911", "1.33666"),
        (100, 10, "1.00688", "1.32755"),
        (60, 30, "1.1574", "3.1478"),
        (500, 10, "1.00061", "1.06243"),
    ],
)
def test_published_sums_over_overlaps(n: int, k: int, centre: str, edge: str) -> None:
    """R_0 = sum over i < k of h_i r_i, read off as 1/bound - 1/(expected hits) at a tiny tolerance."""
    for z, text in ((0.0, centre), (math.sqrt(k), edge)):
        eps = max(1e-9, 1e-3 / math.comb(n, k))
        while math.comb(n, k) * float(LAW.window(z, eps, k)) < 1e3 and eps < 1e-6:
            eps *= 10
        hits = math.comb(n, k) * float(LAW.window(z, eps, k))
        value = 1 / second_moment_bound(n, k, eps, z, LAW) - 1 / hits
        digits = len(text.partition(".")[2])
        assert value == pytest.approx(float(text), abs=0.6 * 10.0**-digits)


@pytest.mark.parametrize(
    ("n", "k", "centre", "edge"),
    [(20, 5, "1.055901", "1.286309"), (100, 10, "1.009507", "1.102960"), (60, 30, "1.161473", "1.621704")],
)
def test_published_sums_for_the_normal_law(n: int, k: int, centre: str, edge: str) -> None:
    law = Normal(1.0)
    for z, text in ((0.0, centre), (math.sqrt(k), edge)):
        hits = math.comb(n, k) * float(law.window(z, 1e-5, k))
        value = 1 / second_moment_bound(n, k, 1e-5, z, law) - 1 / hits
        assert value == pytest.approx(float(text), abs=1e-5 if k < 30 else 1e-4)


def test_a_bound_is_a_probability_even_for_absurd_tolerances() -> None:
    for eps in (1e-300, 1e-170, 1e-12, 0.3, 50.0):
        for law in (LAW, Normal(2.0)):
            assert 0.0 <= second_moment_bound(12, 4, eps, 0.5, law) <= 1.0
    assert second_moment_bound(12, 4, 1e-3, 100.0, LAW) == 0.0
    with pytest.raises(
        InvalidInput, match=r"`law` must be Uniform or Normal for the second moment; got LiveProduct"
    ):
        second_moment_bound(5, 2, 0.1, 0.0, LiveProduct())
