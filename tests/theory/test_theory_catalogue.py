"""The one interface to predictors and guarantees: what each says of itself, its order, its inversions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from slth.errors import CapacityExceeded, InvalidInput
from slth.laws.law import Law
from slth.laws.named import LAW_NAMES, law_by_name
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.bounds import bound
from slth.theory.moments import last_overlap
from slth.theory.predictors import PREDICTORS, Predictor, n_cover, n_hit, predictor

U, P = Uniform(), LiveProduct()
EVERY = [pytest.param(item, id=f"{item.event}-{item.name}") for item in PREDICTORS.values()]


@pytest.mark.parametrize("item", EVERY)
def test_each_says_what_it_is(item: Predictor) -> None:
    words = item.to_dict()
    assert words["event"] in ("hit", "cover")
    assert (words["kind"], words["side"]) in {
        ("prediction", "estimate"),
        ("guarantee", "lower"),
        ("guarantee", "upper"),
    }
    assert all(len(words[name]) > 10 for name in ("statement", "distrust", "source"))
    assert predictor(item.name, item.event) is item


@pytest.mark.parametrize("item", EVERY)
@pytest.mark.parametrize("name", LAW_NAMES)
def test_probabilities_over_the_laws(item: Predictor, name: str) -> None:
    law = law_by_name(name)
    if name not in item.laws:
        with pytest.raises(InvalidInput, match=f"`law` must be one of .* for {item.name}; got {name}"):
            item.evaluate(16, 5, 0.01, 0.8, law)
        return
    for n, k, eps in ((16, 5, 0.01), (9, 1, 0.3), (12, 11, 0.02), (30, 15, 1e-5)):
        value = item.evaluate(n, k, eps, 0.8, law)
        assert 0.0 <= value.probability <= 1.0
        assert value.probability + value.failure == pytest.approx(1.0, abs=1e-6)
        assert (value.error is None) == (item.options == ())


@pytest.mark.parametrize("law", [U, Normal(1.0)], ids=["uniform", "normal"])
def test_bounds_bracket_the_best_prediction(law: Law) -> None:
    """Lower guarantees below the saddlepoint prediction, and that below the upper ones, up to its error."""
    for event, place in (("hit", 1.0), ("cover", 1.0)):
        for n, k, eps in ((24, 8, 1e-4), (20, 5, 1e-3), (20, 5, 1e-6), (40, 12, 1e-2)):
            best = predictor("saddlepoint", event).evaluate(n, k, eps, place, law)
            slack = 0.05 + 6 * best.error
            for item in PREDICTORS.values():
                if item.event != event or law.name not in item.laws:
                    continue
                value = item.evaluate(n, k, eps, place, law).probability
                if item.side == "lower":
                    assert value <= best.probability + slack, item.name
                if item.side == "upper":
                    assert value >= best.probability - slack, item.name


def test_the_printed_corollary_guarantees_nothing_at_constant_density() -> None:
    corollary = predictor("corollary-1", "cover")
    assert corollary.evaluate(10**9, 3 * 10**8, 1e-2, 1.0, U).probability == 0.0
    needed = bound("corollary-1", eps=1e-2, k=5, c_amp="literal").values["log2_required_n"]
    assert needed > 1000  # inside its range the sample it asks for has more elements than a float can count


@pytest.mark.parametrize(
    ("kind", "law"),
    [("second-moment", U), ("conditional-second-moment", Normal(1.0)), ("saddlepoint", P), ("quenched", U)],
)
def test_hit_sizes_are_least(kind: str, law: Law) -> None:
    n = n_hit(1e-3, 0.5, law, k=6, probability=0.8, kind=kind)
    chosen = predictor(kind)
    assert chosen.evaluate(n, 6, 1e-3, 0.5, law).probability >= 0.8
    assert chosen.evaluate(n - 1, 6, 1e-3, 0.5, law).probability < 0.8
    assert abs(n - n_hit(1e-3, 0.5, law, k=6, probability=0.8)) <= 6
    dense = n_hit(1e-3, 0.5, law, density=0.3, probability=0.8, kind=kind)
    assert chosen.evaluate(dense, round(0.3 * dense), 1e-3, 0.5, law).probability >= 0.8


def test_cover_sizes_are_least() -> None:
    law = Normal(1.0)
    sizes = [n_cover(1e-2, law, k=10, radius=1.0, probability=0.9, kind=k) for k in ("cox", "saddlepoint")]
    assert abs(sizes[0] - sizes[1]) <= 3
    n = n_cover(1e-2, law, k=10, radius=1.0, probability=0.9, kind="two-halves")
    two = predictor("two-halves", "cover")
    assert two.evaluate(n, 10, 1e-2, 1.0, law).probability >= 0.9
    assert two.evaluate(n - 1, 10, 1e-2, 1.0, law).probability < 0.9
    assert n > sizes[0]


def test_upper_guarantees() -> None:
    hit = predictor("first-moment").evaluate(20, 5, 1e-6, 2.0, U)
    assert hit.probability == pytest.approx(math.comb(20, 5) * 2e-6 * float(U.sum_pdf(2.0, 5)), rel=1e-6)
    cover = predictor("first-moment", "cover")
    assert cover.evaluate(10, 3, 0.008, 1.0, U).probability == 0.0  # 120 segments of 0.016
    assert cover.evaluate(10, 3, 0.009, 1.0, U).probability > 0.0
    assert predictor("first-moment").evaluate(10, 3, 0.1, 99.0, U).probability == 0.0


def test_theorem_2_on_live_products() -> None:
    """The pairs with all but one element in common cost little once subsets are many."""
    for k, eps in ((5, 1e-3), (10, 1e-6)):
        found = bound("theorem-2", k=k, eps=eps, law="product", z=0.2)
        assert found.holds
        assert 0.01 < found.values["guaranteed_probability"] < 0.1
        n = found.values["n"]
        expected = math.sqrt(k) * k * (n - k) / math.comb(n, k) * (1 + math.log(1 / eps))
        assert last_overlap(n, k, eps) == pytest.approx(expected, rel=1e-12)
    assert not bound("theorem-2", k=5, eps=1e-3, law="product", z=1.2).holds
    assert not bound("theorem-2", k=1, eps=1e-3, law="product", z=0.2).holds
    # what it replaces: P(|XY - t| <= eps) is largest at t = 0
    t = np.linspace(-1, 1, 201)
    assert np.all(P.window(t, 0.01, 1) <= 0.01 * (1 + math.log(100)) * (1 + 1e-12))


def test_theorem_2_stays_below_simulation() -> None:
    k, eps = 3, 0.05
    n = bound("theorem-2", k=k, eps=eps, law="product").values["n"]
    value = predictor("theorem-2").evaluate(n, k, eps, 0.8, P).probability
    subsets = np.array(list(itertools.combinations(range(n), k)))
    draws = P.sample(np.random.default_rng(8), (3000, n))
    hit = np.mean([np.abs(row[subsets].sum(axis=1) - 0.8).min() <= eps for row in draws])
    assert 0.0 < value < hit - 6 * math.sqrt(0.25 / 3000)


def test_refusals() -> None:
    with pytest.raises(
        InvalidInput, match=r"`kind` must be one of .* for the event 'hit'; got .sadlepoint.\. Did you"
    ):
        predictor("sadlepoint")
    with pytest.raises(InvalidInput, match=r"`event` must be one of 'hit', 'cover'; got 'miss'"):
        predictor("cox", "miss")
    with pytest.raises(InvalidInput, match=r"`samples` is not an option of cox; it has none"):
        predictor("cox").evaluate(9, 3, 0.1, 0.0, U, samples=5)
    with pytest.raises(CapacityExceeded, match=r"400 samples of size 100000 are more than .* Use fewer"):
        predictor("saddlepoint").evaluate(100_000, 3, 0.1, 0.0, U)
    with pytest.raises(CapacityExceeded, match=r"evaluated up to n = 10000; got n = 10001"):
        predictor("two-halves", "cover").evaluate(10_001, 3, 0.1, 1.0, U)
