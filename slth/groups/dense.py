"""Equivariant maps of any two representations: their dimension by characters, a dense basis by null space."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from slth._typing import FloatArray
from slth._validate import read_only
from slth.errors import CapacityExceeded, InvalidInput
from slth.groups.representations import Representation, same_group, trivial_representation

MAX_BYTES = 2**30
DIMENSION_RESIDUAL = 1e-6  # how far from an integer a dimension computed from float characters may be
BASIS_RESIDUAL = 1e-9  # entrywise, of rho_out(g) B - B rho_in(g) for a generator g


@dataclass(frozen=True, eq=False)
class DenseIntertwiners:
    r"""A basis of dense matrices, orthonormal for :math:`\langle A, B\rangle = tr(A^T B) / \min(s, t)`.

    With this scale the identity, and every isometry, has norm one.

    Attributes
    ----------
    matrices : (p, s, t) array
        If source and target are one representation, matrix 0 is the identity, exactly. p may be 0.
    output_vectors : (q, s) array
        Orthonormal invariant vectors of the target, for biases. q may be 0.
    residual : float
        Largest entry of |rho_out(g) B - B rho_in(g)| over basis matrices B and generators g.
    """

    matrices: FloatArray
    output_vectors: FloatArray
    residual: float

    @property
    def count(self) -> int:
        """Number p of basis matrices."""
        return len(self.matrices)

    @property
    def output_count(self) -> int:
        """Number q of invariant vectors."""
        return len(self.output_vectors)

    @property
    def identity(self) -> int | None:
        """Number of the basis matrix that is the identity map, or None."""
        _, s, t = self.matrices.shape
        return 0 if self.count and s == t and np.array_equal(self.matrices[0], np.eye(s)) else None

    @property
    def norm_bound(self) -> float:
        r"""Upper bound, to rounding, on the operator norm of :math:`\sum_j \beta_j b_j` with all |beta_j| <= 1.

        The smaller of the sum of operator norms and sqrt(p min(s, t)), the largest Frobenius norm.
        """
        _, s, t = self.matrices.shape
        norms = np.linalg.norm(self.matrices, ord=2, axis=(1, 2)) if self.count else np.zeros(0)
        return min(float(norms.sum()), math.sqrt(self.count * min(s, t)))


def intertwiner_dimension(source: Representation, target: Representation) -> int:
    r"""Dimension of the space of intertwiners, :math:`\frac{1}{|G|} \sum_g \chi_{out}(g) \chi_{in}(g^{-1})`.

    Exact when both characters are integers; else rounded, and refused if further than 1e-6 from an integer.

    Raises
    ------
    InvalidInput
        If the two belong to different groups, or the mean is no integer.

    Examples
    --------
    >>> from slth.groups.families import cyclic
    >>> from slth.groups.representations import regular_representation
    >>> intertwiner_dimension(regular_representation(cyclic(8)), regular_representation(cyclic(8)))
    8
    """
    same_group(source, target)
    outer, inner = target.character(), source.character()[source.group.inverses]
    order = source.group.order
    total: Any = np.dot(outer, inner)
    nearest = round(float(total) / order)
    residual = abs(float(total) / order - nearest)
    exact = outer.dtype.kind == inner.dtype.kind == "i"
    if residual > (0.0 if exact else DIMENSION_RESIDUAL):
        raise InvalidInput(
            f"`source` and `target` must be such that the mean product of their characters is an integer; "
            f"got {nearest} with residual {residual:.3g}."
        )
    return nearest


def dense_intertwiners(source: Representation, target: Representation) -> DenseIntertwiners:
    r"""A basis of all intertwiners of two representations, by the null space of the generators' equations.

    Vectors W (row by row) with :math:`(\rho_{out}(g) \otimes I - I \otimes \rho_{in}(g)^T) W = 0` for all
    generators g, by singular values; those below 1e-9 times the number of columns count as zero. The number
    of them must equal the dimension that characters give, and the basis must satisfy the equations to 1e-9.

    Parameters
    ----------
    source, target : Representation
        Of one group, of dimensions t and s.

    Raises
    ------
    InvalidInput
        If the groups differ, or the dimension or the equations do not come out (matrices too inexact).
    CapacityExceeded
        If s t is so large that the singular values need more than 1 GiB.

    Notes
    -----
    Time O(k (s t)^3), memory O(k (s t)^2) for k generators. For permutation representations use `orbits`.

    Examples
    --------
    >>> from slth.groups.irreps import cyclic_irreps
    >>> turn = cyclic_irreps(4)[2]
    >>> basis = dense_intertwiners(turn, turn)
    >>> basis.count, basis.matrices[0].tolist()
    (2, [[1.0, 0.0], [0.0, 1.0]])
    """
    matrices, residual = _null_basis(source, target)
    fixed, fixed_residual = _null_basis(trivial_representation(target.group), target)
    scale = math.sqrt(min(target.dimension, source.dimension))
    if len(matrices) and _same_generators(source, target):
        matrices = np.concatenate([np.eye(source.dimension)[None], _beside_identity(matrices) * scale])
    else:
        matrices = matrices * scale
    return DenseIntertwiners(
        read_only(matrices), read_only(fixed[:, :, 0]), max(residual * scale, fixed_residual)
    )


def _null_basis(source: Representation, target: Representation) -> tuple[FloatArray, float]:
    """Frobenius-orthonormal intertwiners (p, s, t) and their largest residual."""
    expected = intertwiner_dimension(source, target)
    s, t = target.dimension, source.dimension
    generators = list(source.group.generators)
    need = 8 * (3 * len(generators) + 3) * (s * t) ** 2
    if need > MAX_BYTES:
        raise CapacityExceeded(
            f"intertwiners of {s} x {t} need about {need / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20}. "
            "Split the representations, or use `orbits` for permutations."
        )
    outer = [target.matrix(g) for g in generators]
    inner = [source.matrix(g) for g in generators]
    equations = [np.kron(a, np.eye(t)) - np.kron(np.eye(s), b.T) for a, b in zip(outer, inner, strict=True)]
    stacked = np.concatenate([np.zeros((1, s * t)), *equations])
    _, values, rows = scipy.linalg.svd(stacked, full_matrices=len(stacked) < s * t)
    rank = int(np.count_nonzero(values > BASIS_RESIDUAL * s * t))
    basis = rows[rank:].reshape(-1, s, t)
    errors = [float(np.abs(a @ basis - basis @ b).max(initial=0.0)) for a, b in zip(outer, inner, strict=True)]
    residual = max(errors, default=0.0)
    if len(basis) != expected or residual > BASIS_RESIDUAL:
        raise InvalidInput(
            f"`source` and `target` must have as many intertwiners as their characters say ({expected}); "
            f"got a null space of dimension {len(basis)} with residual {residual:.3g}."
        )
    return basis, residual


def _beside_identity(basis: FloatArray) -> FloatArray:
    """Orthonormal basis of what is orthogonal to the identity in the span of `basis`, which holds it."""
    identity = np.einsum("pii->p", basis)
    rest: FloatArray = np.einsum("pr,pij->rij", scipy.linalg.null_space(identity[None]), basis)
    return rest


def _same_generators(source: Representation, target: Representation) -> bool:
    if source.dimension != target.dimension:
        return False
    return all(np.array_equal(source.matrix(g), target.matrix(g)) for g in source.group.generators)
