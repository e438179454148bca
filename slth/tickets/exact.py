"""The output error at one input in whole numbers: the lower bound that needs no analysis of rounding."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats
from slth.errors import InvalidInput
from slth.networks.pooling import AveragePool, MaxPool
from slth.tickets.graph import Pairs, fitting
from slth.tickets.pairs import LayerPair

Integers = npt.NDArray[np.object_]


def exact_error(pairs: Pairs, x: npt.ArrayLike) -> float:
    """The l2 output error at one input, evaluated exactly and rounded down: a proved lower bound of the sup.

    Parameters
    ----------
    pairs : PairGraph, or sequence of LayerPair
        The layers as a graph, or as a chain, first layer first.
    x : (d,) array
        One input; each float64 stands for the rational number that it is.

    Returns
    -------
    float
        Within one unit in the last place below the exact error.

    Raises
    ------
    InvalidInput
        If `x` is not finite or has another size, or layers do not fit.

    Notes
    -----
    Weights and activations are integers times a power of two per layer, over one whole number that collects
    the divisors of means, so that products, sums and maxima are exact; the square root is an integer square
    root. Time O(m_t) operations, m_t the number of nonzero weights, on integers of about 60 bits per layer.

    Examples
    --------
    >>> pair = LayerPair(np.array([[3.0], [4.0]]), np.zeros((2, 1)), None, biased=False, relu=False)
    >>> exact_error([pair], [1.0])
    5.0
    """
    graph = fitting(pairs)
    point = as_floats(x, "x", ndim=1)
    if point.size != graph.inputs:
        raise InvalidInput(f"`x` must have {graph.inputs} entries; got {point.size}.")
    values: dict[str, tuple[_Scaled, _Scaled]] = {}
    for node in graph.nodes:
        given = [values[parent] for parent in node.parents]
        if isinstance(node.op, LayerPair):
            values[node.name] = _through_layer(node.op, *given[0])
        elif isinstance(node.op, (AveragePool, MaxPool)):
            values[node.name] = _pooled(node.op, given[0][0]), _pooled(node.op, given[0][1])
        elif node.op == "input":
            start = _scaled(point)
            values[node.name] = start, start
        elif node.op == "relu":
            values[node.name] = _halves(given[0][0])[0], _halves(given[0][1])[0]
        else:
            values[node.name] = reduce(lambda a, b: (_plus(a[0], b[0]), _plus(a[1], b[1])), given)
    target, ticket = values[graph.output]
    difference = _plus(ticket, _Scaled(-target.numbers, target.exponent, target.divisor))
    square = sum(int(value) ** 2 for value in difference.numbers)
    return _root_down(square, difference.exponent, difference.divisor)


@dataclass(frozen=True, eq=False)
class _Scaled:
    """numbers 2^exponent / divisor: Python integers (n,), an exponent <= 0, a divisor >= 1."""

    numbers: Integers
    exponent: int = 0
    divisor: int = 1


def _scaled(values: FloatArray) -> _Scaled:
    """Floats (n,) as integers times one power of two, exactly."""
    mantissas, exponents = np.frexp(values)
    exponents = exponents.astype(np.int64) - 53
    nonzero = mantissas != 0.0
    least = min(0, int(exponents[nonzero].min())) if nonzero.any() else 0
    shifts = np.where(nonzero, exponents - least, 0)
    whole = np.ldexp(mantissas, 53).astype(np.int64).astype(object)
    return _Scaled(whole * np.left_shift(np.full(values.shape, 1, dtype=object), shifts.astype(object)), least)


def _plus(one: _Scaled, other: _Scaled) -> _Scaled:
    exponent, divisor = min(one.exponent, other.exponent), math.lcm(one.divisor, other.divisor)
    parts = [part.numbers * ((divisor // part.divisor) << (part.exponent - exponent)) for part in (one, other)]
    return _Scaled(parts[0] + parts[1], exponent, divisor)


def _halves(values: _Scaled) -> tuple[_Scaled, _Scaled]:
    """max(values, 0) and max(-values, 0)."""
    return (
        _Scaled(np.maximum(values.numbers, 0), values.exponent, values.divisor),
        _Scaled(np.maximum(-values.numbers, 0), values.exponent, values.divisor),
    )


def _through_layer(pair: LayerPair, target: _Scaled, ticket: _Scaled) -> tuple[_Scaled, _Scaled]:
    above, below = _halves(ticket)
    after = _product(pair.positive, above, pair.biased)
    if pair.negative is not None:
        # The constant is never negative.
        after = _plus(after, _product(pair.negative[:, : pair.moving], below, False))
    return _product(pair.weight, target, pair.biased), after


def _product(matrix: FloatArray, values: _Scaled, biased: bool) -> _Scaled:
    """Matrix times [values; 1], or times the values."""
    numbers = values.numbers
    if biased:
        numbers = np.append(numbers, values.divisor << -values.exponent)
    rows, columns = np.nonzero(matrix)
    entries = _scaled(matrix[rows, columns])
    result = np.full(matrix.shape[0], 0, dtype=object)
    present, starts = np.unique(rows, return_index=True)
    if present.size:
        result[present] = np.add.reduceat(entries.numbers * numbers[columns], starts)
    return _Scaled(result, values.exponent + entries.exponent, values.divisor)


def _pooled(pool: AveragePool | MaxPool, values: _Scaled) -> _Scaled:
    table, rows = pool.windows.table(), values.numbers.reshape(pool.features, pool.windows.inputs)
    # The least of all numbers never changes a maximum, nor zero a sum; -1 in the table reads it.
    fill = min(values.numbers) if isinstance(pool, MaxPool) else 0
    entries = np.concatenate((rows, np.full((len(rows), 1), fill, dtype=object)), axis=1)[:, table]
    if isinstance(pool, MaxPool):
        return _Scaled(np.maximum.reduce(entries, axis=1).reshape(-1), values.exponent, values.divisor)
    divisors = pool.divisors().astype(np.int64).astype(object)
    common = math.lcm(*divisors)
    sums = np.add.reduce(entries, axis=1) * (common // divisors)
    return _Scaled(sums.reshape(-1), values.exponent, values.divisor * common)


def _root_down(square: int, exponent: int, divisor: int) -> float:
    """Largest-effort float below sqrt(square) 2^exponent / divisor, never above it."""
    if square == 0:
        return 0.0
    shift = max(0, 130 - square.bit_length() + 2 * divisor.bit_length()) // 2
    root = math.isqrt((square << (2 * shift)) // divisor**2)
    surplus = max(0, root.bit_length() - 53)
    root, exponent = root >> surplus, exponent - shift + surplus
    try:
        result = math.ldexp(root, exponent)
    except OverflowError:
        return sys.float_info.max
    # Below the normal range ldexp rounds to nearest, perhaps upwards.
    return result if result >= sys.float_info.min else max(0.0, math.nextafter(result, 0.0))
