"""A second proof of a small ticket's claims, in ball arithmetic: python-flint instead of rounded float64.

Chains of dense layers up to 64 wide, on boxes. The kept weights are drawn one by one by numpy's own generator
and summed in big integers; error matrices are exact; the bound is derived again, by a program of its own and
with 106 bits. The way is that of `slth.tickets.bounds`: boxes of activations, entrywise bounds, and joint
norms, of which the dual weights, found in float64, are hints only. An operator norm is proved to be at most s
by an elimination of s^2 - A A^T all of whose pivots are positive.
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
from slth.networks.domain import Domain
from slth.networks.norms import balanced_weights
from slth.networks.source import Source
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
        proof = _Chain(flint, chain, contents.construction.domain)
        bound = proof.bound()
        for index, (layer, box) in enumerate(zip(contents.construction.layers, proof.reads, strict=True)):
            if layer.lifts and not _upright(flint, contents.source, index, layer, box):
                problems.append(f"layer {layer.name!r}: some lifted neuron may fall below zero")
        lower = _lower(flint, chain, contents.certificate.worst_input)
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


class _Chain:
    """The bound, layer by layer; lists of exact floats wherever a number is only chosen, balls elsewhere."""

    def __init__(self, flint: Any, pairs: Sequence[LayerPair], domain: Domain) -> None:
        self.flint, self.arb, self.pairs, self.domain = flint, flint.arb, pairs, domain
        # The boxes that the ticket's layers read from, once `bound` has been through them.
        self.reads: list[Any] = []

    def bound(self) -> Any:
        """Upper bound of the output error over the domain."""
        arb = self.arb
        low, high = ([arb(float(x)) for x in ends] for ends in (self.domain.low, self.domain.high))
        target = ticket = (low, high)
        entries, norm = [arb(0)] * self.domain.size, arb(0)
        last = len(self.pairs) - 1
        for place, pair in enumerate(self.pairs):
            target, ticket, entries, norm = self._layer(pair, target, ticket, entries, norm, relu=place < last)
        return norm

    def _layer(
        self, pair: LayerPair, target: Any, ticket: Any, entries: Any, norm: Any, *, relu: bool
    ) -> tuple[Any, Any, Any, Any]:
        arb, moving = self.arb, pair.moving
        self.reads.append(ticket)
        if pair.biased:
            one = [arb(1)]
            target, ticket = ((low + one, high + one) for low, high in (target, ticket))
        weight = self._rows(pair.weight)
        positive = self._rows(pair.positive)
        negative = [[-w for w in row] for row in weight] if pair.negative is None else self._rows(pair.negative)
        # A half that no input of the domain reaches counts as the target's; of a linear map there is one.
        up = [bool(high > 0) for high in ticket[1]]
        down = [bool(low < 0) for low in ticket[0]]
        linear = pair.negative is not None and np.array_equal(
            pair.negative[:, :moving], -pair.positive[:, :moving]
        )
        if linear:
            negative = [[-p for p in row] for row in positive]
            up = down = [above or below for above, below in zip(up, down, strict=True)]
        opposite = [[-w for w in row] for row in weight]
        errors = self._errors(positive, weight, up), self._errors(negative, opposite, down)
        after = self._range(weight, opposite, target)
        own = self._range(_sum(weight, errors[0]), _sum(opposite, errors[1]), ticket)
        off = self._range(*errors, ticket)
        local = [arb.max(abs(low), abs(high)) for low, high in zip(*off, strict=True)]
        passed = [
            arb.min(_dot(row, entries, moving), _length(row[:moving]) * norm)
            for row in ([abs(w) for w in row] for row in weight)
        ]
        if relu:
            after, own = (
                ([arb.max(x, arb(0)) for x in low], [arb.max(x, arb(0)) for x in high])
                for low, high in (after, own)
            )
        alive = [not (relu and a <= 0 and b <= 0) for a, b in zip(after[1], own[1], strict=True)]
        found = []
        for i, live in enumerate(alive):
            apart = arb.max(arb.max(after[1][i] - own[0][i], own[1][i] - after[0][i]), arb(0))
            found.append(arb.min(passed[i] + local[i], apart) if live else arb(0))
        joint = self._joint(pair, errors[:1] if linear else errors, errors, ticket, entries, norm, alive)
        total = arb.min(joint, _length(found))
        return self._met(after, own, found), self._met(own, after, found), found, total

    def _errors(self, ticket: Any, target: Any, reached: Sequence[bool]) -> Any:
        """One half of the ticket less the target's; zero where no input reaches it."""
        return [
            [t - w if live else self.arb(0) for t, w, live in zip(*rows, reached, strict=True)]
            for rows in zip(ticket, target, strict=True)
        ]

    def _met(self, one: Any, other: Any, entries: Any) -> tuple[Any, Any]:
        """A network's box, met with the other's widened by the error."""
        low = [self.arb.max(a, b - e).lower() for a, b, e in zip(one[0], other[0], entries, strict=True)]
        high = [self.arb.min(a, b + e).upper() for a, b, e in zip(one[1], other[1], entries, strict=True)]
        return low, high

    def _range(self, positive: Any, negative: Any, box: Any) -> tuple[Any, Any]:
        """Least and largest of each row of P x+ + N x- over a box; a term is extreme at an end, or at 0."""
        arb, lows, highs = self.arb, [], []
        for p_row, n_row in zip(positive, negative, strict=True):
            least = most = arb(0)
            for p, n, low, high in zip(p_row, n_row, *box, strict=True):
                ends = [p * x if x >= 0 else -n * x for x in (low, high)]
                if low < 0 < high:
                    ends.append(arb(0))
                least += _fold(arb.min, ends)
                most += _fold(arb.max, ends)
            lows.append(least.lower())
            highs.append(most.upper())
        return lows, highs

    def _joint(
        self, pair: LayerPair, halves: Any, errors: Any, ticket: Any, entries: Any, norm: Any, alive: Any
    ) -> Any:
        """Bound of ||W d + Delta(c) + [E+, E-] u||_2, d in its box or ball, u around the middle of the box.

        halves : the matrices beside each other in the last term, E+ alone where the map is linear.
        """
        arb, moving = self.arb, pair.moving
        middle = [arb(float(((low + high) / 2).mid())) for low, high in zip(*ticket, strict=True)]
        spread = [arb.max(high - m, m - low) for low, high, m in zip(*ticket, middle, strict=True)][:moving]
        best = None
        for by_entries in (False, True):
            for by_box in (False, True):
                groups = list(range(moving)) if by_entries else [0] * moving
                radii = list(entries) if by_entries else [norm]
                first = len(radii)
                radii += spread if by_box else [_length(spread)]
                lifted = [first + (j if by_box else 0) for j in range(moving)]
                groups += [*(lifted * len(halves)), len(radii)]
                radii.append(arb(1))
                rows = []
                for i, row in enumerate(self._rows(pair.weight)):
                    if alive[i]:
                        value = sum(
                            (
                                errors[0][i][j] * m if m >= 0 else -errors[1][i][j] * m
                                for j, m in enumerate(middle)
                            ),
                            arb(0),
                        )
                        rows.append([*row[:moving], *(x for e in halves for x in e[i][:moving]), value])
                if not rows:
                    return arb(0)
                found = self._grouped(rows, groups, radii)
                best = found if best is None else arb.min(best, found)
        return best

    def _grouped(self, rows: Any, groups: Any, radii: Any) -> Any:
        """sup ||A z|| over groups of z in balls: ||A diag(r_g / sqrt(p_g))|| sqrt(sum p), for any p > 0."""
        arb = self.arb
        rough = np.array([[float(x.mid()) for x in row] for row in rows])
        sizes = np.array([float(r.upper()) for r in radii])
        hint = balanced_weights(rough, np.array(groups), sizes)
        weights = [arb(float(p)) for p in hint]
        scaled = [
            [x * radii[g] / weights[g].sqrt() for x, g in zip(row, groups, strict=True) if hint[g] > 0.0]
            for row in rows
        ]
        # Columns of groups without weight must not count: their radius, or they themselves, are zero.
        for row in rows:
            for x, g in zip(row, groups, strict=True):
                if hint[g] == 0.0 and not (x == 0 or radii[g] == 0):
                    return arb.pos_inf()
        return self._spectral(scaled) * sum(weights, arb(0)).sqrt() if scaled[0] else arb(0)

    def _spectral(self, rows: Any) -> Any:
        """An s with ||A||_2 <= s, proved."""
        flint, arb = self.flint, self.arb
        matrix = flint.arb_mat(rows)
        gram = matrix * matrix.transpose() if len(rows) <= len(rows[0]) else matrix.transpose() * matrix
        values = gram.tolist()
        rough = np.array([[float(x.mid()) for x in row] for row in values])
        largest = float(np.linalg.eigvalsh((rough + rough.T) / 2.0)[-1])
        slack = 2.0**-36
        while slack < 1.0:
            square = arb(max(largest, 2.0**-900) * (1.0 + slack))
            if _positive_definite(values, square):
                return square.sqrt()
            slack *= 16.0
        return sum((x * x for row in rows for x in row), arb(0)).sqrt()

    def _rows(self, matrix: FloatArray) -> Any:
        return [[self.arb(float(x)) for x in row] for row in matrix]


