"""The figure of the law of n: what is drawn, repeated bytes, the command; measured densities."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from slth.cli import app
from slth.errors import InvalidInput
from slth.experiments.spec import parse_spec
from slth.experiments.sweep import run_sweep
from slth.plots.thresholds import draw_law_of_n
from slth.reports.density import density_figure, with_measured
from slth.reports.law_of_n import law_of_n_figure, measured_points, measured_slopes, panels
from slth.theory.frontier import density_table

TEXT = """
trials = 1000
block = { trials = 1000 }
[[grid]]
event = "closest"
law = ["uniform", "normal"]
n = { from = 4, to = 24, step = 2 }
gamma = [0.5]
[[grid]]
event = "radius"
n = { from = 4, to = 18, step = 2 }
gamma = [0.5]
range = [1.0]
"""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("law") / "a.sqlite"
    run_sweep(parse_spec(TEXT), path)
    return path


def test_points_are_drawn_where_the_brackets_are(ledger: Path) -> None:
    points = [p for p in measured_points(ledger) if (p.event, p.law) == ("hit", "uniform")]
    summaries = [p.summary() for p in points]
    ax = Figure().add_subplot()
    line, _, *bars = draw_law_of_n(summaries, ax)
    assert line.get_xdata()[-1] == line.get_ydata()[-1]
    assert len(bars) == len({p.probability for p in points})
    drawn = sorted(y for bar in bars for y in bar.lines[0].get_ydata())
    assert drawn == pytest.approx(sorted(0.5 * (p.y[0] + p.y[1]) for p in points))
    assert "uniform, \u221ak, P = 1/2" in [bar.get_label() for bar in bars]
    legend = ax.get_legend()
    assert legend is not None
    words = [text.get_text() for text in legend.get_texts()]
    assert words[2:] == ["uniform, \u221ak", "P = 1/2", "P = 0.99", "P = 1 \u2212 \u03b5"][: len(words) - 2]
    # the legend has the upper third for itself
    assert ax.get_ylim()[1] == pytest.approx(1.5 * max(p.y[1] for p in points))


def test_families_share_a_panel(ledger: Path) -> None:
    points = measured_points(ledger)
    halves = [p for p in points if p.law == "uniform" and p.probability == 0.5]
    others = [replace(p, family="k=3") for p in halves]
    chosen = dict(panels([*points, *others]))
    assert {p.family for p in chosen["hit, k/n=0.5"]} == {"k/n=0.5"}
    mixed = [*chosen["hit, k/n, uniform, P = 1/2"], *chosen["hit, fixed k, uniform, P = 1/2"]]
    assert {p.family for p in mixed} == {"k/n=0.5", "k=3"}
    assert {(p.event, p.law, p.probability) for p in mixed} == {("hit", "uniform", 0.5)}
    ax = Figure().add_subplot()
    *_, first, second = draw_law_of_n([p.summary() for p in mixed], ax)
    assert {first.get_label(), second.get_label()} == {"k/n=0.5", "k=3"}
    assert first.lines[0].get_color() != second.lines[0].get_color()


def test_slopes_are_near_one(ledger: Path) -> None:
    bands = {
        (s.points[0].event, s.points[0].law): s
        for s in measured_slopes(measured_points(ledger))
        if s.points[0].probability == 0.5
    }
    for key in (("hit", "uniform"), ("hit", "normal")):
        assert bands[key].whole[0] < 1.1
        assert bands[key].whole[1] > 0.8


def test_figure_repeats_byte_for_byte(ledger: Path) -> None:
    points = measured_points(ledger)
    first = law_of_n_figure(points, kind="svg")
    assert first == law_of_n_figure(points, kind="svg")
    assert b"<svg" in first
    assert law_of_n_figure(points, kind="png").startswith(b"\x89PNG")


def test_command(ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, table = tmp_path / "law.svg", tmp_path / "law.json"
    arguments = ["figure", "law-of-n", "--out", str(out), "--table", str(table), "--ledger", str(ledger)]
    assert app.run(arguments) == 0
    text = capsys.readouterr().out
    assert "squared law" in text
    assert "k/n=0.5" in text
    content = json.loads(table.read_text())
    assert content["points"]
    assert content["slopes"]
    assert app.run(arguments) == 2
    assert app.run([*arguments, "--force", "--json"]) == 0
    capsys.readouterr()
    bad = [*arguments, "--force"]
    bad[bad.index(str(table))] = str(tmp_path / "law.csv")
    assert app.run(bad) == 2
    assert "`table` must end in .json" in capsys.readouterr().err


def test_a_ledger_without_thresholds(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    run_sweep(parse_spec('trials=10\n[[grid]]\nevent="closest"\nn=[6]\nk=[3]'), path)
    with pytest.raises(InvalidInput, match="`ledger` must hold several n on both sides of a threshold"):
        measured_points(path)


def test_the_density_figure_shows_what_the_ledger_decides(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    text = 'trials=200\n[[grid]]\nevent="radius"\nlaw=["product"]\nn=[4,6,9,13,20,30]\nk=[3]\nrange=[1.0]'
    run_sweep(parse_spec(text), path)
    curves = density_table(10.0, 0.3, gammas=(0.5, 0.1))
    found = with_measured(curves, path)
    rows = found.rows("measured", "subset")
    assert len(rows) == 2
    assert len(found) == len(curves) + 2
    low, high = rows.column("n")
    assert 4 < low <= high <= 30
    assert rows.column("gamma").tolist() == [3 / low, 3 / high]
    assert rows.column("overparameterization").tolist() == [4 * low, 4 * high]
    # a ledger decides at large tolerances only
    assert len(with_measured(density_table(1e5, 1e-5, gammas=(0.5,)), path).rows("theorem-3")) > 0
    assert ("measured", "subset") not in with_measured(density_table(1e5, 1e-5, gammas=(0.5,)), path).curves
    assert density_figure(found, kind="svg") == density_figure(found, kind="svg")
