"""How each torch layer and function is read: tables from its name to the builder's call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slth._typing import FloatArray
from slth.errors import InvalidInput
from slth.readers.build import Builder, Value, refused, same_padding, unsupported

SUPPORTED = (
    "Linear",
    "Conv1d",
    "Conv2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "ReLU",
    "AvgPool1d",
    "AvgPool2d",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "MaxPool1d",
    "MaxPool2d",
    "Flatten",
    "Unflatten",
    "Dropout",
    "Identity",
    "Softmax",
    "and the functions linear, conv1d, conv2d, relu, add, mul by a number, flatten, reshape, view, mean, "
    "max and average pools",
)
BATCH = object()  # the size of the batch axis, wherever a module asks for it


class Call:
    """One traced function call: where its layer goes and under which name."""

    def __init__(self, build: Builder, node: Any, sole: Callable[[Any], bool]) -> None:
        self.build = build
        self.node = node
        self.name = str(node.name)
        self.sole = sole

    def weight_name(self) -> str:
        """Name of a functional layer: the module that holds its weight, else the traced name."""
        weight = self.node.args[1] if len(self.node.args) > 1 else self.node.kwargs.get("weight")
        target = str(getattr(weight, "target", ""))
        return target.rpartition(".")[0] or self.name


def numbers(tensor: Any, label: str) -> FloatArray:
    """A tensor's numbers in float64 (exact: every real torch dtype is narrower or equal)."""
    import torch

    if tensor.is_complex() or tensor.is_quantized or tensor.is_sparse or tensor.device.type == "meta":
        raise InvalidInput(f"`source` must have plain real weights; got {tensor.dtype} ({label!r}).")
    array: FloatArray = tensor.detach().to("cpu", torch.float64).numpy()
    return array


def _optional(tensor: Any, label: str) -> FloatArray | None:
    return None if tensor is None else numbers(tensor, label)


def _weight(module: Any, name: str, label: str = "weight") -> FloatArray | None:
    """A parameter, if there is one, with the mask of torch.nn.utils.prune if it has one."""
    original = getattr(module, f"{label}_orig", None)
    tensor = getattr(module, label) if original is None else original * getattr(module, f"{label}_mask")
    return _optional(tensor, f"{name}.{label}")


def _main(module: Any, name: str) -> FloatArray:
    weight = _weight(module, name)
    if weight is None:
        raise refused("have all weights", "None", f"{name}.weight")
    return weight


def _linear(build: Builder, name: str, value: Value, module: Any, _sole: bool) -> Value:
    return build.dense(name, value, _main(module, name), _weight(module, name, "bias"))


def _convolution(build: Builder, name: str, value: Value, module: Any, _sole: bool) -> Value:
    if module.padding_mode not in ("zeros", "circular"):
        raise refused("pad with zeros or circularly", f"padding_mode {module.padding_mode!r}", name)
    return build.convolution(
        name,
        value,
        _main(module, name),
        _weight(module, name, "bias"),
        stride=module.stride,
        padding=_padding(module.padding, module.kernel_size, module.dilation),
        padding_mode=module.padding_mode,
        dilation=module.dilation,
        groups=module.groups,
    )


def _padding(padding: Any, kernel: Any, dilation: Any) -> Any:
    if padding == "same":
        return same_padding(kernel, dilation)
    return 0 if padding == "valid" else padding


def _batch_norm(build: Builder, name: str, value: Value, module: Any, sole: bool) -> Value:
    mean, variance = _weight(module, name, "running_mean"), _weight(module, name, "running_var")
    if mean is None or variance is None:
        raise refused("keep running statistics", f"{type(module).__name__} without them", name)
    weight, bias = _weight(module, name), _weight(module, name, "bias")
    return build.batch_norm(name, value, (weight, bias, mean, variance), module.eps, sole=sole)


def _average(build: Builder, name: str, value: Value, module: Any, _sole: bool) -> Value:
    axes = int(type(module).__name__[-2])
    return _average_pool(
        build,
        name,
        value,
        axes,
        module.kernel_size,
        module.stride,
        module.padding,
        module.ceil_mode,
        module.count_include_pad,
        getattr(module, "divisor_override", None),
    )


