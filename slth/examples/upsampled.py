"""A 784-500-10 network of the digits, drawn larger: MNIST's shape, in 90 KB.

Images of 8 x 8 pixels become 28 x 28 by linear interpolation between pixel centres, y = U x. A first layer that
minimises a loss plus a quadratic penalty has its rows in the span of the images it sees: rows outside add to
the penalty alone. So W = V U^T without loss, and the 500 x 64 numbers V, in float16, are all that is stored.
Interpolation weights are multiples of 1/64; W is the exact product, rounded to float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth.networks.network import Network, dense_network

SMALL, LARGE = 8, 28
HIDDEN = 500
_PARTS = 64


def upsampling() -> FloatArray:
    """U, (784, 64): rows are non-negative and add up to one.

    Examples
    --------
    >>> matrix = upsampling()
    >>> matrix.shape, float(matrix.min()), bool((matrix.sum(axis=1) == 1.0).all())
    ((784, 64), 0.0, True)
    """
    places = np.clip((np.arange(LARGE) + 0.5) * SMALL / LARGE - 0.5, 0.0, SMALL - 1.0)
    left = np.minimum(places.astype(np.int64), SMALL - 2)
    share = np.rint((places - left) * _PARTS) / _PARTS
    line = np.zeros((LARGE, SMALL))
    line[np.arange(LARGE), left] = 1.0 - share
    line[np.arange(LARGE), left + 1] += share
    return np.asarray(np.kron(line, line), dtype=np.float64)


def upsampled_network(arrays: Mapping[str, npt.NDArray[Any]]) -> Network:
    """The network of the arrays span_1 (V), bias_1, weight_2 and bias_2."""
    first = (arrays["span_1"].astype(np.float64) @ upsampling().T).astype(np.float32)
    return dense_network([first, arrays["weight_2"]], [arrays["bias_1"], arrays["bias_2"]])
