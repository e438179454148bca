"""The driver of a sweep: what is missing in the ledger, done by an executor, written as it arrives.

A block depends on its cell and number only, so the ledger comes out the same for any executor, order, number
of workers, interruption and resumption. Only the driver writes.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import scipy

from slth._typing import Progress
from slth.errors import CapacityExceeded, InvalidInput, SlthError, SweepIncomplete
from slth.experiments.cell import Cell, run_block
from slth.experiments.driver import Done, Task, drive
from slth.experiments.executors import SERIAL, Shard, open_executor, shard_index
from slth.experiments.ledger import Ledger, versions
from slth.experiments.spec import Spec


@dataclass(frozen=True, slots=True)
class SweepStatus:
    """How far a ledger is with a specification.

    Attributes
    ----------
    cells, blocks, trials : int
        Wanted by the specification (by this shard).
    cells_done, blocks_done, trials_done : int
        Of these, in the ledger.
    others : int
        Cells in the ledger that the specification does not name.
    """

    cells: int
    cells_done: int
    blocks: int
    blocks_done: int
    trials: int
    trials_done: int
    others: int

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.blocks_done == self.blocks


def run_sweep(
    spec: Spec,
    path: Path,
    *,
    executor: str = SERIAL,
    workers: int | None = None,
    shard: Shard | None = None,
    discard_damaged: bool = False,
    progress: Progress | None = None,
) -> SweepStatus:
    """Do the blocks of a specification that the ledger lacks, and write each as it is finished.

    Parameters
    ----------
    spec : Spec
        What to do.
    path : Path
        The ledger; created, or taken up where it stands. Ledgers of several specifications may share a file.
    executor : str
        "serial", "processes" or "dask://host:port". Changes no result.
    workers : int, optional
        Number of processes. Default: the CPUs available.
    shard : (int, int), optional
        (i, n) with 1 <= i <= n: only every n-th block, for job arrays; merge the n ledgers afterwards.
    discard_damaged : bool
        Delete rows that fail their sha256 and do them again.
    progress : callable, optional
        Called as progress("sweep", blocks done, blocks wanted).

    Returns
    -------
    SweepStatus

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.
    LedgerDamaged
        If the ledger holds damaged rows.
    SweepIncomplete
        If blocks could not be done; everything else was.
    CapacityExceeded
        The same, if every failure was for lack of memory.

    Notes
    -----
    Killed at any moment, a run loses the blocks in flight at most; the same call takes up what is missing.
    """
    wanted = spec.plan()
    index, shards = shard_index(shard)
    with Ledger(path) as ledger:
        problems = ledger.check(discard=discard_damaged)
        if problems and not discard_damaged:
            ledger.raise_damaged(problems)
        cut = [(cell, trials, ledger.add_cell(cell, length)) for cell, trials, length in wanted]
        missing: list[Task] = []
        total = 0
        for cell, trials, length in cut:
            digest, done = cell.digest, ledger.done(cell.digest)
            mine = [b for b in range(-(-trials // length)) if (int(digest[:8], 16) + b) % shards == index]
            total += len(mine)
            canonical = cell.canonical
            missing += [Task(digest, b, do_block, (canonical, b, length)) for b in mine if b not in done]
        if missing:
            with open_executor(executor, workers) as (pool, in_flight):
                failures = drive(
                    pool,
                    in_flight,
                    missing,
                    ledger,
                    total=total,
                    stage="sweep",
                    unit="blocks",
                    progress=progress,
                )
            _raise_failures(failures)
        return _status(cut, ledger, index, shards)


def sweep_status(spec: Spec, path: Path, *, shard: Shard | None = None) -> SweepStatus:
    """How far a ledger is with a specification; nothing is written.

    Raises
    ------
    InvalidInput
        If there is no such ledger.
    """
    index, shards = shard_index(shard)
    with Ledger(path, read_only=True) as ledger:
        known = ledger.cells()
        cut = [
            (cell, trials, known[cell.digest][1] if cell.digest in known else length)
            for cell, trials, length in spec.plan()
        ]
        return _status(cut, ledger, index, shards)


def merge_ledgers(out: Path, sources: Sequence[Path]) -> int:
    """Gather the blocks of several ledgers in one; return how many were new.

    Parameters
    ----------
    out : Path
        The ledger to write; created, or added to.
    sources : sequence of Path
        Ledgers to read; they are not changed.

    Raises
    ------
    InvalidInput
        If one is missing, is `out` itself, or cuts a cell into other blocks.
    LedgerDamaged
        If one is damaged, or two contradict each other.
    """
    for source in sources:
        if not source.is_file():
            raise InvalidInput(f"`ledger` must be an existing file; got {str(source)!r}.")
        if out.exists() and source.samefile(out):
            raise InvalidInput(f"`out` must not be one of the ledgers to merge; got {str(out)!r}.")
    new = 0
    with Ledger(out) as ledger:
        for source in sources:
            with Ledger(source, read_only=True) as other:
                new += ledger.merge(other)
    return new


def do_block(canonical: str, block: int, trials: int) -> Done:
    """Do one block; this is what a worker runs."""
    began = time.perf_counter()
    payload = run_block(Cell.from_canonical(canonical), block, trials)
    return Done(
        payload,
        round(1000 * (time.perf_counter() - began)),
        versions(scipy=scipy.__version__, host=socket.gethostname()),
    )


def _raise_failures(failures: dict[str, SlthError]) -> None:
    if not failures:
        return
    problems = tuple(f"cell {digest[:12]}: {error}" for digest, error in failures.items())
    text = f"{len(problems)} cell(s) could not be done; all others are in the ledger. " + " ".join(problems[:5])
    if all(isinstance(error, CapacityExceeded) for error in failures.values()):
        raise CapacityExceeded(text)
    raise SweepIncomplete(text, problems)


def _status(cut: list[tuple[Cell, int, int]], ledger: Ledger, index: int, shards: int) -> SweepStatus:
    counts = dict.fromkeys(("cells", "cells_done", "blocks", "blocks_done", "trials", "trials_done"), 0)
    for cell, trials, length in cut:
        digest = cell.digest
        mine = {b for b in range(-(-trials // length)) if (int(digest[:8], 16) + b) % shards == index}
        done = len(mine & ledger.done(digest))
        counts["cells"] += bool(mine)
        counts["cells_done"] += bool(mine) and done == len(mine)
        counts["blocks"] += len(mine)
        counts["blocks_done"] += done
        counts["trials"] += len(mine) * length
        counts["trials_done"] += done * length
    named = {cell.digest for cell, _, _ in cut}
    return SweepStatus(**counts, others=len(set(ledger.cells()) - named))
