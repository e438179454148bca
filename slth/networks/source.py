"""The random network that tickets are cut from: a specification from which any weight is made again alone.

A source is never stored. It has, per target layer, a block of hidden neurons: `copies` of them for each of
its owners, the inputs (one of them is the constant 1 when the target layer has a bias) or the outputs. Hidden
neuron (j, c), copy c of owner j, has one incoming weight per input (sublayer 0) and one outgoing weight per
output (sublayer 1). The random word of a weight depends on nothing but the seed and the weight's own place, so
that a source with more copies, inputs, outputs or layers extends a smaller one. In five lines of numpy, without
this package::

    import numpy as np
    def weight(seed, layer, sublayer, j, c, other):  # other: input (sublayer 0) or output (sublayer 1)
        stream = np.random.Philox(key=seed, counter=[0, c, j, 2 * layer + sublayer])
        word = int(stream.random_raw(other + 1)[other])
        return (word >> 40) * 2.0**-23 - 1.0  # law "uniform"
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from slth._jit.philox import fill_edges, fill_rows, round_keys
from slth._typing import IntArray, WordArray
from slth._validate import as_choice, as_integer
from slth.errors import CapacityExceeded, InvalidInput
from slth.laws.words import word_law
from slth.networks.network import Network
from slth.networks.slots import linear_nodes, slots

FORMAT = "slth-source/1"
OWNERS = ("inputs", "outputs")
MAX_WIDTH = 2**31
MAX_LAYERS = 10**4
MAX_SEED = 2**128 - 1
# One call's result; larger requests are made piece by piece.
MAX_BLOCK_BYTES = 2**32
# Words per compiled call, about 0.05 s: Python gets to see Ctrl-C between two calls.
CHUNK_WORDS = 2**22


@dataclass(frozen=True)
class SourceLayer:
    """Widths of the two random layers that serve one target layer.

    Parameters
    ----------
    inputs : int
        Input features of the target layer, plus one (the last, a constant) if it has a bias; plus several
        constants where hidden neurons are lifted (`slth.tickets.arrangement`).
    copies : int
        Hidden neurons per owner.
    outputs : int
        Outgoing weights of a hidden neuron: outputs of a dense target layer; output features it feeds times
        maps of the basis in general.
    constant_outputs : int, optional
        Outgoing weights of the last input's hidden neurons, where biases are another number than `outputs`.
    owners : {"inputs", "outputs"}
        To whom the hidden neurons belong: `copies` to each input, or to each output. It decides their number
        and how they are counted off, nothing else: every hidden neuron has weights from all inputs, to all
        outputs.
    """

    inputs: int
    copies: int
    outputs: int
    constant_outputs: int | None = None
    owners: str = "inputs"

    def __post_init__(self) -> None:
        for name in ("inputs", "copies", "outputs"):
            value = as_integer(getattr(self, name), name, low=1, high=MAX_WIDTH)
            object.__setattr__(self, name, value)
        if self.constant_outputs is not None:
            value = as_integer(self.constant_outputs, "constant_outputs", low=1, high=MAX_WIDTH)
            object.__setattr__(self, "constant_outputs", value)
        as_choice(self.owners, "owners", OWNERS)
        if self.owners == "outputs" and self.constant_outputs is not None:
            raise InvalidInput(
                "`constant_outputs` must be None when hidden neurons belong to outputs; "
                f"got {self.constant_outputs}."
            )

    @property
    def groups(self) -> int:
        """Number of owners."""
        return self.inputs if self.owners == "inputs" else self.outputs

    @property
    def ends(self) -> int:
        """The larger of both numbers of outgoing weights: the width of blocks that hold either."""
        return max(self.outputs, self.constant_outputs or 0)

    @property
    def parameters(self) -> int:
        """Number of random weights: copies * (owners * inputs + outgoing weights of one neuron of every
        owner)."""
        last = self.outputs if self.constant_outputs is None else self.constant_outputs
        return self.copies * (self.groups * self.inputs + (self.groups - 1) * self.outputs + last)


@dataclass(frozen=True)
class Source:
    """A random network given by seed, law and widths.

    Parameters
    ----------
    seed : int
        In [0, 2^128).
    law : str
        Law of every weight: "uniform", the multiples of 2^-23 in [-1, 1); "normal", the inverse normal
        distribution function of the word's top 24 bits, to multiples of 2^-20. Factors, such as those of
        Glorot's or He's initialisation, are left out on purpose: ReLU is homogeneous, so a factor s on both
        random layers is s^2 behind them, and a ticket has a factor there anyway. The scale of an
        initialisation buys nothing; its shape may.
    layers : sequence of SourceLayer
        One per layer of the target, at most 10^4.

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Notes
    -----
    Weights are handed out as int64 numerators: a weight is its numerator times 2^-scale_bits, exact in float32,
    and products of two weights are exact in int64. Blocks come from compiled Philox4x64-10; `weight` makes
    one weight by numpy's own generator, and both agree bit for bit. Two random layers per target layer as in
    [natale2024] ("On the Sparsity of the Strong Lottery Ticket Hypothesis", NeurIPS 2024), Theorem 3; the
    constant input that carries the biases is ours.

    Examples
    --------
    >>> source = Source(seed=7, layers=(SourceLayer(inputs=3, copies=2, outputs=4),))
    >>> source.block(0, 1, 0, 3).shape, source.parameters
    ((3, 2, 4), 42)
    >>> float(source.block(0, 1, 1, 2)[0, 1, 3]) * 2.0**-source.scale_bits == source.weight(0, 1, 1, 1, 3)
    True
    """

    seed: int
    law: str = "uniform"
    layers: tuple[SourceLayer, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", as_integer(self.seed, "seed", low=0, high=MAX_SEED))
        word_law(self.law)
        layers = tuple(self.layers)
        if not 1 <= len(layers) <= MAX_LAYERS:
            raise InvalidInput(f"`layers` must hold 1 to {MAX_LAYERS} layers; got {len(layers)}.")
        for i, layer in enumerate(layers):
            if not isinstance(layer, SourceLayer):
                raise InvalidInput(f"`layers` must hold SourceLayer; got {type(layer).__name__} at index {i}.")
        object.__setattr__(self, "layers", layers)

    @classmethod
    def for_network(
        cls,
        network: Network,
        copies: int | Sequence[int],
        *,
        seed: int,
        law: str = "uniform",
        owners: str | Sequence[str] = "inputs",
        constants: int | Sequence[int] = 1,
    ) -> Source:
        """Source with the widths that a target network needs.

        Parameters
        ----------
        network : Network
            Any; its linear nodes are the layers, in topological order.
        copies : int or sequence of int
            Hidden neurons per owner, for all layers or for each.
        seed : int
            In [0, 2^128).
        law : str
            Law of every weight.
        owners : str or sequence of str
            "inputs" or "outputs", for all layers or for each.
        constants : int or sequence of int
            Constant inputs of a layer with a bias, >= 1; more than one lift hidden neurons that belong to
            outputs.

        Raises
        ------
        InvalidInput
            If the network has no linear node, or `copies`, `owners` or `constants` does not fit it.
        """
        linear = linear_nodes(network)
        each = list(copies) if isinstance(copies, Sequence) else [copies] * len(linear)
        whose = [owners] * len(linear) if isinstance(owners, str) else list(owners)
        extra = list(constants) if isinstance(constants, Sequence) else [constants] * len(linear)
        for name, given in (("copies", each), ("owners", whose), ("constants", extra)):
            if len(given) != len(linear):
                raise InvalidInput(f"`{name}` must have one entry per layer ({len(linear)}); got {len(given)}.")
        layers = []
        for node, count, owner, number in zip(linear, each, whose, extra, strict=True):
            own, number = slots(node), as_integer(number, "constants", low=1, high=MAX_WIDTH)
            if number > 1 and owner != "outputs":
                raise InvalidInput(
                    f"`constants` must be 1 where hidden neurons belong to inputs; got {number} for layer "
                    f"{node.name!r}."
                )
            inputs = own.inputs if node.bias is None else node.input_features + number
            layers.append(SourceLayer(inputs, count, own.outputs, own.constant_outputs, owner))
        return cls(seed, law, tuple(layers))

    @property
    def scale_bits(self) -> int:
        """Weights are numerators times 2^-scale_bits."""
        return word_law(self.law).scale_bits

    @property
    def parameters(self) -> int:
        """Number of random weights over all layers."""
        return sum(layer.parameters for layer in self.layers)

    def matched(self, layer: int) -> IntArray:
        """Numerators (owners, copies) of the edge between every hidden neuron and its own owner."""
        spec = self._layer(layer)
        neurons = _numbers(0, spec.groups * spec.copies)
        own = neurons // spec.copies
        sublayer = 0 if spec.owners == "inputs" else 1
        return self.edges(layer, sublayer, neurons, own).reshape(spec.groups, spec.copies)

    def edges(self, layer: int, sublayer: int, neurons: IntArray, ends: IntArray) -> IntArray:
        """Numerators (R,) of single edges, anywhere in the layer.

        neurons : int64 (R,), hidden neuron (j, c) being number j * copies + c; ends : int64 (R,), the other end
        of each edge, an input (sublayer 0) or an output (sublayer 1). O(R) time.
        """
        spec = self._layer(layer)
        sublayer = as_integer(sublayer, "sublayer", low=0, high=1)
        owners, copies = np.divmod(np.ascontiguousarray(neurons, dtype=np.int64), spec.copies)
        others = np.ascontiguousarray(ends, dtype=np.int64)
        words = _allocate(owners.shape)
        keys, stream = round_keys(self.seed), np.uint64(2 * layer + sublayer)
        step = max(1, CHUNK_WORDS // 4)
        for start in range(0, words.size, step):
            part = slice(start, start + step)
            fill_edges(keys, stream, owners[part], copies[part], others[part], words[part])
        return word_law(self.law).numerators(words)

    def rows(self, layer: int, sublayer: int, neurons: IntArray) -> IntArray:
        """Numerators (R, inputs) or (R, ends) of all edges into (sublayer 0) or out of (1) hidden neurons.

        neurons : int64 (R,), (j, c) being number j * copies + c. Where the constant has another number of
        outgoing weights, rows are as long as the longer, and the words beyond an input's own number are those
        of no weight. Raises CapacityExceeded when the result is larger than 4 GiB; ask for fewer at a time.
        """
        spec = self._layer(layer)
        sublayer = as_integer(sublayer, "sublayer", low=0, high=1)
        owners, copies = np.divmod(np.ascontiguousarray(neurons, dtype=np.int64), spec.copies)
        width = spec.ends if sublayer else spec.inputs
        words = _allocate((owners.size, width))
        keys, stream = round_keys(self.seed), np.uint64(2 * layer + sublayer)
        step = max(1, CHUNK_WORDS // width)
        for start in range(0, owners.size, step):
            part = slice(start, start + step)
            fill_rows(keys, stream, owners[part], copies[part], words[part])
        return word_law(self.law).numerators(words)

    def block(self, layer: int, sublayer: int, start: int, stop: int) -> IntArray:
        """`rows` of all hidden neurons of owners start .. stop - 1, as (stop - start, copies, ends).

        Raises InvalidInput if a number is outside the source, CapacityExceeded as `rows` does.
        """
        spec = self._layer(layer)
        start = as_integer(start, "start", low=0, high=spec.groups)
        stop = as_integer(stop, "stop", low=start, high=spec.groups)
        rows = self.rows(layer, sublayer, _numbers(start * spec.copies, stop * spec.copies))
        return rows.reshape(stop - start, spec.copies, rows.shape[1])

    def weight(self, layer: int, sublayer: int, j: int, c: int, other: int) -> float:
        """The weight of copy c of owner j to or from `other`, an input (sublayer 0) or output (sublayer 1).

        By numpy's own Philox: independent of the compiled generator. O(1) time.
        """
        spec = self._layer(layer)
        sublayer = as_integer(sublayer, "sublayer", low=0, high=1)
        j = as_integer(j, "j", low=0, high=spec.groups - 1)
        c = as_integer(c, "c", low=0, high=spec.copies - 1)
        ends = spec.inputs
        if sublayer:
            constant = spec.constant_outputs if j == spec.inputs - 1 else None
            ends = spec.outputs if constant is None else constant
        other = as_integer(other, "other", low=0, high=ends - 1)
        # Four words per block: starting at the word's own block skips the ones before it.
        counter = np.array([other // 4, c, j, 2 * layer + sublayer], dtype=np.uint64)
        word = np.random.Philox(key=self.seed, counter=counter).random_raw(4)[other % 4 : other % 4 + 1]
        law = word_law(self.law)
        return float(law.numerators(word)[0]) * 2.0**-law.scale_bits

    def to_json(self) -> dict[str, Any]:
        """JSON-ready form; the seed is a decimal string, since many readers hold no integer above 2^53."""
        return {
            "format": FORMAT,
            "seed": str(self.seed),
            "law": self.law,
            "layers": [
                {key: value for key, value in asdict(layer).items() if value not in (None, "inputs")}
                for layer in self.layers
            ],
        }

    @classmethod
    def from_json(cls, data: object) -> Source:
        """Read what `to_json` wrote, and nothing else.

        Raises
        ------
        InvalidInput
            If keys, types, format or sizes are not those that `to_json` writes.
        """
        fields = _fields(data, "source", ("format", "seed", "law", "layers"))
        if fields["format"] != FORMAT:
            raise InvalidInput(f"`source` must have format {FORMAT!r}; got {fields['format']!r:.80}.")
        seed = fields["seed"]
        if not isinstance(seed, str) or not re.fullmatch(r"0|[1-9][0-9]{0,38}", seed, re.ASCII):
            raise InvalidInput(f"`seed` must be a string of decimal digits; got {seed!r:.80}.")
        listed = fields["layers"]
        if not isinstance(listed, list) or len(listed) > MAX_LAYERS:
            raise InvalidInput(f"`layers` must be a list of at most {MAX_LAYERS} layers; got {listed!r:.80}.")
        layers = []
        for i, item in enumerate(listed):
            keys: tuple[str, ...] = ("inputs", "copies", "outputs")
            if isinstance(item, Mapping) and item.get("constant_outputs") is not None:
                keys = (*keys, "constant_outputs")
            if isinstance(item, Mapping) and item.get("owners") == "outputs":
                keys = (*keys, "owners")
            layers.append(SourceLayer(**_fields(item, f"layers[{i}]", keys)))
        return cls(int(seed), fields["law"], tuple(layers))

    def _layer(self, layer: int) -> SourceLayer:
        return self.layers[as_integer(layer, "layer", low=0, high=len(self.layers) - 1)]


def _numbers(start: int, stop: int) -> IntArray:
    """start .. stop - 1; refused before they are made when there are too many to have weights in memory."""
    _fits((stop - start,))
    return np.arange(start, stop, dtype=np.int64)


def _allocate(shape: tuple[int, ...]) -> WordArray:
    _fits(shape)
    return np.empty(shape, dtype=np.uint64)


def _fits(shape: tuple[int, ...]) -> None:
    size = 8 * math.prod(shape)
    if size > MAX_BLOCK_BYTES:
        raise CapacityExceeded(
            f"a block of weights of shape {shape} needs {size / 2**30:.1f} GiB, more than "
            f"{MAX_BLOCK_BYTES / 2**30:.0f} GiB. Ask for fewer hidden neurons at a time, or one weight alone."
        )


def _fields(data: object, name: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """`data` if it is a mapping with exactly these keys."""
    if not isinstance(data, Mapping):
        raise InvalidInput(f"`{name}` must be a JSON object; got {type(data).__name__}.")
    if set(data) != set(keys):
        raise InvalidInput(f"`{name}` must have the keys {sorted(keys)}; got {sorted(map(str, data))!s:.200}.")
    return data
