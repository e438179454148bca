"""Measured sample sizes at which [-1, 1] is covered within any tolerance, read off covering radii."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from slth._validate import as_fraction, as_real
from slth.experiments.bins import edges
from slth.experiments.export import Tally
from slth.experiments.intervals import clopper_pearson
from slth.experiments.law_of_n import Family, Point
from slth.experiments.threshold import Bracket, Evidence, bracket, side_of
from slth.theory.logsquare import chosen_entropy

FAMILIES = (Family(density=0.5), *(Family(k=k) for k in (2, 3, 4, 6, 8, 12)))
BLOCKS = (2, 4, 16)
_LEAST_SIZES = 3  # different n below which nothing is bracketed


@dataclass(frozen=True, slots=True)
class Covering:
    """The least n at which live products cover [-1, 1] within eps with a given probability.

    Attributes
    ----------
    selection : {"subset", "one-per-block"}
    family : str
        How k goes with n.
    eps : float
    bracket : Bracket
        With both ends.
    low, high : (int, int)
        (n, k) at the ends. With one sample per block n moves in steps of a block, and `low` is the last size
        shown to fall short, so that the interval is that of a threshold which need not be a multiple.
    """

    selection: str
    family: str
    eps: float
    bracket: Bracket
    low: tuple[int, int]
    high: tuple[int, int]

    def point(self) -> Point:
        """In the coordinates of the law of n."""
        ends = (self.low, self.high)
        x = [math.log2(k / self.eps) for _, k in ends]
        y = [chosen_entropy(n, k) for n, k in ends]
        return Point(
            "cover",
            "product",
            1.0,
            self.family,
            self.bracket.probability,
            self.eps,
            self.bracket,
            (min(x), max(x)),
            (min(y), max(y)),
        )


def coverings(
    tallies: Iterable[Tally], eps: float, *, probability: float = 0.5, confidence: float = 0.95
) -> tuple[Covering, ...]:
    """Brackets of the sizes that a ledger of covering radii decides at one tolerance.

    Parameters
    ----------
    tallies : iterable of Tally
        Covering radii of [-1, 1] for the product law are used, other cells passed over.
    eps : float
        Positive; an edge of the bins or not. Nothing is found outside the range of the bins.
    probability : float
        In (0, 1).
    confidence : float
        Of each bracket.

    Returns
    -------
    tuple of Covering
        Fixed density, fixed k, one per block; those with both ends.

    Notes
    -----
    A radius is known up to its bin. Trials whose bin contains `eps` count as undecided, so the brackets hold
    for `eps` itself and widen a little where it is no edge.
    """
    width = as_real(eps, "eps", low=0.0, open_low=True)
    wanted = as_fraction(probability, "probability")
    grid = edges()
    if not grid[0] <= width <= grid[-1]:
        return ()
    below = float(grid[np.searchsorted(grid, width, side="right") - 1])
    above = float(grid[np.searchsorted(grid, width, side="left")])
    mine = [
        t
        for t in tallies
        if (t.cell.event, t.cell.law, t.cell.where) == ("radius", "product", 1.0) and t.hits is None
    ]
    groups = [
        ("subset", family.text, family.k is not None, 1, [t for t in mine if t.cell.k == family.size(t.cell.n)])
        for family in FAMILIES
    ]
    groups += [
        ("one-per-block", f"one of each {b}", False, b, [t for t in mine if t.cell.n == b * t.cell.k])
        for b in BLOCKS
    ]
    found = []
    for selection, text, monotone, step, group in groups:
        chosen = [t for t in group if t.cell.selection == selection]
        if len(chosen) < _LEAST_SIZES:
            continue
        each = 1.0 - (1.0 - confidence) / len(chosen)
        evidence = [_evidence(t, below, above, wanted, each) for t in chosen]
        least = step * min(t.cell.k for t in chosen)
        result = bracket(evidence, wanted, confidence=confidence, monotone=monotone, least=least)
        if result.high is None or not any(e.side == "below" and e.n < result.high for e in result.evidence):
            continue
        high = next((e.n, e.k) for e in result.evidence if e.n == result.high)
        found.append(Covering(selection, text, width, result, _low_end(result, high, step, text), high))
    return tuple(found)


def _evidence(tally: Tally, below: float, above: float, probability: float, confidence: float) -> Evidence:
    sure = tally.hits_within(below)
    open_ = tally.undecided + tally.hits_within(above) - sure
    p = clopper_pearson(sure, tally.trials, undecided=open_, confidence=confidence)
    return Evidence(tally.cell.n, tally.cell.k, p, side_of(p, probability))


def _low_end(result: Bracket, high: tuple[int, int], step: int, text: str) -> tuple[int, int]:
    """(n, k) of the least size not excluded; with blocks, where n moves in steps, of the last one excluded."""
    if step > 1:
        k = (result.low - 1) // step
        return step * k, k
    family = next(f for f in FAMILIES if f.text == text)
    return min((result.low, family.size(result.low)), high)
