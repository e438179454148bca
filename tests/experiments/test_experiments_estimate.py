"""Estimates: proofs counted, the stop repeatable, verdicts that can fail."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.experiments import trial as module
from slth.experiments.estimate import estimate
from slth.experiments.sequence import confidence_sequence
from slth.experiments.verify import verify
from slth.subset_sum.result import Status

HIT: dict[str, Any] = {"event": "hit", "n": 18, "k": 5, "eps": 1e-3, "seed": 4}


def test_same_trials_as_verify() -> None:
    ours = estimate(**HIT, trials=300).proportion
    theirs = verify(18, 5, 1e-3, trials=300, bound=None, seed=4).proportion
    assert ours == theirs
    assert 0 < ours.hits < 300


def test_early_stop_is_the_same_for_any_threads_and_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments: dict[str, Any] = {**HIT, "trials": 20_000, "stop_early": True, "width": 0.1}
    one = estimate(**arguments, threads=1)
    assert one == estimate(**arguments, threads=2)
    monkeypatch.setattr(module, "SLICE", 1e-9)
    assert one == estimate(**arguments)
    p = one.proportion
    assert p.always
    assert p.trials % 64 == 0
    assert p.high - p.low <= 0.1
    before = estimate(**{**HIT, "trials": p.trials - 64}).proportion
    earlier = confidence_sequence(before.hits, before.trials)
    assert earlier.high - earlier.low > 0.1


def test_stops_on_the_claim_and_says_what_is_left() -> None:
    easy = estimate(**HIT, trials=5000, stop_early=True, claim=0.3)
    assert easy.verdict == "verified"
    assert easy.proportion.trials < 500
    refuted = estimate(**HIT, trials=5000, stop_early=True, claim=0.95)
    assert refuted.verdict == "refuted"
    close = estimate(**HIT, trials=100, stop_early=True, claim=easy.proportion.estimate)
    assert close.verdict == "undecided"
    assert close.proportion.trials == 100
    assert "further trials would probably settle it" in close.reason
    assert close.trials_needed is not None
    assert close.trials_needed > 100


def test_named_guarantees() -> None:
    plain = estimate(**HIT, trials=2000, stop_early=True, claim="second-moment")
    better = estimate(**HIT, trials=2000, stop_early=True, claim="conditional-second-moment")
    assert plain.verdict == better.verdict == "verified"
    assert plain.claim is not None
    assert better.claim is not None
    assert 0 < plain.claim.probability < better.claim.probability < 1
    cover = estimate("cover", 24, 8, 0.1, where=1.0, trials=300, claim="two-halves", seed=1)
    assert cover.claim is not None
    assert cover.claim.text.startswith("two-halves: P(cover) >= ")
    assert cover.verdict == "verified"


def test_fixed_trials_ask_for_a_fresh_run() -> None:
    p = estimate(**HIT, trials=200).proportion
    result = estimate(**HIT, trials=200, claim=p.estimate - 0.01)
    assert result.verdict == "undecided"
    assert "A fresh run" in result.reason


def test_unknown_trials_widen_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.solve_batch

    class Partly:
        def __init__(self, statuses: np.ndarray[Any, Any]) -> None:
            self.statuses = statuses

    def limited(*args: Any, **kwargs: Any) -> Partly:
        statuses = real(*args, **kwargs).statuses.copy()
        statuses[:] = Status.LIMIT.value
        return Partly(statuses)

    monkeypatch.setattr(module, "solve_batch", limited)
    p = estimate(**HIT, trials=100).proportion
    assert (p.hits, p.undecided, p.low, p.high) == (0, 100, 0.0, 1.0)
    early = estimate(**HIT, trials=100, stop_early=True, claim=0.5)
    assert early.verdict == "undecided"
    assert early.proportion.undecided == 100


def test_summary_is_json() -> None:
    record = json.loads(json.dumps(estimate(**HIT, trials=70, claim=0.2).summary(), allow_nan=False))
    assert record["hits"] + record["misses"] + record["undecided_trials"] == record["trials"] == 70
    assert record["claim"]["name"] == "given"
    assert record["event"] == "hit"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "closest"}, "`event` must be one of 'hit', 'cover'; got 'closest'"),
        ({"eps": -1.0}, "`eps` must be a finite number > 0"),
        ({"k": 19}, r"`k` must be an integer in \[1, 18\]; got 19"),
        ({"where": "corner"}, "`target` must be one of 'edge', 'uniform'; got 'corner'"),
        ({"event": "cover", "where": "uniform"}, "`range` must be one of 'edge'; got 'uniform'"),
        ({"event": "cover", "where": 0.0}, "`range` must be a finite number > 0"),
        ({"stop_early": True}, "`stop_early` must come with a claim or a width; got neither"),
        ({"width": 0.1}, "`width` must come with stop_early; got 0.1 without"),
        ({"claim": "cox"}, "`claim` must be a lower guarantee or a number; 'cox' is a prediction"),
        ({"claim": "first-moment"}, "`claim` must be a lower guarantee or a number; 'first-moment' is a"),
        ({"claim": "two-halves"}, "`kind` must be one of"),
        (
            {"claim": "second-moment", "where": "uniform"},
            "`claim` 'second-moment' must come with a fixed target",
        ),
        ({"claim": 1.5}, "`claim` must be a finite number"),
        ({"selection": "some"}, "`selection` must be one of 'subset', 'one-per-block'; got 'some'"),
        ({"selection": "one-per-block"}, "`n` must be a multiple of k=5 to take one sample per block; got 18"),
        ({"trials": 0}, "`trials` must be an integer in"),
        ({"where": math.nan}, "`target` must be a finite number"),
    ],
)
def test_rejects(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        estimate(**{**HIT, "trials": 3, **change})
