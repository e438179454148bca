"""Equivariant maps of permutation representations: the indicators of orbits on pairs, disjoint 0/1 matrices."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from slth._typing import FloatArray, IntArray
from slth._validate import as_floats, as_integer
from slth.errors import CapacityExceeded, InvalidInput
from slth.groups.actions import Action
from slth.groups.arrays import as_integers, first_numbering
from slth.groups.representations import (
    PermutationRepresentation,
    Representation,
    same_group,
)

MAX_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class Orbits:
    r"""A basis of 0/1 matrices with disjoint supports: :math:`W_{ij} = \beta_{l(i,j)}`, zero where l is -1.

    Parameters
    ----------
    labels : (s, t) array of int
        Number l(i, j) of the basis matrix that is 1 at (i, j), or -1; each of 0..count-1 occurs.
    count : int
        Number p >= 1 of basis matrices, written |B|.
    output_labels : (s,) array of int
        The same for biases: entry i of a bias vector has the number output_labels[i].
    output_count : int
        Number q >= 1 of bias parameters.

    Raises
    ------
    InvalidInput
        If a label is out of range or does not occur.

    Notes
    -----
    In Theorem 4 of [natale2024] the basis enters by |B| and by ||B||, the largest operator norm of
    sum_j beta_j b_j with all |beta_j| <= 1. Let M be the 0/1 matrix of the whole support. Every such sum is at
    most M entry by entry in absolute value, and |A| <= M implies ||A|| <= ||M|| (apply A to x and M to |x|);
    beta = 1 attains it. So ||B|| = ||M||. By Schur's test ||M||^2 <= R C with R and C the largest row and
    column sums of M, and if all row sums are R and all column sums C, constant vectors attain it:
    ||M 1|| = R sqrt(s), ||1|| = sqrt(t), and s R = t C give ||M|| = R sqrt(s / t) = sqrt(R C). This is the
    case for full support (sqrt(s t)) and whenever the group is transitive on inputs and on outputs.

    Examples
    --------
    >>> sets = Orbits([[0, 1], [1, 0]], 2, [0, 0], 1)
    >>> sets.matrix([3.0, -1.0])
    array([[ 3., -1.],
           [-1.,  3.]])
    >>> sets.norm_bound, sets.norm_exact, sets.identity
    (2.0, True, 0)
    """

    labels: IntArray
    count: int
    output_labels: IntArray
    output_count: int

    def __post_init__(self) -> None:
        for labels, count, ndim, low in (("labels", "count", 2, -1), ("output_labels", "output_count", 1, 0)):
            number = as_integer(getattr(self, count), count, low=1)
            array = as_integers(getattr(self, labels), labels, ndim, low, number - 1)
            met = np.zeros(number, dtype=np.bool_)
            met[array[array >= 0]] = True
            if not met.all():
                raise InvalidInput(
                    f"`{labels}` must hold each of 0..{number - 1}; got no {np.flatnonzero(~met)[0]}."
                )
            object.__setattr__(self, labels, array)
            object.__setattr__(self, count, number)
        if len(self.output_labels) != len(self.labels):
            raise InvalidInput(
                f"`output_labels` must have one label per output ({len(self.labels)}); "
                f"got {len(self.output_labels)}."
            )

    @property
    def outputs(self) -> int:
        """Number s of rows."""
        return len(self.labels)

    @property
    def inputs(self) -> int:
        """Number t of columns."""
        return int(self.labels.shape[1])

    @property
    def sizes(self) -> IntArray:
        """Number of entries of each basis matrix, (count,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=self.count)

    @property
    def norm_squared_bound(self) -> int:
        """Largest row sum times largest column sum of the support, at least ||B||^2; see Notes."""
        return max(self._row_sums) * max(self._column_sums)

    @property
    def norm_bound(self) -> float:
        """Upper bound on ||B||: the root of `norm_squared_bound`, rounded up where it is not an integer."""
        square = self.norm_squared_bound
        root = math.isqrt(square)
        return float(root) if root * root == square else math.nextafter(math.sqrt(square), math.inf)

    @property
    def norm_exact(self) -> bool:
        """Whether all row sums of the support are equal, and all column sums: the bound then is ||B||."""
        return len(set(self._row_sums)) == 1 and len(set(self._column_sums)) == 1

    @property
    def identity_labels(self) -> tuple[int, ...]:
        """Numbers of the basis matrices whose sum is the identity map; empty if there are none such."""
        if self.outputs != self.inputs:
            return ()
        diagonal = np.unique(np.diag(self.labels))
        if diagonal[0] < 0 or int(self.sizes[diagonal].sum()) != self.outputs:
            return ()
        return tuple(diagonal.tolist())

    @property
    def identity(self) -> int | None:
        """Number of the basis matrix that is the identity map, or None."""
        found = self.identity_labels
        return found[0] if len(found) == 1 else None

    def matrix(self, coefficients: npt.ArrayLike) -> FloatArray:
        """The (s, t) matrix of coefficients (count,)."""
        values = self._values(coefficients, "coefficients", self.count)
        return np.append(values, 0.0)[self.labels]

    def bias(self, coefficients: npt.ArrayLike) -> FloatArray:
        """The (s,) vector of bias coefficients (output_count,)."""
        return self._values(coefficients, "coefficients", self.output_count)[self.output_labels]

    def restrict(self, support: npt.ArrayLike) -> Orbits:
        """Keep only the basis matrices inside `support`, an (s, t) boolean array; numbered by first occurrence.

        Raises
        ------
        InvalidInput
            If the support cuts through a basis matrix or leaves none; the message names the label.
        """
        inside = np.asarray(support)
        if inside.dtype != np.bool_ or inside.shape != self.labels.shape:
            raise InvalidInput(
                f"`support` must be a boolean array of shape {self.labels.shape}; "
                f"got dtype {inside.dtype}, shape {inside.shape}."
            )
        kept = np.bincount(self.labels[inside & (self.labels >= 0)], minlength=self.count)
        cut = np.flatnonzero((kept > 0) & (kept < self.sizes))
        if cut.size:
            raise InvalidInput(
                f"`support` must be a union of orbits; got {kept[cut[0]]} of the {self.sizes[cut[0]]} entries "
                f"of orbit {cut[0]}."
            )
        if not kept.any():
            raise InvalidInput("`support` must hold at least one orbit; got none.")
        labels = first_numbering(np.where(inside, self.labels, -1))
        return Orbits(labels, int(labels.max()) + 1, self.output_labels, self.output_count)

    @property
    def _row_sums(self) -> list[int]:
        sums: list[int] = np.count_nonzero(self.labels >= 0, axis=1).tolist()
        return sums

    @property
    def _column_sums(self) -> list[int]:
        sums: list[int] = np.count_nonzero(self.labels >= 0, axis=0).tolist()
        return sums

    @staticmethod
    def _values(coefficients: npt.ArrayLike, name: str, count: int) -> FloatArray:
        values = as_floats(coefficients, name, ndim=1)
        if values.size != count:
            raise InvalidInput(f"`{name}` must be {count} numbers; got {values.size}.")
        return values


