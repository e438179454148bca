"""Enclosures of activations contain what rational arithmetic finds inside."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from oracles.certificates import ball_points, box_points

from slth.networks.domain import Domain
from slth.networks.intervals import Enclosure, HalfMap, domain_enclosure
from slth.networks.norms import norm_upper, spectral_norm_upper
from slth.networks.pool_bounds import pool_enclosure, pool_error, pool_lipschitz
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Windows


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


def test_sums_contain_every_point():
    rng = np.random.default_rng(1)
    for _ in range(40):
        d = int(rng.integers(1, 5))
        for one, other in zip(domains(rng, d), domains(rng, d), strict=True):
            total = domain_enclosure(one).plus(domain_enclosure(other))
            for x, y in zip(points_of(rng, one, 8)[-8:], points_of(rng, other, 8)[-8:], strict=True):
                both = [Fraction(float(a)) + Fraction(float(b)) for a, b in zip(x, y, strict=True)]
                assert exactly_inside(total, both)
    nothing = domain_enclosure(Domain.box(0.0, 0.0, size=2))
    assert nothing.plus(nothing).low.tolist() == nothing.plus(nothing).high.tolist() == [0.0, 0.0]


def exact_pool(pool, x):
    """Pool of a list of Fractions."""
    size, values = pool.windows.inputs, []
    for feature in range(pool.features):
        for window in pool.windows.table().T:
            read = [x[feature * size + place] for place in window if place >= 0]
            if isinstance(pool, MaxPool):
                values.append(max(read))
            else:
                values.append(sum(read) / (len(window) if pool.count_padding else len(read)))
    return values


def pools():
    for kernel, stride, padding in ((1, 1, 0), (2, 2, 0), (3, 1, 1), (3, 2, 1)):
        windows = Windows(6, kernel, stride=stride, padding=padding)
        yield MaxPool("p", "x", 1, windows)
        yield AveragePool("p", "x", 1, windows)
        yield AveragePool("p", "x", 1, windows, count_padding=False)
    yield MaxPool("p", "x", 2, Windows(3, 2))
    yield AveragePool("p", "x", 2, Windows((3, 1), (3, 1)))


def test_pools_contain_every_point_and_move_as_little_as_claimed():
    rng = np.random.default_rng(2)
    for pool in pools():
        lipschitz = pool_lipschitz(pool)
        for domain in domains(rng, 6):
            given = domain_enclosure(domain)
            after = pool_enclosure(pool, given, lipschitz)
            if domain.nonnegative:
                assert (after.low >= 0.0).all()
            points = [[Fraction(float(v)) for v in x] for x in points_of(rng, domain, 6)[-6:]]
            for x, y in itertools.pairwise(points):
                first, second = exact_pool(pool, x), exact_pool(pool, y)
                assert exactly_inside(after, first)
                apart = np.array([float(abs(a - b)) for a, b in zip(x, y, strict=True)])
                wide = np.nextafter(apart, np.inf)
                entries, norm = pool_error(pool, wide, norm_upper(wide), lipschitz)
                moved = [abs(a - b) for a, b in zip(first, second, strict=True)]
                assert all(m <= Fraction(float(e)) for m, e in zip(moved, entries, strict=True))
                assert sum(m * m for m in moved) <= Fraction(norm) ** 2


def test_a_pooled_error_of_zero_stays_exactly_zero():
    for pool in pools():
        entries, norm = pool_error(pool, np.zeros(6), 0.0, pool_lipschitz(pool))
        assert not entries.any()
        assert norm == 0.0


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
