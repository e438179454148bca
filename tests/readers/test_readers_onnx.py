"""ONNX files read: exported by torch and written by hand, all opsets alike, every refusal by name."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.networks.layers import Linear
from slth.networks.network import Network
from slth.readers.read import read

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
rng = np.random.default_rng(0)


def floats(*shape: int) -> Any:
    return rng.normal(size=shape).astype(np.float32)


def model(
    nodes: Sequence[Any],
    arrays: dict[str, Any],
    shape: Sequence[Any] = ("n", 4),
    *,
    opset: int = 20,
    sparse: Sequence[Any] = (),
    output: str = "y",
) -> Any:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
        sparse_initializer=list(sparse),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def parse(folder: Path, made: Any, **options: Any) -> Network:
    (folder / "net.onnx").write_bytes(made.SerializeToString())
    return read(folder / "net.onnx", **options)


def run(made: Any, x: Any) -> Any:
    """Outputs by onnxruntime, in float32."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})[0]


def node(kind: str, inputs: Sequence[str], output: str, name: str | None = None, **attributes: Any) -> Any:
    return helper.make_node(kind, list(inputs), [output], name=name or f"{kind.lower()}_{output}", **attributes)


W, B = floats(4, 3), floats(3)
GEMM = node("Gemm", ["x", "w", "b"], "y", "fc")
IMAGE = ("n", 2, 6, 5)
CASES: list[tuple[list[Any], dict[str, Any], Any]] = [
    ([GEMM], {"w": W, "b": B}, ("n", 4)),
    ([node("Gemm", ["x", "w"], "y", transB=1, alpha=2.0)], {"w": W.T}, (1, 4)),
    ([node("Gemm", ["x", "w", "b"], "y", beta=0.5)], {"w": W, "b": B[None]}, ("n", 4)),
    ([node("Gemm", ["x", "w", "b"], "y")], {"w": W, "b": B[0]}, ("n", 4)),
    ([node("MatMul", ["x", "w"], "h"), node("Add", ["h", "b"], "y")], {"w": W, "b": B}, ("n", 4)),
    ([node("MatMul", ["x", "w"], "h"), node("Add", ["b", "h"], "y")], {"w": W, "b": B[None]}, ("n", 4)),
    (
        [node("Gemm", ["x", "w"], "h"), node("Relu", ["h"], "r"), node("Add", ["r", "x"], "y")],
        {"w": floats(4, 4)},
        ("n", 4),
    ),
    ([node("Conv", ["x", "w"], "y", pads=[0, 1, 2, 0], strides=[2, 1])], {"w": floats(3, 2, 3, 2)}, IMAGE),
    ([node("Conv", ["x", "w"], "y", auto_pad="SAME_UPPER", strides=[2, 2])], {"w": floats(3, 2, 3, 2)}, IMAGE),
    ([node("Conv", ["x", "w"], "y", auto_pad="SAME_LOWER")], {"w": floats(3, 2, 2, 2)}, IMAGE),
    ([node("Conv", ["x", "w"], "y", auto_pad="VALID", dilations=[2, 1])], {"w": floats(3, 2, 2, 2)}, IMAGE),
    ([node("Conv", ["x", "w", "b"], "y", group=2)], {"w": floats(4, 1, 2, 2), "b": floats(4)}, IMAGE),
    (
        [node("Pad", ["x", "p"], "h"), node("Conv", ["h", "w"], "y", pads=[0, 0, 1, 1])],
        {"p": np.array([0, 0, 1, 2, 0, 0, 0, 1]), "w": floats(3, 2, 3, 3)},
        IMAGE,
    ),
    (
        [node("Pad", ["x", "p", "", "a"], "h", mode="wrap"), node("Conv", ["h", "w"], "y")],
        {"p": np.array([1, 2, 0, 1]), "a": np.array([2, 3]), "w": floats(3, 2, 3, 3)},
        IMAGE,
    ),
    (
        [
            node("Conv", ["x", "w"], "h"),
            node("BatchNormalization", ["h", "s", "b", "m", "v"], "k", epsilon=1e-3),
            node("Relu", ["k"], "y"),
        ],
        {"w": floats(3, 2, 3, 3), "s": floats(3), "b": floats(3), "m": floats(3), "v": np.abs(floats(3)) + 0.1},
        IMAGE,
    ),
    (
        [node("Conv", ["x", "w"], "h"), node("Add", ["h", "b"], "y")],
        {"w": floats(3, 2, 3, 3), "b": floats(1, 3, 1, 1)},
        IMAGE,
    ),
    (
        [node("Conv", ["x", "w"], "h"), node("MaxPool", ["h"], "y", kernel_shape=[2, 3], pads=[1, 1, 0, 1])],
        {"w": floats(3, 2, 1, 1)},
        IMAGE,
    ),
    (
        [
            node("AveragePool", ["x"], "h", kernel_shape=[2, 3], strides=[2, 2], pads=[1, 1, 0, 1]),
            node("Conv", ["h", "w"], "y"),
        ],
        {"w": floats(3, 2, 1, 1)},
        IMAGE,
    ),
    (
        [
            node("Conv", ["x", "w"], "h"),
            node("GlobalAveragePool", ["h"], "k"),
            node("Flatten", ["k"], "f"),
            node("Dropout", ["f"], "d"),
            node("Identity", ["d"], "y"),
        ],
        {"w": floats(3, 2, 3, 3)},
        IMAGE,
    ),
    (
        [node("Conv", ["x", "w"], "h"), node("ReduceMean", ["h", "a"], "y", keepdims=0)],
        {"w": floats(3, 2, 3, 3), "a": np.array([-1, 2])},
        IMAGE,
    ),
    (
        [node("GlobalMaxPool", ["x"], "h"), node("Reshape", ["h", "s"], "k"), node("MatMul", ["k", "w"], "y")],
        {"s": np.array([0, -1]), "w": floats(2, 3)},
        IMAGE,
    ),
    (
        [
            node("Constant", [], "s", value=numpy_helper.from_array(np.array([-1, 2, 2]))),
            node("Reshape", ["x", "s"], "h"),
            node("Conv", ["h", "w"], "y"),
        ],
        {"w": floats(3, 2, 1)},
        ("n", 4),
    ),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_values_are_those_of_onnxruntime(case: int, tmp_path: Path) -> None:
    nodes, arrays, shape = CASES[case]
    made = model(nodes, arrays, shape)
    batch = 3 if shape[0] == "n" else 1
    x = rng.normal(size=(batch, *shape[1:])).astype(np.float32)
    expected = run(made, x).reshape(batch, -1)
    found = parse(tmp_path, made).forward(x.reshape(batch, -1))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


def exported(module: Any, shape: Sequence[int], opset: int) -> Any:
    torch = pytest.importorskip("torch")
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            torch.zeros(1, *shape, dtype=torch.float64),
            buffer,
            dynamo=False,
            opset_version=opset,
            input_names=["x"],
            dynamic_axes={"x": {0: "n"}},
        )
    return onnx.load_from_string(buffer.getvalue())


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 20])
def test_what_torch_exports(opset: int, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular")
            self.norm = nn.BatchNorm2d(3)
            self.skip = nn.Conv2d(3, 3, (3, 2), padding="same", bias=False)
            self.late = nn.BatchNorm2d(3)
            self.pool = nn.AvgPool2d(2)
            self.fc = nn.Linear(12, 4)
            self.last = nn.Linear(4, 2, bias=False)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.norm(self.conv(x)))
            x = self.late(torch.relu(self.skip(x) + x))
            x = self.pool(x)
            x = torch.relu(self.fc(x.view(x.size(0), -1)))
            return torch.softmax(self.last(x), 1)

    torch.manual_seed(0)
    module = Net().double().eval()
    for norm in (module.norm, module.late):
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    network = parse(tmp_path, exported(module, (2, 5, 4), opset), output="logits")
    x = torch.randn(4, 2, 5, 4, dtype=torch.float64)
    with torch.no_grad():
        expected = module(x).numpy()
    found = np.exp(network.forward(x.reshape(4, -1).numpy()))
    found /= found.sum(axis=1, keepdims=True)
    assert np.abs(found - expected).max() <= 1e-12
    same = read(module, input_shape=(2, 5, 4), output="logits")
    assert np.abs(network.forward(x.reshape(4, -1)) - same.forward(x.reshape(4, -1))).max() <= 1e-12
    assert network.parameters == same.parameters


