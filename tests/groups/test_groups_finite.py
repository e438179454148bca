"""Groups: the axioms over all triples with real equality, and wrong tables refused by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.groups import failing_triple, is_group

from slth.errors import CapacityExceeded, InvalidInput
from slth.groups.families import (
    all_permutations,
    cyclic,
    dihedral,
    direct_product,
    semidirect_product,
    symmetric,
    trivial_group,
)
from slth.groups.finite import Group
from slth.groups.images import ImageGroup

QUATERNIONS = [  # +1, -1, +i, -i, +j, -j, +k, -k
    [0, 1, 2, 3, 4, 5, 6, 7],
    [1, 0, 3, 2, 5, 4, 7, 6],
    [2, 3, 1, 0, 6, 7, 5, 4],
    [3, 2, 0, 1, 7, 6, 4, 5],
    [4, 5, 7, 6, 1, 0, 2, 3],
    [5, 4, 6, 7, 0, 1, 3, 2],
    [6, 7, 4, 5, 3, 2, 1, 0],
    [7, 6, 5, 4, 2, 3, 0, 1],
]
# A Latin square with an identity that is not a group: 1*1 = 0, but order 5 has no element of order 2.
LOOP = [[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]]

GROUPS = [
    trivial_group(),
    cyclic(1),
    cyclic(7),
    dihedral(1),
    dihedral(2),
    dihedral(5),
    dihedral(6),
    symmetric(1),
    symmetric(3),
    symmetric(4),
    direct_product(cyclic(2), symmetric(3)),
    semidirect_product(cyclic(7), cyclic(3), [[(a * m) % 7 for a in range(7)] for m in (1, 2, 4)]),
    Group("Q_8", QUATERNIONS),
    ImageGroup(2, 2, "p4").group(),
    ImageGroup(3, 1, "pm").group(),
    ImageGroup(4, 4, "p4m", translations=False).group(),
]


@pytest.mark.parametrize("group", GROUPS, ids=repr)
def test_axioms(group: Group) -> None:
    table = group.table.tolist()
    assert is_group(table)
    elements = list(range(group.order))
    assert all(table[group.identity][a] == a and table[a][group.identity] == a for a in elements)
    inverses = group.inverses.tolist()
    assert all(
        table[a][inverses[a]] == group.identity and table[inverses[a]][a] == group.identity for a in elements
    )
    assert group.subgroup(group.generators).tolist() == elements
    assert len(group.generators) <= math.log2(group.order)


def test_known_structures() -> None:
    assert cyclic(6).table.tolist() == [[(a + b) % 6 for b in range(6)] for a in range(6)]
    group = dihedral(5)
    r, s = 1, 5
    assert group.compose(s, r, s) == group.inverses[r]
    assert group.compose(*[r] * 5) == group.compose(s, s) == group.compose() == 0
    assert [group.elements[a] for a in (0, 1, 5, 6)] == ["r0", "r1", "s", "r1 s"]
    assert not np.array_equal(symmetric(3).table, symmetric(3).table.T)
    assert Group("Q_8", QUATERNIONS) != dihedral(4)
    assert direct_product(cyclic(1), cyclic(3)) == cyclic(3)
    assert semidirect_product(cyclic(3), cyclic(2), [[0, 1, 2]] * 2) == direct_product(cyclic(2), cyclic(3))
    assert hash(cyclic(4)) == hash(Group("other", cyclic(4).table))
    assert cyclic(4) != "C_4"


def test_symmetric_composes_right_one_first() -> None:
    images = all_permutations(4)
    table = symmetric(4).table
    for a in range(24):
        for b in range(24):
            assert images[table[a, b]].tolist() == [int(images[a][images[b][i]]) for i in range(4)]
    assert symmetric(6).order == 720


def test_subgroups() -> None:
    group = dihedral(6)
    assert group.subgroup([]).tolist() == [0]
    assert group.subgroup([2]).tolist() == [0, 2, 4]
    assert group.subgroup([3, 6]).tolist() == [0, 3, 6, 9]


def test_table_is_read_only_and_copied() -> None:
    table = np.array([[0, 1], [1, 0]])
    group = Group("C_2", table)
    table[0, 0] = 1
    assert group.table[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        group.table[0, 0] = 1


def test_identity_need_not_come_first() -> None:
    order = [2, 0, 1]
    renamed = [[order.index((order[a] + order[b]) % 3) for b in range(3)] for a in range(3)]
    assert Group("C_3", renamed).identity == 1


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ([[0, 1], [1, 2]], r"`table of wrong` must hold integers in \[0, 1\]; got 2 at index \(1, 1\)"),
        ([[0.0, 1.0], [1.0, 0.0]], "array of integers; got dtype float64"),
        ([[0, 1], [1]], r"`table of wrong` must be an array of integers; got list \(setting"),
        ([[True]], "array of integers; got dtype bool"),
        ([[0, 1]], r"square and not empty; got shape \(1, 2\)"),
        ([], r"square and not empty; got shape \(0,\)"),
        ([[1, 0], [1, 0]], r"must have an identity, e\*x = x\*e = x for all x; got none"),
        ([[0, 1, 2], [2, 0, 1], [1, 2, 0]], "must have an identity"),  # b - a: from the left only
        ([[0, 2, 1], [1, 0, 2], [2, 1, 0]], "must have an identity"),  # a - b: from the right only
        ([[0, 1, 2], [1, 0, 1], [2, 1, 0]], r"once in each row; got 1\*0 = 1\*2 = 1"),
        ([[0, 1, 2], [1, 2, 0], [2, 1, 0]], r"once in each column; got 0\*1 = 2\*1 = 1"),
        (LOOP, r"must be associative; got \(1\*1\)\*2 = 2 but 1\*\(1\*2\) = 4 \(group 'wrong'\)"),
    ],
)
def test_wrong_tables_are_named(table: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        Group("wrong", table)


def test_named_triple_fails_indeed() -> None:
    assert failing_triple(LOOP) is not None
    assert LOOP[LOOP[1][1]][2] == 2
    assert LOOP[1][LOOP[1][2]] == 4


def test_wrong_table_of_large_order_is_found() -> None:
    """One intercalate switched in a table of 2048 elements: still Latin with identity, not associative."""
    table = np.array(ImageGroup(16, 16, "p4m").group().table)
    a, b = 700, 900
    half = 8 * 16  # the translation by (8, 0) has order two, so rows a, b = half a and a pair of columns switch
    b = int(table[half, a])
    column = 1500
    other = int(np.flatnonzero(table[a] == table[b, column])[0])
    assert table[b, other] == table[a, column]
    table[np.ix_([a, b], [column, other])] = table[np.ix_([b, a], [column, other])]
    with pytest.raises(InvalidInput, match="must be associative"):
        Group("switched", table)


@given(data=st.data())
def test_light_agrees_with_all_triples(data: st.DataObject) -> None:
    """Tables with a few entries or intercalates changed: refused if and only if some axiom fails."""
    table = np.array(data.draw(st.sampled_from(GROUPS[:12])).table)
    n = len(table)
    index = st.integers(0, n - 1)
    for _ in range(data.draw(st.integers(0, 2))):
        a, b, c, d = (data.draw(index) for _ in range(4))
        table[a, c], table[b, c], table[a, d], table[b, d] = table[b, c], table[a, c], table[b, d], table[a, d]
    relabel = np.array(data.draw(st.permutations(range(n))))
    table = relabel[table[np.ix_(np.argsort(relabel), np.argsort(relabel))]]
    if is_group(table.tolist()):
        assert Group("drawn", table).order == n
    else:
        with pytest.raises(InvalidInput, match="`table` must"):
            Group("drawn", table)


@given(st.permutations(range(5)), st.integers(0, 4))
def test_random_loops(order: list[int], row: int) -> None:
    """Relabelled loops are refused whatever their labels."""
    relabel = np.array(order)
    loop = np.array(LOOP)[np.ix_(np.argsort(relabel), np.argsort(relabel))]
    with pytest.raises(InvalidInput, match="must be associative"):
        Group("loop", relabel[loop])
    assert not is_group(relabel[loop].tolist())


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (
            lambda: Group("g", [[0]], ("a", "b")),
            "`elements` must be 1 distinct names; got 2, 2 of them distinct",
        ),
        (
            lambda: Group("g", [[0, 1], [1, 0]], ("a", "a")),
            "must be 2 distinct names; got 2, 1 of them distinct",
        ),
        (lambda: cyclic(0), r"`n` must be an integer in \[1, 4096\]; got 0"),
        (lambda: dihedral(True), "`n` must be an integer"),
        (lambda: symmetric(7), r"`n` must be an integer in \[1, 6\]; got 7"),
        (lambda: cyclic(3).compose(3), r"`element of C_3` must be an integer in \[0, 2\]; got 3"),
        (lambda: cyclic(3).subgroup([-1]), r"`element of C_3` must be an integer in \[0, 2\]; got -1"),
        (
            lambda: semidirect_product(cyclic(3), cyclic(2), [[0, 1, 2]]),
            r"one row per acting element, shape \(2, 3\); got shape \(1, 3\)",
        ),
        (
            lambda: semidirect_product(cyclic(3), cyclic(2), [[0, 1, 2], [1, 2, 0]]),
            r"must preserve products; got phi\(0\*0\) different from phi\(0\)\*phi\(0\) for acting element 1",
        ),
        (
            lambda: semidirect_product(cyclic(3), cyclic(3), [[0, 1, 2], [0, 2, 1], [0, 1, 2]]),
            r"must compose as the acting group; got row 1\*2 different .*at element 1",
        ),
        (
            lambda: semidirect_product(cyclic(3), cyclic(2), [[0, 1, 2], [0, 0, 1]]),
            "`automorphisms` must hold permutations; got row 1, in which no point goes to 2",
        ),
    ],
)
def test_refusals(make: object, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: direct_product(cyclic(100), cyclic(100)),
        lambda: Group("wide", np.zeros((5000, 5000), dtype=np.int8)),
        lambda: ImageGroup(32, 32, "p4m").group(),
    ],
)
def test_large_tables_are_refused_before_they_are_made(make: object) -> None:
    with pytest.raises(CapacityExceeded, match=r"MiB, more than that of 4096 elements .*by generators"):
        make()
