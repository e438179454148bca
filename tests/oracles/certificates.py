"""Slow, exact judges of certificates: rational forward passes and norms, points of small domains.

A chain is a list of (weight, positive, negative or None, biased, relu), arrays of float64.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np


def exact_outputs(chain, x):
    """Outputs of target and ticket at an input of floats or Fractions, as lists of Fractions."""
    target = ticket = [v if isinstance(v, Fraction) else Fraction(float(v)) for v in x]
    for weight, positive, negative, biased, relu in chain:
        if biased:
            target, ticket = [*target, Fraction(1)], [*ticket, Fraction(1)]
        target = [
            sum((Fraction(float(w)) * h for w, h in zip(row, target, strict=True)), Fraction(0))
            for row in weight
        ]
        after = []
        for i in range(len(positive)):
            total = Fraction(0)
            for j, h in enumerate(ticket):
                if h >= 0:
                    total += Fraction(float(positive[i][j])) * h
                else:
                    assert negative is not None, "a negative input met a layer without a negative half"
                    total += Fraction(float(negative[i][j])) * -h
            after.append(total)
        ticket = after
        if relu:
            target, ticket = [max(v, Fraction(0)) for v in target], [max(v, Fraction(0)) for v in ticket]
    return target, ticket


def exact_square(chain, x):
    """Square of the l2 output error at x, a Fraction."""
    target, ticket = exact_outputs(chain, x)
    return sum(((g - f) ** 2 for f, g in zip(target, ticket, strict=True)), Fraction(0))


def float_errors(chain, points):
    """l2 output errors (N,) in plain floats, to find which input deserves the exact evaluation."""
    target = ticket = np.asarray(points)
    for weight, positive, negative, biased, relu in chain:
        if biased:
            one = np.ones((len(points), 1))
            target, ticket = np.concatenate([target, one], 1), np.concatenate([ticket, one], 1)
        target = target @ np.transpose(weight)
        both = np.where(ticket > 0, ticket, 0) @ np.transpose(positive)
        if negative is not None:
            both = both - np.where(ticket < 0, ticket, 0) @ np.transpose(negative)
        ticket = both
        if relu:
            target, ticket = np.where(target > 0, target, 0), np.where(ticket > 0, ticket, 0)
    return np.sqrt(((target - ticket) ** 2).sum(1))


def box_points(rng, low, high, count):
    """All corners, centres of faces and zeros where inside, and random points of a box."""
    axes = []
    for a, b in zip(low, high, strict=True):
        axes.append(sorted({float(a), float(b), float(np.clip(0.0, a, b))}))
    grid = np.array(list(itertools.product(*axes)))
    return np.concatenate([grid, rng.uniform(low, high, (count, len(low)))])


def ball_points(rng, center, radius, count):
    """Random points inside a ball, many of them close to its boundary, and points along the axes."""
    d = len(center)
    directions = rng.normal(size=(count, d))
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-300)
    directions = np.concatenate([directions, np.eye(d), -np.eye(d), np.zeros((1, d))])
    lengths = np.where(rng.random(len(directions)) < 0.7, 1.0, rng.random(len(directions)))
    return np.asarray(center) + directions * (lengths * radius * (1 - 1e-12))[:, None]


def worst_square(chain, points):
    """Largest exact squared error among the few points that floats find worst."""
    errors = float_errors(chain, points)
    return max(exact_square(chain, points[i]) for i in np.argsort(-errors)[:2])


def norm_at_most(matrix, bound):
    """Whether ||A||_2 <= bound, exactly: bound^2 I - A A^T positive semidefinite, over the rationals."""
    rows = [[Fraction(float(v)) for v in row] for row in matrix]
    if rows and len(rows) > len(rows[0]):
        rows = [list(column) for column in zip(*rows, strict=True)]
    size = len(rows)
    left = [[-sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) for y in rows] for x in rows]
    for i in range(size):
        left[i][i] += Fraction(bound) ** 2
    for i in range(size):
        if left[i][i] < 0 or (left[i][i] == 0 and any(left[i][i:])):
            return False
        for r in range(i + 1, size):
            if left[r][i]:
                factor = left[r][i] / left[i][i]
                left[r] = [a - factor * b for a, b in zip(left[r], left[i], strict=True)]
    return True


# A graph is a list of (name, parents, kind, data) and the name of its output. Kinds: "input"; "layer" with
# data (weight, positive, negative or None, biased); "relu"; "add"; "same"; "average" and "max" with data
# (windows, divisors or None): the positions that each output reads, and what its sum is divided by.


def exact_graph_values(graph, x):
    """Values of target and ticket at every node, as lists of Fractions, by name."""
    nodes, _ = graph
    both = {}
    for name, parents, kind, data in nodes:
        both[name] = tuple(
            _exact_node(kind, data, [both[p][side] for p in parents], x, side) for side in (0, 1)
        )
    return both


def _exact_node(kind, data, given, x, side):
    if kind == "input":
        return [Fraction(float(v)) for v in x]
    if kind == "layer":
        weight, positive, negative, biased = data
        if side == 0:
            return exact_outputs([(weight, weight, -weight, biased, False)], given[0])[0]
        return exact_outputs([(weight, positive, negative, biased, False)], given[0])[1]
    if kind == "relu":
        return [max(v, Fraction(0)) for v in given[0]]
    if kind == "same":
        return given[0]
    if kind == "add":
        return [sum(column, Fraction(0)) for column in zip(*given, strict=True)]
    windows, divisors = data
    if kind == "max":
        return [max(given[0][j] for j in window) for window in windows]
    return [
        sum((given[0][j] for j in window), Fraction(0)) / Fraction(divisor)
        for window, divisor in zip(windows, divisors, strict=True)
    ]


def exact_graph_square(graph, x):
    """Square of the l2 output error at x, a Fraction."""
    target, ticket = exact_graph_values(graph, x)[graph[1]]
    return sum(((g - f) ** 2 for f, g in zip(target, ticket, strict=True)), Fraction(0))


def float_graph_errors(graph, points):
    """l2 output errors (N,) in plain floats."""
    nodes, output = graph
    both = {}
    for name, parents, kind, data in nodes:
        both[name] = tuple(
            _float_node(kind, data, [both[p][side] for p in parents], np.asarray(points), side)
            for side in (0, 1)
        )
    target, ticket = both[output]
    return np.sqrt(((target - ticket) ** 2).sum(1))


def _float_node(kind, data, given, points, side):
    if kind == "input":
        return points
    if kind == "layer":
        weight, positive, negative, biased = data
        own = weight if side == 0 else positive
        other = -np.asarray(weight) if side == 0 else negative
        x = np.concatenate([given[0], np.ones((len(points), 1))], 1) if biased else given[0]
        result = np.where(x > 0, x, 0) @ np.transpose(own)
        return result if other is None else result - np.where(x < 0, x, 0) @ np.transpose(other)
    if kind == "relu":
        return np.where(given[0] > 0, given[0], 0)
    if kind == "same":
        return given[0]
    if kind == "add":
        return sum(given)
    windows, divisors = data
    if kind == "max":
        return np.stack([given[0][:, window].max(1) for window in windows], 1)
    return np.stack([given[0][:, w].sum(1) / q for w, q in zip(windows, divisors, strict=True)], 1)


def worst_graph_square(graph, points):
    """Largest exact squared error among the few points that floats find worst."""
    errors = float_graph_errors(graph, points)
    return max(exact_graph_square(graph, points[i]) for i in np.argsort(-errors)[:2])
