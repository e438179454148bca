"""Theorem 5: published numbers in both normalisations, exact counts, and the sizes they forbid."""

from __future__ import annotations

import math

import mpmath as mp
import pytest
from oracles.theory import lower_bound_norm_1, lower_bound_printed

from slth.errors import InvalidInput
from slth.theory.bounds import bound
from slth.theory.lower_bounds import LAMBDA_0, least_overparameterization, least_parameters, needed_bits

DENSITIES = (0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-6)


@pytest.mark.parametrize(
    ("density", "printed", "norm_1"),
    [
        (0.5, "11.2091", "5.6446"),
        (0.1, "22.4962", "12.035"),
        (1e-2, "125.368", "69.864"),
        (1e-3, "864.381", "494.8"),
        (1e-4, "6558.95", "3831.9"),
        (1e-6, "438424", "2.6408e+05"),
    ],
)
def test_published_numbers(density: float, printed: str, norm_1: str) -> None:
    values = bound("theorem-5", eps=1e-2, d=100, density=density).values
    assert f"{values['overparameterization_printed']:.6g}" == printed
    digits = len(norm_1.split("e")[0].replace(".", ""))
    assert f"{values['overparameterization_norm_1']:.{digits}g}" == norm_1


@pytest.mark.parametrize("density", DENSITIES)
def test_roots_equal_bisection_in_forty_digits(density: float) -> None:
    for kind, oracle in (("printed", lower_bound_printed), ("norm-1", lower_bound_norm_1)):
        x = least_overparameterization(1e4, 1e-2, density, kind)
        assert x == pytest.approx(float(oracle(1e4, 1e-2, density)), rel=1e-12)


@pytest.mark.parametrize("kind", ["norm-1", "printed"])
@pytest.mark.parametrize("density", [0.5, 0.3, 0.1, 0.02])
def test_exact_sizes_are_least(kind: str, density: float) -> None:
    d, eps = 6, 1e-2
    n, k = least_parameters(float(d * d), eps, density, kind)
    assert k == max(1, round(density * n))

    def enough(size: int) -> bool:
        chosen = max(1, round(density * size))
        radius = math.sqrt(chosen) if kind == "printed" else 1.0
        wanted = mp.mpf(radius / (2 * eps)) ** (d * d) / 2
        return chosen < size and math.comb(size, chosen) >= wanted

    assert [m for m in range(2, n + 1) if enough(m)] == [n]


def test_asymptotic_and_exact_agree_for_norm_1() -> None:
    for density in (0.5, 0.1, 1e-2):
        n, _ = least_parameters(1e4, 1e-2, density, "norm-1")
        x = least_overparameterization(1e4, 1e-2, density, "norm-1")
        assert x is not None
        assert n == pytest.approx(x * 1e4, rel=1e-4)


def test_the_printed_inequality_is_weaker_than_its_own_count() -> None:
    """n >= (d^2/2) log2(k/eps)/H2 has lost the constant of (1/2)(sqrt(k)/(2 eps))^{d^2}."""
    x = least_overparameterization(1e4, 1e-2, 0.5, "printed")
    n, k = least_parameters(1e4, 1e-2, 0.5, "printed")
    assert x is not None
    assert x * 1e4 < n
    assert (n, k) == (136753, 68376)


def test_monotone() -> None:
    for kind in ("norm-1", "printed"):
        sizes = [least_overparameterization(1e4, eps, 0.1, kind) for eps in (0.05, 1e-2, 1e-4, 1e-9)]
        assert sizes == sorted(sizes)  # type: ignore[type-var]
        sizes = [least_overparameterization(1e4, 1e-2, density, kind) for density in DENSITIES]
        assert sizes == sorted(sizes)  # type: ignore[type-var]


def test_given_sizes() -> None:
    few = bound("theorem-5", eps=1e-2, d=10, n=1000, k=100)
    assert few.values["available_bits"] == pytest.approx(math.log2(math.comb(1000, 100)), rel=1e-12)
    assert few.values["needed_bits_norm_1"] == pytest.approx(100 * math.log2(50) - 1)
    assert few.values["needed_bits_printed"] == pytest.approx(100 * math.log2(500) - 1)
    assert few.values["impossible_norm_1"] is True
    many = bound("theorem-5", eps=1e-2, d=10, n=2000, k=500)
    assert many.values["impossible_norm_1"] is False
    assert many.holds


def test_hypotheses() -> None:
    assert bound("theorem-5", eps=0.1, d=10, density=0.1).holds is False
    assert bound("theorem-5", eps=0.01, d=10, density=0.9).holds is False
    assert bound("theorem-5", eps=0.01, d=10, density=0.84).holds is True
    assert f"{LAMBDA_0:.4f}" == "0.8408"
    assert needed_bits(4.0, 0.25, 16.0, "norm-1") == 3.0
    assert needed_bits(4.0, 0.25, 16.0, "printed") == 11.0


def test_no_crossing() -> None:
    assert least_overparameterization(1.0, 0.4, 0.5, "printed") is None
    assert least_overparameterization(1.0, 0.4, 0.5, "norm-1") is None
    values = bound("theorem-5", eps=0.4, d=1, density=0.5).values
    assert values["n_norm_1"] is None
    assert values["n_printed"] is None


def test_refusals() -> None:
    with pytest.raises(
        InvalidInput, match=r"either `density` or both `n` and `k` must be given; got density = None"
    ):
        bound("theorem-5", eps=0.01, d=10)
    with pytest.raises(
        InvalidInput, match=r"either `density` or both `n` and `k` must be given; .* n = 5, k = None"
    ):
        bound("theorem-5", eps=0.01, d=10, n=5)
    with pytest.raises(
        InvalidInput, match=r"either `density` or both `n` and `k` must be given; got density = 0.5"
    ):
        bound("theorem-5", eps=0.01, d=10, density=0.5, n=5, k=2)
    with pytest.raises(InvalidInput, match=r"`k` must be at most `n` = 5; got 6"):
        bound("theorem-5", eps=0.01, d=10, n=5, k=6)
    with pytest.raises(InvalidInput, match=r"`eps` must be < 0.5 to invert theorem-5; got 0.6"):
        bound("theorem-5", eps=0.6, d=10, density=0.5)
    with pytest.raises(InvalidInput, match=r"`d` must be an integer >= 1; got 1.5"):
        bound("theorem-5", eps=0.01, d=1.5, density=0.5)
