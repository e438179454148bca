"""The frontier as a table: one row for each target, domain, error, recipe and subset density of a ledger."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from slth.errors import InvalidInput
from slth.experiments.frontier_cell import CERTIFIED, TICKET, FrontierCell, FrontierLedger
from slth.experiments.frontier_search import LOOKS
from slth.experiments.frontier_theory import LayerFacts, family_bits, family_bound, theorem_3, theorem_3_at
from slth.experiments.intervals import clopper_pearson

SCHEMA = "slth/frontier/1"
KINDS = (".csv", ".json")


@dataclass(frozen=True, slots=True)
class Tried:
    """What was counted at one size of source.

    Attributes
    ----------
    copies : tuple of int
        Hidden neurons per owner of each layer.
    m : int or None
        Parameters of the source; None where no trial was certified.
    certified, trials : int
    low, high : float
        Exact limits of P(a source of this size holds a certified ticket). They hold for all sizes of one
        search together: each has the level 1 - (1 - confidence)/16.
    """

    copies: tuple[int, ...]
    m: int | None
    certified: int
    trials: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FrontierRow:
    """The smallest source found at one subset density, its ticket, and what theory says there.

    Attributes
    ----------
    target, domain : str
    eps, relative_eps : float
        Certified error allowed; divided by the largest absolute output over the data (None without).
    density : float
        Subset density k / n asked for.
    arrangements : tuple of str
    copies, k : tuple of int
        Of each layer.
    certified, trials : int
    low, high : float
        Exact interval of the share of sources of this size that hold a certified ticket, for this size alone.
    m, m_t, kept : int
    overparameterization, gamma : float
        m / m_t, and kept / total.
    m_low, m_high : float or None
        Ends of the interval for the threshold size, over m_t: the next size up from the largest shown to be
        certified less often than asked, and the least shown to be certified at least as often. None where no
        size shows it.
    m_least : float
        m / m_t of the smallest source that held a certified ticket at all, at whatever size.
    bound, lower_estimate : float
        Of the ticket.
    predicted : float or None
        m / m_t at which half of all sources are predicted to do, at the same tolerances; None where the
        certificate decides instead (the closest subsets, with its budget).
    theorem_3 : float or None
        m / m_t that Theorem 3 asks for with c_amp = 1 at the same k / n.
    theorem_3_at_gamma : float or None
        The same where its own ticket has this kept / total.
    family_bound : float or None
        m / m_t below which no one source, at this kept / total, serves all targets of these norms: a bound for
        a family, not for this target.
    bits_at_tolerance : float or None
        `family_bits` / m_t: log2 of one over the relative error, for each weight.
    code : mapping or None
        The compression view.
    seed, trial : int
        Of the ticket's source.
    sizes : tuple of Tried
        Ascending.
    """

    target: str
    domain: str
    eps: float
    relative_eps: float | None
    density: float
    arrangement: str
    search: str
    budget: str
    window: int
    law: str
    arrangements: tuple[str, ...]
    copies: tuple[int, ...]
    k: tuple[int, ...]
    certified: int
    trials: int
    low: float
    high: float
    m: int
    m_t: int
    kept: int
    overparameterization: float
    gamma: float
    m_low: float | None
    m_high: float | None
    m_least: float
    bound: float
    lower_estimate: float
    predicted: float | None
    theorem_3: float | None
    theorem_3_at_gamma: float | None
    family_bound: float | None
    bits_at_tolerance: float | None
    code: dict[str, float] | None
    seed: int
    trial: int
    sizes: tuple[Tried, ...]


def frontier_rows(path: Path, *, share: float = 0.5, confidence: float = 0.95) -> tuple[FrontierRow, ...]:
    """The rows of a ledger, the same however its trials came about.

    Parameters
    ----------
    path : Path
        Of a ledger that `run_frontier` wrote. Searches that are not finished have a row as soon as some size is
        reached.
    share : float
        Of the trials that must be certified for a size to count as reached.
    confidence : float
        Of the intervals.

    Returns
    -------
    tuple of FrontierRow
        By target, domain, error and recipe; then by density.
    """
    with FrontierLedger(path, read_only=True) as ledger:
        cells = ledger.records()
        results: dict[str, dict[int, dict[str, Any]]] = {digest: {} for digest in cells}
        for block in ledger.blocks():
            results[block.cell][block.block] = json.loads(block.payload)
    groups: dict[FrontierCell, list[FrontierCell]] = {}
    for cell in cells.values():
        plain = FrontierCell(cell.target, cell.domain, cell.eps, cell.density, cell.recipe, cell.seed)
        groups.setdefault(plain, []).append(cell)
    rows = [_row(plain, mine, results, share, confidence) for plain, mine in groups.items()]
    found = [row for row in rows if row is not None]
    return tuple(
        sorted(found, key=lambda r: (r.target, r.domain, r.eps, r.arrangement, r.budget, r.search, r.density))
    )


def _row(
    plain: FrontierCell,
    cells: Sequence[FrontierCell],
    results: dict[str, dict[int, dict[str, Any]]],
    share: float,
    confidence: float,
) -> FrontierRow | None:
    about = next((r for r in results.get(plain.digest, {}).values() if r["outcome"] == CERTIFIED), None)
    sized = [cell for cell in cells if cell.copies is not None and cell.stage != TICKET]
    tried = {cell: _tried(cell, results[cell.digest], confidence) for cell in sized if results[cell.digest]}
    reached = [cell for cell, t in tried.items() if t.certified and t.certified >= share * t.trials]
    if about is None or not reached:
        return None
    best = min(reached, key=lambda cell: tried[cell].m or 0)
    trial, ticket = next((t, r) for t, r in sorted(results[best.digest].items()) if r["outcome"] == CERTIFIED)
    alone = clopper_pearson(tried[best].certified, tried[best].trials, confidence=confidence)
    m_t, gamma = ticket["m_t"], ticket["kept"] / ticket["m"]
    sizes = tuple(sorted(tried.values(), key=lambda t: sum(t.copies)))
    m_low, m_high = _bracket(sizes, share, best, m_t, ticket["m"])
    twin = next((c for c in cells if c.stage == TICKET and c.copies == best.copies), None)
    view = {} if twin is None else results[twin.digest].get(trial, {})
    return FrontierRow(
        target=about["name"],
        domain=about["domain"],
        eps=plain.eps,
        relative_eps=None if about["scale"] is None else plain.eps / about["scale"],
        density=plain.density,
        arrangement=plain.recipe.arrangement,
        search=plain.recipe.search,
        budget=plain.recipe.budget,
        window=plain.recipe.window,
        law=plain.recipe.law,
        arrangements=tuple(layer["arrangement"] for layer in ticket["layers"]),
        copies=tuple(layer["copies"] for layer in ticket["layers"]),
        k=tuple(layer["k"] for layer in ticket["layers"]),
        certified=alone.hits,
        trials=alone.trials,
        low=alone.low,
        high=alone.high,
        m=ticket["m"],
        m_t=m_t,
        kept=ticket["kept"],
        overparameterization=ticket["m"] / m_t,
        gamma=gamma,
        m_low=m_low,
        m_high=m_high,
        m_least=min(t.m for t in sizes if t.m is not None) / m_t,
        bound=ticket["bound"],
        lower_estimate=ticket["lower_estimate"],
        predicted=None if about["predicted_m"] is None else about["predicted_m"] / m_t,
        code=view.get("code"),
        seed=best.trial_seed(trial),
        trial=trial,
        sizes=sizes,
        **_theory(about["facts"], plain, gamma, m_t),
    )


def _tried(cell: FrontierCell, trials: dict[int, dict[str, Any]], confidence: float) -> Tried:
    good = [r for r in trials.values() if r["outcome"] == CERTIFIED]
    p = clopper_pearson(len(good), len(trials), confidence=1.0 - (1.0 - confidence) / LOOKS)
    m = good[0]["m"] if good else None
    return Tried(cell.copies or (), m, p.hits, p.trials, p.low, p.high)


def _bracket(
    sizes: Sequence[Tried], share: float, best: FrontierCell, m_t: int, m: int
) -> tuple[float | None, float | None]:
    """Ends of the threshold over m_t. Sizes without a ticket have their m in proportion to their copies."""
    per_copy = m / sum(best.copies or (1,))

    def ratio(t: Tried) -> float:
        return (t.m if t.m is not None else per_copy * sum(t.copies)) / m_t

    high = next((ratio(t) for t in sizes if t.low >= share), None)
    low = None
    for place, t in enumerate(sizes[:-1]):
        if t.high < share:
            low = ratio(sizes[place + 1])
    return low, high


def _theory(
    facts: list[dict[str, Any]] | None, cell: FrontierCell, gamma: float, m_t: int
) -> dict[str, float | None]:
    names = ("theorem_3", "theorem_3_at_gamma", "family_bound", "bits_at_tolerance")
    if facts is None:
        return dict.fromkeys(names)
    layers = [LayerFacts(**layer) for layer in facts]
    same = theorem_3_at(layers, cell.eps, gamma)
    least = family_bound(layers, cell.eps, gamma)
    return {
        "theorem_3": theorem_3(layers, cell.eps, cell.density).parameters / m_t,
        "theorem_3_at_gamma": None if same is None else same.parameters / m_t,
        "family_bound": None if least is None else least / m_t,
        "bits_at_tolerance": family_bits(layers, cell.eps) / m_t,
    }


def rows_bytes(rows: Iterable[FrontierRow], kind: str) -> bytes:
    """The table as the bytes of a ".csv" or ".json" file; lists stand in a cell with blanks between.

    Raises
    ------
    InvalidInput
        If `kind` is none of these.
    """
    if kind not in KINDS:
        raise InvalidInput(f"`table` must end in .csv or .json; got {kind!r}.")
    if kind == ".json":
        # Many readers of JSON hold no integer above 2^53.
        records = [{**asdict(row), "seed": str(row.seed)} for row in rows]
        return (json.dumps({"schema": SCHEMA, "rows": records}, indent=1, allow_nan=False) + "\n").encode()
    names = [field.name for field in fields(FrontierRow) if field.name not in ("sizes", "code")]
    codes = ("ticket", "owners", "quantised_entropy", "quantised_levels")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*names, *(f"bits_{name}" for name in codes)])
    for row in rows:
        values = [getattr(row, name) for name in names]
        cells = [" ".join(map(str, v)) if isinstance(v, tuple) else "" if v is None else v for v in values]
        writer.writerow([*cells, *("" if row.code is None else row.code[name] for name in codes)])
    return out.getvalue().encode()
