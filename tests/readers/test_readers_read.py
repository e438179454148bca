"""`read` on arrays with an architecture line, scikit-learn models and files: values, and refusals in words."""

from __future__ import annotations

import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.errors import InvalidInput, MissingExtra
from slth.networks.network import dense_network
from slth.readers.architecture import parse_architecture
from slth.readers.arrays import save_network
from slth.readers.read import read

rng = np.random.default_rng(0)
LINE = "conv 3 3x2 stride 2 pad 1x0 | relu | maxpool 2 stride 1 | avgpool 1x2 | flatten | dense 2"


def arrays() -> dict[str, Any]:
    return {
        "weight_1": rng.normal(size=(3, 2, 3, 2)),
        "bias_1": rng.normal(size=3),
        "weight_2": rng.normal(size=(2, 6)),
    }


def test_a_line_means_what_torch_computes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    module = nn.Sequential(
        nn.Conv2d(2, 3, (3, 2), stride=2, padding=(1, 0)),
        nn.ReLU(),
        nn.MaxPool2d(2, stride=1),
        nn.AvgPool2d((1, 2)),
        nn.Flatten(),
        nn.Linear(6, 2),
    )
    state = module.state_dict()
    network = read(state, architecture=LINE, input_shape=(2, 6, 8))
    x = torch.randn(4, 2, 6, 8)
    expected = module(x).detach().numpy()
    assert np.abs(network.forward(x.reshape(4, -1).numpy()) - expected).max() < 1e-5
    assert [node.name for node in network.nodes] == [
        "input",
        "0",
        "relu2",
        "maxpool3",
        "avgpool4",
        "flatten5",
        "5",
    ]

    from safetensors.torch import save_file

    save_file(state, tmp_path / "net.safetensors")
    np.savez(tmp_path / "net.npz", **{key: value.numpy() for key, value in state.items()})
    for name in ("net.safetensors", "net.npz"):
        assert read(tmp_path / name, architecture=LINE, input_shape=(2, 6, 8)) == network
    (tmp_path / "net.safetensors").write_bytes((tmp_path / "net.safetensors").read_bytes()[:-5])
    with pytest.raises(InvalidInput, match="must be a whole safetensors file of numpy's types"):
        read(tmp_path / "net.safetensors", architecture=LINE, input_shape=(2, 6, 8))


def test_named_steps_find_their_arrays() -> None:
    given = {"c.weight": rng.normal(size=(4, 1, 3)), "c.bias": rng.normal(size=4), "fc.weight": np.ones((1, 4))}
    line = "c: conv 4 3 pad 1 circular | act: relu | globalavgpool | flatten | fc: dense 1"
    network = read(given, architecture=line, input_shape=(1, 5))
    x = rng.normal(size=5)
    around = np.concatenate((x[-1:], x, x[:1]))
    conv = [
        [around[p : p + 3] @ given["c.weight"][o, 0] + given["c.bias"][o] for p in range(5)] for o in range(4)
    ]
    assert np.allclose(network.forward(x), np.maximum(conv, 0).mean(axis=1).sum(), rtol=1e-13)
    assert [node.name for node in network.nodes] == ["input", "c", "act", "globalavgpool3", "flatten4", "fc"]


