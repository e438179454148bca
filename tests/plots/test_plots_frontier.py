"""The frontier figure draws its rows and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from slth.errors import InvalidInput
from slth.experiments.frontier_rows import FrontierRow
from slth.plots.frontier import LINES, draw_frontier
from slth.reports.frontier import frontier_figure, series_of


def row(target: str = "a", density: float = 0.1, **changes: object) -> FrontierRow:
    values: dict[str, object] = {
        "target": target,
        "domain": "box:0:1",
        "eps": 0.1,
        "relative_eps": 0.01,
        "density": density,
        "arrangement": "auto",
        "search": "within",
        "budget": "certificate",
        "window": 0,
        "law": "uniform",
        "arrangements": ("assigned",),
        "copies": (10,),
        "k": (2,),
        "certified": 5,
        "trials": 10,
        "low": 0.2,
        "high": 0.8,
        "m": 1000,
        "m_t": 10,
        "kept": 50,
        "overparameterization": 100.0,
        "gamma": density / 2,
        "m_low": 80.0,
        "m_high": 130.0,
        "m_least": 90.0,
        "bound": 0.09,
        "lower_estimate": 0.04,
        "predicted": 95.0,
        "theorem_3": 5000.0,
        "theorem_3_at_gamma": 5500.0,
        "family_bound": 20.0,
        "bits_at_tolerance": 8.0,
        "code": None,
        "seed": 1,
        "trial": 0,
        "sizes": (),
        **changes,
    }
    return FrontierRow(**values)  # type: ignore[arg-type]


def test_lines_and_bars_are_the_rows() -> None:
    rows = [row(density=0.4, overparameterization=60.0, m_low=50.0, m_high=None), row(density=0.1)]
    ax = Figure().add_subplot()
    *lines, bars = draw_frontier({"a": rows}, ax)
    assert len(lines) == len(LINES)
    for line, column in zip(lines, LINES, strict=True):
        assert line.get_xdata() == pytest.approx([0.05, 0.2])
        assert line.get_ydata() == pytest.approx([getattr(r, column) for r in rows[::-1]])
    points, _, (segments,) = bars
    assert points.get_ydata() == pytest.approx([100.0, 60.0])
    ends = [segment[:, 1] for segment in segments.get_segments()]
    np.testing.assert_allclose(ends, [[80.0, 130.0], [50.0, 60.0]])  # an open end has an arrow instead
    arrows = [line for line in ax.get_lines() if line.get_marker() == "^"]
    assert sum(len(line.get_xdata()) for line in arrows) == 1  # type: ignore[arg-type]


def test_what_theory_does_not_say_has_no_line() -> None:
    ax = Figure().add_subplot()
    artists = draw_frontier(
        {"a": [row(theorem_3=None, theorem_3_at_gamma=None, family_bound=None, predicted=None)]}, ax
    )
    assert len(artists) == 1


def test_series_are_named_by_what_differs() -> None:
    assert list(series_of([row("a"), row("a", 0.2)])) == ["a"]
    found = series_of([row("a"), row("a", domain="box:-1:1"), row("b")])
    assert list(found) == ["a, box:0:1", "a, box:-1:1", "b, box:0:1"]
    assert list(series_of([row("a"), row("a", eps=0.2, relative_eps=0.02)])) == [
        "a, relative eps 0.01",
        "a, relative eps 0.02",
    ]


def test_the_same_rows_give_the_same_bytes() -> None:
    rows = [row("a"), row("b", 0.3)]
    picture = frontier_figure(rows)
    assert picture == frontier_figure(rows)
    assert picture != frontier_figure([row("a", m_high=140.0), row("b", 0.3)])
    assert frontier_figure(rows, kind="png").startswith(b"\x89PNG")


def test_nothing_to_draw() -> None:
    with pytest.raises(InvalidInput, match="`ledger` must hold a finished density"):
        frontier_figure([])
