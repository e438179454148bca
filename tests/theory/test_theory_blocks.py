"""One element per block: intensities against all sums, coverage against simulation and published sizes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from oracles.theory import covering_radius_of_sums

from slth.errors import InvalidInput
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.blocks import averaged_block_cover, block_log_intensity, block_miss_probability

U = Uniform()


def all_sums(blocks: np.ndarray) -> np.ndarray:
    return np.array([math.fsum(choice) for choice in itertools.product(*blocks)])


def test_counts_of_sums_in_bins() -> None:
    blocks = np.random.default_rng(2).uniform(-1, 1, (6, 4))
    sums = all_sums(blocks)
    edges = np.linspace(sums.min(), sums.max(), 13)
    fine = np.linspace(sums.min(), sums.max(), 481)
    middle = (fine[1:] + fine[:-1]) / 2
    mass = np.exp(block_log_intensity(blocks, middle)).reshape(12, 40).sum(axis=1) * (fine[1] - fine[0])
    counts = np.histogram(sums, edges)[0]
    assert mass.sum() == pytest.approx(4**6, rel=0.02)
    assert np.all(np.abs(mass - counts) <= 5 + 6 * np.sqrt(counts))


def test_order_and_scale() -> None:
    blocks = np.random.default_rng(3).normal(size=(5, 3))
    z = np.linspace(-2, 2, 5)
    logs = block_log_intensity(blocks, z)
    np.testing.assert_allclose(block_log_intensity(blocks[::-1, ::-1].copy(), z), logs, atol=1e-9)
    np.testing.assert_allclose(block_log_intensity(2 * blocks, 2 * z), logs - math.log(2), atol=1e-9)
    shift = np.arange(5.0)[:, None]
    np.testing.assert_allclose(block_log_intensity(blocks + shift, z + 10.0), logs, atol=1e-8)
    np.testing.assert_allclose(block_log_intensity(np.stack([blocks, 2 * blocks]), z)[0], logs, rtol=1e-12)
    assert np.all(block_log_intensity(blocks, [-99.0, 99.0]) == -np.inf)
    # z with no freedom left: equal elements
    assert np.all(block_log_intensity(np.ones((3, 2)), [3.0]) == -np.inf)


@pytest.mark.parametrize(
    ("law", "b", "k", "radius"), [(U, 4, 5, 1.0), (U, 3, 7, 1.0), (LiveProduct(), 4, 5, 0.5)]
)
def test_coverage_against_simulation(law: Uniform, b: int, k: int, radius: float) -> None:
    """300 samples; six standard deviations plus the stated 0.08."""
    draws = law.sample(np.random.default_rng([b, k]), (300, k, b))
    reached = []
    for blocks in draws:
        sums = np.zeros(1)
        for row in blocks:
            sums = (sums[:, None] + row).ravel()
        reached.append(covering_radius_of_sums(sums, radius))
    for share in (0.6, 0.9):
        eps = float(np.quantile(reached, share))
        predicted = averaged_block_cover(k, b, eps, radius, law, samples=300)
        slack = 6 * math.hypot(math.sqrt(share * (1 - share) / 300), float(predicted.error))
        assert float(predicted.value) == pytest.approx(share, abs=0.08 + slack)


@pytest.mark.parametrize(
    ("b", "sizes"),
    [(2, ((11, 17), (15, 19), (19, 24))), (4, ((6, 7), (7, 9), (9, 10))), (16, ((3, 3), (4, 4), (5, 5)))],
)
def test_published_sizes(b: int, sizes: tuple[tuple[int, int], ...]) -> None:
    """Least k for coverage 0.5 and 0.99 of [-1, 1], simulated with 60-200 trials: within one block."""
    for eps, (half, nearly) in zip((1e-2, 1e-3, 1e-4), sizes, strict=True):
        near = [float(averaged_block_cover(k, b, eps, 1.0, U, samples=100).value) for k in (half - 1, half + 1)]
        assert near[0] < 0.55
        assert near[1] > 0.45
        if b > 2:
            assert float(averaged_block_cover(nearly + 1, b, eps, 1.0, U, samples=200).value) > 0.97


def test_misses_against_simulation() -> None:
    """4,000 samples, as for windows."""
    rng = np.random.default_rng(2)
    for k, b, eps, z in [(5, 3, 4e-3, 0.5), (4, 4, 4e-3, 0.2), (8, 2, 4e-3, 0.3)]:
        x = rng.uniform(-1, 1, (4000, k, b))
        sums = x[:, 0]
        for block in range(1, k):
            sums = (sums[:, :, None] + x[:, block][:, None]).reshape(len(x), -1)
        missed = (np.abs(sums - z) > eps).all(axis=1).mean()
        assert 0.05 < missed < 0.95
        assert abs(float(block_miss_probability(k, b, eps, z, U)) - missed) < 0.06


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match=r"`blocks` must have 2 or 3 dimension\(s\); got shape \(2,\)"):
        block_log_intensity([1.0, 2.0], [0.0])
    with pytest.raises(InvalidInput, match=r"`b` must be an integer >= 2; got 1"):
        averaged_block_cover(3, 1, 0.1, 1.0, U)
    with pytest.raises(InvalidInput, match=r"`eps` = 0.5; got 0.1. Use `block_miss_probability`"):
        averaged_block_cover(3, 2, 0.5, 0.1, U)