def _average_pool(
    build: Builder,
    name: str,
    value: Value,
    axes: int,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Value:
    if divisor_override is not None:
        raise refused("average over windows", f"divisor_override {divisor_override}", name)
    kernel = _each(kernel_size, axes)
    return build.average_pool(
        name,
        value,
        kernel,
        stride=kernel if stride is None or stride == () else stride,
        padding=padding,
        count_padding=bool(count_include_pad),
        ceil=bool(ceil_mode),
    )


def _largest(build: Builder, name: str, value: Value, module: Any, _sole: bool) -> Value:
    axes = int(type(module).__name__[-2])
    return _max_pool(
        build,
        name,
        value,
        axes,
        module.kernel_size,
        module.stride,
        module.padding,
        module.dilation,
        module.ceil_mode,
        module.return_indices,
    )


def _max_pool(
    build: Builder,
    name: str,
    value: Value,
    axes: int,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Value:
    if return_indices:
        raise refused("return values of pools only", "return_indices", name)
    kernel = _each(kernel_size, axes)
    return build.max_pool(
        name,
        value,
        kernel,
        stride=kernel if stride is None or stride == () else stride,
        padding=padding,
        dilation=dilation,
        ceil=bool(ceil_mode),
    )


def _adaptive(build: Builder, name: str, value: Value, module: Any, _sole: bool) -> Value:
    sizes = _each(module.output_size, int(type(module).__name__[-2]))
    return build.adaptive_average_pool(name, value, sizes)


def _flatten(build: Builder, name: str, value: Value, module: Any, _sole: bool) -> Value:
    return _flattened(build, name, value, module.start_dim, module.end_dim)


def _flattened(build: Builder, name: str, value: Value, start: int = 0, end: int = -1) -> Value:
    rank = len(value.shape) + 1
    first, last = start % rank, end % rank
    if first == 0:
        raise refused("leave the batch axis alone", f"flatten from axis {start}", name)
    shape = (*value.shape[: first - 1], -1, *value.shape[last:])
    return build.reshape(name, value, shape)


def _unflatten(build: Builder, name: str, value: Value, module: Any, _sole: bool) -> Value:
    axis = module.dim % (len(value.shape) + 1) if isinstance(module.dim, int) else 0
    if axis == 0:
        raise refused("leave the batch axis alone", f"unflatten of axis {module.dim!r}", name)
    sizes = tuple(int(size) for size in module.unflattened_size)
    return build.reshape(name, value, value.shape[: axis - 1] + sizes + value.shape[axis:])


def _nothing(_build: Builder, _name: str, value: Value, _module: Any, _sole: bool) -> Value:
    return value


def _softmax(build: Builder, name: str, value: Value, module: Any, _sole: bool) -> Value:
    return build.softmax(name, value, type(module).__name__)


def _each(size: Any, axes: int) -> tuple[Any, ...]:
    given = tuple(size) if isinstance(size, (tuple, list)) else (size,)
    return given * axes if len(given) == 1 else given


MODULES: dict[str, Callable[[Builder, str, Value, Any, bool], Value]] = {
    "Linear": _linear,
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _batch_norm,
    "ReLU": lambda build, name, value, _module, _sole: build.relu(name, value),
    "AvgPool1d": _average,
    "AvgPool2d": _average,
    "AdaptiveAvgPool1d": _adaptive,
    "AdaptiveAvgPool2d": _adaptive,
    "MaxPool1d": _largest,
    "MaxPool2d": _largest,
    "Flatten": _flatten,
    "Unflatten": _unflatten,
    "Dropout": _nothing,
    "Dropout1d": _nothing,
    "Dropout2d": _nothing,
    "Identity": _nothing,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
}


def _call_linear(call: Call, value: Value, weight: Any, bias: Any = None) -> Value:
    name = call.weight_name()
    return call.build.dense(name, value, numbers(weight, name), _optional(bias, name))


def _call_conv(
    call: Call,
    value: Value,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Value:
    name = call.weight_name()
    kernels = numbers(weight, name)
    sizes = kernels.shape[2:]
    return call.build.convolution(
        name,
        value,
        kernels,
        _optional(bias, name),
        stride=stride,
        padding=_padding(padding, sizes, _each(dilation, len(sizes))),
        dilation=dilation,
        groups=groups,
    )


def _call_add(call: Call, first: Any, second: Any, *, alpha: Any = 1) -> Value:
    if alpha != 1:
        raise refused("add values as they are", f"alpha {alpha}", call.name)
    if isinstance(first, Value) and isinstance(second, Value):
        return call.build.add(call.name, (first, second))
    raise refused("add values of layers", f"{type(first).__name__} and {type(second).__name__}", call.name)


def _call_mul(call: Call, first: Any, second: Any) -> Value:
    value, factor = (first, second) if isinstance(first, Value) else (second, first)
    if not isinstance(value, Value) or isinstance(factor, bool) or not isinstance(factor, int | float):
        raise refused("multiply values by numbers only", f"{type(second).__name__}", call.name)
    channels = value.shape[0]
    return call.build.scale(
        call.name, value, np.full(channels, float(factor)), np.zeros(channels), sole=call.sole(call.node)
    )


def _call_view(call: Call, value: Value, *shape: Any) -> Value:
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
    if len(sizes) < 2 or not (sizes[0] is BATCH or sizes[0] == -1) or BATCH in sizes[1:]:
        raise refused("leave the batch axis alone", f"a reshape to {sizes[:4]}", call.name)
    if sizes[0] == -1 and -1 in sizes[1:]:
        raise refused("reshape to known sizes", f"{sizes[:4]}", call.name)
    return call.build.reshape(call.name, value, tuple(sizes[1:]))


def _call_size(_call: Call, value: Value, axis: int | None = None) -> Any:
    sizes = (BATCH, *value.shape)
    return sizes if axis is None else sizes[axis]


def _call_getattr(call: Call, value: Any, name: str) -> Any:
    if name != "shape" or not isinstance(value, Value):
        raise unsupported(f"the attribute {name!r}", call.name, SUPPORTED)
    return (BATCH, *value.shape)


def _call_getitem(call: Call, value: Any, place: Any) -> Any:
    if isinstance(value, Value):
        raise unsupported("indexing", call.name, SUPPORTED)
    return value[place]


def _call_mean(call: Call, value: Value, dim: Any = None, keepdim: bool = False) -> Value:
    axes = tuple(axis % (len(value.shape) + 1) for axis in _each(dim, 1)) if dim is not None else ()
    if len(value.shape) < 2 or sorted(axes) != list(range(2, len(value.shape) + 1)):
        raise refused("take means over all places of an image", f"mean over {dim}", call.name)
    pooled = call.build.adaptive_average_pool(call.name, value, (1,) * (len(value.shape) - 1))
    return pooled if keepdim else call.build.reshape(f"{call.name}.flatten", pooled, value.shape[:1])


def _call_dropout(
    call: Call,
    value: Value,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,  # noqa: ARG001
) -> Value:
    if training and p:
        raise refused("drop nothing", "dropout that is on", call.name, " Call module.eval() first.")
    return value


def _pool_call(pool: Callable[..., Value], axes: int) -> Callable[..., Value]:
    def read(call: Call, value: Value, *args: Any, **kwargs: Any) -> Value:
        return pool(call.build, call.name, value, axes, *args, **kwargs)

    return read


def _adaptive_call(axes: int) -> Callable[..., Value]:
    def read(call: Call, value: Value, output_size: Any) -> Value:
        return call.build.adaptive_average_pool(call.name, value, _each(output_size, axes))

    return read


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "linear": _call_linear,
    "conv1d": _call_conv,
    "conv2d": _call_conv,
    "relu": lambda call, value, inplace=False: call.build.relu(call.name, value),  # noqa: ARG005
    "add": _call_add,
    "iadd": _call_add,
    "mul": _call_mul,
    "flatten": lambda call, value, start_dim=0, end_dim=-1: _flattened(
        call.build, call.name, value, start_dim, end_dim
    ),
    "reshape": _call_view,
    "view": _call_view,
    "size": _call_size,
    "getattr": _call_getattr,
    "getitem": _call_getitem,
    "mean": _call_mean,
    "dropout": _call_dropout,
    "softmax": lambda call, value, *_rest, **_named: call.build.softmax(call.name, value, "softmax"),
    "log_softmax": lambda call, value, *_rest, **_named: call.build.softmax(call.name, value, "log_softmax"),
    "contiguous": lambda _call, value: value,
    "avg_pool1d": _pool_call(_average_pool, 1),
    "avg_pool2d": _pool_call(_average_pool, 2),
    "max_pool1d": _pool_call(_max_pool, 1),
    "max_pool2d": _pool_call(_max_pool, 2),
    "adaptive_avg_pool1d": _adaptive_call(1),
    "adaptive_avg_pool2d": _adaptive_call(2),
}
