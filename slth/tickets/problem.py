"""What there is to approximate: a target's weights layer by layer, scaled, and the domain they must serve."""

from __future__ import annotations

from dataclasses import dataclass

from slth._typing import FloatArray
from slth.networks.domain import Domain
from slth.networks.layers import Linear
from slth.networks.network import Network
from slth.networks.slots import linear_nodes
from slth.tickets.certificate import signed_layers
from slth.tickets.scaling import Scale, scaled_slots, scales_of


@dataclass(frozen=True, eq=False)
class Problem:
    """A target on a domain; per linear node: its scale, its scaled slot matrix (d', D), and whether its
    inputs may be negative."""

    target: Network
    domain: Domain
    nodes: tuple[Linear, ...]
    scales: tuple[Scale, ...]
    weights: tuple[FloatArray, ...]
    signed: tuple[bool, ...]

    @classmethod
    def of(cls, target: Network, domain: Domain) -> Problem:
        """Raises InvalidInput when the target has no linear node or cannot be scaled exactly."""
        scales = scales_of(target)
        weights = scaled_slots(target, scales)
        return cls(target, domain, linear_nodes(target), scales, weights, signed_layers(target, domain))
