"""Sets of activations: a box met with a ball, pushed through layers with every rounding outward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth._typing import FloatArray
from slth.networks.domain import Domain
from slth.networks.norms import (
    UNIT,
    dot_upper,
    down,
    matvec,
    norm_upper,
    rounding,
    row_norms_upper,
    sum_upper,
    up,
    up_scalar,
)


@dataclass(frozen=True, eq=False)
class Enclosure:
    """The set of h in R^d with low <= h <= high and ||h - center||_2 <= radius.

    Two enclosures of one set meet in a third; all operations here keep every point of the set.
    """

    low: FloatArray
    high: FloatArray
    center: FloatArray
    radius: float

    @property
    def middle(self) -> FloatArray:
        """A point near the middle of the box; exact by definition."""
        return np.clip(self.low / 2 + self.high / 2, self.low, self.high)

    def spread(self) -> FloatArray:
        """Upper bounds of |h_j - middle_j|; zero where the box is a point."""
        middle = self.middle
        reach = np.maximum(up(self.high - middle), up(middle - self.low))
        return np.where(self.low == self.high, 0.0, reach)

    def magnitude(self) -> FloatArray:
        """Upper bounds of |h_j|."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def norm2(self) -> float:
        """Upper bound of ||h||_2."""
        return min(norm_upper(self.magnitude()), up_scalar(norm_upper(self.center) + self.radius))

    def norm1(self) -> float:
        """Upper bound of ||h||_1: by the box, by ||c||_1 + sqrt(d) radius, and by sqrt(d) ||h||_2."""
        root = up_scalar(np.sqrt(self.low.size))
        ball = up_scalar(sum_upper(np.abs(self.center)) + up_scalar(root * self.radius))
        return min(sum_upper(self.magnitude()), ball, up_scalar(root * self.norm2()))

    def meet(self, other: Enclosure) -> Enclosure:
        """Both boxes, and the smaller ball."""
        ball = self if self.radius <= other.radius else other
        return Enclosure(
            np.maximum(self.low, other.low), np.minimum(self.high, other.high), ball.center, ball.radius
        )

    def widened(self, entries: FloatArray, norm: float) -> Enclosure:
        """All h + d with |d_j| <= entries[j] and ||d||_2 <= norm."""
        return Enclosure(
            down(self.low - entries), up(self.high + entries), self.center, up_scalar(self.radius + norm)
        )

    def plus(self, other: Enclosure) -> Enclosure:
        """All h + h' with h in this set and h' in the other."""
        center = self.center + other.center
        # Sums below the normal range are exact; above it, half a unit in the last place.
        rounded = np.where((self.center == 0.0) | (other.center == 0.0), 0.0, np.abs(center) * 2.0 * UNIT)
        radius = up_scalar(up_scalar(self.radius + other.radius) + norm_upper(rounded))
        low, high = self.low + other.low, self.high + other.high
        return Enclosure(
            np.where((self.low == 0.0) | (other.low == 0.0), low, down(low)),
            np.where((self.high == 0.0) | (other.high == 0.0), high, up(high)),
            center,
            radius,
        ).with_box_ball()

    def relu(self) -> Enclosure:
        """All max(h, 0): max is 1-Lipschitz in each coordinate, hence also in l2."""
        return Enclosure(
            np.maximum(self.low, 0.0), np.maximum(self.high, 0.0), np.maximum(self.center, 0.0), self.radius
        ).with_box_ball()

    def with_constant(self, value: float = 1.0) -> Enclosure:
        """All [h; value]: with the constant input that carries a bias."""
        low, high, center = (np.append(part, value) for part in (self.low, self.high, self.center))
        return Enclosure(low, high, center, self.radius)

    def with_box_ball(self) -> Enclosure:
        """The same set, its ball replaced by the one around the box where that is smaller."""
        radius = norm_upper(self.spread())
        return self if self.radius <= radius else Enclosure(self.low, self.high, self.middle, radius)


def domain_enclosure(domain: Domain) -> Enclosure:
    """The input domain: exact for a box, and for a ball up to the rounding of its box hull."""
    if domain.kind == "ball":
        return Enclosure(domain.low, domain.high, domain.center, domain.radius)
    return Enclosure(domain.low, domain.high, domain.center, np.inf).with_box_ball()


