"""How far target, random source and ticket keep the symmetry that the target declares: measured, reported."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slth._typing import FloatArray
from slth.errors import CapacityExceeded
from slth.networks.symmetry import measure
from slth.tickets.masked import MaskedNetwork, masked_source

if TYPE_CHECKING:
    from slth.tickets.ticket import Ticket

# Evaluations of each network, elements times points: as many points of the domain as that leaves, at least one.
EVALUATIONS = 2**11
MAX_POINTS = 8
# Sources that take more are left out.
MAX_SOURCE_BYTES = 2**28


@dataclass(frozen=True)
class Report:
    """Largest relative errors max |f(g x) - g f(x)| / max |f(x)| over elements g and points x of the domain.

    Attributes
    ----------
    group : str
        Name of the declared group.
    elements : int
        Elements gone through: all of the group if `complete`, else its generators and random products.
    complete : bool
    points : int
        Points of the domain.
    target, source, ticket : float
        Errors; that of the unpruned source is None where the source is too large to be made.
    """

    group: str
    elements: int
    complete: bool
    points: int
    target: float
    source: float | None
    ticket: float

    def to_json(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)

    def __str__(self) -> str:
        which = f"all {self.elements}" if self.complete else f"{self.elements} (generators, then random)"
        source = "not made" if self.source is None else f"{self.source:.2g}"
        return (
            f"largest relative error over {which} elements of {self.group} at {self.points} points: target "
            f"{self.target:.2g}, source {source}, ticket {self.ticket:.2g} (measured)"
        )


def equivariance(ticket: Ticket) -> Report | None:
    """Measure the symmetry that the target declares, or None if it declares none.

    The random layers of a source are combinations of maps that commute with the group, so that it is
    equivariant before anything is pruned, and every mask leaves it so: Theorem 4 of [natale2024], after
    Ferbach et al. (ICLR 2023). Errors above rounding say that the declaration is wrong.
    """
    symmetry = ticket.target.symmetry
    if symmetry is None:
        return None
    domain = ticket.construction.domain
    count = max(1, min(MAX_POINTS, EVALUATIONS // len(symmetry.elements()[0])))
    points = domain.project(np.random.default_rng(0).uniform(domain.low, domain.high, (count, domain.size)))
    target = measure(ticket.target.forward, symmetry, points)
    own = measure(ticket.network().forward, symmetry, points)
    try:
        source = masked_source(ticket, max_bytes=MAX_SOURCE_BYTES)
    except CapacityExceeded:
        of_source = None
    else:
        of_source = measure(lambda x: _unpruned(source, x), symmetry, points).error
    return Report(symmetry.group, target.elements, target.complete, count, target.error, of_source, own.error)


def _unpruned(source: MaskedNetwork, x: FloatArray) -> FloatArray:
    """The source with all of its weights, and the powers of two outside of it."""
    values: dict[str, FloatArray] = {}
    for node in source.network.order:
        value = node.apply([values[parent] for parent in node.parents] or [x])
        values[node.name] = np.ldexp(value, source.exponents.get(node.name, 0))
    return values[source.network.output]
