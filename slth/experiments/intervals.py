"""Exact confidence intervals for a proportion, and what a wrong verdict drawn from one can cost.

`low` and `high` are Clopper-Pearson limits: for a number of trials fixed in advance, the probability that
`low` exceeds the true proportion is at most (1 - confidence)/2, whatever that proportion is, and likewise
for `high` lying below it. A verdict that uses one side only is therefore wrong with probability at most
(1 - confidence)/2, 2.5 % at the usual 95 %. The promise is lost by looking at the interval, adding trials
and looking again until it says what one hoped for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slth._validate import as_fraction, as_integer, as_real
from slth.experiments.rounding import lower, upper

Limit = Callable[[float, float, float], float]
_MOST_TRIALS = 10**12  # further ahead nothing is planned


@dataclass(frozen=True, slots=True)
class Proportion:
    """A counted proportion with its exact interval.

    Attributes
    ----------
    hits, trials : int
        0 <= hits <= trials.
    undecided : int
        Trials whose outcome is not known; `low` takes them all for misses and `high` for hits.
    low, high : float
        Clopper-Pearson limits or those of a confidence sequence, 0 <= low <= high <= 1.
    confidence : float
        In (0, 1), two-sided.
    always : bool
        Whether the interval belongs to a confidence sequence and so holds however the trials were stopped.

    Examples
    --------
    >>> print(clopper_pearson(8, 10))
    8/10 0.8 [0.4439, 0.9748] 95 % exact
    """

    hits: int
    trials: int
    undecided: int
    low: float
    high: float
    confidence: float
    always: bool = False

    @property
    def estimate(self) -> float:
        """hits / trials."""
        return self.hits / self.trials

    @property
    def false_alarm(self) -> float:
        """Largest probability that a verdict read off one side of the interval is wrong."""
        return 1.0 - self.confidence if self.always else (1.0 - self.confidence) / 2.0

    def summary(self) -> dict[str, Any]:
        """Everything as JSON-ready values."""
        return {
            "trials": self.trials,
            "hits": self.hits,
            "misses": self.trials - self.hits - self.undecided,
            "undecided_trials": self.undecided,
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "false_alarm": self.false_alarm,
        }

    def __str__(self) -> str:
        unknown = f" ({self.undecided} undecided)" if self.undecided else ""
        return (
            f"{self.hits}/{self.trials}{unknown} {self.estimate:.4g} [{lower(self.low)}, {upper(self.high)}] "
            f"{100 * self.confidence:g} % {'at every stop' if self.always else 'exact'}"
        )


def clopper_pearson(hits: int, trials: int, *, undecided: int = 0, confidence: float = 0.95) -> Proportion:
    """Exact two-sided interval for a binomial proportion.

    Parameters
    ----------
    hits : int
        Successes, 0 <= hits <= trials - undecided.
    trials : int
        Number of independent trials, fixed before looking; >= 1.
    undecided : int
        Trials of unknown outcome, counted as misses in the lower limit and as hits in the upper one.
    confidence : float
        In (0, 1). Each side errs with probability at most (1 - confidence)/2.

    Returns
    -------
    Proportion

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Notes
    -----
    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934). The limits are quantiles of beta laws: low = Beta(h, t-h+1) at
    (1 - confidence)/2, high = Beta(h+1, t-h) at (1 + confidence)/2, with low(0) = 0 and high(t) = 1.

    Examples
    --------
    >>> p = clopper_pearson(0, 100)
    >>> p.low, round(p.high, 4)
    (0.0, 0.0362)
    """
    trials = as_integer(trials, "trials", low=1)
    undecided = as_integer(undecided, "undecided", low=0, high=trials)
    hits = as_integer(hits, "hits", low=0, high=trials - undecided)
    confidence = as_fraction(confidence, "confidence")
    most = hits + undecided
    return Proportion(
        hits=hits,
        trials=trials,
        undecided=undecided,
        low=low_limit(hits, trials, confidence),
        high=high_limit(most, trials, confidence),
        confidence=confidence,
    )


def low_limit(hits: float, trials: float, confidence: float) -> float:
    """Lower Clopper-Pearson limit; real arguments are allowed, for planning."""
    # scipy.special rather than scipy.stats.beta.ppf, which is this function plus a second of imports
    from scipy.special import betaincinv

    if hits <= 0:
        return 0.0
    return float(betaincinv(hits, trials - hits + 1.0, (1.0 - confidence) / 2.0))


def high_limit(hits: float, trials: float, confidence: float) -> float:
    """Upper Clopper-Pearson limit; real arguments are allowed, for planning."""
    from scipy.special import betainccinv

    if hits >= trials:
        return 1.0
    return float(betainccinv(hits + 1.0, trials - hits, (1.0 - confidence) / 2.0))


def trials_needed(
    estimate: float,
    claimed: float,
    *,
    confidence: float = 0.95,
    low: Limit = low_limit,
    high: Limit = high_limit,
) -> int | None:
    """Number of trials after which the interval would exclude `claimed`, were `estimate` the truth.

    Parameters
    ----------
    estimate : float
        Supposed true proportion, in [0, 1].
    claimed : float
        The probability to be told apart from it, in [0, 1].
    confidence : float
        Of the two-sided interval.
    low, high : callable
        Limits as functions of (hits, trials, confidence). Default: Clopper and Pearson's.

    Returns
    -------
    int or None
        None if more than 10^12 trials would be needed (in particular if the two are equal).

    Notes
    -----
    A plan, not a promise: it supposes that exactly the proportion `estimate` comes out.

    Examples
    --------
    >>> trials_needed(0.55, 0.5)
    404
    >>> trials_needed(0.5, 0.5) is None
    True
    """
    estimate = as_real(estimate, "estimate", low=0.0, high=1.0)
    claimed = as_real(claimed, "claimed", low=0.0, high=1.0)

    def separated(trials: int) -> bool:
        if estimate >= claimed:
            return low(estimate * trials, trials, confidence) >= claimed
        return high(estimate * trials, trials, confidence) < claimed

    if estimate == claimed and claimed > 0.0:
        return None
    above = 1
    while not separated(above):
        above *= 2
        if above > _MOST_TRIALS:
            return None
    below = above // 2
    while above - below > 1:
        middle = (above + below) // 2
        above, below = (middle, below) if separated(middle) else (above, middle)
    return above
