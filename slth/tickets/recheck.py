"""A second proof of a small ticket's claims, in ball arithmetic: python-flint instead of rounded float64.

Chains of dense layers up to 64 wide, on boxes. The kept weights are drawn one by one by numpy's own generator
and summed in big integers; error matrices are exact; the bound is derived again, by a program of its own
(`slth.tickets.ball_chain`) and with 106 bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slth._typing import FloatArray
from slth.errors import CapacityExceeded, InvalidInput, MissingExtra, TicketDamaged
from slth.networks.source import Source
from slth.tickets.ball_chain import BallChain, error_at
from slth.tickets.certificate import pair_graph
from slth.tickets.layer import TicketLayer
from slth.tickets.pairs import LayerPair
from slth.tickets.storage import Contents, read_contents

WIDEST = 64
BITS = 106


@dataclass(frozen=True)
class Recheck:
    """What was proved again.

    Attributes
    ----------
    bound : float
        Largest output error over the domain, derived here; rounded up.
    claimed : float
        The certificate's bound. `bound` may exceed it in deep chains, where the certificate knows a ball of
        activations as well as a box, but never eps.
    eps : float
    lower : float
        Error at the stored worst input, rounded down; at least the certificate's.
    edges : int
        Kept edges drawn and summed again.
    """

    bound: float
    claimed: float
    eps: float
    lower: float
    edges: int


def recheck(path: str | Path) -> Recheck:
    """Prove a ticket's certificate again.

    Parameters
    ----------
    path : path of a ticket folder

    Returns
    -------
    Recheck

    Raises
    ------
    MissingExtra
        If python-flint is not installed.
    TicketDamaged
        If the stored network is not what the kept edges compute, or the lower estimate is not reached.
    CapacityExceeded
        If the target is no chain of dense layers at most 64 wide, the domain no box, or nothing is claimed of
        outputs; or if the bound derived here exceeds eps, which neither proves nor refutes the ticket.
    """
    flint = _flint()
    folder = Path(path)
    contents = read_contents(folder)
    claimed, eps = contents.certificate.bound, contents.construction.eps
    if claimed is None or eps is None:
        raise CapacityExceeded(f"{folder} claims nothing of outputs: there is no bound to prove again.")
    if contents.construction.domain.kind != "box":
        raise CapacityExceeded("only boxes are proved again; the domain is a ball.")
    before = flint.ctx.prec
    try:
        flint.ctx.prec = BITS
        problems, values, edges = _sums(contents)
        graph = pair_graph(contents.target, contents.construction.scales, values)
        chain = _chain(contents, graph.pairs)
        proof = BallChain(flint, chain, contents.construction.domain)
        bound = proof.bound()
        for index, (layer, box) in enumerate(zip(contents.construction.layers, proof.reads, strict=True)):
            if layer.lifts and not _upright(flint, contents.source, index, layer, box):
                problems.append(f"layer {layer.name!r}: some lifted neuron may fall below zero")
        lower = error_at(flint, chain, contents.certificate.worst_input)
        high = float(np.nextafter(float(bound.upper()), np.inf))
        reached = bool(bound <= flint.arb(eps))
        stated = contents.certificate.lower_estimate or 0.0
        if not lower >= flint.arb(stated):
            problems.append(f"the error at the stored input is {float(lower)!r}, less than {stated!r}")
        low = float(lower.lower())
        low = low if flint.arb(low) <= lower else float(np.nextafter(low, -np.inf))
    finally:
        flint.ctx.prec = before
    if problems:
        raise TicketDamaged(f"{folder}: " + "; ".join(problems) + ".", tuple(problems))
    if not reached:
        raise CapacityExceeded(
            f"the bound derived again is {high:.6g}, above eps = {eps:.6g}: nothing is decided."
        )
    return Recheck(high, claimed, eps, low, edges)


def _flint() -> Any:
    try:
        import flint
    except ImportError:
        raise MissingExtra("`rigor` needs python-flint. Install slth[rigor].") from None
    return flint


def _chain(contents: Contents, pairs: Sequence[LayerPair]) -> tuple[LayerPair, ...]:
    try:
        layers = contents.target.dense_chain()
    except InvalidInput as error:
        raise CapacityExceeded(f"only chains of dense layers are proved again: {error}") from None
    widest = max(max(layer.weight.shape) for layer in layers)
    if widest > WIDEST:
        raise CapacityExceeded(f"only layers up to {WIDEST} wide are proved again; got {widest}.")
    return tuple(pairs)


def _sums(contents: Contents) -> tuple[list[str], list[tuple[FloatArray, FloatArray | None]], int]:
    """The stored matrices, once each entry is the sum of its kept products; edges drawn."""
    problems: list[str] = []
    values: list[tuple[FloatArray, FloatArray | None]] = []
    edges = 0
    scale = 2.0 ** (-2 * contents.source.scale_bits)
    for index, layer in enumerate(contents.construction.layers):
        moving = layer.inputs - layer.biased
        constant = math.ldexp(scale, layer.constant_shift if layer.lifts else 0)
        stored = (contents.positive[index], contents.negative[index])
        sums: dict[tuple[int, int, int], int] = {}
        for half, i, j, product in _products(contents.source, index, layer):
            place = half, i, min(j, layer.inputs - 1)  # all lifting constants are one
            sums[place] = sums.get(place, 0) + product
            edges += 1
        if layer.lifts and stored[1] is not None:
            # One linear map: what it does to negative inputs, the constant left out.
            sums |= {(1, i, j): -value for (_, i, j), value in sums.items() if j < layer.inputs - 1}
        for half, matrix in enumerate(stored):
            if matrix is None:
                continue
            wrong = [
                (i, j)
                for (i, j), value in np.ndenumerate(matrix)
                if int(value / (unit := scale if j < moving else constant)) != sums.get((half, i, j), 0)
                or value % unit
            ]
            if wrong:
                problems.append(
                    f"layer {layer.name!r}: {len(wrong)} stored weight(s) are not their kept products"
                )
        values.append(stored)
    return problems, values, edges


def _upright(flint: Any, source: Source, index: int, layer: TicketLayer, box: Any) -> bool:
    """Whether every kept neuron of a lifted layer that reads from `box` stays above zero, weight by weight."""
    lift, moving = flint.arb(2) ** layer.lift_exponent, layer.inputs - 1
    owned = layer.owned
    for owner, edges in enumerate(layer.edges()):
        for copy in np.flatnonzero(edges.any(axis=1)):
            j, c = divmod(int(owned[owner, copy]), layer.copies)
            least = flint.arb(0)
            for other in np.flatnonzero(edges[copy]).tolist():
                weight = flint.arb(source.weight(index, 0, j, c, other))
                if other >= moving:
                    least += weight * lift
                else:
                    least += flint.arb.min(weight * box[0][other], weight * box[1][other])
            if not least >= 0:
                return False
    return True


def _products(source: Source, index: int, layer: TicketLayer) -> Iterator[tuple[int, int, int, int]]:
    """(half, output, input, product) of every kept edge, weights drawn one by one, products of numerators."""
    by_input = layer.owners == "inputs"
    single, shared = (0, 1) if by_input else (1, 0)
    one, owned = 2.0**source.scale_bits, layer.owned
    for owner, edges in enumerate(layer.edges()):
        for copy in np.flatnonzero(edges.any(axis=1)):
            j, c = divmod(int(owned[owner, copy]), layer.copies)
            own = int(source.weight(index, single, j, c, owner) * one)
            for other in np.flatnonzero(edges[copy]):
                weight = int(source.weight(index, shared, j, c, int(other)) * one)
                half = int(by_input and own < 0)
                # x- meets |a| b, and relu(a x) = |a| x-.
                product = abs(own) * weight if by_input else own * weight
                yield (half, int(other), owner, product) if by_input else (half, owner, int(other), product)
