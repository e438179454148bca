"""Owns the lower bound on source networks: Theorem 5, in both normalisations, asymptotic and exact."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from slth.errors import InvalidInput
from slth.theory.bound import Bound, Hypothesis, Input, Values
from slth.theory.covering_bounds import EPS
from slth.theory.entropy import binary_entropy, log2_binomial
from slth.theory.logsquare import log_linear_root
from slth.theory.search import least_size

NORMALISATIONS = ("norm-1", "printed")
LAMBDA_0 = 1.0 - 1.0 / (2.0 * math.pi)


def needed_bits(m_t: float, eps: float, k: float, normalisation: str) -> float:
    """log2 of the number of subnetworks that must exist: the right-hand side of the counting argument.

    Parameters
    ----------
    m_t : float
        d^2, dimension of the family of linear maps.
    eps : float
        Error in operator norm.
    k : float
        Parameters kept; enters only the printed normalisation.
    normalisation : {"norm-1", "printed"}
        Spectral norms at most 1, or at most sqrt(k).

    Returns
    -------
    float
        m_t log2(r/(2 eps)) - 1 with r = 1 or sqrt(k).

    Notes
    -----
    [natale2024], proof of Theorem 5: balls of radius 2 eps around the subnetworks must fill at least half of
    the ball of radius r of the family, so C(n, k) >= (1/2) (r/(2 eps))^{d^2}.
    """
    radius = math.sqrt(k) if normalisation == "printed" else 1.0
    return m_t * math.log2(radius / (2.0 * eps)) - 1.0


def least_overparameterization(m_t: float, eps: float, density: float, normalisation: str) -> float | None:
    r"""Least x = n/m_t that Theorem 5 allows at density k/n, by Stirling's formula; None where it says nothing.

    Parameters
    ----------
    m_t : float
        d^2 >= 1.
    eps : float
        0 < eps < 1/2.
    density : float
        0 < k/n < 1.
    normalisation : {"norm-1", "printed"}
        The family of spectral norm 1, or sqrt(k) as printed.

    Notes
    -----
    [natale2024], Theorem 5. As printed, n = (d^2/2) log2(k/eps)/H2(k/n), i.e. x H2(g) = log2(g m_t x/eps)/2,
    solved by W_{-1} (largest root). For norm 1,

        x m_t H2(g) - log2(2 pi g (1-g) x m_t)/2 = m_t log2(1/(2 eps)) - 1,

    the left side being log2 C(n, k) up to O(1/k); it increases with x beyond the point where k is about 1.

    Examples
    --------
    >>> [round(least_overparameterization(1e4, 1e-2, 0.5, kind), 4) for kind in ("norm-1", "printed")]
    [5.6446, 11.2091]
    """
    entropy = float(binary_entropy(density))
    if normalisation == "printed":
        return log_linear_root(entropy, density * m_t / eps)
    least = least_for_bits(needed_bits(m_t, eps, 1.0, normalisation), density)
    return None if least is None else least / m_t


def least_for_bits(bits: float, density: float) -> float | None:
    """Least real n whose subsets of density k/n number 2^bits, by Stirling's formula; None where any does.

    Parameters
    ----------
    bits : float
        log2 of the number of subnetworks that must exist.
    density : float
        0 < k/n < 1.

    Examples
    --------
    >>> round(least_for_bits(1e4 * 5.643856 - 1.0, 0.5))  # as for 10^4 parameters at eps = 0.01
    56446
    """
    entropy = float(binary_entropy(density))

    def excess(n: float) -> float:
        return n * entropy - 0.5 * math.log2(2.0 * math.pi * density * (1.0 - density) * n) - bits

    low = 1.0 / (2.0 * math.log(2.0) * entropy)  # the left side decreases before, increases after
    if excess(low) >= 0.0:
        return None
    high = 2.0 * low
    while excess(high) < 0.0:
        high *= 2.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) < 0.0 else (low, middle)
    return high


def least_parameters(m_t: float, eps: float, density: float, normalisation: str) -> tuple[int, int]:
    """Least n, with k = max(1, round(density n)), such that C(n, k) reaches the count; exact by log-gamma.

    Parameters
    ----------
    m_t, eps, density : float
        As in `least_overparameterization`.
    normalisation : {"norm-1", "printed"}
        As in `least_overparameterization`.

    Returns
    -------
    tuple of int
        (n, k).

    Examples
    --------
    >>> least_parameters(1e4, 1e-2, 0.5, "norm-1")
    (56446, 28223)
    """

    def enough(n: int, k: int) -> bool:
        return k < n and float(log2_binomial(n, k)) >= needed_bits(m_t, eps, k, normalisation)

    return least_size(enough, density)


def _theorem_5(inputs: Mapping[str, Any]) -> tuple[Values, tuple[Hypothesis, ...]]:
    d, eps, density, n, k = (inputs[name] for name in ("d", "eps", "density", "n", "k"))
    if (density is None) == (n is None) or (n is None) != (k is None):
        raise InvalidInput(
            "either `density` or both `n` and `k` must be given; "
            f"got density = {density!r}, n = {n!r}, k = {k!r}."
        )
    m_t = float(d * d)
    small = Hypothesis("eps < 1/16", eps < 1.0 / 16.0, {"eps": eps})
    values: Values = {"m_t": d * d, "lambda_0": LAMBDA_0}
    if density is None:
        if k > n:
            raise InvalidInput(f"`k` must be at most `n` = {n}; got {k}.")
        density = k / n
        bits = float(log2_binomial(n, k))
        for kind, key in (("printed", "printed"), ("norm-1", "norm_1")):
            values[f"needed_bits_{key}"] = needed_bits(m_t, eps, k, kind)
            values[f"impossible_{key}"] = bits < values[f"needed_bits_{key}"]
        values["available_bits"] = bits
    elif eps < 0.5:
        for kind, key in (("printed", "printed"), ("norm-1", "norm_1")):
            x = least_overparameterization(m_t, eps, density, kind)
            values[f"overparameterization_{key}"] = x
            values[f"n_{key}"] = None if x is None else x * m_t
            values[f"least_n_{key}"], values[f"least_k_{key}"] = least_parameters(m_t, eps, density, kind)
    else:
        raise InvalidInput(f"`eps` must be < 0.5 to invert theorem-5; got {eps!r}.")
    dense = Hypothesis(
        "1 <= k <= (1 - 1/(2 pi)) n", density <= LAMBDA_0, {"density": density, "lambda_0": LAMBDA_0}
    )
    return values, (small, dense)


THEOREM_5 = Bound(
    name="theorem-5",
    title="Lower bound: few parameters cannot hold all linear maps",
    statement=(
        "If with probability at least 1/2 every linear map W in R^{d x d} of spectral norm at most sqrt(k) is "
        "eps-approximated on the unit ball by some subnetwork with k of the n parameters of a source, 1 <= k "
        "<= (1 - 1/(2 pi)) n, eps < 1/16, then n >= (d^2/2) log2(k/eps)/H2(k/n)."
    ),
    source="natale2024, Theorem 5",
    remarks=(
        "The counting behind it is C(n, k) >= (1/2) (sqrt(k)/(2 eps))^{d^2}; for maps of norm at most 1, the "
        "class of Theorem 3, C(n, k) >= (1/2) (1/(2 eps))^{d^2}. Both are given; compare Theorem 3 with norm "
        "1 only.",
        "k is the number of parameters kept in the whole source here, and per weight in Theorems 2 and 3.",
        "It bounds one source that serves a whole family of targets, not the ticket of one given target.",
        "least_n is exact (log-gamma at integers); overparameterization_* uses Stirling's formula.",
    ),
    inputs=(
        EPS,
        Input("d", "width of the linear maps", "integer", required=True, low=1),
        Input("density", "k/n; or give `n` and `k`", low=1e-12, high=1.0, open_high=True),
        Input("n", "parameters of the source", "integer", low=1),
        Input("k", "parameters kept", "integer", low=1),
    ),
    evaluator=_theorem_5,
)
