"""Batches: the same answers as one at a time, bit-identical for any number of threads, exact errors in bulk."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slth.subset_sum import group as group_module
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.mitm import plan_within
from slth.subset_sum.plan import make_layout
from slth.subset_sum.problem import exact_error, exact_value
from slth.subset_sum.result import Status
from slth.subset_sum.solve import solve


def products(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Products of a uniform number of [0, 1) and one of [-1, 1), multiples of 2^-46."""
    return rng.integers(0, 2**23, shape) * rng.integers(-(2**23), 2**23, shape) * 2.0**-46


@pytest.mark.parametrize(("n", "k"), [(12, 3), (16, (0, 5)), (11, None), (20, 4)])
@pytest.mark.parametrize("law", ["products", "normal"])
def test_batch_equals_loop(n: int, k: int | tuple[int, int] | None, law: str) -> None:
    rng = np.random.default_rng(n)
    samples = products(rng, (15, n)) if law == "products" else rng.normal(size=(15, n))
    targets = rng.uniform(-1, 1, 15)
    for table in (samples, samples[0]):
        closest = solve_batch(table, targets, k=k)
        closest.check()
        assert (closest.statuses == Status.CLOSEST_PROVED.value).all()
        for b in range(15):
            alone = solve(table if table.ndim == 1 else table[b], targets[b], k=k)
            assert closest[b].error == alone.error
            if law == "products":
                assert closest[b].value == alone.value
        for eps in (0.1, 1e-3, 1e-5, 1e-7):
            result = solve_batch(table, targets, k=k, eps=eps)
            result.check()
            assert np.array_equal(result.found, closest.errors <= eps)


@pytest.mark.parametrize("eps", [None, 1e-2, 1e-5])
@pytest.mark.parametrize("shared", [False, True])
def test_thread_count_is_irrelevant(monkeypatch: pytest.MonkeyPatch, eps: float | None, shared: bool) -> None:
    monkeypatch.setattr(group_module, "WORTH_THREADS", 0.0)
    monkeypatch.setattr(group_module, "BLOCK", 1e-5)
    rng = np.random.default_rng(7)
    samples, targets = products(rng, (60, 20)), rng.uniform(-1, 1, 60)
    results = [
        solve_batch(samples[0] if shared else samples, targets, k=5, eps=eps, threads=t) for t in (1, 2, 5)
    ]
    for other in results[1:]:
        for field in ("bits", "values", "errors", "statuses"):
            assert getattr(results[0], field).tobytes() == getattr(other, field).tobytes()
        assert results[0].work == other.work


def test_pools_are_tried_where_the_complete_search_is_dearer_or_does_not_fit() -> None:
    rng = np.random.default_rng(6)
    samples, targets = products(rng, (40, 18)), rng.uniform(-1, 1, 40)
    full = plan_within((18, 9, 9), 1 << 30)
    complete = solve_batch(samples, targets, k=9, eps=1e-4)
    assert complete.work == 40 * (full.merged + full.joined)  # the turns of a pool would take longer
    pools = solve_batch(samples, targets, k=9, eps=1e-4, max_bytes=full.bytes - 8)
    pools.check()
    assert set(pools.statuses.tolist()) == {Status.FOUND.value, Status.LIMIT.value}
    assert (complete.found | ~pools.found).all()


def test_work_that_is_long_is_done_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    samples, targets = products(rng, (6, 14)), rng.uniform(-1, 1, 6)
    short = solve_batch(samples, targets, k=4)
    monkeypatch.setattr(group_module, "SHORT", 0.0)
    for table in (samples, samples[2]):
        long = solve_batch(table, targets, k=4)
        long.check()
        if table.ndim == 2:
            assert np.array_equal(long.errors, short.errors)
    assert solve_batch(samples[0], targets, k=4, eps=1e-2).statuses.shape == (6,)


