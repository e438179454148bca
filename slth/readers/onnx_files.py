"""Networks from ONNX files; a file is treated as hostile: bounded, whole, with its weights inside."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from slth.errors import InvalidInput, MissingExtra
from slth.networks.network import Network
from slth.readers.build import Builder, Shape, Value, as_shape, refused, unsupported
from slth.readers.onnx_operators import OPERATORS, Array, Operator, what

MAX_BYTES = 2**31 - 1
MAX_NODES = 10**5
MAX_NUMBERS = 2**29
LOWEST_OPSET = 7


def read_onnx(path: Path, input_shape: int | Shape | None = None, *, logits: bool = False) -> Network:
    """Network of an ONNX file.

    A layer is named after its weight (``conv1`` for ``conv1.weight``), so that names are those of the torch
    module that was exported; other nodes have their own names. Batch norm is folded, Pad joins the
    convolution behind it (zeros and "wrap").

    Raises
    ------
    InvalidInput
        If the file is truncated or larger than 2 GiB, keeps weights elsewhere, or has an operator or a
        dynamic shape that is not supported; the message names the layer.
    MissingExtra
        If the package onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise MissingExtra("reading ONNX files needs the package onnx. Install slth[onnx].") from None
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InvalidInput(f"`source` must have at most {MAX_BYTES} bytes; got {size} ({path}).")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except (DecodeError, ValueError) as error:
        raise InvalidInput(
            f"`source` must be a whole ONNX file; got {path}, which is none or is truncated ({error!s:.100})."
        ) from None
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if not model.HasField("graph") or not {"", "ai.onnx"} & set(opsets):
        raise InvalidInput(f"`source` must be a whole ONNX file; got {path}, which lacks its graph or opset.")
    opset = opsets.get("", opsets.get("ai.onnx", 0))
    if opset < LOWEST_OPSET:
        raise InvalidInput(f"`source` must have opset {LOWEST_OPSET} or later; got {opset} ({path}).")
    return _Reader(model.graph, input_shape, logits=logits).network()


