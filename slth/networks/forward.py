"""The value of a network at given inputs: nodes in order, each value dropped once nobody reads it again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats
from slth.errors import InvalidInput
from slth.networks.layers import Input, Node


def as_batch(x: npt.ArrayLike, size: int) -> tuple[FloatArray, bool]:
    """Return `x` as a finite (B, size) array, and whether it was a single vector."""
    array = as_floats(x, "x", ndim=(1, 2))
    single = array.ndim == 1
    batch = array.reshape(1, -1) if single else array
    if batch.shape[1] != size:
        raise InvalidInput(
            f"`x` must have {size} entries per input; got {batch.shape[1]} (shape {array.shape})."
        )
    return batch, single


def evaluate(order: Sequence[Node], output: str, x: FloatArray) -> FloatArray:
    """Value (B, output size) of node `output` at the rows of `x` (B, input size).

    order : nodes, each after its parents.
    """
    readers: dict[str, int] = {output: 1}
    for node in order:
        for parent in node.parents:
            readers[parent] = readers.get(parent, 0) + 1
    values: dict[str, FloatArray] = {}
    for node in order:
        given = [x] if isinstance(node, Input) else [values[parent] for parent in node.parents]
        values[node.name] = node.apply(given)
        for parent in node.parents:
            readers[parent] -= 1
            if readers[parent] == 0:
                del values[parent]
    return values[output]
