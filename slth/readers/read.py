"""`read`: a network from whatever holds one, told apart by kind and file name."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slth._validate import as_choice
from slth.errors import InvalidInput
from slth.networks.network import Network
from slth.networks.npz import load_npz
from slth.readers.architecture import load_arrays, read_arrays
from slth.readers.arrays import MAX_BYTES, read_network

_SOURCES = (
    "a torch.nn.Module, a fitted MLPClassifier or MLPRegressor, arrays by name, "
    "or a file .onnx, .npz or .safetensors"
)


def read(
    source: Any,
    *,
    input_shape: int | Sequence[int] | None = None,
    architecture: str | None = None,
    output: str | None = None,
) -> Network:
    """Read a network from a torch module, an ONNX file, a scikit-learn model, or arrays.

    Parameters
    ----------
    source : object or path
        * ``torch.nn.Module``: traced by torch.fx, names kept, read as in evaluation mode, never changed.
        * ``.onnx`` file, with its weights inside.
        * fitted scikit-learn ``MLPClassifier`` or ``MLPRegressor``.
        * ``.npz`` or ``.safetensors`` file, or a mapping of names to arrays (such as a state_dict), with
          `architecture`; an .npz of weight_1, bias_1, ... (`save_network`) needs none.
    input_shape : int or tuple of int, optional
        Shape of one input, without batch: (d,), (C, L) or (C, H, W). Needed for torch modules and
        architectures that do not begin with a dense layer; ONNX files state it.
    architecture : str, optional
        Steps such as ``"conv 8 3x3 pad 1 | relu | maxpool 2 | flatten | dense 10"``; see
        `slth.readers.architecture.parse_architecture`.
    output : {None, "logits"}
        "logits" cuts a soft-max (or a classifier's logistic function) at the end.

    Returns
    -------
    Network
        Values are flat vectors, images channel by channel. Batch norm is folded into the linear layer
        before it, where there is one that nothing else reads.

    Raises
    ------
    InvalidInput
        If something is not supported, damaged, or does not fit; the message names the layer.
    MissingExtra
        If the package that reads this kind of source is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> arrays = {"weight_1": np.ones((2, 1, 3, 3)), "weight_2": np.ones((1, 2))}
    >>> line = "conv 2 3x3 | relu | globalavgpool | flatten | dense 1"
    >>> network = read(arrays, architecture=line, input_shape=(1, 4, 4))
    >>> float(network.forward(np.ones(16))[0])
    18.0
    """
    if output is not None:
        as_choice(output, "output", ("logits",))
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else input_shape
    logits = output == "logits"
    if isinstance(source, (str, os.PathLike)):
        return _read_file(Path(source), shape, architecture, output)
    if isinstance(source, Mapping):
        if architecture is None:
            raise InvalidInput("`architecture` must be given for arrays, like 'dense 32 | relu | dense 10'.")
        return read_arrays(source, architecture, shape, output=output)
    if architecture is not None:
        raise InvalidInput(f"`architecture` must be left out for a {type(source).__name__}.")
    if isinstance(source, Network):
        return source
    torch = sys.modules.get("torch")  # a module can only come from torch that is loaded
    if torch is not None and isinstance(source, torch.nn.Module):
        from slth.readers.torch_modules import read_torch

        return read_torch(source, shape, logits=logits)
    if type(source).__module__.startswith("sklearn."):
        from slth.readers.sklearn_models import read_sklearn

        return read_sklearn(source, logits=logits)
    raise InvalidInput(f"`source` must be {_SOURCES}; got {type(source).__name__}.")


def _read_file(path: Path, shape: Any, architecture: str | None, output: str | None) -> Network:
    if not path.is_file():
        raise InvalidInput(f"`source` must be an existing file; got {str(path)!r}.")
    kind = path.suffix.lower()
    if kind in (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt"):
        raise InvalidInput(
            f"`source` must not be a pickle, which can run any code; got {str(path)!r}. Load it yourself "
            "and give the module, or save its state_dict as .safetensors."
        )
    if kind == ".onnx":
        if architecture is not None:
            raise InvalidInput("`architecture` must be left out for an .onnx file.")
        from slth.readers.onnx_files import read_onnx

        return read_onnx(path, shape, logits=output == "logits")
    if kind == ".npz" and architecture is None:
        return read_network(path)
    if kind not in (".npz", ".safetensors"):
        raise InvalidInput(f"`source` must be {_SOURCES}; got {str(path)!r}.")
    if architecture is None:
        raise InvalidInput("`architecture` must be given for arrays, like 'dense 32 | relu | dense 10'.")
    arrays = load_npz(path, max_bytes=MAX_BYTES) if kind == ".npz" else load_arrays(path)
    return read_arrays(arrays, architecture, shape, output=output)