@dataclass(frozen=True, eq=False)
class HalfMap:
    """The map h -> P max(h, 0) + N max(-h, 0), R^D -> R^d'; the linear map W is the case P = W, N = -W.

    Attributes
    ----------
    positive, negative : (d', D) arrays
        P and N.
    relative : float
        The map stands for all P', N' with |P' - P| <= relative |P|, |N' - N| <= relative |N|; at most 2u.

    Notes
    -----
    Each coordinate enters through phi(h_j) = P_ij max(h_j, 0) + N_ij max(-h_j, 0), linear on both sides of
    0, so its extremes over an interval are at the ends or at 0, and its slopes are at most max(|P_ij|, |N_ij|).
    """

    positive: FloatArray
    negative: FloatArray
    relative: float = 0.0

    def halves(self, moving: int) -> tuple[FloatArray, ...]:
        """The first `moving` columns of P and N; of P alone, W, where the map is linear in these coordinates.

        Side by side they are the matrix whose norm bounds how far the map moves: ||[P, N]||, or ||W||.
        """
        positive, negative = self.positive[:, :moving], self.negative[:, :moving]
        return (positive,) if np.array_equal(negative, -positive) else (positive, negative)

    def slopes(self) -> FloatArray:
        """Entrywise Lipschitz constants max(|P|, |N|), rounded up if `relative`."""
        steep = np.maximum(np.abs(self.positive), np.abs(self.negative))
        return up(steep * (1.0 + 4.0 * UNIT)) if self.relative else steep

    def at(self, point: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Value at an exactly given point, and a bound of its error entry by entry."""
        chosen = np.where(point >= 0.0, self.positive, -self.negative)
        value, error = matvec(chosen, point)
        if self.relative:
            # Every term met one rounding more, in the matrix.
            error = rounding(np.abs(chosen) @ np.abs(point), point.size + 2)
        return value, np.where(chosen.any(axis=1), error, 0.0)

    def row_range(self, box: Enclosure) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds of each output over the box."""
        at_low = np.where(box.low >= 0.0, self.positive, -self.negative) * box.low
        at_high = np.where(box.high >= 0.0, self.positive, -self.negative) * box.high
        inside = (box.low < 0.0) & (box.high > 0.0)
        least, most = np.minimum(at_low, at_high), np.maximum(at_low, at_high)
        np.minimum(least, 0.0, out=least, where=inside[None, :])
        np.maximum(most, 0.0, out=most, where=inside[None, :])
        # One rounding in each product, one in the matrix, and those of the sum.
        slack = rounding(np.maximum(np.abs(least), np.abs(most)).sum(axis=1), box.low.size + 2)
        low, high = down(least.sum(axis=1) - slack), up(most.sum(axis=1) + slack)
        some = self.positive.any(axis=1) | self.negative.any(axis=1)
        return np.where(some, low, 0.0), np.where(some, high, 0.0)

    def image(self, box: Enclosure, lipschitz: float, moving: int) -> Enclosure:
        """Enclosure of all values over `box`; `lipschitz` bounds the map's Lipschitz constant in l2.

        Only the first `moving` coordinates of the inputs vary: the constant that carries a bias does not.
        """
        low, high = self.row_range(box)
        center, error = self.at(box.center)
        reach = up(error + up(row_norms_upper(self.slopes()[:, :moving]) * box.radius))
        radius = up_scalar(norm_upper(error) + up_scalar(lipschitz * box.radius))
        return Enclosure(
            np.maximum(low, down(center - reach)), np.minimum(high, up(center + reach)), center, radius
        ).with_box_ball()

    def largest(self, box: Enclosure, moving: int) -> FloatArray:
        """Upper bounds of each |output| over the set, the better of box and ball; `moving` as in `image`."""
        low, high = self.row_range(box)
        center, error = self.at(box.center)
        ball = up(up(np.abs(center) + error) + up(row_norms_upper(self.slopes()[:, :moving]) * box.radius))
        return np.minimum(np.maximum(np.abs(low), np.abs(high)), ball)


def through_rows(matrix: FloatArray, entries: FloatArray, norm: float) -> FloatArray:
    """Upper bounds of each |(A d)_i| over |d_j| <= entries[j], ||d||_2 <= norm; A of shape (d', d)."""
    return np.minimum(dot_upper(np.abs(matrix), entries), up(row_norms_upper(matrix) * norm))
