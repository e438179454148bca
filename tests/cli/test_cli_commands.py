"""The commands in process: what they print, as text and as JSON, and with which code they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slth.cli import app
from slth.networks.network import dense_network
from slth.readers.arrays import save_network

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    code = app.run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def run_json(capsys: Capture, *arguments: object) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(capsys, *arguments, "--json")
    return code, json.loads(out)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    weights = [rng.uniform(-0.6, 0.6, (4, 3)), rng.uniform(-0.6, 0.6, (2, 4))]
    path = tmp_path / "net.npz"
    save_network(dense_network(weights, [rng.uniform(-0.3, 0.3, 4), rng.uniform(-0.3, 0.3, 2)]), path)
    return path


def prune_arguments(target: Path, out: Path) -> list[object]:
    return ["prune", target, "--out", out, "--eps", 0.4, "--domain", "box:0:1", "--seed", 2]


def test_solve(capsys: Capture) -> None:
    samples = ("0.5", "-0.25", "0.75", "0.125")
    code, out, err = run(capsys, "solve", *samples, "--target", "0.6", "-k", 2)
    assert code == 0
    assert err == ""
    assert "CLOSEST_PROVED: no subset is closer (proved)" in out
    assert "indices  0 3" in out
    assert "error    0.025" in out
    code, record = run_json(capsys, "solve", *samples, "--target", "-0.1875", "-k", "1:1", "--eps", "0.07")
    assert code == 0
    assert record["schema"] == "slth/solve/1"
    assert (record["status"], record["indices"], record["error"]) == ("FOUND", [1], 0.0625)
    assert (record["k_min"], record["k_max"], record["n"], record["eps"]) == (1, 1, 4, 0.07)
    code, record = run_json(capsys, "solve", *samples, "--target", "9", "--eps", "0.1")
    assert code == 1
    assert record["status"] == "ABSENT_PROVED"
    code, out, _ = run(capsys, "solve", *samples, "--target", "9", "--eps", "0.1")
    assert "closest" in out


@pytest.mark.parametrize("method", ["exhaustive", "meet-in-the-middle", "cp-sat"])
def test_solve_methods_agree(method: str, capsys: Capture) -> None:
    arguments = (
        "0.5",
        "-0.25",
        "0.75",
        "0.125",
        "--target",
        "0.3",
        "-k",
        "2",
        "--eps",
        "0.06",
        "--method",
        method,
    )
    code, record = run_json(capsys, "solve", *arguments)
    assert (code, record["indices"]) == (0, [0, 1])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("1", "--target", "1", "-k", "2"), 2, "must be an integer in [0, 1]; got 2"),
        (("nan", "--target", "1"), 2, "`samples` must be finite"),
        (("1", "--target", "inf"), 2, "`target` must be a finite number"),
        (("1", "--target", "1", "--eps", "0"), 2, "`eps` must be"),
        (("1", "--target", "1", "--eps", "-1"), 2, "`eps` must be"),
        (("--target", "1"), 2, "must hold at least one number"),
        (("absent.npy", "--target", "1"), 2, "No such file"),
        (("1", "--target", "1", "--time-limit", "-2"), 2, "`time_limit` must be"),
    ],
)
def test_solve_refuses(arguments: tuple[str, ...], code: int, message: str, capsys: Capture) -> None:
    found, out, err = run(capsys, "solve", *arguments)
    assert (found, out) == (code, "")
    assert message in err


def test_solve_too_large_names_the_remedy(tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).uniform(-1, 1, 60))
    code, _, err = run(capsys, "solve", tmp_path / "x.npy", "--target", 0, "--max-bytes", 10**6)
    assert code == 3
    assert "Raise `max_bytes`" in err


def test_solve_blocks_and_forced_samples(capsys: Capture) -> None:
    samples = ("solve", "0.5", "-0.3", "0.25", "0.9", "--target", "0.2")
    for options, indices in (
        (("--blocks", "2"), [1, 2]),
        (("--forced-in", "0", "2", "-k", "3"), [0, 1, 2]),
        (("--forced-out", "1"), [2]),
    ):
        code, record = run_json(capsys, *samples, *options)
        assert (code, record["indices"]) == (0, indices)


def test_bound(capsys: Capture) -> None:
    code, out, _ = run(capsys, "bound")
    assert code == 0
    for name in (
        "theorem-2",
        "corollary-1",
        "corollary-2",
        "theorem-3",
        "theorem-4",
        "theorem-5",
        "malach",
        "pensia",
    ):
        assert name in out
    code, record = run_json(capsys, "bound")
    assert record["schema"] == "slth/bounds/1"
    assert len(record["bounds"]) == 8
    code, out, _ = run(capsys, "bound", "theorem-3")
    assert code == 0
    assert "source: natale2024, Theorem 3" in out
    assert "--density" in out
    code, out, _ = run(capsys, "bound", "theorem-2", "--n", 24, "--k", 8, "--eps", 0.01)
    assert code == 0
    assert "[holds] n H2(k/n) >= c_hyp log2(k/eps)" in out
    assert "verdict: every hypothesis holds" in out
    code, record = run_json(capsys, "bound", "theorem-2", "--n", 24, "--k", 8, "--eps", 1e-9)
    assert code == 1
    assert record["holds"] is False


@pytest.mark.parametrize(
    ("gamma", "n_star"),
    [(0.5, 883.166), (0.1, 1714.05), (1e-2, 9345.16), (1e-3, 63530.2), (1e-4, 477007), (1e-9, 2.03944e10)],
)
def test_bound_theorem_3_published_numbers(gamma: float, n_star: float, capsys: Capture) -> None:
    code, record = run_json(capsys, "bound", "theorem-3", "--m-t", 10000, "--eps", 0.01, "--density", gamma)
    assert code == 0
    assert record["values"]["n_star"] == pytest.approx(n_star, rel=2e-5)
    assert record["values"]["overparameterization"] == pytest.approx(4 * n_star, rel=2e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("theorem-9",), "must be one of theorem-2"),
        (("theorem-2", "--n", "x", "--k", "3", "--eps", "0.1"), "`n` must be an integer; got 'x'"),
        (("theorem-2", "--eps", "x"), "`eps` must be a number; got 'x'"),
        (("theorem-2", "--epsilon", "0.1"), "`epsilon` is not an input of theorem-2"),
        (("theorem-2", "--k", "3", "--n", "9"), "`eps` must be given"),
        (
            ("theorem-3", "--eps", "0.1", "--density", "0.1", "--widths", "3,x"),
            "must be integers like 64,32,10",
        ),
        (("--n", "3"), "must come before its inputs"),
    ],
)
def test_bound_refuses(arguments: tuple[str, ...], message: str, capsys: Capture) -> None:
    code, _, err = run(capsys, "bound", *arguments)
    assert code == 2
    assert message in err


def test_verify(capsys: Capture) -> None:
    arguments = ("verify", "--n", 20, "--k", 5, "--eps", 1e-3, "--trials", 200)
    code, out, err = run(capsys, *arguments, "--seed", 1)
    assert code == 0
    assert "95 % exact" in out
    assert "verified: The interval lies at or above" in out
    assert "probability at most 0.025" in out
    assert err == "verify ...\n"
    code, record = run_json(capsys, *arguments, "--seed", 1, "--bound", 0.99)
    assert code == 1
    assert record["schema"] == "slth/verify/1"
    assert record["verdict"] == "refuted"
    assert record["seed_drawn"] is False
    assert f"{record['hits']}/200" in out
    code, record = run_json(capsys, *arguments, "--seed", 1, "--bound", record["estimate"])
    assert (code, record["verdict"]) == (3, "undecided")
    code, record = run_json(capsys, *arguments, "--bound", "none", "--target", "uniform")
    assert (code, record["verdict"], record["seed_drawn"]) == (0, None, True)
    code, out, _ = run(capsys, *arguments, "--bound", "none", "--target", -0.5)
    assert "drawn now; give it to repeat this run" in out
    code, out, _ = run(capsys, "verify", "--n", 20, "--k", 5, "--eps", 1e-9, "--trials", 5, "--seed", 1)
    assert code == 3
    assert "does not apply here; it fails that n H2(k/n) >= c_hyp log2(k/eps)" in out


def test_prune_check_and_figure(target: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "ticket"
    code, text, err = run(capsys, *prune_arguments(target, out))
    assert code == 0
    assert "density" in text
    assert "sparsity" in text
    assert f"check it: slth check {out}" in " ".join(text.split())
    assert "layer1 ..." in err
    assert (out / "report.html").is_file()

    code, _, err = run(capsys, *prune_arguments(target, out))
    assert code == 2
    assert "exists already" in err

    code, text, _ = run(capsys, "check", out, "--target", target)
    assert code == 0
    assert f"verified: {out}" in text
    code, record = run_json(capsys, "check", out)
    assert (code, record["schema"], record["verdict"]) == (0, "slth/check/1", "verified")

    picture, table = tmp_path / "d.svg", tmp_path / "d.csv"
    arguments = (
        "figure",
        "density",
        "--m-t",
        10,
        "--eps",
        0.3,
        "--ticket",
        out,
        "--table",
        table,
        "--out",
        picture,
    )
    code, record = run_json(capsys, *arguments)
    assert (code, record["schema"]) == (0, "slth/figure-density/1")
    assert ["ticket", "measured: ticket"] in record["curves"]
    assert picture.read_bytes().startswith(b"<?xml")
    assert "ticket-paper-count" in table.read_text()
    first = picture.read_bytes()
    assert run(capsys, *arguments)[0] == 2
    assert run(capsys, *arguments, "--force")[0] == 0
    assert picture.read_bytes() == first


def test_prune_json(target: Path, tmp_path: Path, capsys: Capture) -> None:
    code, record = run_json(capsys, *prune_arguments(target, tmp_path / "t"), "--arrangement", "paper")
    assert code == 0
    assert record["schema"] == "slth/prune/1"
    assert record["certificate"]["bound"] <= 0.4
    assert record["density"] + record["sparsity"] == pytest.approx(1.0)
    assert record["arrangement"] == "paper"


def test_prune_says_which_weights_cannot_be_reached(target: Path, tmp_path: Path, capsys: Capture) -> None:
    arguments = [*prune_arguments(target, tmp_path / "t"), "--copies", 4, "--k", 2]
    code, out, err = run(capsys, *arguments)
    assert code == 1
    assert "best error" in out
    assert "nothing was written" in out
    assert "cannot be reached on this source" in err
    code, record = run_json(capsys, *arguments)
    assert code == 1
    failures = record["error"]["failures"]
    assert {"layer", "output", "input", "half", "error", "tolerance"} == set(failures[0])
    assert len(failures) > 20
    assert f"and {len(failures) - 20} more" in out
    assert [item.name for item in tmp_path.iterdir()] == ["net.npz"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--domain": "box:1:0"}, "`low` must be <= `high`"),
        ({"--domain": "cube"}, "`--domain` must be"),
        ({"--eps": "0"}, "`eps` must be"),
        ({"--eps": "nan"}, "`eps` must be"),
        ({"--density": "1.5"}, "`subset_density` must be"),
        ({"--seed": "-1"}, "`seed` must be"),
        ({"--k": "0"}, "`k` must be"),
        ({"--inputs": "absent.npz"}, "absent.npz"),
        ({"--out": "absent/t"}, "must exist to write t"),
    ],
)
def test_prune_refuses(
    target: Path, change: dict[str, str | None], message: str, tmp_path: Path, capsys: Capture
) -> None:
    given: dict[str, str | None] = {
        "--out": str(tmp_path / "t"), "--eps": "0.4", "--domain": "box:0:1", "--seed": "2", **change
    }  # fmt: skip
    words = [word for name, value in given.items() if value is not None for word in (name, value)]
    code, out, err = run(capsys, "prune", target, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert [item.name for item in tmp_path.iterdir()] == ["net.npz"]


def test_prune_refuses_a_bad_network(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "bad.npz").write_bytes(b"nonsense")
    code, _, err = run(capsys, *prune_arguments(tmp_path / "bad.npz", tmp_path / "t"))
    assert code == 2
    assert "bad.npz" in err
    assert [item.name for item in tmp_path.iterdir()] == ["bad.npz"]


def test_check_notices_a_flipped_bit(target: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "ticket"
    assert run(capsys, *prune_arguments(target, out))[0] == 0
    masks = bytearray((out / "masks.npz").read_bytes())
    masks[len(masks) // 2] ^= 1
    (out / "masks.npz").write_bytes(bytes(masks))
    code, text, err = run(capsys, "check", out)
    assert (code, text) == (1, "")
    assert "masks.npz does not have the sha256 sum in the manifest" in err
    code, record = run_json(capsys, "check", out)
    assert code == 1
    assert record["error"]["problems"]


def test_check_refuses_what_is_no_ticket(tmp_path: Path, capsys: Capture) -> None:
    code, _, err = run(capsys, "check", tmp_path)
    assert code == 2
    assert "must be a ticket folder" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "d.pdf"), "must end in .svg or .png"),
        (("--out", "d.svg", "--table", "d.txt"), "`table` must end in .csv or .json"),
        (("--out", "d.svg", "--eps", "2"), "`eps` must be"),
        (
            ("--out", "d.svg", "--c-amp", "many"),
            "`--c-amp` must be numbers or one, literal, fitted; got 'many'",
        ),
        (("--out", "absent/d.svg"), "must exist to write d.svg"),
        (("--out", "d.svg", "--ticket", "absent"), "must be a ticket folder"),
    ],
)
def test_figure_refuses(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "figure", "density", *arguments)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_doctor(capsys: Capture) -> None:
    code, record = run_json(capsys, "doctor")
    assert code == 0
    assert record["schema"] == "slth/doctor/1"
    assert record["self_test"] == {"instances": 24, "wrong": []}
    assert record["problems"] == []
    code, out, _ = run(capsys, "doctor")
    assert "24 instances against brute force, 0 wrong" in out
    assert "All is well." in out


def test_doctor_would_notice_a_wrong_solver(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from slth.subset_sum import solve as module

    real = module.solve
    monkeypatch.setattr(module, "solve", lambda *a, **b: dataclasses.replace(real(*a, **b), error=0.0))
    code, out, _ = run(capsys, "doctor")
    assert code == 1
    assert "problem: self test" in out
    assert "Not well." in out


def test_doctor_warns_of_highspy(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "highspy" else None)
    code, record = run_json(capsys, "doctor")
    assert code == 0
    assert "highspy is installed" in record["warnings"][0]


def test_reproduce_passes_its_result_on(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slth.reports import reproduce as module

    seen: dict[str, Any] = {}

    def fake(path: Path, **options: Any) -> dict[str, Any]:
        seen.update(options, path=path)
        return {"schema": "slth/report/1", "exit_code": 3, "headline": {"theorem-2": "undecided: 1/2"}}

    monkeypatch.setattr(module, "reproduce", fake)
    code, out, _ = run(capsys, "reproduce", "--out", tmp_path / "r", "--force")
    assert code == 3
    assert "undecided: 1/2" in out
    assert (seen["overwrite"], seen["seed"]) == (True, 1)
    code, record = run_json(capsys, "reproduce", "--out", tmp_path / "r")
    assert record["schema"] == "slth/reproduce/1"