class _Reader:
    """Walks the graph's nodes, which stand in topological order by ONNX' own rule."""

    def __init__(self, graph: Any, input_shape: int | Shape | None, *, logits: bool) -> None:
        from onnx import numpy_helper

        if len(graph.node) > MAX_NODES:
            raise InvalidInput(f"`source` must have at most {MAX_NODES} nodes; got {len(graph.node)}.")
        self._graph = graph
        self._to_array = numpy_helper.to_array
        self._numbers = 0
        self._env: dict[str, Any] = {"": None}
        for tensor in graph.initializer:
            self._env[tensor.name] = self._array(tensor, tensor.name)
        for sparse in graph.sparse_initializer:
            self._env[sparse.values.name] = self._sparse(sparse)
        self._used: dict[str, str] = {}
        inputs = [entry for entry in graph.input if entry.name not in self._env]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise InvalidInput(
                f"`source` must have one input and one output; got {len(inputs)} and {len(graph.output)}."
            )
        self._batch, stated = _stated_shape(inputs[0])
        shape = as_shape(_known(stated, inputs[0].name) if input_shape is None else input_shape)
        fits = len(stated) == len(shape) and all(
            old in (None, new) for old, new in zip(stated, shape, strict=True)
        )
        if stated and not fits:
            raise InvalidInput(f"`input_shape` must agree with the file's input {stated}; got {shape}.")
        self._build = Builder(shape, inputs[0].name or "input", logits=logits)
        self._env[inputs[0].name] = self._build.input
        self._readers = Counter(name for node in graph.node for name in node.input)
        self._readers.update(entry.name for entry in graph.output)

    def network(self) -> Network:
        for node in self._graph.node:
            name = self._layer_name(node)
            read = OPERATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
            if read is None:
                raise unsupported(f"{node.domain}.{node.op_type}".lstrip("."), name, sorted(OPERATORS))
            missing = [key for key in node.input if key not in self._env]
            if missing:
                raise refused("be a whole graph", f"the unknown input {missing[0]!r}", name)
            if any(self._readers[key] for key in node.output[1:]):
                raise refused("use first outputs only", f"others of {node.op_type}", name)
            operator = Operator(
                node.op_type,
                name,
                tuple(self._env[key] for key in node.input),
                {entry.name: self._attribute(entry, name) for entry in node.attribute},
                all(self._readers[key] == 1 for key in node.input if isinstance(self._env[key], Value)),
                self._batch,
            )
            if node.op_type in ("Conv", "Gemm", "MatMul"):
                self._own(node, name)
            self._env[node.output[0]] = read(self._build, operator)
        result = self._env.get(self._graph.output[0].name)
        if not isinstance(result, Value):
            raise InvalidInput(
                f"`source` must compute its output {self._graph.output[0].name!r}; got {what(result)}."
            )
        return self._build.network(result)

    def _layer_name(self, node: Any) -> str:
        for key in node.input[1:]:
            if (
                key.endswith(".weight")
                and len(key) > len(".weight")
                and isinstance(self._env.get(key), np.ndarray)
            ):
                return str(key.removesuffix(".weight"))
        return str(node.name or (node.output[0] if node.output else "") or node.op_type)

    def _own(self, node: Any, name: str) -> None:
        for key in node.input[1:2]:
            if not isinstance(self._env[key], np.ndarray):
                continue
            if self._used.setdefault(key, name) != name or self._readers[key] > 1:
                raise refused("use each layer's weights once", f"{key!r} again: shared weights", name)

    def _attribute(self, entry: Any, layer: str) -> Any:
        from onnx import helper

        if entry.ref_attr_name or entry.HasField("g") or len(entry.graphs):
            raise refused("have plain attributes", f"a graph in {entry.name!r}", layer)
        found = helper.get_attribute_value(entry)
        if entry.HasField("t"):
            return self._array(found, layer)
        if entry.HasField("sparse_tensor"):
            return self._sparse(found)
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else found

    def _array(self, tensor: Any, name: str) -> Array:
        if tensor.data_location != 0 or len(tensor.external_data):
            raise refused("keep its weights in the file", "external data", name)
        self._count(tuple(tensor.dims), name)
        try:
            return np.asarray(self._to_array(tensor))
        except (ValueError, TypeError, KeyError) as error:
            raise refused("hold whole arrays", f"{error!s:.100}", name) from None

    def _count(self, shape: tuple[int, ...], name: str) -> None:
        """Refuse arrays that hold more numbers than a file may, all together, before they are made."""
        size = math.prod(shape)
        self._numbers += size
        if min(shape, default=0) < 0 or self._numbers > MAX_NUMBERS:
            raise refused(f"have at most {MAX_NUMBERS} numbers in all", f"shape {shape}", name)

    def _sparse(self, sparse: Any) -> Array:
        name = sparse.values.name
        values, places = self._array(sparse.values, name), self._array(sparse.indices, name)
        shape = tuple(int(side) for side in sparse.dims)
        self._count(shape, name)
        try:
            flat = places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), shape)
            dense = np.zeros(math.prod(shape), dtype=values.dtype)
            dense[flat] = values
        except (ValueError, IndexError) as error:
            raise refused("hold whole arrays", f"{error!s:.100}", name) from None
        return dense.reshape(shape)


def _stated_shape(entry: Any) -> tuple[int | None, tuple[int | None, ...]]:
    """Batch size and shape of the graph's input, None where it is dynamic; () if nothing is stated."""
    sides = [
        int(side.dim_value) if side.HasField("dim_value") and side.dim_value > 0 else None
        for side in entry.type.tensor_type.shape.dim
    ]
    return (sides[0], tuple(sides[1:])) if sides else (None, ())


def _known(shape: tuple[int | None, ...], name: str) -> Shape:
    if not shape or None in shape:
        raise InvalidInput(
            f"`input_shape` must be given for the dynamic shape {shape} of the input {name!r}; "
            "only the batch axis may stay free."
        )
    return tuple(side for side in shape if side is not None)
