"""A target layer beside what the ticket computes instead: what every bound of a ticket is about."""

from __future__ import annotations

from dataclasses import dataclass

from slth._typing import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class LayerPair:
    """A target layer and what the ticket computes instead, in the target's units, as expanded matrices.

    Attributes
    ----------
    weight : (d', D) array
        W; its last column is the bias when `biased`.
    positive : (d', D) array
        P, exact: what multiplies max(x, 0).
    negative : (d', D) array or None
        N, exact: what multiplies max(-x, 0). None when the layer's input is never negative.
    biased : bool
        The constant 1 is appended to the layer's input.
    relu : bool
        ReLU is applied to the layer's output. False inside a `PairGraph`, where ReLU is a node.
    constant : float
        How much larger the tolerance of the biases is than that of the weights (`slth.tickets.scaling`).
    support : (d', D) bool array or None
        Where a coefficient of the layer stands; elsewhere W, P and N are zero for every ticket. A convolution,
        or an orbit basis, has one coefficient at each of these entries. None: everywhere.
    """

    weight: FloatArray
    positive: FloatArray
    negative: FloatArray | None
    biased: bool
    relu: bool = False
    constant: float = 1.0
    support: BoolArray | None = None

    @property
    def moving(self) -> int:
        """Columns that multiply inputs: all but the bias."""
        return int(self.weight.shape[1]) - self.biased
