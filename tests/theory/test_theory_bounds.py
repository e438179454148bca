"""Theorems as objects: published numbers, independent roots, hypotheses that fail when they should."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import mpmath as mp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.theory import entropy_bits, theorem_3_root
from scipy.special import lambertw

from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.bounds import BOUNDS, available_bounds, bound, bound_by_name
from slth.theory.constants import (
    FITTED_C_AMP,
    FITTED_C_HYP,
    PRODUCT_MIXTURE_WEIGHT,
    literal_alpha,
    literal_c_amp,
    proof_blocks,
    refit_c_amp,
    refit_c_hyp,
)
from slth.theory.covering_bounds import large_k
from slth.theory.logsquare import least_n_fixed_k, log_linear_root, log_root, log_square_root, round_up, share
from slth.theory.moments import SumBounds, hit_constant, sum_bounds

NAMES = ("theorem-2", "corollary-1", "corollary-2", "theorem-3", "theorem-4", "theorem-5", "malach", "pensia")
SAMPLE: dict[str, dict[str, Any]] = {
    "theorem-2": {"eps": 1e-3, "k": 5},
    "corollary-1": {"eps": 1e-3, "k": 5},
    "corollary-2": {"eps": 1e-3, "k": 5},
    "theorem-3": {"eps": 1e-2, "m_t": 1e4, "density": 0.1},
    "theorem-4": {"eps": 1e-2, "density": 0.1, "copies": 4, "basis_size": 3, "basis_norm": 2.0},
    "theorem-5": {"eps": 1e-2, "d": 10, "density": 0.1},
    "malach": {"eps": 1e-2, "m_t": 1e4},
    "pensia": {"eps": 1e-2, "m_t": 1e4},
}


# Theorem 3


@pytest.mark.parametrize(
    ("c_amp", "density", "published"),
    [
        (1, 0.5, "883.166"),
        (1, 0.1, "1714.05"),
        (1, 1e-2, "9345.16"),
        (1, 1e-3, "63530.2"),
        (1, 1e-4, "477007"),
        (1, 1e-6, "3.13936e+07"),
        (1, 1e-9, "2.03944e+10"),
        (10, 0.5, "11138.8"),
        (10, 0.1, "21869.8"),
        (10, 1e-2, "120198"),
        (10, 1e-3, "821549"),
        (10, 1e-4, "6.19418e+06"),
        (10, 1e-6, "4.10243e+08"),
    ],
)
def test_theorem_3_published_numbers(c_amp: float, density: float, published: str) -> None:
    result = bound("theorem-3", eps=1e-2, m_t=1e4, density=density, c_amp=c_amp)
    n_star = result.values["n_star"]
    assert f"{n_star:.6g}" == published
    assert result.values["overparameterization"] == 4.0 * n_star
    assert n_star == pytest.approx(float(theorem_3_root(density, 5e-7, c_amp)), rel=1e-12)


def test_theorem_3_sparse_end() -> None:
    values = bound("theorem-3", eps=1e-2, m_t=1e4, density=1e-9).values
    assert f"{1e-9 * values['n_star']:.2f}" == "20.39"
    assert values["k"] == 21


@given(
    st.floats(1e-9, 0.5),
    st.floats(1e-9, 0.2),
    st.sampled_from([0.05, 0.283, 1.0, 10.0, 28461.2]),
)
def test_theorem_3_rounds_to_integers_that_satisfy_everything(density: float, eps: float, c_amp: float) -> None:
    values = bound("theorem-3", eps=eps, m_t=500.0, density=density, c_amp=c_amp).values
    n, k, tolerance = values["n"], values["k"], eps / 1000
    assert 4 <= k <= n / 2
    assert k >= density * n * (1 - 1e-12)
    assert n * float(entropy_bits(mp.mpf(k) / n)) >= c_amp * math.log2(k / tolerance) ** 2 * (1 - 1e-12)
    if values["n_star"] is not None:
        assert n >= values["n_star"]
        # rounding costs a few samples for each element of the subset at most
        assert n <= values["n_star"] + 3 + 5 / density


@given(st.floats(1e-3, 1e6), st.floats(1e-3, 1e12))
def test_the_largest_root_is_returned(a: float, b: float) -> None:
    root = log_square_root(a, b)
    if root is None:
        assert math.sqrt(a * b) < math.e * math.log(2) / 2 + 1e-9
        return
    excess = [n - a * math.log2(b * n) ** 2 for n in (root * (1 - 1e-6), root * (1 + 1e-6))]
    if math.sqrt(a * b) > 0.95:
        assert excess[0] < 0 < excess[1]
    assert all(root * f > a * math.log2(b * root * f) ** 2 for f in (1.01, 2.0, 10.0, 1e6))


def test_the_principal_branch_is_not_returned() -> None:
    a, b = 1.0 / float(entropy_bits(mp.mpf("0.1"))), 0.1 / 5e-7
    t = -(2 / math.log(2)) * float(lambertw(-math.log(2) / (2 * math.sqrt(a * b)), 0).real)
    spurious = a * t * t
    assert spurious == pytest.approx(a * math.log2(b * spurious) ** 2)  # it solves the equation too
    root = log_square_root(a, b)
    assert root is not None
    assert root > 1e6 * spurious


def test_other_implicit_roots() -> None:
    for a, b in ((2.0, 1e4), (0.3, 1e9)):
        root = log_root(a, b)
        assert root is not None
        assert root == pytest.approx(a * math.log2(b * root), rel=1e-12)
        assert root > 1.1 / b
    assert log_root(0.1, 0.1) is None
    x = log_linear_root(0.5, 1e6)
    assert x is not None
    assert x * 0.5 == pytest.approx(math.log2(1e6 * x) / 2, rel=1e-12)
    assert log_linear_root(1.0, 1.0) is None
    assert log_square_root(0.1, 0.1) is None


def test_rounding_helpers() -> None:
    assert [share(0.1, n) for n in (10, 30, 31)] == [1, 3, 4]
    assert share(1e-30, 5) == 1
    assert round_up(30.0, 0.1, lambda _: 0.0) == (30, 3)
    assert round_up(5.0, 0.5, lambda _: 0.0) == (6, 3)  # 5 would need k = 3 > n/2
    assert round_up(5.0, 0.7, lambda _: 0.0) == (5, 4)
    assert round_up(1.0, 0.25, lambda _: 0.0, k_min=4) == (13, 4)
    assert least_n_fixed_k(1, 3.0, 2) == (4, 2.0)  # 4 H2(1/4) = 3.245, 3 H2(1/3) = 2.755
    assert least_n_fixed_k(2, 0.0, 4) == (4, 2.0)


def test_no_root_needs_only_integrality() -> None:
    values = bound("theorem-3", eps=0.4, m_t=1.0, density=1e-3, c_amp=1e-4).values
    assert values["n_star"] is None
    assert values["overparameterization"] is None
    assert (values["k"], values["n"]) == (4, 3001)


def test_theorem_3_rectangular_layers() -> None:
    widths = [64, 32, 10]
    result = bound("theorem-3", eps=1e-2, widths=widths, density=0.25, c_amp=1)
    m = kept = counted = 0
    for i, (d, e) in enumerate(itertools.pairwise(widths)):
        tolerance = 1e-2 / (2 * 2 * d * e)
        n, k = result.values["n"][i], result.values["k"][i]
        assert result.values["n_star"][i] == pytest.approx(float(theorem_3_root(0.25, tolerance, 1)), rel=1e-12)
        m += 2 * d * d * n + 2 * d * e * n
        counted += 4 * d * e * k
        kept += min(2 * d * n, 2 * k * d * e) + 2 * d * e * k
    values = result.values
    assert (values["m"], values["survivors_counted"], values["kept_at_most"]) == (m, counted, kept)
    assert values["m_t"] == 64 * 32 + 32 * 10
    assert values["density_claimed"] == pytest.approx(0.25 * 3.2)
    assert (
        values["density_kept_at_most"] < values["density_counted"] < values["density_bound_without_rho"] == 0.5
    )
    assert len(result.hypotheses) == 3 + 2 * 4


def test_equal_widths_agree_with_m_t() -> None:
    by_widths = bound("theorem-3", eps=1e-2, widths=[50, 50, 50, 50, 50], density=0.2).values
    by_count = bound("theorem-3", eps=1e-2, m_t=1e4, density=0.2).values
    assert set(by_widths["n_star"]) == {by_count["n_star"]}
    assert by_widths["overparameterization"] == by_count["overparameterization_integer"] == 4 * by_count["n"]
    assert by_widths["density_counted"] == pytest.approx(by_count["density"])


def test_printed_proof_covers_only_small_densities() -> None:
    dense = bound("theorem-3", eps=1e-2, m_t=1e4, density=0.1, c_amp="literal")
    sparse = bound("theorem-3", eps=1e-2, m_t=1e4, density=1e-6, c_amp="literal")
    assert not dense.values["covered_by_printed_proof"]
    assert sparse.values["covered_by_printed_proof"]
    verdicts = {h.text.split(",")[0]: h.holds for h in dense.hypotheses}
    assert verdicts["k/n <= lambda_0/r"] is None
    assert all(h.holds is not False for h in sparse.hypotheses)
    assert dense.holds is None


def test_density_above_one_half_is_told() -> None:
    result = bound("theorem-3", eps=1e-2, m_t=1e4, density=0.7)
    assert result.holds is False
    assert next(h.text for h in result.hypotheses if h.holds is False).startswith("1 <= k <= n/2")


# constants


def test_sum_bounds() -> None:
    uniform = sum_bounds(Uniform())
    assert f"{uniform.c_u:.8f} {uniform.c_l:.8f}" == "0.70710678 0.15418033"
    normal = sum_bounds(Normal(1.0))
    assert f"{normal.c_u:.6f} {normal.c_l:.6f}" == "0.398942 0.241971"
    product = sum_bounds(LiveProduct())
    assert f"{product.c_l:.4f}" == "0.3804"
    assert product.c_u == pytest.approx(math.sqrt(2))
    assert (uniform.sum_bounded, normal.sum_bounded, product.sum_bounded) == (True, True, False)
    with pytest.raises(InvalidInput, match=r"`law` must be Uniform, Normal or LiveProduct; got object"):
        sum_bounds(object())  # type: ignore[arg-type]


@pytest.mark.parametrize("law", [Uniform(), Normal(0.7), Normal(1.0), LiveProduct()])
def test_sum_bounds_hold_and_are_sharp(law: Law) -> None:
    bounds = sum_bounds(law)
    sizes = [*range(bounds.k_min, 30), 50, 100]
    tops = [math.sqrt(k) * float(law.sum_pdf(0.0, k)) for k in sizes]
    edges = [math.sqrt(k) * float(law.sum_pdf(bounds.reach * math.sqrt(k), k)) for k in sizes]
    assert max(tops) == pytest.approx(bounds.c_u, rel=1e-12)
    assert min(edges) >= bounds.c_l * (1 - 1e-12)
    assert min(edges) <= bounds.c_l * 1.01


def test_published_edge_values() -> None:
    values = [math.sqrt(k) * float(Uniform().sum_pdf(math.sqrt(k), k)) for k in (1, 2, 3, 4, 5, 6, 10, 100)]
    published = "0.50000 0.20711 0.17404 0.16667 0.16496 0.16281 0.15912 0.15465"
    assert " ".join(f"{v:.5f}" for v in values) == published
    tops = [math.sqrt(k) * float(Uniform().sum_pdf(0.0, k)) for k in (2, 3, 4, 5, 6)]
    assert " ".join(f"{v:.5f}" for v in tops) == "0.70711 0.64952 0.66667 0.66966 0.67361"


@pytest.mark.parametrize(
    ("law", "lambda_0", "published"),
    [
        (Uniform(), 0.5, "0.0165"),
        (Uniform(), 0.1, "0.029"),
        (Uniform(), 0.01, "0.034"),
        (Normal(1.0), 0.5, "0.037"),
        (Normal(1.0), 0.1, "0.058"),
        (Normal(1.0), 0.01, "0.063"),
    ],
)
def test_published_success_constants(law: Law, lambda_0: float, published: str) -> None:
    """Published as the worst case; that is the worst k >= 4 (k = 2 and 3 give less)."""
    value, mu = hit_constant(sum_bounds(law), 4, 1 / lambda_0, lambda_0)
    assert f"{value:.{len(published) - 2}f}" == published
    assert lambda_0 < mu < 1
    later = [hit_constant(sum_bounds(law), k, 1 / lambda_0, lambda_0)[0] for k in (5, 8, 30, 1000)]
    assert [value, *later] == sorted([value, *later])
    assert hit_constant(sum_bounds(law), 2, 1 / lambda_0, lambda_0)[0] < value


def test_success_constant_is_the_maximum_over_mu() -> None:
    bounds = SumBounds(0.2, 0.6)
    for k, ratio, lambda_0 in ((1, 2.0, 0.5), (7, 5.0, 0.2), (50, 4.0, 0.3)):
        middle = 0.0 if k == 1 else 2 * bounds.c_u * math.sqrt(k) / (k * ratio)
        grid = [lambda_0 + (1 - lambda_0) * j / 20000 for j in range(1, 20000)]
        brute = max(
            bounds.c_l / (2 * math.sqrt(2) + middle / (mu - lambda_0) ** 2 + 2 * bounds.c_u / math.sqrt(1 - mu))
            for mu in grid
        )
        value, _ = hit_constant(bounds, k, ratio, lambda_0)
        assert value == pytest.approx(brute, rel=1e-5)
        assert hit_constant(bounds, k, ratio, lambda_0, interior=True)[0] == pytest.approx(2 * value)
    with pytest.raises(InvalidInput, match=r"`ratio` must be a finite number >= 1.99"):
        hit_constant(bounds, 4, 1.5, 0.5)


def test_literal_constants() -> None:
    for p, c_hyp in ((1.0, "2.62"), (math.log(2) / 2, "13.5"), (PRODUCT_MIXTURE_WEIGHT, "44.1")):
        alpha = literal_alpha(p)
        assert alpha == pytest.approx((p - alpha) ** 2)
        assert 0 < alpha < p
        assert f"{1 / alpha:.3g}" == c_hyp
    assert literal_c_amp(PRODUCT_MIXTURE_WEIGHT, 0.5) == pytest.approx(2.9e4, rel=0.03)
    assert literal_c_amp(PRODUCT_MIXTURE_WEIGHT, 0.01) == pytest.approx(1.4e4, rel=0.03)
    assert proof_blocks(5, 1e-3) == pytest.approx(4 / (0.75 * 0.01652) * math.log(5e3), rel=1e-3)


def test_fitted_constants_can_be_refitted() -> None:
    for refitted, stored in ((refit_c_amp(), FITTED_C_AMP), (refit_c_hyp(), FITTED_C_HYP)):
        assert refitted <= stored <= refitted * 1.005


# Theorem 2 and the corollaries


def test_corollary_1_at_fixed_k() -> None:
    """log2 n = 437, 240, 169, ...: two to the four hundred where the truth is two to the twenty-seven."""
    published = {1: 437, 2: 240, 3: 169, 4: 132, 6: 93, 8: 73, 12: 52}
    for k, bits in published.items():
        values = bound("corollary-1", eps=5e-7, k=k).values
        assert round(values["log2_required_n"]) == bits
        with mp.workdps(200):
            n = mp.mpf(values["required_n"])
            assert n * entropy_bits(k / n) >= mp.log(k / mp.mpf("5e-7"), 2) ** 2 * (1 - mp.mpf("1e-12"))
            assert n * entropy_bits(k / n) <= mp.log(k / mp.mpf("5e-7"), 2) ** 2 * (1 + mp.mpf("1e-12"))


def test_sizes_beyond_integers_are_given_in_bits() -> None:
    values = bound("corollary-1", eps=1e-3, k=1, c_amp="literal").values
    assert values["required_n"] is None
    bits = literal_c_amp() * math.log2(1e3) ** 2
    assert values["log2_required_n"] == pytest.approx(bits - 1 / math.log(2))


@given(st.integers(1, 60), st.floats(1e-12, 0.4), st.sampled_from(["theorem-2", "corollary-1", "corollary-2"]))
def test_required_n_is_least_at_fixed_k(k: int, eps: float, name: str) -> None:
    values = bound(name, eps=eps, k=k).values
    n = values["required_n"]
    if n is None or n > 10**12:
        return
    at = bound(name, eps=eps, k=k, n=n)
    inequality = next(h for h in at.hypotheses if h.text.startswith("n H2"))
    assert inequality.holds
    if n - 1 >= 2 * k:
        below = bound(name, eps=eps, k=k, n=n - 1)
        assert not next(h for h in below.hypotheses if h.text.startswith("n H2")).holds
        assert below.holds is False


@pytest.mark.parametrize("name", ["theorem-2", "corollary-1", "corollary-2"])
def test_required_n_grows_as_eps_falls(name: str) -> None:
    for choice in ({"k": 6}, {"density": 0.2}, {"density": 0.5}):
        sizes = [bound(name, eps=eps, **choice).values["required_n"] for eps in (0.3, 1e-2, 1e-4, 1e-8, 1e-12)]
        assert sizes == sorted(sizes)
        for size, eps in zip(sizes, (0.3, 1e-2, 1e-4, 1e-8, 1e-12), strict=True):
            values = bound(name, eps=eps, **choice).values
            assert (values["n"], 2 * values["k"] <= size) == (size, True)


def test_theorem_2_probability() -> None:
    edge = bound("theorem-2", eps=1e-3, k=4, n=20)
    inner = bound("theorem-2", eps=1e-3, k=4, n=20, z=0.5)
    assert edge.holds
    assert edge.values["guaranteed_probability"] == pytest.approx(
        hit_constant(sum_bounds(Uniform()), 4, 5.0, 0.5)[0]
    )
    assert inner.values["guaranteed_probability"] == pytest.approx(2 * edge.values["guaranteed_probability"])
    normal = bound("theorem-2", eps=1e-3, k=4, n=20, law="normal", s=0.5)
    assert 0 < normal.values["guaranteed_probability"] < 1
    for broken in ({"n": 9}, {"z": 2.1}, {"c_hyp": 0.5}, {"n": 7}):
        result = bound("theorem-2", **{"eps": 1e-3, "k": 4, "n": 20, **broken})
        assert result.holds is False
        assert result.values["guaranteed_probability"] is None
    assert bound("theorem-2", eps=1e-3, k=9, n=10, lambda_0=0.95).hypotheses[1].holds


def test_theorem_2_presets() -> None:
    sizes = [
        bound("theorem-2", eps=1e-4, k=5, c_hyp=c).values["required_n"] for c in ("one", "fitted", "literal")
    ]
    assert sizes == sorted(sizes)
    assert bound("theorem-2", eps=1e-4, k=5, c_hyp=1.0).values["required_n"] == sizes[0]


def test_corollary_2_condition_on_k() -> None:
    limit = large_k(literal_c_amp(), 1e-3)
    assert 1e6 < limit < 1e7
    for factor, expected in ((0.99, False), (1.01, True)):
        k = int(limit * factor)
        result = bound("corollary-2", eps=1e-3, k=k, c_amp="literal")
        condition = next(h for h in result.hypotheses if h.text.startswith("k >= 2 c_amp"))
        assert condition.holds is expected
    assert large_k(1e-6, 0.4) == 1.0


def test_corollary_2_asks_less_where_it_applies() -> None:
    both = [bound(f"corollary-{i}", eps=1e-3, k=10**9, c_amp=30.0).values["required_n"] for i in (1, 2)]
    assert both[1] <= both[0]


# Theorem 4, Malach, Pensia


def test_theorem_4_counts() -> None:
    result = bound("theorem-4", eps=1e-2, density=0.3, copies=8, layers=2, basis_size=9, basis_norm=12.0)
    values = result.values
    tolerance = 1e-2 / (2 * 2 * 64 * 12)
    assert values["n_star"] == pytest.approx(float(theorem_3_root(0.3, tolerance, 1.0)), rel=1e-12)
    n, k = values["n"], values["k"]
    assert values["intermediate_copies"] == 2 * 8 * n
    assert values["source_coefficients_per_layer"] == 2 * 8 * (2 * 8 * n) * 9
    assert values["overparameterization"] == values["source_coefficients_per_layer"] / (64 * 9)
    assert values["survivors_per_layer_at_most"] == 2 * k * 64 * 9 + min(16 * n, 2 * k * 64 * 9)
    assert values["density_at_most"] <= k / n


def test_a_trivial_group_gives_back_theorem_3() -> None:
    equivariant = bound("theorem-4", eps=1e-2, density=0.3, copies=10, layers=3, basis_size=1, basis_norm=1.0)
    dense = bound("theorem-3", eps=1e-2, density=0.3, m_t=300.0)
    assert equivariant.values["n_star"] == dense.values["n_star"]


def test_malach_and_pensia() -> None:
    malach = bound("malach", eps=1e-2, m_t=1e4).values
    assert malach["overparameterization"] == pytest.approx(1e12 * math.log(1e6))
    assert malach["density"] * malach["overparameterization"] == pytest.approx(1.0)
    pensia = bound("pensia", eps=1e-2, m_t=1e4).values
    assert pensia["overparameterization"] == pytest.approx(4 * 3 * math.log2(2e6))
    assert (pensia["experiment_overparameterization"], pensia["experiment_density"]) == (21.0, 0.447)


# the objects


def test_the_list_is_complete() -> None:
    assert tuple(BOUNDS) == NAMES
    assert tuple(item["name"] for item in available_bounds()) == NAMES
    assert tuple(SAMPLE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_bound_states_itself(name: str) -> None:
    result = bound(name, **SAMPLE[name])
    text = json.dumps(result.summary(), allow_nan=False)
    assert json.loads(text) == result.to_dict()
    assert json.dumps(available_bounds(), allow_nan=False)
    item = bound_by_name(name)
    assert len(item.statement) > 80
    assert len(item.remarks) >= 1
    assert item.source.split(",")[0] in {"natale2024", "malach2020", "pensia2020"}
    assert result.hypotheses
    assert [h.to_dict() for h in result.check()] == [h.to_dict() for h in result.hypotheses]
    assert [h.to_dict() for h in item.check(**SAMPLE[name])] == [h.to_dict() for h in result.hypotheses]
    assert {type(h.holds) for h in result.hypotheses} <= {bool, type(None)}  # none of numpy's
    assert set(result.inputs) == {i.name for i in item.inputs}
    with pytest.raises(TypeError, match="does not support item assignment"):
        result.values["n"] = 3  # type: ignore[index]


@pytest.mark.parametrize("name", NAMES)
def test_each_bound_refuses_bad_inputs(name: str) -> None:
    with pytest.raises(
        InvalidInput, match=rf"`epss` is not an input of {name}. It accepts: eps, .*Did you mean `eps`"
    ):
        bound(name, **SAMPLE[name], epss=0.1)
    rest = {key: value for key, value in SAMPLE[name].items() if key != "eps"}
    with pytest.raises(InvalidInput, match=rf"`eps` must be given to {name}. It accepts: eps, "):
        bound(name, **rest)
    for value in (0.0, 1.0, -1e-3, math.nan, math.inf, "small", None, True):
        with pytest.raises(InvalidInput, match=r"`eps` must be a finite number in \(0.0, 1.0\); got"):
            bound(name, **rest, eps=value)


def test_refusals() -> None:
    with pytest.raises(
        InvalidInput, match=r"`name` must be one of theorem-2, .*; got 'theorem-1'. Did you mean"
    ):
        bound("theorem-1", eps=0.1)
    with pytest.raises(InvalidInput, match=r"`name` must be one of .*; got 3"):
        bound_by_name(3)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"exactly one of `k` and `density` must be given; got k = None"):
        bound("corollary-1", eps=0.1)
    with pytest.raises(
        InvalidInput, match=r"exactly one of `k` and `density` must be given; got k = 3, density = 0.1"
    ):
        bound("theorem-2", eps=0.1, k=3, density=0.1)
    with pytest.raises(InvalidInput, match=r"exactly one of `widths` and `m_t` must be given"):
        bound("theorem-3", eps=0.1, density=0.1)
    with pytest.raises(
        InvalidInput, match=r"`widths` must be a sequence of at least two integers >= 1; got \[3\]"
    ):
        bound("theorem-3", eps=0.1, density=0.1, widths=[3])
    with pytest.raises(InvalidInput, match=r"`widths` must be an integer >= 1; got 0"):
        bound("theorem-3", eps=0.1, density=0.1, widths=[3, 0])
    with pytest.raises(
        InvalidInput, match=r"`widths` must be a sequence of at least two integers >= 1; got '64'"
    ):
        bound("theorem-3", eps=0.1, density=0.1, widths="64")
    with pytest.raises(InvalidInput, match=r"`c_amp` must be one of 'one', 'literal', 'fitted'; got 'two'"):
        bound("corollary-1", eps=0.1, k=3, c_amp="two")
    with pytest.raises(InvalidInput, match=r"`c_hyp` must be a finite number > 0.0; got 0"):
        bound("theorem-2", eps=0.1, k=3, c_hyp=0)
    with pytest.raises(InvalidInput, match=r"`law` must be one of 'uniform', .*'product'; got 'cauchy'"):
        bound("theorem-2", eps=0.1, k=3, law="cauchy")
    with pytest.raises(InvalidInput, match=r"`k` must be at most `n` = 3; got 5"):
        bound("theorem-2", eps=0.1, k=5, n=3)
    with pytest.raises(InvalidInput, match=r"`k` must be an integer >= 1; got 0"):
        bound("theorem-2", eps=0.1, k=0)
    with pytest.raises(InvalidInput, match=r"`density` must be a finite number in"):
        bound("theorem-3", eps=0.1, m_t=100, density=1.0)
    with pytest.raises(InvalidInput, match=r"`p_mix` must be a finite number in \(0.0, 1.0\]; got 1.5"):
        bound("corollary-1", eps=0.1, k=3, p_mix=1.5)
