"""A ledger whose cells are of another kind than cells of trials: of a study, of a search."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from slth.errors import InvalidInput, LedgerDamaged
from slth.experiments.ledger import Ledger, seal


class Record(Protocol):
    """A cell: its content as canonical JSON, and the sha256 of that."""

    @property
    def canonical(self) -> str:
        """Canonical JSON."""
        ...

    @property
    def digest(self) -> str:
        """sha256 of `canonical`, hexadecimal."""
        ...


R = TypeVar("R", bound=Record)


class RecordLedger(Ledger, Generic[R]):
    """A ledger of cells of one kind; a subclass says how they are read."""

    holds = "records"

    @staticmethod
    @abstractmethod
    def read(text: str) -> R:
        """A cell from its canonical JSON. Raises InvalidInput."""

    def file(self, record: R) -> None:
        """File a cell, if it is not there."""
        with self._reporting():
            self._db.execute(
                "INSERT OR IGNORE INTO cells VALUES (?, ?, 1, ?)",
                (record.digest, record.canonical, seal(record.digest, record.canonical, "1")),
            )

    def records(self) -> dict[str, R]:
        """Every cell by digest.

        Raises
        ------
        InvalidInput
            If the ledger holds cells of another kind.
        LedgerDamaged
            If a row is not what was written.
        """
        found = {}
        with self._reporting():
            rows = self._db.execute(
                "SELECT cell, content, block_trials, sha256 FROM cells ORDER BY cell"
            ).fetchall()
        for digest, content, trials, stored in rows:
            if seal(digest, content, str(trials)) != stored:
                raise LedgerDamaged(
                    f"{self.path} is damaged: cell {digest[:12]}. Restore a copy.", str(self.path)
                )
            try:
                cell = self.read(content)
            except InvalidInput as error:
                raise InvalidInput(
                    f"`ledger` must hold {self.holds}; {self.path} holds other cells ({error})"
                ) from None
            if cell.digest != digest:
                raise LedgerDamaged(
                    f"{self.path} is damaged: cell {digest[:12]} is filed under another name.", str(self.path)
                )
            found[digest] = cell
        return found

    def milliseconds(self) -> dict[str, int]:
        """Time that each cell took, all its blocks together, by digest."""
        found: dict[str, int] = {}
        for cell, _, _, spent in self.provenance():
            found[cell] = found.get(cell, 0) + spent
        return found

    @classmethod
    def gather(cls, out: Path, parts: Iterable[Path]) -> int:
        """Take over what is in the ledgers `parts`; return the number of new results in `out`.

        Raises
        ------
        InvalidInput
            If one is missing or holds other cells.
        LedgerDamaged
            If one is damaged or two contradict each other.
        """
        new = 0
        with cls(out) as ledger:
            for part in parts:
                with cls(part, read_only=True) as other:
                    new += ledger.take_over(other)
        return new

    def take_over(self, other: RecordLedger[R]) -> int:
        """Add what `other` has and this ledger has not; return the number of new results.

        Raises
        ------
        LedgerDamaged
            If `other` is damaged or the two contradict each other.
        """
        for record in other.records().values():
            self.file(record)
        made = {(cell, block): (json.loads(run), spent) for cell, block, run, spent in other.provenance()}
        new = 0
        for block in other.blocks():
            where, spent = made.get((block.cell, block.block), ({}, 0))
            new += self.add_block(block, run=self.add_run(where), milliseconds=spent)
        return new
