"""Sets of activations and bounds of errors pushed through pools, every rounding outward.

Both pools are monotone in each entry and act on each feature alike, so a box goes to the box of the pooled
ends, and entrywise bounds |d_j| <= v_j go to the pool of v: the mean of d is at most the mean of |d|, and two
maxima differ by at most the largest difference in their window.
"""

from __future__ import annotations

import numpy as np

from slth._typing import BoolArray, FloatArray
from slth.networks.intervals import Enclosure
from slth.networks.norms import UNIT, down, norm_upper, rounding, spectral_norm_upper, up, up_scalar
from slth.networks.pooling import AveragePool, MaxPool


def pool_lipschitz(pool: AveragePool | MaxPool) -> float:
    """Upper bound of the pool's Lipschitz constant in l2.

    Notes
    -----
    Mean: the norm of the matrix of one feature. Maximum: the square root of the number of windows that may
    read one entry, since the squares of the outputs' movements are at most those of the largest in each
    window, and each is counted once for each window that reads it.

    Examples
    --------
    >>> from slth.networks.windows import Windows
    >>> round(pool_lipschitz(AveragePool("a", "x", 1, Windows(8, 4, stride=4))), 9)
    0.5
    >>> pool_lipschitz(MaxPool("m", "x", 1, Windows(8, 4, stride=4)))
    1.0
    """
    if isinstance(pool, AveragePool):
        return spectral_norm_upper(pool.matrix(), 2.0 * UNIT)
    overlap = pool.lipschitz_squared
    return 1.0 if overlap <= 1 else up_scalar(overlap**0.5)


def pool_values(pool: AveragePool | MaxPool, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Computed pools of (B, features * t) values and bounds of their rounding errors; a maximum has none."""
    if isinstance(pool, MaxPool):
        found = pool.apply([values])
        return found, np.zeros_like(found)
    batch = len(values)
    x = values.reshape(batch * pool.features, pool.windows.inputs)
    matrix = pool.matrix()
    magnitude = np.abs(x) @ matrix.T
    touched = (x != 0.0).astype(np.float64) @ (matrix > 0.0).T.astype(np.float64)
    # Each entry of the matrix was rounded once: one rounding more than in the product.
    error = np.where(touched > 0.0, rounding(magnitude, x.shape[1] + 2), 0.0)
    return (x @ matrix.T).reshape(batch, -1), error.reshape(batch, -1)


def pool_enclosure(pool: AveragePool | MaxPool, box: Enclosure, lipschitz: float) -> Enclosure:
    """Enclosure of the pooled values of all points of `box`; `lipschitz` as `pool_lipschitz` gives it."""
    ends, errors = pool_values(pool, np.stack((box.low, box.high, box.center)))
    low, high, center = ends
    low = np.where(errors[0] > 0.0, down(low - errors[0]), low)
    high = np.where(errors[1] > 0.0, up(high + errors[1]), high)
    # Pools of numbers of one sign have that sign, whatever the rounding.
    signs = _signs(pool, box)
    low, high = np.where(signs[0], np.maximum(low, 0.0), low), np.where(signs[1], np.minimum(high, 0.0), high)
    radius = up_scalar(up_scalar(lipschitz * box.radius) + norm_upper(errors[2]))
    return Enclosure(low, high, center, radius).with_box_ball()


def _signs(pool: AveragePool | MaxPool, box: Enclosure) -> tuple[BoolArray, BoolArray]:
    """Windows without a negative entry, and without a positive one."""
    negative = MaxPool("m", "x", pool.features, pool.windows).apply(
        [np.stack((box.low < 0.0, box.high > 0.0)).astype(np.float64)]
    )
    return negative[0] == 0.0, negative[1] == 0.0


def pooled_up(pool: AveragePool | MaxPool, entries: FloatArray) -> FloatArray:
    """Upper bounds of the pools of non-negative (B, features * t) numbers; zero where all are zero."""
    values, errors = pool_values(pool, entries)
    return np.where(errors > 0.0, up(values + errors), values)


def pool_error(
    pool: AveragePool | MaxPool, entries: FloatArray, norm: float, lipschitz: float
) -> tuple[FloatArray, float]:
    """Bounds, entrywise and in l2, of what an error so bounded becomes."""
    after = pooled_up(pool, entries[None])[0]
    return after, min(up_scalar(lipschitz * norm) if norm else 0.0, norm_upper(after))
