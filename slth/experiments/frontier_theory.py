"""What theory says of one target on one domain: Theorems 3 and 5 of [natale2024], in the target's own norms.

Both speak of layers of spectral norm at most one on the unit ball. A target has other norms, biases, and a
domain of its own, so each is translated layer by layer, with what the certificate itself uses. Let W_i be the
matrix (d_i, D_i) of layer i with its biases as the last column, D_i = d_{i-1} + 1 (or d_{i-1} without), s_i the
output error that an error of norm one in W_i can cause: a bound of the norm of the layer's inputs over the
domain (the constant included) times a bound of the gain of the later layers. An output error eps is then the
error

    eps_i = eps / (s_i ||W_i||)

in a layer scaled to norm one. For the networks of the theorem itself (norms one, unit ball, no biases) s_i = 1
and eps_i = eps. Of two bounds of the activations, by the certificate's boxes and balls and by products of
norms, the smaller is taken: eps_i is never smaller, so that the theorem's source and the lower bound are never
larger, than by norms alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slth.networks.domain import Domain
from slth.networks.intervals import domain_enclosure
from slth.networks.layers import Input, Linear, Node, ReLU
from slth.networks.network import Network
from slth.networks.norms import spectral_norm_upper
from slth.theory.lower_bounds import least_for_bits
from slth.theory.network_bounds import gadget_size
from slth.tickets.bounds import budget
from slth.tickets.certificate import target_graph
from slth.tickets.graph import nonnegative
from slth.tickets.scaling import scales_of

SMALLEST, LARGEST = 1e-12, 0.5


@dataclass(frozen=True)
class LayerFacts:
    """What translation needs of a dense layer: d', D, ||W|| and s (see the module); W has its biases."""

    outputs: int
    inputs: int
    norm: float
    sensitivity: float

    def relative(self, eps: float) -> float:
        """eps_i: the same output error for the layer scaled to norm one."""
        return eps / (self.sensitivity * self.norm)


def layer_facts(target: Network, domain: Domain) -> tuple[LayerFacts, ...] | None:
    """The facts of each layer; None unless the target is a chain of dense layers and no layer is zero."""
    if not all(isinstance(node, (Input, ReLU)) or _is_dense(node) for node in target.order):
        return None
    graph = target_graph(target, scales_of(target))
    never = nonnegative(graph, domain)
    gains = [spectral_norm_upper(pair.weight[:, : pair.moving]) for pair in graph.pairs]
    reach = domain_enclosure(domain).norm2()
    facts = []
    for index, node in enumerate(graph.layers):
        pair = graph.pairs[index]
        alone = [0.0] * len(graph.layers)
        alone[index] = 1.0
        entries = (1 if never[node.parents[0]] else 2) * pair.weight.size
        sensitivity = budget(graph, alone, domain, counting="theorem") / entries
        norm = spectral_norm_upper(pair.weight)
        given = math.hypot(reach, 1.0) if pair.biased else reach
        sensitivity = min(sensitivity, given * math.prod(gains[index + 1 :]))
        reach = norm * given
        if not 0.0 < sensitivity * norm < math.inf:
            return None
        outputs, inputs = pair.weight.shape
        facts.append(LayerFacts(outputs, inputs, norm, sensitivity))
    return tuple(facts)


def _is_dense(node: Node) -> bool:
    return isinstance(node, Linear) and node.is_dense


@dataclass(frozen=True)
class TheoremSource:
    """The source that Theorem 3 asks for: m parameters; kept / total of its ticket, counted edge by edge."""

    parameters: int
    density: float


def theorem_3(layers: Sequence[LayerFacts], eps: float, subset_density: float) -> TheoremSource:
    """Theorem 3 with c_amp = 1 and subset density gamma' = k/n.

    Notes
    -----
    [natale2024], Theorem 3, layer by layer: tolerance eps_i / (2 l d_i D_i) per weight, 2 D_i n_i hidden
    neurons,

        m = sum_i 2 D_i^2 n_i + 2 D_i d_i n_i,

    n_i the least sample that meets the theorem's inequality, k >= 4. c_amp = 1 is far below what its proof
    gives. A hidden neuron keeps one incoming edge, shared by all outputs, so that at most
    min(2 D n, 2 k D d) + 2 k D d edges of a layer are kept. The density where n = 2k is the largest.

    Examples
    --------
    >>> round(theorem_3([LayerFacts(100, 100, 1.0, 1.0)], 0.01, 0.1).parameters / 1e4)
    6860
    """
    total, kept = 0, 0
    for layer in layers:
        d, e = layer.inputs, layer.outputs
        tolerance = layer.relative(eps) / (2.0 * len(layers) * d * e)
        size = gadget_size(subset_density, tolerance, 1.0)
        total += 2 * d * size.n * (d + e)
        kept += min(2 * d * size.n, 2 * size.k * d * e) + 2 * size.k * d * e
    return TheoremSource(total, kept / total)


def theorem_3_at(layers: Sequence[LayerFacts], eps: float, density: float) -> TheoremSource | None:
    """Theorem 3 at a density kept / total: the gamma' is sought whose ticket has it. None where none has."""
    if theorem_3(layers, eps, LARGEST).density < density:
        return None
    low, high = math.log(SMALLEST), math.log(LARGEST)
    for _ in range(60):
        middle = 0.5 * (low + high)
        if theorem_3(layers, eps, math.exp(middle)).density < density:
            low = middle
        else:
            high = middle
    return theorem_3(layers, eps, math.exp(high))


def family_bits(layers: Sequence[LayerFacts], eps: float) -> float:
    """log2 of the number of tickets that one source needs to serve a whole family of targets.

    Notes
    -----
    [natale2024], proof of Theorem 5, for all matrices of norm at most one: balls of radius 2 eps_i around
    tickets cover half of a ball of radius one in d_i D_i dimensions. The family has every layer free, each
    layer's own pair of random layers serving it to within eps while the others are exact, so that bits add up:

        sum_i max(0, d_i D_i log2(1 / (2 eps_i))) - 1.

    It bounds one source for the family. One given target may have a smaller source.

    Examples
    --------
    >>> family_bits([LayerFacts(10, 10, 1.0, 1.0)], 0.25)
    99.0
    """
    bits = (layer.outputs * layer.inputs * math.log2(0.5 / layer.relative(eps)) for layer in layers)
    return max(sum(max(0.0, b) for b in bits) - 1.0, 0.0)


def family_bound(layers: Sequence[LayerFacts], eps: float, density: float) -> float | None:
    """Least m at density kept / total that has enough subnetworks for `family_bits`; None where any has."""
    if not 0.0 < density < 1.0:
        return None
    return least_for_bits(family_bits(layers, eps), density)


def output_scale(target: Network, inputs: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    """Largest absolute output over the rows of `inputs`."""
    return float(np.abs(target.forward(inputs)).max())
