"""Small trained targets of every family: image, residual, group-equivariant, sets, graphs.

Trained here in seconds, with torch, from fixed seeds; none is good at its task, all are real networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import slth
from slth.examples.digits import digits
from slth.groups.actions import Action, trivial_action, tuples
from slth.groups.images import ImageGroup
from slth.groups.intertwiners import Orbits, orbits
from slth.networks.basis import OrbitBasis
from slth.networks.layers import Input, Linear, Node, ReLU
from slth.networks.symmetry import Symmetry


@dataclass(frozen=True)
class Trained:
    """A target with the inputs it is judged on, the module that it was read from, bases of declared layers."""

    network: slth.Network
    inputs: np.ndarray
    domain: slth.Domain
    module: object = None
    shape: tuple[int, ...] = ()
    bases: tuple[Orbits, ...] = ()


def fit(module, inputs: np.ndarray, labels: np.ndarray, epochs: int, rate: float = 0.01) -> None:
    """Adam with weight decay on the cross entropy, full determinism."""
    import torch

    x, y = torch.tensor(inputs, dtype=torch.float32), torch.tensor(labels)
    optimizer = torch.optim.Adam(module.parameters(), lr=rate, weight_decay=1e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=order).split(128):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimizer.step()


def digits_cnn(residual: bool, epochs: int = 6) -> Trained:
    """A convolutional classifier of digits, plain or with a residual block and batch norm."""
    import torch
    from torch import nn

    torch.manual_seed(0)

    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.one, self.two = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
            self.norm_one, self.norm_two = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

        def forward(self, x):
            inner = torch.relu(self.norm_one(self.one(x)))
            return torch.relu(x + self.norm_two(self.two(inner)))

    middle = [Block(4)] if residual else [nn.Conv2d(4, 6, 3, padding=1), nn.ReLU()]
    width = 4 if residual else 6
    first = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    module = nn.Sequential(*first, *middle, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, 10))
    example = digits()
    fit(module, example.inputs.reshape(-1, 1, 8, 8), example.labels, epochs)
    module.eval()
    network = slth.read(module, input_shape=(1, 8, 8))
    return Trained(network, example.inputs, example.domain, module, (1, 8, 8))


def orbit_network(
    stack: list[tuple[int, Orbits]], action: Action, inputs: np.ndarray, labels: np.ndarray, epochs: int
) -> slth.Network:
    """Train a chain of equivariant layers, (output features, basis) each, ReLU between; invariant outputs."""
    import torch
    from torch import nn

    torch.manual_seed(0)

    class Equivariant(nn.Module):
        def __init__(self, features: int, outputs: int, basis: Orbits) -> None:
            super().__init__()
            labels = basis.labels.copy()
            fan = features * max(1, int((labels >= 0).sum(axis=1).max()))
            self.coefficients = nn.Parameter(torch.randn(outputs, features, basis.count) * (2.0 / fan) ** 0.5)
            self.bias = nn.Parameter(torch.zeros(outputs, basis.output_count))
            self.labels = torch.tensor(np.where(labels < 0, basis.count, labels))
            self.bias_labels = torch.tensor(basis.output_labels.copy())

        def forward(self, x):
            o, i, _ = self.coefficients.shape
            padded = torch.cat((self.coefficients, torch.zeros(o, i, 1)), dim=2)
            value = torch.einsum("oist,bit->bos", padded[:, :, self.labels], x.reshape(len(x), i, -1))
            return value + self.bias[:, self.bias_labels]

    layers, features = [], 1
    for outputs, basis in stack:
        layers.append(Equivariant(features, outputs, basis))
        features = outputs
    sequence = [step for layer in layers for step in (layer, nn.ReLU())][:-1]
    fit(nn.Sequential(*sequence, nn.Flatten()), inputs, labels, epochs)

    nodes: list[Node] = [Input("input", inputs.shape[1])]
    for place, (layer, (_, basis)) in enumerate(zip(layers, stack, strict=True), start=1):
        if place > 1:
            nodes.append(ReLU(f"relu{place - 1}", nodes[-1].name))
        nodes.append(
            Linear(
                f"layer{place}",
                nodes[-1].name,
                layer.coefficients.detach().double().numpy(),
                OrbitBasis(basis.labels, basis.output_labels),
                layer.bias.detach().double().numpy().reshape(-1),
            )
        )
    symmetry = Symmetry.of(action, trivial_action(action), output_features=stack[-1][0])
    return slth.Network(tuple(nodes), nodes[-1].name, symmetry)


def p4m_network() -> Trained:
    """Is there much ink? On the torus of 8 x 8 pixels: lifting, p4m group convolution, invariant output."""
    image = ImageGroup(8, 8, "p4m")
    out = orbits(image.action("regular"), trivial_action(image.action("regular")))
    lift, inner = (image.convolution(field, "regular", 3) for field in ("scalar", "regular"))
    example = digits()
    ink = example.inputs.sum(axis=1)
    labels = (ink > np.median(ink)).astype(int)
    stack = [(1, lift), (1, inner), (2, out)]
    network = orbit_network(stack, image.action("scalar"), example.inputs, labels, 3)
    return Trained(network, example.inputs, example.domain, bases=(lift, inner, out))


def set_network() -> Trained:
    """Seven numbers in any order: is their spread large? (identity and all-ones, S_7)"""
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.2, 1.0, (600, 1))
    inputs = np.clip(0.5 + scale * rng.uniform(-0.5, 0.5, (600, 7)), 0, 1)
    points = tuples(7, 1)
    equal, out = orbits(points, points), orbits(points, trivial_action(points))
    network = orbit_network(
        [(5, equal), (5, equal), (2, out)], points, inputs, (scale[:, 0] > 0.6).astype(int), 30
    )
    return Trained(network, inputs, slth.Domain.box(0.0, 1.0, 7), bases=(equal, equal, out))


def graph_network() -> Trained:
    """Graphs on seven vertices: more triangles than half of them have? (15-dimensional layers, S_7 on pairs)"""
    rng = np.random.default_rng(0)
    upper = np.triu(rng.random((500, 7, 7)) < 0.5, 1)
    adjacency = (upper | upper.transpose(0, 2, 1)).astype(float)
    triangles = np.einsum("bij,bjk,bki->b", adjacency, adjacency, adjacency)
    pairs = tuples(7, 2)
    inner, out = orbits(pairs, pairs), orbits(pairs, trivial_action(pairs))
    inputs = adjacency.reshape(500, 49)
    network = orbit_network(
        [(3, inner), (3, inner), (2, out)], pairs, inputs, (triangles > np.median(triangles)).astype(int), 30
    )
    return Trained(network, inputs, slth.Domain.box(0.0, 1.0, 49), bases=(inner, inner, out))


FAMILIES = {
    "cnn": lambda: digits_cnn(residual=False),
    "residual": lambda: digits_cnn(residual=True),
    "p4m": p4m_network,
    "sets": set_network,
    "graphs": graph_network,
}
