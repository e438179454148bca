"""`slth figure`: the catalogue of figures, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from slth.cli.output import COMMON, Common, print_json, say

app = App(name="figure", help="Draw a figure of the catalogue.")


@app.command
def density(
    *,
    out: Path,
    m_t: Annotated[int, Parameter(name="--m-t")] = 10_000,
    eps: float = 0.01,
    c_amp: Annotated[float, Parameter(name="--c-amp")] = 1.0,
    ticket: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
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
        Constant of Theorem 3.
    ticket
        Folders of tickets to set on the figure.
    table
        Write what is drawn, .csv or .json.
    force
        Replace existing files.
    """
    from slth.reports.density import density_figure, measured_ticket, table_text
    from slth.reports.figures import picture_kind
    from slth.reports.outputs import refuse_existing, write_file
    from slth.theory.frontier import density_table
    from slth.tickets.ticket import Ticket

    kind = picture_kind(out)
    refuse_existing(out, overwrite=force)
    if table is not None:
        refuse_existing(table, overwrite=force)
    measured = [measured_ticket(path.name, Ticket.load(path)) for path in ticket or []]
    curves = density_table(m_t, eps, c_amp=c_amp)
    picture = density_figure(curves, measured, kind=kind)
    text = None if table is None else table_text(curves, measured, kind=table.suffix)
    write_file(out, picture, overwrite=force)
    if table is not None and text is not None:
        write_file(table, text.encode("utf-8"), overwrite=force)
    written = [str(path) for path in (out, table) if path is not None]
    if common.json:
        print_json(
            "figure-density", {"written": written, "m_t": m_t, "eps": eps, "c_amp": c_amp, "tickets": measured}
        )
    else:
        say("written: " + ", ".join(written))
    return 0
