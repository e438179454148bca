"""How the shipped 784-500-10 network was trained: run `python -m slth.examples.train_upsampled FILE`.

The training rows of the shipped digits, drawn larger (`slth.examples.upsampled`), by L-BFGS on the
cross-entropy plus a quadratic penalty on all weights and biases. With G = U^T U the loss of W = V U^T on U x is
that of V G^(1/2) on G^(1/2) x, penalty included, so that 64 columns are trained instead of 784.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from slth.examples.digits import Digits, digits
from slth.examples.train_digits import train
from slth.examples.upsampled import HIDDEN, upsampled_network, upsampling
from slth.networks.npz import save_npz

PENALTY = 4.0
ITERATIONS = 600


def trained(example: Digits, *, hidden: int = HIDDEN, iterations: int = ITERATIONS) -> dict[str, Any]:
    """The arrays of the network, as they are stored."""
    matrix = upsampling()
    values, vectors = np.linalg.eigh(matrix.T @ matrix)
    root = (vectors * np.sqrt(values)) @ vectors.T
    x, labels = example.inputs[example.train_rows] @ root, example.labels[example.train_rows]
    w1, b1, w2, b2 = train(x, labels, hidden_units=hidden, penalty=PENALTY, iterations=iterations)
    return {
        "span_1": np.linalg.solve(root, w1.T).T.astype(np.float16),
        "bias_1": b1.astype(np.float32),
        "weight_2": w2.astype(np.float32),
        "bias_2": b2.astype(np.float32),
    }


def main(path: Path) -> None:
    """Train, write the arrays to `path`, and say how good the network is."""
    example = digits()
    arrays = trained(example)
    save_npz(path, arrays)
    network = upsampled_network(arrays)
    right = network.forward(example.inputs @ upsampling().T).argmax(axis=1) == example.labels
    norms = [float(np.linalg.norm(layer.weight, 2)) for layer in network.dense_chain()]
    sys.stdout.write(
        f"test accuracy {right[example.test_rows].mean():.4f}, training "
        f"{right[example.train_rows].mean():.4f}; spectral norms {norms[0]:.3f} {norms[1]:.3f}; "
        f"{path.stat().st_size} bytes\n"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m slth.examples.train_upsampled FILE")
    main(Path(sys.argv[1]))
