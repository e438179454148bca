"""Networks as graphs: values against plain numpy, refusals that name the node, digest, dense chains."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slth.errors import InvalidInput
from slth.networks.basis import DenseBasis
from slth.networks.layers import Add, Input, Linear, Node, ReLU
from slth.networks.network import Network, dense_network

ONE = np.ones((1, 1, 1))


def dense(name: str, source: str, weight: Any, bias: Any = None) -> Linear:
    return Linear(name, source, np.asarray(weight, dtype=float)[:, :, None], ONE, bias)


def residual_network() -> Network:
    """x -> x + W2 relu(W1 x + b1)."""
    rng = np.random.default_rng(0)
    nodes = (
        Input("x", 3),
        dense("up", "x", rng.normal(size=(5, 3)), rng.normal(size=5)),
        ReLU("act", "up"),
        dense("down", "act", rng.normal(size=(3, 5))),
        Add("out", ("x", "down")),
    )
    return Network(nodes, "out")


@given(
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    biased=st.lists(st.booleans(), min_size=4, max_size=4),
    seed=st.integers(0, 2**32),
    batch=st.integers(0, 4),
)
def test_dense_network_equals_plain_numpy(widths: list[int], biased: list[bool], seed: int, batch: int) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(o, i)) for i, o in pairwise(widths)]
    biases = [rng.normal(size=w.shape[0]) if b else None for w, b in zip(weights, biased, strict=False)]
    network = dense_network(weights, biases)
    x = rng.normal(size=(batch, widths[0]))
    expected = x
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        expected = np.array([[sum(w[r] * row) for r in range(len(w))] for row in expected]).reshape(
            batch, len(w)
        )
        expected = expected + (0 if b is None else b)
        if i < len(weights) - 1:
            expected = np.where(expected > 0, expected, 0.0)
    result = network.forward(x)
    assert result.shape == (batch, widths[-1])
    assert np.allclose(result, expected, rtol=1e-12, atol=1e-12)
    for row, value in zip(x, result, strict=True):
        assert np.allclose(network.forward(row), value, rtol=1e-12, atol=1e-12)
    assert network.parameters == sum(w.size for w in weights) + sum(b.size for b in biases if b is not None)
    chain = network.dense_chain()
    assert [layer.name for layer in chain] == [f"layer{i + 1}" for i in range(len(weights))]
    for layer, w, b in zip(chain, weights, biases, strict=True):
        assert np.array_equal(layer.weight, w)
        assert (layer.inputs, layer.outputs) == (w.shape[1], w.shape[0])
        assert (layer.bias is None) if b is None else np.array_equal(layer.bias, b)


@given(
    coefficients=hnp.arrays(np.float64, (2, 3, 4), elements=st.integers(-9, 9)),
    basis=hnp.arrays(np.float64, (4, 2, 5), elements=st.integers(-3, 3)),
)
def test_matrix_is_coefficients_times_basis(coefficients: Any, basis: Any) -> None:
    layer = Linear("l", "x", coefficients, basis)
    expected = np.zeros((2 * 2, 3 * 5))
    for o in range(2):
        for i in range(3):
            for p in range(4):
                expected[2 * o : 2 * o + 2, 5 * i : 5 * i + 5] += coefficients[o, i, p] * basis[p]
    assert np.array_equal(layer.matrix(), expected)
    assert (layer.outputs, layer.inputs, layer.parameters) == (4, 15, 24)
    x = np.arange(15.0)
    assert np.array_equal(Network((Input("x", 15), layer), "l").forward(x), expected @ x)


def test_linear_nodes_may_be_named() -> None:
    net = dense_network([np.ones((2, 3)), np.ones((1, 2))], names=["fc1", "head"])
    assert [node.name for node in net.order] == ["input", "fc1", "relu1", "head"]
    assert net.output == "head"
    with pytest.raises(InvalidInput, match=r"`names` must have one name per weight matrix \(1\); got 2"):
        dense_network([[[1.0]]], names=["a", "b"])
    with pytest.raises(InvalidInput, match="`nodes` must have distinct names; got 'relu1' twice"):
        dense_network([[[1.0]], [[1.0]]], names=["a", "relu1"])
    with pytest.raises(InvalidInput, match="`name of a node` must be 1 to 255 printable characters; got 7"):
        dense_network([[[1.0]]], names=[7])  # type: ignore[list-item]


def test_a_convolution_is_a_basis_of_translations() -> None:
    n, kernel = 6, np.array([2.0, -1.0, 0.5])
    shifts = np.array([np.roll(np.eye(n), shift, axis=0) for shift in range(3)])
    net = Network((Input("x", n), Linear("conv", "x", kernel[None, None, :], shifts)), "conv")
    x = np.random.default_rng(0).integers(-8, 8, size=n).astype(float)
    assert np.array_equal(net.forward(x), sum(k * np.roll(x, s) for s, k in enumerate(kernel)))
    assert net.parameters == 3
    assert net.dense_chain()[0].weight.shape == (n, n)


def test_dense_matrix_is_the_coefficients_without_copy_and_read_only() -> None:
    layer = dense("l", "x", [[1.0, 2.0]])
    assert np.shares_memory(layer.matrix(), layer.coefficients)
    assert isinstance(layer.basis, DenseBasis)
    for array in (layer.matrix(), layer.coefficients, layer.basis.array):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0


def test_arrays_are_copied_in() -> None:
    weight = np.ones((1, 2))
    network = dense_network([weight])
    weight[:] = 5.0
    assert network.forward([1.0, 1.0]) == 2.0


def test_residual_path() -> None:
    network = residual_network()
    up, down = network.nodes[1], network.nodes[3]
    assert isinstance(up, Linear)
    assert isinstance(down, Linear)
    x = np.random.default_rng(1).normal(size=(4, 3))
    expected = x + np.maximum(x @ up.matrix().T + up.bias, 0) @ down.matrix().T
    assert np.allclose(network.forward(x), expected, rtol=1e-13)
    before = x.copy()
    network.forward(x)
    assert np.array_equal(x, before)


def test_add_of_the_same_node_twice_and_of_three() -> None:
    net = Network((Input("x", 2), Add("twice", ("x", "x")), Add("sum", ("x", "twice", "x"))), "sum")
    x = np.array([1.0, -3.0])
    assert net.forward(x).tolist() == [4.0, -12.0]
    assert x.tolist() == [1.0, -3.0]


def test_network_of_the_input_alone() -> None:
    net = Network((Input("x", 2),), "x")
    assert net.forward([1.0, 2.0]).tolist() == [1.0, 2.0]
    with pytest.raises(InvalidInput, match="`network` must end in a Linear node; got the output 'x'"):
        net.dense_chain()


def test_order_of_listing_does_not_matter() -> None:
    network = residual_network()
    shuffled = Network(tuple(reversed(network.nodes)), "out")
    x = np.random.default_rng(1).normal(size=(4, 3))
    assert np.array_equal(network.forward(x), shuffled.forward(x))
    assert network.digest() == shuffled.digest()
    assert network == shuffled
    assert hash(network) == hash(shuffled)
    assert network != "network"


def test_a_new_kind_of_node_needs_no_change_elsewhere() -> None:
    class Negate(ReLU):
        def apply(self, values: Any) -> Any:
            return -values[0]

    net = Network((Input("x", 2), Negate("minus", "x")), "minus")
    assert net.forward([1.0, -2.0]).tolist() == [-1.0, 2.0]
    assert net.digest() != Network((Input("x", 2), ReLU("minus", "x")), "minus").digest()


def test_thousands_of_nodes() -> None:
    nodes: list[Node] = [Input("n0", 1)]
    nodes += [
        Add(f"n{i + 1}", (f"n{i}", f"n{i}")) if i % 1000 == 0 else ReLU(f"n{i + 1}", f"n{i}")
        for i in range(5000)
    ]
    assert Network(tuple(reversed(nodes)), "n5000").forward([1.0]) == 2.0**5


@pytest.mark.parametrize(
    ("nodes", "output", "match"),
    [
        ((), "x", "`output` must be the name of a node; got 'x'"),
        ((Input("x", 1),), "y", "`output` must be the name of a node; got 'y'"),
        ((Input("x", 1), "y"), "x", r"`nodes` must hold nodes \(Input, Linear, .*, MaxPool\); got str"),
        ((Input("x", 1), ReLU("x", "x")), "x", "`nodes` must have distinct names; got 'x' twice"),
        ((Input("x", 1), ReLU("r", "q")), "r", r"got 'q', unknown \(node 'r'\)"),
        ((Input("x", 1), Input("z", 1), Add("s", ("x", "z"))), "s", r"exactly one Input; got 2 \(x, z\)"),
        ((ReLU("a", "b"), ReLU("b", "a")), "a", "exactly one Input; got 0"),
        (
            (Input("x", 1), ReLU("a", "c"), Add("b", ("x", "a")), ReLU("c", "b")),
            "c",
            r"no cycle; got one through or before node\(s\) 'a', 'b', 'c'\.",
        ),
        ((Input("x", 1), ReLU("a", "a")), "a", r"no cycle; got one through or before node\(s\) 'a'"),
        (
            (Input("x", 1), ReLU("a", "x"), ReLU("b", "x")),
            "a",
            "must all lead to the output 'a'; got node 'b'",
        ),
        (
            (Input("x", 2), Linear("l", "x", [[[1.0]]], ONE)),
            "l",
            "got node 'l' with 1 inputs reading 'x' of size 2",
        ),
        (
            (Input("x", 1), Linear("l", "x", [[[1.0]], [[1.0]]], ONE), Add("s", ("x", "l"))),
            "s",
            "got node 's' adding 'x' of size 1, 'l' of size 2",
        ),
    ],
)
def test_graphs_that_are_refused(nodes: tuple[Node, ...], output: str, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        Network(nodes, output)


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: Input("", 1), "`name of a node` must be 1 to 255 printable characters; got ''"),
        (lambda: Input("a\nb", 1), "`name of a node` must be 1 to 255 printable characters"),
        (lambda: ReLU("a" * 256, "x"), "`name of a node` must be 1 to 255 printable characters"),
        (lambda: ReLU(3, "x"), "`name of a node` must be 1 to 255 printable characters; got 3"),  # type: ignore[arg-type]
        (lambda: ReLU("r", ""), "`input of node 'r'` must be 1 to 255 printable characters"),
        (lambda: Input("x", 0), r"`size of node 'x'` must be an integer in \[1, 2147483648\]; got 0"),
        (lambda: Input("x", 1.0), "`size of node 'x'` must be an integer"),  # type: ignore[arg-type]
        (lambda: Add("s", ("x",)), r"`inputs of node 's'` must name two or more nodes; got \('x',\)"),
        (lambda: Add("s", "xy"), "`inputs of node 's'` must name two or more nodes; got 'xy'"),  # type: ignore[arg-type]
        (lambda: Add("s", ("x", "")), "`inputs of node 's'` must be 1 to 255 printable"),
        (lambda: dense("l", "x", [[np.nan]]), r"`coefficients of node 'l'` must be finite; got nan at index"),
        (lambda: dense("l", "x", [[1.0]], [np.inf]), "`bias of node 'l'` must be finite; got inf at index 0"),
        (lambda: Linear("l", "x", [[[1.0]]], [[[np.inf]]]), "`basis of node 'l'` must be finite"),
        (lambda: Linear("l", "x", [[1.0]], ONE), r"`coefficients of node 'l'` must have 3 dimension\(s\)"),
        (lambda: Linear("l", "x", [[[1.0]]], [[1.0]]), r"`basis of node 'l'` must have 3 dimension\(s\)"),
        (
            lambda: Linear("l", "x", np.ones((1, 0, 1)), ONE),
            r"`coefficients of node 'l'` must not be empty; .* \(1, 0, 1\)",
        ),
        (
            lambda: Linear("l", "x", np.ones((1, 1, 1)), np.ones((1, 0, 1))),
            "`basis of node 'l'` must not be empty",
        ),
        (
            lambda: Linear("l", "x", [[[1.0, 2.0]]], ONE),
            "`basis of node 'l'` must have one matrix .* got 1 matrices for 2",
        ),
        (
            lambda: dense("l", "x", [[1.0]], [1.0, 2.0]),
            r"`bias of node 'l'` must have one number per output \(1\); got 2",
        ),
        (lambda: dense_network([]), "`weights` must hold at least one matrix; got none"),
        (lambda: dense_network([[[1.0]]], []), r"`biases` must have one entry per weight matrix \(1\); got 0"),
        (lambda: dense_network([[1.0]]), r"`weights\[0\]` must have 2 dimension\(s\)"),
        (lambda: dense_network([[[1.0]], [["a"]]]), r"`weights\[1\]` must be an array of real numbers"),
        (lambda: dense_network([[[1.0]], [[np.nan]]]), r"`weights\[1\]` must be finite"),
        (lambda: dense_network([[[1.0]]], [[[1.0]]]), r"`biases\[0\]` must have 1 dimension\(s\)"),
        (lambda: dense_network([np.ones((0, 3))]), "`coefficients of node 'layer1'` must not be empty"),
        (lambda: dense_network([np.ones((3, 0))]), "`coefficients of node 'layer1'` must not be empty"),
        (
            lambda: dense_network([np.ones((2, 3)), np.ones((2, 3))]),
            "node 'layer2' with 3 inputs reading 'relu1' of size 2",
        ),
    ],
)
def test_nodes_that_are_refused(build: Callable[[], object], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        build()


@pytest.mark.parametrize(
    ("x", "match"),
    [
        ([1.0, 2.0], r"`x` must have 3 entries per input; got 2 \(shape \(2,\)\)"),
        (np.ones((3, 2)), r"`x` must have 3 entries per input; got 2 \(shape \(3, 2\)\)"),
        (1.0, r"`x` must have 1 or 2 dimension\(s\); got shape \(\)"),
        (np.ones((1, 1, 3)), r"`x` must have 1 or 2 dimension\(s\)"),
        ([1.0, np.nan, 0.0], "`x` must be finite; got nan at index 1"),
        ([[1.0, 0.0, -np.inf]], r"`x` must be finite; got -inf at index \(0, 2\)"),
        (["a", "b", "c"], "`x` must be an array of real numbers"),
    ],
)
def test_inputs_that_are_refused(x: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        residual_network().forward(x)


@pytest.mark.parametrize(
    ("nodes", "output", "place"),
    [
        ((Input("x", 1), ReLU("r", "x"), dense("l", "r", [[1]])), "l", "got ReLU reading 'x' (node 'r')"),
        (
            (Input("x", 1), dense("a", "x", [[1]]), dense("b", "a", [[1]])),
            "b",
            "got Linear reading 'a' (node 'b')",
        ),
        (
            (Input("x", 1), dense("a", "x", [[1]]), Add("s", ("x", "a"))),
            "s",
            "got Add reading 'x', 'a' (node 's')",
        ),
    ],
)
def test_chain_names_the_node_out_of_place(nodes: tuple[Node, ...], output: str, place: str) -> None:
    with pytest.raises(InvalidInput, match=r"must be a chain of Linear, ReLU, Linear, \.\.\.; ") as caught:
        Network(nodes, output).dense_chain()
    assert place in str(caught.value)


def test_chain_must_not_end_in_relu() -> None:
    net = Network((Input("x", 1), dense("a", "x", [[1]]), ReLU("r", "a")), "r")
    with pytest.raises(InvalidInput, match="must end in a Linear node; got the output 'r'"):
        net.dense_chain()


def test_golden_digest() -> None:
    """The bytes written out by hand; the value must never change between versions or platforms."""
    network = dense_network([[[1.0, -2.5]], [[0.1]]], [[3.0], None])
    parts = [
        '{"format":"slth-network/1","output":"layer2"}',
        '{"arrays":[],"kind":"Input","name":"input","parents":[],"size":2}',
        '{"arrays":[["basis",[1,1,1]],["bias",[1]],["coefficients",[1,2,1]]],'
        '"kind":"Linear","name":"layer1","parents":["input"],"size":1}',
        "000000000000f03f" + "0000000000000840" + "000000000000f03f" + "00000000000004c0",
        '{"arrays":[["basis",[1,1,1]],["coefficients",[1,1,1]]],'
        '"kind":"Linear","name":"layer2","parents":["relu1"],"size":1}',
        "000000000000f03f" + "9a9999999999b93f",
        '{"arrays":[],"kind":"ReLU","name":"relu1","parents":["layer1"],"size":1}',
    ]
    content = b""
    for part in parts:
        if part.startswith("{"):
            content += len(part).to_bytes(8, "little") + part.encode()
        else:
            content += bytes.fromhex(part)
    assert network.digest() == hashlib.sha256(content).hexdigest()
    assert network.digest() == "c405db8b10de50acd2d09db157e33ffb49feb99994bbd8110b4f81f9767414e4"


def test_digest_sees_every_change() -> None:
    weights = [np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0]])]
    base = dense_network(weights, [[0.0, 0.0], None])
    others = [
        dense_network([weights[0].T, weights[1]], [[0.0, 0.0], None]),
        dense_network(weights, [None, None]),
        dense_network(weights, [[0.0, -0.0], None]),
        dense_network(weights, [[0.0, 5e-324], None]),
        dense_network(weights, [[0.0, 0.0], [0.0]]),
        dense_network([np.nextafter(weights[0], 9), weights[1]], [[0.0, 0.0], None]),
        Network(base.nodes[:3], "relu1"),
        Network((*base.nodes, ReLU("end", "layer2")), "end"),
    ]
    assert len({net.digest() for net in [base, *others]}) == len(others) + 1
