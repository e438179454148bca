"""`TrainedTicket`: a trained mask with its weights; its files.

    manifest.json   names, sizes and sha256 sums of all other files
    ticket.json     format, architecture, method, seed, and weights kept per layer
    masks.npz       mask_1, mask_2, ...: uint8, the bits of each mask in C order, little-endian, padding zero
    weights.npz     weight_1, bias_1, ...: float32, what the ticket computes with, before masking
    initial.npz     optional: weight_1, ...: what training started from, for tickets that were trained

A constructed ticket needs only the seed of its source; a trained one is stored whole. Files are read as
hostile: sizes bounded first, nothing unpickled, unknown files, links and folders refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slth._typing import BoolArray
from slth._validate import read_only
from slth.baselines.architecture import Architecture, Arrays, architecture, no_biases
from slth.baselines.frozen import Masked
from slth.baselines.magnitude import Trained
from slth.errors import InvalidInput, TicketDamaged
from slth.networks.network import Network, dense_network
from slth.networks.npz import load_npz, save_npz
from slth.tickets.storage import new_folder, write_manifest

FORMAT = "slth-trained-ticket/1"
_FILES = ("ticket.json", "masks.npz", "weights.npz", "initial.npz")
_MOST_JSON = 1 << 16
_MOST_ARRAYS = 1 << 28


@dataclass(frozen=True, eq=False)
class TrainedTicket:
    """A mask over the weights of an architecture, and the weights; arrays read-only.

    Attributes
    ----------
    net : Architecture
    method : str
        How it was found, in a few words.
    seed : int
    masks : tuple of bool arrays
        True = kept.
    weights, biases : tuple of float32 arrays
        What it computes with; entries that the mask drops have no effect.
    initial : tuple of float32 arrays, or None
        Where training began, for tickets whose weights were trained.
    """

    net: Architecture
    method: str
    seed: int
    masks: tuple[BoolArray, ...]
    weights: tuple[Any, ...]
    biases: tuple[Any, ...]
    initial: tuple[Any, ...] | None = None

    def __post_init__(self) -> None:
        for arrays in (self.masks, self.weights, *([self.initial] if self.initial is not None else [])):
            shapes = tuple(array.shape for array in arrays)
            if shapes != self.net.shapes:
                raise InvalidInput(
                    f"`ticket` must have arrays of shapes {self.net.shapes} for {self.net.name}; got {shapes}."
                )
        widths = tuple(array.shape for array in self.biases)
        if widths != tuple((shape[0],) for shape in self.net.shapes):
            raise InvalidInput(f"`ticket` must have one bias per output of each layer; got shapes {widths}.")
        for array in (*self.masks, *self.weights, *self.biases, *(self.initial or ())):
            read_only(array)

    @staticmethod
    def of_trained(trained: Trained, network: str, seed: int) -> TrainedTicket:
        """The ticket of a magnitude pruning, with the weights of its early-stopping step."""
        net = architecture(network)
        count = len(net.shapes)
        return TrainedTicket(
            net,
            f"{trained.arm}, round {trained.round}",
            seed,
            tuple(mask.copy() for mask in trained.masks),
            tuple(trained.fit.stopped[:count]),
            tuple(trained.fit.stopped[count:]),
            tuple(weight.copy() for weight in trained.initial),
        )

    @staticmethod
    def of_masked(masked: Masked, network: str, seed: int, method: str) -> TrainedTicket:
        """The ticket of a search over frozen weights."""
        net = architecture(network)
        return TrainedTicket(
            net, method, seed, tuple(masked.masks), tuple(masked.weights), tuple(no_biases(net))
        )

    @property
    def mask_names(self) -> tuple[str, ...]:
        """Names that `mask` accepts."""
        return tuple(f"layer{index}" for index in range(1, len(self.masks) + 1))

    def mask(self, name: str) -> BoolArray:
        """Mask of one layer, True = kept, of the shape of its weight.

        Raises
        ------
        InvalidInput
            If there is no such layer.
        """
        if name not in self.mask_names:
            raise InvalidInput(f"`name` must be one of {', '.join(self.mask_names)}; got {name!r}.")
        return self.masks[self.mask_names.index(name)]

    @property
    def kept(self) -> int:
        """Weights kept; biases are not counted."""
        return sum(int(mask.sum()) for mask in self.masks)

    @property
    def density(self) -> float:
        """kept / weights."""
        return self.kept / self.net.weights

    @property
    def sparsity(self) -> float:
        """1 - density."""
        return 1.0 - self.density

    def masked(self) -> Arrays:
        """Weights with zeros where the mask drops them."""
        return [np.where(m, w, np.float32(0.0)) for w, m in zip(self.weights, self.masks, strict=True)]

    def network(self) -> Network:
        """What a dense ticket computes, as a network of slth.

        Raises
        ------
        InvalidInput
            If it has convolutions.
        """
        if not self.net.dense:
            raise InvalidInput(f"`ticket` must be dense to become a network here; got {self.net.name!r}.")
        return dense_network(
            [w.astype(np.float64) for w in self.masked()], [b.astype(np.float64) for b in self.biases]
        )

    def save(self, path: str | Path) -> None:
        """Write the ticket as a new folder at `path`.

        Raises
        ------
        OutputExists
            If `path` exists.
        """
        with new_folder(Path(path)) as folder:
            record = {
                "format": FORMAT,
                "network": self.net.name,
                "method": self.method,
                "seed": self.seed,
                "kept": [int(mask.sum()) for mask in self.masks],
            }
            (folder / "ticket.json").write_bytes(_canonical(record))
            save_npz(
                folder / "masks.npz",
                {f"mask_{i}": np.packbits(m.ravel(), bitorder="little") for i, m in _numbered(self.masks)},
            )
            save_npz(
                folder / "weights.npz",
                {f"weight_{i}": w for i, w in _numbered(self.weights)}
                | {f"bias_{i}": b for i, b in _numbered(self.biases)},
            )
            if self.initial is not None:
                save_npz(folder / "initial.npz", {f"weight_{i}": w for i, w in _numbered(self.initial)})
            write_manifest(folder)

    @staticmethod
    def load(path: str | Path) -> TrainedTicket:
        """Read a folder that `save` wrote; every byte is compared with the manifest.

        Raises
        ------
        InvalidInput
            If `path` is no such folder.
        TicketDamaged
            If a file is missing, extra, altered or malformed.
        """
        folder = Path(path)
        if not (folder / "manifest.json").is_file():
            raise InvalidInput(f"`path` must be the folder of a trained ticket; got {str(path)!r}.")
        try:
            _check_files(folder)
            return _parse(folder)
        except TicketDamaged:
            raise
        except (InvalidInput, KeyError, TypeError, ValueError) as error:
            raise TicketDamaged(f"{folder}: {error}") from error


def _parse(folder: Path) -> TrainedTicket:
    record = _read_json(folder / "ticket.json")
    if set(record) != {"format", "network", "method", "seed", "kept"} or record["format"] != FORMAT:
        raise InvalidInput(f"ticket.json must have the format {FORMAT!r}.")
    net = architecture(record["network"])
    numbers = range(1, len(net.shapes) + 1)
    packed = load_npz(
        folder / "masks.npz", max_bytes=_MOST_ARRAYS, allowed={f"mask_{i}": ("u", 1) for i in numbers}
    )
    masks = []
    for i, shape in _numbered(net.shapes):
        size = int(np.prod(shape))
        if packed[f"mask_{i}"].dtype != np.uint8 or len(packed[f"mask_{i}"]) != -(-size // 8):
            raise InvalidInput(f"masks.npz: 'mask_{i}' must hold {-(-size // 8)} bytes.")
        masks.append(np.unpackbits(packed[f"mask_{i}"], count=size, bitorder="little").astype(np.bool_))
    if [int(mask.sum()) for mask in masks] != record["kept"]:
        raise InvalidInput("ticket.json and masks.npz disagree on how many weights are kept.")
    allowed = {f"weight_{i}": ("f", len(shape)) for i, shape in _numbered(net.shapes)}
    biases = {f"bias_{i}": ("f", 1) for i in numbers}
    values = load_npz(folder / "weights.npz", max_bytes=_MOST_ARRAYS, allowed=allowed | biases)
    initial = None
    if (folder / "initial.npz").is_file():
        begun = load_npz(folder / "initial.npz", max_bytes=_MOST_ARRAYS, allowed=allowed)
        initial = tuple(_float32(begun[f"weight_{i}"]) for i in numbers)
    return TrainedTicket(
        net,
        str(record["method"]),
        int(record["seed"]),
        tuple(mask.reshape(shape) for mask, shape in zip(masks, net.shapes, strict=True)),
        tuple(_float32(values[f"weight_{i}"]) for i in numbers),
        tuple(_float32(values[f"bias_{i}"]) for i in numbers),
        initial,
    )


def _check_files(folder: Path) -> None:
    """Compare the folder with its manifest, byte for byte."""
    listed = _read_json(folder / "manifest.json")["files"]
    problems = [f"{name} is missing" for name in (*_FILES[:3], *listed) if not (folder / name).is_file()]
    for item in sorted(folder.iterdir()):
        if item.name == "manifest.json":
            continue
        if item.is_symlink() or not item.is_file():
            problems.append(f"{item.name} is not a plain file")
        elif item.name not in listed or item.name not in _FILES:
            problems.append(f"{item.name} is no file of this ticket")
        elif item.stat().st_size != listed[item.name]["bytes"]:
            problems.append(f"{item.name} does not have the size in the manifest")
        elif hashlib.sha256(item.read_bytes()).hexdigest() != listed[item.name]["sha256"]:
            problems.append(f"{item.name} does not have the sha256 sum in the manifest: it was altered")
    if problems:
        unique = tuple(dict.fromkeys(problems))
        raise TicketDamaged(f"{folder}: " + "; ".join(unique) + ".", unique)


def _numbered(items: Any) -> Any:
    return enumerate(items, start=1)


def _float32(array: Any) -> Any:
    if array.dtype != np.float32 or not np.isfinite(array).all():
        raise InvalidInput("weights must be finite float32 numbers.")
    return array


def _canonical(record: Any) -> bytes:
    return (json.dumps(record, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def _read_json(path: Path) -> Any:
    if path.stat().st_size > _MOST_JSON:
        raise InvalidInput(f"{path.name} is larger than {_MOST_JSON} bytes.")
    return json.loads(path.read_bytes())
