"""Enclosures of activations contain what rational arithmetic finds inside."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from oracles.certificates import ball_points, box_points

from slth.networks.domain import Domain
from slth.networks.intervals import Enclosure, HalfMap, domain_enclosure
from slth.networks.norms import spectral_norm_upper


def exactly_inside(enclosure, values):
    """Whether a vector of Fractions lies in box and ball, without rounding."""
    box = all(
        Fraction(float(a)) <= v <= Fraction(float(b))
        for a, v, b in zip(enclosure.low, values, enclosure.high, strict=True)
    )
    square = sum((v - Fraction(float(c))) ** 2 for v, c in zip(values, enclosure.center, strict=True))
    return box and square <= Fraction(float(enclosure.radius)) ** 2


def domains(rng, d):
    low = rng.normal(size=d)
    yield Domain.box(low, low + rng.exponential(size=d) * rng.integers(0, 2, d))
    yield Domain.box(0.0, 1.0, size=d)
    yield Domain.ball(float(rng.exponential()) + 0.1, center=rng.normal(size=d))


def points_of(rng, domain, count):
    if domain.kind == "box":
        return box_points(rng, domain.low, domain.high, count)
    return domain.project(ball_points(rng, domain.center, domain.radius, count))


def half_values(positive, negative, x):
    out = []
    for p, n in zip(positive, negative, strict=True):
        out.append(
            sum(
                (
                    Fraction(float(a)) * v if v >= 0 else Fraction(float(b)) * -v
                    for a, b, v in zip(p, n, x, strict=True)
                ),
                Fraction(0),
            )
        )
    return out


def test_images_contain_every_point():
    rng = np.random.default_rng(0)
    for _ in range(40):
        d, rows = rng.integers(1, 4, 2)
        positive, negative = rng.normal(size=(2, rows, d))
        lipschitz = spectral_norm_upper(np.hstack((positive, negative)))
        linear = HalfMap(positive, -positive)
        halved = HalfMap(positive, negative)
        for domain in domains(rng, d):
            given = domain_enclosure(domain)
            straight = linear.image(given, spectral_norm_upper(positive), d)
            bent = halved.image(given, lipschitz, d)
            largest = halved.largest(given, d)
            for x in points_of(rng, domain, 4)[:16]:
                exact = [Fraction(float(v)) for v in x]
                assert exactly_inside(given, exact)
                assert exactly_inside(straight, half_values(positive, -positive, exact))
                value = half_values(positive, negative, exact)
                assert exactly_inside(bent, value)
                assert exactly_inside(bent.relu(), [max(v, Fraction(0)) for v in value])
                assert exactly_inside(bent.meet(bent.widened(np.ones(rows), 1.0)), value)
                assert all(abs(v) <= Fraction(float(b)) for v, b in zip(value, largest, strict=True))
                assert sum(map(abs, value)) <= Fraction(bent.norm1())
                assert sum(v * v for v in value) <= Fraction(bent.norm2()) ** 2


def test_the_oracle_would_notice_an_enclosure_that_is_too_small():
    tight = Enclosure(np.zeros(1), np.ones(1), np.array([0.5]), 0.5)
    assert exactly_inside(tight, [Fraction(1)])
    assert not exactly_inside(tight, [Fraction(1) + Fraction(1, 10**30)])
    assert not exactly_inside(Enclosure(np.zeros(1), np.ones(1), np.array([0.5]), 0.4), [Fraction(1)])


def test_a_box_through_a_linear_map_is_exact_where_floats_are():
    image = HalfMap(np.array([[1.0, -2.0]]), np.array([[-1.0, 2.0]])).image(
        domain_enclosure(Domain.box(0.0, 1.0, size=2)), 3.0, 2
    )
    np.testing.assert_allclose((image.low[0], image.high[0]), (-2.0, 1.0), rtol=1e-14)


def test_halves_that_bend_at_zero_are_bounded_there():
    # |x| over [-1, 1]: extremes at 0 and at the ends.
    image = HalfMap(np.array([[1.0]]), np.array([[1.0]])).image(
        domain_enclosure(Domain.box(-1.0, 1.0, size=1)), 1.0, 1
    )
    assert -1e-14 <= image.low[0] <= 0.0
    np.testing.assert_allclose(image.high[0], 1.0, rtol=1e-14)


def test_zero_rows_stay_exactly_zero():
    low, high = HalfMap(np.zeros((2, 3)), np.zeros((2, 3))).row_range(
        domain_enclosure(Domain.box(-1, 1, size=3))
    )
    assert low.tolist() == high.tolist() == [0.0, 0.0]
