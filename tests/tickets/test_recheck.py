"""Certificates proved a second time in ball arithmetic; damaged ones refused."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slth
from slth.cli import app
from slth.errors import CapacityExceeded, MissingExtra, TicketDamaged
from slth.tickets import recheck as module
from slth.tickets.recheck import recheck
from slth.tickets.storage import read_contents

flint = pytest.importorskip("flint")


def network(*widths: int, seed: int = 0) -> slth.Network:
    rng = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(widths))
    weights = [rng.normal(0, 0.8 * d**-0.5, (e, d)) for d, e in pairs]
    return slth.dense_network(weights, [rng.normal(0, 0.1, e) for _, e in pairs])


@pytest.mark.parametrize("arrangement", ["sign-matched", "paper", "assigned", "gathered", "blocks"])
def test_every_arrangement(arrangement: str, tmp_path: Path) -> None:
    target, region = network(4, 5, 3), slth.Domain.box(0, 1, 4)
    ticket = slth.prune(target, domain=region, eps=0.1, arrangement=arrangement, budget="certificate", seed=1)
    ticket.save(tmp_path / "ticket")
    found = recheck(tmp_path / "ticket")
    assert found.bound <= found.claimed == ticket.certificate.bound
    assert found.bound == pytest.approx(found.claimed, rel=1e-6)
    assert ticket.certificate.lower_estimate is not None
    assert found.lower == pytest.approx(ticket.certificate.lower_estimate, rel=1e-12)
    assert found.edges == sum(layer.serving for layer in ticket.layers)


@pytest.mark.parametrize(
    "region", [slth.Domain.box(-1, 1, 4), slth.Domain.box([-1, 0, 0.5, -2], [1, 1, 0.5, -1])]
)
def test_three_layers_on_signed_boxes(region: slth.Domain, tmp_path: Path) -> None:
    ticket = slth.prune(network(4, 6, 5, 2, seed=2), domain=region, eps=0.2, budget="certificate", seed=1)
    ticket.save(tmp_path / "ticket")
    found = recheck(tmp_path / "ticket")
    assert found.lower <= found.bound <= found.eps
    assert 0.9 < found.bound / found.claimed < 1.1


def saved(folder: Path, region: slth.Domain | None = None, target: slth.Network | None = None) -> Path:
    domain = region or slth.Domain.box(0, 1, 3)
    ticket = slth.prune(target or network(3, 3, 2), domain=domain, eps=0.2, seed=1)
    folder.mkdir(exist_ok=True)
    ticket.save(folder / "ticket")
    return folder / "ticket"


def test_altered_weights_and_estimates_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    plain = read_contents(path)
    moved = plain.positive[0].copy()
    moved[1, 1] += 2.0**-46
    altered = dataclasses.replace(plain, positive=(moved, *plain.positive[1:]))
    monkeypatch.setattr(module, "read_contents", lambda _: altered)
    with pytest.raises(TicketDamaged, match="1 stored weight\\(s\\) are not their kept products"):
        recheck(path)
    more = dataclasses.replace(
        plain.certificate, lower_estimate=float(np.nextafter(plain.certificate.lower_estimate, 1.0)) * 1.001
    )
    altered = dataclasses.replace(plain, certificate=more)
    with pytest.raises(TicketDamaged, match="the error at the stored input is"):
        recheck(path)


def test_a_bound_above_eps_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    plain = read_contents(path)
    strict: Any = dataclasses.replace(plain.construction, eps=1e-6)
    monkeypatch.setattr(module, "read_contents", lambda _: dataclasses.replace(plain, construction=strict))
    with pytest.raises(CapacityExceeded, match="above eps = 1e-06: nothing is decided"):
        recheck(path)


def test_what_is_not_proved_again(tmp_path: Path) -> None:
    with pytest.raises(CapacityExceeded, match="the domain is a ball"):
        recheck(saved(tmp_path / "a", slth.Domain.ball(1.0, size=3)))
    with pytest.raises(CapacityExceeded, match="only layers up to 64 wide are proved again; got 66"):
        recheck(saved(tmp_path / "b", target=network(3, 66, 2)))
    ticket = slth.prune(network(3, 3, 2), domain=slth.Domain.box(0, 1, 3), tolerance=0.1, seed=1)
    ticket.save(tmp_path / "c")
    with pytest.raises(CapacityExceeded, match="claims nothing of outputs"):
        recheck(tmp_path / "c")


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path)
    assert app.run(["check", str(path), "--rigor"]) == 0
    assert "again in ball arithmetic" in capsys.readouterr().out
    assert app.run(["check", str(path), "--rigor", "--json"]) == 0
    assert '"rigor"' in capsys.readouterr().out


def test_without_flint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(MissingExtra, match=r"`rigor` needs python-flint. Install slth\[rigor\]"):
        recheck(path)
