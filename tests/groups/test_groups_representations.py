"""Representations: the law over all pairs, characters, irreducibles, and groups from generators."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.errors import CapacityExceeded, InvalidInput, MissingExtra
from slth.groups.families import all_permutations, cyclic, dihedral, symmetric, trivial_group
from slth.groups.generated import from_sympy, matrix_group, permutation_group
from slth.groups.irreps import cyclic_irreps, dihedral_irreps, symmetric_irreps
from slth.groups.representations import (
    MatrixRepresentation,
    PermutationRepresentation,
    Representation,
    direct_sum,
    quotient_representation,
    regular_representation,
    representation_from_generators,
    sign_representation,
    trivial_representation,
)


def points(n: int) -> PermutationRepresentation:
    return PermutationRepresentation("points", symmetric(n), all_permutations(n))


PERMUTATIONS = [
    trivial_representation(trivial_group()),
    trivial_representation(dihedral(3), 2),
    regular_representation(cyclic(5)),
    regular_representation(dihedral(4)),
    quotient_representation(dihedral(6), [6]),
    quotient_representation(symmetric(4), [1, 2]),
    quotient_representation(cyclic(6), [1]),
    points(4),
    direct_sum(points(3), trivial_representation(symmetric(3)), regular_representation(symmetric(3))),
    permutation_group([[1, 2, 3, 4, 0], [0, 4, 3, 2, 1]]),
]
FAMILIES = [
    *(cyclic_irreps(n) for n in (1, 2, 3, 8)),
    *(dihedral_irreps(n) for n in (1, 2, 3, 4, 6)),
    *(symmetric_irreps(n) for n in (1, 2, 3, 4, 5)),
]


@pytest.mark.parametrize("rho", PERMUTATIONS, ids=lambda rho: rho.name)
def test_law_over_all_pairs_exactly(rho: PermutationRepresentation) -> None:
    images, table = rho.permutations, rho.group.table
    elements = list(range(rho.group.order))
    for a in elements:
        for b in elements:
            assert images[table[a, b]].tolist() == images[a][images[b]].tolist()
        assert rho.character()[a] == np.trace(rho.matrix(a))
        x = np.arange(1.0, rho.dimension + 1)
        assert rho.act(a, x).tolist() == (rho.matrix(a) @ x).tolist()


@pytest.mark.parametrize("irreps", FAMILIES, ids=lambda irreps: irreps[0].group.name)
def test_irreps(irreps: tuple[MatrixRepresentation, ...]) -> None:
    """Law over all pairs, orthogonal matrices, orthogonal characters, and nothing is missing."""
    group = irreps[0].group
    elements = list(range(group.order))
    for rho in irreps:
        assert rho.group == group
        for a in elements:
            assert np.abs(rho.matrices[group.table[a]] - rho.matrix(a) @ rho.matrices).max() < 1e-10
            assert np.abs(rho.matrix(a) @ rho.matrix(a).T - np.eye(rho.dimension)).max() < 1e-12
    products = np.array([[np.dot(x.character(), y.character()) / group.order for y in irreps] for x in irreps])
    rounded = np.rint(products)
    assert np.abs(products - rounded).max() < 1e-9
    assert np.array_equal(rounded, np.diag(np.diag(rounded)))
    # sum of d^2 / <chi, chi> is the order: 1 for real type, 2 for complex type
    assert sum(rho.dimension**2 / rounded[i, i] for i, rho in enumerate(irreps)) == group.order
    complex_type = group.name.startswith("C_")
    assert all(
        rounded[i, i] == (2 if complex_type and rho.dimension == 2 else 1) for i, rho in enumerate(irreps)
    )


def test_largest_symmetric_irreps() -> None:
    irreps = symmetric_irreps(6)
    assert sorted(rho.dimension for rho in irreps) == [1, 1, 5, 5, 5, 5, 9, 9, 10, 10, 16]
    assert sum(rho.dimension**2 for rho in irreps) == 720


def test_known_characters() -> None:
    by_shape = {rho.name: rho.character() for rho in symmetric_irreps(4)}
    fixed = points(4).character()
    assert np.abs(by_shape["shape 3,1"] - (fixed - 1)).max() < 1e-12
    assert np.array_equal(by_shape["shape 1,1,1,1"], sign_representation(points(4)).character())
    assert sign_representation(points(3)).character().tolist() == [1, -1, -1, 1, 1, -1]
    assert regular_representation(cyclic(4)).character().tolist() == [4, 0, 0, 0]
    assert sign_representation(regular_representation(cyclic(4))).character().tolist() == [1, -1, 1, -1]
    assert direct_sum(points(3), trivial_representation(symmetric(3))).character().tolist() == [
        4,
        2,
        2,
        1,
        1,
        2,
    ]
    assert symmetric_irreps(3)[0].character().dtype == np.int64


def test_cosets() -> None:
    rho = quotient_representation(dihedral(4), [4])
    assert rho.dimension == 4
    assert rho.permutations[1].tolist() == [1, 2, 3, 0]
    assert rho.permutations[4].tolist() == [0, 3, 2, 1]
    assert quotient_representation(cyclic(5), []).permutations.tolist() == cyclic(5).table.tolist()


def test_direct_sums_with_matrices() -> None:
    rho = direct_sum(points(3), symmetric_irreps(3)[1])
    assert isinstance(rho, MatrixRepresentation)
    assert rho.dimension == 5
    assert rho.act(3, np.eye(5)).T.tolist() == rho.matrix(3).tolist()
    assert np.abs(rho.character() - points(3).character() - symmetric_irreps(3)[1].character()).max() < 1e-12


def test_matrices_that_are_not_orthogonal() -> None:
    rho = representation_from_generators("slanted", cyclic(2), {1: [[1, 5], [0, -1]]})
    assert rho.character().tolist() == [2, 0]


@given(st.lists(st.permutations(range(4)), min_size=0, max_size=3))
def test_permutation_groups_are_closed(generators: list[list[int]]) -> None:
    rho = permutation_group(np.array(generators, dtype=np.int64).reshape(-1, 4), "drawn")
    members = {tuple(row) for row in rho.permutations.tolist()}
    assert len(members) == rho.group.order
    assert 24 % rho.group.order == 0
    closed = {tuple(a[i] for i in b) for a in members for b in members}
    assert closed == members
    assert {tuple(g) for g in generators} <= members


def test_generated_groups() -> None:
    assert permutation_group([[1, 2, 3, 4, 5, 0], [1, 0, 2, 3, 4, 5]]).group.order == 720
    quarter = [[0, -1], [1, 0]]
    rho = matrix_group([quarter, [[1, 0], [0, -1]]], "square")
    assert rho.group.order == 8
    assert rho.character().dtype == np.int64
    c = math.sqrt(0.5)
    assert matrix_group([[[c, -c], [c, c]]]).group == cyclic(8)
    icosahedral = (1 + math.sqrt(5)) / 4
    fifth = [[0.5, -icosahedral, icosahedral - 0.5], [icosahedral, icosahedral - 0.5, -0.5]]
    fifth.append(list(np.cross(*fifth)))
    third = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert matrix_group([fifth, third]).group.order == 60


def test_sympy_groups() -> None:
    combinatorics = pytest.importorskip("sympy.combinatorics")
    named = pytest.importorskip("sympy.combinatorics.named_groups")
    assert from_sympy(named.AlternatingGroup(5)).group.order == 60
    rho = from_sympy(named.DihedralGroup(5), "D_5")
    theirs = {tuple(element.array_form) for element in named.DihedralGroup(5).elements}
    assert {tuple(row) for row in rho.permutations.tolist()} == theirs
    assert from_sympy(combinatorics.PermutationGroup(combinatorics.Permutation(3))).group.order == 1
    with pytest.raises(InvalidInput, match="`group` must be a sympy PermutationGroup; got int"):
        from_sympy(5)


def test_missing_sympy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sympy.combinatorics", None)
    with pytest.raises(MissingExtra, match="`from_sympy` needs sympy"):
        from_sympy(None)


def test_small_errors_that_add_up_are_found() -> None:
    """Within tolerance for every product with the generator, beyond it for longer ones."""
    steps = np.minimum(np.arange(64), 64 - np.arange(64))
    drift = np.exp(4e-11 * steps)
    assert np.abs(np.roll(drift, -1) - drift[1] * drift).max() < 1e-10
    with pytest.raises(InvalidInput, match=r"got a difference of .*e-10, tolerance 1e-10"):
        MatrixRepresentation("drift", cyclic(64), drift[:, None, None])


SIGN = [[[1.0]], [[-1.0]]]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (
            lambda: PermutationRepresentation("p", cyclic(3), [[0, 1, 2], [1, 2, 0], [1, 2, 0]]),
            r"`permutations of p` must satisfy rho\(1\*1\) = rho\(1\) rho\(1\); got 1 and 2 for point 0",
        ),
        (
            lambda: PermutationRepresentation("p", cyclic(2), [[1, 0], [0, 1]]),
            "must let the identity fix every point; got 1 for point 0",
        ),
        (
            lambda: PermutationRepresentation("p", cyclic(2), [[0, 1]]),
            r"one row per element of C_2 \(2\); got 1",
        ),
        (lambda: PermutationRepresentation("p", cyclic(2), [[0, 1], [0, 0]]), "no point goes to 1"),
        (lambda: PermutationRepresentation("p", cyclic(2), [[], []]), "at least one point"),
        (lambda: PermutationRepresentation("p", cyclic(2), [0, 1]), r"2 dimension\(s\); got shape \(2,\)"),
        (lambda: PermutationRepresentation("p", cyclic(2), [[0, 2], [0, 1]]), r"integers in \[0, 1\]; got 2"),
        (
            lambda: PermutationRepresentation("p", cyclic(2), [[0], [0, 1]]),
            r"array of integers; got list \(setting",
        ),
        (
            lambda: MatrixRepresentation("m", cyclic(3), [[[1]], [[-1]], [[1]]]),
            r"`matrices of m` must satisfy rho\(1\*2\) = rho\(1\) rho\(2\); got a difference of 2, tolerance 0",
        ),
        (
            lambda: MatrixRepresentation("m", cyclic(2), [np.eye(2), [[0, 1 + 1e-9], [1, 0]]]),
            r"rho\(1\*1\) = rho\(1\) rho\(1\); got a difference of 1e-09, tolerance 1e-10",
        ),
        (
            lambda: MatrixRepresentation("m", cyclic(2), SIGN[::-1]),
            "give the identity I; got a difference of 2",
        ),
        (lambda: MatrixRepresentation("m", cyclic(3), SIGN), r"element of C_3 \(3\); got shape \(2, 1, 1\)"),
        (lambda: MatrixRepresentation("m", cyclic(1), [[[np.nan]]]), "must be finite"),
        (lambda: points(3).matrix(6), r"`element` must be an integer in \[0, 5\]; got 6"),
        (lambda: points(3).act(0, np.zeros(4)), r"last axis of length 3; got shape \(4,\)"),
        (lambda: direct_sum(), "`parts` must hold at least one representation"),
        (
            lambda: direct_sum(points(3), regular_representation(cyclic(6))),
            r"must belong to one group; got points of Group\('S_3', order 6\) and regular of C_6",
        ),
        (lambda: trivial_representation(cyclic(2), 0), "`dimension` must be an integer >= 1"),
        (
            lambda: representation_from_generators("r", dihedral(4), {1: [[0, -1], [1, 0]]}),
            r"elements that generate D_4; got elements \[1\], which generate 4 of 8",
        ),
        (lambda: representation_from_generators("r", cyclic(2), {1: [[1, 2]]}), r"square matrices of one size"),
        (
            lambda: representation_from_generators("r", cyclic(2), {}),
            r"square matrices of one size; got shapes \[\]",
        ),
        (
            lambda: representation_from_generators("r", cyclic(3), {1: [[-1]]}),
            r"must satisfy rho\(1\*2\) = rho\(1\) rho\(2\)",
        ),
        (lambda: matrix_group([[[1, 0], [0, 0]]]), "invertible; got a singular matrix at index 0"),
        (lambda: matrix_group([[[1, 0]]]), r"square matrices; got shape \(1, 1, 2\)"),
    ],
)
def test_refusals(make: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        make()


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (
            lambda: matrix_group([[[1, 1], [0, 1]]], "shear"),
            "at most 4096 elements; got more .*'shear'.*infinite",
        ),
        (
            lambda: permutation_group([[1, 2, 3, 4, 5, 6, 0], [1, 0, 2, 3, 4, 5, 6]]),
            "at most 4096 elements; got more",
        ),
        (
            lambda: direct_sum(
                regular_representation(cyclic(900)),
                MatrixRepresentation("s", cyclic(900), np.ones((900, 1, 1))),
            ),
            "need about 5574 MiB, more than 1024 MiB",
        ),
    ],
)
def test_capacity(make: object, complaint: str) -> None:
    with pytest.raises(CapacityExceeded, match=complaint):
        make()


def test_representation_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Representation()
