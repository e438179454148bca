"""Stopped builds go on where they were, and builds to a tolerance per weight claim only their weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import box, target, tiny_ticket

import slth


class Stop(Exception):
    """Raised from a progress callback, as Ctrl-C would be."""


def test_a_stopped_build_resumes_to_the_same_ticket(tmp_path: Path) -> None:
    whole = tiny_ticket()
    seen: list[str] = []

    def stop(name: str, done: int, total: int) -> None:
        seen.append(name)
        if name == "layer2":
            raise Stop("stopped")

    with pytest.raises(Stop, match="stopped"):
        tiny_ticket(resume=tmp_path / "layers", progress=stop)
    kept = sorted(path.name for path in (tmp_path / "layers").iterdir())
    assert len(kept) == 1
    assert kept[0].startswith("layer-0-")
    seen.clear()
    resumed = tiny_ticket(resume=tmp_path / "layers", progress=lambda name, *_: seen.append(name))
    assert set(seen) == {"layer2"}
    assert all(np.array_equal(a.packed, b.packed) for a, b in zip(whole.layers, resumed.layers, strict=True))
    assert resumed.summary() == whole.summary()


@pytest.mark.parametrize(
    "change", [{"seed": 8}, {"target": target(seed=1)}, {"eps": 0.06}, {"search": "closest"}]
)
def test_layers_of_another_build_are_not_taken(tmp_path: Path, change: dict) -> None:
    tiny_ticket(resume=tmp_path)
    seen: list[str] = []
    tiny_ticket(resume=tmp_path, progress=lambda name, *_: seen.append(name), **change)
    assert set(seen) == {"layer1", "layer2"}


def test_damaged_layers_are_made_again(tmp_path: Path) -> None:
    whole = tiny_ticket(resume=tmp_path)
    for path in tmp_path.iterdir():
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 16
        path.write_bytes(bytes(raw))
    assert tiny_ticket(resume=tmp_path).summary() == whole.summary()


def test_resume_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(slth.InvalidInput, match=r"`resume` must be a folder; got .*file"):
        tiny_ticket(resume=tmp_path / "file")


def test_tolerance_per_weight_is_certified_without_a_claim_about_outputs(tmp_path: Path) -> None:
    ticket = slth.prune(target(), domain=box(), tolerance=1e-3, seed=2)
    assert ticket.certificate.bound is None
    for layer, largest in zip(ticket.layers, ticket.certificate.largest_errors, strict=True):
        assert 0 < largest <= layer.tolerance <= 1e-3
    ticket.save(tmp_path / "ticket")
    report = slth.check(tmp_path / "ticket", target())
    assert report.bound is None
    assert "nothing is claimed of outputs" in report.facts[-1]
    assert slth.Ticket.load(tmp_path / "ticket").summary() == ticket.summary()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tolerance": 1e-3}, "`eps` or `tolerance` must be given, one of them"),
        ({"eps": None}, "`eps` or `tolerance` must be given, one of them"),
        (
            {"eps": None, "tolerance": 1.5, "inputs": None},
            r"`tolerance` must be a finite number in \(0\.0, 1\.0\)",
        ),
        ({"eps": None, "tolerance": 0.1}, "`inputs` must be None with `tolerance`"),
    ],
)
def test_refuses(changes: dict, message: str) -> None:
    with pytest.raises(slth.InvalidInput, match=message):
        tiny_ticket(**changes)
