"""Verification: trials against enumeration in rationals, the same for any threads, verdicts that can fail."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.experiments import trial as module
from slth.experiments.verify import verify
from slth.subset_sum.result import Status


def counted(n: int, k: int, eps: float, trials: int, seed: int, target: float | None, edge: float) -> int:
    """Hits by the documented random streams and by trying every subset in exact arithmetic."""
    hits = 0
    for block in range(-(-trials // 64)):

        def stream(purpose: int, block: int = block) -> np.random.Generator:
            return np.random.Generator(
                np.random.Philox(np.random.SeedSequence(seed, spawn_key=(block, purpose)))
            )

        samples = stream(0).uniform(-1.0, 1.0, (64, n))
        targets = edge * (2.0 * stream(1).random(64) - 1.0)
        for row in range(min(64, trials - 64 * block)):
            wanted = Fraction(target if target is not None else float(targets[row]))
            exact = [Fraction(x) for x in samples[row].tolist()]
            hits += any(
                abs(sum(chosen, -wanted)) <= Fraction(eps) for chosen in itertools.combinations(exact, k)
            )
    return hits


@pytest.mark.parametrize(
    ("n", "k", "eps", "target"),
    [(6, 2, 0.05, "edge"), (7, 3, 0.02, "uniform"), (5, 5, 0.3, 0.1), (4, 1, 0.1, -0.5)],
)
def test_hits_equal_enumeration(n: int, k: int, eps: float, target: float | str) -> None:
    result = verify(n, k, eps, trials=150, target=target, bound=None, seed=3)
    edge = math.sqrt(k)
    number = edge if target == "edge" else None if target == "uniform" else float(target)
    assert result.proportion.hits == counted(n, k, eps, 150, 3, number, edge)
    assert 0 < result.proportion.hits < 150
    assert result.proportion.undecided == 0
    assert result.verdict is None


def test_same_for_any_threads_and_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments: dict[str, Any] = {"n": 18, "k": 6, "eps": 1e-4, "trials": 700, "seed": 5}
    one = verify(**arguments, threads=1)
    three = verify(**arguments, threads=3)
    monkeypatch.setattr(module, "SLICE", 1e-9)  # one trial at a time
    slow = verify(**{**arguments, "trials": 90})
    assert one == three
    assert 0 < one.proportion.hits < 700
    monkeypatch.undo()
    assert slow == verify(**{**arguments, "trials": 90})


def test_more_trials_extend_the_same_stream() -> None:
    hits = [verify(12, 4, 0.01, trials=t, bound=None, seed=8).proportion.hits for t in (64, 100, 164)]
    assert hits[0] <= hits[1] <= hits[2]
    assert hits[2] < hits[0] + 100


def test_verdicts() -> None:
    verified = verify(20, 5, 1e-4, trials=400, seed=1)
    assert verified.verdict == "verified"
    assert verified.trials_needed is None
    refuted = verify(20, 5, 1e-4, trials=400, bound=0.6, seed=1)
    assert refuted.verdict == "refuted"
    assert "below the claimed 0.6" in refuted.reason
    close = verify(20, 5, 1e-4, trials=400, bound=verified.proportion.estimate - 0.01, seed=1)
    assert close.verdict == "undecided"
    assert close.trials_needed is not None
    assert close.trials_needed > 400
    assert f"about {close.trials_needed} trials" in close.reason
    second = verify(30, 6, 2e-4, trials=400, bound="second-moment", seed=1)
    assert second.verdict == "verified"


def test_a_bound_that_does_not_apply_is_never_verified() -> None:
    result = verify(20, 5, 1e-9, trials=50, seed=1)
    assert result.verdict == "undecided"
    assert result.reason.startswith("Theorem 2 does not apply here; it fails that n H2(k/n)")
    assert result.reason.endswith("There is nothing to verify.")


def test_undecided_trials_count_against_every_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.solve_batch

    class Partly:
        def __init__(self, statuses: np.ndarray[Any, Any]) -> None:
            self.statuses = statuses

    def limited(*args: Any, **kwargs: Any) -> Partly:
        statuses = real(*args, **kwargs).statuses.copy()
        statuses[::2] = Status.LIMIT.value
        return Partly(statuses)

    full = verify(20, 5, 1e-2, trials=200, bound=0.6, seed=1)
    assert full.verdict == "verified"
    monkeypatch.setattr(module, "solve_batch", limited)
    monkeypatch.setattr(module, "SLICE", 100.0)
    half = verify(20, 5, 1e-2, trials=200, bound=0.6, seed=1)
    assert half.verdict == "undecided"
    assert half.proportion.undecided > 0
    assert "could not be decided" in half.reason


def test_summary_is_json_and_progress_ends() -> None:
    seen: list[tuple[str, int, int]] = []
    result = verify(10, 3, 0.01, trials=100, seed=2, progress=lambda *step: seen.append(step))
    assert seen[-1] == ("verify", 100, 100)
    record = json.loads(json.dumps(result.summary(), allow_nan=False))
    assert record["hits"] + record["misses"] + record["undecided_trials"] == record["trials"] == 100
    assert record["claim"]["name"] == "theorem-2"
    assert record["false_alarm"] == pytest.approx(0.025)


def test_seed_is_drawn_when_absent() -> None:
    first, second = (verify(6, 2, 0.1, trials=3, bound=None) for _ in range(2))
    assert first.seed != second.seed
    assert first == verify(6, 2, 0.1, trials=3, bound=None, seed=first.seed)


@pytest.mark.parametrize("law", ["uniform", "normal", "product"])
def test_laws(law: str) -> None:
    result = verify(12, 4, 0.05, trials=64, law=law, bound=None, seed=1)
    assert result.law == law
    assert result.edge == (1.0 if law == "product" else 2.0)
    assert result.proportion.hits > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, "`n` must be an integer >= 1; got 0"),
        ({"k": 7}, r"`k` must be an integer in \[1, 6\]; got 7"),
        ({"k": 0}, r"`k` must be an integer in \[1, 6\]; got 0"),
        ({"eps": 0.0}, "`eps` must be a finite number > 0.0; got 0.0"),
        ({"eps": math.nan}, "`eps` must be a finite number"),
        ({"trials": 0}, "`trials` must be an integer in"),
        ({"law": "cauchy"}, "`law` must be one of 'uniform', 'normal', 'product'; got 'cauchy'"),
        ({"target": "corner"}, "`target` must be one of 'edge', 'uniform'; got 'corner'"),
        ({"target": math.inf}, "`target` must be a finite number"),
        ({"seed": -1}, "`seed` must be an integer in"),
        ({"confidence": 0.0}, "`confidence` must be a finite number"),
        ({"threads": 0}, "`threads` must be"),
    ],
)
def test_rejects(change: dict[str, Any], message: str) -> None:
    arguments = {"n": 6, "k": 2, "eps": 0.1, "trials": 3, "bound": None, **change}
    with pytest.raises(InvalidInput, match=message):
        verify(**arguments)
