"""Random numbers of a training, by seed and purpose: the same whoever asks, in any order."""

from __future__ import annotations

import numpy as np

INITIAL, BATCHES, DROPOUT, AGAIN, MASK, SCORES, DRAWS = range(7)


def stream(seed: int, purpose: int, part: int = 0) -> np.random.Generator:
    """``Philox(SeedSequence(seed, spawn_key=(purpose, part)))``."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(purpose, part))))
