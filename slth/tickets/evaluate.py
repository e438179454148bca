"""Target and ticket evaluated side by side in plain floats, with gradients of their distance."""

from __future__ import annotations

from functools import reduce

import numpy as np

from slth._typing import FloatArray
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import gather
from slth.tickets.graph import PairGraph, PairNode, Pairs, as_graph
from slth.tickets.pairs import LayerPair

ROWS = 4096  # inputs evaluated at once

Both = tuple[FloatArray, FloatArray]  # (B, n) of the target, and of the ticket


def outputs(pairs: Pairs, points: FloatArray) -> Both:
    """Outputs of target and ticket, (N, n) each, at points (N, d)."""
    graph = as_graph(pairs)
    starts = range(0, max(len(points), 1), ROWS)
    chunks = [_values(graph, points[row : row + ROWS])[graph.output] for row in starts]
    return np.concatenate([c[0] for c in chunks]), np.concatenate([c[1] for c in chunks])


def distances(pairs: Pairs, points: FloatArray) -> FloatArray:
    """l2 output errors (N,) at points (N, d)."""
    target, ticket = outputs(pairs, points)
    return np.asarray(np.sqrt(np.square(ticket - target).sum(axis=1)), dtype=np.float64)


def distances_and_gradients(pairs: Pairs, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Output error of each point, and the gradient (N, d) of half its square, back through both networks."""
    graph = as_graph(pairs)
    values = _values(graph, points)
    target, ticket = values[graph.output]
    difference = ticket - target
    slopes: dict[str, Both] = {graph.output: (-difference, difference)}
    for node in reversed(graph.nodes[1:]):
        if node.name not in slopes:
            continue  # nothing of it reaches the output
        back = _back(node, slopes.pop(node.name), [values[parent] for parent in node.parents])
        for parent in node.parents:
            before = slopes.get(parent)
            slopes[parent] = back if before is None else (before[0] + back[0], before[1] + back[1])
    by_target, by_ticket = slopes.get(graph.nodes[0].name, (np.zeros_like(points), np.zeros_like(points)))
    return np.asarray(np.sqrt(np.square(difference).sum(axis=1)), dtype=np.float64), by_target + by_ticket


def _values(graph: PairGraph, points: FloatArray) -> dict[str, Both]:
    values: dict[str, Both] = {}
    for node in graph.nodes:
        given = [values[parent] for parent in node.parents]
        if isinstance(node.op, LayerPair):
            values[node.name] = _layer(node.op, *given[0])
        elif isinstance(node.op, (AveragePool, MaxPool)):
            values[node.name] = node.op.apply(given[0][:1]), node.op.apply(given[0][1:])
        elif node.op == "input":
            values[node.name] = points, points
        elif node.op == "relu":
            values[node.name] = np.maximum(given[0][0], 0.0), np.maximum(given[0][1], 0.0)
        else:
            values[node.name] = reduce(lambda a, b: (a[0] + b[0], a[1] + b[1]), given)
    return values


def _layer(pair: LayerPair, target: FloatArray, ticket: FloatArray) -> Both:
    if pair.biased:
        one = np.ones((len(target), 1))
        target, ticket = np.hstack((target, one)), np.hstack((ticket, one))
    after = np.maximum(ticket, 0.0) @ pair.positive.T
    if pair.negative is not None:
        after = after + np.maximum(-ticket, 0.0) @ pair.negative.T
    return target @ pair.weight.T, after


def _back(node: PairNode, slopes: Both, given: list[Both]) -> Both:
    """Gradients with respect to each parent's values (the same for all parents), from those of the node's."""
    if isinstance(node.op, LayerPair):
        return _back_layer(node.op, slopes, given[0][1])
    if isinstance(node.op, MaxPool):
        return _back_max(node.op, slopes[0], given[0][0]), _back_max(node.op, slopes[1], given[0][1])
    if isinstance(node.op, AveragePool):
        return _back_mean(node.op, slopes[0]), _back_mean(node.op, slopes[1])
    if node.op == "relu":
        return slopes[0] * (given[0][0] > 0.0), slopes[1] * (given[0][1] > 0.0)
    return slopes


def _back_layer(pair: LayerPair, slopes: Both, ticket: FloatArray) -> Both:
    moving = pair.moving
    back = (slopes[1] @ pair.positive[:, :moving]) * (ticket >= 0.0)
    if pair.negative is not None:
        back -= (slopes[1] @ pair.negative[:, :moving]) * (ticket < 0.0)
    return slopes[0] @ pair.weight[:, :moving], back


def _back_mean(pool: AveragePool, slopes: FloatArray) -> FloatArray:
    rows = slopes.reshape(-1, pool.windows.outputs)
    return np.asarray((rows @ pool.matrix()).reshape(len(slopes), -1), dtype=np.float64)


def _back_max(pool: MaxPool, slopes: FloatArray, given: FloatArray) -> FloatArray:
    """Each output's slope goes to the first largest entry of its window."""
    size, table = pool.windows.inputs, pool.windows.table()
    rows = given.reshape(-1, size)
    first = gather(rows, table, -np.inf).argmax(axis=1)
    places = table[first, np.arange(table.shape[1])] + size * np.arange(len(rows))[:, None]
    back = np.bincount(places.reshape(-1), slopes.reshape(-1), rows.size)
    return np.asarray(back.reshape(given.shape), dtype=np.float64)
