"""The shipped example: a small trained classifier of handwritten digits, its 1797 images and its domain."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import BoolArray, FloatArray, IntArray
from slth._validate import read_only
from slth.networks.domain import Domain
from slth.networks.network import Network, dense_network
from slth.networks.npz import load_npz

MAX_BYTES = 2**20
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
        64-32-10, ReLU, with biases; weights exact in float32.
    inputs : (1797, 64) array
        Images of 8 x 8 pixels, each a multiple of 1/16 in [0, 1].
    labels : (1797,) int64 array
        The digit written.
    test_rows : (449,) int64 array
        Rows that training did not see, ascending; `train_rows` are the others.
    domain : Domain
        The box [0, 1]^64.
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


def digits() -> Digits:
    """Load the shipped digits network and data (`slth/examples/train_digits.py` made them).

    The images are those of scikit-learn's `load_digits`, the test part of "Optical Recognition of Handwritten
    Digits" (Alpaydin and Kaynak, UCI Machine Learning Repository, 1998, CC BY 4.0).

    Examples
    --------
    >>> example = digits()
    >>> example.network.parameters, example.inputs.shape
    (2410, (1797, 64))
    >>> round(example.accuracy(), 3)
    0.971
    """
    with (files("slth.examples") / "digits.npz").open("rb") as file:
        arrays = load_npz(file, max_bytes=MAX_BYTES, allowed=_ARRAYS)
    is_test: BoolArray = arrays["is_test"]
    return Digits(
        network=dense_network(
            [arrays["weight_1"], arrays["weight_2"]],
            [arrays["bias_1"], arrays["bias_2"]],
        ),
        inputs=_frozen(arrays["pixels"] / 16.0),
        labels=_frozen(arrays["labels"].astype(np.int64)),
        test_rows=_frozen(np.flatnonzero(is_test)),
        domain=Domain.box(0.0, 1.0, size=arrays["pixels"].shape[1]),
    )


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return read_only(np.ascontiguousarray(array))
