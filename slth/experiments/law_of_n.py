"""How the least n grows as eps shrinks: n H2(k/n) against log2(k/eps), with brackets and bands of slopes.

Corollary 1 of the paper asks for n H2(k/n) >= c log2(k/eps)^2; the first moment needs only log2(k/eps) + O(1).
Which of the two the truth follows shows in the mean slope between eps and smaller eps, whose band here comes
from the exact brackets of n alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from slth.errors import InvalidInput
from slth.experiments.export import Row
from slth.experiments.threshold import Bracket, bracket_rows
from slth.theory.logsquare import chosen_entropy

# Probabilities by the words that tables and figures use; 1 - eps depends on the tolerance.
PROBABILITIES: tuple[float | str, ...] = (0.5, 0.99, "1-eps")


@dataclass(frozen=True, slots=True)
class Family:
    """A way to choose k for each n: fixed, or k = max(1, round(density n)).

    Examples
    --------
    >>> Family(k=3).text, Family(density=0.1).text, Family(density=0.1).size(44)
    ('k=3', 'k/n=0.1', 4)
    """

    k: int | None = None
    density: float | None = None

    def __post_init__(self) -> None:
        if (self.k is None) == (self.density is None):
            raise InvalidInput(f"exactly one of `k` and `density` must be given; got {self.k}, {self.density}.")

    @property
    def text(self) -> str:
        """In words."""
        return f"k={self.k}" if self.k is not None else f"k/n={self.density:g}"

    def size(self, n: int) -> int:
        """k for this n."""
        return self.k if self.k is not None else max(1, round((self.density or 0.0) * n))


@dataclass(frozen=True, slots=True)
class Point:
    """The threshold at one tolerance, as a rectangle that contains it.

    Attributes
    ----------
    event, law, where
        As in `Row`.
    family : str
    probability : float or "1-eps"
    eps : float
    bracket : Bracket
        With both ends.
    x : (float, float)
        log2(k/eps), from the least to the largest k in the bracket.
    y : (float, float)
        n H2(k/n), from the least to the largest n in the bracket.
    """

    event: str
    law: str
    where: float | str
    family: str
    probability: float | str
    eps: float
    bracket: Bracket
    x: tuple[float, float]
    y: tuple[float, float]

    def summary(self) -> dict[str, Any]:
        """Everything but the evidence, JSON-ready."""
        return {
            "event": self.event,
            "law": self.law,
            "where": self.where,
            "family": self.family,
            "probability": self.probability,
            "eps": self.eps,
            "n_low": self.bracket.low,
            "n_high": self.bracket.high,
            "x_low": self.x[0],
            "x_high": self.x[1],
            "y_low": self.y[0],
            "y_high": self.y[1],
        }


@dataclass(frozen=True, slots=True)
class Slope:
    """Mean slopes of n H2(k/n) against log2(k/eps), as bands that follow from the brackets.

    Attributes
    ----------
    points : tuple of Point
        By decreasing eps, three or more.
    whole, first, second : (float, float)
        Between the ends, from the first to the middle point, and from there to the last.
    ratio : (float, float)
        second / first: 1 for a straight line.
    ratio_if_squared : float
        What the ratio would be if n H2(k/n) = c log2(k/eps)^2.
    """

    points: tuple[Point, ...]
    whole: tuple[float, float]
    first: tuple[float, float]
    second: tuple[float, float]
    ratio: tuple[float, float]
    ratio_if_squared: float

    @property
    def squared_law(self) -> str:
        """ "refuted" if the brackets exclude a squared law over this range of eps, else "not excluded"."""
        return "refuted" if self.ratio[1] < self.ratio_if_squared else "not excluded"

    def summary(self) -> dict[str, Any]:
        """Everything as JSON-ready values."""
        first = self.points[0]
        return {
            "event": first.event,
            "law": first.law,
            "where": first.where,
            "family": first.family,
            "probability": first.probability,
            "eps": [p.eps for p in self.points],
            "slope": list(self.whole),
            "slope_first_half": list(self.first),
            "slope_second_half": list(self.second),
            "ratio": list(self.ratio),
            "ratio_if_squared": self.ratio_if_squared,
            "squared_law": self.squared_law,
        }


def best_known(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Of rows that tried the same (event, law, place, selection, eps, n and k), the one with most trials.

    Which one is kept does not depend on what was counted, so that its interval stays exact.
    """
    best: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = (row.event, row.law, row.where, row.selection, row.eps, row.n, row.k)
        if key not in best or row.trials > best[key].trials:
            best[key] = row
    return tuple(best.values())


