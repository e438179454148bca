"""One of each block of consecutive samples: agreement with brute force in rationals, proofs, refusals."""

from __future__ import annotations

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.covering import distance, exact_sums
from oracles.instances import KINDS, draw_samples

from slth._jit import merge, subsets
from slth.errors import CapacityExceeded, InvalidInput
from slth.subset_sum import blocks as blocks_module
from slth.subset_sum import group, mitm
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.blocks import make_layout, make_pools, relative, shift_pairs
from slth.subset_sum.result import Status
from slth.subset_sum.scaling import scale
from slth.subset_sum.solve import solve
from slth.testing import FAMILIES, samples_of

SHAPES = [(1, 3), (2, 1), (2, 5), (3, 4), (4, 3), (5, 3), (6, 2), (9, 1)]  # b, k


def exact_distance(samples: np.ndarray, indices: np.ndarray, target: float) -> Fraction:
    return abs(sum((Fraction(x) for x in samples[indices].tolist()), Fraction(0)) - Fraction(target))


@given(data=st.data())
@settings(max_examples=300)
def test_agrees_with_brute_force(data: st.DataObject) -> None:
    b, k = data.draw(st.sampled_from(SHAPES))
    samples = np.array(data.draw(samples_of(b * k, data.draw(st.sampled_from(FAMILIES)))))
    sums = exact_sums(samples, blocks=b)
    size = float(np.abs(samples).max()) or 1.0
    target = data.draw(st.one_of(st.sampled_from(sums).map(float), st.floats(-3, 3).map(lambda x: x * size)))
    best = distance(sums, target)
    closest = solve(samples, target, blocks=b)
    closest.check()
    assert closest.status is Status.CLOSEST_PROVED
    assert exact_distance(samples, closest.indices, target) == best
    for eps in (float(best), math.nextafter(float(best), 0), float(best) * 1.5, size * 0.1):
        if 0 < eps < 1e300:
            result = solve(samples, target, blocks=b, eps=eps)
            result.check()
            assert result.status is (Status.FOUND if best <= Fraction(eps) else Status.ABSENT_PROVED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("b", "k"), [(2, 5), (4, 3), (5, 4)])
def test_batch_agrees_with_brute_force(kind: str, b: int, k: int) -> None:
    rng = np.random.default_rng([b, KINDS.index(kind)])
    samples = np.array([draw_samples(rng, b * k, kind) for _ in range(12)])
    targets = rng.uniform(-1, 1, 12) * np.abs(samples).max(axis=1)
    for table in (samples, samples[0]):
        rows = np.broadcast_to(table, samples.shape)
        best = [distance(exact_sums(x, blocks=b), z) for x, z in zip(rows, targets.tolist(), strict=True)]
        closest = solve_batch(table, targets, blocks=b)
        closest.check()
        assert (closest.statuses == Status.CLOSEST_PROVED.value).all()
        for x, z, result, true in zip(rows, targets.tolist(), closest, best, strict=True):
            assert exact_distance(x, result.indices, z) == true
        scale_of = float(np.abs(samples).max())
        for eps in (0.1 * scale_of, 1e-3 * scale_of, float(best[0]), math.nextafter(float(best[0]), 0)):
            if eps > 0:
                result = solve_batch(table, targets, k=k, blocks=b, eps=eps)
                result.check()
                assert result.found.tolist() == [true <= Fraction(eps) for true in best]
                assert np.isin(result.statuses, (Status.FOUND.value, Status.ABSENT_PROVED.value)).all()


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("b", "k", "eps"), [(5, 6, 1e-2), (8, 5, 1e-2), (4, 12, 1e-4), (3, 9, 1e-3), (3, 7, None)]
)
def test_quick_passes_lose_nothing(b: int, k: int, eps: float | None) -> None:
    """Batches find what the complete search finds, with own samples and with shared ones, on any threads."""
    rng = np.random.default_rng(b)
    samples, targets = rng.uniform(-1, 1, (300, b * k)), rng.uniform(-2, 2, 300)
    targets[:20] = samples[:20].reshape(20, k, b).max(axis=2).sum(axis=1) - 1e-5  # hardly any subset is there
    one, two = (solve_batch(samples, targets, blocks=b, eps=eps, threads=t) for t in (1, 3))
    one.check()
    for field in ("bits", "values", "errors", "statuses"):
        assert getattr(one, field).tobytes() == getattr(two, field).tobytes()
    for i in range(0, 300, 15):
        alone = solve(samples[i], targets[i], blocks=b, method="meet-in-the-middle", eps=eps)
        assert alone.status is one[i].status
        assert eps is not None or alone.error == one.errors[i]
    shared = solve_batch(samples[30], targets[:40], blocks=b, eps=eps)
    shared.check()
    own = solve_batch(np.repeat(samples[30:31], 40, axis=0), targets[:40], blocks=b, eps=eps)
    assert np.array_equal(shared.statuses, own.statuses)


