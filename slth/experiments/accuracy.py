"""Predictors against measured probabilities: how far each is from the interval, cell by cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from slth._typing import Progress
from slth.experiments.bins import eps_of_load
from slth.experiments.export import Row, Tally, row_of
from slth.experiments.trial import edge_of
from slth.laws.law import Law
from slth.laws.named import law_by_name
from slth.theory.catalogue import predictor

PREDICTORS = ("annealed", "cox", "cox-variance", "quenched", "saddlepoint")
# Expected numbers of hits at the end of the range at which a histogram is read: chosen without the data.
LOADS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """One predictor at one row of a table.

    Attributes
    ----------
    event, law, n, k, eps, where
        As in `Row`.
    trials, hits, low, high
        What was measured, with the exact interval.
    predictor : str
    predicted : float
        Its probability.
    error : float or None
        Standard error of a prediction that draws samples.
    miss : float
        Distance of the prediction from [low, high]; 0 inside.
    """

    event: str
    law: str
    n: int
    k: int
    eps: float
    where: float | str
    trials: int
    hits: int
    low: float
    high: float
    predictor: str
    predicted: float
    error: float | None
    miss: float

    @property
    def within(self) -> bool:
        """Whether some probability in the interval is within TOLERANCE of the prediction."""
        return self.miss <= TOLERANCE

    @property
    def telling(self) -> bool:
        """Whether the measured probability is neither near 0 nor near 1, where every predictor agrees."""
        return self.high > 0.02 and self.low < 0.98

    def summary(self) -> dict[str, Any]:
        """Everything as JSON-ready values."""
        return {**asdict(self), "within": self.within}


@dataclass(frozen=True, slots=True)
class Score:
    """How a predictor did on some cells.

    Attributes
    ----------
    predictor, event : str
    cells, within : int
        All cells, and those within TOLERANCE.
    telling, telling_within : int
        The same among cells that tell.
    worst : float
        Largest miss.
    """

    predictor: str
    event: str
    cells: int
    within: int
    telling: int
    telling_within: int
    worst: float


def rows_at_loads(tallies: Iterable[Tally], *, loads: Sequence[float] = LOADS) -> tuple[Row, ...]:
    """Rows of cells with a fixed place: at their own eps, or, where distances were measured, at `loads`.

    Parameters
    ----------
    tallies : iterable of Tally
        Those with a random target, or one sample per block, are left out.
    loads : sequence of float
        Expected numbers of hits at the end of the range: see `slth.experiments.bins.eps_of_load`.
    """
    rows = []
    for tally in tallies:
        cell = tally.cell
        trial = cell.experiment()
        where = trial.where
        if isinstance(where, str) or trial.selection != "subset":
            continue
        if cell.eps is not None:
            chosen = [cell.eps]
        else:
            chosen = sorted({eps_of_load(load, cell.n, cell.k, where, trial.law) for load in loads})
        if cell.event in ("cover", "radius"):
            chosen = [eps for eps in chosen if eps < where]  # beyond, one sum near 0 covers everything
        rows += [row_of(tally, eps) for eps in chosen]
    return tuple(rows)


def compare(
    rows: Sequence[Row],
    *,
    predictors: Sequence[str] = PREDICTORS,
    samples: int = 1000,
    progress: Progress | None = None,
) -> tuple[Comparison, ...]:
    """Evaluate predictors at the rows of a table.

    Parameters
    ----------
    rows : sequence of Row
        With a fixed target or range.
    predictors : sequence of str
        Names in the catalogue (`slth.theory.catalogue.predictor`).
    samples : int
        Samples drawn for those that average over samples.
    progress : callable, optional
        Called as progress("compare", rows done, rows).
    """
    found = []
    for done, row in enumerate(rows):
        if progress is not None:
            progress("compare", done, len(rows))
        law = law_by_name(row.law)
        for name in predictors:
            found.append(_compare_one(row, name, law, samples))
    if progress is not None:
        progress("compare", len(rows), len(rows))
    return tuple(found)


def scores(comparisons: Iterable[Comparison], *, k_min: int = 1) -> tuple[Score, ...]:
    """Shares within TOLERANCE by event and predictor, for k >= k_min; the best first."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in comparisons:
        if c.k >= k_min:
            groups.setdefault((c.event, c.predictor), []).append(c)
    found = [_score(event, name, group) for (event, name), group in groups.items()]
    return tuple(sorted(found, key=lambda s: (s.event, -s.within / s.cells, -s.telling_within, s.worst)))


def _compare_one(row: Row, name: str, law: Law, samples: int) -> Comparison:
    way = predictor(name, row.event)
    place = edge_of(law, row.k) if isinstance(row.where, str) else row.where
    options = {"samples": samples} if "samples" in way.options else {}
    p = way.evaluate(row.n, row.k, row.eps, place, law, **options)
    miss = max(0.0, row.low - p.probability, p.probability - row.high)
    return Comparison(
        row.event,
        row.law,
        row.n,
        row.k,
        row.eps,
        row.where,
        row.trials,
        row.hits,
        row.low,
        row.high,
        name,
        p.probability,
        p.error,
        miss,
    )


def _score(event: str, name: str, group: Sequence[Comparison]) -> Score:
    telling = [c for c in group if c.telling]
    return Score(
        name,
        event,
        len(group),
        sum(c.within for c in group),
        len(telling),
        sum(c.within for c in telling),
        max(c.miss for c in group),
    )
