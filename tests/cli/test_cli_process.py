"""Commands as processes: real exit codes, clean streams, Ctrl-C, and no half-written output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SLTH = [sys.executable, "-m", "slth"]


def slth(*arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SLTH, *map(str, arguments)], capture_output=True, text=True, check=False, input=stdin, timeout=100
    )


def interrupt(arguments: list[object], ready: float, folder: Path) -> tuple[int, float, str]:
    """Start a command, wait until it burns processor time, press Ctrl-C; code, seconds to end, stderr."""
    process = subprocess.Popen(
        [*SLTH, *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and spent(process.pid) < ready:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    return process.returncode, time.monotonic() - start, err


def spent(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_solve_from_stdin() -> None:
    done = slth("solve", "-", "--target", "0.2", "-k", "2", "--json", stdin="0.5 -0.3\n0.25,0.9\n")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout)["indices"] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nonsense"], 2), (["solve", "1", "--target", "3", "--eps", "0.5"], 1), (["check", "/nowhere"], 2)],
)
def test_codes(arguments: list[str], code: int) -> None:
    done = slth(*arguments)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("command", ["solve", "verify"])
def test_ctrl_c(command: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).uniform(-1, 1, 56))
    arguments: dict[str, list[object]] = {
        "solve": ["solve", "x.npy", "--target", "0.123", "-k", "28", "--method", "cp-sat", "--eps", 1e-16],
        "verify": ["verify", "--n", 40, "--k", 20, "--eps", 1e-12, "--trials", 10**6, "--seed", 1],
    }
    # enough processor time to be past imports and loading of compiled code, into the search
    code, seconds, err = interrupt(arguments[command], 2.0, tmp_path)
    assert code == 130, err
    assert seconds < 2.0
    assert "Traceback" not in err
    assert err.endswith("slth: Interrupted.\n")
    assert [item.name for item in tmp_path.iterdir()] == ["x.npy"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_ctrl_c_leaves_no_half_written_report(tmp_path: Path) -> None:
    code, seconds, err = interrupt(["reproduce", "--out", "report"], 2.0, tmp_path)
    assert code == 130, err
    assert seconds < 2.0
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
