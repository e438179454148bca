"""Outputs are whole or absent, and nothing that is not ours is ever replaced."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from slth.errors import InvalidInput, OutputExists
from slth.reports.outputs import REPORT_SCHEMA, new_folder, refuse_existing, write_file


def report(path: Path, text: str) -> None:
    path.mkdir()
    (path / "summary.json").write_text(json.dumps({"schema": REPORT_SCHEMA}))
    (path / "old.txt").write_text(text)


def test_folder_appears_at_the_end(tmp_path: Path) -> None:
    place = tmp_path / "report"
    with new_folder(place) as partial:
        (partial / "a").write_text("a")
        assert not place.exists()
    assert [item.name for item in tmp_path.iterdir()] == ["report"]
    assert (place / "a").read_text() == "a"


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("overwrite", [False, True])
def test_failure_leaves_nothing_new(tmp_path: Path, kind: type[BaseException], overwrite: bool) -> None:
    place = tmp_path / "report"
    if overwrite:
        report(place, "kept")

    def write() -> None:
        with new_folder(place, overwrite=overwrite) as partial:
            (partial / "a").write_text("a")
            raise kind("stop")

    with pytest.raises(kind, match="stop"):
        write()
    assert [item.name for item in tmp_path.iterdir()] == (["report"] if overwrite else [])
    if overwrite:
        assert (place / "old.txt").read_text() == "kept"


def test_overwrite_replaces_a_whole_report(tmp_path: Path) -> None:
    place = tmp_path / "report"
    report(place, "old")
    with new_folder(place, overwrite=True) as partial:
        (partial / "new.txt").write_text("new")
    assert [item.name for item in tmp_path.iterdir()] == ["report"]
    assert [item.name for item in place.iterdir()] == ["new.txt"]


def test_refusals(tmp_path: Path) -> None:
    place = tmp_path / "report"
    report(place, "old")
    with pytest.raises(OutputExists, match=r"report exists already. Remove it or choose another place"):
        refuse_existing(place)
    precious = tmp_path / "home"
    precious.mkdir()
    with pytest.raises(OutputExists, match="is not a report of slth, so it is not replaced"):
        refuse_existing(precious, overwrite=True, folder=True)
    with pytest.raises(OutputExists, match="is not a file, so it is not replaced"):
        refuse_existing(precious, overwrite=True)
    with pytest.raises(InvalidInput, match=r"the folder .*absent must exist to write x"):
        refuse_existing(tmp_path / "absent" / "x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExists, match="exists already"):
        refuse_existing(tmp_path / "dangling")


def test_files(tmp_path: Path) -> None:
    place = tmp_path / "a.svg"
    write_file(place, b"one")
    with pytest.raises(OutputExists, match="exists already"):
        write_file(place, b"two")
    write_file(place, b"two", overwrite=True)
    assert place.read_bytes() == b"two"
    assert [item.name for item in tmp_path.iterdir()] == ["a.svg"]


def test_relative_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with new_folder(Path("report")) as partial:
        (partial / "a").write_text("a")
    assert os.listdir() == ["report"]
