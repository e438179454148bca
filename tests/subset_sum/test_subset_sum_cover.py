"""Covering against exact enumeration: verdicts, witnesses, radii, gaps, batches, threads, limits, refusals."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.covering import FAMILIES, LAWS, count_within, distance, exact_sums, inner_gaps, radius

from slth._jit import covering, merge
from slth._jit.walks import look
from slth.errors import CapacityExceeded, InvalidInput
from slth.subset_sum import cover as cover_module
from slth.subset_sum import edges as edges_module
from slth.subset_sum import radius as radius_module
from slth.subset_sum.cover import cover
from slth.subset_sum.cover_batch import cover_batch
from slth.subset_sum.cover_result import CoverStatus
from slth.subset_sum.family import as_family
from slth.subset_sum.grid import make_grid
from slth.subset_sum.radius import covering_radius, rounded_up


def instance(
    law: str, n: int, family: dict[str, Any]
) -> tuple[np.ndarray, list[Fraction], np.random.Generator]:
    rng = np.random.default_rng([n, len(law), len(family)])
    samples = LAWS[law](rng, n)
    return samples, exact_sums(samples, **family), rng


def intervals(sums: list[Fraction], rng: np.random.Generator) -> list[tuple[float, float]]:
    low, high = sorted(rng.normal(size=2).tolist())
    return [(low, high), (low, low), (float(min(sums)), float(max(sums))), (float(sums[0]), 30.0)]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n", "family"), FAMILIES, ids=str)
def test_cover_equals_enumeration(law: str, n: int, family: dict[str, Any]) -> None:
    samples, sums, rng = instance(law, n, family)
    for low, high in intervals(sums, rng):
        exact = radius(sums, low, high)
        threshold = rounded_up(exact)  # half of a gap, or the distance of an end, to the last bit
        for eps in (threshold / 2, math.nextafter(threshold, 0), threshold, threshold * 1.5, 100.0, 1e-3):
            if eps <= 0:
                continue
            for method in ("auto", "blocked", "exhaustive"):
                result = cover(samples, low, high, eps, method=method, **family)
                if method == "blocked" and result.status is CoverStatus.LIMIT:
                    assert "eps is below the resolution" in result.limits[0]
                    continue
                assert result.covered is (exact <= Fraction(eps)), (low, high, eps, method)
                assert result.status is (CoverStatus.COVERED if result.covered else CoverStatus.UNCOVERED)
                assert result.limits == ()
                if result.witness is not None:
                    assert low <= result.witness <= high
                    assert count_within(sums, Fraction(result.witness), eps) == 0
        result.check()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n", "family"), FAMILIES, ids=str)
def test_radius_equals_enumeration(law: str, n: int, family: dict[str, Any]) -> None:
    samples, sums, rng = instance(law, n, family)
    for low, high in intervals(sums, rng):
        result = covering_radius(samples, low, high, gaps=5, **family)
        assert result.radius == rounded_up(radius(sums, low, high))
        assert result.low_distance == rounded_up(distance(sums, low))
        assert result.high_distance == rounded_up(distance(sums, high))
        longest = [float(gap) for gap in inner_gaps(sums, low, high)]
        assert result.lengths.tolist() == longest[: len(result.lengths)]
        if longest and longest[0] > 2 * max(result.low_distance, result.high_distance):
            assert len(result.lengths)
        assert np.allclose(result.right - result.left, result.lengths)
        assert float(distance(sums, result.witness)) == pytest.approx(result.radius, abs=1e-14)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n", "family"), [(10, {"k": 4}), (8, {}), (9, {"blocks": 3}), (9, {"k": 1})], ids=str)
def test_batch_equals_one_by_one(law: str, n: int, family: dict[str, Any]) -> None:
    samples = LAWS[law](np.random.default_rng(n), (7, n))
    for eps in (0.04, 0.3, 1.0):
        batch = cover_batch(samples, -1.0, 1.5, eps, threads=1, **family)
        assert len(batch) == 7
        for row, covered, witness in zip(samples, batch.covered, batch.witness, strict=True):
            assert covered == cover(row, -1.0, 1.5, eps, **family).covered
            if not covered:
                assert -1 <= witness <= 1.5
                assert count_within(exact_sums(row, **family), float(witness), eps) == 0
            else:
                assert math.isnan(witness)
        again = cover_batch(samples, -1.0, 1.5, eps, threads=3, **family)
        assert np.array_equal(batch.covered, again.covered)
        assert np.array_equal(batch.witness, again.witness, equal_nan=True)
        assert batch.work == again.work


def test_batch_of_mixed_grids_falls_back_row_by_row() -> None:
    # a row on the grid, a rounded one, and one that needs more bits than any grid has
    rows = np.array([[1.0, 2.0, 4.0], [1 / 3, 2.0, 4.0], [2.0**-80, 2.0, 4.0]])
    for eps in (0.5, 2 / 3, 1.0, 2.0**-60):
        batch = cover_batch(rows, 0.0, 6.0, eps)
        for row, covered in zip(rows, batch.covered, strict=True):
            assert covered == (radius(exact_sums(row), 0.0, 6.0) <= Fraction(eps))
    assert len(cover_batch(np.zeros((0, 3)), 0.0, 1.0, 0.5)) == 0


def test_a_planted_gap_is_found() -> None:
    samples = 2.0 ** np.arange(-6, 4)  # every multiple of 2**-6 up to 16
    assert cover(samples, 0, 15.98, 2.0**-7).covered
    spoiled = samples.copy()
    spoiled[3] += 2.0**-12
    result = cover(spoiled, 0, 15.98, 2.0**-7)
    assert result.covered is False
    result.check()
    assert covering_radius(spoiled, 0, 15.98).radius == 2.0**-7 + 2.0**-13


def test_duplicates_and_zeros() -> None:
    assert cover([0.0, 0.0], -1, 1, 1.0).covered
    assert not cover([0.0, 0.0], -1, 1, math.nextafter(1.0, 0)).covered
    assert covering_radius([0.5, 0.5, 0.5], 0, 1.5).radius == 0.25
    assert covering_radius([0.0], 0, 0).radius == 0.0


def test_eps_below_the_unit_of_the_grid() -> None:
    # integer sums and 2 eps < 1 unit: only a sum nearly equal to both ends covers
    low, high = 3.0, math.nextafter(3.0, 4)
    samples = [1.0, 2.0, 2.0**57]
    assert cover(samples, low, high, 2.0**-51).covered
    assert cover(samples, low, high, 2.0**-52).covered is False
    # on a rounded grid: a hole far from every sum is certain, the rest is left open, or listed
    thirds = np.append(np.full(12, 1 / 3), [2.0**58])
    result = cover(thirds, 1.0, 1.0, 2.0**-20, method="blocked")
    assert (result.covered, result.status) == (None, CoverStatus.LIMIT)
    assert "eps is below the resolution" in result.limits[0]
    result.check()
    assert cover(thirds, 1.0, 1.0, 2.0**-20, method="exhaustive").covered
    assert cover(thirds[6:], 1.0, 1.0, 2.0**-20).covered
    far = cover(thirds, 1e9, 1e12, 2.0**-20)
    assert far.covered is False
    far.check()


def test_witness_without_a_float_is_a_fraction() -> None:
    # the gap between eps-neighbourhoods is narrower than the spacing of floats at 1
    eps = 0.25 + 2.0**-54
    low, high = 1.0, math.nextafter(1.0, 2)
    samples = [0.75, 1.25 + 2.0**-52]
    result = cover(samples, low, high, eps, k=1)
    assert result.covered is False
    assert isinstance(result.witness, Fraction)
    result.check()


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_any_number_of_cells_in_a_gap(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    monkeypatch.setattr(edges_module, "PARTS", parts)
    monkeypatch.setattr(edges_module, "BLOCK", 40)  # many blocks, runs across their borders
    for seed in range(4):
        samples = np.random.default_rng(seed).uniform(-1, 1, 12)
        sums = exact_sums(samples, k=6)
        exact = rounded_up(radius(sums, -1.0, 1.0))
        for eps in (exact, math.nextafter(exact, 0), exact / 3):
            alone = cover(samples, -1.0, 1.0, eps, k=6)
            assert alone.covered is (eps == exact)
            together = cover(samples, -1.0, 1.0, eps, k=6, threads=3)
            for field in ("covered", "witness", "status", "work"):
                assert getattr(alone, field) == getattr(together, field)
        once = covering_radius(samples, -1.0, 1.0, k=6, gaps=5)
        assert once.radius == once.least == exact
        again = covering_radius(samples, -1.0, 1.0, k=6, gaps=5, threads=3)
        for field in dataclasses.fields(once):
            assert np.array_equal(getattr(once, field.name), getattr(again, field.name)), field.name


def test_short_budgets_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(8).uniform(-1, 1, 13)
    plain = cover(samples, -1.0, 1.0, 0.002, k=6)
    monkeypatch.setattr(cover_module, "BUDGET", 1)
    monkeypatch.setattr(edges_module, "BLOCK", 64)
    assert cover(samples, -1.0, 1.0, 0.002, k=6).covered == plain.covered
    monkeypatch.setattr("slth.subset_sum.cover_batch.BUDGET", 1)
    assert cover_batch(samples[None, :], -1.0, 1.0, 0.002, k=6).covered.tolist() == [plain.covered]


@pytest.mark.parametrize("threads", [1, 2])
def test_time_limit_between_blocks(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    samples = np.random.default_rng(8).uniform(-1, 1, 13)
    radius_found = covering_radius(samples, -1.0, 1.0, k=6).radius
    monkeypatch.setattr(edges_module, "BLOCK", 64)
    assert cover(samples, -1.0, 1.0, radius_found, k=6, threads=threads, time_limit=1000).covered
    monkeypatch.setattr(cover_module, "time", SimpleNamespace(monotonic=lambda: math.inf))
    late = cover(samples, -1.0, 1.0, radius_found, k=6, threads=threads, time_limit=1000)
    assert (late.status, late.limits) == (CoverStatus.LIMIT, ("`time_limit` reached.",))


@pytest.mark.parametrize("threads", [1, 2])
def test_time_limit_of_the_radius(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """However early the time is up, the radius lies between `least` and `radius`."""
    samples = np.random.default_rng(8).uniform(-1, 1, 14)
    whole = covering_radius(samples, -1.0, 1.0, k=7)
    assert whole.limits == ()
    monkeypatch.setattr(edges_module, "BLOCK", 64)
    monkeypatch.setattr(radius_module, "BUDGET", 1)
    monkeypatch.setattr(radius_module, "FINER", 2)
    gained = set()
    for looks in (0, 1, 5, 20, 60, 100_000):
        left = iter(range(looks))
        clock = SimpleNamespace(monotonic=lambda left=left: 0.0 if next(left, None) is not None else math.inf)
        monkeypatch.setattr(radius_module, "time", clock)
        found = covering_radius(samples, -1.0, 1.0, k=7, threads=threads, time_limit=1000)
        assert found.least <= whole.radius <= found.radius
        if looks == 100_000:
            assert (found.radius, found.least, found.limits) == (whole.radius, whole.radius, ())
        else:
            assert found.limits == ("`time_limit` reached.",)
            gained.add(found.radius)
    assert math.inf in gained
    assert len(gained) > 1  # what passes that were finished say is kept


def test_time_limit_while_lists_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radius_module, "build", lambda *_: None)
    found = covering_radius(np.random.default_rng(0).uniform(-1, 1, 14), -1, 1, k=7, time_limit=1000)
    assert (found.radius, found.least, found.low_distance) == (math.inf, 0.0, math.inf)
    assert found.limits == ("`time_limit` reached.",)


def test_negative_control_of_check() -> None:
    result = cover([1.0, 2.0, 4.0], 0, 7, 0.4)
    result.check()
    with pytest.raises(InvalidInput, match=r"`witness` must be farther than eps=0.4 .* within eps of 1 sum"):
        dataclasses.replace(result, witness=1.1).check()
    with pytest.raises(InvalidInput, match=r"`witness` must lie in \[0.0, 7.0\]; got 9.5"):
        dataclasses.replace(result, witness=9.5).check()
    with pytest.raises(InvalidInput, match=r"`covered` must agree with CoverStatus\.UNCOVERED; got True"):
        dataclasses.replace(result, covered=True).check()
    with pytest.raises(InvalidInput, match="`witness` must be given just when uncovered; got None"):
        dataclasses.replace(result, witness=None).check()
    lie = dataclasses.replace(result, covered=True, witness=None, status=CoverStatus.COVERED, high=9.0)
    with pytest.raises(InvalidInput, match=r"`covered` must be False: no sum is within eps of 9.0"):
        lie.check()


@pytest.mark.compiled
@pytest.mark.parametrize(("n", "k", "eps"), [(24, 8, 0.01), (32, 16, 1e-5), (30, 15, 1e-4)])
def test_larger_ones_cover_and_agree_with_the_radius(n: int, k: int, eps: float) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, n)
    reach = math.sqrt(k) / 2
    result = cover(samples, -reach, reach, eps, k=k)
    assert result.covered
    result.check()
    found = covering_radius(samples, -reach, reach, k=k, gaps=3)
    assert found.radius <= eps
    assert cover(samples, -reach, reach, found.radius, k=k).covered
    missed = cover(samples, -reach, reach, math.nextafter(found.radius, 0), k=k)
    assert missed.covered is False
    missed.check()
    assert (np.diff(found.lengths) <= 0).all()


@pytest.mark.parametrize("law", ["uniform", "normal"])
def test_one_of_many(law: str) -> None:
    samples = LAWS[law](np.random.default_rng(2), 400)
    sums = exact_sums(samples, k=1)
    found = covering_radius(samples, -1.0, 1.0, k=1, gaps=4)
    assert found.radius == rounded_up(radius(sums, -1.0, 1.0))
    assert found.lengths.tolist() == [float(gap) for gap in inner_gaps(sums, -1.0, 1.0)[:4]]
    for method in ("auto", "blocked"):
        assert cover(samples, -1.0, 1.0, found.radius, k=1, method=method).covered
        assert not cover(samples, -1.0, 1.0, math.nextafter(found.radius, 0), k=1, method=method).covered
    pairs = cover_batch(np.stack((samples, samples[::-1])), -1.0, 1.0, found.radius, k=1)
    assert pairs.covered.tolist() == [1, 1]


@given(
    samples=st.lists(st.floats(-1e200, 1e200), min_size=1, max_size=6),
    power=st.sampled_from((0, -300, -1000)),
)
def test_integers_are_the_samples_not_rounded(samples: list[float], power: int) -> None:
    array = np.ldexp(np.array(samples), power)
    grid = make_grid(array[None, :], as_family(len(array), None, None))
    numbers, finer = grid.integers(array)
    assert [Fraction(number, finer) for number in numbers] == [grid.units(x) for x in array.tolist()]


@pytest.mark.compiled
def test_radius_of_rounded_samples_is_exact() -> None:
    samples = np.random.default_rng(4).normal(size=20)
    found = covering_radius(samples, -2.0, 2.0, k=10)
    assert cover(samples, -2.0, 2.0, found.radius, k=10).covered
    missed = cover(samples, -2.0, 2.0, math.nextafter(found.radius, 0), k=10)
    assert missed.covered is False
    missed.check()


def test_limits() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 16)
    late = cover(samples, -1, 1, 0.1, k=8, time_limit=1e-9)
    assert (late.covered, late.witness, late.status) == (None, None, CoverStatus.LIMIT)
    assert late.limits == ("`time_limit` reached.",)
    with pytest.raises(CapacityExceeded, match=r"half sums with n=16, sizes 8..8 need about 0 MiB"):
        cover(samples, -1, 1, 1e-3, k=8, max_bytes=1000)
    with pytest.raises(CapacityExceeded, match=r"half sums with n=16, sizes 8..8"):
        cover_batch(samples[None, :], -1, 1, 1e-3, k=8, max_bytes=1000)
    with pytest.raises(CapacityExceeded, match=r"half sums with n=16, sizes 8..8"):
        covering_radius(samples, -1, 1, k=8, max_bytes=1000)
    with pytest.raises(CapacityExceeded, match=r"listing all sums with n=16, sizes 8..8"):
        cover(samples, -1, 1, 1e-3, k=8, method="exhaustive", max_bytes=1000)
    # half of a gap of rounded sums: exact tables decide, and may be refused
    tiny = np.append(samples, 2.0**-80)
    exact = covering_radius(tiny, -1, 1, k=8).radius
    undecided = cover(tiny, -1, 1, exact, k=8, max_bytes=20_000)
    assert undecided.status is CoverStatus.LIMIT
    assert "deciding sums at the edge exactly" in undecided.limits[0]
    rows = cover_batch(tiny[None, :], -1, 1, exact, k=8, max_bytes=20_000)
    assert rows.covered.tolist() == [-1]
    assert "deciding sums at the edge exactly" in rows.limits[0]


@pytest.mark.parametrize("seed", range(8))
def test_look_finds_the_neighbours(seed: int) -> None:
    rng = np.random.default_rng(seed)
    na, nb = rng.integers(1, 40, 2).tolist()
    spread = (5, 1000, 2**57)[seed % 3]
    left, right = (np.sort(rng.integers(-spread, spread, size)) for size in (na, nb))
    work = np.zeros(na + nb + 5, np.int64)
    a, b = 1, na + 3
    for place, values in ((a, left), (b, right)):
        work[place - 1], work[place + len(values)] = -merge.FAR, merge.FAR
        work[place : place + len(values)] = values
    sums = (left[:, None] + right).ravel()
    joins = np.array([[a, na, b, nb]])
    for value in (int(sums.min()), int(sums.max()), int(sums.max()) + 1, 0, int(sums[len(sums) // 2]) + 1):
        below, above = look(work, joins, value, 0)
        assert below == max((s for s in sums.tolist() if s < value), default=-merge.FAR)
        assert above == min((s for s in sums.tolist() if s >= value), default=merge.FAR)
        _, near = look(work, joins, value, spread)
        assert (near < value + spread) == ((sums >= value) & (sums < value + spread)).any()
    assert covering.extremes(work, joins) == (sums.min(), sums.max())


def test_cells_divide_exactly() -> None:
    rng = np.random.default_rng(2)
    for allowed in (1, 2, 3, 7, 1000, 12345, 2**33 + 5, 2**50 + 3):
        frame = edges_module.cells_between(-5, -5 + 900 * allowed, allowed)
        _, width, total, _, size, cut, factor, lift = frame.tolist()
        assert (allowed + 1) // width >= 2
        assert total * width <= 900 * allowed + 1
        places = [0, width - 1, width, (size + 15) * width - 1, *(rng.integers(0, size, 50) * width).tolist()]
        for v in places:
            assert ((v >> cut) * factor) >> lift == v // width
            assert (v >> cut) * factor < 2**63


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        (([], 0.0, 1.0, 0.1), {}, r"`samples` must not be empty; got shape \(0,\)"),
        (([1.0], 1.0, 0.0, 0.1), {}, "`low` must be <= `high`; got 1.0 > 0.0"),
        (([1.0], math.inf, 0.0, 0.1), {}, "`low` must be a finite number; got inf"),
        (([1.0], 0.0, "a", 0.1), {}, "`high` must be a finite number; got 'a'"),
        (([1.0], 0.0, 1.0, 0.0), {}, "`eps` must be a finite number"),
        (([1.0], 0.0, 1.0, 0.1), {"k": 2}, "`k` must be an integer"),
        (([1.0, 2.0, 3.0], 0.0, 1.0, 0.1), {"blocks": 2}, "`blocks` must divide the number of samples"),
        (
            ([1.0], 0.0, 1.0, 0.1),
            {"method": "magic"},
            "`method` must be one of 'auto', 'blocked', 'exhaustive'",
        ),
        (([1.0], 0.0, 1.0, 0.1), {"threads": 0}, "`threads` must be an integer"),
        (([1.0], 0.0, 1.0, 0.1), {"max_bytes": 0}, "`max_bytes` must be an integer"),
        (([1.0], 0.0, 1.0, 0.1), {"time_limit": -1}, "`time_limit` must be a finite number"),
    ],
)
def test_cover_rejects(arguments: tuple[Any, ...], options: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        cover(*arguments, **options)


def test_radius_and_batch_reject() -> None:
    with pytest.raises(InvalidInput, match=r"`low` must be <= `high`; got 1\.0 > 0\.0"):
        covering_radius([1.0], 1.0, 0.0)
    with pytest.raises(InvalidInput, match="`gaps` must be an integer"):
        covering_radius([1.0], 0.0, 1.0, gaps=0)
    with pytest.raises(InvalidInput, match="`blocks` must divide"):
        covering_radius([1.0, 2.0, 3.0], 0.0, 1.0, blocks=2)
    with pytest.raises(InvalidInput, match="`samples` must have 2 dimension"):
        cover_batch([1.0], 0.0, 1.0, 0.1)
    with pytest.raises(InvalidInput, match="`threads` must be an integer"):
        cover_batch([[1.0]], 0.0, 1.0, 0.1, threads=0)
