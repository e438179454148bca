"""Every family of networks end to end: trained target, certified ticket, files, check, symmetry."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from oracles.tickets import feature_matrices

import slth
from slth.networks.equivariant import declare
from slth.networks.slots import linear_nodes
from slth.tickets.export import export, to_torch
from slth.tickets.masked import masked_source
from slth.tickets.storage import write_manifest

pytest.importorskip("torch", reason="the targets are trained with torch")

from models import FAMILIES, Trained

pytestmark = pytest.mark.slow
EPS = 0.05


@cache
def trained(family: str) -> Trained:
    return FAMILIES[family]()


@cache
def ticket_of(family: str) -> slth.Ticket:
    model = trained(family)
    return slth.prune(
        model.network,
        domain=model.domain,
        eps=EPS,
        inputs=model.inputs,
        seed=1,
        arrangement="sign-matched",
    )


@pytest.fixture(params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_ticket_is_certified_and_checked(family: str, tmp_path: Path) -> None:
    model, ticket = trained(family), ticket_of(family)
    certificate = ticket.certificate
    assert 0 < certificate.lower_estimate <= certificate.bound <= EPS
    assert certificate.inputs_checked == len(model.inputs)
    # What is proved is equal; of the rest, margins below the bound, hardly any differs.
    assert certificate.predictions_equal >= max(certificate.predictions_proved, 0.999 * len(model.inputs))
    assert certificate.predictions_proved > 0.5 * len(model.inputs)
    difference = ticket.network().forward(model.inputs) - model.network.forward(model.inputs)
    assert np.linalg.norm(difference, axis=1).max() <= certificate.bound

    ticket.save(tmp_path / "ticket")
    report = slth.check(tmp_path / "ticket", model.network)
    assert report.bound == certificate.bound
    assert slth.Ticket.load(tmp_path / "ticket").summary() == ticket.summary()


def test_assembled_weights_are_those_of_the_source(family: str, tmp_path: Path) -> None:
    """Each layer's coefficients again, from source.json and the masks alone, copy by copy."""
    ticket = ticket_of(family)
    ticket.save(tmp_path / "ticket")
    source = json.loads((tmp_path / "ticket" / "source.json").read_text())
    masks = np.load(tmp_path / "ticket" / "masks.npz")
    for index, spec in enumerate(source["layers"]):
        positive, negative = feature_matrices(spec, int(source["seed"]), index, masks[f"edges_{index + 1}"])
        own = ticket.assembled(index)
        assert np.array_equal(own.positive, positive)
        assert np.array_equal(own.negative, negative)


