"""The other side of a bound: inputs on which ticket and target differ as much as can be found."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slth._typing import BoolArray, FloatArray
from slth._validate import as_floats, as_integer
from slth.errors import InvalidInput
from slth.networks.domain import Domain
from slth.tickets.graph import checked
from slth.tickets.pairs import LayerPair

_ROWS = 4096  # inputs evaluated at once
_POOL = 32  # random points evaluated for each start kept
_STUCK = 2.0**-10  # step length, in widths of the domain, at which a start is given up


def worst_input(
    pairs: Sequence[LayerPair],
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
    pairs : sequence of LayerPair
        The chain, first layer first.
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
        The error at `x` in scaled units, in plain floats; `exact_error` gives a proof.

    Raises
    ------
    InvalidInput
        If the chain does not fit the domain, or `inputs` is not a finite (N, d) array.

    Notes
    -----
    Time O(starts (steps + 32) m_t + N m_t) for m_t target weights. The same arguments give the same x.
    """
    checked(pairs, domain)
    starts = as_integer(starts, "starts", low=1, high=1 << 20)
    steps = as_integer(steps, "steps", low=1, high=1 << 20)
    pool = _worst_first(pairs, _random_points(domain, _POOL * starts, seed))
    points = pool[:starts]
    if inputs is not None:
        points = np.vstack((points, _worst_first(pairs, _data(domain, inputs))[:starts]))
    points, errors = _ascend(pairs, domain, points, pool[starts:], steps)
    best = domain.project(points[int(np.argmax(errors))])
    return best, float(_errors(pairs, best[None])[0])


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


def _worst_first(pairs: Sequence[LayerPair], points: FloatArray) -> FloatArray:
    """The rows in the order of their errors, largest first."""
    chunks = [_errors(pairs, points[row : row + _ROWS]) for row in range(0, len(points), _ROWS)]
    errors = np.concatenate(chunks) if chunks else np.zeros(0)
    return points[np.argsort(-errors, kind="stable")]


def _ascend(
    pairs: Sequence[LayerPair], domain: Domain, points: FloatArray, spare: FloatArray, steps: int
) -> tuple[FloatArray, FloatArray]:
    """The best points met from each start, and their errors; stuck starts go on from rows of `spare`."""
    lengths = np.ones(len(points))
    errors, slopes = _errors_and_gradients(pairs, points)
    best_points, best_errors = points, errors
    for step in range(steps):
        stuck = np.flatnonzero(lengths < _STUCK)[: len(spare)]
        tried = _project(domain, points + lengths[:, None] * _direction(domain, slopes, step))
        tried[stuck], spare = spare[: len(stuck)], spare[len(stuck) :]
        new_errors, new_slopes = _errors_and_gradients(pairs, tried)
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


def _errors(pairs: Sequence[LayerPair], points: FloatArray) -> FloatArray:
    target, ticket, _ = _forward(pairs, points)
    return np.asarray(np.sqrt(np.square(ticket - target).sum(axis=1)), dtype=np.float64)


Trace = list[tuple[FloatArray, BoolArray, BoolArray]]


def _forward(pairs: Sequence[LayerPair], points: FloatArray) -> tuple[FloatArray, FloatArray, Trace]:
    """Outputs of both networks, and per layer the ticket's inputs and which outputs of either are positive."""
    target = ticket = points
    trace: Trace = []
    for pair in pairs:
        if pair.biased:
            one = np.ones((len(points), 1))
            target, ticket = np.hstack((target, one)), np.hstack((ticket, one))
        given = ticket
        target = target @ pair.weight.T
        ticket = np.maximum(given, 0.0) @ pair.positive.T
        if pair.negative is not None:
            ticket = ticket + np.maximum(-given, 0.0) @ pair.negative.T
        trace.append((given, target > 0.0, ticket > 0.0))
        if pair.relu:
            target, ticket = np.maximum(target, 0.0), np.maximum(ticket, 0.0)
    return target, ticket, trace


