"""Equivariant bases: orbits by definition, dimensions by characters, commuting with every element, norms."""

from __future__ import annotations

from itertools import combinations_with_replacement, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.groups import averaged_rank, label_classes, orbits_of_pairs

from slth.errors import CapacityExceeded, InvalidInput
from slth.groups import dense
from slth.groups.actions import Action, on_tuples, trivial_action, tuples
from slth.groups.dense import dense_intertwiners, intertwiner_dimension
from slth.groups.families import all_permutations, cyclic, dihedral, symmetric
from slth.groups.generated import permutation_group
from slth.groups.intertwiners import Orbits, orbits
from slth.groups.irreps import cyclic_irreps, dihedral_irreps, symmetric_irreps
from slth.groups.projection import equivariance_error, project, project_bias
from slth.groups.representations import (
    MatrixRepresentation,
    PermutationRepresentation,
    direct_sum,
    quotient_representation,
    regular_representation,
    representation_from_generators,
    trivial_representation,
)

BELL = {0: 1, 1: 1, 2: 2, 3: 5, 4: 15}


def points(n: int) -> PermutationRepresentation:
    return PermutationRepresentation("points", symmetric(n), all_permutations(n))


FAMILIES = {
    "C_5": [regular_representation(cyclic(5)), trivial_representation(cyclic(5))],
    "D_4": [
        regular_representation(dihedral(4)),
        quotient_representation(dihedral(4), [4]),
        quotient_representation(dihedral(4), [2, 4]),
        trivial_representation(dihedral(4), 2),
    ],
    "S_3": [
        points(3),
        regular_representation(symmetric(3)),
        direct_sum(points(3), trivial_representation(symmetric(3))),
    ],
}
PAIRS = [(a, b) for family in FAMILIES.values() for a in family for b in family]


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=lambda rho: rho.name)
def test_orbits(source: PermutationRepresentation, target: PermutationRepresentation) -> None:
    """By definition, commuting with every element, with the dimension of characters and of averaging."""
    basis = orbits(source, target)
    assert label_classes(basis.labels) == orbits_of_pairs(target.permutations, source.permutations)
    assert basis.count == intertwiner_dimension(source, target)
    elements = list(range(source.group.order))
    assert basis.count == averaged_rank(
        [target.matrix(a) for a in elements], [source.matrix(a) for a in elements]
    )
    weight = basis.matrix(np.arange(1.0, basis.count + 1))
    for a in elements:
        assert np.array_equal(target.matrix(a) @ weight, weight @ source.matrix(a))
    assert equivariance_error(weight, source, target) == 0.0
    bias = basis.bias(np.arange(1.0, basis.output_count + 1))
    assert all(np.array_equal(target.act(a, bias), bias) for a in elements)
    assert basis.output_count == intertwiner_dimension(trivial_representation(source.group), target)
    assert int(basis.sizes.sum()) == basis.labels.size
    assert basis.norm_exact
    assert basis.norm_squared_bound == source.dimension * target.dimension


@pytest.mark.parametrize(("n", "inner", "outer"), [(7, *p) for p in product(range(3), repeat=2)] + [(4, 2, 2)])
def test_bell_numbers(n: int, inner: int, outer: int) -> None:
    """S_n on tuples: 2 orbits for sets, 15 for pairs, and no table of n! elements."""
    assert orbits(tuples(n, inner), tuples(n, outer)).count == BELL[inner + outer]


def test_smaller_sets_have_fewer_orbits() -> None:
    assert orbits(tuples(3, 2), tuples(3, 2)).count == 14  # four different points are missing
    assert orbits(tuples(2, 2), tuples(2, 2)).count == 8
    assert orbits(tuples(1, 1), tuples(1, 1)).count == 1


