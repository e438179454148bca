"""`slth figure`: the catalogue of figures, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from slth.cli.output import COMMON, OUT, Common, print_json, print_table, say
from slth.errors import InvalidInput

app = App(name="figure", help="Draw a figure of the catalogue.")


@app.command
def density(
    *,
    out: Annotated[Path, OUT],
    m_t: Annotated[float, Parameter(name="--m-t")] = 10_000,
    eps: float = 0.01,
    c_amp: Annotated[
        list[str] | None, Parameter(name="--c-amp", consume_multiple=True, negative_iterable="")
    ] = None,
    ticket: Annotated[list[Path] | None, Parameter(consume_multiple=True, negative_iterable="")] = None,
    ledger: Path | None = None,
    table: Path | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    common: Common = COMMON,
) -> int:
    """Draw density against overparameterisation: theorems, lower bounds, prediction, measurements, tickets.

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
    ledger
        Ledger of covering radii, drawn where they decide. Default: the one that comes with slth.
    table
        Write what is drawn, .csv or .json.
    force
        Replace existing files.
    """
    from slth.reports.density import (
        density_figure,
        refuse_table_kind,
        table_text,
        with_measured,
        with_tickets,
    )
    from slth.reports.figures import picture_kind
    from slth.reports.outputs import refuse_existing
    from slth.theory.frontier import density_table
    from slth.tickets.ticket import Ticket

    kind = picture_kind(out)
    refuse_existing(out, overwrite=force)
    if table is not None:
        refuse_table_kind(table.suffix)
        refuse_existing(table, overwrite=force)
    tickets = {f"measured: {path.name}": Ticket.load(path) for path in ticket or []}
    curves = density_table(m_t, eps, c_amp=_constants(c_amp))
    rows = with_tickets(with_measured(curves, ledger), tickets)
    files = {out: density_figure(rows, kind=kind)}
    if table is not None:
        files[table] = table_text(rows, kind=table.suffix).encode("utf-8")
    written = _write(files, force)
    if common.json:
        print_json("figure-density", {"written": written, **rows.meta, "curves": rows.curves})
    else:
        say("written: " + ", ".join(written))
    return 0


@app.command(name="law-of-n")
def law_of_n(
    *,
    out: Annotated[Path, OUT],
    ledger: Path | None = None,
    table: Path | None = None,
    confidence: float = 0.95,
    force: Annotated[bool, Parameter(negative="")] = False,
    common: Common = COMMON,
) -> int:
    """Draw measured thresholds, n H2(k/n) against log2(k/eps), and print the bands of their slopes.

    Example: slth figure law-of-n --out law-of-n.svg

    Parameters
    ----------
    out
        File to write, .svg or .png.
    ledger
        Ledger of a sweep. Default: the one that comes with slth.
    table
        Write the thresholds and slopes, .json.
    confidence
        Of each bracket of n.
    force
        Replace existing files.
    """
    import json

    from slth.reports.figures import picture_kind
    from slth.reports.law_of_n import law_of_n_figure, measured_points, measured_slopes
    from slth.reports.outputs import refuse_existing

    kind = picture_kind(out)
    refuse_existing(out, overwrite=force)
    if table is not None:
        if table.suffix != ".json":
            raise InvalidInput(f"`table` must end in .json; got {table.suffix!r}.")
        refuse_existing(table, overwrite=force)
    points = measured_points(ledger, confidence=confidence)
    bands = measured_slopes(points)
    record = {"points": [p.summary() for p in points], "slopes": [s.summary() for s in bands]}
    files = {out: law_of_n_figure(points, kind=kind)}
    if table is not None:
        files[table] = (json.dumps(record, indent=1) + "\n").encode()
    written = _write(files, force)
    if common.json:
        print_json("figure-law-of-n", {"written": written, **record})
        return 0
    print_table(
        (
            "event",
            "law",
            "where",
            "family",
            "P",
            "eps",
            "slope",
            "ratio of halves",
            "if squared",
            "squared law",
        ),
        [_slope_row(s.summary()) for s in bands],
        title=f"Mean slope of n H2(k/n) against log2(k/eps), bands from {100 * confidence:g} % brackets of n",
    )
    say("written: " + ", ".join(written))
    return 0


@app.command
def frontier(
    *,
    out: Annotated[Path, OUT],
    ledger: Path | None = None,
    target: Annotated[list[str] | None, Parameter(consume_multiple=True, negative_iterable="")] = None,
    table: Path | None = None,
    confidence: float = 0.95,
    force: Annotated[bool, Parameter(negative="")] = False,
    common: Common = COMMON,
) -> int:
    """Draw the smallest certified sources of a ledger against density, with theory beside them.

    Example: slth figure frontier --out frontier.svg

    Parameters
    ----------
    out
        File to write, .svg or .png.
    ledger
        Ledger of `slth frontier`. Default: the one that comes with slth.
    target
        Names of the targets to draw. Default: all.
    table
        Write what is drawn, .csv or .json.
    confidence
        Of the intervals.
    force
        Replace existing files.
    """
    from slth.experiments.frontier_rows import frontier_rows, rows_bytes
    from slth.experiments.shipped import shipped_ledger
    from slth.reports.density import refuse_table_kind
    from slth.reports.figures import picture_kind
    from slth.reports.frontier import frontier_figure
    from slth.reports.outputs import refuse_existing

    kind = picture_kind(out)
    refuse_existing(out, overwrite=force)
    if table is not None:
        refuse_table_kind(table.suffix)
        refuse_existing(table, overwrite=force)
    rows = frontier_rows(ledger or shipped_ledger("frontier"), confidence=confidence)
    known = list(dict.fromkeys(row.target for row in rows))
    if unknown := [name for name in target or [] if name not in known]:
        raise InvalidInput(f"`--target` must be one of {', '.join(known) or 'none'}; got {unknown[0]!r}.")
    rows = tuple(row for row in rows if target is None or row.target in target)
    files = {out: frontier_figure(rows, kind=kind)}
    if table is not None:
        files[table] = rows_bytes(rows, table.suffix)
    written = _write(files, force)
    if common.json:
        print_json("figure-frontier", {"written": written, "rows": len(rows)})
    else:
        say("written: " + ", ".join(written))
    return 0


def _write(files: dict[Path, bytes], force: bool) -> list[str]:
    """Write the files; return their names."""
    from slth.reports.outputs import write_file

    for path, content in files.items():
        write_file(path, content, overwrite=force)
    return [str(path) for path in files]


def _slope_row(band: dict[str, Any]) -> tuple[Any, ...]:
    return (
        band["event"],
        band["law"],
        str(band["where"]),
        band["family"],
        str(band["probability"]),
        f"{band['eps'][0]:g}..{band['eps'][-1]:g}",
        _interval(band["slope"]),
        _interval(band["ratio"]),
        f"{band['ratio_if_squared']:.2f}",
        band["squared_law"],
    )


def _interval(ends: list[float]) -> str:
    return f"[{ends[0]:.2f}, {ends[1]:.2f}]"


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
