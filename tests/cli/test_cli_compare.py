"""`slth compare` end to end, on a study of seconds and on the one that is shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slth.cli import app
from slth.cli.inputs import parse_shard
from slth.errors import InvalidInput


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = app.run([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_shipped_study_is_shown_and_repeats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    code, out, err = run(capsys, "compare", "show", "--out", folder)
    assert (code, err) == (0, "")
    for words in ("IMP ticket", "edge-popup, signed-constant", "constructed ticket", "% proved", "none"):
        assert words in out
    first = {item.name: item.read_bytes() for item in folder.iterdir()}
    assert {"compare.csv", "compare.svg", "gap.svg", "lottery-300-100-600steps.svg"} <= set(first)
    code, _, err = run(capsys, "compare", "show", "--out", folder)
    assert code == 2
    assert "exists already" in err
    assert run(capsys, "compare", "show", "--out", folder, "--force")[0] == 0
    assert {item.name: item.read_bytes() for item in folder.iterdir()} == first


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "compare", "show", "--json")
    record: dict[str, Any] = json.loads(out)
    assert code == 0
    assert record["schema"] == "slth/compare-show/1"
    certified = {row["method"] for row in record["rows"] if row["certified"] is not None}
    assert certified == {"constructed ticket"}
    assert record["masks"]["searches"] == record["masks"]["unchanged"] == record["masks"]["exact"] > 0
    assert len({claim["statement"] for claim in record["claims"]}) >= 6


def test_run_resume_and_merge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from slth.baselines import study

    short = [cell for cell in study.quick_cells() if cell.method in ("edge-popup", "gap")]
    monkeypatch.setitem(study.STUDIES, "quick", lambda: short)
    parts = [tmp_path / "1.sqlite", tmp_path / "2.sqlite"]
    for number, part in enumerate(parts, 1):
        code, out, _ = run(
            capsys, "compare", "run", "--study", "quick", "--out", part, "--shard", f"{number}/2"
        )
        assert (code, out) == (0, f"2 of 2 cells in {part}\n")
    whole = tmp_path / "whole.sqlite"
    code, out, _ = run(capsys, "compare", "merge", whole, *parts)
    assert (code, out) == (0, f"4 new cells in {whole}\n")
    code, out, err = run(capsys, "compare", "run", "--study", "quick", "--out", whole, "--json")
    assert (code, json.loads(out)["cells_done"], err) == (0, 4, "")
    code, out, _ = run(capsys, "compare", "show", whole)
    assert code == 0
    assert "2 searches over frozen weights: 2 left them unchanged" in out


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "compare", "show", tmp_path / "none.sqlite")
    assert code == 2
    assert "`ledger` must be an existing file" in err
    assert parse_shard(None) is None
    assert parse_shard("2/8") == (2, 8)
    for text in ("2", "a/b", "1/2/3", "-1/2"):
        with pytest.raises(InvalidInput, match="`--shard` must be i/n"):
            parse_shard(text)
