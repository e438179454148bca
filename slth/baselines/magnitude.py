"""Iterative magnitude pruning with rewinding, and its controls.

Frankle and Carbin, "The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks", ICLR 2019:
train, remove in each layer p % of the weights that survive, smallest magnitudes first (half the rate in the
output layer), put the others back to their initial values, repeat. Biases are never removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from slth._typing import BoolArray
from slth._validate import as_fraction, as_integer, as_real
from slth.baselines.architecture import Architecture, Arrays, architecture, glorot, no_biases
from slth.baselines.streams import AGAIN, INITIAL, MASK, stream
from slth.baselines.task import Task, digits_task
from slth.baselines.training import Fit, Outcome, Recipe, train

WINNING, REINITIALISED, RANDOM, ONE_SHOT = "winning", "reinitialised", "random mask", "one-shot"
ARMS = (WINNING, REINITIALISED, RANDOM, ONE_SHOT)


@dataclass(frozen=True, slots=True)
class Pruning:
    """How much is removed, and what the survivors go back to.

    Attributes
    ----------
    rounds : int
        Number of prunings.
    rate : float
        Share removed per round in dense layers, in (0, 1); half of it in the output layer.
    conv_rate : float
        Share removed per round in convolutions.
    rewind : int
        Survivors return to their values after so many steps of the first training; 0: to the initial ones.
    """

    rounds: int = 20
    rate: float = 0.2
    conv_rate: float = 0.1
    rewind: int = 0

    def __post_init__(self) -> None:
        as_integer(self.rounds, "rounds", low=0, high=1000)
        as_fraction(self.rate, "rate")
        as_real(self.conv_rate, "conv_rate", low=0.0, high=1.0, open_high=True)
        as_integer(self.rewind, "rewind", low=0)

    def counts(self, net: Architecture) -> list[tuple[int, ...]]:
        """Weights kept in each layer after 0, 1, ..., `rounds` prunings.

        A round removes the nearest whole number to rate times what survives, halves upwards, and never the
        last weight of a layer.

        Examples
        --------
        >>> Pruning(rounds=2).counts(architecture("300-100"))
        [(19200, 30000, 1000), (15360, 24000, 900), (12288, 19200, 810)]
        """
        last = len(net.shapes) - 1
        rates = [
            self.conv_rate if len(shape) == 4 else self.rate / 2 if index == last else self.rate
            for index, shape in enumerate(net.shapes)
        ]
        rows = [tuple(int(np.prod(shape)) for shape in net.shapes)]
        for _ in range(self.rounds):
            rows.append(tuple(max(1, n - int(r * n + 0.5)) for n, r in zip(rows[-1], rates, strict=True)))
        return rows


@dataclass(frozen=True, eq=False)
class Trained:
    """One trained ticket.

    Attributes
    ----------
    arm : str
        One of `ARMS`; "winning" in round 0 is the dense network.
    round : int
        Prunings before it.
    masks : list of bool arrays
    initial : list of float32 arrays
        Weights it started from, before masking.
    fit : Fit
        Its training: weights, then biases.
    trainings : int
        Trainings that it took, its own and those before it in its chain.
    """

    arm: str
    round: int
    masks: list[BoolArray] = field(repr=False)
    initial: Arrays = field(repr=False)
    fit: Fit = field(repr=False)
    trainings: int

    @property
    def kept(self) -> tuple[int, ...]:
        """Weights kept in each layer."""
        return tuple(int(mask.sum()) for mask in self.masks)

    @property
    def outcome(self) -> Outcome:
        """What its training came to."""
        return self.fit.outcome


def keep_largest(magnitudes: np.ndarray, mask: BoolArray, count: int) -> BoolArray:
    """Mask of the `count` largest magnitudes among the survivors of `mask`; among equals the earlier stay.

    Examples
    --------
    >>> keep_largest(np.array([3.0, 1.0, 2.0]), np.array([False, True, True]), 1).tolist()
    [False, False, True]
    """
    flat = np.where(mask.ravel(), np.abs(magnitudes).ravel(), -1.0)
    kept = np.zeros(flat.size, np.bool_)
    kept[np.argsort(-flat, kind="stable")[:count]] = True
    return (kept & mask.ravel()).reshape(mask.shape)


def random_masks(net: Architecture, counts: tuple[int, ...], rng: np.random.Generator) -> list[BoolArray]:
    """Uniformly random masks with so many kept in each layer."""
    masks = []
    for shape, count in zip(net.shapes, counts, strict=True):
        mask = np.zeros(int(np.prod(shape)), np.bool_)
        mask[rng.permutation(mask.size)[:count]] = True
        masks.append(mask.reshape(shape))
    return masks


def iterative(
    network: str,
    seed: int,
    pruning: Pruning | None = None,
    recipe: Recipe | None = None,
    *,
    reinitialise: bool = True,
) -> Iterator[Trained]:
    """The dense network, then after each pruning the winning ticket and its mask over fresh weights.

    Parameters
    ----------
    network : str
        See `slth.baselines.architecture.architecture`.
    seed : int
        Of initial weights, batches and everything else.
    pruning, recipe : Pruning, Recipe
        Default: their defaults.
    reinitialise : bool
        Whether to train the control as well.
    """
    net, plan, how, data = _ready(network, pruning, recipe)
    counts = plan.counts(net)
    initial, biases = glorot(net, stream(seed, INITIAL)), no_biases(net)
    masks: list[BoolArray] = [np.ones(shape, np.bool_) for shape in net.shapes]
    dense = train(net, initial, biases, masks, how, seed, data, keep=plan.rewind or None)
    yield Trained(WINNING, 0, masks, initial, dense, 1)
    begin, begin_biases = _rewound(net, initial, biases, dense)
    trained = dense
    for number in range(1, plan.rounds + 1):
        masks = [keep_largest(w, m, c) for w, m, c in zip(trained.final, masks, counts[number], strict=False)]
        trained = train(net, begin, begin_biases, masks, how, seed, data)
        yield Trained(WINNING, number, masks, begin, trained, number + 1)
        if reinitialise:
            fresh = glorot(net, stream(seed, AGAIN, number))
            again = train(net, fresh, biases, masks, how, seed, data)
            yield Trained(REINITIALISED, number, masks, fresh, again, number + 1)


def one_shot(
    network: str,
    seed: int,
    pruning: Pruning | None = None,
    recipe: Recipe | None = None,
) -> Iterator[Trained]:
    """For each density of the rounds: the dense training, one pruning straight to it, rewinding, training."""
    net, plan, how, data = _ready(network, pruning, recipe)
    initial, biases = glorot(net, stream(seed, INITIAL)), no_biases(net)
    whole: list[BoolArray] = [np.ones(shape, np.bool_) for shape in net.shapes]
    dense = train(net, initial, biases, whole, how, seed, data, keep=plan.rewind or None)
    begin, begin_biases = _rewound(net, initial, biases, dense)
    for number, row in enumerate(plan.counts(net)[1:], start=1):
        masks = [keep_largest(w, m, c) for w, m, c in zip(dense.final, whole, row, strict=False)]
        yield Trained(
            ONE_SHOT, number, masks, begin, train(net, begin, begin_biases, masks, how, seed, data), 2
        )


def random_control(
    network: str,
    seed: int,
    pruning: Pruning | None = None,
    recipe: Recipe | None = None,
) -> Iterator[Trained]:
    """For each density of the rounds: a random mask over the initial weights, trained."""
    net, plan, how, data = _ready(network, pruning, recipe)
    initial, biases = glorot(net, stream(seed, INITIAL)), no_biases(net)
    for number, row in enumerate(plan.counts(net)[1:], start=1):
        masks = random_masks(net, row, stream(seed, MASK, number))
        yield Trained(RANDOM, number, masks, initial, train(net, initial, biases, masks, how, seed, data), 1)


def _ready(
    network: str, pruning: Pruning | None, recipe: Recipe | None
) -> tuple[Architecture, Pruning, Recipe, Task]:
    return architecture(network), pruning or Pruning(), recipe or Recipe(), digits_task()


def _rewound(net: Architecture, initial: Arrays, biases: Arrays, dense: Fit) -> tuple[Arrays, Arrays]:
    """Weights and biases that survivors return to."""
    if dense.kept is None:
        return initial, biases
    count = len(net.shapes)
    return dense.kept[:count], dense.kept[count:]
