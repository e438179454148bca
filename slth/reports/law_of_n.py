"""The figure and the table of the law of n, from a ledger; the shipped ledger by default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slth.errors import InvalidInput
from slth.experiments.densities import coverings
from slth.experiments.export import read_table, tallies
from slth.experiments.law_of_n import Family, Point, Slope, slopes, threshold_points
from slth.experiments.ledger import Ledger
from slth.experiments.shipped import shipped_ledger
from slth.plots.thresholds import draw_law_of_n
from slth.reports.figures import render

DECADES = tuple(float(f"1e-{d}") for d in range(1, 11))
FAMILIES = (Family(density=0.5), Family(density=0.1), Family(k=2))
_PANELS_ACROSS = 2
_PANEL = (3.3, 3.7)


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
    """
    path = ledger or shipped_ledger("thresholds")
    points = threshold_points(
        read_table(path, eps=DECADES, confidence=confidence), FAMILIES, confidence=confidence
    )
    points += _one_per_block(ledger or shipped_ledger("density"), confidence)
    if not points:
        raise InvalidInput(f"`ledger` must hold several n on both sides of a threshold; {path} has none.")
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
    """The figure as the bytes of an "svg" or "png" file: one panel for each event and family.

    Parameters
    ----------
    points : sequence of Point
    kind : {"svg", "png"}
    """
    panels = sorted(
        {(p.event, p.family) for p in points}, key=lambda key: (key[0] != "hit", len(key[1]), key[1][::-1])
    )
    across = min(_PANELS_ACROSS, len(panels))
    down = -(-len(panels) // across)

    def draw(ax: Any) -> None:
        figure = ax.figure
        ax.remove()
        grid = figure.subplots(down, across, squeeze=False)
        for place, (event, family) in enumerate(panels):
            panel = grid[place // across][place % across]
            mine = [p.summary() for p in points if (p.event, p.family) == (event, family)]
            draw_law_of_n(mine, panel)
            panel.set_title(f"{event}, {family}", loc="left")
        for place in range(len(panels), down * across):
            grid[place // across][place % across].remove()

    return render(draw, kind=kind, size=(_PANEL[0] * across, _PANEL[1] * down), name="law-of-n")
