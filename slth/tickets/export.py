"""Tickets for other programs: torch modules, ONNX, sparse arrays, masks; each with its size in bytes.

What is exported is the masked source, in its own weights: for each target layer two linear sub-layers

    <layer>.first   (D N, d)    from the d inputs to N copies of each of the D inputs; with a bias, D = d + 1,
                                the last input is the constant 1, its edges are <layer>.first.bias
    <layer>.second  (d', D N)   from the copies to the outputs

with ReLU between them. Weights are multiples of 2^-23 in [-1, 1), which float32 holds exactly, so they are bit
for bit those of the source. The output is multiplied by a power of two, which is outside the source.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import BoolArray
from slth._validate import as_choice, read_only
from slth.errors import CapacityExceeded, InvalidInput, MissingExtra, OutputExists
from slth.networks.network import Network
from slth.networks.npz import save_npz
from slth.networks.slots import linear_nodes
from slth.tickets.ticket import Ticket

MAX_BYTES = 2**32
# Bytes per random weight while exporting: the weight, its masked copy, and the mask as torch keeps it.
BYTES_PER_WEIGHT = 12
ONNX_IR = 10
ONNX_OPSET = 20

FloatArray32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Exported:
    """One export: what was written, and how large it is.

    Attributes
    ----------
    kind : str
        As given to `export`.
    files : tuple of (str, int)
        Name and size in bytes of each file, in order.
    kept, total : int
        Weights kept and weights in all.
    dense_bytes : int
        Size of all weights in float32, four bytes each, for comparison.
    note : str
        In which form weights or masks stand in the files.
    """

    kind: str
    files: tuple[tuple[str, int], ...]
    kept: int
    total: int
    dense_bytes: int
    note: str

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(size for _, size in self.files)


@dataclass(frozen=True)
class MaskedTensor:
    """One parameter of the masked source: its name, all random weights, and which of them are kept."""

    name: str
    weight: FloatArray32
    mask: BoolArray

    @property
    def kept(self) -> FloatArray32:
        """The weights with zeros where they are pruned."""
        return self.weight * self.mask


@dataclass(frozen=True)
class SubLayer:
    """A linear map of the masked source: name, weight (outputs, inputs), and bias (outputs,) or None."""

    name: str
    weight: MaskedTensor
    bias: MaskedTensor | None
    relu: bool

    @property
    def tensors(self) -> tuple[MaskedTensor, ...]:
        """Weight and, if there is one, bias."""
        return (self.weight,) if self.bias is None else (self.weight, self.bias)


@dataclass(frozen=True)
class MaskedSource:
    """The masked source of a ticket as sub-layers in order, and the power of two behind them."""

    inputs: int
    layers: tuple[SubLayer, ...]
    exponent: int

    @property
    def tensors(self) -> tuple[MaskedTensor, ...]:
        """All parameters in order."""
        return tuple(tensor for layer in self.layers for tensor in layer.tensors)


def masked_source(ticket: Ticket, *, max_bytes: int = MAX_BYTES) -> MaskedSource:
    """Make all random weights of a ticket's source, in float32, with their masks.

    Raises
    ------
    CapacityExceeded
        If that needs more than `max_bytes`, at 12 bytes per weight; a source may be far larger than memory.
    """
    need = BYTES_PER_WEIGHT * ticket.parameters
    if need > max_bytes:
        raise CapacityExceeded(
            f"the source's {ticket.parameters} weights need about {need / 2**20:.0f} MiB to export, more than "
            f"`max_bytes` ({max_bytes / 2**20:.0f} MiB). Raise it, or export masks only (kind 'safetensors')."
        )
    _require_dense(ticket.target)
    layers: list[SubLayer] = []
    for index, layer in enumerate(ticket.layers):
        width = layer.inputs - layer.biased
        first = np.concatenate([_floats(ticket, ticket.source.incoming(index, j)) for j in range(layer.inputs)])
        second = np.concatenate(
            [_floats(ticket, ticket.source.outgoing(index, j)) for j in range(layer.inputs)]
        ).T.copy()
        kept_first, kept_second = (ticket.mask(f"{layer.name}.{part}") for part in ("first", "second"))
        name = f"{layer.name}.first"
        bias = None
        if layer.biased:
            bias = _tensor(f"{name}.bias", first[:, width].copy(), kept_first[:, width].copy())
        weight = _tensor(f"{name}.weight", first[:, :width].copy(), kept_first[:, :width].copy())
        layers.append(SubLayer(name, weight, bias, relu=True))
        name = f"{layer.name}.second"
        layers.append(
            SubLayer(
                name, _tensor(f"{name}.weight", second, kept_second), None, relu=index + 1 < len(ticket.layers)
            )
        )
    return MaskedSource(ticket.construction.domain.size, tuple(layers), ticket.output_scale_exponent)


def _require_dense(target: Network) -> None:
    """Raise InvalidInput, naming the node, unless the target is a chain of dense layers and ReLU."""
    target.dense_chain()
    for node in linear_nodes(target):
        if not node.is_dense:
            raise InvalidInput(
                f"`ticket` must be of a dense network to be exported this way; node {node.name!r} is not. "
                "Use `Ticket.network` for its function, `Ticket.mask_csr` for its masks."
            )


def to_torch(ticket: Ticket, *, weights: bool = True, max_bytes: int = MAX_BYTES) -> Any:
    """Masked source as a torch module, pruned as by torch.nn.utils.prune.

    Takes (B, d) or any (B, ...) with d entries, float32. Every sub-layer is a ``torch.nn.Linear`` with
    ``weight_orig`` (the source's weights, exact) and ``weight_mask``; ``prune.is_pruned`` and ``prune.remove``
    work. The module is a ``torch.fx.GraphModule``, so that `slth.read` reads it too.

    Parameters
    ----------
    ticket : Ticket
        The ticket.
    weights : bool
        False leaves weights zero and masks one: the frame into which a state_dict is loaded.
    max_bytes : int
        Memory that the source's weights may take.

    Raises
    ------
    CapacityExceeded
        If the source is larger than that.
    MissingExtra
        If torch is not installed.
    """
    torch = _torch()
    from torch.nn.utils import prune

    source = masked_source(ticket, max_bytes=max_bytes)
    module = torch.fx.GraphModule(torch.nn.Module(), torch.fx.Graph())
    graph = torch.fx.Graph()
    value = graph.call_function(torch.flatten, (graph.placeholder("input"), 1))
    for layer in source.layers:
        outputs, inputs = layer.weight.weight.shape
        linear = torch.nn.utils.skip_init(torch.nn.Linear, inputs, outputs, bias=layer.bias is not None)
        for tensor, label in zip(layer.tensors, ("weight", "bias"), strict=False):
            parameter = getattr(linear, label).requires_grad_(False)
            parameter.copy_(torch.from_numpy(tensor.weight.copy() if weights else np.zeros_like(tensor.weight)))
            mask = torch.from_numpy(tensor.mask.astype(np.float32))
            prune.custom_from_mask(linear, label, mask if weights else torch.ones_like(mask))
        if not module.add_submodule(_path(layer.name), linear):
            raise InvalidInput(f"`ticket` must have layer names that torch takes; got {layer.name!r}.")
        value = graph.call_module(_path(layer.name), (value,))
        if layer.relu:
            value = graph.call_function(torch.relu, (value,))
    if source.exponent:
        value = graph.call_function(torch.mul, (value, 2.0**source.exponent))
    graph.output(value)
    module.graph = graph
    module.recompile()
    return module.eval()


def export(ticket: Ticket, path: str | os.PathLike[str], kind: str, *, max_bytes: int = MAX_BYTES) -> Exported:
    """Write a ticket for another program.

    Parameters
    ----------
    ticket : Ticket
        The ticket.
    path : path
        File to write; for ``open_lth`` a folder. Must not exist.
    kind : str
        * ``torch``: state_dict of `to_torch`'s module (weight_orig and weight_mask of every sub-layer).
        * ``onnx``: IR 10, opset 20, weights with zeros where pruned; sparse initialisers where they are smaller
          than dense ones (onnxruntime reads both, and makes them dense in memory).
        * ``csr``: .npz with data, indices, indptr, shape of every masked weight.
        * ``safetensors``: masks alone, bytes 0 and 1, keyed by parameter names.
        * ``open_lth``: ``mask.pth`` and ``sparsity_report.json`` as open_lth reads them.
    max_bytes : int
        Memory that the source's weights may take.

    Returns
    -------
    Exported
        Files and sizes.

    Raises
    ------
    InvalidInput
        If `kind` is not one of these.
    OutputExists
        If something stands at `path`.
    CapacityExceeded
        If the source's weights need more than `max_bytes`.
    MissingExtra
        If a package is not installed.
    """
    as_choice(kind, "kind", tuple(_WRITERS))
    target = Path(path)
    if target.exists() or target.is_symlink():
        raise OutputExists(f"`path` must not exist yet; got {os.fspath(path)!r}. Choose another name.")
    if not target.parent.is_dir():
        raise InvalidInput(f"`path` must lie in an existing folder; {str(target.parent)!r} is none.")
    note = _WRITERS[kind](ticket, target, max_bytes)
    files = sorted(target.iterdir()) if target.is_dir() else [target]
    return Exported(
        kind=kind,
        files=tuple((file.name, file.stat().st_size) for file in files),
        kept=ticket.kept,
        total=ticket.parameters,
        dense_bytes=4 * ticket.parameters,
        note=note,
    )


def _write_torch(ticket: Ticket, path: Path, max_bytes: int) -> str:
    state = to_torch(ticket, max_bytes=max_bytes).state_dict()
    with _whole(path) as partial:
        _torch().save(state, partial)
    return "dense float32 weights and masks"


def _write_csr(ticket: Ticket, path: Path, max_bytes: int) -> str:
    from scipy.sparse import csr_array

    arrays: dict[str, npt.NDArray[Any]] = {}
    for tensor in masked_source(ticket, max_bytes=max_bytes).tensors:
        sparse = csr_array(np.atleast_2d(tensor.kept))
        name = re.sub(r"[^A-Za-z0-9_.\-]", "_", tensor.name)
        if f"{name}.data" in arrays:
            raise InvalidInput(
                f"`ticket` must have layer names that differ in letters; got {tensor.name!r} again."
            )
        for part in ("data", "indices", "indptr"):
            arrays[f"{name}.{part}"] = getattr(sparse, part)
        arrays[f"{name}.shape"] = np.array(sparse.shape, dtype=np.int64)
    save_npz(path, arrays)
    return "compressed sparse rows, deflated"


def _write_safetensors(ticket: Ticket, path: Path, max_bytes: int) -> str:  # noqa: ARG001
    try:
        from safetensors.numpy import save_file
    except ImportError:
        raise MissingExtra("writing safetensors files needs safetensors. Install slth[torch].") from None
    masks = {name: mask.astype(np.uint8) for name, mask in _masks(ticket)}
    with _whole(path) as partial:
        save_file(masks, partial)
    return "masks only, one byte per weight"


def _write_open_lth(ticket: Ticket, path: Path, max_bytes: int) -> str:  # noqa: ARG001
    torch = _torch()
    masks = {name: torch.from_numpy(mask.astype(np.int32)) for name, mask in _masks(ticket)}
    total = sum(mask.numel() for mask in masks.values())
    unpruned = sum(int(mask.sum()) for mask in masks.values())
    with _whole(path) as partial:
        partial.mkdir()
        torch.save(masks, partial / "mask.pth")
        report = {"total": float(total), "unpruned": float(unpruned)}
        (partial / "sparsity_report.json").write_text(json.dumps(report, indent=4), encoding="utf-8")
    return "masks only, four bytes per weight"


def _write_onnx(ticket: Ticket, path: Path, max_bytes: int) -> str:
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError:
        raise MissingExtra("writing ONNX files needs the package onnx. Install slth[onnx].") from None
    source = masked_source(ticket, max_bytes=max_bytes)
    nodes = [helper.make_node("Flatten", ["input"], ["flat"], name="flatten", axis=1)]
    value, dense, sparse = "flat", [], []
    for tensor in source.tensors:
        places = np.flatnonzero(tensor.mask)
        if 0 < 3 * places.size < tensor.mask.size:  # twelve bytes per number instead of four
            numbers = numpy_helper.from_array(tensor.weight.reshape(-1)[places], tensor.name)
            indices = numpy_helper.from_array(places.astype(np.int64), f"{tensor.name}.indices")
            sparse.append(helper.make_sparse_tensor(numbers, indices, list(tensor.mask.shape)))
        else:
            dense.append(numpy_helper.from_array(tensor.kept, tensor.name))
    for layer in source.layers:
        names = [tensor.name for tensor in layer.tensors]
        nodes.append(helper.make_node("Gemm", [value, *names], [layer.name], name=layer.name, transB=1))
        value = layer.name
        if layer.relu:
            nodes.append(helper.make_node("Relu", [value], [f"{value}.relu"], name=f"{value}.relu"))
            value = f"{value}.relu"
    if source.exponent:
        dense.append(numpy_helper.from_array(np.float32(2.0**source.exponent), "scale"))
        nodes.append(helper.make_node("Mul", [value, "scale"], ["scaled"], name="scaled"))
        value = "scaled"
    nodes.append(helper.make_node("Identity", [value], ["output"], name="end"))
    outputs = source.layers[-1].weight.mask.shape[0]
    graph = helper.make_graph(
        nodes,
        "slth-ticket",
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["batch", source.inputs])],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, ["batch", outputs])],
        dense,
        sparse_initializer=sparse,
    )
    opset = helper.make_opsetid("", ONNX_OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=ONNX_IR, producer_name="slth")
    with _whole(path) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))
    return (
        f"{len(sparse)} of {len(sparse) + len([t for t in dense if t.name != 'scale'])} parameters as sparse "
        "initialisers, the others dense; a runtime makes all of them dense in memory"
    )


_WRITERS: dict[str, Callable[[Ticket, Path, int], str]] = {
    "torch": _write_torch,
    "onnx": _write_onnx,
    "csr": _write_csr,
    "safetensors": _write_safetensors,
    "open_lth": _write_open_lth,
}
KINDS = tuple(_WRITERS)


def _masks(ticket: Ticket) -> Iterator[tuple[str, BoolArray]]:
    """Masks by parameter name, without making any weight."""
    for layer in ticket.layers:
        first, width = ticket.mask(f"{layer.name}.first"), layer.inputs - layer.biased
        yield f"{layer.name}.first.weight", first[:, :width].copy()
        if layer.biased:
            yield f"{layer.name}.first.bias", first[:, width].copy()
        yield f"{layer.name}.second.weight", ticket.mask(f"{layer.name}.second")


def _floats(ticket: Ticket, numerators: npt.NDArray[np.int64]) -> FloatArray32:
    """Source weights as float32, exact."""
    return np.ldexp(numerators.astype(np.float64), -ticket.source.scale_bits).astype(np.float32)


def _tensor(name: str, weight: FloatArray32, mask: BoolArray) -> MaskedTensor:
    return MaskedTensor(name, read_only(weight), read_only(mask))


def _path(name: str) -> str:
    """A layer's name as a path of torch submodules."""
    return ".".join(part or "_" for part in name.split("."))


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A place beside `path` whose content becomes `path` if the block ends well and vanishes if it does not."""
    import shutil

    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.rename(path)
    except BaseException:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)
        raise


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingExtra("writing torch modules and files needs torch. Install slth[torch].") from None
    return torch