def test_sets_and_pairs() -> None:
    basis = orbits(tuples(5, 1), tuples(5, 1))
    assert np.array_equal(basis.labels, 1 - np.eye(5, dtype=int))
    assert basis.identity == 0
    pairs = orbits(tuples(7, 2), tuples(7, 2))
    assert (pairs.count, pairs.output_count, pairs.identity) == (15, 2, None)
    assert (
        len(pairs.identity_labels) == 2
    )  # the identity is a sum: diagonal and off-diagonal entries stay apart
    assert Orbits([[0, 0], [0, 0]], 1, [0, 0], 1).identity is None  # label 0 is more than the diagonal
    sum_of_two = np.isin(np.arange(15), pairs.identity_labels).astype(float)
    assert np.array_equal(pairs.matrix(sum_of_two), np.eye(49))
    weight = pairs.matrix(np.random.default_rng(1).integers(-99, 99, 15))
    assert equivariance_error(weight, tuples(7, 2), tuples(7, 2)) == 0.0
    rng = np.random.default_rng(2)
    for sigma in [rng.permutation(7) for _ in range(20)]:
        moved = on_tuples(sigma, 2)
        assert np.array_equal(weight[np.ix_(moved, moved)], weight)


def test_tuples_are_numbered_lexicographically() -> None:
    sigma = [2, 0, 1]
    places = list(product(range(3), repeat=2))
    assert on_tuples(sigma, 2).tolist() == [places.index((sigma[i], sigma[j])) for i, j in places]
    closed = permutation_group(tuples(4, 1).permutations)
    assert {tuple(row) for row in closed.permutations.tolist()} == set(permutations(range(4)))
    readout = orbits(tuples(6, 1), trivial_action(tuples(6, 1), 2))
    assert readout.identity_labels == ()
    assert readout.labels.tolist() == [[0] * 6, [1] * 6]
    assert tuples(6, 1).act(1, np.arange(6)).tolist() == [5, 0, 1, 2, 3, 4]


def test_trivial_group_is_a_dense_layer() -> None:
    nothing = np.zeros((0, 3), dtype=int)
    basis = orbits(Action("trivial", nothing), Action("trivial", nothing[:, :2]))
    assert (basis.count, basis.output_count) == (6, 2)
    assert basis.labels.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (
        equivariance_error(np.ones((2, 3)), Action("trivial", nothing), Action("trivial", nothing[:, :2])) == 0
    )


@given(st.lists(st.permutations(range(5)), min_size=1, max_size=2), st.randoms(use_true_random=False))
def test_drawn_permutation_groups(generators: list[list[int]], random: object) -> None:
    rho = permutation_group(generators)
    basis = orbits(rho, rho)
    assert label_classes(basis.labels) == orbits_of_pairs(rho.permutations, rho.permutations)
    assert basis.count == intertwiner_dimension(rho, rho)
    weight = basis.matrix([random.uniform(-1, 1) for _ in range(basis.count)])
    assert equivariance_error(weight, rho, rho) == 0.0
    found = project(weight, basis)[0, 0]
    assert np.array_equal(basis.matrix(found), weight)


@pytest.mark.parametrize("group", [cyclic(4), dihedral(4), cyclic(8)], ids=lambda g: g.name)
def test_regular_representations(group: object) -> None:
    """Regular to regular: |G| orbits; characters, orbits and the null space agree with real equality."""
    rho = regular_representation(group)
    found = dense_intertwiners(rho, rho)
    assert found.count == orbits(rho, rho).count == intertwiner_dimension(rho, rho) == group.order
    assert found.output_count == 1
    assert np.array_equal(found.matrices[0], np.eye(group.order))
    assert equivariance_error(found.matrices[1], rho, rho) < 1e-12


IRREPS = [*cyclic_irreps(8), *dihedral_irreps(4), *symmetric_irreps(4)]


