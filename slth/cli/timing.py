"""Progress of long runs of equal pieces: how many, how fast, how long yet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from slth._typing import Progress
from slth.cli.output import error_console

LINE_SECONDS = 5.0


@contextmanager
def timed_progress(unit: str) -> Iterator[Progress]:
    """How many are done, their rate and the time left, on stderr: a bar on a terminal, otherwise some lines."""
    if not sys.stderr.isatty():
        yield _lines(unit)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=error_console(),
        transient=True,
    ) as bars:
        task = bars.add_task(unit, total=None, rate="")
        rate = _Rate()

        def show(stage: str, done: int, total: int) -> None:
            del stage
            bars.update(task, completed=done, total=total, rate=f"{rate.at(done):.3g} {unit}/s")

        yield show


def _lines(unit: str) -> Progress:
    rate = _Rate()
    last = 0.0

    def show(stage: str, done: int, total: int) -> None:
        nonlocal last
        speed = rate.at(done)
        now = time.monotonic()
        if now - last < LINE_SECONDS and done < total:
            return
        last = now
        left = f", {(total - done) / speed:.0f} s left" if speed else ""
        sys.stderr.write(f"{stage}: {done} of {total} {unit}, {speed:.3g} {unit}/s{left}\n")
        sys.stderr.flush()

    return show


class _Rate:
    """Pieces a second since the start, which may have found some done."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first: int | None = None

    def at(self, done: int) -> float:
        if self._first is None:
            self._first, self._began = done, time.monotonic()
        spent = time.monotonic() - self._began
        return (done - self._first) / spent if spent > 0 else 0.0
