"""The chain of layers that a certificate is about: each target layer beside what the ticket computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slth._typing import FloatArray
from slth.errors import InvalidInput
from slth.networks.domain import Domain


@dataclass(frozen=True, eq=False)
class LayerPair:
    """A target layer and what the ticket computes instead, in scaled units.

    Attributes
    ----------
    weight : (d', D) array
        W; its last column is the bias when `biased`.
    positive : (d', D) array
        P, exact: what multiplies max(x, 0).
    negative : (d', D) array or None
        N, exact: what multiplies max(-x, 0). None when the layer's input is never negative.
    biased : bool
        The constant 1 is appended to the layer's input.
    relu : bool
        ReLU is applied to the layer's output.
    """

    weight: FloatArray
    positive: FloatArray
    negative: FloatArray | None
    biased: bool
    relu: bool


def check_chain(pairs: Sequence[LayerPair], domain: Domain) -> None:
    """Raise InvalidInput unless the layers fit each other and the domain, and every number is finite."""
    if not pairs:
        raise InvalidInput("`pairs` must hold at least one layer; got none.")
    size, nonnegative = domain.size, domain.nonnegative
    for index, pair in enumerate(pairs):
        shape = pair.weight.shape
        if len(shape) != 2 or shape[0] == 0 or shape[1] != size + pair.biased:
            needed = size + pair.biased
            raise InvalidInput(f"`pairs` must chain: layer {index} needs {needed} columns; got shape {shape}.")
        for name, matrix in (("weight", pair.weight), ("positive", pair.positive), ("negative", pair.negative)):
            if matrix is None:
                continue
            if matrix.shape != shape:
                raise InvalidInput(f"`{name}` must have shape {shape} (layer {index}); got {matrix.shape}.")
            if matrix.dtype != np.float64 or not np.isfinite(matrix).all():
                raise InvalidInput(f"`{name}` must be finite float64 (layer {index}); got {matrix.dtype}.")
        if pair.negative is None and not nonnegative:
            raise InvalidInput(
                f"`negative` must be given where inputs may be negative; got None (layer {index})."
            )
        size, nonnegative = shape[0], pair.relu