@pytest.mark.parametrize(
    "irreps", [cyclic_irreps(8), dihedral_irreps(4), symmetric_irreps(4)], ids=lambda i: i[0].name
)
def test_schur(irreps: tuple[MatrixRepresentation, ...]) -> None:
    """Between irreducibles: nothing if different, dimension 1 (real type) or 2 (complex type) if equal."""
    for i, source in enumerate(irreps):
        for j, target in enumerate(irreps):
            found = dense_intertwiners(source, target)
            complex_type = source.group.name == "C_8" and source.dimension == 2
            assert found.count == (0 if i != j else 2 if complex_type else 1)
            assert found.output_count == (1 if j == 0 else 0)
            assert found.identity == (0 if i == j else None)
    regular = regular_representation(irreps[0].group)
    for rho in irreps:
        assert intertwiner_dimension(regular, rho) == rho.dimension


def test_dense_bases_are_orthonormal_and_commute() -> None:
    group = dihedral(4)
    source = direct_sum(regular_representation(group), dihedral_irreps(4)[4])
    target = direct_sum(dihedral_irreps(4)[4], quotient_representation(group, [4]), dihedral_irreps(4)[1])
    for a, b in ((source, target), (target, target), (target, source)):
        found = dense_intertwiners(a, b)
        gram = np.einsum("pij,qij->pq", found.matrices, found.matrices) / min(a.dimension, b.dimension)
        assert np.abs(gram - np.eye(found.count)).max() < 1e-12
        for g in range(group.order):
            assert np.abs(b.matrix(g) @ found.matrices - found.matrices @ a.matrix(g)).max() < 1e-12
            assert np.abs(found.output_vectors @ b.matrix(g).T - found.output_vectors).max(initial=0.0) < 1e-12
        assert found.residual < 1e-12
        assert found.count == averaged_rank([b.matrix(g) for g in range(8)], [a.matrix(g) for g in range(8)])
        rng = np.random.default_rng(5)
        for beta in rng.choice([-1.0, 1.0], (50, found.count)):
            assert np.linalg.norm(np.tensordot(beta, found.matrices, 1), ord=2) <= found.norm_bound * (
                1 + 1e-12
            )


def test_representations_that_are_not_orthogonal() -> None:
    slanted = representation_from_generators("slanted", cyclic(2), {1: [[1, 5], [0, -1]]})
    found = dense_intertwiners(slanted, regular_representation(cyclic(2)))
    assert found.count == 2
    assert equivariance_error(found.matrices[0], slanted, regular_representation(cyclic(2))) < 1e-12


@pytest.mark.parametrize(
    ("basis", "exact"),
    [
        (orbits(tuples(3, 1), tuples(3, 1)), True),
        (orbits(tuples(3, 1), trivial_action(tuples(3, 1))), True),
        (orbits(tuples(2, 1), tuples(2, 2)), True),
        (Orbits([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], 2, [0, 0, 0], 1), True),
        (Orbits([[0, -1], [1, 2]], 3, [0, 1], 2), False),
    ],
)
def test_norm(basis: Orbits, exact: bool) -> None:
    """||B|| is attained at beta = 1 and never exceeded at the corners of the cube (the norm is convex)."""
    corners = [np.linalg.norm(basis.matrix(beta), ord=2) for beta in product((-1.0, 1.0), repeat=basis.count)]
    top = np.linalg.norm(basis.labels >= 0, ord=2)
    assert max(corners) == pytest.approx(top, rel=1e-12)
    assert top <= basis.norm_bound * (1 + 1e-12)
    assert basis.norm_exact == exact
    if basis.norm_exact:
        assert basis.norm_bound == pytest.approx(top, rel=1e-12)
    assert basis.norm_bound**2 >= basis.norm_squared_bound * (1 - 2**-52)


def test_restriction() -> None:
    full = orbits(regular_representation(cyclic(5)), regular_representation(cyclic(5)))
    near = np.isin(full.labels, (0, 1))
    window = full.restrict(near)
    assert (window.count, window.norm_bound, window.identity) == (2, 2.0, 0)
    assert np.array_equal(window.labels >= 0, near)
    assert full.restrict(full.labels == 3).identity is None
    cut = near.copy()
    cut[0, 0] = False
    with pytest.raises(InvalidInput, match="must be a union of orbits; got 4 of the 5 entries of orbit 0"):
        full.restrict(cut)
    with pytest.raises(InvalidInput, match="must hold at least one orbit; got none"):
        full.restrict(np.zeros((5, 5), dtype=bool))
    with pytest.raises(InvalidInput, match=r"boolean array of shape \(5, 5\); got dtype int64"):
        full.restrict(full.labels)


