"""The frontier figure: the smallest certified sources found, density against overparameterisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from slth.experiments.frontier_rows import FrontierRow
from slth.plots.look import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, SKY

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)
# Not as many as colours, so that both together tell more series apart.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DENSITIES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
# column -> dash, label
LINES: dict[str, tuple[Any, str]] = {
    "theorem_3_at_gamma": ("-", "Theorem 3, c_amp = 1"),
    "predicted": ((0, (5, 1.5)), "prediction (half of all sources)"),
    "family_bound": ((0, (1, 1.2)), "Theorem 5 (lower bound), for the family"),
}


def draw_frontier(series: Mapping[str, Sequence[FrontierRow]], ax: Axes) -> list[Any]:
    """Draw rows of frontiers on logarithmic axes; each series has its colour, each kind of curve its dash.

    Parameters
    ----------
    series : mapping of label to FrontierRow
        The rows of one target, domain and recipe each.
    ax : Axes

    Returns
    -------
    list of artists
        For each series: lines of theory, then one errorbar container. Bars are the interval of the threshold
        size; where no size shows one of its ends, an arrow stands for it.
    """
    ax.set_xscale("log")
    ax.set_yscale("log")
    artists: list[Any] = []
    for place, (label, rows) in enumerate(series.items()):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        ordered = sorted(rows, key=lambda row: row.gamma)
        for column, (dash, _) in LINES.items():
            points = [(r.gamma, getattr(r, column)) for r in ordered if getattr(r, column) is not None]
            if points:
                x, y = zip(*points, strict=True)
                artists += ax.plot(x, y, color=colour, linestyle=dash, linewidth=1.1, zorder=2)
        artists.append(_draw_measured(ordered, label, colour, marker, ax))
    ax.set_xlabel("density \u03b3 of the ticket (kept / total)")
    ax.set_ylabel("overparameterisation m / m$_t$")
    ax.xaxis.set_major_locator(FixedLocator(DENSITIES))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.grid(visible=True, which="major")
    ax.set_axisbelow(True)
    _legend(ax)
    return artists


def _draw_measured(rows: Sequence[FrontierRow], label: str, colour: str, marker: str, ax: Axes) -> Any:
    x, y = [r.gamma for r in rows], [r.overparameterization for r in rows]
    low = [r.overparameterization / (r.m_low or r.overparameterization) for r in rows]
    below = [max(0.0, v * (1.0 - 1.0 / ratio)) for v, ratio in zip(y, low, strict=True)]
    above = [max(0.0, (r.m_high or v) - v) for r, v in zip(rows, y, strict=True)]
    open_low = [r.m_low is None for r in rows]
    open_high = [r.m_high is None for r in rows]
    for ends, down in ((open_low, True), (open_high, False)):
        places = [i for i, is_open in enumerate(ends) if is_open]
        if not places:
            continue
        ax.plot(
            [x[i] for i in places],
            [y[i] * (0.9 if down else 1.11) for i in places],
            linestyle="none",
            marker="v" if down else "^",
            markersize=3.0,
            color=QUIET,
            zorder=3,
        )
    return ax.errorbar(
        x,
        y,
        yerr=[below, above],
        linestyle="none",
        marker=marker,
        markersize=5.5,
        markerfacecolor=colour,
        markeredgecolor=INK,
        markeredgewidth=0.7,
        ecolor=INK,
        elinewidth=1.0,
        capsize=2.0,
        zorder=4,
        label=label,
    )


def _legend(ax: Axes) -> None:
    """Measured series by name, kinds of curves in grey."""
    kinds = [
        Line2D([], [], color=INK, linestyle=dash, linewidth=1.1, label=label) for dash, label in LINES.values()
    ]
    if any(line.get_marker() in ("v", "^") and line.get_color() == QUIET for line in ax.get_lines()):
        label = "end of the interval not shown by any size"
        kinds.append(Line2D([], [], color=QUIET, linestyle="none", marker="^", markersize=3.0, label=label))
    handles, _ = ax.get_legend_handles_labels()
    ax.legend(
        handles=[*handles, *kinds],
        loc="upper center",
        bbox_to_anchor=(0.47, -0.13),
        ncols=2,
        columnspacing=2.0,
        handlelength=2.6,
    )
