"""A network with masks as a torch module, by the conventions of torch.nn.utils.prune."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slth.errors import InvalidInput, MissingExtra
from slth.networks.basis import Basis, DenseBasis, OrbitBasis, Translations
from slth.networks.layers import Add, Flatten, Input, Linear, Node, ReLU
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Windows
from slth.tickets.masked import MaskedNetwork, orbit_table


def torch_module(masked: MaskedNetwork, *, weights: bool = True) -> Any:
    """The network as a ``torch.fx.GraphModule``; see `slth.tickets.export.to_torch`.

    Values between layers are flat, as in `Network`. Dense layers are ``Linear``, convolutions ``Conv1d`` or
    ``Conv2d``; other bases are a module whose ``weight`` holds the coefficients.
    """
    torch = load_torch()
    module = torch.fx.GraphModule(torch.nn.Module(), torch.fx.Graph())
    writer = _Writer(torch, module, masked, weights)
    for node in masked.network.order:
        writer.write(node)
    writer.graph.output(writer.values[masked.network.output])
    module.graph = writer.graph
    module.recompile()
    return module.eval()


def load_torch() -> Any:
    """The package torch, or MissingExtra."""
    try:
        import torch
    except ImportError:
        raise MissingExtra("writing torch modules and files needs torch. Install slth[torch].") from None
    return torch


@dataclass
class _Writer:
    """Adds nodes to a graph and their modules to a GraphModule."""

    torch: Any
    module: Any
    masked: MaskedNetwork
    weights: bool

    def __post_init__(self) -> None:
        self.graph = self.torch.fx.Graph()
        self.values: dict[str, Any] = {}

    def write(self, node: Node) -> None:
        value = self._value(node, [self.values[parent] for parent in node.parents])
        exponent = self.masked.exponents.get(node.name, 0)
        self.values[node.name] = self._call(self.torch.mul, value, 2.0**exponent) if exponent else value

    def _value(self, node: Node, given: Sequence[Any]) -> Any:
        if isinstance(node, Input):
            return self._call(self.torch.flatten, self.graph.placeholder("input"), 1)
        if isinstance(node, Linear):
            return self._linear(node, given[0])
        if isinstance(node, ReLU):
            return self._call(self.torch.relu, given[0])
        if isinstance(node, Flatten):
            return given[0]
        if isinstance(node, Add):
            total = given[0]
            for value in given[1:]:
                total = self._call(operator.add, total, value)
            return total
        if isinstance(node, AveragePool | MaxPool):
            return self._pool(node, given[0])
        raise InvalidInput(
            f"`ticket` must be made of nodes that torch has; got {type(node).__name__} {node.name!r}."
        )

    def _pool(self, node: AveragePool | MaxPool, value: Any) -> Any:
        functional, windows = self.torch.nn.functional, node.windows
        padding = _symmetric(windows)
        image = self._image(value, node.features, windows)
        if padding is None:  # torch's pools pad alike on both sides
            if isinstance(node, AveragePool) and not node.count_padding:
                raise InvalidInput(
                    f"`ticket` must have means that count the padding, or pad alike on both sides; got "
                    f"{node.name!r}."
                )
            fill = -math.inf if isinstance(node, MaxPool) else 0.0
            image = self._call(functional.pad, image, _sides(windows), "constant", fill)
        if isinstance(node, AveragePool):
            pool = (functional.avg_pool1d, functional.avg_pool2d)[len(windows.spatial) - 1]
            args: tuple[Any, ...] = (windows.kernel, windows.stride, padding or 0, False, node.count_padding)
        else:
            pool = (functional.max_pool1d, functional.max_pool2d)[len(windows.spatial) - 1]
            args = (windows.kernel, windows.stride, padding or 0, windows.dilation)
        return self._flat(self._call(pool, image, *args))

    def _linear(self, node: Linear, value: Any) -> Any:
        nn, basis = self.torch.nn, node.basis
        biased = node.bias is not None
        if node.is_dense:
            layer = nn.utils.skip_init(nn.Linear, node.inputs, node.outputs, bias=biased)
            return self._add(node, layer, (node.outputs, node.inputs), value)
        if isinstance(basis, DenseBasis) and basis.is_trivial:
            basis = Translations(1, 1)  # grouped numbers are a grouped convolution of images of one pixel
        if not isinstance(basis, Translations):
            layer = _basis_linear_class()(node, basis)
            return self._add(node, layer, node.coefficients.shape, value)
        axes = len(basis.spatial)
        padding = _symmetric(basis)
        kind = (nn.Conv1d, nn.Conv2d)[axes - 1]
        image = self._image(value, node.input_features, basis)
        if padding is None:
            mode = "constant" if basis.padding_mode == "zeros" else "circular"
            image = self._call(nn.functional.pad, image, _sides(basis), mode)
        layer = nn.utils.skip_init(
            kind,
            node.input_features,
            node.output_features,
            basis.kernel,
            basis.stride,
            padding or 0,
            basis.dilation,
            node.groups,
            biased,
            basis.padding_mode if padding is not None else "zeros",
        )
        shape = (*node.coefficients.shape[:2], *basis.kernel)
        return self._flat(self._add(node, layer, shape, image))

    def _add(self, node: Linear, layer: Any, shape: Sequence[int], value: Any) -> Any:
        """Fill a layer, mask it, give it its place, and call it."""
        from torch.nn.utils import prune

        for label, array in (("weight", node.coefficients), ("bias", node.bias)):
            if array is None:
                continue
            wanted = tuple(shape) if label == "weight" else array.shape
            parameter = getattr(layer, label).requires_grad_(False)
            numbers = array.astype(np.float32).reshape(wanted)
            parameter.copy_(self.torch.from_numpy(numbers if self.weights else np.zeros_like(numbers)))
            mask = self.masked.masks.get(f"{node.name}.{label}")
            if mask is not None:
                kept = self.torch.from_numpy(mask.astype(np.float32).reshape(wanted))
                prune.custom_from_mask(layer, label, kept if self.weights else self.torch.ones_like(kept))
        place = ".".join(part or "_" for part in node.name.split("."))
        if not self.module.add_submodule(place, layer):
            raise InvalidInput(f"`ticket` must have layer names that torch takes; got {node.name!r}.")
        return self.graph.call_module(place, (value,))

    def _call(self, function: Any, *args: Any) -> Any:
        return self.graph.call_function(function, args)

    def _image(self, value: Any, features: int, windows: Windows) -> Any:
        return self.graph.call_method("reshape", (value, -1, features, *windows.spatial))

    def _flat(self, value: Any) -> Any:
        return self._call(self.torch.flatten, value, 1)


def _symmetric(windows: Windows) -> tuple[int, ...] | None:
    """Padding per axis where both sides are alike, otherwise None."""
    pairs = windows.padding
    return tuple(a for a, _ in pairs) if all(a == b for a, b in pairs) else None


def _sides(windows: Windows) -> list[int]:
    """Padding as torch.nn.functional.pad takes it: last axis first."""
    return [side for pair in reversed(windows.padding) for side in pair]


def _basis_linear_class() -> Any:
    torch = load_torch()

    class BasisLinear(torch.nn.Module):  # type: ignore[name-defined,misc]
        """Coefficients (o, i / groups, p) of fixed maps (s, t), as parameter ``weight``, and bias (o q,).

        Features are mixed first, by the coefficients of each map, then the maps are applied and added.
        """

        def __init__(self, node: Linear, basis: Basis) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.empty(node.coefficients.shape), requires_grad=False)
            bias = None if node.bias is None else torch.nn.Parameter(torch.empty(node.bias.shape))
            self.register_parameter("bias", bias)
            self.groups = node.groups
            self.invariants = basis.bias_count
            self.on_orbits = isinstance(basis, OrbitBasis)
            maps = orbit_table(basis) if isinstance(basis, OrbitBasis) else basis.arrays()["basis"]
            vectors = basis.bias_vector(np.eye(basis.bias_count))
            for label, array in (("maps", maps), ("vectors", vectors)):
                tensor = torch.from_numpy(np.array(array))
                tensor = tensor if tensor.dtype == torch.int64 else tensor.float()
                self.register_buffer(label, tensor, persistent=False)

        def forward(self, x: Any) -> Any:
            o, i, p = self.weight.shape
            weight = self.weight.reshape(self.groups, o // self.groups, i, p)
            mixed = torch.einsum("goip,bgit->bgopt", weight, x.reshape(len(x), self.groups, i, -1))
            if self.on_orbits:
                mixed = torch.nn.functional.pad(mixed.reshape(len(x), o, -1), (0, 1))
                y = mixed[:, :, self.maps].sum(-1)
            else:
                y = torch.einsum("bopt,pst->bos", mixed.reshape(len(x), o, p, -1), self.maps)
            if self.bias is not None:
                y = y + self.bias.reshape(o, self.invariants) @ self.vectors
            return y.flatten(1)

    return BasisLinear