@pytest.mark.parametrize("kernel", [(3, 3), (2, 5), (1, 4)])
def test_circular_convolutions_as_torch_exports_them(kernel: Any, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    conv = torch.nn.Conv2d(1, 2, kernel, padding="same", padding_mode="circular").double()
    network = parse(tmp_path, exported(conv, (1, 6, 5), 17))
    x = torch.randn(3, 1, 6, 5, dtype=torch.float64)
    assert np.abs(network.forward(x.reshape(3, -1)) - conv(x).detach().reshape(3, -1).numpy()).max() < 1e-13


def test_names_come_from_weights_and_nodes(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", ["x", "a.weight"], "h", "/a/Gemm"),
        node("Relu", ["h"], "r", "/act"),
        node("MatMul", ["r", "w"], "y", "/last"),
    ]
    network = parse(tmp_path, model(nodes, {"a.weight": W, "w": floats(3, 2)}))
    assert [n.name for n in network.nodes] == ["x", "a", "/act", "/last"]


def test_sparse_initialisers_and_stored_inputs(tmp_path: Path) -> None:
    dense = np.zeros((4, 3), np.float32)
    dense[[0, 2, 3], [1, 0, 2]] = [1.0, -2.0, 3.0]
    places = np.flatnonzero(dense)
    for indices in (places, np.argwhere(dense)):
        sparse = helper.make_sparse_tensor(
            numpy_helper.from_array(dense.ravel()[places], "w"), numpy_helper.from_array(indices, "wi"), [4, 3]
        )
        made = model([node("MatMul", ["x", "w"], "y")], {}, sparse=[sparse])
        layer = parse(tmp_path, made).nodes[1]
        assert isinstance(layer, Linear)
        assert np.array_equal(layer.matrix(), dense.T)
    old = model([GEMM], {"w": W, "b": B}, opset=8)
    old.graph.input.append(helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [4, 3]))
    assert parse(tmp_path, old).parameters == 15


