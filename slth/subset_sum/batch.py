"""Many subset-sum problems at once: independent ones, or many targets on one set of samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from slth._jit.pairs import pair_block
from slth._typing import FloatArray, IntArray
from slth._validate import as_floats, read_only
from slth.errors import InvalidInput
from slth.subset_sum.family import Family, as_family
from slth.subset_sum.group import Answers, Group
from slth.subset_sum.pairs import PairPlan, plan_pairs
from slth.subset_sum.problem import Sizes, as_tolerance, check_magnitudes
from slth.subset_sum.result import BatchResult, Status, pack
from slth.subset_sum.solve import as_memory
from slth.subset_sum.workers import as_threads, share

LEAST, MOST = 2048, 8192  # instances in one block of the pair scan: enough that its last attempts are on many
BLOCKS = 16  # blocks from which on threads end at about the same time
SMALL = 50_000  # samples in all below which a second thread costs more than it brings
CHUNK = 1 << 22  # samples that pools and complete searches hold at once: bounds their temporary arrays


def solve_batch(
    samples: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    k: Sizes = None,
    eps: float | None = None,
    threads: int | None = None,
    max_bytes: int | None = None,
    blocks: int | None = None,
) -> BatchResult:
    r"""Solve B subset-sum problems as `solve` would: closest and proved, or within `eps` or proved absent.

    Parameters
    ----------
    samples : array_like
        (B, n), own samples for each target, or (n,), one set for all targets. n >= 1, finite.
    targets : array_like
        (B,).
    k : int or (int, int), optional
        Sizes allowed, the same for all: exactly k, or k_min..k_max. Default: any size.
    eps : float, optional
        Absolute tolerance, > 0, the same for all. Default: the closest subset.
    threads : int, optional
        Threads to use, >= 1; the result does not depend on it, bit for bit. Default: the CPUs available.
    max_bytes : int, optional
        Memory that lists may use, all threads together. Default 4 GiB.
    blocks : int, optional
        b: exactly one of each b consecutive samples is taken, n = k b; k may be left out then.

    Returns
    -------
    BatchResult
        Values and errors exact as in SubsetSumResult. Which subset within eps is found may differ from `solve`;
        the subset given with ABSENT_PROVED is the closest one up to the rounding to a 64-bit grid.

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.
    CapacityExceeded
        Before allocating, if even one thread needs more than `max_bytes`. (With eps, where pools were tried
        first, the instances that they left open have status LIMIT instead.)

    Notes
    -----
    Closest: meet-in-the-middle per instance, O(2^(n/2)) each; on shared samples the lists are built once.
    Within eps, own samples: first, where eps is loose, all but two samples are chosen greedily and the last two
    from all pairs, for hundreds of instances side by side (0.2 to 1 microsecond each); then, unless a complete
    search is quicker, pools of a few samples completed by greedily chosen ones, about sqrt(spread/eps) per
    instance however large n is, or four merged lists where eps is very small; what is left goes to the complete
    search. Memory beyond samples and result is bounded: instances are searched in chunks.

    Examples
    --------
    >>> import numpy as np
    >>> from slth.subset_sum.batch import solve_batch
    >>> result = solve_batch(np.array([0.5, -0.25, 0.75, 0.125]), [0.6, 0.3], k=2)
    >>> result.values.tolist(), result.mask.astype(int).tolist()
    ([0.625, 0.25], [[1, 0, 0, 1], [1, 1, 0, 0]])
    """
    goals = as_floats(targets, "targets", ndim=1)
    given = samples if _plain(samples) else as_floats(samples, "samples", ndim=(1, 2))
    if not given.shape[-1]:
        raise InvalidInput(f"`samples` must not be empty; got shape {given.shape}.")
    if given.ndim == 2 and len(given) != len(goals):
        raise InvalidInput(
            f"`samples` must have one row for each target; got {len(given)} rows for {len(goals)} targets."
        )
    family = as_family(given.shape[-1], k, blocks)
    batch = _Batch(given, goals, family, as_tolerance(eps), as_memory(max_bytes), as_threads(threads))
    batch.run()
    return batch.result()


def _plain(samples: npt.ArrayLike) -> TypeGuard[FloatArray]:
    """Whether samples may be copied and checked block by block, by the threads that work on them."""
    return isinstance(samples, np.ndarray) and samples.dtype == np.float64 and samples.ndim == 2


class _Batch:
    """The arrays of one call: own samples with a loose eps are scanned, all that is left goes in chunks."""

    def __init__(
        self,
        given: FloatArray,
        targets: FloatArray,
        family: Family,
        eps: float | None,
        max_bytes: int,
        workers: int,
    ) -> None:
        self.given, self.targets = given, targets
        self.samples = np.empty(given.shape) if _plain(given) else given
        self.family, self.eps = family, eps
        self.max_bytes, self.workers = max_bytes, workers
        self.n = given.shape[-1]
        count = len(targets)
        # every row is written either by the scan or by `_search`, and first touched by the thread that does
        self.bits = np.zeros((count, -(-self.n // 8)), np.uint8)
        self.values, self.errors, self.statuses = np.empty(count), np.empty(count), np.empty(count, np.int8)
        self.limits: tuple[str, ...] = ()
        self.work = 0

    def run(self) -> None:
        if not self.targets.size:
            return
        plan = None
        if self.eps is not None and self.given.ndim == 2:
            family = self.family
            plan = plan_pairs(self.given, self.targets, family.k_min, family.k_max, self.eps, family.blocks)
        left = self._take(plan)
        step = max(1, CHUNK // self.n)
        for start in range(0, len(left), step):
            self._search(left[start : start + step])

    def _take(self, plan: PairPlan | None) -> IntArray:
        """Copy and check the samples, and scan pairs if there is a plan; the instances left open, in order."""
        count, eps = len(self.targets), self.eps
        farthest = max(float(self.targets.max()), -float(self.targets.min()))
        if self.samples.ndim == 1:
            check_magnitudes(float(np.abs(self.samples / 4).sum()), farthest)
            return np.arange(count)
        ids = np.empty(count, np.int64)
        rows = min(max(LEAST, count // BLOCKS), MOST)  # not by the threads: what is scanned may depend on it
        starts = range(0, count, rows)
        open_ones, tried = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
        tops = np.zeros(len(starts))

        def drain(blocks: Iterator[int]) -> None:
            for start in blocks:
                stop, place = min(start + rows, count), start // rows
                block = self.samples[start:stop]
                if self.given is not self.samples:
                    np.copyto(block, self.given[start:stop])
                ids[start:stop] = np.arange(start, stop)
                self.statuses[start:stop] = Status.FOUND.value  # but for those left open
                tops[place] = max(block.max(), -block.min())  # nan if there is one: numpy's max keeps it
                open_ones[place] = stop - start
                if plan is not None and eps is not None and max(tops[place], farthest) <= plan.reach:
                    open_ones[place], tried[place] = pair_block(
                        self.samples,
                        self.targets,
                        ids,
                        start,
                        stop,
                        plan.attempts,
                        eps,
                        plan.scale,
                        self.bits,
                        self.values,
                        self.errors,
                    )

        # few rows are not worth a second thread
        share(drain, starts, min(self.workers, len(starts)) if count * self.n > SMALL else 1)
        top = float(tops.max())
        if not top < math.inf:
            as_floats(self.samples, "samples", ndim=2)
        if not self.n * (top / 4) + farthest / 4 < 2.0**1000:
            check_magnitudes(float(np.abs(self.samples / 4).sum(axis=1).max()), farthest)
        self.work += int(tried.sum())
        if int(open_ones.sum()) == count:
            return ids
        return np.concatenate([ids[s : s + c] for s, c in zip(starts, open_ones.tolist(), strict=True)])

    def _search(self, ids: IntArray) -> None:
        """Solve some instances by pools and complete searches."""
        together = int(ids[-1]) - int(ids[0]) == len(ids) - 1
        rows = slice(int(ids[0]), int(ids[-1]) + 1) if together else ids
        samples = self.samples if self.samples.ndim == 1 else self.samples[rows]
        answers = Answers.blank(len(ids), self.n)
        part = Group(
            samples,
            self.targets[ids],
            self.family,
            self.eps,
            self.max_bytes,
            self.workers,
            answers,
            tried=self.work > 0,
        )
        part.run()
        self.work += part.work
        self.limits += tuple(reason for reason in part.limits if reason not in self.limits)
        self.bits[ids] = pack(answers.mask)
        self.values[ids], self.errors[ids] = answers.values, answers.errors
        self.statuses[ids] = answers.statuses

    def result(self) -> BatchResult:
        for array in (self.samples, self.targets, self.bits, self.values, self.errors, self.statuses):
            read_only(array)
        return BatchResult(
            self.samples,
            self.targets,
            self.family.k_min,
            self.family.k_max,
            self.eps,
            self.bits,
            self.values,
            self.errors,
            self.statuses,
            "meet-in-the-middle",
            self.work,
            self.limits,
            self.family.blocks,
        )
