"""The density figure with measured tickets on it, as picture and as table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from slth.errors import InvalidInput
from slth.experiments.densities import coverings
from slth.experiments.export import tallies
from slth.experiments.ledger import Ledger
from slth.experiments.shipped import shipped_ledger
from slth.plots.density import MEASURED, PAPER_COUNT, TICKET, Window, draw_density
from slth.reports.figures import inline_svg, render
from slth.theory.table import COLUMNS, Table
from slth.tickets.ticket import Ticket

SIZE = (6.6, 5.9)
# where tickets of practical size live
NEAR: Window = ((1e-3, 1.0), (1.0, 1e5))


def with_tickets(table: Table, tickets: Mapping[str, Ticket]) -> Table:
    """`table` with two rows for each named ticket: kept / total, and the paper's count."""
    columns: dict[str, list[Any]] = {name: list(table.columns[name]) for name in COLUMNS}

    def add(curve: str, name: str, gamma: float, ticket: Ticket, note: str) -> None:
        row = {"curve": curve, "variant": name, "gamma": gamma, "note": note}
        row["overparameterization"] = ticket.overparameterization
        for column in COLUMNS:
            columns[column].append(row.get(column, float("nan")))

    for name, ticket in tickets.items():
        add(TICKET, name, ticket.density, ticket, "measured: kept / total")
        add(PAPER_COUNT, name, ticket.paper_density, ticket, "measured: first edges counted with multiplicity")
    return Table(columns, table.meta)


def with_measured(table: Table, ledger: Path | None = None, *, confidence: float = 0.95) -> Table:
    """`table` with the sizes at which live products were seen to cover [-1, 1] within its e0 = eps/(2 m_t).

    Parameters
    ----------
    table : Table
        As `slth.theory.frontier.density_table` makes it.
    ledger : Path, optional
        Of covering radii. Default: the shipped one.
    confidence : float
        Of each interval.

    Returns
    -------
    Table
        With rows of the curve "measured", variants "subset" and "one-per-block", two for each interval: its
        low and its high end. As for the sign-matched prediction, overparameterization = 4 n and gamma = k/n;
        but the probability is 1/2 where the prediction asks for 1 - e0. What the ledger does not decide at e0
        has no row.
    """
    with Ledger(ledger or shipped_ledger("density"), read_only=True) as opened:
        found = coverings(tallies(opened), table.meta["e0"], confidence=confidence)
    columns: dict[str, list[Any]] = {name: list(table.columns[name]) for name in COLUMNS}
    for covering in sorted(found, key=lambda c: c.selection, reverse=True):
        for end, (n, k) in (("low", covering.low), ("high", covering.high)):
            note = f"{covering.family}: [-1, 1] covered, P = 1/2, {end} end of {100 * confidence:g} % interval"
            for column, value in zip(
                COLUMNS, (MEASURED, covering.selection, k / n, 4.0 * n, k, n, note), strict=True
            ):
                columns[column].append(value)
    return Table(columns, table.meta)


def density_figure(table: Table, *, kind: str, window: Window | None = None) -> bytes:
    """The figure, or the part of it in `window`, as the bytes of an "svg" or "png" file."""
    draw = partial(draw_density, table, window=window)
    return render(draw, kind=kind, size=SIZE, name="density", title=_title(table))


def density_inline(table: Table, *, name: str, window: Window | None = None) -> str:
    """The figure as an <svg> element whose identifiers start with `name`."""
    label = "Density of tickets against overparameterisation"
    draw = partial(draw_density, table, window=window)
    return inline_svg(draw, size=SIZE, name=name, label=label, title=_title(table))


def refuse_table_kind(kind: str) -> None:
    """Raise InvalidInput unless `kind` is ".csv" or ".json"."""
    if kind not in (".csv", ".json"):
        raise InvalidInput(f"`table` must end in .csv or .json; got {kind!r}.")


def table_text(table: Table, *, kind: str) -> str:
    """The table as the text of a ".csv" or ".json" file."""
    refuse_table_kind(kind)
    return table.to_csv() if kind == ".csv" else table.to_json()


def _title(table: Table) -> str:
    return f"m$_t$ = {table.meta['m_t']:g}, \u03b5 = {table.meta['eps']:g}"
