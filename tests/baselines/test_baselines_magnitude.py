"""Magnitude pruning: counts, order, rewinding, controls, and that everything repeats bit for bit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.baselines.architecture import architecture, glorot, no_biases
from slth.baselines.magnitude import (
    REINITIALISED,
    WINNING,
    Pruning,
    Trained,
    iterative,
    keep_largest,
    one_shot,
    random_control,
)
from slth.baselines.streams import INITIAL, stream
from slth.baselines.task import digits_task
from slth.baselines.training import Recipe, train
from slth.errors import InvalidInput

torch = pytest.importorskip("torch")

RECIPE = Recipe(iterations=30, every=10)
PRUNING = Pruning(rounds=3, rate=0.4)
NAME = "20-12"


@pytest.fixture(scope="module")
def chain() -> list[Trained]:
    return list(iterative(NAME, 3, PRUNING, RECIPE))


def same(first: list[Any], second: list[Any]) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


def test_counts_are_those_stated_layer_by_layer(chain: list[Trained]) -> None:
    # 64*20 = 1280, 20*12 = 240, 12*10 = 120 at half the rate
    expected = [(1280, 240, 120), (768, 144, 96), (461, 86, 77), (277, 52, 62)]
    assert PRUNING.counts(architecture(NAME)) == expected
    for ticket in chain:
        assert ticket.kept == expected[ticket.round]
    assert [t.kept for t in one_shot(NAME, 3, PRUNING, RECIPE)] == expected[1:]
    assert [t.kept for t in random_control(NAME, 3, PRUNING, RECIPE)] == expected[1:]


def test_what_survives_is_the_largest_of_what_survived(chain: list[Trained]) -> None:
    winning = [t for t in chain if t.arm == WINNING]
    for before, after in itertools.pairwise(winning):
        for old, new, weight in zip(before.masks, after.masks, before.fit.final, strict=False):
            assert not (new & ~old).any()
            assert np.abs(weight[new]).min() >= np.abs(weight[old & ~new]).max()


def test_rewinding_is_bitwise(chain: list[Trained]) -> None:
    drawn = glorot(architecture(NAME), stream(3, INITIAL))
    for ticket in chain:
        assert same(ticket.initial, drawn) == (ticket.arm == WINNING)


def test_training_starts_where_the_ticket_says(chain: list[Trained]) -> None:
    net = architecture(NAME)
    for ticket in chain:
        again = train(net, ticket.initial, no_biases(net), ticket.masks, RECIPE, 3, digits_task())
        assert same(again.final, ticket.fit.final)


def test_rewinding_to_a_later_step() -> None:
    tickets = list(iterative(NAME, 3, Pruning(rounds=1, rate=0.4, rewind=10), RECIPE, reinitialise=False))
    dense, ticket = tickets
    assert dense.fit.kept is not None
    assert same(ticket.initial, dense.fit.kept[:3])
    # ten steps with the same batches are the first ten of thirty
    short = next(iterative(NAME, 3, Pruning(rounds=0), Recipe(iterations=10, every=10)))
    assert same(short.fit.final, dense.fit.kept)
    assert not same(ticket.initial, dense.initial)


def test_dropped_weights_stay_zero_and_the_controls_differ(chain: list[Trained]) -> None:
    for ticket in chain:
        for weight, mask in zip(ticket.fit.final, ticket.masks, strict=False):
            assert not weight[~mask].any()
            assert weight[mask].all()
    for number in (1, 2, 3):
        pair = {t.arm: t for t in chain if t.round == number}
        assert same(pair[WINNING].masks, pair[REINITIALISED].masks)
        assert not same(pair[WINNING].initial, pair[REINITIALISED].initial)
        assert not same(pair[WINNING].fit.final, pair[REINITIALISED].fit.final)
    masks = [t.masks for t in random_control(NAME, 3, PRUNING, RECIPE)]
    assert not same(masks[0], [t for t in chain if t.arm == WINNING][1].masks)


@pytest.mark.parametrize("recipe", [RECIPE, Recipe(iterations=20, every=5, dropout=0.5, warmup=8)])
@pytest.mark.parametrize("name", [NAME, "conv:3-4:6"])
def test_a_second_run_gives_the_same_bits(name: str, recipe: Recipe) -> None:
    one, two = (list(iterative(name, 5, Pruning(rounds=1), recipe)) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        assert a.outcome == b.outcome
        assert same(a.fit.final, b.fit.final)
        assert same(a.fit.stopped, b.fit.stopped)
    other = next(iterative(name, 6, Pruning(rounds=0), recipe))
    assert not same(other.fit.final, one[0].fit.final)


def test_dropout_and_warm_up_change_the_training() -> None:
    def final(**options: Any) -> list[Any]:
        recipe = Recipe(iterations=20, every=5, **options)
        return next(iterative(NAME, 5, Pruning(rounds=0), recipe)).fit.final

    plain = final()
    assert not same(plain, final(dropout=0.5))
    assert not same(plain, final(warmup=8))
    assert [round(Recipe(rate=1.0, warmup=4).rate_at(s), 2) for s in range(6)] == [
        0.25,
        0.5,
        0.75,
        1.0,
        1.0,
        1.0,
    ]


def test_threads_and_determinism_are_put_back() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    next(iterative(NAME, 5, Pruning(rounds=0), RECIPE))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_a_training_learns_and_stops_where_validation_is_best() -> None:
    dense = next(iterative("40", 0, Pruning(rounds=0), Recipe(iterations=150, rate=5e-3, every=10)))
    out = dense.outcome
    task = digits_task()
    assert (out.tests, out.trains) == (449, 1124)
    assert out.final_test / out.tests > 0.9
    weights, biases = dense.fit.stopped[:2], dense.fit.stopped[2:]
    x, y = task.validation_inputs.astype(float), task.validation_labels
    logits = np.maximum(x @ weights[0].T + biases[0], 0) @ weights[1].T + biases[1]
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]
    assert losses.mean() == pytest.approx(out.stop_loss, rel=1e-5)
    assert out.stop_iteration % 10 == 0


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.data())
def test_keep_largest_keeps_exactly_so_many(values: list[int], data: st.DataObject) -> None:
    array = np.array(values, dtype=float)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    count = data.draw(st.integers(0, int(mask.sum())))
    kept = keep_largest(array, mask, count)
    assert kept.sum() == count
    assert not (kept & ~mask).any()
    order = sorted(np.flatnonzero(mask), key=lambda i: (-abs(array[i]), i))
    assert sorted(order[:count]) == np.flatnonzero(kept).tolist()


@pytest.mark.parametrize("name", ["", "0", "300-0", "a", "1-2-3-4-5", "conv:3:", "conv:1-2-3:4", "300-100\n"])
def test_names_of_networks_are_strict(name: str) -> None:
    with pytest.raises(InvalidInput, match="`network` must be hidden widths"):
        architecture(name)


def test_sizes_and_options_are_bounded() -> None:
    with pytest.raises(InvalidInput, match="`network` must have at most"):
        architecture("99999-99999")
    with pytest.raises(InvalidInput, match="`rate` must be a finite number in"):
        Pruning(rate=1.0)
    with pytest.raises(InvalidInput, match="`dropout` must be a finite number in"):
        Recipe(dropout=1.0)
    with pytest.raises(InvalidInput, match="`optimiser` must be one of"):
        Recipe(optimiser="lbfgs")
