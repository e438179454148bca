"""Layer scales: powers of two that bring every target weight and bias into [-1, 1].

ReLU is positively homogeneous, so with r_l = 2^e_l the layer h -> relu(W h + b) may be replaced by
h -> relu((W / r_l) h + b / (r_1 ... r_l)), which computes the original divided by r_1 ... r_l. One scalar,
2^(e_1 + ... + e_L), restores the output; it stands in the ticket, outside the source. Powers of two make
the scaled target exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from slth._typing import FloatArray
from slth.errors import InvalidInput
from slth.networks.network import DenseLayer


def scale_exponents(layers: Sequence[DenseLayer]) -> tuple[int, ...]:
    """Smallest e_l with max(|W_l| / 2^e_l, |b_l| / 2^(e_1+...+e_l)) <= 1; 0 for a layer of zeros."""
    exponents: list[int] = []
    total = 0
    for layer in layers:
        largest = _exponent(layer.weight)
        if layer.bias is not None:
            bias = _exponent(layer.bias)
            if bias is not None:
                largest = bias - total if largest is None else max(largest, bias - total)
        exponents.append(largest or 0)
        total += exponents[-1]
    return tuple(exponents)


def scaled_weights(layers: Sequence[DenseLayer], exponents: Sequence[int]) -> tuple[FloatArray, ...]:
    """[W / r_l, b / (r_1 ... r_l)] of each layer, (d', D), exact.

    Raises InvalidInput, naming the layer, when a weight is so small that scaling would lose digits.
    """
    scaled = []
    total = 0
    for layer, exponent in zip(layers, exponents, strict=True):
        total += exponent
        parts = [(layer.weight, exponent)]
        if layer.bias is not None:
            parts.append((layer.bias[:, None], total))
        columns = []
        for values, shift in parts:
            column = np.ldexp(values, -shift)
            if not np.array_equal(np.ldexp(column, shift), values):
                raise InvalidInput(
                    f"`target`: layer {layer.name!r} mixes magnitudes too different to scale by 2^{-shift} "
                    "exactly. Round its tiny weights to zero."
                )
            columns.append(column)
        scaled.append(np.ascontiguousarray(np.concatenate(columns, axis=1)))
    return tuple(scaled)


def _exponent(values: FloatArray) -> int | None:
    """Least e with max|values| <= 2^e, or None when all are zero."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return None
    mantissa, exponent = math.frexp(largest)
    return exponent - 1 if mantissa == 0.5 else exponent
