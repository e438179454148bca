"""Small targets and the tickets of them that several test files share."""

from __future__ import annotations

import itertools

import numpy as np

import slth


def target(
    seed: int = 0, widths: tuple[int, ...] = (3, 4, 2), biased: bool = True, scale: float = 0.9
) -> slth.Network:
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(-scale, scale, (b, a)) for a, b in itertools.pairwise(widths)]
    biases = [rng.uniform(-0.5, 0.5, b) for b in widths[1:]] if biased else None
    return slth.dense_network(weights, biases)


def box(low: float = 0.0, high: float = 1.0, size: int = 3) -> slth.Domain:
    return slth.Domain.box(low, high, size)


def tiny_ticket(**changes: object) -> slth.Ticket:
    settings: dict = {
        "domain": box(),
        "eps": 0.05,
        "inputs": np.random.default_rng(1).random((20, 3)),
        "seed": 7,
        "arrangement": "sign-matched",
    }
    settings.update(changes)
    return slth.prune(settings.pop("target", target()), settings.pop("source", None), **settings)
