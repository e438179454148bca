"""Declared symmetries: elements of known groups, files, measured and planted errors, refusals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.groups.actions import Action, trivial_action, tuples
from slth.groups.families import cyclic, dihedral
from slth.groups.images import ImageGroup
from slth.groups.intertwiners import orbits
from slth.groups.representations import regular_representation, trivial_representation
from slth.networks import symmetry as module
from slth.networks.basis import OrbitBasis
from slth.networks.equivariant import declare
from slth.networks.layers import Input, Linear
from slth.networks.network import Network, dense_network
from slth.networks.symmetry import Symmetry, measure

rng = np.random.default_rng(0)


def of_image(side: int, symmetry: str) -> Symmetry:
    action = ImageGroup(side, side, symmetry).action("scalar")
    return Symmetry.of(action, trivial_action(action), output_features=10)


@pytest.mark.parametrize(
    ("symmetry", "order"),
    [
        (Symmetry.of(regular_representation(cyclic(8)), trivial_representation(cyclic(8))), 8),
        (Symmetry.of(regular_representation(dihedral(4)), regular_representation(dihedral(4))), 8),
        (of_image(8, "p4m"), 512),
        (of_image(16, "p4m"), 2048),
        (Symmetry.of(tuples(7, 2), trivial_action(tuples(7, 2))), 5040),
        (Symmetry("moves outputs only", [[0, 1]], [[1, 2, 0]]), 3),
        (Symmetry("nothing", np.zeros((0, 3), int), np.zeros((0, 1), int)), 1),
    ],
    ids=lambda value: getattr(value, "group", str(value)),
)
def test_all_elements(symmetry: Symmetry, order: int) -> None:
    elements, complete = symmetry.elements()
    assert complete
    assert len(elements) == len({row.tobytes() for row in elements}) == order
    assert np.array_equal(elements[0], np.arange(elements.shape[1]))
    known = {row.tobytes() for row in elements}
    d = symmetry.inputs.shape[1]
    for step, image in zip(symmetry.inputs, symmetry.outputs, strict=True):
        joint = np.concatenate((step, image + d))
        assert all(joint[row].tobytes() in known for row in elements)


def test_elements_are_the_permutations() -> None:
    elements, _ = Symmetry.of(tuples(4, 1), tuples(4, 1)).elements()
    both = {(*p, *(4 + i for i in p)) for p in itertools.permutations(range(4))}
    assert {tuple(row) for row in elements.tolist()} == both


def test_large_groups_are_sampled() -> None:
    elements, complete = Symmetry.of(tuples(9, 1), trivial_action(tuples(9, 1))).elements()
    assert not complete
    assert len(elements) == 2 + module.SAMPLE
    assert np.array_equal(elements[:2, :9], tuples(9, 1).generators)
    assert (np.sort(elements, axis=1) == np.arange(10)).all()
    assert len({row.tobytes() for row in elements}) > 900


def test_long_permutations_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NUMBERS", 100 * 11)
    elements, complete = Symmetry.of(tuples(10, 1), trivial_action(tuples(10, 1))).elements()
    assert (len(elements), complete) == (2 + 100, False)


def test_measured_errors() -> None:
    points = tuples(5, 1)
    symmetry = Symmetry.of(points, points)
    weight = np.full((5, 5), 0.25) + np.eye(5)
    x = rng.random((3, 5))
    found = measure(dense_network([weight]).forward, symmetry, x)
    assert (found.group, found.elements, found.complete, found.points) == ("S_5", 120, True, 3)
    assert found.error <= 1e-15
    weight[1, 2] += 0.5
    planted = measure(dense_network([weight]).forward, symmetry, x)
    plain = x @ weight.T
    # by definition, element by element
    worst = max(
        np.abs(x[:, np.argsort(p)] @ weight.T - plain[:, np.argsort(p)]).max()
        for p in itertools.permutations(range(5))
    )
    assert planted.error == pytest.approx(worst / np.abs(plain).max(), rel=1e-12)
    assert planted.error > 0.05


def test_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    symmetry, x = of_image(4, "p4"), rng.random((2, 16))
    network = dense_network([rng.normal(size=(10, 16))])
    whole = measure(network.forward, symmetry, x)
    monkeypatch.setattr(module, "CHUNK", 1)
    assert measure(network.forward, symmetry, x).error == pytest.approx(whole.error, rel=1e-12)


def test_features_mixed_first_are_the_same_layer() -> None:
    """More input than output features: both ways to compute an orbit layer agree with its matrix."""
    basis = orbits(tuples(3, 2), tuples(3, 1))
    maps = OrbitBasis(np.where(basis.labels == 2, -1, basis.labels - (basis.labels > 2)))
    coefficients = rng.normal(size=(2, 7, maps.count))
    node = Linear("w", "x", coefficients, maps)
    x = rng.normal(size=(4, 7 * 9))
    assert np.allclose(node.apply([x]), x @ node.matrix().T, rtol=1e-13, atol=1e-13)


def test_in_files_and_digests() -> None:
    points = tuples(4, 1)
    dense = dense_network([np.eye(4) + 1.0])
    network = declare(dense, {"layer1": orbits(points, points)}, symmetry=Symmetry.of(points, points))
    assert network.symmetry is not None
    assert declare(network, {}).symmetry is network.symmetry
    plain = Network(network.nodes, network.output)
    assert network.digest() != plain.digest()
    structure, arrays = network.to_spec()
    again = Network.from_spec(structure, arrays)
    assert again == network
    assert again.symmetry is not None
    assert np.array_equal(again.symmetry.inputs, points.generators)
    assert set(arrays) - set(plain.to_spec()[1]) == {"symmetry.inputs", "symmetry.outputs"}
    for change in ({"group": "S_4"}, {"group": "S_4", "generators": 3}, [], {"group": 4, "generators": 2}):
        with pytest.raises(InvalidInput, match=r"`symmetry` must|`group` must be 1 to 255"):
            Network.from_spec({**structure, "symmetry": change}, arrays)
    fewer = {name: array for name, array in arrays.items() if name != "symmetry.outputs"}
    with pytest.raises(InvalidInput, match=r"`arrays` must hold 'symmetry\.outputs'"):
        Network.from_spec(structure, fewer)
    with pytest.raises(InvalidInput, match="must be named after a node's place"):
        Network.from_spec(plain.to_spec()[0], arrays)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Symmetry("", [[0]], [[0]]), "`group` must be 1 to 255 printable characters; got ''"),
        (lambda: Symmetry("C_2", [[0, 0]], [[0]]), "`inputs of C_2` must hold permutations; got row 0"),
        (lambda: Symmetry("C_2", [[1, 0]], [[0], [0]]), "one permutation per generator each; got 1 and 2"),
        (lambda: Symmetry.of(tuples(3, 1), tuples(4, 1)), "must be actions of one group"),
        (
            lambda: Network(
                (Input("x", 3), Linear("w", "x", np.ones((2, 3, 1)), np.ones((1, 1, 1)))), "w", SWAP
            ),
            r"`symmetry` must act on 3 inputs and 2 outputs; got 2 and 1 \(C_2\)",
        ),
    ],
)
def test_refusals(make: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        make()


SWAP = Symmetry.of(Action("C_2", [[1, 0]]), Action("C_2", [[0]]))
