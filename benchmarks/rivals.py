"""What a user could pick instead of slth: plain NumPy, CP-SAT, SCIP, HiGHS, Gurobi, dpss, asked alike.

Each rival takes (samples, target, k, eps) and returns the places of a subset, or None; eps None asks for the
closest. Answers are recomputed by the caller. NumPy works in floats and proves nothing within their rounding.
`subsetsum` (0.0.2) cannot be compared: its source distribution lacks a file and does not compile.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from slth.errors import SlthError
from slth.subset_sum.mip import CROSS_CHECKERS, cross_check
from slth.subset_sum.problem import make_problem
from slth.subset_sum.solve import solve

SECONDS = 30.0
Rival = Callable[[np.ndarray, float, int, float | None], Any]


def numpy_tables(items: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sums of all subsets by size, sorted, and the subsets as bits."""
    sums, bits, sizes = np.zeros(1), np.zeros(1, np.int64), np.zeros(1, np.int8)
    for i, item in enumerate(items):
        sums, bits = np.concatenate((sums, sums + item)), np.concatenate((bits, bits | 1 << i))
        sizes = np.concatenate((sizes, sizes + np.int8(1)))
    tables = []
    for size in range(len(items) + 1):
        own = np.flatnonzero(sizes == size)
        own = own[np.argsort(sums[own])]
        tables.append((sums[own], bits[own]))
    return tables


def numpy_closest(samples: np.ndarray, target: float, k: int, eps: float | None) -> Any:
    """Meet-in-the-middle as one writes it in twenty lines: sort, then binary search; ends at eps if given."""
    half = len(samples) // 2
    left, right = numpy_tables(samples[:half]), numpy_tables(samples[half:])
    best, bits = np.inf, 0
    for size, (sums, subsets) in enumerate(left):
        if not 0 <= k - size < len(right):
            continue
        others, partners = right[k - size]
        place = np.searchsorted(others, target - sums)
        for near in (np.minimum(place, len(others) - 1), np.maximum(place - 1, 0)):
            gaps = np.abs(others[near] + sums - target)
            i = int(gaps.argmin())
            if gaps[i] < best:
                best, bits = float(gaps[i]), int(subsets[i]) | int(partners[near[i]]) << half
        if eps is not None and best <= eps:
            break
    return [i for i in range(len(samples)) if bits >> i & 1]


def numpy_random(samples: np.ndarray, target: float, k: int, eps: float | None) -> Any:
    """Random subsets by the thousand until one is within eps, at most 10^6 of them."""
    rng = np.random.default_rng(0)
    for _ in range(1000):
        picks = rng.random((1000, len(samples))).argpartition(k, axis=1)[:, :k]
        gaps = np.abs(samples[picks].sum(axis=1) - target)
        if gaps.min() <= (eps or 0.0):
            return picks[gaps.argmin()].tolist()
    return None


def numpy_pools(samples: np.ndarray, target: float, k: int, eps: float | None) -> Any:
    """Some samples at random, the rest by meet-in-the-middle over 24 others, until one is within eps."""
    rng = np.random.default_rng(0)
    free = min(12, k)
    for _ in range(200):
        order = rng.permutation(len(samples))
        fixed, pool = order[: k - free], order[k - free : k - free + min(24, len(samples) - k + free)]
        found = numpy_closest(samples[pool], target - samples[fixed].sum(), free, eps)
        chosen = [*fixed.tolist(), *pool[found].tolist()]
        if abs(samples[chosen].sum() - target) <= (eps or 0.0):
            return chosen
    return None


def cp_sat(samples: np.ndarray, target: float, k: int, eps: float | None) -> Any:
    result = solve(samples, target, k=k, eps=eps, method="cp-sat", time_limit=SECONDS)
    return None if result.indices is None else result.indices.tolist()


def math_opt(solver: str) -> Rival:
    def ask(samples: np.ndarray, target: float, k: int, eps: float | None) -> Any:
        try:
            answer, _ = cross_check(make_problem(samples, target, k, eps), solver, SECONDS)
        except SlthError:
            return None
        return None if answer.indices is None else answer.indices.tolist()

    return ask


def gurobi(samples: np.ndarray, target: float, k: int, eps: float | None) -> Any:
    """With the size-limited licence that comes with the package (2,000 variables)."""
    import gurobipy

    with gurobipy.Env(params={"OutputFlag": 0, "TimeLimit": SECONDS, "Threads": 1}) as env:
        model = gurobipy.Model(env=env)
        kept = model.addMVar(len(samples), vtype="B")
        model.addConstr(kept.sum() == k)
        error = model.addVar(ub=gurobipy.GRB.INFINITY if eps is None else eps)
        model.addConstr(samples @ kept - target <= error)
        model.addConstr(target - samples @ kept <= error)
        if eps is None:
            model.setObjective(error)
        model.optimize()
        return np.flatnonzero(kept.X > 0.5).tolist() if model.SolCount else None


def dynamic(samples: np.ndarray, target: float, k: int, eps: float | None) -> Any:
    """dpss: every subset of at most k rounded samples with exactly the rounded target; those of k are tried."""
    import dpss

    step = (eps or 0.0) / k
    for shift in range(-k, k + 1):
        numbers = np.rint(samples / step).astype(int).tolist()
        for values in dpss.find_subset(numbers, round(target / step) + shift, k):
            if len(values) == k:
                left, chosen = list(numbers), []
                for value in values:
                    chosen.append(left.index(value))
                    left[chosen[-1]] = 1 << 60
                return chosen
    return None


def rivals(n: int, eps: float | None) -> dict[str, Rival]:
    """Those that apply to a question."""
    found: dict[str, Rival] = {}
    if eps is None:
        if n <= 40:
            found["NumPy, sort and search"] = numpy_closest
    else:
        if eps >= 1e-3:
            found["NumPy, random subsets"] = numpy_random
        found["NumPy, random pools"] = numpy_pools
    if eps is not None or n < 40:  # larger ones all of these give up after the limit
        found["CP-SAT"] = cp_sat
        for solver in CROSS_CHECKERS:
            found[{"scip": "SCIP", "highs": "HiGHS"}[solver]] = math_opt(solver)
        if find_spec("gurobipy") is not None:
            found["Gurobi"] = gurobi
    if eps is not None and n <= 30 and find_spec("dpss") is not None:
        found["dpss"] = dynamic
    return found
