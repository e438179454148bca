"""Subsets of vectors against enumeration in rational numbers."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.subset_sum import vectors
from slth.subset_sum.result import Status
from slth.subset_sum.solve import solve
from slth.subset_sum.vectors import solve_vectors


def draw(law: str, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    if law == "normal":
        return rng.normal(size=shape)
    if law == "ties":
        return rng.integers(-3, 4, shape) / 4
    if law == "wide":
        return rng.uniform(-1, 1, shape) * 10.0 ** rng.integers(-20, 20, shape)
    return rng.uniform(-1, 1, shape)


def smallest(samples: np.ndarray, target: np.ndarray, low: int, high: int) -> Fraction:
    exact = [[Fraction(x) for x in row] for row in samples.tolist()]
    return min(
        max(abs(sum((exact[i][c] for i in subset), -Fraction(z))) for c, z in enumerate(target.tolist()))
        for size in range(low, high + 1)
        for subset in itertools.combinations(range(len(samples)), size)
    )


@pytest.mark.parametrize("law", ["uniform", "normal", "ties", "wide"])
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_closest_and_within_equal_enumeration(monkeypatch: pytest.MonkeyPatch, law: str, d: int) -> None:
    monkeypatch.setattr(vectors, "ROWS", 5)
    rng = np.random.default_rng(d)
    for n, k in ((1, None), (6, 3), (7, (1, 4)), (8, None), (5, 0), (6, 6)):
        samples, target = draw(law, rng, (n, d)), rng.uniform(-1, 1, d)
        if n == 6:
            target = samples[:3].sum(axis=0)
        low, high = (0, n) if k is None else k if isinstance(k, tuple) else (k, k)
        best = smallest(samples, target, low, high)
        result = solve_vectors(samples, target, k=k)
        assert result.found
        assert result.indices is not None
        assert result.error is not None
        assert low <= len(result.indices) <= high
        reached = max(
            abs(sum((Fraction(samples[i, c]) for i in result.indices), -Fraction(target[c]))) for c in range(d)
        )
        assert reached == best
        for eps in (result.error, float(np.nextafter(result.error, 0)), 2 * result.error):
            if eps > 0:
                within = solve_vectors(samples, target, k=k, eps=eps)
                assert within.status is (Status.FOUND if best <= Fraction(eps) else Status.ABSENT_PROVED)


@pytest.mark.compiled
def test_one_dimension_is_the_ordinary_problem() -> None:
    samples = np.random.default_rng(3).uniform(-1, 1, (22, 1))
    result = solve_vectors(samples, [0.3], k=8)
    assert result.error == solve(samples[:, 0], 0.3, k=8).error


def test_limits_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    monkeypatch.setattr(vectors, "HITS", 4)
    alike = np.repeat(rng.normal(size=(1, 2)), 8, axis=0)
    alike[0] = 1e-30
    result = solve_vectors(alike, [0.3, 0.2], k=4)
    assert result.status is Status.LIMIT
    assert "64-bit" in result.limits[0]
    result = solve_vectors(rng.normal(size=(8, 2)), [0.3, 0.2], time_limit=1e-9)
    assert result.limits == ("`time_limit` reached.",)
    assert not result.found


@pytest.mark.parametrize(
    ("samples", "target", "match"),
    [
        (np.zeros((40, 2)), [0, 0], "`samples` must have 1 to 36 rows and 1 to 4 columns"),
        (np.zeros((4, 5)), [0] * 5, "`samples` must have 1 to 36 rows"),
        (np.zeros((0, 2)), [0] * 2, r"`samples` must not be empty; got shape \(0, 2\)"),
        (np.zeros((4, 2)), [0.0], "`target` must have one number for each column of samples, 2; got 1"),
        ([[np.inf, 0.0]], [0.0, 0.0], "`samples` must be finite"),
    ],
)
def test_arguments_are_checked(samples: Any, target: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        solve_vectors(samples, target, method="meet-in-the-middle")
