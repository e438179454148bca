"""Networks from arrays and a line that says what they are: "conv 8 3x3 pad 1 | relu | flatten | dense 10"."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slth.errors import InvalidInput, MissingExtra
from slth.networks.network import Network
from slth.readers.build import Builder, Shape, Value, as_shape

MAX_BYTES = 2**32
MAX_STEPS = 10**4

# For each kind of step: how many sizes it takes, and which options (True: with a number).
GRAMMAR: dict[str, tuple[str, dict[str, bool]]] = {
    "conv": ("OUT KERNEL", {"stride": True, "pad": True, "dilation": True, "groups": True, "circular": False}),
    "dense": ("OUT", {}),
    "relu": ("", {}),
    "flatten": ("", {}),
    "maxpool": ("KERNEL", {"stride": True, "pad": True}),
    "avgpool": ("KERNEL", {"stride": True, "pad": True}),
    "globalavgpool": ("", {}),
}
_SUPPORTED = ", ".join(f"{kind} {sizes}".strip() for kind, (sizes, _) in GRAMMAR.items())
_SIZE = re.compile(r"[1-9][0-9]{0,5}(x[1-9][0-9]{0,5})?", re.ASCII)
_NUMBER = re.compile(r"(0|[1-9][0-9]{0,5})(x(0|[1-9][0-9]{0,5}))?", re.ASCII)


@dataclass(frozen=True)
class Step:
    """One step of an architecture line: its place in the line, name, kind, sizes and options."""

    place: int
    name: str | None
    kind: str
    sizes: tuple[tuple[int, ...], ...]
    options: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def weighted(self) -> bool:
        """Whether the step has arrays."""
        return self.kind in ("conv", "dense")


def parse_architecture(line: str) -> tuple[Step, ...]:
    """Steps of an architecture line.

    Steps are separated by ``|``: ``conv OUT KERNEL [stride S] [pad P] [dilation D] [groups G] [circular]``,
    ``dense OUT``, ``relu``, ``flatten``, ``maxpool KERNEL [stride S] [pad P]``, ``avgpool ...``,
    ``globalavgpool``. KERNEL is 3 for signals and 3x3 for images (pools: one number for both axes, stride as
    the kernel). ``NAME: conv ...`` names a step.

    Raises
    ------
    InvalidInput
        If a step is not of this form; the message gives the step and its place.

    Examples
    --------
    >>> [step.kind for step in parse_architecture("conv 8 3x3 pad 1 | relu | flatten | fc: dense 10")]
    ['conv', 'relu', 'flatten', 'dense']
    """
    if not isinstance(line, str) or not line.strip():
        raise InvalidInput(
            f"`architecture` must be a line of steps like 'dense 32 | relu | dense 10'; got {line!r}."
        )
    parts = line.split("|")
    if len(parts) > MAX_STEPS:
        raise InvalidInput(f"`architecture` must have at most {MAX_STEPS} steps; got {len(parts)}.")
    return tuple(_step(place, part) for place, part in enumerate(parts, start=1))


def read_arrays(
    arrays: Mapping[str, Any],
    architecture: str,
    input_shape: int | Shape | None = None,
    *,
    output: str | None = None,
) -> Network:
    """Network of an architecture line whose layers' arrays are given by name.

    Parameters
    ----------
    arrays : mapping of str to array
        A step that is named NAME has NAME.weight and, with a bias, NAME.bias. Steps without names have
        weight_1, bias_1, weight_2, ... or, as in a torch Sequential, 0.weight, 0.bias, 2.weight, ... in
        order. Kernels are (o, i / groups, *kernel), dense weights (o, i). Every array must be used.
    architecture : str
        See `parse_architecture`.
    input_shape : int or tuple of int, optional
        Shape of an input without batch; needed unless the line begins with a dense step.
    output : {"logits"}, optional
        A soft-max at the end is cut.

    Raises
    ------
    InvalidInput
        If line, arrays and shape do not fit each other; the message names the layer.
    """
    steps = parse_architecture(architecture)
    left = {str(name): _plain(name, array) for name, array in arrays.items()}
    names = _layer_names(steps, left)
    if input_shape is None:
        if steps[0].kind != "dense":
            raise InvalidInput("`input_shape` must be given, like (1, 28, 28), unless the first step is dense.")
        first = _take(left, names[0], "weight")
        shape: Shape = as_shape(first.shape[-1] if first.ndim else 0)
    else:
        shape = as_shape(input_shape)
    build = Builder(shape, logits=output == "logits")
    value = build.input
    for step, name in zip(steps, names, strict=True):
        value = _apply(build, value, step, name, left)
    if rest := sorted(set(left) - {array for name in names for array in _both(name)}):
        raise InvalidInput(
            f"`source` must hold only arrays of the architecture's layers; got {rest[0]!r} ({len(rest)} such)."
        )
    return build.network(value)


def load_arrays(path: str | os.PathLike[str]) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a safetensors file. Raises InvalidInput, or MissingExtra without the package."""
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError:
        raise MissingExtra("reading safetensors files needs safetensors. Install slth[torch].") from None
    size = Path(path).stat().st_size
    if size > MAX_BYTES:
        raise InvalidInput(f"`source` must have at most {MAX_BYTES} bytes; got {size} ({os.fspath(path)}).")
    try:
        return dict(load_file(path))
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise InvalidInput(
            f"`source` must be a whole safetensors file of numpy's types; got {path} ({error!s:.120})."
        ) from None


