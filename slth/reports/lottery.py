"""The pictures of a study as files, and its tables as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from slth.baselines.compared import Row, gap_table, side_by_side
from slth.baselines.lottery import curves, runs
from slth.baselines.results import Finished
from slth.plots.lottery import draw_curves, draw_gap, draw_side_by_side
from slth.reports.figures import render

PANELS = ("stop_test", "stop_iteration", "stop_train", "final_loss")
COLUMNS = (
    "method",
    "network",
    "source parameters",
    "ticket parameters",
    "density",
    "accuracy %",
    "accuracy low",
    "accuracy high",
    "agreement %",
    "agreement low",
    "agreement high",
    "certified eps",
    "proved %",
    "seconds",
)


def lottery_figure(study: Sequence[Finished], run: str, *, kind: str = "svg") -> bytes:
    """Accuracy and early-stopping step against weights remaining; training accuracy and loss below."""
    arms = curves(study, run)

    def draw(ax: Any) -> None:
        panels = _panels(ax, 2, 2)
        for place, (name, panel) in enumerate(zip(PANELS, panels, strict=True)):
            draw_curves(arms, name, panel, legend=place == 0)
            if name.endswith(("test", "train")):
                least = min((float(c.stop_test.mean(axis=1).min()) for c in arms.values()), default=0.0)
                panel.set_ylim(max(0.0, least - 3.0), 100.6)
            if name == "final_loss":
                panel.set_yscale("log")

    return render(draw, kind=kind, size=(8.4, 6.4), name=_slug(run), title=None)


def compare_figure(study: Sequence[Finished], *, kind: str = "svg") -> bytes:
    """Every method at every density, side by side."""
    rows = side_by_side(study)
    chosen: dict[str, str] = {}
    for method in {row.method for row in rows}:
        # the network that a method was measured on at most densities, the largest of equals
        names = [row.network for row in rows if row.method == method and not row.network.startswith("conv")]
        chosen[method] = max(names, key=lambda name: (names.count(name), len(name), name), default="")
    shown = [
        row
        for row in rows
        if row.certified is not None
        or row.network == chosen[row.method]
        or (row.ticket == row.source and row.network in chosen.values())
    ]
    return render(lambda ax: draw_side_by_side(shown, ax), kind=kind, size=(6.6, 5.6), name="compare")


def gap_figure(study: Sequence[Finished], *, kind: str = "svg") -> bytes:
    """What exists and what edge-popup finds, on both families of tiny tasks."""
    rows = gap_table(study)

    def draw(ax: Any) -> None:
        for family, panel in zip(("weight", "neuron"), _panels(ax, 1, 2), strict=True):
            draw_gap(rows, family, panel)
            panel.set_title({"weight": "one weight", "neuron": "one neuron, two inputs"}[family], loc="left")

    return render(draw, kind=kind, size=(8.4, 3.4), name="gap")


def pictures(study: Sequence[Finished], kind: str = "svg") -> dict[str, Callable[[], bytes]]:
    """File name -> what draws it, for all pictures of a study."""
    found: dict[str, Callable[[], bytes]] = {f"compare.{kind}": lambda: compare_figure(study, kind=kind)}
    for run in runs(study):
        found[f"{_slug(run)}.{kind}"] = partial(lottery_figure, study, run, kind=kind)
    if gap_table(study):
        found[f"gap.{kind}"] = lambda: gap_figure(study, kind=kind)
    return found


def cells_of(row: Row) -> list[Any]:
    """A row of the side-by-side table under `COLUMNS`."""
    return [
        row.method,
        row.network,
        row.source,
        row.ticket,
        row.density,
        row.accuracy.mean,
        row.accuracy.low,
        row.accuracy.high,
        row.agreement.mean,
        row.agreement.low,
        row.agreement.high,
        row.certified,
        row.proved,
        row.seconds,
    ]


def table_text(rows: Sequence[Row], *, seconds: bool = True) -> str:
    """The side-by-side table as CSV; without `seconds` it is the same whenever and wherever it was measured."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    width = len(COLUMNS) - (not seconds)
    writer.writerow(COLUMNS[:width])
    for row in rows:
        writer.writerow(["" if value is None else value for value in cells_of(row)[:width]])
    return out.getvalue()


def _slug(run: str) -> str:
    return "lottery-" + run.replace(", ", "-").replace(":", "-").replace(" ", "")


def _panels(ax: Any, rows: int, columns: int) -> list[Any]:
    """Replace one pair of axes by a grid of them."""
    figure = ax.figure
    ax.remove()
    return list(figure.subplots(rows, columns, squeeze=False).ravel())
