"""Every way of ending becomes the promised exit code, with the message where it belongs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from slth.cli import app, solve
from slth.cli.output import plain, progress_bar
from slth.errors import (
    CapacityExceeded,
    InvalidInput,
    OutputExists,
    SolverFailed,
    TicketDamaged,
    WeightsUnreachable,
)

SOLVE = ["solve", "0.5", "--target", "0.2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "Unknown command"),
        (["solve", "1"], "--target requires an argument"),
        (["solve", "1", "--target", "x"], "unable to convert"),
        (["verify", "--n", "3", "--k", "1", "--eps", "1", "--bogus", "1"], "bogus"),
        (["verify", "--n", "3"], "requires an argument"),
        (["solve", "1", "--target", "1", "--method", "magic"], "method"),
        (["figure", "unknown"], "unknown"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_usage_errors(
    arguments: list[str], message: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run([*arguments, *(["--json"] if as_json else [])]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in err
    if as_json:
        document = json.loads(out)
        assert document["schema"] == "slth/error/1"
        assert document["error"]["exit_code"] == 2
    else:
        assert out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("`x` must be 1; got 2."), 2),
        (OutputExists("there"), 2),
        (CapacityExceeded("too much"), 3),
        (MemoryError(), 3),
        (SolverFailed("odd", "UNKNOWN"), 4),
        (WeightsUnreachable("1 weight(s)", ({"layer": "layer1"},)), 1),
        (TicketDamaged("bad", ("masks.npz was altered",)), 1),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("oops"), 4),
    ],
)
def test_exceptions_become_codes(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(solve, "read_samples", fail)
    monkeypatch.delenv("SLTH_DEBUG", raising=False)
    assert app.run([*SOLVE, "--json"]) == code
    out, err = capsys.readouterr()
    assert err.startswith("slth: ")
    assert "Traceback" not in err
    record = json.loads(out)["error"]
    assert record["exit_code"] == code
    if isinstance(error, WeightsUnreachable):
        assert record["failures"] == [{"layer": "layer1"}]
    if isinstance(error, TicketDamaged):
        assert record["problems"] == ["masks.npz was altered"]


@pytest.mark.parametrize("switch", ["option", "environment"])
def test_traceback_only_on_request(
    switch: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(solve, "read_samples", fail)
    if switch == "environment":
        monkeypatch.setenv("SLTH_DEBUG", "1")
    assert app.run([*SOLVE, *(["--debug"] if switch == "option" else [])]) == 4
    assert "Traceback" in capsys.readouterr().err


def test_help_is_light() -> None:
    code = (
        "import sys\nfrom slth.cli.app import run\nassert run(['--help']) == 0\n"
        "heavy = {'numba', 'scipy', 'ortools', 'matplotlib', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command",
    ["solve", "bound", "prune", "check", "verify", "figure density", "doctor", "reproduce"],
)
def test_every_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run([*command.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Example: slth {command}" in " ".join(text.split())
    assert "--json" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == "0.1.0"


def test_closed_pipe_ends_quietly() -> None:
    script = f"{sys.executable} -m slth solve --help | head -c 10"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


def test_plain_values() -> None:
    import numpy as np

    from slth.errors import SlthError

    value = {
        "a": np.float64(1.5),
        "b": np.arange(2),
        "c": (True, None, float("nan")),
        "d": np.int8(3),
        "e": SlthError,
    }
    assert plain(value) == {"a": 1.5, "b": [0, 1], "c": [True, None, None], "d": 3, "e": str(SlthError)}


def test_progress_without_a_terminal_is_one_line_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as progress:
        for done in range(3):
            progress("prune layer1", done, 3)
        progress("check", 1, 1)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "prune layer1 ...\ncheck ...\n"
