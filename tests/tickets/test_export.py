"""Exports of tickets: source weights bit for bit, torch's pruning conventions, onnxruntime, masks, sizes."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import box, target, tiny_ticket

import slth
from slth.errors import CapacityExceeded, InvalidInput, MissingExtra, OutputExists
from slth.networks.npz import load_npz
from slth.readers.read import read
from slth.tickets.export import KINDS, export, to_torch
from slth.tickets.masked import masked_source

rng = np.random.default_rng(0)


@cache
def ticket(kind: str) -> Any:
    if kind == "signed":
        return tiny_ticket(domain=box(-1.0, 1.0), inputs=None)
    if kind == "assigned":
        return tiny_ticket(arrangement="assigned")
    if kind == "gathered":
        return tiny_ticket(arrangement="gathered")
    if kind == "plain":
        return tiny_ticket(target=target(3, (3, 2), biased=False, scale=3.0))
    return tiny_ticket()


NAMES = ("biased", "signed", "plain", "assigned", "gathered")


def by_definition(own: Any, x: Any) -> Any:
    """The ticket's value from single weights of its source, one product after the other."""
    value = x
    for index, layer in enumerate(own.layers):
        source = own.source
        given = [*value, layer.scale.constant] if layer.biased else list(value)
        first, second = own.mask(f"{layer.name}.first"), own.mask(f"{layer.name}.second")
        total = np.zeros(layer.outputs)
        for j in range(layer.groups):
            for c in range(layer.copies):
                row = j * layer.copies + c
                before = sum(
                    source.weight(index, 0, j, c, other) * given[other] for other in np.flatnonzero(first[row])
                )
                for i in np.flatnonzero(second[:, row]):
                    total[i] += source.weight(index, 1, j, c, int(i)) * max(before, 0.0)
        total *= 2.0**layer.scale_exponent
        value = np.maximum(total, 0.0) if index + 1 < len(own.layers) else total
    return value


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_those_of_the_source_bit_for_bit(name: str) -> None:
    own = ticket(name)
    source = masked_source(own)
    assert sum(array.numbers.size for array in source.parameters()) == own.parameters
    assert sum(int(array.mask.sum()) for array in source.parameters()) == own.kept
    arrays = {array.name: array.numbers for array in source.parameters()}
    for index, layer in enumerate(own.layers):
        first, second = (arrays[f"{layer.name}.{part}.weight"] for part in ("first", "second"))
        assert first.dtype == np.float32
        if layer.biased:
            first = np.hstack((first, arrays[f"{layer.name}.first.bias"][:, None]))
        for j in range(layer.groups):
            for c in range(layer.copies):
                row = j * layer.copies + c
                into = [own.source.weight(index, 0, j, c, other) for other in range(layer.inputs)]
                out = [own.source.weight(index, 1, j, c, i) for i in range(layer.outputs)]
                assert list(first[row]) == into
                assert list(second[:, row]) == out


