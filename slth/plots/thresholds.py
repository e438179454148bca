"""Measured thresholds: n H2(k/n) against log2(k/eps), each as the rectangle that its bracket allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from slth.plots.look import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, RED, SKY

# law -> colour; neighbours differ in marker as well
LAWS: dict[str, tuple[str, str]] = {"uniform": (BLUE, "o"), "normal": (GREEN, "s"), "product": (RED, "^")}
OTHER = (INK, "D")
# the same law on a fixed range
LIGHT = {BLUE: SKY, GREEN: ORANGE, RED: PURPLE}
# probability -> face of the marker, words
CONFIDENCES: dict[str, tuple[str, str]] = {
    "0.5": ("full", "P = 1/2"),
    "0.99": ("none", "P = 0.99"),
    "1-eps": ("bottom", "P = 1 \u2212 \u03b5"),
}
MARKERS = "os^Dvp<>*hXP"

Summaries = Sequence[Mapping[str, Any]]


def draw_law_of_n(points: Summaries, ax: Axes) -> list[Any]:
    """Draw the thresholds of one event: by law, range and probability, or by family where there are several.

    Parameters
    ----------
    points : sequence of mappings
        Summaries of `slth.experiments.law_of_n.Point`.
    ax : Axes

    Returns
    -------
    list of artists
        A line of slope 1, a squared law through the first point of P = 1/2, then the measurements.
    """
    families = list(dict.fromkeys(p["family"] for p in points))
    artists = _references(points, ax)
    if len(families) > 1:
        shades = matplotlib.colormaps["viridis"]
        keys: list[Any] = []
        for place, family in enumerate(families):
            colour = shades(0.9 * place / (len(families) - 1))
            marker = MARKERS[place % len(MARKERS)]
            mine = [p for p in points if p["family"] == family]
            artists.append(_bars(mine, ax, colour, marker, "full", family))
            keys.append(_key(colour, marker, "full", family))
    else:
        keys = _by_law(points, ax, artists)
    ax.set_xlabel("log$_2$(k/\u03b5), bits")
    ax.set_ylabel("n H$_2$ at the threshold, bits")
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.grid(visible=True)
    ax.set_axisbelow(True)
    # room above the points, so that it hides none of them
    ax.set_ylim(top=1.5 * max(p["y_high"] for p in points))
    ax.legend(
        handles=[*artists[:2], *keys],
        loc="upper left",
        ncols=3,
        fontsize=6.5,
        columnspacing=0.8,
        handlelength=1.5,
        handletextpad=0.5,
        borderaxespad=0.1,
        labelspacing=0.3,
        frameon=True,
        facecolor="white",
        edgecolor="none",
        framealpha=1.0,
    )
    return artists


def _by_law(points: Summaries, ax: Axes, artists: list[Any]) -> list[Any]:
    """Draw each law, range and probability; return the keys of the legend: laws, then probabilities."""
    kinds = list(dict.fromkeys((p["law"], str(p["where"]), str(p["probability"])) for p in points))
    for law, where, probability in kinds:
        mine = [
            p for p in points if (p["law"], str(p["where"]), str(p["probability"])) == (law, where, probability)
        ]
        colour, marker = _look(law, where)
        face, text = CONFIDENCES.get(probability, ("none", f"P = {probability}"))
        artists.append(_bars(mine, ax, colour, marker, face, f"{_words(law, where)}, {text}"))
    keys = []
    for law, where in dict.fromkeys((law, where) for law, where, _ in kinds):
        colour, marker = _look(law, where)
        keys.append(_key(colour, marker, "full", _words(law, where)))
    for probability in sorted({p for _, _, p in kinds}):
        face, text = CONFIDENCES.get(probability, ("none", f"P = {probability}"))
        keys.append(_key(QUIET, "o", face, text))
    return keys


def _look(law: str, where: str) -> tuple[str, str]:
    colour, marker = LAWS.get(law, OTHER)
    return (colour if where == "edge" else LIGHT.get(colour, colour)), marker


def _words(law: str, where: str) -> str:
    if where == "edge":
        return f"{law}, \u221ak/2" if law == "product" else f"{law}, \u221ak"
    return f"{law}, \u00b1{float(where):g}"


def _key(colour: Any, marker: str, face: str, text: str) -> Line2D:
    return Line2D([], [], linestyle="none", label=text, **_style(colour, marker, face))


def _style(colour: Any, marker: str, face: str) -> dict[str, Any]:
    return {
        "color": colour,
        "marker": marker,
        "markersize": 3.6,
        "fillstyle": face,
        "markerfacecoloralt": "white",
        "markeredgewidth": 0.8,
    }


def _references(points: Summaries, ax: Axes) -> list[Any]:
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
        label="c log$_2$(k/\u03b5)$^2$",
    )
    return [line, curve]


def _bars(points: Summaries, ax: Axes, colour: Any, marker: str, face: str, label: str) -> Any:
    x = [0.5 * (p["x_low"] + p["x_high"]) for p in points]
    y = [0.5 * (p["y_low"] + p["y_high"]) for p in points]
    return ax.errorbar(
        x,
        y,
        xerr=[0.5 * (p["x_high"] - p["x_low"]) for p in points],
        yerr=[0.5 * (p["y_high"] - p["y_low"]) for p in points],
        linestyle="none",
        elinewidth=0.9,
        capsize=1.6,
        label=label,
        **_style(colour, marker, face),
    )
