"""Owns the bounds on fixed-size subset sums themselves: Theorem 2 and Corollaries 1 and 2."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from slth.errors import InvalidInput
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.bound import Bound, Hypothesis, Input, Values, exactly_one
from slth.theory.constants import (
    FITTED_C_AMP,
    FITTED_C_HYP,
    literal_alpha,
    literal_c_amp,
    literal_c_thm,
    proof_blocks,
)
from slth.theory.entropy import binary_entropy
from slth.theory.logsquare import chosen_entropy, least_n_fixed_k, log_root, log_square_root, round_up, share
from slth.theory.moments import hit_constant, last_overlap, sum_bounds

EPS = Input("eps", "tolerance", required=True, low=0.0, high=1.0, open_low=True, open_high=True)
SIZE = Input("k", "subset size; or give `density`", "integer", low=1)
DENSITY = Input("density", "subset density k/n; or give `k`", low=1e-100, high=1.0, open_high=True)
SAMPLES = Input("n", "sample size to check; default: the least the bound allows", "integer", low=1)
LAMBDA = Input(
    "lambda_0", "largest density in Theorem 2", default=0.5, low=0.0, high=1.0, open_low=True, open_high=True
)
P_MIX = Input(
    "p_mix", "weight of the uniform component of the law", default=1.0, low=0.0, high=1.0, open_low=True
)
C_AMP = Input("c_amp", "amplification constant, or a preset", "preset", default="one", low=0.0, open_low=True)
C_HYP = Input(
    "c_hyp", "constant in the hypothesis, or a preset", "preset", default="one", low=0.0, open_low=True
)


def amplification(value: float | str, p_mix: float, lambda_0: float) -> float:
    """c_amp as a number.

    Parameters
    ----------
    value : float or str
        The number itself, or a preset.
    p_mix, lambda_0 : float
        What the preset `literal` depends on.
    """
    presets = {"one": 1.0, "fitted": FITTED_C_AMP}
    if value == "literal":
        return literal_c_amp(p_mix, lambda_0)
    return presets[value] if isinstance(value, str) else value


def amplification_hypothesis(c_amp: float, p_mix: float, lambda_0: float) -> Hypothesis:
    """Whether c_amp is large enough for the proof: True, or unknown.

    Parameters
    ----------
    c_amp, p_mix, lambda_0 : float
        As in `literal_c_amp`.
    """
    needed = literal_c_amp(p_mix, lambda_0)
    return Hypothesis(
        "c_amp is at least 8 c_hyp/c_thm, what the proof supplies (smaller values are not proved)",
        True if c_amp >= needed * (1.0 - 1e-12) else None,
        {"c_amp": c_amp, "needed": needed},
    )


def blocks_hypothesis(n: int | None, k: int, eps: float, lambda_0: float) -> Hypothesis:
    """Whether the printed amplification argument applies at this density: True, or unknown.

    Parameters
    ----------
    n : int or None
        Sample size; None stands for one beyond 2^1000.
    k : int
        Subset size.
    eps, lambda_0 : float
        As in `proof_blocks`.
    """
    blocks = proof_blocks(k, eps, lambda_0)
    covered = n is not None and k * blocks <= lambda_0 * n
    return Hypothesis(
        "k/n <= lambda_0/r, so that each of the r = (4/c_thm) ln(k/eps) blocks of the printed proof has "
        "density at most lambda_0 (beyond, the statement is not proved there)",
        True if covered or n is None else None,
        {"density": 0.0 if n is None else k / n, "blocks": blocks, "limit": lambda_0 / blocks},
    )


def _resolve(
    inputs: Mapping[str, Any],
    needed: Callable[[int], float],
    start: Callable[[float], float | None],
    ratio: float,
) -> tuple[int | None, int, int | None, float]:
    """(n to check, k, least n, log2 of the least n) from either k or density."""
    exactly_one(inputs, "k", "density")
    n, density = inputs["n"], inputs["density"]
    least: int | None
    if density is None:
        k = inputs["k"]
        least, log2_least = least_n_fixed_k(k, needed(k), math.ceil(ratio * k))
    else:
        least, k = round_up(start(density) or 1.0, density, needed)
        log2_least = math.log2(least)
        if n is not None:
            k = share(density, n)
    if n is not None and k > n:
        raise InvalidInput(f"`k` must be at most `n` = {n}; got {k}.")
    return (least if n is None else n), k, least, log2_least


def _inequality(text: str, n: int | None, k: int, needed: float) -> Hypothesis:
    left = None if n is None else chosen_entropy(n, k)
    # n is None: the least n itself, too large for an integer, satisfies its own inequality.
    return Hypothesis(text, left is None or left >= needed, {"n_entropy": left, "needed": needed})


def _half(n: int | None, k: int) -> Hypothesis:
    return Hypothesis("1 <= k <= n/2", n is None or 2 * k <= n, {"k": k, "n": n})


def _theorem_2(inputs: Mapping[str, Any]) -> tuple[Values, tuple[Hypothesis, ...]]:
    eps, lambda_0, z = inputs["eps"], inputs["lambda_0"], inputs["z"]
    c_hyp = inputs["c_hyp"]
    if isinstance(c_hyp, str):
        c_hyp = {"one": 1.0, "literal": 1.0 / literal_alpha(1.0), "fitted": FITTED_C_HYP}[c_hyp]
    product = inputs["law"] == "product"
    law = {"uniform": Uniform(), "normal": Normal(inputs["s"]), "product": LiveProduct()}[inputs["law"]]
    bounds = sum_bounds(law)

    def needed(k: int) -> float:
        return float(c_hyp * max(math.log2(k / eps), 0.0))

    def start(density: float) -> float | None:
        return log_root(c_hyp / float(binary_entropy(density)), density / eps)

    n, k, least, log2_least = _resolve(inputs, needed, start, 1.0 / lambda_0)
    dense = n is None or k <= lambda_0 * n * (1.0 + 1e-12)
    edge = bounds.reach * math.sqrt(k)
    reached = z is None or abs(z) <= edge
    interior = z is not None and abs(z) <= edge - eps
    sum_bounded = (
        "c_l/sqrt(k) <= f_k(x) for |x| <= sqrt(k)/2, f_k <= c_u/sqrt(k), k >= 2 (constants checked to k = 60)"
        if product
        else "the law is sum-bounded: c_l/sqrt(k) <= f_k(x) for |x| <= sqrt(k), f_k <= c_u/sqrt(k), all k >= 1"
    )
    hypotheses = (
        Hypothesis(sum_bounded, k >= bounds.k_min, {"c_l": bounds.c_l, "c_u": bounds.c_u}),
        Hypothesis("1 <= k <= lambda_0 n", dense, {"k": k, "n": n, "lambda_0": lambda_0}),
        Hypothesis("c_hyp >= 1", c_hyp >= 1.0, {"c_hyp": c_hyp}),
        _inequality("n H2(k/n) >= c_hyp log2(k/eps)", n, k, needed(k)),
        Hypothesis(
            "|z| <= sqrt(k)/2" if product else "|z| <= sqrt(k)", reached, {"z": z, "sqrt_k": math.sqrt(k)}
        ),
    )
    constant = mu = None
    if all(h.holds for h in hypotheses):
        ratio = 2.0**100 if n is None else max(n / k, 1.0 / lambda_0)
        extra = last_overlap(n, k, eps) if product and n is not None else 0.0
        constant, mu = hit_constant(bounds, k, ratio, lambda_0, interior=interior, extra=extra)
    values: Values = {
        "n": n,
        "k": k,
        "required_n": least,
        "log2_required_n": log2_least,
        "guaranteed_probability": constant,
        "c_hyp": c_hyp,
        "c_l": bounds.c_l,
        "c_u": bounds.c_u,
        "mu": mu,
    }
    return values, hypotheses


def _covering_values(
    inputs: Mapping[str, Any], c_amp: float, n: int | None, k: int, least: int | None, log2_least: float
) -> Values:
    """What Corollaries 1 and 2 report alike."""
    eps, lambda_0 = inputs["eps"], inputs["lambda_0"]
    blocks = proof_blocks(k, eps, lambda_0)
    return {
        "n": n,
        "k": k,
        "required_n": least,
        "log2_required_n": log2_least,
        "claimed_probability": 1.0 - eps,
        "radius": math.sqrt(k),
        "c_amp": c_amp,
        "proof_c_thm": literal_c_thm(lambda_0),
        "proof_blocks": blocks,
        "proof_density_limit": lambda_0 / blocks,
        "proof_density_limit_with_rejection": lambda_0 * literal_alpha(inputs["p_mix"]) / blocks,
    }


def _corollary_1(inputs: Mapping[str, Any]) -> tuple[Values, tuple[Hypothesis, ...]]:
    eps, lambda_0, p_mix = inputs["eps"], inputs["lambda_0"], inputs["p_mix"]
    c_amp = amplification(inputs["c_amp"], p_mix, lambda_0)

    def needed(k: int) -> float:
        return c_amp * max(math.log2(k / eps), 0.0) ** 2

    def start(density: float) -> float | None:
        return log_square_root(c_amp / float(binary_entropy(density)), density / eps)

    n, k, least, log2_least = _resolve(inputs, needed, start, 2.0)
    hypotheses = (
        Hypothesis("0 < eps < 1/2", eps < 0.5, {"eps": eps}),
        _half(n, k),
        _inequality("n H2(k/n) >= c_amp log2(k/eps)^2", n, k, needed(k)),
        amplification_hypothesis(c_amp, p_mix, lambda_0),
        blocks_hypothesis(n, k, eps, lambda_0),
    )
    return _covering_values(inputs, c_amp, n, k, least, log2_least), hypotheses


def large_k(c_amp: float, eps: float) -> float:
    """Least k beyond which k >= 2 c_amp (log2(k)^2 + 2 log2(k) log2(1/eps)) always; 1 if it always holds.

    Parameters
    ----------
    c_amp : float
        Positive.
    eps : float
        In (0, 1).

    Notes
    -----
    In b = log2 k the difference b - log2(2 c_amp b (b + 2 log2(1/eps))) is convex, so Newton's method comes
    down from the right to its largest zero, or meets a slope <= 0 when there is none.
    """
    shift = 2.0 * math.log2(1.0 / eps)
    b = 4.0
    while b < math.log2(2.0 * c_amp * b * (b + shift)):
        b *= 2.0
    for _ in range(100):
        slope = 1.0 - (1.0 / b + 1.0 / (b + shift)) / math.log(2.0)
        if slope <= 0.0:
            return 1.0
        b -= (b - math.log2(2.0 * c_amp * b * (b + shift))) / slope
    return max(1.0, float(2.0**b))


def _corollary_2(inputs: Mapping[str, Any]) -> tuple[Values, tuple[Hypothesis, ...]]:
    eps, lambda_0, p_mix = inputs["eps"], inputs["lambda_0"], inputs["p_mix"]
    c_amp = amplification(inputs["c_amp"], p_mix, lambda_0)
    bits = 2.0 * c_amp * math.log2(1.0 / eps) ** 2

    def start(density: float) -> float | None:
        return bits / float(binary_entropy(density))

    n, k, least, log2_least = _resolve(inputs, lambda _: bits, start, 2.0)
    log2_k = math.log2(k)
    needed_k = 2.0 * c_amp * (log2_k**2 + 2.0 * log2_k * math.log2(1.0 / eps))
    hypotheses = (
        Hypothesis("0 < eps < 1/2", eps < 0.5, {"eps": eps}),
        _half(n, k),
        Hypothesis(
            "k >= 2 c_amp (log2(k)^2 + 2 log2(k) log2(1/eps))", k >= needed_k, {"k": k, "needed": needed_k}
        ),
        _inequality("n H2(k/n) >= 2 c_amp log2(1/eps)^2", n, k, bits),
        amplification_hypothesis(c_amp, p_mix, lambda_0),
        blocks_hypothesis(n, k, eps, lambda_0),
    )
    values = _covering_values(inputs, c_amp, n, k, least, log2_least)
    values["least_k"] = large_k(c_amp, eps)
    return values, hypotheses


_GAP = (
    "The printed proof splits the sample into r = (4/c_thm) ln(k/eps) blocks and asks each for a subset of "
    "the same k, so the density inside a block is r k/n, not k/n: the proof covers only k/n <= lambda_0/r "
    "(and a factor alpha less with the rejection step for mixtures), not constant densities."
)
_CONSTANTS = (
    "c_amp is not given in the paper. Presets: one = 1, as in its figure; literal = 8 c_hyp/c_thm put "
    "together from the proof; fitted = the least value for which the bound stays above the Cox prediction on "
    "a grid, not a theorem."
)

THEOREM_2 = Bound(
    name="theorem-2",
    title="A fixed-size subset hits a given target with constant probability",
    statement=(
        "Let X_1..X_n be i.i.d. sum-bounded, 1 <= k <= n/2, 0 < eps < 1 and n >= c_hyp log2(k/eps)/H2(k/n). "
        "Then for each fixed |z| <= sqrt(k), with probability at least c_thm > 0, some k of them sum to "
        "within eps of z; c_thm depends on none of n, k, eps, z."
    ),
    source="natale2024, Theorem 2 and Remark 1",
    remarks=(
        "c_thm is collected from the proof: the maximum over mu in (lambda_0, 1) of c_l/[2 sqrt2 + 2 c_u "
        "sqrt(k)/(n (mu - lambda_0)^2) + 2 c_u/sqrt(1 - mu)], twice that for |z| <= sqrt(k) - eps.",
        "k <= n/2 may be relaxed to k <= lambda_0 n for any lambda_0 < 1; c_thm then depends on lambda_0.",
        "The normal law must be centred. Live products are not sum-bounded (the density of one is infinite at "
        "0), but sums of two or more are, for |x| <= sqrt(k)/2: the proof runs on them directly, without the "
        "rejection step, if pairs of subsets with all but one element in common are counted apart.",
        "c_hyp = 1 is sharp. The preset literal is the value that the proof of Corollary 1 needs (2.62).",
    ),
    inputs=(
        EPS,
        SIZE,
        DENSITY,
        SAMPLES,
        Input("z", "target; default: an edge target, |z| = sqrt(k) (product: sqrt(k)/2)"),
        Input(
            "law", "law of the samples", "choice", default="uniform", choices=("uniform", "normal", "product")
        ),
        Input("s", "standard deviation, for the normal law", default=1.0, low=0.0, open_low=True),
        LAMBDA,
        C_HYP,
    ),
    evaluator=_theorem_2,
)

COROLLARY_1 = Bound(
    name="corollary-1",
    title="Fixed-size subsets cover an interval with high probability",
    statement=(
        "Let the law of X_1..X_n contain U[-1,1] with weight p_mix, 1 <= k <= n/2, eps < 1/2 and n >= c_amp "
        "log2(k/eps)^2/H2(k/n). Then with probability at least 1 - eps, every z in [-sqrt(k), sqrt(k)] is "
        "within eps of the sum of some k of them."
    ),
    source="natale2024, Corollary 1",
    remarks=(
        _GAP,
        _CONSTANTS,
        "At fixed k the bound asks log2 n ~ c_amp log2(k/eps)^2/k where log2(k/eps)/k is the truth: far from "
        "sharp for very sparse subsets.",
        "The proof needs c_hyp >= 1/alpha besides (p_mix - alpha)^-2, and 0 < alpha < p_mix.",
    ),
    inputs=(EPS, SIZE, DENSITY, SAMPLES, P_MIX, LAMBDA, C_AMP),
    evaluator=_corollary_1,
)

COROLLARY_2 = Bound(
    name="corollary-2",
    title="The covering condition for large k",
    statement=(
        "In the setting of Corollary 1, if k >= 2 c_amp (log2(k)^2 + 2 log2(k) log2(1/eps)), then "
        "n >= 2 c_amp log2(1/eps)^2/H2(k/n) is enough."
    ),
    source="natale2024, Corollary 2",
    remarks=(
        _GAP,
        _CONSTANTS,
        "With the literal constant the condition on k holds only from about 10^6-10^7 on.",
    ),
    inputs=(EPS, SIZE, DENSITY, SAMPLES, P_MIX, LAMBDA, C_AMP),
    evaluator=_corollary_2,
)
