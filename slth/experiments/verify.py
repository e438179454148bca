"""Verification of a subset sum bound: exact decisions on fresh samples, against the claimed probability.

Each trial draws n fresh samples and asks whether some subset of exactly k of them sums to within eps of
the target. The answer of a trial is a proof (a subset found, or none possible), never a guess; a trial
that could not be decided counts against whatever the verdict would be.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from slth._typing import FloatArray
from slth._validate import as_choice, as_integer, as_real
from slth.experiments.claims import Claim, claim_for
from slth.experiments.intervals import Proportion, clopper_pearson, trials_needed
from slth.laws.law import Law
from slth.laws.named import law_by_name
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.result import Status

Verdict = Literal["verified", "refuted", "undecided"] | None
Progress = Callable[[str, int, int], None]

# Trials that share one random stream. Part of the meaning of a seed: changing it changes every result.
BLOCK = 64
# Seconds of work handed to the solver at a time: bounds the wait after Ctrl-C and paces the progress bar.
SLICE = 0.25


@dataclass(frozen=True, slots=True)
class Verification:
    """What was claimed, what was counted, and what follows.

    Attributes
    ----------
    n, k, eps : int, int, float
        Sample size, subset size, tolerance: a hit is a subset of exactly k with error <= eps.
    law : str
        Name of the samples' law.
    target : float or str
        The number to hit, or "uniform" when each trial drew its own from [-edge, edge].
    edge : float
        End of the range of targets: sqrt(k), or sqrt(k)/2 for the live product law.
    claim : Claim or None
        The bound, its claimed probability and its hypotheses; None when nothing was claimed.
    proportion : Proportion
        Hits among the trials with the exact interval.
    verdict : {"verified", "refuted", "undecided"} or None
        verified: the interval lies at or above the claim; refuted: below it. Each is wrong with
        probability at most (1 - confidence)/2. None when nothing was claimed.
    reason : str
        One sentence in words.
    trials_needed : int or None
        For an undecided verdict, the size of a fresh run that would probably settle it.
    seed : int
        Repeats the run exactly, for any number of threads.
    """

    n: int
    k: int
    eps: float
    law: str
    target: float | str
    edge: float
    claim: Claim | None
    proportion: Proportion
    verdict: Verdict
    reason: str
    trials_needed: int | None
    seed: int

    def summary(self) -> dict[str, Any]:
        """Everything as JSON-ready values."""
        p = self.proportion
        return {
            "n": self.n,
            "k": self.k,
            "eps": self.eps,
            "law": self.law,
            "target": self.target,
            "edge": self.edge,
            "claim": None if self.claim is None else self.claim.summary(),
            "trials": p.trials,
            "hits": p.hits,
            "misses": p.trials - p.hits - p.undecided,
            "undecided_trials": p.undecided,
            "estimate": p.estimate,
            "low": p.low,
            "high": p.high,
            "confidence": p.confidence,
            "false_alarm": p.false_alarm,
            "verdict": self.verdict,
            "reason": self.reason,
            "trials_needed": self.trials_needed,
            "seed": self.seed,
        }


def verify(
    n: int,
    k: int,
    eps: float,
    *,
    trials: int,
    law: str | Law = "uniform",
    target: float | str = "edge",
    bound: float | str | None = "theorem-2",
    confidence: float = 0.95,
    seed: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Test a bound on the probability that some k of n random samples sum to within eps of a target.

    Parameters
    ----------
    n, k : int
        Sample size and subset size, 1 <= k <= n.
    eps : float
        Tolerance > 0; a trial is a hit when the best error is <= eps.
    trials : int
        Number of independent trials, >= 1, fixed in advance.
    law : str or Law
        Law of the samples: "uniform" on [-1, 1], "normal", "product".
    target : float or {"edge", "uniform"}
        "edge" is sqrt(k), the end of the range that Theorem 2 speaks of (sqrt(k)/2 for the product law);
        "uniform" draws a target from [-edge, edge] in each trial.
    bound : {"theorem-2", "second-moment"}, float or None
        What is claimed: a named bound, a probability in [0, 1], or nothing (estimate only).
    confidence : float
        Of the two-sided exact interval.
    seed : int, optional
        0 <= seed < 2**128. Default: drawn from the system and reported.
    threads : int, optional
        Default: all cores. Does not change any result.
    progress : callable, optional
        Called as progress("verify", trials done, trials).

    Returns
    -------
    Verification

    Raises
    ------
    InvalidInput
        If an argument is outside its range.
    CapacityExceeded
        If a trial needs more memory than there is.

    Notes
    -----
    The interval is Clopper-Pearson's for the number of trials given: to settle an undecided verdict, run
    again with another seed and more trials rather than extending this run. Trial t uses row t mod 64 of
    the block of samples drawn from ``Philox(SeedSequence(seed, spawn_key=(t // 64, 0)))``; random targets
    come from spawn key (t // 64, 1). Time: `trials` times one exact subset sum decision; memory: a slice
    of trials at a time.

    Examples
    --------
    >>> verify(16, 4, 0.02, trials=200, bound=0.5, seed=1).verdict
    'verified'
    """
    n = as_integer(n, "n", low=1)
    k = as_integer(k, "k", low=1, high=n)
    eps = as_real(eps, "eps", low=0.0, open_low=True)
    trials = as_integer(trials, "trials", low=1, high=10**12)
    confidence = as_real(confidence, "confidence", low=0.0, high=1.0, open_low=True, open_high=True)
    seed = secrets.randbits(64) if seed is None else as_integer(seed, "seed", low=0, high=2**128 - 1)
    law = law_by_name(law) if isinstance(law, str) else law
    edge = math.sqrt(k) / (2.0 if law.name == "product" else 1.0)
    where = _target(target, edge)
    claim = claim_for(bound, n, k, eps, law, where)

    hits = unknown = done = 0
    for states in _decide(n, k, eps, trials, law, where, edge, seed, threads):
        hits += int(np.count_nonzero(states == Status.FOUND.value))
        unknown += int(
            np.count_nonzero((states != Status.FOUND.value) & (states != Status.ABSENT_PROVED.value))
        )
        done += states.size
        if progress is not None:
            progress("verify", done, trials)
    proportion = clopper_pearson(hits, trials, undecided=unknown, confidence=confidence)
    verdict, reason, needed = _judge(claim, proportion)
    return Verification(
        n=n,
        k=k,
        eps=eps,
        law=law.name,
        target=where,
        edge=edge,
        claim=claim,
        proportion=proportion,
        verdict=verdict,
        reason=reason,
        trials_needed=needed,
        seed=seed,
    )


