"""The ledger of a study: its cells are `StudyCell`, each with the one block 0."""

from __future__ import annotations

from slth.baselines.cells import StudyCell
from slth.experiments.record_ledger import RecordLedger


class StudyLedger(RecordLedger[StudyCell]):
    """A ledger whose cells are `StudyCell`; each has the one block 0."""

    holds = "a study of slth compare"

    @staticmethod
    def read(text: str) -> StudyCell:
        """A cell of a study."""
        return StudyCell.from_canonical(text)
