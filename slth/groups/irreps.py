"""Irreducible representations over the reals: cyclic, dihedral and symmetric groups."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_integer
from slth.groups.families import MAX_SYMMETRIC, all_permutations, cyclic, dihedral, symmetric
from slth.groups.finite import MAX_ORDER, Group
from slth.groups.representations import MatrixRepresentation, representation_from_generators


def cyclic_irreps(n: int) -> tuple[MatrixRepresentation, ...]:
    """The irreducible real representations of C_n, 1 <= n <= 4096.

    Trivial; for even n the sign r -> -1; and for 1 <= k < n/2 the rotation of the plane by k/n of a turn,
    which is of complex type (what commutes with it has dimension 2).

    Examples
    --------
    >>> [rho.dimension for rho in cyclic_irreps(8)]
    [1, 1, 2, 2, 2]
    """
    n = as_integer(n, "n", low=1, high=MAX_ORDER)
    group = cyclic(n)
    powers = np.arange(n)
    found = [_line(group, "trivial", np.ones(n))]
    if n % 2 == 0:
        found.append(_line(group, "sign", 1.0 - 2.0 * (powers % 2)))
    for k in range(1, (n + 1) // 2):
        found.append(MatrixRepresentation(f"rotation {k} of C_{n}", group, _rotations(n, k)))
    return tuple(found)


def dihedral_irreps(n: int) -> tuple[MatrixRepresentation, ...]:
    """The irreducible real representations of D_n, 1 <= n <= 2048; all are of real type.

    Trivial; s -> -1; for even n two more of dimension one (r -> -1, s -> +1 or -1); and for 1 <= k < n/2
    the plane with r as rotation by k/n of a turn and s as the mirror diag(1, -1).

    Examples
    --------
    >>> [rho.dimension for rho in dihedral_irreps(4)]
    [1, 1, 1, 1, 2]
    """
    n = as_integer(n, "n", low=1, high=MAX_ORDER // 2)
    group = dihedral(n)
    flips = 1.0 - 2.0 * (np.arange(2 * n) // n)
    found = [_line(group, "trivial", np.ones(2 * n)), _line(group, "sign", flips)]
    if n % 2 == 0:
        turns = 1.0 - 2.0 * (np.arange(2 * n) % 2)
        found += [_line(group, "alternating", turns), _line(group, "alternating sign", turns * flips)]
    for k in range(1, (n + 1) // 2):
        turned = _rotations(n, k)
        planes = np.concatenate([turned, turned * np.array([1.0, -1.0])])
        found.append(MatrixRepresentation(f"plane {k} of D_{n}", group, planes))
    return tuple(found)


def symmetric_irreps(n: int) -> tuple[MatrixRepresentation, ...]:
    """The irreducible representations of S_n, 1 <= n <= 6, one per partition of n, in Young's orthogonal form.

    Notes
    -----
    Coordinates are the standard tableaux T of the shape. With contents c (column minus row) and
    d = c(i+1) - c(i) in T, the transposition s_i of i and i+1 has diagonal entry 1/d at T and
    sqrt(1 - 1/d^2) between T and T with i and i+1 exchanged, where that is standard (where not, d = +-1).
    All are of real type and orthogonal.

    Examples
    --------
    >>> [(rho.name, rho.dimension) for rho in symmetric_irreps(3)]
    [('shape 3', 1), ('shape 2,1', 2), ('shape 1,1,1', 1)]
    """
    n = as_integer(n, "n", low=1, high=MAX_SYMMETRIC)
    group = symmetric(n)
    rows = {row: a for a, row in enumerate(map(tuple, all_permutations(n).tolist()))}
    found = []
    for shape in _partitions(n, n):
        name = "shape " + ",".join(map(str, shape))
        images = {group.identity: np.eye(len(_tableaux(shape)))}
        for i in range(n - 1):
            swap = list(range(n))
            swap[i], swap[i + 1] = i + 1, i
            images[rows[tuple(swap)]] = _transposition(shape, i)
        found.append(representation_from_generators(name, group, images))
    return tuple(found)


def _line(group: Group, name: str, values: npt.NDArray[np.floating[Any]]) -> MatrixRepresentation:
    return MatrixRepresentation(
        f"{name} of {group.name}", group, np.asarray(values, dtype=np.float64)[:, None, None]
    )


def _rotations(n: int, k: int) -> FloatArray:
    angles = np.arange(n) * k % n * (2.0 * math.pi / n)
    cosines, sines = np.cos(angles), np.sin(angles)
    planes: FloatArray = np.stack([cosines, -sines, sines, cosines], axis=-1).reshape(n, 2, 2)
    return planes


def _partitions(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    if total == 0:
        yield ()
    for part in range(min(total, largest), 0, -1):
        for rest in _partitions(total - part, part):
            yield (part, *rest)


def _tableaux(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Standard tableaux as words: entry i is the row of the number i."""
    words: list[tuple[int, ...]] = [()]
    for _ in range(sum(shape)):
        words = [
            (*word, row)
            for word in words
            for row in range(len(shape))
            if word.count(row) < shape[row] and (row == 0 or word.count(row) < word.count(row - 1))
        ]
    return words


def _transposition(shape: tuple[int, ...], i: int) -> FloatArray:
    words = _tableaux(shape)
    places = {word: a for a, word in enumerate(words)}
    matrix = np.zeros((len(words), len(words)))
    for a, word in enumerate(words):
        content = [word[:j].count(word[j]) - word[j] for j in (i, i + 1)]
        distance = content[1] - content[0]
        matrix[a, a] = 1.0 / distance
        swapped = (*word[:i], word[i + 1], word[i], *word[i + 2 :])
        if abs(distance) > 1:
            matrix[a, places[swapped]] = math.sqrt(1.0 - 1.0 / distance**2)
    return matrix
