"""The networks that are trained: dense ones and small convolutional ones, as arrays and as torch functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slth.errors import InvalidInput

Arrays = list[npt.NDArray[np.float32]]

SIDE, CLASSES = 8, 10
MOST = 1 << 24
_NAME = re.compile(r"(conv:(?P<channels>\d{1,4}(-\d{1,4})?):)?(?P<hidden>\d{1,5}(-\d{1,5}){0,3})")


@dataclass(frozen=True)
class Architecture:
    """Layers from 8 x 8 images to 10 classes, ReLU between them.

    Attributes
    ----------
    name : str
        "300-100": hidden widths of a dense network. "conv:16-32:64": 3 x 3 convolutions with so many channels,
        each followed by ReLU and 2 x 2 max pooling, then dense layers.
    shapes : tuple of tuple of int
        Shapes of the weights, (out, in) or (out, in, 3, 3), in order.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]

    @property
    def weights(self) -> int:
        """Number of weights, biases not counted."""
        return sum(int(np.prod(shape)) for shape in self.shapes)

    @property
    def biases(self) -> int:
        """Number of biases."""
        return sum(shape[0] for shape in self.shapes)

    @property
    def dense(self) -> bool:
        """Whether all layers are dense."""
        return all(len(shape) == 2 for shape in self.shapes)


def architecture(name: str) -> Architecture:
    """The architecture of that name.

    Raises
    ------
    InvalidInput
        If the name says no architecture, or one of more than 2^24 weights.

    Examples
    --------
    >>> architecture("300-100").weights
    50200
    >>> architecture("conv:16-32:64").shapes
    ((16, 1, 3, 3), (32, 16, 3, 3), (64, 128), (10, 64))
    """
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None or "0" in re.split("[:-]", name):
        raise InvalidInput(
            f"`network` must be hidden widths like '300-100' or 'conv:16-32:64'; got {name!r:.80}."
        )
    shapes: list[tuple[int, ...]] = []
    width, side, channels = SIDE * SIDE, SIDE, 1
    for word in (match["channels"] or "").split("-") if match["channels"] else []:
        shapes.append((int(word), channels, 3, 3))
        channels, side = int(word), side // 2
        width = channels * side * side
    for word in (*match["hidden"].split("-"), str(CLASSES)):
        shapes.append((int(word), width))
        width = int(word)
    found = Architecture(name, tuple(shapes))
    if found.weights > MOST:
        raise InvalidInput(f"`network` must have at most {MOST} weights; {name!r} has {found.weights}.")
    return found


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan-in, fan-out) of a weight."""
    area = int(np.prod(shape[2:]))
    return shape[1] * area, shape[0] * area


def glorot(net: Architecture, rng: np.random.Generator) -> Arrays:
    """Initial weights: normal with variance 2 / (fan-in + fan-out), layer after layer."""
    return [
        (rng.standard_normal(shape) * np.sqrt(2.0 / sum(fans(shape)))).astype(np.float32)
        for shape in net.shapes
    ]


def no_biases(net: Architecture) -> Arrays:
    """Zeros, one vector a layer."""
    return [np.zeros(shape[0], np.float32) for shape in net.shapes]


def forward(torch: Any, weights: list[Any], biases: list[Any], x: Any, thin: Any = None) -> Any:
    """Logits (B, 10) of images (B, 64); `thin`, if given, is applied to each dense hidden layer (dropout)."""
    functional = torch.nn.functional
    last = len(weights) - 1
    if weights[0].dim() == 4:
        x = x.view(-1, 1, SIDE, SIDE)
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if weight.dim() == 4:
            x = functional.max_pool2d(functional.conv2d(x, weight, bias, padding=1).relu(), 2)
            continue
        x = functional.linear(x.flatten(1), weight, bias)
        if index < last:
            x = x.relu()
            x = x if thin is None else thin(x)
    return x
