"""Edge-popup: a score for every frozen weight, the largest scores of each layer are kept, scores are trained.

Ramanujan, Wortsman, Kembhavi, Farhadi and Rastegari, "What's Hidden in a Randomly Weighted Neural Network?",
CVPR 2020: the forward pass uses the k % largest absolute scores, the backward pass goes straight through.
"""

from __future__ import annotations

import numpy as np

from slth.baselines.architecture import architecture, forward, no_biases
from slth.baselines.extra import repeatable
from slth.baselines.frozen import SIGNED_CONSTANT, Masked, kept_counts, masked, source_weights, top
from slth.baselines.streams import SCORES, stream
from slth.baselines.task import digits_task
from slth.baselines.training import Recipe, fit

RECIPE = Recipe(iterations=400, rate=1.0, optimiser="sgd", every=20)
DECAY = 1e-4


def edge_popup(
    network: str,
    density: float,
    seed: int,
    *,
    source: str = SIGNED_CONSTANT,
    recipe: Recipe = RECIPE,
) -> Masked:
    """Search a mask of fixed density per layer over frozen random weights, without biases.

    Parameters
    ----------
    network : str
        See `slth.baselines.architecture.architecture`.
    density : float
        Of every layer, in (0, 1]: exactly round(density x weights) are kept, at least one.
    seed : int
        Of weights, scores and batches.
    source : {"signed-constant", "uniform"}
    recipe : Recipe
    """
    net = architecture(network)
    counts = kept_counts(net, density)
    frozen = source_weights(net, source, density, seed)
    rng = stream(seed, SCORES)
    with repeatable() as torch:
        weights = [torch.tensor(w) for w in frozen]
        biases = [torch.tensor(b) for b in no_biases(net)]
        scores = [
            torch.tensor(((2.0 * rng.random(w.shape) - 1.0) / np.sqrt(w[0].size)).astype(np.float32))
            for w in frozen
        ]
        for score in scores:
            score.requires_grad_()

        def masks() -> list[object]:
            return [top(torch, s.detach().abs(), c) for s, c in zip(scores, counts, strict=True)]

        def logits(x: object) -> object:
            # adding |s| - |s| = 0 changes no value and lets the gradient of the mask through to the scores
            effective = [
                w * (m + (s.abs() - s.detach().abs())) for w, m, s in zip(weights, masks(), scores, strict=True)
            ]
            return forward(torch, effective, biases, x)

        def predict(x: object) -> object:
            return forward(torch, [w * m for w, m in zip(weights, masks(), strict=True)], biases, x)

        found = fit(torch, digits_task(), recipe, seed, scores, logits, predict, decay=DECAY)
        return masked(torch, found, [np.abs(s) for s in found.stopped], counts, frozen, weights)
