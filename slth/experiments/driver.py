"""The loop of every driver: an executor is kept busy, and what comes back is written to the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, NamedTuple

from slth._typing import Progress
from slth.errors import SlthError, SweepIncomplete
from slth.experiments.ledger import Block, Ledger


class Done(NamedTuple):
    """What a worker hands back: the payload, and where and how long it took."""

    payload: str
    milliseconds: int
    where: dict[str, str]


class Task(NamedTuple):
    """One block to do: the cell's digest, the block's number, and what a worker calls."""

    digest: str
    block: int
    call: Callable[..., Done]
    arguments: tuple[Any, ...]


def drive(
    pool: Executor,
    in_flight: int,
    tasks: Sequence[Task],
    ledger: Ledger,
    *,
    total: int,
    stage: str,
    unit: str,
    progress: Progress | None,
) -> dict[str, SlthError]:
    """Keep the executor busy until every task is written or its cell has failed; return the failures.

    Parameters
    ----------
    pool : Executor
    in_flight : int
        How many tasks it holds at once.
    tasks : sequence of Task
        Those that are left of `total`.
    ledger : Ledger
    total : int
    stage, unit : str
        First argument of `progress`, and what messages call the tasks.
    progress : callable, optional
        Called as progress(stage, tasks done, total).

    Raises
    ------
    SweepIncomplete
        If a worker process died.
    """
    failures: dict[str, SlthError] = {}
    waiting = (task for task in tasks if task.digest not in failures)
    running: dict[Future[Done], Task] = {}
    done = total - len(tasks)
    if progress is not None:
        progress(stage, done, total)
    while True:
        for task in islice(waiting, in_flight - len(running)):
            running[pool.submit(task.call, *task.arguments)] = task
        if not running:
            return failures
        # the timeout lets Ctrl-C through where a wait would hold it back
        ended, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
        for future in ended:
            task = running.pop(future)
            try:
                result = future.result()
            except SlthError as error:
                failures[task.digest] = error
                continue
            except BrokenProcessPool:
                raise SweepIncomplete(
                    f"a worker process died; {done} of {total} {unit} are in {ledger.path}. "
                    "Run the same command again to go on."
                ) from None
            block = Block(task.digest, task.block, result.payload)
            ledger.add_block(block, run=ledger.add_run(result.where), milliseconds=result.milliseconds)
            done += 1
            if progress is not None:
                progress(stage, done, total)
