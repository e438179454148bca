"""CP-SAT on our own scaled integers: proposals are recomputed exactly, exclusions include the rounding.

A float MIP solver's tolerances are far wider than the errors asked for here, so every coefficient handed over
is an int64 number and the question is feasibility: is there a subset with low <= S <= high?

status of CP-SAT        taken as
OPTIMAL, FEASIBLE       a subset, judged again in exact arithmetic
INFEASIBLE              no subset with such a sum; with the rounding budget in low and high this is a proof
UNKNOWN                 the time limit was reached
anything else           SolverFailed

What subsets are allowed is written once, as linear rows (`structure`). `cross_check` sends the same question,
as a mixed-integer programme in floats, to SCIP or HiGHS through MathOpt, for comparison only. Their tolerance
(about 1e-6) is far above the errors asked for here, so that what they propose is recomputed, and what they call
optimal or infeasible is never taken as a proof.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from datetime import timedelta
from fractions import Fraction
from typing import Any

import numpy as np

from slth._typing import IntArray
from slth.errors import SolverFailed
from slth.subset_sum import unbounded
from slth.subset_sum.differencing import difference
from slth.subset_sum.mitm import Answer
from slth.subset_sum.problem import Problem, exact_error, within
from slth.subset_sum.scaling import scale

SUBSETS = 100  # subsets alike on a rounded grid that are compared exactly before giving up
POLL = 0.1  # seconds between looks at the keyboard
OUT_OF_TIME = "`time_limit` reached."
OUT_OF_WORK = "`work_limit` reached."

Row = tuple[list[int], int, int]  # coefficients of the n binaries, low, high: low <= sum <= high


def structure(problem: Problem) -> list[Row]:
    """The linear rows that say which subsets are allowed: their size or weight, or one of each block."""
    n, b = problem.n, problem.blocks
    if b is not None:
        return [([int(i // b == block) for i in range(n)], 1, 1) for block in range(n // b)]
    return [(list(problem.weights or [1] * n), problem.k_min, problem.k_max)]


def search(problem: Problem, deadline: float, work_limit: float = math.inf) -> Answer:
    """Any subset within eps or a proof of absence; without eps the closest one, by ever smaller errors.

    Deterministic (one worker, fixed seed; work_limit in CP-SAT's deterministic seconds) unless the time limit
    strikes. The closest search starts from what differencing finds. Worst case exponential in n.
    """
    rows, goals = problem.samples[None, :], np.array([problem.target])
    scaled = scale(rows, goals, problem.most, problem.eps)
    slack, target = int(scaled.slack[0]), int(scaled.targets[0])
    asked = Questions(
        structure(problem),
        [scaled.items[0].tolist()],
        [target],
        2 * slack,
        lambda subset: unbounded.exact_distance(problem, subset),
        (deadline, work_limit),
    )
    if problem.eps is None:
        plain = problem.blocks is None and problem.weights is None
        return asked.closest(difference(problem)[0] if plain else None)
    # ask for sums within eps plus the rounding; without rounding the bounds are exact
    unit = Fraction(2) ** -scaled.shift
    goal, reach = Fraction(problem.target), Fraction(problem.eps)
    low, high = math.ceil((goal - reach) / unit) - slack, math.floor((goal + reach) / unit) + slack
    eps = problem.eps

    def inside(subset: IntArray) -> bool:
        return bool(within(exact_error(problem.samples[subset].tolist(), problem.target), eps))

    return asked.within([(low, high)], inside)


class Questions:
    """One problem's integers, and questions about them put to CP-SAT.

    rows : what subsets are allowed. sums : (d, n) the integers of each coordinate. goals : their d targets.
    spread : units within which two gaps on the grid may be in the wrong order; 0: never. distance : the exact
    distance of a subset. limits : deadline and deterministic seconds.
    """

    def __init__(
        self,
        rows: list[Row],
        sums: list[list[int]],
        goals: list[int],
        spread: int,
        distance: Callable[[IntArray], Fraction],
        limits: tuple[float, float],
    ) -> None:
        self.rows, self.sums, self.goals, self.spread, self.distance = rows, sums, goals, spread, distance
        self.deadline, self.work_left = limits
        self.n = len(sums[0])
        self.best: IntArray | None = None
        self.branches = 0

    def within(self, windows: list[tuple[int, int]], inside: Callable[[IntArray], bool]) -> Answer:
        """A subset with all sums in their windows that is inside exactly, or the proof that there is none."""
        seen: list[IntArray] = []
        try:
            while len(seen) < SUBSETS:
                found = self.ask(windows, seen)
                if found is None:
                    return Answer(self.best, True, self.branches)
                self.best = self._closer(found)
                if inside(found):
                    return Answer(found, True, self.branches)
                seen.append(found)
        except TimeoutError as limit:
            return Answer(self.best, False, self.branches, (str(limit),))
        return Answer(self.best, False, self.branches, (self._alike(),))

    def closest(self, hint: IntArray | None = None) -> Answer:
        """Ask for a smaller gap until there is none; on a rounded grid then compare all within the rounding.

        Each answer about halves the number of subsets left, and only the last question is a proof of absence:
        bisection would ask for dozens of them. hint : an allowed subset to start from.
        """
        try:
            self.best = self.ask([], []) if hint is None else hint
            if self.best is None:
                return Answer(None, True, self.branches)
            high = self._gap(self.best)
            while high:
                found = self.ask(self._around(high - 1), [])
                if found is None:
                    break
                self.best, high = found, self._gap(found)
            if not self.spread:
                return Answer(self.best, True, self.branches)
            seen: list[IntArray] = []
            while len(seen) < SUBSETS:
                found = self.ask(self._around(high + self.spread), seen)
                if found is None:
                    return Answer(self.best, True, self.branches)
                self.best = self._closer(found)
                seen.append(found)
        except TimeoutError as limit:
            return Answer(self.best, False, self.branches, (str(limit),))
        return Answer(self.best, False, self.branches, (self._alike(),))

    def ask(self, windows: list[tuple[int, int]], excluded: list[IntArray]) -> IntArray | None:
        """An allowed subset with each sum in its window, none of those excluded; or None.

        The best subset known is given as a hint.
        """
        from ortools.sat.python import cp_model

        model = cp_model.CpModel()
        kept = [model.new_bool_var(f"x{i}") for i in range(self.n)]
        rows = list(self.rows)
        for sums, (low, high) in zip(self.sums, windows, strict=False):
            reach = sum(map(abs, sums))
            low, high = max(low, -reach), min(high, reach)
            if low > high:
                return None
            rows.append((sums, low, high))
        for subset in excluded:  # at least one sample more or less
            signs = [1] * self.n
            for i in subset.tolist():
                signs[i] = -1
            rows.append((signs, 1 - len(subset), self.n))
        for coefficients, low, high in rows:
            model.add_linear_constraint(cp_model.LinearExpr.weighted_sum(kept, coefficients), low, high)
        if self.best is not None:
            known = set(self.best.tolist())
            for i, variable in enumerate(kept):
                model.add_hint(variable, i in known)
        return self._solve(model, kept)

    def _solve(self, model: Any, kept: list[Any]) -> IntArray | None:
        from ortools.sat.python import cp_model

        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.catch_sigint_signal = False
        if self.deadline < math.inf:
            solver.parameters.max_time_in_seconds = max(0.0, self.deadline - time.monotonic())
        if self.work_left < math.inf:
            solver.parameters.max_deterministic_time = max(0.0, self.work_left)
        status = _solve_interruptibly(solver, model)
        self.branches += int(solver.num_branches)
        self.work_left -= solver.response_proto.deterministic_time
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return np.array([i for i, x in enumerate(kept) if solver.boolean_value(x)], np.int64)
        if status == cp_model.INFEASIBLE:
            return None
        if status == cp_model.UNKNOWN and min(self.deadline, self.work_left) < math.inf:
            late = self.work_left == math.inf or time.monotonic() > self.deadline
            raise TimeoutError(OUT_OF_TIME if late else OUT_OF_WORK)
        name = solver.status_name(status)
        raise SolverFailed(f"CP-SAT must end with an answer or at the time limit; got status {name}.", name)

    def _around(self, gap: int) -> list[tuple[int, int]]:
        return [(goal - gap, goal + gap) for goal in self.goals]

    def _gap(self, subset: IntArray) -> int:
        chosen = subset.tolist()
        totals: list[int] = [sum(sums[i] for i in chosen) for sums in self.sums]
        return int(max(abs(total - goal) for total, goal in zip(totals, self.goals, strict=True)))

    def _closer(self, subset: IntArray) -> IntArray:
        if self.best is None:
            return subset
        return min(self.best, subset, key=lambda c: (self.distance(c), c.tolist()))

    def _alike(self) -> str:
        return f"more than {SUBSETS} subsets are alike on the 64-bit grid; use method='meet-in-the-middle'."


def _solve_interruptibly(solver: Any, model: Any) -> Any:
    """Solve in a thread of its own, so that Ctrl-C reaches Python and stops the search."""
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(solver.solve, model)
        try:
            while True:
                try:
                    return running.result(timeout=POLL)
                except StillRunning:
                    continue
        finally:
            solver.stop_search()


CROSS_CHECKERS = ("scip", "highs")


def cross_check(problem: Problem, solver: str, seconds: float) -> tuple[Answer, str]:
    """The proposal of another solver for the same problem (never complete), and what it claims of it.

    solver : one of CROSS_CHECKERS. seconds : its time limit. The claim is MathOpt's reason for terminating.
    """
    from ortools.math_opt.python import mathopt

    model = mathopt.Model()
    kept = [model.add_binary_variable() for _ in range(problem.n)]
    total = mathopt.fast_sum(x * b for x, b in zip(problem.samples.tolist(), kept, strict=True))
    for coefficients, low, high in structure(problem):
        row = mathopt.fast_sum(c * b for c, b in zip(coefficients, kept, strict=True) if c)
        model.add_linear_constraint(low <= row)
        model.add_linear_constraint(row <= high)
    if problem.eps is None:
        error = model.add_variable(lb=0.0)
        model.add_linear_constraint(error >= total - problem.target)
        model.add_linear_constraint(error >= problem.target - total)
        model.minimize(error)
    else:
        model.add_linear_constraint(total >= problem.target - problem.eps)
        model.add_linear_constraint(total <= problem.target + problem.eps)
    kind = {"scip": mathopt.SolverType.GSCIP, "highs": mathopt.SolverType.HIGHS}[solver]
    limits = mathopt.SolveParameters(
        time_limit=timedelta(seconds=seconds), relative_gap_tolerance=0.0, absolute_gap_tolerance=0.0
    )
    if solver == "scip":  # HiGHS takes its threads from a process-wide setting only
        limits.threads = 1
    try:
        result = mathopt.solve(model, kind, params=limits)
    except (RuntimeError, ValueError, AttributeError) as failure:
        raise SolverFailed(f"{solver} ended with an error: {failure}", "ERROR") from None
    claim = result.termination.reason.name
    if not result.has_primal_feasible_solution():
        return Answer(None, False, 0, (f"{solver} proposed nothing ({claim}).",)), claim
    values = result.variable_values(kept)
    chosen = np.array([i for i, value in enumerate(values) if value > 0.5], np.int64)
    for coefficients, low, high in structure(problem):
        if not low <= sum(coefficients[i] for i in chosen.tolist()) <= high:
            raise SolverFailed(f"{solver} proposed {len(chosen)} samples, against its own constraint.", claim)
    return Answer(chosen, False, 0, (f"{solver} works to a tolerance and proves nothing here.",)), claim
