"""How the shipped image networks were trained: run `python -m slth.examples.train_images FOLDER`.

The three networks of `slth.examples.images` on the training rows of the shipped digits, by Adam on the
cross-entropy with weight decay, which keeps norms small. Starts are He normal. Writes digits-<name>.npz, the
parameters in float32, and says how good each network is. Needs torch (written with 2.13, one thread).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from slth._typing import FloatArray
from slth.examples.digits import Digits, digits
from slth.examples.images import NETWORKS, given
from slth.networks.network import Network
from slth.networks.npz import save_npz
from slth.tickets.export_torch import load_torch, torch_module
from slth.tickets.masked import MaskedNetwork

SEED = 0
EPOCHS = 80
BATCH = 64
RATE = 0.01
DECAY = 3e-3


def initial(seed: int) -> Any:
    """Parameters at random: weights normal with the variance 2 / (inputs they add up), biases zero."""
    rng = np.random.default_rng(seed)

    def make(name: str, shape: tuple[int, ...]) -> FloatArray:
        if name.endswith(".bias"):
            return np.zeros(shape)
        return rng.normal(0.0, (2.0 / np.prod(shape[1:])) ** 0.5, shape)

    return make


def train(network: Network, example: Digits) -> dict[str, np.ndarray[Any, Any]]:
    """Parameters of the trained network by name, float32."""
    torch = load_torch()
    torch.set_num_threads(1)
    module = torch_module(MaskedNetwork(network, {}))
    parameters = list(module.parameters())
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    x = torch.from_numpy(example.inputs[example.train_rows]).float()
    y = torch.from_numpy(example.labels[example.train_rows].copy())
    order = torch.Generator().manual_seed(SEED)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=order).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimizer.step()
        schedule.step()
    return {name: parameter.detach().numpy() for name, parameter in module.named_parameters()}


def main(folder: Path) -> None:
    """Train all three and write them."""
    example = digits()
    folder.mkdir(exist_ok=True)
    for kind, build in NETWORKS.items():
        arrays = train(build(initial(SEED)), example)
        path = folder / f"digits-{kind}.npz"
        save_npz(path, arrays)
        trained = build(given(arrays))
        sys.stdout.write(
            f"{kind}: {trained.parameters} parameters, test accuracy {example.accuracy(trained):.4f}, "
            f"{path.stat().st_size} bytes\n"
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m slth.examples.train_images FOLDER")
    main(Path(sys.argv[1]))
