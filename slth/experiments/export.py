"""A ledger as a table: one row for each cell and tolerance, with intervals; csv, json or parquet."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from slth.errors import InvalidInput, LedgerDamaged, MissingExtra
from slth.experiments.bins import edge_bin
from slth.experiments.cell import Cell
from slth.experiments.intervals import clopper_pearson
from slth.experiments.ledger import Block, Ledger
from slth.experiments.sequence import confidence_sequence

SUFFIXES = (".csv", ".json", ".parquet")
DECADES = tuple(float(f"1e-{d}") for d in range(1, 13))
SCHEMA = "slth/sweep-table/1"


@dataclass(frozen=True, slots=True)
class Row:
    """A counted probability of one cell at one tolerance.

    Attributes
    ----------
    cell : str
        Digest.
    event : {"hit", "cover"}
        closest and radius count as hit and cover at each tolerance asked for.
    law, n, k, where, selection, seed
        As in `Cell`.
    eps : float
    trials, hits, undecided : int
    estimate, low, high : float
        With the exact interval, for trials fixed in advance.
    always_low, always_high : float
        With the interval of a confidence sequence, for a sweep that was extended after looking.
    confidence : float
    """

    cell: str
    event: str
    law: str
    n: int
    k: int
    eps: float
    where: float | str
    selection: str
    seed: int
    trials: int
    hits: int
    undecided: int
    estimate: float
    low: float
    high: float
    always_low: float
    always_high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Tally:
    """All blocks of a cell together.

    Attributes
    ----------
    cell : Cell
    trials, undecided : int
    hits : int or None
        For hit and cover.
    histogram : tuple of (int, int)
        (bin, count) in ascending order, for closest and radius.
    """

    cell: Cell
    trials: int
    undecided: int
    hits: int | None
    histogram: tuple[tuple[int, int], ...]

    def hits_within(self, eps: float) -> int:
        """Trials whose distance is <= eps; eps must be an edge of the bins (or the cell's own tolerance)."""
        if self.hits is not None:
            if eps != self.cell.eps:
                raise InvalidInput(f"`eps` must be the cell's tolerance {self.cell.eps}; got {eps}.")
            return self.hits
        last = edge_bin(eps)
        return sum(count for j, count in self.histogram if j <= last)


def tallies(ledger: Ledger) -> list[Tally]:
    """The sums over blocks of every cell that has any, ordered by content.

    Raises
    ------
    LedgerDamaged
        If a row is not what was written.
    """
    cells = ledger.cells()
    by_cell: dict[str, list[Block]] = {}
    for block in ledger.blocks():
        by_cell.setdefault(block.cell, []).append(block)
    stray = [digest for digest in by_cell if digest not in cells]
    if stray:
        raise LedgerDamaged(
            f"{ledger.path} is damaged: blocks of unknown cell {stray[0][:12]}.", str(ledger.path)
        )
    found = [_tally(cells[digest][0], blocks) for digest, blocks in by_cell.items()]
    return sorted(found, key=lambda t: _order(t.cell))


def table(ledger: Ledger, *, eps: Sequence[float] = DECADES, confidence: float = 0.95) -> tuple[Row, ...]:
    """The rows of a ledger, the same bit for bit however its blocks came about.

    Parameters
    ----------
    ledger : Ledger
    eps : sequence of float
        Tolerances at which the histograms of closest and radius are read: edges of the bins, 10^(j/16).
    confidence : float
        Of the intervals.

    Returns
    -------
    tuple of Row
        Ordered by event, law, selection, k, n, where, seed, eps.
    """
    for value in eps:
        edge_bin(value)
    rows = []
    for tally in tallies(ledger):
        wanted = [tally.cell.eps] if tally.cell.eps is not None else sorted(eps)
        rows += [row_of(tally, value, confidence) for value in wanted]
    return tuple(rows)


def table_bytes(rows: Iterable[Row], kind: str) -> bytes:
    """The table as the bytes of a ".csv", ".json" or ".parquet" file.

    Raises
    ------
    InvalidInput
        If `kind` is none of these.
    MissingExtra
        If parquet is wanted and pyarrow is not there.
    """
    names = [field.name for field in fields(Row)]
    records = [{name: getattr(row, name) for name in names} for row in rows]
    if kind == ".csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return out.getvalue().encode()
    if kind == ".json":
        return (json.dumps({"schema": SCHEMA, "rows": records}, indent=1, allow_nan=False) + "\n").encode()
    if kind == ".parquet":
        return _parquet([{**record, "where": str(record["where"])} for record in records])
    raise InvalidInput(f"`out` must end in {', '.join(SUFFIXES)}; got {kind!r}.")


def read_table(path: Path, *, eps: Sequence[float] = DECADES, confidence: float = 0.95) -> tuple[Row, ...]:
    """`table` of the ledger in a file."""
    with Ledger(path, read_only=True) as ledger:
        return table(ledger, eps=eps, confidence=confidence)


def row_of(tally: Tally, eps: float, confidence: float = 0.95) -> Row:
    """The row of a cell at one tolerance, as in `table`."""
    cell, hits = tally.cell, tally.hits_within(eps)
    fixed = clopper_pearson(hits, tally.trials, undecided=tally.undecided, confidence=confidence)
    always = confidence_sequence(hits, tally.trials, undecided=tally.undecided, confidence=confidence)
    return Row(
        cell=cell.digest,
        event={"closest": "hit", "radius": "cover"}.get(cell.event, cell.event),
        law=cell.law,
        n=cell.n,
        k=cell.k,
        eps=eps,
        where=cell.where,
        selection=cell.selection,
        seed=cell.seed,
        trials=tally.trials,
        hits=hits,
        undecided=tally.undecided,
        estimate=fixed.estimate,
        low=fixed.low,
        high=fixed.high,
        always_low=always.low,
        always_high=always.high,
        confidence=confidence,
    )


def _tally(cell: Cell, blocks: list[Block]) -> Tally:
    payloads: list[dict[str, Any]] = [json.loads(block.payload) for block in blocks]
    trials = sum(p["trials"] for p in payloads)
    undecided = sum(p["undecided"] for p in payloads)
    if cell.event in ("hit", "cover"):
        return Tally(cell, trials, undecided, sum(p["hits"] for p in payloads), ())
    counts: Counter[int] = Counter()
    for p in payloads:
        counts.update(dict(p["histogram"]))
    return Tally(cell, trials, undecided, None, tuple(sorted(counts.items())))


def _order(cell: Cell) -> tuple[Any, ...]:
    return (cell.event, cell.law, cell.selection, cell.k, cell.n, str(cell.where), cell.seed, cell.eps or 0.0)


def _parquet(records: list[dict[str, Any]]) -> bytes:
    try:
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtra("`out` .parquet needs pyarrow. Install it, or write .csv.") from None
    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(records), out)
    return out.getvalue()
