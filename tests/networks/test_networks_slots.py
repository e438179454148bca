"""Weights by input feature: the layout that sources and tickets share."""

from __future__ import annotations

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.networks.basis import DenseBasis, OrbitBasis, Translations
from slth.networks.layers import Input, Linear, ReLU
from slth.networks.network import Network, dense_network
from slth.networks.slots import Slots, expanded, from_slots, is_placement, linear_nodes, slots, to_slots
from slth.networks.source import Source, SourceLayer


def convolution(groups: int = 2, biased: bool = True) -> Linear:
    rng = np.random.default_rng(0)
    basis = Translations((4, 5), 3, padding=1)
    bias = rng.normal(size=6) if biased else None
    return Linear("conv", "x", rng.normal(size=(6, 4 // groups, 9)), basis, bias, groups)


def test_dense_layer_is_its_own_matrix() -> None:
    node = linear_nodes(dense_network([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]], [[7.0, 8.0, 9.0]]))[0]
    assert slots(node) == Slots(3, 3, None)
    assert to_slots(node).tolist() == [[1.0, 2.0, 7.0], [3.0, 4.0, 8.0], [5.0, 6.0, 9.0]]


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("biased", [True, False])
def test_every_coefficient_has_its_place(groups: int, biased: bool) -> None:
    node = convolution(groups, biased)
    matrix = to_slots(node)
    each, inner = 6 // groups, 4 // groups
    for o in range(6):
        for i in range(inner):
            for p in range(9):
                group, local = divmod(o, each)
                assert matrix[local * 9 + p, group * inner + i] == node.coefficients[o, i, p]
    assert np.count_nonzero(matrix) == node.parameters
    back = from_slots(node, matrix)
    assert np.array_equal(back.coefficients, node.coefficients)
    assert (back.bias is None) == (node.bias is None)
    if biased:
        assert np.array_equal(matrix[:6, -1], node.bias)
        assert np.array_equal(back.bias, node.bias)


def test_source_counts_the_constant_apart() -> None:
    node = convolution(groups=4 // 2)
    network = Network((Input("x", 80), node), "conv")
    source = Source.for_network(network, 7, seed=1)
    assert source.layers == (SourceLayer(5, 7, 27, 6),)
    # copies of five features read five; four feed 27 slots, the constant 6
    assert source.parameters == 7 * (25 + 4 * 27 + 6)
    assert source.block(0, 1, 0, 5).shape == (5, 7, 27)
    assert Source.from_json(source.to_json()) == source
    with pytest.raises(InvalidInput, match=r"`other` must be an integer in \[0, 5\]; got 6"):
        source.weight(0, 1, 4, 0, 6)
    assert source.weight(0, 1, 4, 3, 5) == float(source.block(0, 1, 4, 5)[0, 3, 5]) * 2.0**-23


def test_expanded_matrix_computes_the_node() -> None:
    node = convolution()
    network = Network((Input("x", 80), node, ReLU("r", "conv")), "r")
    x = np.random.default_rng(1).normal(size=(3, 80))
    value = np.hstack((x, np.ones((3, 1)))) @ expanded(node).T
    np.testing.assert_allclose(np.maximum(value, 0), network.forward(x), atol=1e-12)


def test_only_placements_are_expanded() -> None:
    assert is_placement(convolution())
    assert is_placement(Linear("a", "x", np.ones((1, 1, 2)), OrbitBasis([[0, 1], [1, 0]])))
    wrapped = Translations(2, 3, padding=1, padding_mode="circular")
    assert not is_placement(Linear("a", "x", np.ones((1, 1, 3)), wrapped))
    mixed = Linear("mixed", "x", np.ones((1, 1, 2)), DenseBasis([np.eye(2), np.ones((2, 2))]))
    assert not is_placement(mixed)
    with pytest.raises(InvalidInput, match="node 'mixed' must have a basis whose maps have disjoint"):
        expanded(mixed)


def test_a_network_without_layers_has_no_source() -> None:
    with pytest.raises(InvalidInput, match="`network` must have a linear node; got none"):
        Source.for_network(Network((Input("x", 2), ReLU("r", "x")), "r"), 3, seed=0)
