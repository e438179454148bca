"""Whether a layer's masks keep the edges that its arrangement allows: how many for each weight, and whose."""

from __future__ import annotations

import numpy as np

from slth._typing import BoolArray, FloatArray, IntArray
from slth.tickets.layer import Assembled, TicketLayer


def size_problems(layer: TicketLayer, own: Assembled, weight: FloatArray, first: IntArray | None) -> list[str]:
    """Each weight keeps exactly k live edges per half, fewer only by dead ones; exact zeros keep none.

    first : own incoming weights where a sample has dead ones.
    """
    problems = []
    if own.on_dead:
        problems.append(
            f"layer {layer.name!r}: {own.on_dead} edge(s) kept whose incoming weight cannot serve "
            "(zero or, where neurons gather inputs, negative)"
        )
    served = np.zeros((2, layer.inputs), dtype=np.bool_)
    served[0] = True
    served[1] = layer.halved
    if layer.biased:
        served[1, -1] = False
    for half, kept in enumerate((own.kept_positive, own.kept_negative)):
        wanted = np.where(weight != 0.0, layer.k, 0) * served[half]
        least = np.maximum(0, wanted - min(layer.window, layer.k))
        spare = np.zeros(layer.inputs, dtype=np.int64)
        if first is not None:
            spare = _dead(first, half, served)
            foreign = _foreign_edges(layer, first, half, served)
            if foreign:
                problems.append(
                    f"layer {layer.name!r}: {foreign} edge(s) of half {half} kept outside its group of copies"
                )
        wrong = (kept > wanted) | (kept < np.maximum(0, least - spare[None]))
        if layer.lifts:
            wrong[:, -1] = False  # any number of constants may lift
        if wrong.any():
            i, j = first_place(wrong)
            what = f"{kept[i, j]} edges kept, k = {wanted[i, j]}, window {layer.window}"
            problems.append(weight_problem(layer, half, wrong, what))
    return problems


def block_problems(layer: TicketLayer, weight: FloatArray, first: IntArray) -> list[str]:
    """Of each block one is kept; none where a dead one was chosen, or where the weight is zero."""
    wrong = 0
    for j in range(layer.inputs):
        edges, both = layer.edges(j, j + 1)[0], layer.signed and not (layer.biased and j == layer.inputs - 1)
        middle = layer.copies // 2 if both else layer.copies
        for sign, half in ((1, slice(0, middle)), (-1, slice(middle, layer.copies))):
            copies = edges[half].shape[0]
            if copies % layer.k:
                return [f"layer {layer.name!r}: {copies} neurons of a half do not make {layer.k} blocks"]
            if not copies:
                continue
            kept = edges[half].reshape(layer.k, -1, layer.outputs).sum(axis=1)
            dead = np.any((sign * first[j, half] <= 0).reshape(layer.k, -1), axis=1, keepdims=True)
            wrong += int(((kept > 1) | ((kept == 0) & ~dead & (weight[:, j] != 0.0))).sum())
    return [f"layer {layer.name!r}: {wrong} block(s) of which not exactly one is kept"] if wrong else []


def _group(first: IntArray, half: int, served: BoolArray) -> BoolArray:
    """(D, N): copies that the paper's arrangement gives to a half, decided before any sign is seen."""
    copies = np.arange(first.shape[1])
    middle = np.where(served[1], first.shape[1] // 2, first.shape[1])[:, None]
    group: BoolArray = copies < middle if half == 0 else copies >= middle
    return group


def _dead(first: IntArray, half: int, served: BoolArray) -> IntArray:
    """(D,): zeros in the sample of a half, from neurons of its group with the wrong sign."""
    group = _group(first, half, served)
    live = group & (first > 0 if half == 0 else first < 0)
    dead: IntArray = group.sum(axis=1) - live.sum(axis=1)
    return dead


def _foreign_edges(layer: TicketLayer, first: IntArray, half: int, served: BoolArray) -> int:
    """Neurons in use that serve a half by their sign without belonging to its group."""
    serves = first > 0 if half == 0 else first < 0
    return int((layer.neurons() & serves & ~_group(first, half, served)).sum())


def weight_problem(layer: TicketLayer, half: int, bad: BoolArray, what: str) -> str:
    """What is wrong with the first bad weight of a half, 0 or 1, and how many there are."""
    i, j = first_place(bad)
    return (
        f"layer {layer.name!r}, output {i}, input {j}, {('positive', 'negative')[half]} half: {what} "
        f"({int(bad.sum())} such weight(s))"
    )


def first_place(bad: BoolArray) -> tuple[int, int]:
    """Row and column of the first entry that is bad."""
    i, j = np.argwhere(bad)[0]
    return int(i), int(j)
