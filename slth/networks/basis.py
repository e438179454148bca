"""Bases of linear layers: the fixed maps whose combinations a layer may compute, and how to compute them fast.

A linear layer from i input features to o output features has the blocks :math:`W_{oi} = \\sum_p c_{oip} B_p`,
each (s, t): t entries per input feature, s per output feature. The trivial basis makes a dense layer,
translations make a convolution, indicators of orbits make a layer equivariant to permutations.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray, IntArray
from slth._validate import as_floats, read_only
from slth.errors import InvalidInput
from slth.networks.windows import Windows, gather

# Entries that `apply` gathers at once; larger batches are done in pieces.
COLUMN_BYTES = 2**26
MAX_LABELS = 2**27


class Basis(ABC):
    """p fixed maps from R^t to R^s, and q invariant vectors of R^s for the bias; equal by content."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of maps, p."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Entries of an output feature, s."""

    @property
    @abstractmethod
    def inputs(self) -> int:
        """Entries of an input feature, t."""

    @property
    @abstractmethod
    def bias_count(self) -> int:
        """Number of bias coefficients of an output feature, q."""

    @property
    @abstractmethod
    def identity(self) -> int | None:
        """Index of the map that is the identity, when s = t and there is one."""

    @abstractmethod
    def columns(self, x: FloatArray) -> FloatArray:
        """All maps at once: (B, i, t) to (B, i, p, s)."""

    @abstractmethod
    def matrix(self, coefficients: FloatArray) -> FloatArray:
        """Blocks (o, s, i, t) as one matrix (o*s, i*t), for coefficients (o, i, p)."""

    @abstractmethod
    def bias_vector(self, bias: FloatArray) -> FloatArray:
        """(o, q) bias coefficients to the vectors (o, s) that are added."""

    def apply(self, coefficients: FloatArray, x: FloatArray) -> FloatArray:
        """(B, i, t) to (B, o, s), for coefficients (o, i, p); the matrix is never made."""
        features, inner, _ = coefficients.shape
        flat = coefficients.reshape(features, inner * self.count)
        result = np.empty((x.shape[0], features, self.outputs))
        step = max(1, COLUMN_BYTES // (8 * flat.shape[1] * self.outputs))
        for start in range(0, x.shape[0], step):
            columns = self.columns(x[start : start + step])
            np.matmul(
                flat,
                columns.reshape(columns.shape[0], flat.shape[1], self.outputs),
                out=result[start : start + step],
            )
        return result

    def spec(self) -> dict[str, Any]:
        """JSON-ready description; together with `arrays` all that the basis is."""
        return {}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays of the description, float64 or int64."""
        return {}

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Basis) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        text = json.dumps([type(self).__name__, self.spec()], sort_keys=True)
        return (text, *((n, a.shape, a.dtype.str, a.tobytes()) for n, a in sorted(self.arrays().items())))


