"""Tickets of convolutions, equivariant layers, sums and pools, exported with their source."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slth
from slth.groups.actions import trivial_action, tuples
from slth.groups.dense import dense_intertwiners
from slth.groups.families import cyclic
from slth.groups.intertwiners import orbits
from slth.groups.representations import regular_representation
from slth.networks.basis import DenseBasis, Translations
from slth.networks.equivariant import basis_of
from slth.networks.layers import Add, Flatten, Input, Linear, Node, ReLU
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.slots import linear_nodes
from slth.networks.windows import Windows
from slth.tickets.export import export, to_torch
from slth.tickets.masked import masked_source

rng = np.random.default_rng(0)


def images() -> slth.Network:
    """Convolutions of every kind (padded, strided, grouped, depthwise, circular), an identity path, pools."""
    weight = lambda *shape: rng.normal(0, 0.3, shape)  # noqa: E731
    nodes: tuple[Node, ...] = (
        Input("x", 2 * 5 * 4),
        Linear("a", "x", weight(4, 2, 9), Translations((5, 4), 3, padding=1), weight(4)),
        ReLU("a.relu", "a"),
        Linear(
            "b", "a.relu", weight(4, 2, 4), Translations((5, 4), 2, 1, ((0, 1), (1, 0)), "circular"), None, 2
        ),
        Linear("scale", "a.relu", weight(4, 1, 1), Translations((5, 4), 1), weight(4), 4),
        Add("sum", ("b", "a.relu", "scale")),
        MaxPool("max", "sum", 4, Windows((5, 4), 2, 2, ((0, 1), (0, 0)))),
        Linear("c", "max", weight(2, 4, 4), Translations((3, 2), 2, 2, ((1, 0), (0, 0))), [2.5, -0.7]),
        ReLU("c.relu", "c"),
        AveragePool("mean", "c.relu", 2, Windows((2, 1), (2, 1), 1)),
        Flatten("flat", "mean"),
        Linear("each", "flat", weight(2, 1, 1), DenseBasis(np.ones((1, 1, 1))), weight(2), 2),
        Linear("d", "each", weight(3, 2, 1), np.ones((1, 1, 1)), [0.1, -4.0, 2.0]),
    )
    return slth.Network(nodes, "d")


def pairs() -> slth.Network:
    """Pairs of three points to points to a number, with biases."""
    weight = lambda *shape: rng.normal(0, 0.3, shape)  # noqa: E731
    inner, down = orbits(tuples(3, 2), tuples(3, 2)), orbits(tuples(3, 2), tuples(3, 1))
    out = orbits(tuples(3, 1), trivial_action(tuples(3, 1)))
    nodes: tuple[Node, ...] = (
        Input("x", 9),
        Linear("pairs", "x", weight(2, 1, inner.count), basis_of(inner), weight(2 * inner.output_count)),
        ReLU("r", "pairs"),
        Linear("down", "r", weight(2, 2, down.count), basis_of(down), weight(2)),
        ReLU("q", "down"),
        Linear("out", "q", weight(1, 2, out.count), basis_of(out), weight(1)),
    )
    return slth.Network(nodes, "out")


def turning() -> slth.Network:
    """Dense matrices that commute with quarter turns, with a bias."""
    regular = regular_representation(cyclic(4))
    basis = basis_of(dense_intertwiners(regular, regular))
    layers = [
        Linear(f"t{i}", f"r{i}", rng.normal(0, 0.3, (2, 2, basis.count)), basis, [0.3, 0.2]) for i in (0, 1)
    ]
    nodes: tuple[Node, ...] = (Input("x", 8), ReLU("r0", "x"), layers[0], ReLU("r1", "t0"), layers[1])
    return slth.Network(nodes, "t1")


def plain() -> slth.Network:
    """Convolutions without biases, whose hidden neurons may choose their feature, and a dense layer."""
    nodes: tuple[Node, ...] = (
        Input("x", 8),
        Linear("a", "x", rng.normal(0, 0.5, (3, 2, 3)), Translations(4, 3, padding=1)),
        ReLU("r", "a"),
        Linear("b", "r", rng.normal(0, 0.5, (2, 3, 1)), Translations(4, 1, 2)),
        Linear("c", "b", rng.normal(0, 0.5, (2, 4, 1)), np.ones((1, 1, 1)), [0.5, -1.5]),
    )
    return slth.Network(nodes, "c")


def dense() -> slth.Network:
    """Dense layers, biases larger than weights in one of them."""
    return slth.dense_network(
        [rng.normal(0, 0.4, (6, 8)), rng.normal(0, 0.4, (3, 6))], [[0.3] * 6, [0.5, -1.5, 3]]
    )


PLAIN: dict[str, Any] = {"arrangement": "sign-matched"}


@cache
def ticket(kind: str) -> slth.Ticket:
    """Of images on signed inputs, of pairs on positive ones; of turns, whose outputs nothing is proved of."""
    if kind == "images":
        return slth.prune(images(), domain=slth.Domain.box(-1, 1, 40), eps=3.0, seed=1, k=3, copies=60, **PLAIN)
    if kind == "pairs":
        return slth.prune(pairs(), domain=slth.Domain.box(0, 1, 9), eps=0.2, seed=2, **PLAIN)
    if kind == "assigned":
        return slth.prune(plain(), domain=slth.Domain.box(0, 1, 8), eps=0.3, seed=5, arrangement=kind)
    if kind == "lifted":
        return slth.prune(dense(), domain=slth.Domain.box(-1, 1, 8), eps=0.3, seed=5, arrangement=kind)
    return slth.prune(turning(), domain=slth.Domain.box(0, 1, 8), tolerance=0.01, seed=3, **PLAIN)


KINDS = ("images", "pairs", "turning", "assigned")
EXPORTED = (*KINDS, "lifted")
# What float32 loses of the largest output: more where large constants cancel behind lifted neurons.
LOST = {"lifted": 5e-4}


def points(own: slth.Ticket, count: int = 20) -> Any:
    """Inputs of the domain that float32 holds exactly."""
    low, high = own.construction.domain.low, own.construction.domain.high
    # Tickets are kept from test to test and `rng` is at another place where one was built: not used here.
    return np.random.default_rng(1).uniform(low, high, (count, low.size)).astype(np.float32).astype(np.float64)


def by_definition(own: slth.Ticket, x: Any) -> Any:
    """The ticket's value at one input, edge by edge: a copy of a feature, its positive part, one map of it."""
    place = {node.name: index for index, node in enumerate(linear_nodes(own.target))}
    values: dict[str, Any] = {}
    for node in own.target.order:
        given = [values[parent] for parent in node.parents]
        if isinstance(node, Linear):
            index = place[node.name]
            values[node.name] = (
                edge_by_edge(own, index, node, given[0]) * 2.0 ** own.layers[index].scale_exponent
            )
        else:
            values[node.name] = node.apply([x[None] if not given else value[None] for value in given or [x]])[0]
    return values[own.target.output]


