"""Random subset-sum instances of many kinds, the adversarial ones included."""

from __future__ import annotations

import numpy as np

KINDS = (
    "uniform", "normal", "quarters", "zeros", "negative", "huge", "mixed", "extreme", "subnormal", "duplicates",
    "one huge",
)  # fmt: skip


def draw_samples(rng: np.random.Generator, n: int, kind: str) -> np.ndarray:
    uniform = rng.uniform(-1, 1, n)
    if kind == "normal":
        return rng.normal(size=n)
    if kind == "quarters":
        return rng.integers(-6, 7, n) / 4
    if kind == "zeros":
        return uniform * (rng.random(n) < 0.5)
    if kind == "negative":
        return -rng.random(n)
    if kind == "huge":
        return uniform * 10.0 ** rng.integers(-300, 300)
    if kind == "mixed":
        return uniform * 10.0 ** rng.integers(-12, 12, n)
    if kind == "extreme":
        return uniform * 10.0 ** rng.integers(-300, 300, n)
    if kind == "subnormal":
        return rng.integers(-9, 10, n) * 5e-324
    if kind == "duplicates":
        return rng.choice(uniform[: max(1, n // 3)], n)
    if kind == "one huge":
        return np.where(np.arange(n) == rng.integers(n), uniform * 1e300, uniform)
    return uniform


def draw_sizes(rng: np.random.Generator, n: int) -> tuple[int, int]:
    """A range of sizes: any, a range, one; 0 and n are among them."""
    low, high = sorted(rng.integers(0, n + 1, 2).tolist())
    return ((0, n), (low, high), (low, low), (high, high))[rng.integers(4)]


def draw_target(rng: np.random.Generator, samples: np.ndarray, size: int) -> float:
    """A sum of some samples, a number in their range, or one far beyond it."""
    if rng.random() < 0.4:
        return float(samples[rng.permutation(len(samples))[:size]].sum())
    reach = 2.0 if rng.random() < 0.9 else 50.0
    return float(rng.uniform(-reach, reach) * np.abs(samples).max())
