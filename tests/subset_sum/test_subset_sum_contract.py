"""What every method promises: agreement with brute force, real proofs, the symmetries of the problem."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.subset_sums import distances, smallest_distance

from slth.subset_sum.batch import solve_batch
from slth.subset_sum.problem import Problem
from slth.subset_sum.result import Status, SubsetSumResult
from slth.subset_sum.solve import solve
from slth.testing import problems, samples_of

METHODS = ("auto", "exhaustive", "meet-in-the-middle", "cp-sat")
MODERATE = ("grid", "uniform", "any", "tiny")


def answer(problem: Problem, method: str) -> SubsetSumResult:
    sizes = (problem.k_min, problem.k_max)
    result = solve(problem.samples, problem.target, k=sizes, eps=problem.eps, method=method)
    result.check()
    return result


def exact_distance(result: SubsetSumResult) -> Fraction:
    assert result.indices is not None
    total = sum((Fraction(x) for x in result.problem.samples[result.indices].tolist()), Fraction(0))
    return abs(total - Fraction(result.problem.target))


def agrees_with_brute_force(problem: Problem, method: str) -> None:
    best = smallest_distance(problem.samples.tolist(), problem.target, problem.k_min, problem.k_max)
    result = answer(problem, method)
    if problem.eps is None:
        assert result.status is Status.CLOSEST_PROVED
        assert exact_distance(result) == best
    elif best <= Fraction(problem.eps):
        assert result.status is Status.FOUND
        assert exact_distance(result) <= Fraction(problem.eps)
    else:
        assert result.status is Status.ABSENT_PROVED
        assert result.indices is None or exact_distance(result) == best or method == "cp-sat"


@pytest.mark.parametrize("method", METHODS[:3])
@given(data=st.data())
@settings(max_examples=250)
def test_agrees_with_brute_force(method: str, data: st.DataObject) -> None:
    agrees_with_brute_force(data.draw(problems(max_n=9)), method)


@given(problem=problems(max_n=7, families=MODERATE))
@settings(max_examples=40)
def test_cp_sat_agrees_with_brute_force(problem: Problem) -> None:
    agrees_with_brute_force(problem, "cp-sat")


@given(problem=problems(max_n=6, families=("grid",), eps=False))
@settings(max_examples=50)
def test_the_two_oracles_agree(problem: Problem) -> None:
    samples = problem.samples.tolist()
    each = distances(samples, problem.target, problem.k_min, problem.k_max)
    assert min(each.values()) == smallest_distance(samples, problem.target, problem.k_min, problem.k_max)


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
@settings(max_examples=25)
def test_order_of_samples_is_irrelevant(method: str, data: st.DataObject) -> None:
    problem = data.draw(problems(max_n=8, families=MODERATE, eps=False))
    order = data.draw(st.permutations(range(problem.n)))
    shuffled = Problem(problem.samples[list(order)], problem.target, problem.k_min, problem.k_max, None)
    assert exact_distance(answer(problem, method)) == exact_distance(answer(shuffled, method))


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
@settings(max_examples=25)
def test_scaling_by_powers_of_two_is_exact(method: str, data: st.DataObject) -> None:
    problem = data.draw(problems(max_n=8, families=("grid", "uniform"), eps=False))
    factor = 2.0 ** data.draw(st.integers(-200, 200))
    scaled = Problem(problem.samples * factor, problem.target * factor, problem.k_min, problem.k_max, None)
    one, two = answer(problem, method), answer(scaled, method)
    assert one.error is not None
    assert two.error is not None
    if abs(problem.target) > 1e-200 or problem.target == 0:
        assert two.error == one.error * factor
        assert np.array_equal(one.indices, two.indices)


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
@settings(max_examples=25)
def test_complement_symmetry(method: str, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 9))
    samples = data.draw(samples_of(n, "grid"))
    target = data.draw(st.integers(-256, 256)) / 128
    k = data.draw(st.integers(0, n))
    one = solve(samples, target, k=k, method=method)
    two = solve(samples, math.fsum(samples) - target, k=n - k, method=method)
    assert one.error == two.error


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
@settings(max_examples=15)
def test_best_over_all_sizes_is_any_size(method: str, data: st.DataObject) -> None:
    problem = data.draw(problems(max_n=6, families=("uniform", "any"), eps=False))
    each = [solve(problem.samples, problem.target, k=k, method=method).error for k in range(problem.n + 1)]
    assert solve(problem.samples, problem.target, method=method).error == min(each)


@pytest.mark.parametrize("method", METHODS)
def test_one_more_sample_never_hurts(method: str) -> None:
    rng = np.random.default_rng(3)
    samples = rng.uniform(-1, 1, 9)
    errors = [solve(samples[:n], 0.3, k=(0, min(n, 4)), method=method).error for n in range(1, 10)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("method", ["auto", "meet-in-the-middle"])
@pytest.mark.parametrize(("n", "k"), [(20, 10), (26, 5), (34, 8), (30, 28), (22, None), (24, (3, 6))])
def test_planted_subset_is_found(method: str, n: int, k: int | tuple[int, int] | None) -> None:
    rng = np.random.default_rng(n)
    samples = rng.integers(-(2**40), 2**40, n) * 2.0**-40
    size = k if isinstance(k, int) else 5
    planted = np.sort(rng.permutation(n)[:size])
    target = math.fsum(samples[planted])
    result = solve(samples, target, k=k, method=method)
    assert result.error == 0
    assert solve(samples, target, k=k, eps=1e-15, method=method).status is Status.FOUND


@pytest.mark.parametrize("n", [15, 20, 22])
@pytest.mark.parametrize("k", [7, (2, 9), None])
def test_exhaustive_and_meet_in_the_middle_agree(n: int, k: int | tuple[int, int] | None) -> None:
    rng = np.random.default_rng(n)
    for samples in (rng.uniform(-1, 1, n), rng.normal(size=n), -(rng.random(n) ** 4)):
        target = float(samples[:6].sum() + 0.01)
        one = solve(samples, target, k=k, method="exhaustive")
        two = solve(samples, target, k=k, method="meet-in-the-middle")
        one.check()
        two.check()
        assert one.error == two.error


@pytest.mark.parametrize("target", [0.3, 40.0, -40.0, 1e300, -1e-300])
def test_targets_far_and_near(target: float) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 36)
    for k in (3, (0, 4), (33, 36)):
        result = solve(samples, target, k=k)
        result.check()
        assert result.error == solve(samples, target, k=k, method="meet-in-the-middle").error


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize("samples", [[0.75, 3.0], [1 / 3, 0.1, 1e-30]])
def test_an_error_equal_to_eps_is_success_and_just_above_is_not(
    method: str, side: float, samples: list[float]
) -> None:
    values = [side * x for x in samples]
    target = side * 0.5
    eps = solve(values, target, k=1).error
    assert eps is not None
    exact = min(abs(Fraction(x) - Fraction(target)) for x in values)
    assert Fraction(eps) >= exact
    assert solve(values, target, k=1, eps=eps, method=method).status is Status.FOUND
    below = solve(values, target, k=1, eps=math.nextafter(eps, 0), method=method)
    assert below.status is Status.ABSENT_PROVED


@pytest.mark.parametrize(("n", "k", "eps"), [(200, 9, 1e-6), (200, 20, 1e-6), (200, 20, 1e-12)])
def test_sorted_samples_are_as_easy_as_any(n: int, k: int, eps: float) -> None:
    """Heuristics look at a few of the samples: the first of a sorted row are all of one sign."""
    rng = np.random.default_rng(n + k)
    rows = np.sort(rng.uniform(-1, 1, (20, n)), axis=1)
    found = solve_batch(rows, np.full(20, 0.3), k=k, eps=eps)
    assert (found.statuses == Status.FOUND.value).all()
    for row in (rows[0], rows[0][::-1]):
        assert solve(row, 0.3, k=k, eps=eps).status is Status.FOUND
