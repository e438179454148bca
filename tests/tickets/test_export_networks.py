"""Networks of every kind with masks, written for torch and ONNX: values equal those of the masked network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from slth.groups.actions import tuples
from slth.groups.dense import dense_intertwiners
from slth.groups.families import cyclic
from slth.groups.intertwiners import orbits
from slth.groups.representations import regular_representation
from slth.networks.basis import DenseBasis, Translations
from slth.networks.equivariant import basis_of
from slth.networks.layers import Add, Flatten, Input, Linear, Node, ReLU
from slth.networks.network import Network
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Windows
from slth.readers.read import read
from slth.tickets.export_onnx import onnx_model
from slth.tickets.export_torch import torch_module
from slth.tickets.masked import MaskedNetwork, node_arrays

rng = np.random.default_rng(0)


def numbers(*shape: int) -> Any:
    """Numbers that float32 holds exactly."""
    return rng.normal(size=shape).astype(np.float32).astype(np.float64)


def image_network() -> Network:
    nodes: tuple[Node, ...] = (
        Input("x", 2 * 6 * 5),
        Linear("a.conv", "x", numbers(4, 2, 9), Translations((6, 5), 3, padding=1), numbers(4)),
        ReLU("a.relu", "a.conv"),
        Linear(
            "b",
            "a.relu",
            numbers(4, 2, 6),
            Translations((6, 5), (2, 3), 1, ((0, 1), (1, 1)), "circular"),
            None,
            2,
        ),
        Linear("scale", "a.relu", numbers(4 * 30, 1, 1), DenseBasis(np.ones((1, 1, 1))), None, 120),
        Add("sum", ("b", "a.relu", "scale")),
        MaxPool("max", "sum", 4, Windows((6, 5), 2, 2, ((0, 0), (1, 1)))),
        AveragePool("mean", "max", 4, Windows((3, 3), 2, 1, 1), count_padding=False),
        Linear(
            "c", "mean", numbers(2, 4, 4), Translations((4, 4), 2, 2, ((1, 0), (0, 1)), dilation=2), numbers(2)
        ),
        Flatten("flat", "c"),
        Linear("d", "flat", numbers(3, 8, 1), np.ones((1, 1, 1)), numbers(3)),
    )
    return Network(nodes, "d")


def group_network() -> Network:
    pairs, down = orbits(tuples(4, 2), tuples(4, 2)), orbits(tuples(4, 2), tuples(4, 1))
    regular = regular_representation(cyclic(4))
    turning = basis_of(dense_intertwiners(regular, regular))
    nodes: tuple[Node, ...] = (
        Input("x", 2 * 16),
        Linear("pairs", "x", numbers(3, 2, pairs.count), basis_of(pairs), numbers(3 * pairs.output_count)),
        ReLU("r", "pairs"),
        Linear("down", "r", numbers(2, 3, down.count), basis_of(down)),
        Linear("turn", "down", numbers(2, 2, turning.count), turning, numbers(2)),
    )
    return Network(nodes, "turn")


def signal_network() -> Network:
    nodes: tuple[Node, ...] = (
        Input("x", 2 * 8),
        Linear("c", "x", numbers(3, 2, 3), Translations(8, 3, 2, 1, "circular"), numbers(3)),
        ReLU("r", "c"),
        AveragePool("p", "r", 3, Windows(4, 2, 2)),
        MaxPool("q", "p", 3, Windows(2, 2, 1)),
        Linear("d", "q", numbers(2, 3, 1), np.ones((1, 1, 1))),
    )
    return Network(nodes, "d")


def masked(kind: str) -> tuple[MaskedNetwork, Network]:
    """A network with a mask on every parameter but biases of d, and the masked network itself."""
    network = {"image": image_network, "group": group_network, "signal": signal_network}[kind]()
    masks = {
        f"{node.name}.{label}": rng.random(array.shape) < 0.3
        for node in network.nodes
        for label, array in node_arrays(node)
        if (node.name, label) != ("d", "bias")
    }
    nodes: list[Node] = []
    for node in network.nodes:
        if isinstance(node, Linear):
            kept = masks[f"{node.name}.weight"].reshape(node.coefficients.shape)
            bias = None if node.bias is None else node.bias * masks.get(f"{node.name}.bias", 1)
            node = Linear(node.name, node.input, node.coefficients * kept, node.basis, bias, node.groups)
        nodes.append(node)
    return MaskedNetwork(network, masks, {network.output: 3}), Network(tuple(nodes), network.output)


KINDS = ("image", "group", "signal")


@pytest.mark.parametrize("kind", KINDS)
def test_torch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.nn.utils import prune

    given, plain = masked(kind)
    module = torch_module(given).double()
    x = rng.normal(size=(5, plain.input_size))
    expected = 8.0 * plain.forward(x)
    assert (np.abs(expected).max(axis=1) > 0).all()  # masks leave something to compare
    found = module(torch.from_numpy(x)).detach().numpy()
    assert np.abs(found - expected).max() <= (1e-5 if kind == "group" else 1e-13) * np.abs(expected).max()
    assert prune.is_pruned(module)
    state = module.state_dict()
    for parameter in given.parameters():
        if parameter.name in given.masks:
            assert np.array_equal(state[f"{parameter.name}_orig"].numpy().ravel(), parameter.numbers.ravel())
            assert np.array_equal(state[f"{parameter.name}_mask"].numpy().ravel(), parameter.mask.ravel())
    fresh = torch_module(given, weights=False).double()
    assert not torch.equal(fresh(torch.from_numpy(x)), module(torch.from_numpy(x)))
    fresh.load_state_dict(state)
    assert torch.equal(fresh(torch.from_numpy(x)), module(torch.from_numpy(x)))
    if kind == "signal":
        again = read(module, input_shape=(plain.input_size,))
        assert np.abs(again.forward(x) - expected).max() <= 1e-13 * np.abs(expected).max()


@pytest.mark.parametrize("kind", KINDS)
def test_onnx(kind: str, tmp_path: Any) -> None:
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    given, plain = masked(kind)
    model, sparse, dense = onnx_model(given)
    onnx.checker.check_model(model)
    assert sparse >= 1
    assert sparse + dense == sum(len(list(node_arrays(node))) for node in given.network.order)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = numbers(5, plain.input_size)
    expected = 8.0 * plain.forward(x)
    found = session.run(None, {"input": x.astype(np.float32)})[0]
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    if kind != "group":
        (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
        again = read(tmp_path / "net.onnx")
        assert np.abs(again.forward(x) - expected).max() <= 1e-13 * np.abs(expected).max()
