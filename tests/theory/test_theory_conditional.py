"""Conditional second moment and two halves: published values, closed forms, and never above the truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from oracles.theory import conditional_normal, covering_radius_of_sums
from scipy.integrate import simpson
from scipy.stats import beta

from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.conditional import conditional_bound, overlaps
from slth.theory.halves import two_halves_bound
from slth.theory.second_moment import second_moment_bound

U = Uniform()


@pytest.mark.parametrize(
    ("n", "k", "edge", "expected", "plain", "conditional"),
    [(30, 6, False, 3, 0.7353, 0.7430), (30, 6, True, 30, 0.5742, 0.8687), (40, 10, True, 30, 0.5175, 0.8599)],
)
def test_published_rows(n: int, k: int, edge: bool, expected: float, plain: float, conditional: float) -> None:
    z = math.sqrt(k) if edge else 0.0
    eps = expected / (2 * math.comb(n, k) * float(U.sum_pdf(z, k)))
    assert conditional_bound(n, k, eps, z, U, limit=True) == pytest.approx(conditional, abs=6e-5)
    assert second_moment_bound(n, k, eps, z, U) == pytest.approx(plain, abs=6e-5)
    # the bound pays a little for a tolerance that is not infinitesimal, and only a little
    bound = conditional_bound(n, k, eps, z, U)
    assert conditional - 5e-4 < bound < conditional + 5e-5


@pytest.mark.parametrize(("n", "k", "z"), [(20, 5, 1.0), (30, 20, 2.0), (100, 50, 7.0), (41, 3, 0.0)])
def test_normal_law_equals_the_closed_form(n: int, k: int, z: float) -> None:
    for hits in (0.1, 3.0, 300.0):
        eps = hits / (2 * math.comb(n, k) * float(Normal(1.0).sum_pdf(z, k)))
        if eps < 1e-3:
            expected = conditional_normal(n, k, eps, z)
            assert conditional_bound(n, k, eps, z, Normal(1.0)) == pytest.approx(expected, rel=2e-3)
            assert conditional_bound(n, k, eps, z, Normal(1.0), limit=True) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("share", "published"),
    [(0.25, {100: 0.0118, 400: 0.0030}), (0.5, {400: 0.0158})],
)
def test_failure_decays_like_one_over_n(share: float, published: dict[int, float]) -> None:
    """A million expected hits at the edge, normal law."""
    for n, failure in published.items():
        k = int(share * n)
        eps = 0.5e6 / float(math.comb(n, k)) / float(Normal(1.0).sum_pdf(math.sqrt(k), k))
        value = 1 - conditional_bound(n, k, eps, math.sqrt(k), Normal(1.0))
        assert value == pytest.approx(failure, rel=0.03)


@pytest.mark.parametrize(
    ("share", "edge", "centre"), [(0.5, 0.3186, 0.866), (0.25, 0.531, 0.968), (0.1, 0.757, 0.995)]
)
def test_limit_of_the_plain_second_moment(share: float, edge: float, centre: float) -> None:
    """1/r = sqrt(1 - g^2) exp(-u g/(1 + g)), u = z^2/(k s^2): 3 at the edge of uniforms and of N(0, 1/3)."""
    k = 60
    law = Normal(math.sqrt(1 / 3))
    for z, text in ((math.sqrt(k), edge), (0.0, centre)):
        value = second_moment_bound(round(k / share), k, 1e-6, z, law)
        assert value == pytest.approx(text, abs=0.012)


def test_overlap_probabilities() -> None:
    for n, k in ((20, 5), (12, 9), (10, 5)):
        assert sum(h for _, h in overlaps(n, k)) == pytest.approx(1 - 1 / math.comb(n, k), rel=1e-12)
    assert overlaps(12, 9)[0][0] == 6


def hits_and_covers(
    law: Law, n: int, k: int, z: float, radius: float, trials: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distance of z from the nearest sum, and covering radius, for each of many samples."""
    subsets = np.array(list(itertools.combinations(range(n), k)))
    draws = law.sample(np.random.default_rng([3, n, k]), (trials, n))
    near, reached = [], []
    for row in draws:
        sums = row[subsets].sum(axis=1)
        near.append(np.abs(sums - z).min())
        reached.append(covering_radius_of_sums(sums, radius))
    return np.array(near), np.array(reached)