def edge_by_edge(own: slth.Ticket, index: int, node: Linear, x: Any) -> Any:
    basis, layer, source = node.basis, own.layers[index], own.source
    first, second = own.mask(f"{layer.name}.first"), own.mask(f"{layer.name}.second")
    maps = [basis.matrix(np.eye(basis.count)[None, None, p]) for p in range(basis.count)]
    features = x.reshape(node.input_features, basis.inputs)
    result = np.zeros((node.output_features, basis.outputs))
    for j in range(layer.inputs):
        for c in range(layer.copies):
            row = j * layer.copies + c
            kept = np.flatnonzero(first[row])
            if not kept.size:
                assert not second[:, row].any()
                continue
            assert kept.size == 1
            owner = int(kept[0])
            assert owner == j or layer.members is not None
            own_feature = features[owner] if owner < node.input_features else layer.scale.constant
            hidden = np.maximum(source.weight(index, 0, j, c, owner) * own_feature, 0.0)
            for r in np.flatnonzero(second[:, row]).tolist():
                weight = source.weight(index, 1, j, c, r)
                if owner == node.input_features:
                    q = basis.bias_count
                    result[r // q] += weight * hidden * basis.bias_vector(np.eye(q)[None, r % q])[0]
                else:
                    each = node.output_features // node.groups
                    group = owner // (node.input_features // node.groups)
                    result[group * each + r // basis.count] += weight * (maps[r % basis.count] @ hidden)
    return result.reshape(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_source_is_the_ticket_edge_by_edge(kind: str) -> None:
    own = ticket(kind)
    assert any(layer.scale.constant != 1.0 for layer in own.layers) == (kind in ("images", "assigned"))
    assert any(layer.members is not None for layer in own.layers) == (kind == "assigned")
    source = masked_source(own)
    arrays = list(source.parameters())
    assert sum(array.numbers.size for array in arrays) == own.parameters
    assert sum(int(array.mask.sum()) for array in arrays) == own.kept
    # every weight of the source stands in exactly one place
    everything = [
        own.source.block(index, sublayer, j, j + 1)[0, :, : ends(own, index, j) if sublayer else None]
        for index, layer in enumerate(own.source.layers)
        for j in range(layer.inputs)
        for sublayer in (0, 1)
    ]
    numerators = np.sort(np.concatenate([block.ravel() for block in everything]))
    found = np.sort(np.concatenate([array.numbers.ravel() for array in arrays]).astype(np.float64) * 2**23)
    assert np.array_equal(found, numerators)
    x = points(own, 3)
    expected = own.network().forward(x)
    assert np.allclose([by_definition(own, row) for row in x], expected, rtol=1e-12, atol=1e-13)


def ends(own: slth.Ticket, index: int, j: int) -> int:
    layer = own.source.layers[index]
    return layer.constant_outputs or layer.outputs if j == layer.inputs - 1 else layer.outputs


@pytest.mark.parametrize("kind", EXPORTED)
def test_torch_and_back(kind: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from torch.nn.utils import prune

    own = ticket(kind)
    module = to_torch(own)
    x = points(own)
    expected = own.network().forward(x)
    scale = np.abs(expected).max()
    found = module(torch.from_numpy(x).float()).detach().numpy()
    assert np.abs(found - expected).max() <= LOST.get(kind, 2e-5) * scale
    export(own, tmp_path / "ticket.pt", "torch")
    state = torch.load(tmp_path / "ticket.pt", weights_only=True)
    for parameter in masked_source(own).parameters():
        assert np.array_equal(state[f"{parameter.name}_orig"].numpy().ravel(), parameter.numbers.ravel())
        assert np.array_equal(state[f"{parameter.name}_mask"].numpy().ravel() != 0, parameter.mask.ravel())
    fresh = to_torch(own, weights=False)
    fresh.load_state_dict(state)
    assert torch.equal(fresh(torch.from_numpy(x).float()), module(torch.from_numpy(x).float()))
    for part in fresh.modules():
        for label in ("weight", "bias"):
            if hasattr(part, f"{label}_mask"):
                prune.remove(part, label)
    assert not prune.is_pruned(fresh)
    exact = 1e-13 if kind != "turning" else 1e-6  # maps of a basis that are not 0 and 1 are rounded
    assert np.abs(fresh.double()(torch.from_numpy(x)).numpy() - expected).max() <= exact * scale


@pytest.mark.parametrize("kind", EXPORTED)
def test_onnx(kind: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    own = ticket(kind)
    export(own, tmp_path / "ticket.onnx", "onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "ticket.onnx"))
    session = runtime.InferenceSession(tmp_path / "ticket.onnx", providers=["CPUExecutionProvider"])
    x = points(own)
    expected = own.network().forward(x)
    found = session.run(None, {"input": x.astype(np.float32)})[0]
    assert np.abs(found - expected).max() <= LOST.get(kind, 2e-5) * np.abs(expected).max()


@pytest.mark.parametrize("kind", EXPORTED)
def test_masks_and_sparse_rows(kind: str, tmp_path: Path) -> None:
    own = ticket(kind)
    weights = list(masked_source(own).parameters())
    assert sum(weight.numbers.size for weight in weights) == own.parameters
    assert sum(int(weight.mask.sum()) for weight in weights) == own.kept
    written = export(own, tmp_path / "ticket.npz", "csr")
    assert (written.kept, written.total) == (own.kept, own.parameters)
    with np.load(tmp_path / "ticket.npz") as arrays:
        assert sum(arrays[name].size for name in arrays.files if name.endswith(".data")) == own.kept
    assert written.bytes == (tmp_path / "ticket.npz").stat().st_size


def test_neurons_of_biased_convolutions_choose_nothing() -> None:
    """A copy of an image is no copy of the constant; without biases, or in dense layers, neurons choose."""
    layer = Linear("a", "x", np.ones((2, 2, 1)), Translations(3, 1), [0.5, 0.5])
    network = slth.Network((Input("x", 6), layer), "a")
    for arrangement in ("assigned", "gathered"):
        with pytest.raises(
            slth.InvalidInput, match=r"must suit layer 'a'; got .*that have no biases or are dense"
        ):
            slth.prune(network, domain=slth.Domain.box(0, 1, 6), eps=0.1, arrangement=arrangement)
    own = slth.prune(network, domain=slth.Domain.box(0, 1, 6), eps=0.5, arrangement="auto")
    assert [layer.arrangement for layer in own.layers] == ["sign-matched"]
    assert [layer.arrangement for layer in ticket("assigned").layers] == ["assigned", "assigned", "assigned"]


def test_means_that_torch_cannot_pad(tmp_path: Path) -> None:
    """A mean over the input alone, padded on one side: ONNX has it, torch has not."""
    pytest.importorskip("torch")
    pool = AveragePool("mean", "x", 1, Windows(3, 2, 2, ((0, 1),)), count_padding=False)
    network = slth.Network(
        (Input("x", 3), pool, Linear("d", "mean", np.ones((1, 2, 1)), np.ones((1, 1, 1)))), "d"
    )
    own = slth.prune(network, domain=slth.Domain.box(0, 1, 3), eps=0.1, seed=1)
    with pytest.raises(slth.InvalidInput, match=r"`ticket` must have means that count the padding.*'mean'"):
        export(own, tmp_path / "x", "torch")
