"""The picture of a verification: the exact interval of the hits against the claimed probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from slth.experiments.rounding import lower, upper
from slth.plots.look import BLUE, GREEN, QUIET, RED

COLOURS = {"verified": GREEN, "refuted": RED, "undecided": QUIET, None: BLUE}


def draw_verification(summary: Mapping[str, Any], ax: Axes) -> list[Any]:
    """Draw `Verification.summary()`: a bar for the interval, a dot for the estimate, a line for the claim.

    Parameters
    ----------
    summary : mapping
        Needs estimate, low, high, hits, trials, confidence, verdict, claim (name and probability, or None).
    ax : Axes

    Returns
    -------
    list of artists
    """
    colour = COLOURS[summary["verdict"]]
    confidence = f"{100 * summary['confidence']:g} % exact"
    artists: list[Any] = [
        ax.hlines(0.0, summary["low"], summary["high"], color=colour, linewidth=7, alpha=0.35),
        *ax.plot(summary["estimate"], 0.0, "o", color=colour, markersize=6),
        ax.annotate(
            f"{summary['hits']}/{summary['trials']} hits\n"
            f"{summary['estimate']:.4g} [{lower(summary['low'])}, {upper(summary['high'])}] {confidence}",
            (summary["estimate"], 0.0),
            xytext=(0, 14),
            textcoords="offset points",
            ha="right" if summary["estimate"] > 0.7 else "left" if summary["estimate"] < 0.3 else "center",
            fontsize=8,
        ),
    ]
    claim = summary["claim"]
    if claim is not None and claim["probability"] is not None:
        probability = claim["probability"]
        artists += [
            ax.axvline(probability, color="black", linewidth=1.2, linestyle=(0, (4, 2))),
            ax.annotate(
                f"{claim['title']}: P \u2265 {lower(probability)}",
                (probability, -0.62),
                xytext=(-5 if probability > 0.5 else 5, 0),
                textcoords="offset points",
                ha="right" if probability > 0.5 else "left",
                fontsize=8,
            ),
        ]
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-1.0, 1.2)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("probability of a hit")
    return artists
