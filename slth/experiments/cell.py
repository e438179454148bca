"""A cell of a sweep: its content, its identity, its blocks of trials and what a block records.

The identity of a cell is the sha256 of its canonical JSON, from which fields at their defaults are left out:
a field added later, with a default, leaves every old cell where it was.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from slth._typing import IntArray
from slth.errors import InvalidInput
from slth.experiments.bins import UNKNOWN_BIN
from slth.experiments.trial import UNKNOWN, YES, Experiment, decide, draw, experiment


@dataclass(frozen=True, slots=True)
class Cell:
    """One experiment of a sweep, with the seed of its trials.

    Attributes
    ----------
    event : {"hit", "cover", "closest", "radius"}
    law : {"uniform", "normal", "product"}
    n, k : int
    eps : float or None
    where : float or {"edge", "uniform"}
        Target, or end of the range.
    selection : {"subset", "one-per-block"}
    seed : int
        As in `slth.experiments.trial.experiment`; the seed is part of the identity.
    """

    event: str
    law: str
    n: int
    k: int
    eps: float | None = None
    where: float | str = "edge"
    selection: str = "subset"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("eps", "where"):  # 1 and 1.0 are one cell
            value = getattr(self, name)
            if isinstance(value, int) and not isinstance(value, bool):
                object.__setattr__(self, name, float(value))

    def experiment(self) -> Experiment:
        """The experiment, checked."""
        return experiment(
            self.event, self.n, self.k, self.eps, law=self.law, where=self.where, selection=self.selection
        )

    @property
    def canonical(self) -> str:
        """JSON with sorted keys and hexadecimal floats, without the fields that have their default values.

        Examples
        --------
        >>> Cell("hit", "uniform", 20, 5, eps=0.5).canonical
        '{"eps":"0x1.0000000000000p-1","event":"hit","k":5,"law":"uniform","n":20}'
        """
        content = {
            field.name: _plain(getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        return canonical_json(content)

    @property
    def digest(self) -> str:
        """sha256 of `canonical`, hexadecimal: what the ledger files the cell under."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @staticmethod
    def from_canonical(text: str) -> Cell:
        """Read what `canonical` wrote.

        Raises
        ------
        InvalidInput
            If the text is not the canonical form of a cell.
        """
        try:
            content = json.loads(text)
            for name in ("eps", "where"):
                if isinstance(content.get(name), str) and content[name].lstrip("-").startswith("0x"):
                    content[name] = float.fromhex(content[name])
            cell = Cell(**content)
            cell.experiment()
        except (ValueError, TypeError, AttributeError) as error:
            raise InvalidInput(
                f"`text` must be a cell in canonical JSON; got {text[:200]!r} ({error})."
            ) from None
        if cell.canonical != text:
            raise InvalidInput(f"`text` must be a cell in canonical JSON; got {text[:200]!r}.")
        return cell


def canonical_json(content: Any) -> str:
    """JSON in one spelling: sorted keys, no blanks, ASCII."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def run_block(cell: Cell, block: int, trials: int) -> str:
    """Do the trials of one block and return its payload: canonical JSON of integers.

    The random numbers depend on the cell and the number of the block only. hit and cover record "hits",
    "trials" and "undecided"; closest and radius "histogram" ([bin, count] pairs), "trials" and "undecided".
    """
    trial = cell.experiment()
    samples, targets = draw(trial, int(cell.digest, 16), block, trials)
    return canonical_json(_tally(trial, decide(trial, samples, targets, threads=1)))


def _tally(trial: Experiment, answers: IntArray) -> dict[str, Any]:
    if trial.counts:
        return {
            "trials": len(answers),
            "hits": int((answers == YES).sum()),
            "undecided": int((answers == UNKNOWN).sum()),
        }
    known = answers[answers != UNKNOWN_BIN]
    bins, counts = np.unique(known, return_counts=True)
    return {
        "trials": len(answers),
        "histogram": [[int(j), int(c)] for j, c in zip(bins, counts, strict=True)],
        "undecided": len(answers) - len(known),
    }


def trials_in(seconds: float, trial: Experiment) -> int:
    """Trials that make a block of about so many seconds, by a model of the cost and not by a clock.

    Were blocks cut by a clock, their random streams and so the table would differ from run to run. The model
    counts list entries in integers (about 5 ns each on a core of 2024) and the answer is a power of two, so
    that every machine cuts alike; the ledger keeps the number with the cell, so that a better model cuts only
    new cells differently.
    """
    most = max(1, _MOST_NUMBERS // trial.n)
    wanted = int(min(max(1.0, seconds * 1e9 / _nanoseconds(trial)), most))
    return 1 << (wanted.bit_length() - 1)


_MOST_NUMBERS = 1 << 22  # samples drawn for one block


def _nanoseconds(trial: Experiment) -> int:
    """Rough cost of one trial."""
    n, k = trial.n, trial.k
    half = n - n // 2
    setup = 5_000 + 40 * n
    lists = 2 * sum(math.comb(half, c) for c in range(min(k, half) + 1))
    if trial.selection == "one-per-block":
        lists = 2 * (n // k) ** ((k + 1) // 2)
    full = setup + 5 * lists
    if trial.event == "cover" and trial.eps is not None:
        return full + 20 * int(float(trial.where) / trial.eps)
    if trial.event == "radius":
        return full + 10 * lists + min(math.comb(n, k), 10**12)
    if trial.event == "closest" or trial.eps is None:
        return full
    # many solutions: a few samples out of all already hold one
    if math.comb(n, k) * trial.eps > 100:
        return min(full, setup + 1_000 * math.isqrt(int(10 / trial.eps) + 1) + 1_500 * n)
    return full


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, float) else value
