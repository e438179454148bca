"""Blocks of work on several threads: each writes only its own places, so that their number is irrelevant."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from slth._validate import as_integer

Job = TypeVar("Job")
Out = TypeVar("Out")


def as_threads(threads: Any) -> int:
    """`threads` or the CPUs that this process may use."""
    return cpus() if threads is None else as_integer(threads, "threads", low=1, high=1024)


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share(drain: Callable[[Iterator[Any]], None], blocks: Iterable[Any], workers: int) -> None:
    """Call `drain`, which works through an iterator of blocks, once in each of `workers` threads.

    The threads take the blocks of one iterator in order. After an exception, or Ctrl-C, no more are handed out.
    """
    if workers == 1:
        drain(iter(blocks))
        return
    stop = threading.Event()
    source = _locked(iter(blocks), stop)
    with ThreadPoolExecutor(workers) as executor:
        try:
            for task in [executor.submit(drain, source) for _ in range(workers)]:
                task.result()
        finally:
            stop.set()


def _locked(blocks: Iterator[Any], stop: threading.Event) -> Iterator[Any]:
    """An iterator that several threads may share."""
    lock = threading.Lock()

    def take() -> Any:
        with lock:
            return None if stop.is_set() else next(blocks, None)

    return iter(take, None)


class Team:
    """Threads that stay for one long search; a context manager."""

    def __init__(self, workers: int) -> None:
        self.executor = ThreadPoolExecutor(workers) if workers > 1 else None

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        if self.executor is not None:
            self.executor.shutdown(cancel_futures=True)

    def run(self, call: Callable[[Job], Out], jobs: Sequence[Job]) -> list[Out]:
        """The results of all jobs, in order."""
        if self.executor is None or len(jobs) < 2:
            return [call(job) for job in jobs]
        return list(self.executor.map(call, jobs))
