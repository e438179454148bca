"""Greedy matching: pairs are taken best first while both ends are free."""

from __future__ import annotations

from slth._jit._options import routine
from slth._typing import IntArray


@routine
def match_greedily(neurons: IntArray, roles: IntArray, room: IntArray, taken: IntArray) -> int:
    """Give each neuron the first role on the list that has room for it; returns how many were given.

    neurons, roles : (P,) int64, the two ends of each pair, best pair first; room : (R,) int64, places left in
    each role, counted down; taken : (H,) int64, role of each neuron or -1, written. O(P).
    """
    given = 0
    for p in range(neurons.size):
        neuron, role = neurons[p], roles[p]
        if taken[neuron] < 0 and room[role] > 0:
            taken[neuron] = role
            room[role] -= 1
            given += 1
    return given
