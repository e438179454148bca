"""Ticket files: a folder whose every byte is accounted for.

    manifest.json      names, sizes and sha256 sums of all other files
    source.json        the source as a specification: seed, law, widths
    target.json        the target network: its nodes and how they are joined
    target.npz         the arrays of its nodes, "<place>.<name>"
    masks.npz          edges_1, edges_2, ...: kept edges of each second sub-layer, uint8 (d', D, ceil(N / 8)),
                       little-endian bits along the hidden neurons of the owner, input or output; a neuron keeps
                       the edge to its owner where some other edge of it is kept;
                       members_1, ...: uint32 (owners, N), the owners' neurons where they chose
    network.npz        what the kept edges compute, in scaled units: positive_1, negative_1 (signed inputs), ...
    certificate.json   how the ticket was built, and what is claimed
    inputs.npz         optional: the inputs on which agreement is claimed
    report.html        optional: a page for people; nothing is derived from it

JSON files are canonical (sorted keys, one form of white space), so a changed blank is noticed. Reading
treats files as hostile: sizes are bounded before anything is allocated, nothing is unpickled, links,
folders and unknown files are refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slth._typing import FloatArray
from slth._validate import read_only
from slth.errors import InvalidInput, OutputExists, SlthError, TicketDamaged
from slth.networks.network import Network
from slth.networks.npz import load_npz, save_npz
from slth.networks.source import Source
from slth.tickets.record import FORMAT, Certificate, Construction, expect

if TYPE_CHECKING:
    from slth.tickets.ticket import Ticket

MANIFEST_FORMAT = "slth-ticket/1"
REQUIRED = ("source.json", "target.json", "target.npz", "masks.npz", "network.npz", "certificate.json")
OPTIONAL = ("inputs.npz", "report.html")
_MOST_JSON = 1 << 26
_MOST_ARRAYS = 1 << 33


@dataclass(frozen=True)
class Contents:
    """Everything the files of a ticket say, parsed, not yet compared with the mathematics."""

    source: Source
    target: Network
    construction: Construction
    certificate: Certificate
    positive: tuple[FloatArray, ...]
    negative: tuple[FloatArray | None, ...]
    inputs: FloatArray | None


def save_ticket(ticket: Ticket, path: Path, page: str | None) -> None:
    """Write into a temporary sibling folder, then rename: `path` is whole or does not exist."""
    with new_folder(path) as folder:
        _write_json(folder / "source.json", ticket.source.to_json())
        structure, arrays = ticket.target.to_spec()
        _write_json(folder / "target.json", structure)
        save_npz(folder / "target.npz", arrays)
        kept = {f"edges_{i}": layer.packed for i, layer in enumerate(ticket.layers, start=1)}
        for i, layer in enumerate(ticket.layers, start=1):
            if layer.members is not None:
                kept[f"members_{i}"] = layer.members.astype(np.uint32)
        save_npz(folder / "masks.npz", kept)
        values: dict[str, Any] = {}
        for index, layer in enumerate(ticket.layers):
            own = ticket.assembled(index)
            values[f"positive_{index + 1}"] = own.positive
            if layer.signed:
                values[f"negative_{index + 1}"] = own.negative
        save_npz(folder / "network.npz", values)
        record = {
            "format": FORMAT,
            "construction": ticket.construction.to_json(),
            "certificate": ticket.certificate.to_json(),
        }
        _write_json(folder / "certificate.json", record)
        if ticket.inputs is not None:
            save_npz(folder / "inputs.npz", {"inputs": ticket.inputs})
        if page is not None:
            (folder / "report.html").write_text(page, encoding="utf-8", newline="\n")
        write_manifest(folder)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A fresh folder beside `path` that becomes `path` if the block ends well and vanishes if it does not.

    Raises OutputExists when `path` exists, InvalidInput when its parent does not.
    """
    if path.exists() or path.is_symlink():
        raise OutputExists(f"`path` must not exist yet; got {str(path)!r}. Remove it or choose another name.")
    if not path.parent.is_dir():
        raise InvalidInput(f"`path` must lie in an existing folder; {str(path.parent)!r} is none.")
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield folder
        folder.chmod(0o755)
        os.rename(folder, path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_manifest(folder: Path) -> None:
    """List every file of `folder` with its size and sha256 sum."""
    files = {
        item.name: {"bytes": item.stat().st_size, "sha256": _sha256(item)}
        for item in sorted(folder.iterdir())
        if item.name != "manifest.json"
    }
    _write_json(folder / "manifest.json", {"format": MANIFEST_FORMAT, "files": files})


def load_ticket(path: Path) -> Ticket:
    """The ticket that the files describe; see `Ticket.load`."""
    from slth.tickets.ticket import Ticket

    contents = read_contents(path)
    return Ticket(
        source=contents.source,
        target=contents.target,
        construction=contents.construction,
        certificate=contents.certificate,
        inputs=contents.inputs,
    )


def read_contents(path: Path) -> Contents:
    """Verify the manifest and parse every file. Raises TicketDamaged, or InvalidInput if there is no ticket."""
    present = verify_manifest(path)
    try:
        return _parse(path, present)
    except TicketDamaged:
        raise
    except SlthError as error:
        raise TicketDamaged(f"{path}: {error}") from error


def _parse(path: Path, present: frozenset[str]) -> Contents:
    source = Source.from_json(_read_json(path / "source.json"))
    target = Network.from_spec(_read_json(path / "target.json"), _arrays(path / "target.npz"))
    masks = _arrays(path / "masks.npz")
    values = _arrays(path / "network.npz")
    record = _read_json(path / "certificate.json")
    expect(record, {"format": str, "construction": dict, "certificate": dict})
    if record["format"] != FORMAT:
        raise InvalidInput(f"certificate.json: `format` must be {FORMAT!r}; got {record['format']!r}.")
    count = len(source.layers)
    packed = _numbered(masks, "edges", count, np.uint8, 3)
    chosen = [f"members_{index + 1}" in masks for index in range(count)]
    members = _numbered(masks, "members", count, np.uint32, 2, chosen)
    members = [None if own is None else read_only(own.astype(np.int64)) for own in members]
    construction = Construction.from_json(record["construction"], packed, members)
    for own, layer in zip(source.layers, construction.layers, strict=True):
        widths = (own.inputs, own.copies, own.ends, own.owners)
        if widths != (layer.columns, layer.copies, layer.outputs, layer.owners):
            raise InvalidInput(
                f"layer {layer.name!r}: source.json and certificate.json give it different sizes."
            )
    signed = [layer.signed for layer in construction.layers]
    positive = _numbered(values, "positive", count, np.float64, 2)
    negative = _numbered(values, "negative", count, np.float64, 2, signed)
    for name, rest in (("masks", masks), ("network", values)):
        if rest:
            raise InvalidInput(f"{name}.npz: unknown array {sorted(rest)[0]!r}.")
    inputs = None
    if "inputs.npz" in present:
        stored = _arrays(path / "inputs.npz")
        if set(stored) != {"inputs"}:
            raise InvalidInput(f"inputs.npz: must hold exactly the array 'inputs'; got {sorted(stored)}.")
        inputs = stored["inputs"]
        if inputs.dtype != np.float64 or inputs.ndim != 2 or inputs.shape[1] != construction.domain.size:
            raise InvalidInput(f"inputs.npz: `inputs` must be float64 (N, {construction.domain.size}).")
        inputs.setflags(write=False)
    return Contents(
        source=source,
        target=target,
        construction=construction,
        certificate=Certificate.from_json(record["certificate"], count, output=construction.eps is not None),
        positive=tuple(positive),
        negative=tuple(negative),
        inputs=inputs,
    )


def verify_manifest(path: Path) -> frozenset[str]:
    """Compare the folder with its manifest, byte for byte; return the names it lists.

    Raises InvalidInput when `path` is no ticket folder, TicketDamaged listing every difference.
    """
    if not path.is_dir():
        raise InvalidInput(f"`path` must be a ticket folder; got {str(path)!r}, which is none.")
    if not (path / "manifest.json").is_file():
        raise InvalidInput(f"`path` must be a ticket folder; {str(path)!r} holds no manifest.json.")
    try:
        manifest = _read_json(path / "manifest.json")
        expect(manifest, {"format": str, "files": dict})
        for entry in manifest["files"].values():
            expect(entry, {"bytes": int, "sha256": str})
    except InvalidInput as error:
        raise TicketDamaged(f"{path}: manifest.json: {error}") from error
    if manifest["format"] != MANIFEST_FORMAT:
        raise TicketDamaged(
            f"{path}: manifest.json: `format` must be {MANIFEST_FORMAT!r}; got {manifest['format']!r}."
        )
    listed = manifest["files"]
    problems = []
    for item in sorted(path.iterdir()):
        if item.name == "manifest.json":
            continue
        if item.is_symlink() or not item.is_file():
            problems.append(f"{item.name} is not a plain file")
        elif item.name not in listed:
            problems.append(f"{item.name} is not in the manifest")
        elif item.stat().st_size != listed[item.name]["bytes"]:
            problems.append(f"{item.name} has {item.stat().st_size} bytes, not {listed[item.name]['bytes']}")
        elif _sha256(item) != listed[item.name]["sha256"]:
            problems.append(f"{item.name} does not have the sha256 sum in the manifest: it was altered")
    problems += [f"{name} is missing" for name in (*REQUIRED, *listed) if not (path / name).exists()]
    problems += [f"{name} is no file of a ticket" for name in listed if name not in REQUIRED + OPTIONAL]
    if problems:
        unique = tuple(dict.fromkeys(problems))
        raise TicketDamaged(f"{path}: " + "; ".join(unique) + ".", unique)
    return frozenset(listed)


def _arrays(path: Path) -> dict[str, Any]:
    return dict(load_npz(path, max_bytes=_MOST_ARRAYS))


def _numbered(
    arrays: dict[str, Any], stem: str, count: int, dtype: type, ndim: int, there: list[bool] | None = None
) -> list[Any]:
    """Take stem_1 .. stem_count out of `arrays`, checked; None where `there` is False."""
    taken: list[Any] = []
    for index in range(count):
        name = f"{stem}_{index + 1}"
        if there is not None and not there[index]:
            taken.append(None)
            continue
        if name not in arrays:
            raise InvalidInput(f"the array {name!r} is missing.")
        array = arrays.pop(name)
        if array.dtype != dtype or array.ndim != ndim:
            raise InvalidInput(f"the array {name!r} must be {np.dtype(dtype)} with {ndim} dimension(s).")
        array.setflags(write=False)
        taken.append(array)
    return taken


def _canonical(record: Any) -> bytes:
    return (json.dumps(record, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def _write_json(path: Path, record: Any) -> None:
    path.write_bytes(_canonical(record))


def _read_json(path: Path) -> Any:
    if path.stat().st_size > _MOST_JSON:
        raise InvalidInput(f"{path.name} is larger than {_MOST_JSON} bytes.")
    raw = path.read_bytes()
    try:
        record = json.loads(raw)
        canonical = _canonical(record)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path.name} is not valid JSON ({error}).") from None
    if canonical != raw:
        raise InvalidInput(f"{path.name} is not in canonical form: it was altered.")
    return record


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
