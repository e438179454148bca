"""Random weights that are never trained, and masks of exact density over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slth._typing import BoolArray
from slth._validate import as_choice, as_real
from slth.baselines.architecture import Architecture, Arrays, fans
from slth.baselines.streams import INITIAL, stream
from slth.baselines.training import Fit, Outcome

SIGNED_CONSTANT, UNIFORM = "signed-constant", "uniform"
KINDS = (SIGNED_CONSTANT, UNIFORM)


@dataclass(frozen=True, eq=False)
class Masked:
    """A mask found over frozen weights.

    Attributes
    ----------
    masks : list of bool arrays
        Of exactly the density asked for, layer by layer, at the early-stopping step.
    weights : list of float32 arrays
        The source, as drawn.
    outcome : Outcome
        Judged with masks of that density.
    unchanged : bool
        Whether the weights after the search are, bit for bit, those before it.
    """

    masks: list[BoolArray] = field(repr=False)
    weights: Arrays = field(repr=False)
    outcome: Outcome
    unchanged: bool

    @property
    def kept(self) -> tuple[int, ...]:
        """Weights kept in each layer."""
        return tuple(int(mask.sum()) for mask in self.masks)


def kept_counts(net: Architecture, density: float) -> tuple[int, ...]:
    """round(density x weights) of each layer, at least one.

    Raises
    ------
    InvalidInput
        If the density is not in (0, 1].
    """
    as_real(density, "density", low=0.0, high=1.0, open_low=True)
    return tuple(max(1, int(density * int(np.prod(shape)) + 0.5)) for shape in net.shapes)


def source_weights(net: Architecture, kind: str, density: float, seed: int) -> Arrays:
    """Weights of variance 2 / (density x fan-in): ReLU layers with so many weights kept preserve the scale.

    Parameters
    ----------
    net : Architecture
    kind : {"signed-constant", "uniform"}
        Random signs times a constant, or uniform on an interval around zero.
    density : float
        Of the mask to come. It sets the scale of a layer only: the signs and the shape of the law do not
        depend on it, and scaling a layer of a ReLU network without biases does not change its predictions.
    seed : int
    """
    as_choice(kind, "source", KINDS)
    rng = stream(seed, INITIAL)
    weights = []
    for shape in net.shapes:
        deviation = np.sqrt(2.0 / (density * fans(shape)[0]))
        draws = 2.0 * rng.random(shape) - 1.0
        values = np.where(draws < 0, -1.0, 1.0) if kind == SIGNED_CONSTANT else np.sqrt(3.0) * draws
        weights.append((deviation * values).astype(np.float32))
    return weights


def top(torch: Any, scores: Any, count: int) -> Any:
    """Mask (float tensor of zeros and ones) of exactly the `count` largest scores; of equals the first stay."""
    flat = scores.reshape(-1)
    values = flat.numpy()
    threshold = float(np.partition(values, values.size - count)[values.size - count])
    mask = (flat >= threshold).float()
    spare = int(mask.sum(dtype=torch.int64)) - count
    if spare:
        equal = torch.nonzero(flat == threshold).reshape(-1)
        mask[equal[equal.numel() - spare :]] = 0.0
    return mask.reshape(scores.shape)


def masked(
    torch: Any, found: Fit, scores: Arrays, counts: tuple[int, ...], frozen: Arrays, weights: list[Any]
) -> Masked:
    """What a search came to: the largest `scores` of each layer are kept.

    frozen, weights : the source as drawn, and as it is after the search.
    """
    masks = [
        top(torch, torch.tensor(s), c).numpy().astype(np.bool_) for s, c in zip(scores, counts, strict=True)
    ]
    unchanged = all(w.numpy().tobytes() == f.tobytes() for w, f in zip(weights, frozen, strict=True))
    return Masked(masks, frozen, found.outcome, unchanged)
