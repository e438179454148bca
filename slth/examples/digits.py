"""The shipped examples: small trained classifiers of handwritten digits, their 1797 images and their domain."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import BoolArray, FloatArray, IntArray
from slth._validate import as_choice, read_only
from slth.examples.images import NETWORKS, given
from slth.examples.upsampled import upsampled_network, upsampling
from slth.networks.domain import Domain
from slth.networks.network import Network, dense_network
from slth.networks.npz import load_npz

MAX_BYTES = 2**20
LARGE = "784"
_ARRAYS = {
    "weight_1": ("f", 2),
    "bias_1": ("f", 1),
    "weight_2": ("f", 2),
    "bias_2": ("f", 1),
    "pixels": ("u", 2),
    "labels": ("u", 1),
    "is_test": ("b", 1),
}


@dataclass(frozen=True, eq=False)
class Digits:
    """A trained network and the data it is about; arrays read-only.

    Attributes
    ----------
    network : Network
        The classifier; weights exact in float32.
    inputs : (1797, 64) array
        Images of 8 x 8 pixels, each a multiple of 1/16 in [0, 1]; (1797, 784), drawn larger, for "784".
    labels : (1797,) int64 array
        The digit written.
    test_rows : (449,) int64 array
        Rows that training did not see, ascending; `train_rows` are the others.
    domain : Domain
        The box [0, 1]^64, or [0, 1]^784.
    """

    network: Network
    inputs: FloatArray
    labels: IntArray
    test_rows: IntArray
    domain: Domain

    @property
    def train_rows(self) -> IntArray:
        """Rows used for training, ascending."""
        return np.setdiff1d(np.arange(len(self.labels)), self.test_rows)

    def accuracy(self, network: Network | None = None) -> float:
        """Share of the test rows whose largest output is the label, by `network` or the shipped one."""
        chosen = (network or self.network).forward(self.inputs[self.test_rows]).argmax(axis=1)
        return float((chosen == self.labels[self.test_rows]).mean())


def digits(network: str = "dense") -> Digits:
    """Load a shipped network and the data (`slth/examples/train_digits.py`, `train_images.py` and
    `train_upsampled.py` made them).

    The images are those of scikit-learn's `load_digits`, the test part of "Optical Recognition of Handwritten
    Digits" (Alpaydin and Kaynak, UCI Machine Learning Repository, 1998, CC BY 4.0).

    Parameters
    ----------
    network : {"dense", "cnn", "residual", "d4", "784"}
        64-32-10 with ReLU; or one of `slth.examples.images`: convolutional, residual, invariant to turns and
        mirrors of the image; or 784-500-10 on images of 28 x 28 (`slth.examples.upsampled`). 97.1, 97.8, 97.3,
        95.1 and 98.0 % of the test rows right.

    Raises
    ------
    InvalidInput
        If `network` is none of these.

    Examples
    --------
    >>> example = digits()
    >>> example.network.parameters, example.inputs.shape
    (2410, (1797, 64))
    >>> [round(digits(name).accuracy(), 3) for name in ("dense", "cnn", "residual", "d4", "784")]
    [0.971, 0.978, 0.973, 0.951, 0.98]
    """
    as_choice(network, "network", ("dense", *NETWORKS, LARGE))
    with (files("slth.examples") / "digits.npz").open("rb") as file:
        arrays = load_npz(file, max_bytes=MAX_BYTES, allowed=_ARRAYS)
    is_test: BoolArray = arrays["is_test"]
    inputs = arrays["pixels"] / 16.0
    if network == LARGE:
        inputs = inputs @ upsampling().T  # exact: multiples of 2^-16, four at most
    return Digits(
        network=_image_network(network)
        if network != "dense"
        else dense_network(
            [arrays["weight_1"], arrays["weight_2"]],
            [arrays["bias_1"], arrays["bias_2"]],
        ),
        inputs=_frozen(inputs),
        labels=_frozen(arrays["labels"].astype(np.int64)),
        test_rows=_frozen(np.flatnonzero(is_test)),
        domain=Domain.box(0.0, 1.0, size=inputs.shape[1]),
    )


def _image_network(name: str) -> Network:
    with (files("slth.examples") / f"digits-{name}.npz").open("rb") as file:
        stored = load_npz(file, max_bytes=MAX_BYTES)
    return upsampled_network(stored) if name == LARGE else NETWORKS[name](given(stored))


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return read_only(np.ascontiguousarray(array))
