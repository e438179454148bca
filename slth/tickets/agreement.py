"""On which inputs a bound of the output error proves that ticket and target predict the same class."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from slth._typing import BoolArray, FloatArray
from slth._validate import as_floats, as_real, read_only
from slth.errors import InvalidInput
from slth.networks.norms import UNIT, add_up, inflate, rounding, up, up_scalar
from slth.networks.pool_bounds import pool_values, pooled_up
from slth.networks.pooling import AveragePool, MaxPool
from slth.tickets.graph import PairGraph, Pairs, fitting
from slth.tickets.pairs import LayerPair

_ROWS = 4096  # inputs evaluated at once
_ROOT_TWO = 1.4142135623730951  # the float64 above the square root of 2


@dataclass(frozen=True, eq=False)
class Agreement:
    """Predictions proved equal.

    Attributes
    ----------
    margins : (N,) array
        Proved lower bounds of the target's largest output minus its second largest, in original units;
        not above zero where rounding leaves the order of the two open.
    proved : (N,) bool array
        Where the ticket is proved to predict the target's class: margins > threshold.
    threshold : float
        At least sqrt(2) times the bound.
    """

    margins: FloatArray
    proved: BoolArray
    threshold: float

    @property
    def count(self) -> int:
        """Number of inputs with predictions proved equal."""
        return int(self.proved.sum())

    @property
    def smallest_margin(self) -> float:
        """Smallest of `margins`; infinite when there are no inputs."""
        return float(self.margins.min(initial=np.inf))


def agreement(pairs: Pairs, inputs: npt.ArrayLike, bound: float) -> Agreement:
    """Compare the target's margins with a bound of the output error.

    Parameters
    ----------
    pairs : PairGraph, or sequence of LayerPair
        The layers as a graph, or as a chain; only the target's weights are looked at.
    inputs : (N, d) array
        Inputs inside the domain for which `bound` holds.
    bound : float
        Bound of ||g(x) - f(x)||_2, >= 0.

    Returns
    -------
    Agreement

    Raises
    ------
    InvalidInput
        If `inputs` or layers do not fit, `bound` is negative or not finite, or there are not two outputs.

    Notes
    -----
    Let i be the target's class, j another, and e = g(x) - f(x). Then g_i - g_j = (f_i - f_j) + (e_i - e_j), and
    |e_i - e_j| is the inner product of e with a vector that has the entries 1 and -1, of norm sqrt(2), so it is
    at most sqrt(2) ||e||_2 by Cauchy and Schwarz, with equality when e points that way. A margin above
    sqrt(2) times the bound therefore cannot be overturned, and with nothing else known about e no smaller
    factor would do.

    The target is evaluated in floats. An error bound of each activation is carried along: with h off by at
    most r, W h is off by at most |W| r plus the rounding of the product; ReLU does not enlarge r, sums add it,
    means and maxima take the mean and the maximum of it. Time O(N m_t) for m_t target weights.

    Examples
    --------
    >>> one = LayerPair(np.eye(2), np.eye(2), None, biased=False, relu=False)
    >>> agreement([one], [[1.0, 0.0], [0.6, 0.5]], 0.1).proved
    array([ True, False])
    """
    data = as_floats(inputs, "inputs", ndim=2)
    graph = fitting(pairs)
    if data.shape[1] != graph.inputs:
        raise InvalidInput(f"`inputs` must have {graph.inputs} columns; got shape {data.shape}.")
    threshold = up_scalar(_ROOT_TWO * as_real(bound, "bound", low=0.0))
    starts = range(0, max(len(data), 1), _ROWS)
    margins = np.concatenate([_margins(graph, data[row : row + _ROWS]) for row in starts])
    return Agreement(read_only(margins), read_only(margins > threshold), threshold)


def _margins(graph: PairGraph, points: FloatArray) -> FloatArray:
    """Lower bounds (N,) of the largest output minus the second largest."""
    with np.errstate(over="ignore", invalid="ignore"):
        values, errors = _target_outputs(graph, points)
        if values.shape[1] < 2:
            raise InvalidInput(f"`pairs` must end with two outputs or more; got {values.shape[1]}.")
        rows, top = np.arange(len(values)), values.argmax(axis=1)
        least = np.nextafter(values[rows, top] - errors[rows, top], -np.inf)
        most = up(values + errors)
        most[rows, top] = -np.inf
        margins = np.nextafter(least - most.max(axis=1), -np.inf)
    # Overflow proves nothing.
    return np.where(np.isfinite(margins), margins, -sys.float_info.max)


Rounded = tuple[FloatArray, FloatArray]  # computed values (B, n), and bounds of how far off they are


def _target_outputs(graph: PairGraph, points: FloatArray) -> Rounded:
    found: dict[str, Rounded] = {}
    for node in graph.nodes:
        given = [found[parent] for parent in node.parents]
        if isinstance(node.op, LayerPair):
            found[node.name] = _through_layer(node.op, *given[0])
        elif isinstance(node.op, (AveragePool, MaxPool)):
            values, errors = pool_values(node.op, given[0][0])
            found[node.name] = values, add_up(pooled_up(node.op, given[0][1]), errors)
        elif node.op == "input":
            found[node.name] = points, np.zeros_like(points)
        elif node.op == "relu":
            found[node.name] = np.maximum(given[0][0], 0.0), given[0][1]
        else:
            found[node.name] = reduce(_plus, given)
    return found[graph.output]


def _through_layer(pair: LayerPair, values: FloatArray, errors: FloatArray) -> Rounded:
    if pair.biased:
        values = np.hstack((values, np.ones((len(values), 1))))
        errors = np.hstack((errors, np.zeros((len(errors), 1))))
    steep, terms = np.abs(pair.weight).T, pair.weight.shape[1]
    errors = up(inflate(errors @ steep, terms) + rounding(np.abs(values) @ steep, terms))
    return values @ pair.weight.T, errors


def _plus(one: Rounded, other: Rounded) -> Rounded:
    total = one[0] + other[0]
    # Half a unit in the last place of the sum; below the normal range sums are exact.
    return total, up(add_up(one[1], other[1]) + np.abs(total) * (2.0 * UNIT))