@pytest.mark.parametrize("law", ["uniform", "normal", "twins"])
@pytest.mark.parametrize(("b", "k"), [(2, 9), (3, 7), (4, 5)])
def test_slices_equal_one_call(monkeypatch: pytest.MonkeyPatch, law: str, b: int, k: int) -> None:
    """Also where the grid rounds and subsets look alike on it."""
    rng = np.random.default_rng(k)
    samples = {
        "uniform": rng.uniform(-1, 1, b * k),
        "normal": rng.normal(size=b * k),
        "twins": np.repeat(rng.normal(size=b * k), 2)[: b * k],
    }[law]
    for eps in (None, 1e-2, 1e-9):
        short = solve(samples, 0.37, blocks=b, eps=eps, method="meet-in-the-middle")
        monkeypatch.setattr(mitm, "SHORT", 0.0)
        monkeypatch.setattr(mitm, "SLICE", 50)
        long = solve(samples, 0.37, blocks=b, eps=eps, method="meet-in-the-middle")
        monkeypatch.setattr(group, "SHORT", 0.0)
        batch = solve_batch(samples, [0.37, 0.5], blocks=b, eps=eps)
        monkeypatch.undo()
        for result in (short, long, batch[0]):
            result.check()
            assert result.status is short.status
            if eps is None:
                best = distance(exact_sums(samples, blocks=b), 0.37)
                assert exact_distance(samples, result.indices, 0.37) == best


@pytest.mark.parametrize(("b", "k"), [(2, 4), (3, 3)])
def test_cp_sat_agrees(b: int, k: int) -> None:
    rng = np.random.default_rng(b)
    for _ in range(4):
        samples, target = rng.integers(-100, 100, b * k) / 64, float(rng.uniform(-1, 1))
        ours = solve(samples, target, blocks=b)
        other = solve(samples, target, blocks=b, method="cp-sat")
        other.check()
        assert other.error == ours.error
        below = math.nextafter(ours.error, 0)
        assert solve(samples, target, blocks=b, method="cp-sat", eps=below).status is Status.ABSENT_PROVED


def test_long_integers_settle_what_no_grid_can() -> None:
    rng = np.random.default_rng(0)
    samples = rng.uniform(-1, 1, 18) * 10.0 ** np.tile([300.0, -300.0, 0.0], 6)
    target = float(samples[::3].sum())
    result = solve(samples, target, blocks=3, method="meet-in-the-middle")
    result.check()
    assert exact_distance(samples, result.indices, target) == distance(exact_sums(samples, blocks=3), target)
    twins = np.tile(samples, 3)  # thousands of choices alike
    assert solve(twins, 3 * target, blocks=3).status is Status.CLOSEST_PROVED


@pytest.mark.compiled
@pytest.mark.parametrize(("b", "k"), [(4, 14), (2, 30), (16, 7)])
def test_a_planted_choice_is_found(b: int, k: int) -> None:
    rng = np.random.default_rng(k)
    samples = rng.integers(-(2**44), 2**44, b * k) * 2.0**-44
    target = math.fsum(samples[np.arange(k) * b + rng.integers(0, b, k)])
    result = solve(samples, target, blocks=b)
    result.check()
    assert result.error == 0


@pytest.mark.compiled
def test_many_blocks_are_met_by_pools() -> None:
    """Beyond any list of half sums; 10^-6 takes a pool of about ten blocks."""
    rng = np.random.default_rng(4)
    samples, targets = rng.uniform(-1, 1, (20, 800)), rng.uniform(-3, 3, 20)
    result = solve_batch(samples, targets, blocks=4, eps=1e-6)
    result.check()
    assert result.found.all()
    assert solve(samples[0], targets[0], blocks=4, eps=1e-6).method == "pools"
    with pytest.raises(CapacityExceeded, match=r"one of each of 200 blocks of 4 needs more than 8 TiB"):
        solve(samples[0], targets[0], blocks=4)
    with pytest.raises(CapacityExceeded, match=r"one of each of 20 blocks of 4 needs about .* MiB, more than"):
        solve(samples[0, :80], targets[0], blocks=4, max_bytes=1 << 16)
    ends = samples.reshape(20, 200, 4).max(axis=2).sum(axis=1) - 0.01  # hardly any subset is there
    open_ones = solve_batch(samples, ends, blocks=4, eps=1e-6)
    assert (open_ones.statuses == Status.LIMIT.value).all()


