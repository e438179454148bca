"""Estimates of the probability of a hit or a cover: counted proofs, exact intervals, a verdict on a claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from slth._typing import IntArray, Progress
from slth._validate import as_choice, as_fraction, as_integer, as_real, as_seed
from slth.errors import InvalidInput
from slth.experiments.claims import Claim
from slth.experiments.intervals import Proportion, clopper_pearson
from slth.experiments.sequence import confidence_sequence
from slth.experiments.trial import CHUNK, UNKNOWN, YES, Experiment, experiment, outcomes
from slth.experiments.verdict import Verdict, judge
from slth.laws.law import Law
from slth.theory.catalogue import predictor

Enough = Callable[[Proportion], bool]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A counted probability with its interval, and what it says about a claim.

    Attributes
    ----------
    experiment : Experiment
        What was tried.
    proportion : Proportion
        Events among the trials; the interval is exact for fixed trials, or valid at every stop.
    claim : Claim or None
        P(event) >= claim.probability, if that was put to the test.
    verdict : {"verified", "refuted", "undecided"} or None
        verified: the interval lies at or above the claim; refuted: below it.
    reason : str
        One sentence in words.
    trials_needed : int or None
        Undecided: the trials, in all, after which a verdict is probable.
    seed : int
        Repeats the run exactly, for any number of threads.
    """

    experiment: Experiment
    proportion: Proportion
    claim: Claim | None
    verdict: Verdict
    reason: str
    trials_needed: int | None
    seed: int

    def summary(self) -> dict[str, Any]:
        """Everything as JSON-ready values."""
        trial = self.experiment
        return {
            "event": trial.event,
            "n": trial.n,
            "k": trial.k,
            "eps": trial.eps,
            "law": trial.law.name,
            "where": trial.where,
            "selection": trial.selection,
            "claim": None if self.claim is None else self.claim.summary(),
            **self.proportion.summary(),
            "stopped_early": self.proportion.always,
            "verdict": self.verdict,
            "reason": self.reason,
            "trials_needed": self.trials_needed,
            "seed": self.seed,
        }


