"""The compiled routines one by one, the plans that drive them, and both ways of running a search."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings

from slth._jit import blocks, merge, subsets
from slth._jit._options import routine
from slth.subset_sum import group, mitm
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.plan import hopeless, join_windows, make_layout
from slth.subset_sum.problem import Problem
from slth.subset_sum.scaling import scale, scale_one
from slth.subset_sum.solve import solve
from slth.testing import problems

FAR = merge.FAR


def with_lists(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, int, int, int]:
    """Work space with two lists and their sentinels; places of the first, the second and of free space."""
    a, b = 1, len(left) + 3
    work = np.zeros(3 * (len(left) + len(right)) + 20, np.int64)
    for place, values in ((a, left), (b, right)):
        work[place - 1] = -FAR
        work[place : place + len(values)] = values
        work[place + len(values)] = FAR
    return work, a, b, b + len(right) + 2


@pytest.mark.parametrize("na", [0, 1, 2, 3, 7, 64])
@pytest.mark.parametrize("nb", [0, 1, 2, 5, 33])
@pytest.mark.parametrize("spread", [3, 2**58])
def test_merge(na: int, nb: int, spread: int) -> None:
    rng = np.random.default_rng(na * 100 + nb)
    left, right = (np.sort(rng.integers(-spread, spread, n)) for n in (na, nb))
    work, a, b, out = with_lists(left, right)
    ops = np.array([[a, na, b, nb, 0, out]])
    total = na + nb
    for start, stop in ((0, total // 3), (total // 3, total)):
        merge.run_part(work, np.array([-5]), ops, 0, start, stop)
    assert np.array_equal(work[out : out + na + nb], np.sort(np.concatenate((left, right - 5))))
    assert work[out - 1] == -FAR
    assert work[out + na + nb] == FAR


def test_mirror() -> None:
    work, a, _, out = with_lists(np.array([-4, 1, 9]), np.array([], np.int64))
    merge.run_part(work, np.array([7, 4, 2]), np.array([[a, 3, 1, 3, -1, out]]), 0, 0, 3)
    assert work[out - 1 : out + 4].tolist() == [-FAR, -3, 5, 10, FAR]


@pytest.mark.parametrize("seed", range(12))
def test_nearest_locate_and_collect(seed: int) -> None:
    rng = np.random.default_rng(seed)
    na, nb = rng.integers(0, 40, 2).tolist()
    spread = (5, 100, 2**57)[seed % 3]
    left, right = (np.sort(rng.integers(-spread, spread, n)) for n in (na, nb))
    work, a, b, _ = with_lists(left, right)
    target = int(rng.integers(-2 * spread, 2 * spread))
    gaps = np.abs(left[:, None] + right[None, :] - target)
    gap, first, last = merge.nearest(work, a, na, b, nb, target, 0, na + nb, -1)
    if not gaps.size:
        assert gap > 2**61
        return
    assert gap == gaps.min()
    i, j = merge.locate(work, a, na, b, nb, target, first, last, gap)
    assert abs(work[i] + work[j] - target) == gap
    assert merge.locate(work, a, na, b, nb, target, first, last, -1) == (0, 0)
    pairs = np.zeros((2000, 2), np.int64)
    count = merge.collect(work, a, na, b, nb, target, gap + spread // 50, pairs, 0)
    assert count == (gaps <= gap + spread // 50).sum()
    assert (np.abs(pairs[:count].sum(axis=1) - target) <= gap + spread // 50).all()
    # in slices as in one go
    cut = (na + nb) // 3
    parts = [merge.nearest(work, a, na, b, nb, target, s, t, -1)[0] for s, t in ((0, cut), (cut, na + nb))]
    assert min(parts) == gap


def test_collect_stops_at_a_full_table() -> None:
    work, a, b, _ = with_lists(np.zeros(5, np.int64), np.zeros(5, np.int64))
    assert merge.collect(work, a, 5, b, 5, 0, 0, np.zeros((7, 2), np.int64), 0) == 7


@pytest.mark.parametrize("size", [0, 1, 3, 6])
def test_mark_combination(size: int) -> None:
    items = np.random.default_rng(1).integers(-50, 50, 8)
    comb, mask = np.zeros(8, np.int64), np.zeros(8, np.bool_)
    for chosen in itertools.combinations(range(1, 7), size):
        mask[:] = False
        assert subsets.mark_combination(items, 1, 7, size, items[list(chosen)].sum(), comb, mask)
        assert mask.sum() == size
        assert items[mask].sum() == items[list(chosen)].sum()
        assert not mask[[0, 7]].any()
    assert not subsets.mark_combination(items, 1, 7, size, 10**6, comb, mask)


@pytest.mark.parametrize(("mirrored", "turn"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize(
    ("n", "k_min", "k_max"),
    [
        (1, 0, 1),
        (1, 1, 1),
        (2, 0, 0),
        (3, 2, 2),
        (8, 4, 4),
        (9, 2, 7),
        (9, 0, 9),
        (10, 1, 10),
        (11, 3, 4),
        (12, 10, 12),
    ],
)
def test_plans_join_exactly_the_subsets_asked_for(
    n: int, k_min: int, k_max: int, mirrored: bool, turn: bool
) -> None:
    items = (3 ** np.arange(n)).astype(np.int64)  # every sum is of one subset
    layout = make_layout(n, k_min, k_max, mirrored, turn=turn)
    given, half = items, n // 2
    if layout.turned:
        items = np.concatenate((items[:half], -items[half:]))
    work = np.full(layout.length, 77, np.int64)
    merge.sow(work)
    merge.run_merges(work, items, layout.plan.ops, 0, len(layout.plan.ops))
    sums = []
    for q, (a, na, b, nb, *_) in enumerate(layout.plan.joins.tolist()):
        merge.open_join(work, items, layout.plan, q)
        for place, length in ((a, na), (b, nb)):
            values = work[place - 1 : place + length + 1]
            assert values[0] == -FAR
            assert values[-1] == FAR
            assert (np.diff(values) > 0).all()
        pairs = (work[a : a + na, None] + work[None, b : b + nb]).ravel()
        pairs = items.sum() - pairs if layout.plan.joins[q, 10] else pairs
        sums += (pairs - items[half:].sum() * layout.turned).tolist()
    wanted = [
        int(given[list(c)].sum()) for k in range(k_min, k_max + 1) for c in itertools.combinations(range(n), k)
    ]
    assert sorted(sums) == sorted(wanted)


def test_windows_cover_each_pair_of_sizes_once() -> None:
    for n in range(1, 9):
        for k_min in range(n + 1):
            for k_max in range(k_min, n + 1):
                covered = [
                    (i, j)
                    for a, b in join_windows(n, k_min, k_max)
                    for i in range(a[0], a[1] + 1)
                    for j in range(b[0], b[1] + 1)
                ]
                left, right = n // 2, n - n // 2
                wanted = [(i, j) for i in range(left + 1) for j in range(right + 1) if k_min <= i + j <= k_max]
                assert sorted(covered) == wanted


def test_any_size_is_one_list_per_half() -> None:
    assert join_windows(20, 0, 20) == [((0, 10), (0, 10))]


def test_hopeless_plans_are_not_made() -> None:
    assert hopeless(200, 100, 100)
    assert hopeless(10**6, 0, 10**6)
    assert not hopeless(200, 3, 3)
    assert not hopeless(200, 197, 197)
    assert not hopeless(60, 30, 30)


@pytest.mark.parametrize("law", ["uniform", "normal", "ties"])
@pytest.mark.parametrize(("n", "k"), [(5, 2), (17, 8), (18, (2, 16)), (16, None)])
def test_slices_equal_one_call(
    monkeypatch: pytest.MonkeyPatch, law: str, n: int, k: int | tuple[int, int] | None
) -> None:
    rng = np.random.default_rng(n)
    samples = {
        "uniform": rng.uniform(-1, 1, n),
        "normal": rng.normal(size=n),
        "ties": rng.integers(-3, 4, n) / 2,
    }[law]
    for eps in (None, 1e-3, 1e-9):
        short = solve(samples, 0.37, k=k, eps=eps, method="meet-in-the-middle")
        monkeypatch.setattr(mitm, "SHORT", 0.0)
        monkeypatch.setattr(mitm, "SLICE", 50)
        long = solve(samples, 0.37, k=k, eps=eps, method="meet-in-the-middle")
        monkeypatch.undo()
        short.check()
        long.check()
        assert short.status is long.status
        if eps is None:
            assert short.error == long.error


def test_integers_at_the_edge_of_the_grid() -> None:
    """Sums as large as the grid allows, sentinels included, never wrap: the gap to a far target stays exact."""
    for n in (2, 3, 20):
        for sign in (-1.0, 1.0):
            samples = np.full(n, sign * (1 - 2.0**-53))
            for target in (1e300, -1e300, n * 1.0, -n * 1.0, 0.0):
                for k in (n // 2, (0, n)):
                    result = solve(samples, target, k=k, method="meet-in-the-middle")
                    result.check()
                    sums = [sign * (1 - 2.0**-53) * j for j in (range(n + 1) if k == (0, n) else [k])]
                    assert result.value in sums
                    assert result.error is not None
                    assert result.error <= min(abs(s - target) for s in sums) * (1 + 1e-15)


def test_scaled_totals_stay_below_the_sentinels() -> None:
    rng = np.random.default_rng(0)
    for exponent in (-1000, -300, 0, 300, 1000):
        samples = rng.uniform(-1, 1, (3, 40)) * 2.0**exponent
        targets = np.array([0.1, 1e5, -1e5]) * 2.0**exponent
        scaled = scale(samples, targets, 20, None)
        total = np.array([sum(abs(x) for x in row) for row in scaled.items.tolist()], dtype=object)
        assert (total < 2**60).all()
        assert (np.abs(scaled.targets) <= total + 1).all()
        assert (scaled.items.max(axis=1) > 2**48).all()


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (1.0, 0),
        (1.25, 1),
        (1.5, 2),
        (1.75, 3),
        (-0.25, 3),
        (-0.5 + 2.0**-54, 3),
        (-0.5, 2),
        (-0.5 - 2.0**-53, 1),
    ],
)
def test_targets_between_grid_points_keep_their_side(target: float, kind: int) -> None:
    samples = np.array([[1.0, 2.0**57]])  # unit grid
    scaled = scale(samples, np.array([target]), 2, None)
    assert scaled.shift == 2
    assert scaled.targets[0] % 4 == kind


def test_ties_between_two_sides_of_the_target_are_real_ties() -> None:
    samples = [1.0, 2.0, 2.0**57]
    assert solve(samples, 1.5, k=1).error == 0.5
    assert solve(samples, 1.5 + 2.0**-52, k=1).value == 2.0
    assert solve(samples, 1.5 - 2.0**-52, k=1).value == 1.0


@pytest.mark.compiled
def test_routines_work_inside_other_routines() -> None:
    @routine
    def caller(work, a, na, b, nb, target, start, enough):  # type: ignore[no-untyped-def]
        return merge.nearest(work, a, na, b, nb, target, start, na + nb, enough)

    work, a, b, _ = with_lists(np.array([1, 5]), np.array([2, 30]))
    assert caller(work, a, 2, b, 2, 34, 0, -1)[0] == 1


@pytest.mark.compiled
def test_one_compiled_signature_per_routine() -> None:
    rng = np.random.default_rng(0)
    for n, k in ((1, 0), (12, 5), (13, None)):
        for samples in (rng.uniform(-1, 1, (4, n)), rng.normal(size=(4, n))):
            for eps in (None, 1e-2):
                for one in (samples, samples[0]):
                    solve_batch(one, np.zeros(4), k=k, eps=eps)
                solve(samples[0], 0.1, k=k, eps=eps)
    for shape in ((4, 12), (4, 60)):
        for one in (rng.uniform(-1, 1, shape), rng.uniform(-1, 1, shape[1])):
            for eps in (None, 1e-2, 1e-4)[shape[1] == 60 :]:
                solve_batch(one, np.zeros(4), blocks=4, eps=eps)
    names = {
        merge: "merge_part mirror_part run_part sow run_merges open_join nearest locate collect state_after "
        "walk_from pass_of_merge goal_of",
        blocks: "fill_pool block_pool",
        subsets: "mark_combination mark_choice mark_quarter read_back best_pair recover take_anchors "
        "closest_block closest_shared_block pool_block",
    }
    for module, listed in names.items():
        for name in listed.split():
            assert len(getattr(module, name).signatures) <= 1, name  # 0: loaded inside a cached caller
    for entry in (subsets.closest_block, subsets.closest_shared_block, subsets.pool_block):
        assert len(entry.signatures) == 1


@pytest.mark.parametrize("law", ["uniform", "normal", "ties"])
@pytest.mark.parametrize(("n", "k"), [(14, 6), (15, (2, 9)), (13, None), (16, 3)])
def test_fixed_items_and_threads_change_nothing(
    monkeypatch: pytest.MonkeyPatch, law: str, n: int, k: int | tuple[int, int] | None
) -> None:
    """Less memory on request gives the same smallest error; threads give the same subset."""
    rng = np.random.default_rng(n)
    samples = {
        "uniform": rng.uniform(-1, 1, n),
        "normal": rng.normal(size=n),
        "ties": rng.integers(-3, 4, n) / 2,
    }[law]
    whole = solve(samples, 0.37, k=k, method="meet-in-the-middle")
    low, high = (0, n) if k is None else k if isinstance(k, tuple) else (k, k)
    monkeypatch.setattr(mitm, "SHORT", 0.0)
    monkeypatch.setattr(mitm, "SLICE", 40)
    for fixed, turn in ((1, False), (1, True), (2, True), (4, True)):
        layout = make_layout(n, low, high, True, fixed, turn)
        monkeypatch.setattr(mitm, "plan_within", lambda *_, layout=layout: layout)
        for eps in (None, 1e-2, 1e-9):
            found = [
                solve(samples, 0.37, k=k, eps=eps, method="meet-in-the-middle", threads=t) for t in (1, 2, 3)
            ]
            found[0].check()
            assert found[0].found == (eps is None or whole.error <= eps)
            for other in found[1:]:
                assert np.array_equal(found[0].indices, other.indices)
                assert found[0].work == other.work
            if eps is None:
                assert found[0].error == whole.error


def test_memory_is_saved_when_asked() -> None:
    least = mitm.plan_within((50, 25, 25), 100 << 20)
    assert least.fixed > 0
    assert least.bytes <= 100 << 20
    assert mitm.plan_within((50, 25, 25), 1 << 30).seconds < least.seconds
    assert mitm.plan_within((60, 30, 30), 4 << 30).bytes <= 4 << 30


@given(problem=problems(max_n=6))
@settings(max_examples=300)
def test_scaling_of_one_is_that_of_a_batch(problem: Problem) -> None:
    one = scale_one(problem)
    batch = scale(problem.samples[None, :], np.array([problem.target]), problem.k_max, problem.eps)
    for field in dataclasses.fields(one):
        assert np.array_equal(getattr(one, field.name), getattr(batch, field.name)), field.name


def test_work_grows_as_the_algorithm_says() -> None:
    """Counters that no machine changes: 2^(n/2) for balanced sizes; fixed items trade memory for steps."""
    balanced = [make_layout(n, n // 2, n // 2) for n in (20, 30, 40, 50)]
    for smaller, larger in itertools.pairwise(balanced):
        assert 28 < larger.joined / smaller.joined < 34
        assert 26 < larger.merged / smaller.merged < 34
        assert larger.merged < 1.7 * larger.joined + 10_000
    assert [layout.joined for layout in balanced] == [2048, 65_536, 2_097_152, 67_108_864]
    for fixed in (2, 4, 6):
        layout = make_layout(50, 25, 25, True, fixed)
        assert layout.joined < 1.01 * 2 ** (fixed / 2) * balanced[-1].joined
        assert layout.bytes < 1.2 * 2 ** (-fixed / 2) * balanced[-1].bytes


def test_items_are_never_fixed_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout with fixed items may look short; its patterns still have to be searched one by one."""
    samples = np.random.default_rng(6).uniform(-1, 1, (3, 14))
    best = [solve(row, 0.3, k=5, method="meet-in-the-middle").error for row in samples]
    layout = make_layout(14, 5, 5, True, 3)
    assert layout.seconds < mitm.SHORT
    for module in (mitm, group):
        monkeypatch.setattr(module, "plan_within", lambda *_, **__: layout)
    assert solve_batch(samples, np.full(3, 0.3), k=5).errors.tolist() == best
    assert [solve(row, 0.3, k=5, method="meet-in-the-middle").error for row in samples] == best
