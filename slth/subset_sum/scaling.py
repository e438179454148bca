"""Exact fixed point: samples and target as int64 numbers on one power-of-two grid, with the rounding stated.

Exact case: every sample is a multiple of 2**-p. Samples become integers X = 4 x 2**p. The target z need not
lie on the grid: with t = z 2**p = floor(t) + f it becomes Z = 4 floor(t) + c, c = 0, 1, 2, 3 for f = 0, in (0,
1/2), = 1/2, in (1/2, 1). Sums S are multiples of 4, and for two of them |S - Z| < |S' - Z| if and only if
their true distances from z are in the same order, ties included: distances on one side of z differ by whole
multiples of 4, and on opposite sides d + f against d' - f (d, d' integers) depends only on 2 f against the
integer d' - d, that is on the class of f. So integer search is exact search.

Inexact case: X and Z are rounded to nearest at the finest grid that int64 allows; a subset's integer error then
differs from its true error by at most `slack` units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from slth._typing import BoolArray, FloatArray, IntArray
from slth.subset_sum.problem import Problem

BITS = 58  # the sum of |x| stays below 2**58 grid steps, hence below 2**60 after the factor 4

NEAREST = 2  # `enough` up to this means: no sum can be nearer to a target between grid points


@dataclass(frozen=True)
class Scaled:
    """Integer versions of B instances that share one grid.

    Attributes
    ----------
    items : ndarray
        (B, n) or (1, n) int64, sum of absolute values < 2**60 in each row.
    targets : ndarray
        (B,) int64, within one of the row's sum of absolute values.
    enough : ndarray
        (B,) int64: a gap this small certainly answers the question (within eps, or provably closest); -1 if
        none.
    exact : ndarray
        (B,) bool: rows whose samples lie on the grid.
    slack : ndarray
        (B,) int64: 0 in exact rows, else the largest rounding of an error in units.
    beyond : ndarray
        (B,) int64: a smallest gap of at least this proves that nothing is within eps; 2**62 without eps.
    shift : int
        One unit is 2**-shift.
    """

    items: IntArray
    targets: IntArray
    enough: IntArray
    exact: BoolArray
    slack: IntArray
    beyond: IntArray
    shift: int


def scale(
    samples: FloatArray, targets: FloatArray, k_max: int, eps: float | None, *, few: bool = False
) -> Scaled:
    """Scale samples (B, n), or (1, n) for all, and targets (B,) to one int64 grid, as fine as fits all.

    With `few`, only sums of at most k_max samples have to fit.
    """
    shared = len(samples) != len(targets)
    size = np.abs(samples)
    if few:
        size = np.sort(size, axis=1)[:, -max(1, k_max) :]
    total = float(size.sum(axis=1).max()) or 1.0
    # a float sum of n terms is off by a relative n 2**-53 at most; frexp gives total < 2**exponent
    p = BITS - math.frexp(total * (1 + 1e-9))[1]
    targets = np.clip(targets, -1.5 * total, 1.5 * total)  # farther targets have the same nearest sum
    grid = np.ldexp(samples, p)
    whole = np.rint(grid)
    exact = (grid == whole).all(axis=1) & ((grid != 0) == (samples != 0)).all(axis=1)
    all_exact = bool(exact.all())
    items = whole.astype(np.int64) << 2
    if not all_exact:
        items[~exact] = np.rint(np.ldexp(samples[~exact], p + 2)).astype(np.int64)
    reach = np.sort(np.abs(items), axis=1)[:, -max(1, k_max) :] if few else np.abs(items)
    bound = reach.sum(axis=1) + 1
    if shared:
        exact, bound = np.repeat(exact, len(targets)), np.repeat(bound, len(targets))
    goals, kind = _targets(targets, p, bound)
    inside = np.abs(goals) < bound
    slack = np.zeros(len(goals), np.int64)
    if not all_exact:
        rounded = ~exact
        fine_goals = np.rint(np.ldexp(targets[rounded], p + 2)).astype(np.int64)
        goals[rounded] = np.clip(fine_goals, -bound[rounded], bound[rounded])
        # k items and the target, each off by half a unit at most, and one for outward rounding
        slack[rounded] = k_max // 2 + 2
    enough = np.where(exact & inside, np.minimum(kind, 4 - kind), -1)
    beyond = np.full(len(goals), 1 << 62)
    if eps is not None:
        step = 1 << 60 if math.frexp(eps)[1] + p + 2 > 60 else math.floor(math.ldexp(eps, p + 2))
        enough = np.where(inside, np.maximum(enough, step - 1 - slack), enough)
        beyond = step + 2 + slack
    return Scaled(items, goals, enough, exact, slack, beyond, p + 2)


def scale_one(problem: Problem) -> Scaled:
    """`scale` for one problem; most often by the same steps on plain numbers, which are quicker."""
    samples, target, eps = problem.samples, problem.target, problem.eps
    total = float(np.abs(samples).sum()) or 1.0
    p = BITS - math.frexp(total * (1 + 1e-9))[1]
    grid = np.ldexp(samples, p)
    whole = np.rint(grid)
    quick = abs(target) < total and abs(p) < 900 and (target == 0.0 or abs(target) > 1e-30 * total)
    if not quick or (grid != whole).any() or ((grid == 0) != (samples == 0)).any():
        return scale(samples[None, :], np.array([target]), problem.most, eps)
    items = whole.astype(np.int64) << 2
    bound = int(np.abs(items).sum()) + 1
    t = math.ldexp(target, p)
    floor = math.floor(t)
    half = floor + 0.5
    kind = 1 + (t >= half) + (t > half) if t > floor else 0
    goal = min(max(4 * floor + kind, -bound), bound)
    inside = abs(goal) < bound
    enough, beyond = min(kind, 4 - kind) if inside else -1, 1 << 62
    if eps is not None:
        step = 1 << 60 if math.frexp(eps)[1] + p + 2 > 60 else math.floor(math.ldexp(eps, p + 2))
        enough = max(enough, step - 1) if inside else enough
        beyond = step + 2
    numbers = np.array([goal, enough, 0, beyond])
    goals, enoughs, slack, beyonds = numbers[0:1], numbers[1:2], numbers[2:3], numbers[3:4]
    return Scaled(items[None, :], goals, enoughs, np.ones(1, np.bool_), slack, beyonds, p + 2)


def turn(scaled: Scaled, half: int) -> Scaled:
    """The same problems for the complement within the items from `half` on: other signs, another target."""
    items = scaled.items.copy()
    items[:, half:] *= -1
    return replace(scaled, items=items, targets=scaled.targets + items[:, half:].sum(axis=1))


def log2_ratio(samples: FloatArray, eps: float) -> float:
    """log2 of the samples' standard deviation over eps, whatever their magnitudes; -inf without spread."""
    top = math.frexp(float(np.abs(samples).max()))[1]
    spread = float(np.ldexp(samples, -top).std())
    return math.log2(spread) + top - math.log2(eps) if spread else -math.inf


def _targets(targets: FloatArray, p: int, bound: IntArray) -> tuple[IntArray, IntArray]:
    """Integer targets 4 floor(t) + class of the fraction, cut to the bound, and the classes."""
    t = np.ldexp(targets, p)
    lost = (t == 0) & (targets != 0)  # underflow: still on its own side of zero
    t = np.where(lost, np.copysign(0.25, targets), t)
    floor = np.floor(t)
    # compared, not subtracted: t - floor(t) would round for small negative t
    half = floor + 0.5
    kind = np.where(t > floor, 1 + (t >= half).astype(np.int64) + (t > half), 0)
    goals = floor.astype(np.int64) * 4 + kind
    return np.clip(goals, -bound, bound), kind
