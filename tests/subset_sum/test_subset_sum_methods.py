"""A few of many, four lists, differencing, forced samples: against exhaustive search and one another."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from slth.errors import InvalidInput, SolverFailed
from slth.subset_sum import few, group, mitm
from slth.subset_sum import solve as solve_module
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.differencing import difference
from slth.subset_sum.klist import choose_groups, merge_four
from slth.subset_sum.mip import CROSS_CHECKERS, cross_check
from slth.subset_sum.problem import make_problem
from slth.subset_sum.result import Status
from slth.subset_sum.solve import solve


def draw(law: str, rng: np.random.Generator, n: int) -> np.ndarray:
    if law == "normal":
        return rng.normal(size=n)
    if law == "ties":
        return rng.integers(-4, 5, n) / 4
    return rng.uniform(-1, 1, n)


@pytest.mark.parametrize("law", ["uniform", "normal", "ties"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_few_of_many_equals_exhaustive(monkeypatch: pytest.MonkeyPatch, law: str, threads: int) -> None:
    monkeypatch.setattr(few, "STEPS", 30)
    rng = np.random.default_rng(threads)
    for n, low, high in (
        (9, 0, 2),
        (9, 1, 1),
        (10, 2, 2),
        (11, 3, 3),
        (9, 4, 4),
        (9, 5, 5),
        (9, 7, 9),
        (8, 0, 0),
    ):
        samples, target = draw(law, rng, n), float(rng.uniform(-2, 2))
        best = solve(samples, target, k=(low, high), method="exhaustive")
        for eps in (None, 0.3, 1e-3, best.error):
            if eps == 0.0:
                continue
            problem = make_problem(samples, target, (low, high), eps)
            answer = few.pick_few(problem, math.inf, threads)
            result = solve_module.judge(problem, answer, "few-of-many")
            result.check()
            assert best.error is not None
            if eps is None:
                assert result.status is Status.CLOSEST_PROVED
                assert result.error == best.error
            else:
                assert result.status is (Status.FOUND if best.error <= eps else Status.ABSENT_PROVED)


@pytest.mark.compiled
@pytest.mark.parametrize(("n", "k"), [(702, 1), (702, 2), (300, 3), (100, 4), (60, 4), (120, 117)])
def test_a_few_of_many_equals_halves(n: int, k: int) -> None:
    samples = np.random.default_rng(n + k).uniform(-1, 1, n)
    target = float(samples[: k + 1].sum())
    one = solve(samples, target, k=k)
    assert one.method == "few-of-many"
    one.check()
    if k <= 4 and n <= 300:
        assert one.error == solve(samples, target, k=k, method="meet-in-the-middle").error
    assert solve(samples, float(samples[:k].sum()), k=k, eps=1e-12).status is Status.FOUND


@pytest.mark.compiled
def test_a_hundred_thousand_samples() -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 100_000)
    for k in (1, 2):
        result = solve(samples, 0.123, k=k)
        result.check()
        assert result.status is Status.CLOSEST_PROVED
        assert result.error <= (1e-3, 1e-7)[k - 1]
    assert solve(samples, 0.123, k=2, eps=1e-13).status in (Status.FOUND, Status.ABSENT_PROVED)
    batch = solve_batch(samples[:5000], [0.1, 0.2], k=2)
    assert batch.errors.tolist() == [solve(samples[:5000], z, k=2).error for z in (0.1, 0.2)]


def test_out_of_time_is_said() -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 200)
    answer = few.pick_few(make_problem(samples, 0.1, 4, None), -1.0, 1)
    assert not answer.complete
    assert answer.limits == ("`time_limit` reached.",)


def test_more_alike_subsets_than_can_be_compared_are_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few, "HITS", 3)
    samples = np.concatenate((np.full(12, 1 / 3), [1e-9]))
    for k in (1, 2):
        answer = few.pick_few(make_problem(samples, 0.35 * k, k, None), math.inf, 1)
        assert not answer.complete
        assert "64-bit" in answer.limits[0]


@pytest.mark.compiled
@pytest.mark.parametrize(("n", "k", "eps"), [(200, 20, 1e-8), (200, 20, 1e-11), (100, 50, 1e-10)])
def test_four_lists_find_what_there_is(n: int, k: int, eps: float) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        samples, target = rng.uniform(-1, 1, n), float(rng.uniform(-2, 2))
        result = solve(samples, target, k=k, eps=eps, method="k-list")
        result.check()
        assert result.status is Status.FOUND
    rows = np.random.default_rng(9).uniform(-1, 1, (3, n))
    batch = solve_batch(rows, [0.1, 0.2, 0.3], k=k, eps=eps)
    batch.check()
    assert batch.found.all()
    assert solve(rows[0], 0.1, k=k, eps=1e-11).method == "k-list"


def test_heuristics_end_with_found_or_not_found() -> None:
    rng = np.random.default_rng(0)
    samples = rng.uniform(-1, 1, 24)
    for method, eps in itertools.product(solve_module.HEURISTICS, (0.5, 1e-13)):
        result = solve(samples, 0.3, k=12, eps=eps, method=method)
        result.check()
        assert result.status in (Status.FOUND, Status.NOT_FOUND)
    with pytest.raises(InvalidInput, match="`eps` must be given with method='k-list'"):
        solve(samples, 0.3, k=12, method="k-list")
    assert merge_four(make_problem(samples[:8], 0.0, 4, 1e-3)) is None
    assert choose_groups(200, 3, 20.0) is None
    assert choose_groups(200, 20, 40.0) == (46, 3)


def test_four_lists_on_small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slth.subset_sum.klist.SMALLEST", 10)
    choose_groups.cache_clear()
    found = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        problem = make_problem(rng.uniform(-1, 1, 60), 0.4, 9, 3e-5)
        chosen, work = merge_four(problem) or (None, 0)
        assert work > 0
        if chosen is not None:
            found += 1
            assert len(set(chosen.tolist())) == 9
            total = sum((Fraction(x) for x in problem.samples[chosen].tolist()), Fraction(0))
            assert abs(total - Fraction(0.4)) <= Fraction(3e-5)
    choose_groups.cache_clear()
    assert found > 6


@pytest.mark.parametrize(("n", "k"), [(40, 20), (40, 7), (40, 36), (30, (4, 9)), (12, 0), (9, 9), (5, 1)])
def test_differencing_keeps_the_size(n: int, k: int | tuple[int, int]) -> None:
    rng = np.random.default_rng(n)
    errors = []
    for _ in range(8):
        problem = make_problem(rng.uniform(-1, 1, n), 0.3, k, 1e-6)
        chosen, _ = difference(problem)
        assert chosen is not None
        assert problem.k_min <= len(set(chosen.tolist())) <= problem.k_max
        errors.append(abs(problem.samples[chosen].sum() - 0.3))
    if n == 40 and k != 36:
        assert np.median(errors) < 3e-3


@pytest.mark.parametrize("law", ["uniform", "normal", "ties"])
def test_forced_samples(monkeypatch: pytest.MonkeyPatch, law: str) -> None:
    rng = np.random.default_rng(4)
    for trial in range(12):
        n = 9
        samples, target = draw(law, rng, n), float(rng.uniform(-2, 2))
        order = rng.permutation(n).tolist()
        inside, outside = order[: trial % 4], order[4 : 4 + trial % 3]
        k: Any = (None, 4, (3, 5))[trial % 3]
        low, high = (0, n) if k is None else k if isinstance(k, tuple) else (k, k)
        rest = [i for i in range(n) if i not in inside and i not in outside]
        sums = [
            sum((Fraction(samples[i]) for i in (*inside, *more)), Fraction(0))
            for size in range(len(rest) + 1)
            for more in itertools.combinations(rest, size)
            if low <= size + len(inside) <= high
        ]
        best = min(abs(s - Fraction(target)) for s in sums)
        if trial % 2:
            monkeypatch.setattr(mitm, "SLICE", 10)
        result = solve(samples, target, k=k, forced_in=inside, forced_out=outside)
        result.check()
        assert set(inside) <= set(result.indices.tolist())
        assert not set(outside) & set(result.indices.tolist())
        total = sum((Fraction(x) for x in samples[result.indices].tolist()), Fraction(0))
        assert abs(total - Fraction(target)) == best
        assert result.status is Status.CLOSEST_PROVED


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"forced_in": [9]}, r"`forced_in\[0\]` must be an integer in"),
        ({"forced_in": [1, 1]}, "`forced_in` must not name a sample twice"),
        ({"forced_in": [1], "forced_out": [1]}, "`forced_out` must not name a sample of forced_in"),
        ({"forced_in": [0, 1, 2], "k": 2}, "`k` must allow 3 to 5 samples"),
        ({"forced_out": [0, 1, 2], "k": 3}, "`k` must allow 0 to 2 samples"),
        ({"forced_in": [0], "method": "cp-sat"}, "`method` must be 'auto' or"),
    ],
)
def test_forced_samples_must_make_sense(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        solve([0.1, 0.2, 0.3, 0.4, 0.5], 0.2, **arguments)


def test_batches_of_a_few_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "FEW", 5)
    monkeypatch.setattr(group, "CALL", -1.0)
    rng = np.random.default_rng(2)
    samples, targets = rng.uniform(-1, 1, (4, 10)), rng.uniform(-1, 1, 4)
    for table in (samples, samples[0]):
        closest = solve_batch(table, targets, k=2)
        closest.check()
        for b in range(4):
            row = table if table.ndim == 1 else table[b]
            assert closest.errors[b] == solve(row, targets[b], k=2, method="exhaustive").error
        within = solve_batch(table, targets, k=2, eps=1e-4)
        within.check()
        assert np.array_equal(within.found, closest.errors <= 1e-4)


@pytest.mark.compiled
@pytest.mark.parametrize("solver", CROSS_CHECKERS)
def test_other_solvers_propose_and_never_prove(solver: str) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 12)
    exact = solve(samples, 0.3, k=4)
    for eps in (None, 0.05, 1e-9):
        problem = make_problem(samples, 0.3, 4, eps)
        answer, claim = cross_check(problem, solver, 10.0)
        assert claim in ("OPTIMAL", "FEASIBLE", "INFEASIBLE")
        assert not answer.complete
        result = solve_module.judge(problem, answer, solver)
        result.check()
        assert result.status is (Status.FOUND if eps == 0.05 else Status.LIMIT)
        assert result.error is None or result.error >= exact.error


@pytest.mark.compiled
def test_other_solvers_that_fail_are_said_to() -> None:
    with pytest.raises(SolverFailed, match="highs ended with an error"):
        cross_check(make_problem([1e300, 2e300], 1e300, 1, 1e290), "highs", 10.0)


def test_a_subset_met_often_does_not_push_out_others() -> None:
    """Magnitudes that one grid cannot hold: hundreds of subsets look alike, each met in a hundred ways."""
    samples = np.array([
        2.1739820845829482e-13, -3.353577262200098e214, -7.727501963802705e-128,
        -5.144135701866379e-184, 6.668148722738998e274, -4.2945905760178585e54, -5.9817233625756335e62,
        -5.969056537893435e-32, 3.573929084208014e-44,
    ])  # fmt: skip
    target = -6.7170170736791385e273
    best = solve(samples, target, k=(2, 9), method="exhaustive")
    problem = make_problem(samples, target, (2, 9), None)
    result = solve_module.judge(problem, few.pick_few(problem, math.inf, 1), "few-of-many")
    chosen = [sum((Fraction(x) for x in samples[r.indices].tolist()), Fraction(0)) for r in (best, result)]
    distances = [abs(total - Fraction(target)) for total in chosen]
    assert result.status is Status.CLOSEST_PROVED
    assert distances[0] == distances[1]
