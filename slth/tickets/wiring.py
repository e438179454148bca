"""Which hidden neurons serve which owner: the random weights of a layer, ordered as its ticket uses them.

Every hidden neuron keeps at most one edge on one side, to its *owner*, and any number of edges on the other:

* owned by inputs: one incoming edge, from its input, and edges to all outputs;
* owned by outputs: one outgoing edge, to its output, and edges from all inputs.

`members` says which hidden neurons an owner has, as numbers j * copies + c of the source's (j, c); None
stands for the source's own order, copy c of owner j.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from slth._typing import IntArray
from slth.networks.layers import Linear
from slth.networks.source import Source


@dataclass(frozen=True, eq=False)
class Wiring:
    """The weights of layer `index` as numerators at scale 2^-scale_bits.

    singles : int64 (owners, N), the edge between each hidden neuron and its owner; held : all blocks, when they
    are kept in memory.
    """

    source: Source
    index: int
    members: IntArray | None
    singles: IntArray
    held: IntArray | None = None

    @property
    def product_scale(self) -> float:
        """What a product of two numerators is to be multiplied by."""
        return math.ldexp(1.0, -2 * self.source.scale_bits)

    @property
    def others(self) -> int:
        """Ends of a hidden neuron's edges on the side of which it may keep many."""
        spec = self.source.layers[self.index]
        return spec.ends if spec.owners == "inputs" else spec.inputs

    def hold(self) -> Wiring:
        """The same with all blocks in memory. Raises CapacityExceeded above 4 GiB."""
        return replace(self, held=self.block(0, self.singles.shape[0]))

    def block(self, start: int, stop: int) -> IntArray:
        """Numerators (stop - start, N, others): the edges of the neurons of owners start .. stop - 1 on the
        other side, which is the outputs (rows of the slot matrix) when inputs are the owners, and the inputs
        otherwise.
        """
        if self.held is not None:
            return self.held[start:stop]
        sublayer = 1 - _single_sublayer(self.source, self.index)
        if self.members is None:
            return self.source.block(self.index, sublayer, start, stop)
        own = self.members[start:stop]
        return self.source.rows(self.index, sublayer, own.reshape(-1)).reshape(*own.shape, -1)


def wiring(source: Source, index: int, members: IntArray | None) -> Wiring:
    """The weights of a layer, ordered by `members`."""
    if members is None:
        return Wiring(source, index, None, source.matched(index))
    owners = np.repeat(np.arange(members.shape[0]), members.shape[1])
    sublayer = _single_sublayer(source, index)
    singles = source.edges(index, sublayer, members.reshape(-1), owners).reshape(members.shape)
    return Wiring(source, index, members, singles)


def may_choose(node: Linear) -> bool:
    """Whether hidden neurons of a layer may be anyone's.

    Copies of a feature cannot be copies of the constant, but where both are one number, nor feed another group
    of output features than their own.
    """
    return (node.bias is None or node.is_dense) and node.groups == 1


def _single_sublayer(source: Source, index: int) -> int:
    return 0 if source.layers[index].owners == "inputs" else 1
