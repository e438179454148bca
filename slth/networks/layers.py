"""The kinds of node a network is made of; each checks its own arrays and knows its size and its value.

A new kind of layer is a new subclass of `Node`: the graph, the forward pass, the digest and the parameter
count only use the methods declared there. Pools stand in `slth.networks.pooling`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats, as_integer, read_only
from slth.errors import CapacityExceeded, InvalidInput
from slth.networks.basis import Basis, DenseBasis

MAX_NAME = 255
MAX_SIZE = 2**31
MAX_MATRIX_BYTES = 2**29


class Node(ABC):
    """One named, frozen step of a network, from the values of its parents to a value of its own."""

    name: str

    @property
    @abstractmethod
    def parents(self) -> tuple[str, ...]:
        """Names of the nodes whose values this one reads, in order."""

    @abstractmethod
    def output_size(self, sizes: Sequence[int]) -> int:
        """Number of outputs, given the sizes of the parents; InvalidInput if they do not fit."""

    @abstractmethod
    def apply(self, values: Sequence[FloatArray]) -> FloatArray:
        """Value (B, output size), given the parents' values (B, size of the parent)."""

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays that define the node, by field name, float64 or int64 (what a digest must cover)."""
        return {}

    def spec(self) -> dict[str, Any]:
        """JSON-ready fields other than name, parents, size and arrays (what a digest must cover too)."""
        return {}

    @property
    def parameters(self) -> int:
        """Number of free parameters (a fixed basis is not one)."""
        return 0


@dataclass(frozen=True)
class Input(Node):
    """The input of the network, a vector of `size` numbers."""

    name: str
    size: int

    def __post_init__(self) -> None:
        check_name(self.name)
        size = as_integer(self.size, f"size of node {self.name!r}", low=1, high=MAX_SIZE)
        object.__setattr__(self, "size", size)

    @property
    def parents(self) -> tuple[str, ...]:
        """No node."""
        return ()

    def output_size(self, sizes: Sequence[int]) -> int:  # noqa: ARG002
        """The declared size."""
        return self.size

    def apply(self, values: Sequence[FloatArray]) -> FloatArray:
        """The network's input itself, handed in as the one value."""
        return values[0]


