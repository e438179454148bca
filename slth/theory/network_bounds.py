"""Owns the bounds on source networks from above: Theorems 3 and 4, Malach and Pensia."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slth.theory.bound import Bound, Hypothesis, Input, Values, exactly_one
from slth.theory.constants import PRODUCT_MIXTURE_WEIGHT, proof_blocks
from slth.theory.covering_bounds import (
    C_AMP,
    EPS,
    LAMBDA,
    amplification,
    amplification_hypothesis,
    blocks_hypothesis,
)
from slth.theory.entropy import binary_entropy
from slth.theory.logsquare import chosen_entropy, log_square_root, round_up

RATIO = Input(
    "density", "subset density gamma' = k/n", required=True, low=1e-100, high=1.0, open_low=True, open_high=True
)
PARAMETERS = Input("m_t", "parameters of the target (m_t = ell d^2)", required=True, low=1.0)


@dataclass(frozen=True)
class GadgetSize:
    """Least sample per weight at a subset density: the real root, and the integers that stand the re-check.

    Attributes
    ----------
    n_star : float or None
        Largest root of n = c_amp log2(gamma n/tolerance)^2/H2(gamma); None when no root is real, where the
        inequality holds for every n that allows k >= 1.
    n, k : int
        n >= n_star and k = ceil(gamma n) with 4 <= k <= n/2 and n >= c_amp log2(k/tolerance)^2/H2(k/n).
    """

    n_star: float | None
    n: int
    k: int
    density: float
    tolerance: float
    c_amp: float

    @property
    def needed(self) -> float:
        """c_amp log2(k/tolerance)^2."""
        return self.c_amp * max(math.log2(self.k / self.tolerance), 0.0) ** 2


def gadget_size(density: float, tolerance: float, c_amp: float) -> GadgetSize:
    """Sample per weight that Theorem 3 asks for.

    Parameters
    ----------
    density : float
        gamma' in (0, 1).
    tolerance : float
        Per-weight tolerance eps/(2 ell d_{i-1} d_i), or eps/(2 m_t) for equal widths.
    c_amp : float
        Positive.

    Returns
    -------
    GadgetSize

    Notes
    -----
    [natale2024], Theorem 3; closed form through the lower branch W_{-1}, see `log_square_root`. k >= 4 is asked
    because the uniform component of a product reaches only [-1/2, 1/2]: rescaled, k of them reach sqrt(k)/2.

    Examples
    --------
    >>> size = gadget_size(0.1, 5e-7, 1.0)
    >>> round(size.n_star, 2), size.n, size.k
    (1714.05, 1715, 172)
    """
    root = log_square_root(c_amp / float(binary_entropy(density)), density / tolerance)

    def needed(k: int) -> float:
        return c_amp * max(math.log2(k / tolerance), 0.0) ** 2

    n, k = round_up(root if root is not None else 1.0, density, needed, k_min=4)
    return GadgetSize(root, n, k, density, tolerance, c_amp)


def _size_hypotheses(size: GadgetSize, lambda_0: float, label: str = "") -> tuple[Hypothesis, ...]:
    left = chosen_entropy(size.n, size.k)
    return (
        Hypothesis(f"1 <= k <= n/2{label}", size.k >= 1 and 2 * size.k <= size.n, {"k": size.k, "n": size.n}),
        Hypothesis(
            f"n H2(k/n) >= c_amp log2(k/tolerance)^2, checked at the rounded n and k{label}",
            left >= size.needed,
            {"n_entropy": left, "needed": size.needed},
        ),
        Hypothesis(f"k >= 4, so that rescaled products reach all |w| <= 1{label}", size.k >= 4, {"k": size.k}),
        blocks_hypothesis(size.n, size.k, size.tolerance, lambda_0),
    )


_TARGET = Hypothesis(
    "the target is W_ell relu(... relu(W_1 x)) with spectral norms <= 1, and ||x||_2 <= 1 (not decided by "
    "these inputs)",
    None,
)


def _theorem_3(inputs: Mapping[str, Any]) -> tuple[Values, tuple[Hypothesis, ...]]:
    exactly_one(inputs, "widths", "m_t")
    eps, density, lambda_0 = inputs["eps"], inputs["density"], inputs["lambda_0"]
    c_amp = amplification(inputs["c_amp"], PRODUCT_MIXTURE_WEIGHT, lambda_0)
    general = (
        Hypothesis("0 < eps < 1/2", eps < 0.5, {"eps": eps}),
        _TARGET,
        amplification_hypothesis(c_amp, PRODUCT_MIXTURE_WEIGHT, lambda_0),
    )
    if inputs["widths"] is None:
        size = gadget_size(density, eps / (2.0 * inputs["m_t"]), c_amp)
        values = _of_one_weight(size, eps, c_amp, lambda_0)
        return values, general + _size_hypotheses(size, lambda_0)
    layers = list(itertools.pairwise(inputs["widths"]))
    sizes = [gadget_size(density, eps / (2.0 * len(layers) * d * e), c_amp) for d, e in layers]
    values = _of_layers(layers, sizes, eps, c_amp, density)
    checks = [h for i, size in enumerate(sizes) for h in _size_hypotheses(size, lambda_0, f" (layer {i + 1})")]
    return values, general + tuple(checks)


def _of_one_weight(size: GadgetSize, eps: float, c_amp: float, lambda_0: float) -> Values:
    """Values of Theorem 3 for a target known by its number of weights: all gadgets are alike."""
    blocks = proof_blocks(size.k, size.tolerance, lambda_0)
    return {
        "n_star": size.n_star,
        "n": size.n,
        "k": size.k,
        "tolerance": size.tolerance,
        "overparameterization": None if size.n_star is None else 4.0 * size.n_star,
        "overparameterization_integer": 4 * size.n,
        "density": size.k / size.n,
        "claimed_probability": 1.0 - eps,
        "c_amp": c_amp,
        "proof_density_limit": lambda_0 / blocks,
        "covered_by_printed_proof": size.k * blocks <= lambda_0 * size.n,
    }


def _of_layers(
    layers: Sequence[tuple[int, int]], sizes: Sequence[GadgetSize], eps: float, c_amp: float, density: float
) -> Values:
    """Values of Theorem 3 for a target of layers d to e, each with its own gadgets."""
    triples = [(d, e, size) for (d, e), size in zip(layers, sizes, strict=True)]
    m = sum(2 * d * size.n * (d + e) for d, e, size in triples)
    m_t = sum(d * e for d, e in layers)
    survivors = sum(4 * d * e * size.k for d, e, size in triples)
    kept = sum(min(2 * d * size.n, 2 * size.k * d * e) + 2 * d * e * size.k for d, e, size in triples)
    return {
        "n_star": tuple(size.n_star for size in sizes),
        "n": tuple(size.n for size in sizes),
        "k": tuple(size.k for size in sizes),
        "tolerance": tuple(size.tolerance for size in sizes),
        "m": m,
        "m_t": m_t,
        "overparameterization": m / m_t,
        "survivors_counted": survivors,
        "density_counted": survivors / m,
        "density_claimed": density * max(max(d / e, e / d) for d, e in layers),
        "density_bound_without_rho": 2.0 * density if any(d != e for d, e in layers) else density,
        "kept_at_most": kept,
        "density_kept_at_most": kept / m,
        "claimed_probability": 1.0 - eps,
        "c_amp": c_amp,
    }


def _theorem_4(inputs: Mapping[str, Any]) -> tuple[Values, tuple[Hypothesis, ...]]:
    eps, density, lambda_0 = inputs["eps"], inputs["density"], inputs["lambda_0"]
    c_amp = amplification(inputs["c_amp"], PRODUCT_MIXTURE_WEIGHT, lambda_0)
    copies, count = inputs["copies"], inputs["basis_size"]
    tolerance = eps / (2.0 * inputs["layers"] * copies**2 * max(float(count), inputs["basis_norm"]))
    size = gadget_size(density, tolerance, c_amp)
    width = 2 * copies * size.n
    source = 2 * copies * width * count
    survivors = 2 * size.k * copies**2 * count + min(width, 2 * size.k * copies**2 * count)
    values: Values = {
        "n_star": size.n_star,
        "n": size.n,
        "k": size.k,
        "tolerance": tolerance,
        "intermediate_copies": width,
        "source_coefficients_per_layer": source,
        "target_coefficients_per_layer": copies**2 * count,
        "overparameterization": 4 * size.n,
        "survivors_per_layer_at_most": survivors,
        "density_at_most": survivors / source,
        "claimed_probability": 1.0 - eps,
        "c_amp": c_amp,
    }
    hypotheses = (
        Hypothesis("0 < eps < 1/2", eps < 0.5, {"eps": eps}),
        Hypothesis(
            "all feature spaces carry `copies` copies of one representation, coefficients in [-1, 1]", None
        ),
        Hypothesis("the identity map lies in the span of the basis (needed for the first sub-layer)", None),
        amplification_hypothesis(c_amp, PRODUCT_MIXTURE_WEIGHT, lambda_0),
        *_size_hypotheses(size, lambda_0),
    )
    return values, hypotheses


def _malach(inputs: Mapping[str, Any]) -> tuple[Values, tuple[Hypothesis, ...]]:
    ratio = inputs["m_t"] / inputs["eps"]
    y = inputs["c"] * ratio**2 * math.log(ratio)
    values: Values = {"overparameterization": y, "density": 1.0 / y, "log2_overparameterization": math.log2(y)}
    return values, (
        Hypothesis(
            "the unspecified constant is at most c, and norms are as in the paper", None, {"c": inputs["c"]}
        ),
    )


def _pensia(inputs: Mapping[str, Any]) -> tuple[Values, tuple[Hypothesis, ...]]:
    samples = inputs["c"] * math.log2(2.0 * inputs["m_t"] / inputs["eps"])
    values: Values = {
        "samples_per_weight": samples,
        "overparameterization": 4.0 * samples,
        "density": 0.5,
        "experiment_overparameterization": 21.0,
        "experiment_density": 0.447,
    }
    return values, (Hypothesis("the unspecified constant is at most c", None, {"c": inputs["c"]}), _TARGET)


THEOREM_3 = Bound(
    name="theorem-3",
    title="Dense networks: density against overparameterisation",
    statement=(
        "A random source with two layers per target layer, weights i.i.d. U[-1,1] and 2 d_{i-1} n_i hidden "
        "neurons, n_i = c_amp log2(2 ell d_{i-1} d_i gamma' n_i/eps)^2/H2(gamma'), contains with probability "
        "at least 1 - eps, for every target of the class, a subnetwork of density at most rho gamma' that "
        "approximates it within eps on the unit ball; rho = max_i max(d_i/d_{i-1}, d_{i-1}/d_i). Equal "
        "widths: m/m_t = 4 n, density gamma'."
    ),
    source="natale2024, Theorem 3",
    remarks=(
        "The implicit equation has up to two positive roots; the largest, n = A t^2 with t = -(2/ln 2) "
        "W_{-1}(-ln 2/(2 sqrt(A B))), A = c_amp/H2(gamma'), B = gamma'/tolerance, is the one beyond which the "
        "inequality holds. It is rounded up, k = ceil(gamma' n), and everything is checked again.",
        "Corollary 1 needs k <= n/2, so gamma' <= 1/2 although the text says gamma' in (0, 1).",
        "The products contain U[-1/2,1/2], not U[-1,1]: after rescaling the range is sqrt(k)/2 and the "
        "tolerance doubles; k >= 4 is needed to reach weights of size 1.",
        "The proof uses Corollary 1, whose printed proof covers only subset densities up to lambda_0/r, r = "
        "(4/c_thm) ln(k/tolerance): see covered_by_printed_proof. Constant densities, where the theorem is "
        "said to recover Pensia's bound, are not covered by it.",
        "rho is not needed: counting one first-layer edge per second-layer edge, a layer has density 2 d_i "
        "gamma'/(d_{i-1} + d_i) < 2 gamma'. The edges really kept are fewer still, since a hidden neuron "
        "keeps one incoming edge for all outputs (kept_at_most).",
        "The overparameterisation is 4 n, and at n = (m_t/eps)^2 the condition itself allows densities of "
        "order log2(m_t/eps) (eps/m_t)^2, far below the eps/m_t that the paper's comparison with Malach "
        "exhibits.",
        "The log2(.)^2 makes the bound far from sharp at the sparse end.",
    ),
    inputs=(
        EPS,
        RATIO,
        Input("widths", "layer widths d_0, ..., d_ell; or give `m_t`", "integers"),
        Input("m_t", "parameters of a target of equal widths, ell d^2; or give `widths`", low=1.0),
        LAMBDA,
        C_AMP,
    ),
    evaluator=_theorem_3,
)

THEOREM_4 = Bound(
    name="theorem-4",
    title="Equivariant networks",
    statement=(
        "For G-equivariant targets with n copies of one representation per layer and basis B, a random source "
        "with 2 n ntilde intermediate copies, ntilde = c_amp log2(2 ell n^2 max(|B|, ||B||) gamma "
        "ntilde/eps)^2/H2(gamma), contains with probability at least 1 - eps a subnetwork of density at most "
        "gamma, counted in coefficients of the basis, that approximates any target of the class within eps."
    ),
    source="natale2024, Theorem 4, after ferbach2023",
    remarks=(
        "As printed, ntilde stands for the intermediate copies; by the construction it is the sample per "
        "coefficient, and the intermediate layer needs 2 n ntilde copies (intermediate_copies).",
        "||B|| is the largest operator norm of a combination of the basis with coefficients of size at most 1 "
        "(the print omits the bound on the coefficients); odd layers map n copies to ntilde, even ones back.",
        "The paper omits the proof; the first sub-layer needs the identity map in the span of the basis.",
        "The gaps of Corollary 1 (densities covered, constant c_amp) and k >= 4 apply as in Theorem 3.",
    ),
    inputs=(
        EPS,
        RATIO,
        Input("copies", "copies n of the representation in every layer", "integer", required=True, low=1),
        Input("layers", "number ell of target layers", "integer", default=1, low=1),
        Input("basis_size", "number |B| of basis maps", "integer", required=True, low=1),
        Input("basis_norm", "norm ||B||", required=True, low=0.0, open_low=True),
        LAMBDA,
        C_AMP,
    ),
    evaluator=_theorem_4,
)

MALACH = Bound(
    name="malach",
    title="Polynomial overparameterisation",
    statement=(
        "A source wider by a factor polynomial in m_t/eps, y = m/m_t = c (m_t/eps)^2 ln(m_t/eps), contains a "
        "subnetwork with as many weights as the target: density 1/y."
    ),
    source="malach2020, in the form quoted by natale2024",
    remarks=(
        "The constant is not specified; c = 1 by convention. The original bounds depth, widths and entries "
        "separately.",
        "One edge per weight needs only y ~ z ln z, z = m_t/eps, unless |w| is close to 1, where products are "
        "rare.",
    ),
    inputs=(EPS, PARAMETERS, Input("c", "the unspecified constant", default=1.0, low=0.0, open_low=True)),
    evaluator=_malach,
)

PENSIA = Bound(
    name="pensia",
    title="Logarithmic overparameterisation at constant density",
    statement=(
        "C log2(2 m_t/eps) samples per weight are enough when subsets of any size may be used; a typical "
        "subset has half of the samples: density 1/2, m/m_t = 4 C log2(2 m_t/eps)."
    ),
    source="pensia2020, Theorem 1",
    remarks=(
        "C is not specified; C = 3 by convention, after their experiment (3 round(log2(1/eps)) = 21 samples "
        "per weight at eps = 0.01, density 0.447, without the gadget's factor 4): experiment_* are its "
        "coordinates.",
    ),
    inputs=(EPS, PARAMETERS, Input("c", "the unspecified constant C", default=3.0, low=0.0, open_low=True)),
    evaluator=_pensia,
)