def test_projection_of_features() -> None:
    """Blocks (o, i) are projected each on its own; what comes back is bit for bit what went in."""
    basis = orbits(tuples(4, 1), tuples(4, 1))
    rng = np.random.default_rng(3)
    coefficients = rng.normal(size=(2, 3, 2))
    blocks = np.concatenate([coefficients, np.zeros((2, 3, 1))], axis=-1)[..., basis.labels]
    weight = blocks.transpose(0, 2, 1, 3).reshape(8, 12)
    assert np.array_equal(project(weight, basis), coefficients)
    assert equivariance_error(weight, tuples(4, 1), tuples(4, 1)) == 0.0
    assert np.array_equal(project_bias(np.repeat([3.0, 0.1], 4), basis), [[3.0], [0.1]])
    noisy = weight + 1e-12 * rng.normal(size=weight.shape)
    assert np.abs(project(noisy, basis) - coefficients).max() < 1e-11
    with pytest.raises(InvalidInput, match="residual"):
        project(noisy, basis, tolerance=0.0)
    assert not project(np.zeros((4, 4)), basis).any()
    turn = cyclic_irreps(5)[1]
    found = dense_intertwiners(turn, turn)
    mixed = np.kron(np.eye(2), np.tensordot([0.5, -2.0], found.matrices, 1))
    assert np.abs(project(mixed, found) - [[[0.5, -2.0], [0, 0]], [[0, 0], [0.5, -2.0]]]).max() < 1e-12
    invariant = dense_intertwiners(turn, regular_representation(cyclic(5)))
    assert np.abs(project_bias(np.ones(5), invariant) @ invariant.output_vectors - 1).max() < 1e-12


@given(st.integers(0, 11), st.integers(0, 11), st.floats(1e-6, 1.0))
def test_planted_entry_is_found(row: int, column: int, size: float) -> None:
    """One entry moved out of the span: projection refuses, the equivariance error is what was added.

    The cycle among the generators moves every pair of points, so the entry is compared with an unchanged one.
    """
    action = tuples(12, 1)
    basis = orbits(action, action)
    weight = basis.matrix([1.0, -0.5])
    weight[row, column] += size
    with pytest.raises(InvalidInput, match=rf"got a residual of .* at index \({row}, {column}\)"):
        project(weight, basis)
    assert equivariance_error(weight, action, action) == pytest.approx(size)


def test_equivariance_error_over_all_elements() -> None:
    """For generators the error can be smaller than for an element: all elements are looked at."""
    rho = regular_representation(cyclic(8))
    weight = np.diag([0.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0])
    errors = [np.abs(rho.matrix(a) @ weight - weight @ rho.matrix(a)).max() for a in range(8)]
    assert errors[1] == 1.0
    assert equivariance_error(weight, rho, rho) == max(errors) == 4.0
    turn = cyclic_irreps(8)[2]
    assert equivariance_error(np.eye(2), turn, turn) == 0.0
    assert equivariance_error([[1.0, 0.0], [0.0, -1.0]], turn, turn) == pytest.approx(2.0)
    assert equivariance_error(np.ones((8, 2)), turn, rho) > 0.1


def test_names_do_not_make_a_group() -> None:
    for first, second in combinations_with_replacement([cyclic(4), dihedral(2), symmetric(2)], 2):
        if first != second:
            with pytest.raises(InvalidInput, match="must belong to one group"):
                orbits(regular_representation(first), regular_representation(second))


