"""Measured thresholds: n H2(k/n) against log2(k/eps), each as the rectangle that its bracket allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from slth.plots.look import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, RED, SKY

# law -> colour; neighbours differ in marker as well
LAWS: dict[str, tuple[str, str]] = {"uniform": (BLUE, "o"), "normal": (GREEN, "s"), "product": (RED, "^")}
OTHER = (ORANGE, "D")
# the same law on a range of its own
LIGHT = {BLUE: SKY, GREEN: ORANGE, RED: PURPLE}
# probability -> face, words
CONFIDENCES: dict[str, tuple[bool, str]] = {
    "0.5": (True, "P = 1/2"),
    "0.99": (False, "P = 0.99"),
    "1-eps": (False, "P = 1 \u2212 \u03b5"),
}


def draw_law_of_n(points: Sequence[Mapping[str, Any]], ax: Axes, *, legend: bool = True) -> list[Any]:
    """Draw the thresholds of one event and one family.

    Parameters
    ----------
    points : sequence of mappings
        Summaries of `slth.experiments.law_of_n.Point`.
    ax : Axes
    legend : bool
        Whether to write one.

    Returns
    -------
    list of artists
        A line of slope 1, a squared law through the first point of P = 1/2, then the measurements.
    """
    artists = _references(points, ax)
    kinds = list(dict.fromkeys((p["law"], str(p["where"]), str(p["probability"])) for p in points))
    for law, where, probability in kinds:
        mine = [
            p for p in points if (p["law"], str(p["where"]), str(p["probability"])) == (law, where, probability)
        ]
        artists.append(_measured(mine, law, where, probability, ax))
    ax.set_xlabel("log$_2$(k/\u03b5), bits")
    ax.set_ylabel("n H$_2$(k/n) at the threshold, bits")
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.grid(visible=True)
    ax.set_axisbelow(True)
    if legend:
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.45, -0.17),
            ncols=2,
            fontsize=6.5,
            columnspacing=0.9,
            handlelength=1.6,
        )
    return artists


def _references(points: Sequence[Mapping[str, Any]], ax: Axes) -> list[Any]:
    x = [0.5 * (p["x_low"] + p["x_high"]) for p in points]
    end = 1.04 * max(x)
    (line,) = ax.plot([0, end], [0, end], color=QUIET, linewidth=1.0, label="log$_2$(k/\u03b5)")
    anchors = [i for i, p in enumerate(points) if str(p["probability"]) == "0.5"] or list(range(len(points)))
    first = min(anchors, key=lambda i: x[i])
    scale = 0.5 * (points[first]["y_low"] + points[first]["y_high"]) / x[first] ** 2
    top = max(p["y_high"] for p in points)
    reach = min(end, (1.15 * top / scale) ** 0.5)
    grid = [reach * i / 60 for i in range(61)]
    (curve,) = ax.plot(
        grid,
        [scale * value**2 for value in grid],
        color=INK,
        linewidth=1.0,
        linestyle=(0, (4, 2)),
        label="c log$_2$(k/\u03b5)$^2$, same start",
    )
    return [line, curve]


def _measured(points: Sequence[Mapping[str, Any]], law: str, where: str, probability: str, ax: Axes) -> Any:
    colour, marker = LAWS.get(law, OTHER)
    words = law
    if where != "edge":
        colour, words = LIGHT.get(colour, colour), f"{law}, \u00b1{float(where):g}"
    filled, text = CONFIDENCES.get(probability, (False, f"P = {probability}"))
    x = [0.5 * (p["x_low"] + p["x_high"]) for p in points]
    y = [0.5 * (p["y_low"] + p["y_high"]) for p in points]
    return ax.errorbar(
        x,
        y,
        xerr=[0.5 * (p["x_high"] - p["x_low"]) for p in points],
        yerr=[0.5 * (p["y_high"] - p["y_low"]) for p in points],
        linestyle="none",
        color=colour,
        marker=marker,
        markersize=3.2,
        markerfacecolor=colour if filled else "white",
        markeredgewidth=0.6 if probability == "1-eps" else 1.1,
        elinewidth=0.9,
        capsize=1.6,
        label=f"{words}, {text}",
    )
