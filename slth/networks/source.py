"""The random network that tickets are cut from: a specification from which any weight is made again alone.

A source is never stored. It has, per target layer, a block of hidden neurons: `copies` of them for each of
`inputs` inputs (one of the inputs is the constant 1 when the target layer has a bias). Hidden neuron (j, c)
has one incoming weight per input (sublayer 0) and one outgoing weight per output (sublayer 1). The random
word of a weight depends on nothing but the seed and the weight's own place, so that a source with more
copies, inputs, outputs or layers extends a smaller one. In five lines of numpy, without this package::

    import numpy as np
    def weight(seed, layer, sublayer, j, c, other):  # other: input (sublayer 0) or output (sublayer 1)
        stream = np.random.Philox(key=seed, counter=[0, c, j, 2 * layer + sublayer])
        word = int(stream.random_raw(other + 1)[other])
        return (word >> 40) * 2.0**-23 - 1.0  # law "uniform"
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from slth._jit.philox import fill_matched, fill_words, round_keys
from slth._typing import IntArray, WordArray
from slth._validate import as_integer
from slth.errors import CapacityExceeded, InvalidInput
from slth.laws.words import word_law
from slth.networks.network import Network
from slth.networks.slots import linear_nodes, slots

FORMAT = "slth-source/1"
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
        Input features of the target layer, plus one (the last, a constant) if it has a bias.
    copies : int
        Hidden neurons (copies of the feature) per input.
    outputs : int
        Outgoing weights of a hidden neuron: outputs of a dense target layer; output features it feeds times
        maps of the basis in general.
    constant_outputs : int, optional
        Outgoing weights of the last input's hidden neurons, where biases are another number than `outputs`.
    """

    inputs: int
    copies: int
    outputs: int
    constant_outputs: int | None = None

    def __post_init__(self) -> None:
        for name in ("inputs", "copies", "outputs"):
            value = as_integer(getattr(self, name), name, low=1, high=MAX_WIDTH)
            object.__setattr__(self, name, value)
        if self.constant_outputs is not None:
            value = as_integer(self.constant_outputs, "constant_outputs", low=1, high=MAX_WIDTH)
            object.__setattr__(self, "constant_outputs", value)

    @property
    def ends(self) -> int:
        """The larger of both numbers of outgoing weights: the width of blocks that hold either."""
        return max(self.outputs, self.constant_outputs or 0)

    @property
    def parameters(self) -> int:
        """Number of random weights: copies * (inputs^2 + outgoing weights of one neuron of every input)."""
        last = self.outputs if self.constant_outputs is None else self.constant_outputs
        return self.copies * (self.inputs * self.inputs + (self.inputs - 1) * self.outputs + last)


