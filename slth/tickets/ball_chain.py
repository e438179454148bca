"""The bound of a chain of dense layers on a box, in ball arithmetic, and the error at one input.

The way is that of `slth.tickets.bounds`: boxes of activations, entrywise bounds, and joint norms, of which the
dual weights, found in float64, are hints only. An operator norm is proved to be at most s by an elimination of
s^2 - A A^T all of whose pivots are positive. python-flint is handed in by `slth.tickets.recheck`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slth._typing import FloatArray
from slth.networks.domain import Domain
from slth.networks.norms import balanced_weights
from slth.tickets.pairs import LayerPair


class BallChain:
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


def error_at(flint: Any, pairs: Sequence[LayerPair], point: FloatArray) -> Any:
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
