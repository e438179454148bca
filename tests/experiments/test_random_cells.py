"""Thirty random small cells (n <= 18, k, eps, law): estimates, counts, covers, guarantees and enumeration.

The sums of all k-subsets come from numpy in floats, right to 1e-13; no distance is that close to its tolerance.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from oracles.theory import covering_radius_of_sums
from scipy.stats import binom

from slth.experiments.estimate import estimate
from slth.experiments.trial import edge_of
from slth.laws.law import Law
from slth.laws.named import law_by_name
from slth.subset_sum.count import count
from slth.subset_sum.cover import cover
from slth.theory.catalogue import PREDICTORS

CELLS, SAMPLES, TRIALS = 30, 192, 4096
# One false alarm in a million for all comparisons of a guarantee together: at most 10 a cell.
ALARM = 1e-6 / (10 * CELLS)


@dataclass(frozen=True)
class Drawn:
    """A random cell."""

    seed: int
    n: int
    k: int
    eps: float
    law: str
    target: float
    reach: float

    def samples(self) -> np.ndarray:
        """The rows of the first trials of `estimate`: Philox, 64 trials to a stream."""
        streams = [
            np.random.Generator(np.random.Philox(np.random.SeedSequence(self.seed, spawn_key=(block, 0))))
            for block in range(SAMPLES // 64)
        ]
        if self.law == "uniform":
            return np.concatenate([s.uniform(-1.0, 1.0, (64, self.n)) for s in streams])
        return np.concatenate([law_by_name(self.law).sample(s, (64, self.n)) for s in streams])


def cells() -> list[Drawn]:
    rng = np.random.default_rng(20261121)
    drawn = []
    for seed in range(CELLS):
        n = int(rng.integers(4, 19))
        k = int(rng.integers(1, n))
        law = ("uniform", "normal", "product")[seed % 3]
        edge = edge_of(law_by_name(law), k)
        target = float(rng.uniform(-1.0, 1.0)) * edge
        # the expected number of hits goes from one half to a hundred
        density = float(law_by_name(law).sum_pdf(target, k))
        eps = float(np.exp(rng.uniform(math.log(0.5), math.log(100.0)))) / (2 * math.comb(n, k) * density)
        reach = float(rng.uniform(0.3, 1.0)) * edge
        drawn.append(Drawn(seed, n, k, min(eps, 0.4), law, target, reach))
    return drawn


def enumerated(samples: np.ndarray, k: int) -> np.ndarray:
    """The sums of all k-subsets of each row, (rows, C(n, k))."""
    subsets = np.array(list(itertools.combinations(range(samples.shape[1]), k)))
    return np.stack([row[subsets].sum(axis=1) for row in samples])


def clear_of(distances: np.ndarray, eps: float) -> None:
    assert float(np.abs(distances - eps).min()) > 1e-13


@pytest.mark.parametrize("cell", cells(), ids=lambda c: f"{c.law}-{c.n}-{c.k}")
def test_estimates_counts_and_covers_equal_enumeration(cell: Drawn) -> None:
    samples = cell.samples()
    sums = enumerated(samples, cell.k)

    near = np.abs(sums - cell.target)
    clear_of(near, cell.eps)
    hits = near.min(axis=1) <= cell.eps
    options = {"law": cell.law, "trials": SAMPLES, "seed": cell.seed, "threads": 1}
    found = estimate("hit", cell.n, cell.k, cell.eps, where=cell.target, **options).proportion
    assert (found.hits, found.undecided) == (int(hits.sum()), 0)

    radii = np.array([covering_radius_of_sums(row, cell.reach) for row in sums])
    # of the tolerances at which some are covered and some are not, one between two radii
    ordered = np.sort(radii)
    eps = float(ordered[SAMPLES // 2 - 1 : SAMPLES // 2 + 1].mean())
    clear_of(radii, eps)
    found = estimate("cover", cell.n, cell.k, eps, where=cell.reach, **options).proportion
    assert (found.hits, found.undecided) == (SAMPLES // 2, 0)

    for row, distances, radius in zip(samples[:6], near, radii, strict=False):
        assert count(row, cell.target, cell.eps, k=cell.k).count == int((distances <= cell.eps).sum())
        result = cover(row, -cell.reach, cell.reach, eps, k=cell.k)
        assert result.covered == bool(radius <= eps)
        if not result.covered:
            witness = float(result.witness or 0.0)
            assert abs(witness) <= cell.reach
            assert float(np.abs(enumerated(row[None], cell.k) - witness).min()) > eps


def excluded(p: float, side: str, hits: int) -> bool:
    """Whether so few (many) hits in TRIALS exclude a lower (upper) guarantee p, at false alarm ALARM."""
    if side == "lower":
        return bool(binom.cdf(hits, TRIALS, p) < ALARM)
    return bool(binom.sf(hits - 1, TRIALS, p) < ALARM)


def guarantees(event: str, cell: Drawn, law: Law) -> dict[tuple[str, str], float]:
    place = cell.target if event == "hit" else cell.reach
    eps = cell.eps if event == "hit" else min(4.0 * cell.eps, 0.4, 0.9 * cell.reach)
    return {
        (name, way.side): way.evaluate(cell.n, cell.k, eps, place, law).probability
        for (of, name), way in PREDICTORS.items()
        if of == event and way.kind == "guarantee" and law.name in way.laws
    }


@pytest.mark.slow
def test_guarantees_are_never_beyond_the_probability() -> None:
    telling = 0
    for cell in cells():
        law = law_by_name(cell.law)
        for event in ("hit", "cover"):
            eps = cell.eps if event == "hit" else min(4.0 * cell.eps, 0.4, 0.9 * cell.reach)
            where = cell.target if event == "hit" else cell.reach
            claimed = guarantees(event, cell, law)
            found = estimate(
                event, cell.n, cell.k, eps, law=cell.law, where=where, trials=TRIALS, seed=1000 + cell.seed
            ).proportion
            assert found.undecided == 0
            assert len(claimed) <= 5
            for (name, side), p in claimed.items():
                assert not excluded(p, side, found.hits), (cell, event, name, p, found.hits)
                telling += 0.02 < p < 0.98
                # the test can fail: a value beyond the truth by a tenth would have been caught
                beyond = found.hits / TRIALS + (0.1 if side == "lower" else -0.1)
                assert not 0.0 < beyond < 1.0 or excluded(beyond, side, found.hits)
    assert telling >= 40
