"""Masks over frozen weights: exact density, weights untouched, repeatable; criteria; the tiny tasks."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.baselines.architecture import architecture
from slth.baselines.edge_popup import edge_popup
from slth.baselines.frozen import kept_counts, source_weights, top
from slth.baselines.gap import best_neuron, measure_gap
from slth.baselines.probability_mask import CRITERIA, criterion, probability_mask, supermasks
from slth.baselines.training import Recipe
from slth.errors import InvalidInput

torch = pytest.importorskip("torch")

POPUP = Recipe(iterations=25, rate=1.0, optimiser="sgd", every=5)
MASK = Recipe(iterations=25, rate=0.2, every=5)
SEARCHES = [(edge_popup, POPUP), (probability_mask, MASK)]


@pytest.mark.parametrize(("search", "recipe"), SEARCHES)
@pytest.mark.parametrize("kind", ["signed-constant", "uniform"])
@pytest.mark.parametrize(
    ("name", "density"), [("30-20", 0.5), ("30-20", 0.013), ("conv:3:8", 0.3), ("30", 1.0)]
)
def test_density_exact_weights_untouched(
    search: Any, recipe: Recipe, kind: str, name: str, density: float
) -> None:
    found = search(name, density, 1, source=kind, recipe=recipe)
    net = architecture(name)
    assert found.kept == kept_counts(net, density)
    assert found.unchanged
    drawn = source_weights(net, kind, density, 1)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(found.weights, drawn, strict=True))
    again = search(name, density, 1, source=kind, recipe=recipe)
    assert again.outcome == found.outcome
    assert all((a == b).all() for a, b in zip(found.masks, again.masks, strict=True))


def test_counts_round_halves_up_and_never_to_nothing() -> None:
    assert kept_counts(architecture("10"), 0.5) == (320, 50)
    assert kept_counts(architecture("10"), 0.001) == (1, 1)
    with pytest.raises(InvalidInput, match="`density` must be a finite number in"):
        kept_counts(architecture("10"), 0.0)


def test_sources_differ_in_scale_only_between_densities() -> None:
    net = architecture("30-20")
    for kind in ("signed-constant", "uniform"):
        dense, sparse = (source_weights(net, kind, d, 2) for d in (1.0, 0.25))
        for a, b in zip(dense, sparse, strict=True):
            np.testing.assert_allclose(b, 2 * a, rtol=1e-6)
            assert a.std() == pytest.approx(np.sqrt(2 / a.shape[1]), rel=0.15)
    signed = source_weights(net, "signed-constant", 1.0, 2)
    assert all(len(np.unique(np.abs(w))) == 1 for w in signed)
    with pytest.raises(InvalidInput, match="`source` must be one of"):
        source_weights(net, "normal", 1.0, 2)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=15), st.data())
def test_top_is_exact_with_ties(values: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(values)))
    mask = top(torch, torch.tensor(values, dtype=torch.float32), count).numpy()
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert np.flatnonzero(mask).tolist() == sorted(order[:count])


@pytest.mark.parametrize(
    ("search", "rate", "optimiser"), [(edge_popup, 1.0, "sgd"), (probability_mask, 0.2, "adam")]
)
def test_a_search_finds_something(search: Any, rate: float, optimiser: str) -> None:
    found = search("200", 0.5, 0, recipe=Recipe(iterations=120, rate=rate, optimiser=optimiser, every=20))
    assert found.outcome.stop_test / found.outcome.tests > 0.8


def test_the_mask_is_that_of_the_outcome() -> None:
    from slth.baselines.task import digits_task

    found = edge_popup("60", 0.3, 4, recipe=POPUP)
    x = digits_task().test_inputs
    first, second = (w * m for w, m in zip(found.weights, found.masks, strict=True))
    said = (np.maximum(x @ first.T, 0) @ second.T).argmax(axis=1)
    assert (said == digits_task().test_labels).sum() == found.outcome.stop_test
    assert (said == digits_task().target_labels).sum() == found.outcome.stop_agree


def test_criteria() -> None:
    initial, final = np.array([1.0, -2.0, 0.5]), np.array([3.0, 1.0, 0.4])
    rng = np.random.default_rng(0)

    def order(name: str) -> list[int]:
        return np.argsort(-criterion(name, initial, final, rng)).tolist()

    assert order("large_final") == [0, 1, 2]
    assert order("small_final") == [2, 1, 0]
    assert order("large_init") == [1, 0, 2]
    assert order("small_init") == [2, 0, 1]
    assert order("magnitude_increase") == [0, 2, 1]
    assert order("movement") == [1, 0, 2]
    assert order("large_final_same_sign") == [0, 2, 1]
    assert order("magnitude_increase_same_sign") == [0, 2, 1]
    with pytest.raises(InvalidInput, match="`criterion` must be one of"):
        criterion("best", initial, final, rng)


def test_supermasks_keep_exactly_and_beat_chance() -> None:
    rows = list(supermasks("80", (0.5, 0.1), 0, recipe=Recipe(iterations=150, rate=5e-3)))
    assert len(rows) == len(CRITERIA) * 2 * 2
    net = architecture("80")
    right = {}
    for name, density, constant, masks, weights, counts in rows:
        assert tuple(int(m.sum()) for m in masks) == kept_counts(net, density)
        assert all(not w[~m].any() for w, m in zip(weights, masks, strict=True))
        right[name, density, constant] = counts[0]
    # nothing was trained after masking, and yet (Zhou et al.); the opposite criterion is the control
    assert right["large_final_same_sign", 0.5, True] / 449 > 0.5
    assert right["small_final", 0.5, True] < right["large_final_same_sign", 0.5, True]


def every_mask(n: int, kept: int) -> Any:
    for chosen in itertools.combinations(range(n), kept):
        mask = np.zeros(n)
        mask[list(chosen)] = 1.0
        yield mask


@pytest.mark.parametrize("n", [2, 4])
def test_best_neuron_is_the_best_of_all_masks(n: int) -> None:
    rng = np.random.default_rng(n)
    points = rng.uniform(-1, 1, (9, 2))
    for _ in range(3):
        first, second, wanted = rng.uniform(-1, 1, (n, 2)), rng.uniform(-1, 1, n), rng.uniform(-1, 1, 2)
        best = min(
            float(
                np.sqrt(
                    (
                        (np.maximum(points @ (m.reshape(n, 2) * first).T, 0) @ (s * second) - points @ wanted)
                        ** 2
                    ).mean()
                )
            )
            for m in every_mask(2 * n, n)
            for s in every_mask(n, n // 2)
        )
        assert best_neuron(first, second, wanted, points) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("family", ["weight", "neuron"])
def test_nothing_found_is_better_than_what_exists(family: str) -> None:
    gap = measure_gap(family, 6, 0, trials=12, steps=30)
    for found in (gap.visited, gap.last, gap.random):
        assert (found >= gap.exists - 1e-12).all()
    assert (gap.visited <= gap.last).all()
    again = measure_gap(family, 6, 0, trials=12, steps=30)
    for name in ("exists", "visited", "last", "random"):
        assert getattr(gap, name).tobytes() == getattr(again, name).tobytes()
    with pytest.raises(InvalidInput, match="`n` must be even"):
        measure_gap(family, 5, 0)
    with pytest.raises(InvalidInput, match="`n` must be an integer in"):
        measure_gap("neuron", 12, 0)
