"""The pictures of a study: curves over the weights remaining, methods side by side, the gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from slth.baselines.compared import GapRow, Row
from slth.baselines.lottery import Curve
from slth.baselines.magnitude import ONE_SHOT, RANDOM, REINITIALISED, WINNING
from slth.plots.look import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, RED, SKY

# arm -> label, colour, dash, marker
ARMS: dict[str, tuple[str, str, Any, str]] = {
    WINNING: ("winning ticket (iterative)", BLUE, "-", "o"),
    ONE_SHOT: ("one-shot", GREEN, (0, (5, 1.5)), "s"),
    REINITIALISED: ("its mask, fresh weights", RED, (0, (1, 1.2)), "^"),
    RANDOM: ("random mask", ORANGE, (0, (4, 1.5, 1, 1.5)), "v"),
}
LABELS = {
    "stop_test": "test accuracy at the early stop (%)",
    "stop_train": "training accuracy at the early stop (%)",
    "final_test": "test accuracy at the last step (%)",
    "final_train": "training accuracy at the last step (%)",
    "final_loss": "training loss at the last step",
    "stop_iteration": "early-stopping step",
}
# first words of a method -> label, colour, marker, filled
METHODS: dict[str, tuple[str, str, str, bool]] = {
    "trained dense net": ("trained dense net", INK, "*", True),
    "IMP ticket": ("IMP ticket (weights trained)", BLUE, "o", True),
    "one-shot ticket": ("one-shot ticket (weights trained)", GREEN, "s", True),
    "edge-popup, signed-constant": ("edge-popup, \u00b1 constant", PURPLE, "v", True),
    "edge-popup, uniform": ("edge-popup, uniform", PURPLE, "v", False),
    "probability mask, signed-constant": ("probability mask, \u00b1 constant", SKY, "P", True),
    "probability mask, uniform": ("probability mask, uniform", SKY, "P", False),
    "constructed ticket": ("constructed ticket (certified)", ORANGE, "D", True),
}
ERRORS = (1, 2, 3, 5, 10, 20, 50, 100)
# where errors are cut off: no method is below
LEAST = 1.0
REMAINING = (100, 50, 20, 10, 5, 2, 1)


def draw_curves(curves: Mapping[str, Curve], name: str, ax: Axes, *, legend: bool = True) -> list[Any]:
    """Draw one measurement of each arm against the weights remaining: mean line, band from least to most.

    Parameters
    ----------
    curves : mapping of arm to Curve
    name : str
        A key of `LABELS`.
    ax : Axes
    legend : bool

    Returns
    -------
    list of artists
        A line and a band for each arm, then, for steps, the line of the last step.
    """
    artists: list[Any] = []
    for arm, (label, colour, dash, marker) in ARMS.items():
        if arm not in curves:
            continue
        curve = curves[arm]
        values = getattr(curve, name)
        x = 100.0 * curve.density
        artists += ax.plot(
            x,
            values.mean(axis=1),
            color=colour,
            linestyle=dash,
            marker=marker,
            markersize=3.2,
            linewidth=1.3,
            label=label,
        )
        artists.append(
            ax.fill_between(x, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.15, linewidth=0)
        )
    if name == "stop_iteration" and curves:
        last = max(curve.last_step for curve in curves.values())
        artists.append(ax.axhline(last, color=QUIET, linewidth=0.8, linestyle=(0, (4, 2)), label="last step"))
    _remaining(ax)
    ax.set_ylabel(LABELS[name])
    if legend:
        ax.legend(loc="best")
    return artists


def draw_side_by_side(rows: Sequence[Row], ax: Axes) -> list[Any]:
    """Draw test error against density, a marker for each row and a bar for its 95 % interval.

    Parameters
    ----------
    rows : sequence of Row
        Of one network for each method.
    ax : Axes

    Returns
    -------
    list of artists
        One errorbar container for each method.
    """
    artists: list[Any] = []
    for method, (label, colour, marker, filled) in METHODS.items():
        mine = [row for row in rows if row.method == method]
        if not mine:
            continue
        errors = [max(LEAST, 100.0 - r.accuracy.mean) for r in mine]
        below = [
            0.0 if r.accuracy.high is None else e - max(LEAST, 100.0 - r.accuracy.high)
            for e, r in zip(errors, mine, strict=True)
        ]
        above = [
            0.0 if r.accuracy.low is None else 100.0 - r.accuracy.low - e
            for e, r in zip(errors, mine, strict=True)
        ]
        artists.append(
            ax.errorbar(
                [100.0 * r.density for r in mine],
                errors,
                yerr=[below, above],
                linestyle="-" if len(mine) > 1 and method != "trained dense net" else "none",
                linewidth=0.8,
                elinewidth=0.9,
                color=colour,
                marker=marker,
                markersize=7 if marker == "*" else 5,
                markerfacecolor=colour if filled else "white",
                label=label,
            )
        )
    _remaining(ax)
    ax.set_xlabel("density: parameters kept (%)")
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(FixedLocator(ERRORS))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_ylim(LEAST, 100.0)
    ax.set_ylabel("test error (%)")
    ax.legend(loc="upper center", bbox_to_anchor=(0.47, -0.13), ncols=2)
    return artists


def draw_gap(rows: Sequence[GapRow], family: str, ax: Axes) -> list[Any]:
    """Draw median errors against the size of the source, with their exact 95 % intervals.

    Returns
    -------
    list of artists
        Lines and bands: what exists, the best that edge-popup visits, its last mask, random masks.
    """
    mine = [row for row in rows if row.family == family]
    artists: list[Any] = []
    for name, label, colour, dash, marker in (
        ("last", "edge-popup, last mask", PURPLE, (0, (1, 1.2)), "v"),
        ("visited", "edge-popup, best mask visited", PURPLE, "-", "o"),
        ("random", "best of as many random masks", ORANGE, (0, (4, 1.5, 1, 1.5)), "s"),
        ("exists", "best that exists (proved)", INK, "-", "D"),
    ):
        values = [getattr(row, name) for row in mine]
        n = [row.n for row in mine]
        artists += ax.plot(
            n, [v[0] for v in values], color=colour, linestyle=dash, marker=marker, markersize=4, label=label
        )
        artists.append(
            ax.fill_between(
                n, [v[1] for v in values], [v[2] for v in values], color=colour, alpha=0.15, linewidth=0
            )
        )
    ax.set_yscale("log")
    ax.set_xticks([row.n for row in mine])
    ax.set_xlabel("hidden neurons n of the source, half of it kept")
    ax.set_ylabel("median error")
    ax.grid(visible=True, which="major")
    ax.legend(loc="lower left")
    return artists


def _remaining(ax: Axes) -> None:
    """Weights remaining, from all on the left to few on the right."""
    ax.set_xscale("log")
    low = float(ax.dataLim.x0) if np.isfinite(ax.dataLim.x0) else 1.0
    ax.set_xlim(115.0, min(0.85 * low, 50.0))
    ax.xaxis.set_major_locator(FixedLocator(REMAINING))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_xlabel("weights remaining (%)")
    ax.grid(visible=True, which="major")
    ax.set_axisbelow(True)
