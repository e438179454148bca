"""Networks and inputs in array files: round trips, reproducible bytes, and every refusal in words."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.errors import InvalidInput, OutputExists
from slth.networks.layers import Add, Input, Linear
from slth.networks.network import Network, dense_network
from slth.readers.arrays import read_inputs, read_network, save_network

rng = np.random.default_rng(0)
GOOD = {
    "weight_1": rng.normal(size=(4, 3)),
    "bias_1": rng.normal(size=4),
    "weight_2": rng.normal(size=(2, 4)),
}


@given(
    widths=st.lists(st.integers(1, 4), min_size=2, max_size=13),
    biased=st.lists(st.booleans(), min_size=12, max_size=12),
    seed=st.integers(0, 99),
)
def test_round_trip(
    widths: list[int], biased: list[bool], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    draw = np.random.default_rng(seed)
    weights = [draw.normal(size=(o, i)) for i, o in pairwise(widths)]
    biases = [draw.normal(size=len(w)) if b else None for w, b in zip(weights, biased, strict=False)]
    network = dense_network(weights, biases)
    folder = tmp_path_factory.mktemp("round")
    save_network(network, folder / "a.npz")
    save_network(network, folder / "b.npz")
    again = read_network(folder / "a.npz")
    assert again == network
    assert again.digest() == network.digest()
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()


def test_reads_what_numpy_writes(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **{k: v.astype(np.float32) for k, v in GOOD.items()})
    network = read_network(tmp_path / "net.npz")
    w1, b1, w2 = (GOOD[k].astype(np.float32).astype(np.float64) for k in ("weight_1", "bias_1", "weight_2"))
    x = rng.normal(size=(5, 3))
    assert np.allclose(network.forward(x), np.maximum(x @ w1.T + b1, 0) @ w2.T, rtol=1e-13)
    assert network == dense_network([w1, w2], [b1, None])


def test_integer_weights_are_numbers_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", weight_1=np.array([[1, -2]]))
    assert read_network(tmp_path / "net.npz").forward([3.0, 1.0]) == 1.0


def test_save_refuses_what_it_cannot_keep(tmp_path: Path) -> None:
    network = dense_network([GOOD["weight_1"]])
    save_network(network, tmp_path / "net.npz")
    before = (tmp_path / "net.npz").read_bytes()
    with pytest.raises(OutputExists, match=r"`path` must not exist yet; got .*net\.npz'\. Choose another name"):
        save_network(dense_network([GOOD["weight_2"]]), tmp_path / "net.npz")
    assert (tmp_path / "net.npz").read_bytes() == before
    mix = Linear("mix", "x", [[[1.0]]], [[[1.0]]])
    with pytest.raises(InvalidInput, match=r"must be a chain .* \(node 'sum'\)"):
        save_network(Network((Input("x", 1), mix, Add("sum", ("x", "mix"))), "sum"), tmp_path / "r.npz")
    assert not (tmp_path / "r.npz").exists()


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {k: v for k, v in {**GOOD, **more}.items() if k not in names}


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({}, r"`path` must hold an array weight_1; got \[\]"),
        ({"bias_1": np.ones(3)}, r"`path` must hold an array weight_1; got \['bias_1'\]"),
        (without("weight_2", weight_3=np.ones((2, 4))), "without gap; .*, which lack weight_2"),
        (without("weight_1"), "without gap; .*, which lack weight_1"),
        (without(bias_3=np.ones(2)), "without gap; .*, which lack weight_3"),
        (without(extra=np.ones(2)), r"only arrays weight_1, bias_1, weight_2, \.\.\.; got 'extra'"),
        (without(weight_0=np.ones((2, 2))), "only arrays .* got 'weight_0'"),
        (without(weight_03=np.ones((2, 2))), "only arrays .* got 'weight_03'"),
        (without(weight_100000=np.ones((2, 2))), "only arrays .* got 'weight_100000'"),
        (without(weight_2=np.ones((2, 5))), "got node 'layer2' with 5 inputs reading 'relu1' of size 4"),
        (without(bias_1=np.ones(5)), r"`bias of node 'layer1'` must have one number per output \(4\); got 5"),
        (without(weight_2=np.ones(4)), r"`weight_2` must have 2 dimension\(s\); got shape \(4,\)"),
        (without(bias_1=np.ones((4, 1))), r"`bias_1` must have 1 dimension\(s\); got shape \(4, 1\)"),
        (
            without(weight_2=np.array([[1, np.nan, 0, 0]])),
            r"`weight_2` must be finite; got nan at index \(0, 1\)",
        ),
        (without(bias_1=np.full(4, -np.inf)), r"`bias_1` must be finite; got -inf at index 0 \(4 such"),
        (
            without(weight_2=np.ones((2, 4), dtype=bool)),
            "`weight_2` must be an array of real numbers; got dtype bool",
        ),
        (without(weight_2=np.ones((2, 4), dtype=complex)), "floats, integers or booleans; got dtype '<c16'"),
        (without(weight_2=np.ones((0, 4))), "`coefficients of node 'layer2'` must not be empty"),
        (without(weight_2=np.full((2, 4), 2**53 + 1)), "`weight_2` must fit float64 exactly"),
    ],
)
def test_networks_that_are_refused(arrays: dict[str, Any], match: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **arrays)
    with pytest.raises(InvalidInput, match=match):
        read_network(tmp_path / "net.npz")


def test_object_arrays_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "net.npz", weight_1=np.array([[Trap()]], dtype=object))
    with pytest.raises(InvalidInput, match=r"floats, integers or booleans; got dtype '\|O' \('weight_1' in"):
        read_network(tmp_path / "net.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("read", [read_network, read_inputs])
def test_files_that_are_none(read: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"`path` must be an existing file; got '.*none\.npz'"):
        read(tmp_path / "none.npz")
    with pytest.raises(InvalidInput, match="`path` must be an existing file"):
        read(tmp_path)
    path = tmp_path / "net.npz"
    for content in (b"", b"PK", b"not a zip archive at all, but long enough to hold one"):
        path.write_bytes(content)
        with pytest.raises(
            InvalidInput, match=r"`path` must be an \.npz file .* which is none or is truncated"
        ):
            read(path)
    np.savez(path, **GOOD)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InvalidInput, match="which is none or is truncated"):
        read(path)


def test_flipped_bit_in_a_weight_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    np.savez(path, **GOOD)
    content = bytearray(path.read_bytes())
    content[content.index(GOOD["weight_1"].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"Bad CRC-32 for file 'weight_1\.npy'"):
        read_network(path)


def test_inputs(tmp_path: Path) -> None:
    x = rng.normal(size=(5, 3))
    np.save(tmp_path / "x.npy", x.astype(np.float32))
    np.savez(tmp_path / "x.npz", inputs=np.asfortranarray(x))
    assert np.array_equal(read_inputs(tmp_path / "x.npy"), x.astype(np.float32))
    back = read_inputs(str(tmp_path / "x.npz"))
    assert np.array_equal(back, x)
    assert back.dtype == np.float64
    assert back.flags.c_contiguous


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({}, "`path` must hold an array `inputs`; got an empty archive"),
        ({"x": np.ones((2, 2))}, r"must hold only the arrays \['inputs'\]; got 'x'"),
        (
            {"inputs": np.ones((2, 2)), "labels": np.ones(2)},
            r"must hold only the arrays \['inputs'\]; got 'labels'",
        ),
        ({"inputs": np.ones(2)}, r"an array with 2 dimension\(s\); got shape \(2,\)"),
        ({"inputs": np.ones((2, 2), dtype=bool)}, "an array of kind f or i or u; got bool"),
        ({"inputs": np.array([[1.0, np.inf]])}, r"`inputs` must be finite; got inf at index \(0, 1\)"),
        ({"inputs": np.ones((0, 2))}, r"`inputs` must have at least one row and column; got shape \(0, 2\)"),
    ],
)
def test_inputs_that_are_refused(arrays: dict[str, Any], match: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InvalidInput, match=match):
        read_inputs(tmp_path / "x.npz")
