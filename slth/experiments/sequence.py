"""Confidence sequences: intervals for a proportion that hold at every number of trials at once.

One may look after every trial, stop when satisfied, and go on later; the interval of that moment still errs
with probability at most 1 - confidence. The price is about 1.5 times the width of a Clopper-Pearson interval,
whose promise looking repeatedly breaks.
"""

from __future__ import annotations

import math

from slth._validate import as_fraction, as_integer
from slth.experiments.intervals import Proportion

# Jeffreys' prior Beta(1/2, 1/2): as wide near 0 and 1 as in the middle
_A = 0.5


def confidence_sequence(hits: int, trials: int, *, undecided: int = 0, confidence: float = 0.95) -> Proportion:
    r"""The interval of a beta-binomial mixture after so many trials.

    Parameters
    ----------
    hits : int
        Successes, 0 <= hits <= trials - undecided.
    trials : int
        Trials so far, >= 1, however it was decided to stop here.
    undecided : int
        Trials of unknown outcome, counted as misses in the lower limit and as hits in the upper one.
    confidence : float
        In (0, 1): with probability at least this the true proportion lies in the intervals of all numbers of
        trials.

    Returns
    -------
    Proportion
        With `always` set.

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Notes
    -----
    After t trials with h hits let

        M_t(p) = int_0^1 q^h (1-q)^(t-h) w(q) dq / (p^h (1-p)^(t-h)),    w the density of Beta(1/2, 1/2)
               = B(h + 1/2, t - h + 1/2) / B(1/2, 1/2) / (p^h (1-p)^(t-h)).

    Under the true p each factor q^x (1-q)^(1-x) / (p^x (1-p)^(1-x)) of one trial x has mean 1 whatever q is,
    so M_t(p) is a nonnegative martingale with M_0 = 1. Ville's inequality: P(M_t(p) >= 1/alpha for some t)
    <= alpha. The set {p : M_t(p) < 1/alpha}, alpha = 1 - confidence, therefore contains the true p at all
    times with probability at least 1 - alpha. As h ln p + (t-h) ln(1-p) is concave in p it is an interval,
    whose ends both grow with h; that is why unknown outcomes may be set to misses for one end and to hits
    for the other. Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math.
    Stat. 41 (1970). Ends are found by bisection and rounded outward.

    Examples
    --------
    >>> print(confidence_sequence(80, 100))
    80/100 0.8 [0.6483, 0.909] 95 % at every stop
    """
    trials = as_integer(trials, "trials", low=1)
    undecided = as_integer(undecided, "undecided", low=0, high=trials)
    hits = as_integer(hits, "hits", low=0, high=trials - undecided)
    confidence = as_fraction(confidence, "confidence")
    return Proportion(
        hits=hits,
        trials=trials,
        undecided=undecided,
        low=sequence_low(hits, trials, confidence),
        high=sequence_high(hits + undecided, trials, confidence),
        confidence=confidence,
        always=True,
    )


def sequence_low(hits: float, trials: float, confidence: float) -> float:
    """Lower end of the interval; real arguments are allowed, for planning."""
    return 1.0 - sequence_high(trials - hits, trials, confidence)


def sequence_high(hits: float, trials: float, confidence: float) -> float:
    """Upper end of the interval; real arguments are allowed, for planning."""
    from scipy.special import betaln

    misses = trials - hits
    if misses <= 0:
        return 1.0
    level = float(betaln(hits + _A, misses + _A) - betaln(_A, _A)) + math.log1p(-confidence)
    level -= 1e-13 * (abs(level) + 1.0)  # the rounding of betaln, outward

    def inside(p: float) -> bool:
        return (hits * math.log(p) if hits else 0.0) + misses * math.log1p(-p) > level

    low, high = hits / trials, 1.0  # the likeliest p is inside, 1 is not
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return high
        if inside(middle):
            low = middle
        else:
            high = middle