@given(widths=st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_dense_lines_are_dense_networks(widths: list[int]) -> None:
    weights = [rng.normal(size=(o, i)) for i, o in pairwise(widths)]
    given_arrays = {f"weight_{n}": w for n, w in enumerate(weights, start=1)}
    line = " | relu | ".join(f"dense {width}" for width in widths[1:])
    network = read(given_arrays, architecture=line)
    x = rng.normal(size=(3, widths[0]))
    assert np.array_equal(network.forward(x), dense_network(weights).forward(x))
    assert [layer.name for layer in network.dense_chain()] == [f"layer{n}" for n in range(1, len(widths))]


def test_plain_npz_and_networks_pass_through(tmp_path: Path) -> None:
    network = dense_network([rng.normal(size=(2, 3))])
    save_network(network, tmp_path / "net.npz")
    assert read(tmp_path / "net.npz") == network
    assert read(str(tmp_path / "net.npz")) == network
    assert read(network) is network


@pytest.mark.parametrize("output", ["logits", None])
def test_scikit_learn_regressor_and_classifier(output: Any) -> None:
    neural = pytest.importorskip("sklearn.neural_network")
    x = rng.normal(size=(40, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regressor = neural.MLPRegressor(hidden_layer_sizes=(5, 4), max_iter=5, random_state=0).fit(x, x[:, 0])
        classifier = neural.MLPClassifier(hidden_layer_sizes=(6,), max_iter=5, random_state=0).fit(
            x, rng.integers(0, 3, 40)
        )
        binary = neural.MLPClassifier(hidden_layer_sizes=(6,), max_iter=5, random_state=0).fit(
            x, rng.integers(0, 2, 40)
        )
    network = read(regressor, output=output)
    assert np.allclose(network.forward(x)[:, 0], regressor.predict(x), atol=1e-12)
    assert network.parameters == 3 * 5 + 5 + 5 * 4 + 4 + 4 + 1
    if output is None:
        with pytest.raises(
            InvalidInput, match=r"`output` must be 'logits' .* ends in softmax \(layer 'layer2'\)"
        ):
            read(classifier)
        with pytest.raises(InvalidInput, match="ends in logistic"):
            read(binary)
        return
    logits = read(classifier, output=output).forward(x)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(chances, classifier.predict_proba(x), atol=1e-12)
    chance = 1 / (1 + np.exp(-read(binary, output=output).forward(x)[:, 0]))
    assert np.allclose(chance, binary.predict_proba(x)[:, 1], atol=1e-12)


def test_scikit_learn_models_that_are_refused() -> None:
    neural = pytest.importorskip("sklearn.neural_network")
    linear = pytest.importorskip("sklearn.linear_model")
    x = rng.normal(size=(40, 3))
    with pytest.raises(InvalidInput, match="must be fitted; got an MLPRegressor that is not"):
        read(neural.MLPRegressor())
    with pytest.raises(
        InvalidInput, match="MLPClassifier or MLPRegressor of scikit-learn; got LinearRegression"
    ):
        read(linear.LinearRegression())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tanh = neural.MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", max_iter=5).fit(x, x[:, 0])
    with pytest.raises(
        InvalidInput, match=r"activation 'relu'; got 'tanh' \(layer 'layer1'\)\. Supported: relu"
    ):
        read(tanh)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("", "`architecture` must be a line of steps like 'dense 32"),
        ("dense 3 | gelu", r"made of the steps conv OUT KERNEL, .*; got step 2, 'gelu'"),
        ("dense 3 || dense 2", "got step 2, ''"),
        ("dense", "must say dense OUT, with sizes like 8 or 3x3; got step 1, 'dense'"),
        ("dense -3", "must say dense OUT"),
        ("dense 3x3", "must say dense OUT"),
        ("conv 3", "must say conv OUT KERNEL"),
        ("conv 3 3x3x3", "must say conv OUT KERNEL"),
        ("conv 3 3 padding 1", r"options among stride N, pad N, .* once each; got 'padding' \(step 1"),
        ("conv 3 3 pad", r"options among .* got 'pad'"),
        ("conv 3 3 pad 1 pad 1", r"options among .* got 'pad'"),
        ("relu 3", r"options among none once each; got '3' \(step 1, 'relu 3'\)"),
        (": relu", "a name before each colon; got step 1"),
        ("relu |" * 10001, "at most 10000 steps; got 10002"),
    ],
)
def test_lines_that_are_refused(line: str, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        parse_architecture(line)


@pytest.mark.parametrize(
    ("changes", "line", "shape", "match"),
    [
        ({}, LINE, None, r"`input_shape` must be given, like \(1, 28, 28\), unless the first step is dense"),
        ({}, LINE, (2, 6), r"of shape \(channels, height, width\); got shape \(2, 6\) \(layer 'layer1'\)"),
        ({}, LINE, (3, 6, 8), r"a convolution 2 channels; got shape \(3, 6, 8\) \(layer 'layer1'\)"),
        (
            {},
            LINE.replace("| flatten ", ""),
            (2, 6, 8),
            r"a vector of 6; got shape .*layer2'\)\. Flatten it first",
        ),
        (
            {},
            LINE.replace("dense 2", "dense 3"),
            (2, 6, 8),
            r"got 3 outputs for a weight of shape \(2, 6\) \(layer 'l",
        ),
        (
            {},
            LINE.replace("3x2", "2x3"),
            (2, 6, 8),
            r"got kernel \(2, 3\) for a weight of shape \(3, 2, 3, 2\)",
        ),
        (
            {},
            LINE + " | relu | dense 1",
            (2, 6, 8),
            r"must hold an array 'weight_3' \(layer 'layer3'\); got \['bias_1'",
        ),
        (
            {"weight_3": np.ones(1)},
            LINE,
            (2, 6, 8),
            r"only arrays of the architecture's layers; got 'weight_3' \(1 such",
        ),
        (
            {"weight_2": np.full((2, 6), np.nan)},
            LINE,
            (2, 6, 8),
            "`weight of layer 'layer2'` must be finite; got nan",
        ),
        (
            {"weight_2": np.array(["a"] * 2)},
            LINE,
            (2, 6, 8),
            "`weight of layer 'layer2'` must be an array of real",
        ),
        (
            {"bias_1": np.ones(4)},
            LINE,
            (2, 6, 8),
            "`bias of node 'layer1'` must have one number per invariant .* got 4",
        ),
        ({}, "dense 2", None, r"got 2 outputs for a weight of shape \(3, 2, 3, 2\)"),
        ({}, "relu | flatten", (2, 6, 8), "only arrays of the architecture's layers; got 'bias_1'"),
        ({}, LINE, (2, 6, 8, 1), r"`input_shape` must be \(d,\), \(C, L\) or \(C, H, W\)"),
        ({}, None, (2, 6, 8), "`architecture` must be given for arrays"),
    ],
)
def test_arrays_that_are_refused(changes: dict[str, Any], line: Any, shape: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        read({**arrays(), **changes}, architecture=line, input_shape=shape)


def test_sources_that_are_refused(tmp_path: Path) -> None:
    for name, match in {
        "gone.onnx": "`source` must be an existing file; got",
        "net.pth": "must not be a pickle, which can run any code",
        "net.txt": r"must be a torch\.nn\.Module, .* or a file \.onnx, \.npz or \.safetensors; got",
        "net.safetensors": "`architecture` must be given for arrays",
    }.items():
        if name != "gone.onnx":
            (tmp_path / name).write_bytes(b"\x80\x04.")
        with pytest.raises(InvalidInput, match=match):
            read(tmp_path / name)
    with pytest.raises(InvalidInput, match=r"`source` must be a torch\.nn\.Module, .*; got int"):
        read(7)
    with pytest.raises(InvalidInput, match="`output` must be one of 'logits'; got 'probabilities'"):
        read({}, output="probabilities")
    with pytest.raises(InvalidInput, match="`architecture` must be left out for a Network"):
        read(dense_network([[[1.0]]]), architecture="dense 1")


def test_extras_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    (tmp_path / "net.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"needs the package onnx\. Install slth\[onnx\]"):
        read(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtra, match=r"needs safetensors\. Install slth\[torch\]"):
        read(tmp_path / "net.safetensors", architecture="dense 1")
