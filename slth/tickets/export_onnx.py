"""A network with masks as an ONNX model: IR 10, opset 20, sparse initialisers where they are smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slth.errors import InvalidInput, MissingExtra
from slth.networks.basis import DenseBasis, OrbitBasis, Translations
from slth.networks.layers import Add, Flatten, Input, Linear, Node, ReLU
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Windows
from slth.tickets.masked import MaskedNetwork, node_arrays, orbit_table

ONNX_IR = 10
ONNX_OPSET = 20
# Bytes per number: a float32, and with its place (int64) beside it.
DENSE_BYTES = 4
SPARSE_BYTES = 12


def onnx_model(masked: MaskedNetwork) -> tuple[Any, int, int]:
    """The model, and how many of its parameters are sparse and dense initialisers."""
    try:
        import onnx
    except ImportError:
        raise MissingExtra("writing ONNX files needs the package onnx. Install slth[onnx].") from None
    writer = _Writer(onnx, masked)
    for node in masked.network.order:
        writer.write(node)
    return writer.model(), len(writer.sparse), writer.dense_parameters


class _Writer:
    """Nodes and initialisers gathered so far; values are flat between layers, as in `Network`."""

    def __init__(self, onnx: Any, masked: MaskedNetwork) -> None:
        self.onnx = onnx
        self.masked = masked
        self.nodes: list[Any] = []
        self.arrays: dict[str, Any] = {}
        self.sparse: list[Any] = []
        self.dense_parameters = 0
        self.values: dict[str, str] = {}

    def model(self) -> Any:
        helper, floats = self.onnx.helper, self.onnx.TensorProto.FLOAT
        network = self.masked.network
        self._op("Identity", [self.values[network.output]], "output")
        graph = helper.make_graph(
            self.nodes,
            "slth-ticket",
            [helper.make_tensor_value_info("input", floats, ["batch", network.input_size])],
            [helper.make_tensor_value_info("output", floats, ["batch", network.output_size])],
            list(self.arrays.values()),
            sparse_initializer=self.sparse,
        )
        opset = helper.make_opsetid("", ONNX_OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=ONNX_IR, producer_name="slth")

    def write(self, node: Node) -> None:
        value = self._value(node, [self.values[parent] for parent in node.parents])
        if exponent := self.masked.exponents.get(node.name, 0):
            factor = self._array(f"node {node.name} factor", np.float32(2.0**exponent))
            value = self._op("Mul", [value, factor], f"node {node.name} scaled")
        self.values[node.name] = value

    def _value(self, node: Node, given: Sequence[str]) -> str:
        own = f"node {node.name}"  # apart from the names of input, output and arrays
        if isinstance(node, Input):
            return self._op("Flatten", ["input"], own, axis=1)
        if isinstance(node, Linear):
            return self._linear(node, given[0], own)
        if isinstance(node, ReLU):
            return self._op("Relu", given, own)
        if isinstance(node, Flatten):
            return given[0]
        if isinstance(node, Add):
            total = given[0]
            for place, value in enumerate(given[1:]):
                total = self._op("Add", [total, value], f"{own} {place}")
            return total
        if isinstance(node, AveragePool | MaxPool):
            windows = node.windows
            image = self._image(given[0], node.features, windows, own)
            extra: dict[str, Any] = {"strides": windows.stride, "pads": _pads(windows)}
            if isinstance(node, MaxPool):
                extra["dilations"] = windows.dilation
            else:
                extra["count_include_pad"] = int(node.count_padding)
            kind = "MaxPool" if isinstance(node, MaxPool) else "AveragePool"
            pooled = self._op(kind, [image], f"{own} pool", kernel_shape=windows.kernel, **extra)
            return self._op("Flatten", [pooled], own, axis=1)
        raise InvalidInput(
            f"`ticket` must be made of nodes that ONNX has; got {type(node).__name__} {node.name!r}."
        )

    def _linear(self, node: Linear, value: str, own: str) -> str:
        basis = node.basis
        names = [self._parameter(node, label, array) for label, array in node_arrays(node)]
        if node.is_dense:
            return self._op("Gemm", [value, *names], own, transB=1)
        if isinstance(basis, DenseBasis) and basis.is_trivial:
            basis = Translations(1, 1)  # grouped numbers are a grouped convolution of images of one pixel
        if not isinstance(basis, Translations):
            return self._in_basis(node, names, value, own)
        image = self._image(value, node.input_features, basis, own)
        pads = _pads(basis)
        if basis.padding_mode == "circular":
            axes = self._array(f"{own} axes", np.arange(2, 2 + len(basis.spatial)))
            sides = self._array(f"{own} pads", np.array(pads))
            image = self._op("Pad", [image, sides, "", axes], f"{own} pad", mode="wrap")
            pads = [0] * len(pads)
        convolved = self._op(
            "Conv",
            [image, *names],
            f"{own} conv",
            strides=basis.stride,
            dilations=basis.dilation,
            pads=pads,
            group=node.groups,
        )
        return self._op("Flatten", [convolved], own, axis=1)

    def _in_basis(self, node: Linear, names: Sequence[str], value: str, own: str) -> str:
        """Features mixed by the coefficients of each map, then the maps applied and added."""
        basis, groups = node.basis, node.groups
        o, i, p = node.coefficients.shape
        s, t = basis.outputs, basis.inputs

        def shaped(name: str, what: str, *sides: int) -> str:
            return self._op("Reshape", [name, self._array(f"{own} {what} shape", np.array(sides))], what)

        rows = shaped(names[0], f"{own} by group", groups, o // groups, i, p)
        turned = self._op("Transpose", [rows], f"{own} turned", perm=[0, 1, 3, 2])
        weight = shaped(turned, f"{own} weight", groups, o // groups * p, i)
        features = shaped(value, f"{own} features", 0, groups, i, t)
        product = self._op("MatMul", [weight, features], f"{own} product")
        mixed = shaped(product, f"{own} mixed", 0, o, p * t)
        if isinstance(basis, OrbitBasis):
            table = orbit_table(basis)
            ends, axes = self._array(f"{own} ends", np.array([0, 1])), self._array(f"{own} axes", np.array([2]))
            mixed = self._op("Pad", [mixed, ends, "", axes], f"{own} padded")
            places = self._array(f"{own} places", table.reshape(-1))
            taken = self._op("Gather", [mixed, places], f"{own} taken", axis=2)
            each = shaped(taken, f"{own} each", 0, o, *table.shape)
            last = self._array(f"{own} last", np.array([3]))
            result = self._op("ReduceSum", [each, last], f"{own} sum", keepdims=0)
        else:
            maps = basis.arrays()["basis"].transpose(0, 2, 1).reshape(p * t, s).astype(np.float32)
            result = self._op("MatMul", [mixed, self._array(f"{own} maps", maps)], f"{own} sum")
        if node.bias is not None:
            vectors = basis.bias_vector(np.eye(basis.bias_count)).astype(np.float32)
            bias = shaped(names[1], f"{own} biases", o, basis.bias_count)
            spread = self._op("MatMul", [bias, self._array(f"{own} vectors", vectors)], f"{own} spread")
            result = self._op("Add", [result, spread], f"{own} biased")
        return self._op("Flatten", [result], own, axis=1)

    def _parameter(self, node: Linear, label: str, array: npt.NDArray[np.float64]) -> str:
        """An initialiser with zeros where the mask prunes, sparse if that takes fewer bytes."""
        name = f"{node.name}.{label}"
        mask = self.masked.masks.get(name)
        numbers = array.astype(np.float32)
        if isinstance(node.basis, Translations) and label == "weight":
            numbers = numbers.reshape(*array.shape[:2], *node.basis.kernel)
        elif isinstance(node.basis, DenseBasis) and node.basis.is_trivial and label == "weight":
            numbers = numbers.reshape(array.shape)
        if mask is not None:
            numbers = numbers * mask.reshape(numbers.shape)
            places = np.flatnonzero(mask)
            # onnxruntime wants at least one number, and sparse weights only where it knows them
            if 0 < SPARSE_BYTES * places.size < DENSE_BYTES * mask.size:
                helper, to_tensor = self.onnx.helper, self.onnx.numpy_helper.from_array
                kept = to_tensor(numbers.reshape(-1)[places], name)
                indices = to_tensor(places.astype(np.int64), f"{name}.indices")
                self.sparse.append(helper.make_sparse_tensor(kept, indices, list(numbers.shape)))
                return name
        self.dense_parameters += 1
        return self._array(name, numbers)

    def _array(self, name: str, array: Any) -> str:
        self.arrays[name] = self.onnx.numpy_helper.from_array(np.asarray(array), name)
        return name

    def _op(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def _image(self, value: str, features: int, windows: Windows, own: str) -> str:
        shape = self._array(f"{own} image", np.array([0, features, *windows.spatial]))
        return self._op("Reshape", [value, shape], f"{own} as image")


def _pads(windows: Windows) -> list[int]:
    return [before for before, _ in windows.padding] + [after for _, after in windows.padding]
