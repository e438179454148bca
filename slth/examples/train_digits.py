"""How the shipped digits network was trained: run `python -m slth.examples.train_digits FILE`.

A 64-32-10 ReLU classifier of scikit-learn's bundled handwritten digits (pixels / 16, so inputs lie in [0, 1]),
trained by L-BFGS on the cross-entropy plus a quadratic penalty on all weights and biases, which keeps spectral
norms and the largest weight small. Weights are then rounded to float32. Needs scikit-learn (for the data).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize

from slth._typing import FloatArray
from slth.networks.npz import save_npz

HIDDEN = 32
PENALTY = 4.0
SEED = 0
TEST_SHARE = 0.25
ITERATIONS = 3000


def train(
    x: FloatArray,
    labels: np.ndarray[Any, Any],
    *,
    hidden_units: int = HIDDEN,
    penalty: float = PENALTY,
    iterations: int = ITERATIONS,
) -> list[FloatArray]:
    """Weights and biases [W1, b1, W2, b2] of a classifier of the rows of `x` with one hidden layer."""
    classes = int(labels.max()) + 1
    rng = np.random.default_rng(SEED)
    shapes = [(hidden_units, x.shape[1]), (hidden_units,), (classes, hidden_units), (classes,)]
    start = [rng.normal(scale=1 / np.sqrt(s[1]), size=s) if len(s) == 2 else np.zeros(s) for s in shapes]
    splits = np.cumsum([int(np.prod(s)) for s in shapes])[:-1]
    wanted = np.eye(classes)[labels]

    def unpack(flat: FloatArray) -> list[FloatArray]:
        return [part.reshape(s) for part, s in zip(np.split(flat, splits), shapes, strict=True)]

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        w1, b1, w2, b2 = unpack(flat)
        hidden = np.maximum(x @ w1.T + b1, 0.0)
        logits = hidden @ w2.T + b2
        logits -= logits.max(axis=1, keepdims=True)
        log_total = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        value = (log_total - logits)[wanted == 1].sum() + penalty / 2 * flat @ flat
        slope = np.exp(logits - log_total) - wanted
        back = (slope @ w2) * (hidden > 0)
        parts = [back.T @ x, back.sum(axis=0), slope.T @ hidden, slope.sum(axis=0)]
        gradient = np.concatenate([part.ravel() for part in parts]) + penalty * flat
        return float(value) / len(x), gradient / len(x)

    flat = np.concatenate([part.ravel() for part in start])
    found = scipy.optimize.minimize(loss, flat, jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    return unpack(found.x)


def main(path: Path) -> None:
    """Train, write the arrays of `slth.examples.digits` to `path`, and say how good the network is."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels, labels = data.data.astype(np.uint8), data.target.astype(np.uint8)
    order = np.random.default_rng(SEED).permutation(len(labels))
    is_test = np.zeros(len(labels), dtype=bool)
    is_test[order[: round(TEST_SHARE * len(labels))]] = True
    x = pixels / 16.0
    w1, b1, w2, b2 = (part.astype(np.float32) for part in train(x[~is_test], labels[~is_test]))
    arrays = {"weight_1": w1, "bias_1": b1, "weight_2": w2, "bias_2": b2}
    save_npz(path, {**arrays, "pixels": pixels, "labels": labels, "is_test": is_test})

    right = (np.maximum(x @ w1.T + b1, 0.0) @ w2.T + b2).argmax(axis=1) == labels
    norms = [float(np.linalg.norm(w, 2)) for w in (w1, w2)]
    largest = [float(np.abs(part).max()) for part in arrays.values()]
    sys.stdout.write(
        f"test accuracy {right[is_test].mean():.4f} ({int(right[is_test].sum())}/{int(is_test.sum())}), "
        f"training {right[~is_test].mean():.4f}; spectral norms {norms[0]:.3f} {norms[1]:.3f}; "
        f"largest entries {' '.join(f'{value:.3f}' for value in largest)}; {path.stat().st_size} bytes\n"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m slth.examples.train_digits FILE")
    main(Path(sys.argv[1]))
