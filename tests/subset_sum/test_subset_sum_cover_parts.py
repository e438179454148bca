"""Covers proved by parts: never more than there is, hardly less, and safe where floats are coarse."""

from __future__ import annotations

import numpy as np
import pytest

import slth.subset_sum.cover_parts as parts_module
from slth.laws.named import law_by_name
from slth.subset_sum.cover_batch import cover_batch
from slth.subset_sum.cover_parts import covered_by_parts


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("law", "n", "k", "eps", "reach"),
    [
        ("uniform", 28, 14, 1e-3, 1.0),
        ("uniform", 30, 15, 1e-1, 15**0.5),
        ("product", 30, 10, 3e-2, 10**0.5 / 2),
        ("normal", 32, 8, 1e-2, 8**0.5),
    ],
)
def test_parts_prove_what_the_complete_search_finds(law: str, n: int, k: int, eps: float, reach: float) -> None:
    samples = law_by_name(law).sample(np.random.default_rng(n + k), (300, n))
    found = covered_by_parts(samples, -reach, reach, eps, k, threads=1)
    covered = cover_batch(samples, -reach, reach, eps, k=k).covered == 1
    assert not (found & ~covered).any()
    assert found.sum() >= 0.9 * covered.sum() > 0
    shifted = covered_by_parts(samples, 0.5 * reach, reach, eps, k, threads=2)
    assert not (found & ~shifted).any()


def test_every_way_of_fixing_is_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums of the shifted free samples are sums of k of the row."""
    n, k, free, size = 11, 5, 6, 3
    row = np.sort(np.random.default_rng(1).integers(-99, 100, n).astype(float))
    ways = parts_module._ways(n, k - size, free)
    assert len(set(ways)) == len(ways)
    for way in ways:
        monkeypatch.setattr(parts_module, "_ways", lambda *_, way=way: [way])
        (given,) = parts_module._shifted(row[None, :], 0.0, k, free, size)
        start, first, last = way
        fixed = row[start : start + k - size]
        own = np.rint(given - fixed.sum() / size)
        assert np.allclose(own + fixed.sum() / size, given)
        rest = np.delete(row, np.s_[start : start + k - size])
        assert set(own) <= set(rest[first : last + 1])
        assert len(set(own)) == free == len(own)


def test_silence_where_nothing_is_gained() -> None:
    draws = np.random.default_rng(3).uniform(-1, 1, (5, 28))
    for samples, k, eps in ((draws[:0], 14, 0.1), (draws[:, :20], 10, 0.1), (draws, 14, 1e-6), (draws, 1, 0.1)):
        assert not covered_by_parts(samples, -1.0, 1.0, eps, k).any()
    # 2^50 moves sums by more than eps when the fixed part is added in floats
    coarse = draws.copy()
    coarse[:, 0] = 2.0**50
    assert not covered_by_parts(coarse, -1.0, 1.0, 0.1, 14).any()
    # all equal: no spread, one sum
    assert not covered_by_parts(np.full((2, 28), 0.25), -1.0, 1.0, 0.1, 14).any()
