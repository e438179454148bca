"""The ledger: an SQLite file of finished blocks, each row with its own sha256.

What was measured (cells, blocks) stands apart from where and when (runs, provenance), so that the first two
are the same, bit for bit, whoever did the work. A block is written in one transaction, once: a process killed
at any moment loses at most what it had not handed over.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from slth import __version__
from slth.errors import InvalidInput, LedgerDamaged
from slth.experiments.cell import Cell, canonical_json

FORMAT = "slth/ledger/1"
_BUSY_SECONDS = 60.0

_TABLES = """
CREATE TABLE IF NOT EXISTS format (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cells (
    cell TEXT PRIMARY KEY, content TEXT NOT NULL, block_trials INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (
    cell TEXT NOT NULL, block INTEGER NOT NULL, payload TEXT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (cell, block)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS provenance (
    cell TEXT NOT NULL, block INTEGER NOT NULL, run TEXT NOT NULL, milliseconds INTEGER NOT NULL,
    PRIMARY KEY (cell, block)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Block:
    """One row: so many trials of a cell, and what came out.

    Attributes
    ----------
    cell : str
        Digest of the cell.
    block : int
        Number of the block, >= 0.
    payload : str
        Canonical JSON.
    """

    cell: str
    block: int
    payload: str

    @property
    def sha256(self) -> str:
        """Digest that the ledger keeps beside the row."""
        return seal(self.cell, str(self.block), self.payload)


class Ledger:
    """An open ledger; use as a context manager.

    Parameters
    ----------
    path : Path
        File, created if it is not there unless `read_only`.
    read_only : bool
        Open for reading; nothing is written beside the file either.

    Raises
    ------
    InvalidInput
        If the file is not there (read only), cannot be opened, or is not a ledger.
    LedgerDamaged
        If SQLite finds the file damaged.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self._read_only = read_only
        if read_only and not self.path.is_file():
            raise InvalidInput(f"`ledger` must be an existing file; got {str(path)!r}.")
        if not self.path.parent.is_dir():
            raise InvalidInput(
                f"the folder {self.path.parent} must exist to write {self.path.name}. Create it first."
            )
        with self._reporting():
            self._db = self._connect()
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _connect(self) -> sqlite3.Connection:
        if not self._read_only:
            return sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        # a ledger that nobody writes is one plain file, readable where nothing may be written
        quiet = "" if os.path.lexists(f"{self.path}-wal") else "&immutable=1"
        uri = f"{self.path.absolute().as_uri()}?mode=ro{quiet}"
        return sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)

    def _prepare(self) -> None:
        kinds = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if kinds and "format" not in kinds:
            raise InvalidInput(f"`ledger` must be a ledger of slth; {self.path} is another database.")
        if not self._read_only:
            self._db.execute("PRAGMA journal_mode = WAL")
            # a commit reaches the system before it returns: enough against kill -9 (not against power cuts,
            # which may lose the last commits but damage nothing)
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(
                f"BEGIN; {_TABLES} INSERT OR IGNORE INTO format VALUES ('{FORMAT}'); COMMIT;"
            )
        found = [name for (name,) in self._db.execute("SELECT name FROM format")]
        if found != [FORMAT]:
            raise InvalidInput(f"`ledger` must have the format {FORMAT}; {self.path} has {', '.join(found)}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close; if nobody else has the file open, it becomes one plain file again."""
        if not self._read_only:
            try:
                self._db.execute("PRAGMA busy_timeout = 0")
                self._db.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.OperationalError:
                pass  # somebody else still writes: the last one to leave does this
        self._db.close()

    def add_cell(self, cell: Cell, block_trials: int) -> int:
        """File a cell; return its trials per block, which are those of the first time it was filed."""
        content, digest = cell.canonical, cell.digest
        with self._reporting():
            self._db.execute(
                "INSERT OR IGNORE INTO cells VALUES (?, ?, ?, ?)",
                (digest, content, block_trials, seal(digest, content, str(block_trials))),
            )
            row = self._db.execute("SELECT * FROM cells WHERE cell = ?", (digest,)).fetchone()
        return _checked_cell(self.path, row)[1]

    def add_run(self, content: dict[str, Any]) -> str:
        """Note a version, machine and so on; return the name to give with blocks."""
        text = canonical_json(content)
        run = hashlib.sha256(text.encode()).hexdigest()[:16]
        with self._reporting():
            self._db.execute("INSERT OR IGNORE INTO runs VALUES (?, ?)", (run, text))
        return run

    def add_block(self, block: Block, *, run: str, milliseconds: int) -> bool:
        """Write a block; False if it is there already (then nothing changes).

        Raises
        ------
        LedgerDamaged
            If it is there with another payload: both cannot be right.
        """
        row = (block.cell, block.block, block.payload, block.sha256)
        with self._reporting(), self._transaction():
            new = self._db.execute("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?)", row).rowcount == 1
            if new:
                where = (block.cell, block.block, run, milliseconds)
                self._db.execute("INSERT OR REPLACE INTO provenance VALUES (?, ?, ?, ?)", where)
                return True
            key = (block.cell, block.block)
            there = self._db.execute("SELECT payload FROM blocks WHERE cell = ? AND block = ?", key).fetchone()
        if there != (block.payload,):
            raise LedgerDamaged(
                f"{self.path} holds block {block.block} of cell {block.cell[:12]} with another result: "
                f"{there[0][:80]} against {block.payload[:80]}. One of the two is wrong; check both ledgers.",
                str(self.path),
            )
        return False

    def done(self, digest: str) -> set[int]:
        """Numbers of the blocks of a cell that are in the ledger."""
        with self._reporting():
            return {b for (b,) in self._db.execute("SELECT block FROM blocks WHERE cell = ?", (digest,))}

    def cells(self) -> dict[str, tuple[Cell, int]]:
        """Every cell by digest, with its trials per block, in order of the digests."""
        with self._reporting():
            rows = self._db.execute("SELECT * FROM cells ORDER BY cell").fetchall()
        return {row[0]: _checked_cell(self.path, row) for row in rows}

    def blocks(self, digest: str | None = None) -> Iterator[Block]:
        """The blocks of a cell, or all, in order; each is checked against its sha256.

        Raises
        ------
        LedgerDamaged
            At the first row that is not what was written.
        """
        which, values = ("", ()) if digest is None else ("WHERE cell = ?", (digest,))
        with self._reporting():
            query = f"SELECT cell, block, payload, sha256 FROM blocks {which} ORDER BY cell, block"
            for cell, number, payload, stored in self._db.execute(query, values):
                block = Block(cell, number, payload)
                if block.sha256 != stored:
                    raise LedgerDamaged(f"{self.path} is damaged: {_name(block)}. {_REMEDY}", str(self.path))
                yield block

    def provenance(self) -> list[tuple[str, int, str, int]]:
        """(cell, block, run as JSON, milliseconds) of every block."""
        query = "SELECT cell, block, content, milliseconds FROM provenance JOIN runs USING (run) ORDER BY 1, 2"
        with self._reporting():
            return list(self._db.execute(query))

    def check(self, *, discard: bool = False) -> tuple[str, ...]:
        """What is damaged, row by row; with `discard`, such rows are deleted and will be done again."""
        problems: list[str] = []
        with self._reporting(), self._transaction(read=not discard):
            if self._db.execute("PRAGMA quick_check").fetchall() != [("ok",)]:
                raise LedgerDamaged(f"{self.path} is damaged as a database. Restore a copy.", str(self.path))
            known = set()
            for row in self._db.execute("SELECT * FROM cells ORDER BY cell").fetchall():
                try:
                    _checked_cell(self.path, row)
                    known.add(row[0])
                except LedgerDamaged:
                    problems.append(f"cell {row[0][:12]}")
                    if discard:
                        self._db.execute("DELETE FROM cells WHERE cell = ?", (row[0],))
            rows = self._db.execute("SELECT cell, block, payload, sha256 FROM blocks ORDER BY cell, block")
            for cell, number, payload, stored in rows.fetchall():
                block = Block(cell, number, payload)
                if block.sha256 != stored or cell not in known:
                    problems.append(_name(block))
                    if discard:
                        self._db.execute("DELETE FROM blocks WHERE cell = ? AND block = ?", (cell, number))
        return tuple(problems)

    def raise_damaged(self, problems: tuple[str, ...]) -> None:
        """Say that rows are damaged."""
        listed = ", ".join(problems[:5]) + (f" and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise LedgerDamaged(f"{self.path} is damaged: {listed}. {_REMEDY}", str(self.path), problems)

    def merge(self, other: Ledger) -> int:
        """Take over what `other` has and this ledger has not; return the number of new blocks.

        Raises
        ------
        InvalidInput
            If the two cut a cell into blocks of different lengths.
        LedgerDamaged
            If `other` is damaged, or the two contradict each other.
        """
        for digest, (cell, trials) in other.cells().items():
            ours = self.add_cell(cell, trials)
            if ours != trials:
                raise InvalidInput(
                    f"{other.path} cuts cell {digest[:12]} into blocks of {trials} trials, {self.path} into "
                    f"blocks of {ours}: they cannot be merged. Give the length of blocks in trials."
                )
        runs: dict[str, str] = {}
        origin = {}
        with other._reporting():
            for run, content in other._db.execute("SELECT run, content FROM runs"):
                runs[run] = content
            for cell_, number, run, spent in other._db.execute("SELECT * FROM provenance"):
                origin[cell_, number] = (run, spent)
        with self._reporting():
            self._db.executemany("INSERT OR IGNORE INTO runs VALUES (?, ?)", list(runs.items()))
        new = 0
        for block in other.blocks():
            run, spent = origin.get((block.cell, block.block), ("", 0))
            new += self.add_block(block, run=run, milliseconds=spent)
        return new

    @contextmanager
    def _transaction(self, *, read: bool = False) -> Iterator[None]:
        self._db.execute("BEGIN" if read else "BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Turn SQLite's complaints about the file into ours."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise InvalidInput(f"`ledger` must be a file that can be opened; {self.path}: {error}.") from None
        except sqlite3.DatabaseError as error:
            raise LedgerDamaged(
                f"{self.path} is not a database or is damaged ({error}). Restore a copy.", str(self.path)
            ) from None


def versions(**more: str) -> dict[str, str]:
    """Versions and machine, for `add_run`, with whatever else decides a result."""
    return {
        "slth": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "system": platform.system(),
        **more,
    }


_REMEDY = "Rows that are damaged can be done again: slth sweep run ... --discard-damaged"


def seal(*parts: str) -> str:
    """The sha256 that stands beside a row of these texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _name(block: Block) -> str:
    return f"block {block.block} of cell {block.cell[:12]}"


def _checked_cell(path: Path, row: tuple[str, str, int, str]) -> tuple[Cell, int]:
    digest, content, trials, stored = row
    if seal(digest, content, str(trials)) != stored:
        raise LedgerDamaged(f"{path} is damaged: cell {digest[:12]}. {_REMEDY}", str(path))
    cell = Cell.from_canonical(content)
    if cell.digest != digest:
        raise LedgerDamaged(f"{path} is damaged: cell {digest[:12]} is filed under another name.", str(path))
    return cell, trials