def test_a_truncated_file_is_noticed_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = model([GEMM], {"w": W, "b": B}).SerializeToString()
    path = tmp_path / "net.onnx"
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidInput, match=r"`source` must be a whole ONNX file; got .*net\.onnx, which"):
            read(path)
    path.write_bytes(b"not a model, but a line of text\n" * 9)
    with pytest.raises(InvalidInput, match="must be a whole ONNX file"):
        read(path)


def external() -> Any:
    made = model([GEMM], {"w": W, "b": B})
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return made


def short() -> Any:
    made = model([GEMM], {"w": W, "b": B})
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:-4]
    return made


def huge() -> Any:
    made = model([GEMM], {"w": W, "b": B})
    made.graph.initializer[0].dims[:] = [2**20, 2**20]
    return made


def many() -> Any:
    """Sparse arrays of a few bytes that are large together."""
    places, floats_of = np.zeros(1, np.int64), np.ones(1, np.float32)
    sparse = [
        helper.make_sparse_tensor(
            numpy_helper.from_array(floats_of, f"s{i}"),
            numpy_helper.from_array(places, f"i{i}"),
            [2**12, 2**15],
        )
        for i in range(5)
    ]
    return model([GEMM], {"w": W, "b": B}, sparse=sparse)


def two_outputs() -> Any:
    made = model([GEMM], {"w": W, "b": B})
    made.graph.output.append(made.graph.output[0])
    return made