def test_tampering_is_noticed(family: str, tmp_path: Path) -> None:
    ticket_of(family).save(tmp_path / "ticket")
    for name in ("masks.npz", "target.npz", "target.json", "source.json"):
        copy = Path(shutil.copytree(tmp_path / "ticket", tmp_path / name))
        raw = bytearray((copy / name).read_bytes())
        raw[len(raw) // 2] ^= 1
        (copy / name).write_bytes(bytes(raw))
        with pytest.raises(slth.TicketDamaged, match=name):
            slth.check(copy)
    with np.load(tmp_path / "ticket" / "masks.npz") as stored:
        arrays = {key: stored[key].copy() for key in stored.files}
    kept = np.argwhere(arrays["edges_1"])[0]
    arrays["edges_1"][tuple(kept)] &= arrays["edges_1"][tuple(kept)] - 1
    np.savez(tmp_path / "ticket" / "masks.npz", **arrays)
    write_manifest(tmp_path / "ticket")
    with pytest.raises(slth.TicketDamaged, match=r"the kept edges sum|masks\.npz"):
        slth.check(tmp_path / "ticket")


@pytest.mark.parametrize("name", ["p4m", "sets", "graphs"])
def test_declared_after_reading_torch_and_onnx(name: str, tmp_path: Path) -> None:
    """The same layers as dense matrices, in a torch module and its ONNX file: read, declared, a ticket each."""
    pytest.importorskip("onnx", reason="the target is read from an ONNX file")
    import warnings

    import torch

    model = trained(name)
    parts: list[torch.nn.Module] = []
    for node in linear_nodes(model.network):
        layer = torch.nn.Linear(node.inputs, node.outputs)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(node.matrix()))
            layer.bias.copy_(torch.tensor(node.bias_vector()))
        parts += [layer, torch.nn.ReLU()]
    module = torch.nn.Sequential(*parts[:-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own making
        torch.onnx.export(module, torch.zeros(1, model.domain.size), str(tmp_path / "net.onnx"), dynamo=False)
    for source in (module, tmp_path / "net.onnx"):
        plain = slth.read(source)
        assert [node.name for node in linear_nodes(plain)] == ["0", "2", "4"]
        bases = dict(zip(("0", "2", "4"), model.bases, strict=True))
        network = declare(plain, bases, symmetry=model.network.symmetry)
        assert network.parameters == model.network.parameters
        for own, given in zip(linear_nodes(network), linear_nodes(model.network), strict=True):
            assert np.array_equal(own.coefficients, given.coefficients.astype(np.float32))
            assert np.array_equal(own.bias, given.bias.astype(np.float32))
    ticket = slth.prune(network, domain=model.domain, eps=EPS, inputs=model.inputs, seed=2)
    assert ticket.certificate.bound <= EPS
    assert ticket.certificate.predictions_equal == len(model.inputs)


@pytest.mark.parametrize("name", ["cnn", "residual"])
def test_ticket_of_the_onnx_file_is_certified_too(name: str, tmp_path: Path) -> None:
    """The same module through an ONNX file: another reader, the same function, a ticket of its own."""
    pytest.importorskip("onnx", reason="the target is read from an ONNX file")
    import warnings

    import torch

    model = trained(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own making
        torch.onnx.export(model.module, torch.zeros(1, *model.shape), str(tmp_path / "net.onnx"), dynamo=False)
    network = slth.read(tmp_path / "net.onnx")
    np.testing.assert_allclose(network.forward(model.inputs), model.network.forward(model.inputs), atol=1e-4)
    ticket = slth.prune(network, domain=model.domain, eps=EPS, inputs=model.inputs, seed=2)
    assert ticket.certificate.bound <= EPS
    assert ticket.certificate.predictions_equal == len(model.inputs)


def test_exports_compute_the_ticket(family: str, tmp_path: Path) -> None:
    """The masked source in torch and ONNX: the source's weights bit for bit, the ticket's values to float32."""
    import torch

    runtime = pytest.importorskip("onnxruntime", reason="the ONNX file is run")
    ticket, inputs = ticket_of(family), trained(family).inputs[:200].astype(np.float32)
    expected = ticket.network().forward(inputs)
    room = 1e-5 * np.abs(expected).max()
    module = to_torch(ticket)
    assert np.abs(module(torch.from_numpy(inputs)).numpy() - expected).max() <= room
    export(ticket, tmp_path / "ticket.pt", "torch")
    fresh = to_torch(ticket, weights=False)
    fresh.load_state_dict(torch.load(tmp_path / "ticket.pt", weights_only=True))
    assert torch.equal(fresh(torch.from_numpy(inputs)), module(torch.from_numpy(inputs)))
    state = fresh.state_dict()
    for parameter in masked_source(ticket).parameters():
        assert np.array_equal(state[f"{parameter.name}_orig"].numpy().ravel(), parameter.numbers.ravel())
    export(ticket, tmp_path / "ticket.onnx", "onnx")
    session = runtime.InferenceSession(tmp_path / "ticket.onnx", providers=["CPUExecutionProvider"])
    assert np.abs(session.run(None, {"input": inputs})[0] - expected).max() <= room


@pytest.mark.parametrize(("name", "order"), [("p4m", 512), ("sets", 5040), ("graphs", 5040)])
def test_target_source_and_ticket_are_equivariant(name: str, order: int) -> None:
    """Over all elements of the group: to rounding, before anything is pruned and after."""
    found = ticket_of(name).equivariance
    assert found is not None
    assert found.source is not None
    assert (found.elements, found.complete) == (order, True)
    assert max(found.target, found.source, found.ticket) <= 1e-12
