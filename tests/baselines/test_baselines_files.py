"""Trained tickets on disk: what is written is what is read, damage is noticed, open_lth can take it up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from slth.baselines.edge_popup import edge_popup
from slth.baselines.magnitude import Pruning, iterative
from slth.baselines.open_lth import export_open_lth, layer_names
from slth.baselines.task import digits_task
from slth.baselines.trained_ticket import TrainedTicket
from slth.baselines.training import Recipe
from slth.errors import InvalidInput, OutputExists, TicketDamaged

torch = pytest.importorskip("torch")

RECIPE = Recipe(iterations=30, every=10)


@pytest.fixture(scope="module")
def ticket() -> TrainedTicket:
    trained = list(iterative("12-8", 1, Pruning(rounds=1), RECIPE, reinitialise=False))[-1]
    made = TrainedTicket.of_trained(trained, "12-8", 1)
    said = made.network().forward(digits_task().test_inputs.astype(float)).argmax(axis=1)
    assert (said == digits_task().test_labels).sum() == trained.outcome.stop_test
    return made


@pytest.fixture
def folder(ticket: TrainedTicket, tmp_path: Path) -> Path:
    ticket.save(tmp_path / "ticket")
    return tmp_path / "ticket"


def test_round_trip(ticket: TrainedTicket, folder: Path) -> None:
    read = TrainedTicket.load(folder)
    assert (read.net, read.method, read.seed) == (ticket.net, "winning, round 1", 1)
    assert ticket.initial is not None
    assert read.initial is not None
    for name in ("masks", "weights", "biases", "initial"):
        for a, b in zip(getattr(ticket, name), getattr(read, name), strict=True):
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()
            assert not b.flags.writeable
    assert read.kept == ticket.kept == sum(Pruning(rounds=1).counts(ticket.net)[1])
    assert read.density + read.sparsity == 1.0
    assert read.mask("layer2").shape == (8, 12)
    with pytest.raises(InvalidInput, match="`name` must be one of layer1, layer2, layer3"):
        read.mask("layer4")
    with pytest.raises(OutputExists, match="must not exist yet"):
        ticket.save(folder)
    read.save(folder.with_name("again"))
    for item in folder.iterdir():
        assert item.read_bytes() == (folder.with_name("again") / item.name).read_bytes()


def test_a_search_over_frozen_weights_is_a_ticket_too(tmp_path: Path) -> None:
    found = edge_popup("conv:3:8", 0.5, 2, recipe=RECIPE)
    made = TrainedTicket.of_masked(found, "conv:3:8", 2, "edge-popup")
    made.save(tmp_path / "t")
    read = TrainedTicket.load(tmp_path / "t")
    assert read.initial is None
    assert read.weights[0].tobytes() == found.weights[0].tobytes()
    with pytest.raises(InvalidInput, match="`ticket` must be dense to become a network"):
        read.network()


@pytest.mark.parametrize("name", ["masks.npz", "weights.npz", "initial.npz", "ticket.json"])
def test_a_flipped_bit_is_noticed(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(TicketDamaged, match=f"{name} does not have the sha256 sum"):
        TrainedTicket.load(folder)


def test_other_damage_is_noticed(folder: Path, tmp_path: Path) -> None:
    (folder / "extra").write_text("x")
    with pytest.raises(TicketDamaged, match="extra is no file of this ticket"):
        TrainedTicket.load(folder)
    (folder / "extra").unlink()
    (folder / "weights.npz").rename(folder / "elsewhere")
    with pytest.raises(TicketDamaged, match=r"weights\.npz is missing"):
        TrainedTicket.load(folder)
    (folder / "weights.npz").symlink_to(folder / "elsewhere")
    with pytest.raises(TicketDamaged, match=r"weights\.npz is not a plain file"):
        TrainedTicket.load(folder)
    with pytest.raises(InvalidInput, match="`path` must be the folder of a trained ticket"):
        TrainedTicket.load(tmp_path)


def test_files_that_agree_among_themselves_but_lie_are_refused(folder: Path) -> None:
    from slth.tickets.storage import write_manifest

    record = json.loads((folder / "ticket.json").read_text())
    for change, complaint in (
        ({"kept": [1, 2, 3]}, "disagree on how many weights are kept"),
        ({"network": "13-8"}, "must hold 104 bytes"),
        ({"format": "slth-trained-ticket/2"}, "must have the format"),
        ({"network": "0"}, "`network` must be hidden widths"),
    ):
        other = folder.with_name("lie")
        shutil.copytree(folder, other)
        (other / "ticket.json").write_text(json.dumps(record | change))
        write_manifest(other)
        with pytest.raises(TicketDamaged, match=complaint):
            TrainedTicket.load(other)
        shutil.rmtree(other)


def test_open_lth(ticket: TrainedTicket, tmp_path: Path) -> None:
    export_open_lth(ticket, tmp_path / "level_1")
    folder = tmp_path / "level_1"
    masks = torch.load(folder / "mask.pth", weights_only=True)
    assert list(masks) == ["fc_layers.0.weight", "fc_layers.1.weight", "fc.weight"]
    for value, mask in zip(masks.values(), ticket.masks, strict=True):
        assert value.dtype == torch.int32
        assert (value.numpy() == mask).all()
    report = json.loads((folder / "sparsity_report.json").read_text())
    assert report == {"total": float(ticket.net.weights), "unpruned": float(ticket.kept)}
    # the names are those of a module shaped like open_lth's LeNet, whose prediction is ours
    model = torch.nn.Module()
    model.fc_layers = torch.nn.ModuleList([torch.nn.Linear(64, 12), torch.nn.Linear(12, 8)])
    model.fc = torch.nn.Linear(8, 10)
    state = torch.load(folder / "model_ep1_it0.pth", weights_only=True)
    model.load_state_dict({name: value * masks.get(name, 1) for name, value in state.items()})
    x = digits_task().test_inputs
    with torch.no_grad():
        hidden = torch.tensor(x)
        for layer in model.fc_layers:
            hidden = layer(hidden).relu()
        said = model.fc(hidden).numpy()
    np.testing.assert_allclose(said, ticket.network().forward(x.astype(float)), rtol=1e-4, atol=1e-4)
    begun = torch.load(folder / "model_ep0_it0.pth", weights_only=True)
    assert ticket.initial is not None
    assert begun["fc.weight"].numpy().tobytes() == ticket.initial[2].tobytes()


def test_names_of_convolutions() -> None:
    from slth.baselines.architecture import architecture

    assert layer_names(architecture("conv:3-4:8")) == ["conv_layers.0", "conv_layers.1", "fc_layers.0", "fc"]
