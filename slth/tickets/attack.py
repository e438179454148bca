"""The other side of a bound: inputs on which ticket and target differ as much as can be found."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats, as_integer
from slth.errors import InvalidInput
from slth.networks.domain import Domain
from slth.tickets.evaluate import distances, distances_and_gradients
from slth.tickets.exact import exact_error as exact_error
from slth.tickets.graph import PairGraph, Pairs, checked

_POOL = 32  # random points evaluated for each start kept
_STUCK = 2.0**-10  # step length, in widths of the domain, at which a start is given up


def worst_input(
    pairs: Pairs,
    domain: Domain,
    inputs: npt.ArrayLike | None = None,
    *,
    starts: int = 64,
    steps: int = 100,
    seed: int = 0,
) -> tuple[FloatArray, float]:
    """Search the domain for the input with the largest l2 output error.

    Projected gradient ascent from the worst of many random points (half of them corners, in a box) and the
    worst of the given inputs. A step goes along the signs of the gradient in a box, so that a full step is a
    corner, alternating with the gradient itself; in a ball along the gradient. Its length halves when it
    does not improve a start and doubles when it does; a start that is stuck goes on from the next random point.

    Parameters
    ----------
    pairs : PairGraph, or sequence of LayerPair
        The layers as a graph, or as a chain, first layer first.
    domain : Domain
    inputs : (N, d) array, optional
        Data; all of it is evaluated, rows outside the domain after projection to it.
    starts, steps : int
        >= 1.
    seed : int
        Of the random starts.

    Returns
    -------
    x : (d,) array
        In the domain, exactly.
    error : float
        The error at `x` in plain floats; `exact_error` gives a proof.

    Raises
    ------
    InvalidInput
        If the layers do not fit the domain, or `inputs` is not a finite (N, d) array.

    Notes
    -----
    Time O(starts (steps + 32) m_t + N m_t) for m_t target weights. The same arguments give the same x.
    """
    graph = checked(pairs, domain)
    starts = as_integer(starts, "starts", low=1, high=1 << 20)
    steps = as_integer(steps, "steps", low=1, high=1 << 20)
    pool = _worst_first(graph, _random_points(domain, _POOL * starts, seed))
    points = pool[:starts]
    if inputs is not None:
        points = np.vstack((points, _worst_first(graph, _data(domain, inputs))[:starts]))
    points, errors = _ascend(graph, domain, points, pool[starts:], steps)
    best = domain.project(points[int(np.argmax(errors))])
    return best, float(distances(graph, best[None])[0])


def _random_points(domain: Domain, count: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    if domain.kind == "box":
        points = rng.uniform(domain.low, domain.high, (count, domain.size))
        corners = rng.random((count // 2, domain.size)) < 0.5
        points[: count // 2] = np.where(corners, domain.low, domain.high)
        return points
    points = rng.normal(size=(count, domain.size))
    lengths = np.sqrt(np.square(points).sum(axis=1, keepdims=True))
    return _project(domain, domain.center + points * (domain.radius / np.maximum(lengths, sys.float_info.min)))


def _data(domain: Domain, inputs: npt.ArrayLike) -> FloatArray:
    data = as_floats(inputs, "inputs", ndim=2)
    if data.shape[1] != domain.size:
        raise InvalidInput(f"`inputs` must have {domain.size} columns; got shape {data.shape}.")
    return np.asarray(domain.project(data), dtype=np.float64)


def _worst_first(graph: PairGraph, points: FloatArray) -> FloatArray:
    """The rows in the order of their errors, largest first."""
    return points[np.argsort(-distances(graph, points), kind="stable")]


def _ascend(
    graph: PairGraph, domain: Domain, points: FloatArray, spare: FloatArray, steps: int
) -> tuple[FloatArray, FloatArray]:
    """The best points met from each start, and their errors; stuck starts go on from rows of `spare`."""
    lengths = np.ones(len(points))
    errors, slopes = distances_and_gradients(graph, points)
    best_points, best_errors = points, errors
    for step in range(steps):
        stuck = np.flatnonzero(lengths < _STUCK)[: len(spare)]
        tried = _project(domain, points + lengths[:, None] * _direction(domain, slopes, step))
        tried[stuck], spare = spare[: len(stuck)], spare[len(stuck) :]
        new_errors, new_slopes = distances_and_gradients(graph, tried)
        better = new_errors > errors
        better[stuck] = True
        points = np.where(better[:, None], tried, points)
        slopes = np.where(better[:, None], new_slopes, slopes)
        errors = np.where(better, new_errors, errors)
        lengths = np.where(better, np.minimum(2.0 * lengths, 1.0), 0.5 * lengths)
        lengths[stuck] = 1.0
        record = errors > best_errors
        best_points = np.where(record[:, None], points, best_points)
        best_errors = np.maximum(errors, best_errors)
    return best_points, best_errors


def _direction(domain: Domain, slopes: FloatArray, step: int) -> FloatArray:
    """Where a full step leads: across the domain."""
    if domain.kind == "ball":
        sizes = np.sqrt(np.square(slopes).sum(axis=1, keepdims=True))
        across: FloatArray | float = 2.0 * domain.radius
    else:
        sizes, across = np.abs(slopes).max(axis=1, keepdims=True), domain.high - domain.low
        if step % 2 == 0:
            return np.asarray(np.sign(slopes) * across, dtype=np.float64)
    unit = np.divide(slopes, sizes, out=np.zeros_like(slopes), where=sizes > 0.0)
    return np.asarray(unit * across, dtype=np.float64)


def _project(domain: Domain, points: FloatArray) -> FloatArray:
    """Nearest points of the domain in plain floats; membership is made exact once, at the end."""
    if domain.kind == "box":
        return np.asarray(np.clip(points, domain.low, domain.high), dtype=np.float64)
    offset = points - domain.center
    norms = np.sqrt(np.square(offset).sum(axis=1, keepdims=True))
    shrink = np.minimum(1.0, domain.radius / np.maximum(norms, sys.float_info.min))
    return np.asarray(domain.center + offset * shrink, dtype=np.float64)
