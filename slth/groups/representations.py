"""Representations of a finite group by matrices or by permutations, with the homomorphism law checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import block_diag

from slth._typing import FloatArray, IntArray
from slth._validate import as_floats, as_integer, read_only
from slth.errors import CapacityExceeded, InvalidInput
from slth.groups.arrays import as_permutations, first_numbering
from slth.groups.finite import Group

LAW_TOLERANCE = 1e-10
_ALL_PAIRS_WORK = 10**8  # multiplications spent on checking the law over all pairs
_MAX_BYTES = 2**30


class Representation(ABC):
    """A homomorphism rho from a group to invertible real matrices: rho(a b) = rho(a) rho(b)."""

    name: str
    group: Group

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Number d of coordinates."""

    @abstractmethod
    def matrix(self, element: int) -> FloatArray:
        """The (d, d) matrix of an element."""

    @abstractmethod
    def character(self) -> IntArray | FloatArray:
        """Trace of every element's matrix, (|G|,): integers, exactly, where all matrices are integer."""

    @abstractmethod
    def act(self, element: int, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Apply an element to the last axis of `x`, of length d."""


@dataclass(frozen=True, eq=False)
class PermutationRepresentation(Representation):
    r"""An action of the group on points 0..d-1, and the permutation matrices that go with it.

    Parameters
    ----------
    name : str
    group : Group
    permutations : (|G|, d) array of int
        ``permutations[a, i]`` is the image of point i under element a. On vectors
        :math:`(\rho(a) x)_{a(i)} = x_i`.

    Raises
    ------
    InvalidInput
        If a row is no permutation, the identity moves a point, or the law fails; the message names the pair.

    Notes
    -----
    The law is checked with integers for every pair (g, b), g a generator; by induction on the length of a as
    a word in generators, rho(g a' b) = rho(g) rho(a' b) = rho(g) rho(a') rho(b), so it holds for every pair.

    Examples
    --------
    >>> from slth.groups.families import cyclic
    >>> rotation = PermutationRepresentation("square", cyclic(4), (np.arange(4) + np.arange(4)[:, None]) % 4)
    >>> rotation.character()
    array([4, 0, 0, 0])
    >>> rotation.act(1, np.array([1.0, 2.0, 3.0, 4.0]))
    array([4., 1., 2., 3.])
    """

    name: str
    group: Group
    permutations: IntArray

    def __post_init__(self) -> None:
        images = as_permutations(self.permutations, f"permutations of {self.name}")
        group = self.group
        if len(images) != group.order:
            raise InvalidInput(
                f"`permutations of {self.name}` must have one row per element of {group.name} ({group.order}); "
                f"got {len(images)}."
            )
        moved = np.flatnonzero(images[group.identity] != np.arange(images.shape[1]))
        if moved.size:
            raise InvalidInput(
                f"`permutations of {self.name}` must let the identity fix every point; "
                f"got {images[group.identity, moved[0]]} for point {moved[0]}."
            )
        for g in group.generators:
            wrong = images[group.table[g]] != images[g][images]
            if wrong.any():
                b, point = (int(i) for i in np.argwhere(wrong)[0])
                raise InvalidInput(
                    f"`permutations of {self.name}` must satisfy rho({g}*{b}) = rho({g}) rho({b}); "
                    f"got {images[group.table[g, b], point]} and {images[g, images[b, point]]} "
                    f"for point {point}."
                )
        object.__setattr__(self, "permutations", images)

    @property
    def dimension(self) -> int:
        """Number of points."""
        return int(self.permutations.shape[1])

    @property
    def generators(self) -> IntArray:
        """Permutations of the group's generators, (number of generators, d)."""
        return self.permutations[list(self.group.generators)]

    def matrix(self, element: int) -> FloatArray:
        """The permutation matrix of an element: column i has its 1 in row a(i)."""
        a = as_integer(element, "element", low=0, high=self.group.order - 1)
        matrix = np.zeros((self.dimension, self.dimension))
        matrix[self.permutations[a], np.arange(self.dimension)] = 1.0
        return matrix

    def character(self) -> IntArray:
        """Number of fixed points of each element, (|G|,), exactly."""
        fixed: IntArray = (self.permutations == np.arange(self.dimension)).sum(axis=1, dtype=np.int64)
        return fixed

    def act(self, element: int, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Move coordinate i of the last axis to coordinate a(i); values are copied, never computed with."""
        a = as_integer(element, "element", low=0, high=self.group.order - 1)
        _check_last_axis(x, self.dimension)
        moved = np.empty_like(x)
        moved[..., self.permutations[a]] = x
        return moved


@dataclass(frozen=True, eq=False)
class MatrixRepresentation(Representation):
    r"""A representation by real matrices, one per element.

    Parameters
    ----------
    name : str
    group : Group
    matrices : (|G|, d, d) array
        Finite. They need not be orthogonal.

    Raises
    ------
    InvalidInput
        If the identity's matrix is not I or the law fails; the message names the pair and the difference.

    Notes
    -----
    Integer matrices are compared exactly, others to within 1e-10 times the largest entry (at least 1) in each
    entry: over all pairs while that takes at most 10^8 multiplications, over (generator, element) beyond, which
    is enough in exact arithmetic (see `PermutationRepresentation`).

    Examples
    --------
    >>> from slth.groups.families import cyclic
    >>> MatrixRepresentation("sign", cyclic(2), [[[1]], [[-1]]]).character()
    array([ 1, -1])
    """

    name: str
    group: Group
    matrices: FloatArray

    def __post_init__(self) -> None:
        matrices = as_floats(self.matrices, f"matrices of {self.name}", ndim=3)
        group = self.group
        if len(matrices) != group.order or matrices.shape[1] != matrices.shape[2] or matrices.size == 0:
            raise InvalidInput(
                f"`matrices of {self.name}` must be one square matrix per element of {group.name} "
                f"({group.order}); got shape {matrices.shape}."
            )
        object.__setattr__(self, "matrices", read_only(matrices))
        d = self.dimension
        tolerance = 0.0 if self.integral else LAW_TOLERANCE * max(1.0, float(np.abs(matrices).max()))
        off = float(np.abs(matrices[group.identity] - np.eye(d)).max())
        if off > tolerance:
            raise InvalidInput(
                f"`matrices of {self.name}` must give the identity I; got a difference of {off:.3g}."
            )
        everything = group.order**2 * d**3 <= _ALL_PAIRS_WORK
        for g in range(group.order) if everything else group.generators:
            difference = np.abs(matrices[group.table[g]] - matrices[g] @ matrices).max(axis=(1, 2))
            if difference.max() > tolerance:
                b = int(np.flatnonzero(difference > tolerance)[0])
                raise InvalidInput(
                    f"`matrices of {self.name}` must satisfy rho({g}*{b}) = rho({g}) rho({b}); "
                    f"got a difference of {difference[b]:.3g}, tolerance {tolerance:.3g}."
                )

    @property
    def integral(self) -> bool:
        """Whether all entries are integers small enough for products to be exact."""
        small = float(np.abs(self.matrices).max()) ** 2 * self.dimension < 2.0**53
        return small and bool((self.matrices == np.rint(self.matrices)).all())

    @property
    def dimension(self) -> int:
        """Size of the matrices."""
        return int(self.matrices.shape[1])

    def matrix(self, element: int) -> FloatArray:
        """The (d, d) matrix of an element, read-only."""
        matrix: FloatArray = self.matrices[as_integer(element, "element", low=0, high=self.group.order - 1)]
        return matrix

    def character(self) -> IntArray | FloatArray:
        """Trace of every element's matrix, (|G|,); int64 if all matrices are integer."""
        traces: FloatArray = np.trace(self.matrices, axis1=1, axis2=2)
        return traces.astype(np.int64) if self.integral else traces

    def act(self, element: int, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Multiply the last axis of `x` by the matrix of an element."""
        _check_last_axis(x, self.dimension)
        result: FloatArray = x @ self.matrix(element).T
        return result


def trivial_representation(group: Group, dimension: int = 1) -> PermutationRepresentation:
    """Every element fixes each of `dimension` points."""
    d = as_integer(dimension, "dimension", low=1)
    return PermutationRepresentation("trivial", group, np.tile(np.arange(d), (group.order, 1)))


def regular_representation(group: Group) -> PermutationRepresentation:
    """The group acting on its own elements by multiplication from the left.

    Examples
    --------
    >>> from slth.groups.families import dihedral
    >>> regular_representation(dihedral(4)).character()
    array([8, 0, 0, 0, 0, 0, 0, 0])
    """
    return PermutationRepresentation(f"regular of {group.name}", group, group.table)


def quotient_representation(group: Group, subgroup: Any) -> PermutationRepresentation:
    """The group acting on the left cosets of the subgroup H generated by `subgroup`.

    Cosets are numbered by their smallest element, in ascending order.

    Parameters
    ----------
    group : Group
    subgroup : sequence of int
        Elements that generate H.

    Examples
    --------
    >>> from slth.groups.families import dihedral
    >>> corners = quotient_representation(dihedral(4), [4])  # the mirror fixes a corner
    >>> corners.dimension
    4
    """
    members = group.subgroup(subgroup)
    coset = first_numbering(group.table[:, members].min(axis=1))
    leaders = np.flatnonzero(np.diff(np.maximum.accumulate(coset), prepend=-1))
    return PermutationRepresentation(
        f"cosets of {len(members)} elements in {group.name}", group, coset[group.table[:, leaders]]
    )


def sign_representation(action: PermutationRepresentation) -> MatrixRepresentation:
    """Parity of each element's permutation, +1 or -1: the determinant of `action`.

    Examples
    --------
    >>> from slth.groups.families import all_permutations, symmetric
    >>> sign_representation(PermutationRepresentation("points", symmetric(3), all_permutations(3))).character()
    array([ 1, -1, -1,  1,  1, -1])
    """
    signs = np.array([1.0 - 2.0 * ((action.dimension - _cycles(row)) % 2) for row in action.permutations])
    return MatrixRepresentation(f"sign of {action.name}", action.group, signs[:, None, None])


def direct_sum(*parts: Representation) -> Representation:
    """Representations of one group side by side: a permutation representation if all parts are.

    Raises
    ------
    InvalidInput
        If there is no part, or the parts belong to different groups.

    Examples
    --------
    >>> from slth.groups.families import cyclic
    >>> direct_sum(trivial_representation(cyclic(3)), regular_representation(cyclic(3))).dimension
    4
    """
    if not parts:
        raise InvalidInput("`parts` must hold at least one representation; got none.")
    group = parts[0].group
    for part in parts:
        same_group(parts[0], part)
    name = " + ".join(part.name for part in parts)
    if all(isinstance(part, PermutationRepresentation) for part in parts):
        offsets = np.cumsum([0, *(part.dimension for part in parts)])
        images = [
            p.permutations + o
            for p, o in zip(parts, offsets, strict=False)
            if isinstance(p, PermutationRepresentation)
        ]
        return PermutationRepresentation(name, group, np.concatenate(images, axis=1))
    need = 8 * group.order * sum(part.dimension for part in parts) ** 2
    if need > _MAX_BYTES:
        raise CapacityExceeded(f"the matrices of {name} need about {need / 2**20:.0f} MiB, more than 1024 MiB.")
    return MatrixRepresentation(
        name, group, np.stack([block_diag(*(p.matrix(a) for p in parts)) for a in range(group.order)])
    )


def representation_from_generators(
    name: str, group: Group, images: Mapping[int, npt.ArrayLike]
) -> MatrixRepresentation:
    """Extend matrices of generating elements to the whole group; the law is then checked as for any other.

    Parameters
    ----------
    name : str
    group : Group
    images : mapping from element to (d, d) array
        Matrices of elements that generate the group.

    Raises
    ------
    InvalidInput
        If the elements do not generate the group, or no representation has these matrices.

    Examples
    --------
    >>> from slth.groups.families import cyclic
    >>> rotation = representation_from_generators("rotation", cyclic(4), {1: [[0, -1], [1, 0]]})
    >>> rotation.matrix(2)
    array([[-1.,  0.],
           [ 0., -1.]])
    """
    steps = {
        as_integer(a, "element", low=0, high=group.order - 1): as_floats(m, f"image of element {a}", ndim=2)
        for a, m in images.items()
    }
    shapes = {m.shape for m in steps.values()}
    if len(shapes) != 1 or len({*shapes.copy().pop()}) != 1:
        raise InvalidInput(f"`images` must be square matrices of one size; got shapes {sorted(shapes)}.")
    d = shapes.pop()[0]
    matrices = np.zeros((group.order, d, d))
    matrices[group.identity] = np.eye(d)
    known = {group.identity}
    fresh = [group.identity]
    while fresh:
        reached = []
        for b in fresh:
            for g, step in steps.items():
                a = int(group.table[g, b])
                if a not in known:
                    known.add(a)
                    matrices[a] = step @ matrices[b]
                    reached.append(a)
        fresh = reached
    if len(known) != group.order:
        raise InvalidInput(
            f"`images` must be given for elements that generate {group.name}; got elements {sorted(steps)}, "
            f"which generate {len(known)} of {group.order}."
        )
    return MatrixRepresentation(name, group, matrices)


def same_group(first: Representation, second: Representation) -> None:
    """Refuse two representations of different groups."""
    if first.group != second.group:
        raise InvalidInput(
            f"representations must belong to one group; got {first.name} of {first.group!r} and "
            f"{second.name} of {second.group!r}."
        )


def _cycles(permutation: IntArray) -> int:
    seen = np.zeros(permutation.size, dtype=np.bool_)
    count = 0
    for start in range(permutation.size):
        count += not seen[start]
        point = start
        while not seen[point]:
            seen[point] = True
            point = int(permutation[point])
    return count


def _check_last_axis(x: npt.NDArray[Any], dimension: int) -> None:
    if np.ndim(x) == 0 or x.shape[-1] != dimension:
        raise InvalidInput(f"`x` must have a last axis of length {dimension}; got shape {np.shape(x)}.")
