"""What prune refuses, and what it says of weights that cannot be reached."""

from __future__ import annotations

import numpy as np
import pytest
from builders import box, target, tiny_ticket

import slth


def test_unreachable_weights_are_listed_with_their_best_error() -> None:
    source = slth.Source(seed=1, layers=(slth.SourceLayer(4, 14, 4), slth.SourceLayer(5, 14, 2)))
    with pytest.raises(slth.WeightsUnreachable, match=r"\d+ weight\(s\) cannot be reached") as caught:
        slth.prune(target(), source, domain=box(), eps=1e-4, k=3, arrangement="sign-matched")
    failures = caught.value.failures
    assert {failure.layer for failure in failures} == {"layer1", "layer2"}
    for failure in failures:
        assert failure.error > failure.tolerance > 0
        assert failure.half == "positive"
    # the best error is the true optimum over all subsets of size k of the live products
    failure = next(f for f in failures if np.isfinite(f.error) and f.layer == "layer1")
    assert failure.error == pytest.approx(best_error(source, failure, target()), rel=1e-12)


def best_error(source: slth.Source, failure: object, goal: slth.Network) -> float:
    from itertools import combinations
    from math import fsum

    j, i = failure.input, failure.output
    first = source.matched(0)[j]
    second = source.block(0, 1, j, j + 1)[0, :, i]
    products = [float(a) * float(b) * 2.0**-46 for a, b in zip(first, second, strict=True) if a > 0]
    layer = goal.dense_chain()[0]
    wanted = float(np.column_stack((layer.weight, layer.bias))[i, j])
    return min(abs(fsum((*subset, -wanted))) for subset in combinations(products, 3))


def test_too_narrow_source_says_so() -> None:
    source = slth.Source(seed=1, layers=(slth.SourceLayer(4, 4, 4), slth.SourceLayer(5, 4, 2)))
    with pytest.raises(slth.WeightsUnreachable, match="too few neurons, or lifting constants, can serve it"):
        slth.prune(target(), source, domain=box(), eps=0.1, k=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eps": 0.0}, r"`eps` must be a finite number > 0\.0; got 0\.0"),
        ({"eps": float("nan")}, r"`eps` must be a finite number > 0\.0; got nan"),
        ({"k": 0}, r"`k` must be an integer in \[1, "),
        ({"k": [3]}, r"`k` must have one value per layer \(2\); got 1"),
        ({"copies": -1}, r"`copies` must be an integer in \[1, "),
        ({"subset_density": 1.0}, r"`subset_density` must be a finite number in \(0\.0, 1\.0\); got 1\.0"),
        ({"arrangement": "random"}, r"`arrangement` must be one of 'auto', 'sign-matched', .*; got 'random'"),
        ({"search": "any"}, r"`search` must be one of .within., .closest., .feedback.; got .any."),
        ({"budget": "none"}, r"`budget` must be one of 'frobenius', 'theorem', 'certificate'; got 'none'"),
        ({"domain": box(size=4), "inputs": None}, r"`domain` must have the target's 3 inputs; got 4"),
        ({"inputs": np.ones((2, 4))}, r"`inputs` must have 3 columns; got shape \(2, 4\)"),
        ({"inputs": np.full((2, 3), 2.0)}, r"`inputs` must lie in `domain`; row 0 does not"),
        ({"inputs": np.full((2, 3), np.inf)}, r"`inputs` must be finite; got inf at index \(0, 0\)"),
        ({"seed": -1}, r"`seed` must be an integer in \[0, "),
    ],
)
def test_refuses(changes: dict, message: str) -> None:
    with pytest.raises(slth.InvalidInput, match=message):
        tiny_ticket(**changes)


def test_source_must_fit_the_target() -> None:
    layers = (slth.SourceLayer(4, 40, 4), slth.SourceLayer(5, 40, 2))
    with pytest.raises(
        slth.InvalidInput, match=r"`source` must have one pair of layers per target layer \(2\); got 1"
    ):
        tiny_ticket(source=slth.Source(seed=1, layers=layers[:1]))
    wrong = (slth.SourceLayer(3, 40, 4), layers[1])
    with pytest.raises(slth.InvalidInput, match=r"`source` must match layer 'layer1': 4 inputs .* got 3 and 4"):
        tiny_ticket(source=slth.Source(seed=1, layers=wrong))
    with pytest.raises(slth.InvalidInput, match="`copies` must be None when a source is given"):
        tiny_ticket(source=slth.Source(seed=1, layers=layers), copies=3)


def test_magnitudes_that_cannot_be_scaled_exactly_are_refused() -> None:
    goal = slth.dense_network([[[2.0**60, 5e-324, 0.0]]])
    with pytest.raises(slth.InvalidInput, match="mixes magnitudes too different to scale"):
        slth.prune(goal, domain=box(), eps=1.0, k=3, copies=20)


def test_no_reasonable_size_is_said_before_anything_is_drawn() -> None:
    with pytest.raises(slth.CapacityExceeded, match="no sample size up to 4096 is predicted"):
        slth.prune(target(), domain=box(), eps=1e-9, k=1)


def test_an_arrangement_that_does_not_suit_a_layer_names_it() -> None:
    with pytest.raises(slth.InvalidInput, match=r"`arrangement` must suit layer 'layer1'; got 'gathered'"):
        slth.prune(target(), domain=box(-1.0, 1.0), eps=0.1, arrangement="gathered")
    source = slth.Source(seed=1, layers=(slth.SourceLayer(4, 40, 4), slth.SourceLayer(5, 40, 2)))
    with pytest.raises(slth.InvalidInput, match=r"a given source decides who owns them"):
        slth.prune(target(), source, domain=box(), eps=0.1, arrangement="gathered")


@pytest.mark.parametrize("size", [1e308, 1e-308])
def test_weights_at_the_ends_of_the_range_are_refused(size: float) -> None:
    goal = slth.dense_network([[[size, 0.0]]], [[0.0]])
    with pytest.raises(
        slth.InvalidInput, match=r"layer 'layer1' has weights of about 2\^-?10\d\d, beyond 2\^1000"
    ):
        slth.prune(goal, domain=box(size=2), eps=0.1)
