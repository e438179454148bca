"""A network's nodes as a JSON-able list plus named arrays, for files; read back strictly.

The record of a node is also what the network's digest covers: kind, name, parents, output size, the names and
shapes of its arrays, and (under "spec", where there is more to say) its other fields. The array `label` of the
node at place n of the list is stored under the name "n.label".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slth.errors import InvalidInput
from slth.networks.basis import Basis, DenseBasis, OrbitBasis, Translations
from slth.networks.layers import Add, Flatten, Input, Linear, Node, ReLU
from slth.networks.pooling import AveragePool, MaxPool
from slth.networks.windows import Windows

Arrays = dict[str, npt.NDArray[Any]]

KINDS: tuple[type[Node], ...] = (Input, Linear, ReLU, Add, Flatten, AveragePool, MaxPool)
MAX_NODES = 10**5


def node_record(node: Node, size: int) -> dict[str, Any]:
    """JSON-able record of one node, its arrays by name and shape only."""
    record: dict[str, Any] = {
        "kind": type(node).__name__,
        "name": node.name,
        "parents": list(node.parents),
        "size": size,
        "arrays": [[label, list(array.shape)] for label, array in sorted(node.arrays().items())],
    }
    spec = node.spec()
    return {**record, "spec": spec} if spec else record


def nodes_to_spec(nodes: Sequence[Node], sizes: Mapping[str, int]) -> tuple[list[dict[str, Any]], Arrays]:
    """Records and arrays of all nodes.

    Raises
    ------
    InvalidInput
        If a node is not of a kind that can be read back; the message names it.
    """
    arrays: Arrays = {}
    records = []
    for place, node in enumerate(nodes):
        if type(node) not in KINDS:
            raise InvalidInput(
                f"`network` must be made of {_kinds()}; got {type(node).__name__} {node.name!r}."
            )
        records.append(node_record(node, sizes[node.name]))
        arrays.update({f"{place}.{label}": array for label, array in node.arrays().items()})
    return records, arrays


def nodes_from_spec(records: object, arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[Node, ...]:
    """Nodes of what `nodes_to_spec` made; every array is used, none is missing.

    Raises
    ------
    InvalidInput
        If a record or an array is not as written; the message names the node's place.
    """
    if not isinstance(records, list) or not 1 <= len(records) <= MAX_NODES:
        raise InvalidInput(f"`nodes` must be a list of 1 to {MAX_NODES} records; got {records!r:.80}.")
    own: list[Arrays] = [{} for _ in records]
    for name, array in arrays.items():
        place, _, label = name.partition(".")
        if not re.fullmatch("0|[1-9][0-9]{0,5}", place, re.ASCII) or int(place) >= len(records) or not label:
            raise InvalidInput(f"`arrays` must be named after a node's place and field; got {name!r:.80}.")
        if array.dtype not in (np.float64, np.int64):
            raise InvalidInput(f"`arrays` must be float64 or int64; got {array.dtype} ({name!r}).")
        own[int(place)][label] = array
    nodes = []
    for index, (record, mine) in enumerate(zip(records, own, strict=True)):
        try:
            nodes.append(_node(record, mine))
        except InvalidInput as error:
            raise InvalidInput(f"node {index} of the file: {error}") from None
    return tuple(nodes)


def _node(record: object, arrays: Arrays) -> Node:
    keys = {"kind", "name", "parents", "size", "arrays"}
    if not isinstance(record, dict) or not keys <= set(record) <= keys | {"spec"}:
        raise InvalidInput(f"`record` must have the keys {sorted(keys)} and at most spec; got {record!r:.80}.")
    stated, spec, parents = record["arrays"], record.get("spec", {}), record["parents"]
    if stated != [[label, list(array.shape)] for label, array in sorted(arrays.items())]:
        raise InvalidInput(f"`arrays` must be those that are stored; got {stated!r:.120}.")
    if not isinstance(spec, dict) or not isinstance(parents, list):
        raise InvalidInput(f"`spec` must be an object and `parents` a list; got {spec!r:.80}, {parents!r:.80}.")
    kind, name = record["kind"], record["name"]
    build = _BUILDERS.get(kind) if isinstance(kind, str) else None
    if build is None:
        raise InvalidInput(f"`kind` must be one of {_kinds()}; got {kind!r:.80}.")
    if kind != "Add" and len(parents) != (0 if kind == "Input" else 1):
        raise InvalidInput(f"`parents` must be as many as {kind} reads; got {parents!r:.80}.")
    try:
        node: Node = build(name, parents, record["size"], spec, arrays)
    except (KeyError, TypeError) as error:
        raise InvalidInput(
            f"`record` must hold the fields of {kind}; got {record!r:.120} ({error!r})."
        ) from None
    if spec != node.spec() or set(arrays) != set(node.arrays()):
        raise InvalidInput(f"`spec` must be as it is written, without other fields; got {spec!r:.120}.")
    return node


def _linear(name: str, parents: list[str], _size: int, spec: dict[str, Any], arrays: Arrays) -> Linear:
    rest = {label: array for label, array in arrays.items() if label not in ("coefficients", "bias")}
    basis = _basis(spec.get("basis", {}), rest)
    return Linear(name, parents[0], arrays["coefficients"], basis, arrays.get("bias"), spec.get("groups", 1))


def _basis(record: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Basis:
    """Basis of its description (with kind; none means matrices) and its arrays, strict."""
    kind = record.get("kind", "dense")
    names = {"dense": ({"basis"}, {"bias_basis"}), "orbits": ({"labels", "bias_labels"}, set())}
    if kind == "translations":
        if arrays:
            raise InvalidInput(
                f"`arrays` of a convolution must be coefficients and bias; got {sorted(arrays)}."
            )
        return Translations.from_json({key: value for key, value in record.items() if key != "kind"})
    if kind not in names or (record and set(record) != {"kind"}):
        raise InvalidInput(f"`basis` must be of a known kind; got {dict(record)!r:.80}.")
    required, optional = names[kind]
    if not required <= set(arrays) <= required | optional:
        raise InvalidInput(f"`arrays` of a basis must be {sorted(required)}; got {sorted(arrays)}.")
    if kind == "orbits":
        return OrbitBasis(arrays["labels"], arrays["bias_labels"])
    return DenseBasis(arrays["basis"], arrays.get("bias_basis"))


_BUILDERS: dict[str, Any] = {
    "Input": lambda name, _parents, size, _spec, _arrays: Input(name, size),
    "Linear": _linear,
    "ReLU": lambda name, parents, _size, _spec, _arrays: ReLU(name, parents[0]),
    "Flatten": lambda name, parents, _size, _spec, _arrays: Flatten(name, parents[0]),
    "Add": lambda name, parents, _size, _spec, _arrays: Add(name, tuple(parents)),
    "AveragePool": lambda name, parents, _size, spec, _arrays: AveragePool(
        name, parents[0], spec["features"], Windows.from_json(spec["windows"]), spec["count_padding"]
    ),
    "MaxPool": lambda name, parents, _size, spec, _arrays: MaxPool(
        name, parents[0], spec["features"], Windows.from_json(spec["windows"])
    ),
}


def _kinds() -> str:
    return ", ".join(kind.__name__ for kind in KINDS)
