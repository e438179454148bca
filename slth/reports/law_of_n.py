"""The figure and the table of the law of n, from a ledger; the shipped ledgers by default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slth.errors import InvalidInput
from slth.experiments.densities import coverings
from slth.experiments.export import Row, read_table, tallies
from slth.experiments.law_of_n import Family, Point, Slope, best_known, slopes, threshold_points
from slth.experiments.ledger import Ledger
from slth.experiments.shipped import shipped_ledger
from slth.plots.thresholds import draw_law_of_n
from slth.reports.figures import render

DECADES = tuple(float(f"1e-{d}") for d in range(1, 11))
DENSITIES = tuple(Family(density=g) for g in (0.5, 0.25, 0.1, 0.05, 0.02))
FIXED = tuple(Family(k=k) for k in range(1, 13))
LEDGERS = ("thresholds", "confidence", "study")
_PANELS_ACROSS = 2
_PANEL = (3.3, 2.9)

Panel = tuple[str, list[Point]]


def measured_points(ledger: Path | None = None, *, confidence: float = 0.95) -> tuple[Point, ...]:
    """Thresholds with both ends in a ledger.

    Parameters
    ----------
    ledger : Path, optional
        Default: the shipped ones, of thresholds and of covering radii with one sample per block.
    confidence : float
        Of each bracket.

    Raises
    ------
    InvalidInput
        If the ledger holds no threshold.

    Notes
    -----
    Where two of the shipped ledgers tried the same, the one with more trials counts.
    """
    paths = [ledger] if ledger is not None else [shipped_ledger(name) for name in LEDGERS]
    rows: list[Row] = []
    for path in paths:
        rows += read_table(path, eps=DECADES, confidence=confidence)
    points = threshold_points(best_known(rows), (*DENSITIES, *FIXED), confidence=confidence)
    points += _one_per_block(ledger or shipped_ledger("density"), confidence)
    if not points:
        raise InvalidInput(f"`ledger` must hold several n on both sides of a threshold; {paths[0]} has none.")
    return points


def _one_per_block(path: Path, confidence: float) -> tuple[Point, ...]:
    """Thresholds of covering [-1, 1] with one sample from each block."""
    with Ledger(path, read_only=True) as opened:
        found = tallies(opened)
    measured = [c for eps in DECADES for c in coverings(found, eps, confidence=confidence)]
    points = [c.point() for c in measured if c.selection == "one-per-block"]
    return tuple(sorted(points, key=lambda p: (p.family, -p.eps)))


def measured_slopes(points: Sequence[Point]) -> tuple[Slope, ...]:
    """Bands of slopes of every group of three or more points."""
    return slopes(points)


def law_of_n_figure(points: Sequence[Point], *, kind: str) -> bytes:
    """The figure as the bytes of an "svg" or "png" file.

    For hits and for covers: a panel for each of k/n = 1/2 and 1/4, with all laws and probabilities; one for the
    smaller densities and one for fixed k, uniform samples and P = 1/2; and one for one sample per block.

    Parameters
    ----------
    points : sequence of Point
    kind : {"svg", "png"}
    """
    chosen = panels(points)
    across = min(_PANELS_ACROSS, len(chosen))
    down = -(-len(chosen) // across)

    def draw(ax: Any) -> None:
        figure = ax.figure
        ax.remove()
        grid = figure.subplots(down, across, squeeze=False)
        for place, (title, mine) in enumerate(chosen):
            panel = grid[place // across][place % across]
            draw_law_of_n([p.summary() for p in mine], panel)
            panel.set_title(title, loc="left")
        for place in range(len(chosen), down * across):
            grid[place // across][place % across].remove()

    return render(draw, kind=kind, size=(_PANEL[0] * across, _PANEL[1] * down), name="law-of-n")


def panels(points: Sequence[Point]) -> list[Panel]:
    """(title, points) of each panel that has any."""
    plain = [p for p in points if p.law == "uniform" and p.probability == 0.5]
    found: list[Panel] = []
    for densities in DENSITIES[:2]:
        for event in ("hit", "cover"):
            mine = [p for p in points if (p.event, p.family) == (event, densities.text)]
            found.append((f"{event}, {densities.text}", mine))
    for title, families in (("k/n", DENSITIES), ("fixed k", FIXED)):
        for event in ("hit", "cover"):
            mine = [p for f in families for p in plain if (p.event, p.family) == (event, f.text)]
            found.append((f"{event}, {title}, uniform, P = 1/2", mine))
    blocks = sorted({p.family for p in points if p.family.startswith("one of")}, key=lambda f: (len(f), f))
    found.append(
        ("cover \u00b11, one per block, product, P = 1/2", [p for f in blocks for p in points if p.family == f])
    )
    return [(title, mine) for title, mine in found if mine]
