"""Every method on random and adversarial instances against brute force in rational numbers.

Run: python benchmarks/agreement.py [instances [seed]]      (default 100,000; one in a hundred through CP-SAT)

The oracle (tests/oracles) shares no code with the package. For each instance the exact distance of the
closest subset is known; a method disagrees if its own answer, recomputed in rationals, has another distance,
if it calls a subset within eps that is not, or absent what is there. Heuristics may only fail to find, and a
method of int64 numbers may refuse samples of too different magnitudes, saying so. eps is drawn at, just below
and just above the optimum as well as far from it. Exit status 1 on any disagreement.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from oracles.instances import KINDS, draw_samples, draw_sizes, draw_target
from oracles.subset_sums import smallest_distance

from slth.subset_sum import few, mitm
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.plan import make_layout
from slth.subset_sum.problem import make_problem
from slth.subset_sum.result import Status, SubsetSumResult
from slth.subset_sum.scaling import scale_one
from slth.subset_sum.solve import judge, solve
from slth.subset_sum.workers import Team

METHODS = (
    "auto", "meet-in-the-middle", "exhaustive", "few-of-many", "fixed items", "forced", "k-list",
    "differencing",
)  # fmt: skip
REFUSING = ("forced", "few-of-many")  # they have no path through long integers
BATCH = 25


def draw_eps(rng: np.random.Generator, best: Fraction, samples: np.ndarray) -> float | None:
    near = float(best)
    choices = (near, np.nextafter(near, 0), np.nextafter(near, np.inf), near * 1.5, near / 3)
    eps = float((*choices, 0.05 * float(np.abs(samples).max()))[rng.integers(6)])
    return eps if 0.0 < eps < 1e300 else None


def agrees(result: SubsetSumResult, best: Fraction) -> bool:
    """Whether status and subset are what the exact optimum allows."""
    result.check()
    problem = result.problem
    distance = None
    if result.indices is not None:
        total = sum((Fraction(x) for x in problem.samples[result.indices].tolist()), Fraction(0))
        distance = abs(total - Fraction(problem.target))
    if problem.eps is None:
        return result.status is Status.CLOSEST_PROVED and distance == best
    there = best <= Fraction(problem.eps)
    if result.status is Status.FOUND:
        return there and distance is not None and distance <= Fraction(problem.eps)
    if result.status is Status.NOT_FOUND:
        return result.method in ("k-list", "differencing")
    return result.status is Status.ABSENT_PROVED and not there


def by_method(method: str, problem: Any, rng: np.random.Generator) -> tuple[SubsetSumResult, Fraction | None]:
    """The answer of one method; with forced samples, another optimum."""
    sizes = (problem.k_min, problem.k_max)
    options: dict[str, Any] = {"k": sizes, "eps": problem.eps}
    if method == "few-of-many":
        return judge(problem, few.pick_few(problem, math.inf, 1), method), None
    if method == "fixed items":
        layout = make_layout(problem.n, *sizes, True, min(3, problem.n - 2))
        with Team(1) as team:
            search = mitm._Long(problem, layout, scale_one(problem), 1 << 30, math.inf, team, ((), ()))
            return judge(problem, search.run(), method), None
    if method == "forced":
        taken = rng.permutation(problem.n)[: min(2, problem.k_max)].tolist()
        rest = np.delete(problem.samples, taken)
        low, high = max(0, sizes[0] - len(taken)), min(len(rest), sizes[1] - len(taken))
        if not len(rest):
            return solve(problem.samples, problem.target, **options), None
        # the optimum of the rest, for a target that need not be a float: one more sample that is always taken
        exact = [Fraction(x) for x in rest.tolist()]
        goal = Fraction(problem.target) - sum((Fraction(problem.samples[i]) for i in taken), Fraction(0))
        sums = {(0, Fraction(0))}
        for x in exact:
            sums |= {(size + 1, s + x) for size, s in sums}
        best = min(abs(s - goal) for size, s in sums if low <= size <= high)
        return solve(problem.samples, problem.target, forced_in=taken, **options), best
    return solve(problem.samples, problem.target, method=method, **options), None


def applies(method: str, n: int, eps: float | None, high_few: float) -> bool:
    if method in ("k-list", "differencing"):
        return eps is not None
    if method == "few-of-many":
        return high_few < math.inf
    return method != "fixed items" or n >= 3


def main(count: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    done: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    wrong: list[str] = []
    began = time.perf_counter()
    while sum(done.values()) < count:
        n = int(rng.integers(1, 10))
        kind = KINDS[rng.integers(len(KINDS))]
        low, high = draw_sizes(rng, n)
        rows = np.array([draw_samples(rng, n, kind) for _ in range(BATCH)])
        targets = np.array([draw_target(rng, row, high) for row in rows])
        best = [smallest_distance(x.tolist(), float(z), low, high) for x, z in zip(rows, targets, strict=True)]
        eps = draw_eps(rng, best[0], rows[0])
        for b, result in enumerate(solve_batch(rows, targets, k=(low, high), eps=eps)):  # type: ignore[var-annotated, arg-type]
            done["batch"] += 1
            if not agrees(result, best[b]):
                wrong.append(f"batch {kind} {low}..{high} eps={eps} {rows[b].tolist()} {targets[b]}")
        for b in range(BATCH):
            method = METHODS[rng.integers(len(METHODS))] if rng.random() > 0.03 else "cp-sat"
            if method == "cp-sat" and kind in ("extreme", "huge", "one huge", "mixed"):
                method = "auto"
            eps = draw_eps(rng, best[b], rows[b]) if rng.random() < 0.6 else None
            if not applies(method, n, eps, few.few_cost(n, low, high)[0]):
                method = "auto"
            problem = make_problem(rows[b], float(targets[b]), (low, high), eps)
            result, other = by_method(method, problem, rng)
            done[method] += 1
            statuses[result.status.name] += 1
            if method in REFUSING and result.status is Status.LIMIT and "64-bit" in result.limits[0]:
                continue
            if not agrees(result, best[b] if other is None else other):
                wrong.append(f"{method} {kind} {low}..{high} eps={eps} {rows[b].tolist()} {targets[b]}")
    seconds = time.perf_counter() - began
    each = ", ".join(f"{method} {number}" for method, number in sorted(done.items()))
    print(f"{sum(done.values())} instances in {seconds:.0f} s: {each}")
    print("statuses outside batches: " + ", ".join(f"{s} {c}" for s, c in sorted(statuses.items())))
    print(f"disagreements: {len(wrong)}")
    print("\n".join(wrong[:10]))
    return min(1, len(wrong))


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:]]
    sys.exit(main(*(numbers + [100_000, 1][len(numbers) :])))