def threshold_points(
    rows: Iterable[Row],
    families: Sequence[Family],
    *,
    probabilities: Sequence[float | str] = PROBABILITIES,
    confidence: float = 0.95,
) -> tuple[Point, ...]:
    """Brackets of the thresholds that a table holds evidence for.

    Parameters
    ----------
    rows : iterable of Row
        Several n for each event, law and tolerance.
    families : sequence of Family
        Rows whose k is the family's k for their n belong to it.
    probabilities : sequence
        Numbers in (0, 1), or "1-eps".
    confidence : float
        Of each bracket.

    Returns
    -------
    tuple of Point
        Those with both ends; by event, law, where, family, probability and decreasing eps.
    """
    groups: dict[tuple[str, str, float | str, float], list[Row]] = {}
    for row in rows:
        if row.selection == "subset":
            groups.setdefault((row.event, row.law, row.where, row.eps), []).append(row)
    points = []
    for family in families:
        for (event, law, where, eps), group in groups.items():
            mine = [row for row in group if row.k == family.size(row.n)]
            for word in probabilities if len(mine) > 1 else ():
                p = 1.0 - eps if isinstance(word, str) else word
                found = bracket_rows(mine, p, confidence=confidence)
                if (
                    found.high is not None
                    and found.low > mine[0].k
                    and any(e.side == "below" for e in found.evidence)
                ):
                    points.append(_point(event, law, where, family, word, eps, found))
    return tuple(
        sorted(points, key=lambda p: (p.event, p.law, str(p.where), p.family, str(p.probability), -p.eps))
    )


def slopes(points: Iterable[Point]) -> tuple[Slope, ...]:
    """The band of slopes of every group of three or more points that differ in eps only."""
    groups: dict[tuple[Any, ...], list[Point]] = {}
    for p in points:
        groups.setdefault((p.event, p.law, p.where, p.family, p.probability), []).append(p)
    return tuple(slope(group) for group in groups.values() if len(group) >= 3)


def slope(points: Sequence[Point]) -> Slope:
    """The band of mean slopes over the range of some points.

    Parameters
    ----------
    points : sequence of Point
        Three or more, of one group.

    Notes
    -----
    The threshold lies in the rectangle of its point, so the slope between two points lies between the least
    and the largest over the corners of the rectangles; no line is fitted. Were n H2(k/n) = c x^2, the slope
    from x0 to x1 would be c (x0 + x1), and the ratio of the two halves (x1 + x2)/(x0 + x1).
    """
    ordered = tuple(sorted(points, key=lambda p: -p.eps))
    if len(ordered) < 3:
        raise InvalidInput(f"`points` must be three or more; got {len(ordered)}.")
    a, b, c = ordered[0], ordered[len(ordered) // 2], ordered[-1]
    first, second = _secant(a, b), _secant(b, c)
    x0, x1, x2 = (0.5 * (p.x[0] + p.x[1]) for p in (a, b, c))
    ratio = (
        second[0] / first[1] if first[1] > 0 else -math.inf,
        second[1] / first[0] if first[0] > 0 else math.inf,
    )
    return Slope(ordered, _secant(a, c), first, second, ratio, (x1 + x2) / (x0 + x1))


def _secant(a: Point, b: Point) -> tuple[float, float]:
    """Least and largest slope from the rectangle of `a` to that of `b`."""
    corners = [
        (yb - ya) / (xb - xa) if xb > xa else math.inf for xa in a.x for ya in a.y for xb in b.x for yb in b.y
    ]
    return min(corners), max(corners)


def _point(
    event: str,
    law: str,
    where: float | str,
    family: Family,
    probability: float | str,
    eps: float,
    found: Bracket,
) -> Point:
    ends = [found.low, found.high or found.low]
    sizes = [family.size(n) for n in ends]
    x = (math.log2(min(sizes) / eps), math.log2(max(sizes) / eps))
    values = [chosen_entropy(n, k) for n, k in zip(ends, sizes, strict=True)]
    return Point(event, law, where, family.text, probability, eps, found, x, (min(values), max(values)))
