"""Symmetries of images: against the group's own definition, numpy's rotations and convolutions with loops."""

from __future__ import annotations

import numpy as np
import pytest
from oracles.groups import group_convolution, label_classes, lifting_convolution

from slth.errors import CapacityExceeded, InvalidInput
from slth.groups.dense import intertwiner_dimension
from slth.groups.images import POINT_GROUPS, ImageGroup
from slth.groups.intertwiners import orbits
from slth.groups.projection import equivariance_error, project
from slth.groups.representations import quotient_representation, regular_representation

SMALL = [ImageGroup(3, 3, s) for s in POINT_GROUPS] + [ImageGroup(2, 4, s) for s in ("p1", "p2", "pm", "pmm")]
STILL = [ImageGroup(4, 4, s, translations=False) for s in POINT_GROUPS] + [
    ImageGroup(3, 5, s, translations=False) for s in ("p2", "pmm")
]


@pytest.mark.parametrize("images", SMALL + STILL, ids=lambda images: images.name)
def test_generators_and_elements_agree(images: ImageGroup) -> None:
    group = images.group()
    assert group.order == images.order
    for field in ("scalar", "regular"):
        rho = images.representation(field, group)
        action = images.action(field)
        rows = {tuple(row) for row in rho.permutations.tolist()}
        assert {tuple(row) for row in action.permutations.tolist()} <= rows
        assert np.array_equal(orbits(action, action).labels, orbits(rho, rho).labels)


@pytest.mark.parametrize("images", SMALL, ids=lambda images: images.name)
def test_fields_are_the_regular_and_a_quotient_representation(images: ImageGroup) -> None:
    group = images.group()
    assert np.array_equal(
        images.representation("regular", group).permutations, regular_representation(group).permutations
    )
    turns = [q * images.pixels for q in images.point_group().generators]
    cosets = quotient_representation(group, turns)
    assert np.array_equal(images.representation("scalar", group).permutations, cosets.permutations)


def test_turns_and_mirrors_are_numpy_ones() -> None:
    """About the centre, r is a quarter turn of the picture and s the mirror left-right, as numpy has them."""
    images = ImageGroup(4, 4, "p4m", translations=False)
    rho = images.representation("scalar")
    picture = np.arange(16.0).reshape(4, 4)
    turned = rho.act(1, picture.ravel()).reshape(4, 4)
    assert turned.tolist() == np.rot90(picture).tolist()
    assert rho.act(4, picture.ravel()).reshape(4, 4).tolist() == np.fliplr(picture).tolist()
    half = ImageGroup(3, 5, "p2", translations=False).representation("scalar")
    picture = np.arange(15.0).reshape(3, 5)
    assert half.act(1, picture.ravel()).reshape(3, 5).tolist() == np.rot90(picture, 2).tolist()
    shift = ImageGroup(3, 5).representation("scalar")
    assert shift.act(7, picture.ravel()).reshape(3, 5).tolist() == np.roll(picture, (1, 2), (0, 1)).tolist()


def test_p4m_on_a_torus_of_sixteen() -> None:
    """2048 elements; 45 orbits on pairs: differences (a, b) up to signs and exchange, 0 <= a <= b <= 8."""
    images = ImageGroup(16, 16, "p4m")
    group = images.group()
    assert group.order == 2048
    pixels = images.representation("scalar", group)
    basis = orbits(pixels, pixels)
    assert basis.count == intertwiner_dimension(pixels, pixels) == 45 == 9 * 10 // 2
    assert (basis.output_count, basis.identity, basis.norm_bound, basis.norm_exact) == (1, 0, 256.0, True)
    weight = basis.matrix(np.random.default_rng(0).normal(size=45))
    assert equivariance_error(weight, pixels, pixels) == 0.0
    assert all(np.array_equal(weight[np.ix_(p, p)], weight) for p in pixels.permutations[::97])
    cosets = quotient_representation(group, [256, 4 * 256])
    assert np.array_equal(cosets.permutations, pixels.permutations)
    regular = images.representation("regular", group)
    assert intertwiner_dimension(regular, regular) == 2048
    assert intertwiner_dimension(pixels, regular) == 256
    layer = images.convolution("regular", "regular", 3)
    assert (layer.count, layer.norm_bound, layer.norm_exact, layer.identity) == (72, 72.0, True, 4)
    assert equivariance_error(layer.matrix(np.arange(1.0, 73.0)), regular, regular) == 0.0


@pytest.mark.parametrize("source", ["scalar", "regular"])
@pytest.mark.parametrize("target", ["scalar", "regular"])
@pytest.mark.parametrize(
    "images", [*SMALL[:6], ImageGroup(4, 4, "p4m"), ImageGroup(5, 3, "pmm")], ids=lambda i: i.name
)
def test_windows_on_a_torus_are_orbits(images: ImageGroup, source: str, target: str) -> None:
    """The formula's classes are the group's orbits on pairs, those that lie in the window."""
    layer = images.convolution(source, target, 3)
    full = orbits(images.action(source), images.action(target))
    cut = full.restrict(layer.labels >= 0)
    assert label_classes(layer.labels) == label_classes(cut.labels)
    assert layer.count == cut.count
    assert (layer.output_count, full.output_count) == (1, 1)
    weight = layer.matrix(np.arange(1.0, layer.count + 1))
    assert equivariance_error(weight, images.action(source), images.action(target)) == 0.0


