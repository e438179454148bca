"""Groups from generators: permutations, matrices, or a group of sympy's; the table comes out of the closure."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from slth._typing import FloatArray, IntArray
from slth._validate import as_floats
from slth.errors import CapacityExceeded, InvalidInput, MissingExtra
from slth.groups.arrays import as_permutations
from slth.groups.finite import MAX_ORDER, Group
from slth.groups.representations import MatrixRepresentation, PermutationRepresentation

SAME_MATRIX = 1e-6  # two matrices whose entries differ by less are one element


def permutation_group(generators: Any, name: str = "generated") -> PermutationRepresentation:
    """The group that permutations generate, with its action on their points.

    Parameters
    ----------
    generators : (k, d) array of int
        Each row a permutation; position i holds the image of i.
    name : str

    Returns
    -------
    PermutationRepresentation
        Its `group` has the identity as element 0, then elements in the order in which they are reached.

    Raises
    ------
    InvalidInput
        If a row is no permutation.
    CapacityExceeded
        If more than 4096 elements are generated. `slth.groups.actions.Action` needs no table.

    Examples
    --------
    >>> permutation_group([[1, 2, 3, 4, 0], [0, 4, 3, 2, 1]]).group.order
    10
    """
    steps = as_permutations(generators, "generators")
    identity = np.arange(steps.shape[1])
    numbers: dict[bytes, int] = {identity.tobytes(): 0}
    found: list[IntArray] = [identity]

    def number(candidate: IntArray) -> int | None:
        return numbers.get(candidate.tobytes())

    def admit(candidate: IntArray) -> None:
        numbers[candidate.tobytes()] = len(found)
        found.append(candidate)

    table = _close(len(steps), lambda g, b: steps[g][found[b]], number, admit, name)
    return PermutationRepresentation(f"points of {name}", Group(name, table), np.stack(found))


def matrix_group(generators: Any, name: str = "generated") -> MatrixRepresentation:
    """The finite group that invertible matrices generate, with its representation by them.

    Products are the same element when they are equal (integer matrices) or when all entries agree to
    1e-6 (others); the table so found is checked against the axioms, the matrices against the law.

    Parameters
    ----------
    generators : (k, d, d) array
        Finite.
    name : str

    Raises
    ------
    InvalidInput
        If the matrices are not square, or are singular.
    CapacityExceeded
        If more than 4096 elements are generated (the group may be infinite).

    Examples
    --------
    >>> import math
    >>> c = s = math.sqrt(0.5)
    >>> matrix_group([[[c, -s], [s, c]]]).group.order
    8
    """
    steps = as_floats(generators, "generators", ndim=3)
    if steps.shape[1] != steps.shape[2] or steps.size == 0:
        raise InvalidInput(f"`generators` must be square matrices; got shape {steps.shape}.")
    for i, step in enumerate(steps):
        if np.linalg.matrix_rank(step) < len(step):
            raise InvalidInput(f"`generators` must be invertible; got a singular matrix at index {i}.")
    within = 0.0 if bool((steps == np.rint(steps)).all()) else SAME_MATRIX
    found = np.empty((16, *steps.shape[1:]))
    found[0] = np.eye(steps.shape[1])
    count = 1

    def number(candidate: FloatArray) -> int | None:
        same = (np.abs(found[:count] - candidate) <= within).all(axis=(1, 2))
        return int(same.argmax()) if same.any() else None

    def admit(candidate: FloatArray) -> None:
        nonlocal found, count
        if count == len(found):
            found = np.concatenate([found, np.empty_like(found)])
        found[count] = candidate
        count += 1

    table = _close(len(steps), lambda g, b: steps[g] @ found[b], number, admit, name)
    return MatrixRepresentation(f"matrices of {name}", Group(name, table), found[:count])


def from_sympy(group: Any, name: str = "from sympy") -> PermutationRepresentation:
    """A `sympy.combinatorics.PermutationGroup`, with its action on its points.

    sympy writes the permutation applied first on the left, we on the right; the set of permutations is the
    same.

    Raises
    ------
    InvalidInput
        If `group` is something else.
    MissingExtra
        If sympy is not installed.
    """
    try:
        combinatorics = importlib.import_module("sympy.combinatorics")
    except ImportError:
        raise MissingExtra("`from_sympy` needs sympy. Install it: pip install sympy.") from None
    if not isinstance(group, combinatorics.PermutationGroup):
        raise InvalidInput(f"`group` must be a sympy PermutationGroup; got {type(group).__name__}.")
    return permutation_group([generator.array_form for generator in group.generators], name)


def _close(
    generators: int,
    multiply: Callable[[int, int], Any],
    number: Callable[[Any], int | None],
    admit: Callable[[Any], None],
    name: str,
) -> IntArray:
    """Composition table of what is reached from element 0, the identity.

    Only products with generators are formed: left[g][b] is the number of g b. Since a = g b for some b reached
    before a, row a of the table is left[g] of row b.
    """
    left: list[list[int]] = [[] for _ in range(generators)]
    origin: list[tuple[int, int]] = [(0, 0)]
    b = 0
    while b < len(origin):
        for g in range(generators):
            product = multiply(g, b)
            a = number(product)
            if a is None:
                if len(origin) == MAX_ORDER:
                    raise CapacityExceeded(
                        f"`generators` must generate at most {MAX_ORDER} elements; got more (group {name!r}). "
                        "The group may be infinite, or use actions by generators, which need no table."
                    )
                a = len(origin)
                admit(product)
                origin.append((g, b))
            left[g].append(a)
        b += 1
    table = np.empty((len(origin), len(origin)), dtype=np.int64)
    table[0] = np.arange(len(origin))
    steps = np.array(left, dtype=np.int64).reshape(generators, len(origin))
    for a in range(1, len(origin)):
        g, b = origin[a]
        table[a] = steps[g][table[b]]
    return table
