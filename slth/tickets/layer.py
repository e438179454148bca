"""One layer of a ticket: which edges of two random sub-layers are kept, and what they compute together.

A target layer with D input features (the constant that carries the bias included) is replaced by D * N hidden
copies, N per feature. Copy (j, c) keeps at most its edge from feature j, of weight a_jc times the identity, and
edges of weight b_ijc, one for each weight i that multiplies feature j: an output of a dense layer, an output
feature and a map of the basis in general (the rows of `slth.networks.slots`). Because
relu(a x) = |a| max(sign(a) x, 0), the pruned pair of sub-layers computes the weights

    P_ij on max(x_j, 0) and N_ij on max(-x_j, 0),   P_ij = sum of |a_jc| b_ijc over kept c with a_jc > 0,
                                                    N_ij = sum of |a_jc| b_ijc over kept c with a_jc < 0.

Numerators are integers at scale 2^-23 for weights and 2^-46 for their products, so P and N are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slth._typing import BoolArray, FloatArray, IntArray
from slth._validate import read_only
from slth.errors import CapacityExceeded
from slth.networks.source import Source
from slth.tickets.scaling import Scale

PRODUCT_SCALE = 2.0**-46
_BLOCK_ENTRIES = 1 << 21  # entries of (inputs, copies, outputs) handled at once: 16 MiB per int64 array


@dataclass(frozen=True)
class TicketLayer:
    """The kept edges of one target layer.

    Attributes
    ----------
    name : str
        Name of the target's linear node.
    outputs, inputs, copies : int
        Rows and columns of the target's slot matrix, d' and D, and N.
    biased : bool
        The last input is the constant 1 that carries the bias.
    signed : bool
        The inputs may be negative, so the negative half N exists (never for the constant).
    scale_exponent, bias_exponent : int
        e, b: this layer's target weights were divided by 2^e, its biases by 2^b.
    k : int
        Subset size per weight and half; weights that are exactly zero have the empty subset.
    tolerance : float
        Largest |error| allowed per entry, in scaled units.
    packed : uint8 array (d', D, ceil(N / 8))
        Kept second sub-layer edges, little-endian bits along the copies, padding bits zero.
    """

    name: str
    outputs: int
    inputs: int
    copies: int
    biased: bool
    signed: bool
    scale_exponent: int
    bias_exponent: int
    k: int
    tolerance: float
    packed: npt.NDArray[np.uint8]

    @property
    def scale(self) -> Scale:
        """The exponents together."""
        return Scale(self.scale_exponent, self.bias_exponent)

    def edges(self, start: int = 0, stop: int | None = None) -> BoolArray:
        """Kept edges (d', J, N) from the hidden neurons of inputs start..stop-1."""
        bits = np.unpackbits(self.packed[:, start:stop], axis=2, count=self.copies, bitorder="little")
        return bits.astype(np.bool_)

    def neurons(self) -> BoolArray:
        """Hidden neurons (D, N) that some output keeps; only these keep their incoming edge."""
        used = np.bitwise_or.reduce(self.packed, axis=0)
        return np.unpackbits(used, axis=1, count=self.copies, bitorder="little").astype(np.bool_)

    @property
    def kept_first(self) -> int:
        """Kept edges of the first sub-layer: one per hidden neuron in use."""
        return int(self.neurons().sum())

    @property
    def kept_second(self) -> int:
        """Kept edges of the second sub-layer."""
        return int(np.bitwise_count(self.packed).sum())


def pack(edges: BoolArray) -> npt.NDArray[np.uint8]:
    """Pack a boolean (d', D, N) array the way `TicketLayer.packed` holds it."""
    packed: npt.NDArray[np.uint8] = read_only(np.packbits(edges, axis=2, bitorder="little"))
    return packed


def input_blocks(inputs: int, copies: int, outputs: int) -> Iterator[tuple[int, int]]:
    """Ranges of inputs whose weights fit a bounded block."""
    step = max(1, _BLOCK_ENTRIES // max(1, copies * outputs))
    for start in range(0, inputs, step):
        yield start, min(inputs, start + step)


@dataclass(frozen=True)
class Assembled:
    """What the kept edges of a layer compute, and how many serve each weight.

    positive, negative : float64 (d', D), exact; kept_positive, kept_negative : int64 (d', D) counts;
    live_positive, live_negative : int64 (D,), neurons with a_jc > 0 and a_jc < 0; on_dead : edges kept
    from neurons whose own incoming weight is exactly zero.
    """

    positive: FloatArray
    negative: FloatArray
    kept_positive: IntArray
    kept_negative: IntArray
    live_positive: IntArray
    live_negative: IntArray
    on_dead: int


def assemble(source: Source, index: int, layer: TicketLayer) -> Assembled:
    """Regenerate layer `index` of `source` and sum the products of the kept edges, in exact integers.

    Time O(d' D N); memory a bounded block. Raises CapacityExceeded when a sum leaves the integers that
    float64 holds exactly (|P| >= 128), which no target weight within [-1, 1] can cause.
    """
    first = source.matched(index)
    shape = (layer.outputs, layer.inputs)
    sums = np.zeros((2, *shape), dtype=np.int64)
    counts = np.zeros((2, *shape), dtype=np.int64)
    on_dead = 0
    for start, stop in input_blocks(layer.inputs, layer.copies, layer.outputs):
        # (J, N, d'), as the source's blocks lie: outputs contiguous
        edges = np.ascontiguousarray(layer.edges(start, stop).transpose(1, 2, 0))
        products = first[start:stop, :, None] * source.outgoing_block(index, start, stop)
        for half, serves in enumerate((first[start:stop] > 0, first[start:stop] < 0)):
            chosen = edges & serves[:, :, None]
            counts[half, :, start:stop] = chosen.sum(axis=1, dtype=np.int64).T
            if counts[half, :, start:stop].any():
                total = np.where(chosen, products, 0).sum(axis=1).T
                sums[half, :, start:stop] = total if half == 0 else -total
        on_dead += int((edges & (first[start:stop] == 0)[:, :, None]).sum())
    if int(np.abs(sums).max(initial=0)) > 2**53:
        raise CapacityExceeded(
            f"layer {layer.name!r}: a kept sum reaches 128 or more, beyond exact float64 sums of products. "
            "Use a smaller k."
        )
    values = sums.astype(np.float64) * PRODUCT_SCALE
    return Assembled(
        positive=read_only(values[0]),
        negative=read_only(values[1]),
        kept_positive=read_only(counts[0]),
        kept_negative=read_only(counts[1]),
        live_positive=read_only((first > 0).sum(axis=1).astype(np.int64)),
        live_negative=read_only((first < 0).sum(axis=1).astype(np.int64)),
        on_dead=on_dead,
    )
