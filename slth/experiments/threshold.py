"""Thresholds: the least n with P(event) >= p, bracketed by exact intervals at each n and by nothing else.

No curve is fitted: on a sharp threshold a fit separates perfectly and its standard error means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from slth._typing import Progress
from slth._validate import as_choice, as_fraction, as_integer, as_seed
from slth.errors import InvalidInput
from slth.experiments.estimate import count_trials
from slth.experiments.export import Row
from slth.experiments.intervals import Proportion, clopper_pearson, trials_needed
from slth.experiments.sequence import sequence_high, sequence_low
from slth.experiments.trial import experiment
from slth.laws.law import Law
from slth.laws.named import as_law
from slth.theory.sizes import n_cover, n_hit

Side = Literal["below", "reached", "undecided"]
MOST_N = 10**6
_LOOKS = 30  # more than a search takes, as a rule


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was counted at one n.

    Attributes
    ----------
    n, k : int
    proportion : Proportion
    side : {"below", "reached", "undecided"}
        below: P(event) < p, the interval lies below p; reached: it lies at or above p.
    """

    n: int
    k: int
    proportion: Proportion
    side: Side


@dataclass(frozen=True, slots=True)
class Bracket:
    """Where the least n with P(event) >= probability lies.

    Attributes
    ----------
    probability : float
        p.
    low : int
        Least n that is not excluded: one more than the largest n shown to be below (or the least possible n).
    high : int or None
        Least n shown to reach p; None if none was.
    evidence : tuple of Evidence
        Ascending in n.
    confidence : float
        Of the whole bracket, all looks together.
    monotone : bool
        Whether P(event) is known to increase with n: at fixed k it does, since further samples take no subset
        away. At fixed k/n that is supposed for `low`; `high` needs nothing.
    """

    probability: float
    low: int
    high: int | None
    evidence: tuple[Evidence, ...]
    confidence: float
    monotone: bool

    def __str__(self) -> str:
        end = "unknown" if self.high is None else str(self.high)
        return f"[{self.low}, {end}] {100 * self.confidence:g} %"

    def summary(self) -> dict[str, Any]:
        """Everything as JSON-ready values."""
        return {
            "probability": self.probability,
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "monotone": self.monotone,
            "evidence": [
                {
                    "n": e.n,
                    "k": e.k,
                    "hits": e.proportion.hits,
                    "trials": e.proportion.trials,
                    "undecided": e.proportion.undecided,
                    "low": e.proportion.low,
                    "high": e.proportion.high,
                    "side": e.side,
                }
                for e in self.evidence
            ],
        }


def side_of(p: Proportion, probability: float) -> Side:
    """On which side of `probability` the interval lies."""
    return "reached" if p.low >= probability else "below" if p.high < probability else "undecided"


def bracket(
    evidence: Iterable[Evidence], probability: float, *, confidence: float, monotone: bool, least: int
) -> Bracket:
    """Read the bracket off the evidence.

    Parameters
    ----------
    evidence : iterable of Evidence
        At least one.
    probability, confidence, monotone
        As in `Bracket`.
    least : int
        The least n there is.
    """
    ordered = tuple(sorted(evidence, key=lambda e: e.n))
    high = next((e.n for e in ordered if e.side == "reached"), None)
    below = [e.n for e in ordered if e.side == "below" and (high is None or e.n < high)]
    return Bracket(probability, max(below) + 1 if below else least, high, ordered, confidence, monotone)


def bracket_rows(rows: Iterable[Row], probability: float, *, confidence: float = 0.95) -> Bracket:
    """The bracket that rows of a sweep's table give: one event, law and tolerance, several n.

    Parameters
    ----------
    rows : iterable of Row
        One row for each n, of any confidence: intervals are computed anew, each at
        1 - (1 - confidence)/(number of rows), so that all hold together.
    probability : float
        p in (0, 1).
    confidence : float
        Of the bracket.

    Raises
    ------
    InvalidInput
        If there is no row, or two with one n.
    """
    ordered = sorted(rows, key=lambda row: row.n)
    if not ordered or len({row.n for row in ordered}) < len(ordered):
        raise InvalidInput(f"`rows` must be one row for each n; got n = {[row.n for row in ordered]}.")
    each = 1.0 - (1.0 - confidence) / len(ordered)
    evidence = []
    for row in ordered:
        p = clopper_pearson(row.hits, row.trials, undecided=row.undecided, confidence=each)
        evidence.append(Evidence(row.n, row.k, p, side_of(p, probability)))
    monotone = len({row.k for row in ordered}) == 1
    return bracket(evidence, probability, confidence=confidence, monotone=monotone, least=ordered[0].k)


