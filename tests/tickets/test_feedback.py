"""Error feedback: less error on data, every weight still within its tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from builders import box, target

import slth
from slth.networks.layers import Add, Input, Linear
from slth.networks.network import Network
from slth.tickets.feedback import Evidence, features
from slth.tickets.scaling import Scale


def correlated(size: int, low: float) -> np.ndarray:
    """Inputs in the box that lie near a plane: directions along which errors can cancel."""
    rng = np.random.default_rng(3)
    points = rng.random((300, 2)) @ rng.random((2, size)) / 2 + 0.02 * rng.random((300, size))
    return np.clip(points if low == 0 else 2 * points - 1, low, 1.0)


@pytest.mark.parametrize(
    ("arrangement", "low"),
    [("sign-matched", 0.0), ("sign-matched", -1.0), ("assigned", 0.0), ("gathered", 0.0)],
)
def test_less_error_on_data_within_the_same_tolerances(tmp_path, arrangement: str, low: float) -> None:
    goal, x = target(4, (8, 12, 3)), correlated(8, low)
    domain = box(low, 1.0, 8)
    errors, bounds = {}, {}
    for search in ("closest", "feedback"):
        ticket = slth.prune(
            goal, domain=domain, eps=0.05, arrangement=arrangement, search=search, inputs=x, k=4
        )
        ticket.save(tmp_path / search)
        assert slth.check(tmp_path / search, goal).inputs_checked == 300
        errors[search], bounds[search] = ticket.data_error(x), ticket.certificate.bound
    assert 0 < errors["feedback"] < errors["closest"] / 1.5
    assert bounds["feedback"] < 0.05


def test_without_inputs_points_of_the_domain_are_used() -> None:
    goal = target(4, (8, 12, 3))
    one, same = (slth.prune(goal, domain=box(size=8), eps=0.05, search="feedback", k=4) for _ in range(2))
    assert one.certificate.to_json() == same.certificate.to_json()
    ball = slth.Domain.ball(0.5, size=8)
    found = Evidence.at(ball, None)
    assert np.all(ball.contains(found.target))


def test_features_of_a_layer() -> None:
    values = np.array([[1.0, -2.0]])
    assert features(values, Scale(1, 3), biased=True, halved=True).tolist() == [[1.0, 0.0, 4.0, 0.0, 2.0]]
    assert features(values, Scale(0, 0), biased=False, halved=False).tolist() == values.tolist()


def test_other_graphs_are_refused() -> None:
    weight = np.eye(2)[:, :, None] / 2
    basis = np.ones((1, 1, 1))
    nodes = (Input("x", 2), Linear("a", "x", weight, basis), Add("sum", ("x", "a")))
    with pytest.raises(slth.InvalidInput, match="`network` must be a chain of Linear, ReLU, Linear"):
        slth.prune(Network(nodes, "sum"), domain=box(size=2), eps=0.1, search="feedback")
