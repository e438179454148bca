"""The data that baselines train on: digits, split once into training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from slth._typing import IntArray
from slth._validate import read_only
from slth.examples.digits import digits

VALIDATION = 224
SPLIT_SEED = 20190307

Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Task:
    """Images in [0, 1]^64 and labels of three parts, and what the target network says of the test part.

    Attributes
    ----------
    train_inputs, validation_inputs, test_inputs : float32 (1124, 64), (224, 64), (449, 64)
    train_labels, validation_labels, test_labels : int64
    target_labels : (449,) int64
        Predictions of the shipped network on the test part.
    """

    train_inputs: Pixels
    train_labels: IntArray
    validation_inputs: Pixels
    validation_labels: IntArray
    test_inputs: Pixels
    test_labels: IntArray
    target_labels: IntArray


@cache
def digits_task() -> Task:
    """The shipped digits; the validation part is taken from the rows the shipped network was trained on."""
    data = digits()
    rows = np.random.Generator(np.random.Philox(SPLIT_SEED)).permutation(data.train_rows)
    parts = (rows[VALIDATION:], rows[:VALIDATION], data.test_rows)
    inputs = [read_only(data.inputs[part].astype(np.float32)) for part in parts]
    labels = [read_only(data.labels[part].copy()) for part in parts]
    said = data.network.forward(data.inputs[data.test_rows]).argmax(axis=1)
    return Task(
        inputs[0], labels[0], inputs[1], labels[1], inputs[2], labels[2], read_only(said.astype(np.int64))
    )
