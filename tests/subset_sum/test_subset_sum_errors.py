"""Every message of the subset-sum room, the limits it announces, and results that were tampered with."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np
import pytest

from slth.errors import CapacityExceeded, InvalidInput, SlthError, SolverFailed
from slth.subset_sum import mip, mitm, unbounded
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.mitm import Answer
from slth.subset_sum.problem import make_problem
from slth.subset_sum.result import Status, SubsetSumResult
from slth.subset_sum.solve import judge, solve

GOOD: dict[str, Any] = {"samples": [0.5, 0.25, -0.75], "target": 0.1}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"samples": []}, r"`samples` must not be empty; got shape \(0,\)"),
        ({"samples": [0.5, math.nan]}, r"`samples` must be finite; got nan at index 1"),
        ({"samples": [math.inf, 0.5]}, r"`samples` must be finite; got inf at index 0"),
        ({"samples": [[0.5]]}, r"`samples` must have 1 dimension\(s\); got shape \(1, 1\)"),
        ({"samples": ["a"]}, "`samples` must be an array of real numbers"),
        ({"samples": [1e308, 1e308]}, "`samples` must have sums below"),
        ({"target": math.nan}, "`target` must be a finite number; got nan"),
        ({"target": math.inf}, "`target` must be a finite number; got inf"),
        ({"target": "x"}, "`target` must be a finite number; got 'x'"),
        ({"k": 4}, r"`k` must be an integer in \[0, 3\]; got 4"),
        ({"k": -1}, r"`k` must be an integer in \[0, 3\]; got -1"),
        ({"k": 1.5}, r"`k` must be an integer in \[0, 3\]; got 1.5"),
        ({"k": True}, r"`k` must be an integer in \[0, 3\]; got True"),
        ({"k": (2, 1)}, r"`k` must be a pair with k_min <= k_max; got \(2, 1\)"),
        ({"k": (0, 4)}, r"`k\[1\]` must be an integer in \[0, 3\]; got 4"),
        ({"k": (-1, 2)}, r"`k\[0\]` must be an integer in \[0, 3\]; got -1"),
        ({"k": (1, 2, 3)}, r"`k` must be an integer, a pair \(k_min, k_max\) or None"),
        ({"eps": 0.0}, r"`eps` must be a finite number > 0; got 0.0"),
        ({"eps": -1e-3}, r"`eps` must be a finite number > 0; got -0.001"),
        ({"eps": math.nan}, r"`eps` must be a finite number > 0; got nan"),
        ({"method": "milp"}, "`method` must be one of 'auto', 'exhaustive'"),
        ({"max_bytes": 0}, "`max_bytes` must be an integer >= 1; got 0"),
        ({"time_limit": 0}, "`time_limit` must be a finite number > 0; got 0"),
        ({"samples": [0.1] * 23, "method": "exhaustive"}, "must not be 'exhaustive' for n > 22; got n=23"),
    ],
)
def test_solve_refuses(change: dict[str, Any], match: str) -> None:
    arguments = GOOD | change
    samples, target = arguments.pop("samples"), arguments.pop("target")
    with pytest.raises(InvalidInput, match=match):
        solve(samples, target, **arguments)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"targets": [[0.1]]}, r"`targets` must have 1 dimension\(s\); got shape \(1, 1\)"),
        ({"targets": [math.nan, 0.0]}, "`targets` must be finite; got nan at index 0"),
        (
            {"samples": np.zeros((3, 4))},
            "`samples` must have one row for each target; got 3 rows for 2 targets",
        ),
        ({"samples": np.zeros((2, 0))}, r"`samples` must not be empty; got shape \(2, 0\)"),
        ({"samples": np.zeros((2, 2, 2))}, r"`samples` must have 1 or 2 dimension\(s\)"),
        ({"samples": [0.1, math.inf]}, "`samples` must be finite; got inf at index 1"),
        ({"k": 9}, r"`k` must be an integer in \[0, 3\]; got 9"),
        ({"eps": 0}, "`eps` must be a finite number > 0; got 0"),
        ({"threads": 0}, r"`threads` must be an integer in \[1, 1024\]; got 0"),
        ({"max_bytes": -5}, "`max_bytes` must be an integer >= 1; got -5"),
        ({"targets": [1e308, 0.0], "samples": [1e308, 1.0]}, "`samples` must have sums below"),
    ],
)
def test_solve_batch_refuses(change: dict[str, Any], match: str) -> None:
    arguments = {"samples": [0.5, 0.25, -0.75], "targets": [0.1, 0.2]} | change
    samples, targets = arguments.pop("samples"), arguments.pop("targets")
    with pytest.raises(InvalidInput, match=match):
        solve_batch(samples, targets, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n", "k", "arguments", "match"),
    [
        (80, 40, {}, r"n=80, sizes 40..40 needs about \d+ MiB, more than `max_bytes`=4294967296. Raise"),
        (
            20,
            10,
            {"max_bytes": 1000},
            "needs about 0 MiB, more than `max_bytes`=1000. Raise `max_bytes`, or give",
        ),
        (400, 200, {}, "needs more than 8 TiB, more than `max_bytes`"),
        (400, None, {}, "needs more than 8 TiB"),
        (20, 10, {"max_bytes": 1000, "method": "exhaustive"}, "exhaustive search with n=20 needs about 40 MiB"),
    ],
)
def test_memory_is_estimated_before_it_is_allocated(
    n: int, k: int | None, arguments: dict[str, Any], match: str
) -> None:
    with pytest.raises(CapacityExceeded, match=match):
        solve(np.linspace(-1, 1, n), 0.1, k=k, **arguments)


def test_batch_refuses_too_much_memory() -> None:
    with pytest.raises(CapacityExceeded, match="meet-in-the-middle with n=60"):
        solve_batch(np.linspace(-1, 1, 60), [0.1], k=30)


def test_long_integers_refuse_too_much_memory() -> None:
    problem = make_problem(np.linspace(-1, 1, 40), 0.1, None, None)
    with pytest.raises(CapacityExceeded, match=r"long integers with n=40 needs about \d+ MiB"):
        unbounded.closest(problem, 1 << 20, math.inf)


@pytest.mark.compiled
def test_pools_answer_where_the_complete_search_does_not_fit() -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 200)
    tail = float(np.sort(samples)[-20:].sum()) - 1e-4  # below the largest sum, where subsets are few
    assert solve(samples, 0.3, k=20, eps=1e-5).status is Status.FOUND
    lost = solve(samples, tail, k=20, eps=1e-9)
    assert lost.status is Status.LIMIT
    assert "8 TiB" in lost.limits[0]
    batch = solve_batch(samples, [0.3, 0.4], k=20, eps=1e-5)
    assert batch.found.all()
    batch = solve_batch(np.stack([samples, samples]), [0.3, tail], k=20, eps=1e-7)
    assert batch.found.tolist() == [True, False]
    assert batch[1].status is Status.LIMIT
    assert batch[1].indices is None
    batch.check()
    with pytest.raises(CapacityExceeded, match="more than 8 TiB"):
        solve(samples, 0.3, k=20, eps=1e-16)
    with pytest.raises(CapacityExceeded, match="more than 8 TiB"):
        solve_batch(samples, [0.3], k=20, eps=1e-16)


@pytest.mark.compiled
@pytest.mark.parametrize("method", ["auto", "cp-sat"])
def test_time_limit_gives_the_best_so_far(method: str) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 52)
    solve(samples[:40], 0.3, k=(0, 20))  # compiled by now
    start = time.monotonic()
    result = solve(samples, 0.3, k=26, method=method, time_limit=0.2)
    assert time.monotonic() - start < 2.0
    assert result.status is Status.LIMIT
    assert "`time_limit` reached" in result.limits[0]
    result.check()


def test_magnitudes_beyond_any_grid_end_with_a_reason() -> None:
    rng = np.random.default_rng(4)
    samples = rng.uniform(-1, 1, 30) * 10.0 ** np.linspace(-300, 0, 30)
    result = solve(samples, 0.3, k=15, max_bytes=1 << 20)
    assert result.status is Status.LIMIT
    assert "magnitudes differ too much" in result.limits[0]
    result.check()


def good_result() -> SubsetSumResult:
    return solve([0.5, 0.25, -0.75, 0.125], 0.6, k=(1, 3), eps=0.05)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"indices": np.array([0, 1])}, r"`value` of a result must equal 0.75; got 0.625"),
        ({"indices": np.array([3, 0])}, r"`indices` of a result must ascend within 0..3"),
        ({"indices": np.array([0, 0, 3])}, "`indices` of a result must ascend"),
        ({"indices": np.array([0, 4])}, "`indices` of a result must ascend"),
        ({"indices": np.array([-1, 0])}, "`indices` of a result must ascend"),
        ({"indices": np.array([0.0, 3.0])}, r"`indices` of a result must be \(k,\) int64"),
        ({"indices": np.array([0, 1, 2, 3])}, "`indices` of a result must number 1 to 3; got 4"),
        ({"indices": np.array([], np.int64)}, "`indices` of a result must number 1 to 3; got 0"),
        ({"indices": None}, "`indices` of a result must be given with status FOUND"),
        ({"value": 0.6250000000000001}, "`value` of a result must equal 0.625"),
        ({"error": 0.025}, "`error` of a result must equal"),
        ({"error": None}, "`error` of a result must equal"),
        ({"status": Status.ABSENT_PROVED}, "`status` of a result must agree with error"),
        ({"status": Status.LIMIT}, "`status` of a result must agree with error"),
        ({"status": Status.CLOSEST_PROVED}, "`status` of a result must answer eps"),
        ({"status": "FOUND"}, "`status` of a result must be a Status"),
        ({"limits": ("time",)}, "`limits` of a result must be empty unless LIMIT"),
    ],
)
def test_check_complains_about_a_corrupted_result(change: dict[str, Any], match: str) -> None:
    result = good_result()
    result.check()
    with pytest.raises(InvalidInput, match=match):
        dataclasses.replace(result, **change).check()


def test_check_complains_about_a_found_outside_eps() -> None:
    result = solve([0.5, 0.25], 0.6, eps=0.05)
    assert result.status is Status.ABSENT_PROVED
    with pytest.raises(InvalidInput, match="agree with error"):
        dataclasses.replace(result, status=Status.FOUND).check()
    closest = solve([0.5, 0.25], 0.6)
    with pytest.raises(InvalidInput, match="be one of a problem without eps"):
        dataclasses.replace(closest, status=Status.FOUND).check()


@pytest.mark.parametrize("field", ["bits", "values", "errors", "statuses"])
def test_check_complains_about_a_corrupted_batch(field: str) -> None:
    batch = solve_batch(np.random.default_rng(0).uniform(-1, 1, (5, 8)), [0.1, 0.2, 0.3, 0.4, 0.5], k=4)
    batch.check()
    damaged = getattr(batch, field).copy()
    damaged[3] = ~damaged[3] if field == "bits" else damaged[3] + 1
    if field == "bits":
        damaged[3, :] = False
    with pytest.raises(InvalidInput, match=r"instance 3: `.*` of a result must"):
        dataclasses.replace(batch, **{field: damaged}).check()


def test_batch_index_out_of_range() -> None:
    batch = solve_batch([0.5, 0.25], [0.1, 0.2])
    assert batch[-1].error == batch[1].error
    with pytest.raises(IndexError, match="batch index 2 out of range for 2 instances"):
        batch[2]


def test_results_are_read_only() -> None:
    result = good_result()
    batch = solve_batch([0.5, 0.25], [0.1])
    for array in (
        result.indices,
        result.problem.samples,
        batch.bits,
        batch.values,
        batch.errors,
        batch.statuses,
    ):
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_method_that_proposes_the_wrong_size_is_a_defect() -> None:
    problem = make_problem([0.5, 0.25], 0.1, 1, None)
    with pytest.raises(SlthError, match="proposed a subset of size or weight 2: a defect of slth"):
        judge(problem, Answer(np.array([0, 1]), True, 1), "test")


@pytest.mark.parametrize(("code", "name"), [(1, "MODEL_INVALID"), (0, "UNKNOWN")])
def test_cp_sat_states_that_are_no_answer(monkeypatch: pytest.MonkeyPatch, code: int, name: str) -> None:
    from ortools.sat.python import cp_model

    def claim(solver: Any, model: Any) -> Any:
        solver.solve(model)
        return {0: cp_model.UNKNOWN, 1: cp_model.MODEL_INVALID}[code]

    monkeypatch.setattr(mip, "_solve_interruptibly", claim)
    with pytest.raises(SolverFailed, match=f"got status {name}") as caught:
        solve([0.5, 0.25], 0.1, k=1, method="cp-sat")
    assert caught.value.status == name


def test_cp_sat_gives_up_on_subsets_that_look_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mip, "SUBSETS", 3)
    samples = [1e18, *np.linspace(1e-9, 2e-9, 6).tolist()]
    result = solve(samples, 3e-9, k=2, method="cp-sat")
    assert result.status is Status.LIMIT
    assert "alike on the 64-bit grid" in result.limits[0]
    result.check()


def test_too_many_candidates_go_to_long_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [1e18, *np.linspace(1e-9, 2e-9, 9).tolist()]
    before = solve(samples, 3e-9, k=3)
    monkeypatch.setattr(mitm, "CANDIDATES", 2)
    after = solve(samples, 3e-9, k=3)
    assert before.error == after.error
    assert after.status is Status.CLOSEST_PROVED
