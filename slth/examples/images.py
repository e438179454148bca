"""Three small image networks for the shipped digits: a convolutional one, a residual one, one invariant to D_4.

Each is given by its parameters alone, by name; `slth.examples.train_images` made those that are shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth.groups.images import ImageGroup
from slth.groups.intertwiners import orbits
from slth.groups.representations import trivial_representation
from slth.networks.basis import Basis, Translations
from slth.networks.equivariant import basis_of
from slth.networks.layers import Add, Input, Linear, Node, ReLU
from slth.networks.network import Network
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.symmetry import Symmetry
from slth.networks.windows import Windows

SIDE = 8
CLASSES = 10
# A parameter of that name and shape, from a file or at random.
Parameters = Callable[[str, tuple[int, ...]], FloatArray]

_HALVES = Windows((SIDE, SIDE), 2, stride=2)
_QUARTERS = Windows((SIDE // 2, SIDE // 2), 2, stride=2)


def cnn(parameter: Parameters) -> Network:
    """Two convolutions with a largest and a mean pool, then a dense layer."""
    nodes: tuple[Node, ...] = (
        Input("image", SIDE * SIDE),
        _convolution("conv1", "image", (1, 6, SIDE), parameter),
        ReLU("relu1", "conv1"),
        MaxPool("pool1", "relu1", 6, _HALVES),
        _convolution("conv2", "pool1", (6, 8, SIDE // 2), parameter),
        ReLU("relu2", "conv2"),
        AveragePool("pool2", "relu2", 8, _QUARTERS),
        _dense("dense", "pool2", 8 * 4, parameter),
    )
    return Network(nodes, "dense")


def residual(parameter: Parameters) -> Network:
    """A convolution, a residual block whose identity path stays as it is, then a dense layer."""
    nodes: tuple[Node, ...] = (
        Input("image", SIDE * SIDE),
        _convolution("stem", "image", (1, 8, SIDE), parameter),
        ReLU("stem.relu", "stem"),
        MaxPool("pool1", "stem.relu", 8, _HALVES),
        _convolution("block.one", "pool1", (8, 8, SIDE // 2), parameter),
        ReLU("block.inner", "block.one"),
        _convolution("block.two", "block.inner", (8, 8, SIDE // 2), parameter),
        Add("block.sum", ("pool1", "block.two")),
        ReLU("block.relu", "block.sum"),
        AveragePool("pool2", "block.relu", 8, _QUARTERS),
        _dense("dense", "pool2", 8 * 4, parameter),
    )
    return Network(nodes, "dense")


def d4(parameter: Parameters) -> Network:
    """Group convolutions over the turns and mirrors of the image; outputs are invariant under all eight.

    Lifting from pixels to one image per element of D_4, a mean pool, a group convolution, an invariant layer.
    """
    large = ImageGroup(SIDE, SIDE, "p4m", translations=False)
    small = ImageGroup(SIDE // 2, SIDE // 2, "p4m", translations=False)
    field = small.representation("regular")
    lift, turn = large.convolution("scalar", "regular", 3), small.convolution("regular", "regular", 3)
    out = orbits(field, trivial_representation(field.group))

    def linear(name: str, parent: str, basis: Basis, inner: int, outer: int) -> Linear:
        weight = parameter(f"{name}.weight", (outer, inner, basis.count))
        return Linear(name, parent, weight, basis, parameter(f"{name}.bias", (outer,)))

    nodes: tuple[Node, ...] = (
        Input("image", SIDE * SIDE),
        linear("lift", "image", basis_of(lift), 1, 4),
        ReLU("relu1", "lift"),
        AveragePool("pool", "relu1", 4 * 8, _HALVES),
        linear("turn", "pool", basis_of(turn), 4, 4),
        ReLU("relu2", "turn"),
        linear("invariant", "relu2", basis_of(out), 4, CLASSES),
    )
    pixels = large.representation("scalar")
    trivial = trivial_representation(pixels.group)
    return Network(nodes, "invariant", Symmetry.of(pixels, trivial, output_features=CLASSES))


def given(arrays: Mapping[str, npt.NDArray[Any]]) -> Parameters:
    """Parameters from arrays by name, of any shape with as many numbers."""
    return lambda name, shape: arrays[name].astype(np.float64).reshape(shape)


NETWORKS: dict[str, Callable[[Parameters], Network]] = {"cnn": cnn, "residual": residual, "d4": d4}


def _convolution(name: str, parent: str, sizes: tuple[int, int, int], parameter: Parameters) -> Linear:
    """A 3 x 3 convolution that keeps the size: features in, features out, side of the image."""
    inner, outer, side = sizes
    weight = parameter(f"{name}.weight", (outer, inner, 9))
    return Linear(
        name, parent, weight, Translations((side, side), 3, padding=1), parameter(f"{name}.bias", (outer,))
    )


def _dense(name: str, parent: str, inputs: int, parameter: Parameters) -> Linear:
    weight = parameter(f"{name}.weight", (CLASSES, inputs))
    return Linear(name, parent, weight[:, :, None], np.ones((1, 1, 1)), parameter(f"{name}.bias", (CLASSES,)))