CONV = node("Conv", ["x", "w"], "y", "conv")
NAN = W.copy()
NAN[1, 2] = np.nan


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: model([node("Gelu", ["x"], "y", "act")], {}),
            r"got Gelu \(layer 'act'\)\. Supported: Add, Av",
        ),
        (lambda: model([node("Sigmoid", ["x"], "y", "s")], {}), r"got Sigmoid \(layer 's'\)"),
        (lambda: model([node("NoSuch", ["x"], "y", "n")], {}), r"got NoSuch \(layer 'n'\)"),
        (
            lambda: model([helper.make_node("Relu", ["x"], ["y"], name="r", domain="com.me")], {}),
            r"got com\.me\.Relu \(layer 'r'\)",
        ),
        (lambda: model([GEMM], {"w": NAN, "b": B}), r"`weight of layer 'fc'` must be finite; got nan at index"),
        (lambda: model([GEMM], {"w": W}), r"a whole graph; got the unknown input 'b' \(layer 'fc'\)"),
        (
            lambda: model([GEMM], {"w": W.T, "b": B}),
            r"a dense layer a vector of 3; got shape \(4,\) \(layer 'fc'\)",
        ),
        (
            lambda: model([GEMM], {"w": W, "b": floats(2)}),
            "`bias of node 'fc'` must have one number per output",
        ),
        (lambda: model([GEMM], {"w": W, "b": B}, ("n", None)), r"dynamic shape \(None,\) of the input 'x'"),
        (
            lambda: model([CONV], {"w": floats(1, 1, 1, 1)}, ("n", 1, "h", "w")),
            r"dynamic shape \(1, None, None\)",
        ),
        (lambda: model([GEMM], {"w": W, "b": B}, opset=6), "opset 7 or later; got 6"),
        (external, r"keep its weights in the file; got external data \(layer 'w'\)"),
        (short, r"hold whole arrays; got .* \(layer 'w'\)"),
        (huge, r"at most 536870912 numbers in all; got shape \(1048576, 1048576\) \(layer 'w'\)"),
        (many, r"at most 536870912 numbers in all; got shape \(4096, 32768\) \(layer 's3'\)"),
        (two_outputs, "one input and one output; got 1 and 2"),
        (
            lambda: model([GEMM], {"w": W, "b": B}, output="z"),
            "compute its output 'z'; got nothing of the kind",
        ),
        (
            lambda: model([node("Gemm", ["w", "x"], "y", "fc")], {"w": W}),
            r"compute input 0 of Gemm; got a constant \(layer 'fc'\)",
        ),
        (
            lambda: model([node("MatMul", ["x", "x"], "y", "mm")], {}),
            r"store input 1 of MatMul; got a computed value \(layer 'mm'\)",
        ),
        (
            lambda: model(
                [node("MatMul", ["x", "w"], "h"), node("MatMul", ["h", "w"], "y", "two")], {"w": floats(4, 4)}
            ),
            r"got 'w' again: shared weights \(layer 'matmul_h'\)",
        ),
        (lambda: model([node("Gemm", ["x", "w"], "y", transA=1)], {"w": W}), "from the left; got transA"),
        (lambda: model([node("Relu", ["x"], "y")], {}), "at least one linear layer; got none"),
        (
            lambda: model([GEMM, node("Softmax", ["y"], "z", "tail")], {"w": W, "b": B}, output="z"),
            r"`output` must be 'logits' to read a network that ends in Softmax \(layer 'tail'\)",
        ),
        (
            lambda: model(
                [node("Add", ["x", "c"], "h", "plus"), node("MatMul", ["h", "w"], "y")], {"c": B, "w": W}
            ),
            r"add constants only as the bias of a linear layer; got a constant of shape \(3,\)",
        ),
        (
            lambda: model([node("Reshape", ["x", "s"], "y", "view")], {"s": np.array([2, 2])}),
            r"leave the batch axis alone; got a reshape to \(2, 2\) \(layer 'view'\)",
        ),
        (
            lambda: model([node("Reshape", ["x", "x"], "y", "view")], {}),
            r"reshape to stored sizes; got a computed value \(layer 'view'\)",
        ),
        (
            lambda: model(
                [node("Slice", ["x", "a", "b"], "y", "cut")], {"a": np.array([0]), "b": np.array([1])}
            ),
            r"slice values only to wrap them around; got \[0:1\] along axis 0 \(layer 'cut'\)",
        ),
        (
            lambda: model([node("Concat", ["x", "x"], "y", "join", axis=1)], {}),
            r"concatenate only to wrap a value around; got 2 parts \(layer 'join'\)",
        ),
        (
            lambda: model(
                [node("Pad", ["x", "p"], "h", "pad"), node("Relu", ["h"], "y", "act")],
                {"p": np.eye(1, 8, 2, dtype=int)[0]},
                IMAGE,
            ),
            r"compute input 0 of Relu; got part of a value \(layer 'act'\)",
        ),
        (
            lambda: model([node("Pad", ["x", "p"], "y", "pad", mode="edge")], {"p": np.zeros(8, int)}, IMAGE),
            r"zeros or by wrapping; got mode 'edge', value None \(layer 'pad'\)",
        ),
        (
            lambda: model(
                [node("AveragePool", ["x"], "y", "pool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
                {},
                IMAGE,
            ),
            r"pool without partial windows; got ceil_mode with a remainder \(layer 'pool'\)",
        ),
        (
            lambda: model(
                [node("BatchNormalization", ["x", "v", "v", "v", "v"], "y", "bn")],
                {"v": -np.ones(4, np.float32)},
            ),
            r"have positive running variances; got -1\.0 \+ .* \(layer 'bn'\)",
        ),
    ],
)
def test_files_that_are_refused(make: Callable[[], Any], match: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=match):
        parse(tmp_path, make())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.onnx"]


def test_input_shape_may_settle_a_dynamic_shape(tmp_path: Path) -> None:
    made = model([CONV], {"w": floats(1, 1, 2, 2)}, ("n", 1, "h", "w"))
    assert parse(tmp_path, made, input_shape=(1, 4, 3)).output_size == 6
    with pytest.raises(InvalidInput, match=r"agree with the file's input \(1, None, None\); got \(2, 4, 3\)"):
        parse(tmp_path, made, input_shape=(2, 4, 3))
    with pytest.raises(InvalidInput, match=r"`architecture` must be left out for an \.onnx file"):
        parse(tmp_path, made, architecture="dense 3")