@pytest.mark.parametrize("source", ["scalar", "regular"])
@pytest.mark.parametrize("target", ["scalar", "regular"])
@pytest.mark.parametrize("images", STILL, ids=lambda images: images.name)
def test_zero_padding_keeps_turns_about_the_centre(images: ImageGroup, source: str, target: str) -> None:
    layer = images.convolution(source, target, 3)
    weight = layer.matrix(np.arange(1.0, layer.count + 1))
    assert equivariance_error(weight, images.action(source), images.action(target)) == 0.0
    assert not layer.norm_exact
    true_norm = np.linalg.norm(layer.labels >= 0, ord=2)
    assert true_norm <= layer.norm_bound
    torus = ImageGroup(images.height, images.width, images.symmetry).convolution(source, target, 3)
    inside = layer.labels >= 0
    assert np.array_equal(layer.labels[inside], torus.labels[inside])


@pytest.mark.parametrize("wrap", [True, False])
@pytest.mark.parametrize("symmetry", ["p1", "p2", "p4", "pm", "pmm", "p4m"])
def test_layers_are_group_convolutions(symmetry: str, wrap: bool) -> None:
    """Coefficients in the order of a flattened (g, k, k) kernel give the convolution written with loops."""
    turns, mirrored = POINT_GROUPS[symmetry]
    images = ImageGroup(4, 4, symmetry, translations=wrap)
    rng = np.random.default_rng(7)
    order = images.point_group().order
    image, kernel = rng.integers(-9, 10, (4, 4)), rng.integers(-9, 10, (3, 3))
    lifted = images.convolution("scalar", "regular", 3).matrix(kernel.ravel()) @ image.ravel()
    assert lifted.tolist() == lifting_convolution(image, kernel, turns, mirrored, wrap).ravel().tolist()
    features, kernel = rng.integers(-9, 10, (order, 4, 4)), rng.integers(-9, 10, (order, 3, 3))
    moved = images.convolution("regular", "regular", 3).matrix(kernel.ravel()) @ features.ravel()
    table = images.point_group().table.tolist()
    assert moved.tolist() == group_convolution(features, kernel, turns, wrap, table).ravel().tolist()


def test_counts_of_convolutions() -> None:
    images = ImageGroup(8, 8, "p4m")
    counts = [
        images.convolution(*fields, 3).count
        for fields in (
            ("scalar", "scalar"),
            ("scalar", "regular"),
            ("regular", "scalar"),
            ("regular", "regular"),
        )
    ]
    assert counts == [3, 9, 9, 72]
    assert images.convolution("scalar", "scalar", 5).count == 6
    plain = ImageGroup(8, 8).convolution("scalar", "scalar", 3)
    assert (plain.count, plain.norm_bound, plain.identity) == (9, 9.0, 4)
    assert images.convolution("regular", "regular", 1).identity == 0
    assert ImageGroup(1, 9).convolution("scalar", "scalar", 1).count == 1


def test_all_maps_of_a_small_torus_come_from_the_largest_window() -> None:
    images = ImageGroup(3, 3, "p4")
    group = images.group()
    rho = images.representation("regular", group)
    assert images.convolution("regular", "regular", 3).count == 36 == intertwiner_dimension(rho, rho)


def test_foreign_weights_are_refused() -> None:
    layer = ImageGroup(4, 4, "p4").convolution("scalar", "regular", 3)
    weight = layer.matrix(np.arange(9.0))
    assert project(weight, layer).ravel().tolist() == list(range(9))
    other = ImageGroup(4, 4, "p2").convolution("scalar", "regular", 3)
    with pytest.raises(InvalidInput, match="residual"):
        project(weight[:32], other)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: ImageGroup(4, 5, "p4"), "must be equal for quarter turns; got 4 and 5"),
        (lambda: ImageGroup(0, 5), "`height` must be an integer in"),
        (lambda: ImageGroup(4, 4, "p6"), "`symmetry` must be one of 'p1', .*; got 'p6'"),
        (lambda: ImageGroup(4, 4, "p4", 1), "`translations` must be True or False; got 1"),
        (lambda: ImageGroup(4, 4).convolution("scalar", "scalar", 2), "`size` must be odd.*; got 2"),
        (lambda: ImageGroup(4, 4).convolution("scalar", "scalar", 5), r"`size` must be an integer in \[1, 4\]"),
        (
            lambda: ImageGroup(4, 4).convolution("pixel", "scalar", 3),
            "`field` must be one of 'scalar', 'regular'",
        ),
        (lambda: ImageGroup(4, 4).action("vector"), "`field` must be one of"),
        (lambda: ImageGroup(4, 4).representation("vector"), "`field` must be one of"),
        (
            lambda: ImageGroup(3, 3, "p4").representation("scalar", ImageGroup(6, 6).group()),
            r"must satisfy rho\(1\*2\)",
        ),
    ],
)
def test_refusals(make: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        make()


def test_large_labels_are_refused_before_they_are_made() -> None:
    with pytest.raises(CapacityExceeded, match=r"pairs need about .* MiB, more than 1024"):
        ImageGroup(64, 64, "p4m").convolution("regular", "regular", 3)


def test_large_images_need_no_table() -> None:
    action = ImageGroup(32, 32, "p4m").action("scalar")
    assert action.dimension == 1024
    assert orbits(action, action).count == 17 * 18 // 2
