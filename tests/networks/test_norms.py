"""Rigorous norms against rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracles.certificates import norm_at_most

from slth.errors import InvalidInput
from slth.networks import norms


def fraction_norm_square(vector):
    return sum((Fraction(float(v)) ** 2 for v in vector), Fraction(0))


def is_upper(bound, matrix):
    """Whether the bound holds, decided without rounding; infinity always holds."""
    return bound == math.inf or norm_at_most(matrix, bound)


def is_tight(bound, matrix):
    return not norm_at_most(matrix, Fraction(bound) / (1 + Fraction(1, 10**9)))


entries = st.floats(-1e3, 1e3, allow_subnormal=True)
wild = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, 5e-324, 1e-300, 1e300, -1.0])
)
shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5)


@given(hnp.arrays(np.float64, shapes, elements=wild))
@settings(max_examples=300)
def test_spectral_norm_is_an_upper_bound_at_every_magnitude(matrix):
    assert is_upper(norms.spectral_norm_upper(matrix), matrix)


@given(hnp.arrays(np.float64, shapes, elements=entries))
@settings(max_examples=200)
def test_spectral_norm_is_tight_in_ordinary_cases(matrix):
    bound = norms.spectral_norm_upper(matrix)
    assert is_upper(bound, matrix)
    assert bound < 1e-290 or is_tight(bound, matrix)


def special_matrices():
    rng = np.random.default_rng(3)
    i = np.arange(1, 13)
    yield "hilbert", 1.0 / (i[:, None] + i[None, :] - 1)
    yield "rank one", np.outer(rng.normal(size=9), rng.normal(size=14))
    yield "rank one, spread", np.outer(10.0 ** rng.uniform(-80, 80, 7), 10.0 ** rng.uniform(-80, 80, 9))
    yield "orthogonal", np.linalg.qr(rng.normal(size=(12, 12)))[0]
    yield "huge", rng.normal(size=(6, 8)) * 1e300
    yield "tiny", rng.normal(size=(8, 6)) * 1e-300
    yield "subnormal", rng.integers(-9, 9, (5, 5)) * 5e-324
    yield "tall", rng.normal(size=(40, 3))
    yield "one row", rng.normal(size=(1, 30))
    yield "cancelling", np.array([[1e150, -1e150], [1e150, -1e150 * (1 - 2.0**-53)]])
    yield "identity", np.eye(10)


@pytest.mark.parametrize(("name", "matrix"), list(special_matrices()), ids=[n for n, _ in special_matrices()])
def test_spectral_norm_of_special_matrices(name, matrix):
    for turned in (matrix, matrix.T):
        bound = norms.spectral_norm_upper(turned)
        assert is_upper(bound, turned)
        assert name == "subnormal" or is_tight(bound, turned)


def test_the_test_would_notice_a_norm_rounded_to_nearest():
    rng = np.random.default_rng(0)
    matrices = [rng.normal(size=(4, 5)) for _ in range(20)]
    assert not all(is_upper(float(np.linalg.norm(m, 2)), m) for m in matrices)
    assert all(is_upper(norms.spectral_norm_upper(m), m) for m in matrices)


def test_large_spectral_norms_are_close_to_the_floating_point_ones():
    rng = np.random.default_rng(1)
    for shape in ((300, 120), (130, 400)):
        matrix = rng.normal(size=shape)
        near = np.linalg.norm(matrix, 2)
        assert near * (1 - 1e-12) <= norms.spectral_norm_upper(matrix) <= near * (1 + 1e-9)


def test_without_a_factorisation_the_frobenius_norm_serves(monkeypatch):
    def fail(_):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(np.linalg, "cholesky", fail)
    assert math.sqrt(3) <= norms.spectral_norm_upper(np.eye(3)) <= math.sqrt(3) * (1 + 1e-14)


def test_a_wrong_eigenvalue_or_factor_cannot_make_the_bound_too_small(monkeypatch):
    matrix = np.random.default_rng(5).normal(size=(6, 7))
    exact = np.linalg.norm(matrix, 2)
    monkeypatch.setattr(norms, "_largest_eigenvalue", lambda _: 0.1)
    assert norms.spectral_norm_upper(matrix) >= exact
    monkeypatch.setattr(np.linalg, "cholesky", lambda shifted: np.eye(len(shifted)))
    assert norms.spectral_norm_upper(matrix) >= exact


def test_empty_and_zero_matrices_have_norm_zero():
    for matrix in (np.zeros((0, 4)), np.zeros((4, 0)), np.zeros((3, 2))):
        assert norms.spectral_norm_upper(matrix) == 0.0
    assert norms.row_norms_upper(np.zeros((2, 3))).tolist() == [0.0, 0.0]
    assert norms.norm_upper(np.zeros(0)) == 0.0


@pytest.mark.parametrize("matrix", [np.array([[1.0, np.nan]]), np.array([[np.inf]])])
def test_not_finite_is_refused(matrix):
    with pytest.raises(InvalidInput, match="`matrix` must be finite"):
        norms.spectral_norm_upper(matrix)


def test_vectors_are_refused():
    with pytest.raises(InvalidInput, match=r"`matrix` must have 2 dimensions; got shape \(3,\)"):
        norms.spectral_norm_upper(np.ones(3))


def test_nearby_matrices_are_covered():
    rng = np.random.default_rng(2)
    for relative in (2.0**-52, 1e-3, 0.5):
        matrix = rng.normal(size=(5, 7))
        bound = norms.spectral_norm_upper(matrix, relative)
        for _ in range(50):
            near = matrix * (1.0 + relative * rng.choice([-1.0, 1.0], matrix.shape) * (1 - 1e-12))
            assert np.linalg.norm(near, 2) <= bound * (1 + 1e-14)
        assert bound <= np.linalg.norm(matrix, 2) + relative * np.linalg.norm(matrix) * (1 + 1e-9) + 1e-9


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=1, max_side=40), elements=wild))
@settings(max_examples=300)
def test_vector_norms_and_sums_are_rounded_up(vector):
    bound = norms.norm_upper(vector)
    assert bound == math.inf or Fraction(bound) ** 2 >= fraction_norm_square(vector)
    with np.errstate(over="ignore"):
        total = norms.sum_upper(np.abs(vector))
    assert total == math.inf or Fraction(total) >= sum(Fraction(float(v)) for v in np.abs(vector))
    ordinary = vector[np.abs(vector) < 1e150]
    if ordinary.size and np.abs(ordinary).max() > 1e-140:
        square = Fraction(norms.norm_upper(ordinary)) ** 2
        assert square <= fraction_norm_square(ordinary) * (1 + Fraction(1, 10**11))


@given(
    hnp.arrays(np.float64, (3, 6), elements=entries),
    hnp.arrays(np.float64, 6, elements=st.one_of(entries, st.sampled_from([5e-324, 1e-310]))),
)
@settings(max_examples=200)
def test_products_are_bounded(matrix, vector):
    value, error = norms.matvec(matrix, vector)
    upper = norms.dot_upper(np.abs(matrix), np.abs(vector))
    for i in range(3):
        terms = [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(matrix[i], vector, strict=True)]
        assert abs(Fraction(float(value[i])) - sum(terms)) <= Fraction(float(error[i]))
        assert Fraction(float(upper[i])) >= sum(abs(t) for t in terms)


def test_powers_of_two_scale_outward():
    assert norms.scale_up(3.0, 4) == 48.0
    assert norms.scale_up(0.0, -5000) == 0.0
    assert norms.scale_up(1.0, -2000) == 5e-324
    assert norms.scale_up(1.0, 2000) == math.inf


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 6))
@settings(max_examples=150)
def test_grouped_norm_bounds_every_admissible_vector(seed, rows, columns):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, columns)) * 10.0 ** rng.uniform(-3, 3, columns)
    groups = rng.integers(0, columns, columns)
    radii = rng.uniform(0, 2, columns) * (rng.random(columns) < 0.8)
    bound, shares = norms.grouped_norm_upper(matrix, groups, radii)
    assert shares.sum() == pytest.approx(1.0 if bound else 0.0)
    best = 0.0
    for _ in range(60):
        z = rng.normal(size=columns)
        for g in range(columns):
            size = np.linalg.norm(z[groups == g])
            z[groups == g] *= radii[g] / size if size else 0.0
        best = max(best, float(np.linalg.norm(matrix @ z)))
    assert best <= bound * (1 + 1e-13)
    # Never worse than the triangle inequality over groups by more than the search's slack.
    triangle = sum(radii[g] * np.linalg.norm(matrix[:, groups == g], 2) for g in set(groups.tolist()))
    assert bound <= triangle * 1.02 + 1e-300


def test_grouped_norm_holds_for_any_weights():
    matrix, groups, radii = np.diag([3.0, 4.0]), np.array([0, 1]), np.ones(2)
    for p in (0.01, 0.36, 0.5, 0.99):
        bound, _ = norms.grouped_norm_upper(matrix, groups, radii, weights=np.array([p, 1 - p]))
        assert bound >= 5.0
    assert norms.grouped_norm_upper(matrix, groups, radii)[0] <= 5.05
    assert norms.grouped_norm_upper(matrix, groups, np.zeros(2))[0] == 0.0