def _errors_and_gradients(pairs: Sequence[LayerPair], points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Error of each point and the gradient of half its square, backwards through both networks."""
    target, ticket, trace = _forward(pairs, points)
    by_ticket = ticket - target
    by_target = -by_ticket
    errors = np.sqrt(np.square(by_ticket).sum(axis=1))
    for pair, (given, target_on, ticket_on) in zip(reversed(pairs), reversed(trace), strict=True):
        if pair.relu:
            by_target, by_ticket = by_target * target_on, by_ticket * ticket_on
        by_target = by_target @ pair.weight
        back = (by_ticket @ pair.positive) * (given >= 0.0)
        if pair.negative is not None:
            back -= (by_ticket @ pair.negative) * (given < 0.0)
        by_ticket = back
        if pair.biased:
            by_target, by_ticket = by_target[:, :-1], by_ticket[:, :-1]
    return errors, by_target + by_ticket


def exact_error(pairs: Sequence[LayerPair], x: npt.ArrayLike, output_scale_exponent: int = 0) -> float:
    """The l2 output error at one input, evaluated exactly and rounded down: a proved lower bound of the sup.

    Parameters
    ----------
    pairs : sequence of LayerPair
        The chain, first layer first.
    x : (d,) array
        One input; each float64 stands for the rational number that it is.
    output_scale_exponent : int
        The error is multiplied by 2 to this power.

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
    Weights and activations are integers times a power of two per layer, so products and sums are exact; the
    square root is an integer square root. Time O(m_t) operations on integers of about 60 bits per layer.

    Examples
    --------
    >>> pair = LayerPair(np.array([[3.0], [4.0]]), np.zeros((2, 1)), None, biased=False, relu=False)
    >>> exact_error([pair], [1.0])
    5.0
    """
    point = as_floats(x, "x", ndim=1)
    expected = pairs[0].weight.shape[1] - pairs[0].biased
    if point.size != expected:
        raise InvalidInput(f"`x` must have {expected} entries; got {point.size}.")
    target, exponent = _integers(point)
    ticket, ticket_exponent = target, exponent
    for pair in pairs:
        weight, scale = _integers(pair.weight)
        target = weight @ _with_one(target, exponent, pair.biased)
        exponent += scale
        given = _with_one(ticket, ticket_exponent, pair.biased)
        halves = pair.positive if pair.negative is None else np.hstack((pair.positive, pair.negative))
        lifted = np.maximum(given, 0)
        if pair.negative is not None:
            lifted = np.concatenate((lifted, np.maximum(-given, 0)))
        weight, scale = _integers(halves)
        ticket = weight @ lifted
        ticket_exponent += scale
        if pair.relu:
            target, ticket = np.maximum(target, 0), np.maximum(ticket, 0)
    common = min(exponent, ticket_exponent)
    difference = ticket * (1 << (ticket_exponent - common)) - target * (1 << (exponent - common))
    return _root_down(sum(int(value) ** 2 for value in difference), common + output_scale_exponent)


Integers = npt.NDArray[np.object_]


def _integers(values: FloatArray) -> tuple[Integers, int]:
    """Python integers M and an exponent e <= 0 with values = M 2^e exactly."""
    mantissas, exponents = np.frexp(values)
    exponents = exponents.astype(np.int64) - 53
    nonzero = mantissas != 0.0
    least = min(0, int(exponents[nonzero].min())) if nonzero.any() else 0
    shifts = np.where(nonzero, exponents - least, 0)
    whole = np.ldexp(mantissas, 53).astype(np.int64).astype(object)
    return whole * np.left_shift(np.full(values.shape, 1, dtype=object), shifts.astype(object)), least


def _with_one(values: Integers, exponent: int, biased: bool) -> Integers:
    """The constant 1 appended, in units of 2^exponent."""
    return np.append(values, 1 << -exponent) if biased else values


def _root_down(square: int, exponent: int) -> float:
    """Largest-effort float below sqrt(square) * 2^exponent, never above it."""
    if square == 0:
        return 0.0
    shift = max(0, 128 - square.bit_length()) // 2
    root = math.isqrt(square << (2 * shift))
    surplus = max(0, root.bit_length() - 53)
    root, exponent = root >> surplus, exponent - shift + surplus
    try:
        result = math.ldexp(root, exponent)
    except OverflowError:
        return sys.float_info.max
    # Below the normal range ldexp rounds to nearest, perhaps upwards.
    return result if result >= sys.float_info.min else max(0.0, math.nextafter(result, 0.0))
