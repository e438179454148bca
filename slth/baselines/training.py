"""One training: batches, Adam or SGD, early stopping by validation loss; what is measured along the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from slth._validate import as_choice, as_integer, as_real
from slth.baselines.architecture import Architecture, Arrays, forward
from slth.baselines.extra import repeatable
from slth.baselines.streams import BATCHES, DROPOUT, stream
from slth.baselines.task import Task

OPTIMISERS = ("adam", "sgd")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    iterations : int
        Steps, each of one batch.
    batch : int
        Images per step, drawn with replacement.
    rate : float
        Learning rate.
    optimiser : {"adam", "sgd"}
        SGD has momentum 0.9 and a cosine decay of the rate.
    warmup : int
        Steps over which the rate rises linearly from zero.
    dropout : float
        Probability in [0, 1) with which a unit of a dense hidden layer is left out.
    every : int
        Steps between looks at the validation loss.
    """

    iterations: int = 500
    batch: int = 60
    rate: float = 1.2e-3
    optimiser: str = "adam"
    warmup: int = 0
    dropout: float = 0.0
    every: int = 10

    def __post_init__(self) -> None:
        as_integer(self.iterations, "iterations", low=1, high=10**7)
        as_integer(self.batch, "batch", low=1, high=10**5)
        as_real(self.rate, "rate", low=0.0, open_low=True)
        as_choice(self.optimiser, "optimiser", OPTIMISERS)
        as_integer(self.warmup, "warmup", low=0, high=self.iterations)
        as_real(self.dropout, "dropout", low=0.0, high=1.0, open_high=True)
        as_integer(self.every, "every", low=1, high=self.iterations)

    def rate_at(self, step: int) -> float:
        """Learning rate of step 0, 1, ..."""
        rate = self.rate
        if self.optimiser == "sgd":
            rate *= 0.5 * (1.0 + math.cos(math.pi * step / self.iterations))
        return rate * min(1.0, (step + 1) / self.warmup) if self.warmup else rate


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training came to; counts are of right answers unless said otherwise.

    Attributes
    ----------
    stop_iteration : int
        Step of the smallest validation loss (the first of equals): where one would have stopped early.
    stop_loss : float
        That loss.
    stop_test, stop_train : int
        There.
    final_test, final_train : int
        At the last step.
    final_loss : float
        Mean cross-entropy on the training part at the last step.
    stop_agree : int
        Test images on which the predictions there are those of the target network.
    tests, trains : int
        Sizes of the parts.
    """

    stop_iteration: int
    stop_loss: float
    stop_test: int
    stop_train: int
    final_test: int
    final_train: int
    final_loss: float
    stop_agree: int
    tests: int
    trains: int


@dataclass(frozen=True, eq=False)
class Fit:
    """Parameters at the early-stopping step, at the last step and, if asked for, at step `keep`."""

    outcome: Outcome
    stopped: Arrays
    final: Arrays
    kept: Arrays | None


def fit(
    torch: Any,
    task: Task,
    recipe: Recipe,
    seed: int,
    parameters: list[Any],
    logits: Callable[[Any], Any],
    predict: Callable[[Any], Any],
    *,
    decay: float = 0.0,
    keep: int | None = None,
    after: Callable[[], None] | None = None,
) -> Fit:
    """Minimise the cross-entropy of `logits` over `parameters`; judge by `predict`.

    Parameters
    ----------
    torch : module
    task, recipe : Task, Recipe
    seed : int
        Of the batches.
    parameters : list of tensors
        Leaves that are changed in place.
    logits, predict : callable
        Images to logits, in training and in judging.
    decay : float
        Weight decay.
    keep : int, optional
        A step after which the parameters are noted.
    after : callable, optional
        Called after each step, without gradients.
    """
    if recipe.optimiser == "adam":
        optimiser = torch.optim.Adam(parameters, lr=recipe.rate, weight_decay=decay, fused=True)
    else:
        optimiser = torch.optim.SGD(parameters, lr=recipe.rate, momentum=0.9, weight_decay=decay)
    cross_entropy = torch.nn.functional.cross_entropy
    x, y = torch.tensor(task.train_inputs), torch.tensor(task.train_labels)
    vx, vy = torch.tensor(task.validation_inputs), torch.tensor(task.validation_labels)
    picks = stream(seed, BATCHES).integers(0, len(x), (recipe.iterations, recipe.batch))
    best, stop, kept = math.inf, 0, None
    stopped = _copies(parameters)
    if keep == 0:
        kept = _arrays(parameters)
    for step in range(recipe.iterations):
        rows = torch.from_numpy(picks[step])
        optimiser.param_groups[0]["lr"] = recipe.rate_at(step)
        loss = cross_entropy(logits(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if after is not None:
            with torch.no_grad():
                after()
        if (step + 1) % recipe.every == 0:
            with torch.no_grad():
                value = float(cross_entropy(predict(vx), vy))
            if value < best:
                best, stop, stopped = value, step + 1, _copies(parameters)
        if step + 1 == keep:
            kept = _arrays(parameters)
    final = _copies(parameters)
    with torch.no_grad():
        final_test, final_train, _ = _judge(torch, task, predict)
        final_loss = float(cross_entropy(predict(x), y))
        _restore(parameters, stopped)
        stop_test, stop_train, agree = _judge(torch, task, predict)
        _restore(parameters, final)
    counts = (stop_test, stop_train, final_test, final_train)
    outcome = Outcome(stop, best, *counts, final_loss, agree, len(task.test_labels), len(x))
    return Fit(outcome, _arrays(stopped), _arrays(final), kept)


def train(
    net: Architecture,
    weights: Arrays,
    biases: Arrays,
    masks: list[Any],
    recipe: Recipe,
    seed: int,
    task: Task,
    *,
    keep: int | None = None,
) -> Fit:
    """Train a masked network from the given weights; masked weights are zero throughout.

    The parameters of the answer are the weights, then the biases.
    """
    with repeatable() as torch:
        count = len(net.shapes)
        held = [torch.tensor(mask) for mask in masks]
        parameters = [torch.tensor(w) * m for w, m in zip(weights, held, strict=True)]
        parameters += [torch.tensor(b) for b in biases]
        for parameter in parameters:
            parameter.requires_grad_()
        coins = torch.Generator().manual_seed(int(stream(seed, DROPOUT).integers(0, 2**62)))

        def thin(hidden: Any) -> Any:
            coin = torch.rand(hidden.shape, generator=coins) >= recipe.dropout
            return hidden * coin / (1.0 - recipe.dropout)

        def predict(x: Any, thin: Any = None) -> Any:
            masked = [w * m for w, m in zip(parameters[:count], held, strict=True)]
            return forward(torch, masked, parameters[count:], x, thin)

        def logits(x: Any) -> Any:
            return predict(x, thin if recipe.dropout else None)

        return fit(torch, task, recipe, seed, parameters, logits, predict, keep=keep)


def judge(net: Architecture, weights: Arrays, biases: Arrays, task: Task) -> tuple[int, int, int]:
    """(right on the test part, right on the training part, equal to the target on the test part)."""
    del net
    with repeatable() as torch, torch.no_grad():
        held = [torch.tensor(a) for a in weights], [torch.tensor(a) for a in biases]
        return _judge(torch, task, lambda x: forward(torch, *held, x))


def _judge(torch: Any, task: Task, predict: Callable[[Any], Any]) -> tuple[int, int, int]:
    said = predict(torch.tensor(task.test_inputs)).argmax(1).numpy()
    trained = predict(torch.tensor(task.train_inputs)).argmax(1).numpy()
    return (
        int(np.sum(said == task.test_labels)),
        int(np.sum(trained == task.train_labels)),
        int(np.sum(said == task.target_labels)),
    )


def _copies(parameters: list[Any]) -> list[Any]:
    return [p.detach().clone() for p in parameters]


def _restore(parameters: list[Any], values: list[Any]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)


def _arrays(parameters: list[Any]) -> Arrays:
    return [p.detach().numpy().copy() for p in parameters]
