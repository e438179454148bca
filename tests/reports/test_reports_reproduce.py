"""The main job: whole or not at all, and the same for any number of threads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from slth.errors import OutputExists
from slth.reports import reproduce as module
from slth.reports.reproduce import reproduce
from slth.theory.table import Table
from slth.tickets.check import check

FILES = {
    "index.html",
    "summary.json",
    "verification.json",
    "density.csv",
    "density.json",
    "density.svg",
    "density.png",
    "density-near.svg",
    "density-near.png",
    "ticket-lifted",
    "ticket-sign-matched",
    "ticket-paper",
}


@pytest.mark.slow
def test_the_main_job(tmp_path: Path) -> None:
    stages: list[str] = []
    summary = reproduce(tmp_path / "report", progress=lambda stage, _done, _total: stages.append(stage))
    report = tmp_path / "report"
    assert {item.name for item in report.iterdir()} == FILES
    assert summary["exit_code"] == 0
    stored = json.loads((report / "summary.json").read_text())
    assert stored["schema"] == "slth/report/1"
    assert [own["verdict"] for own in stored["verifications"]] == ["verified", "verified"]
    for name, own in stored["tickets"].items():
        assert own["certificate"]["bound"] <= 0.05
        assert own["certificate"]["predictions_proved"] > 1700
        assert check(report / name).bound == own["certificate"]["bound"]
    table = Table.from_json((report / "density.json").read_text())
    assert table.to_csv() == (report / "density.csv").read_text()
    for arrangement in ("lifted", "sign-matched", "paper"):
        measured = table.rows("ticket", f"measured: digits, {arrangement}")
        assert measured.column("gamma")[0] == stored["tickets"][f"ticket-{arrangement}"]["density"]
    index = (report / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="([^"#]+)"', index)
    assert len(links) > 2
    for link in links:
        assert (report / link).exists(), link
    assert not re.search(r"<script|https?://(?!www\.w3\.org/)", index)
    assert any(stage.startswith("prune") for stage in stages)
    assert any(stage.startswith("verify") for stage in stages)

    again = reproduce(report, overwrite=True, threads=1)
    for part in ("tickets", "verifications"):
        assert json.loads(json.dumps(again[part])) == stored[part]
    assert index_without_times((report / "index.html").read_text()) == index_without_times(index)


def index_without_times(text: str) -> str:
    return re.sub(r"(?s)seconds to prune.*?</tr>.*?</tr>|Made in \d+ s", "", text)


def test_refuses_to_overwrite_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> None:
        raise AssertionError

    monkeypatch.setattr(module, "digits", never)
    (tmp_path / "report").mkdir()
    with pytest.raises(OutputExists, match="exists already"):
        reproduce(tmp_path / "report")
    with pytest.raises(OutputExists, match="is not a report of slth"):
        reproduce(tmp_path / "report", overwrite=True)


@pytest.mark.parametrize(("stage", "error"), [("verify", KeyboardInterrupt), ("prune", ValueError)])
def test_a_stopped_run_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: type[BaseException]
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise error("stop")

    monkeypatch.setattr(module, stage, stop)
    with pytest.raises(error, match="stop"):
        reproduce(tmp_path / "report")
    assert list(tmp_path.iterdir()) == []
