"""Oracle for random sources: every weight by numpy's own Philox, word by word, as the format states it."""

from __future__ import annotations

import numpy as np


def word(seed: int, layer: int, sublayer: int, j: int, c: int, other: int) -> int:
    """Word `other` of numpy's stream for hidden neuron (j, c), read from the start of the stream."""
    stream = np.random.Philox(key=seed, counter=[0, c, j, 2 * layer + sublayer])
    return int(stream.random_raw(other + 1)[other])


def numerator(seed: int, layer: int, sublayer: int, j: int, c: int, other: int) -> int:
    """Weight of law "uniform" times 2^23."""
    return (word(seed, layer, sublayer, j, c, other) >> 40) - 2**23


def sublayer_numerators(
    seed: int, layer: int, sublayer: int, inputs: int, copies: int, ends: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """All numerators (inputs, copies, ends) of one sublayer; ends = inputs for sublayer 0, outputs for 1."""
    result = np.empty((inputs, copies, ends), dtype=np.int64)
    for j in range(inputs):
        for c in range(copies):
            words = np.random.Philox(key=seed, counter=[0, c, j, 2 * layer + sublayer]).random_raw(ends)
            result[j, c] = [(int(w) >> 40) - 2**23 for w in words]
    return result
