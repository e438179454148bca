"""Owns c_amp and c_hyp, which the theorems leave open: presets, where they come from, how to refit."""

from __future__ import annotations

import math

from slth._validate import as_real
from slth.laws.uniform import Uniform
from slth.theory.covering import uncovered_probability
from slth.theory.entropy import binary_entropy
from slth.theory.hitting import miss_probability
from slth.theory.moments import hit_constant, sum_bounds
from slth.theory.search import least_size

PRESETS = ("one", "literal", "fitted")

FITTED_C_AMP = 0.283  # refit_c_amp(), rounded up
FITTED_C_HYP = 2.005  # refit_c_hyp(), rounded up
FIT_EPS = (1e-2, 1e-4, 1e-6, 1e-8)
FIT_DENSITIES = (0.5, 0.25, 0.1, 0.03, 0.01)

# Weight of U[-1/2, 1/2] in the law of a product b a^+ of the gadget, half of which are 0: the density of a
# live product is -(1/2) ln|t| >= (ln 2)/2 there ([natale2024], Lemma 2).
PRODUCT_MIXTURE_WEIGHT = math.log(2.0) / 4.0


def literal_alpha(p_mix: float) -> float:
    """Fraction of samples kept as uniform, alpha = (p_mix - alpha)^2, which makes c_hyp = 1/alpha least.

    Parameters
    ----------
    p_mix : float
        Weight of the uniform component, in (0, 1].

    Returns
    -------
    float
        In (0, p_mix).

    Notes
    -----
    [natale2024], proof of Corollary 1, asks c_hyp >= (p_mix - alpha)^-2; c_hyp >= 1/alpha is needed too,
    and not implied by it as the proof says.

    Examples
    --------
    >>> round(1 / literal_alpha(1.0), 2), round(1 / literal_alpha(PRODUCT_MIXTURE_WEIGHT), 1)
    (2.62, 44.1)
    """
    p = as_real(p_mix, "p_mix", low=0.0, high=1.0, open_low=True)
    twice = 2.0 * p + 1.0
    return 2.0 * p * p / (twice + math.sqrt(twice * twice - 4.0 * p * p))


def literal_c_thm(lambda_0: float = 0.5) -> float:
    """c_thm of Corollary 1's proof: 3/4 of Theorem 2's constant for U[-1, 1] at the edge, worst k >= 4.

    Parameters
    ----------
    lambda_0 : float
        Largest density allowed, in (0, 1).

    Notes
    -----
    k >= 4 because a component U[-1/2, 1/2] reaches weights of size 1 only then. Smaller k would lower it
    (0.0149 instead of 0.0165 before the factor 3/4, at k = 2 and lambda_0 = 1/2).
    """
    return 0.75 * hit_constant(sum_bounds(Uniform()), 4, 1.0 / lambda_0, lambda_0)[0]


def literal_c_amp(p_mix: float = 1.0, lambda_0: float = 0.5) -> float:
    """c_amp = 8 c_hyp / c_thm, as the proof of Corollary 1 puts it together ([natale2024]).

    Parameters
    ----------
    p_mix : float
        Weight of the uniform component, in (0, 1].
    lambda_0 : float
        Largest density allowed, in (0, 1).

    Examples
    --------
    >>> round(literal_c_amp(), -1), round(literal_c_amp(PRODUCT_MIXTURE_WEIGHT), -2)
    (1690.0, 28500.0)
    """
    return 8.0 / (literal_alpha(p_mix) * literal_c_thm(lambda_0))


def proof_blocks(k: int, eps: float, lambda_0: float = 0.5) -> float:
    """Number r = (4/c_thm) ln(k/eps) of blocks into which the proof of Corollary 1 splits the sample.

    Parameters
    ----------
    k : int
        Subset size.
    eps : float
        Tolerance.
    lambda_0 : float
        Largest density allowed, in (0, 1).

    Notes
    -----
    Each block must contain k-subsets of density r k/n <= lambda_0, so the printed proof covers only
    densities k/n <= lambda_0/r, less still (times `literal_alpha`) with its rejection step.

    Examples
    --------
    >>> round(proof_blocks(20, 1e-4))
    3940
    """
    return 4.0 / literal_c_thm(lambda_0) * math.log(k / eps)


def refit_c_amp() -> float:
    """Recompute the fitted c_amp.

    The largest value of n H2(k/n) / log2(k/eps)^2 over eps in `FIT_EPS` and k/n in `FIT_DENSITIES`, where n is
    the sample size at which the Cox prediction says that U[-1, 1] samples cover [-sqrt k, sqrt k] with
    confidence 1 - eps. With this c_amp the n of Corollary 1 is never below the predicted one on
    the grid; outside the grid nothing is claimed. A fit to a prediction, hence not a theorem.
    """
    law = Uniform()
    worst = 0.0
    for density in FIT_DENSITIES:
        for eps in FIT_EPS:

            def enough(n: int, k: int, width: float = eps) -> bool:
                return k < n and uncovered_probability(n, k, width, math.sqrt(k), law) <= width

            n, k = least_size(enough, density)
            worst = max(worst, n * float(binary_entropy(k / n)) / math.log2(k / eps) ** 2)
    return worst


def refit_c_hyp() -> float:
    """Recompute the fitted c_hyp.

    The largest value of n H2(k/n) / log2(k/eps) over the grid of `refit_c_amp`, where n is the sample size at
    which the Cox prediction says that the edge target z = sqrt k is hit with probability 1/2.
    """
    law = Uniform()
    worst = 0.0
    for density in FIT_DENSITIES:
        for eps in FIT_EPS:

            def enough(n: int, k: int, width: float = eps) -> bool:
                return k < n and float(miss_probability(n, k, width, math.sqrt(k), law)) <= 0.5

            n, k = least_size(enough, density)
            worst = max(worst, n * float(binary_entropy(k / n)) / math.log2(k / eps))
    return worst
