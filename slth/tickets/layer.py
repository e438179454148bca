"""One layer of a ticket: which edges of two random sub-layers are kept, and what they compute together.

Between the D input features of a target layer (the constant that carries the bias included) and its outputs
stand random hidden neurons. "Outputs" are those of a dense layer; an output feature and a map of the basis in
general (the rows of `slth.networks.slots`). Write x+ = max(x, 0), x- = max(-x, 0), a for weights of the first
sub-layer, b for those of the second. Which neurons belong to whom is told by `slth.tickets.wiring`.

Neurons owned by inputs: neuron h of input j keeps its edge from j, of weight a_h, and edges of weight b_ih,
one for each output i it serves. Because relu(a x) = |a| max(sign(a) x, 0), the layer computes P on x+ and N
on x-,

    P_ij = sum of |a_h| b_ih over kept h of j with a_h > 0,    N_ij = the same over those with a_h < 0.

Neurons owned by outputs, for inputs that are never negative: neuron h of output i keeps its edge to i, of
weight b_h, and edges of positive weight a_hj from any inputs. Then relu changes nothing, and

    P_ij = sum of a_hj b_h over h of i with a kept edge from j.

*Lifted* neurons, owned by outputs too, may keep edges of either sign, from inputs of either sign: edges from L
further constants of value 2^r raise each of them so far that relu never bends it on the domain
(`slth.tickets.upright`). P is as above; the constants are one input, which carries the bias as well:

    P_iD = 2^r / c * sum of a_hl b_h over h of i with a kept edge from constant l,

c the constant input of `slth.tickets.scaling`; and N = -P.

Numerators are integers at scale 2^-23 for weights and 2^-46 for their products (of the uniform law), so P and
N are exact.
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
from slth.tickets.wiring import wiring

GATHERED = "gathered"
LIFTED = "lifted"
BLOCKS = "blocks"
_BLOCK_ENTRIES = 1 << 21  # entries of (owners, copies, others) handled at once: 16 MiB per int64 array
# Products are at most 2^46, so that sums of so many of them cannot wrap around in int64.
_MOST_SERVING = 1 << 16


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
    arrangement : str
        Of `slth.tickets.arrangement`: which subsets are allowed.
    k, window : int
        Subset sizes per weight and half: from k - window (at least 0) to k, exactly k when the window is 0;
        weights that are exactly zero have the empty subset.
    tolerance : float
        Largest |error| allowed per entry, in scaled units; or what all entries keep, if that is more, where the
        certificate decides on the closest subsets.
    packed : uint8 array (d', D, ceil(N / 8))
        Which of the N neurons of the owner, an input j or an output i, serve weight (i, j): bits along the
        neurons, little-endian, padding bits zero.
    members : int64 array (owners, N) or None
        The owners' hidden neurons; None for the source's own order.
    lifts, lift_exponent : int
        L and r where neurons are lifted. The L constants take the place of the last input in `packed`.
    """

    name: str
    outputs: int
    inputs: int
    copies: int
    biased: bool
    signed: bool
    scale_exponent: int
    bias_exponent: int
    arrangement: str
    k: int
    window: int
    tolerance: float
    packed: npt.NDArray[np.uint8]
    members: IntArray | None = None
    lifts: int = 0
    lift_exponent: int = 0

    @property
    def scale(self) -> Scale:
        """The exponents together."""
        return Scale(self.scale_exponent, self.bias_exponent)

    @property
    def owners(self) -> str:
        """Whose the hidden neurons are: "inputs" or "outputs"."""
        return owners_of(self.arrangement)

    @property
    def columns(self) -> int:
        """Incoming random weights of a hidden neuron: D, or D - 1 + L where neurons are lifted."""
        return self.inputs - 1 + self.lifts if self.lifts else self.inputs

    @property
    def halved(self) -> bool:
        """Whether max(x, 0) and max(-x, 0) have neurons of their own."""
        return self.signed and self.arrangement != LIFTED

    @property
    def constant_shift(self) -> int:
        """r - (b - e): sums over lifting constants, times 2 to this, are weights of the constant input c."""
        return self.lift_exponent - (self.bias_exponent - self.scale_exponent)

    @property
    def groups(self) -> int:
        """Number of owners."""
        return self.inputs if self.owners == "inputs" else self.outputs

    @property
    def owned(self) -> IntArray:
        """Numbers (owners, N) of each owner's hidden neurons; copy c of owner j is j * N + c in the source's
        order."""
        own_order = np.arange(self.groups * self.copies).reshape(self.groups, self.copies)
        return own_order if self.members is None else self.members

    def edges(self, start: int = 0, stop: int | None = None) -> BoolArray:
        """Kept edges (owners, N, others) of the neurons of owners start .. stop - 1; others are the outputs
        when the owners are inputs, and the inputs otherwise."""
        by_owner = self.packed.transpose(1, 0, 2) if self.owners == "inputs" else self.packed
        bits = np.unpackbits(by_owner[start:stop], axis=2, count=self.copies, bitorder="little")
        return np.ascontiguousarray(bits.transpose(0, 2, 1)).astype(np.bool_)

    def neurons(self) -> BoolArray:
        """Hidden neurons (owners, N) in use; only these keep the edge to their owner."""
        used = np.bitwise_or.reduce(self.packed, axis=0 if self.owners == "inputs" else 1)
        return np.unpackbits(used, axis=1, count=self.copies, bitorder="little").astype(np.bool_)

    @property
    def kept_first(self) -> int:
        """Kept edges of the first sub-layer."""
        return self._single() if self.owners == "inputs" else self._shared()

    @property
    def kept_second(self) -> int:
        """Kept edges of the second sub-layer."""
        return self._shared() if self.owners == "inputs" else self._single()

    @property
    def serving(self) -> int:
        """Members of all subsets together: kept edges on the side where weights have edges of their own."""
        return self._shared()

    def _single(self) -> int:
        return int(self.neurons().sum())

    def _shared(self) -> int:
        return int(np.bitwise_count(self.packed).sum())


