"""Targets, sources and tickets of declared groups: exactly equivariant, for every mask, over all elements."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slth
from slth.cli import app
from slth.groups.actions import tuples
from slth.groups.intertwiners import orbits
from slth.networks.equivariant import basis_of
from slth.networks.layers import Add, Flatten, Input, Linear, Node, ReLU
from slth.networks.symmetry import Symmetry, measure
from slth.reports.ticket_page import ticket_page
from slth.tickets import equivariance
from slth.tickets.masked import masked_source

rng = np.random.default_rng(0)


@cache
def ticket(wrong: bool = False) -> slth.Ticket:
    """Pairs of three points, four features, to the points: S_3, or an action that is not the layers'."""
    pairs, points = tuples(3, 2), tuples(3, 1)
    inner, down = orbits(pairs, pairs), orbits(pairs, points)
    weight = np.random.default_rng(1).normal(0, 0.3, (4, inner.count + down.count))
    nodes: tuple[Node, ...] = (
        Input("x", 9),
        Linear("pairs", "x", weight[:, None, : inner.count], basis_of(inner), [0.1, -0.2, 0.3, 0.2] * 2),
        ReLU("relu", "pairs"),
        Linear("down", "relu", weight[None, :, inner.count :], basis_of(down), [0.5]),
    )
    symmetry = Symmetry("S_3", pairs.generators, points.generators[::-1] if wrong else points.generators)
    network = slth.Network(nodes, "down", symmetry)
    return slth.prune(network, domain=slth.Domain.box(0, 1, 9), eps=3.0, copies=60, k=3, seed=4)


def exactly(nodes: Any, output: str, x: list[Fraction]) -> list[Fraction]:
    """Value of a network in rational arithmetic."""
    values: dict[str, list[Fraction]] = {}
    for node in nodes:
        given = [values[parent] for parent in node.parents] or [x]
        if isinstance(node, Linear):
            bias = node.bias_vector()
            values[node.name] = [
                sum((Fraction(w) * v for w, v in zip(row, given[0], strict=True) if w), Fraction(b))
                for row, b in zip(
                    node.matrix().tolist(), [0] * node.outputs if bias is None else bias, strict=True
                )
            ]
        elif isinstance(node, ReLU):
            values[node.name] = [max(v, Fraction(0)) for v in given[0]]
        elif isinstance(node, Add):
            values[node.name] = [sum(terms, Fraction(0)) for terms in zip(*given, strict=True)]
        else:
            assert isinstance(node, (Input, Flatten))
            values[node.name] = given[0]
    return values[output]


def moved(x: list[Any], permutation: Any) -> list[Any]:
    found = [Fraction(0)] * len(x)
    for place, image in enumerate(permutation.tolist()):
        found[image] = x[place]
    return found


@pytest.mark.parametrize("which", ["target", "source", "ticket"])
def test_exact_arithmetic_gives_zero(which: str) -> None:
    """f(g x) = g f(x), with no error at all, for all six elements."""
    own = ticket()
    network = {"target": own.target, "source": masked_source(own).network, "ticket": own.network()}[which]
    x = [Fraction(int(n), 2**20) for n in rng.integers(0, 2**20, 9)]
    plain = exactly(network.order, network.output, x)
    assert len(set(plain)) == 3
    assert own.target.symmetry is not None
    elements, complete = own.target.symmetry.elements()
    assert complete
    assert len(elements) == 6
    for element in elements:
        image = exactly(network.order, network.output, moved(x, element[:9]))
        assert image == moved(plain, element[9:] - 9)


def test_report_over_all_elements() -> None:
    found = ticket().equivariance
    assert found is not None
    assert (found.group, found.elements, found.complete, found.points) == ("S_3", 6, True, 8)
    assert found.source is not None
    assert max(found.target, found.source, found.ticket) <= 1e-12
    assert ticket().summary()["equivariance"] == found.to_json()


def test_a_wrong_declaration_is_seen() -> None:
    """Generators of the outputs exchanged: all three networks are far from equivariant."""
    found = ticket(wrong=True).equivariance
    assert found is not None
    assert found.source is not None
    assert min(found.target, found.source, found.ticket) > 1e-3


def test_every_mask_leaves_the_source_equivariant() -> None:
    own = ticket()
    source = masked_source(own)
    nodes: list[Node] = []
    for node in source.network.order:
        if isinstance(node, Linear):
            kept = rng.random(node.coefficients.shape) < 0.3
            bias = None if node.bias is None else node.bias * (rng.random(node.bias.shape) < 0.3)
            node = Linear(node.name, node.input, node.coefficients * kept, node.basis, bias, node.groups)
        nodes.append(node)
    pruned = slth.Network(tuple(nodes), source.network.output)
    assert own.target.symmetry is not None
    assert measure(pruned.forward, own.target.symmetry, rng.random((5, 9))).error <= 1e-12


def test_large_sources_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equivariance, "MAX_SOURCE_BYTES", 100)
    found = equivariance.equivariance(ticket())
    assert found is not None
    assert found.source is None
    assert "source not made, ticket" in str(found)


def test_files_check_and_page_say_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = ticket()
    text = (
        f"largest relative error over all 6 elements of S_3 at 8 points: target {own.equivariance.target:.2g}"
    )
    assert f"Equivariance, not part of the certificate: {text}" in ticket_page(own)
    own.save(tmp_path / "ticket")
    assert slth.Ticket.load(tmp_path / "ticket").target == own.target
    assert app.run(["check", str(tmp_path / "ticket")]) == 0
    assert f"equivariance: {text}" in capsys.readouterr().out
    plain = slth.Network(own.target.nodes, own.target.output)
    assert slth.check(tmp_path / "ticket", plain).bound == own.certificate.bound


def test_nothing_is_said_without_a_declaration() -> None:
    target = slth.dense_network([[[0.5, 0.25]]])
    own = slth.prune(target, domain=slth.Domain.box(0, 1, 2), eps=0.1, seed=1)
    assert own.equivariance is None
    assert own.summary()["equivariance"] is None
    assert "Equivariance" not in ticket_page(own)
