"""Norms of convolutions from their kernels, against their matrices."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from oracles.certificates import norm_at_most

from slth.errors import InvalidInput
from slth.networks import convolution_norms
from slth.networks.basis import OrbitBasis, Translations
from slth.networks.convolution_norms import convolution_norm_upper
from slth.networks.layers import Linear


def matrix_of(coefficients, basis, groups=1):
    return Linear("c", "x", coefficients, basis, groups=groups).matrix()


def random_basis(rng, axes, largest):
    spatial = tuple(int(n) for n in rng.integers(2, largest + 1, axes))
    mode = ("zeros", "circular")[rng.integers(0, 2)]
    dilation = tuple(int(n) for n in rng.integers(1, 3, axes))
    kernel, padding = [], []
    for size, step in zip(spatial, dilation, strict=True):
        before, after = (int(n) for n in rng.integers(0, min(size, 3) + 1, 2))
        room = (size + before + after - 1) // step + 1
        kernel.append(int(rng.integers(1, min(3, room) + 1)))
        padding.append((before, after))
    stride = tuple(int(n) for n in rng.integers(1, 4, axes))
    return Translations(spatial, tuple(kernel), stride, tuple(padding), mode, dilation)


def test_norms_bound_the_matrix_in_exact_arithmetic():
    rng = np.random.default_rng(0)
    for _ in range(60):
        basis = random_basis(rng, 1, 4)
        kernel = rng.normal(size=(*rng.integers(1, 3, 2), basis.count)) * rng.choice([1.0, 1e-200, 1e150])
        bound = convolution_norm_upper(kernel, basis)
        assert norm_at_most(matrix_of(kernel, basis), bound), (basis, kernel)


@pytest.mark.parametrize("axes", [1, 2])
def test_norms_bound_the_matrix_of_many_kernels(axes):
    rng = np.random.default_rng(axes)
    ratios = []
    for _ in range(150):
        basis = random_basis(rng, axes, (9, 6)[axes - 1])
        groups = int(rng.integers(1, 4))
        kernel = rng.normal(size=(groups * rng.integers(1, 4), rng.integers(1, 4), basis.count))
        bound = convolution_norm_upper(kernel, basis, groups)
        norm = np.linalg.norm(matrix_of(kernel, basis, groups), 2)
        assert norm <= bound * (1 + 1e-13), (basis, groups, kernel)
        ratios.append(bound / norm if norm else 1.0)
    assert np.median(ratios) < 1.4


def test_circular_convolutions_have_exactly_the_norm_of_their_symbols():
    rng = np.random.default_rng(3)
    for axes in (1, 2):
        for _ in range(40):
            spatial = tuple(int(n) for n in rng.integers(3, 7, axes))
            basis = Translations(spatial, 3, padding=1, padding_mode="circular")
            kernel = rng.normal(size=(*rng.integers(1, 5, 2), basis.count))
            norm = np.linalg.norm(matrix_of(kernel, basis), 2)
            assert convolution_norm_upper(kernel, basis) == pytest.approx(norm, rel=1e-10)


def test_zero_padding_is_a_compression_and_nearly_tight_on_long_lines():
    kernel = np.random.default_rng(4).normal(size=(3, 2, 3))
    gaps = []
    for size in (4, 16, 64):
        basis = Translations(size, 3, padding=1)
        norm = np.linalg.norm(matrix_of(kernel, basis), 2)
        gaps.append(convolution_norm_upper(kernel, basis) / norm - 1.0)
    assert all(gap >= 0.0 for gap in gaps)
    assert gaps[2] < gaps[0]
    assert gaps[2] < 0.01


def test_windows_that_do_not_overlap_have_the_norm_of_the_kernel():
    kernel = np.random.default_rng(5).normal(size=(3, 2, 4))
    basis = Translations((6, 6), 2, stride=2)
    norm = np.linalg.norm(kernel.reshape(3, -1), 2)
    assert convolution_norm_upper(kernel, basis) == pytest.approx(norm, rel=1e-10)


def test_regular_representations_of_cyclic_groups_are_circular_convolutions():
    rng = np.random.default_rng(6)
    for n in (2, 4, 8):
        labels = (np.arange(n)[None, :] - np.arange(n)[:, None]) % n
        kernel = rng.normal(size=(3, 2, n))
        circle = Translations(n, n, padding=((0, n - 1),), padding_mode="circular")
        matrix = matrix_of(kernel, OrbitBasis(labels))
        np.testing.assert_array_equal(matrix, matrix_of(kernel, circle))
        norm = np.linalg.norm(matrix, 2)
        assert convolution_norm_upper(kernel, circle) == pytest.approx(norm, rel=1e-10)


def test_a_circle_without_room_for_the_padding_is_caught(monkeypatch):
    # On a circle of H positions a window at the edge would read the other end: not a bound. Alternating
    # entries of an odd line cannot all meet the wave of half a turn there.
    kernel, basis = np.array([[[1.0, -1.0]]]), Translations(3, 2, padding=((1, 1),))
    norm = np.linalg.norm(matrix_of(kernel, basis), 2)
    assert convolution_norm_upper(kernel, basis) >= norm
    monkeypatch.setattr(convolution_norms, "_circle", lambda given: (given.spatial, 1))
    assert convolution_norm_upper(kernel, basis) < norm


def test_rows_that_repeat_are_counted(monkeypatch):
    kernel, basis = np.ones((1, 1, 1)), Translations(3, 1, padding=3, padding_mode="circular")
    assert convolution_norm_upper(kernel, basis) == pytest.approx(np.sqrt(3))
    assert np.linalg.norm(matrix_of(kernel, basis), 2) == pytest.approx(np.sqrt(3))
    monkeypatch.setattr(convolution_norms, "_circle", lambda given: (given.spatial, 1))
    assert convolution_norm_upper(kernel, basis) < 1.1


def test_a_kernel_of_zeros_has_norm_almost_zero():
    assert convolution_norm_upper(np.zeros((2, 1, 3)), Translations(5, 3)) < 1e-300


def test_computed_waves_are_within_the_error_assumed():
    with mpmath.workdps(40):
        for size in (3, 7, 97, 1156):
            for k in range(1, size, max(1, size // 60)):
                angle = 2.0 * math.pi * k / size
                exact = 2 * mpmath.pi * k / size
                assert abs(mpmath.cos(exact) - mpmath.mpf(math.cos(angle))) < convolution_norms.WAVE_ERROR / 4
                assert abs(mpmath.sin(exact) - mpmath.mpf(math.sin(angle))) < convolution_norms.WAVE_ERROR / 4


@pytest.mark.parametrize(
    ("shape", "groups", "match"),
    [
        ((2, 1, 2), 1, r"`coefficients` must have shape \(o, i / groups, 3\), groups \(1\) .* got \(2, 1, 2\)"),
        ((3, 1, 3), 2, r"`coefficients` must have shape .* groups \(2\) dividing o"),
        ((2, 3), 1, "`coefficients` must have 3 dimension"),
        ((2, 1, 3), 0, "`groups` must be an integer >= 1; got 0"),
    ],
)
def test_kernels_that_do_not_fit_are_refused(shape, groups, match):
    with pytest.raises(InvalidInput, match=match):
        convolution_norm_upper(np.ones(shape), Translations(5, 3), groups)
