"""The pictures of a study draw the numbers they are given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from slth.baselines.compared import GapRow, Row
from slth.baselines.lottery import Curve
from slth.baselines.magnitude import RANDOM, WINNING
from slth.baselines.results import Interval
from slth.plots.lottery import draw_curves, draw_gap, draw_side_by_side


def curve(arm: str, shift: float) -> Curve:
    values = np.array([[95.0, 97.0], [94.0, 98.0], [90.0, 91.0]]) - shift
    return Curve(
        arm,
        (0, 1),
        (0, 1, 2),
        np.array([1.0, 0.5, 0.1]),
        600,
        3 * values,
        values,
        values,
        values,
        values,
        values,
    )


@pytest.mark.parametrize(("name", "factor"), [("stop_test", 1), ("stop_iteration", 3)])
def test_curves(name: str, factor: int) -> None:
    ax = Figure().add_subplot()
    artists = draw_curves({WINNING: curve(WINNING, 0), RANDOM: curve(RANDOM, 5)}, name, ax)
    line, band, *rest = artists
    assert line.get_xdata().tolist() == [100.0, 50.0, 10.0]
    assert line.get_ydata().tolist() == [96.0 * factor, 96.0 * factor, 90.5 * factor]
    corners = band.get_paths()[0].vertices[:, 1]
    assert (corners.min(), corners.max()) == (90.0 * factor, 98.0 * factor)
    assert len(rest) == (3 if name == "stop_iteration" else 2)
    assert ax.get_xlim()[0] > ax.get_xlim()[1] > 0  # all weights on the left
    legend = ax.get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[:2] == ["winning ticket (iterative)", "random mask"]


def test_side_by_side() -> None:
    def row(method: str, density: float, mean: float, certified: float | None = None) -> Row:
        found = Interval(mean, mean - 2.0, mean + 1.0, 3)
        return Row(method, "n", 100, round(100 * density), density, found, found, certified, None, 1.0)

    ax = Figure().add_subplot()
    rows = [
        row("IMP ticket", 0.5, 97.0),
        row("IMP ticket", 0.1, 90.0),
        row("constructed ticket", 0.02, 97.0, 0.5),
    ]
    artists = draw_side_by_side(rows, ax)
    assert [a.get_label() for a in artists] == [
        "IMP ticket (weights trained)",
        "constructed ticket (certified)",
    ]
    line, _, (bars,) = artists[0]
    assert line.get_xdata().tolist() == [50.0, 10.0]
    assert line.get_ydata().tolist() == pytest.approx([3.0, 10.0])
    assert bars.get_segments()[1][:, 1].tolist() == pytest.approx([9.0, 12.0])


def test_gap() -> None:
    span = (1e-3, 1e-4, 1e-2)
    rows = [GapRow("weight", n, 10, 5, span, span, span, span, span) for n in (4, 8)]
    ax = Figure().add_subplot()
    artists = draw_gap([*rows, GapRow("neuron", 4, 10, 5, span, span, span, span, span)], "weight", ax)
    assert artists[0].get_xdata().tolist() == [4, 8]
    assert artists[0].get_ydata().tolist() == [1e-3, 1e-3]
    assert len(artists) == 8