@dataclass(frozen=True, eq=False)
class DenseBasis(Basis):
    """Any matrices, written out.

    Parameters
    ----------
    array : (p, s, t) array
        The maps, finite.
    bias_basis : (q, s) array, optional
        Vectors of which biases are made. Default: the unit vectors, so that biases are free.

    Examples
    --------
    >>> swap = DenseBasis([[[1, 0], [0, 1]], [[0, 1], [1, 0]]])
    >>> swap.matrix(np.array([[[2.0, -1.0]]]))
    array([[ 2., -1.],
           [-1.,  2.]])
    >>> swap.identity
    0
    """

    array: FloatArray
    bias_basis: FloatArray | None = None

    def __post_init__(self) -> None:
        array = as_floats(self.array, "basis", ndim=3)
        if array.size == 0:
            raise InvalidInput(f"`basis` must not be empty; got shape {array.shape}.")
        object.__setattr__(self, "array", read_only(array))
        if self.bias_basis is not None:
            vectors = as_floats(self.bias_basis, "bias_basis", ndim=2)
            if vectors.shape[1] != array.shape[1]:
                raise InvalidInput(
                    f"`bias_basis` must have vectors of {array.shape[1]} entries; got shape {vectors.shape}."
                )
            object.__setattr__(self, "bias_basis", read_only(vectors))

    @property
    def count(self) -> int:
        """Number of matrices."""
        return int(self.array.shape[0])

    @property
    def outputs(self) -> int:
        """Rows of a matrix."""
        return int(self.array.shape[1])

    @property
    def inputs(self) -> int:
        """Columns of a matrix."""
        return int(self.array.shape[2])

    @property
    def bias_count(self) -> int:
        """One per row, or one per vector of `bias_basis`."""
        return self.outputs if self.bias_basis is None else int(self.bias_basis.shape[0])

    @property
    def identity(self) -> int | None:
        """Index of the identity matrix, or None."""
        if self.outputs != self.inputs:
            return None
        return _first((self.array == np.eye(self.outputs)).all(axis=(1, 2)))

    @property
    def is_trivial(self) -> bool:
        """Whether the basis is the number one: coefficients are the matrix, biases the vector."""
        return self.array.shape == (1, 1, 1) and float(self.array[0, 0, 0]) == 1.0 and self.bias_basis is None

    def columns(self, x: FloatArray) -> FloatArray:
        """Every matrix times every feature."""
        flat: FloatArray = x @ self.array.reshape(self.count * self.outputs, self.inputs).T
        return flat.reshape(*x.shape[:2], self.count, self.outputs)

    def apply(self, coefficients: FloatArray, x: FloatArray) -> FloatArray:
        """As for every basis; one matrix product when the basis is trivial."""
        if self.is_trivial:
            product: FloatArray = x[:, :, 0] @ coefficients[:, :, 0].T
            return product[:, :, None]
        return super().apply(coefficients, x)

    def matrix(self, coefficients: FloatArray) -> FloatArray:
        """Sums of coefficients times matrices; the coefficients themselves when the basis is trivial."""
        if self.is_trivial:
            return coefficients[:, :, 0]
        blocks = np.einsum("oip,pst->osit", coefficients, self.array)
        matrix: FloatArray = blocks.reshape(blocks.shape[0] * self.outputs, blocks.shape[2] * self.inputs)
        return matrix

    def bias_vector(self, bias: FloatArray) -> FloatArray:
        """The bias itself, or its combination of the given vectors."""
        return bias if self.bias_basis is None else bias @ self.bias_basis

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The matrices, and the vectors if they were given."""
        found: dict[str, npt.NDArray[Any]] = {"basis": self.array}
        return found if self.bias_basis is None else {**found, "bias_basis": self.bias_basis}


@dataclass(frozen=True, eq=False)
class OrbitBasis(Basis):
    """Indicators of disjoint sets of matrix entries: one coefficient per orbit of a permutation group.

    Parameters
    ----------
    labels : (s, t) array of int
        Which coefficient stands at each entry, 0..p-1, or -1 for none (the entry is zero).
    bias_labels : (s,) array of int, optional
        Which bias coefficient is added to each output entry, 0..q-1. Default: one for all.

    Examples
    --------
    >>> sets = OrbitBasis([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    >>> sets.matrix(np.array([[[2.0, -1.0]]]))
    array([[ 2., -1., -1.],
           [-1.,  2., -1.],
           [-1., -1.,  2.]])
    >>> sets.identity
    0
    """

    labels: IntArray
    bias_labels: IntArray | None = None

    def __post_init__(self) -> None:
        labels = _labels(self.labels, "labels", 2, low=-1)
        object.__setattr__(self, "labels", labels)
        given = np.zeros(labels.shape[0], dtype=np.int64) if self.bias_labels is None else self.bias_labels
        bias = _labels(given, "bias_labels", 1, low=0)
        if bias.size != labels.shape[0]:
            raise InvalidInput(
                f"`bias_labels` must have one number per row of `labels` ({labels.shape[0]}); got {bias.size}."
            )
        object.__setattr__(self, "bias_labels", bias)

    @property
    def count(self) -> int:
        """Number of sets."""
        return int(self.labels.max()) + 1

    @property
    def outputs(self) -> int:
        """Rows."""
        return int(self.labels.shape[0])

    @property
    def inputs(self) -> int:
        """Columns."""
        return int(self.labels.shape[1])

    @property
    def bias_count(self) -> int:
        """Number of sets of output entries."""
        return int(self._bias_labels.max()) + 1

    @property
    def _bias_labels(self) -> IntArray:
        return np.zeros(self.outputs, dtype=np.int64) if self.bias_labels is None else self.bias_labels

    @property
    def identity(self) -> int | None:
        """Label of the diagonal, if it alone has that label and no other."""
        if self.outputs != self.inputs or self.labels[0, 0] < 0:
            return None
        label = int(self.labels[0, 0])
        return label if np.array_equal(self.labels == label, np.eye(self.outputs, dtype=np.bool_)) else None

    def columns(self, x: FloatArray) -> FloatArray:
        """Sums of the inputs that carry a label, for each row: a sparse 0/1 matrix (p*s, t) applied."""
        rows, places = np.nonzero(self.labels >= 0)
        target = self.labels[rows, places] * self.outputs + rows
        indicator = _indicator(target, places, (self.count * self.outputs, self.inputs))
        flat = np.ascontiguousarray(x.reshape(-1, self.inputs).T)
        sums = np.ascontiguousarray((indicator @ flat).T)
        return sums.reshape(*x.shape[:2], self.count, self.outputs)

    def apply(self, coefficients: FloatArray, x: FloatArray) -> FloatArray:
        """As for every basis; features are mixed before the maps are applied, where that makes fewer."""
        o, i, p = coefficients.shape
        if o >= i:
            return super().apply(coefficients, x)
        batch, rows = len(x), coefficients.transpose(0, 2, 1).reshape(o * p, i)
        targets, places = np.nonzero(self.labels >= 0)
        reads = self.labels[targets, places] * self.inputs + places
        indicator = _indicator(targets, reads, (self.outputs, p * self.inputs))
        result = np.empty((batch, o, self.outputs))
        step = max(1, COLUMN_BYTES // (8 * o * p * self.inputs))
        for start in range(0, batch, step):
            mixed = (rows @ x[start : start + step]).reshape(-1, p * self.inputs)
            sums = (indicator @ np.ascontiguousarray(mixed.T)).T
            result[start : start + step] = sums.reshape(-1, o, self.outputs)
        return result

    def matrix(self, coefficients: FloatArray) -> FloatArray:
        """The coefficients at their places: no arithmetic, so no rounding."""
        o, i, _ = coefficients.shape
        edge = np.concatenate((coefficients, np.zeros((o, i, 1))), axis=2)
        return edge[:, :, self.labels].transpose(0, 2, 1, 3).reshape(o * self.outputs, i * self.inputs)

    def bias_vector(self, bias: FloatArray) -> FloatArray:
        """The bias coefficients at their places."""
        return bias[:, self._bias_labels]

    def spec(self) -> dict[str, Any]:
        """The kind alone; the labels are arrays."""
        return {"kind": "orbits"}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Both sets of labels."""
        return {"labels": self.labels, "bias_labels": self._bias_labels}


class Translations(Windows, Basis):
    """The maps of a convolution: entry p of a kernel reads the input shifted by p. One bias per feature.

    Takes the arguments of `Windows`; as in torch, the kernel is not flipped (cross-correlation).

    Examples
    --------
    >>> basis = Translations(4, 3, padding=1)
    >>> basis.matrix(np.array([[[1.0, 2.0, 3.0]]]))
    array([[2., 3., 0., 0.],
           [1., 2., 3., 0.],
           [0., 1., 2., 3.],
           [0., 0., 1., 2.]])
    >>> basis.count, basis.identity, basis.bias_count
    (3, 1, 1)
    """

    @property
    def bias_count(self) -> int:
        """One: the same number is added everywhere."""
        return 1

    @property
    def identity(self) -> int | None:
        """The kernel entry that reads the window's own place (the centre of "same" convolutions)."""
        if self.outputs != self.inputs:
            return None
        return _first((self.table() == np.arange(self.inputs)).all(axis=1))

    def columns(self, x: FloatArray) -> FloatArray:
        """The shifted inputs, zero where the padding is read."""
        return gather(x, self.table(), 0.0)

    def matrix(self, coefficients: FloatArray) -> FloatArray:
        """Kernel entries at their places; they add up only where a circular kernel meets itself."""
        o, i, _ = coefficients.shape
        matrix = np.zeros((o, self.outputs, i, self.inputs))
        for p, places in enumerate(self.table()):
            rows = np.flatnonzero(places >= 0)
            # numpy puts the axis of paired indices first: (rows, o, i)
            matrix[:, rows, :, places[rows]] += coefficients[None, :, :, p]
        return matrix.reshape(o * self.outputs, i * self.inputs)

    def bias_vector(self, bias: FloatArray) -> FloatArray:
        """The one number, everywhere."""
        return np.repeat(bias, self.outputs, axis=1)

    def spec(self) -> dict[str, Any]:
        """The windows."""
        return {"kind": "translations", **self.to_json()}


def _labels(value: Any, name: str, ndim: int, *, low: int) -> IntArray:
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.ndim != ndim or array.size == 0:
        raise InvalidInput(
            f"`{name}` must be whole numbers in {ndim} dimension(s), not empty; got shape {array.shape} of "
            f"{array.dtype}."
        )
    if array.size > MAX_LABELS:
        raise InvalidInput(f"`{name}` must hold at most {MAX_LABELS} labels; got {array.size}.")
    present = np.unique(array)
    count = int(present[-1]) + 1
    expected = np.arange(int(present[0]), count)
    if present[0] < low or count < 1 or present[0] > 0 or not np.array_equal(present, expected):
        raise InvalidInput(
            f"`{name}` must use every number from 0 up to its largest{' and -1' if low < 0 else ''} only; "
            f"got {present.tolist()!s:.80}."
        )
    labels: IntArray = read_only(np.array(array, dtype=np.int64, order="C"))
    return labels


def _indicator(rows: IntArray, columns: IntArray, shape: tuple[int, int]) -> Any:
    """The sparse matrix with ones at the given places."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(rows.size), (rows, columns)), shape=shape)


def _first(flags: npt.NDArray[np.bool_]) -> int | None:
    found = np.flatnonzero(flags)
    return int(found[0]) if found.size else None
