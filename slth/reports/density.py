"""The density figure with measured tickets on it, as picture and as table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from slth.errors import InvalidInput
from slth.plots.density import PAPER_COUNT, TICKET, Window, draw_density
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