def owners_of(arrangement: str) -> str:
    """Whose the hidden neurons of an arrangement are, as `SourceLayer.owners` says it."""
    return "outputs" if arrangement in (GATHERED, LIFTED) else "inputs"


def pack(edges: BoolArray, owners: str) -> npt.NDArray[np.uint8]:
    """Pack kept edges (owners, N, others) the way `TicketLayer.packed` holds them."""
    packed = np.packbits(edges.transpose(0, 2, 1), axis=2, bitorder="little")
    if owners == "inputs":
        packed = np.ascontiguousarray(packed.transpose(1, 0, 2))
    found: npt.NDArray[np.uint8] = read_only(packed)
    return found


def owner_blocks(owners: int, copies: int, others: int) -> Iterator[tuple[int, int]]:
    """Ranges of owners whose weights fit a bounded block."""
    step = max(1, _BLOCK_ENTRIES // max(1, copies * others))
    for start in range(0, owners, step):
        yield start, min(owners, start + step)


@dataclass(frozen=True)
class Assembled:
    """What the kept edges of a layer compute, and how many serve each weight.

    positive, negative : float64 (d', D), exact; kept_positive, kept_negative : int64 (d', D) counts;
    live_positive, live_negative : int64, neurons that can serve each half of a weight, (D,) or, when outputs
    are the owners, (d', D); on_dead : edges kept that carry nothing, or would bend what they carry: of weight
    zero or, where neurons gather inputs, below; when inputs are the owners, from neurons whose own incoming
    weight is zero.
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

    Time O(d' D N); memory a bounded block. Raises CapacityExceeded when a sum leaves the numbers that float64
    holds exactly (|P| >= 128 for uniform weights), which no target weight within [-1, 1] can cause, or when
    more than 65536 edges serve one weight.
    """
    own = wiring(source, index, layer.members)
    by_input = layer.owners == "inputs"
    others = layer.outputs if by_input else layer.columns
    sums = np.zeros((2, layer.groups, others), dtype=np.int64)
    counts = np.zeros((2, layer.groups, others), dtype=np.int64)
    live = np.zeros((2, layer.groups) if by_input else (2, layer.groups, others), dtype=np.int64)
    on_dead = 0
    for start, stop in owner_blocks(layer.groups, layer.copies, others):
        edges, shared = layer.edges(start, stop), own.block(start, stop)
        singles = own.singles[start:stop, :, None]
        products = singles * shared
        signs = (singles > 0, singles < 0) if by_input else (shared > 0 if not layer.lifts else shared != 0,)
        for half, serves in enumerate(signs):
            chosen = edges & serves
            counts[half, start:stop] = chosen.sum(axis=1, dtype=np.int64)
            live[half, start:stop] = serves.sum(axis=1).reshape(live[half, start:stop].shape)
            if counts[half, start:stop].any():
                total = np.where(chosen, products, 0).sum(axis=1)
                sums[half, start:stop] = total if half == 0 else -total
        on_dead += int((edges & ~np.logical_or.reduce(signs)).sum())
    if layer.lifts:
        sums, counts = _constants_joined(sums, layer), _constants_joined(counts, layer)
        live = np.ascontiguousarray(live[:, :, : layer.inputs])
    if int(counts.max(initial=0)) > _MOST_SERVING:
        raise CapacityExceeded(
            f"layer {layer.name!r}: {int(counts.max())} edges serve one weight, more than {_MOST_SERVING}. "
            "Use a smaller k."
        )
    if int(np.abs(sums).max(initial=0)) > 2**53:
        raise CapacityExceeded(
            f"layer {layer.name!r}: a kept sum reaches {2**53 * own.product_scale:g} or more, beyond exact "
            "float64 sums of products. Use a smaller k."
        )
    if by_input:
        sums, counts = sums.transpose(0, 2, 1), counts.transpose(0, 2, 1)
    values = np.ascontiguousarray(sums).astype(np.float64) * own.product_scale
    if layer.lifts:
        values[0, :, -1] = _shifted(values[0, :, -1], layer)
        values[1, :, :-1] = -values[0, :, :-1]
    counts = np.ascontiguousarray(counts)
    return Assembled(
        positive=read_only(values[0]),
        negative=read_only(values[1]),
        kept_positive=read_only(counts[0]),
        kept_negative=read_only(counts[1]),
        live_positive=read_only(live[0]),
        live_negative=read_only(live[1]),
        on_dead=on_dead,
    )


def _shifted(sums: FloatArray, layer: TicketLayer) -> FloatArray:
    """Sums over lifting constants as weights of the constant input; refused unless exact, in scaled and in the
    target's own units."""
    with np.errstate(over="ignore"):
        for shift in (layer.lift_exponent + layer.scale_exponent, layer.constant_shift):
            found: FloatArray = np.ldexp(sums, shift)
            if not np.array_equal(np.ldexp(found, -shift), sums):
                raise CapacityExceeded(
                    f"layer {layer.name!r}: constants of 2^{layer.lift_exponent} do not fit its weights and "
                    "biases: float64 cannot hold all of them. Rescale the target."
                )
    return found


def _constants_joined(numbers: IntArray, layer: TicketLayer) -> IntArray:
    """(2, d', D) from (2, d', D - 1 + L): the lifting constants added up in the last column."""
    moving = layer.inputs - 1
    return np.concatenate((numbers[:, :, :moving], numbers[:, :, moving:].sum(axis=2, keepdims=True)), axis=2)
