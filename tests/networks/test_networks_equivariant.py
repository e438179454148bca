"""Declared equivariant layers: same values, coefficients counted, what is not equivariant refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.groups.actions import tuples
from slth.groups.dense import dense_intertwiners
from slth.groups.families import cyclic
from slth.groups.images import ImageGroup
from slth.groups.intertwiners import orbits
from slth.groups.representations import regular_representation
from slth.networks.basis import DenseBasis
from slth.networks.equivariant import basis_of, declare
from slth.networks.layers import Input, Linear, ReLU
from slth.networks.network import Network, dense_network

rng = np.random.default_rng(0)
ONE = np.ones((1, 1, 1))


def flattened(network: Network) -> Network:
    """The same function with every linear layer dense, as a reader would find it."""
    nodes = [
        Linear(node.name, node.input, node.matrix()[:, :, None], ONE, node.bias_vector())
        if isinstance(node, Linear)
        else node
        for node in network.nodes
    ]
    return Network(tuple(nodes), network.output)


def test_group_convolutions_are_found_again() -> None:
    group = ImageGroup(5, 5, "p4m")
    lift, inner = group.convolution("scalar", "regular", 3), group.convolution("regular", "regular", 3)
    net = Network(
        (
            Input("x", 2 * 25),
            Linear("lift", "x", rng.normal(size=(2, 2, lift.count)), basis_of(lift), rng.normal(size=2)),
            ReLU("r", "lift"),
            Linear("inner", "r", rng.normal(size=(1, 2, inner.count)), basis_of(inner), rng.normal(size=1)),
        ),
        "inner",
    )
    dense = flattened(net)
    assert dense.parameters > 100 * net.parameters
    again = declare(dense, {"lift": lift, "inner": inner})
    assert again == net
    x = rng.normal(size=(4, 50))
    assert np.allclose(again.forward(x), dense.forward(x), rtol=1e-12, atol=1e-12)
    images, fields = group.representation("scalar").permutations, group.representation("regular").permutations
    for a, b in list(zip(images, fields, strict=True))[:: len(images) // 20]:
        moved, expected = np.empty((4, 2, 25)), np.empty((4, 200))
        moved[:, :, a] = x.reshape(4, 2, 25)
        expected[:, b] = again.forward(x)
        assert np.abs(again.forward(moved.reshape(4, 50)) - expected).max() <= 1e-12


def test_a_plain_convolution_read_from_torch_is_declared() -> None:
    torch = pytest.importorskip("torch")
    from slth.readers.read import read

    group = ImageGroup(6, 6, "p4")
    lift, inner = group.convolution("scalar", "regular", 3), group.convolution("regular", "regular", 3)
    torch.manual_seed(0)
    kernel, deep = torch.randn(2, 1, 3, 3).double(), torch.randn(2, 2, 4, 3, 3).double()
    first = torch.nn.Conv2d(1, 8, 3, padding=1, padding_mode="circular", bias=False).double()
    second = torch.nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular", bias=False).double()
    turns = range(4)
    with torch.no_grad():
        for q in turns:
            for o in range(2):
                first.weight[o * 4 + q] = kernel[o].rot90(q, (1, 2))
                for i in range(2):
                    for p in turns:
                        second.weight[o * 4 + q, i * 4 + p] = deep[o, i, (p - q) % 4].rot90(q, (0, 1))
    read_network = read(torch.nn.Sequential(first, torch.nn.ReLU(), second), input_shape=(1, 6, 6))
    declared = declare(read_network, {"0": lift, "2": inner})
    assert declared.parameters == 2 * 9 + 2 * 2 * 36
    x = rng.normal(size=(3, 36))
    assert np.abs(declared.forward(x) - read_network.forward(x)).max() <= 1e-13
    spoiled = first.weight.detach().clone()
    spoiled[3, 0, 1, 2] += 1e-3
    with torch.no_grad():
        first.weight.copy_(spoiled)
    bad = read(torch.nn.Sequential(first, torch.nn.ReLU(), second), input_shape=(1, 6, 6))
    with pytest.raises(
        InvalidInput, match=r"`weight` must lie in the span of the equivariant basis .*layer '0'\)"
    ):
        declare(bad, {"0": lift})


def test_sets_pairs_and_dense_intertwiners() -> None:
    pairs = orbits(tuples(4, 2), tuples(4, 2))
    assert pairs.count == 15
    net = Network(
        (Input("x", 16), Linear("a", "x", rng.normal(size=(1, 1, 15)), basis_of(pairs), rng.normal(size=2))),
        "a",
    )
    assert declare(flattened(net), {"a": pairs}).forward(np.arange(16.0)) == pytest.approx(
        net.forward(np.arange(16.0)), rel=1e-12
    )
    regular = regular_representation(cyclic(4))
    turning = dense_intertwiners(regular, regular)
    basis = basis_of(turning)
    assert isinstance(basis, DenseBasis)
    assert (basis.count, basis.bias_count, basis.identity) == (4, 1, 0)
    own = Linear("a", "x", rng.normal(size=(2, 3, 4)), basis, rng.normal(size=2))
    net = Network((Input("x", 12), own), "a")
    again = declare(flattened(net), {"a": turning}).nodes[1]
    assert isinstance(again, Linear)
    assert np.allclose(again.coefficients, own.coefficients, atol=1e-13)
    assert np.allclose(again.bias, own.bias, atol=1e-13)


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        (
            {"layer7": 5},
            r"`layers` must name linear layers of the network \('layer1', 'layer2'\); got 'layer7'",
        ),
        ({"relu1": 5}, r"`layers` must name linear layers of the network .*; got 'relu1'"),
        ({"layer1": 2}, r"`weight` must consist of blocks of shape \(2, 2\); got shape .*\(layer 'layer1'\)"),
        ({"layer1": 3}, r"`weight` must lie in the span .* Check group.* \(layer 'layer1'\)"),
        ({"layer2": 3}, r"`bias` must lie in the span .* \(layer 'layer2'\)"),
    ],
)
def test_what_is_refused(layers: dict[str, Any], match: str) -> None:
    network = dense_network([rng.normal(size=(3, 3)), np.eye(3)], [None, [1.0, 2.0, 1.0]])
    with pytest.raises(InvalidInput, match=match):
        declare(network, {name: orbits(tuples(n, 1), tuples(n, 1)) for name, n in layers.items()})
