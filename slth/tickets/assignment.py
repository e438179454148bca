"""Who owns which hidden neuron when neurons may choose: each goes where its own random edge serves best.

A hidden neuron has random edges to all owners and keeps one. Left in the source's order half of them have the
wrong sign; here each takes a *role*, an owner and a sign, that its edge fits, with a weight of large
magnitude, and every owner gets its N neurons. The choice looks at one sub-layer alone, so that the weights of
the other sub-layer are as random as before, independent of it, and all predictions hold with the sample's law
changed from the product of two weights to one weight times a factor near one.
"""

from __future__ import annotations

import numpy as np

from slth._jit.matching import match_greedily
from slth._typing import IntArray
from slth.networks.source import Source
from slth.tickets.arrangement import half_boundary

# Best roles looked at for each neuron in one pass, and weights drawn at once.
CANDIDATES = 16
_CHUNK = 1 << 22


def assigned_members(source: Source, index: int, *, signed: bool, biased: bool) -> IntArray:
    """Hidden neurons (owners, N) of every owner of layer `index`, positive roles first, numbers ascending in
    each.

    Owned by inputs: all roles positive when inputs are never negative, otherwise half of each input's, but
    for the constant. Owned by outputs: half of each sign. Pairs are matched greedily, largest |weight| first.
    Time O(owners^2 N), memory O(owners N).
    """
    spec = source.layers[index]
    rooms = _rooms(spec.groups, spec.copies, spec.owners, signed=signed, biased=biased)
    room = rooms.reshape(-1).copy()
    total = spec.groups * spec.copies
    taken = np.full(total, -1, dtype=np.int64)
    sublayer = 0 if spec.owners == "inputs" else 1
    step = max(1, _CHUNK // spec.groups)
    while (free := np.flatnonzero(taken < 0)).size:
        neurons, roles, values = [], [], []
        for start in range(0, free.size, step):
            part = free[start : start + step]
            found = _best_roles(source.rows(index, sublayer, part)[:, : spec.groups], room)
            neurons.append(np.repeat(part, found[0].shape[1]))
            roles.append(found[0].reshape(-1))
            values.append(found[1].reshape(-1))
        order = np.argsort(-np.concatenate(values), kind="stable")
        match_greedily(np.concatenate(neurons)[order], np.concatenate(roles)[order], room, taken)
    by_role = np.argsort(taken, kind="stable")
    # Roles are numbered 2 * owner (positive), 2 * owner + 1: sorted, an owner's neurons stand together.
    members: IntArray = by_role.reshape(spec.groups, spec.copies)
    return members


def _rooms(groups: int, copies: int, owners: str, *, signed: bool, biased: bool) -> IntArray:
    """Places (owners, 2) for positive and negative roles."""
    both = signed or owners == "outputs"
    positive = half_boundary(copies, signed=both)
    rooms = np.tile(np.array([positive, copies - positive], dtype=np.int64), (groups, 1))
    if biased and owners == "inputs":
        rooms[-1] = copies, 0
    return rooms


def _best_roles(weights: IntArray, room: IntArray) -> tuple[IntArray, IntArray]:
    """The best roles that have room, and how well each fits: the weight, negated for a negative role.

    weights : (R, owners); room : (2 owners,).
    """
    has_room = room.reshape(-1, 2) > 0
    worst = -(1 << 62)
    both = np.stack((weights, -weights), axis=2)
    fits = np.where(has_room[None], both, worst).reshape(len(weights), -1)
    count = min(CANDIDATES, int(has_room.sum()))
    best: IntArray = np.argpartition(-fits, count - 1, axis=1)[:, :count].astype(np.int64)
    values: IntArray = np.take_along_axis(fits, best, axis=1)
    return best, values
