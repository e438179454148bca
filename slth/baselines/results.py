"""A finished study, read from its ledger, and means over seeds. Needs no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from slth._typing import FloatArray
from slth.baselines.cells import StudyCell, parsed
from slth.baselines.study_ledger import StudyLedger
from slth.errors import InvalidInput

# made by `slth compare run --out digits.sqlite`, on one core that others used as well
SHIPPED = "digits.sqlite"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Finished:
    """One finished cell: what it was, the rows it recorded, the time it took."""

    cell: StudyCell
    rows: tuple[dict[str, Any], ...]
    milliseconds: int


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with Student's interval (None for one seed)."""

    mean: float
    low: float | None
    high: float | None
    count: int

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:.2f} (one seed)"
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def read_study(path: Path | None = None) -> list[Finished]:
    """The finished cells of a ledger, the shipped one if none is named, in the order of their content.

    Raises
    ------
    InvalidInput
        If it is no ledger of a study or holds nothing finished.
    LedgerDamaged
        If it is damaged.
    """
    if path is None:
        with as_file(files("slth.baselines") / SHIPPED) as shipped:
            return read_study(shipped)
    with StudyLedger(path, read_only=True) as ledger:
        cells, times = ledger.records(), ledger.milliseconds()
        found = [
            Finished(
                cells[block.cell],
                tuple(parsed(row) for row in json.loads(block.payload)["rows"]),
                times.get(block.cell, 0),
            )
            for block in ledger.blocks()
            if block.cell in cells
        ]
    if not found:
        raise InvalidInput(f"`ledger` must hold finished cells; {path} holds none yet.")
    return sorted(found, key=lambda item: item.cell.canonical)


def interval(
    values: Sequence[float] | FloatArray, *, low: float = -math.inf, high: float = math.inf
) -> Interval:
    """Mean and Student's 95 % interval, cut to [low, high]; as wide as zero when all values are equal.

    Examples
    --------
    >>> print(interval([1.0, 2.0, 3.0]))
    2.00 [-0.48, 4.48]
    """
    from scipy.special import stdtrit

    data = np.asarray(values, dtype=np.float64)
    mean = float(data.mean())
    if len(data) < 2:
        return Interval(mean, None, None, len(data))
    half = float(stdtrit(len(data) - 1, (1 + CONFIDENCE) / 2) * data.std(ddof=1) / math.sqrt(len(data)))
    return Interval(mean, max(low, mean - half), min(high, mean + half), len(data))
