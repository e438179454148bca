"""The kinds of node a network is made of; each checks its own arrays and knows its size and its value.

A new kind of layer is a new subclass of `Node`: the graph, the forward pass, the digest and the parameter
count only use the methods declared there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slth._typing import FloatArray
from slth._validate import as_floats, as_integer, read_only
from slth.errors import InvalidInput

MAX_NAME = 255
MAX_SIZE = 2**31


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

    def arrays(self) -> dict[str, FloatArray]:
        """Arrays that define the node, by field name (what a digest must cover)."""
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
        _check_name(self.name)
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
    has one basis matrix per kernel entry (a translation), an equivariant layer one per intertwiner.

    Parameters
    ----------
    name : str
        Name of the node.
    input : str
        Name of the node it reads.
    coefficients : (o, i, p) array
        Free parameters, finite.
    basis : (p, s, t) array
        Fixed matrices, finite.
    bias : (o*s,) array, optional
        Added to the result; free parameters.

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
    basis: FloatArray
    bias: FloatArray | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_name(self.input, f"input of node {self.name!r}")
        where = f"of node {self.name!r}"
        coefficients = as_floats(self.coefficients, f"coefficients {where}", ndim=3)
        basis = as_floats(self.basis, f"basis {where}", ndim=3)
        for label, array in (("coefficients", coefficients), ("basis", basis)):
            if array.size == 0:
                raise InvalidInput(f"`{label} {where}` must not be empty; got shape {array.shape}.")
        if coefficients.shape[2] != basis.shape[0]:
            raise InvalidInput(
                f"`basis {where}` must have one matrix per coefficient of a block; "
                f"got {basis.shape[0]} matrices for {coefficients.shape[2]} coefficients."
            )
        object.__setattr__(self, "coefficients", read_only(coefficients))
        object.__setattr__(self, "basis", read_only(basis))
        if self.bias is not None:
            bias = as_floats(self.bias, f"bias {where}", ndim=1)
            if bias.size != self.outputs:
                raise InvalidInput(
                    f"`bias {where}` must have one number per output ({self.outputs}); got {bias.size}."
                )
            object.__setattr__(self, "bias", read_only(bias))

    @property
    def inputs(self) -> int:
        """Number of inputs, i*t."""
        return int(self.coefficients.shape[1] * self.basis.shape[2])

    @property
    def outputs(self) -> int:
        """Number of outputs, o*s."""
        return int(self.coefficients.shape[0] * self.basis.shape[1])

    @property
    def parents(self) -> tuple[str, ...]:
        """The one node it reads."""
        return (self.input,)

    @property
    def is_dense(self) -> bool:
        """Whether the basis is the trivial one, so that coefficients are the matrix itself."""
        return self.basis.shape == (1, 1, 1) and float(self.basis[0, 0, 0]) == 1.0

    @property
    def parameters(self) -> int:
        """Coefficients and biases."""
        return int(self.coefficients.size + (0 if self.bias is None else self.bias.size))

    def matrix(self) -> FloatArray:
        """Matrix W of shape (o*s, i*t), read-only; no rounding where basis supports are 0/1 and disjoint."""
        if self.is_dense:
            return self.coefficients[:, :, 0]
        blocks = np.einsum("oip,pst->osit", self.coefficients, self.basis)
        matrix: FloatArray = read_only(np.ascontiguousarray(blocks.reshape(self.outputs, self.inputs)))
        return matrix

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
        result: FloatArray = values[0] @ self.matrix().T
        if self.bias is not None:
            result += self.bias
        return result

    def arrays(self) -> dict[str, FloatArray]:
        """Coefficients, basis and, when present, bias."""
        found = {"coefficients": self.coefficients, "basis": self.basis}
        return found if self.bias is None else {**found, "bias": self.bias}


@dataclass(frozen=True)
class ReLU(Node):
    """max(x, 0) of each entry of the node `input`."""

    name: str
    input: str

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_name(self.input, f"input of node {self.name!r}")

    @property
    def parents(self) -> tuple[str, ...]:
        """The one node it reads."""
        return (self.input,)

    def output_size(self, sizes: Sequence[int]) -> int:
        """That of the parent."""
        return sizes[0]

    def apply(self, values: Sequence[FloatArray]) -> FloatArray:
        """Positive part."""
        return np.maximum(values[0], 0.0)


@dataclass(frozen=True)
class Add(Node):
    """Sum of two or more nodes of one size, added from the left (a residual path, for example)."""

    name: str
    inputs: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_name(self.name)
        if isinstance(self.inputs, str) or len(tuple(self.inputs)) < 2:
            raise InvalidInput(
                f"`inputs of node {self.name!r}` must name two or more nodes; got {self.inputs!r}."
            )
        inputs = tuple(self.inputs)
        for parent in inputs:
            _check_name(parent, f"inputs of node {self.name!r}")
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


def _check_name(name: object, label: str = "name of a node") -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput(f"`{label}` must be 1 to {MAX_NAME} printable characters; got {name!r:.80}.")