@pytest.mark.parametrize("name", NAMES)
def test_torch_module_computes_the_ticket(name: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.nn.utils import prune

    own = ticket(name)
    module = to_torch(own)
    assert prune.is_pruned(module)
    x = rng.uniform(-1, 1, (50, 3)) if name == "signed" else rng.random((50, 3))
    x = x.astype(np.float32).astype(np.float64)
    expected = own.network().forward(x)
    assert np.allclose([by_definition(own, row) for row in x[:3]], expected[:3], rtol=1e-12, atol=1e-14)
    found = module(torch.from_numpy(x).float()).detach().numpy()
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() <= 2e-5 * scale
    assert np.abs(module.double()(torch.from_numpy(x)).detach().numpy() - expected).max() <= 1e-13 * scale
    state = module.state_dict()
    kept = sum(int(mask.sum()) for key, mask in state.items() if key.endswith("_mask"))
    total = sum(value.numel() for key, value in state.items() if key.endswith("_orig"))
    assert (kept, total) == (own.kept, own.parameters)
    # removing the pruning leaves plain Linear layers with the kept weights, and the same values
    for part in module.modules():
        for label in ("weight", "bias"):
            if hasattr(part, f"{label}_mask"):
                prune.remove(part, label)
    assert not prune.is_pruned(module)
    assert np.abs(module(torch.from_numpy(x)).detach().numpy() - expected).max() <= 1e-13 * scale


@pytest.mark.parametrize("name", NAMES)
def test_round_trip_through_a_state_dict(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    own = ticket(name)
    written = export(own, tmp_path / "ticket.pt", "torch")
    assert (written.kept, written.total) == (own.kept, own.parameters)
    assert written.dense_bytes == 4 * own.parameters
    assert written.bytes == (tmp_path / "ticket.pt").stat().st_size > 8 * own.parameters
    state = torch.load(tmp_path / "ticket.pt", weights_only=True)
    fresh = to_torch(own, weights=False)
    x = torch.from_numpy(rng.random((20, 3))).float()
    assert not torch.equal(fresh(x), to_torch(own)(x))
    fresh.load_state_dict(state)
    assert torch.equal(fresh(x), to_torch(own)(x))
    for tensor in masked_source(own).parameters():
        module, label = tensor.name.rsplit(".", 1)
        assert np.array_equal(
            fresh.get_submodule(module).get_parameter(f"{label}_orig").numpy(), tensor.numbers
        )


def test_from_torch_to_a_ticket_and_back() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    given = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    own = slth.prune(read(given), domain=box(), eps=0.05, seed=3, arrangement="sign-matched")
    module = to_torch(own)
    x = torch.from_numpy(rng.random((200, 3))).float()
    assert (module(x) - given(x)).norm(dim=1).max() <= own.certificate.bound + 1e-5
    assert sorted(dict(module.named_modules()))[1:] == ["0", "0.first", "0.second", "2", "2.first", "2.second"]
    again = read(module, input_shape=(3,))
    expected = own.network().forward(x.numpy())
    assert np.abs(again.forward(x.numpy()) - expected).max() <= 1e-13 * np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_onnx_runs_and_reads(name: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    own = ticket(name)
    written = export(own, tmp_path / "ticket.onnx", "onnx")
    model = onnx.load(tmp_path / "ticket.onnx")
    onnx.checker.check_model(model)
    assert (model.ir_version, model.opset_import[0].version) == (10, 20)
    sparse = len(model.graph.sparse_initializer)
    assert sparse >= 1
    assert written.note.startswith(
        f"{sparse} of {len(list(masked_source(own).parameters()))} parameters as sparse"
    )
    session = runtime.InferenceSession(tmp_path / "ticket.onnx", providers=["CPUExecutionProvider"])
    x = (rng.uniform(-1, 1, (50, 3)) if name == "signed" else rng.random((50, 3))).astype(np.float32)
    expected = own.network().forward(x)
    scale = np.abs(expected).max()
    assert np.abs(session.run(None, {"input": x})[0] - expected).max() <= 2e-5 * scale
    assert np.abs(read(tmp_path / "ticket.onnx").forward(x) - expected).max() <= 1e-13 * scale


def test_csr_and_masks(tmp_path: Path) -> None:
    from scipy.sparse import csr_array

    own = ticket("biased")
    export(own, tmp_path / "ticket.npz", "csr")
    arrays = load_npz(tmp_path / "ticket.npz", max_bytes=2**24)
    tensors = list(masked_source(own).parameters())
    assert len(arrays) == 4 * len(tensors)
    for tensor in tensors:
        data, indices, indptr, shape = (
            arrays[f"{tensor.name}.{part}"] for part in ("data", "indices", "indptr", "shape")
        )
        dense = csr_array((data, indices, indptr), shape=tuple(shape)).toarray()
        assert np.array_equal(dense, np.atleast_2d(tensor.kept))
        assert data.dtype == np.float32


def test_safetensors_and_open_lth_masks(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.numpy")
    own = ticket("biased")
    expected = {tensor.name: tensor.mask for tensor in masked_source(own).parameters()}
    assert export(own, tmp_path / "m.safetensors", "safetensors").note == "masks only, one byte per weight"
    masks = safetensors.load_file(tmp_path / "m.safetensors")
    assert masks.keys() == expected.keys()
    assert all(np.array_equal(masks[name], mask) for name, mask in expected.items())
    written = export(own, tmp_path / "lth", "open_lth")
    assert [name for name, _ in written.files] == ["mask.pth", "sparsity_report.json"]
    assert written.bytes == sum(size for _, size in written.files)
    loaded = torch.load(tmp_path / "lth" / "mask.pth", weights_only=True)
    assert loaded.keys() == expected.keys()
    assert all(np.array_equal(loaded[name].numpy(), mask) for name, mask in expected.items())
    assert {mask.dtype for mask in loaded.values()} == {torch.int32}
    report = json.loads((tmp_path / "lth" / "sparsity_report.json").read_text())
    assert report == {"total": float(own.parameters), "unpruned": float(own.kept)}


def test_exports_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = ticket("plain")
    with pytest.raises(
        InvalidInput, match="`kind` must be one of 'torch', 'onnx', 'csr', 'safetensors', 'open_lth'"
    ):
        export(own, tmp_path / "x", "pickle")
    with pytest.raises(OutputExists, match=r"`path` must not exist yet; got .*Choose another name"):
        export(own, tmp_path, "csr")
    with pytest.raises(InvalidInput, match="`path` must lie in an existing folder"):
        export(own, tmp_path / "none" / "x", "csr")
    for kind in ("torch", "onnx", "csr"):
        with pytest.raises(CapacityExceeded, match=r"the source's \d+ weights need about .* MiB to export"):
            export(own, tmp_path / "x", kind, max_bytes=1000)
    for module, kinds in {
        "torch": ("torch", "open_lth"),
        "onnx": ("onnx",),
        "safetensors": ("safetensors",),
    }.items():
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setitem(sys.modules, f"{module}.numpy", None)
        for kind in kinds:
            with pytest.raises(MissingExtra, match=rf"needs .*{module}.*\. Install slth\[(torch|onnx)\]"):
                export(own, tmp_path / "x", kind)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    for kind in ("torch", "open_lth"):
        with pytest.raises(KeyboardInterrupt):
            export(ticket("plain"), tmp_path / "x", kind)
    assert list(tmp_path.iterdir()) == []
    assert set(KINDS) == {"torch", "onnx", "csr", "safetensors", "open_lth"}
