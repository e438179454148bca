"""What exists and what gradient search finds: tiny sources on which the best ticket is known exactly.

Two families, each with a random source of n hidden neurons and a random target:

    weight   n products of two random weights, a in [0, 1] times b in [-1, 1]; approximate w in [-1, 1] by the
             sum of exactly n/2 of them. The best is found by `solve_batch` (closest, proved).
    neuron   n hidden ReLU neurons with 2 inputs and 1 output, weights in [-1, 1]; approximate w.x on a grid of
             [-1, 1]^2, keeping exactly half of the edges of each layer. The best is found by enumeration.

Edge-popup runs on all trials at once, with two optimisers; the best mask it ever visits counts, which no user
of it would know to pick. Beside it, as many random masks as it visits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from slth._typing import FloatArray, IntArray
from slth._validate import as_choice, as_integer
from slth.baselines.extra import repeatable
from slth.baselines.streams import INITIAL, MASK, SCORES, stream
from slth.errors import InvalidInput
from slth.subset_sum.batch import solve_batch

FAMILIES = ("weight", "neuron")
GRID = 7
MOST_NEURONS = 10
SETTINGS = (("adam", 0.05), ("sgd", 0.3))


@dataclass(frozen=True, eq=False)
class Gap:
    """Errors per trial, each a (trials,) array: absolute for "weight", root mean square for "neuron".

    Attributes
    ----------
    exists : array
        Of the best mask there is.
    visited, last : array
        Of the best mask that edge-popup visits, and of its last one (the better of the optimisers).
    random : array
        Of the best of as many random masks.
    masks : int
        How many that is.
    """

    exists: FloatArray
    visited: FloatArray
    last: FloatArray
    random: FloatArray
    masks: int


Evaluate = Callable[[list[Any]], Any]


def measure_gap(family: str, n: int, seed: int, *, trials: int = 100, steps: int = 400) -> Gap:
    """Errors of what exists, of edge-popup and of random masks, over random sources and targets.

    Parameters
    ----------
    family : {"weight", "neuron"}
    n : int
        Hidden neurons, even; at most 10 for "neuron".
    seed : int
    trials : int
        Sources, each with a target of its own.
    steps : int
        Steps of each optimiser.
    """
    as_choice(family, "family", FAMILIES)
    as_integer(n, "n", low=2, high=40 if family == "weight" else MOST_NEURONS)
    as_integer(trials, "trials", low=1, high=10**5)
    as_integer(steps, "steps", low=1, high=10**6)
    if n % 2:
        raise InvalidInput(f"`n` must be even, so that half of the edges is a whole number; got {n}.")
    rng = stream(seed, INITIAL, n)
    with repeatable() as torch:
        if family == "weight":
            samples = rng.random((trials, n)) * (2.0 * rng.random((trials, n)) - 1.0)
            wanted = 2.0 * rng.random(trials) - 1.0
            exists = solve_batch(samples, wanted, k=n // 2).errors
            p, w = torch.tensor(samples), torch.tensor(wanted)
            shapes: list[tuple[int, ...]] = [(n,)]
            counts = [n // 2]

            def evaluate(masks: list[Any]) -> Any:
                return ((masks[0] * p).sum(-1) - w) ** 2

        else:
            first = 2.0 * rng.random((trials, n, 2)) - 1.0
            second = 2.0 * rng.random((trials, n)) - 1.0
            wanted = 2.0 * rng.random((trials, 2)) - 1.0
            points = np.array(list(itertools.product(np.linspace(-1, 1, GRID), repeat=2)))
            exists = np.array(
                [best_neuron(a, b, t, points) for a, b, t in zip(first, second, wanted, strict=True)]
            )
            a, b, t, x = (torch.tensor(v) for v in (first, second, wanted @ points.T, points))
            shapes, counts = [(n, 2), (n,)], [n, n // 2]

            def evaluate(masks: list[Any]) -> Any:
                hidden = ((masks[0] * a) @ x.T).relu()
                return ((((masks[1] * b)[..., None] * hidden).sum(-2) - t) ** 2).mean(-1)

        runs = [
            _popup(torch, evaluate, shapes, counts, trials, steps, setting, stream(seed, SCORES, n))
            for setting in SETTINGS
        ]
        masks = len(SETTINGS) * steps
        drawn = _random(torch, evaluate, shapes, counts, trials, masks, stream(seed, MASK, n))
    return Gap(
        exists=exists,
        visited=np.sqrt(np.minimum.reduce([run[0] for run in runs])),
        last=np.sqrt(np.minimum.reduce([run[1] for run in runs])),
        random=np.sqrt(drawn),
        masks=masks,
    )


def best_neuron(first: FloatArray, second: FloatArray, wanted: FloatArray, points: FloatArray) -> float:
    """Least root mean square error of sum_i m_i b_i relu((M_i a_i) . x) from wanted . x over the points.

    Exactly half of the m_i are one and half of the 2n entries of M. Entries of M at neurons that m drops
    change nothing and can always make up the number, so each kept neuron chooses its two entries freely:
    C(n, n/2) 4^(n/2) functions are all there are.

    Parameters
    ----------
    first, second : (n, 2), (n,) arrays
        a and b.
    wanted : (2,) array
    points : (P, 2) array
    """
    n = len(second)
    options = np.array(list(itertools.product((0.0, 1.0), repeat=2)))
    values = np.maximum((first[:, None, :] * options) @ points.T, 0.0) * second[:, None, None]
    choices = np.array(list(itertools.product(range(4), repeat=n // 2)))
    goal = points @ wanted
    best = np.inf
    for kept in itertools.combinations(range(n), n // 2):
        total = -goal[None] + sum(values[i, choices[:, place]] for place, i in enumerate(kept))
        best = min(best, float((total**2).mean(axis=1).min()))
    return float(np.sqrt(best))


def _popup(
    torch: Any,
    evaluate: Evaluate,
    shapes: list[tuple[int, ...]],
    counts: list[int],
    trials: int,
    steps: int,
    setting: tuple[str, float],
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """(least, last) squared error of edge-popup in each trial."""
    scores = [torch.tensor(rng.random((trials, *shape))).requires_grad_() for shape in shapes]
    name, rate = setting
    if name == "adam":
        optimiser = torch.optim.Adam(scores, lr=rate)
    else:
        optimiser = torch.optim.SGD(scores, lr=rate, momentum=0.9)
    best = np.full(trials, np.inf)
    last = best
    for _ in range(steps):
        through = []
        for score, count in zip(scores, counts, strict=True):
            mask = _largest(torch, score.detach(), count)
            through.append(mask + (score - score.detach()))
        errors = evaluate(through)
        optimiser.zero_grad()
        errors.sum().backward()
        optimiser.step()
        last = errors.detach().numpy().copy()
        best = np.minimum(best, last)
    return best, last


def _random(
    torch: Any,
    evaluate: Evaluate,
    shapes: list[tuple[int, ...]],
    counts: list[int],
    trials: int,
    masks: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Least squared error of so many random masks in each trial."""
    best = np.full(trials, np.inf)
    for _ in range(masks):
        drawn = [
            _largest(torch, torch.tensor(rng.random((trials, *shape))), count)
            for shape, count in zip(shapes, counts, strict=True)
        ]
        best = np.minimum(best, evaluate(drawn).numpy())
    return best


def _largest(torch: Any, scores: Any, count: int) -> Any:
    """Masks of the `count` largest scores of each trial."""
    flat = scores.reshape(len(scores), -1)
    places = torch.sort(flat, dim=1, descending=True, stable=True).indices[:, :count]
    return torch.zeros_like(flat).scatter(1, places, 1.0).reshape(scores.shape)


def logarithms(errors: FloatArray) -> IntArray:
    """10^4 log10 of errors, rounded: what the ledger keeps."""
    return np.rint(1e4 * np.log10(np.maximum(errors, 1e-16))).astype(np.int64)
