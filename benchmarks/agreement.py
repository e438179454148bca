"""Every method and variant on random and adversarial instances against brute force in rational numbers.

Run: python benchmarks/agreement.py [instances [seed]]      (default 100,000; more than one in a hundred CP-SAT)

The oracle (tests/oracles) shares no code with the package. For each instance the exact distance of the
closest subset is known; a method disagrees if its own answer, recomputed in rationals, has another distance,
if it calls a subset within eps that is not, or absent what is there. Heuristics may only fail to find, and
few-of-many may refuse samples of too different magnitudes, saying so. eps is drawn at, just below and just
above the optimum, at the resolution of the 64-bit grid, and far from all that. Exit status 1 on any
disagreement.
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

from oracles.covering import distance, exact_sums
from oracles.instances import KINDS, draw_samples, draw_sizes, draw_target
from oracles.subset_sums import smallest_distance, smallest_vector_distance

from slth.subset_sum import few, mitm
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.fewest import solve_fewest
from slth.subset_sum.plan import make_layout
from slth.subset_sum.problem import make_problem
from slth.subset_sum.result import Status, SubsetSumResult
from slth.subset_sum.scaling import scale_one
from slth.subset_sum.solve import judge, solve
from slth.subset_sum.vectors import solve_vectors
from slth.subset_sum.workers import Team

METHODS = (
    "auto", "meet-in-the-middle", "exhaustive", "few-of-many", "fixed items", "forced", "k-list",
    "differencing", "blocks", "weights", "fewest", "vectors",
)  # fmt: skip
BATCH = 25
CP_SAT = 0.06  # of the instances outside batches, half of them of variants
PLAIN = ("uniform", "quarters", "zeros", "negative", "duplicates", "normal")  # kinds that suit CP-SAT
SHAPES = ((2, 1), (2, 4), (3, 3), (4, 2), (9, 1), (1, 5), (5, 2))  # (b, k)


def draw_eps(rng: np.random.Generator, best: Fraction | None, samples: np.ndarray) -> float | None:
    near = 0.0 if best is None else float(best)
    size = float(np.abs(samples).max())
    choices = (near, np.nextafter(near, 0), np.nextafter(near, np.inf), near * 1.5, near / 3)
    grid = size * len(samples) * 2.0 ** -rng.integers(55, 60)
    eps = float((*choices, 0.05 * size, near + grid, abs(near - grid), grid)[rng.integers(9)])
    return eps if 0.0 < eps < 1e300 else None


def allowed(status: Status, reached: Fraction | None, best: Fraction | None, eps: float | None) -> bool:
    """Whether a status, and the exact distance of the subset given, are what the exact optimum allows."""
    if best is None:
        return status is Status.ABSENT_PROVED
    if eps is None:
        return status is Status.CLOSEST_PROVED and reached == best
    if status is Status.FOUND:
        return reached is not None and reached <= Fraction(eps)
    return status is Status.ABSENT_PROVED and best > Fraction(eps)


def agrees(result: SubsetSumResult, best: Fraction | None) -> bool:
    result.check()
    problem = result.problem
    if result.status is Status.NOT_FOUND:
        return result.method in ("k-list", "differencing")
    if result.status is Status.LIMIT:  # it has no path through long integers
        return result.method == "few-of-many" and "64-bit" in result.limits[0]
    reached = None
    if result.indices is not None:
        total = sum((Fraction(x) for x in problem.samples[result.indices].tolist()), Fraction(0))
        reached = abs(total - Fraction(problem.target))
    return allowed(result.status, reached, best, problem.eps)


class Run:
    """Random instances, answers compared, and the tally."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.done: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.wrong: list[str] = []

    def note(self, method: str, agreed: bool, status: Status, what: Any) -> None:
        self.done[method] += 1
        self.statuses[status.name] += 1
        if not agreed:
            self.wrong.append(f"{method} {status.name} {what}")

    def round(self) -> None:
        """One batch of the plain problem, one of blocks, and as many single problems."""
        rng = self.rng
        n, kind = int(rng.integers(1, 10)), KINDS[rng.integers(len(KINDS))]
        low, high = draw_sizes(rng, n)
        rows = np.array([draw_samples(rng, n, kind) for _ in range(BATCH)])
        targets = np.array([draw_target(rng, row, high) for row in rows])
        best = [
            smallest_distance(x.tolist(), z, low, high) for x, z in zip(rows, targets.tolist(), strict=True)
        ]
        eps = draw_eps(rng, best[0], rows[0])
        batch = solve_batch(rows, targets, k=(low, high), eps=eps)
        for b in range(BATCH):
            what = f"{kind} {low}..{high} eps={eps} {rows[b].tolist()} {targets[b]}"
            self.note("batch", agrees(batch[b], best[b]), batch[b].status, what)
        self.block_batch(kind)
        for b in range(BATCH):
            variant = ("weights", "blocks", "vectors")[rng.integers(3)]
            method = METHODS[rng.integers(len(METHODS))]
            solver = "auto"
            if rng.random() < CP_SAT and kind in PLAIN:
                solver, method = "cp-sat", variant if rng.random() < 0.5 else "cp-sat"
            eps = draw_eps(rng, best[b], rows[b]) if rng.random() < 0.6 else None
            problem = make_problem(rows[b], float(targets[b]), (low, high), eps)
            self.single(method, solver, kind, problem, best[b])

    def block_batch(self, kind: str) -> None:
        rng = self.rng
        b, k = SHAPES[rng.integers(len(SHAPES))]
        rows = np.array([draw_samples(rng, b * k, kind) for _ in range(8)])
        targets = np.array([draw_target(rng, row, k) for row in rows])
        best = [distance(exact_sums(x, blocks=b), z) for x, z in zip(rows, targets.tolist(), strict=True)]
        eps = draw_eps(rng, best[0], rows[0])
        batch = solve_batch(rows, targets, blocks=b, eps=eps)
        for i in range(8):
            what = f"{kind} b={b} eps={eps} {rows[i].tolist()} {targets[i]}"
            self.note("batch of blocks", agrees(batch[i], best[i]), batch[i].status, what)

    def single(self, method: str, solver: str, kind: str, problem: Any, best: Fraction | None) -> None:
        samples, target, eps, sizes = (
            problem.samples,
            problem.target,
            problem.eps,
            (problem.k_min, problem.k_max),
        )
        name = method if solver == "auto" else f"cp-sat {method}".replace("cp-sat cp-sat", "cp-sat")
        what = f"{kind} {sizes} eps={eps} {samples.tolist()} {target}"
        if method == "vectors":
            self.note(name, *self.vectors(kind, solver), what)
            return
        if method == "fewest":
            self.note(name, *self.fewest(problem), what)
            return
        if method == "blocks":
            b, k = SHAPES[self.rng.integers(len(SHAPES))]
            samples = draw_samples(self.rng, b * k, kind)
            best = distance(exact_sums(samples, blocks=b), target)
            eps = draw_eps(self.rng, best, samples) if eps else None
            what = f"{kind} b={b} eps={eps} {samples.tolist()} {target}"
            result = solve(samples, target, blocks=b, eps=eps, method=solver)
        elif method == "weights":
            weights = self.rng.integers(0, 5, problem.n).tolist()
            total = sum(weights)
            low, high = sorted(self.rng.integers(0, total + 1, 2).tolist())
            best = smallest_distance(samples.tolist(), target, low, high, weights)
            what += f" weights {weights} {low}..{high}"
            result = solve(samples, target, k=(low, high), weights=weights, eps=eps, method=solver)
        elif method == "cp-sat":
            result = solve(samples, target, k=sizes, eps=eps, method="cp-sat")
        else:
            if not applies(method, problem):
                name = method = "auto"
            result, best = self.by_method(method, problem, best)
        self.note(name, agrees(result, best), result.status, what)

    def by_method(self, method: str, problem: Any, best: Fraction | None) -> tuple[SubsetSumResult, Any]:
        """The answer of one method; with forced samples, another optimum."""
        sizes = (problem.k_min, problem.k_max)
        options: dict[str, Any] = {"k": sizes, "eps": problem.eps}
        if method == "few-of-many":
            return judge(problem, few.pick_few(problem, math.inf, 1), method), best
        if method == "fixed items":
            layout = make_layout(problem.n, *sizes, True, min(3, problem.n - 2))
            with Team(1) as team:
                search = mitm._Long(problem, layout, scale_one(problem), 1 << 30, math.inf, team, ((), ()))
                return judge(problem, search.run(), method), best
        if method == "forced":
            taken = self.rng.permutation(problem.n)[: min(2, problem.k_max)].tolist()
            # samples that must be taken weigh 1000, the others 1
            weights = [1000 if i in taken else 1 for i in range(problem.n)]
            low, high = (1000 * len(taken) + max(0, size - len(taken)) for size in sizes)
            best = smallest_distance(problem.samples.tolist(), problem.target, low, high, weights)
            return solve(problem.samples, problem.target, forced_in=taken, **options), best
        return solve(problem.samples, problem.target, method=method, **options), best

    def fewest(self, problem: Any) -> tuple[bool, Status]:
        eps = problem.eps or 0.1 * float(np.abs(problem.samples).max()) or 1.0
        sizes = range(problem.k_min, problem.k_max + 1)
        samples, target = problem.samples.tolist(), problem.target
        first = [s for s in sizes if smallest_distance(samples, target, s, s) <= Fraction(eps)]  # type: ignore[operator]
        answer = solve_fewest(samples, target, eps, k=(problem.k_min, problem.k_max))
        answer.result.check()
        same = answer.proved and answer.found == bool(first)
        return same and (not first or answer.result.k == first[0]), answer.result.status

    def vectors(self, kind: str, solver: str) -> tuple[bool, Status]:
        rng = self.rng
        n, d = int(rng.integers(1, 8)), int(rng.integers(1, 4))
        low, high = draw_sizes(rng, n)
        table = np.stack([draw_samples(rng, n, kind) for _ in range(d)], axis=1)
        target = np.array([draw_target(rng, column, high) for column in table.T])
        best = smallest_vector_distance(table.tolist(), target.tolist(), low, high)
        eps = draw_eps(rng, best, table[:, 0]) if rng.random() < 0.6 else None
        result = solve_vectors(table, target, k=(low, high), eps=eps, method=solver)
        if result.status is Status.LIMIT:
            return kind in ("extreme", "one huge", "mixed") and "64-bit" in result.limits[0], result.status
        reached = None
        if result.indices is not None:
            columns = [[Fraction(x) for x in column[result.indices].tolist()] for column in table.T]
            reached = max(abs(sum(c, -Fraction(z))) for c, z in zip(columns, target.tolist(), strict=True))
        return allowed(result.status, reached, best, eps), result.status


def applies(method: str, problem: Any) -> bool:
    if method in ("k-list", "differencing"):
        return problem.eps is not None
    if method == "few-of-many":
        return few.few_cost(problem.n, problem.k_min, problem.k_max)[0] < math.inf
    return method != "fixed items" or problem.n >= 3


def main(count: int, seed: int) -> int:
    run = Run(seed)
    began = time.perf_counter()
    while sum(run.done.values()) < count:
        run.round()
    seconds = time.perf_counter() - began
    each = ", ".join(f"{method} {number}" for method, number in sorted(run.done.items()))
    print(f"{sum(run.done.values())} instances in {seconds:.0f} s: {each}")
    print("through CP-SAT: " + str(sum(c for method, c in run.done.items() if method.startswith("cp-sat"))))
    print("statuses: " + ", ".join(f"{s} {c}" for s, c in sorted(run.statuses.items())))
    print(f"disagreements: {len(run.wrong)}")
    print("\n".join(run.wrong[:10]))
    return min(1, len(run.wrong))


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:]]
    sys.exit(main(*(numbers + [100_000, 1][len(numbers) :])))
