"""Bases, windows, pools and grouped layers against literal sums; equality by content; refusals in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slth.errors import CapacityExceeded, InvalidInput
from slth.networks.basis import Basis, DenseBasis, OrbitBasis, Translations
from slth.networks.layers import Flatten, Input, Linear, Node, ReLU
from slth.networks.network import Network
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Windows

SETS = np.where(np.eye(3, dtype=bool), 0, 1)


def literal(basis: Basis) -> Any:
    """The maps (p, s, t), column by column from unit vectors."""
    units = np.eye(basis.inputs)[:, None, :]
    return basis.columns(units)[:, 0].transpose(1, 2, 0)


@st.composite
def bases(draw: Any) -> Basis:
    kind = draw(st.sampled_from(["dense", "orbits", "line", "image"]))
    if kind == "dense":
        array = draw(hnp.arrays(np.float64, (2, 3, 4), elements=st.integers(-3, 3)))
        return DenseBasis(array, np.ones((1, 3)) if draw(st.booleans()) else None)
    if kind == "orbits":
        labels = np.append(draw(hnp.arrays(np.int64, (11,), elements=st.integers(-1, 2))), [0, 1, 2, 0])
        return OrbitBasis(labels.reshape(5, 3), [0, 1, 1, 0, 2] if draw(st.booleans()) else None)
    axes = 1 if kind == "line" else 2
    mode = draw(st.sampled_from(["zeros", "circular"]))
    pads = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(axes))
    numbers = [tuple(draw(st.integers(1, top)) for _ in range(axes)) for top in (3, 2, 2)]
    spatial = tuple(draw(st.integers(5, 6)) for _ in range(axes))
    return Translations(spatial, numbers[0], numbers[1], pads, mode, numbers[2])


@given(basis=bases(), groups=st.integers(1, 2), biased=st.booleans(), seed=st.integers(0, 99))
def test_a_layer_is_the_sum_of_coefficients_times_maps(
    basis: Basis, groups: int, biased: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    o, i = 2 * groups, 3
    coefficients = rng.integers(-8, 9, (o, i, basis.count)).astype(float)
    bias = rng.integers(-8, 9, o * basis.bias_count).astype(float) if biased else None
    layer = Linear("l", "x", coefficients, basis, bias, groups)
    maps = literal(basis)
    s, t = basis.outputs, basis.inputs
    expected = np.zeros((o, s, i * groups, t))
    for row in range(o):
        for column in range(i):
            place = row // 2 * i + column
            expected[row, :, place] = sum(c * m for c, m in zip(coefficients[row, column], maps, strict=True))
    matrix = layer.matrix()
    assert np.array_equal(matrix, expected.reshape(o * s, i * groups * t))
    x = rng.integers(-8, 9, (3, i * groups * t)).astype(float)
    added = np.zeros(o * s) if biased is False else layer.bias_vector()
    network = Network((Input("x", layer.inputs), layer), "l")
    assert np.array_equal(network.forward(x), x @ matrix.T + added)
    assert (layer.inputs, layer.outputs) == matrix.shape[::-1]
    assert layer.parameters == coefficients.size + (0 if bias is None else bias.size)
    structure, arrays = network.to_spec()
    again = Network.from_spec(structure, {name: array.copy() for name, array in arrays.items()})
    assert again == network
    assert again.to_spec()[0] == structure
    assert again.nodes[1].basis == basis  # type: ignore[attr-defined]
    assert hash(again.nodes[1].basis) == hash(basis)  # type: ignore[attr-defined]


@given(basis=bases())
def test_identity_is_found_where_there_is_one(basis: Basis) -> None:
    maps = literal(basis)
    same = [p for p, m in enumerate(maps) if m.shape[0] == m.shape[1] and np.array_equal(m, np.eye(len(m)))]
    assert basis.identity == (same[0] if same else None)


def test_identities_by_hand() -> None:
    assert Translations((4, 5), 3, padding=1).identity == 4
    assert Translations((4, 5), 3, padding=1, stride=2).identity is None
    assert Translations(4, 1).identity == 0
    assert Translations(4, 3).identity is None
    assert OrbitBasis(SETS).identity == 0
    assert OrbitBasis(1 - SETS).identity == 1
    assert OrbitBasis(np.zeros((3, 3), int)).identity is None
    assert OrbitBasis(np.eye(2, dtype=int) - 1).identity == 0
    assert OrbitBasis(np.eye(2, dtype=int)[::-1] - 1).identity is None
    assert DenseBasis(np.ones((1, 1, 1))).identity == 0
    assert DenseBasis(2 * np.ones((1, 1, 1))).identity is None


def test_biases() -> None:
    bias = np.array([1.0, 2.0])
    assert OrbitBasis(SETS).bias_vector(bias[:, None]).tolist() == [[1.0] * 3, [2.0] * 3]
    two = OrbitBasis(SETS, [0, 1, 0])
    assert two.bias_count == 2
    assert two.bias_vector(np.array([[1.0, 5.0]])).tolist() == [[1.0, 5.0, 1.0]]
    free = DenseBasis(np.ones((1, 2, 2)))
    assert free.bias_vector(np.array([[1.0, 5.0]])).tolist() == [[1.0, 5.0]]
    assert DenseBasis(np.ones((1, 2, 2)), [[1, -1]]).bias_vector(bias[:, None]).tolist() == [[1, -1], [2, -2]]
    assert Translations(3, 1).bias_vector(bias[:, None]).tolist() == [[1.0] * 3, [2.0] * 3]


def test_bases_are_equal_by_content() -> None:
    found = [
        DenseBasis(np.ones((1, 2, 2))),
        DenseBasis(np.ones((1, 2, 2)), np.eye(2)),
        DenseBasis(np.ones((2, 2, 1))),
        OrbitBasis(SETS),
        OrbitBasis(SETS, [0, 1, 0]),
        OrbitBasis(SETS.T[::-1]),
        Translations(3, 2),
        Translations(3, 2, padding=((0, 0),), stride=2),
        Translations(3, 2, padding_mode="circular"),
    ]
    assert len(set(found)) == len(found)
    assert OrbitBasis(SETS.astype(np.uint8)) == OrbitBasis(SETS)
    assert Translations((3,), (2,)) == Translations(3, 2)
    assert OrbitBasis(SETS) != "orbits"


def test_digest_sees_windows_and_groups() -> None:
    def net(basis: Basis, groups: int = 1) -> Network:
        layer = Linear("l", "x", np.ones((2, 2 // groups, 3)), basis, None, groups)
        return Network((Input("x", layer.inputs), layer), "l")

    found = [
        net(Translations(6, 3, padding=1)),
        net(Translations(6, 3, padding=1, padding_mode="circular")),
        net(Translations(6, 3, padding=((0, 2),))),
        net(Translations(6, 3, padding=1), 2),
        net(OrbitBasis(np.arange(36).reshape(6, 6) % 3)),
        net(OrbitBasis(np.arange(36).reshape(6, 6) % 3, [0, 1] * 3)),
    ]
    assert len({network.digest() for network in found}) == len(found)


def test_large_batches_are_done_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 2 * 36))
    layer = Linear("l", "x", rng.normal(size=(3, 2, 9)), Translations((6, 6), 3, padding=1))
    pool = MaxPool("p", "l", 3, Windows((6, 6), 2, 2))
    network = Network((Input("x", 72), layer, pool), "p")
    whole = network.forward(x)
    monkeypatch.setattr("slth.networks.basis.COLUMN_BYTES", 1)
    monkeypatch.setattr("slth.networks.pooling.GATHER_BYTES", 1)
    assert np.array_equal(network.forward(x), whole)


def test_matrices_that_are_too_large_are_refused_and_not_needed() -> None:
    basis = Translations((128, 128), 3, padding=1)
    layer = Linear("big", "x", np.ones((1, 1, 9)), basis)
    with pytest.raises(CapacityExceeded, match=r"node 'big' \(16384 x 16384\) needs 2048 MiB, more than 512"):
        layer.matrix()
    assert Network((Input("x", 128**2), layer), "big").forward(np.ones(128**2)).max() == 9.0


def test_pools_for_certificates() -> None:
    windows = Windows((4, 4), 3, 2, 1)
    pool = MaxPool("p", "x", 1, windows)
    assert pool.lipschitz_squared == windows.overlap == 4
    assert MaxPool("p", "x", 1, Windows(6, 2, 2)).lipschitz_squared == 1
    average = AveragePool("p", "x", 1, windows, count_padding=False)
    assert np.allclose(average.matrix().sum(axis=1), 1.0)
    assert average.divisors().tolist() == [4.0, 6.0, 6.0, 9.0]
    assert AveragePool("p", "x", 1, windows).matrix().sum() == pytest.approx((4 + 6 + 6 + 9) / 9)


def test_flatten_is_nothing_and_a_chain_passes_over_it() -> None:
    nodes = (
        Input("x", 4),
        Linear("a", "x", np.ones((2, 1, 2)), Translations((2, 2), (1, 2))),
        Flatten("f", "a"),
        ReLU("r", "f"),
        Linear("b", "r", np.ones((1, 4, 1)), np.ones((1, 1, 1))),
    )
    network = Network(nodes, "b")
    assert [layer.name for layer in network.dense_chain()] == ["a", "b"]
    assert network.forward(np.ones(4)) == 8.0


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: Windows((2, 2, 2), 1), "`spatial` must have 1 or 2 axes"),
        (lambda: Windows(0, 1), r"`spatial` must be an integer in \[1, 16777216\]; got 0"),
        (lambda: Windows(3, (1, 1)), r"`kernel` must have one number per axis \(1\); got \(1, 1\)"),
        (lambda: Windows(3, 4), r"`kernel` must fit the padded input; got 4 positions for 3 \(axis 0\)"),
        (lambda: Windows((5, 3), 2, dilation=(1, 3)), r"got 4 positions for 3 \(axis 1\)"),
        (lambda: Windows(3, 1, stride=0), "`stride` must be an integer in"),
        (lambda: Windows(3, 1, padding=-1), "`padding` must be an integer in"),
        (lambda: Windows(3, 1, padding=((1, 1, 1),)), r"`padding` must be numbers or pairs \(before, after\)"),
        (lambda: Windows((3, 3), 1, padding=(1, 2, 3)), r"`padding` must have one entry per axis \(2\)"),
        (lambda: Windows(3, 1, padding_mode="reflect"), "`padding_mode` must be one of 'zeros', 'circular'"),
        (lambda: Windows(3, 1, padding=4, padding_mode="circular"), r"at most the input \(3\) to be circular"),
        (lambda: DenseBasis(np.ones((1, 0, 2))), "`basis` must not be empty"),
        (
            lambda: DenseBasis(np.ones((1, 2, 2)), np.ones((1, 3))),
            "`bias_basis` must have vectors of 2 entries",
        ),
        (lambda: OrbitBasis([[0.5]]), r"`labels` must be whole numbers in 2 dimension\(s\), not empty"),
        (lambda: OrbitBasis([[0, 2]]), r"use every number from 0 up to its largest and -1 only; got \[0, 2\]"),
        (lambda: OrbitBasis([[-1, -1]]), r"use every number from 0 .* got \[-1\]"),
        (lambda: OrbitBasis([[-2, 0]]), r"use every number from 0 .* got \[-2, 0\]"),
        (lambda: OrbitBasis([[1, 1]]), r"use every number from 0 .* got \[1\]"),
        (lambda: OrbitBasis([[0]], [-1]), r"`bias_labels` must use every number from 0 up to its largest only"),
        (lambda: OrbitBasis([[0]], [0, 0]), r"one number per row of `labels` \(1\); got 2"),
        (
            lambda: Linear("l", "x", np.ones((3, 1, 1)), np.ones((1, 1, 1)), groups=2),
            r"divide the output .* \(3\)",
        ),
        (
            lambda: Linear("l", "x", np.ones((2, 1, 3)), Translations(5, 3), np.ones(6)),
            r"one number per invariant of each output feature \(2\); got 6",
        ),
        (lambda: MaxPool("p", "x", 0, Windows(3, 1)), "`features of node 'p'` must be an integer in"),
        (
            lambda: MaxPool("p", "x", 1, Windows(3, 1, padding=1)),
            "`padding of node 'p'` must leave every window",
        ),
        (lambda: AveragePool("p", "x", 1, Translations(3, 1)), "`windows of node 'p'` must be Windows with"),
        (
            lambda: Network((Input("x", 5), MaxPool("p", "x", 2, Windows(3, 1))), "p"),
            "got node 'p' with 6 inputs reading 'x' of size 5",
        ),
    ],
)
def test_what_is_refused(build: Callable[[], object], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        build()


def test_tables_that_are_too_large() -> None:
    with pytest.raises(CapacityExceeded, match="more than the 67108864 entries that a table may hold"):
        Windows((4096, 4096), 5)


def whole() -> tuple[Any, dict[str, Any]]:
    nodes: tuple[Node, ...] = (
        Input("x", 32),
        Linear("c", "x", np.ones((2, 1, 9)), Translations((4, 4), 3, padding=1), [1.0, 2.0], 2),
        AveragePool("a", "c", 2, Windows((4, 4), 2, 2)),
        Linear("o", "a", np.ones((1, 2, 2)), OrbitBasis(np.arange(8).reshape(2, 4) % 2), [0.5]),
    )
    structure, arrays = Network(nodes, "o").to_spec()
    return structure, dict(arrays)


def changed(path: str, value: Any) -> Callable[[Any, dict[str, Any]], None]:
    def change(structure: Any, arrays: dict[str, Any]) -> None:
        *keys, last = [int(key) if key.isdigit() else key for key in path.split("/")]
        place = structure
        for key in keys:
            place = place[key]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda s, _: s.update(more=1),
            r"`structure` must have exactly the keys \['format', 'nodes', 'output'\]",
        ),
        (changed("format", "slth-network/2"), "`format` must be 'slth-network/1'; got 'slth-network/2'"),
        (changed("output", 3), "`output` must be the name of a node; got 3"),
        (changed("output", "y"), "`output` must be the name of a node; got 'y'"),
        (changed("nodes", {}), "`nodes` must be a list of 1 to 100000 records"),
        (changed("nodes/0", 3), "node 0 of the file: `record` must have the keys"),
        (changed("nodes/0/more", 3), "node 0 of the file: `record` must have the keys"),
        (
            changed("nodes/0/kind", "Exec"),
            "node 0 of the file: `kind` must be one of Input, Linear, .* got 'Exec'",
        ),
        (changed("nodes/0/kind", ["Input"]), "`kind` must be one of"),
        (changed("nodes/0/size", 2**40), r"node 0 of the file: `size of node 'x'` must be an integer in"),
        (changed("nodes/1/size", 31), "`size` of node 'c' must be 32; got 31"),
        (changed("nodes/0/spec", {"deep": 1}), "node 0 of the file: `spec` must be as it is written"),
        (changed("nodes/1/parents", []), "`parents` must be as many as Linear reads"),
        (changed("nodes/1/parents", "x"), "`spec` must be an object and `parents` a list"),
        (changed("nodes/1/name", ["c"]), "`name of a node` must be 1 to 255 printable characters"),
        (changed("nodes/1/arrays", []), "`arrays` must be those that are stored"),
        (
            changed("nodes/1/spec/groups", 3),
            r"`groups of node 'c'` must divide the output features \(2\); got 3",
        ),
        (changed("nodes/1/spec/basis/kind", "magic"), "`basis` must be of a known kind"),
        (changed("nodes/1/spec/basis/kind", "orbits"), "`basis` must be of a known kind"),
        (changed("nodes/1/spec/basis/more", 1), "`windows` must have exactly the keys"),
        (changed("nodes/1/spec/basis/kernel", 3), "`kernel` must be a list; got 3"),
        (changed("nodes/1/spec/basis/kernel", [3]), "`spec` must be as it is written"),
        (changed("nodes/1/spec/basis/spatial", [[4], 4]), "`spatial` must be an integer in"),
        (changed("nodes/2/spec", {}), r"must hold the fields of AveragePool; .* \(KeyError\('features'\)\)"),
        (
            changed("nodes/2/spec/count_padding", 1.5),
            "`count_padding of node 'a'` must be True or False; got 1.5",
        ),
        (lambda _, a: a.pop("1.coefficients"), "`arrays` must be those that are stored"),
        (lambda _, a: a.update({"9.bias": np.ones(1)}), "named after a node's place and field; got '9.bias'"),
        (lambda _, a: a.update({"01.bias": np.ones(1)}), "named after a node's place and field; got '01.bias'"),
        (lambda _, a: a.update({"bias": np.ones(1)}), "named after a node's place and field; got 'bias'"),
        (lambda _, a: a.update({"1.bias": np.ones(2, np.float32)}), "float64 or int64; got float32"),
        (
            lambda _, a: a.update({"1.bias": np.array([1.0, np.nan])}),
            "`bias of node 'c'` must be finite; got nan",
        ),
        (lambda _, a: a.update({"3.labels": np.full((2, 4), 7)}), "`labels` must use every number from 0"),
    ],
)
def test_structures_that_are_refused(change: Any, match: str) -> None:
    structure, arrays = whole()
    Network.from_spec(structure, arrays)
    change(structure, arrays)
    with pytest.raises(InvalidInput, match=match):
        Network.from_spec(structure, arrays)


def test_only_known_kinds_are_written() -> None:
    class Other(ReLU):
        pass

    with pytest.raises(InvalidInput, match=re.escape("made of Input, Linear, ReLU, Add, Flatten, AveragePool")):
        Network((Input("x", 1), Other("o", "x")), "o").to_spec()