def test_targets_beyond_all_sums() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 400)
    for side in (-1.0, 1.0):
        result = solve(side * samples, side * 150.0, blocks=4)
        result.check()
        assert result.method == "extremes"
        assert (result.indices == np.arange(100) * 4 + samples.reshape(100, 4).argmax(axis=1)).all()


@pytest.mark.parametrize(("b", "k"), [*SHAPES, (7, 4)])
def test_lists_hold_each_choice_once(b: int, k: int) -> None:
    rng = np.random.default_rng(b)
    samples = rng.uniform(-1, 1, (1, b * k))
    scaled = scale(samples, np.array([0.3]), k, None)
    searched = relative(scaled, b)
    layout = make_layout(b, k)
    work = np.full(layout.length, 77, np.int64)
    merge.sow(work)
    merge.run_merges(work, searched.items[0], layout.plan.ops, 0, len(layout.plan.ops))
    (a, na, c, nc, *_), = layout.plan.joins.tolist()  # fmt: skip
    firsts = scaled.items[0, ::b].sum()
    assert scaled.targets[0] - firsts == searched.targets[0]
    sums = (work[a : a + na, None] + work[None, c : c + nc]).ravel() + firsts
    places = itertools.product(*(range(s, s + b) for s in range(0, b * k, b)))
    assert np.array_equal(np.sort(sums), np.sort([scaled.items[0, list(p)].sum() for p in places]))
    assert shift_pairs(b).shape == (b - 1, 2)


def test_mark_choice() -> None:
    items = np.random.default_rng(1).integers(-50, 50, 10)
    comb, mask = np.zeros(5, np.int64), np.zeros(10, np.bool_)
    for chosen in itertools.product((2, 3, 4), (5, 6, 7)):
        mask[:] = False
        value = items[list(chosen)].sum() - items[2] - items[5]
        assert subsets.mark_choice(items, 2, 8, 3, value, comb, mask)
        assert mask[2:5].sum() == mask[5:8].sum() == 1
        assert items[mask].sum() == items[list(chosen)].sum()
        assert not mask[[0, 1, 8, 9]].any()
    assert not subsets.mark_choice(items, 2, 8, 3, 10**6, comb, mask)


def test_pools_grow_and_stay_below_the_whole() -> None:
    sizes = [len(pool.plan.joins) and int(pool.plan.cuts[4]) // 4 for pool in make_pools(4, 30, 16.0)]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] < 30
    assert make_pools(4, 5, 40.0) == ()
    samples = scale(np.ones((1, 12)), np.array([0.5]), 4, 0.1)
    assert blocks_module.pools_for(samples, 3, 0.1) == ()  # no spread


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"blocks": 4}, "`blocks` must divide the number of samples; got 4 for 6 samples"),
        ({"blocks": 0}, r"`blocks` must be an integer in \[1, 6\]; got 0"),
        ({"blocks": 3, "k": 3}, r"`k` must be None or 2 \(= n / blocks\) with `blocks`; got 3"),
    ],
)
def test_refusals(change: dict[str, int], match: str) -> None:
    samples = [0.5, 0.25, -0.75, 1.0, 0.0, 2.0]
    with pytest.raises(InvalidInput, match=match):
        solve(samples, 0.1, **change)
    with pytest.raises(InvalidInput, match=match):
        solve_batch(samples, [0.1], **change)


def test_blocks_are_no_matter_for_some_methods() -> None:
    samples = [0.5, 0.25, -0.75, 1.0, 0.0, 2.0]
    with pytest.raises(InvalidInput, match=r"`method` must be one of 'auto', .* with blocks; got 'exhaustive'"):
        solve(samples, 0.1, blocks=3, method="exhaustive")
    with pytest.raises(InvalidInput, match="`blocks` must be None with forced_in or forced_out; got 3"):
        solve(samples, 0.1, blocks=3, forced_in=[0])


def test_a_result_that_takes_two_of_one_block_is_refused() -> None:
    result = solve([0.5, 0.25, -0.75, 1.0], 0.75, blocks=2)
    wrong = np.array([0, 1])
    changed = dataclasses.replace(result, indices=wrong, value=0.75, error=0.0)
    with pytest.raises(InvalidInput, match="`indices` of a result must hold one of each 2 samples"):
        changed.check()