@dataclass(frozen=True, eq=False)
class Linear(Node):
    r"""An affine map whose matrix is coefficients times a fixed basis.

    The matrix has blocks :math:`W_{oi} = \sum_p c_{oip} B_p` of shape (s, t), so W is (o s, i t) and the
    node computes :math:`W x + b`. A dense layer has the trivial basis ``ones((1, 1, 1))``; a convolution
    has one basis map per kernel entry (a translation), an equivariant layer one per intertwiner. Features
    lie one after the other: feature i is entries i t .. (i + 1) t - 1 of the input (channels first).

    Parameters
    ----------
    name : str
        Name of the node.
    input : str
        Name of the node it reads.
    coefficients : (o, i / groups, p) array
        Free parameters, finite.
    basis : Basis or (p, s, t) array
        Fixed maps; an array stands for its `DenseBasis`.
    bias : (o*q,) array, optional
        Coefficients of the basis' q invariant vectors for each output feature; free parameters.
    groups : int
        Input and output features are divided into that many runs, each output run reading its input run only.

    Raises
    ------
    InvalidInput
        If an array is not finite or the shapes do not fit; the message names the node.

    Examples
    --------
    >>> layer = Linear("mix", "x", [[[2.0, -1.0]]], [[[1, 0], [0, 1]], [[0, 1], [1, 0]]])
    >>> layer.matrix()
    array([[ 2., -1.],
           [-1.,  2.]])
    >>> layer.parameters
    2
    """

    name: str
    input: str
    coefficients: FloatArray
    basis: Basis
    bias: FloatArray | None = None
    groups: int = 1

    def __init__(
        self,
        name: str,
        input: str,  # noqa: A002
        coefficients: npt.ArrayLike,
        basis: Basis | npt.ArrayLike,
        bias: npt.ArrayLike | None = None,
        groups: int = 1,
    ) -> None:
        check_name(name)
        check_name(input, f"input of node {name!r}")
        where = f"of node {name!r}"
        numbers = as_floats(coefficients, f"coefficients {where}", ndim=3)
        maps = basis if isinstance(basis, Basis) else _dense_basis(basis, f"basis {where}")
        if numbers.size == 0:
            raise InvalidInput(f"`coefficients {where}` must not be empty; got shape {numbers.shape}.")
        if numbers.shape[2] != maps.count:
            raise InvalidInput(
                f"`basis {where}` must have one matrix per coefficient of a block; "
                f"got {maps.count} matrices for {numbers.shape[2]} coefficients."
            )
        groups = as_integer(groups, f"groups {where}", low=1, high=MAX_SIZE)
        if numbers.shape[0] % groups:
            raise InvalidInput(
                f"`groups {where}` must divide the output features ({numbers.shape[0]}); got {groups}."
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "input", input)
        object.__setattr__(self, "coefficients", read_only(numbers))
        object.__setattr__(self, "basis", maps)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "bias", None)
        if bias is not None:
            vector = as_floats(bias, f"bias {where}", ndim=1)
            wanted = self.output_features * maps.bias_count
            if vector.size != wanted:
                each = "output" if maps.bias_count == maps.outputs else "invariant of each output feature"
                raise InvalidInput(
                    f"`bias {where}` must have one number per {each} ({wanted}); got {vector.size}."
                )
            object.__setattr__(self, "bias", read_only(vector))

    @property
    def input_features(self) -> int:
        """Number of input features, i."""
        return int(self.coefficients.shape[1] * self.groups)

    @property
    def output_features(self) -> int:
        """Number of output features, o."""
        return int(self.coefficients.shape[0])

    @property
    def inputs(self) -> int:
        """Number of inputs, i*t."""
        return self.input_features * self.basis.inputs

    @property
    def outputs(self) -> int:
        """Number of outputs, o*s."""
        return self.output_features * self.basis.outputs

    @property
    def parents(self) -> tuple[str, ...]:
        """The one node it reads."""
        return (self.input,)

    @property
    def is_dense(self) -> bool:
        """Whether the basis is the trivial one, so that coefficients are the matrix itself."""
        return isinstance(self.basis, DenseBasis) and self.basis.is_trivial and self.groups == 1

    @property
    def parameters(self) -> int:
        """Coefficients and biases."""
        return int(self.coefficients.size + (0 if self.bias is None else self.bias.size))

    def matrix(self) -> FloatArray:
        """Matrix W of shape (o*s, i*t), read-only; no rounding where basis supports are 0/1 and disjoint.

        Raises CapacityExceeded above 512 MiB (`apply` never makes the matrix); the matrix of a trivial basis
        is the coefficients, whatever their size.
        """
        if self.is_dense:
            return self.coefficients[:, :, 0]
        size = 8 * self.outputs * self.inputs
        if size > MAX_MATRIX_BYTES:
            raise CapacityExceeded(
                f"the matrix of node {self.name!r} ({self.outputs} x {self.inputs}) needs "
                f"{size / 2**20:.0f} MiB, more than {MAX_MATRIX_BYTES // 2**20}. "
                "Work with its coefficients and basis instead."
            )
        matrix = np.zeros((self.outputs, self.inputs))
        for rows, columns, coefficients in self._runs():
            s, t = self.basis.outputs, self.basis.inputs
            block = self.basis.matrix(coefficients)
            matrix[rows.start * s : rows.stop * s, columns.start * t : columns.stop * t] = block
        found: FloatArray = read_only(matrix)
        return found

    def bias_vector(self) -> FloatArray | None:
        """What is added to the outputs, (o*s,), or None."""
        if self.bias is None:
            return None
        vector: FloatArray = self.basis.bias_vector(self.bias.reshape(self.output_features, -1)).reshape(-1)
        return vector

    def output_size(self, sizes: Sequence[int]) -> int:
        """Number of outputs; the parent must have `inputs` of them."""
        if sizes[0] != self.inputs:
            raise InvalidInput(
                f"`nodes` must fit each other; got node {self.name!r} with {self.inputs} inputs "
                f"reading {self.input!r} of size {sizes[0]}."
            )
        return self.outputs

    def apply(self, values: Sequence[FloatArray]) -> FloatArray:
        """The affine map of each row."""
        batch = values[0].shape[0]
        x = values[0].reshape(batch, self.input_features, self.basis.inputs)
        parts = [self.basis.apply(own, x[:, columns]) for _, columns, own in self._runs()]
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        result = joined.reshape(batch, self.outputs)
        bias = self.bias_vector()
        if bias is not None:
            result += bias
        return result

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Coefficients, arrays of the basis and, when present, bias."""
        found = {"coefficients": self.coefficients, **self.basis.arrays()}
        return found if self.bias is None else {**found, "bias": self.bias}

    def spec(self) -> dict[str, Any]:
        """Description of the basis and number of groups; empty for a basis of plain matrices."""
        described = self.basis.spec()
        found: dict[str, Any] = {"basis": described} if described else {}
        return found if self.groups == 1 else {**found, "groups": self.groups}

    def _runs(self) -> Iterator[tuple[slice, slice, FloatArray]]:
        """Output features, input features and coefficients of each group."""
        o, i = self.output_features // self.groups, self.coefficients.shape[1]
        for group in range(self.groups):
            rows = slice(group * o, (group + 1) * o)
            yield rows, slice(group * i, (group + 1) * i), self.coefficients[rows]


@dataclass(frozen=True)
class Unary(Node):
    """What nodes that read one other node share."""

    name: str
    input: str

    def __post_init__(self) -> None:
        check_name(self.name)
        check_name(self.input, f"input of node {self.name!r}")

    @property
    def parents(self) -> tuple[str, ...]:
        """The one node it reads."""
        return (self.input,)


@dataclass(frozen=True)
class ReLU(Unary):
    """max(x, 0) of each entry of the node `input`."""

    def output_size(self, sizes: Sequence[int]) -> int:
        """That of the parent."""
        return sizes[0]

    def apply(self, values: Sequence[FloatArray]) -> FloatArray:
        """Positive part."""
        return np.maximum(values[0], 0.0)


@dataclass(frozen=True)
class Flatten(Unary):
    """The node `input` unchanged: values are flat vectors already. Keeps the name that a reader met."""

    def output_size(self, sizes: Sequence[int]) -> int:
        """That of the parent."""
        return sizes[0]

    def apply(self, values: Sequence[FloatArray]) -> FloatArray:
        """The value itself."""
        return values[0]


@dataclass(frozen=True)
class Add(Node):
    """Sum of two or more nodes of one size, added from the left (a residual path, for example)."""

    name: str
    inputs: tuple[str, ...]

    def __post_init__(self) -> None:
        check_name(self.name)
        if isinstance(self.inputs, str) or len(tuple(self.inputs)) < 2:
            raise InvalidInput(
                f"`inputs of node {self.name!r}` must name two or more nodes; got {self.inputs!r}."
            )
        inputs = tuple(self.inputs)
        for parent in inputs:
            check_name(parent, f"inputs of node {self.name!r}")
        object.__setattr__(self, "inputs", inputs)

    @property
    def parents(self) -> tuple[str, ...]:
        """The nodes it adds."""
        return self.inputs

    def output_size(self, sizes: Sequence[int]) -> int:
        """The size that all parents share."""
        if len(set(sizes)) != 1:
            listed = ", ".join(
                f"{name!r} of size {size}" for name, size in zip(self.inputs, sizes, strict=True)
            )
            raise InvalidInput(f"`nodes` must fit each other; got node {self.name!r} adding {listed}.")
        return sizes[0]

    def apply(self, values: Sequence[FloatArray]) -> FloatArray:
        """Sum, from the left."""
        total = values[0] + values[1]
        for value in values[2:]:
            total += value
        return total


def _dense_basis(array: npt.ArrayLike, label: str) -> DenseBasis:
    maps = as_floats(array, label, ndim=3)
    if maps.size == 0:
        raise InvalidInput(f"`{label}` must not be empty; got shape {maps.shape}.")
    return DenseBasis(maps)


def check_name(name: object, label: str = "name of a node") -> None:
    """Refuse what cannot name a node."""
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput(f"`{label}` must be 1 to {MAX_NAME} printable characters; got {name!r:.80}.")
