"""Groups by name and from other groups: trivial, cyclic, dihedral, symmetric, (semi)direct products."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np

from slth._typing import IntArray
from slth._validate import as_integer, read_only
from slth.errors import InvalidInput
from slth.groups.arrays import as_permutations
from slth.groups.finite import MAX_ORDER, Group, check_order

MAX_SYMMETRIC = 6  # 6! = 720; 7! = 5040 is beyond MAX_ORDER


def trivial_group() -> Group:
    """The group of one element."""
    return Group("trivial", np.zeros((1, 1), dtype=np.int64), ("e",))


def cyclic(n: int) -> Group:
    """C_n, the rotations by multiples of 1/n of a turn; element a is r^a, 1 <= n <= 4096.

    Examples
    --------
    >>> cyclic(4).compose(3, 2)
    1
    """
    n = as_integer(n, "n", low=1, high=MAX_ORDER)
    numbers = np.arange(n)
    return Group(f"C_{n}", (numbers[:, None] + numbers) % n, tuple(f"r{a}" for a in range(n)))


def dihedral(n: int) -> Group:
    """D_n, the 2n symmetries of the regular n-gon, 1 <= n <= 2048.

    Element b n + a is r^a s^b, with s r s = r^-1.

    Examples
    --------
    >>> group = dihedral(4)
    >>> [group.elements[a] for a in group.generators]
    ['r1', 's']
    >>> group.elements[group.compose(4, 1)]  # s r = r^3 s
    'r3 s'
    """
    n = as_integer(n, "n", low=1, high=MAX_ORDER // 2)
    a = np.arange(2 * n) % n
    b = np.arange(2 * n) // n
    power = (a[:, None] + np.where(b[:, None] == 1, -a, a)) % n
    names = (*(f"r{i}" for i in range(n)), "s", *(f"r{i} s" for i in range(1, n)))
    return Group(f"D_{n}", (b[:, None] ^ b) * n + power, names)


def symmetric(n: int) -> Group:
    """S_n for 1 <= n <= 6; element a is row a of `all_permutations(n)`.

    Larger symmetric groups need no table: see `slth.groups.actions.tuples`.

    Examples
    --------
    >>> symmetric(3).elements
    ('012', '021', '102', '120', '201', '210')
    """
    images = all_permutations(n)
    order, points = images.shape
    # Reading a permutation as a number in base n keeps the lexicographic order.
    weights = points ** np.arange(points - 1, -1, -1)
    codes = images @ weights
    table = np.searchsorted(codes, np.stack([images[a][images] @ weights for a in range(order)]))
    return Group(f"S_{points}", table, tuple("".join(map(str, row)) for row in images.tolist()))


def all_permutations(n: int) -> IntArray:
    """All (n!, n) permutations of 0..n-1 in lexicographic order, n <= 6; position i holds the image of i."""
    n = as_integer(n, "n", low=1, high=MAX_SYMMETRIC)
    images: IntArray = read_only(
        np.array(list(permutations(range(n))), dtype=np.int64).reshape(math.factorial(n), n)
    )
    return images


def direct_product(first: Group, second: Group) -> Group:
    """Pairs (a, b), numbered a |second| + b, composed one by one.

    Examples
    --------
    >>> direct_product(cyclic(2), cyclic(3)).order
    6
    """
    name = f"{first.name} x {second.name}"
    check_order(first.order * second.order, name)
    table = (first.table[:, None, :, None] * second.order + second.table[None, :, None, :]).reshape(
        first.order * second.order, -1
    )
    return Group(name, table, tuple(f"({a}, {b})" for a in first.elements for b in second.elements))


def semidirect_product(normal: Group, acting: Group, automorphisms: Any) -> Group:
    r"""Pairs (x, h), numbered h |normal| + x, with (x, h)(y, k) = (x \phi_h(y), h k).

    Parameters
    ----------
    normal, acting : Group
        |normal| |acting| <= 4096.
    automorphisms : (|acting|, |normal|) array of int
        Row h is the automorphism :math:`\phi_h` of `normal`: position y holds :math:`\phi_h(y)`.

    Raises
    ------
    InvalidInput
        If a row is no automorphism, or rows do not compose as `acting` does; the message names the elements.

    Examples
    --------
    >>> group = semidirect_product(cyclic(5), cyclic(2), [[0, 1, 2, 3, 4], [0, 4, 3, 2, 1]])
    >>> group == dihedral(5)
    True
    """
    name = f"{normal.name} : {acting.name}"
    n, m = normal.order, acting.order
    check_order(n * m, name)
    phi = as_permutations(automorphisms, "automorphisms")
    if phi.shape != (m, n):
        raise InvalidInput(
            f"`automorphisms` must have one row per acting element, shape {(m, n)}; got shape {phi.shape}."
        )
    for h in range(m):
        wrong = phi[h][normal.table] != normal.table[np.ix_(phi[h], phi[h])]
        if wrong.any():
            x, y = (int(i) for i in np.argwhere(wrong)[0])
            raise InvalidInput(
                f"`automorphisms` must preserve products; got phi({x}*{y}) different from phi({x})*phi({y}) "
                f"for acting element {h}."
            )
    for h in range(m):
        wrong = phi[acting.table[h]] != phi[h][phi]
        if wrong.any():
            k, x = (int(i) for i in np.argwhere(wrong)[0])
            raise InvalidInput(
                f"`automorphisms` must compose as the acting group; got row {h}*{k} different from row {h} "
                f"after row {k} at element {x}."
            )
    shift, turn = np.arange(n * m) % n, np.arange(n * m) // n
    moved = phi[turn[:, None], shift]
    table = acting.table[turn[:, None], turn] * n + normal.table[shift[:, None], moved]
    return Group(name, table, tuple(f"({a}, {b})" for b in acting.elements for a in normal.elements))
