"""Results of covering experiments: what was proved about an interval, and how to check it again."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth.errors import InvalidInput
from slth.subset_sum.family import Family


class CoverStatus(enum.Enum):
    """How a covering search ended. The first two are proofs."""

    COVERED = 0
    """Every point of the interval is within eps of a sum."""
    UNCOVERED = 1
    """The witness is not."""
    LIMIT = 2
    """Time, memory or precision ended the search."""


@dataclass(frozen=True)
class CoverResult:
    """Whether every point of [low, high] is within `eps` of the sum of a subset of the family.

    Attributes
    ----------
    samples : ndarray
        (n,) float64, read-only.
    low, high, eps : float
    family : Family
        The subsets allowed.
    covered : bool or None
        None with status LIMIT.
    witness : float, Fraction or None
        If not covered: a point of [low, high] farther than eps from every sum; a Fraction only where no float64
        lies in the gap.
    status : CoverStatus
    method : str
    work : int
        Sums marked + steps of walks, estimated + list entries written (blocked), sums listed (exhaustive).
    limits : tuple of str
        Why the status is LIMIT, in words.
    """

    samples: FloatArray
    low: float
    high: float
    eps: float
    family: Family
    covered: bool | None
    witness: float | Fraction | None
    status: CoverStatus
    method: str
    work: int
    limits: tuple[str, ...] = ()

    def check(self) -> None:
        """Check the witness by counting, exactly, the sums within eps of it; and that the fields agree.

        A proof that the interval is covered is not made again: only its ends and its middle are checked.

        Raises
        ------
        InvalidInput
            If a stored field contradicts the samples or another field.
        """
        from slth.subset_sum.count import count_near

        expected = {CoverStatus.COVERED: True, CoverStatus.UNCOVERED: False, CoverStatus.LIMIT: None}
        if self.covered is not expected.get(self.status):
            raise InvalidInput(f"`covered` must agree with {self.status}; got {self.covered!r}.")
        if (self.witness is not None) != (self.status is CoverStatus.UNCOVERED):
            raise InvalidInput(f"`witness` must be given just when uncovered; got {self.witness!r}.")
        if self.witness is not None:
            if not self.low <= self.witness <= self.high:
                raise InvalidInput(
                    f"`witness` must lie in [{self.low!r}, {self.high!r}]; got {self.witness!r}."
                )
            near = count_near(self.samples, Fraction(self.witness), self.eps, self.family)
            if near:
                raise InvalidInput(
                    f"`witness` must be farther than eps={self.eps!r} from every sum; got {self.witness!r}, "
                    f"within eps of {near} sum(s)."
                )
        if self.covered:
            for point in (
                Fraction(self.low),
                Fraction(self.high),
                (Fraction(self.low) + Fraction(self.high)) / 2,
            ):
                if not count_near(self.samples, point, self.eps, self.family):
                    raise InvalidInput(f"`covered` must be False: no sum is within eps of {float(point)!r}.")


@dataclass(frozen=True)
class CoverBatch:
    """Covering of one interval by B sample sets.

    Attributes
    ----------
    covered : ndarray
        (B,) int8: 1 covered, 0 not, -1 undecided (see `limits`); read-only.
    witness : ndarray
        (B,) float64: a point of [low, high] farther than eps from every sum where not covered, else nan. Where
        no float64 lies in the gap it is the nearest one.
    work : int
        As in CoverResult, all together.
    limits : tuple of str
        Why rows are undecided.
    """

    covered: npt.NDArray[np.int8]
    witness: FloatArray
    work: int
    limits: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.covered)


@dataclass(frozen=True)
class CoverRadius:
    """The covering radius of an interval: the least eps for which `cover` says yes; and the largest gaps.

    Attributes
    ----------
    radius : float
        The largest distance of a point of [low, high] from the nearest sum, rounded up: `radius <= eps` if and
        only if the interval is covered within the float64 number eps. With `limits` an upper bound or inf.
    witness : float
        A point of [low, high] at the distance `least`, rounded to nearest.
    low_distance, high_distance : float
        Distances of the ends from the nearest sum, rounded up.
    left, right : ndarray
        (g,) float64, rounded to nearest: sums on either side of the longest gaps whose middle lies in
        [low, high], longest first, then from the left.
    lengths : ndarray
        (g,) float64: their exact lengths, rounded to nearest.
    method : str
    work : int
        As in CoverResult.
    least : float
        Equal to `radius`; with `limits` a lower bound.
    limits : tuple of str
        Why the radius is not known exactly; empty if it is.
    """

    radius: float
    witness: float
    low_distance: float
    high_distance: float
    left: FloatArray
    right: FloatArray
    lengths: FloatArray
    method: str
    work: int
    least: float = 0.0
    limits: tuple[str, ...] = ()
