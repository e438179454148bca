"""What readers share: a network put together layer by layer, with the shape of every value known.

Readers translate a foreign format to these calls. A layer that does not fit is refused here, by its name.
Values are kept without the batch axis: (d,) for vectors, (C, L) and (C, H, W) for signals and images.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats, as_integer
from slth.errors import InvalidInput
from slth.networks.basis import DenseBasis, Translations
from slth.networks.layers import MAX_SIZE, Add, Flatten, Input, Linear, Node, ReLU
from slth.networks.network import Network
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Pairs, Windows

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A value in the network: the node that makes it, its shape, and the soft-max that was cut behind it."""

    node: str
    shape: Shape
    cut: str | None = None


class Builder:
    """Nodes gathered so far. Methods take the layer's name and values, and return the layer's value."""

    def __init__(self, input_shape: Shape, name: str = "input", *, logits: bool = False) -> None:
        self._nodes: dict[str, Node] = {}
        self._logits = logits
        self.input = self._put(Input(name, math.prod(input_shape)), input_shape)

    def dense(self, name: str, value: Value, weight: npt.ArrayLike, bias: npt.ArrayLike | None) -> Value:
        """weight (o, i) times a vector (i,)."""
        matrix = as_floats(weight, f"weight of layer {name!r}", ndim=2)
        if value.shape != matrix.shape[1:]:
            hint = " Flatten it first." if math.prod(value.shape) == matrix.shape[1] else ""
            raise refused(
                f"feed a dense layer a vector of {matrix.shape[1]}", f"shape {value.shape}", name, hint
            )
        self._check_new(name, value)
        node = Linear(name, value.node, matrix[:, :, None], np.ones((1, 1, 1)), self._bias(name, bias))
        return self._put(node, (matrix.shape[0],))

    def convolution(
        self,
        name: str,
        value: Value,
        weight: npt.ArrayLike,
        bias: npt.ArrayLike | None,
        *,
        stride: Any = 1,
        padding: Any = 0,
        padding_mode: str = "zeros",
        dilation: Any = 1,
        groups: int = 1,
    ) -> Value:
        """Kernels (o, i / groups, *kernel) over a signal (i, L) or an image (i, H, W)."""
        kernels = as_floats(weight, f"weight of layer {name!r}", ndim=(3, 4))
        channels, spatial = self._image(name, value, kernels.ndim - 2)
        if channels != kernels.shape[1] * groups:
            raise refused(
                f"feed a convolution {kernels.shape[1] * groups} channels", f"shape {value.shape}", name
            )
        self._check_new(name, value)
        with _named(name):
            basis = Translations(spatial, kernels.shape[2:], stride, padding, padding_mode, dilation)
            flat = kernels.reshape(*kernels.shape[:2], basis.count)
        node = Linear(name, value.node, flat, basis, self._bias(name, bias), groups)
        return self._put(node, (kernels.shape[0], *basis.output_spatial))

    def scale(
        self, name: str, value: Value, factor: npt.ArrayLike, shift: npt.ArrayLike, *, sole: bool
    ) -> Value:
        """factor * x + shift for each channel: folded into the linear layer before, if only this reads it.

        Otherwise it becomes a linear layer of its own, with one group per channel.
        """
        by = as_floats(factor, f"scale of layer {name!r}", ndim=1)
        add = as_floats(shift, f"shift of layer {name!r}", ndim=1)
        if by.shape != value.shape[:1] or add.shape != by.shape:
            raise refused(f"scale {by.size} channels", f"shape {value.shape}", name)
        before = self._nodes[value.node]
        if sole and isinstance(before, Linear) and before.output_features == by.size and value.cut is None:
            bias = add if before.bias is None else before.bias * by + add
            self._nodes[value.node] = _changed(before, before.coefficients * by[:, None, None], bias)
            return value
        self._check_new(name, value)
        basis = DenseBasis(np.ones((1, 1, 1))) if len(value.shape) == 1 else Translations(value.shape[1:], 1)
        return self._put(Linear(name, value.node, by[:, None, None], basis, add, by.size), value.shape)

    def batch_norm(
        self, name: str, value: Value, arrays: tuple[Any, Any, Any, Any], eps: float, *, sole: bool
    ) -> Value:
        """Batch norm by fixed statistics (weight, bias, mean, variance); None as weight is 1, as bias 0."""
        weight, bias, mean, variance = arrays
        if not (variance + eps > 0).all():
            raise refused("have positive running variances", f"{float(np.min(variance))} + {eps}", name)
        factor = (1.0 if weight is None else weight) / np.sqrt(variance + eps)
        return self.scale(name, value, factor, (0.0 if bias is None else bias) - mean * factor, sole=sole)

    def add_constant(self, name: str, value: Value, constant: npt.ArrayLike, *, sole: bool) -> Value:
        """x + constant, one number per channel: the bias of the linear layer before."""
        array = as_floats(constant, f"constant of layer {name!r}", ndim=(0, 1, 2, 3, 4))
        before = self._nodes[value.node]
        rank = len(value.shape)
        shape = array.shape[1:] if array.ndim == rank + 1 and array.shape[0] == 1 else array.shape
        fits = shape == (value.shape[0], *(1,) * (rank - 1))
        if not fits or not sole or not isinstance(before, Linear) or before.output_features != value.shape[0]:
            raise refused(
                "add constants only as the bias of a linear layer",
                f"a constant of shape {array.shape} added to shape {value.shape}",
                name,
            )
        bias = array.reshape(-1) if before.bias is None else before.bias + array.reshape(-1)
        self._nodes[value.node] = _changed(before, before.coefficients, bias)
        return value

    def relu(self, name: str, value: Value) -> Value:
        """Positive part."""
        name = self.free(name)
        self._check_new(name, value)
        return self._put(ReLU(name, value.node), value.shape)

    def add(self, name: str, values: Sequence[Value]) -> Value:
        """Sum of values of one shape (a residual path)."""
        shapes = [value.shape for value in values]
        if len(set(shapes)) != 1:
            raise refused("add values of one shape", f"shapes {' and '.join(map(str, shapes))}", name)
        name = self.free(name)
        for value in values:
            self._check_new(name, value)
        return self._put(Add(name, tuple(value.node for value in values)), shapes[0])

    def reshape(self, name: str, value: Value, shape: Shape) -> Value:
        """Another shape of as many entries, -1 for what is left; a Flatten node if it becomes a vector."""
        known = -math.prod(shape) if shape.count(-1) == 1 else math.prod(shape)
        size = math.prod(value.shape)
        if known < 1 or (size % known if -1 in shape else size != known):
            raise refused("keep the number of entries of each input", f"{value.shape} made {shape}", name)
        whole = tuple(size // known if side == -1 else side for side in shape)
        if whole == value.shape:
            return value
        if len(whole) > 1:
            return replace(value, shape=whole)
        name = self.free(name)
        self._check_new(name, value)
        return self._put(Flatten(name, value.node), whole)

    def average_pool(
        self,
        name: str,
        value: Value,
        kernel: Sequence[int],
        *,
        stride: Any = 1,
        padding: Any = 0,
        count_padding: bool = True,
        ceil: bool = False,
    ) -> Value:
        """Mean over windows of an image or signal."""
        channels, windows = self._windows(name, value, kernel, stride, padding, 1, ceil=ceil)
        name = self.free(name)
        pool = AveragePool(name, value.node, channels, windows, count_padding)
        return self._put(pool, (channels, *windows.output_spatial))

    def max_pool(
        self,
        name: str,
        value: Value,
        kernel: Sequence[int],
        *,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        ceil: bool = False,
    ) -> Value:
        """Maximum over windows of an image or signal."""
        channels, windows = self._windows(name, value, kernel, stride, padding, dilation, ceil=ceil)
        name = self.free(name)
        return self._put(MaxPool(name, value.node, channels, windows), (channels, *windows.output_spatial))

    def adaptive_average_pool(self, name: str, value: Value, sizes: Sequence[int | None]) -> Value:
        """Mean over windows so that `sizes` of them remain along each axis (None: as many as there are)."""
        _, spatial = self._image(name, value, len(sizes))
        wanted = [old if new is None else new for old, new in zip(spatial, sizes, strict=True)]
        if any(new < 1 or old % new for old, new in zip(spatial, wanted, strict=True)):
            raise refused("pool to sizes that divide the input", f"{spatial} made {tuple(wanted)}", name)
        kernel = [old // new for old, new in zip(spatial, wanted, strict=True)]
        return self.average_pool(name, value, kernel, stride=kernel)

    def softmax(self, name: str, value: Value, kind: str) -> Value:
        """The value before a soft-max, if the caller asked for logits and nothing follows."""
        if not self._logits:
            raise InvalidInput(
                f"`output` must be 'logits' to read a network that ends in {kind} (layer {name!r}): "
                "the network is then read without it."
            )
        self._check_new(name, value)
        return replace(value, cut=name)

    def network(self, value: Value) -> Network:
        """The network whose output is `value`."""
        if not any(isinstance(node, Linear) for node in self._nodes.values()):
            raise InvalidInput("`source` must have at least one linear layer; got none.")
        return Network(tuple(self._nodes.values()), value.node)

    def free(self, name: str) -> str:
        """`name`, or with the first of _2, _3, ... that no node has yet."""
        if name not in self._nodes:
            return name
        number = 2
        while f"{name}_{number}" in self._nodes:
            number += 1
        return f"{name}_{number}"

    def _put(self, node: Node, shape: Shape) -> Value:
        self._nodes[node.name] = node
        return Value(node.name, shape)

    def _check_new(self, name: str, value: Value) -> None:
        if value.cut is not None:
            raise refused("have a soft-max at its end only", f"one followed by {name!r}", value.cut)
        if name in self._nodes:
            raise refused("use each layer's weights once", "a layer called twice: shared weights", name)

    def _image(self, name: str, value: Value, axes: int) -> tuple[int, Shape]:
        if len(value.shape) != axes + 1:
            wanted = "(channels, length)" if axes == 1 else "(channels, height, width)"
            raise refused(f"feed this layer a value of shape {wanted}", f"shape {value.shape}", name)
        return value.shape[0], value.shape[1:]

    def _windows(
        self,
        name: str,
        value: Value,
        kernel: Sequence[int],
        stride: Any,
        padding: Any,
        dilation: Any,
        *,
        ceil: bool,
    ) -> tuple[int, Windows]:
        channels, spatial = self._image(name, value, len(kernel))
        self._check_new(self.free(name), value)
        with _named(name):
            windows = Windows(spatial, kernel, stride, padding, dilation=dilation)
        if ceil:
            for axis, (before, after) in enumerate(windows.padding):
                room = windows.dilation[axis] * (windows.kernel[axis] - 1) + 1
                if (spatial[axis] + before + after - room) % windows.stride[axis]:
                    raise refused("pool without partial windows", "ceil_mode with a remainder", name)
        return channels, windows

    def _bias(self, name: str, bias: npt.ArrayLike | None) -> FloatArray | None:
        return None if bias is None else as_floats(bias, f"bias of layer {name!r}", ndim=1)


@contextmanager
def _named(layer: str) -> Iterator[None]:
    """Add the layer's name to a refusal of windows, which know no name."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{str(error).removesuffix('.')} (layer {layer!r}).") from None


def refused(rule: str, got: str, layer: str, remedy: str = "") -> InvalidInput:
    """The refusal of one layer: `source` must {rule}; got {got} (layer)."""
    return InvalidInput(f"`source` must {rule}; got {got} (layer {layer!r}).{remedy}")


def unsupported(kind: str, layer: str, supported: Sequence[str]) -> InvalidInput:
    """The refusal of a layer of a kind that is not read."""
    return InvalidInput(
        f"`source` must be made of supported layers; got {kind} (layer {layer!r}). "
        f"Supported: {', '.join(supported)}."
    )


def same_padding(kernel: Sequence[int], dilation: Sequence[int]) -> Pairs:
    """Padding that keeps the size at stride 1; what is odd comes after."""
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def as_shape(shape: int | Sequence[int]) -> Shape:
    """An input shape without batch: d, (d,), (C, L) or (C, H, W)."""
    given = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if not 1 <= len(given) <= 3:
        raise InvalidInput(
            f"`input_shape` must be (d,), (C, L) or (C, H, W), without the batch; got {given!r}."
        )
    sides = tuple(as_integer(side, "input_shape", low=1, high=MAX_SIZE) for side in given)
    if math.prod(sides) > MAX_SIZE:
        raise InvalidInput(f"`input_shape` must have at most {MAX_SIZE} entries; got {sides}.")
    return sides


def _changed(node: Linear, coefficients: FloatArray, bias: FloatArray) -> Linear:
    return Linear(node.name, node.input, coefficients, node.basis, bias, node.groups)
