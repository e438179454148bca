"""From an output error to tolerances per weight: by counting entries, or as the certificate itself allows.

A budget from entries alone pays for errors that conspire. The certificate looks at the actual error matrices,
and those of a ticket are as good as independent: a subset within tolerance is off by any amount up to it
alike, and the closest of all is off by far less, but for a few hard weights. So the bound of a ticket can be
foretold, before there is one, from error matrices drawn at random; nothing about the source is looked at.
What is claimed in the end is the bound of the ticket itself, which must hold whatever was foretold. Where the
closest subsets are taken that bound decides alone: weights may be off by more than the tolerance foretold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from slth._typing import FloatArray
from slth.networks.domain import Domain
from slth.networks.network import Network
from slth.tickets.bounds import PosterioriBound, a_posteriori
from slth.tickets.budget import tolerances_for
from slth.tickets.certificate import pair_graph, target_graph
from slth.tickets.layer import LIFTED
from slth.tickets.planning import likely
from slth.tickets.problem import Problem

BUDGETS = ("frobenius", "theorem", "certificate")
# Tolerances are this near to what the simulated bound allows; few tickets then miss the bound.
AIM = 0.95
_SHARINGS = 2
_SCALINGS = 3
_SEED = 20241113
# Where few errors are drawn the bound varies: the largest of several draws counts.
_MANY_WEIGHTS = 4096
_DRAWS = 4
# When the closest is taken it is off by about an exponential amount, so many times smaller on average than the
# tolerance: subsets within it of most weights are many more than those of the hardest, which size the source.
# Set by trial: bounds of tickets then stay below what is foretold.
_RIVALS = 16.0


def budgeted(
    problem: Problem, eps: float, budget: str, arrangement: str, search: str, *, liftable: bool
) -> list[float]:
    """Tolerance of each layer, in scaled units, in (0, 1]; see `slth.prune` for the three budgets.

    The last few are kept: many sources are tried for one target, and no source is looked at here.
    """
    closest = search == "closest"
    return list(_kept(problem.target, problem.domain, eps, budget, arrangement, closest, liftable))


@lru_cache(maxsize=4)
def _kept(
    target: Network, domain: Domain, eps: float, budget: str, arrangement: str, closest: bool, liftable: bool
) -> tuple[float, ...]:
    problem = Problem.of(target, domain)
    units = [math.ldexp(1.0, scale.weight) for scale in problem.scales]
    graph = target_graph(problem.target, problem.scales)
    counting = "frobenius" if budget == "certificate" else budget
    start = tolerances_for(graph, problem.domain, eps, units=units, counting=counting)
    if budget != "certificate":
        return tuple(start)
    chosen = [
        likely(node, arrangement, signed, liftable)
        for node, signed in zip(problem.nodes, problem.signed, strict=True)
    ]
    lifted = [name == LIFTED for name, _ in chosen]
    draws = 1 if sum(weight.size for weight in problem.weights) >= _MANY_WEIGHTS else _DRAWS
    simulations = [_Simulation(problem, draw, closest, lifted) for draw in range(draws)]
    return tuple(_simulated(simulations, eps, start, [cost for _, cost in chosen]))


def _simulated(
    simulations: Sequence[_Simulation], eps: float, start: Sequence[float], costs: Sequence[float]
) -> list[float]:
    """Tolerances for which simulated certificates stay below eps; `start` are too small rather than too large.

    A source needs about the sum of cost * log(1 / tolerance). Under a bound that is a sum of gain *
    tolerance, that is least when each layer's part of the bound is proportional to its cost. Gains are taken
    from the simulated contributions, again and again, since the errors of a layer meet those before it. Time:
    a handful of a-posteriori bounds.
    """
    share = np.asarray(costs, dtype=np.float64) / float(sum(costs))
    tolerances = best = np.asarray(start, dtype=np.float64)
    for attempt in range(_SHARINGS + _SCALINGS):
        found = max((own.bound(tolerances) for own in simulations), key=lambda own: own.bound)
        if not 0.0 < found.bound < math.inf:
            break
        if found.bound <= AIM * eps:
            best = tolerances
        if attempt < _SHARINGS:
            gains = np.asarray(found.contributions) / tolerances
            # A layer of which nothing reaches the output may err freely.
            tolerances = np.where(gains > 0.0, share * AIM * eps / np.where(gains > 0.0, gains, 1.0), 1.0)
        elif found.bound <= AIM * eps:
            break
        else:
            tolerances = tolerances * (0.98 * AIM * eps / found.bound)
        tolerances = np.minimum(1.0, tolerances)
    return [float(value) for value in best]


class _Simulation:
    """One draw of errors in [-1, 1] for every entry, scaled by tolerances at will; exact zeros err nowhere,
    but among biases of lifted layers. Both halves of these have one error, that of a linear map.
    """

    def __init__(self, problem: Problem, draw: int, closest: bool, lifted: Sequence[bool]) -> None:
        self._problem = problem
        self._errors: list[tuple[FloatArray, FloatArray | None]] = []
        for index, (weight, both, linear) in enumerate(
            zip(problem.weights, problem.signed, lifted, strict=True)
        ):
            rng = np.random.default_rng([_SEED, draw, index])
            errs = weight != 0.0
            if linear:
                errs[:, -1] = True  # constants that lift are never quite zero
            errors = rng.uniform(-1.0, 1.0, (2, *weight.shape)) * errs
            if closest:
                errors = np.copysign(np.minimum(1.0, -np.log(1.0 - np.abs(errors)) / _RIVALS), errors)
            self._errors.append((errors[0], (-errors[0] if linear else errors[1]) if both else None))

    def bound(self, tolerances: FloatArray) -> PosterioriBound:
        """The certificate if every error were tolerance times its draw."""
        values = []
        for weight, errors, tolerance in zip(self._problem.weights, self._errors, tolerances, strict=True):
            positive, negative = errors
            other = None if negative is None else -weight + tolerance * negative
            values.append((weight + tolerance * positive, other))
        graph = pair_graph(self._problem.target, self._problem.scales, values)
        return a_posteriori(graph, self._problem.domain)