def estimate(
    event: str,
    n: int,
    k: int,
    eps: float,
    *,
    law: str | Law = "uniform",
    where: float | str = "edge",
    selection: str = "subset",
    trials: int = 1000,
    stop_early: bool = False,
    width: float | None = None,
    claim: float | str | None = None,
    confidence: float = 0.95,
    seed: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """Estimate the probability that k of n random samples hit a target, or cover a range, within eps.

    Parameters
    ----------
    event : {"hit", "cover"}
        hit: some sum of exactly k samples is within eps of `where`. cover: for every point of
        [-where, where] one is.
    n, k : int
        Sample size and subset size, 1 <= k <= n.
    eps : float
        Tolerance > 0.
    law : str or Law
        "uniform" on [-1, 1], "normal", "product", or a law of one's own.
    where : float or {"edge", "uniform"}
        "edge" is sqrt(k) (sqrt(k)/2 for the product law); "uniform", for hits, draws a target from
        [-edge, edge] in each trial.
    selection : {"subset", "one-per-block"}
        Any k samples, or one from each of k consecutive blocks of n/k samples.
    trials : int
        Number of trials, or the most of them with `stop_early`.
    stop_early : bool
        Stop as soon as the claim is decided or the interval is no wider than `width`.
    width : float, optional
        In (0, 1); with `stop_early`.
    claim : float or str, optional
        Put P(event) >= claim to the test: a number in [0, 1], or the name of a guarantee in
        `slth.theory.catalogue`, such as "conditional-second-moment" or "two-halves".
    confidence : float
        Of the interval.
    seed : int, optional
        0 <= seed < 2**128. Default: drawn from the system and reported.
    threads : int, optional
        Default: all cores. Does not change any result.
    progress : callable, optional
        Called as progress("estimate", trials done, trials).

    Returns
    -------
    Estimate

    Raises
    ------
    InvalidInput
        If an argument is outside its range.
    CapacityExceeded
        If a trial needs more memory than there is.

    Notes
    -----
    Only proofs count: a trial that could not be decided widens the interval both ways. At a fixed number of
    trials the interval is Clopper and Pearson's; with `stop_early` it is that of a confidence sequence
    (`slth.experiments.sequence`), looked at after every 64 trials, so that the stop, too, is the same for any
    number of threads. Random streams are those of `slth.verify`.

    Examples
    --------
    >>> result = estimate("hit", 16, 4, 0.02, trials=2000, stop_early=True, claim=0.5, seed=1)
    >>> result.verdict, result.proportion.trials
    ('verified', 64)
    """
    as_choice(event, "event", ("hit", "cover"))
    trial = experiment(event, n, k, eps, law=law, where=where, selection=selection)
    trials = as_integer(trials, "trials", low=1, high=10**12)
    confidence = as_fraction(confidence, "confidence")
    seed = as_seed(seed)
    claimed = _claim(claim, trial)
    if width is not None:
        width = as_fraction(width, "width")
    if stop_early and width is None and claimed is None:
        raise InvalidInput("`stop_early` must come with a claim or a width; got neither. Give one of them.")
    if width is not None and not stop_early:
        raise InvalidInput(f"`width` must come with stop_early; got {width} without. Set stop_early=True.")

    def enough(p: Proportion) -> bool:
        decided = claimed is not None and (p.low >= claimed.probability or p.high < claimed.probability)
        return decided or (width is not None and p.high - p.low <= width)

    proportion = count_trials(
        trial, seed, trials, confidence, threads, enough=enough if stop_early else None, progress=progress
    )
    verdict, reason, needed = judge(claimed, proportion)
    return Estimate(trial, proportion, claimed, verdict, reason, needed, seed)


def count_trials(
    trial: Experiment,
    seed: int,
    trials: int,
    confidence: float,
    threads: int | None = None,
    *,
    enough: Enough | None = None,
    progress: Progress | None = None,
    stage: str = "estimate",
) -> Proportion:
    """Do the trials of a hit or a cover and count.

    Parameters
    ----------
    trial : Experiment
        With `counts`.
    seed, trials, confidence, threads
        As in `estimate`, checked.
    enough : callable, optional
        Asked after every CHUNK trials whether the confidence sequence says enough; without it, all trials are
        done and the interval is Clopper and Pearson's.
    progress : callable, optional
    stage : str
        First argument of `progress`.
    """
    hits = unknown = done = 0
    looks = 0
    pending: list[IntArray] = []
    for answers in outcomes(trial, seed, trials, threads):
        done += len(answers)
        if progress is not None:
            progress(stage, done, trials)
        if enough is None:
            hits += int((answers == YES).sum())
            unknown += int((answers == UNKNOWN).sum())
            continue
        # slices end where the clock says; looks are taken where the trials say
        pending.append(answers)
        held = np.concatenate(pending)
        while len(held) >= CHUNK or (done == trials and len(held)):
            chunk, held = held[:CHUNK], held[CHUNK:]
            looks += len(chunk)
            hits += int((chunk == YES).sum())
            unknown += int((chunk == UNKNOWN).sum())
            p = confidence_sequence(hits, looks, undecided=unknown, confidence=confidence)
            if enough(p) or looks == trials:
                return p
        pending = [held]
    return clopper_pearson(hits, trials, undecided=unknown, confidence=confidence)


def _claim(claim: Any, trial: Experiment) -> Claim | None:
    if claim is None:
        return None
    if not isinstance(claim, str):
        return Claim(
            "given", "Given probability", as_real(claim, "claim", low=0.0, high=1.0), event=trial.event
        )
    way = predictor(claim, trial.event)
    if (way.kind, way.side) != ("guarantee", "lower"):
        raise InvalidInput(f"`claim` must be a lower guarantee or a number; {claim!r} is a {way.kind}.")
    if isinstance(trial.where, str) or trial.selection != "subset" or trial.eps is None:
        raise InvalidInput(
            f"`claim` {claim!r} must come with a fixed target and any k samples; got other trials."
        )
    probability = way.evaluate(trial.n, trial.k, trial.eps, trial.where, trial.law).probability
    return Claim(way.name, way.name, probability, source=way.source, event=trial.event)