def _positive_definite(gram: Any, square: Any) -> bool:
    """Whether square I - G is proved positive definite, G symmetric: all pivots of elimination are positive."""
    size = len(gram)
    rows = [[-gram[i][j] for j in range(size)] for i in range(size)]
    for i in range(size):
        rows[i][i] = rows[i][i] + square
    for i in range(size):
        pivot = rows[i][i]
        if not pivot > 0:
            return False
        for k in range(i + 1, size):
            factor = rows[k][i] / pivot
            for j in range(k, size):
                rows[k][j] = rows[k][j] - factor * rows[i][j]
                rows[j][k] = rows[k][j]
    return True


def _lower(flint: Any, pairs: Sequence[LayerPair], point: FloatArray) -> Any:
    """||ticket(x) - target(x)||_2 at a stored input."""
    arb = flint.arb
    start = [arb(float(x)) for x in point]
    values = [start, start]
    for place, pair in enumerate(pairs):
        plain = -pair.weight if pair.negative is None else pair.negative
        for which, (positive, negative) in enumerate(((pair.weight, -pair.weight), (pair.positive, plain))):
            given = values[which] + ([arb(1)] if pair.biased else [])
            out = []
            for p_row, n_row in zip(positive, negative, strict=True):
                terms = (
                    arb(float(p)) * x if x >= 0 else -arb(float(n)) * x
                    for p, n, x in zip(p_row, n_row, given, strict=True)
                )
                out.append(sum(terms, arb(0)))
            values[which] = [arb.max(x, arb(0)) for x in out] if place < len(pairs) - 1 else out
    return _length([a - b for a, b in zip(*values, strict=True)])


def _sum(one: Any, other: Any) -> Any:
    return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(one, other, strict=True)]


def _dot(row: Any, entries: Any, moving: int) -> Any:
    return sum((a * b for a, b in zip(row[:moving], entries, strict=True)), entries[0] * 0)


def _length(values: Any) -> Any:
    return sum((x * x for x in values), values[0] * 0).sqrt()


def _fold(choose: Any, values: Any) -> Any:
    found = values[0]
    for value in values[1:]:
        found = choose(found, value)
    return found
