"""Binary entropy and binomial coefficients, against integers and mpmath, from k = 1 to n = 1e15."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.errors import InvalidInput
from slth.theory.entropy import binary_entropy, entropy_per_chosen, log2_binomial, log_binomial


@given(st.integers(1, 5000), st.data())
def test_log_binomial_equals_integers(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    exact = float(mp.log(mp.mpf(math.comb(n, k))))
    assert float(log_binomial(n, k)) == pytest.approx(exact, rel=1e-13, abs=1e-13)
    assert float(log2_binomial(n, k)) == pytest.approx(exact / math.log(2), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("k", [1, 2, 7, 40, 10**6])
@pytest.mark.parametrize("n", [10**7, 10**12, 10**15])
def test_log_binomial_of_huge_sizes(n: int, k: int) -> None:
    with mp.workdps(40):
        exact = float(mp.log(mp.binomial(n, k)))
    assert float(log_binomial(n, k)) == pytest.approx(exact, rel=1e-13)
    assert float(log_binomial(n, n - k)) == pytest.approx(exact, rel=1e-13)


def test_log_binomial_of_arrays_and_reals() -> None:
    values = log_binomial([[5, 6]], [[2], [3]])
    np.testing.assert_allclose(np.exp(values), [[10, 15], [10, 20]])
    assert float(log_binomial(10.5, 3.25)) == pytest.approx(float(mp.log(mp.binomial(10.5, 3.25))), rel=1e-13)
    assert float(log_binomial(0, 0)) == 0.0


@given(st.floats(0.0, 1.0))
def test_entropy(x: float) -> None:
    value = float(binary_entropy(x))
    with mp.workdps(400):
        p = mp.mpf(x)
        exact = sum(-q * mp.log(q, 2) for q in (p, 1 - p) if q > 0)
    assert value == pytest.approx(float(exact), rel=1e-14, abs=1e-300)
    assert 0.0 <= value <= 1.0 + 1e-15


def test_entropy_of_tiny_densities_and_ends() -> None:
    np.testing.assert_array_equal(binary_entropy([0.0, 0.5, 1.0]), [0.0, 1.0, 0.0])
    for x in (1e-9, 1e-200):
        assert float(binary_entropy(x)) == pytest.approx(x * (math.log2(1 / x) + 1 / math.log(2)), rel=1e-9)


@pytest.mark.parametrize("bits", [0.0, 0.5, 1.0, 10.0, 49.0, 300.0, 1e6])
def test_entropy_per_chosen(bits: float) -> None:
    with mp.workdps(60):
        q = mp.mpf(2) ** (-bits)
        exact = (
            mp.mpf(0)
            if bits == 0
            else bits + (1 - q) / q * mp.log(1 / (1 - q), 2)
            if bits < 150
            else bits + 1 / mp.log(2)
        )
    assert entropy_per_chosen(bits) == pytest.approx(float(exact), rel=1e-13)


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match=r"`x` must lie in \[0, 1\]; got 1.5"):
        binary_entropy(1.5)
    with pytest.raises(InvalidInput, match=r"`k` must lie in \[0, n\]; got k = 4, n = 3"):
        log_binomial(3, 4)
    with pytest.raises(InvalidInput, match=r"`k` must lie in \[0, n\]; got k = nan"):
        log_binomial(3, math.nan)
    with pytest.raises(InvalidInput, match=r"`ratio_bits` must be a finite number >= 0.0; got -1"):
        entropy_per_chosen(-1.0)
