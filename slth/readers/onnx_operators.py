"""How each ONNX operator is read: a table from its name to the builder's call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slth.networks.windows import Pairs
from slth.readers.build import Builder, Shape, Value, refused

BATCH = object()  # the size of the batch axis, in shapes that a graph computes

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Padded:
    """A value that a Pad has been put around; only a convolution may read it."""

    value: Value
    padding: Pairs
    mode: str


@dataclass(frozen=True)
class Piece:
    """The first or last entries of a value along one axis; only a Concat that wraps a value around reads it."""

    value: Value | Padded
    axis: int
    count: int
    last: bool


@dataclass(frozen=True)
class Operator:
    """One node of the graph with its inputs resolved: values, constants, or shapes."""

    kind: str
    name: str
    inputs: tuple[Any, ...]
    attributes: dict[str, Any]
    sole: bool
    batch: int | None

    def value(self, place: int = 0) -> Value:
        """The input that must be computed from the network's."""
        found = self.inputs[place] if place < len(self.inputs) else None
        if not isinstance(found, Value):
            raise refused(f"compute input {place} of {self.kind}", what(found), self.name)
        return found

    def constant(self, place: int) -> Array | None:
        """An input that must be stored in the file, or left out."""
        found = self.inputs[place] if place < len(self.inputs) else None
        if found is not None and not isinstance(found, np.ndarray):
            raise refused(f"store input {place} of {self.kind}", what(found), self.name)
        return found

    def required(self, place: int) -> Array:
        """A constant that must be there."""
        found = self.constant(place)
        if found is None:
            raise refused(f"give input {place} of {self.kind}", "none", self.name)
        return found

    def integers(self, place: int, attribute: str) -> tuple[int, ...] | None:
        """Whole numbers from an input or, in older opsets, an attribute."""
        found = self.constant(place)
        if found is not None:
            return tuple(int(number) for number in found.reshape(-1))
        given = self.attributes.get(attribute)
        return None if given is None else tuple(int(number) for number in given)


def what(found: Any) -> str:
    """What an input turned out to be, in words."""
    if isinstance(found, Value):
        return "a computed value"
    if isinstance(found, np.ndarray):
        return "a constant"
    return "part of a value" if isinstance(found, Padded | Piece) else "nothing of the kind"


def _gemm(build: Builder, op: Operator) -> Value:
    value = op.value()
    if op.attributes.get("transA", 0):
        raise refused("multiply values from the left", "transA", op.name)
    weight = op.required(1) if op.attributes.get("transB", 0) else op.required(1).T
    bias = op.constant(2)
    alpha, beta = float(op.attributes.get("alpha", 1.0)), float(op.attributes.get("beta", 1.0))
    if bias is not None:
        if bias.ndim == 2 and bias.shape[0] == 1:
            bias = bias[0]
        bias = np.broadcast_to(bias, weight.shape[:1]) if bias.size == 1 else bias
        bias = bias if beta == 1.0 else bias.astype(np.float64) * beta
    return build.dense(op.name, value, weight if alpha == 1.0 else weight.astype(np.float64) * alpha, bias)


def _matmul(build: Builder, op: Operator) -> Value:
    value = op.value()
    return build.dense(op.name, value, op.required(1).T, None)


def _add(build: Builder, op: Operator) -> Value:
    first, second = (op.inputs[place] if place < len(op.inputs) else None for place in (0, 1))
    if isinstance(first, Value) and isinstance(second, Value):
        return build.add(op.name, (first, second))
    if isinstance(first, np.ndarray) and isinstance(second, Value):
        return build.add_constant(op.name, second, first, sole=op.sole)
    return build.add_constant(op.name, op.value(0), op.required(1), sole=op.sole)


def _mul(build: Builder, op: Operator) -> Value:
    place = 0 if isinstance(op.inputs[0], Value) else 1
    value, factor = op.value(place), op.required(1 - place)
    if factor.size != 1 or factor.ndim > len(value.shape):
        raise refused("multiply values by single numbers", f"shape {factor.shape}", op.name)
    by = np.full(value.shape[0], float(factor.reshape(-1)[0]))
    return build.scale(op.name, value, by, np.zeros_like(by), sole=op.sole)