def threshold(
    event: str,
    eps: float,
    *,
    k: int | None = None,
    density: float | None = None,
    probability: float = 0.5,
    law: str | Law = "uniform",
    where: float | str = "edge",
    trials: int = 2000,
    confidence: float = 0.95,
    start: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Bracket:
    """Bracket the least n at which P(event) reaches `probability`.

    Parameters
    ----------
    event : {"hit", "cover"}
        As in `slth.estimate`.
    eps : float
        Tolerance > 0.
    k : int, optional
        Fixed subset size. Exactly one of `k` and `density` is given.
    density : float, optional
        Fixed k/n in (0, 1): k = max(1, round(density n)).
    probability : float
        p in (0, 1): 0.5 for n50, 0.99 for n99, 1 - eps for covering as networks need it.
    law : str or Law
    where : float or {"edge", "uniform"}
        As in `slth.estimate`.
    trials : int
        Most trials at one n; a decision stops earlier.
    confidence : float
        That the bracket is right.
    start : int, optional
        First n to look at. Default: the prediction of theory, which decides where to look and nothing else.
    seed : int, optional
        Default: drawn from the system.
    threads : int, optional
        Default: all cores. Changes no result.
    progress : callable, optional
        Called as progress("n=...", trials done, trials).

    Returns
    -------
    Bracket

    Raises
    ------
    InvalidInput
        If an argument is outside its range.
    CapacityExceeded
        If a trial needs more memory than there is, or no n up to 10^6 is likely to do.

    Notes
    -----
    The i-th look uses the confidence sequence of level (1 - confidence)/(i (i + 1)); these add up to less than
    1 - confidence, so that all looks are right together with probability `confidence`, however they were
    chosen. Where p lies inside the interval of some n after all `trials`, the bracket stays open around it.

    Examples
    --------
    >>> found = threshold("hit", 0.01, k=2, probability=0.5, trials=1000, seed=1)
    >>> found.low <= 24 <= found.high, found.monotone
    (True, True)
    """
    as_choice(event, "event", ("hit", "cover"))
    if (k is None) == (density is None):
        raise InvalidInput(f"exactly one of `k` and `density` must be given; got k={k}, density={density}.")
    if k is not None:
        k = as_integer(k, "k", low=1)
    if density is not None:
        density = as_fraction(density, "density")
    probability = as_fraction(probability, "probability")
    trials = as_integer(trials, "trials", low=1)
    confidence = as_fraction(confidence, "confidence")
    seed = as_seed(seed)
    law = as_law(law)
    _check_trials(trials, probability, confidence)
    found: dict[int, Evidence] = {}

    def size(n: int) -> int:
        return k if k is not None else max(1, round((density or 0.0) * n))

    def look(n: int) -> Side:
        if n not in found:
            each = _level(len(found) + 1, confidence)
            trial = experiment(event, n, size(n), eps, law=law, where=where)
            p = count_trials(
                trial,
                seed,
                trials,
                each,
                threads,
                enough=lambda p: side_of(p, probability) != "undecided",
                progress=progress,
                stage=f"n={n}",
            )
            found[n] = Evidence(n, size(n), p, side_of(p, probability))
        return found[n].side

    least = k if k is not None else 1
    experiment(event, max(least, 2), size(max(least, 2)), eps, law=law, where=where)  # the arguments
    if start is None:
        start = _predicted(event, eps, k, density, probability, law, where)
    start = max(least, as_integer(start, "start", low=1, high=MOST_N))
    _search(look, start, least)
    return bracket(found.values(), probability, confidence=confidence, monotone=density is None, least=least)


def _level(i: int, confidence: float) -> float:
    """Confidence of the i-th look: what is spent adds up to less than 1 - confidence."""
    return 1.0 - (1.0 - confidence) / (i * (i + 1))


def _check_trials(trials: int, probability: float, confidence: float) -> None:
    """Refuse a number of trials with which even hits alone would not show that `probability` is reached."""
    needed = max(
        trials_needed(
            estimate, probability, confidence=_level(_LOOKS, confidence), low=sequence_low, high=sequence_high
        )
        or 0
        for estimate in (0.0, 1.0)
    )
    if trials < needed:
        raise InvalidInput(
            f"`trials` must be at least {needed} to place a threshold of {probability:g} at this confidence; "
            f"got {trials}."
        )


def _search(look: Callable[[int], Side], start: int, least: int) -> None:
    """Look where needed: outward from `start` to both sides, then by bisection of what is open."""
    low, high = least - 1, start
    step = max(1, start // 16)
    while look(high) != "reached" and high < MOST_N:
        if look(high) == "below":
            low = high
        high = min(MOST_N, high + step)
        step *= 2
    step = max(1, start // 16)
    down = min(start, high - 1)
    while down > max(low, least - 1) and look(down) != "below":
        if look(down) == "reached":
            high = min(high, down)
        down -= step
        step *= 2
    low = max(low, down) if down >= least else max(low, least - 1)
    _narrow(look, low, high, "below")
    _narrow(look, low, high, "reached")


def _narrow(look: Callable[[int], Side], low: int, high: int, side: Side) -> None:
    """Bisect for the last n that is `below`, or the first that is `reached`."""
    while high - low > 1:
        middle = (low + high) // 2
        found = look(middle)
        if found == "below" or (found == "undecided" and side == "reached"):
            low = middle
        else:
            high = middle


def _predicted(
    event: str,
    eps: float,
    k: int | None,
    density: float | None,
    probability: float,
    law: Law,
    where: float | str,
) -> int:
    """Where theory would look."""
    size = k if k is not None else 4
    edge = experiment(
        event, max(size, 2), size, eps, law=law, where="edge" if isinstance(where, str) else where
    )
    if event == "hit":
        target = float(edge.where) if where != "uniform" else 0.0
        return n_hit(eps, target, law, k=k, density=density, probability=probability)
    radius = None if where == "edge" else float(edge.where)
    return n_cover(eps, law, k=k, density=density, radius=radius, probability=probability)
