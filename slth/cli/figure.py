"""`slth figure`: the catalogue of figures, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from slth.cli.output import COMMON, Common, print_json, say
from slth.errors import InvalidInput

app = App(name="figure", help="Draw a figure of the catalogue.")


@app.command
def density(
    *,
    out: Path,
    m_t: Annotated[float, Parameter(name="--m-t")] = 10_000,
    eps: float = 0.01,
    c_amp: Annotated[
        list[str] | None, Parameter(name="--c-amp", consume_multiple=True, negative_iterable="")
    ] = None,
    ticket: Annotated[list[Path] | None, Parameter(consume_multiple=True, negative_iterable="")] = None,
    table: Path | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    common: Common = COMMON,
) -> int:
    """Draw density against overparameterisation: theorems, lower bounds, prediction, measured tickets.

    Example: slth figure density --out density.svg --ticket ticket --table density.csv

    Parameters
    ----------
    out
        File to write, .svg or .png.
    m_t
        Parameters of the target.
    eps
        Error of the whole network.
    c_amp
        Constants of Theorem 3, numbers or one, literal, fitted. Default: these three.
    ticket
        Folders of tickets to set on the figure.
    table
        Write what is drawn, .csv or .json.
    force
        Replace existing files.
    """
    from slth.reports.density import density_figure, refuse_table_kind, table_text, with_tickets
    from slth.reports.figures import picture_kind
    from slth.reports.outputs import refuse_existing, write_file
    from slth.theory.frontier import density_table
    from slth.tickets.ticket import Ticket

    kind = picture_kind(out)
    refuse_existing(out, overwrite=force)
    if table is not None:
        refuse_table_kind(table.suffix)
        refuse_existing(table, overwrite=force)
    tickets = {f"measured: {path.name}": Ticket.load(path) for path in ticket or []}
    rows = with_tickets(density_table(m_t, eps, c_amp=_constants(c_amp)), tickets)
    picture = density_figure(rows, kind=kind)
    text = None if table is None else table_text(rows, kind=table.suffix)
    write_file(out, picture, overwrite=force)
    if table is not None and text is not None:
        write_file(table, text.encode("utf-8"), overwrite=force)
    written = [str(path) for path in (out, table) if path is not None]
    if common.json:
        print_json("figure-density", {"written": written, **rows.meta, "curves": rows.curves})
    else:
        say("written: " + ", ".join(written))
    return 0


def _constants(words: list[str] | None) -> tuple[float | str, ...]:
    from slth.theory.constants import PRESETS

    if not words:
        return PRESETS
    try:
        return tuple(word if word in PRESETS else float(word) for word in words)
    except ValueError:
        raise InvalidInput(
            f"`--c-amp` must be numbers or {', '.join(PRESETS)}; got {' '.join(words)!r}."
        ) from None
