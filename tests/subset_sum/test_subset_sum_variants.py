"""Variants: total weights, fewest samples, masks shared by several targets; against enumeration."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from oracles.instances import KINDS, draw_samples

from slth.errors import CapacityExceeded, InvalidInput
from slth.subset_sum import mip, mitm, weighted
from slth.subset_sum.fewest import solve_fewest
from slth.subset_sum.problem import make_problem
from slth.subset_sum.result import Status
from slth.subset_sum.solve import solve
from slth.subset_sum.vectors import solve_vectors


def every(n: int) -> list[tuple[int, ...]]:
    return [c for size in range(n + 1) for c in combinations(range(n), size)]


def distance(samples: np.ndarray, subset: Any, target: float) -> Fraction:
    return abs(sum((Fraction(x) for x in samples[list(subset)].tolist()), Fraction(0)) - Fraction(target))


@pytest.mark.parametrize("kind", KINDS)
def test_total_weights_equal_enumeration(kind: str) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    for trial in range(12):
        n = int(rng.integers(1, 9))
        samples, weights = draw_samples(rng, n, kind), rng.integers(0, 6, n)
        target = float(rng.uniform(-1, 1) * np.abs(samples).max())
        total = int(weights.sum())
        low, high = sorted(rng.integers(0, total + 1, 2).tolist())
        k: Any = (None, low, (low, high))[trial % 3]
        low, high = (0, total) if k is None else (low, low) if k == low else (low, high)
        allowed = [c for c in every(n) if low <= weights[list(c)].sum() <= high]
        result = solve(samples, target, k=k, weights=weights.tolist())
        result.check()
        if not allowed:
            assert result.status is Status.ABSENT_PROVED
            continue
        best = min(distance(samples, c, target) for c in allowed)
        assert result.status is Status.CLOSEST_PROVED
        assert distance(samples, result.indices, target) == best
        for eps in (float(best), math.nextafter(float(best), 0), 2 * float(best)):
            if 0 < eps < 1e300:
                within = solve(samples, target, k=k, weights=weights.tolist(), eps=eps)
                within.check()
                assert within.status is (Status.FOUND if best <= Fraction(eps) else Status.ABSENT_PROVED)


def test_weights_through_cp_sat() -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        samples, weights = rng.integers(-200, 200, 9) / 128, rng.integers(0, 5, 9).tolist()
        for k in (0, 3, (4, 9), sum(weights)):
            ours, other = (solve(samples, 0.3, k=k, weights=weights, method=m) for m in ("auto", "cp-sat"))
            other.check()
            assert other.status is ours.status
            assert other.error == ours.error
    assert solve([1.0, 2.0], 1.0, k=1, weights=[2, 2], method="cp-sat").status is Status.ABSENT_PROVED


def test_unit_weights_are_sizes() -> None:
    rng = np.random.default_rng(0)
    samples = rng.uniform(-1, 1, 24)
    for k in (8, (3, 10), None):
        assert solve(samples, 0.3, k=k, weights=[1] * 24).error == solve(samples, 0.3, k=k).error


def test_weights_where_the_grid_cannot_tell() -> None:
    """Two samples alike but for 1e-200: settled among few candidates, or in long integers among many."""
    samples = np.array([0.1, 0.2, 0.3, 1e-200, 2e-200, -1e-200])
    weights = [1, 2, 3, 1, 1, 2]
    result = solve(samples, 0.3, k=(1, 5), weights=weights)
    allowed = [c for c in every(6) if 1 <= sum(weights[i] for i in c) <= 5]
    assert distance(samples, result.indices, 0.3) == min(distance(samples, c, 0.3) for c in allowed)


def test_weights_refuse_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(CapacityExceeded, match=r"with weights and n=60 needs about 65536 MiB, more than"):
        solve(rng.uniform(-1, 1, 60), 0.1, weights=[1] * 60)
    monkeypatch.setattr(weighted, "LONGEST", 100)
    with pytest.raises(
        CapacityExceeded, match=r"joining 256 different weights with n=16 needs .* more than 100"
    ):
        solve(rng.uniform(-1, 1, 16), 0.1, k=(5, 40), weights=[1 << i % 8 for i in range(16)])
    monkeypatch.undo()
    stopped = solve(rng.uniform(-1, 1, 20), 0.1, k=10, weights=[1] * 20, time_limit=1e-9)
    assert stopped.limits == ("`time_limit` reached.",)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"weights": [1, 2]}, "`weights` must hold one integer for each sample, 3; got 2"),
        ({"weights": [1, -1, 2]}, r"`weights\[1\]` must be an integer in \[0, .*; got -1"),
        ({"weights": [1, 1, 2], "k": 5}, r"`k` must be an integer in \[0, 4\]; got 5"),
        ({"weights": [1, 1, 2], "blocks": 3}, "`weights` must be None with blocks; got 3 of them"),
        ({"weights": [1, 1, 2], "method": "exhaustive"}, r"`method` must be one of .* with weights"),
        ({"weights": [1, 1, 2], "forced_in": [0]}, "`weights` must be None with forced_in or forced_out"),
        ({"work_limit": 1.0}, "`work_limit` must be None unless method is 'cp-sat'; got 1.0"),
        ({"work_limit": 0.0, "method": "cp-sat"}, "`work_limit` must be a finite number > 0; got 0.0"),
    ],
)
def test_refusals(options: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        solve([0.5, 0.25, -0.75], 0.1, **options)


@pytest.mark.parametrize("method", ["auto", "exhaustive", "cp-sat"])
def test_fewest(method: str) -> None:
    rng = np.random.default_rng(5)
    for trial in range(6):
        samples, target = rng.integers(-60, 60, 8) / 64, float(rng.uniform(-2, 2))
        for eps in (0.3, 0.01, 1e-6):
            k = None if trial % 2 else (2, 6)
            low, high = k or (0, 8)
            fits = [
                c for c in every(8) if low <= len(c) <= high and distance(samples, c, target) <= Fraction(eps)
            ]
            answer = solve_fewest(samples, target, eps, k=k, method=method)
            assert answer.found == bool(fits)
            assert answer.proved
            if fits:
                assert answer.result.k == min(map(len, fits))
                answer.result.check()


def test_fewest_says_what_it_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    samples = rng.uniform(-1, 1, 40)
    answer = solve_fewest(samples, 0.3, 1e-9, method="cp-sat", time_limit=1e-9)
    assert not answer.proved
    assert not answer.found
    assert answer.left_open == tuple(range(40))
    with pytest.raises(InvalidInput, match="`eps` must be given; got None"):
        solve_fewest(samples, 0.3, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("law", ["grid", "normal"])
def test_shared_masks_through_cp_sat_equal_enumeration(law: str) -> None:
    rng = np.random.default_rng(7)
    for d, n, k in ((1, 6, None), (2, 7, 3), (6, 7, (2, 5)), (9, 5, None)):
        samples = rng.integers(-64, 64, (n, d)) / 32 if law == "grid" else rng.normal(size=(n, d))
        target = rng.uniform(-1, 1, d)
        low, high = (0, n) if k is None else k if isinstance(k, tuple) else (k, k)
        gaps = {
            c: max(distance(samples[:, j], c, z) for j, z in enumerate(target.tolist()))
            for c in every(n)
            if low <= len(c) <= high
        }
        best = min(gaps.values())
        result = solve_vectors(samples, target, k=k, method="cp-sat")
        assert result.status is Status.CLOSEST_PROVED
        assert gaps[tuple(result.indices.tolist())] == best
        for eps in (float(best) * 1.25, math.nextafter(float(best), 0)):
            within = solve_vectors(samples, target, k=k, eps=eps, method="cp-sat")
            assert within.status is (Status.FOUND if best <= Fraction(eps) else Status.ABSENT_PROVED)


def test_structured_pruning_of_a_layer() -> None:
    """One mask for 12 outputs at once, more than meet-in-the-middle takes: a planted one is found."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-(2**20), 2**20, (40, 12)) * 2.0**-20
    planted = np.sort(rng.permutation(40)[:6])
    result = solve_vectors(weights, weights[planted].sum(axis=0), k=(4, 8), eps=0.05)
    assert result.status is Status.FOUND
    assert result.error <= 0.05


