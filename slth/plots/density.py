"""The density figure: random parameters per target parameter against the density of the ticket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes

from slth._typing import FloatArray
from slth.plots.look import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, RED, SKY

# (colour, line style, width) of each kind of curve: kinds differ in dash as well as in colour
CURVES: dict[str, tuple[str, Any, float]] = {
    "theorem": (BLUE, "-", 1.8),
    "prediction": (GREEN, "-", 1.8),
    "prediction-paper": (SKY, (0, (5, 1.5)), 1.5),
    "lower": (RED, (0, (4, 1.5, 1, 1.5)), 1.5),
    "lower-printed": (ORANGE, (0, (1.5, 1.5)), 1.5),
}
POINTS: dict[str, tuple[str, str]] = {"malach": (PURPLE, "s"), "pensia": (INK, "^")}
TICKETS = ("D", "o", "v", "P", "X")


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve of the figure; entries that are nan are gaps.

    Attributes
    ----------
    kind : str
        A key of `CURVES`.
    label : str
        For the legend; names the theorem.
    density, overparameterization : float64 (p,)
        gamma and m/m_t.
    """

    kind: str
    label: str
    density: FloatArray
    overparameterization: FloatArray


@dataclass(frozen=True, slots=True)
class Point:
    """A single result of the literature; `kind` is a key of `POINTS`."""

    kind: str
    label: str
    density: float
    overparameterization: float


@dataclass(frozen=True, slots=True)
class SizeMarks:
    """Where a curve has subsets of exactly k elements: short ticks with the number k."""

    k: tuple[int, ...]
    density: FloatArray
    overparameterization: FloatArray


@dataclass(frozen=True, slots=True)
class MeasuredTicket:
    """A ticket: kept/total, and the density by the paper's count, which counts with multiplicity."""

    label: str
    density: float
    paper_density: float
    overparameterization: float


@dataclass(frozen=True, slots=True)
class DensityTable:
    """All that the figure shows.

    Attributes
    ----------
    curves, points, tickets : tuples
    marks : SizeMarks or None
    """

    curves: tuple[Curve, ...]
    points: tuple[Point, ...] = ()
    tickets: tuple[MeasuredTicket, ...] = ()
    marks: SizeMarks | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def draw_density(table: DensityTable, ax: Axes) -> list[Any]:
    """Draw a density table on logarithmic axes.

    Parameters
    ----------
    table : DensityTable
    ax : Axes

    Returns
    -------
    list of artists
        In the order curves, marks, points, tickets.
    """
    ax.set_xscale("log")
    ax.set_yscale("log")
    artists: list[Any] = []
    for curve in table.curves:
        colour, dash, width = CURVES[curve.kind]
        artists += ax.plot(
            curve.density,
            curve.overparameterization,
            color=colour,
            linestyle=dash,
            linewidth=width,
            label=curve.label,
        )
    if table.marks is not None:
        artists += _draw_marks(table.marks, ax)
    for point in table.points:
        colour, marker = POINTS[point.kind]
        artists += ax.plot(
            point.density,
            point.overparameterization,
            linestyle="none",
            marker=marker,
            markersize=6.5,
            color=colour,
            label=point.label,
        )
    artists += _draw_tickets(table.tickets, ax)
    ax.set_xlabel("density \u03b3 of the ticket (kept / total)")
    ax.set_ylabel("overparameterisation m / m$_t$")
    ax.grid(visible=True, which="major")
    ax.set_axisbelow(True)
    ax.legend(loc="upper right", framealpha=0.9, frameon=True, edgecolor="none", borderaxespad=0.2)
    return artists


def _draw_marks(marks: SizeMarks, ax: Axes) -> list[Any]:
    colour = CURVES["prediction"][0]
    artists: list[Any] = ax.plot(
        marks.density, marks.overparameterization, linestyle="none", marker="|", markersize=7, color=colour
    )
    for k, x, y in zip(marks.k, marks.density, marks.overparameterization, strict=True):
        artists.append(
            ax.annotate(
                f"k={k}" if k == marks.k[0] else str(k),
                (x, y),
                xytext=(0, -11),
                textcoords="offset points",
                ha="center",
                fontsize=6.5,
                color=colour,
            )
        )
    return artists


def _draw_tickets(tickets: Sequence[MeasuredTicket], ax: Axes) -> list[Any]:
    artists: list[Any] = []
    for number, ticket in enumerate(tickets):
        y = ticket.overparameterization
        artists += ax.plot([ticket.density, ticket.paper_density], [y, y], color=QUIET, linewidth=0.8)
        artists += ax.plot(ticket.paper_density, y, linestyle="none", marker="|", markersize=6, color=QUIET)
        artists += ax.plot(
            ticket.density,
            y,
            linestyle="none",
            marker=TICKETS[number % len(TICKETS)],
            markersize=7,
            markerfacecolor=ORANGE,
            markeredgecolor=INK,
            markeredgewidth=0.9,
            label=ticket.label,
        )
    return artists
