"""Pools: the mean or the largest entry of each window, feature by feature."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from slth._typing import FloatArray
from slth._validate import as_integer, read_only
from slth.errors import InvalidInput
from slth.networks.layers import MAX_SIZE, Unary
from slth.networks.windows import Windows, gather

# Bytes of windows gathered at once; larger batches are done in pieces.
GATHER_BYTES = 2**26


@dataclass(frozen=True)
class Pool(Unary):
    """What both pools share: windows over each of `features` features (channels)."""

    features: int
    windows: Windows
    _fill: ClassVar[float]  # what padded places hold

    def __post_init__(self) -> None:
        Unary.__post_init__(self)
        features = as_integer(self.features, f"features of node {self.name!r}", low=1, high=MAX_SIZE)
        object.__setattr__(self, "features", features)
        if type(self.windows) is not Windows or self.windows.padding_mode != "zeros":
            raise InvalidInput(f"`windows of node {self.name!r}` must be Windows with padding_mode 'zeros'.")
        if not (self.windows.table() >= 0).any(axis=0).all():
            raise InvalidInput(
                f"`padding of node {self.name!r}` must leave every window part of the input; "
                f"got {self.windows.padding} for windows of {self.windows.kernel}."
            )

    def output_size(self, sizes: Sequence[int]) -> int:
        """Windows times features; the parent must have positions times features."""
        wanted = self.features * self.windows.inputs
        if sizes[0] != wanted:
            raise InvalidInput(
                f"`nodes` must fit each other; got node {self.name!r} with {wanted} inputs "
                f"reading {self.input!r} of size {sizes[0]}."
            )
        return self.features * self.windows.outputs

    def apply(self, values: Sequence[FloatArray]) -> FloatArray:
        """The pooled features, one after the other."""
        batch = values[0].shape[0]
        x = values[0].reshape(batch * self.features, self.windows.inputs)
        table = self.windows.table()
        result = np.empty((x.shape[0], self.windows.outputs))
        step = max(1, GATHER_BYTES // (8 * table.size))
        for start in range(0, x.shape[0], step):
            result[start : start + step] = self._pooled(gather(x[start : start + step], table, self._fill))
        return result.reshape(batch, self.features * self.windows.outputs)

    def spec(self) -> dict[str, Any]:
        """Features and windows."""
        return {"features": self.features, "windows": self.windows.to_json()}

    @abstractmethod
    def _pooled(self, entries: FloatArray) -> FloatArray:
        """(B, p, s) to (B, s)."""


@dataclass(frozen=True)
class AveragePool(Pool):
    """Mean of each window: a fixed linear map, without free parameters.

    Parameters
    ----------
    name, input : str
        Names of the node and of the one it reads.
    features : int
        Number of features (channels).
    windows : Windows
        Places; padding counts as zeros.
    count_padding : bool
        Whether padded places count in the divisor (as in torch) or not (as in ONNX), by default.
    """

    count_padding: bool = True
    _fill: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        Pool.__post_init__(self)
        if not isinstance(self.count_padding, bool):
            raise InvalidInput(
                f"`count_padding of node {self.name!r}` must be True or False; got {self.count_padding!r}."
            )

    def divisors(self) -> FloatArray:
        """Number that each window's sum is divided by, (s,)."""
        table = self.windows.table()
        if self.count_padding:
            return np.full(table.shape[1], float(table.shape[0]))
        counts: FloatArray = (table >= 0).sum(axis=0).astype(np.float64)
        return counts

    def matrix(self) -> FloatArray:
        """The map of one feature, (s, t), read-only, each entry rounded once: for the certificate."""
        table = self.windows.table()
        matrix = np.zeros((self.windows.outputs, self.windows.inputs))
        for places in table:
            rows = np.flatnonzero(places >= 0)
            matrix[rows, places[rows]] += 1.0
        matrix /= self.divisors()[:, None]
        found: FloatArray = read_only(matrix)
        return found

    def spec(self) -> dict[str, Any]:
        """Features, windows and how padding counts."""
        return {**super().spec(), "count_padding": self.count_padding}

    def _pooled(self, entries: FloatArray) -> FloatArray:
        pooled: FloatArray = entries.sum(axis=1) / self.divisors()
        return pooled


@dataclass(frozen=True)
class MaxPool(Pool):
    """Largest entry of each window, padding left out. For the certificate, see `lipschitz_squared`."""

    _fill: ClassVar[float] = -np.inf

    @property
    def lipschitz_squared(self) -> int:
        """Square of a Lipschitz constant for l2 norms: the largest number of windows that read one entry.

        Each output moves by at most the largest movement in its window, so the squares of the movements add
        up to at most this many times those of the inputs.
        """
        return self.windows.overlap

    def _pooled(self, entries: FloatArray) -> FloatArray:
        pooled: FloatArray = entries.max(axis=1)
        return pooled
