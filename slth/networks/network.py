"""A network as a checked graph of named frozen nodes, with its forward pass, its dense chain and its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_floats
from slth.errors import InvalidInput
from slth.networks.forward import as_batch, evaluate
from slth.networks.layers import Flatten, Input, Linear, Node, ReLU
from slth.networks.spec import KINDS, node_record, nodes_from_spec, nodes_to_spec
from slth.networks.symmetry import Symmetry

NETWORK_FORMAT = "slth-network/1"


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """One linear layer of a chain: weight (outputs, inputs) and bias (outputs,) or None, read-only."""

    name: str
    weight: FloatArray
    bias: FloatArray | None

    @property
    def inputs(self) -> int:
        """Number of inputs, the constant one for the bias not counted."""
        return int(self.weight.shape[1])

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return int(self.weight.shape[0])


@dataclass(frozen=True, eq=False)
class Network:
    """A directed acyclic graph of named nodes with one input and one output.

    Two networks are equal when their digests are: same nodes, names, wiring, and arrays bit for bit,
    whatever the order in which the nodes were listed.

    Parameters
    ----------
    nodes : sequence of Node
        `Input`, `Linear`, `ReLU`, `Add`, `Flatten`, `AveragePool`, `MaxPool`, in any order, names distinct,
        exactly one `Input`.
    output : str
        Name of the node whose value is the network's. Every node must lead to it.
    symmetry : Symmetry, optional
        The group under which the network is declared to be equivariant. It changes no value; reports say how
        far it holds.

    Raises
    ------
    InvalidInput
        For duplicate or unknown names, cycles, sizes that do not fit, nodes that do not reach the output;
        the message names the node.

    Examples
    --------
    >>> from slth.networks.layers import Add
    >>> x, w = Input("x", 2), Linear("w", "x", [[[1.0], [2.0]], [[0.5], [-1.0]]], [[[1.0]]])
    >>> net = Network((x, w, Add("sum", ("x", "w"))), "sum")
    >>> net.forward([1.0, 1.0])
    array([4. , 0.5])
    """

    nodes: tuple[Node, ...]
    output: str
    symmetry: Symmetry | None = None
    order: tuple[Node, ...] = field(init=False, repr=False)
    input_size: int = field(init=False, repr=False)
    output_size: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        nodes = tuple(self.nodes)
        by_name = _by_name(nodes)
        if self.output not in by_name:
            raise InvalidInput(f"`output` must be the name of a node; got {self.output!r}.")
        inputs = [node for node in nodes if isinstance(node, Input)]
        if len(inputs) != 1:
            raise InvalidInput(
                f"`nodes` must hold exactly one Input; got {len(inputs)} ({', '.join(n.name for n in inputs)})."
            )
        order = _sorted(nodes, by_name)
        _check_all_used(order, self.output)
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "order", order)
        sizes = self.sizes()
        object.__setattr__(self, "input_size", inputs[0].size)
        object.__setattr__(self, "output_size", sizes[self.output])
        if self.symmetry is not None:
            own = (self.symmetry.inputs.shape[1], self.symmetry.outputs.shape[1])
            if own != (self.input_size, self.output_size):
                raise InvalidInput(
                    f"`symmetry` must act on {self.input_size} inputs and {self.output_size} outputs; got "
                    f"{own[0]} and {own[1]} ({self.symmetry.group})."
                )

    def __eq__(self, other: object) -> bool:
        return self.digest() == other.digest() if isinstance(other, Network) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest())

    @property
    def parameters(self) -> int:
        """Number of coefficients and biases over all nodes."""
        return sum(node.parameters for node in self.nodes)

    def forward(self, x: npt.ArrayLike) -> FloatArray:
        """Value of the network at one input (d,) or at each row of (B, d), in float64.

        Sums are those of numpy's matrix product, so a row's last bits may depend on the batch it is in.

        Parameters
        ----------
        x : (d,) or (B, d) array
            Finite, d = `input_size`.

        Returns
        -------
        (output_size,) or (B, output_size) array

        Raises
        ------
        InvalidInput
            If `x` has another size or is not finite.
        """
        batch, single = as_batch(x, self.input_size)
        result = evaluate(self.order, self.output, batch)
        return result[0] if single else result

    def dense_chain(self) -> tuple[DenseLayer, ...]:
        """Layers of a network of the form Linear (ReLU Linear)*, first layer first.

        A linear node with a non-trivial basis counts through its matrix; Flatten nodes are passed over.

        Raises
        ------
        InvalidInput
            If the network has another form; the message names the first node out of place.
        """
        first, *rest = self.order
        expected: type[Node] = Linear
        previous = first.name
        layers = []
        for node in rest:
            if isinstance(node, Flatten) and node.input == previous:
                previous = node.name
                continue
            if type(node) is not expected or node.parents != (previous,):
                raise InvalidInput(
                    "`network` must be a chain of Linear, ReLU, Linear, ...; "
                    f"got {type(node).__name__} reading {_listed(node.parents)} (node {node.name!r})."
                )
            if isinstance(node, Linear):
                layers.append(DenseLayer(node.name, node.matrix(), node.bias_vector()))
            previous = node.name
            expected = ReLU if expected is Linear else Linear
        if not layers or expected is Linear:
            raise InvalidInput(f"`network` must end in a Linear node; got the output {self.output!r}.")
        return tuple(layers)

    def digest(self) -> str:
        """sha256, in hex, of the network's canonical bytes.

        The bytes are, for the format's name and then for each node in the order of names: the length (8
        bytes, little-endian) and text of a JSON header (kind, name, parents, output size, shapes of the
        arrays; keys sorted, no spaces, ASCII), then each array of the header in C order as little-endian
        float64. A node with more fields (windows of a convolution, groups) has them in the header under
        "spec". A declared symmetry comes last: a header, then the permutations of inputs and of outputs.
        """
        state = hashlib.sha256()
        sizes = self.sizes()
        _feed(state, {"format": NETWORK_FORMAT, "output": self.output})
        for node in sorted(self.nodes, key=lambda node: node.name):
            _feed(state, node_record(node, sizes[node.name]))
            for _, array in sorted(node.arrays().items()):
                state.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        if self.symmetry is not None:
            _feed(state, {"symmetry": self.symmetry.to_json()})
            for _, array in sorted(self.symmetry.arrays().items()):
                state.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return state.hexdigest()

    def sizes(self) -> dict[str, int]:
        """Output size of each node, by name."""
        sizes: dict[str, int] = {}
        for node in self.order:
            sizes[node.name] = node.output_size([sizes[parent] for parent in node.parents])
        return sizes

    def to_spec(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """The network as a JSON-able structure and named arrays (float64 or int64), as files hold it.

        Raises
        ------
        InvalidInput
            If a node is of a kind that `from_spec` does not know.

        Examples
        --------
        >>> structure, arrays = dense_network([[[1.0, -2.0]]]).to_spec()
        >>> sorted(arrays), structure["output"]
        (['1.basis', '1.coefficients'], 'layer1')
        >>> Network.from_spec(structure, arrays) == dense_network([[[1.0, -2.0]]])
        True
        """
        records, arrays = nodes_to_spec(self.nodes, self.sizes())
        structure: dict[str, Any] = {"format": NETWORK_FORMAT, "output": self.output, "nodes": records}
        if self.symmetry is not None:
            structure["symmetry"] = self.symmetry.to_json()
            arrays.update(self.symmetry.arrays())
        return structure, arrays

    @classmethod
    def from_spec(cls, structure: object, arrays: Mapping[str, npt.NDArray[Any]]) -> Network:
        """The network that `to_spec` described, and nothing else.

        Raises
        ------
        InvalidInput
            If the structure or the arrays are not exactly as `to_spec` makes them.
        CapacityExceeded
            If windows are larger than a table of them may be.
        """
        keys = {"format", "output", "nodes"}
        if not isinstance(structure, dict) or not keys <= set(structure) <= keys | {"symmetry"}:
            raise InvalidInput(f"`structure` must have exactly the keys {sorted(keys)}; got {structure!r:.80}.")
        if structure["format"] != NETWORK_FORMAT:
            raise InvalidInput(f"`format` must be {NETWORK_FORMAT!r}; got {structure['format']!r:.80}.")
        if not isinstance(structure["output"], str):
            raise InvalidInput(f"`output` must be the name of a node; got {structure['output']!r:.80}.")
        symmetry, own = None, dict(arrays)
        if "symmetry" in structure:
            symmetry = Symmetry.from_json(structure["symmetry"], arrays)
            own = {name: array for name, array in arrays.items() if name not in symmetry.arrays()}
        network = cls(nodes_from_spec(structure["nodes"], own), structure["output"], symmetry)
        sizes = network.sizes()
        for record in structure["nodes"]:
            if record["size"] != sizes[record["name"]]:
                raise InvalidInput(
                    f"`size` of node {record['name']!r} must be {sizes[record['name']]}; "
                    f"got {record['size']!r:.80}."
                )
        return network


def dense_network(
    weights: Sequence[npt.ArrayLike],
    biases: Sequence[npt.ArrayLike | None] | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Network:
    """Network W_L relu(... relu(W_1 x + b_1) ...) + b_L with nodes input, layer1, relu1, layer2, ...

    Parameters
    ----------
    weights : sequence of (d_l, d_{l-1}) arrays
        At least one, finite.
    biases : sequence of (d_l,) arrays or None, optional
        One entry per layer; None (for all or for one) means no bias.
    names : sequence of str, optional
        Names of the linear nodes. Default: layer1, layer2, ...

    Raises
    ------
    InvalidInput
        If arrays are not finite or do not fit; the message names the layer.

    Examples
    --------
    >>> net = dense_network([[[1.0, -2.0]], [[3.0]]], [None, [0.5]])
    >>> net.forward([[3.0, 1.0], [1.0, 1.0]])
    array([[3.5],
           [0.5]])
    >>> net.parameters, net.output
    (4, 'layer2')
    """
    if len(weights) == 0:
        raise InvalidInput("`weights` must hold at least one matrix; got none.")
    given = [None] * len(weights) if biases is None else list(biases)
    if len(given) != len(weights):
        raise InvalidInput(
            f"`biases` must have one entry per weight matrix ({len(weights)}); got {len(given)}. "
            "Use None for a layer without bias."
        )
    linear = [f"layer{i + 1}" for i in range(len(weights))] if names is None else list(names)
    if len(linear) != len(weights):
        raise InvalidInput(f"`names` must have one name per weight matrix ({len(weights)}); got {len(linear)}.")
    matrices = [as_floats(w, f"weights[{i}]", ndim=2) for i, w in enumerate(weights)]
    nodes: list[Node] = [Input("input", max(1, matrices[0].shape[1]))]
    previous = "input"
    for number, (matrix, bias) in enumerate(zip(matrices, given, strict=True), start=1):
        if number > 1:
            nodes.append(ReLU(f"relu{number - 1}", previous))
            previous = f"relu{number - 1}"
        bias_array = None if bias is None else as_floats(bias, f"biases[{number - 1}]", ndim=1)
        name = linear[number - 1]
        nodes.append(Linear(name, previous, matrix[:, :, None], np.ones((1, 1, 1)), bias_array))
        previous = name
    return Network(tuple(nodes), previous)


def _by_name(nodes: tuple[Node, ...]) -> dict[str, Node]:
    by_name: dict[str, Node] = {}
    for node in nodes:
        if not isinstance(node, Node):
            kinds = ", ".join(kind.__name__ for kind in KINDS)
            raise InvalidInput(f"`nodes` must hold nodes ({kinds}); got {type(node).__name__}.")
        if node.name in by_name:
            raise InvalidInput(f"`nodes` must have distinct names; got {node.name!r} twice.")
        by_name[node.name] = node
    for node in nodes:
        for parent in node.parents:
            if parent not in by_name:
                raise InvalidInput(
                    f"`nodes` must read nodes of the network; got {parent!r}, unknown (node {node.name!r})."
                )
    return by_name


def _sorted(nodes: tuple[Node, ...], by_name: dict[str, Node]) -> tuple[Node, ...]:
    """Nodes with each after its parents, otherwise as listed (Kahn's algorithm, O(nodes + edges))."""
    waiting = {node.name: len(node.parents) for node in nodes}
    children: dict[str, list[str]] = {node.name: [] for node in nodes}
    for node in nodes:
        for parent in node.parents:
            children[parent].append(node.name)
    ready = [node.name for node in nodes if waiting[node.name] == 0]
    order = []
    for name in ready:
        order.append(by_name[name])
        for child in children[name]:
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    if len(order) < len(nodes):
        stuck = _listed(tuple(name for name, count in waiting.items() if count > 0))
        raise InvalidInput(f"`nodes` must have no cycle; got one through or before node(s) {stuck}.")
    return tuple(order)


def _check_all_used(order: tuple[Node, ...], output: str) -> None:
    used = {output}
    for node in reversed(order):
        if node.name in used:
            used.update(node.parents)
    for node in order:
        if node.name not in used:
            raise InvalidInput(
                f"`nodes` must all lead to the output {output!r}; got node {node.name!r}, which does not."
            )


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown + (", ..." if len(names) > 5 else "") if names else "nothing"


def _feed(state: hashlib._Hash, header: dict[str, object]) -> None:
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    state.update(len(text).to_bytes(8, "little"))
    state.update(text)
