"""`slth sweep` and `slth estimate` end to end."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from slth.cli import app
from slth.errors import InvalidInput
from slth.experiments.ledger import Ledger

TEXT = """
trials = 100
block = { trials = 25 }
[[grid]]
event = "hit"
n = [10, 12]
k = [3]
eps = [0.01]
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.toml"
    path.write_text(TEXT)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = app.run([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_run_resume_status_export_merge(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [tmp_path / "1.sqlite", tmp_path / "2.sqlite"]
    whole = tmp_path / "whole.sqlite"
    code, out, err = run(capsys, "sweep", "run", spec, "--out", whole)
    assert (code, out) == (0, f"8 of 8 blocks, 200 trials, in {whole}\n")
    assert "sweep: 8 of 8 blocks" in err
    assert "blocks/s" in err
    code, out, err = run(capsys, "sweep", "run", spec, "--out", whole, "--json")
    assert code == 0
    assert err == ""
    assert document(out)["blocks_done"] == 8
    for i, part in enumerate(parts, 1):
        assert run(capsys, "sweep", "run", spec, "--out", part, "--shard", f"{i}/2")[0] == 0
    code, out, _ = run(capsys, "sweep", "status", parts[0], spec)
    assert code == 3
    assert "4 of 8 done" in out
    code, out, _ = run(capsys, "sweep", "merge", tmp_path / "m.sqlite", *parts)
    assert (code, out.split(" in ")[0]) == (0, "8 new blocks")
    code, out, _ = run(capsys, "sweep", "status", tmp_path / "m.sqlite", spec, "--json")
    assert code == 0
    assert document(out)["complete"] is True
    for ledger, name in ((whole, "a.csv"), (tmp_path / "m.sqlite", "b.csv")):
        assert run(capsys, "sweep", "export", ledger, "--out", tmp_path / name)[0] == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert run(capsys, "sweep", "export", whole, "--out", tmp_path / "a.csv")[0] == 2
    assert run(capsys, "sweep", "export", whole, "--out", tmp_path / "a.csv", "--force")[0] == 0


def test_mistakes_and_damage(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(TEXT.replace("k = [3]", "k = [0]").replace("trials = 100", "trials = -1"))
    code, _, err = run(capsys, "sweep", "run", bad, "--out", tmp_path / "x.sqlite")
    assert code == 2
    assert "has 2 mistakes" in err
    assert not (tmp_path / "x.sqlite").exists()
    for shard in ("1", "a/b", "3/2", "-1/2"):
        code, _, err = run(capsys, "sweep", "run", spec, "--out", tmp_path / "x.sqlite", f"--shard={shard}")
        assert code == 2
        assert "shard` must be i/n" in err
    ledger = tmp_path / "ledger.sqlite"
    run(capsys, "sweep", "run", spec, "--out", ledger)
    db = sqlite3.connect(ledger)
    db.execute("UPDATE blocks SET payload = '{}' WHERE block = 1")
    db.commit()
    db.close()
    for arguments in (["status", ledger], ["run", spec, "--out", ledger]):
        code, _, err = run(capsys, "sweep", *arguments)
        assert code == 1
        assert "--discard-damaged" in err
    assert run(capsys, "sweep", "run", spec, "--out", ledger, "--discard-damaged")[0] == 0
    assert run(capsys, "sweep", "status", ledger, spec)[0] == 0
    code, _, err = run(capsys, "sweep", "export", ledger, "--out", tmp_path / "a.xls")
    assert code == 2
    assert ".csv, .json, .parquet" in err
    code, _, err = run(capsys, "sweep", "export", ledger, "--out", tmp_path / "a.csv", "--eps", "0.0123")
    assert code == 2
    assert "must be an edge of the bins" in err


def test_interrupted_from_the_keyboard_and_resumed(tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(TEXT.replace("trials = 100", "trials = 20000").replace("25", "10"))
    ledger = tmp_path / "ledger.sqlite"
    command = [sys.executable, "-m", "slth", "sweep", "run", spec, "--out", ledger]

    def blocks() -> int:
        try:
            with Ledger(ledger, read_only=True) as opened:
                return len(list(opened.blocks()))
        except InvalidInput:  # not there yet, or not filled yet
            return 0

    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not blocks():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Interrupted." in err
    assert 0 < blocks() < 4000


def test_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    base = ["estimate", "hit", "-n", "16", "-k", "4", "--eps", "0.02", "--seed", "1"]
    code, out, _ = run(capsys, *base, "--trials", "200")
    assert code == 0
    assert "95 % exact" in out
    assert "seed    1" in out
    code, out, _ = run(capsys, *base, "--claim", "0.5", "--stop-early", "--json")
    assert code == 0
    found = document(out)
    assert found["schema"] == "slth/estimate/1"
    assert found["verdict"] == "verified"
    assert found["trials"] == 64
    assert run(capsys, *base, "--claim", "0.99", "--stop-early")[0] == 1
    assert run(capsys, *base, "--claim", "0.82", "--trials", "50")[0] == 3
    assert run(capsys, *base, "--where", "corner")[0] == 2
    code, out, _ = run(capsys, *base[:-2], "--trials", "10", "--where", "uniform")
    assert code == 0
    assert "drawn now" in out


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text('trials = 400\n[[grid]]\nevent = "closest"\nn = [20]\nk = [2, 5]\n')
    ledger = tmp_path / "ledger.sqlite"
    assert run(capsys, "sweep", "run", spec, "--out", ledger)[0] == 0
    code, out, _ = run(capsys, "sweep", "compare", ledger, "--samples", "50", "--misses")
    assert code == 0
    assert "Predictors against 12 measured probabilities" in out
    assert "annealed" in out
    code, out, _ = run(
        capsys, "sweep", "compare", ledger, "--predictor", "cox", "--event", "hit", "--k-min", "5", "--json"
    )
    found = document(out)
    assert [(score["predictor"], score["cells"]) for score in found["scores"]] == [("cox", 6)]
    assert found["misses"] is None
