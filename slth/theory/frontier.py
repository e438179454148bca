"""Owns the data of the density figure: what each result allows, gamma against m/m_t."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slth._validate import as_real
from slth.errors import InvalidInput
from slth.laws.product import LiveProduct
from slth.theory.bounds import bound
from slth.theory.constants import PRESETS
from slth.theory.lower_bounds import NORMALISATIONS, least_overparameterization
from slth.theory.sizes import n_cover
from slth.theory.table import COLUMNS, Table

PUBLISHED_GAMMAS = (0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-9)
GAMMAS = tuple(
    sorted({*PUBLISHED_GAMMAS, *(float(f"{10.0**x:.4g}") for x in np.arange(-12.0, -0.31, 0.25))}, reverse=True)
)


@dataclass
class _Rows:
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(
        self,
        curve: str,
        variant: str,
        gamma: float,
        y: float,
        k: float = math.nan,
        n: float = math.nan,
        note: str = "",
    ) -> None:
        self.rows.append((curve, variant, gamma, y, k, n, note))


def density_table(
    m_t: float = 1e4,
    eps: float = 1e-2,
    *,
    c_amp: float | str | Sequence[float | str] = PRESETS,
    gammas: Iterable[float] = GAMMAS,
) -> Table:
    """Curves and points of the figure of density against overparameterisation.

    Parameters
    ----------
    m_t : float
        Parameters of the target, m_t >= 1; all layers have equal widths, m_t = ell d^2.
    eps : float
        Error of the whole network, 0 < eps < 1/2; each weight gets the tolerance e0 = eps/(2 m_t).
    c_amp : number, preset or sequence of them
        One curve of Theorem 3 for each.
    gammas : iterable of float
        Densities in (0, 1/2] at which theorem and lower bound are evaluated.

    Returns
    -------
    Table
        Rows (curve, variant, gamma, overparameterization, k, n, note):

        `theorem-3` / preset or number
            y = 4 n*, gamma = gamma', with the real n* and k = gamma' n*; only where k >= 1. The note says
            whether the printed proof covers the density.
        `lower-bound` / `norm-1` and `printed`
            Theorem 5 for one source serving all linear maps with d^2 = m_t of spectral norm 1 (comparable with
            Theorem 3), or sqrt(k) as printed; n and k count the whole source.
        `sharp` / `sign-matched` and `paper`
            For k = 2, 3, ... the Cox prediction n = `n_cover(k, e0, R = 1, P = 1 - e0)` for live products. When
            each hidden neuron serves the sign that it matches, y = 4 n and gamma = k/n; in the paper's
            arrangement, which prunes the half with the wrong sign, y = 8 n and gamma = k/(2n). Each row is also
            the mark of one integer k.
        `sharp-one-edge` / `w=1/2` and `w=1`
            k = 1 exactly, sign-matched: n with (1 - G(w))^n = e0, G(w) the probability that a product falls
            within e0 of w. Products near 1 are rare, so the largest weight decides.
        `malach`, `pensia` / `theorem` and `experiment`
            Points; the conventions for their unspecified constants stand in the remarks of the two bounds.

    Raises
    ------
    InvalidInput
        If an argument is outside its range.

    Notes
    -----
    [natale2024], Figure 1, whose constants are not given; the convention here is stated row by row. About two
    seconds.

    Examples
    --------
    >>> table = density_table(gammas=(0.5, 1e-9), c_amp="one")
    >>> [round(float(n), 3) for n in table.rows("theorem-3").column("n")]
    [883.166, 20394448678.393]
    """
    size = as_real(m_t, "m_t", low=1.0)
    width = as_real(eps, "eps", low=0.0, high=0.5, open_low=True, open_high=True)
    grid = [as_real(g, "gammas", low=0.0, high=0.5, open_low=True) for g in gammas]
    if not grid:
        raise InvalidInput("`gammas` must hold at least one density; got none.")
    constants = [c_amp] if isinstance(c_amp, (str, int, float)) else list(c_amp)
    rows = _Rows()
    for constant in constants:
        _theorem_3(rows, size, width, constant, grid)
    _lower_bounds(rows, size, width, grid)
    _sharp(rows, width / (2.0 * size))
    _points(rows, size, width)
    columns = {name: [row[j] for row in rows.rows] for j, name in enumerate(COLUMNS)}
    meta = {"m_t": size, "eps": width, "e0": width / (2.0 * size), "c_amp": constants}
    return Table(columns, meta)


def _theorem_3(rows: _Rows, m_t: float, eps: float, c_amp: float | str, gammas: list[float]) -> None:
    variant = c_amp if isinstance(c_amp, str) else f"{float(c_amp):g}"
    for gamma in gammas:
        values = bound("theorem-3", m_t=m_t, eps=eps, density=gamma, c_amp=c_amp).values
        n_star = values["n_star"]
        if n_star is None or gamma * n_star < 1.0:
            continue
        covered = "density covered" if values["covered_by_printed_proof"] else "density not covered"
        rows.add(
            "theorem-3", variant, gamma, 4.0 * n_star, gamma * n_star, n_star, f"{covered} by the printed proof"
        )


def _lower_bounds(rows: _Rows, m_t: float, eps: float, gammas: list[float]) -> None:
    for kind in NORMALISATIONS:
        for gamma in gammas:
            x = least_overparameterization(m_t, eps, gamma, kind)
            if x is not None and gamma * x * m_t >= 1.0:
                rows.add(
                    "lower-bound", kind, gamma, x, gamma * x * m_t, x * m_t, "one source for all linear maps"
                )


def _sharp(rows: _Rows, e0: float) -> None:
    law = LiveProduct()
    for variant, w in (("w=1/2", 0.5), ("w=1", 1.0)):
        n = math.log(e0) / math.log1p(-float(law.window(w, e0, 1)))
        rows.add("sharp-one-edge", variant, 1.0 / n, 4.0 * n, 1.0, n, f"one edge per weight, |w| <= {w:g}")
    sizes: list[tuple[int, int]] = []
    k = 2
    while not sizes or 2 * sizes[-1][0] < sizes[-1][1]:
        sizes.append((k, n_cover(e0, law, k=k, radius=1.0, probability=1.0 - e0)))
        k += 1
    for variant, waste in (("sign-matched", 1), ("paper", 2)):
        for k, n in sizes:
            rows.add(
                "sharp", variant, k / (waste * n), 4.0 * waste * n, float(k), float(n), "prediction, |w| <= 1"
            )


def _points(rows: _Rows, m_t: float, eps: float) -> None:
    malach = bound("malach", m_t=m_t, eps=eps).values
    rows.add("malach", "", malach["density"], malach["overparameterization"], note="constant 1 by convention")
    pensia = bound("pensia", m_t=m_t, eps=eps).values
    rows.add(
        "pensia",
        "theorem",
        pensia["density"],
        pensia["overparameterization"],
        n=pensia["samples_per_weight"],
        note="C = 3 by convention",
    )
    rows.add(
        "pensia",
        "experiment",
        pensia["experiment_density"],
        pensia["experiment_overparameterization"],
        note="their experiment: 784-500-10, eps = 0.01, no gadget",
    )
