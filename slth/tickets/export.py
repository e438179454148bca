"""Tickets for other programs: torch modules, ONNX, sparse arrays, masks; each with its size in bytes.

What is exported is the masked source, in its own weights; see `slth.tickets.masked` for its layers and names.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._validate import as_choice
from slth.errors import InvalidInput, MissingExtra, OutputExists
from slth.networks.npz import save_npz
from slth.tickets.export_onnx import onnx_model
from slth.tickets.export_torch import load_torch, torch_module
from slth.tickets.masked import MAX_BYTES, masked_source, masks
from slth.tickets.ticket import Ticket


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


def to_torch(ticket: Ticket, *, weights: bool = True, max_bytes: int = MAX_BYTES) -> Any:
    """Masked source as a torch module, pruned as by torch.nn.utils.prune.

    Takes (B, d) or any (B, ...) with d entries, float32. Every sub-layer is a torch layer with ``weight_orig``
    (the source's weights, exact) and ``weight_mask``; ``prune.is_pruned`` and ``prune.remove`` work. The module
    is a ``torch.fx.GraphModule``, so that `slth.read` reads it too. Behind lifted neurons large constants
    cancel: float32 then loses about 1e-4 of the largest output, ``module.double()`` nothing to speak of.

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
    return torch_module(masked_source(ticket, max_bytes=max_bytes), weights=weights)


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
        load_torch().save(state, partial)
    return "dense float32 weights and masks"


def _write_csr(ticket: Ticket, path: Path, max_bytes: int) -> str:
    from scipy.sparse import csr_array

    arrays: dict[str, npt.NDArray[Any]] = {}
    for parameter in masked_source(ticket, max_bytes=max_bytes).parameters():
        kept = parameter.kept
        sparse = csr_array(kept.reshape(kept.shape[0] if kept.ndim > 1 else 1, -1))
        name = re.sub(r"[^A-Za-z0-9_.\-]", "_", parameter.name)
        if f"{name}.data" in arrays:
            raise InvalidInput(
                f"`ticket` must have layer names that differ in letters; got {parameter.name!r}."
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
    arrays = {name: mask.astype(np.uint8) for name, mask in masks(ticket)}
    with _whole(path) as partial:
        save_file(arrays, partial)
    return "masks only, one byte per weight"


def _write_open_lth(ticket: Ticket, path: Path, max_bytes: int) -> str:  # noqa: ARG001
    torch = load_torch()
    tensors = {name: torch.from_numpy(mask.astype(np.int32)) for name, mask in masks(ticket)}
    total = sum(mask.numel() for mask in tensors.values())
    unpruned = sum(int(mask.sum()) for mask in tensors.values())
    with _whole(path) as partial:
        partial.mkdir()
        torch.save(tensors, partial / "mask.pth")
        report = {"total": float(total), "unpruned": float(unpruned)}
        (partial / "sparsity_report.json").write_text(json.dumps(report, indent=4), encoding="utf-8")
    return "masks only, four bytes per weight"


def _write_onnx(ticket: Ticket, path: Path, max_bytes: int) -> str:
    model, sparse, dense = onnx_model(masked_source(ticket, max_bytes=max_bytes))
    with _whole(path) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))
    return (
        f"{sparse} of {sparse + dense} parameters as sparse initialisers, the others dense; "
        "a runtime makes all of them dense in memory"
    )


_WRITERS: dict[str, Callable[[Ticket, Path, int], str]] = {
    "torch": _write_torch,
    "onnx": _write_onnx,
    "csr": _write_csr,
    "safetensors": _write_safetensors,
    "open_lth": _write_open_lth,
}
KINDS = tuple(_WRITERS)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A place beside `path` whose content becomes `path` if the block ends well and vanishes if it does not."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.rename(path)
    except BaseException:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)
        raise
