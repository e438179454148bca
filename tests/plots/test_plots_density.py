"""The density figure draws its table and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from slth.plots.density import LINES, MEASUREMENTS, POINTS, draw_density
from slth.theory.frontier import density_table
from slth.theory.table import COLUMNS, Table


def table(rows: list[tuple[str, str, float, float, float]]) -> Table:
    columns = {
        "curve": [r[0] for r in rows],
        "variant": [r[1] for r in rows],
        "gamma": [r[2] for r in rows],
        "overparameterization": [r[3] for r in rows],
        "k": [r[4] for r in rows],
        "n": [np.nan] * len(rows),
        "note": [""] * len(rows),
    }
    assert set(columns) == set(COLUMNS)
    return Table(columns, {"m_t": 100.0, "eps": 0.1})


ROWS = [
    ("theorem-3", "one", 0.1, 1e3, 5.0),
    ("theorem-3", "one", 0.01, 1e4, 6.0),
    ("theorem-3", "2.5", 0.01, 2e4, 6.0),
    ("lower-bound", "norm-1", 0.1, 10.0, 7.0),
    ("sharp", "sign-matched", 0.01, 400.0, 2.0),
    ("sharp", "sign-matched", 0.02, 300.0, 3.0),
    ("sharp", "sign-matched", 0.03, 250.0, 5.0),
    ("malach", "", 1e-6, 1e6, np.nan),
    ("pensia", "theorem", 0.5, 200.0, np.nan),
    ("ticket", "mine", 0.05, 300.0, np.nan),
    ("ticket-paper-count", "mine", 0.09, 300.0, np.nan),
]


def legend(ax: object) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[attr-defined]


def test_draws_every_row() -> None:
    ax = Figure().add_subplot()
    draw_density(table(ROWS), ax)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    labels = legend(ax)
    assert labels == [
        "Theorem 3, c_amp = 1",
        "prediction, sign-matched",
        "Theorem 5 (lower bound), norm 1",
        "Theorem 3, c_amp = 2.5",
        "Malach et al. 2020",
        "Pensia et al. 2020, C = 3",
        "mine",
    ]
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert lines["Theorem 3, c_amp = 1"].get_xdata().tolist() == [0.1, 0.01]
    assert lines["Theorem 3, c_amp = 1"].get_ydata().tolist() == [1e3, 1e4]
    assert lines["mine"].get_xdata().tolist() == [0.05]
    # the thin line to the paper's count
    assert any(
        line.get_xdata().tolist() == [0.05, 0.09] for line in ax.get_lines() if len(line.get_xdata()) == 2
    )
    assert [text.get_text() for text in ax.texts] == ["k=2", "k=3"]


def test_a_window_hides_what_lies_outside() -> None:
    ax = Figure().add_subplot()
    draw_density(table(ROWS), ax, window=((1e-3, 1.0), (1.0, 1e5)))
    assert "Malach et al. 2020" not in legend(ax)
    assert "mine" in legend(ax)
    assert ax.get_xlim() == (1e-3, 1.0)


def test_measurements_are_bars_between_the_ends_of_their_intervals() -> None:
    measured = [
        ("measured", "subset", 0.1, 100.0, 3.0),
        ("measured", "subset", 0.05, 200.0, 3.0),
        ("measured", "one-per-block", 0.5, 80.0, 10.0),
        ("measured", "one-per-block", 0.5, 120.0, 15.0),
    ]
    ax = Figure().add_subplot()
    artists = draw_density(table([*ROWS, *measured]), ax)
    bars = [line.get_xydata().tolist() for line in ax.get_lines() if line.get_linewidth() == 1.8]
    assert bars == [[[0.1, 100.0], [0.05, 200.0]], [[0.5, 80.0], [0.5, 120.0]]]
    names = [label for label, *_ in MEASUREMENTS.values()]
    assert set(names) <= set(legend(ax))
    assert all("P = 1/2" in label or "the same" in label for label in names)
    assert len(artists) == len(draw_density(table(ROWS), Figure().add_subplot())) + 4
    draw_density(table([*ROWS, *measured]), ax := Figure().add_subplot(), window=((1e-3, 1.0), (1e4, 1e5)))
    assert not set(names) & set(legend(ax))


def test_every_curve_of_the_theory_has_a_look() -> None:
    whole = density_table(10.0, 0.3, gammas=(0.5, 0.1))
    assert set(whole.curves) <= set(LINES) | set(POINTS)


def test_without_predictions_and_tickets() -> None:
    ax = Figure().add_subplot()
    assert len(draw_density(table(ROWS[:2]), ax)) == 1


def test_neighbouring_lines_differ_in_more_than_colour() -> None:
    looks = [(colour, str(dash)) for _, colour, dash in LINES.values()]
    assert len(looks) == len(set(looks))
    for name in ("theorem-3", "lower-bound"):
        dashes = [str(dash) for (curve, _), (_, _, dash) in LINES.items() if curve == name]
        assert len(dashes) == len(set(dashes))


@pytest.mark.parametrize("label", [label for label, *_ in LINES.values()])
def test_legends_name_the_theorem_or_say_prediction(label: str) -> None:
    assert label.startswith(("Theorem ", "prediction"))