def _target(target: float | str, edge: float) -> float | str:
    if isinstance(target, str):
        as_choice(target, "target", ("edge", "uniform"))
        return edge if target == "edge" else target
    return as_real(target, "target")


def _draw(
    block: int, n: int, law: Law, where: float | str, edge: float, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Samples (BLOCK, n) and targets (BLOCK,) of one block of trials."""

    def stream(purpose: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(block, purpose))))

    samples = law.sample(stream(0), (BLOCK, n))
    if isinstance(where, str):
        targets = edge * (2.0 * stream(1).random(BLOCK) - 1.0)
    else:
        targets = np.full(BLOCK, where)
    return samples, targets


def _decide(
    n: int,
    k: int,
    eps: float,
    trials: int,
    law: Law,
    where: float | str,
    edge: float,
    seed: int,
    threads: int | None,
) -> Iterator[Any]:
    """Status codes of all trials in order, a slice at a time; the slicing changes no answer."""
    rows = 1  # grows to what one slice of time allows
    most = max(BLOCK, (1 << 22) // n)
    start = 0
    while start < trials:
        stop = min(trials, start + rows)
        blocks = [_draw(block, n, law, where, edge, seed) for block in range(start // BLOCK, -(-stop // BLOCK))]
        first = start - start // BLOCK * BLOCK
        samples = np.concatenate([s for s, _ in blocks])[first : first + stop - start]
        targets = np.concatenate([t for _, t in blocks])[first : first + stop - start]
        began = time.perf_counter()
        result = solve_batch(samples, targets, k=k, eps=eps, threads=threads)
        spent = time.perf_counter() - began
        yield result.statuses
        start = stop
        rows = int(min(most, 4 * rows, max(1.0, rows * SLICE / max(spent, 1e-6))))


def _judge(claim: Claim | None, p: Proportion) -> tuple[Verdict, str, int | None]:
    """Verdict, its reason in words, and the trials a fresh run would need to settle an undecided one."""
    if claim is None:
        return None, "Nothing was claimed: this is an estimate.", None
    if not claim.applies:
        return "undecided", f"{claim.text}. There is nothing to verify.", None
    if p.low >= claim.probability:
        return "verified", f"The interval lies at or above the claimed {claim.probability:.4g}.", None
    if p.high < claim.probability:
        return "refuted", f"The interval lies below the claimed {claim.probability:.4g}.", None
    needed = trials_needed(p.estimate, claim.probability, confidence=p.confidence)
    if needed is None:
        return (
            "undecided",
            f"The estimate equals the claimed {claim.probability:.4g} too closely to plan a run.",
            None,
        )
    text = f"The interval contains the claimed {claim.probability:.4g}. "
    if p.undecided:
        text += f"{p.undecided} trial(s) could not be decided. "
    return (
        "undecided",
        text + f"A fresh run (another seed) of about {needed} trials would probably settle it.",
        needed,
    )
