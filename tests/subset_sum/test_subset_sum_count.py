"""Counting against enumeration: every law, every family, edges that sums lie on exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from oracles.covering import FAMILIES, LAWS, count_within, exact_sums

from slth._jit import counting, merge
from slth.errors import CapacityExceeded, InvalidInput
from slth.subset_sum.count import count


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n", "family"), FAMILIES, ids=str)
def test_count_equals_enumeration(law: str, n: int, family: dict[str, Any]) -> None:
    rng = np.random.default_rng([n, len(law), len(family)])
    samples = LAWS[law](rng, n)
    sums = exact_sums(samples, **family)
    targets = [0.0, float(rng.normal()), float(sums[len(sums) // 3]), 40.0]
    for target in targets:
        # a tolerance that some sum meets exactly, its neighbours, none at all
        touching = float(abs(sums[-1] - np.float64(target)))
        for eps in (0.0, 0.25, touching, math.nextafter(touching, 9), 50.0):
            result = count(samples, target, eps, **family)
            assert result.count == count_within(sums, target, eps), (target, eps)
            assert result.total == len(sums)
            assert not result.limits


def test_edges_inside_the_rounding_are_decided_on_the_samples() -> None:
    # 2**-70 vanishes on any int64 grid that holds 1
    samples = [1.0, 1.0, 2.0**-70, 2.0**-70, 3 * 2.0**-71, 1 / 3]
    sums = exact_sums(samples)
    for target in (0.0, 1.0, 1.0 + 2.0**-52, 1 / 3):
        for eps in (0.0, 2.0**-71, 2.0**-70, 3 * 2.0**-70, 1.0, math.nextafter(1.0, 0)):
            assert count(samples, target, eps).count == count_within(sums, target, eps)


def test_long_integers_where_magnitudes_differ_most() -> None:
    samples = [1e300, -1e300, 1e-300, 3e-300, 1.0, 5e-324]
    sums = exact_sums(samples)
    for target, eps in ((0.0, 4e-300), (1.0, 1e-300), (1e-300, 0.0), (1e300, 1.0)):
        assert count(samples, target, eps).count == count_within(sums, target, eps)


def test_too_many_sums_at_an_edge_are_refused() -> None:
    tiny = np.random.default_rng(1).uniform(size=22) * 2.0**-75
    with pytest.raises(CapacityExceeded, match="more than 100000 pairs of half sums lie within rounding"):
        count(np.append(tiny, [1.0, 1.0]), 1.0, 1.0)


@pytest.mark.parametrize(("n", "k"), [(80, 2), (150, (0, 2)), (300, 1), (130, (1, 2))])
def test_few_of_many_are_sorted_not_merged(n: int, k: Any) -> None:
    samples = np.random.default_rng(n).integers(-1000, 1000, n) / 64
    low, high = (k, k) if isinstance(k, int) else k
    pairs = samples[:, None] + samples
    sums = [np.zeros(1), samples, pairs[np.triu_indices(n, 1)]]
    every = np.concatenate(sums[low : high + 1])
    result = count(samples, 3.0, 1.5, k=k)
    assert result.count == int((np.abs(every - 3.0) <= 1.5).sum())
    assert result.total == len(every)


@pytest.mark.compiled
def test_everything_and_half() -> None:
    samples = np.random.default_rng(5).uniform(-1, 1, 40)
    assert count(samples, 0.0, 100.0, k=20).count == math.comb(40, 20)
    # complements: as many sums above the half as below
    total = float(np.ldexp(np.ldexp(samples, 53).astype(np.int64).sum(), -53))
    eps = 50.0
    above = count(samples, total / 2 + eps, eps, k=20).count
    below = count(samples, total / 2 - eps, eps, k=20).count
    assert above == below
    assert above is not None
    middle = count(samples, total / 2, 0.0, k=20).count
    assert middle is not None
    assert above + below - middle == math.comb(40, 20)


@pytest.mark.parametrize("seed", range(6))
def test_count_up_to_in_slices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    na, nb = rng.integers(1, 30, 2).tolist()
    left, right = (np.sort(rng.integers(-9, 9, size)) for size in (na, nb))
    work = np.zeros(na + nb + 5, np.int64)
    a, b = 1, na + 3
    for place, values in ((a, left), (b, right)):
        work[place - 1], work[place + len(values)] = -merge.FAR, merge.FAR
        work[place : place + len(values)] = values
    sums = left[:, None] + right
    for value in (-99, -5, 0, 1, 7, 99):
        cut = (na + nb) // 3
        steps = ((0, cut), (cut, na + nb))
        parts = [counting.count_up_to(work, a, na, b, nb, value, s, t) for s, t in steps]
        assert sum(parts) == (sums <= value).sum()


def test_slices_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(3).uniform(-1, 1, 14)
    whole = count(samples, 0.2, 0.3, k=6)
    monkeypatch.setattr("slth.subset_sum.halves.SLICE", 100)
    monkeypatch.setattr("slth.subset_sum.count.SLICE", 10)
    assert count(samples, 0.2, 0.3, k=6) == whole
    for few in (samples, np.append(samples[:13], 2.0**-80)):
        assert count(few, 0.2, 0.3, k=6, time_limit=1e-9).count is None


def test_time_limit_and_memory() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 24)
    late = count(samples, 0.0, 0.1, k=12, time_limit=1e-9)
    assert late.count is None
    assert late.limits == ("`time_limit` reached.",)
    with pytest.raises(CapacityExceeded, match=r"half sums with n=24, sizes 12..12 need about 0 MiB"):
        count(samples, 0.0, 0.1, k=12, max_bytes=100)
    with pytest.raises(CapacityExceeded, match=r"n=200, sizes 0..200 need more than 8 TiB"):
        count(np.ones(200), 0.0, 0.1)
    with pytest.raises(CapacityExceeded, match=r"n=300, one of each 3 need more than 8 TiB"):
        count(np.ones(300), 0.0, 0.1, blocks=3)
    rounded = np.append(samples[:20], 2.0**-80)
    with pytest.raises(CapacityExceeded, match="deciding sums at the edge exactly"):
        count(rounded, float(samples[0]), 0.0, max_bytes=40_000)


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        (([], 0.0, 0.1), {}, r"`samples` must not be empty; got shape \(0,\)"),
        (([1.0, math.nan], 0.0, 0.1), {}, "`samples` must be finite; got nan at index 1"),
        (([[1.0]], 0.0, 0.1), {}, "`samples` must have 1 dimension"),
        (([1e308, 1e308], 0.0, 0.1), {}, r"`samples` must have sums below 2\*\*1023"),
        (([1.0], "x", 0.1), {}, "`target` must be a finite number; got 'x'"),
        (([1.0], 0.0, -0.1), {}, "`eps` must be a finite number >= 0"),
        (([1.0, 2.0], 0.0, 0.1), {"k": 3}, "`k` must be an integer"),
        (([1.0, 2.0, 3.0], 0.0, 0.1), {"blocks": 2}, "`blocks` must divide the number of samples; got 2 for 3"),
        (([1.0, 2.0], 0.0, 0.1), {"blocks": 0}, "`blocks` must be an integer"),
        (([1.0, 2.0], 0.0, 0.1), {"blocks": 2, "k": 2}, r"`k` must be None or 1 \(= n / blocks\)"),
        (([1.0], 0.0, 0.1), {"max_bytes": 0}, "`max_bytes` must be an integer"),
        (([1.0], 0.0, 0.1), {"time_limit": 0}, "`time_limit` must be a finite number"),
    ],
)
def test_rejects(arguments: tuple[Any, ...], options: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        count(*arguments, **options)