@pytest.mark.parametrize(
    ("law", "n", "k"),
    [(U, 12, 4), (U, 10, 5), (U, 10, 8), (U, 12, 8), (Normal(1.0), 12, 6), (Normal(0.5), 11, 8)],
)
def test_bounds_stay_below_the_truth(law: Law, n: int, k: int) -> None:
    """Upper ends of exact intervals at 1e-8 for each of some tens of comparisons: false alarm below 1e-6."""
    trials = 1500
    for z in (0.0, 1.0):
        near, reached = hits_and_covers(law, n, k, z, 0.6, trials)
        for eps in (0.002, 0.02, 0.1, 0.4):
            hits = int((near <= eps).sum())
            upper = 1.0 if hits == trials else float(beta.ppf(1 - 1e-8, hits + 1, trials - hits))
            value = conditional_bound(n, k, eps, z, law)
            assert 0.0 <= value <= upper
            assert second_moment_bound(n, k, eps, z, law) <= upper
            covers = int((reached <= eps).sum())
            upper = 1.0 if covers == trials else float(beta.ppf(1 - 1e-8, covers + 1, trials - covers))
            assert two_halves_bound(n, k, eps, 0.6, law) <= upper


def test_all_but_one_of_the_sample() -> None:
    """k = n - 1: two subsets together are the sample. Taking that to fix their sums gave 0.75 for 0.37."""
    n, k, z, trials = 10, 9, 1.5, 20_000
    draws = U.sample(np.random.default_rng(9), (trials, n))
    near = np.abs(draws.sum(axis=1, keepdims=True) - draws - z).min(axis=1)
    for eps in (0.05, 0.4):
        hits = int((near <= eps).sum())
        assert 0.05 < conditional_bound(n, k, eps, z, U) <= float(beta.ppf(1 - 1e-8, hits + 1, trials - hits))


def test_a_planted_excess_is_seen() -> None:
    """The annealed probability is above the truth, and the comparison above would say so."""
    n, k, trials = 12, 6, 1500
    near, _ = hits_and_covers(Normal(1.0), n, k, 3.0, 0.5, trials)
    eps = 0.02
    hits = int((near <= eps).sum())
    annealed = 1 - math.exp(-math.comb(n, k) * float(Normal(1.0).window(3.0, eps, k)))
    assert annealed > float(beta.ppf(1 - 1e-8, hits + 1, trials - hits))


@pytest.mark.parametrize("law", [U, Normal(1.0)])
def test_monotone_in_eps(law: Law) -> None:
    values = [conditional_bound(16, 5, eps, 1.0, law) for eps in np.geomspace(1e-6, 0.01, 12)]
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(values))
    assert values[0] < 0.1 < 0.5 < values[-1]


def test_two_halves() -> None:
    # n H2 = 750 bits, log2(k/eps) = 346
    assert two_halves_bound(1600, 160, 160 * 2.0**-346, 160**0.5, Normal(1.0)) > 0.995
    assert two_halves_bound(20, 6, 1e-9, 1.0, Normal(1.0)) == 0.0
    assert two_halves_bound(40, 12, 1e-2, 1.0, U) > 0.8
    odd = two_halves_bound(61, 21, 1e-3, 1.0, Normal(1.0))
    assert two_halves_bound(60, 20, 1e-3, 1.0, Normal(1.0)) == pytest.approx(odd, abs=0.02)


@pytest.mark.parametrize(
    ("n", "k", "law", "reach"), [(30, 11, U, 1.2), (31, 12, Normal(1.0), None), (34, 12, Normal(1.0), 0.9)]
)
def test_two_halves_is_markov_for_the_shares_that_both_parts_miss(
    n: int, k: int, law: Law, reach: float | None
) -> None:
    a, eps, radius = reach or math.sqrt(0.5), 0.05, 1.0
    z = np.linspace(0, a, 21)
    shares = [
        simpson([1 - conditional_bound(m, j, eps / 2, float(t), law) for t in z], x=z) / a
        for m, j in ((n // 2, k // 2), (n - n // 2, k - k // 2))
    ]
    expected = 1 - sum(shares) / (1 - radius / (2 * a))
    assert 0.3 < expected < 0.97
    assert two_halves_bound(n, k, eps, radius, law, reach=reach) == pytest.approx(expected, abs=1e-4)


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match=r"`law` must be Uniform or Normal .* got LiveProduct"):
        conditional_bound(10, 3, 0.1, 0.0, LiveProduct())
    with pytest.raises(InvalidInput, match=r"`n` must be an integer in \[2, 10000\]; got 10001"):
        conditional_bound(10001, 3, 0.1, 0.0, U)
    with pytest.raises(InvalidInput, match=r"`reach` must be above half of `radius` = 2.0; got 1.0"):
        two_halves_bound(10, 4, 0.1, 2.0, U, reach=1.0)
    with pytest.raises(InvalidInput, match=r"`k` must be an integer in \[2, 8\]; got 9"):
        two_halves_bound(10, 9, 0.1, 2.0, U)