def _step(place: int, text: str) -> Step:
    name, colon, body = text.rpartition(":")
    words = body.split()
    where = f"(step {place}, {text.strip()!r:.80})"
    if not words or words[0] not in GRAMMAR:
        raise InvalidInput(f"`architecture` must be made of the steps {_SUPPORTED}; got {where[1:-1]}.")
    kind, rest = words[0], words[1:]
    wanted, allowed = GRAMMAR[kind]
    count = len(wanted.split())
    sizes = rest[:count]
    if (
        len(sizes) < count
        or not all(_SIZE.fullmatch(word) for word in sizes)
        or (count and "x" in sizes[0] and kind in ("conv", "dense"))
    ):
        raise InvalidInput(
            f"`architecture` must say {kind} {wanted}, with sizes like 8 or 3x3; got {where[1:-1]}."
        )
    options: dict[str, tuple[int, ...]] = {}
    index = count
    while index < len(rest):
        word = rest[index]
        number = rest[index + 1] if index + 1 < len(rest) and allowed.get(word) else ""
        if word not in allowed or word in options or (allowed[word] and not _NUMBER.fullmatch(number)):
            listed = ", ".join(f"{key} N" if wants else key for key, wants in allowed.items()) or "none"
            raise InvalidInput(
                f"`architecture` must have options among {listed} once each; got {word!r} {where}."
            )
        options[word] = _sizes(number) if allowed[word] else (1,)
        index += 2 if allowed[word] else 1
    if colon and not name.strip():
        raise InvalidInput(f"`architecture` must have a name before each colon; got {where[1:-1]}.")
    return Step(place, name.strip() or None, kind, tuple(_sizes(size) for size in sizes), options)


def _sizes(word: str) -> tuple[int, ...]:
    return tuple(int(part) for part in word.split("x"))


def _plain(name: object, array: Any) -> npt.NDArray[Any]:
    try:
        found = np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInput(
            f"`source` must hold arrays; got {type(array).__name__} ({name!r}: {error})."
        ) from None
    return found


def _layer_names(steps: tuple[Step, ...], arrays: Mapping[str, Any]) -> list[str]:
    """Name of each step's node; those of weighted steps also say where their arrays are."""
    numbered = [f"weight_{n}" for n in range(1, 1 + sum(step.weighted for step in steps))]
    torch_like = sorted({int(m[1]) for name in arrays if (m := re.fullmatch(r"([0-9]{1,6})\.weight", name))})
    use_numbers = any(name in arrays for name in numbered)
    names: list[str] = []
    weighted = 0
    for step in steps:
        if step.weighted:
            weighted += 1
        if step.name is not None:
            names.append(step.name)
        elif not step.weighted:
            names.append(f"{step.kind}{step.place}")
        elif use_numbers or weighted > len(torch_like):
            names.append(f"layer{weighted}")
        else:
            names.append(str(torch_like[weighted - 1]))
    return names


def _both(name: str) -> tuple[str, ...]:
    number = re.fullmatch(r"layer([1-9][0-9]*)", name)
    own = (f"{name}.weight", f"{name}.bias")
    return (*own, f"weight_{number[1]}", f"bias_{number[1]}") if number else own


def _find(arrays: Mapping[str, Any], name: str, part: str) -> npt.NDArray[Any] | None:
    found: npt.NDArray[Any] | None = None
    for key in _both(name):
        if part in key and key in arrays:
            found = arrays[key]
    return found


def _take(arrays: Mapping[str, Any], name: str, part: str) -> npt.NDArray[Any]:
    found = _find(arrays, name, part)
    if found is None:
        wanted = [key for key in _both(name) if part in key][-1]
        raise InvalidInput(
            f"`source` must hold an array {wanted!r} (layer {name!r}); got {sorted(arrays)!s:.120}. "
            "Name the steps like 'conv1: conv 8 3x3' where the arrays are conv1.weight and conv1.bias."
        )
    return found


def _apply(build: Builder, value: Value, step: Step, name: str, arrays: Mapping[str, Any]) -> Value:
    axes = len(value.shape) - 1
    if step.weighted:
        weight, bias = _take(arrays, name, "weight"), _find(arrays, name, "bias")
        if weight.ndim < 1 or weight.shape[0] != step.sizes[0][0]:
            raise InvalidInput(
                f"`architecture` must agree with the arrays; got {step.sizes[0][0]} outputs for a weight "
                f"of shape {weight.shape} (layer {name!r}, step {step.place})."
            )
        if step.kind == "dense":
            return build.dense(name, value, weight, bias)
        if weight.shape[2:] != step.sizes[1]:
            raise InvalidInput(
                f"`architecture` must agree with the arrays; got kernel {step.sizes[1]} for a weight of shape "
                f"{weight.shape} (layer {name!r}, step {step.place})."
            )
        return build.convolution(
            name,
            value,
            weight,
            bias,
            stride=step.options.get("stride", 1),
            padding=step.options.get("pad", 0),
            padding_mode="circular" if "circular" in step.options else "zeros",
            dilation=step.options.get("dilation", 1),
            groups=step.options.get("groups", (1,))[0],
        )
    if step.kind == "relu":
        return build.relu(name, value)
    if step.kind == "flatten":
        return build.reshape(name, value, (-1,))
    if step.kind == "globalavgpool":
        return build.adaptive_average_pool(name, value, (1,) * max(1, axes))
    kernel = step.sizes[0] * axes if len(step.sizes[0]) == 1 and axes else step.sizes[0]
    pool = build.max_pool if step.kind == "maxpool" else build.average_pool
    return pool(
        name, value, kernel, stride=step.options.get("stride", kernel), padding=step.options.get("pad", 0)
    )
