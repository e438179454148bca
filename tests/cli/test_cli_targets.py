"""Targets on the command line: what cannot be read is refused by the name of its layer, and leaves nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slth.cli import app

rng = np.random.default_rng(0)


def weights(**changes: Any) -> dict[str, Any]:
    arrays: dict[str, Any] = {"weight_1": rng.normal(size=(4, 3)), "weight_2": rng.normal(size=(2, 4))}
    return {key: value for key, value in {**arrays, **changes}.items() if value is not None}


def npz(**changes: Any) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        np.savez(folder / "net.npz", **weights(**changes))
        return ["net.npz"]

    return make


def line(architecture: str, *more: str, **changes: Any) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        return [*npz(**changes)(folder), "--architecture", architecture, *more]

    return make


def content(name: str, raw: bytes) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / name).write_bytes(raw)
        return [name]

    return make


def cut(folder: Path) -> list[str]:
    npz()(folder)
    raw = (folder / "net.npz").read_bytes()
    (folder / "net.npz").write_bytes(raw[: len(raw) // 2])
    return ["net.npz"]


def objects(folder: Path) -> list[str]:
    np.savez(folder / "net.npz", weight_1=np.array([[{"a": 1}]], dtype=object))
    return ["net.npz"]


def with_inputs(inputs: Any) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        np.save(folder / "data.npy", inputs)
        return [*npz()(folder), "--inputs", "data.npy"]

    return make


def with_domain(text: str) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / "d.json").write_text(text)
        return [*npz()(folder), "--domain", "d.json"]

    return make


CONV = np.ones((2, 1, 3, 3))
SPOILED = np.array([[1.0, 2.0, 3.0], [0.0, np.nan, 1.0]])
TINY = np.array([[1e300, 1e-320, 1.0]])

FILES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "missing": (lambda _: ["none.npz"], "`source` must be an existing file; got 'none.npz'"),
    "folder": (lambda f: (f / "net.npz").mkdir() or ["net.npz"], "must be an existing file; got 'net.npz'"),
    "unknown example": (lambda _: ["digits-mlp"], "must be an existing file; got 'digits-mlp'"),
    "pickle": (content("net.pt", b"\x80"), "must not be a pickle, which can run any code; got 'net.pt'"),
    "other kind": (content("net.txt", b"1 2"), r"or a file \.onnx, \.npz or \.safetensors; got 'net\.txt'"),
    "no archive": (content("net.npz", b"hello"), r"net\.npz"),
    "truncated": (cut, r"net\.npz"),
    "object arrays": (objects, r"weight_1"),
    "empty": (content("net.npz", b"PK\x05\x06" + bytes(18)), "must hold an array weight_1; got"),
    "gap": (npz(weight_3=np.ones((1, 2)), weight_2=None), "without gap; .* which lack weight_2"),
    "foreign array": (npz(scale=np.ones(3)), r"only arrays weight_1, bias_1, weight_2, \.\.\.; got 'scale'"),
    "not a number": (
        npz(weight_1=SPOILED, weight_2=None),
        r"`weight_1` must be finite; got nan at index \(1, 1\)",
    ),
    "infinite bias": (npz(bias_2=np.array([0.0, np.inf])), r"`bias_2` must be finite; got inf at index 1"),
    "layers that do not fit": (
        npz(weight_2=np.ones((2, 5))),
        r"node 'layer2' with 5 inputs reading 'relu1' of size 4",
    ),
    "bias of another size": (npz(bias_1=np.ones(3)), "`bias of node 'layer1'` must have one number per output"),
    "no outputs": (npz(weight_2=np.ones((0, 4))), "`coefficients of node 'layer2'` must not be empty"),
    "vector": (npz(weight_1=np.ones(3)), r"`weight_1` must have 2 dimension\(s\); got shape \(3,\)"),
    "magnitudes": (npz(weight_1=TINY, weight_2=None), "layer 'layer1' mixes magnitudes too different"),
    "unknown step": (line("dense 4 | gelu | dense 2"), r"must be made of the steps .*step 2, 'gelu'"),
    "sizes missing": (line("dense | relu | dense 2"), r"must say dense OUT, with sizes .*step 1"),
    "other width": (line("dense 5 | relu | dense 2"), r"got 5 outputs .* \(layer 'layer1', step 1\)"),
    "too few steps": (line("dense 4"), r"only arrays of the architecture's layers; got 'weight_2'"),
    "too many steps": (
        line("dense 4 | relu | dense 2 | dense 1"),
        r"must hold an array 'weight_3' \(layer 'layer3'\)",
    ),
    "no shape": (line("conv 2 3x3 | relu", weight_1=CONV, weight_2=None), r"`input_shape` must be given"),
    "other kernel": (
        line("conv 2 5x5 | relu", "--input-shape", "1x8x8", weight_1=CONV, weight_2=None),
        r"got kernel \(5, 5\) for a weight of shape .* \(layer 'layer1', step 1\)",
    ),
    "small image": (
        line("conv 2 3x3", "--input-shape", "1x2x2", weight_1=CONV, weight_2=None),
        r"`kernel` must fit the padded input; got 3 positions for 2 .*\(layer 'layer1'\)",
    ),
    "no line": (content("net.safetensors", b""), "`architecture` must be given for arrays"),
    "shape that is none": (
        line("dense 4", "--input-shape", "3x"),
        "`--input-shape` must be numbers joined by x",
    ),
    "domain of another size": (
        with_domain(
            '{"format": "slth-domain/1", "kind": "ball", "center": ["0x0.0p+0"], '
            '"radius": "0x1.0000000000000p+0"}'
        ),
        "`domain` must have the target's 3 inputs; got 1 coordinates",
    ),
    "domain that is none": (with_domain("[]"), "`domain` must be a JSON object"),
    "inputs of another size": (
        with_inputs(np.zeros((4, 2))),
        r"`inputs` must have 3 columns; got shape \(4, 2\)",
    ),
    "inputs outside": (with_inputs(np.full((4, 3), 2.0)), "`inputs` must lie in `domain`; row 0 does not"),
}


def refused(folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str], match: str) -> None:
    """One line on stderr that matches, code 1 or 2, and no file that was not there."""
    before = sorted(folder.iterdir())
    code = app.run(["prune", *arguments, "--out", "ticket", "--eps", "0.1", "--seed", "1"])
    out, err = capsys.readouterr()
    assert code in (1, 2), err
    assert out == ""
    assert err.startswith("slth: ")
    assert err.count("\n") == 1

    assert re.search(match, err), err
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("case", list(FILES))
def test_files_that_cannot_be_read(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make, match = FILES[case]
    refused(tmp_path, make(tmp_path), capsys, match)


def graph(nodes: list[Any], arrays: dict[str, Any], shape: tuple[Any, ...] = ("n", 3), **options: Any) -> Any:
    """An ONNX model from value x to value y."""
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    made = helper.make_graph(
        [helper.make_node(kind, reads, [to], name=name, **more) for kind, name, reads, to, more in nodes],
        "graph",
        [helper.make_tensor_value_info("x", floats, list(shape))],
        [helper.make_tensor_value_info("y", floats, None)],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    opset = helper.make_opsetid("", options.get("opset", 20))
    return helper.make_model(made, opset_imports=[opset], ir_version=10)


W = np.ones((2, 3), np.float32)
S = np.ones((3, 3), np.float32)
K = np.ones((2, 1, 3, 3), np.float32)


def gemm(reads: str = "x", to: str = "y", weight: str = "fc.weight", name: str = "fc") -> Any:
    return ("Gemm", name, [reads, weight], to, {"transB": 1})


def after(kind: str, name: str, **attributes: Any) -> Callable[[], Any]:
    return lambda: graph([gemm(to="h"), (kind, name, ["h"], "y", attributes)], {"fc.weight": W})


def nan_weights() -> Any:
    spoiled = W.copy()
    spoiled[1, 2] = np.nan
    return graph([gemm()], {"fc.weight": spoiled})


def external() -> Any:
    made = graph([gemm()], {"fc.weight": W})
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="weights.bin")
    return made


def shared() -> Any:
    return graph([gemm(to="h", weight="s", name="one"), gemm("h", weight="s", name="two")], {"s": S})


def convolution(shape: tuple[Any, ...], **attributes: Any) -> Callable[[], Any]:
    return lambda: graph([("Conv", "conv", ["x", "w"], "y", attributes)], {"w": K}, shape)


MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "GELU": (after("Gelu", "act"), r"got Gelu \(layer 'act'\)\. Supported: Add"),
    "sigmoid": (after("Sigmoid", "squash"), r"got Sigmoid \(layer 'squash'\)"),
    "leaky ReLU": (after("LeakyRelu", "leaky"), r"got LeakyRelu \(layer 'leaky'\)"),
    "unknown operator": (after("Frobnicate", "frob"), r"got Frobnicate \(layer 'frob'\)"),
    "operator of another domain": (
        lambda: graph([("Relu", "own", ["x"], "y", {"domain": "com.me"})], {}),
        r"got com\.me\.Relu \(layer 'own'\)",
    ),
    "soft-max kept": (after("Softmax", "tail"), r"`output` must be 'logits' .*Softmax \(layer 'tail'\)"),
    "NaN weights": (nan_weights, r"`weight of layer 'fc'` must be finite; got nan at index \(1, 2\)"),
    "external weights": (external, r"keep its weights in the file; got external data \(layer 'fc.weight'\)"),
    "shared weights": (shared, r"got 's' again: shared weights \(layer 'one'\)|\(layer 'two'\)"),
    "dynamic vector": (
        lambda: graph([gemm()], {"fc.weight": W}, ("n", None)),
        r"`input_shape` must be given for the dynamic shape \(None,\) of the input 'x'",
    ),
    "dynamic image": (convolution(("n", 1, "h", "w")), r"for the dynamic shape \(1, None, None\)"),
    "channels": (
        convolution((1, 2, 8, 8)),
        r"a convolution 1 channels; got shape \(2, 8, 8\) \(layer 'conv'\)",
    ),
    "image too small": (convolution((1, 1, 2, 2)), r"`kernel` must fit .*\(layer 'conv'\)"),
    "zero layers": (lambda: graph([("Relu", "r", ["x"], "y", {})], {}), "at least one linear layer; got none"),
    "missing weight": (lambda: graph([gemm()], {}), r"got the unknown input 'fc\.weight' \(layer 'fc'\)"),
    "product of values": (
        lambda: graph([gemm(to="h"), ("Mul", "gate", ["h", "h"], "y", {})], {"fc.weight": W}),
        r"store input 1 of Mul; got a computed value \(layer 'gate'\)",
    ),
    "old opset": (lambda: graph([gemm()], {"fc.weight": W}, opset=5), r"opset 7 or later; got 5"),
}


@pytest.mark.parametrize("case", list(MODELS))
def test_onnx_files_that_cannot_be_read(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make, match = MODELS[case]
    (tmp_path / "net.onnx").write_bytes(make().SerializeToString())
    refused(tmp_path, ["net.onnx"], capsys, match)


def test_onnx_file_that_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = graph([gemm()], {"fc.weight": W}).SerializeToString()
    for length in (0, len(raw) // 2, len(raw) - 2):
        (tmp_path / "net.onnx").write_bytes(raw[:length])
        refused(tmp_path, ["net.onnx"], capsys, r"must be a whole ONNX file; got net\.onnx, which")


def test_weights_out_of_reach_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["prune", *npz()(tmp_path), "--out", "ticket", "--eps", "1e-3", "--copies", "4", "--k", "2"]
    assert app.run(arguments) == 1
    assert "weight(s) cannot be reached on this source; the worst is 'layer" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


def test_onnx_file_in_ticket_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`slth prune FILE.onnx --eps --density -o`; `slth check --target` passes with that file alone."""
    monkeypatch.chdir(tmp_path)
    arrays = {"conv.weight": rng.normal(0, 0.3, (2, 1, 3, 3)).astype(np.float32)}
    nodes = [
        ("Conv", "conv", ["x", "conv.weight"], "h", {"pads": [1, 1, 1, 1]}),
        ("Relu", "act", ["h"], "g", {}),
        ("GlobalAveragePool", "mean", ["g"], "y", {}),
    ]
    (tmp_path / "net.onnx").write_bytes(graph(nodes, arrays, ("n", 1, 4, 4)).SerializeToString())
    arrays["conv.weight"][0, 0, 0, 0] += 1e-3
    (tmp_path / "other.onnx").write_bytes(graph(nodes, arrays, ("n", 1, 4, 4)).SerializeToString())
    command = ["prune", "net.onnx", "--eps", "0.05", "--density", "0.3", "-o", "ticket"]
    assert app.run([*command, "--seed", "1"]) == 0
    assert "certified error" in capsys.readouterr().out
    assert app.run(["check", "ticket", "--target", "net.onnx"]) == 0
    assert "verified: ticket" in capsys.readouterr().out
    assert app.run(["check", "ticket", "--target", "other.onnx"]) == 1
    assert "the stored target is not the network given" in capsys.readouterr().err
