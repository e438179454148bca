"""CP-SAT on our own scaled integers: proposals are recomputed exactly, exclusions include the rounding.

A float MIP solver's tolerances are far wider than the errors asked for here, so every coefficient handed over
is an int64 number and the question is feasibility: is there a subset with low <= S <= high?

status of CP-SAT        taken as
OPTIMAL, FEASIBLE       a subset, judged again in exact arithmetic
INFEASIBLE              no subset with such a sum; with the rounding budget in low and high this is a proof
UNKNOWN                 the time limit was reached
anything else           SolverFailed

`cross_check` sends the same question, as a mixed-integer programme in floats, to SCIP or HiGHS through MathOpt,
for comparison only. Their tolerance (about 1e-6) is far above the errors asked for here, so that what they
propose is recomputed, and what they call optimal or infeasible is never taken as a proof.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from datetime import timedelta
from fractions import Fraction
from typing import Any

import numpy as np

from slth._typing import IntArray
from slth.errors import SolverFailed
from slth.subset_sum import unbounded
from slth.subset_sum.mitm import Answer
from slth.subset_sum.problem import Problem, exact_error, within
from slth.subset_sum.scaling import scale

SUBSETS = 100  # subsets alike on a rounded grid that are compared exactly before giving up
POLL = 0.1  # seconds between looks at the keyboard
OUT_OF_TIME = "`time_limit` reached."


def search(problem: Problem, deadline: float) -> Answer:
    """Any subset within eps or a proof of absence; without eps the closest one, by ever smaller errors.

    Deterministic (one worker, fixed seed) unless the time limit strikes. Worst case exponential in n.
    """
    model = _Model(problem, deadline)
    try:
        return model.within_eps(problem.eps) if problem.eps is not None else model.closest()
    except TimeoutError:
        return Answer(model.best, False, model.branches, (OUT_OF_TIME,))


class _Model:
    """One problem's integers, and questions about them put to CP-SAT."""

    def __init__(self, problem: Problem, deadline: float) -> None:
        self.problem, self.deadline = problem, deadline
        scaled = scale(problem.samples[None, :], np.array([problem.target]), problem.k_max, problem.eps)
        self.items: list[int] = scaled.items[0].tolist()
        self.target = int(scaled.targets[0])
        self.slack = int(scaled.slack[0])
        self.shift = scaled.shift
        self.reach = sum(abs(item) for item in self.items)
        self.best: IntArray | None = None
        self.branches = 0

    def within_eps(self, eps: float) -> Answer:
        """Ask for sums within eps plus the rounding; without rounding the bounds are exact."""
        unit = Fraction(2) ** -self.shift
        goal, reach = Fraction(self.problem.target), Fraction(eps)
        low = math.ceil((goal - reach) / unit) - self.slack
        high = math.floor((goal + reach) / unit) + self.slack
        seen: list[IntArray] = []
        while len(seen) < SUBSETS:
            found = self.ask(low, high, seen)
            if found is None:
                return Answer(self.best, True, self.branches)
            self.best = self._closer(found)
            terms = self.problem.samples[found].tolist()
            if within(exact_error(terms, self.problem.target), eps):
                return Answer(found, True, self.branches)
            seen.append(found)
        return Answer(self.best, False, self.branches, (self._alike(),))

    def closest(self) -> Answer:
        """Ask for a smaller gap until there is none; on a rounded grid then compare all within the rounding.

        Each answer about halves the number of subsets left, and only the last question is a proof of absence:
        bisection would ask for dozens of them.
        """
        first = self.ask(-self.reach, self.reach, [])
        if first is None:
            raise SolverFailed("CP-SAT found no subset of an allowed size, yet there is one.", "INFEASIBLE")
        self.best, high = first, self._gap(first)
        while high:
            found = self.ask(self.target - high + 1, self.target + high - 1, [])
            if found is None:
                break
            self.best, high = found, self._gap(found)
        if not self.slack:
            return Answer(self.best, True, self.branches)
        radius = high + 2 * self.slack
        seen: list[IntArray] = []
        while len(seen) < SUBSETS:
            found = self.ask(self.target - radius, self.target + radius, seen)
            if found is None:
                return Answer(self.best, True, self.branches)
            self.best = self._closer(found)
            seen.append(found)
        return Answer(self.best, False, self.branches, (self._alike(),))

    def ask(self, low: int, high: int, excluded: list[IntArray]) -> IntArray | None:
        """A subset of an allowed size with low <= sum <= high, none of those excluded; or None."""
        from ortools.sat.python import cp_model

        low, high = max(low, -self.reach), min(high, self.reach)
        if low > high:
            return None
        model = cp_model.CpModel()
        kept = [model.new_bool_var(f"x{i}") for i in range(self.problem.n)]
        if self.problem.blocks is None:
            model.add_linear_constraint(sum(kept), self.problem.k_min, self.problem.k_max)
        else:
            for block in _blocks(kept, self.problem.blocks):
                model.add_exactly_one(block)
        model.add_linear_constraint(cp_model.LinearExpr.weighted_sum(kept, self.items), low, high)
        for subset in excluded:
            inside = set(subset.tolist())
            model.add_bool_or([kept[i].negated() if i in inside else kept[i] for i in range(self.problem.n)])
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.catch_sigint_signal = False
        if self.deadline < math.inf:
            solver.parameters.max_time_in_seconds = max(0.0, self.deadline - time.monotonic())
        status = _solve_interruptibly(solver, model)
        self.branches += int(solver.num_branches)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return np.array([i for i, x in enumerate(kept) if solver.boolean_value(x)], np.int64)
        if status == cp_model.INFEASIBLE:
            return None
        if status == cp_model.UNKNOWN and self.deadline < math.inf:
            raise TimeoutError
        name = solver.status_name(status)
        raise SolverFailed(f"CP-SAT must end with an answer or at the time limit; got status {name}.", name)

    def _gap(self, subset: IntArray) -> int:
        total: int = sum(self.items[i] for i in subset.tolist())
        return abs(total - self.target)

    def _closer(self, subset: IntArray) -> IntArray:
        if self.best is None:
            return subset
        return min(self.best, subset, key=lambda c: (unbounded.exact_distance(self.problem, c), c.tolist()))

    def _alike(self) -> str:
        return f"more than {SUBSETS} subsets are alike on the 64-bit grid; use method='meet-in-the-middle'."


def _blocks(kept: list[Any], b: int) -> list[list[Any]]:
    """The variables of each block of b samples."""
    return [kept[first : first + b] for first in range(0, len(kept), b)]


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
    count = mathopt.fast_sum(kept)
    model.add_linear_constraint(problem.k_min <= count)
    model.add_linear_constraint(count <= problem.k_max)
    for block in _blocks(kept, problem.blocks) if problem.blocks else []:
        model.add_linear_constraint(mathopt.fast_sum(block) == 1)
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
    if not problem.k_min <= len(chosen) <= problem.k_max:
        raise SolverFailed(f"{solver} proposed {len(chosen)} samples, against its own constraint.", claim)
    return Answer(chosen, False, 0, (f"{solver} works to a tolerance and proves nothing here.",)), claim
