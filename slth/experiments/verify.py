"""Verification of a subset sum bound: exact decisions on fresh samples, against the claimed probability.

Each trial draws n fresh samples and asks whether some subset of exactly k of them sums to within eps of
the target. The answer of a trial is a proof (a subset found, or none possible), never a guess; a trial
that could not be decided counts against whatever the verdict would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slth._typing import Progress
from slth._validate import as_fraction, as_integer, as_real, as_seed
from slth.experiments.claims import Claim, claim_for
from slth.experiments.estimate import count_trials
from slth.experiments.intervals import Proportion
from slth.experiments.trial import experiment
from slth.experiments.verdict import Verdict, judge
from slth.laws.law import Law


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
        return {
            "n": self.n,
            "k": self.k,
            "eps": self.eps,
            "law": self.law,
            "target": self.target,
            "edge": self.edge,
            "claim": None if self.claim is None else self.claim.summary(),
            **self.proportion.summary(),
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
    trial = experiment("hit", n, k, eps, law=law, where=target)
    trials = as_integer(trials, "trials", low=1, high=10**12)
    confidence = as_fraction(confidence, "confidence")
    seed = as_seed(seed)
    eps = as_real(eps, "eps")
    claim = claim_for(bound, trial.n, trial.k, eps, trial.law, trial.where)
    proportion = count_trials(trial, seed, trials, confidence, threads, progress=progress, stage="verify")
    verdict, reason, needed = judge(claim, proportion)
    return Verification(
        n=trial.n,
        k=trial.k,
        eps=eps,
        law=trial.law.name,
        target=trial.where,
        edge=trial.edge,
        claim=claim,
        proportion=proportion,
        verdict=verdict,
        reason=reason,
        trials_needed=needed,
        seed=seed,
    )
