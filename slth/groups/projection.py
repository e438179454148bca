"""Given weights against an equivariant basis: coefficients, refusal of what is outside, equivariance error."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats, as_real
from slth.errors import InvalidInput
from slth.groups.actions import Action
from slth.groups.dense import DenseIntertwiners
from slth.groups.intertwiners import Orbits, check_together
from slth.groups.representations import PermutationRepresentation, Representation

TOLERANCE = 1e-9
MOVING = (Action, PermutationRepresentation)  # what only moves entries


def project(
    weight: npt.ArrayLike, basis: Orbits | DenseIntertwiners, *, tolerance: float = TOLERANCE
) -> FloatArray:
    r"""Coefficients of a weight matrix in an equivariant basis; refused if the matrix is not in its span.

    The matrix has blocks :math:`W_{oi}` of shape (s, t), one per output feature o and input feature i, each
    projected orthogonally. On orbits a coefficient is the mean of the entries, exactly so if all are equal.

    Parameters
    ----------
    weight : (O s, I t) array
        Finite.
    basis : Orbits or DenseIntertwiners
        With (s, t) matrices, at least one.
    tolerance : float, default 1e-9
        Largest difference accepted between an entry and the projection's, relative to the largest |entry|.

    Returns
    -------
    (O, I, p) array

    Raises
    ------
    InvalidInput
        If the shape does not fit or the difference is larger; the message gives it and its place.

    Examples
    --------
    >>> sets = Orbits([[0, 1], [1, 0]], 2, [0, 0], 1)
    >>> project([[5.0, 2.0], [2.0, 5.0]], sets)
    array([[[5., 2.]]])
    """
    tolerance = as_real(tolerance, "tolerance", low=0.0)
    matrix = as_floats(weight, "weight", ndim=2)
    s, t = basis.labels.shape if isinstance(basis, Orbits) else basis.matrices.shape[1:]
    if matrix.size == 0 or matrix.shape[0] % s or matrix.shape[1] % t:
        raise InvalidInput(f"`weight` must consist of blocks of shape {(s, t)}; got shape {matrix.shape}.")
    features = matrix.shape[0] // s, matrix.shape[1] // t
    blocks = matrix.reshape(features[0], s, features[1], t).transpose(0, 2, 1, 3)
    if isinstance(basis, Orbits):
        coefficients = _orbit_means(blocks.reshape(*features, s * t), basis.labels.ravel(), basis.count)
        span = np.concatenate([coefficients, np.zeros((*features, 1))], axis=-1)[..., basis.labels]
    else:
        coefficients = np.einsum("oist,pst->oip", blocks, basis.matrices) / min(s, t)
        span = np.einsum("oip,pst->oist", coefficients, basis.matrices)
    _check_residual("weight", matrix, span.transpose(0, 2, 1, 3).reshape(matrix.shape), tolerance)
    return coefficients


def project_bias(
    bias: npt.ArrayLike, basis: Orbits | DenseIntertwiners, *, tolerance: float = TOLERANCE
) -> FloatArray:
    """Coefficients (O, q) of a bias vector (O s,) in the output's invariant vectors; refused as in `project`.

    Examples
    --------
    >>> project_bias([4.0, 4.0, 1.0, 1.0], Orbits([[0, 1], [1, 0]], 2, [0, 0], 1))
    array([[4.],
           [1.]])
    """
    tolerance = as_real(tolerance, "tolerance", low=0.0)
    vector = as_floats(bias, "bias", ndim=1)
    s = basis.outputs if isinstance(basis, Orbits) else basis.matrices.shape[1]
    if vector.size == 0 or vector.size % s:
        raise InvalidInput(f"`bias` must consist of blocks of {s}; got {vector.size} numbers.")
    blocks = vector.reshape(-1, s)
    if isinstance(basis, Orbits):
        coefficients = _orbit_means(blocks, basis.output_labels, basis.output_count)
        span = coefficients[:, basis.output_labels]
    else:
        coefficients = blocks @ basis.output_vectors.T
        span = coefficients @ basis.output_vectors
    _check_residual("bias", vector, span.ravel(), tolerance)
    return coefficients


def equivariance_error(
    weight: npt.ArrayLike,
    source: Action | Representation,
    target: Action | Representation,
) -> float:
    r"""Largest entry of :math:`|\rho_{out}(g) W - W \rho_{in}(g)|` over all elements g.

    Of an `Action`, over its generators. For permutations entries are moved, not computed with: the result is
    exactly zero if and only if W commutes with the whole group (what commutes with generators commutes with
    their products).

    Parameters
    ----------
    weight : (O s, I t) array
        Finite; features first, as in `project`.
    source, target : Action or Representation
        Of one group, of dimensions t and s.

    Raises
    ------
    InvalidInput
        If the group or the shape does not fit.

    Examples
    --------
    >>> from slth.groups.actions import tuples
    >>> equivariance_error([[1.0, 2.0], [2.0, 1.0]], tuples(2, 1), tuples(2, 1))
    0.0
    >>> equivariance_error([[1.0, 2.0], [2.0, 1.5]], tuples(2, 1), tuples(2, 1))
    0.5
    """
    check_together(source, target)
    matrix = as_floats(weight, "weight", ndim=2)
    s, t = target.dimension, source.dimension
    if matrix.size == 0 or matrix.shape[0] % s or matrix.shape[1] % t:
        raise InvalidInput(f"`weight` must consist of blocks of shape {(s, t)}; got shape {matrix.shape}.")
    blocks = matrix.reshape(matrix.shape[0] // s, s, matrix.shape[1] // t, t).transpose(0, 2, 1, 3)
    if not isinstance(source, MOVING) or not isinstance(target, MOVING):
        return _multiplied_error(blocks, source, target)
    if _moved_error(blocks, source.generators, target.generators) == 0.0:
        return 0.0
    return _moved_error(blocks, source.permutations, target.permutations)


def _multiplied_error(blocks: FloatArray, source: Any, target: Any) -> float:
    """Largest |rho_out(g) W - W rho_in(g)| over all elements of two representations."""
    errors = (
        np.abs(target.matrix(a) @ blocks - blocks @ source.matrix(a)).max() for a in range(source.group.order)
    )
    return float(max(errors))


def _moved_error(blocks: FloatArray, inner: npt.NDArray[np.int64], outer: npt.NDArray[np.int64]) -> float:
    """Largest |W[g(i), g(j)] - W[i, j]| over the permutations given."""
    errors = (np.abs(blocks[..., a[:, None], b] - blocks).max() for a, b in zip(outer, inner, strict=True))
    return float(max(errors, default=0.0))


def _orbit_means(blocks: FloatArray, labels: npt.NDArray[np.int64], count: int) -> FloatArray:
    """Mean over each label along the last axis, taken around one entry: equal entries give themselves."""
    first = np.full(count, labels.size, dtype=np.int64)
    inside = np.flatnonzero(labels >= 0)
    np.minimum.at(first, labels[inside], inside)
    anchors = blocks[..., first]
    offsets = blocks[..., inside] - anchors[..., labels[inside]]
    flat = offsets.reshape(-1, inside.size)
    sums = np.stack([np.bincount(labels[inside], weights=row, minlength=count) for row in flat])
    return anchors + sums.reshape(anchors.shape) / np.bincount(labels[inside], minlength=count)


def _check_residual(name: str, given: FloatArray, span: FloatArray, tolerance: float) -> None:
    difference = np.abs(given - span)
    worst, scale = float(difference.max()), float(np.abs(given).max())
    if not worst <= tolerance * scale:  # so that a NaN from overflow is refused too
        place = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape))
        raise InvalidInput(
            f"`{name}` must lie in the span of the equivariant basis to {tolerance:.3g} of its largest entry "
            f"{scale:.6g}; got a residual of {worst:.3g} at index {place if len(place) > 1 else place[0]}. "
            "Check group, representations and layout."
        )