def test_deterministic_limits_repeat() -> None:
    rng = np.random.default_rng(0)
    samples = rng.uniform(-1, 1, 60)
    one, two = (solve(samples, 0.3, k=30, method="cp-sat", work_limit=0.05) for _ in range(2))
    assert one.status is Status.LIMIT
    assert one.limits == ("`work_limit` reached.",)
    assert one.indices is not None
    assert np.array_equal(one.indices, two.indices)
    assert one.work == two.work
    vectors = solve_vectors(rng.normal(size=(60, 5)), np.zeros(5), k=30, method="cp-sat", work_limit=0.05)
    assert vectors.limits == ("`work_limit` reached.",)


def test_the_closest_search_starts_from_the_hint() -> None:
    problem = make_problem(np.random.default_rng(2).integers(-999, 999, 12) / 512, 0.3, 6, None)
    rows = problem.samples[None, :]
    scaled = mip.scale(rows, np.array([problem.target]), 6, None)

    def questions() -> mip.Questions:
        return mip.Questions(
            mip.structure(problem),
            [scaled.items[0].tolist()],
            [int(scaled.targets[0])],
            0,
            lambda s: distance(problem.samples, s, 0.3),
            (math.inf, math.inf),
        )

    plain = questions().closest()
    again = questions().closest(plain.indices)
    assert np.array_equal(plain.indices, again.indices)
    assert again.work < plain.work  # only the proof is left


def test_forced_samples_in_long_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where thousands of subsets are alike on the 64-bit grid."""
    monkeypatch.setattr(mitm, "CANDIDATES", 20)
    rng = np.random.default_rng(4)
    for kind in ("extreme", "one huge", "mixed"):
        for k in (None, 4, (3, 6)):
            samples = draw_samples(rng, 10, kind)
            target = float(samples[:4].sum())
            inside, outside = [1, 7], [5]
            low, high = (0, 10) if k is None else k if isinstance(k, tuple) else (k, k)
            allowed = [c for c in every(10) if {1, 7} <= set(c) and 5 not in c and low <= len(c) <= high]
            result = solve(samples, target, k=k, forced_in=inside, forced_out=outside)
            result.check()
            assert result.status is Status.CLOSEST_PROVED
            assert {1, 7} <= set(result.indices.tolist())
            assert 5 not in result.indices
            best = min(distance(samples, c, target) for c in allowed)
            assert distance(samples, result.indices, target) == best
