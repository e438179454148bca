"""Results: what a search found or proved, and how to check it again from nothing but the problem."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from slth._typing import BoolArray, ByteArray, FloatArray, IntArray
from slth._validate import read_only
from slth.errors import InvalidInput
from slth.subset_sum.problem import Problem, exact_error, exact_value, within


class Status(enum.Enum):
    """How a search ended. Only CLOSEST_PROVED and ABSENT_PROVED (and a FOUND subset itself) are proofs."""

    FOUND = 0
    """A subset within eps is given."""
    CLOSEST_PROVED = 1
    """The given subset is the closest there is."""
    ABSENT_PROVED = 2
    """No subset is within eps (or none has a total weight that `weights` and k allow)."""
    NOT_FOUND = 3
    """A heuristic ended without a subset within eps, which proves nothing."""
    LIMIT = 4
    """Time, memory or precision ended the search; the best subset so far is given if there is one."""


@dataclass(frozen=True)
class SubsetSumResult:
    """The answer to one subset-sum problem.

    Attributes
    ----------
    problem : Problem
    indices : ndarray or None
        (k,) int64, ascending, read-only: the subset found, or the closest known one; None if none is known.
    value : float or None
        The exact sum of the subset, rounded to nearest.
    error : float or None
        The exact |sum - target|, rounded up, so that `error <= eps` holds if and only if it holds exactly.
    status : Status
    method : str
        The method that answered.
    work : int
        Work done: merged list entries + steps of joins (meet-in-the-middle, pools, k-list), entries walked
        (few-of-many), subsets looked at (exhaustive), numbers handled (differencing), branches (cp-sat), pairs
        tried (batches). The same on every machine and for any number of threads.
    limits : tuple of str
        Why the status is LIMIT, in words.
    """

    problem: Problem
    indices: IntArray | None
    value: float | None
    error: float | None
    status: Status
    method: str
    work: int
    limits: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether a subset within eps was found (eps given), or the closest one proved (eps None)."""
        return self.status in (Status.FOUND, Status.CLOSEST_PROVED)

    @property
    def k(self) -> int | None:
        """Size of the subset."""
        return None if self.indices is None else len(self.indices)

    def check(self) -> None:
        """Derive value, error, sizes and status again from samples and indices.

        Raises
        ------
        InvalidInput
            If anything stored differs from what the indices give, or the status contradicts it.
        """
        problem = self.problem
        _require(isinstance(self.status, Status), "status", "be a Status", self.status)
        nothing = problem.weights is not None and self.indices is None  # no subset weighs what k asks
        needs_eps = not nothing and self.status in (Status.FOUND, Status.ABSENT_PROVED, Status.NOT_FOUND)
        _require(
            not needs_eps or problem.eps is not None, "status", "be one of a problem without eps", self.status
        )
        _require(
            self.status is not Status.CLOSEST_PROVED or problem.eps is None, "status", "answer eps", self.status
        )
        _require(self.status is Status.LIMIT or not self.limits, "limits", "be empty unless LIMIT", self.limits)
        if self.indices is None:
            _require(not self.found, "indices", f"be given with status {self.status.name}", None)
            _require(self.value is None and self.error is None, "value", "be None without indices", self.value)
            return
        chosen = np.asarray(self.indices)
        _require(chosen.ndim == 1 and chosen.dtype == np.int64, "indices", "be (k,) int64", chosen)
        _require(
            bool((np.diff(chosen) > 0).all()) and (not chosen.size or 0 <= chosen[0] <= chosen[-1] < problem.n),
            "indices",
            f"ascend within 0..{problem.n - 1}",
            chosen,
        )
        _require(
            problem.k_min <= problem.size_of(chosen) <= problem.k_max,
            "indices",
            f"{'number' if problem.weights is None else 'weigh'} {problem.k_min} to {problem.k_max}",
            problem.size_of(chosen),
        )
        b = problem.blocks
        _require(
            b is None or bool((chosen // b == np.arange(problem.n // b)).all()),
            "indices",
            f"hold one of each {b} samples",
            chosen,
        )
        terms = problem.samples[chosen].tolist()
        _require(self.value == exact_value(terms), "value", f"equal {exact_value(terms)!r}", self.value)
        error = exact_error(terms, problem.target)
        _require(self.error == error, "error", f"equal {error!r}", self.error)
        if problem.eps is not None:
            inside = bool(within(error, problem.eps))
            wrong = inside != (self.status is Status.FOUND)
            _require(not wrong, "status", f"agree with error {error!r} and eps {problem.eps!r}", self.status)


@dataclass(frozen=True)
class BatchResult:
    """The answers to B subset-sum problems; `result[i]` is the i-th as a SubsetSumResult.

    Attributes
    ----------
    samples : ndarray
        (B, n), or (n,) if shared.
    targets : ndarray
        (B,).
    k_min, k_max : int
    eps : float or None
    bits : ndarray
        (B, ceil(n / 8)) uint8: sample i is in the subset if bit i % 8 of byte i // 8 is set; `mask` unpacks it.
    values, errors : ndarray
        (B,) float64, as in SubsetSumResult (nan where no subset is known).
    statuses : ndarray
        (B,) int8, values of Status.
    method : str
    work : int
        Summed over the instances.
    limits : tuple of str
        Reasons behind statuses LIMIT.
    blocks : int or None
        b: one of each b consecutive samples.
    """

    samples: FloatArray
    targets: FloatArray
    k_min: int
    k_max: int
    eps: float | None
    bits: ByteArray
    values: FloatArray
    errors: FloatArray
    statuses: np.ndarray[tuple[int, ...], np.dtype[np.int8]]
    method: str
    work: int
    limits: tuple[str, ...] = ()
    blocks: int | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> SubsetSumResult:
        if not -len(self) <= i < len(self):
            raise IndexError(f"batch index {i} out of range for {len(self)} instances")
        samples = self.samples if self.samples.ndim == 1 else self.samples[i]
        goal = float(self.targets[i])
        problem = Problem(samples, goal, self.k_min, self.k_max, self.eps, self.blocks)
        status = Status(int(self.statuses[i]))
        limits = self.limits if status is Status.LIMIT else ()
        work = self.work // len(self)
        if np.isnan(self.errors[i]):
            return SubsetSumResult(problem, None, None, None, status, self.method, work, limits)
        indices = read_only(np.flatnonzero(unpack(self.bits[i], len(samples))).astype(np.int64))
        value, error = float(self.values[i]), float(self.errors[i])
        return SubsetSumResult(problem, indices, value, error, status, self.method, work, limits)

    @cached_property
    def mask(self) -> BoolArray:
        """(B, n) bool: True where the sample belongs to the subset; made when first asked for."""
        return read_only(unpack(self.bits, self.samples.shape[-1]))

    @property
    def found(self) -> BoolArray:
        """(B,) bool: where a subset within eps was found, or the closest proved."""
        codes = [Status.FOUND.value, Status.CLOSEST_PROVED.value]
        return np.isin(self.statuses, codes)

    def check(self) -> None:
        """`SubsetSumResult.check` for every instance; the message names the instance."""
        for i in range(len(self)):
            try:
                self[i].check()
            except InvalidInput as error:
                raise InvalidInput(f"instance {i}: {error}") from None


def pack(mask: BoolArray) -> ByteArray:
    """Rows of a mask (B, n) as `BatchResult.bits`."""
    return np.packbits(mask, axis=-1, bitorder="little")


def unpack(bits: ByteArray, n: int) -> BoolArray:
    """The mask (.., n) of packed rows (.., ceil(n / 8))."""
    return np.unpackbits(bits, axis=-1, count=n, bitorder="little").view(np.bool_)


def _require(condition: bool, name: str, rule: str, got: Any) -> None:
    if not condition:
        raise InvalidInput(f"`{name}` of a result must {rule}; got {got!r}.")
