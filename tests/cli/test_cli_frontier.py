"""`slth frontier` and `slth figure frontier` end to end."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slth
from slth.cli import app
from slth.experiments.frontier_rows import frontier_rows


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = app.run([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("target")
    rng = np.random.default_rng(3)
    np.savez(folder / "net.npz", weight_1=rng.normal(0, 0.4, (3, 2)), weight_2=rng.normal(0, 0.4, (2, 3)))
    np.save(folder / "inputs.npy", rng.uniform(0, 1, (50, 2)))
    return folder / "net.npz"


def command(target: Path, ledger: Path, *more: object) -> list[object]:
    plain = ["frontier", target, "--out", ledger, "--eps", 0.3, "--trials", 2, "--domain", "box:0:1"]
    return [*plain, "--arrangement", "sign-matched", "--budget", "frobenius", "--density", 0.3, 0.45, *more]


@pytest.fixture(scope="module")
def ledger(target: Path) -> Path:
    path = target.parent / "ledger.sqlite"
    assert app.run([str(a) for a in command(target, path)]) == 0
    return path


def test_run_resume_tickets(target: Path, ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tickets = target.parent / "tickets"
    code, out, err = run(capsys, *command(target, ledger, "--tickets", tickets, "--json"))
    record: dict[str, Any] = json.loads(out)
    assert code == 0
    assert err == ""  # nothing was left to try
    assert record["schema"] == "slth/frontier/1"
    assert [row["density"] for row in record["rows"]] == [0.3, 0.45]
    assert len(record["tickets"]) == 2
    for folder, row in zip(record["tickets"], record["rows"], strict=True):
        assert slth.Ticket.load(folder).parameters == row["m"]
    code, out, _ = run(capsys, *command(target, ledger))
    assert code == 0
    assert "Smallest certified sources found" in out
    assert "Theorem 3" in out
    assert "Bits per target weight" in out


def test_shards_and_merge(target: Path, ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [target.parent / f"{i}.sqlite" for i in (1, 2)]
    for i, part in enumerate(parts, 1):
        code, _, err = run(capsys, *command(target, part, "--shard", f"{i}/2"))
        assert code == 0
        assert "trials/s" in err
    code, out, _ = run(capsys, "frontier", "merge", target.parent / "all.sqlite", *parts)
    assert code == 0
    assert "new trials" in out
    assert frontier_rows(target.parent / "all.sqlite") == frontier_rows(ledger)


def test_relative_eps_is_of_the_largest_output(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = slth.read(target)
    scale = float(np.abs(network.forward(np.load(target.parent / "inputs.npy"))).max())
    path = target.parent / "relative.sqlite"
    more = ("--relative", "--inputs", target.parent / "inputs.npy", "--name", "small", "--json")
    code, out, _ = run(capsys, *command(target, path, *more, "--density", 0.45))
    (row,) = [row for row in json.loads(out)["rows"] if row["density"] == 0.45]
    assert code == 0
    assert row["target"] == "small"
    assert row["eps"] == pytest.approx(0.3 * scale)
    assert row["relative_eps"] == pytest.approx(0.3)


def test_show_and_figure(ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, picture = tmp_path / "table.csv", tmp_path / "picture.svg"
    code, out, _ = run(capsys, "frontier", "show", ledger, "--table", table)
    assert code == 0
    assert str(table) in out
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["density"]) for row in rows] == [0.3, 0.45]
    code, out, _ = run(
        capsys, "figure", "frontier", "--ledger", ledger, "--out", picture, "--table", tmp_path / "t.json"
    )
    assert code == 0
    first = picture.read_bytes()
    assert run(capsys, "figure", "frontier", "--ledger", ledger, "--out", picture, "--force")[0] == 0
    assert picture.read_bytes() == first
    assert len(json.loads((tmp_path / "t.json").read_text())["rows"]) == 2


def test_shipped_ledger_is_shown_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "frontier", "show", "--json")
    rows = json.loads(out)["rows"]
    assert code == 0
    assert {row["target"] for row in rows} >= {"digits"}
    for row in rows:
        assert row["lower_estimate"] <= row["bound"] <= row["eps"]
        assert row["family_bound"] < row["overparameterization"] < row["theorem_3"]
        assert row["m_least"] <= row["overparameterization"]
    assert run(capsys, "figure", "frontier", "--out", tmp_path / "f.png")[0] == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--relative",), "`--relative` must have data"),
        (("--shard", "3/2"), "`shard` must be i/n"),
        (("--share", "0"), "`share` must be"),
    ],
)
def test_refusals(
    target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    code, _, err = run(capsys, *command(target, tmp_path / "x.sqlite", *more))
    assert code == 2
    assert message in err


def test_refusals_of_tables(ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "frontier", "show", ledger, "--table", tmp_path / "t.txt")
    assert code == 2
    assert "`table` must end in .csv or .json" in err
    code, _, err = run(
        capsys, "figure", "frontier", "--ledger", ledger, "--out", tmp_path / "f.svg", "--target", "x"
    )
    assert code == 2
    assert "`--target` must be one of net; got 'x'" in err
