"""The sweep ledger, holding cells of a study instead of cells of trials; everything else is inherited."""

from __future__ import annotations

import hashlib
import json

from slth.baselines.cells import StudyCell
from slth.errors import InvalidInput, LedgerDamaged
from slth.experiments.ledger import Ledger


class StudyLedger(Ledger):
    """A ledger whose cells are `StudyCell`; each has the one block 0."""

    def __enter__(self) -> StudyLedger:
        return self

    def file(self, cell: StudyCell) -> None:
        """File a cell, if it is not there."""
        with self._reporting():
            self._db.execute(
                "INSERT OR IGNORE INTO cells VALUES (?, ?, 1, ?)",
                (cell.digest, cell.canonical, _seal(cell.digest, cell.canonical)),
            )

    def study_cells(self) -> dict[str, StudyCell]:
        """Every cell by digest.

        Raises
        ------
        LedgerDamaged
            If a row is not what was written.
        """
        found = {}
        with self._reporting():
            rows = self._db.execute(
                "SELECT cell, content, block_trials, sha256 FROM cells ORDER BY cell"
            ).fetchall()
        for digest, content, trials, stored in rows:
            if trials != 1 or _seal(digest, content) != stored:
                raise LedgerDamaged(
                    f"{self.path} is damaged: cell {digest[:12]}. Restore a copy.", str(self.path)
                )
            try:
                cell = StudyCell.from_canonical(content)
            except InvalidInput as error:
                raise InvalidInput(
                    f"`ledger` must hold a study of slth compare; {self.path} holds other cells ({error})"
                ) from None
            if cell.digest != digest:
                raise LedgerDamaged(
                    f"{self.path} is damaged: cell {digest[:12]} is filed under another name.", str(self.path)
                )
            found[digest] = cell
        return found

    def milliseconds(self) -> dict[str, int]:
        """Time that each finished cell took, by digest."""
        return {cell: spent for cell, _, _, spent in self.provenance()}

    def take_over(self, other: StudyLedger) -> int:
        """Add what `other` has and this ledger has not; return the number of new results.

        Raises
        ------
        LedgerDamaged
            If `other` is damaged or the two contradict each other.
        """
        for cell in other.study_cells().values():
            self.file(cell)
        made = {cell: (json.loads(run), spent) for cell, _, run, spent in other.provenance()}
        new = 0
        for block in other.blocks():
            where, spent = made.get(block.cell, ({}, 0))
            new += self.add_block(block, run=self.add_run(where), milliseconds=spent)
        return new


def _seal(digest: str, content: str) -> str:
    return hashlib.sha256("\n".join((digest, content, "1")).encode()).hexdigest()
