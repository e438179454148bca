"""The pair scan: exact confirmation, agreement with brute force, threads, and samples it must not touch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.subset_sums import smallest_distance

from slth._jit import pairs
from slth.errors import InvalidInput
from slth.subset_sum import batch as batch_module
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.pairs import plan_attempts, plan_pairs
from slth.subset_sum.problem import exact_error, exact_value
from slth.subset_sum.result import Status


@given(terms=st.lists(st.floats(-1e300, 1e300), max_size=9), halves=st.booleans())
@settings(max_examples=400)
def test_exact_sum_is_fsum(terms: list[float], halves: bool) -> None:
    if halves and terms:  # ties between two neighbours, where the last rounding matters
        terms = [1.0, 2.0**-53, math.copysign(2.0**-106, terms[0]), *[-1.0] * (len(terms) % 2)]
    array = np.array([*terms, 0.0])
    assert pairs.exact_sum(array, len(terms), np.empty(len(terms) + 2)) == math.fsum(terms)


@given(
    numerators=st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=6),
    power=st.sampled_from((-50, -46, -60, -200)),
    target=st.one_of(st.floats(-4, 4), st.sampled_from((0.0, 5e-324, -1e-310, 2.0**-80, 3.0))),
)
@settings(max_examples=300)
def test_confirm_is_exact(numerators: list[int], power: int, target: float) -> None:
    row = np.ldexp(np.array(numerators, np.float64), power)
    count = len(row)
    scratch = np.empty(count + 3), np.empty(count + 3)
    picks = np.arange(count)
    value, error = pairs.confirm(row, picks, count, target, 2.0**53, 2.0**-53, 2.0**57, *scratch)
    assert value == exact_value(row.tolist())
    assert error == exact_error(row.tolist(), target)


def draw(law: str, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    if law == "normal":
        return rng.normal(size=shape)
    if law == "grid":
        return rng.integers(-8, 9, shape) / 8
    return np.ldexp(rng.uniform(-1, 1, shape), -100 if law == "tiny" else 0)


@pytest.mark.parametrize("law", ["uniform", "normal", "grid", "tiny"])
@pytest.mark.parametrize(("n", "k"), [(10, 3), (11, 2), (12, (0, 6)), (12, None), (10, (4, 5))])
def test_agrees_with_brute_force(law: str, n: int, k: int | tuple[int, int] | None) -> None:
    rng = np.random.default_rng(n)
    samples = draw(law, rng, (20, n))
    size = float(np.abs(samples).max())
    targets = rng.uniform(-2, 2, 20) * size
    low, high = (0, n) if k is None else k if isinstance(k, tuple) else (k, k)
    best = [smallest_distance(x.tolist(), z, low, high) for x, z in zip(samples, targets.tolist(), strict=True)]
    for eps in (0.2 * size, 0.02 * size):
        assert plan_pairs(samples, targets, low, high, eps) is not None
        result = solve_batch(samples, targets, k=k, eps=eps)
        result.check()
        assert result.found.tolist() == [distance <= eps for distance in best]
        assert (result.statuses[~result.found] == Status.ABSENT_PROVED.value).all()


@pytest.mark.compiled
@pytest.mark.parametrize("k", [6, None])
def test_any_number_of_threads_and_any_batch_gives_the_same(
    monkeypatch: pytest.MonkeyPatch, k: int | None
) -> None:
    rng = np.random.default_rng(3)
    samples, targets = rng.uniform(-1, 1, (6000, 30)), rng.uniform(-2.5, 2.5, 6000)
    monkeypatch.setattr(batch_module, "SMALL", 0)
    results = [solve_batch(samples, targets, k=k, eps=1e-2, threads=t) for t in (1, 2, 7)]
    for other in results[1:]:
        for field in ("bits", "values", "errors", "statuses"):
            assert getattr(results[0], field).tobytes() == getattr(other, field).tobytes()
        assert other.work == results[0].work
    results[0].check()
    assert results[0].found.mean() > 0.99
    # chunks of what is left bound the memory, and change no status
    monkeypatch.setattr(batch_module, "CHUNK", 60)
    chunked = solve_batch(samples[:300], targets[:300], k=k, eps=1e-2)
    assert np.array_equal(chunked.statuses, results[0].statuses[:300])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused_wherever_they_are(bad: float) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (100, 12))
    samples[97, 3] = bad
    with pytest.raises(InvalidInput, match=r"`samples` must be finite; got .* at index \(97, 3\)"):
        solve_batch(samples, np.zeros(100), k=4, eps=0.1)


def test_rows_far_beyond_the_first_ones_are_left_to_other_methods() -> None:
    rng = np.random.default_rng(0)
    samples = rng.uniform(-1, 1, (70, 10))
    samples[66:] *= 1e300
    result = solve_batch(samples, np.full(70, 0.25), k=3, eps=0.1)
    result.check()
    assert (result.statuses[66:] == Status.ABSENT_PROVED.value).all()
    assert result.found[:66].any()


def test_the_samples_are_copied() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (4, 12))
    result = solve_batch(samples, np.zeros(4), k=4, eps=0.1)
    samples[:] = 7.0
    assert result.found.any()
    result.check()


def test_plans_are_made_where_pairs_pay() -> None:
    attempts = plan_attempts(30, 6, 6, 3, -6.0)
    assert attempts is not None
    assert (attempts[:, 0] == 4).all()
    assert len(set(attempts[:, 3].tolist())) == len(attempts)
    assert plan_attempts(30, 6, 6, 3, -20.0) is None  # too few hits
    assert plan_attempts(12, 10, 10, 3, -2.0) is None  # no choice of anchors
    rows = np.ones((3, 20))
    assert plan_pairs(rows, np.zeros(3), 4, 4, 0.1) is None  # no spread
    assert plan_pairs(0 * rows, np.zeros(3), 4, 4, 0.1) is None
    rows[:, ::2] = -1.0
    assert plan_pairs(rows, np.zeros(3), 4, 4, 0.1) is not None
    assert plan_pairs(rows, np.zeros(3), 4, 4, 1e-9) is None
    assert plan_pairs(rows, np.zeros(3), 0, 1, 0.1) is None
