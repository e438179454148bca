"""Domains: membership decided exactly, radius rigorous, projection contained and nearest, strict JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slth.errors import InvalidInput
from slth.networks.domain import Domain

ordinary = st.floats(-1e6, 1e6)
wide = st.floats(-1e150, 1e150)
intervals = st.lists(st.tuples(wide, wide).map(sorted), min_size=1, max_size=5)


def squared_distance(x: Any, y: Any) -> Fraction:
    pairs = zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True)
    return sum(((Fraction(a) - Fraction(b)) ** 2 for a, b in pairs), Fraction(0))


@given(intervals)
@example([[5e-324, 5e-324]])
@example([[0.0, 5e-324], [-5e-324, 0.0]])
@example([[-1e150, 1e150]] * 5)
@example([[0.1, 0.3]])
def test_radius_of_a_box_bounds_every_corner(bounds: list[list[float]]) -> None:
    box = Domain.box([b[0] for b in bounds], [b[1] for b in bounds])
    exact = sum(
        max((Fraction(end) - Fraction(c)) ** 2 for end in interval)
        for interval, c in zip(bounds, box.center.tolist(), strict=True)
    )
    assert Fraction(box.radius) ** 2 >= exact
    # not needlessly large: within a few units in the last place (or of the smallest normal square)
    assert Fraction(box.radius) ** 2 <= exact * (1 + Fraction(1, 2**48)) + Fraction(2.0**-1060)
    assert (box.low <= box.center).all()
    assert (box.center <= box.high).all()


def test_unit_box_of_the_digits() -> None:
    box = Domain.box(0.0, 1.0, size=64)
    assert box.kind == "box"
    assert box.nonnegative
    assert (box.center == 0.5).all()
    assert 4.0 <= box.radius <= 4.0 + 4e-15


def test_a_point_is_a_box_of_radius_zero() -> None:
    point = Domain.box([0.1, -0.3], [0.1, -0.3])
    assert point.radius == 0.0
    assert point.contains([0.1, -0.3])
    assert not point.contains([0.1, -0.2])
    assert point.project([5.0, 5.0]).tolist() == [0.1, -0.3]


@given(st.lists(wide, min_size=1, max_size=4), st.floats(5e-324, 1e150))
@example([1.0], 1.0)
@example([1.0], 2.0**-60)
@example([0.1, 0.2], 0.3)
def test_bounds_of_a_ball_are_outward_and_exact_where_possible(center: list[float], radius: float) -> None:
    ball = Domain.ball(radius, center=center)
    assert ball.radius == radius
    for low, c, high in zip(ball.low.tolist(), center, ball.high.tolist(), strict=True):
        exact_low, exact_high = Fraction(c) - Fraction(radius), Fraction(c) + Fraction(radius)
        assert Fraction(low) <= exact_low
        assert Fraction(high) >= exact_high
        assert Fraction(math.nextafter(low, math.inf)) > exact_low
        assert Fraction(math.nextafter(high, -math.inf)) < exact_high


def test_nonnegative() -> None:
    assert Domain.ball(1.0, center=[1.0, 3.0]).nonnegative
    assert not Domain.ball(1.0, center=[np.nextafter(1.0, 0.0)]).nonnegative
    assert not Domain.ball(1.0, size=3).nonnegative
    assert Domain.box([0.0, -0.0], [1.0, 1.0]).nonnegative
    assert not Domain.box([0.0, -5e-324], [1.0, 1.0]).nonnegative


@given(
    center=st.lists(ordinary, min_size=3, max_size=3),
    radius=st.floats(1e-9, 1e9),
    direction=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    nudge=st.integers(-3, 3),
)
@example([0.0] * 3, 5.0, [3.0, 4.0, 0.0], 0)
@example([0.0] * 3, 1.0, [0.6, 0.8, 0.0], 0)
def test_ball_membership_is_exact_at_the_boundary(
    center: list[float], radius: float, direction: list[float], nudge: int
) -> None:
    ball = Domain.ball(radius, center=center)
    length = math.hypot(*direction)
    scale = radius / length if length > 1e-3 else 0.0
    x = np.array([c + scale * d for c, d in zip(center, direction, strict=True)])
    for _ in range(abs(nudge)):
        x[0] = np.nextafter(x[0], math.copysign(math.inf, nudge))
    assert ball.contains(x) == (squared_distance(x, center) <= Fraction(radius) ** 2)
    assert ball.contains(np.stack([x, center])).tolist() == [ball.contains(x), True]  # type: ignore[union-attr]


@given(
    center=st.lists(wide, min_size=2, max_size=2),
    radius=st.floats(5e-324, 1e150),
    x=st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=2),
)
@example([1e10, 0.0], 1e-10, [0.0, 0.0])
@example([0.0, 0.0], 1e-320, [1e300, -1e300])
def test_projection_on_a_ball_is_contained_and_nearest(
    center: list[float], radius: float, x: list[float]
) -> None:
    ball = Domain.ball(radius, center=center)
    point = ball.project(x)
    assert squared_distance(point, center) <= Fraction(radius) ** 2
    if ball.contains(x):
        assert point.tolist() == x
        return
    assert np.array_equal(ball.project(point), point)
    if all(radius > 1e-9 * abs(c) for c in center) and radius > 1e-300:
        # nearest point of a ball: towards x, at the full radius
        assert math.sqrt(squared_distance(point, center) / Fraction(radius) ** 2) > 1 - 1e-5
        offset = np.array(x) / 4 - np.array(center) / 4
        toward = (point - center) / radius @ (offset / math.hypot(*offset))
        assert toward > 1 - 1e-5


@given(intervals, st.data())
def test_projection_on_a_box_is_contained_and_nearest(bounds: list[list[float]], data: st.DataObject) -> None:
    box = Domain.box([b[0] for b in bounds], [b[1] for b in bounds])
    x = data.draw(st.lists(st.floats(-1e300, 1e300), min_size=len(bounds), max_size=len(bounds)))
    expected = [min(max(v, b[0]), b[1]) for v, b in zip(x, bounds, strict=True)]
    assert box.project(x).tolist() == expected
    assert box.contains(box.project(x))
    assert box.contains(x) == (x == expected)
    assert box.project(np.stack([x, box.center])).tolist() == [expected, box.center.tolist()]


def test_ball_near_the_end_of_the_range() -> None:
    ball = Domain.ball(1e308, center=[7e307])
    assert ball.contains([1.7e308])
    assert not ball.contains([-3.1e307])
    assert not ball.contains([1.71e308])
    assert ball.contains(ball.project([-1.7e308]))


def test_rows_far_outside_do_not_overflow() -> None:
    ball = Domain.ball(1e-300, size=2)
    assert ball.contains([[1e300, 0.0], [0.0, 0.0]]).tolist() == [False, True]  # type: ignore[union-attr]


@given(intervals)
def test_box_json_round_trip(bounds: list[list[float]]) -> None:
    box = Domain.box([b[0] for b in bounds], [b[1] for b in bounds])
    again = Domain.from_json(json.loads(json.dumps(box.to_json())))
    assert again == box
    assert hash(again) == hash(box)
    assert again.radius == box.radius


@given(st.lists(wide, min_size=1, max_size=4), st.floats(5e-324, 1e150))
def test_ball_json_round_trip(center: list[float], radius: float) -> None:
    ball = Domain.ball(radius, center=center)
    again = Domain.from_json(json.loads(json.dumps(ball.to_json())))
    assert again == ball
    assert (again.low == ball.low).all()


def test_golden_json() -> None:
    assert Domain.ball(1.5, center=[0.0, -0.1]).to_json() == {
        "format": "slth-domain/1",
        "kind": "ball",
        "center": ["0x0.0p+0", "-0x1.999999999999ap-4"],
        "radius": "0x1.8000000000000p+0",
    }
    assert Domain.box(0.0, 1.0, size=1).to_json() == {
        "format": "slth-domain/1",
        "kind": "box",
        "low": ["0x0.0p+0"],
        "high": ["0x1.0000000000000p+0"],
    }


def test_equality() -> None:
    assert Domain.box(0.0, 1.0, size=2) == Domain.box([0.0, 0.0], 1.0)
    assert Domain.box(0.0, 1.0, size=2) != Domain.box(0.0, 1.0, size=3)
    assert Domain.box(-1.0, 1.0, size=1) != Domain.ball(1.0, size=1)
    assert Domain.ball(1.0, size=1) != "ball"


def test_sizes_and_scalars() -> None:
    assert Domain.box([0.0, 1.0], 2.0).high.tolist() == [2.0, 2.0]
    assert Domain.box([0.0, 1.0], 2.0, size=2).size == 2
    assert Domain.ball(1.0, center=3.0, size=2).center.tolist() == [3.0, 3.0]
    assert Domain.ball(1.0, size=2).center.tolist() == [0.0, 0.0]


def test_arrays_are_read_only_copies() -> None:
    low = np.zeros(2)
    box = Domain.box(low, 1.0)
    low[:] = -5.0
    assert box.nonnegative
    for array in (box.low, box.high, box.center, Domain.ball(1.0, size=2).low, Domain.ball(1.0, size=2).center):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: Domain.box(0.0, 1.0), "`size` must be given when `low` and `high` is no array"),
        (lambda: Domain.ball(1.0), "`size` must be given when `center` is no array"),
        (lambda: Domain.ball(1.0, center=2.0), "`size` must be given when `center` is no array"),
        (lambda: Domain.box([0.0], [1.0, 1.0]), "one positive length with the others; got low 1, high 2"),
        (lambda: Domain.box([0.0], 1.0, size=2), "one positive length with the others; got low 1, size 2"),
        (lambda: Domain.box([], []), "one positive length with the others; got low 0, high 0"),
        (lambda: Domain.box(0.0, 1.0, size=0), r"`size` must be an integer in \[1, 2147483648\]; got 0"),
        (lambda: Domain.box([0.0, 2.0], [1.0, 1.0]), r"`low` must be <= `high`; got \[2.0, 1.0\] at index 1"),
        (lambda: Domain.box(1.0, 0.0, size=3), r"`low` must be <= `high`; got \[1.0, 0.0\] at index 0"),
        (lambda: Domain.box([np.nan], [1.0]), "`low` must be finite; got nan at index 0"),
        (lambda: Domain.box(0.0, np.inf, size=2), "`high` must be finite; got inf"),
        (lambda: Domain.box([[0.0]], [1.0]), r"`low` must have 0 or 1 dimension\(s\); got shape \(1, 1\)"),
        (lambda: Domain.box(["a"], [1.0]), "`low` must be an array of real numbers"),
        (lambda: Domain.box(-1e200, 1e200, size=2), "a box whose radius float64 can hold; got reach 1e\\+200"),
        (lambda: Domain.box(-1.7e308, 1.7e308, size=1), "a box whose radius float64 can hold"),
        (lambda: Domain.box(-1.3e154, 1.3e154, size=9), "a box whose radius float64 can hold"),
        (lambda: Domain.ball(0.0, size=2), r"`radius` must be a finite number > 0.0; got 0.0"),
        (lambda: Domain.ball(-1.0, size=2), r"`radius` must be a finite number > 0.0; got -1.0"),
        (lambda: Domain.ball(math.inf, size=2), r"`radius` must be a finite number > 0.0; got inf"),
        (lambda: Domain.ball(math.nan, size=2), r"`radius` must be a finite number > 0.0; got nan"),
        (lambda: Domain.ball("1", size=2), r"`radius` must be a finite number > 0.0; got '1'"),  # type: ignore[arg-type]
        (lambda: Domain.ball(1.0, center=[np.nan]), "`center` must be finite; got nan at index 0"),
        (lambda: Domain.ball(1.0, center=[1.0], size=2), "got center 1, size 2"),
        (
            lambda: Domain.ball(1e308, center=[1e308]),
            r"`radius` must keep center \+- radius within float64; got 1e\+308",
        ),
        (
            lambda: Domain.box(0.0, 1.0, size=2).contains([0.5]),
            r"`x` must have 2 entries per input; got shape \(1,\)",
        ),
        (lambda: Domain.box(0.0, 1.0, size=2).project([0.5, np.nan]), "`x` must be finite; got nan at index 1"),
    ],
)
def test_refusals(build: Callable[[], object], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        build()


BOX = Domain.box([0.0, 0.0], [1.0, 1.0]).to_json()
BALL = Domain.ball(1.0, size=2).to_json()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ([], "`domain` must be a JSON object; got list"),
        ({}, "`domain kind` must be one of 'box', 'ball'; got None"),
        ({**BOX, "kind": "cube"}, "`domain kind` must be one of 'box', 'ball'; got 'cube'"),
        ({**BOX, "kind": ["box"]}, "`domain kind` must be one of"),
        ({**BOX, "extra": 1}, "`domain` must have the keys .* got .*'extra'"),
        ({**BALL, "kind": "box"}, "`domain` must have the keys"),
        ({k: v for k, v in BOX.items() if k != "format"}, "`domain` must have the keys"),
        ({**BOX, "format": "slth-domain/2"}, "`domain` must have format 'slth-domain/1'; got 'slth-domain/2'"),
        ({**BOX, "low": "0x0.0p+0"}, "`low` must be a list of hexadecimal floats; got str"),
        ({**BOX, "low": [0.0, 0.0]}, r"`low\[0\]` must be a finite number in the form of float.hex; got 0.0"),
        (
            {**BOX, "low": ["0x0.0p+0", "0"]},
            r"`low\[1\]` must be a finite number in the form of float.hex; got '0'",
        ),
        ({**BOX, "low": ["0x0.0p+0", "inf"]}, r"`low\[1\]` must be a finite number"),
        ({**BOX, "low": ["0x0.0p+0", "nan"]}, r"`low\[1\]` must be a finite number"),
        ({**BOX, "low": ["0x0.0p+0", "0x1p9999"]}, r"`low\[1\]` must be a finite number"),
        ({**BOX, "low": ["0x0.0p+0", "zz"]}, r"`low\[1\]` must be a finite number"),
        ({**BOX, "low": ["0x0.0p+0"]}, "one positive length with the others; got low 1, high 2"),
        ({**BOX, "low": ["0x1.0000000000000p+1", "0x0.0p+0"]}, "`low` must be <= `high`"),
        ({**BALL, "radius": 1.0}, "`radius` must be a finite number in the form of float.hex; got 1.0"),
        ({**BALL, "radius": "0x0.0p+0"}, "`radius` must be a finite number > 0"),
        ({**BALL, "center": []}, "one positive length with the others; got center 0"),
    ],
)
def test_from_json_rejects(data: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        Domain.from_json(data)