def _conv(build: Builder, op: Operator) -> Value:
    weight = op.required(1)
    kernel = weight.shape[2:]
    before = op.inputs[0]
    value = before.value if isinstance(before, Padded) else op.value()
    stride = op.attributes.get("strides", [1] * len(kernel))
    dilation = op.attributes.get("dilations", [1] * len(kernel))
    padding = _padding(op, value, kernel, stride, dilation)
    mode = "zeros"
    if isinstance(before, Padded):
        if len(before.padding) != len(kernel) or (before.mode == "circular" and any(map(any, padding))):
            raise refused("pad a convolution once", f"{before.padding} and {padding}", op.name)
        mode = before.mode
        padding = tuple((a + c, b + d) for (a, b), (c, d) in zip(before.padding, padding, strict=True))
    return build.convolution(
        op.name,
        value,
        weight,
        op.constant(2),
        stride=stride,
        padding=padding,
        padding_mode=mode,
        dilation=dilation,
        groups=int(op.attributes.get("group", 1)),
    )


def _padding(op: Operator, value: Value, kernel: Shape, stride: Any, dilation: Any) -> Pairs:
    """Pairs (before, after) from `pads` or from the rule `auto_pad`."""
    auto = op.attributes.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = [int(side) for side in op.attributes.get("pads", [0] * (2 * len(kernel)))]
        if len(pads) != 2 * len(kernel):
            raise refused("pad both sides of each axis", f"pads {pads}", op.name)
        return tuple(zip(pads[: len(kernel)], pads[len(kernel) :], strict=True))
    if auto == "VALID":
        return ((0, 0),) * len(kernel)
    if auto not in ("SAME_UPPER", "SAME_LOWER") or len(value.shape) != len(kernel) + 1:
        raise refused("pad by a known rule", f"auto_pad {auto!r}", op.name)
    pairs = []
    for size, k, step, gap in zip(value.shape[1:], kernel, stride, dilation, strict=True):
        total = max(0, (-(-size // step) - 1) * step + gap * (k - 1) + 1 - size)
        small, large = total // 2, total - total // 2
        pairs.append((small, large) if auto == "SAME_UPPER" else (large, small))
    return tuple(pairs)


def _pad(_build: Builder, op: Operator) -> Value | Padded:
    value = op.value()
    mode = {"constant": "zeros", "wrap": "circular"}.get(op.attributes.get("mode", "constant"))
    fill = op.constant(2)
    if mode is None or (fill is not None and fill.size and float(fill.reshape(-1)[0])):
        raise refused(
            "pad with zeros or by wrapping", f"mode {op.attributes.get('mode')!r}, value {fill}", op.name
        )
    pads, rank = op.integers(1, "pads") or (), len(value.shape) + 1
    axes = op.integers(3, "axes") or tuple(range(rank))
    if len(pads) != 2 * len(axes):
        raise refused("pad both sides of each axis", f"pads {pads}", op.name)
    pairs = [(0, 0)] * rank
    for place, axis in enumerate(axes):
        pairs[axis % rank] = (pads[place], pads[place + len(axes)])
    if any(pairs[0]) or any(pairs[1]):
        raise refused("pad images along height and width only", f"pads {pads}", op.name)
    return Padded(value, tuple(pairs[2:]), mode) if any(map(any, pairs)) else value


def _batch_norm(build: Builder, op: Operator) -> Value:
    if op.attributes.get("training_mode", 0):
        raise refused("be exported for evaluation", "BatchNormalization in training mode", op.name)
    arrays = tuple(op.required(place).astype(np.float64) for place in (1, 2, 3, 4))
    eps = float(op.attributes.get("epsilon", 1e-5))
    return build.batch_norm(
        op.name, op.value(), (arrays[0], arrays[1], arrays[2], arrays[3]), eps, sole=op.sole
    )


def _pool(build: Builder, op: Operator) -> Value:
    kernel = tuple(int(side) for side in op.attributes.get("kernel_shape", ()))
    stride = op.attributes.get("strides", [1] * len(kernel))
    dilation = op.attributes.get("dilations", [1] * len(kernel))
    value = op.value()
    padding = _padding(op, value, kernel, stride, dilation)
    ceil = bool(op.attributes.get("ceil_mode", 0))
    if op.kind == "MaxPool":
        return build.max_pool(
            op.name, value, kernel, stride=stride, padding=padding, dilation=dilation, ceil=ceil
        )
    if any(gap != 1 for gap in dilation):
        raise refused("average without dilation", f"dilations {dilation}", op.name)
    counted = bool(op.attributes.get("count_include_pad", 0))
    return build.average_pool(
        op.name, value, kernel, stride=stride, padding=padding, count_padding=counted, ceil=ceil
    )


def _global(build: Builder, op: Operator) -> Value:
    value = op.value()
    if op.kind == "GlobalAveragePool":
        return build.adaptive_average_pool(op.name, value, (1,) * (len(value.shape) - 1))
    return build.max_pool(op.name, value, value.shape[1:])


def _mean(build: Builder, op: Operator) -> Value:
    value = op.value()
    rank = len(value.shape) + 1
    axes = op.integers(1, "axes") or ()
    if rank < 3 or sorted(axis % rank for axis in axes) != list(range(2, rank)):
        raise refused("take means over all places of an image", f"axes {axes}", op.name)
    pooled = build.adaptive_average_pool(op.name, value, (1,) * (rank - 2))
    kept = op.attributes.get("keepdims", 1)
    return pooled if kept else build.reshape(f"{op.name}.flatten", pooled, value.shape[:1])


def _flatten(build: Builder, op: Operator) -> Value:
    axis = int(op.attributes.get("axis", 1)) % (len(op.value().shape) + 1)
    if axis != 1:
        raise refused("leave the batch axis alone", f"Flatten from axis {axis}", op.name)
    return build.reshape(op.name, op.value(), (-1,))


def _reshape(build: Builder, op: Operator) -> Value:
    wanted = op.inputs[1] if len(op.inputs) > 1 else None
    value = op.value()
    sizes = tuple(wanted.reshape(-1).tolist()) if isinstance(wanted, np.ndarray) else wanted
    if not isinstance(sizes, tuple) or not sizes:
        raise refused("reshape to stored sizes", what(wanted), op.name)
    if op.attributes.get("allowzero", 0) and 0 in sizes:
        raise refused("reshape to positive sizes", f"{sizes} with allowzero", op.name)
    kept = (BATCH, *value.shape)
    whole: tuple[Any, ...] = tuple(
        kept[place] if side == 0 and place < len(kept) else side for place, side in enumerate(sizes)
    )
    first = whole[0] is BATCH or whole[0] == -1 or (op.batch is not None and whole[0] == op.batch)
    if not first or BATCH in whole[1:] or (whole[0] == -1 and -1 in whole[1:]):
        raise refused("leave the batch axis alone", f"a reshape to {sizes}", op.name)
    return build.reshape(op.name, value, tuple(int(side) for side in whole[1:]))


def _constant(_build: Builder, op: Operator) -> Any:
    for key, found in op.attributes.items():
        return found if key in ("value", "sparse_value") else np.asarray(found)
    raise refused("hold a value in each Constant", "none", op.name)


def _shape_of(_build: Builder, op: Operator) -> Any:
    """What exporters compute from a shape to reshape by it."""
    if op.kind == "Shape":
        return (BATCH, *op.value().shape)
    parts = [part.tolist() if isinstance(part, np.ndarray) else part for part in op.inputs]
    if op.kind == "Gather" and isinstance(parts[0], tuple) and isinstance(parts[1], int):
        return parts[0][parts[1]]
    if op.kind == "Unsqueeze" and (parts[0] is BATCH or isinstance(parts[0], int)):
        return (parts[0],)
    if op.kind == "Cast" and isinstance(op.inputs[0], tuple | np.ndarray):
        return op.inputs[0]
    raise refused("compute only shapes this way", f"{op.kind} of {what(op.inputs[0])}", op.name)


def _slice(_build: Builder, op: Operator) -> Any:
    """Part of a shape, or the end of a value that a Concat is to wrap around."""
    data = op.inputs[0]
    starts, ends = op.integers(1, "starts") or (), op.integers(2, "ends") or ()
    axes, steps = op.integers(3, "axes") or (0,), op.integers(4, "steps") or (1,)
    if len(starts) != 1 or len(ends) != 1 or len(axes) != 1 or steps != (1,):
        raise refused(
            "slice along one axis", f"starts {starts}, ends {ends}, axes {axes}, steps {steps}", op.name
        )
    start, stop = starts[0], ends[0]
    if isinstance(data, tuple):
        return data[start:stop]
    if isinstance(data, Value | Padded):
        shape = data.shape if isinstance(data, Value) else data.value.shape
        axis = axes[0] % (len(shape) + 1)
        size = shape[axis - 1] if axis else 0
        if axis >= 2 and start == 0 and 0 < stop <= size:
            return Piece(data, axis, stop, last=False)
        if axis >= 2 and -size <= start < 0 and stop >= size:
            return Piece(data, axis, -start, last=True)
    raise refused("slice values only to wrap them around", f"[{start}:{stop}] along axis {axes[0]}", op.name)


def _concat(_build: Builder, op: Operator) -> Any:
    """Parts of a shape, or a value wrapped around along one axis (how circular convolutions are exported)."""
    parts = [part for part in op.inputs if not isinstance(part, Piece)]
    axis = int(op.attributes.get("axis", 0))
    if len(parts) == len(op.inputs) and not any(isinstance(part, Value | Padded) for part in parts):
        sides = [part.reshape(-1).tolist() if isinstance(part, np.ndarray) else part for part in parts]
        if all(isinstance(side, tuple | list) for side in sides):
            return tuple(number for side in sides for number in side)
    if len(parts) == 1 and isinstance(parts[0], Value | Padded):
        base, place = parts[0], op.inputs.index(parts[0])
        before, after = op.inputs[:place], op.inputs[place + 1 :]
        around = [*before, *after]
        wraps = len(before) <= 1 and len(after) <= 1 and all(p.value is base and p.axis == axis for p in around)
        if wraps and all(p.last for p in before) and not any(p.last for p in after):
            value, pairs = (
                (base, ((0, 0),) * (len(base.shape) - 1))
                if isinstance(base, Value)
                else (
                    base.value,
                    base.padding,
                )
            )
            own = (before[0].count if before else 0, after[0].count if after else 0)
            listed = [own if i == axis - 2 else pair for i, pair in enumerate(pairs)]
            if pairs[axis - 2] == (0, 0) and (isinstance(base, Value) or base.mode == "circular"):
                return Padded(value, tuple(listed), "circular")
    raise refused("concatenate only to wrap a value around", f"{len(op.inputs)} parts", op.name)


OPERATORS: dict[str, Callable[[Builder, Operator], Any]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _add,
    "Mul": _mul,
    "Conv": _conv,
    "Pad": _pad,
    "BatchNormalization": _batch_norm,
    "Relu": lambda build, op: build.relu(op.name, op.value()),
    "AveragePool": _pool,
    "MaxPool": _pool,
    "GlobalAveragePool": _global,
    "GlobalMaxPool": _global,
    "ReduceMean": _mean,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Dropout": lambda _build, op: op.value(),
    "Identity": lambda _build, op: op.inputs[0],
    "Softmax": lambda build, op: build.softmax(op.name, op.value(), op.kind),
    "LogSoftmax": lambda build, op: build.softmax(op.name, op.value(), op.kind),
    "Constant": _constant,
    "Shape": _shape_of,
    "Gather": _shape_of,
    "Unsqueeze": _shape_of,
    "Concat": _concat,
    "Slice": _slice,
    "Cast": _shape_of,
}
