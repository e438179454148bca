"""Finished layers of a ticket in the making, kept so that a stopped build goes on where it was.

One file per layer, named by a digest of everything that decides its content (source, weights, subset size,
tolerance, halves, arrangement, search), so that a file can only be taken for the very same task. Written
aside and renamed; a file that does not hold what its own digest says is ignored and made again.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._validate import read_only
from slth.errors import InvalidInput
from slth.networks.npz import load_npz, save_npz
from slth.networks.source import Source
from slth.tickets.fill import LayerTask

FORMAT = "slth-layer/1"
_MOST_BYTES = 1 << 33


class FinishedLayers:
    """The finished layers in a folder, for one source; nothing is kept when `folder` is None.

    The folder is made when there is something to keep. Raises InvalidInput when it is a file.
    """

    def __init__(self, folder: Path | None, source: Source) -> None:
        self._folder = folder
        self._source = json.dumps(source.to_json(), sort_keys=True)
        if folder is not None and folder.exists() and not folder.is_dir():
            raise InvalidInput(f"`resume` must be a folder; got {str(folder)!r}, which is a file.")

    def get(self, task: LayerTask) -> npt.NDArray[np.uint8] | None:
        """Packed edges of the task if they are there and whole."""
        if self._folder is None:
            return None
        path = self._folder / self._name(task)
        if not path.is_file():
            return None
        try:
            arrays: dict[str, Any] = dict(load_npz(path, max_bytes=_MOST_BYTES))
        except InvalidInput:
            return None
        edges = arrays.get("edges")
        if edges is None or edges.dtype != np.uint8 or bytes(arrays.get("sha256", b"")) != _digest(edges):
            return None
        packed: npt.NDArray[np.uint8] = read_only(edges)
        return packed

    def put(self, task: LayerTask, packed: npt.NDArray[np.uint8]) -> None:
        """Keep the packed edges of the task."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / self._name(task)
        aside = path.with_suffix(".part")
        save_npz(aside, {"edges": packed, "sha256": np.frombuffer(_digest(packed), dtype=np.uint8)})
        os.replace(aside, path)

    def _name(self, task: LayerTask) -> str:
        state = hashlib.sha256()
        plain = {key: value for key, value in vars(task).items() if key not in ("weight", "lift")}
        record: list[Any] = [FORMAT, self._source, plain, list(task.weight.shape)]
        arrays = [task.weight]
        if task.lift is not None:
            record += [task.lift.exponent, task.lift.least]
            arrays += [task.lift.inputs.low, task.lift.inputs.high]
        state.update(json.dumps(record, sort_keys=True).encode())
        for array in arrays:
            state.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return f"layer-{task.index}-{state.hexdigest()[:32]}.npz"


def _digest(edges: npt.NDArray[np.uint8]) -> bytes:
    state = hashlib.sha256(repr(edges.shape).encode())
    state.update(np.ascontiguousarray(edges).tobytes())
    return state.digest()
