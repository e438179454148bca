"""What every command prints with: JSON on stdout, tables for people, progress on stderr."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from slth._typing import Progress

SCHEMA_VERSION = 1
VERDICT_EXIT = {"verified": 0, "refuted": 1, "undecided": 3, None: 0}


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Options of every command."""

    json: Annotated[bool, Parameter(negative="", help="Print one JSON object on stdout.")] = False
    debug: Annotated[bool, Parameter(negative="", help="Show the traceback of an internal error.")] = False


COMMON = Common()
# Where a command writes.
OUT = Parameter(name=["--out", "-o"])


def plain(value: Any) -> Any:
    """`value` as JSON-ready builtins; numbers that JSON cannot write become null."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return str(value)


def print_json(command: str, record: Mapping[str, Any]) -> None:
    """Write one JSON object that names its schema: "slth/<command>/1"."""
    schema = f"slth/{command}/{SCHEMA_VERSION}"
    document = {"schema": schema, **plain(record), **{"schema": schema}}
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def console() -> Console:
    """Console on stdout. Wide when piped, so that nothing is cut for a program that reads it."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def error_console() -> Console:
    """Console on stderr."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 160)


def print_pairs(pairs: Sequence[tuple[str, Any]], title: str | None = None) -> None:
    """Print labelled values, one a line."""
    table = Table(box=None, show_header=False, pad_edge=False, title=title, title_justify="left")
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in pairs:
        table.add_row(label, _cell(value))
    _print(table)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
    """Print rows under headings; numbers are set to the right."""
    table = Table(box=None, pad_edge=False, title=title, title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        right = bool(rows) and isinstance(rows[0][number], (int, float, np.number))
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    _print(table)


def _print(table: Table) -> None:
    """Print without the blanks that fill the last column: they are noise in a file."""
    out = console()
    with out.capture() as captured:
        out.print(table)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def say(text: str) -> None:
    """Print one line of plain text on stdout."""
    console().print(text, markup=False, soft_wrap=True)


def _cell(value: Any) -> Any:
    from rich.text import Text

    if isinstance(value, (float, np.floating)):
        return Text(f"{value:.6g}")
    return Text(str(value))


def density_text(density: float) -> str:
    """A density with its sparsity, as they are always printed together."""
    return f"density {density:.6g} (sparsity {1.0 - density:.6g})"


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A callback progress(stage, done, total): bars on a terminal, otherwise one line a stage, on stderr."""
    if not sys.stderr.isatty():
        yield _stage_lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=error_console(),
        transient=True,
    ) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def _stage_lines() -> Progress:
    seen: set[str] = set()

    def show(stage: str, done: int, total: int) -> None:
        del done, total
        if stage not in seen:
            seen.add(stage)
            sys.stderr.write(f"{stage} ...\n")
            sys.stderr.flush()

    return show