@dataclass(frozen=True)
class Source:
    """A random network given by seed, law and widths.

    Parameters
    ----------
    seed : int
        In [0, 2^128).
    law : str
        Law of every weight: "uniform", the multiples of 2^-23 in [-1, 1).
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
    >>> source.outgoing(0, 1).shape, source.parameters
    ((2, 4), 42)
    >>> float(source.outgoing(0, 1)[1, 3]) * 2.0**-source.scale_bits == source.weight(0, 1, 1, 1, 3)
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
        cls, network: Network, copies: int | Sequence[int], *, seed: int, law: str = "uniform"
    ) -> Source:
        """Source with the widths that a target network needs.

        Parameters
        ----------
        network : Network
            Any; its linear nodes are the layers, in topological order.
        copies : int or sequence of int
            Hidden neurons per input, for all layers or for each.
        seed : int
            In [0, 2^128).
        law : str
            Law of every weight.

        Raises
        ------
        InvalidInput
            If the network has no linear node or `copies` does not fit it.
        """
        linear = linear_nodes(network)
        each = list(copies) if isinstance(copies, Sequence) else [copies] * len(linear)
        if len(each) != len(linear):
            raise InvalidInput(f"`copies` must have one entry per layer ({len(linear)}); got {len(each)}.")
        widths = [slots(node) for node in linear]
        layers = tuple(
            SourceLayer(own.inputs, count, own.outputs, own.constant_outputs)
            for own, count in zip(widths, each, strict=True)
        )
        return cls(seed, law, layers)

    @property
    def scale_bits(self) -> int:
        """Weights are numerators times 2^-scale_bits."""
        return word_law(self.law).scale_bits

    @property
    def parameters(self) -> int:
        """Number of random weights over all layers."""
        return sum(layer.parameters for layer in self.layers)

    def matched(self, layer: int) -> IntArray:
        """Numerators (inputs, copies) of the edges from input j to its own hidden neurons (j, c)."""
        spec = self._layer(layer)
        words = _allocate((spec.inputs, spec.copies))
        keys = round_keys(self.seed)
        stream = np.uint64(2 * layer)
        step = max(1, CHUNK_WORDS // 4 // spec.copies)
        for j in range(0, spec.inputs, step):
            fill_matched(keys, stream, j, words[j : j + step])
        return word_law(self.law).numerators(words)

    def incoming(self, layer: int, j: int) -> IntArray:
        """Numerators (copies, inputs) of all edges into hidden neurons (j, c), c ascending."""
        spec = self._layer(layer)
        j = as_integer(j, "j", low=0, high=spec.inputs - 1)
        block: IntArray = self._words(2 * layer, j, j + 1, spec.copies, spec.inputs)[0]
        return block

    def outgoing(self, layer: int, j: int) -> IntArray:
        """Numerators (copies, ends) of all edges out of hidden neurons (j, c), c ascending."""
        j = as_integer(j, "j", low=0, high=self._layer(layer).inputs - 1)
        block: IntArray = self.outgoing_block(layer, j, j + 1)[0]
        return block

    def outgoing_block(self, layer: int, j_start: int, j_stop: int) -> IntArray:
        """Numerators (j_stop - j_start, copies, ends): `outgoing` of inputs j_start .. j_stop - 1.

        Where the constant has another number of outgoing weights, rows are as long as the longer, and the
        words beyond an input's own number are those of no weight.

        Raises
        ------
        InvalidInput
            If `layer` or the range is outside the source.
        CapacityExceeded
            If the block is larger than 4 GiB; ask for fewer inputs at a time.
        """
        spec = self._layer(layer)
        j_start = as_integer(j_start, "j_start", low=0, high=spec.inputs)
        j_stop = as_integer(j_stop, "j_stop", low=j_start, high=spec.inputs)
        return self._words(2 * layer + 1, j_start, j_stop, spec.copies, spec.ends)

    def weight(self, layer: int, sublayer: int, j: int, c: int, other: int) -> float:
        """One weight, by numpy's own Philox; `other` is the input (sublayer 0) or output (sublayer 1).

        Independent of the compiled generator. O(1) time.
        """
        spec = self._layer(layer)
        sublayer = as_integer(sublayer, "sublayer", low=0, high=1)
        j = as_integer(j, "j", low=0, high=spec.inputs - 1)
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
                {key: value for key, value in asdict(layer).items() if value is not None}
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
            layers.append(SourceLayer(**_fields(item, f"layers[{i}]", keys)))
        return cls(int(seed), fields["law"], tuple(layers))

    def _layer(self, layer: int) -> SourceLayer:
        return self.layers[as_integer(layer, "layer", low=0, high=len(self.layers) - 1)]

    def _words(self, stream: int, j_start: int, j_stop: int, copies: int, ends: int) -> IntArray:
        """Numerators (j_stop - j_start, copies, ends) of one sublayer's stream."""
        words = _allocate((j_stop - j_start, copies, ends))
        keys = round_keys(self.seed)
        if copies * ends <= CHUNK_WORDS:
            step = CHUNK_WORDS // (copies * ends)
            for j in range(0, j_stop - j_start, step):
                fill_words(keys, np.uint64(stream), j_start + j, 0, words[j : j + step])
        else:
            step = max(1, CHUNK_WORDS // ends)
            for j in range(j_stop - j_start):
                for c in range(0, copies, step):
                    fill_words(keys, np.uint64(stream), j_start + j, c, words[j : j + 1, c : c + step])
        return word_law(self.law).numerators(words)


def _allocate(shape: tuple[int, ...]) -> WordArray:
    size = 8
    for length in shape:
        size *= length
    if size > MAX_BLOCK_BYTES:
        raise CapacityExceeded(
            f"a block of weights of shape {shape} needs {size / 2**30:.1f} GiB, more than "
            f"{MAX_BLOCK_BYTES / 2**30:.0f} GiB. Ask for fewer inputs at a time, or one weight alone."
        )
    return np.empty(shape, dtype=np.uint64)


def _fields(data: object, name: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """`data` if it is a mapping with exactly these keys."""
    if not isinstance(data, Mapping):
        raise InvalidInput(f"`{name}` must be a JSON object; got {type(data).__name__}.")
    if set(data) != set(keys):
        raise InvalidInput(f"`{name}` must have the keys {sorted(keys)}; got {sorted(map(str, data))!s:.200}.")
    return data
