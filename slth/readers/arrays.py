"""Dense networks and inputs in numpy's own files: weight_1, bias_1, weight_2, ... in an .npz archive."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats
from slth.errors import InvalidInput, OutputExists
from slth.networks.network import Network, dense_network
from slth.networks.npz import load_npy, load_npz, save_npz

MAX_BYTES = 2**31

_ENTRY = re.compile(r"(weight|bias)_([1-9][0-9]{0,4})")


def read_network(path: str | os.PathLike[str]) -> Network:
    """Read a dense ReLU network from an .npz file of arrays.

    Parameters
    ----------
    path : path
        Archive of `weight_1` (d_1, d_0), optionally `bias_1` (d_1,), `weight_2` (d_2, d_1), ..., numbered
        without gap; as ``numpy.savez`` or `save_network` writes it, at most 2 GiB unpacked. ReLU stands between
        layers.

    Returns
    -------
    Network
        As from `dense_network`.

    Raises
    ------
    InvalidInput
        If the file is missing, damaged or too large, holds other arrays, or they do not fit; the message names
        the array or the layer.
    """
    arrays = load_npz(path, max_bytes=MAX_BYTES)
    kinds: dict[str, dict[int, npt.NDArray[Any]]] = {"weight": {}, "bias": {}}
    for name, array in arrays.items():
        match = _ENTRY.fullmatch(name)
        if match is None:
            raise InvalidInput(
                "`path` must hold only arrays weight_1, bias_1, weight_2, ...; "
                f"got {name!r} ({os.fspath(path)})."
            )
        kinds[match[1]][int(match[2])] = array
    weights, biases = kinds["weight"], kinds["bias"]
    if not weights:
        raise InvalidInput(f"`path` must hold an array weight_1; got {sorted(arrays)} ({os.fspath(path)}).")
    for number in range(1, max([*weights, *biases]) + 1):
        if number not in weights:
            raise InvalidInput(
                f"`path` must number its layers without gap; got {sorted(arrays)[:12]}, which lack "
                f"weight_{number} ({os.fspath(path)})."
            )
    return dense_network(
        [as_floats(weights[n], f"weight_{n}", ndim=2) for n in sorted(weights)],
        [as_floats(biases[n], f"bias_{n}", ndim=1) if n in biases else None for n in sorted(weights)],
    )


def save_network(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a dense ReLU network as `read_network` reads it, with reproducible bytes.

    Only numbers are written: node names become those of `dense_network`.

    Raises
    ------
    InvalidInput
        If the network is no chain of Linear, ReLU, Linear, ...
    OutputExists
        If something stands at `path`.
    """
    arrays: dict[str, FloatArray] = {}
    for number, layer in enumerate(network.dense_chain(), start=1):
        arrays[f"weight_{number}"] = layer.weight
        if layer.bias is not None:
            arrays[f"bias_{number}"] = layer.bias
    if Path(path).exists():
        raise OutputExists(f"`path` must not exist yet; got {os.fspath(path)!r}. Choose another name.")
    save_npz(path, arrays)


def read_inputs(path: str | os.PathLike[str]) -> FloatArray:
    """Read inputs (N, d), float64, from an .npy file or from the array `inputs` of an .npz file.

    Raises
    ------
    InvalidInput
        If the file is missing, damaged or too large, or does not hold one finite array (N, d), N, d >= 1.
    """
    magic = b""
    with suppress(OSError), Path(path).open("rb") as file:  # a file that cannot be read is reported below
        magic = file.read(6)
    if magic == b"\x93NUMPY":
        array = load_npy(path, max_bytes=MAX_BYTES, kinds="fiu", ndim=2)
    else:
        arrays = load_npz(path, max_bytes=MAX_BYTES, allowed={"inputs": ("fiu", 2)})
        if not arrays:
            raise InvalidInput(f"`path` must hold an array `inputs`; got an empty archive ({os.fspath(path)}).")
        array = arrays["inputs"]
    inputs = as_floats(array, "inputs", ndim=2)
    if inputs.size == 0:
        raise InvalidInput(f"`inputs` must have at least one row and column; got shape {inputs.shape}.")
    return np.ascontiguousarray(inputs)