@pytest.mark.parametrize("n", [7, 8, 9, 20])
def test_masks_are_packed(n: int) -> None:
    rng = np.random.default_rng(n)
    samples, targets = products(rng, (30, n)), rng.uniform(-1, 1, 30)
    for eps in (None, 0.05, 1e-5):
        result = solve_batch(samples, targets, k=3, eps=eps)
        assert result.bits.shape == (30, -(-n // 8))
        for b in range(30):
            indices = result[b].indices
            number = int.from_bytes(result.bits[b].tobytes(), "little")
            assert number == sum(1 << i for i in ([] if indices is None else indices.tolist()))
            assert np.flatnonzero(result.mask[b]).tolist() == [i for i in range(n) if number >> i & 1]


def test_no_instances() -> None:
    result = solve_batch(np.zeros((0, 5)), [])
    assert len(result) == 0
    assert result.mask.shape == (0, 5)
    result.check()


def test_tail_targets_reach_the_complete_search() -> None:
    rng = np.random.default_rng(2)
    samples = products(rng, (8, 18))
    ordered = np.sort(samples, axis=1)
    targets = ordered[:, -4:].sum(axis=1)  # only one subset of four is there
    result = solve_batch(samples, targets, k=4, eps=1e-6)
    result.check()
    assert result.found.all()
    assert not solve_batch(samples, targets + 1e-3, k=4, eps=1e-6).found.any()


@given(
    numerators=st.lists(st.integers(-(2**52), 2**52), min_size=4, max_size=4),
    target=st.one_of(st.floats(-4, 4), st.sampled_from((0.0, -0.0, 5e-324, -5e-324, 1e-310, 3.5, 1e200))),
    exponent=st.sampled_from((-52, -46, 0, 100, -300, -1000)),
)
@settings(max_examples=300)
def test_bulk_errors_are_the_exact_ones(numerators: list[int], target: float, exponent: int) -> None:
    samples = np.ldexp(np.array(numerators, np.float64), exponent)
    result = solve_batch(samples[None, :], [target], k=2)
    chosen = samples[result.mask[0]].tolist()
    assert result.values[0] == exact_value(chosen)
    assert result.errors[0] == exact_error(chosen, target)


@given(data=st.data())
@settings(max_examples=300)
def test_error_is_rounded_up(data: st.DataObject) -> None:
    from fractions import Fraction

    terms = data.draw(st.lists(st.floats(-1e3, 1e3), max_size=5))
    target = data.draw(st.floats(-1e3, 1e3))
    true = abs(sum((Fraction(t) for t in terms), Fraction(0)) - Fraction(target))
    error = exact_error(terms, target)
    assert Fraction(error) >= true
    assert error == 0 or Fraction(math.nextafter(error, 0)) < true


@pytest.mark.compiled
def test_repeated_small_calls_are_cheap() -> None:
    """Plans are made once: the second call of a kind makes none."""
    rng = np.random.default_rng(0)
    samples, targets = products(rng, (10, 21)), rng.uniform(-1, 1, 10)
    solve_batch(samples, targets, k=5, eps=1e-3)
    before = make_layout.cache_info().misses
    solve_batch(samples[::-1].copy(), targets, k=5, eps=1e-3)
    assert make_layout.cache_info().misses == before


@pytest.mark.parametrize("n", [12, 17])
def test_rounded_grids_are_settled_in_bulk_or_one_by_one(n: int) -> None:
    """Samples of 53-bit mantissas are off the common grid; ties on it are not ties, nor the other way round."""
    rng = np.random.default_rng(n)
    normal = rng.normal(size=(20, n))
    twins = np.repeat(rng.normal(size=(20, (n + 1) // 2)), 2, axis=1)[:, :n]  # every subset has look-alikes
    wide = rng.normal(size=(20, n)) * 10.0 ** rng.integers(-25, 0, (20, n))
    targets = rng.normal(size=20)
    for samples in (normal, twins, wide):
        for table in (samples, samples[0]):
            closest = solve_batch(table, targets, k=5)
            closest.check()
            for b in range(20):
                row = table if table.ndim == 1 else table[b]
                assert closest.errors[b] == solve(row, targets[b], k=5, method="exhaustive").error
            for eps in (1e-2, float(closest.errors[3]), float(np.nextafter(closest.errors[3], 0))):
                if eps > 0:
                    result = solve_batch(table, targets, k=5, eps=eps)
                    result.check()
                    assert np.array_equal(result.found, closest.errors <= eps)


def test_many_samples_of_which_few_are_taken() -> None:
    """The search for a pool of thousands of samples stays within the floats."""
    samples = np.random.default_rng(5).uniform(-1, 1, (2, 9000))
    result = solve_batch(samples, [0.25, -0.5], k=1, eps=1e-4)
    assert result.found.tolist() == (np.abs(samples - [[0.25], [-0.5]]).min(axis=1) <= 1e-4).tolist()
