"""Covers: trials against gaps between all sums in rationals, and one sample per block."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pytest

from slth.experiments.bins import bin_of
from slth.experiments.cell import Cell, run_block
from slth.experiments.estimate import estimate
from slth.experiments.threshold import threshold


def radius_of(sums: Iterable[Fraction], reach: Fraction) -> Fraction:
    """Largest distance of a point of [-reach, reach] from the nearest sum, by looking at every gap."""
    ordered = sorted(set(sums))
    candidates = [-reach, reach]
    candidates += [(a + b) / 2 for a, b in itertools.pairwise(ordered) if -reach <= (a + b) / 2 <= reach]
    return max(min(abs(point - s) for s in ordered) for point in candidates)


def families(row: list[float], k: int, selection: str) -> Iterable[Fraction]:
    exact = [Fraction(x) for x in row]
    if selection == "subset":
        return (sum(chosen, Fraction()) for chosen in itertools.combinations(exact, k))
    length = len(row) // k
    blocks = [exact[i * length : (i + 1) * length] for i in range(k)]
    return (sum(chosen, Fraction()) for chosen in itertools.product(*blocks))


def rows_of(entropy: int, block: int, rows: int, n: int) -> np.ndarray:
    keys = np.random.SeedSequence(entropy, spawn_key=(block, 0))
    return np.random.Generator(np.random.Philox(keys)).uniform(-1.0, 1.0, (rows, n))


@pytest.mark.parametrize(
    ("n", "k", "eps", "where", "selection"),
    [
        (8, 3, 0.3, "edge", "subset"),
        (7, 2, 0.25, 1.0, "subset"),
        (8, 4, 0.2, 1.0, "one-per-block"),
        (9, 3, 0.25, 1.0, "one-per-block"),
    ],
)
def test_covers_equal_enumeration(n: int, k: int, eps: float, where: float | str, selection: str) -> None:
    reach = Fraction(math.sqrt(k) if where == "edge" else where)
    found = estimate("cover", n, k, eps, where=where, selection=selection, trials=64, seed=11).proportion
    samples = rows_of(11, 0, 64, n).tolist()
    radii = [radius_of(families(row, k, selection), reach) for row in samples]
    assert found.hits == sum(radius <= Fraction(eps) for radius in radii)
    assert 0 < found.hits < 64
    assert found.undecided == 0

    cell = Cell("radius", "uniform", n, k, where=where, selection=selection)
    payload = json.loads(run_block(cell, 1, 30))
    samples = rows_of(int(cell.digest, 16), 1, 30, n).tolist()
    wanted: dict[int, int] = {}
    for row in samples:
        radius = radius_of(families(row, k, selection), reach)
        upward = float(radius) if Fraction(float(radius)) >= radius else math.nextafter(float(radius), math.inf)
        j = int(bin_of(upward))
        wanted[j] = wanted.get(j, 0) + 1
    assert dict(map(tuple, payload["histogram"])) == wanted


@pytest.mark.parametrize("target", [0.3, "uniform"])
def test_hits_with_one_sample_per_block_equal_enumeration(target: float | str) -> None:
    found = estimate("hit", 8, 4, 0.05, where=target, selection="one-per-block", trials=64, seed=5).proportion
    samples = rows_of(5, 0, 64, 8).tolist()
    if target == "uniform":
        keys = np.random.SeedSequence(5, spawn_key=(0, 1))
        targets = (2.0 * (2.0 * np.random.Generator(np.random.Philox(keys)).random(64) - 1.0)).tolist()
    else:
        targets = [target] * 64
    hits = sum(
        any(abs(s - Fraction(z)) <= Fraction(0.05) for s in families(row, 4, "one-per-block"))
        for row, z in zip(samples, targets, strict=True)
    )
    assert found.hits == hits
    assert 0 < hits < 64


def test_cover_of_any_threads() -> None:
    one = estimate("cover", 20, 5, 0.01, trials=300, seed=2, threads=1)
    assert one == estimate("cover", 20, 5, 0.01, trials=300, seed=2, threads=2)
    assert 0 < one.proportion.hits < 300


def test_threshold_of_covers() -> None:
    """k = 1: the least n for which a grid of targets, each with a point near, is covered half of the time."""
    found = threshold("cover", 0.1, k=1, where=0.5, trials=2000, confidence=1 - 1e-6, seed=4)
    assert found.high is not None
    points = np.random.default_rng(1).uniform(-1, 1, (1500, 40))
    targets = np.linspace(-0.5, 0.5, 401)
    near = np.abs(points[:, :, None] - targets) <= 0.1
    covered = np.logical_or.accumulate(near, axis=1).all(axis=2).mean(axis=0)
    least = int(np.argmax(covered >= 0.5)) + 1
    assert found.low - 2 <= least <= found.high + 2
