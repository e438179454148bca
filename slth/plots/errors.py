"""The picture of a ticket's errors: one histogram of |weight error| per layer, against its tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from slth._typing import FloatArray
from slth.plots.look import BLUE, GREEN, ORANGE, PURPLE, RED, SKY

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)


@dataclass(frozen=True, slots=True)
class ErrorHistogram:
    """How |error| / tolerance is spread over the weights of one layer.

    Attributes
    ----------
    name : str
        Of the layer.
    edges : float64 (b + 1,)
        Ends of the bins, ascending.
    shares : float64 (b,)
        Share of the weights in each bin.
    weights : int
        Number of weights.
    """

    name: str
    edges: FloatArray
    shares: FloatArray
    weights: int


def draw_errors(histograms: Sequence[ErrorHistogram], ax: Axes) -> list[Any]:
    """Draw the layers' histograms as outlines over each other; the tolerance is at 1.

    Parameters
    ----------
    histograms : sequence of ErrorHistogram
    ax : Axes

    Returns
    -------
    list of artists
    """
    artists: list[Any] = []
    for number, histogram in enumerate(histograms):
        colour = COLOURS[number % len(COLOURS)]
        label = f"{histogram.name} ({histogram.weights} errors)"
        artists.append(ax.stairs(histogram.shares, histogram.edges, color=colour, label=label, linewidth=1.3))
        artists.append(ax.stairs(histogram.shares, histogram.edges, color=colour, fill=True, alpha=0.15))
    artists.append(ax.axvline(1.0, color="black", linewidth=1.0, linestyle=(0, (4, 2))))
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("|error of a weight| / tolerance of its layer")
    ax.set_ylabel("share of weights")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.2)
    return artists