def orbits(source: Action | PermutationRepresentation, target: Action | PermutationRepresentation) -> Orbits:
    r"""Orbits of the group on pairs (output, input): the basis of all maps that commute with its actions.

    For permutation representations, :math:`\rho_{out}(g) W = W \rho_{in}(g)` says W[g(i), g(j)] = W[i, j] for
    all g: W is constant on the orbits of pairs, and their indicators are a basis. Only generators are used.

    Parameters
    ----------
    source, target : Action or PermutationRepresentation
        Of one group, on t and on s points; both of the same kind.

    Returns
    -------
    Orbits
        Full support; orbits numbered by their first pair in row-major order.

    Raises
    ------
    InvalidInput
        If the two do not belong to one group.
    CapacityExceeded
        If finding the orbits would need more than 1 GiB.

    Notes
    -----
    Connected components of the graph that joins each pair to its images under generators. Time and memory
    O(s t k) for k generators.

    Examples
    --------
    >>> from slth.groups.actions import tuples
    >>> orbits(tuples(7, 1), tuples(7, 1)).count, orbits(tuples(7, 2), tuples(7, 2)).count  # Bell numbers 2, 4
    (2, 15)
    """
    check_together(source, target)
    inner, outer = source.generators, target.generators
    t, s = source.dimension, target.dimension
    need = s * t * (12 * len(inner) + 48)
    if need > MAX_BYTES:
        raise CapacityExceeded(
            f"orbits on {s} x {t} pairs need about {need / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20}. "
            "Use fewer points, or a formula (`ImageGroup.convolution`)."
        )
    pairs = (outer[:, :, None] * t + inner[:, None, :]).reshape(len(inner), s * t)
    labels = _components(pairs, s * t).reshape(s, t)
    output = _components(outer, s)
    return Orbits(labels, int(labels.max()) + 1, output, int(output.max()) + 1)


def check_together(source: Action | Representation, target: Action | Representation) -> None:
    """Refuse two actions, or two representations, that do not belong to one group."""
    if isinstance(source, Action) and isinstance(target, Action):
        if (source.group, len(source.permutations)) != (target.group, len(target.permutations)):
            raise InvalidInput(
                f"`source` and `target` must be actions of one group; got {source.group!r} with "
                f"{len(source.permutations)} generators and {target.group!r} with {len(target.permutations)}."
            )
    elif isinstance(source, Representation) and isinstance(target, Representation):
        same_group(source, target)
    else:
        raise InvalidInput(
            "`source` and `target` must both be given by generators (Action) or both by all elements; "
            f"got {type(source).__name__} and {type(target).__name__}."
        )


def _components(images: IntArray, points: int) -> IntArray:
    """Orbit number of each point under the permutations (k, points), numbered by first occurrence."""
    steps = len(images)
    if steps == 0:
        return np.arange(points)
    graph = csr_array(
        (np.ones(points * steps, dtype=np.int8), images.T.ravel(), np.arange(0, points * steps + 1, steps)),
        shape=(points, points),
    )
    _, labels = connected_components(graph, directed=True, connection="weak")
    return first_numbering(labels.astype(np.int64))
