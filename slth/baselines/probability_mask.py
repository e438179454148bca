"""Probability masks: every frozen weight is kept with a trained probability; and masks by criteria.

Zhou, Lan, Liu and Yosinski, "Deconstructing Lottery Tickets: Zeros, Signs, and the Supermask", NeurIPS 2019.
Their learned masks end at whatever density they like. To compare at given densities, the mean probability of
each layer is held at the density (its logits are shifted after every step), and the mask that is judged and
returned keeps exactly the most probable weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from slth._typing import BoolArray, FloatArray
from slth._validate import as_choice
from slth.baselines.architecture import Arrays, architecture, forward, glorot, no_biases
from slth.baselines.extra import repeatable
from slth.baselines.frozen import SIGNED_CONSTANT, Masked, kept_counts, masked, source_weights, top
from slth.baselines.magnitude import keep_largest
from slth.baselines.streams import DRAWS, INITIAL, SCORES, stream
from slth.baselines.task import digits_task
from slth.baselines.training import Recipe, fit, judge, train

RECIPE = Recipe(iterations=400, rate=0.2, optimiser="adam", every=20)
SPREAD = 0.1

CRITERIA = (
    "large_final",
    "small_final",
    "large_init",
    "small_init",
    "magnitude_increase",
    "movement",
    "large_final_same_sign",
    "magnitude_increase_same_sign",
    "random",
)


def probability_mask(
    network: str,
    density: float,
    seed: int,
    *,
    source: str = SIGNED_CONSTANT,
    recipe: Recipe = RECIPE,
) -> Masked:
    """Learn keeping probabilities over frozen random weights, without biases; keep the most probable.

    Parameters
    ----------
    network, density, seed, source, recipe
        As in `slth.baselines.edge_popup.edge_popup`.
    """
    net = architecture(network)
    counts = kept_counts(net, density)
    frozen = source_weights(net, source, density, seed)
    rng = stream(seed, SCORES)
    with repeatable() as torch:
        weights = [torch.tensor(w) for w in frozen]
        biases = [torch.tensor(b) for b in no_biases(net)]
        scores = [torch.tensor((SPREAD * rng.standard_normal(w.shape)).astype(np.float32)) for w in frozen]
        targets = [min(count / w.size, 1.0 - 1e-3) for count, w in zip(counts, frozen, strict=True)]
        _hold(torch, scores, targets, steps=50)
        for score in scores:
            score.requires_grad_()
        coins = torch.Generator().manual_seed(int(stream(seed, DRAWS).integers(0, 2**62)))

        def logits(x: Any) -> Any:
            effective = []
            for w, s in zip(weights, scores, strict=True):
                p = torch.sigmoid(s)
                kept = (torch.rand(p.shape, generator=coins) < p.detach()).float()
                effective.append(w * (kept + (p - p.detach())))
            return forward(torch, effective, biases, x)

        def predict(x: Any) -> Any:
            masks = [top(torch, s.detach(), c) for s, c in zip(scores, counts, strict=True)]
            return forward(torch, [w * m for w, m in zip(weights, masks, strict=True)], biases, x)

        found = fit(
            torch,
            digits_task(),
            recipe,
            seed,
            scores,
            logits,
            predict,
            after=lambda: _hold(torch, scores, targets),
        )
        return masked(torch, found, found.stopped, counts, frozen, weights)


def _hold(torch: Any, scores: list[Any], targets: list[float], steps: int = 1) -> None:
    """Shift the logits of each layer by Newton steps towards a mean probability of `target`."""
    for score, target in zip(scores, targets, strict=True):
        for _ in range(steps):
            p = torch.sigmoid(score)
            slope = max(float((p * (1.0 - p)).mean()), 1e-4)
            score -= max(-1.0, min(1.0, (float(p.mean()) - target) / slope))


def criterion(name: str, initial: np.ndarray, final: np.ndarray, rng: np.random.Generator) -> FloatArray:
    """Score of each weight by a criterion on its initial and trained values; the largest are kept.

    Raises
    ------
    InvalidInput
        If the name is not among `CRITERIA`.
    """
    as_choice(name, "criterion", CRITERIA)
    same = np.where(np.sign(initial) == np.sign(final), 1.0, 0.0)
    scores = {
        "large_final": np.abs(final),
        "small_final": -np.abs(final),
        "large_init": np.abs(initial),
        "small_init": -np.abs(initial),
        "magnitude_increase": np.abs(final) - np.abs(initial),
        "movement": np.abs(final - initial),
        # whoever changed sign comes after everybody who did not
        "large_final_same_sign": np.abs(final) + same * 1e6,
        "magnitude_increase_same_sign": np.abs(final) - np.abs(initial) + same * 1e6,
        "random": rng.random(initial.shape),
    }
    chosen: FloatArray = scores[name].astype(np.float64)
    return chosen


def supermasks(
    network: str,
    densities: tuple[float, ...],
    seed: int,
    *,
    recipe: Recipe | None = None,
) -> Iterator[tuple[str, float, bool, list[BoolArray], Arrays, tuple[int, int, int]]]:
    """Untrained networks under masks read off one training of the dense network.

    Yields
    ------
    (criterion, density, constant, masks, weights, counts)
        `constant`: whether the kept weights are signs times one constant per layer (the deviation of its
        initial law) rather than their initial values. counts: right on the test and training parts, equal to
        the target on the test part; nothing is trained after masking.
    """
    net, data = architecture(network), digits_task()
    initial, biases = glorot(net, stream(seed, INITIAL)), no_biases(net)
    whole: list[BoolArray] = [np.ones(shape, np.bool_) for shape in net.shapes]
    trained = train(net, initial, biases, whole, recipe or Recipe(), seed, data).final
    constants = [np.float32(w.std()) * np.sign(w) for w in initial]
    for number, name in enumerate(CRITERIA):
        rng = stream(seed, SCORES, number)
        scores = [criterion(name, w, f, rng) for w, f in zip(initial, trained, strict=False)]
        ranks = [np.argsort(np.argsort(s.ravel(), kind="stable")).reshape(s.shape) + 1.0 for s in scores]
        for density in densities:
            counts = kept_counts(net, density)
            masks = [keep_largest(r, m, c) for r, m, c in zip(ranks, whole, counts, strict=True)]
            for constant in (False, True):
                values = constants if constant else initial
                shown = [(w * m).astype(np.float32) for w, m in zip(values, masks, strict=True)]
                yield name, density, constant, masks, shown, judge(net, shown, biases, data)