REGULAR = regular_representation(cyclic(2))
SETS = orbits(tuples(3, 1), tuples(3, 1))


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (
            lambda: Orbits([[0, 2]], 2, [0], 1),
            r"`labels` must hold integers in \[-1, 1\]; got 2 at index \(0, 1\)",
        ),
        (lambda: Orbits([[0, 0]], 2, [0], 1), r"`labels` must hold each of 0..1; got no 1"),
        (lambda: Orbits([[0, 0]], 0, [0], 1), "`count` must be an integer >= 1"),
        (lambda: Orbits([[0, 0]], 1, [-1], 1), r"`output_labels` must hold integers in \[0, 0\]; got -1"),
        (lambda: Orbits([[0, 0]], 1, [0, 0], 1), r"one label per output \(1\); got 2"),
        (lambda: SETS.matrix([1.0]), "`coefficients` must be 2 numbers; got 1"),
        (lambda: SETS.bias([1.0, 2.0]), "`coefficients` must be 1 numbers; got 2"),
        (
            lambda: orbits(tuples(3, 1), tuples(4, 1)),
            "actions of one group; got 'S_3' with 2 generators and 'S_4'",
        ),
        (lambda: orbits(REGULAR, tuples(2, 1)), "got PermutationRepresentation and Action"),
        (lambda: equivariance_error(np.eye(2), REGULAR, tuples(2, 1)), "both be given by generators"),
        (
            lambda: equivariance_error(np.eye(3), REGULAR, REGULAR),
            r"blocks of shape \(2, 2\); got shape \(3, 3\)",
        ),
        (lambda: intertwiner_dimension(REGULAR, regular_representation(cyclic(3))), "must belong to one group"),
        (lambda: project(np.eye(4), SETS), r"blocks of shape \(3, 3\); got shape \(4, 4\)"),
        (
            lambda: project(np.diag([1.0, 2, 3]), SETS),
            r"to 1e-09 of its largest entry 3; got a residual of 1 at",
        ),
        (lambda: project(np.eye(3), SETS, tolerance=-1), "`tolerance` must be a finite number >= 0"),
        (lambda: project([[np.inf]], SETS), "`weight` must be finite"),
        (lambda: project_bias([1.0, 2.0], SETS), "`bias` must consist of blocks of 3; got 2 numbers"),
        (lambda: project_bias([1.0, 1.0, 2.0], SETS), r"`bias` must lie in the span .* at index 2"),
        (lambda: Action("g", [[0, 0]]), "`permutations of g` must hold permutations; got row 0"),
        (lambda: tuples(3, 1).act(2, np.zeros(3)), r"`generator` must be an integer in \[0, 1\]; got 2"),
        (lambda: tuples(3, 1).act(0, np.zeros(2)), "last axis of length 3"),
        (lambda: tuples(3, -1), "`length` must be an integer >= 0"),
        (lambda: tuples(0, 1), "`n` must be an integer >= 1"),
        (lambda: tuples(100, 4), r"at most 1048576 tuples; got 100\^4"),
        (lambda: trivial_action(tuples(3, 1), 0), "`dimension` must be an integer in"),
    ],
)
def test_refusals(make: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        make()


def test_capacity() -> None:
    with pytest.raises(CapacityExceeded, match=r"orbits on 10000 x 10000 pairs need about .*Use fewer points"):
        orbits(tuples(100, 2), tuples(100, 2))
    rho = regular_representation(cyclic(80))
    with pytest.raises(
        CapacityExceeded, match=r"intertwiners of 80 x 80 need about .*Split the representations"
    ):
        dense_intertwiners(rho, rho)


def test_characters_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rho = regular_representation(cyclic(3))
    monkeypatch.setattr(PermutationRepresentation, "character", lambda _: np.array([3, 1, 1]))
    with pytest.raises(
        InvalidInput, match=r"mean product of their characters is an integer; got 4 with residual 0\.333"
    ):
        intertwiner_dimension(rho, rho)


def test_disagreement_of_null_space_and_characters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "intertwiner_dimension", lambda *_: 3)
    with pytest.raises(InvalidInput, match=r"characters say \(3\); got a null space of dimension 2"):
        dense_intertwiners(REGULAR, REGULAR)
