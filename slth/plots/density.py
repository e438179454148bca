"""The density figure: random parameters per target parameter against the density of the ticket."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from slth.plots.look import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, RED, SKY
from slth.theory.table import Table

# (curve, variant) -> label, colour, dash: neighbours differ in dash as well as in colour
LINES: dict[tuple[str, str], tuple[str, str, Any]] = {
    ("theorem-3", "literal"): ("Theorem 3, c_amp from the proof", BLUE, (0, (1, 1.2))),
    ("theorem-3", "one"): ("Theorem 3, c_amp = 1", BLUE, "-"),
    ("theorem-3", "fitted"): ("Theorem 3, c_amp fitted", BLUE, (0, (5, 1.5))),
    ("sharp", "paper"): ("prediction, the paper's arrangement", SKY, (0, (5, 1.5))),
    ("sharp", "sign-matched"): ("prediction, sign-matched", GREEN, "-"),
    ("lower-bound", "printed"): ("Theorem 5 (lower bound), as printed", ORANGE, (0, (1, 1.2))),
    ("lower-bound", "norm-1"): ("Theorem 5 (lower bound), norm 1", RED, (0, (4, 1.5, 1, 1.5))),
}
# (curve, variant) -> label, colour, marker, filled
POINTS: dict[tuple[str, str], tuple[str, str, str, bool]] = {
    ("sharp-one-edge", "w=1/2"): ("one edge per weight, |w| \u2264 1/2", GREEN, "<", True),
    ("sharp-one-edge", "w=1"): ("one edge per weight, |w| \u2264 1", GREEN, "<", False),
    ("malach", ""): ("Malach et al. 2020", PURPLE, "s", True),
    ("pensia", "theorem"): ("Pensia et al. 2020, C = 3", INK, "^", True),
    ("pensia", "experiment"): ("Pensia et al., their experiment", INK, "^", False),
}
Window = tuple[tuple[float, float], tuple[float, float]]
MARKED_K = (2, 3, 4, 6, 12)
TICKET, PAPER_COUNT = "ticket", "ticket-paper-count"
MEASURED = "measured"
# selection -> label, colour, marker
MEASUREMENTS: dict[str, tuple[str, str, str]] = {
    "subset": ("measured, k of n: [\u22121, 1] covered with P = 1/2", GREEN, "o"),
    "one-per-block": ("measured, one of each n/k: the same", PURPLE, "s"),
}
TICKET_MARKERS = ("D", "o", "v", "P", "X")


def draw_density(table: Table, ax: Axes, *, window: Window | None = None) -> list[Any]:
    """Draw a density table on logarithmic axes.

    Parameters
    ----------
    table : Table
        As `slth.theory.frontier.density_table` makes it. Rows of a curve "ticket" are measured tickets at
        kept / total; a row "ticket-paper-count" of the same variant is joined to it by a thin line. Rows of a
        curve "measured" come in pairs, the ends of an interval.
    ax : Axes
    window : ((x low, x high), (y low, y high)), optional
        Part to show. Default: all of it.

    Returns
    -------
    list of artists
        Lines, then marks of subset sizes, points, measurements and tickets.
    """
    ax.set_xscale("log")
    ax.set_yscale("log")
    artists: list[Any] = []
    for curve, variant in _ordered(table):
        if _visible(table.rows(curve, variant), window):
            artists += _draw_line(table, curve, variant, ax)
    artists += _draw_covered(table, ax, window)
    artists += _draw_sizes(table, ax)
    for curve, variant in table.curves:
        if (curve, variant) in POINTS and _visible(table.rows(curve, variant), window):
            artists += _draw_point(table, curve, variant, ax)
    artists += _draw_measured(table, ax, window)
    artists += _draw_tickets(table, ax)
    ax.set_xlabel("density \u03b3 of the ticket (kept / total)")
    ax.set_ylabel("overparameterisation m / m$_t$")
    ax.grid(visible=True, which="major")
    ax.set_axisbelow(True)
    ax.legend(loc="upper center", bbox_to_anchor=(0.47, -0.13), ncols=2, columnspacing=2.0, handlelength=2.6)
    if window is not None:
        ax.set_xlim(window[0])
        ax.set_ylim(window[1])
    return artists


def _visible(rows: Table, window: Window | None) -> bool:
    """Whether some point lies in the window: what does not needs no line in the legend."""
    if window is None:
        return True
    x, y = rows.column("gamma"), rows.column("overparameterization")
    (left, right), (low, high) = window
    return bool(((left <= x) & (x <= right) & (low <= y) & (y <= high)).any())


def _ordered(table: Table) -> list[tuple[str, str]]:
    """Lines in the order of the legend: known ones first, then other constants of Theorem 3."""
    present = table.curves
    return [pair for pair in LINES if pair in present] + [
        (curve, variant) for curve, variant in present if curve == "theorem-3" and (curve, variant) not in LINES
    ]


def _draw_line(table: Table, curve: str, variant: str, ax: Axes) -> list[Any]:
    label, colour, dash = LINES.get((curve, variant), (f"Theorem 3, c_amp = {variant}", BLUE, "-"))
    rows = table.rows(curve, variant)
    return ax.plot(
        rows.column("gamma"), rows.column("overparameterization"), color=colour, linestyle=dash, label=label
    )


def _draw_covered(table: Table, ax: Axes, window: Window | None) -> list[Any]:
    """A wide pale line under Theorem 3 at the densities that its printed proof covers."""
    artists: list[Any] = []
    for variant in [variant for curve, variant in table.curves if curve == "theorem-3"]:
        rows = table.rows("theorem-3", variant)
        covered = [i for i, text in enumerate(rows.columns["note"]) if text.startswith("density covered")]
        if window is not None:
            covered = [i for i in covered if window[0][0] <= rows.column("gamma")[i] <= window[0][1]]
        if covered:
            label = None if artists else "densities covered by the printed proof"
            x, y = rows.column("gamma")[covered], rows.column("overparameterization")[covered]
            artists += ax.plot(x, y, color=BLUE, alpha=0.18, linewidth=7, zorder=1, label=label)
    return artists


def _draw_sizes(table: Table, ax: Axes) -> list[Any]:
    """Short ticks with the number k where the sign-matched prediction keeps exactly k edges per weight."""
    if ("sharp", "sign-matched") not in table.curves:
        return []
    rows = table.rows("sharp", "sign-matched")
    artists: list[Any] = []
    for k, x, y in zip(
        rows.column("k"), rows.column("gamma"), rows.column("overparameterization"), strict=True
    ):
        if int(k) in MARKED_K:
            artists += ax.plot(x, y, linestyle="none", marker="|", markersize=7, color=GREEN)
            artists.append(
                ax.annotate(
                    f"k={int(k)}",
                    (x, y),
                    xytext=(0, -11),
                    textcoords="offset points",
                    ha="center",
                    fontsize=6.5,
                    color=GREEN,
                    annotation_clip=True,
                )
            )
    return artists


def _draw_point(table: Table, curve: str, variant: str, ax: Axes) -> list[Any]:
    label, colour, marker, filled = POINTS[curve, variant]
    rows = table.rows(curve, variant)
    return ax.plot(
        rows.column("gamma"),
        rows.column("overparameterization"),
        linestyle="none",
        marker=marker,
        markersize=6.0,
        markeredgecolor=colour,
        markerfacecolor=colour if filled else "white",
        label=label,
    )


def _draw_measured(table: Table, ax: Axes, window: Window | None) -> list[Any]:
    """Each pair of rows as a bar from the one to the other, with a hollow mark in the middle."""
    artists: list[Any] = []
    for variant in [variant for curve, variant in table.curves if curve == MEASURED]:
        rows = table.rows(MEASURED, variant)
        if not _visible(rows, window):
            continue
        label, colour, marker = MEASUREMENTS[variant]
        x, y = rows.column("gamma"), rows.column("overparameterization")
        for i in range(0, len(rows), 2):
            artists += ax.plot(
                x[i : i + 2], y[i : i + 2], color=colour, linewidth=1.8, solid_capstyle="butt", zorder=4
            )
        artists += ax.plot(
            (x[::2] * x[1::2]) ** 0.5,
            (y[::2] * y[1::2]) ** 0.5,
            linestyle="none",
            marker=marker,
            markersize=4.2,
            markeredgecolor=colour,
            markerfacecolor="white",
            markeredgewidth=1.0,
            zorder=4.5,
            label=label,
        )
    return artists


def _draw_tickets(table: Table, ax: Axes) -> list[Any]:
    artists: list[Any] = []
    names = [variant for curve, variant in table.curves if curve == TICKET]
    for number, name in enumerate(names):
        rows = table.rows(TICKET, name)
        x, y = rows.column("gamma"), rows.column("overparameterization")
        if (PAPER_COUNT, name) in table.curves:
            other = table.rows(PAPER_COUNT, name).column("gamma")
            artists += ax.plot([x[0], other[0]], [y[0], y[0]], color=QUIET, linewidth=0.8)
            artists += ax.plot(other, y, linestyle="none", marker="|", markersize=6, color=QUIET)
        artists += ax.plot(
            x,
            y,
            linestyle="none",
            marker=TICKET_MARKERS[number % len(TICKET_MARKERS)],
            markersize=7,
            markerfacecolor=ORANGE,
            markeredgecolor=INK,
            markeredgewidth=0.9,
            zorder=5,
            label=name,
        )
    return artists
