"""Convolutions and pools against torch.nn.functional, in float64, on random configurations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from slth.networks.basis import Translations
from slth.networks.layers import Input, Linear, Node
from slth.networks.network import Network
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Windows

torch = pytest.importorskip("torch")
F = torch.nn.functional


def close(node: Node, size: int, x: Any, expected: Any) -> None:
    """The node's value is the expected one to rounding, and so is its matrix's where it has one."""
    network = Network((Input("x", size), node), node.name)
    flat = x.reshape(len(x), -1).numpy()
    wanted = expected.reshape(len(x), -1).numpy()
    scale = max(1.0, float(np.abs(wanted).max()))
    assert network.output_size == wanted.shape[1]
    assert np.abs(network.forward(flat) - wanted).max() <= 1e-13 * scale
    if isinstance(node, Linear):
        value = flat @ node.matrix().T
        bias = node.bias_vector()
        assert np.abs(value + (0.0 if bias is None else bias) - wanted).max() <= 1e-13 * scale
    structure, arrays = network.to_spec()
    again = Network.from_spec(structure, arrays)
    assert again.digest() == network.digest()
    assert np.array_equal(again.forward(flat), network.forward(flat))


@pytest.mark.parametrize("seed", range(120))
def test_convolution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 3))
    spatial = tuple(int(v) for v in rng.integers(3, 9, axes))
    kernel = tuple(int(v) for v in rng.integers(1, 4, axes))
    stride = tuple(int(v) for v in rng.integers(1, 4, axes))
    dilation = tuple(int(v) for v in rng.integers(1, 3, axes))
    mode = ("zeros", "circular")[seed % 2]
    padding = tuple(int(rng.integers(0, 3)) for _ in range(axes))
    room = [n + 2 * p - d * (k - 1) for n, p, d, k in zip(spatial, padding, dilation, kernel, strict=True)]
    if min(room) < 1:
        dilation = (1,) * axes
    groups = int(rng.integers(1, 4))
    i, o = groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
    kind = (torch.nn.Conv1d, torch.nn.Conv2d)[axes - 1]
    module = kind(
        i, o, kernel, stride, padding, dilation, groups, bias=bool(rng.integers(2)), padding_mode=mode
    )
    module = module.double().requires_grad_(False)
    weight = torch.from_numpy(rng.normal(size=module.weight.shape))
    module.weight.copy_(weight)
    x = torch.from_numpy(rng.normal(size=(3, i, *spatial)))
    node = Linear(
        "conv",
        "x",
        module.weight.numpy().reshape(o, i // groups, -1),
        Translations(spatial, kernel, stride, padding, mode, dilation),
        None if module.bias is None else module.bias.numpy(),
        groups,
    )
    close(node, x[0].numel(), x, module(x))


def test_padding_on_one_side_only() -> None:
    rng = np.random.default_rng(0)
    x, weight = torch.from_numpy(rng.normal(size=(2, 2, 5, 6))), torch.from_numpy(rng.normal(size=(3, 2, 2, 4)))
    basis = Translations((5, 6), (2, 4), padding=((0, 1), (1, 2)))
    assert basis.output_spatial == (5, 6)
    assert basis.identity == 1
    expected = F.conv2d(F.pad(x, (1, 2, 0, 1)), weight)
    close(Linear("conv", "x", weight.numpy().reshape(3, 2, 8), basis), 60, x, expected)


@pytest.mark.parametrize("seed", range(40))
def test_pools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 3))
    spatial = tuple(int(v) for v in rng.integers(4, 9, axes))
    kernel = tuple(int(v) for v in rng.integers(1, 4, axes))
    stride = tuple(int(v) for v in rng.integers(1, 4, axes))
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    features = int(rng.integers(1, 4))
    x = torch.from_numpy(rng.normal(size=(3, features, *spatial)))
    average, largest = ((F.avg_pool1d, F.max_pool1d), (F.avg_pool2d, F.max_pool2d))[axes - 1]
    windows = Windows(spatial, kernel, stride, padding)
    size = x[0].numel()
    for counted in (True, False):
        node = AveragePool("pool", "x", features, windows, counted)
        close(node, size, x, average(x, kernel, stride, padding, count_include_pad=counted))
        matrix = np.kron(np.eye(features), node.matrix())
        flat = x.reshape(3, -1).numpy()
        assert np.allclose(flat @ matrix.T, Network((Input("x", size), node), "pool").forward(flat), atol=1e-14)
    close(MaxPool("pool", "x", features, windows), size, x, largest(x, kernel, stride, padding))
